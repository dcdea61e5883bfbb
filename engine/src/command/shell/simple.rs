//! One simple command: its assignments, words, redirections and here-documents.

use super::parse::Parser;
use super::script::{Command, Direction, Feed, HOLE, Pending, Redirect, Word};
use super::variables;

impl Parser<'_> {
    /// Reads one command; what it is to a pipe after it.
    pub(super) fn command(&mut self, feed: Feed) -> Feed {
        let start = self.at;
        let mut command =
            Command { piped: feed == Feed::Command, fed: feed == Feed::Unseen, ..Command::default() };
        loop {
            self.blanks();
            let digits = self.rest().bytes().take_while(u8::is_ascii_digit).count();
            if digits > 0 && matches!(self.byte(digits), b'<' | b'>') && self.byte(digits + 1) != b'(' {
                // The number of a descriptor, not a word.
                self.at += digits;
            }
            if self.ended() || matches!(self.byte(0), b'\n' | b';' | b'|' | b')') {
                break;
            }
            let before = self.at;
            match (self.byte(0), self.byte(1)) {
                (b'&', b'>') => {
                    self.at += 2 + usize::from(self.byte(2) == b'>');
                    self.target(&mut command, Direction::To);
                }
                (b'&', _) => break,
                (b'<' | b'>', b'(') => self.argument(&mut command),
                (b'<' | b'>', _) => self.redirect(&mut command),
                (b'(', _) => {
                    self.at += 1;
                    self.blanks();
                    if command.words.len() == 1 && command.assignments.is_empty() && self.byte(0) == b')' {
                        // `name ()` defines a function; its body follows.
                        self.at += 1;
                        command.words.clear();
                        break;
                    }
                    self.doubt("a parenthesis that is not understood");
                    break;
                }
                _ => self.argument(&mut command),
            }
            if self.at == before {
                self.doubt("a character that is not understood");
                self.at += self.rest().chars().next().map_or(1, char::len_utf8);
            }
        }
        command.text = self.place(start);
        let empty =
            command.words.is_empty() && command.redirects.is_empty() && command.assignments.is_empty();
        if empty {
            return Feed::Unseen;
        }
        self.remember(&command);
        for pending in std::mem::take(&mut command.awaits) {
            self.pending.push(Pending { command: self.commands.len(), ..pending });
        }
        self.commands.push(command);
        Feed::Command
    }

    /// A word, or an assignment in front of the command.
    fn argument(&mut self, command: &mut Command) {
        let name =
            self.rest().bytes().take_while(|byte| byte.is_ascii_alphanumeric() || *byte == b'_').count();
        let after = self.rest().get(name..).unwrap_or_default();
        let leads = command.words.is_empty() && name > 0 && !self.byte(0).is_ascii_digit();
        let sign = if after.starts_with("+=") { 2 } else { usize::from(after.starts_with('=')) };
        if leads
            && after.starts_with('[')
            && after
                .split([' ', '\n', ';'])
                .next()
                .is_some_and(|word| word.contains("]=") || word.contains("]+="))
        {
            self.doubt("an assignment to an element, whose index is evaluated");
        }
        if !leads || sign == 0 {
            if let Some(word) = self.word(false) {
                // `{name}>file` sets the variable to the number of the descriptor.
                let descriptor = word.text.strip_prefix('{').and_then(|text| text.strip_suffix('}'));
                if matches!(self.byte(0), b'<' | b'>') && descriptor.is_some_and(variables::acts) {
                    self.doubt(variables::MAY_ACT);
                }
                command.words.push(word);
            }
            return;
        }
        let name = self.rest().get(..name).unwrap_or_default().to_owned();
        self.at += name.len() + sign;
        if self.byte(0) == b'(' {
            self.at += 1;
            loop {
                self.skip_lines();
                if self.word(false).is_none() {
                    break;
                }
            }
            if self.byte(0) != b')' {
                self.doubt("a list that is not understood");
            }
            self.at += usize::from(self.byte(0) == b')');
            command.assignments.push((name, Word { text: HOLE.into(), ..Word::default() }));
            return;
        }
        let value = self.word(false).unwrap_or_default();
        command.assignments.push((name, value));
    }

    fn redirect(&mut self, command: &mut Command) {
        let operator = ["<<<", "<<-", "<<", "<>", "<&", "<", ">>", ">|", ">&", ">"]
            .into_iter()
            .find(|operator| self.rest().starts_with(operator))
            .unwrap_or(">");
        self.at += operator.len();
        match operator {
            "<<<" => self.target(command, Direction::Text),
            "<<" | "<<-" => {
                self.blanks();
                let raw = self.at;
                let Some(word) = self.word(false) else {
                    return self.doubt("a here-document without a delimiter");
                };
                if word.text.contains(HOLE)
                    || self.source.get(raw..self.at).is_some_and(|raw| raw.contains('\n'))
                {
                    self.doubt("a here-document whose delimiter is not plain");
                }
                self.announced += 1;
                let redirect = command.redirects.len();
                let target = Word { text: HOLE.into(), ..Word::default() };
                command.redirects.push(Redirect { direction: Direction::Text, target });
                command.awaits.push(Pending {
                    command: 0,
                    redirect,
                    delimiter: word.text,
                    quoted: word.quoted,
                    tabs: operator == "<<-",
                });
            }
            "<" => self.target(command, Direction::From),
            "<&" => self.target(command, Direction::Duplicate),
            ">&" => {
                self.target(command, Direction::Duplicate);
                if let Some(last) = command.redirects.last_mut() {
                    let number =
                        last.target.text.trim_end_matches('-').bytes().all(|byte| byte.is_ascii_digit());
                    if !number {
                        last.direction = Direction::To;
                    }
                }
            }
            _ => self.target(command, Direction::To),
        }
    }

    fn target(&mut self, command: &mut Command, direction: Direction) {
        self.blanks();
        match self.word(false) {
            Some(target) => command.redirects.push(Redirect { direction, target }),
            None => self.doubt("a redirection without a target"),
        }
    }

    /// What an assignment or a declaration makes of a variable, for guesses.
    fn remember(&mut self, command: &Command) {
        if command.words.is_empty() {
            for (name, value) in &command.assignments {
                self.variables.insert(name.clone(), value.guess.clone());
            }
        }
        if command.words.first().is_some_and(|word| {
            matches!(word.guess.as_str(), "export" | "declare" | "local" | "readonly" | "typeset")
        }) {
            for (name, value) in command.words.iter().filter_map(|word| word.guess.split_once('=')) {
                self.variables.insert(name.to_owned(), value.to_owned());
            }
        }
    }

    /// Reads the bodies of the here-documents that the line before announced.
    pub(super) fn here_documents(&mut self) {
        self.announced = 0;
        for Pending { command, redirect, delimiter, quoted, tabs } in std::mem::take(&mut self.pending) {
            let from = self.at;
            let mut body = String::new();
            let mut closed = false;
            while !self.ended() {
                let line = self.rest().split('\n').next().unwrap_or_default();
                self.at = (self.at + line.len() + 1).min(self.source.len());
                let line = if tabs { line.trim_start_matches('\t') } else { line };
                if line == delimiter {
                    closed = true;
                    break;
                }
                body.push_str(line);
                body.push('\n');
            }
            if !closed {
                self.doubt("a here-document that does not end");
            }
            let mut word = Word::plain(&body);
            if !quoted {
                self.within(&body, from, |inner| word = inner.expanded());
            }
            let redirect =
                self.commands.get_mut(command).and_then(|command| command.redirects.get_mut(redirect));
            match redirect {
                Some(redirect) => redirect.target = word,
                None => self.doubt("a here-document that belongs to no command"),
            }
        }
    }

    /// Whether here-documents wait for the end of this line.
    pub(super) fn awaits_text(&self) -> bool {
        self.announced > 0
    }
}
