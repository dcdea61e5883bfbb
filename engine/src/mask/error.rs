//! Why masking cannot be set up as policy says.

/// Why masking cannot be set up as policy says. Each names the part of the policy and what to do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MaskError {
    /// The tenant's key is too short to derive keys from.
    #[error("the tenant key has {0} bytes; it must have 16 or more (control writes 32)")]
    TenantKey(usize),
    /// `masking.packs` names a pack that there is not.
    #[error("masking.packs: there is no pack `{name}`; there are {known}")]
    UnknownPack {
        /// As written.
        name: String,
        /// Those that there are.
        known: String,
    },
    /// `masking.kinds` names a kind that there is not, or a glob that fits none.
    #[error("masking.kinds: `{name}` is no finding kind and fits none{hint}")]
    UnknownKind {
        /// As written.
        name: String,
        /// A suggestion, or nothing.
        hint: String,
    },
    /// A custom pattern's name.
    #[error("masking.custom: `{name}` cannot name a finding kind: {why}")]
    Name {
        /// As written.
        name: String,
        /// What is wrong with it.
        why: &'static str,
    },
    /// A custom pattern is refused.
    #[error("masking.custom: the pattern of `{name}` is refused: {why}")]
    Pattern {
        /// Its name.
        name: String,
        /// Why.
        why: String,
    },
    /// Too many custom patterns.
    #[error("masking.custom: {count} patterns; at most {most} are allowed")]
    TooManyPatterns {
        /// How many there are.
        count: usize,
        /// How many there may be.
        most: usize,
    },
    /// The custom patterns are too large together.
    #[error(
        "masking.custom: together the patterns need an automaton of more than {bytes} bytes; use fewer or smaller ones"
    )]
    PatternsTooLarge {
        /// The limit.
        bytes: usize,
    },
    /// An example of a custom pattern does not do what it should.
    #[error("masking.custom: `{name}`: example {number} of `{list}` gives {got}")]
    Example {
        /// The pattern's name.
        name: String,
        /// `matches` or `misses`.
        list: &'static str,
        /// Which one, counted from 1.
        number: usize,
        /// What came of it.
        got: &'static str,
    },
}
