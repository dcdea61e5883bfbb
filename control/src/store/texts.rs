//! The index of what was said, by words.

use async_trait::async_trait;
use sluice_engine::record::Block;

use super::StoreError;
use crate::search::Term;

/// Places of a term that are looked at, the latest first: some milliseconds' worth. A term that stands in more is so
/// common that these are in more sessions than a page shows.
pub const PLACES: u32 = 5_000;

/// How far the index has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Indexed {
    /// The cursor up to which entries are in it.
    pub done: i64,
    /// The cursor of the last entry.
    pub last: i64,
}

/// The words of a block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TextOf {
    /// Its digest.
    pub digest: String,
    /// Words with spaces between, in parts ([`crate::search::words_of`]).
    pub parts: Vec<String>,
}

/// In which texts a term stands.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Standing {
    /// The latest, by their numbers in the index.
    pub texts: Vec<i64>,
    /// Whether it stands in more places than are looked at ([`PLACES`]).
    pub common: bool,
}

/// What comes into the index.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Indexing {
    /// The cursor up to which it was before.
    pub from: i64,
    /// The cursor up to which it is now.
    pub upto: i64,
    /// Texts that are new.
    pub texts: Vec<TextOf>,
    /// Which text is named by which session: digest and session. Blocks that say nothing are among them, so that what
    /// they name is not followed again.
    pub named: Vec<(String, String)>,
}

/// The index. It holds nothing that the log does not hold: retention removes a block and its words together.
#[async_trait]
pub trait Texts: Send + Sync {
    /// How far it has come.
    async fn indexed(&self) -> Result<Indexed, StoreError>;

    /// Those of these blocks that are there and that the session has not named so far, and whether their words are in
    /// the index. A text whose words are is empty.
    async fn unnamed(&self, session: &str, digests: Vec<String>) -> Result<Vec<(Block, bool)>, StoreError>;

    /// Where a term stands.
    async fn texts_with(&self, term: &Term) -> Result<Standing, StoreError>;

    /// Takes texts in. Does nothing where another replica has: it says where it has come from.
    async fn index(&self, indexing: Indexing) -> Result<(), StoreError>;
}
