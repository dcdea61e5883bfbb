//! How things are written for people: colours, times, columns, and nothing that a terminal would obey.

use std::io::{IsTerminal, Write};

pub use sluice_engine::budget::utc as time;

use crate::records::text::{Span, spans};
pub use crate::records::text::{clean, clean_line, short};

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
        let paint = |span: &Span<'_>| match span {
            Span::Plain(text) => (*text).to_owned(),
            Span::Mask(mask) => self.with("7;36", mask),
        };
        spans(text).iter().map(paint).collect()
    }
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
