//! Globs over names: `*` stands for any run of characters, `?` for one. Case counts.

use std::slice::Iter;
use std::str::Chars;

/// Longest glob, in bytes.
const MAX_GLOB: usize = 512;

/// A compiled glob.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Glob {
    text: String,
    tokens: Vec<Token>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Token {
    Run,
    One,
    Char(char),
}

/// Why a text is not a glob.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum GlobError {
    /// Nothing in it.
    #[error("it is empty and would match nothing; leave the entry out")]
    Empty,
    /// Too long.
    #[error("it is longer than 512 bytes")]
    Long,
    /// A sign of another language of patterns, which would silently be taken for itself.
    #[error(
        "`{0}` has no meaning here: only `*` (any run) and `?` (one character) have; write one entry for each alternative, or `?` where the character itself is meant"
    )]
    Sign(char),
    /// Invisible.
    #[error("it has a control character or begins or ends with a space")]
    Invisible,
}

impl Glob {
    /// Compiles a glob.
    ///
    /// # Errors
    /// See [`GlobError`].
    pub fn new(text: &str) -> Result<Self, GlobError> {
        if text.is_empty() {
            return Err(GlobError::Empty);
        }
        if text.len() > MAX_GLOB {
            return Err(GlobError::Long);
        }
        if let Some(sign) = text.chars().find(|c| "{}[]\\".contains(*c)) {
            return Err(GlobError::Sign(sign));
        }
        if text.trim() != text || text.chars().any(char::is_control) {
            return Err(GlobError::Invisible);
        }
        let mut tokens: Vec<_> = text.chars().map(Token::from).collect();
        tokens.dedup_by(|a, b| *a == Token::Run && *b == Token::Run);
        Ok(Self { text: text.to_owned(), tokens })
    }

    /// The glob as it was written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether some name fits both. Time: the length of one times that of the other.
    pub fn meets(&self, other: &Self) -> bool {
        // Row by row: whether a name fits the first tokens of this one and the first of the other.
        let step = |above: &[bool], own: Option<Token>| {
            let mut row: Vec<bool> = Vec::with_capacity(other.tokens.len() + 1);
            let at = |row: &[bool], n: usize| row.get(n).copied().unwrap_or(false);
            row.push(own.is_none_or(|own| own == Token::Run && at(above, 0)));
            for (n, theirs) in other.tokens.iter().enumerate() {
                let fits = if own == Some(Token::Run) || *theirs == Token::Run {
                    // The run is empty here, or takes what the other's token stands for.
                    at(above, n + 1) || at(&row, n)
                } else {
                    at(above, n) && own.is_some_and(|own| own.shares(*theirs))
                };
                row.push(fits);
            }
            row
        };
        let first = step(&[], None);
        let last = self.tokens.iter().fold(first, |above, own| step(&above, Some(*own)));
        last.last().copied().unwrap_or(false)
    }

    /// Whether the whole of `name` fits. Time: the length of the name times that of the glob at worst.
    ///
    /// After a mismatch only the latest `*` takes one character more: an earlier one could not fit better.
    pub fn matches(&self, name: &str) -> bool {
        let (mut tokens, mut chars) = (self.tokens.iter(), name.chars());
        let mut retry: Option<(Iter<'_, Token>, Chars<'_>)> = None;
        loop {
            let fits = match tokens.next() {
                Some(Token::Run) => {
                    retry = Some((tokens.clone(), chars.clone()));
                    continue;
                }
                Some(Token::One) => chars.next().is_some(),
                Some(Token::Char(want)) => chars.next() == Some(*want),
                None => chars.as_str().is_empty(),
            };
            if fits && tokens.as_slice().is_empty() && chars.as_str().is_empty() {
                return true;
            }
            if !fits {
                let Some((after_run, rest)) = &mut retry else { return false };
                if rest.next().is_none() {
                    return false;
                }
                (tokens, chars) = (after_run.clone(), rest.clone());
            }
        }
    }
}

impl Token {
    /// Whether one character may stand for both.
    fn shares(self, other: Self) -> bool {
        match (self, other) {
            (Self::Char(own), Self::Char(other)) => own == other,
            _ => true,
        }
    }
}

impl From<char> for Token {
    fn from(c: char) -> Self {
        match c {
            '*' => Self::Run,
            '?' => Self::One,
            c => Self::Char(c),
        }
    }
}

/// Compiles a list of globs; the error names the place in the list.
pub(crate) fn globs(texts: &[String]) -> Result<Vec<Glob>, (usize, GlobError)> {
    texts.iter().enumerate().map(|(n, text)| Glob::new(text).map_err(|e| (n, e))).collect()
}

/// The first of the globs that the name fits.
pub(super) fn first<'g>(globs: &'g [Glob], name: &str) -> Option<&'g Glob> {
    globs.iter().find(|glob| glob.matches(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matches(glob: &str, name: &str) -> bool {
        Glob::new(glob).unwrap_or_else(|e| panic!("{glob}: {e}")).matches(name)
    }

    #[test]
    fn a_star_is_any_run_and_a_question_mark_one_character() {
        for (glob, name, expected) in [
            ("a", "a", true),
            ("a", "", false),
            ("a", "aa", false),
            ("a", "A", false),
            ("*", "", true),
            ("*", "any/thing", true),
            ("**", "", true),
            ("?", "é", true),
            ("?", "", false),
            ("?", "ab", false),
            ("*?", "", false),
            ("claude-*", "claude-opus-4-5", true),
            ("claude-*", "xclaude-opus", false),
            ("*-opus-*", "claude-opus-4", true),
            ("*-opus-*", "claude-sonnet-4", false),
            ("mcp__*__query", "mcp__db__x__query", true),
            ("mcp__*__query", "mcp__query", false),
            ("*ab*ab", "abab", true),
            ("*ab*ab", "abaab", true),
            ("*ab*ab", "aab", false),
            ("a*b*c", "abcbc", true),
            ("a*b*c", "acb", false),
            ("batches.*", "batches.", true),
            ("batches.*", "batchesx", false),
        ] {
            assert_eq!(matches(glob, name), expected, "{glob} on {name}");
        }
    }

    #[test]
    fn what_would_silently_not_match_is_not_a_glob() {
        for (text, error) in [
            ("", GlobError::Empty),
            ("claude-{opus,sonnet}", GlobError::Sign('{')),
            ("[ab]*", GlobError::Sign('[')),
            ("a\\*", GlobError::Sign('\\')),
            (" a", GlobError::Invisible),
            ("a\n", GlobError::Invisible),
            ("a\u{0}b", GlobError::Invisible),
        ] {
            assert_eq!(Glob::new(text), Err(error), "{text:?}");
        }
        assert_eq!(Glob::new(&"a".repeat(513)), Err(GlobError::Long));
    }

    /// The meaning of a glob, written the shortest way.
    fn meaning(glob: &[char], name: &[char]) -> bool {
        match glob.split_first() {
            None => name.is_empty(),
            Some(('*', rest)) => (0..=name.len()).any(|n| meaning(rest, &name[n..])),
            Some(('?', rest)) => !name.is_empty() && meaning(rest, &name[1..]),
            Some((c, rest)) => name.first() == Some(c) && meaning(rest, &name[1..]),
        }
    }

    /// Every text over `alphabet` up to a length.
    fn texts(alphabet: &[char], longest: usize) -> Vec<String> {
        let mut all = vec![String::new()];
        let mut last = all.clone();
        for _ in 0..longest {
            last = last.iter().flat_map(|t| alphabet.iter().map(move |c| format!("{t}{c}"))).collect();
            all.extend(last.clone());
        }
        all
    }

    #[test]
    fn every_short_glob_means_what_it_says_on_every_short_name() {
        let names = texts(&['a', 'b'], 6);
        for glob in texts(&['a', 'b', '*', '?'], 5).iter().filter(|g| !g.is_empty()) {
            let compiled = Glob::new(glob).expect("a glob");
            let signs: Vec<char> = glob.chars().collect();
            for name in &names {
                let chars: Vec<char> = name.chars().collect();
                assert_eq!(compiled.matches(name), meaning(&signs, &chars), "{glob} on {name}");
            }
        }
    }

    #[test]
    fn two_globs_meet_where_one_name_fits_both() {
        let names = texts(&['a', 'b'], 6);
        let globs: Vec<Glob> = texts(&['a', 'b', '*', '?'], 3)
            .iter()
            .filter(|glob| !glob.is_empty())
            .map(|glob| Glob::new(glob).expect("a glob"))
            .collect();
        for one in &globs {
            for other in &globs {
                let meet = names.iter().any(|name| one.matches(name) && other.matches(name));
                assert_eq!(one.meets(other), meet, "{} and {}", one.as_str(), other.as_str());
            }
        }
    }

    #[test]
    fn a_hostile_glob_and_name_take_no_time() {
        let glob = Glob::new(&"*a".repeat(200)).expect("a glob");
        assert!(!glob.matches(&format!("{}b", "a".repeat(50_000))));
    }
}
