//! A policy as it is stored, and who vouches for it.

use ed25519_dalek::{Signature, Signer, SigningKey, VerifyingKey};

use super::Documents;
use super::tried::digest_of;

/// A policy that is, or was, in force.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredPolicy {
    /// Counts up by one; the highest is in force.
    pub number: u64,
    /// Its documents, cases among them.
    pub documents: Documents,
    /// Since when, in Unix milliseconds.
    pub at_ms: u64,
    /// By the key that signs bundles.
    pub signature: Vec<u8>,
}

impl StoredPolicy {
    /// A policy of this number, vouched for.
    pub fn signed(number: u64, documents: Documents, at_ms: u64, key: &SigningKey) -> Self {
        let signature = key.sign(&statement(number, &documents)).to_vec();
        Self { number, documents, at_ms, signature }
    }

    /// Whether the key vouches for these documents under this number.
    pub fn is_vouched_for(&self, key: &VerifyingKey) -> bool {
        Signature::from_slice(&self.signature)
            .is_ok_and(|own| key.verify_strict(&statement(self.number, &self.documents), &own).is_ok())
    }
}

/// What is signed. A bundle starts with a brace, and a writer's statement with other words, so none can stand for
/// another.
fn statement(number: u64, documents: &Documents) -> Vec<u8> {
    format!("sluice: a policy in force\n{number}\n{}", digest_of(documents)).into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_number_text_name_or_key_is_not_vouched_for() {
        let key = SigningKey::from_bytes(&[1; 32]);
        let documents = |name: &str, text: &str| Documents::from([(name.to_owned(), text.to_owned())]);
        let good = StoredPolicy::signed(3, documents("a.yaml", "x"), 1, &key);
        assert!(good.is_vouched_for(&key.verifying_key()));
        assert!(!good.is_vouched_for(&SigningKey::from_bytes(&[2; 32]).verifying_key()));
        for changed in [
            StoredPolicy { number: 4, ..good.clone() },
            StoredPolicy { documents: documents("a.yaml", "y"), ..good.clone() },
            StoredPolicy { documents: documents("b.yaml", "x"), ..good.clone() },
            StoredPolicy { signature: vec![0; 64], ..good.clone() },
        ] {
            assert!(!changed.is_vouched_for(&key.verifying_key()), "{changed:?}");
        }
    }
}
