//! stub until merge
use crate::policy::document::Masking;
use std::collections::BTreeMap;
#[allow(missing_docs)]
pub struct Masker;
#[allow(missing_docs)]
#[derive(Default)]
pub struct Profile;
#[allow(missing_docs)]
#[derive(Default)]
pub struct Memory {
    f: BTreeMap<String, u32>,
}
#[allow(missing_docs)]
pub struct Edit {
    pub start: usize,
    pub end: usize,
    pub with: String,
}
#[allow(missing_docs)]
pub struct Finding {
    pub kind: String,
    pub start: usize,
    pub end: usize,
}
#[allow(missing_docs)]
#[derive(Clone, Copy)]
pub enum Direction {
    Request,
    Response,
    Record,
}
#[allow(missing_docs)]
#[derive(Debug, thiserror::Error)]
#[error("x")]
pub struct MaskError;
#[allow(missing_docs)]
#[derive(Default)]
pub struct StreamMasker;
#[allow(missing_docs)]
impl Masker {
    pub fn new(_: &Masking, _: &[u8]) -> Result<Self, MaskError> {
        Ok(Self)
    }
    pub fn profile(&self, _: &[String]) -> Profile {
        Profile
    }
    pub fn find(&self, _: &str) -> Vec<Finding> {
        vec![]
    }
    pub fn edits(&self, _: &str, _: Direction, _: &Profile, _: &mut Memory) -> Vec<Edit> {
        vec![]
    }
    pub fn restore(&self, _: &str, _: &mut Memory) -> Vec<Edit> {
        vec![]
    }
}
#[allow(missing_docs)]
impl Profile {
    pub fn is_empty(&self) -> bool {
        true
    }
}
#[allow(missing_docs)]
impl Memory {
    pub fn take_findings(&mut self) -> BTreeMap<String, u32> {
        std::mem::take(&mut self.f)
    }
}
#[allow(missing_docs)]
impl StreamMasker {
    pub fn push(
        &mut self,
        _: &Masker,
        _: Direction,
        _: &Profile,
        _: &mut Memory,
        t: &str,
        o: &mut String,
    ) -> bool {
        o.push_str(t);
        true
    }
    pub fn finish(&mut self, _: &Masker, _: Direction, _: &Profile, _: &mut Memory, _: &mut String) {}
}
