//! Cases that test a policy: `*.test.yaml`.

mod bodies;
pub mod document;
mod expect;
mod files;
pub mod forms;
mod report;
mod run;

pub use bodies::{Ways, Wrong, harmless, ways_of};
pub use document::Sent;
pub use expect::{Difference, between};
pub use files::{Suite, find};
pub use report::junit;
pub use run::{CaseReport, Coverage, Report, SuiteReport, run};
