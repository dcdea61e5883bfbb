//! SQL text as tokens, under the lexical rules of one dialect.
//!
//! The dialects disagree on where a string or a comment ends, and an attacker can hide a statement in the
//! difference: `'\'; DROP TABLE t; --'` is one string to MySQL and three statements to PostgreSQL. So a text on
//! which they could disagree ([`diverges`]) is read once per dialect.

use std::ops::Range;

/// Lexical rules.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    /// Nested comments, `$tag$` and `E''` strings, `\` commands of psql.
    Postgres,
    /// `\` escapes in strings, `#` comments, `--` only before a space, `/*! code */`.
    Mysql,
    /// As MySQL, where the version in `/*!99999 */` is newer than the server: a comment.
    OldMysql,
    /// `"`, `` ` `` and `[]` quote names; a comment may end with the text.
    Sqlite,
    /// `"` and `[]` quote names; nested comments; `#temporary` names.
    Tsql,
}

impl Dialect {
    /// All of them, for text on which they could disagree.
    pub const ALL: [Self; 5] = [Self::Postgres, Self::Mysql, Self::OldMysql, Self::Sqlite, Self::Tsql];

    /// Whether it is one of MySQL's.
    pub fn is_mysql(self) -> bool {
        matches!(self, Self::Mysql | Self::OldMysql)
    }
}

/// What a token is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A keyword or an unquoted name.
    Word,
    /// A quoted name, quotes included.
    Quoted,
    /// A string, quotes included.
    Text,
    /// A number.
    Number,
    /// A placeholder: `$1`, `:name`.
    Param,
    /// Anything else that belongs to the language, one operator or punctuation mark at a time.
    Op,
    /// The end of a statement: `;`, a line that says only `GO`, `\g`.
    End,
    /// A command to the client: `\copy ...`, `.shell ...`; to the end of the line.
    Meta,
    /// What no dialect has here. A statement with it is unknown.
    Odd,
}

/// A token and where it stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Token {
    /// What it is.
    pub kind: Kind,
    start: u32,
    end: u32,
}

impl Token {
    /// Where it stands, in bytes.
    pub fn range(self) -> Range<usize> {
        self.start as usize..self.end as usize
    }
}

/// The tokens of a text.
#[derive(Debug)]
pub struct Tokens {
    /// In order.
    pub list: Vec<Token>,
    /// False where a quote or comment does not end: the dialect would refuse the last statement.
    pub complete: bool,
}

/// Whether the dialects could cut the text into tokens differently.
pub fn diverges(text: &str) -> bool {
    let bytes = text.as_bytes();
    bytes.iter().zip(bytes.iter().skip(1).chain([&b' '])).any(|(&byte, &next)| match byte {
        b'\\' | b'#' | b'`' | b'[' | b'$' => true,
        b'-' => next == b'-',
        b'/' => next == b'*',
        _ => false,
    })
}

/// Cuts a text of less than 4 GiB into tokens. Linear in its length.
pub fn tokens(text: &str, dialect: Dialect) -> Tokens {
    let mut lexer = Lexer {
        bytes: text.as_bytes(),
        at: 0,
        dialect,
        list: Vec::with_capacity(text.len() / 4),
        in_executable: false,
    };
    let complete = lexer.run();
    Tokens { list: lexer.list, complete }
}

struct Lexer<'a> {
    bytes: &'a [u8],
    at: usize,
    dialect: Dialect,
    list: Vec<Token>,
    /// Inside `/*! ... */`, whose end is then skipped.
    in_executable: bool,
}

/// Two- and three-character operators that stay whole; the longer first.
const OPERATORS: [&[u8]; 24] = [
    b"<=>", b"->>", b"#>>", b"!~*", b"<=", b">=", b"<>", b"!=", b"==", b"||", b"&&", b"->", b"#>", b"@>",
    b"<@", b"::", b":=", b"~*", b"!~", b"~~", b"?|", b"?&", b"+=", b"!<",
];

impl Lexer<'_> {
    fn peek(&self, ahead: usize) -> u8 {
        self.bytes.get(self.at + ahead).copied().unwrap_or(0)
    }

    fn rest(&self) -> &[u8] {
        self.bytes.get(self.at..).unwrap_or_default()
    }

    fn push(&mut self, kind: Kind, start: usize) {
        self.list.push(Token { kind, start: start as u32, end: self.at as u32 });
    }

    /// Reads everything; false where the end came inside a quote or comment.
    fn run(&mut self) -> bool {
        while let Some(&byte) = self.bytes.get(self.at) {
            let start = self.at;
            let next = self.peek(1);
            let whole = match byte {
                b' ' | b'\t' | b'\n' | b'\r' => {
                    self.at += 1;
                    true
                }
                // Other control characters are white space to some dialects and errors to others.
                0..0x20 | 0x7f => {
                    self.at += 1;
                    self.push(Kind::Odd, start);
                    true
                }
                b'-' if next == b'-' && (!self.dialect.is_mysql() || self.peek(2) <= b' ') => {
                    self.line_comment()
                }
                b'#' if self.dialect.is_mysql() => self.line_comment(),
                b'/' if next == b'*' => self.block_comment(),
                b'*' if next == b'/' && self.in_executable => {
                    self.in_executable = false;
                    self.at += 2;
                    true
                }
                b'\'' => self.quoted(b'\'', self.dialect.is_mysql(), Kind::Text, start),
                b'"' => self.quoted(b'"', self.dialect.is_mysql(), Kind::Quoted, start),
                b'`' if self.dialect.is_mysql() || self.dialect == Dialect::Sqlite => {
                    self.quoted(b'`', false, Kind::Quoted, start)
                }
                b'[' if matches!(self.dialect, Dialect::Sqlite | Dialect::Tsql) => {
                    self.quoted(b']', false, Kind::Quoted, start)
                }
                b'$' => self.dollar(),
                b'0'..=b'9' => self.number(),
                b'.' if next.is_ascii_digit() && !self.after_name() => self.number(),
                b'.' if next.is_ascii_alphabetic() && self.statement_starts() && self.line_starts() => {
                    self.meta(start)
                }
                b'#' if self.dialect == Dialect::Tsql && (next == b'#' || is_name(next)) => self.word(),
                b'\\' => self.backslash(),
                b';' => {
                    self.at += 1;
                    self.push(Kind::End, start);
                    true
                }
                b':' if is_name_start(next) || next == b'\'' || next == b'"' => self.placeholder(),
                _ if is_name_start(byte) => self.word(),
                b'{' | b'}' => {
                    self.at += 1;
                    self.push(Kind::Odd, start);
                    true
                }
                _ => {
                    let rest = self.rest();
                    self.at += OPERATORS.iter().find(|op| rest.starts_with(op)).map_or(1, |op| op.len());
                    self.push(Kind::Op, start);
                    true
                }
            };
            if !whole {
                return false;
            }
        }
        !self.in_executable
    }

    fn line_comment(&mut self) -> bool {
        // PostgreSQL and T-SQL also end a line at a carriage return; MySQL and SQLite do not. Text with a lone
        // one is refused by `sql` before it comes here.
        let rest = self.rest();
        self.at += rest.iter().position(|&byte| byte == b'\n').unwrap_or(rest.len());
        true
    }

    fn block_comment(&mut self) -> bool {
        let executable = self.peek(2) == b'!' || (self.peek(2) == b'M' && self.peek(3) == b'!');
        if executable && self.dialect == Dialect::Mysql {
            self.at += if self.peek(2) == b'!' { 3 } else { 4 };
            // A version is five or six digits; a digit after those belongs to the code.
            let digits = self.rest().iter().take(6).take_while(|byte| byte.is_ascii_digit()).count();
            self.at += if digits >= 5 { digits } else { 0 };
            if self.in_executable {
                self.push(Kind::Odd, self.at);
            }
            self.in_executable = true;
            return true;
        }
        let nested = matches!(self.dialect, Dialect::Postgres | Dialect::Tsql);
        let mut depth = 0usize;
        while let Some(&byte) = self.bytes.get(self.at) {
            match (byte, self.peek(1)) {
                (b'/', b'*') if nested || depth == 0 => {
                    depth += 1;
                    self.at += 2;
                }
                (b'*', b'/') => {
                    depth -= 1;
                    self.at += 2;
                    if depth == 0 {
                        return true;
                    }
                }
                _ => self.at += 1,
            }
        }
        self.dialect == Dialect::Sqlite
    }

    /// From the opening quote at `self.at` to the closing one; a doubled quote stands for itself.
    fn quoted(&mut self, close: u8, backslash: bool, kind: Kind, start: usize) -> bool {
        self.at += 1;
        while let Some(&byte) = self.bytes.get(self.at) {
            self.at += 1;
            if byte == b'\\' && backslash {
                self.at += 1;
            } else if byte == close {
                if self.peek(0) != close {
                    self.push(kind, start);
                    return true;
                }
                self.at += 1;
            }
        }
        self.at = self.bytes.len();
        false
    }

    fn dollar(&mut self) -> bool {
        let start = self.at;
        if self.peek(1).is_ascii_digit() {
            self.at += 1;
            self.at += self.rest().iter().take_while(|byte| byte.is_ascii_digit()).count();
            self.push(Kind::Param, start);
            return true;
        }
        if self.dialect != Dialect::Postgres {
            return self.word();
        }
        let tag = self.rest().iter().skip(1).take_while(|byte| is_name(**byte) && **byte != b'$').count();
        if self.peek(tag + 1) != b'$' {
            self.at += 1;
            self.push(Kind::Odd, start);
            return true;
        }
        let opening = self.bytes.get(start..start + tag + 2).unwrap_or_default();
        self.at += opening.len();
        // Each `$` is looked at once per tag length, and a tag that long needs as much text again.
        while let Some(found) = self.rest().iter().position(|&byte| byte == b'$') {
            self.at += found;
            if self.rest().starts_with(opening) {
                self.at += opening.len();
                self.push(Kind::Text, start);
                return true;
            }
            self.at += 1;
        }
        self.at = self.bytes.len();
        false
    }

    fn number(&mut self) -> bool {
        let start = self.at;
        let digits = |lexer: &mut Self| {
            lexer.at += lexer.rest().iter().take_while(|b| b.is_ascii_digit() || **b == b'_').count();
        };
        if self.peek(0) == b'0' && matches!(self.peek(1), b'x' | b'X') {
            self.at += 2;
            self.at += self.rest().iter().take_while(|byte| byte.is_ascii_hexdigit()).count();
        } else {
            digits(self);
            if self.peek(0) == b'.' {
                self.at += 1;
                digits(self);
            }
            let sign = usize::from(matches!(self.peek(1), b'+' | b'-'));
            if matches!(self.peek(0), b'e' | b'E') && self.peek(1 + sign).is_ascii_digit() {
                self.at += 1 + sign;
                digits(self);
            }
        }
        self.push(Kind::Number, start);
        // `1DELETE`: some dialects go on with the next word.
        if is_name_start(self.peek(0)) {
            self.push(Kind::Odd, self.at);
        }
        true
    }

    fn word(&mut self) -> bool {
        let start = self.at;
        self.at += 1;
        let hash = self.dialect == Dialect::Tsql;
        self.at += self.rest().iter().take_while(|byte| is_name(**byte) || (hash && **byte == b'#')).count();
        let word = self.bytes.get(start..self.at).unwrap_or_default();
        // White space and look-alikes beyond ASCII: T-SQL takes some of them for spaces.
        if !word.is_ascii() && !str::from_utf8(word).is_ok_and(|word| word.chars().all(is_name_char)) {
            self.push(Kind::Odd, start);
        }
        let word = self.bytes.get(start..self.at).unwrap_or_default();
        let next = self.peek(0);
        if next == b'\'' {
            let prefix = |names: &[&[u8]]| names.iter().any(|name| word.eq_ignore_ascii_case(name));
            if prefix(&[b"e"]) {
                return self.quoted(
                    b'\'',
                    self.dialect == Dialect::Postgres || self.dialect.is_mysql(),
                    Kind::Text,
                    start,
                );
            }
            if prefix(&[b"n", b"b", b"x"]) || word.first() == Some(&b'_') {
                return self.quoted(b'\'', self.dialect.is_mysql(), Kind::Text, start);
            }
        }
        // U&"d\0061t": a name spelt in escapes.
        if next == b'&' && word.eq_ignore_ascii_case(b"u") && matches!(self.peek(1), b'"' | b'\'') {
            let odd = self.peek(1) == b'"';
            self.push(if odd { Kind::Odd } else { Kind::Op }, start);
            self.at += 1;
            return true;
        }
        let go = word.eq_ignore_ascii_case(b"go") && self.alone_on_line(start);
        self.push(if go { Kind::End } else { Kind::Word }, start);
        if go {
            self.line_comment();
        }
        true
    }

    fn placeholder(&mut self) -> bool {
        let start = self.at;
        // `a[1:b]`, `:'name'` of psql, `:name` of drivers; `x:y` in JSON paths.
        self.at += 1;
        if is_name_start(self.peek(0)) {
            self.at += self.rest().iter().take_while(|byte| is_name(**byte)).count();
            self.push(Kind::Param, start);
        } else {
            self.push(Kind::Op, start);
        }
        true
    }

    /// A backslash outside quotes: the end of a statement (`\g`, `\G`) or a command of the client.
    fn backslash(&mut self) -> bool {
        let start = self.at;
        if matches!(self.peek(1), b'g' | b'G') && matches!(self.peek(2), 0 | b';' | b'\n' | b'\r') {
            self.at += 2;
            self.push(Kind::End, start);
            return true;
        }
        self.meta(start)
    }

    fn meta(&mut self, start: usize) -> bool {
        let rest = self.rest();
        self.at += rest.iter().position(|&byte| byte == b'\n').unwrap_or(rest.len());
        self.push(Kind::Meta, start);
        true
    }

    fn after_name(&self) -> bool {
        self.list.last().is_some_and(|last| {
            last.end as usize == self.at && matches!(last.kind, Kind::Word | Kind::Quoted)
        })
    }

    fn statement_starts(&self) -> bool {
        self.list.last().is_none_or(|last| matches!(last.kind, Kind::End | Kind::Meta))
    }

    fn line_starts(&self) -> bool {
        let before = self.bytes.get(..self.at).unwrap_or_default();
        before
            .iter()
            .rev()
            .take_while(|byte| **byte != b'\n')
            .all(|byte| matches!(byte, b' ' | b'\t' | b'\r'))
    }

    /// Whether only white space and a count share the line with the word that began at `start`.
    fn alone_on_line(&self, start: usize) -> bool {
        let blank = |byte: &&u8| matches!(**byte, b' ' | b'\t' | b'\r');
        let before = self.bytes.get(..start).unwrap_or_default();
        let mut after = self.rest().iter().skip_while(|byte| blank(byte) || byte.is_ascii_digit());
        before.iter().rev().find(|byte| !blank(byte)).is_none_or(|byte| *byte == b'\n')
            && after.next().is_none_or(|byte| *byte == b'\n')
    }
}

fn is_name_start(byte: u8) -> bool {
    byte.is_ascii_alphabetic() || byte == b'_' || byte >= 0x80
}

fn is_name(byte: u8) -> bool {
    is_name_start(byte) || byte.is_ascii_digit() || byte == b'$'
}

fn is_name_char(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '_' | '$' | '#')
}
