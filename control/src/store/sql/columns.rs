//! Values and rows as columns hold them.

use sqlx::Row as _;

use super::super::Row;
use crate::store::StoreError;

/// Rows of one `INSERT`. SQLite takes 32,766 values in a statement; more rows gain nothing.
pub const ROWS: usize = 32;

/// Whether statements with so many rows come again and again, and are worth keeping.
pub fn is_usual(rows: usize) -> bool {
    rows == ROWS || rows == 1
}

/// A digest as it is stored. What is no digest becomes one that nothing has.
pub fn digest_bytes(digest: &str) -> Vec<u8> {
    let pairs = digest.as_bytes().chunks(2);
    let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok();
    pairs.map(byte).collect::<Option<Vec<u8>>>().unwrap_or_default()
}

/// A digest in hexadecimal, as records name blocks.
pub fn digest_text(row: &Row) -> Result<String, StoreError> {
    let digest: Vec<u8> = row.try_get("digest")?;
    Ok(digest.iter().map(|byte| format!("{byte:02x}")).collect())
}

/// Text of others as a column holds it: PostgreSQL's text has no NUL.
pub fn column(text: &str) -> String {
    text.replace('\0', "\u{fffd}")
}

/// Integers of databases are signed; times and numbers never come near the end.
pub fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

pub fn unsigned(number: i64) -> u64 {
    u64::try_from(number).unwrap_or_default()
}
