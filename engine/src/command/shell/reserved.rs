//! Reserved words and what belongs to them: loops, cases, conditions.

use super::parse::Parser;
use super::variables;

/// What stands where a command may begin.
pub(super) enum Reserved {
    No,
    /// A keyword after which a command comes.
    Opens,
    /// A keyword that ends a group, a loop or a condition.
    Closes,
    Case,
    Esac,
}

impl Parser<'_> {
    /// Passes a word if it is exactly this one, unquoted.
    pub(super) fn take_word(&mut self, word: &str) -> bool {
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

    pub(super) fn reserved(&mut self) -> Reserved {
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
    pub(super) fn pattern(&mut self) {
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
