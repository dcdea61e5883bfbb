//! Recorded text as HTML. It was written by someone else: everything is escaped here, and what comes out holds no
//! elements but those of this file.

use std::fmt::{self, Write};
use std::ops::Range;

use sluice_engine::policy::document::Language;

use crate::records::text::{Span, clean, kind, spans};

/// HTML that was made here. Templates write it with `|safe`, and nothing else.
#[derive(Debug, Clone, Default)]
pub struct Markup(String);

impl fmt::Display for Markup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A text with its masks as chips.
pub fn marked(text: &str) -> Markup {
    let text = clean(text);
    let mut out = String::with_capacity(text.len() + 64);
    for span in spans(&text) {
        match span {
            Span::Plain(plain) => escape(plain, &mut out),
            Span::Mask(mask) => chip(mask, &mut out),
        }
    }
    Markup(out)
}

/// A sentence of our own with names in backticks.
pub fn named(sentence: &str) -> Markup {
    let mut out = String::new();
    for (n, part) in sentence.split('`').enumerate() {
        let name = n % 2 == 1;
        out.push_str(if name { "<code>" } else { "" });
        escape(&clean(part), &mut out);
        out.push_str(if name { "</code>" } else { "" });
    }
    Markup(out)
}

/// How a part of a command is pointed at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pointed {
    /// Where, in bytes.
    pub at: Range<usize>,
    /// The class of its colour.
    pub tone: &'static str,
}

/// A command, its words in their colours; `pointed`: what stands out, in order and apart from each other.
pub fn highlighted(text: &str, language: Language, pointed: &[Pointed]) -> Markup {
    let tokens = tokens(text, language);
    let mut out = String::with_capacity(text.len() * 2);
    let mut at = 0;
    for point in pointed {
        let (start, end) = (point.at.start.max(at), point.at.end);
        if start >= end || !text.is_char_boundary(start) || !text.is_char_boundary(end) {
            continue;
        }
        coloured(text, at..start, &tokens, &mut out);
        // Writing into a string does not fail.
        let _written = write!(out, "<mark class=\"{}\">", point.tone);
        coloured(text, start..end, &tokens, &mut out);
        out.push_str("</mark>");
        at = end;
    }
    coloured(text, at..text.len(), &tokens, &mut out);
    Markup(out)
}

/// Writes a part of a text, as far as tokens reach into it.
fn coloured(text: &str, part: Range<usize>, tokens: &[(Range<usize>, &str)], out: &mut String) {
    let mut at = part.start;
    for (range, class) in tokens.iter().filter(|(range, _)| range.end > part.start && range.start < part.end)
    {
        let (start, end) = (range.start.max(at), range.end.min(part.end));
        escape(&clean(text.get(at..start).unwrap_or_default()), out);
        let piece = clean(text.get(start..end).unwrap_or_default());
        if *class == "mask" && (start, end) == (range.start, range.end) {
            chip(&piece, out);
        } else {
            let _written = write!(out, "<span class=\"{class}\">");
            escape(&piece, out);
            out.push_str("</span>");
        }
        at = end;
    }
    escape(&clean(text.get(at..part.end).unwrap_or_default()), out);
}

/// Words of SQL that stand out.
const SQL_WORDS: [&str; 62] = [
    "add",
    "all",
    "alter",
    "and",
    "as",
    "begin",
    "between",
    "by",
    "call",
    "cascade",
    "case",
    "column",
    "commit",
    "copy",
    "create",
    "cross",
    "database",
    "delete",
    "distinct",
    "do",
    "drop",
    "else",
    "end",
    "exists",
    "explain",
    "from",
    "full",
    "grant",
    "group",
    "having",
    "in",
    "index",
    "inner",
    "insert",
    "into",
    "is",
    "join",
    "left",
    "like",
    "limit",
    "merge",
    "not",
    "null",
    "on",
    "or",
    "order",
    "returning",
    "revoke",
    "rollback",
    "schema",
    "select",
    "set",
    "table",
    "then",
    "truncate",
    "union",
    "update",
    "user",
    "using",
    "values",
    "when",
    "where",
];

/// Words of the shell that stand out.
const SHELL_WORDS: [&str; 16] = [
    "case", "do", "done", "elif", "else", "esac", "exec", "export", "fi", "for", "function", "if", "in",
    "sudo", "then", "while",
];

/// Strings, comments, numbers, keywords and masks, in order. For the eye alone: what a command does is read by the
/// engine.
fn tokens(text: &str, language: Language) -> Vec<(Range<usize>, &'static str)> {
    let bytes = text.as_bytes();
    let byte = |at: usize| bytes.get(at).copied().unwrap_or_default();
    let until = |from: usize, end: &str| {
        text.get(from..).and_then(|tail| tail.find(end)).map_or(text.len(), |found| from + found + end.len())
    };
    let is_word = |b: u8| b.is_ascii_alphanumeric() || b == b'_' || b >= 0x80;
    let mut tokens = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        let sql = language == Language::Sql;
        let (end, class) = match byte(at) {
            quote @ (b'\'' | b'"') => {
                let mut end = at + 1;
                while end < bytes.len() && byte(end) != quote {
                    end += if byte(end) == b'\\' && (sql || quote == b'"') { 2 } else { 1 };
                }
                (end + 1, "str")
            }
            b'-' if sql && byte(at + 1) == b'-' => (until(at, "\n"), "com"),
            b'/' if sql && byte(at + 1) == b'*' => (until(at, "*/"), "com"),
            b'#' if !sql && (at == 0 || byte(at - 1).is_ascii_whitespace()) => (until(at, "\n"), "com"),
            b if is_word(b) => {
                let mut end = at;
                while is_word(byte(end)) {
                    end += 1;
                }
                let word = text.get(at..end).unwrap_or_default();
                let lower = word.to_ascii_lowercase();
                let keyword =
                    if sql { SQL_WORDS.contains(&lower.as_str()) } else { SHELL_WORDS.contains(&word) };
                let number = b.is_ascii_digit() && word.bytes().all(|b| b.is_ascii_digit());
                (
                    end,
                    if keyword {
                        "kw"
                    } else if number {
                        "num"
                    } else {
                        ""
                    },
                )
            }
            _ => (at + 1, ""),
        };
        let mut end = end.max(at + 1).min(bytes.len());
        while !text.is_char_boundary(end) {
            end += 1;
        }
        if !class.is_empty() {
            tokens.push((at..end, class));
        }
        at = end;
    }
    with_masks(text, tokens)
}

/// Lays masks over tokens: a string goes on behind a mask in it.
fn with_masks(text: &str, tokens: Vec<(Range<usize>, &'static str)>) -> Vec<(Range<usize>, &'static str)> {
    let mut masks = Vec::new();
    let mut at = 0;
    for span in spans(text) {
        let (Span::Plain(piece) | Span::Mask(piece)) = span;
        if matches!(span, Span::Mask(_)) {
            masks.push(at..at + piece.len());
        }
        at += piece.len();
    }
    let mut out: Vec<(Range<usize>, &'static str)> =
        masks.iter().map(|mask| (mask.clone(), "mask")).collect();
    for (range, class) in tokens {
        let mut start = range.start;
        for mask in masks.iter().filter(|mask| mask.start < range.end && mask.end > range.start) {
            out.extend((start < mask.start).then_some((start..mask.start, class)));
            start = mask.end.max(start);
        }
        out.extend((start < range.end).then_some((start..range.end, class)));
    }
    out.sort_by_key(|(range, _)| range.start);
    out
}

fn chip(mask: &str, out: &mut String) {
    out.push_str("<span class=\"mask\" title=\"masked: ");
    escape(kind(mask), out);
    out.push_str("\">");
    escape(mask, out);
    out.push_str("</span>");
}

fn escape(text: &str, out: &mut String) {
    for c in text.chars() {
        match c {
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c => out.push(c),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOSTILE: &str =
        "<script>alert(1)</script> \"'&<img src=x onerror=alert(1)> <email:k3v9q2> \u{202e}x";

    fn without_ours(markup: &str) -> String {
        let mut text = markup.to_owned();
        for class in ["kw", "str", "com", "num", "mask"] {
            text = text.replace(&format!("<span class=\"{class}\">"), "");
        }
        for tone in ["deny", "hold"] {
            text = text.replace(&format!("<mark class=\"{tone}\">"), "");
        }
        text.replace("<span class=\"mask\" title=\"masked: email\">", "")
            .replace("</span>", "")
            .replace("</mark>", "")
    }

    #[test]
    fn hostile_text_stays_text() {
        let pointed = [Pointed { at: 3..20, tone: "deny" }];
        for markup in [
            marked(HOSTILE),
            highlighted(HOSTILE, Language::Sql, &pointed),
            highlighted(HOSTILE, Language::Shell, &pointed),
        ] {
            let left = without_ours(&markup.to_string());
            assert!(!left.contains(['<', '>', '"', '\'', '\u{202e}']), "{left}");
            assert!(markup.to_string().contains("title=\"masked: email\""), "{markup}");
        }
    }

    #[test]
    fn nothing_of_a_command_is_lost_whatever_is_cut_where() {
        let text = "psql -c \"DROP TABLE é\" # ’ über\nselect '<email:k3v9q2>' -- 'x";
        for start in 0..text.len() {
            for end in start..=text.len() {
                let pointed = [Pointed { at: start..end, tone: "hold" }];
                for language in [Language::Sql, Language::Shell] {
                    let left = without_ours(&highlighted(text, language, &pointed).to_string());
                    let read = left
                        .replace("&lt;", "<")
                        .replace("&gt;", ">")
                        .replace("&quot;", "\"")
                        .replace("&#39;", "'")
                        .replace("&amp;", "&");
                    assert_eq!(read, text);
                }
            }
        }
    }
}
