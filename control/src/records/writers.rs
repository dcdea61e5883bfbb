//! Who writes the log: with several replicas, several writers, each with a key of its own.
//!
//! A writer's public key stands in the store, signed by the key that signs bundles, which all replicas share. So each
//! replica can verify what the others wrote, and whoever has only the database cannot add a writer.

use ed25519_dalek::{Signature, Signer, SigningKey, VerifyingKey};

use super::writer_name;
use crate::store::{Enrolled, Store, StoreError};

/// Whose keys verify the log.
#[derive(Debug, Clone)]
pub struct Writers {
    /// This replica's own key.
    pub own: VerifyingKey,
    /// The key that vouches for others.
    pub voucher: VerifyingKey,
}

impl Writers {
    /// The keys of all writers: our own, and those in the store that are vouched for.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn keys(&self, store: &dyn Store) -> Result<Vec<VerifyingKey>, StoreError> {
        let mut keys = vec![self.own];
        for enrolled in store.enrolled().await? {
            match self.vouched(&enrolled) {
                Some(key) if key != self.own => keys.push(key),
                Some(_) => {}
                None => tracing::warn!(
                    writer = enrolled.writer,
                    "a writer in the database is not vouched for by this service's bundle key; its entries do not count"
                ),
            }
        }
        Ok(keys)
    }

    fn vouched(&self, enrolled: &Enrolled) -> Option<VerifyingKey> {
        let key = VerifyingKey::from_bytes(enrolled.key.as_slice().try_into().ok()?).ok()?;
        let signature = Signature::from_slice(&enrolled.signature).ok()?;
        let named = writer_name(&key) == enrolled.writer;
        (named && self.voucher.verify_strict(&statement(&key), &signature).is_ok()).then_some(key)
    }
}

/// What makes a writer known: its key, vouched for by the bundle key.
pub fn enrolment(record: &VerifyingKey, bundle: &SigningKey) -> Enrolled {
    Enrolled {
        writer: writer_name(record),
        key: record.as_bytes().to_vec(),
        signature: bundle.sign(&statement(record)).to_vec(),
    }
}

/// What is signed. A bundle starts with a brace, so neither can stand for the other.
fn statement(key: &VerifyingKey) -> Vec<u8> {
    let mut statement = b"sluice: a writer of the log\n".to_vec();
    statement.extend_from_slice(key.as_bytes());
    statement
}
