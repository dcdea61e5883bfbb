//! The signed head of a chain, as a note that can be printed, sent and kept elsewhere.
//!
//! The form is C2SP's signed note (<https://c2sp.org/signed-note>), its body that of a checkpoint
//! (<https://c2sp.org/tlog-checkpoint>) with the chain's hash in the place of a tree's root:
//!
//! ```text
//! sluice/WRITER
//! SEQ
//! base64 of the hash
//!
//! — sluice/WRITER base64 of key id (4 bytes) and Ed25519 signature
//! ```

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use ed25519_dalek::{Signature, Signer, SigningKey, VerifyingKey};
use sha2::{Digest, Sha256};

use super::chain::Hash;

/// Where a writer's chain stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint {
    /// The writer.
    pub writer: String,
    /// The number of its last entry.
    pub seq: u64,
    /// The hash of that entry.
    pub hash: Hash,
}

/// Why a note is not believed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoteError {
    /// Not in the form of a checkpoint.
    #[error(
        "this is not a checkpoint: it has three lines, an empty one, and a line that starts with `— sluice/`"
    )]
    Form,
    /// Not signed by the key.
    #[error("the checkpoint was not signed by this key, or was altered")]
    Signature,
}

/// The notes in a text that holds several, one after the other. Each starts with its origin at the start of a line.
pub fn notes(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        let from =
            rest.find("sluice/").filter(|&at| at == 0).or_else(|| rest.find("\nsluice/").map(|at| at + 1))?;
        let own = rest.get(from..)?;
        let end = own.find("\nsluice/").map_or(own.len(), |at| at + 1);
        let (note, behind) = own.split_at_checked(end)?;
        rest = behind;
        Some(note)
    })
}

impl Checkpoint {
    fn origin(&self) -> String {
        format!("sluice/{}", self.writer)
    }

    fn text(&self) -> String {
        format!("{}\n{}\n{}\n", self.origin(), self.seq, BASE64.encode(self.hash.0))
    }

    /// The signature over the note's text.
    pub fn sign(&self, key: &SigningKey) -> [u8; 64] {
        key.sign(self.text().as_bytes()).to_bytes()
    }

    /// Whether the signature is `key`'s over this very checkpoint.
    pub fn is_signed(&self, signature: &[u8], key: &VerifyingKey) -> bool {
        Signature::from_slice(signature)
            .is_ok_and(|signature| key.verify_strict(self.text().as_bytes(), &signature).is_ok())
    }

    /// The note, with a signature that was made before.
    pub fn note(&self, signature: &[u8; 64], key: &VerifyingKey) -> String {
        let mut blob = self.key_id(key).to_vec();
        blob.extend_from_slice(signature);
        format!("{}\n— {} {}\n", self.text(), self.origin(), BASE64.encode(blob))
    }

    /// Reads a note and checks that `key` signed it.
    ///
    /// # Errors
    /// See [`NoteError`].
    pub fn open(note: &str, key: &VerifyingKey) -> Result<Self, NoteError> {
        let (text, signatures) = note.trim_start().split_once("\n\n").ok_or(NoteError::Form)?;
        let mut lines = text.lines();
        let writer = lines.next().and_then(|line| line.strip_prefix("sluice/")).ok_or(NoteError::Form)?;
        let seq = lines.next().and_then(|line| line.parse().ok()).ok_or(NoteError::Form)?;
        let hash = lines.next().and_then(|line| BASE64.decode(line).ok()).ok_or(NoteError::Form)?;
        let hash = <[u8; 32]>::try_from(hash).map_err(|_| NoteError::Form)?;
        if lines.next().is_some() {
            return Err(NoteError::Form);
        }
        let checkpoint = Self { writer: writer.to_owned(), seq, hash: Hash(hash) };
        let prefix = format!("— {} ", checkpoint.origin());
        let signed = signatures
            .lines()
            .filter_map(|line| line.strip_prefix(&prefix))
            .filter_map(|blob| BASE64.decode(blob.trim_end()).ok())
            .any(|blob| blob.split_at_checked(4).is_some_and(|(_, sig)| checkpoint.is_signed(sig, key)));
        if signed { Ok(checkpoint) } else { Err(NoteError::Signature) }
    }

    /// The first four bytes of SHA-256 over name, newline, algorithm (1 is Ed25519) and key, as the form has it.
    fn key_id(&self, key: &VerifyingKey) -> [u8; 4] {
        let mut sha = Sha256::new();
        sha.update(self.origin().as_bytes());
        sha.update(b"\n\x01");
        sha.update(key.as_bytes());
        let [a, b, c, d, ..] = <[u8; 32]>::from(sha.finalize());
        [a, b, c, d]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checkpoint() -> Checkpoint {
        Checkpoint { writer: "4f1d".into(), seq: 42, hash: Hash([7; 32]) }
    }

    #[test]
    fn notes_one_after_the_other_are_told_apart() {
        let key = SigningKey::from_bytes(&[3; 32]);
        let note = checkpoint().note(&checkpoint().sign(&key), &key.verifying_key());
        for text in
            [note.clone(), format!("{note}\n{note}"), format!("{note}{note}\n\n"), format!("# kept\n{note}")]
        {
            assert!(notes(&text).count() > 0);
            for each in notes(&text) {
                assert_eq!(Checkpoint::open(each, &key.verifying_key()), Ok(checkpoint()), "{text}");
            }
        }
        assert_eq!(notes(&format!("{note}\n{note}")).count(), 2);
        assert_eq!(notes("nothing here: sluice/").count(), 0);
    }

    #[test]
    fn a_note_reads_back_and_another_key_or_number_does_not() {
        let key = SigningKey::from_bytes(&[3; 32]);
        let signature = checkpoint().sign(&key);
        let note = checkpoint().note(&signature, &key.verifying_key());
        assert_eq!(Checkpoint::open(&note, &key.verifying_key()), Ok(checkpoint()));
        let other = SigningKey::from_bytes(&[4; 32]).verifying_key();
        assert_eq!(Checkpoint::open(&note, &other), Err(NoteError::Signature));
        let raised = note.replacen("\n42\n", "\n43\n", 1);
        assert_eq!(Checkpoint::open(&raised, &key.verifying_key()), Err(NoteError::Signature));
        let renamed = note.replace("4f1d", "4f1e");
        assert_eq!(Checkpoint::open(&renamed, &key.verifying_key()), Err(NoteError::Signature));
        assert_eq!(Checkpoint::open("sluice/4f1d\n42\n", &key.verifying_key()), Err(NoteError::Form));
    }
}
