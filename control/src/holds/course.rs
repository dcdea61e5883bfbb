//! What happens when an exchange asks for a key's hold: one pure function, used by every store.

use sluice_engine::wire::HoldDecision;

use super::Hold;

/// What to do for an exchange that asks.
#[derive(Debug, Clone, PartialEq)]
pub enum Course<'a> {
    /// There is nothing to join: a new hold waits.
    Open,
    /// This hold's state is the answer.
    Tell(&'a Hold),
    /// This hold is approved and unused: the asker uses it, and goes on.
    Use(&'a Hold),
}

/// Decides from the holds of the key, the newest first and as they stand now ([`Hold::at`]). `edits`: whether the asker can
/// mask what an approval says; one that cannot uses none up that does.
pub fn course<'a>(holds: &'a [Hold], exchange: &str, edits: bool, now_ms: u64) -> Course<'a> {
    let used_by_asker = |hold: &&Hold| hold.used.as_ref().is_some_and(|used| used.exchange == exchange);
    if let Some(hold) = holds.iter().find(used_by_asker) {
        return Course::Tell(hold);
    }
    let Some(newest) = holds.first() else { return Course::Open };
    if newest.state == HoldDecision::Denied && newest.is_remembered(now_ms) {
        return Course::Tell(newest);
    }
    match newest.state {
        HoldDecision::Waiting => Course::Tell(newest),
        // The approval of a tool's definition is for everyone.
        HoldDecision::Approved if newest.ask.definition.is_some() => Course::Tell(newest),
        HoldDecision::Approved if newest.used.is_none() && newest.is_remembered(now_ms) => {
            Course::Use(newest)
        }
        HoldDecision::Edited if newest.used.is_none() && newest.is_remembered(now_ms) => {
            if edits {
                Course::Use(newest)
            } else {
                Course::Tell(newest)
            }
        }
        HoldDecision::Expired if newest.is_remembered(now_ms) => Course::Tell(newest),
        HoldDecision::Approved | HoldDecision::Edited | HoldDecision::Denied | HoldDecision::Expired => {
            Course::Open
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{REMEMBERED_MS, Used, tests::ask};
    use super::*;
    use crate::approvals::DecidedBy;
    use crate::approvals::tests::who;

    const END: u64 = 60_000;

    fn hold(state: HoldDecision, used: Option<&str>) -> Hold {
        let decided = state.goes_on() || state == HoldDecision::Denied;
        Hold {
            id: format!("{state:?}"),
            state,
            created_ms: 0,
            expires_ms: END,
            ask: ask("k", "first"),
            decided: decided.then(|| DecidedBy::new(&who("ben", &[]), 1, None)),
            voices: vec![],
            masked: vec![],
            pass: None,
            used: used.map(|exchange| Used { exchange: exchange.into(), at_ms: 2 }),
        }
    }

    #[derive(Debug, PartialEq)]
    enum Got {
        Open,
        Tell(usize),
        Use(usize),
    }

    fn go(holds: &[Hold], exchange: &str, now_ms: u64) -> Got {
        let at = |found: &Hold| holds.iter().position(|h| std::ptr::eq(h, found)).unwrap();
        match course(holds, exchange, true, now_ms) {
            Course::Open => Got::Open,
            Course::Tell(hold) => Got::Tell(at(hold)),
            Course::Use(hold) => Got::Use(at(hold)),
        }
    }

    #[test]
    fn each_state_has_its_course() {
        use HoldDecision::{Approved, Denied, Edited, Expired, Waiting};
        let soon = END + REMEMBERED_MS - 1;
        let late = END + REMEMBERED_MS;
        let cases: &[(&str, Vec<Hold>, u64, Got)] = &[
            ("nothing there", vec![], 0, Got::Open),
            ("one waits", vec![hold(Waiting, None)], 0, Got::Tell(0)),
            ("approved", vec![hold(Approved, None)], soon, Got::Use(0)),
            ("approved long ago, never used", vec![hold(Approved, None)], late, Got::Open),
            ("edited", vec![hold(Edited, None)], soon, Got::Use(0)),
            ("edited long ago, never used", vec![hold(Edited, None)], late, Got::Open),
            ("edited and used by another", vec![hold(Edited, Some("other"))], 0, Got::Open),
            ("edited and used by this one", vec![hold(Edited, Some("me"))], late, Got::Tell(0)),
            ("used by another", vec![hold(Approved, Some("other"))], 0, Got::Open),
            ("used by this one", vec![hold(Approved, Some("me"))], late, Got::Tell(0)),
            ("denied", vec![hold(Denied, None)], soon, Got::Tell(0)),
            ("denied long ago", vec![hold(Denied, None)], late, Got::Open),
            ("expired", vec![hold(Expired, None)], soon, Got::Tell(0)),
            ("expired long ago", vec![hold(Expired, None)], late, Got::Open),
            (
                "asked again while the first one's use stands",
                vec![hold(Waiting, None), hold(Approved, Some("other"))],
                0,
                Got::Tell(0),
            ),
        ];
        for (what, holds, now_ms, expected) in cases {
            assert_eq!(&go(holds, "me", *now_ms), expected, "{what}");
        }
    }

    #[test]
    fn who_cannot_mask_what_an_approval_says_does_not_use_it_up() {
        let edited = [hold(HoldDecision::Edited, None)];
        assert!(
            matches!(course(&edited, "old", false, 0), Course::Tell(told) if told.state == HoldDecision::Edited)
        );
        assert!(matches!(course(&edited, "new", true, 0), Course::Use(_)));
        let plain = [hold(HoldDecision::Approved, None)];
        assert!(matches!(course(&plain, "old", false, 0), Course::Use(_)));
    }
}
