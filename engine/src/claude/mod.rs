//! The Messages API: routes, where text lives in a body, SSE, the error envelope.

pub mod sse;
pub mod units;
