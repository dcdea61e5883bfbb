//! Shell text as a flat list of simple commands.
//!
//! For the effect of a script it does not matter which branch runs, so there is no tree: `if`, `do`, `{`, `(` and
//! their kin are passed over, and the commands between them are listed in order, those in substitutions first.
//! What is kept is what decides: words after quote removal, which parts of them are only known when it runs,
//! redirections with here-documents, and which command feeds which.
//!
//! Only substitutions and backquotes recurse, to [`MAX_DEPTH`]. Everything that is not POSIX or common bash is a
//! doubt, and a script with a doubt is unknown. One pass; linear.

use std::collections::HashMap;
use std::ops::Range;

use super::reserved::Reserved;
use super::script::{Command, Feed, Pending, Script};

/// How deep substitutions are followed.
const MAX_DEPTH: usize = 40;

/// The most commands that are read.
const MAX_COMMANDS: usize = 2048;

/// Reads a script.
pub fn script(text: &str) -> Script {
    let mut parser = Parser::new(text, 0, None, HashMap::new());
    parser.commands(false);
    Script { commands: parser.commands, doubts: parser.doubts }
}

/// What must be closed before a list ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Open {
    Parenthesis,
    Case,
}

pub(super) struct Parser<'a> {
    pub(super) source: &'a str,
    pub(super) at: usize,
    pub(super) depth: usize,
    pub(super) doubts: Vec<&'static str>,
    pub(super) commands: Vec<Command>,
    /// Variables that the script set to a known text; for guesses only.
    pub(super) variables: HashMap<String, String>,
    /// Where all of this stands, if not at its own offsets.
    place: Option<Range<usize>>,
    /// Here-documents whose bodies come after the line.
    pub(super) pending: Vec<Pending>,
    /// How many here-documents this line has announced.
    pub(super) announced: usize,
    /// Too deep or too long: nothing more is read.
    pub(super) stopped: bool,
}

impl<'a> Parser<'a> {
    pub(super) fn new(
        source: &'a str,
        depth: usize,
        place: Option<Range<usize>>,
        variables: HashMap<String, String>,
    ) -> Self {
        Self {
            source,
            at: 0,
            depth,
            doubts: Vec::new(),
            commands: Vec::new(),
            variables,
            place,
            pending: Vec::new(),
            announced: 0,
            stopped: false,
        }
    }

    pub(super) fn byte(&self, ahead: usize) -> u8 {
        self.source.as_bytes().get(self.at + ahead).copied().unwrap_or(0)
    }

    pub(super) fn rest(&self) -> &'a str {
        self.source.get(self.at..).unwrap_or_default()
    }

    pub(super) fn ended(&self) -> bool {
        self.stopped || self.at >= self.source.len()
    }

    pub(super) fn doubt(&mut self, why: &'static str) {
        if !self.doubts.contains(&why) {
            self.doubts.push(why);
        }
    }

    fn stop(&mut self, why: &'static str) {
        self.doubt(why);
        self.stopped = true;
        self.at = self.source.len();
    }

    pub(super) fn place(&self, from: usize) -> Range<usize> {
        self.place.clone().unwrap_or(from..self.at)
    }

    /// Reads text that stands inside this one (backquotes, a here-document) with a parser of its own.
    pub(super) fn within(&mut self, text: &str, from: usize, read: impl FnOnce(&mut Parser<'_>)) {
        if !self.enter() {
            return;
        }
        let mut inner =
            Parser::new(text, self.depth, Some(self.place(from)), std::mem::take(&mut self.variables));
        read(&mut inner);
        self.variables = inner.variables;
        self.commands.append(&mut inner.commands);
        inner.doubts.into_iter().for_each(|why| self.doubt(why));
        if inner.stopped {
            self.stop("nested deeper than is read");
        }
        self.depth -= 1;
    }

    /// Goes one level deeper; false where that is too deep, and then nothing more is read.
    pub(super) fn enter(&mut self) -> bool {
        if self.depth >= MAX_DEPTH {
            self.stop("nested deeper than is read");
            return false;
        }
        self.depth += 1;
        true
    }

    /// `$( ... )`, `<( ... )`: reads to the closing parenthesis, which is passed.
    pub(super) fn substitution(&mut self) {
        if !self.enter() {
            return;
        }
        let from = self.at;
        // Here-documents that wait for the end of the line wait outside.
        let outer = std::mem::take(&mut self.pending);
        self.commands(true);
        let lines = self.source.get(from..self.at).is_some_and(|inside| inside.contains('\n'));
        if !self.pending.is_empty() || (!outer.is_empty() && lines) {
            self.doubt("a here-document without its text");
        }
        self.pending = outer;
        self.depth -= 1;
    }

    /// Reads commands to the end, or to the parenthesis that closes a substitution.
    fn commands(&mut self, in_substitution: bool) {
        let mut open: Vec<Open> = Vec::new();
        // What the pipe before the next command carries, and what a pipe would carry that comes now.
        let (mut feed, mut last) = (Feed::Nothing, Feed::Nothing);
        let mut in_pattern = false;
        loop {
            self.blanks();
            if self.commands.len() > MAX_COMMANDS {
                self.stop("more commands than are read");
            }
            if self.ended() {
                if in_substitution || !open.is_empty() {
                    self.doubt("something is opened and not closed");
                }
                if !self.pending.is_empty() {
                    self.doubt("a here-document without its text");
                }
                break;
            }
            if in_pattern {
                in_pattern = false;
                self.skip_lines();
                if self.take_word("esac") {
                    open.pop();
                    last = Feed::Unseen;
                } else {
                    self.pattern();
                }
                continue;
            }
            let ends = match (self.byte(0), self.byte(1)) {
                (b'\n', _) => {
                    self.at += 1;
                    self.here_documents();
                    // A line may end after a pipe.
                    last != Feed::Nothing
                }
                (b';', second) => {
                    let case = second == b';' || second == b'&';
                    self.at += 1 + usize::from(case);
                    self.at += usize::from(second == b';' && self.byte(0) == b'&');
                    in_pattern = case && open.last() == Some(&Open::Case);
                    if case && !in_pattern {
                        self.doubt("`;;` outside a case");
                    }
                    true
                }
                (b'&', next) if next != b'>' => {
                    self.at += 1 + usize::from(next == b'&');
                    true
                }
                (b'|', b'|') => {
                    self.at += 2;
                    true
                }
                (b'|', next) => {
                    self.at += 1 + usize::from(next == b'&');
                    feed = if last == Feed::Command { Feed::Command } else { Feed::Unseen };
                    last = Feed::Nothing;
                    false
                }
                (b'(', b'(') => {
                    self.at += 2;
                    self.arithmetic();
                    last = Feed::Unseen;
                    false
                }
                (b'(', _) => {
                    self.at += 1;
                    open.push(Open::Parenthesis);
                    false
                }
                (b')', _) => {
                    self.at += 1;
                    match open.pop() {
                        Some(Open::Parenthesis) => {}
                        None if in_substitution => return,
                        _ => self.doubt("a parenthesis that was not opened"),
                    }
                    last = Feed::Unseen;
                    false
                }
                _ => {
                    match self.reserved() {
                        Reserved::No => {
                            last = self.command(feed);
                            feed = Feed::Nothing;
                        }
                        Reserved::Opens => {}
                        Reserved::Closes => last = Feed::Unseen,
                        Reserved::Case => {
                            open.push(Open::Case);
                            in_pattern = true;
                        }
                        Reserved::Esac => {
                            if open.pop() != Some(Open::Case) {
                                self.doubt("`esac` outside a case");
                            }
                            last = Feed::Unseen;
                        }
                    }
                    false
                }
            };
            if ends {
                (feed, last) = (Feed::Nothing, Feed::Nothing);
            }
        }
    }

    /// Reads commands to the end of the text.
    pub(super) fn commands_to_end(&mut self) {
        self.commands(false);
    }

    /// Passes white space, escaped line ends and comments, but not line ends.
    pub(super) fn blanks(&mut self) {
        loop {
            match (self.byte(0), self.byte(1)) {
                (b' ' | b'\t', _) if !self.ended() => self.at += 1,
                (b'\\', b'\n') => self.at += 2,
                (b'#', _) => self.at += self.rest().find('\n').unwrap_or(self.rest().len()),
                _ => return,
            }
        }
    }

    pub(super) fn skip_lines(&mut self) {
        self.blanks();
        while self.byte(0) == b'\n' {
            self.at += 1;
            self.here_documents();
            self.blanks();
        }
    }
}
