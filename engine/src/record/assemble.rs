//! Pieces become the exact bytes of a body again.

use super::{Block, Body, Piece};

/// How many pieces one body may take to put together: far above what a body of 32 MB needs, and an end to lists
/// that name each other so often that they never finish.
const STEPS: usize = 4_000_000;

/// Why a body cannot be put together.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AssembleError {
    /// A block is not there.
    #[error("block {0} is not in the store: it was removed, or the record is older than its retention")]
    Missing(String),
    /// A `list` block whose text is no list.
    #[error("block {0} says that it is a list of pieces, and its text is not one")]
    NotAList(String),
    /// More than the caller can take.
    #[error("the body is larger than {0} bytes")]
    TooLarge(usize),
}

/// Puts a body together: its exact bytes, at most `limit` of them. `lookup` finds a block by its digest.
///
/// # Errors
/// See [`AssembleError`].
pub fn assemble<'b>(
    body: &Body,
    limit: usize,
    lookup: impl Fn(&str) -> Option<&'b Block>,
) -> Result<String, AssembleError> {
    let mut out = String::new();
    // A chain of messages is as deep as the conversation is long, so the stack is a value.
    let mut stack = vec![body.pieces.clone().into_iter()];
    let mut steps = 0;
    while let Some(top) = stack.last_mut() {
        let Some(piece) = top.next() else {
            stack.pop();
            continue;
        };
        steps += 1;
        let text = match piece {
            Piece::Text(text) => text,
            Piece::Block(digest) => {
                let block = lookup(&digest).ok_or_else(|| AssembleError::Missing(digest.clone()))?;
                if block.list {
                    let pieces = block.pieces().ok_or(AssembleError::NotAList(digest))?;
                    stack.push(pieces.into_iter());
                    String::new()
                } else {
                    if out.len() + block.text.len() > limit {
                        return Err(AssembleError::TooLarge(limit));
                    }
                    out.push_str(&block.text);
                    continue;
                }
            }
        };
        if out.len() + text.len() > limit || steps > STEPS {
            return Err(AssembleError::TooLarge(limit));
        }
        out.push_str(&text);
    }
    Ok(out)
}
