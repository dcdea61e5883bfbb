//! A role as somebody has it: without what access reviews have taken back.

use std::sync::Arc;

use super::bundle::Part;
use super::glob::{self, Glob};
use super::rights::CompiledRole;

/// What an access review has taken back of a role.
#[derive(Debug)]
pub(super) enum Taken {
    /// All of it.
    Role,
    /// What fits these.
    Part(TakenPart),
}

/// Part of a role, compiled.
#[derive(Debug, Default)]
pub(super) struct TakenPart {
    pub scopes: Vec<Glob>,
    pub models: Vec<Glob>,
    pub tools: Vec<Glob>,
}

impl Taken {
    /// Compiles what is taken; a glob that cannot be read takes all of the role, since what it meant is not known.
    pub fn new(part: Option<&Part>) -> Self {
        let Some(part) = part else { return Self::Role };
        let all = (glob::globs(&part.scopes), glob::globs(&part.models), glob::globs(&part.tools));
        match all {
            (Ok(scopes), Ok(models), Ok(tools)) => Self::Part(TakenPart { scopes, models, tools }),
            _ => Self::Role,
        }
    }
}

/// A role as somebody has it.
#[derive(Debug, Clone)]
pub(super) struct Held {
    pub role: Arc<CompiledRole>,
    /// What was taken back of it.
    pub taken: Vec<Arc<Taken>>,
}

impl Held {
    /// Whether a name that this role would give was taken back.
    pub fn lacks(&self, list: impl Fn(&TakenPart) -> &[Glob], names: &[&str]) -> bool {
        self.taken.iter().any(|taken| match &**taken {
            Taken::Role => true,
            Taken::Part(part) => list(part).iter().any(|glob| names.iter().any(|name| glob.matches(name))),
        })
    }
}
