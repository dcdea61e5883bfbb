//! The Messages API: its routes and its errors.

pub mod error;
pub mod routes;
