//! The real binary: started, called, killed and started again.

#[cfg(test)]
mod access;
#[cfg(test)]
mod approvals;
#[cfg(test)]
mod backups;
#[cfg(test)]
mod bars;
#[cfg(test)]
mod budgets;
#[cfg(test)]
mod chain;
#[cfg(test)]
mod commands;
#[cfg(test)]
mod compare;
#[cfg(test)]
mod config_map;
#[cfg(test)]
mod crashes;
#[cfg(test)]
mod dev;
#[cfg(test)]
mod edits;
#[cfg(test)]
mod families;
#[cfg(test)]
mod grants;
#[cfg(test)]
mod harness;
#[cfg(test)]
mod holds;
#[cfg(test)]
mod introspection;
#[cfg(test)]
mod login;
#[cfg(test)]
mod notices;
#[cfg(test)]
mod operation;
#[cfg(test)]
mod otlp;
#[cfg(test)]
mod page_times;
#[cfg(test)]
mod passes_pages;
#[cfg(test)]
mod policy;
#[cfg(test)]
mod postgres;
#[cfg(test)]
mod proposal_pages;
#[cfg(test)]
mod proposals;
#[cfg(test)]
mod provider;
#[cfg(test)]
mod records;
#[cfg(test)]
mod replicas;
#[cfg(test)]
mod review_pages;
#[cfg(test)]
mod reviews;
#[cfg(test)]
mod revocations;
#[cfg(test)]
mod saml;
#[cfg(test)]
mod scene;
#[cfg(test)]
mod sidecars;
#[cfg(test)]
mod signin;
#[cfg(test)]
mod simulate;
#[cfg(test)]
mod tls;
#[cfg(test)]
mod tokens;
#[cfg(test)]
mod visits;
