//! When a delivery is tried again.

/// How long after each try that failed the next one comes, in seconds: the schedule that Standard Webhooks 1.0
/// recommends. Some three days in all.
const AFTER: [u64; 9] = [5, 5 * 60, 30 * 60, 2 * 3600, 5 * 3600, 10 * 3600, 14 * 3600, 20 * 3600, 24 * 3600];

/// How often a delivery is tried before it is dead.
#[allow(clippy::cast_possible_truncation, reason = "ten")]
pub const TRIES: u32 = AFTER.len() as u32 + 1;

/// The longest that a receiver may ask to be left alone, in milliseconds.
const LONGEST_MS: u64 = 24 * 3600 * 1000;

/// When the next try comes after so many that failed, in milliseconds from now; `None`: that was the last.
///
/// `asked_ms` is what the receiver asked for (`Retry-After`); up to a fifth is added as `random` says, so that what failed
/// together does not come back together.
pub fn next(tries: u32, asked_ms: Option<u64>, random: u32) -> Option<u64> {
    let place = usize::try_from(tries.checked_sub(1)?).ok()?;
    let planned = AFTER.get(place)?.saturating_mul(1000);
    let wait = planned.max(asked_ms.unwrap_or_default().min(LONGEST_MS));
    Some(wait.saturating_add(wait / 5 * u64::from(random) / u64::from(u32::MAX)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tries_come_further_and_further_apart_for_three_days_and_end() {
        let waits: Vec<_> = (1..TRIES).map(|tries| next(tries, None, 0).unwrap()).collect();
        assert_eq!(waits.first(), Some(&5_000));
        assert!(waits.is_sorted());
        let hours = waits.iter().sum::<u64>() / 3_600_000;
        assert_eq!(hours, 75);
        assert_eq!(next(TRIES, None, 0), None, "the last one");
        assert_eq!(next(TRIES + 1, None, 0), None);
    }

    #[test]
    fn a_receiver_is_left_alone_as_long_as_it_asks_but_not_for_ever() {
        assert_eq!(next(1, Some(60_000), 0), Some(60_000));
        assert_eq!(next(2, Some(60_000), 0), Some(300_000), "the schedule asks for more");
        assert_eq!(next(1, Some(u64::MAX), 0), Some(24 * 3_600_000));
    }

    #[test]
    fn chance_adds_a_fifth_at_the_most_and_takes_nothing_away() {
        assert_eq!(next(1, None, u32::MAX), Some(6_000));
        assert_eq!(next(1, None, u32::MAX / 2).map(|ms| ms / 100), Some(54));
    }
}
