//! The real binary: started, called, killed and started again.

#[cfg(test)]
mod harness;
#[cfg(test)]
mod holds;
#[cfg(test)]
mod policy;
mod postgres;
#[cfg(test)]
mod records;
mod replicas;
