//! Which names one set of globs fits and another does not, with the shortest example.
//!
//! A set is what some globs fit and no other glob does. Both sets are walked together, character by character: a
//! state is the places reached in every glob, a step one of the characters that occur in them or one that does not.
//! Since globs are regular, this decides: no example means that there is none. (Subset construction; Hopcroft and
//! Ullman, "Introduction to Automata Theory", section 2.3.)

use std::collections::{HashMap, VecDeque};

/// The most states that are looked at. Policies take hundreds.
const MOST_STATES: usize = 20_000;

/// Names that some of `allow` fit and none of `deny`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Set {
    allow: Vec<Pattern>,
    deny: Vec<Pattern>,
}

/// A glob.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Pattern(Vec<Token>);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Token {
    Char(char),
    /// `?`
    One,
    /// `*`
    Run,
    /// `*` in the host of a URL.
    RunWithoutSlash,
}

/// What one set has beyond another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Beyond {
    /// Nothing.
    Nothing,
    /// Names, of which this is one of the shortest.
    Such(String),
    /// The globs are too many to tell.
    Unknown,
}

impl Set {
    /// What the globs of `allow` fit and those of `deny` do not.
    pub fn new<'t>(
        allow: impl IntoIterator<Item = &'t str>,
        deny: impl IntoIterator<Item = &'t str>,
    ) -> Self {
        let all = |texts: &mut dyn Iterator<Item = &'t str>| texts.map(Pattern::new).collect();
        Self { allow: all(&mut allow.into_iter()), deny: all(&mut deny.into_iter()) }
    }

    /// The same over the URLs of servers, where a `*` in the host does not reach over a slash and without a path any
    /// path fits.
    pub fn of_servers<'t>(
        allow: impl IntoIterator<Item = &'t str>,
        deny: impl IntoIterator<Item = &'t str>,
    ) -> Self {
        let all = |texts: &mut dyn Iterator<Item = &'t str>| texts.map(Pattern::of_server).collect();
        Self { allow: all(&mut allow.into_iter()), deny: all(&mut deny.into_iter()) }
    }

    /// Whether the name is in the set.
    pub fn has(&self, name: &str) -> bool {
        let fits = |patterns: &[Pattern]| patterns.iter().any(|pattern| pattern.fits(name));
        fits(&self.allow) && !fits(&self.deny)
    }

    /// The names that this set has and the other does not.
    pub fn beyond(&self, other: &Self) -> Beyond {
        let sets = [self, other];
        let patterns: Vec<&Pattern> = sets.iter().flat_map(|set| set.allow.iter().chain(&set.deny)).collect();
        let alphabet = alphabet(&patterns);
        let start: State = patterns.iter().map(|pattern| pattern.start()).collect();
        let mut came: HashMap<State, Option<(State, char)>> = HashMap::from([(start.clone(), None)]);
        let mut queue = VecDeque::from([start]);
        while let Some(state) = queue.pop_front() {
            for c in &alphabet {
                let next: State =
                    patterns.iter().zip(&state).map(|(pattern, places)| pattern.step(places, *c)).collect();
                // Asked of every step: the state in which the empty name ends may be met again by a longer one.
                if self.ends_in(&patterns, &next, 0) && !other.ends_in(&patterns, &next, self.len()) {
                    return Beyond::Such(spelled(&came, &state, *c));
                }
                if came.contains_key(&next) {
                    continue;
                }
                came.insert(next.clone(), Some((state.clone(), *c)));
                if came.len() > MOST_STATES {
                    return Beyond::Unknown;
                }
                queue.push_back(next);
            }
        }
        Beyond::Nothing
    }

    fn len(&self) -> usize {
        self.allow.len() + self.deny.len()
    }

    /// Whether a name that leads to this state is in the set, whose patterns start at `from`.
    fn ends_in(&self, patterns: &[&Pattern], state: &State, from: usize) -> bool {
        let ended = |skip: usize, count: usize| {
            let mut all = patterns.iter().zip(state).skip(skip).take(count);
            all.any(|(pattern, places)| places.last() == Some(&(pattern.0.len() as u16)))
        };
        ended(from, self.allow.len()) && !ended(from + self.allow.len(), self.deny.len())
    }
}

/// For each pattern, the places that are reached, growing.
type State = Vec<Vec<u16>>;

impl Pattern {
    fn new(text: &str) -> Self {
        Self(text.chars().map(|c| Token::of(c, Token::Run)).collect())
    }

    fn of_server(text: &str) -> Self {
        let Some((scheme, rest)) = text.split_once("://") else { return Self::new(text) };
        let (host, path) = match rest.split_once('/') {
            Some((host, path)) => (host, path),
            None => (rest, "*"),
        };
        let mut tokens: Vec<Token> = format!("{scheme}://{host}/")
            .to_ascii_lowercase()
            .chars()
            .map(|c| Token::of(c, Token::RunWithoutSlash))
            .collect();
        tokens.extend(path.chars().map(|c| Token::of(c, Token::Run)));
        Self(tokens)
    }

    fn fits(&self, name: &str) -> bool {
        let end = name.chars().fold(self.start(), |places, c| self.step(&places, c));
        end.last() == Some(&(self.0.len() as u16))
    }

    fn start(&self) -> Vec<u16> {
        let mut places = Vec::new();
        self.reach(0, &mut places);
        places
    }

    /// A place, and those behind the runs that begin at it, which may be empty.
    fn reach(&self, place: u16, places: &mut Vec<u16>) {
        let mut place = place;
        loop {
            if !places.contains(&place) {
                places.push(place);
            }
            match self.0.get(usize::from(place)) {
                Some(Token::Run | Token::RunWithoutSlash) => place += 1,
                _ => return,
            }
        }
    }

    fn step(&self, places: &[u16], c: char) -> Vec<u16> {
        let mut next = Vec::new();
        for place in places {
            match self.0.get(usize::from(*place)) {
                Some(Token::Char(own)) if *own == c => self.reach(place + 1, &mut next),
                Some(Token::One) => self.reach(place + 1, &mut next),
                Some(Token::Run) => self.reach(*place, &mut next),
                Some(Token::RunWithoutSlash) if c != '/' => self.reach(*place, &mut next),
                _ => {}
            }
        }
        next.sort_unstable();
        next
    }
}

impl Token {
    fn of(c: char, run: Self) -> Self {
        match c {
            '*' => run,
            '?' => Self::One,
            c => Self::Char(c),
        }
    }
}

/// One character that no pattern has, for all of those, and then all that some pattern has.
fn alphabet(patterns: &[&Pattern]) -> Vec<char> {
    let mut own: Vec<char> = patterns
        .iter()
        .flat_map(|pattern| &pattern.0)
        .filter_map(|token| match token {
            Token::Char(c) => Some(*c),
            Token::RunWithoutSlash => Some('/'),
            Token::One | Token::Run => None,
        })
        .collect();
    own.sort_unstable();
    own.dedup();
    let other = ('a'..='z').rev().chain('0'..='9').chain('\u{4e00}'..).find(|c| !own.contains(c));
    other.into_iter().chain(own).collect()
}

fn spelled(came: &HashMap<State, Option<(State, char)>>, state: &State, last: char) -> String {
    let mut name = vec![last];
    let mut at = state;
    while let Some(Some((before, c))) = came.get(at) {
        name.push(*c);
        at = before;
    }
    name.iter().rev().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(allow: &[&str], deny: &[&str]) -> Set {
        Set::new(allow.iter().copied(), deny.iter().copied())
    }

    #[test]
    fn what_one_set_has_beyond_another_is_found_with_an_example() {
        for (one, other, example) in [
            (set(&["*"], &[]), set(&[], &[]), Some("z")),
            (set(&["Read", "Bash"], &[]), set(&["Read"], &[]), Some("Bash")),
            (set(&["Read"], &[]), set(&["Re*"], &[]), None),
            (set(&["claude-*"], &[]), set(&["claude-haiku-*"], &[]), Some("claude-")),
            (set(&["a*"], &["ab*"]), set(&["a*"], &["a*"]), Some("a")),
            (set(&["*"], &[]), set(&["*"], &["Bash"]), Some("Bash")),
            (set(&["*"], &["Bash"]), set(&["*"], &["Ba*"]), Some("Ba")),
            (set(&["*"], &["Ba*"]), set(&["*"], &["Bash"]), None),
            // The same said in other words.
            (set(&["*"], &[]), set(&["?*"], &[]), None),
            (set(&["**a*"], &[]), set(&["*a*"], &[]), None),
            (set(&["a?c"], &[]), set(&["a*c"], &[]), None),
            (set(&["a*c"], &[]), set(&["a?c"], &[]), Some("ac")),
            (set(&["x*", "*x"], &[]), set(&["*x*"], &["?*x?*"]), Some("xzx")),
        ] {
            let found = one.beyond(&other);
            match example {
                None => assert_eq!(found, Beyond::Nothing, "{one:?} {other:?}"),
                Some(_) => {
                    let Beyond::Such(name) = &found else { panic!("{one:?} {other:?}: {found:?}") };
                    assert!(one.has(name) && !other.has(name), "{name}");
                    assert_eq!(name.len(), example.unwrap().len(), "{name} is one of the shortest");
                }
            }
        }
    }

    #[test]
    fn a_star_in_a_host_does_not_reach_over_a_slash() {
        let servers = |allow: &[&str]| Set::of_servers(allow.iter().copied(), []);
        let wide = servers(&["https://*.example.com"]);
        assert!(wide.has("https://a.example.com/any/path") && !wide.has("https://evil.test/.example.com/"));
        assert_eq!(servers(&["https://a.example.com/sse"]).beyond(&wide), Beyond::Nothing);
        assert!(matches!(wide.beyond(&servers(&["https://a.example.com"])), Beyond::Such(_)));
    }

    #[test]
    fn globs_that_are_too_many_to_tell_are_said_to_be() {
        let all: Vec<String> = ('a'..='p').map(|c| format!("*{c}*{c}?{c}")).collect();
        let many = Set::new(all.iter().map(String::as_str), []);
        assert_eq!(many.beyond(&set(&["*"], &[])), Beyond::Unknown);
    }
}
