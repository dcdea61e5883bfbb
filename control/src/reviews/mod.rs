//! Access reviews: what people may do beside what they did, kept or taken back.
//!
//! ```text
//!  records ──► usage ──┐
//!  policy, grants ─────┴─► access ─► items of a review ─► decisions ─► withheld ─► bundle
//!                                                              └─────► evidence
//! ```
//!
//! * [`Usage`]: what an identity has used, added up with the records.
//! * [`Access`]: what it has, beside that.
//! * [`Review`] and [`Item`]: a review under way, and what people decide in it.
//! * [`Withholding`]: what a review has taken back; it travels in the bundle.

mod access;
mod campaign;
mod catch_up;
mod conduct;
mod evidence;
mod plan;
mod start;
mod usage;
mod withheld;

pub use access::{Access, Known, Right, Through, UNUSED};
pub use campaign::{
    Attestation, Bar, Choice, HeadThen, Item, MAX_ITEMS, Progress, Review, ReviewState, Ruling, Seen,
    Suggestion, Withholding, withheld_id,
};
pub use conduct::conduct;
pub use evidence::{
    Evidence, EvidenceError, EvidenceKey, SignedEvidence, head as evidence_head, row as evidence_row,
    told as told_part,
};
pub use start::{StartError, start};
pub use usage::{Names, Usage, Use};
pub use withheld::now_withheld;

#[cfg(test)]
pub(crate) use {
    campaign::tests::{item as review_item, review as review_open, ruling as review_ruling},
    catch_up::catch_up,
    usage::tests::record,
};
