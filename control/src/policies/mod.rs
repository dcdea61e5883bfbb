//! Policy files become a signed bundle.
//!
//! ```text
//! files ─► load: YAML, merged, checked ─► watch: the last good one ─► publish: + keys, signed ─► long polls
//! ```

mod faults;
mod follow;
mod load;
mod mistakes;
mod places;
mod publish;
mod reference;
mod watch;
mod yaml;

pub(crate) use places::Places;

pub use faults::Fault;
pub use follow::follow;
pub use load::{Files, Loaded, is_test, load};
pub use publish::{Published, Publisher, Sources, publish};
pub use reference::reference;
pub use watch::{Status, watch};
pub use yaml::read_yaml;
