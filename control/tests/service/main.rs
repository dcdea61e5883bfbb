//! The real binary: started, called, killed and started again.

#[cfg(test)]
mod budgets;
#[cfg(test)]
mod harness;
#[cfg(test)]
mod holds;
#[cfg(test)]
mod policy;
#[cfg(test)]
mod records;
