//! The Messages API: routes, where text lives in a body, SSE, the error envelope.

pub mod error;
pub mod routes;
pub mod sse;
pub mod units;
