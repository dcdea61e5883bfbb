//! How one value is written in many ways.

use super::Family;

type Change = (&'static str, fn(&str) -> String);

fn each(text: &str, change: impl Fn(char) -> String) -> String {
    text.chars().map(change).collect()
}

/// Characters moved to a block that starts at `zero`, `upper` and `lower`.
fn moved(text: &str, zero: u32, upper: u32, lower: u32) -> String {
    let to = |from: char, base: u32, char: char| {
        if base == 0 { char } else { char::from_u32(base + char as u32 - from as u32).unwrap() }
    };
    text.chars()
        .map(|c| match c {
            '0'..='9' => to('0', zero, c),
            'A'..='Z' => to('A', upper, c),
            'a'..='z' => to('a', lower, c),
            _ => c,
        })
        .collect()
}

/// With a character after every `step` others.
fn between(text: &str, step: usize, char: char) -> String {
    text.chars()
        .enumerate()
        .flat_map(|(i, c)| [Some(c), (i % step == step - 1).then_some(char)])
        .flatten()
        .collect()
}

fn spaces(text: &str, with: &str) -> String {
    text.replace(' ', with)
}

fn hyphens(text: &str, with: &str) -> String {
    text.replace('-', with)
}

/// For every value.
const ALL: [Change; 24] = [
    ("plain", str::to_owned),
    ("full-width", |t| {
        each(t, |c| match c {
            '!'..='~' => char::from_u32(c as u32 - 0x21 + 0xFF01).unwrap().to_string(),
            _ => c.to_string(),
        })
    }),
    ("full-width digits", |t| moved(t, 0xFF10, 0, 0)),
    ("mathematical bold", |t| moved(t, 0x1D7CE, 0x1D400, 0x1D41A)),
    ("mathematical monospace", |t| moved(t, 0x1D7F6, 0x1D670, 0x1D68A)),
    ("Arabic-Indic digits", |t| moved(t, 0x660, 0, 0)),
    ("Devanagari digits", |t| moved(t, 0x966, 0, 0)),
    ("zero-width spaces", |t| between(t, 1, '\u{200b}')),
    ("zero-width non-joiners", |t| between(t, 2, '\u{200c}')),
    ("zero-width joiners", |t| between(t, 3, '\u{200d}')),
    ("word joiners", |t| between(t, 4, '\u{2060}')),
    ("byte order marks", |t| between(t, 5, '\u{feff}')),
    ("soft hyphens", |t| between(t, 4, '\u{ad}')),
    ("variation selectors", |t| between(t, 3, '\u{fe0f}')),
    ("marks of direction", |t| format!("\u{202a}{t}\u{202c}")),
    ("JSON escapes", |t| each(t, |c| format!("\\u{:04x}", c as u32))),
    ("JSON escapes in JSON", |t| each(t, |c| format!("\\\\u{:04X}", c as u32))),
    ("JSON escapes of signs", |t| {
        each(t, |c| if c.is_alphanumeric() { c.to_string() } else { format!("\\u{:04x}", c as u32) })
    }),
    ("decimal entities", |t| each(t, |c| format!("&#{};", c as u32))),
    ("hexadecimal entities", |t| each(t, |c| format!("&#x{:X};", c as u32))),
    ("padded entities", |t| each(t, |c| format!("&#{:05};", c as u32))),
    ("percent-encoding", |t| each(t, |c| format!("%{:02X}", c as u32))),
    ("percent-encoding in small letters", |t| each(t, |c| format!("%{:02x}", c as u32))),
    ("percent-encoded signs", |t| {
        each(t, |c| if c.is_alphanumeric() { c.to_string() } else { format!("%{:02X}", c as u32) })
    }),
];

const EMAILS: [Change; 8] = [
    ("a full-width at", |t| t.replace('@', "＠")),
    ("a small at", |t| t.replace('@', "﹫")),
    ("an entity for at", |t| t.replace('@', "&commat;")),
    ("entities for at and dots", |t| t.replace('@', "&#64;").replace('.', "&period;")),
    ("ideographic dots", |t| t.replace('.', "。")),
    ("one-dot leaders", |t| t.replace('.', "\u{2024}")),
    ("capitals", str::to_uppercase),
    ("Markdown escapes", |t| {
        t.replace('_', "\\_").replace('.', "\\.").replace('-', "\\-").replace('+', "\\+")
    }),
];

const NUMBERS: [Change; 23] = [
    ("no-break spaces", |t| spaces(t, "\u{a0}")),
    ("entities for no-break spaces", |t| spaces(t, "&nbsp;")),
    ("thin spaces", |t| spaces(t, "\u{2009}")),
    ("hair spaces", |t| spaces(t, "\u{200a}")),
    ("narrow no-break spaces", |t| spaces(t, "\u{202f}")),
    ("figure spaces", |t| spaces(t, "\u{2007}")),
    ("ideographic spaces", |t| spaces(t, "\u{3000}")),
    ("two spaces", |t| spaces(t, "  ")),
    ("zero-width beside spaces", |t| spaces(t, " \u{200b}")),
    ("hyphens for spaces", |t| spaces(t, "-")),
    ("en dashes", |t| hyphens(t, "–")),
    ("em dashes", |t| hyphens(t, "—")),
    ("hyphens of Unicode", |t| hyphens(t, "\u{2010}")),
    ("no-break hyphens", |t| hyphens(t, "\u{2011}")),
    ("figure dashes", |t| hyphens(t, "\u{2012}")),
    ("minus signs", |t| hyphens(t, "\u{2212}")),
    ("a line's end", |t| {
        t.rsplitn(2, ' ').collect::<Vec<_>>().into_iter().rev().collect::<Vec<_>>().join("\n")
    }),
    ("a line's end with CR", |t| t.replacen(' ', "\r\n", 1)),
    ("soft hyphens beside hyphens", |t| hyphens(t, "-\u{ad}")),
    ("en dashes for spaces", |t| spaces(t, "\u{2013}")),
    ("plus for spaces", |t| t.replacen(' ', "%20", 9)),
    ("a line's end behind a hyphen", |t| {
        let Some((front, back)) = t.rsplit_once('-') else { return t.to_owned() };
        format!("{front}-\n{back}")
    }),
    ("a line's end behind a hyphen, with CR", |t| {
        let Some((front, back)) = t.split_once('-') else { return t.to_owned() };
        format!("{front}-\r\n{back}")
    }),
];

const IBANS: [Change; 5] = [
    ("no-break spaces", |t| spaces(t, "\u{a0}")),
    ("hyphens", |t| spaces(t, "-")),
    ("en dashes", |t| spaces(t, "–")),
    ("small letters", str::to_lowercase),
    ("a line's end", |t| t.replacen("0044 ", "0044\n", 1)),
];

const KEYS: [Change; 6] = [
    ("no-break hyphens", |t| hyphens(t, "\u{2011}")),
    ("en dashes", |t| hyphens(t, "–")),
    ("a full-width low line", |t| t.replace('_', "＿")),
    ("Markdown escapes", |t| t.replace('_', "\\_").replace('.', "\\.").replace('-', "\\-")),
    ("a line's end", |t| wrapped(t, "\n")),
    ("a line's end in a quotation", |t| wrapped(t, "\n> ")),
];

/// A long key, broken where a line is full.
fn wrapped(text: &str, with: &str) -> String {
    let (front, back) = text.split_at(if text.len() > 60 { 64 } else { 30.min(text.len()) });
    if back.len() < 8 { text.to_owned() } else { format!("{front}{with}{back}") }
}

/// A value in all its disguises, each with its name.
pub(super) fn of(family: Family, value: &str) -> Vec<(String, String)> {
    let own: &[Change] = match family {
        Family::Email => &EMAILS,
        Family::Number => &NUMBERS,
        Family::Iban => &IBANS,
        Family::Key => &KEYS,
    };
    let mut seen = Vec::new();
    for (name, change) in ALL.iter().chain(own) {
        let text = change(value);
        // `%20` and the like say nothing of a value in which nothing is encoded.
        if !seen.iter().any(|(_, known)| *known == text) {
            seen.push(((*name).to_owned(), text));
        }
    }
    seen
}

/// A text as a reader sees it: independent of the engine's own rules.
pub(super) fn plain(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let (char, len) = decoded(rest).unwrap_or((first, first.len_utf8()));
        rest = &rest[len..];
        let code = char as u32;
        let block = |from: u32, to: char| char::from_u32(to as u32 + code - from).unwrap();
        match code {
            0xAD | 0x200B..=0x200F | 0x202A..=0x202E | 0x2060 | 0xFE0F | 0xFEFF => {}
            0xFF01..=0xFF5E => out.push(block(0xFF01, '!')),
            0x660..=0x669 => out.push(block(0x660, '0')),
            0x966..=0x96F => out.push(block(0x966, '0')),
            0x1D7CE..=0x1D7D7 => out.push(block(0x1D7CE, '0')),
            0x1D7F6..=0x1D7FF => out.push(block(0x1D7F6, '0')),
            0x1D400..=0x1D419 => out.push(block(0x1D400, 'A')),
            0x1D41A..=0x1D433 => out.push(block(0x1D41A, 'a')),
            0x1D670..=0x1D689 => out.push(block(0x1D670, 'A')),
            0x1D68A..=0x1D6A3 => out.push(block(0x1D68A, 'a')),
            _ => out.push(char),
        }
    }
    out
}

/// The character that an escape at the front stands for, and the escape's length.
fn decoded(text: &str) -> Option<(char, usize)> {
    let hex = |digits: &str| u32::from_str_radix(digits, 16).ok().and_then(char::from_u32);
    if text.starts_with('\\') {
        let slashes = text.len() - text.trim_start_matches('\\').len();
        let digits = text[slashes..].strip_prefix('u')?.get(..4)?;
        return Some((hex(digits)?, slashes + 5));
    }
    if let Some(digits) = text.strip_prefix('%') {
        return Some((hex(digits.get(..2)?)?, 3));
    }
    let (entity, _) = text.strip_prefix('&')?.split_once(';')?;
    let char = match entity.strip_prefix('#') {
        Some(number) => match number.strip_prefix(['x', 'X']) {
            Some(digits) => hex(digits)?,
            None => char::from_u32(number.parse().ok()?)?,
        },
        None => match entity {
            "nbsp" => ' ',
            "commat" => '@',
            "period" => '.',
            _ => return None,
        },
    };
    Some((char, entity.len() + 2))
}
