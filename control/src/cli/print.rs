//! How things are written for people: colours, times, columns, and nothing that a terminal would obey.

use std::io::{IsTerminal, Write};

pub use crate::clock::utc as time;

/// Colours, where they are wanted.
#[derive(Debug, Clone, Copy)]
pub struct Paint {
    on: bool,
}

impl Paint {
    /// On for a terminal, unless `NO_COLOR` is set (<https://no-color.org>).
    pub fn detect() -> Self {
        let refused = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        Self { on: !refused && std::io::stdout().is_terminal() }
    }

    /// No colours.
    pub fn plain() -> Self {
        Self { on: false }
    }

    /// Colours on or off, whatever the terminal.
    #[cfg(test)]
    pub fn fixed(on: bool) -> Self {
        Self { on }
    }

    fn with(self, code: &str, text: &str) -> String {
        if self.on { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    }

    pub fn bold(self, text: &str) -> String {
        self.with("1", text)
    }

    pub fn dim(self, text: &str) -> String {
        self.with("2", text)
    }

    pub fn red(self, text: &str) -> String {
        self.with("1;31", text)
    }

    pub fn green(self, text: &str) -> String {
        self.with("32", text)
    }

    pub fn yellow(self, text: &str) -> String {
        self.with("33", text)
    }

    pub fn blue(self, text: &str) -> String {
        self.with("1;34", text)
    }

    /// Masks stand out: `[redacted:kind]` and `<kind:token>`.
    pub fn masks(self, text: &str) -> String {
        if !self.on {
            return text.to_owned();
        }
        let mut out = String::with_capacity(text.len());
        let mut rest = text;
        while let Some(start) = rest.find(['<', '[']) {
            let (before, from) = rest.split_at(start);
            out.push_str(before);
            match mask_length(from).and_then(|length| from.split_at_checked(length)) {
                Some((mask, after)) => {
                    out.push_str(&self.with("7;36", mask));
                    rest = after;
                }
                None => {
                    let mut chars = from.chars();
                    out.extend(chars.next());
                    rest = chars.as_str();
                }
            }
        }
        out.push_str(rest);
        out
    }
}

fn mask_length(text: &str) -> Option<usize> {
    let close = if text.starts_with('<') { '>' } else { ']' };
    let end = text.find(close).filter(|end| *end < 512)?;
    let inner = text.get(1..end)?;
    let (kind, token) = match inner.strip_prefix("redacted:") {
        Some(kind) if close == ']' => (kind, "x"),
        None if close == '>' => inner.split_once(':')?,
        _ => return None,
    };
    let word = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_';
    let letter = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.' | b':');
    let fits = !kind.is_empty() && !token.is_empty() && kind.bytes().all(word) && token.bytes().all(letter);
    fits.then_some(end + 1)
}

/// A text without anything that a terminal obeys: what is recorded was written by someone else. Control characters
/// become visible; so do marks that turn the direction of writing, which can make a command look like another.
pub fn clean(text: &str) -> String {
    let show = |c: char| match c {
        '\n' | '\t' => c,
        c if u32::from(c) < 0x20 => char::from_u32(0x2400 + u32::from(c)).unwrap_or('\u{fffd}'),
        '\u{7f}'..='\u{9f}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => {
            '\u{fffd}'
        }
        c => c,
    };
    text.replace("\r\n", "\n").chars().map(show).collect()
}

/// As [`clean`], on one line.
pub fn clean_line(text: &str) -> String {
    clean(text).replace(['\n', '\t'], " ")
}

/// The start of a text.
pub fn short(text: &str, most: usize) -> String {
    if text.chars().count() <= most {
        return text.to_owned();
    }
    let mut start: String = text.chars().take(most.saturating_sub(1)).collect();
    start.push('…');
    start
}

/// How long until a moment: `12m`.
pub fn until(ms: u64, now_ms: u64) -> String {
    let seconds = ms.saturating_sub(now_ms) / 1000;
    match seconds {
        0..60 => format!("{seconds}s"),
        60..7200 => format!("{}m", seconds / 60),
        _ => format!("{}h", seconds / 3600),
    }
}

/// Rows in columns as wide as they need to be.
pub fn table(head: &[&str], rows: &[Vec<String>], paint: Paint) -> String {
    let mut widths: Vec<usize> = head.iter().map(|name| name.len()).collect();
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let line = |cells: &mut dyn Iterator<Item = &str>| {
        let padded: Vec<String> =
            widths.iter().zip(cells).map(|(width, cell)| format!("{cell:<width$}")).collect();
        padded.join("  ").trim_end().to_owned()
    };
    let mut out = paint.dim(&line(&mut head.iter().copied()));
    for row in rows {
        out.push('\n');
        out.push_str(&line(&mut row.iter().map(String::as_str)));
    }
    out
}

/// Writes a line. A reader that went away (`| head`) is no failure.
pub fn say(text: &str) {
    let mut out = std::io::stdout().lock();
    let _gone = writeln!(out, "{text}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_reads_as_a_date() {
        assert_eq!(time(0), "1970-01-01 00:00:00");
        assert_eq!(time(951_782_400_000), "2000-02-29 00:00:00");
        assert_eq!(time(1_795_303_325_999), "2026-11-21 23:22:05");
    }

    #[test]
    fn what_a_terminal_would_obey_is_shown_instead() {
        assert_eq!(clean("a\x1b[2Jb\r\nc\rd\u{202e}e\u{9b}f"), "a␛[2Jb\nc␍d\u{fffd}e\u{fffd}f");
        assert_eq!(clean_line("a\nb"), "a b");
    }

    #[test]
    fn masks_stand_out_and_other_brackets_do_not() {
        let paint = Paint::fixed(true);
        let marked = paint.masks("mail <email:k3v9q2> or [redacted:us_ssn], not <b>, [x] or <a href:");
        assert_eq!(marked.matches("\x1b[7;36m").count(), 2);
        assert!(marked.contains("\x1b[7;36m<email:k3v9q2>\x1b[0m"), "{marked}");
        assert_eq!(Paint::fixed(false).masks("<email:k3v9q2>"), "<email:k3v9q2>");
    }
}
