//! Verdicts on tokens, kept until the token ends.

use std::collections::BTreeMap;

use sha2::{Digest as _, Sha256};

use super::Principal;

/// SHA-256 of a token. Chosen by nobody, so that a sorted map of them cannot be made slow from outside.
pub type Digest = [u8; 32];

/// Principals by token digest, bounded; those that were asked for longest ago make room.
///
/// Two generations: what is used moves to the young one, and when that has reached half of the capacity it
/// becomes the old one and what was old is forgotten. So both `get` and `put` take logarithmic time.
///
/// Make a new one for each bundle: another bundle may revoke what this one holds.
#[derive(Debug)]
pub struct Cache {
    young: BTreeMap<Digest, Principal>,
    old: BTreeMap<Digest, Principal>,
    capacity: usize,
}

impl Default for Cache {
    fn default() -> Self {
        Self::new(4096)
    }
}

impl Cache {
    /// Room for `capacity` tokens (at least two).
    pub fn new(capacity: usize) -> Self {
        Self { young: BTreeMap::new(), old: BTreeMap::new(), capacity: capacity.max(2) }
    }

    /// The digest under which a token is kept.
    pub fn digest(token: &str) -> Digest {
        Sha256::digest(token.as_bytes()).into()
    }

    /// The principal of a token that was verified before and has not ended at `now_ms`.
    pub fn get(&mut self, digest: &Digest, now_ms: u64) -> Option<Principal> {
        let found = match self.old.remove(digest) {
            Some(principal) => {
                self.put(*digest, principal.clone());
                principal
            }
            None => self.young.get(digest)?.clone(),
        };
        if now_ms < found.expires_ms {
            Some(found)
        } else {
            self.young.remove(digest);
            None
        }
    }

    /// Keeps the principal of a verified token.
    pub fn put(&mut self, digest: Digest, principal: Principal) {
        self.old.remove(&digest);
        self.young.insert(digest, principal);
        if self.young.len() >= self.capacity.div_ceil(2) {
            self.old = std::mem::take(&mut self.young);
        }
    }

    /// Forgets everything, as a new bundle demands.
    pub fn clear(&mut self) {
        self.young.clear();
        self.old.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn principal(subject: &str, expires_ms: u64) -> Principal {
        Principal {
            issuer: "corp".into(),
            subject: subject.into(),
            groups: Vec::new(),
            scopes: None,
            actor: None,
            expires_ms,
        }
    }

    #[test]
    fn a_verified_token_is_known_until_it_ends() {
        let mut cache = Cache::default();
        let digest = Cache::digest("a.b.c");
        cache.put(digest, principal("ann", 1000));
        assert_eq!(cache.get(&digest, 999).map(|p| p.subject), Some("ann".into()));
        assert_eq!(cache.get(&Cache::digest("a.b.d"), 0), None);
        assert_eq!(cache.get(&digest, 1000), None);
        assert_eq!(cache.get(&digest, 999), None, "an ended token is forgotten");
    }

    #[test]
    fn a_new_bundle_forgets_all() {
        let mut cache = Cache::new(2);
        for token in ["a", "b", "c"] {
            cache.put(Cache::digest(token), principal(token, 10));
        }
        cache.clear();
        for token in ["a", "b", "c"] {
            assert_eq!(cache.get(&Cache::digest(token), 0), None);
        }
    }

    #[test]
    fn the_cache_is_bounded_and_keeps_what_is_used() {
        let mut cache = Cache::new(64);
        let used = Cache::digest("used");
        cache.put(used, principal("used", u64::MAX));
        for n in 0..10_000 {
            cache.put(Cache::digest(&n.to_string()), principal("other", u64::MAX));
            assert!(cache.get(&used, 0).is_some(), "forgotten after {n}");
            assert!(cache.young.len() + cache.old.len() <= 64);
        }
        assert_eq!(cache.get(&Cache::digest("0"), 0), None);
    }
}
