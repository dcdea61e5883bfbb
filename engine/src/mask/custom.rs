//! The organisation's own patterns: all in one lazy automaton, with checks on what matched.
//!
//! What a pattern matches is bounded, so a stream knows how far back a match can reach. Patterns that match nothing,
//! that match without end, or whose automaton is large are refused when the policy loads.

use std::sync::{Mutex, PoisonError};

use regex_automata::hybrid::dfa::{self, DFA};
use regex_automata::hybrid::regex::{Builder, Cache, Regex};
use regex_automata::nfa::thompson;
use regex_automata::util::syntax;
use regex_automata::{Anchored, Input};

use super::check::{is_random, luhn, mod97};
use super::error::MaskError;
use super::region::{Region, What};
use crate::policy::document::{CustomPattern, Validator};

/// Most bytes that a pattern may match.
const MAX_MATCH: usize = 512;
/// Longest pattern, in bytes.
const MAX_PATTERN: usize = 2048;
/// Most patterns.
const MAX_PATTERNS: usize = 500;
/// Memory of one pattern's automaton, and of all together, in bytes.
const MAX_ONE: usize = 256 * 1024;
const MAX_ALL: usize = 4 * 1024 * 1024;
/// Memory of the states that are kept while searching, in bytes.
const CACHE: usize = 2 * 1024 * 1024;
/// How far in front of a match its context words may stand, in bytes.
const CONTEXT: usize = 64;

/// A match in the view.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Hit {
    /// Which pattern, in the order of the policy.
    pub(super) pattern: usize,
    pub(super) start: usize,
    pub(super) end: usize,
}

impl Hit {
    /// The finding that this match is, as far as it stands behind `at`.
    pub(super) fn region(self, bytes: &[u8], at: usize, kind: usize) -> Region {
        let (start, end) = boundaries(bytes, self.start, self.end);
        let start = start.max(at);
        Region { trigger: start, start, end, what: What::Value(kind) }
    }
}

/// A span widened to whole characters: patterns match bytes.
fn boundaries(bytes: &[u8], mut start: usize, mut end: usize) -> (usize, usize) {
    let inside = |at: usize| bytes.get(at).is_some_and(|b| b & 0xC0 == 0x80);
    while start > 0 && inside(start) {
        start -= 1;
    }
    while inside(end) {
        end += 1;
    }
    (start, end)
}

/// The compiled patterns.
pub(super) struct Custom {
    regex: Regex,
    /// Caches that are not in use; a search takes one and puts it back.
    caches: Mutex<Vec<Cache>>,
    checks: Vec<Check>,
}

struct Check {
    validator: Option<Validator>,
    context: Vec<String>,
}

impl Custom {
    /// Compiles the patterns; `None` when there are none.
    ///
    /// # Errors
    /// The first pattern that is refused, and why.
    pub(super) fn new(patterns: &[CustomPattern]) -> Result<Option<Self>, MaskError> {
        if patterns.is_empty() {
            return Ok(None);
        }
        if patterns.len() > MAX_PATTERNS {
            return Err(MaskError::TooManyPatterns { count: patterns.len(), most: MAX_PATTERNS });
        }
        for pattern in patterns {
            refuse(pattern)?;
        }
        let sources: Vec<&str> = patterns.iter().map(|p| p.pattern.as_str()).collect();
        let regex = builder(MAX_ALL)
            .build_many(&sources)
            .map_err(|_| MaskError::PatternsTooLarge { bytes: MAX_ALL })?;
        let checks = patterns
            .iter()
            .map(|p| Check {
                validator: p.validator,
                context: p.context.iter().map(|w| w.to_ascii_lowercase()).collect(),
            })
            .collect();
        Ok(Some(Self { regex, caches: Mutex::new(Vec::new()), checks }))
    }

    /// Starts a search over `bytes`.
    pub(super) fn search<'s>(&'s self, bytes: &'s [u8]) -> Search<'s> {
        let spare = self.caches.lock().unwrap_or_else(PoisonError::into_inner).pop();
        Search { custom: self, bytes, cache: Some(spare.unwrap_or_else(|| self.regex.create_cache())) }
    }
}

/// A search under way; its cache goes back when it ends.
pub(super) struct Search<'s> {
    custom: &'s Custom,
    bytes: &'s [u8],
    cache: Option<Cache>,
}

impl Drop for Search<'_> {
    fn drop(&mut self) {
        if let Some(cache) = self.cache.take() {
            self.custom.caches.lock().unwrap_or_else(PoisonError::into_inner).push(cache);
        }
    }
}

impl Search<'_> {
    /// The leftmost match that starts at or after `from` and passes its pattern's checks.
    pub(super) fn next(&mut self, from: usize) -> Option<Hit> {
        let mut at = from;
        loop {
            let cache = self.cache.as_mut()?;
            let input = Input::new(self.bytes).range(at..self.bytes.len());
            // The search has no reason to fail: nothing makes it quit or give up.
            let found = self.custom.regex.try_search(cache, &input).ok()??;
            let hit = Hit { pattern: found.pattern().as_usize(), start: found.start(), end: found.end() };
            if self.passes(&hit) {
                return Some(hit);
            }
            at = hit.start + 1;
        }
    }

    /// The first place at or after `from` at which a match may start that depends on what follows the bytes.
    pub(super) fn undecided(&mut self, from: usize) -> Option<usize> {
        let first = from.max(self.bytes.len().saturating_sub(MAX_MATCH));
        (first..self.bytes.len()).find(|start| self.alive(*start))
    }

    fn alive(&mut self, start: usize) -> bool {
        let Some(cache) = self.cache.as_mut() else { return true };
        let dfa: &DFA = self.custom.regex.forward();
        let cache = cache.as_parts_mut().0;
        let input = Input::new(self.bytes).range(start..self.bytes.len()).anchored(Anchored::Yes);
        let Ok(mut state) = dfa.start_state_forward(cache, &input) else { return true };
        for byte in self.bytes.get(start..).unwrap_or_default() {
            match dfa.next_state(cache, state, *byte) {
                Ok(next) => state = next,
                Err(_) => return true,
            }
            if state.is_dead() {
                return false;
            }
        }
        true
    }

    fn passes(&self, hit: &Hit) -> bool {
        let Some(check) = self.custom.checks.get(hit.pattern) else { return false };
        let value = self.bytes.get(hit.start..hit.end).unwrap_or_default();
        let valid = match check.validator {
            None => true,
            Some(Validator::Luhn) => {
                let digits: Vec<u8> = value.iter().filter(|b| b.is_ascii_digit()).map(|b| b - b'0').collect();
                luhn(&digits)
            }
            Some(Validator::Mod97) => {
                let letters: Vec<u8> = value.iter().copied().filter(u8::is_ascii_alphanumeric).collect();
                let (head, tail) = letters.split_at_checked(4).unwrap_or((&letters, &[]));
                // An IBAN has its check digits in front; other numbers have them at the end.
                mod97(tail.iter().chain(head).copied()) || mod97(letters.iter().copied())
            }
            Some(Validator::Entropy) => is_random(value, 3.0),
        };
        let behind = self.bytes.get(hit.start.saturating_sub(CONTEXT)..hit.start).unwrap_or_default();
        valid && (check.context.is_empty() || named(behind, &check.context)) && hit.end > hit.start
    }
}

/// Whether one of `words` (lower case) stands as a word in what is in front of a match: with no letter directly around
/// it. Case does not matter.
fn named(behind: &[u8], words: &[String]) -> bool {
    let stands = |at: usize, word: &String| {
        let rest = behind.get(at..).unwrap_or_default();
        rest.get(..word.len()).is_some_and(|front| front.eq_ignore_ascii_case(word.as_bytes()))
            && !rest.get(word.len()).is_some_and(u8::is_ascii_alphabetic)
    };
    let letter = |at: usize| behind.get(at).is_some_and(u8::is_ascii_alphabetic);
    let starts = (0..behind.len()).filter(|at| !at.checked_sub(1).is_some_and(letter));
    starts.into_iter().any(|at| words.iter().any(|word| stands(at, word)))
}

fn builder(limit: usize) -> Builder {
    let mut builder = Regex::builder();
    builder
        .syntax(syntax::Config::new().unicode(false).utf8(false))
        .thompson(thompson::Config::new().utf8(false).nfa_size_limit(Some(limit)))
        .dfa(dfa::Config::new().cache_capacity(CACHE));
    builder
}

/// Why one pattern cannot be used.
fn refuse(pattern: &CustomPattern) -> Result<(), MaskError> {
    let refused = |why: String| MaskError::Pattern { name: pattern.name.clone(), why };
    let source = pattern.pattern.as_str();
    if source.len() > MAX_PATTERN {
        return Err(refused(format!("it has {} bytes; at most {MAX_PATTERN} are read", source.len())));
    }
    let config = syntax::Config::new().unicode(false).utf8(false);
    let parsed = syntax::parse_with(source, &config).map_err(|error| refused(error.to_string()))?;
    let properties = parsed.properties();
    if properties.minimum_len().is_none_or(|least| least == 0) {
        return Err(refused(
            "it matches nothing at all, or the empty text; make a part of it required".into(),
        ));
    }
    match properties.maximum_len() {
        Some(most) if most <= MAX_MATCH => {}
        Some(most) => {
            return Err(refused(format!("it can match {most} bytes; at most {MAX_MATCH} are allowed")));
        }
        None => {
            return Err(refused(format!(
                "it can match without end; write bounds such as {{1,64}} for `*` and `+` (at most {MAX_MATCH} bytes in all)"
            )));
        }
    }
    let one = builder(MAX_ONE)
        .dfa(dfa::Config::new().cache_capacity(MAX_ONE).skip_cache_capacity_check(true))
        .build(source)
        .map_err(|_| {
            refused(format!("its automaton is larger than {} kB; use smaller repetitions", MAX_ONE / 1024))
        })?;
    if thrashes(&one, source) {
        return Err(refused(
            "it could be slow: text like its own fills its automaton; use smaller repetitions".into(),
        ));
    }
    Ok(())
}

/// Whether text made of the pattern's own characters makes the automaton throw its states away.
fn thrashes(regex: &Regex, source: &str) -> bool {
    const PROBE: usize = 16 * 1024;
    const STRETCH: usize = 512;
    let mut alphabet: Vec<u8> = Vec::new();
    for byte in source.bytes().chain(*b"a0 ").filter(|b| b.is_ascii_alphanumeric() || *b == b' ') {
        if !alphabet.contains(&byte) {
            alphabet.push(byte);
        }
    }
    // Long stretches of two characters that stand side by side in the pattern: what its classes repeat over.
    let mut seed = 0x9E37_79B9_7F4A_7C15_u64;
    let mut coin = move || {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        seed >> 63 == 1
    };
    let pairs = alphabet.iter().zip(alphabet.iter().cycle().skip(1)).cycle();
    let stretches = pairs.flat_map(|pair| std::iter::repeat_n(pair, STRETCH)).take(PROBE);
    let probe: Vec<u8> = stretches.map(|(a, b)| if coin() { *a } else { *b }).collect();
    let mut cache = regex.create_cache();
    let mut at = 0;
    while at < probe.len() {
        let input = Input::new(&probe).range(at..probe.len());
        match regex.try_search(&mut cache, &input) {
            Ok(Some(found)) => at = found.end(),
            _ => break,
        }
    }
    let (forward, reverse) = cache.as_parts();
    forward.clear_count() + reverse.clear_count() > 1
}
