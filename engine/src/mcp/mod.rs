//! The Model Context Protocol over streamable HTTP: what its messages are, and where text lives in them.
//!
//! Revisions 2025-03-26 to 2025-11-25 (a session that `initialize` opens) and 2026-07-28 (no session; method and name
//! repeated in headers) share what is here: one JSON-RPC 2.0 message in each POST, a reply in JSON or as server-sent
//! events, GET for messages that the server begins, DELETE for the end. What is done about a message is decided in
//! [`crate::judge`].

pub mod answer;
pub mod event;
pub mod head;
pub mod message;
pub mod routes;
mod spelling;
pub mod text;
