//! Days and moments in UTC, as they are written.

/// A day (`2026-11-22`), as days since 1970; `None`: it is written in another way, or no such day.
pub fn day(text: &str) -> Option<u64> {
    let mut parts = text.splitn(3, '-').map(|part| part.parse().ok());
    days(parts.next()??, parts.next()??, parts.next()??)
}

/// A moment as SAML writes it (Core, section 1.3.3), as in `2026-11-22T09:00:00.123Z`, in Unix milliseconds; `None`: it
/// is written in another way, or no such day.
pub fn moment(text: &str) -> Option<u64> {
    let rest = text.strip_suffix('Z')?;
    let (rest, fraction) = rest.split_once('.').unwrap_or((rest, "0"));
    let digits = |text: &str| (!text.is_empty() && text.bytes().all(|b| b.is_ascii_digit())).then_some(());
    digits(fraction).filter(|()| fraction.len() <= 9)?;
    let millis: u64 = format!("{fraction:0<3}").get(..3)?.parse().ok()?;
    let (date, time) = rest.split_once('T')?;
    let mut numbers = [0_u64; 6];
    let parts = date.split('-').chain(time.split(':'));
    let widths = [4, 2, 2, 2, 2, 2];
    if date.len() != 10 || time.len() != 8 || parts.clone().count() != widths.len() {
        return None;
    }
    for ((number, width), part) in numbers.iter_mut().zip(widths).zip(parts) {
        digits(part).filter(|()| part.len() == width)?;
        *number = part.parse().ok()?;
    }
    let [year, month, day, hour, minute, second] = numbers;
    if hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    Some((((days(year, month, day)? * 24 + hour) * 60 + minute) * 60 + second) * 1000 + millis)
}

/// Days since 1970, from 1970 to 9999; `None`: no such day. By Howard Hinnant's `days_from_civil`
/// (<https://howardhinnant.github.io/date_algorithms.html>).
fn days(year: u64, month: u64, day: u64) -> Option<u64> {
    let leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    let length = match month {
        2 => 28 + u64::from(leap),
        4 | 6 | 9 | 11 => 30,
        1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
        _ => return None,
    };
    if !(1970..=9999).contains(&year) || !(1..=length).contains(&day) {
        return None;
    }
    let years = if month <= 2 { year - 1 } else { year };
    let (era, of_era) = (years / 400, years % 400);
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    Some(era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_is_counted_from_1970() {
        assert_eq!(day("1970-01-01"), Some(0));
        assert_eq!(day("2000-02-29"), Some(11_016));
        assert_eq!(day("2026-11-22"), Some(20_779));
        for wrong in [
            "2026-13-01",
            "2026-11",
            "22.11.2026",
            "1969-12-31",
            "2026-11-32",
            "2026-02-29",
            "10000-01-01",
            "x",
        ] {
            assert_eq!(day(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_moment_is_read_to_the_millisecond() {
        for (text, ms) in [
            ("1970-01-01T00:00:00Z", 0),
            ("2026-11-22T09:00:00Z", 1_795_338_000_000),
            ("2026-11-22T09:00:00.1Z", 1_795_338_000_100),
            ("2026-11-22T09:00:00.1239999Z", 1_795_338_000_123),
            ("2024-02-29T23:59:59Z", 1_709_251_199_000),
            ("2000-03-01T00:00:00Z", 951_868_800_000),
        ] {
            assert_eq!(moment(text), Some(ms), "{text}");
        }
    }

    #[test]
    fn what_is_written_in_another_way_is_no_moment() {
        for text in [
            "",
            "Z",
            "2026-11-22T09:00:00",
            "2026-11-22T09:00:00+00:00",
            "2026-11-22 09:00:00Z",
            "2026-02-29T00:00:00Z",
            "2026-13-01T00:00:00Z",
            "2026-00-01T00:00:00Z",
            "2026-11-22T24:00:00Z",
            "2026-11-22T09:00:60Z",
            "2026-11-22T09:00:00.Z",
            "2026-11-22T09:00:00.1234567890Z",
            "+026-11-22T09:00:00Z",
            "2026-1-022T09:00:00Z",
            "1969-12-31T23:59:59Z",
            "2026-11-22T09:00:00ZZ",
            " 2026-11-22T09:00:00Z",
        ] {
            assert_eq!(moment(text), None, "{text}");
        }
    }
}
