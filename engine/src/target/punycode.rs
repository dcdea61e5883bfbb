//! Punycode (RFC 3492): the letters behind `xn--`.

/// The label behind `xn--`, decoded; `None`: it is not punycode, or says nothing that plain letters could not.
pub(super) fn decode(label: &str) -> Option<String> {
    // RFC 3492, section 5: the parameters for Punycode.
    const BASE: u32 = 36;
    const TMIN: u32 = 1;
    const TMAX: u32 = 26;
    const SKEW: u32 = 38;
    const DAMP: u32 = 700;

    let (basic, digits) = label.rsplit_once('-').unwrap_or(("", label));
    let mut output: Vec<char> = basic.chars().collect();
    if digits.is_empty() || !basic.is_ascii() {
        return None;
    }
    let (mut n, mut i, mut bias): (u32, u32, u32) = (128, 0, 72);
    let mut digits = digits.bytes();
    while digits.len() > 0 {
        let (before, mut weight, mut k) = (i, 1_u32, BASE);
        loop {
            let digit = match digits.next()? {
                letter @ b'a'..=b'z' => u32::from(letter - b'a'),
                letter @ b'A'..=b'Z' => u32::from(letter - b'A'),
                digit @ b'0'..=b'9' => u32::from(digit - b'0') + 26,
                _ => return None,
            };
            i = i.checked_add(digit.checked_mul(weight)?)?;
            let threshold = k.saturating_sub(bias).clamp(TMIN, TMAX);
            if digit < threshold {
                break;
            }
            weight = weight.checked_mul(BASE - threshold)?;
            k += BASE;
        }
        let length = u32::try_from(output.len()).ok()? + 1;
        let mut delta = (i - before) / if before == 0 { DAMP } else { 2 };
        delta += delta / length;
        let mut steps = 0;
        while delta > ((BASE - TMIN) * TMAX) / 2 {
            delta /= BASE - TMIN;
            steps += BASE;
        }
        bias = steps + (BASE - TMIN + 1) * delta / (delta + SKEW);
        n = n.checked_add(i / length)?;
        i %= length;
        output.insert(usize::try_from(i).ok()?, char::from_u32(n)?);
        i += 1;
    }
    Some(output.into_iter().collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_of_the_standard_and_of_registries_decode() {
        for (label, expected) in [
            ("mnchen-3ya", Some("münchen")),
            ("bcher-kva", Some("bücher")),
            ("ihqwcrb4cv8a8dqg056pqjye", Some("他们为什么不说中文")),
            ("e1afmkfd", Some("пример")),
            ("80ak6aa92e", Some("аррӏе")),
            ("", None),
            ("abc-", None),
            ("99999999999", None),
            ("a_b", None),
        ] {
            assert_eq!(decode(label).as_deref(), expected, "{label}");
        }
    }
}
