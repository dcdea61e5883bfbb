//! Recorded text, as it may be shown: it was written by someone else.

/// A part of a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Span<'t> {
    /// Text.
    Plain(&'t str),
    /// What stands in a value's place: `[redacted:kind]`, `<kind:token>`.
    Mask(&'t str),
}

/// Tells masks from the text around them.
pub fn spans(text: &str) -> Vec<Span<'_>> {
    let mut spans = Vec::new();
    let mut rest = text;
    let mut from = 0;
    while let Some(start) = rest.get(from..).and_then(|tail| tail.find(['<', '['])) {
        let at = from + start;
        let (before, tail) = rest.split_at(at);
        match mask_length(tail).and_then(|length| tail.split_at_checked(length)) {
            Some((mask, after)) => {
                spans.extend((!before.is_empty()).then_some(Span::Plain(before)));
                spans.push(Span::Mask(mask));
                (rest, from) = (after, 0);
            }
            None => from = at + 1,
        }
    }
    spans.extend((!rest.is_empty()).then_some(Span::Plain(rest)));
    spans
}

/// The kind that a mask names.
pub fn kind(mask: &str) -> &str {
    let inner = mask.trim_matches(['<', '>', '[', ']']);
    let inner = inner.strip_prefix("redacted:").unwrap_or(inner);
    inner.split_once(':').map_or(inner, |(kind, _)| kind)
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
    let letter = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.' | b':' | b'~');
    let fits = !kind.is_empty() && !token.is_empty() && kind.bytes().all(word) && token.bytes().all(letter);
    fits.then_some(end + 1)
}

/// A text without anything that a terminal obeys, or that makes a reader see another text than there is: control
/// characters become visible; so do marks that turn the direction of writing, which can make a command look like
/// another.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn masks_are_told_from_the_text_around_them() {
        let text = "a < b, mail <email:k3v9q2> or [redacted:us_ssn]; not <b> nor [x]";
        let masks: Vec<&str> = spans(text)
            .iter()
            .filter_map(|span| match span {
                Span::Mask(mask) => Some(*mask),
                Span::Plain(_) => None,
            })
            .collect();
        assert_eq!(masks, ["<email:k3v9q2>", "[redacted:us_ssn]"]);
        let whole: String = spans(text)
            .iter()
            .map(|span| match span {
                Span::Mask(t) | Span::Plain(t) => *t,
            })
            .collect();
        assert_eq!(whole, text);
        assert_eq!((kind("<email:k3v9q2>"), kind("[redacted:us_ssn]")), ("email", "us_ssn"));
    }
}
