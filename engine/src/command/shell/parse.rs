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

use super::variables;

/// How deep substitutions are followed.
const MAX_DEPTH: usize = 40;

/// The most commands that are read.
const MAX_COMMANDS: usize = 2048;

/// Stands in a word for what is only known when it runs.
pub const HOLE: char = '\0';

/// A word after quote removal.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Word {
    /// Its text, with a [`HOLE`] for each part that is only known when it runs.
    pub text: String,
    /// The same with variables as this script set them, and nothing for what is not known.
    pub guess: String,
    /// An unquoted part is only known when it runs: it may become no word, or several.
    pub splits: bool,
    /// Unquoted `*`, `?` or `[`: may become several words, the names of files.
    pub globs: bool,
    /// Some part was quoted.
    pub quoted: bool,
}

impl Word {
    /// The text, where all of it is known.
    pub fn known(&self) -> Option<&str> {
        (!self.text.contains(HOLE) && !self.globs).then_some(&self.text)
    }

    /// A word of known text.
    pub fn plain(text: &str) -> Self {
        Self { text: text.to_owned(), guess: text.to_owned(), ..Self::default() }
    }
}

/// What a redirection does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// `<`.
    From,
    /// `>`, `>>`, `>|`, `<>`, `&>`.
    To,
    /// `<<` and `<<<`: the target is the text itself.
    Text,
    /// `>&1`, `<&0`.
    Duplicate,
}

/// A redirection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Redirect {
    /// What it does.
    pub direction: Direction,
    /// Its file, descriptor or text.
    pub target: Word,
}

/// A simple command.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Command {
    /// `NAME=value` in front.
    pub assignments: Vec<(String, Word)>,
    /// The program and its arguments.
    pub words: Vec<Word>,
    /// Its redirections, in order.
    pub redirects: Vec<Redirect>,
    /// The command before it in the list feeds its standard input.
    pub piped: bool,
    /// Something that cannot be seen feeds its standard input: the end of a loop, group or subshell.
    pub fed: bool,
    /// Where it stands in the text.
    pub text: Range<usize>,
    /// Here-documents whose text comes after the line.
    pub(super) awaits: Vec<Pending>,
}

/// What was read of a script.
#[derive(Debug, Default)]
pub struct Script {
    /// Its commands.
    pub commands: Vec<Command>,
    /// What could not be read.
    pub doubts: Vec<&'static str>,
}

/// Reads a script.
pub fn script(text: &str) -> Script {
    let mut parser = Parser::new(text, 0, None, HashMap::new());
    parser.commands(false);
    Script { commands: parser.commands, doubts: parser.doubts }
}

/// What a pipe carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Feed {
    /// There is none.
    Nothing,
    /// What the command before it prints.
    Command,
    /// What a loop, a group or a subshell prints.
    Unseen,
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

/// A here-document whose text comes after the line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Pending {
    /// The command that it belongs to.
    pub command: usize,
    /// Which of its redirections.
    pub redirect: usize,
    /// The line that ends it.
    pub delimiter: String,
    /// Nothing in it is expanded.
    pub quoted: bool,
    /// Leading tabs are stripped.
    pub tabs: bool,
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

    /// Passes a word if it is exactly this one, unquoted.
    fn take_word(&mut self, word: &str) -> bool {
        let rest = self.rest();
        let ends = rest.strip_prefix(word).is_some_and(|after| {
            after.bytes().next().is_none_or(|byte| {
                matches!(byte, b' ' | b'\t' | b'\n' | b';' | b'&' | b'|' | b'(' | b')' | b'<' | b'>')
            })
        });
        if ends {
            self.at += word.len();
        }
        ends
    }

    fn reserved(&mut self) -> Reserved {
        if ["then", "do", "else", "elif", "if", "while", "until", "{", "!", "coproc"]
            .iter()
            .any(|word| self.take_word(word))
        {
            return Reserved::Opens;
        }
        if self.take_word("time") {
            self.blanks();
            self.take_word("-p");
            return Reserved::Opens;
        }
        if ["fi", "done", "}"].iter().any(|word| self.take_word(word)) {
            return Reserved::Closes;
        }
        if self.take_word("esac") {
            return Reserved::Esac;
        }
        if self.take_word("[[") {
            self.condition();
            return Reserved::Closes;
        }
        if self.take_word("function") {
            self.blanks();
            self.word(false);
            self.blanks();
            if self.rest().starts_with("()") {
                self.at += 2;
            }
            return Reserved::Opens;
        }
        if self.take_word("for") || self.take_word("select") {
            self.blanks();
            if self.rest().starts_with("((") {
                self.at += 2;
                self.arithmetic();
                return Reserved::Opens;
            }
            self.words_of_a_loop();
            return Reserved::Opens;
        }
        if self.take_word("case") {
            self.blanks();
            self.word(false);
            self.skip_lines();
            if !self.take_word("in") {
                self.doubt("a case without `in`");
            }
            return Reserved::Case;
        }
        Reserved::No
    }

    pub(super) fn skip_lines(&mut self) {
        self.blanks();
        while self.byte(0) == b'\n' {
            self.at += 1;
            self.here_documents();
            self.blanks();
        }
    }

    /// `for name in words`: what the name may become; no command.
    fn words_of_a_loop(&mut self) {
        let name = self.word(false);
        if name.as_ref().is_some_and(variables::may_name_one) {
            self.doubt(variables::MAY_ACT);
        }
        self.skip_lines();
        if !self.take_word("in") {
            return;
        }
        loop {
            self.blanks();
            match self.word(false) {
                Some(word) => {
                    if let Some(name) = &name {
                        self.variables.insert(name.text.clone(), word.guess);
                    }
                }
                None => return,
            }
        }
    }

    /// A pattern of a case, with its closing parenthesis.
    fn pattern(&mut self) {
        self.skip_lines();
        if self.take_word("esac") {
            return self.doubt("an empty case");
        }
        self.at += usize::from(self.byte(0) == b'(');
        loop {
            self.blanks();
            match self.byte(0) {
                b'|' => self.at += 1,
                b')' => {
                    self.at += 1;
                    return;
                }
                _ if self.word(false).is_some() => {}
                _ => return self.doubt("a case pattern that is not understood"),
            }
            if self.ended() {
                return self.doubt("something is opened and not closed");
            }
        }
    }

    /// `[[ ... ]]`. Its arithmetic comparisons evaluate their operands, and those can run commands.
    fn condition(&mut self) {
        loop {
            self.blanks();
            if self.take_word("]]") {
                return;
            }
            match self.byte(0) {
                b'\n' => self.at += 1,
                b';' => return self.doubt("a condition that is not understood"),
                _ => match self.word(true) {
                    Some(word)
                        if matches!(
                            word.text.as_str(),
                            "-eq" | "-ne" | "-lt" | "-le" | "-gt" | "-ge" | "-v" | "-R"
                        ) =>
                    {
                        self.doubt("a condition that evaluates its operands");
                    }
                    Some(_) => {}
                    None => return self.doubt("something is opened and not closed"),
                },
            }
        }
    }
}

/// What stands where a command may begin.
enum Reserved {
    No,
    /// A keyword after which a command comes.
    Opens,
    /// A keyword that ends a group, a loop or a condition.
    Closes,
    Case,
    Esac,
}
