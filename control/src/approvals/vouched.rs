//! What issuers said last of people: how control hears that somebody is no longer in a group.
//!
//! Issuers tell nobody when a person leaves a group; they only put it into the next token. So what control knows is what
//! stood in the newest one that it was shown, by a sign-in in the browser or a call to its API.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use sluice_engine::identity::{Lineage, Principal};
use sluice_engine::record::Who;

/// What an issuer said of a person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Vouched {
    /// Who it is, and the groups.
    pub who: Who,
    /// When the issuer said so, in Unix milliseconds.
    pub said_ms: u64,
}

impl Vouched {
    /// By a token, or the one behind a sign-in. `None`: it does not say when it was issued, and so not what is newer.
    pub fn of(principal: &Principal, lineage: &Lineage) -> Option<Self> {
        let Principal { issuer, subject, groups, .. } = principal.clone();
        Some(Self { who: Who { issuer, subject, groups }, said_ms: lineage.issued_ms? })
    }
}

/// What is written only to say that nothing has changed, is written this seldom, in milliseconds.
const AGAIN_MS: u64 = 60_000;

/// People of whom it is remembered here what was written; beyond it all are forgotten, which costs a write for each.
const PEOPLE: usize = 1000;

/// What was written of whom, so that not every call becomes a write.
#[derive(Debug, Default)]
pub struct Heard(Mutex<HashMap<(String, String), Vouched>>);

impl Heard {
    /// Whether the store should hear of it.
    pub fn is_news(&self, vouched: &Vouched) -> bool {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Who { issuer, subject, groups } = &vouched.who;
        all.get(&(issuer.clone(), subject.clone())).is_none_or(|known| {
            vouched.said_ms > known.said_ms
                && (known.who.groups != *groups || vouched.said_ms >= known.said_ms.saturating_add(AGAIN_MS))
        })
    }

    /// The store has it.
    pub fn keep(&self, vouched: Vouched) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if all.len() >= PEOPLE {
            all.clear();
        }
        all.insert((vouched.who.issuer.clone(), vouched.who.subject.clone()), vouched);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_older_or_the_same_within_a_minute_is_no_news() {
        let heard = Heard::default();
        let vouched =
            |said_ms, groups: &[&str]| Vouched { who: super::super::tests::who("ana", groups), said_ms };
        assert!(heard.is_news(&vouched(1000, &["a"])));
        heard.keep(vouched(1000, &["a"]));
        for (said_ms, groups, news) in [
            (999, &["b"][..], false),
            (1000, &["b"], false),
            (1001, &["a"], false),
            (1001, &["b"], true),
            (1001, &[], true),
            (61_000, &["a"], true),
        ] {
            assert_eq!(heard.is_news(&vouched(said_ms, groups)), news, "{said_ms} {groups:?}");
        }
    }
}
