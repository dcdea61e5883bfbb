//! Finding sessions by words in what was said.
//!
//! ```text
//!  entries ─► follow ─► blocks that a session has not named before ─► words ─► index
//!  "drop table" orders ─► terms ─────────────────────────────────────► index ─► sessions
//! ```
//!
//! The index holds what the log holds, masked as it is, and goes with it: a text that retention removes is removed from
//! the index in the same transaction. Whoever writes records does not wait for it: it follows the log, some seconds
//! behind at the most, and from its very beginning.

mod follow;
mod said;
mod words;

pub use follow::{run, step};
pub use said::words_of;
pub use words::{BREAK, Term, terms};
