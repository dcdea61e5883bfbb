//! Words: quotes and expansions.

use super::parse::Parser;
use super::script::{HOLE, Word};
use super::variables;

/// The most that is put together for a guess, in bytes; what a script sets may double at every line.
const MAX_GUESS: usize = 8192;

impl Parser<'_> {
    /// Reads one word; none where something else stands. In a condition (`[[`), operators belong to words.
    pub(super) fn word(&mut self, condition: bool) -> Option<Word> {
        let mut word = Word::default();
        let start = self.at;
        while !self.ended() {
            let (byte, next) = (self.byte(0), self.byte(1));
            match byte {
                b'<' | b'>' if next == b'(' && !condition => {
                    self.at += 2;
                    self.substitution();
                    word.text.push(HOLE);
                    // The name of a pipe: one word that begins with a slash.
                    word.quoted = true;
                }
                b'<' | b'>' if !condition => break,
                b' ' | b'\t' | b'\n' => break,
                b';' | b'&' | b'|' | b'(' | b')' if !condition => break,
                b';' => break,
                b'\'' => self.single(&mut word),
                b'"' => {
                    self.at += 1;
                    self.double(&mut word);
                }
                b'\\' => self.escape(&mut word),
                b'$' if next == b'\'' => {
                    self.at += 2;
                    self.ansi(&mut word);
                }
                b'$' if next == b'"' => {
                    self.at += 2;
                    self.double(&mut word);
                }
                b'$' => self.dollar(&mut word, false),
                b'`' => self.backquotes(&mut word, false),
                b'{' if next != b'}' && self.is_brace_expansion() => {
                    self.at += 1;
                    word.text.push(HOLE);
                    word.guess.push(' ');
                    word.splits = true;
                }
                _ => {
                    let c = self.rest().chars().next().unwrap_or(HOLE);
                    word.globs |= matches!(c, '*' | '?' | '[');
                    self.at += c.len_utf8();
                    word.text.push(c);
                    word.guess.push(c);
                }
            }
        }
        // `[` alone is the program, not a pattern.
        word.globs &= word.text != "[";
        (self.at > start).then_some(word)
    }

    /// `{a,b}` or `{1..3}`, or something that cannot be told from it.
    fn is_brace_expansion(&self) -> bool {
        let rest: &[u8] = self.rest().as_bytes();
        let head = rest.get(1..rest.len().min(65)).unwrap_or_default();
        if head.first().is_none_or(|byte| matches!(byte, b' ' | b'\t' | b'\n' | b';')) {
            return false;
        }
        match head.iter().position(|byte| *byte == b'}') {
            Some(end) => {
                let inside = head.get(..end).unwrap_or_default();
                inside.windows(2).any(|pair| pair == b"..")
                    || inside
                        .iter()
                        .any(|byte| matches!(byte, b',' | b'"' | b'\'' | b'\\' | b'$' | b'`' | b' ' | b'{'))
            }
            None => true,
        }
    }

    fn single(&mut self, word: &mut Word) {
        self.at += 1;
        let rest = self.rest();
        let end = rest.find('\'').unwrap_or_else(|| {
            self.doubt("a quote that does not end");
            rest.len()
        });
        let text = rest.get(..end).unwrap_or_default();
        self.literal(word, text);
        self.at = (self.at + end + 1).min(self.source.len());
        word.quoted = true;
    }

    fn literal(&mut self, word: &mut Word, text: &str) {
        if self.awaits_text() && text.contains('\n') {
            self.doubt("a line end in quotes before a here-document");
        }
        word.text.push_str(text);
        word.guess.push_str(text);
    }

    /// After the opening `"`.
    fn double(&mut self, word: &mut Word) {
        word.quoted = true;
        loop {
            if self.ended() {
                return self.doubt("a quote that does not end");
            }
            if self.byte(0) == b'"' {
                self.at += 1;
                return;
            }
            self.in_double(word);
        }
    }

    /// One character or expansion between double quotes, or in a here-document.
    fn in_double(&mut self, word: &mut Word) {
        match (self.byte(0), self.byte(1)) {
            (b'\\', b'\n') => self.at += 2,
            (b'\\', next @ (b'$' | b'`' | b'"' | b'\\')) => {
                self.at += 2;
                word.text.push(char::from(next));
                word.guess.push(char::from(next));
            }
            (b'$', _) => self.dollar(word, true),
            (b'`', _) => self.backquotes(word, true),
            _ => {
                let length = self.rest().find(['\\', '$', '`', '"']).unwrap_or(self.rest().len());
                let length = length.max(self.rest().chars().next().map_or(0, char::len_utf8));
                let text = self.rest().get(..length).unwrap_or_default();
                self.literal(word, text);
                self.at += length;
            }
        }
    }

    /// All of the text as it stands in a here-document.
    pub(super) fn expanded(&mut self) -> Word {
        let mut word = Word { quoted: true, ..Word::default() };
        while !self.ended() {
            self.in_double(&mut word);
        }
        word
    }

    fn escape(&mut self, word: &mut Word) {
        self.at += 1;
        if self.byte(0) == b'\n' {
            self.at += 1;
            return;
        }
        if let Some(c) = self.rest().chars().next() {
            self.at += c.len_utf8();
            word.text.push(c);
            word.guess.push(c);
        }
        word.quoted = true;
    }

    /// After `$'`: escapes as in C.
    fn ansi(&mut self, word: &mut Word) {
        word.quoted = true;
        loop {
            let Some(c) = self.rest().chars().next() else { return self.doubt("a quote that does not end") };
            self.at += c.len_utf8();
            let decoded = match c {
                '\'' => return,
                '\\' => self.ansi_escape(),
                c => c,
            };
            if decoded == HOLE || decoded < ' ' && !matches!(decoded, '\n' | '\t' | '\r') {
                self.doubt("a control character");
            } else {
                self.literal(word, decoded.encode_utf8(&mut [0; 4]));
            }
        }
    }

    fn ansi_escape(&mut self) -> char {
        let Some(c) = self.rest().chars().next() else { return HOLE };
        self.at += c.len_utf8();
        match c {
            'n' => '\n',
            't' => '\t',
            'r' => '\r',
            '\\' | '\'' | '"' | '?' => c,
            'x' => self.code(16, 2, 0),
            'u' => self.code(16, 4, 0),
            'U' => self.code(16, 8, 0),
            '0'..='7' => self.code(8, 2, c.to_digit(8).unwrap_or(0)),
            _ => HOLE,
        }
    }

    fn code(&mut self, radix: u32, digits: usize, first: u32) -> char {
        let mut value = first;
        for _ in 0..digits {
            let Some(digit) = char::from(self.byte(0)).to_digit(radix) else { break };
            value = value.wrapping_mul(radix).wrapping_add(digit);
            self.at += 1;
        }
        // Bytes beyond ASCII would only make characters together with others.
        if value >= 0x80 && digits == 2 { HOLE } else { char::from_u32(value).unwrap_or(HOLE) }
    }

    fn hole(word: &mut Word, guess: &str, quoted: bool) {
        word.text.push(HOLE);
        if word.guess.len() < MAX_GUESS {
            word.guess.push_str(guess);
        }
        word.splits |= !quoted;
    }

    /// At `$`.
    pub(super) fn dollar(&mut self, word: &mut Word, quoted: bool) {
        let rest = self.rest();
        self.at += 1;
        let next = self.byte(0);
        if rest.starts_with("$((") {
            self.at += 2;
            if self.enter() {
                self.arithmetic();
                self.depth -= 1;
            }
            Self::hole(word, "", true);
        } else if next == b'(' {
            self.at += 1;
            let from = self.commands.len();
            self.substitution();
            let guess = self.printed(from);
            Self::hole(word, &guess, quoted);
        } else if next == b'{' {
            self.at += 1;
            if self.enter() {
                self.parameter(word, quoted);
                self.depth -= 1;
            }
        } else if next == b'[' {
            self.doubt("arithmetic in an old form");
        } else if next.is_ascii_alphabetic() || next == b'_' {
            let length =
                self.rest().bytes().take_while(|byte| byte.is_ascii_alphanumeric() || *byte == b'_').count();
            let name = self.rest().get(..length).unwrap_or_default();
            self.at += length;
            let guess = self.value(name);
            Self::hole(word, &guess, quoted);
        } else if next.is_ascii_digit() || matches!(next, b'@' | b'*' | b'#' | b'?' | b'-' | b'$' | b'!') {
            self.at += 1;
            Self::hole(word, "", quoted);
        } else {
            word.text.push('$');
            word.guess.push('$');
        }
    }

    /// What the script set a variable to; `IFS` separates words.
    fn value(&self, name: &str) -> String {
        match self.variables.get(name) {
            Some(value) => value.chars().take(4096).collect(),
            None if name == "IFS" => " ".into(),
            None => String::new(),
        }
    }

    /// What a substitution prints, where it only echoes.
    fn printed(&self, from: usize) -> String {
        let inner = self.commands.get(from..).unwrap_or_default();
        let [only] = inner else { return String::new() };
        match only.words.split_first() {
            Some((name, words)) if matches!(name.guess.as_str(), "echo" | "printf") => {
                words.iter().map(|word| word.guess.as_str()).collect::<Vec<_>>().join(" ")
            }
            _ => String::new(),
        }
    }

    /// After `${`. Only forms that run nothing by themselves are free of doubt.
    fn parameter(&mut self, word: &mut Word, quoted: bool) {
        let from = self.at;
        self.at += usize::from(self.byte(0) == b'#' && self.byte(1) != b'}');
        let length =
            self.rest().bytes().take_while(|byte| byte.is_ascii_alphanumeric() || *byte == b'_').count();
        let name = self.rest().get(..length).unwrap_or_default();
        self.at += length;
        if length == 0 {
            if matches!(self.byte(0), b'@' | b'*' | b'#' | b'?' | b'$') {
                self.at += 1;
            } else {
                // `${!name}`, and what no shell has.
                self.doubt("an expansion that is not understood");
            }
        }
        if self.byte(0) == b'[' {
            let index = self.rest().get(1..).unwrap_or_default();
            let plain =
                index.bytes().take_while(|byte| byte.is_ascii_digit() || matches!(byte, b'@' | b'*')).count();
            if index.as_bytes().get(plain) == Some(&b']') {
                self.at += plain + 2;
            } else {
                self.doubt("an index that is evaluated");
            }
        }
        let mut value = self.value(name);
        if matches!((self.byte(0), self.byte(1)), (b'=', _) | (b':', b'=')) && variables::acts(name) {
            self.doubt(variables::MAY_ACT);
        }
        match (self.byte(0), self.byte(1)) {
            (b'}', _) => {}
            (b':', b'-' | b'=' | b'?' | b'+') => {
                if value.is_empty() && self.byte(1) != b'?' {
                    let rest = self.rest();
                    value = rest.get(2..rest.find('}').unwrap_or(2).max(2)).unwrap_or_default().to_owned();
                }
                self.at += 2;
            }
            (b':', b'0'..=b'9' | b' ') => {
                // A substring, by numbers only.
                let numbers = self
                    .rest()
                    .bytes()
                    .take_while(|byte| byte.is_ascii_digit() || matches!(byte, b':' | b' ' | b'-'))
                    .count();
                let rest = self.rest().get(numbers..).unwrap_or_default();
                if !rest.starts_with('}') {
                    self.doubt("a substring whose place is evaluated");
                }
                value = slice(&value, self.rest().get(1..numbers).unwrap_or_default());
            }
            (b'-' | b'=' | b'?' | b'+' | b'#' | b'%' | b'/' | b'^' | b',', _) => self.at += 1,
            _ => self.doubt("an expansion that is not understood"),
        }
        self.until_brace();
        if self.source.get(from..self.at).is_some_and(|raw| raw.starts_with('#') && raw.len() > 2) {
            value.clear();
        }
        Self::hole(word, &value, quoted);
    }

    /// The rest of `${...}`: quotes and expansions count, the text does not.
    fn until_brace(&mut self) {
        let mut ignored = Word::default();
        loop {
            if self.ended() {
                return self.doubt("something is opened and not closed");
            }
            match self.byte(0) {
                b'}' => {
                    self.at += 1;
                    return;
                }
                b'\'' => self.single(&mut ignored),
                b'"' => {
                    self.at += 1;
                    self.double(&mut ignored);
                }
                b'\\' => self.escape(&mut ignored),
                b'$' => self.dollar(&mut ignored, true),
                b'`' => self.backquotes(&mut ignored, true),
                b'<' | b'>' if self.byte(1) == b'(' => {
                    self.at += 2;
                    self.substitution();
                }
                b'\n' if self.awaits_text() => {
                    return self.doubt("a line end in quotes before a here-document");
                }
                _ => self.at += self.rest().chars().next().map_or(1, char::len_utf8),
            }
        }
    }

    fn backquotes(&mut self, word: &mut Word, quoted: bool) {
        let from = self.at;
        self.at += 1;
        let mut inner = String::new();
        loop {
            let Some(c) = self.rest().chars().next() else { return self.doubt("a quote that does not end") };
            self.at += c.len_utf8();
            match c {
                '`' => break,
                '\\' if matches!(self.byte(0), b'`' | b'\\' | b'$') || (quoted && self.byte(0) == b'"') => {
                    inner.push(char::from(self.byte(0)));
                    self.at += 1;
                }
                c => inner.push(c),
            }
        }
        let first = self.commands.len();
        self.within(&inner, from, |parser| {
            parser.commands_to_end();
        });
        let guess = self.printed(first);
        Self::hole(word, &guess, quoted);
    }

    /// After `((`, to `))`. A name or an expansion in it is evaluated, and an evaluated text can run commands
    /// (`a[$(rm x)]`), so only numbers are free of doubt.
    pub(super) fn arithmetic(&mut self) {
        let mut open = 0usize;
        let mut ignored = Word::default();
        loop {
            if self.ended() {
                return self.doubt("something is opened and not closed");
            }
            match self.byte(0) {
                b'(' => open += 1,
                b')' if open == 0 => {
                    if self.byte(1) != b')' {
                        self.doubt("a subshell that looks like arithmetic");
                    }
                    self.at += 1 + usize::from(self.byte(1) == b')');
                    return;
                }
                b')' => open -= 1,
                b'$' | b'`' => {
                    self.doubt("arithmetic that evaluates what is only known when it runs");
                    match self.byte(0) {
                        b'$' => self.dollar(&mut ignored, true),
                        _ => self.backquotes(&mut ignored, true),
                    }
                    continue;
                }
                byte if byte.is_ascii_alphabetic()
                    || matches!(byte, b'_' | b'"' | b'\'' | b'\\' | b'#')
                    || byte >= 0x80 =>
                {
                    self.doubt("arithmetic that evaluates a variable");
                }
                _ => {}
            }
            self.at += self.rest().chars().next().map_or(1, char::len_utf8);
        }
    }
}

/// `1:3` of a value: from, length.
fn slice(value: &str, numbers: &str) -> String {
    let mut parts = numbers.split(':').map(|part| part.trim().parse::<usize>());
    let from = parts.next().and_then(Result::ok).unwrap_or(0);
    let length = parts.next().and_then(Result::ok).unwrap_or(usize::MAX);
    value.chars().skip(from).take(length).collect()
}
