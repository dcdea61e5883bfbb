//! Numbers, as people read them.

/// `12,345`; beyond a hundred thousand `123k`, `1.2M`.
pub fn count(number: u64) -> String {
    match number {
        0..100_000 => grouped(number),
        100_000..1_000_000 => format!("{}k", number / 1000),
        _ => format!("{}.{}M", grouped(number / 1_000_000), number / 100_000 % 10),
    }
}

/// `1 exchange`, `12 exchanges`.
pub fn many(number: u64, what: &str) -> String {
    if number == 1 { format!("1 {what}") } else { format!("{} {what}s", count(number)) }
}

/// Digits in groups of three.
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::with_capacity(digits.len() + 4);
    for (n, digit) in digits.chars().enumerate() {
        if n > 0 && (digits.len() - n).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// Millionths of a dollar: `$1.23`; below a cent `$0.0012`.
pub fn dollars(micros: u64) -> String {
    match micros {
        0 => "$0".into(),
        1..10_000 => format!("$0.{:04}", micros.div_ceil(100)),
        _ => format!("${}.{:02}", grouped(micros / 1_000_000), micros / 10_000 % 100),
    }
}

/// Milliseconds: `840 ms`, `3.4 s`, `2m 5s`.
pub fn took(ms: u64) -> String {
    match ms {
        0..1000 => format!("{ms} ms"),
        1000..60_000 => format!("{}.{} s", ms / 1000, ms / 100 % 10),
        _ => format!("{}m {}s", ms / 60_000, ms / 1000 % 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_read_at_a_glance() {
        assert_eq!((count(0), count(99_999), count(123_456)), ("0".into(), "99,999".into(), "123k".into()));
        assert_eq!(count(1_260_000), "1.2M");
        assert_eq!((many(1, "step"), many(0, "step")), ("1 step".into(), "0 steps".into()));
        assert_eq!(
            (dollars(0), dollars(1), dollars(12_345_678)),
            ("$0".into(), "$0.0001".into(), "$12.34".into())
        );
        assert_eq!((took(840), took(3400), took(125_000)), ("840 ms".into(), "3.4 s".into(), "2m 5s".into()));
    }
}
