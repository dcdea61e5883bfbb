//! The real binary: started, called, killed and started again.

mod harness;
mod holds;
mod policy;
mod records;
