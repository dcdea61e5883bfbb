//! What a block says: the texts in it, without the JSON around them.

use sluice_engine::record::{Block, Piece};

use super::words::{BREAK, each_word};

/// Words of one part of the index. A part of PostgreSQL's tells at most 16,383 places.
const PART: usize = 2000;

/// Words that a part repeats of the one before it, so that a phrase of so many is found where it is cut.
const OVERLAP: usize = 16;

/// Fields whose values nobody says: names of forms, and what must be kept as it was and is shown to nobody.
const UNSAID: [&str; 9] =
    ["type", "role", "model", "media_type", "stop_reason", "ttl", "signature", "thinking", "tools"];

/// A block that another one names, and under which field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Named {
    /// Its digest.
    pub digest: String,
    /// The field.
    pub field: String,
}

impl Named {
    /// Whether it holds what somebody said.
    pub fn is_said(&self) -> bool {
        !UNSAID.contains(&self.field.as_str())
    }
}

/// What pieces say, and the blocks that they name.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Said {
    /// Texts, each by itself.
    pub texts: Vec<String>,
    /// Blocks, in order.
    pub named: Vec<Named>,
}

/// The words of a block in parts for the index: in each part they stand with spaces between, and [`BREAK`] where
/// texts do not follow each other. The same block gives the same parts whenever it is asked.
pub fn words_of(block: &Block) -> Vec<String> {
    match block.pieces() {
        Some(pieces) if block.list => parts(&of_pieces(&pieces).texts),
        _ => parts(&[unescaped(&block.text)]),
    }
}

/// Whether this is data and no text: what stands under `data` in a part that is an image, a file, or encrypted.
pub fn is_data(field: &str, text: &str) -> bool {
    let start: String = text.chars().take(200).collect();
    field == "data" && start.len() >= 64 && !start.contains([' ', '\n'])
}

/// Texts as parts for the index.
pub fn parts(texts: &[String]) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    for text in texts {
        let before = words.len();
        if before > 0 {
            words.push(BREAK.to_owned());
        }
        each_word(text, |word| words.push(word.to_owned()));
        if words.len() == before + 1 && before > 0 {
            words.pop();
        }
    }
    let mut parts = Vec::new();
    let mut at = 0;
    while at < words.len() {
        let end = words.len().min(at + PART);
        parts.push(words.get(at..end).unwrap_or_default().join(" "));
        if end == words.len() {
            break;
        }
        at = end - OVERLAP;
    }
    parts
}

/// Reads pieces of JSON. They may be cut anywhere: what is not whole is read as far as it goes.
pub fn of_pieces(pieces: &[Piece]) -> Said {
    let mut reader = Reader::default();
    for piece in pieces {
        match piece {
            Piece::Text(text) => reader.text(text),
            Piece::Block(digest) => reader.block(digest),
        }
    }
    reader.end_value();
    if !reader.string.is_empty() {
        reader.value = Some(std::mem::take(&mut reader.string));
        reader.end_value();
    }
    reader.said
}

#[derive(Default)]
struct Reader {
    said: Said,
    /// The field that values belong to.
    field: String,
    in_string: bool,
    escaped: bool,
    /// The string that is being read, as it is escaped.
    string: String,
    /// A string that was read: a field's name where a colon follows.
    value: Option<String>,
}

impl Reader {
    fn text(&mut self, text: &str) {
        for c in text.chars() {
            if self.in_string {
                match c {
                    '"' if !self.escaped => {
                        self.in_string = false;
                        self.value = Some(std::mem::take(&mut self.string));
                    }
                    _ => {
                        self.escaped = c == '\\' && !self.escaped;
                        self.string.push(c);
                    }
                }
                continue;
            }
            match c {
                '"' => {
                    self.end_value();
                    self.in_string = true;
                }
                ':' if self.value.is_some() => self.field = self.value.take().unwrap_or_default(),
                _ if c.is_whitespace() => {}
                _ => self.end_value(),
            }
        }
    }

    fn block(&mut self, digest: &str) {
        self.end_value();
        self.said.named.push(Named { digest: digest.to_owned(), field: self.field.clone() });
    }

    fn end_value(&mut self) {
        let Some(raw) = self.value.take().filter(|raw| !raw.is_empty()) else { return };
        if !UNSAID.contains(&self.field.as_str()) && !is_data(&self.field, &raw) {
            self.said.texts.push(unescaped(&raw));
        }
    }
}

/// The text that a JSON string stands for; what is none stands for itself.
fn unescaped(raw: &str) -> String {
    serde_json::from_str(&format!("\"{raw}\"")).unwrap_or_else(|_| raw.to_owned())
}

#[cfg(test)]
mod tests {
    use sluice_engine::record::cut;

    use super::*;

    fn piece(text: &str) -> Piece {
        Piece::Text(text.to_owned())
    }

    #[test]
    fn what_was_said_is_told_from_the_form_around_it() {
        let json = r#"[{"role":"user","content":[{"type":"text","text":"two\nlines"},{"type":"tool_use","name":"Bash",
            "input":{"command":"ls \"x\"","n":1,"type":"hidden"}},{"type":"thinking","thinking":"secret","signature":"abc"}]"#;
        assert_eq!(of_pieces(&[piece(json)]).texts, ["two\nlines", "Bash", "ls \"x\""]);
        let image = format!(r#"{{"type":"base64","media_type":"image/png","data":"{}"}}"#, "QUJD".repeat(30));
        assert!(of_pieces(&[piece(&image)]).texts.is_empty());
        assert_eq!(of_pieces(&[piece(r#"{"data":"said to a tool"}"#)]).texts, ["said to a tool"]);
    }

    #[test]
    fn blocks_are_named_with_their_field() {
        let pieces = [
            piece(r#"{"system":"#),
            Piece::Block("a".into()),
            piece(r#","tools":"#),
            Piece::Block("b".into()),
            piece(r#","messages":[{"role":"assistant","content":[{"type":"thinking","thinking":""#),
            Piece::Block("c".into()),
            piece(r#""},{"type":"text","text":""#),
            Piece::Block("d".into()),
            piece(r#""}]}]"#),
        ];
        let said: Vec<(String, bool)> =
            of_pieces(&pieces).named.into_iter().map(|one| (one.digest.clone(), one.is_said())).collect();
        let expected = [("a", true), ("b", false), ("c", false), ("d", true)];
        assert_eq!(said, expected.map(|(digest, is)| (digest.to_owned(), is)));
    }

    #[test]
    fn long_texts_come_in_parts_that_overlap_and_phrases_do_not_reach_over_texts() {
        assert_eq!(parts(&["a b".into(), "--".into(), "c".into()]), [format!("a b {BREAK} c")]);
        let long: Vec<String> = (0..4500).map(|n| format!("w{n}")).collect();
        let all = parts(&[long.join(" ")]);
        assert_eq!(all.len(), 3);
        assert!(all[0].ends_with("w1998 w1999") && all[1].starts_with("w1984 w1985"), "{}", all[1]);
        assert!(all[2].ends_with("w4499"));
        assert!(parts(&[String::new()]).is_empty());
    }

    #[test]
    fn a_long_text_that_was_cut_out_of_its_message_is_read_as_it_was_said() {
        let text = format!("{}\nthe \u{e9}nd \"quoted\"", "words and ".repeat(50));
        let body = serde_json::json!({"messages": [{"role": "user", "content": text}]});
        let (_, blocks) = cut(&body.to_string());
        let leaf = blocks.iter().find(|block| !block.list).unwrap();
        assert!(words_of(leaf)[0].ends_with("the \u{e9}nd quoted"), "{:?}", words_of(leaf));
    }
}
