//! stub
use super::*;
/// x
pub fn shell(text: &str) -> Reading {
    Reading::unknown("stub", 0..text.len())
}
/// x
pub fn inside(_text: &str, _nesting: usize) -> Vec<super::sql::Found> {
    Vec::new()
}
