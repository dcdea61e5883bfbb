//! Rates and budgets: what a person or a group may use within a window, and what they have used.
//!
//! ```text
//!  policy ─► Budgets ─┐
//!  request ─► Demand ─┴─► Claims ─► Table::admit ─► goes on, or Exceeded ─► the answer
//!                                       ▲
//!  reply ─► Usage ─► Prices ─► Spent ───┘ Table::settle
//! ```
//!
//! * A **request** is counted when it is admitted, and stays counted.
//! * **Tokens and cost** are counted when the exchange ends, by what the reply says. Until then what the request may
//!   use at the most is *reserved*: its input by an estimate, its output by `max_tokens`.
//! * A request is admitted while something is left: what was used and what is reserved, together, are below the limit.
//!   So however many run at once, a budget is overrun by at most what its last request uses.
//! * A batch has no end to wait for, and is charged at its most when it is created; it must fit into what is left.
//!
//! Windows are fixed and begin at multiples of their length since the epoch: everyone who knows the time knows the
//! window, so that filters and control agree without talking, and a refusal can say when the next one begins. Around
//! the boundary twice the limit may pass within one length.
//!
//! Nothing here knows a clock or who else counts: time and what others have used are arguments.

mod answer;
mod claims;
mod demand;
mod prices;
mod spent;
mod table;

pub use answer::{Exceeded, Why, utc};
pub use claims::{Budgets, Claim, Claims, Limits};
pub use demand::{Demand, Ended};
pub use prices::Prices;
pub use spent::Spent;
pub use table::{Counter, Holder, Key, RESERVED_MS, Standing, Table};

#[cfg(test)]
mod tests;
