//! One statement's tokens, and the walk over them that collects what they do.
//!
//! The walk looks at every token. A word that can begin a statement is read as one wherever it stands, since
//! T-SQL needs no semicolon between statements and PostgreSQL lets a WITH delete; a name before a parenthesis is
//! a call, unless the grammar says otherwise there.

use std::borrow::Cow;

use super::functions::{self, Call};
use super::token::{Kind, Token};
use crate::command::Effect;

/// Something that the statement does.
#[derive(Debug, Clone)]
pub struct Found {
    /// What.
    pub effect: Effect,
    /// Why, for a person.
    pub why: Cow<'static, str>,
}

/// How strictly what is not understood is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Strictness {
    /// Runs now: functions that are not known make it unknown.
    Strict,
    /// Is stored or changes structure: only what is known to act counts.
    Loose,
}

/// One statement.
pub struct Scan<'a> {
    text: &'a str,
    lower: &'a str,
    tokens: &'a [Token],
    /// For each parenthesis, where its partner is; for others, the token itself.
    partner: Vec<u32>,
    /// Tokens that the grammar explains: never a call, never the beginning of a statement.
    explained: Vec<bool>,
    /// What was found so far.
    pub found: Vec<Found>,
    /// How strictly the rest is read.
    pub strictness: Strictness,
    /// How deep in SQL within SQL this is.
    pub nesting: usize,
    /// How many statements were found in this one.
    leads: usize,
}

/// The most statements that are told apart without a semicolon; each may look at all that follows it.
const MAX_LEADS: usize = 64;

/// The most findings that a statement keeps; what they say repeats.
const MAX_FOUND: usize = 64;

impl<'a> Scan<'a> {
    /// A statement of the text, which is also given in ASCII lower case.
    pub fn new(text: &'a str, lower: &'a str, tokens: &'a [Token], nesting: usize) -> Self {
        let mut scan = Self {
            text,
            lower,
            tokens,
            partner: (0..tokens.len() as u32).collect(),
            explained: vec![false; tokens.len()],
            found: Vec::new(),
            strictness: Strictness::Strict,
            nesting,
            leads: 0,
        };
        scan.match_parentheses();
        scan
    }

    fn match_parentheses(&mut self) {
        let mut open = Vec::new();
        let mut matched = true;
        for at in 0..self.tokens.len() {
            match self.op(at) {
                "(" => open.push(at),
                ")" => match open.pop() {
                    Some(from) => {
                        self.pair(from, at);
                        self.pair(at, from);
                    }
                    None => matched = false,
                },
                _ => {}
            }
        }
        if !matched || !open.is_empty() {
            self.add(Effect::Unknown, "parentheses do not match");
        }
    }

    fn pair(&mut self, at: usize, partner: usize) {
        if let Some(slot) = self.partner.get_mut(at) {
            *slot = partner as u32;
        }
    }

    /// How many tokens there are.
    pub fn len(&self) -> usize {
        self.tokens.len()
    }

    /// The kind of a token.
    pub fn kind(&self, at: usize) -> Option<Kind> {
        self.tokens.get(at).map(|token| token.kind)
    }

    /// The source of a token as it was written; empty past the end.
    pub fn source(&self, at: usize) -> &'a str {
        self.tokens.get(at).and_then(|token| self.text.get(token.range())).unwrap_or_default()
    }

    fn lowered(&self, at: usize) -> &'a str {
        self.tokens.get(at).and_then(|token| self.lower.get(token.range())).unwrap_or_default()
    }

    /// An unquoted word in lower case; empty where there is none.
    pub fn word(&self, at: usize) -> &'a str {
        if self.kind(at) == Some(Kind::Word) { self.lowered(at) } else { "" }
    }

    /// An operator or punctuation mark; empty where there is none.
    pub fn op(&self, at: usize) -> &'a str {
        if self.kind(at) == Some(Kind::Op) { self.lowered(at) } else { "" }
    }

    /// The word before a token.
    pub fn word_before(&self, at: usize) -> &'a str {
        at.checked_sub(1).map_or("", |before| self.word(before))
    }

    /// The operator before a token.
    pub fn op_before(&self, at: usize) -> &'a str {
        at.checked_sub(1).map_or("", |before| self.op(before))
    }

    /// Whether the token is a name, quoted or not.
    pub fn is_name(&self, at: usize) -> bool {
        matches!(self.kind(at), Some(Kind::Word | Kind::Quoted))
    }

    /// Where the partner of the parenthesis at a token is; the token itself for any other.
    pub fn close(&self, at: usize) -> usize {
        self.partner.get(at).map_or(at, |partner| *partner as usize)
    }

    /// Marks a token as explained by the grammar.
    pub fn explain(&mut self, at: usize) {
        if let Some(mark) = self.explained.get_mut(at) {
            *mark = true;
        }
    }

    /// The tokens from `from` to the end of the group or statement, without what is in deeper parentheses.
    pub fn level(&self, from: usize) -> impl Iterator<Item = usize> + '_ {
        let mut at = from;
        std::iter::from_fn(move || {
            let here = at;
            if here >= self.len() || self.op(here) == ")" {
                return None;
            }
            at = self.close(here) + 1;
            Some(here)
        })
    }

    /// Records something that the statement does.
    pub fn add(&mut self, effect: Effect, why: impl Into<Cow<'static, str>>) {
        if self.found.len() < MAX_FOUND || !self.found.iter().any(|found| found.effect == effect) {
            self.found.push(Found { effect, why: why.into() });
        }
    }

    /// A name with its schema, from a token on: `a.b.c`, quotes taken off; and the token after it.
    pub fn name(&self, from: usize) -> (String, usize) {
        let mut name = String::new();
        let mut at = from;
        while self.is_name(at) {
            name.push_str(unquoted(self.source(at)));
            at += 1;
            if self.op(at) != "." {
                break;
            }
            name.push('.');
            at += 1;
        }
        (name, at)
    }

    /// Walks over everything from a token on.
    pub fn walk(&mut self, from: usize) {
        let mut at = from;
        while at < self.len() {
            at = self.step(at);
        }
    }

    fn step(&mut self, at: usize) -> usize {
        match self.kind(at) {
            Some(Kind::Odd) => {
                self.add(Effect::Unknown, "a character that has no place in SQL");
                at + 1
            }
            Some(Kind::Meta) => {
                let (source, nesting) = (self.source(at), self.nesting);
                self.found.extend(super::client::command(source, nesting));
                at + 1
            }
            Some(Kind::Word) => self.step_word(at),
            Some(Kind::Quoted) => {
                self.check_call(at);
                at + 1
            }
            _ => {
                if self.op(at) == ":="
                    && !self.word_before(at).is_empty()
                    && at.checked_sub(2).is_some_and(|v| self.op(v) == "@")
                {
                    self.add(Effect::Transaction, "sets a session variable");
                }
                at + 1
            }
        }
    }

    fn step_word(&mut self, at: usize) -> usize {
        let word = self.word(at);
        if self.explained.get(at) == Some(&true) {
            return at + 1;
        }
        let next = self.word(at + 1);
        self.check_source(at);
        match word {
            "into" => return self.step_into(at),
            "for" if matches!(next, "update" | "share" | "no" | "key") => {
                self.add(Effect::Write, "FOR UPDATE or FOR SHARE locks rows");
                let words = (at + 1..at + 4)
                    .take_while(|at| matches!(self.word(*at), "no" | "key" | "update" | "share"));
                return at + 1 + words.count();
            }
            "lock" if next == "in" && self.word(at + 2) == "share" => {
                self.add(Effect::Write, "LOCK IN SHARE MODE locks rows");
                return at + 4;
            }
            "updlock" | "xlock" | "tablockx" | "holdlock" => {
                self.add(Effect::Write, "a table hint locks rows")
            }
            "next" if next == "value" && self.word(at + 2) == "for" => {
                self.add(Effect::Write, "NEXT VALUE FOR advances a sequence");
            }
            "nextval" if self.op_before(at) == "." => self.add(Effect::Write, "NEXTVAL advances a sequence"),
            "operator" if self.op(at + 1) == "(" => {
                self.add(Effect::Unknown, "an operator of a named schema")
            }
            "uescape" => self.add(Effect::Unknown, "a name spelt in escapes"),
            "end" if next == "conversation" => self.add(Effect::Write, "END CONVERSATION changes a queue"),
            "disable" | "enable" if next == "trigger" => {
                self.add(Effect::Administer, "turns a trigger on or off");
            }
            "with" if self.op(at + 1) != "(" => {
                self.explain_with(at);
            }
            _ if self.begins_statement(at) => {
                self.leads += 1;
                if self.leads <= MAX_LEADS {
                    return self.lead(at);
                }
                if self.leads == MAX_LEADS + 1 {
                    self.add(Effect::Unknown, "more statements without a semicolon than are read");
                }
            }
            _ => {}
        }
        self.check_call(at);
        at + 1
    }

    fn step_into(&mut self, at: usize) -> usize {
        match self.word(at + 1) {
            "outfile" | "dumpfile" => {
                self.add(Effect::Administer, "INTO OUTFILE writes a file on the server")
            }
            // `VACUUM INTO 'f'` and `LOAD DATA INFILE 'f' INTO TABLE t` say what they do where they begin.
            _ if self.word(0) == "vacuum" => {}
            "table" if self.word(0) == "load" => {}
            _ if self.op(at + 1) == "@" => self.add(Effect::Transaction, "INTO sets a session variable"),
            _ => self.add(Effect::Define, "SELECT INTO creates a table"),
        }
        // The table's name is not a call, whatever follows it.
        let (_, after) = self.name(at + 1);
        (at + 1..after).for_each(|at| self.explain(at));
        at + 1
    }

    /// Whether a word in the middle of a statement begins another.
    fn begins_statement(&self, at: usize) -> bool {
        let word = self.word(at);
        let (next_op, next) = (self.op(at + 1), self.word(at + 1));
        if self.op_before(at) == "." {
            return false;
        }
        let column = matches!(
            next_op,
            "," | ")"
                | "="
                | "<"
                | ">"
                | "<>"
                | "!="
                | "<="
                | ">="
                | "::"
                | "||"
                | "->"
                | "->>"
                | "+"
                | "/"
                | "%"
        );
        let before = self.word_before(at);
        match word {
            "delete" | "update" if before == "on" && self.strictness == Strictness::Loose => false,
            _ if column => false,
            "insert" | "truncate" => next_op != "(" || before == "then",
            "replace" => next == "into",
            "merge" => next != "join",
            "use" => !matches!(next, "index" | "key"),
            "set" => !matches!(before, "character"),
            "kill" | "backup" | "restore" | "checkpoint" | "shutdown" | "save" | "begin" | "declare"
            | "commit" | "rollback" | "revert" | "reconfigure" | "dbcc" | "bulk" | "waitfor" | "setuser"
            | "grant" | "revoke" | "deny" | "alter" | "create" | "drop" => {
                !matches!(next, "from" | "as" | "and" | "or" | "is" | "in" | "like" | "not" | "asc" | "desc")
            }
            "execute" => !(self.strictness == Strictness::Loose && matches!(next, "function" | "procedure")),
            "delete" | "update" | "exec" | "updatetext" | "writetext" => true,
            _ => false,
        }
    }

    /// A name before a parenthesis: recorded unless it only computes.
    fn check_call(&mut self, at: usize) {
        if self.op(at + 1) != "(" || self.explained.get(at) == Some(&true) {
            return;
        }
        let quoted = self.kind(at) == Some(Kind::Quoted);
        let source = self.source(at);
        let name = unquoted(if quoted { self.source(at) } else { self.lowered(at) });
        let lower = name.to_ascii_lowercase();
        let schema = self.schema_before(at);
        let call = functions::call(&lower);
        if let Call::Acts(effect, what) = call {
            self.add(effect, format!("{}() {what}", clip(&lower)));
            return;
        }
        if self.strictness == Strictness::Loose {
            return;
        }
        let known = match schema.as_deref() {
            None => {
                (!quoted && self.is_grammar(at))
                    || (call == Call::Pure && (!quoted || source.get(1..1 + lower.len()) == Some(&lower)))
            }
            Some("pg_catalog") => call == Call::Pure,
            // Methods of T-SQL's XML type.
            Some(_) => matches!(lower.as_str(), "value" | "nodes" | "exist" | "query") && !quoted,
        };
        if !known && !self.found.iter().any(|found| found.effect == Effect::Unknown) {
            self.add(Effect::Unknown, format!("{}() is not a function that is known", clip(&lower)));
        }
    }

    /// The schema that a name is written with, in lower case.
    fn schema_before(&self, at: usize) -> Option<String> {
        if self.op_before(at) != "." {
            return (self.op_before(at) == "::" && !functions::is_not_called(self.word(at)))
                .then(String::new);
        }
        let schema = at.checked_sub(2)?;
        let lone = schema.checked_sub(1).is_none_or(|before| self.op(before) != ".");
        Some(if lone { unquoted(self.source(schema)).to_ascii_lowercase() } else { String::new() })
    }

    /// Whether the grammar explains the parenthesis after a word.
    fn is_grammar(&self, at: usize) -> bool {
        let word = self.word(at);
        let Some(before) = at.checked_sub(1) else { return functions::is_not_called(word) };
        // `DISTINCT ON (a) f(b)` and `TOP 10 f(b)` call; after any other operand comes an alias or a keyword.
        let operand = matches!(self.kind(before), Some(Kind::Text | Kind::Number | Kind::Param))
            || matches!(self.op(before), ")" | "]");
        let operand = operand && !matches!(self.word_before(self.close(before)), "on" | "top");
        let plain_name = self.is_name(before)
            && !functions::is_not_called(self.word(before))
            && !matches!(
                self.word(before),
                "zone"
                    | "overlaps"
                    | "escape"
                    | "rows"
                    | "range"
                    | "groups"
                    | "default"
                    | "distinctrow"
                    | "straight_join"
            );
        match self.word(before) {
            // An alias with its columns, or a type.
            "as" => true,
            "cross" | "outer" if word == "apply" => true,
            "grouping" if word == "sets" => true,
            "by" if word == "rollup" => true,
            "not" if word == "materialized" => true,
            _ => {
                operand
                    || functions::is_not_called(word)
                    || (plain_name && functions::is_not_called_after_operand(word))
                    || (word == "match" && self.word(self.close(at + 1) + 1) == "against")
            }
        }
    }

    /// Explains the names that a WITH gives to its queries, so that `x (a, b) AS (...)` is not a call. Returns
    /// where the statement behind it begins, or where it stopped making sense.
    pub fn explain_with(&mut self, with: usize) -> usize {
        let mut at = with + 1 + usize::from(self.word(with + 1) == "recursive");
        while self.is_name(at) {
            let name = at;
            at += 1;
            if self.op(at) == "(" {
                at = self.close(at) + 1;
            }
            if self.word(at) != "as" {
                return at;
            }
            at += 1;
            while matches!(self.word(at), "not" | "materialized") {
                at += 1;
            }
            if self.op(at) != "(" {
                return at;
            }
            self.explain(name);
            at = self.close(at) + 1;
            if self.op(at) != "," {
                return at;
            }
            at += 1;
        }
        at
    }
}

/// A quoted name without its quotes. Doubled quotes inside stay: such a name matches nothing that is known.
pub fn unquoted(source: &str) -> &str {
    let inner = source.strip_prefix(['"', '`', '[']).and_then(|rest| rest.strip_suffix(['"', '`', ']']));
    inner.unwrap_or(source)
}

/// A name as it may stand in a reason: short.
pub fn clip(name: &str) -> &str {
    name.char_indices().nth(48).and_then(|(end, _)| name.get(..end)).unwrap_or(name)
}
