//! Records on their way in: are their blocks sound, and are all there?

use std::collections::{BTreeSet, HashMap, HashSet};

use sha2::{Digest, Sha256};
use sluice_engine::record::{Block, Piece, Record};

use crate::store::{Store, StoreError};

/// Why records are not taken.
#[derive(Debug, thiserror::Error)]
pub enum IntakeError {
    /// A block is not what its digest says.
    #[error(
        "block {0} does not have that SHA-256; nothing was written. Send each block with the digest of its text"
    )]
    Digest(String),
    /// A list that is none.
    #[error("block {0} is marked as a list of pieces and its text is not one; nothing was written")]
    List(String),
    /// A digest that cannot be one.
    #[error("`{0}` is not a digest: 64 lower-case hexadecimal digits; nothing was written")]
    Name(String),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Checks the blocks, and names those that the records need and nobody has: neither the call nor the store. A list
/// in the store was checked when it came, so what it names is there too.
///
/// # Errors
/// See [`IntakeError`].
pub async fn missing(
    store: &dyn Store,
    records: &[Record],
    blocks: &[Block],
) -> Result<Vec<String>, IntakeError> {
    let mut named: BTreeSet<String> = BTreeSet::new();
    let mut name = |pieces: Vec<Piece>| -> Result<(), IntakeError> {
        for piece in pieces {
            if let Piece::Block(digest) = piece {
                if !is_digest(&digest) {
                    return Err(IntakeError::Name(digest.chars().take(80).collect()));
                }
                named.insert(digest);
            }
        }
        Ok(())
    };
    for record in records {
        if let Some(body) = &record.body {
            name(body.pieces.clone())?;
        }
    }
    let mut sent = HashMap::new();
    for block in blocks {
        if !block.is_sound() {
            return Err(IntakeError::Digest(block.digest.chars().take(80).collect()));
        }
        name(block.pieces().ok_or_else(|| IntakeError::List(block.digest.clone()))?)?;
        sent.insert(block.digest.as_str(), block.list);
    }
    let wanted: Vec<String> =
        named.into_iter().filter(|digest| !sent.contains_key(digest.as_str())).collect();
    if wanted.is_empty() { Ok(wanted) } else { Ok(store.missing(wanted).await?) }
}

/// Makes each record's body one block: its texts are in blocks alone, so that they can go one day without a change of
/// the entry.
pub fn fold(records: &mut [Record], blocks: &mut Vec<Block>) {
    for body in records.iter_mut().filter_map(|record| record.body.as_mut()) {
        if body.pieces.iter().all(|piece| matches!(piece, Piece::Block(_))) {
            continue;
        }
        // Pieces are plain strings in plain enums: they always serialise.
        let text = serde_json::to_string(&body.pieces).unwrap_or_default();
        let block = Block::new(text, true);
        body.pieces = vec![Piece::Block(block.digest.clone())];
        blocks.push(block);
    }
}

/// What identifies a batch: its id and what it says, so that an id that is used again for other records does not
/// swallow them.
pub fn batch_key(id: &str, records: &[Record]) -> [u8; 32] {
    let mut sha = Sha256::new();
    sha.update((id.len() as u64).to_be_bytes());
    sha.update(id.as_bytes());
    // Records are plain values: they always serialise.
    sha.update(serde_json::to_vec(records).unwrap_or_default());
    sha.finalize().into()
}

fn is_digest(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
}

/// The digests that these pieces name.
pub fn digests(pieces: &[Piece]) -> HashSet<&str> {
    pieces
        .iter()
        .filter_map(|piece| match piece {
            Piece::Block(digest) => Some(digest.as_str()),
            Piece::Text(_) => None,
        })
        .collect()
}
