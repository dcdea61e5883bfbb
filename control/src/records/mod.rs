//! What the log holds, and reads of it.

mod approvals;
pub mod csv;
mod entry;
mod intake;
pub mod lines;
pub mod ocsf;
mod review;
pub mod session;
mod signin;
pub mod steps;
pub mod text;
mod verify;
mod writers;

use ed25519_dalek::VerifyingKey;
use sha2::{Digest, Sha256};

pub use approvals::{DelegationEvent, PassEvent, PolicyChange, PolicyEvent};
pub use entry::{
    Entry, GrantEvent, HoldChange, HoldEvent, RestoreEvent, RetentionEvent, Through, TokenEvent,
};
pub use intake::{IntakeError, batch_key, fold, missing};
pub use review::{ReviewChange, ReviewEvent, Reviewed};
pub use signin::{SignInChange, SignInEvent};
pub use verify::{
    BlockProblem, Bounds, Fault, Kept, Misplaced, Report, Retained, SessionReport, Span, Unread,
    WriterReport, Wrong, open_kept, verify, verify_session,
};
pub use writers::{Writers, enrolment};

/// The name of the writer with this key: eight bytes of the key's SHA-256, in hexadecimal. A writer cannot sign
/// for another one's chain.
pub fn writer_name(key: &VerifyingKey) -> String {
    let digest = format!("{:x}", Sha256::digest(key.as_bytes()));
    digest.chars().take(16).collect()
}
