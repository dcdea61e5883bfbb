//! The regular expressions of rules: all of them in one automaton, so that a text is read once.
//!
//! Bytes, not Unicode classes: measured 10 to 20 times faster inside Envoy, and `\w`, `\d`, `\b` and `(?i)` are
//! about ASCII. A character beyond ASCII in a pattern stands for itself.

use std::sync::{Mutex, PoisonError};

use regex_automata::hybrid::dfa::{Cache, DFA};
use regex_automata::nfa::thompson;
use regex_automata::util::syntax;
use regex_automata::{Input, MatchKind, PatternSet};

/// Longest pattern, in bytes.
const MAX_PATTERN: usize = 4096;
/// Largest automaton of one pattern, in bytes: `[a-z]{1,1000}` fits, `(a{1000}){1000}` does not.
const MAX_ONE: usize = 1 << 20;
/// Largest automaton of all patterns together, in bytes.
const MAX_ALL: usize = 16 << 20;
/// Room for states that the text at hand needs, in bytes, per automaton and VM.
const CACHE: usize = 2 << 20;

/// Checks one pattern as the engine will compile it; the error says what is wrong.
pub(super) fn check(pattern: &str) -> Result<(), String> {
    if pattern.len() > MAX_PATTERN {
        return Err(format!("it is longer than {MAX_PATTERN} bytes"));
    }
    if let Some(control) = pattern.chars().find(|c| c.is_control() && !matches!(c, '\t' | '\n' | '\r')) {
        return Err(format!(
            "it holds the control character U+{:04X}: between double quotes YAML reads `\\b` and the like itself; write the pattern between single quotes",
            u32::from(control)
        ));
    }
    let hir = syntax::parse_with(pattern, &syntax()).map_err(|e| sentence(&e.to_string()))?;
    if hir.properties().minimum_len() == Some(0) {
        return Err("it matches the empty text, and so everything; make it demand something".into());
    }
    build(&[pattern], MAX_ONE).map(|_| ())
}

/// The parser's picture of an error as a sentence: what is wrong, and from which character on.
fn sentence(picture: &str) -> String {
    let what = picture.lines().rev().find_map(|line| line.strip_prefix("error: ")).unwrap_or(picture);
    // The pattern stands four columns to the right, with a mark below where it goes wrong.
    let at = picture.lines().find(|line| line.trim_start().starts_with('^')).and_then(|line| line.find('^'));
    let at = at.and_then(|column| column.checked_sub(4)).filter(|_| picture.lines().count() == 4);
    let place = at.map(|at| format!(" (at character {})", at + 1)).unwrap_or_default();
    let more = if what.contains("look-around") {
        ": patterns look forwards only; say what must be there, and let another rule say the rest"
    } else if what.contains("backreferences") {
        ": patterns cannot compare what they found"
    } else {
        ""
    };
    format!("it is no regular expression{place}: {what}{more}")
}

/// Patterns, compiled together.
pub(super) struct Patterns {
    automaton: Option<Automaton>,
}

struct Automaton {
    dfa: DFA,
    cache: Mutex<Cache>,
}

impl Patterns {
    /// Compiles the patterns; their places in the list are their numbers.
    pub fn new(patterns: &[&str]) -> Result<Self, String> {
        if patterns.is_empty() {
            return Ok(Self { automaton: None });
        }
        let dfa = build(patterns, MAX_ALL)?;
        let cache = Mutex::new(dfa.create_cache());
        Ok(Self { automaton: Some(Automaton { dfa, cache }) })
    }

    /// Whether there is one.
    pub fn is_any(&self) -> bool {
        self.automaton.is_some()
    }

    /// The patterns that occur in at least one of the texts.
    pub fn found<'t>(&self, texts: impl IntoIterator<Item = &'t str>) -> Found {
        let Some(Automaton { dfa, cache }) = &self.automaton else { return Found { set: None, all: false } };
        let mut cache = cache.lock().unwrap_or_else(PoisonError::into_inner);
        let mut set = PatternSet::new(dfa.pattern_len());
        let mut all = false;
        for text in texts {
            // Fails only where the automaton is told to give up, which it is not. Were it otherwise: every rule
            // counts as matched, which errs on the safe side.
            all |= dfa.try_which_overlapping_matches(&mut cache, &Input::new(text), &mut set).is_err();
        }
        Found { set: Some(set), all }
    }
}

/// Which patterns were found.
pub(super) struct Found {
    set: Option<PatternSet>,
    all: bool,
}

impl Found {
    /// Whether the pattern with this number was.
    pub fn has(&self, number: usize) -> bool {
        self.all
            || self.set.as_ref().is_some_and(|set| {
                regex_automata::PatternID::new(number).is_ok_and(|pattern| set.contains(pattern))
            })
    }
}

fn syntax() -> syntax::Config {
    syntax::Config::new().unicode(false).utf8(false)
}

fn build(patterns: &[&str], limit: usize) -> Result<DFA, String> {
    DFA::builder()
        .configure(
            DFA::config().match_kind(MatchKind::All).cache_capacity(CACHE).skip_cache_capacity_check(true),
        )
        .syntax(syntax())
        .thompson(thompson::Config::new().utf8(false).nfa_size_limit(Some(limit)))
        .build_many(patterns)
        .map_err(|error| {
            // The crate's own sentence for a size limit and for a syntax error stands in the innermost source.
            let mut innermost: &dyn std::error::Error = &error;
            while let Some(source) = innermost.source() {
                innermost = source;
            }
            innermost.to_string()
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(patterns: &[&str], texts: &[&str]) -> Vec<usize> {
        for pattern in patterns {
            check(pattern).unwrap_or_else(|e| panic!("{pattern}: {e}"));
        }
        let found = Patterns::new(patterns).expect("patterns").found(texts.iter().copied());
        (0..patterns.len()).filter(|n| found.has(*n)).collect()
    }

    #[test]
    fn every_pattern_that_occurs_anywhere_is_found() {
        let patterns = ["(?i)drop\\s+table", "^rm ", "é+", "\\bcat\\b", "x.y", "end$"];
        for (texts, expected) in [
            (&["please DROP \n TABLE x"][..], &[0][..]),
            (&["rm -rf", "drop table"], &[0, 1]),
            (&["a rm "], &[]),
            (&["caféé"], &[2]),
            (&["concat"], &[]),
            (&["a cat."], &[3]),
            (&["xéy"], &[2]),
            (&["x y the end"], &[4, 5]),
            (&["the end", "."], &[5]),
            (&["x", "y"], &[]),
            (&[], &[]),
            (&[""], &[]),
        ] {
            assert_eq!(found(&patterns, texts), expected, "{texts:?}");
        }
    }

    #[test]
    fn what_is_wrong_with_a_pattern_is_a_sentence() {
        for (pattern, why) in [
            ("ab(c", "it is no regular expression (at character 3): unclosed group"),
            ("(?!a)b", "it is no regular expression (at character 1): look-around"),
            ("a\\", "incomplete escape"),
            ("(a)\\1", "cannot compare"),
            ("\u{8}rm", "U+0008"),
            ("[z-a]", "invalid character class range"),
        ] {
            let said = check(pattern).expect_err(pattern);
            assert!(said.contains(why) && !said.contains('\n'), "{pattern}: {said}");
        }
        assert_eq!(check("a\tb"), Ok(()));
    }

    #[test]
    fn overlapping_patterns_do_not_hide_each_other() {
        assert_eq!(found(&["a+", "aab", "b", "aa"], &["xaab"]), [0, 1, 2, 3]);
    }

    #[test]
    fn no_patterns_find_nothing() {
        assert!(!Patterns::new(&[]).expect("none").found(["text"]).has(0));
    }

    #[test]
    fn a_pattern_that_is_wrong_too_large_or_matches_everything_is_refused_with_the_reason() {
        for (pattern, why) in [
            ("(", "unclosed group"),
            ("a*", "matches the empty text"),
            ("", "matches the empty text"),
            ("(a{1000}){1000}", "limit"),
            ("(?u)\\w+", "Unicode"),
        ] {
            let error = check(pattern).expect_err(pattern);
            assert!(error.contains(why), "{pattern}: {error}");
        }
        assert!(check(&"a".repeat(MAX_PATTERN + 1)).expect_err("long").contains("longer"));
    }
}
