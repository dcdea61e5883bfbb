//! Words, as texts are cut into them and as they are asked for. Both go the same way, so that what was said is found by
//! what was said, whatever characters stand in it.

/// Characters of a word that count. Longer ones are encoded data.
const LONGEST: usize = 64;

/// Stands between texts that do not follow each other, so that no phrase reaches over it. No word has this character:
/// it is for private use.
pub const BREAK: &str = "\u{e000}";

/// What is asked for: words that follow each other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Term {
    /// The words, in order.
    pub words: Vec<String>,
    /// Whether the last is the beginning of a word.
    pub begins: bool,
}

/// Calls `each` with the words of a text, in order: runs of letters and digits in lower case. Where words are written
/// without spaces between, every character is one.
pub fn each_word(text: &str, mut each: impl FnMut(&str)) {
    let mut word = String::new();
    let mut length = 0;
    let mut end = |word: &mut String, length: &mut usize| {
        if !word.is_empty() {
            each(word);
            word.clear();
        }
        *length = 0;
    };
    for c in text.chars() {
        if !c.is_alphanumeric() || is_a_word(c) {
            end(&mut word, &mut length);
            if is_a_word(c) {
                word.push(c);
                end(&mut word, &mut length);
            }
        } else if length < LONGEST {
            word.extend(c.to_lowercase().filter(|c| c.is_alphanumeric()));
            length += 1;
        }
    }
    end(&mut word, &mut length);
}

/// Whether this character of a script without spaces stands for itself: Thai, Lao, Myanmar and Khmer, Hiragana and
/// Katakana, and Han (blocks of Unicode 16).
fn is_a_word(c: char) -> bool {
    matches!(c,
        '\u{0e01}'..='\u{0eff}' | '\u{1000}'..='\u{109f}' | '\u{1780}'..='\u{17ff}'
        | '\u{3041}'..='\u{30ff}' | '\u{31f0}'..='\u{31ff}' | '\u{3400}'..='\u{4dbf}' | '\u{4e00}'..='\u{9fff}'
        | '\u{f900}'..='\u{faff}' | '\u{20000}'..='\u{3ffff}')
        && c.is_alphanumeric()
}

/// What a person asks for: words, and phrases between quotes; `word*` is the beginning of a word. Nothing else in it
/// means anything: a quote that is not closed reaches to the end, and what holds no word is left out.
pub fn terms(asked: &str) -> Vec<Term> {
    let mut terms = Vec::new();
    for (n, part) in asked.split('"').enumerate() {
        // Every second part stands between quotes.
        if n % 2 == 1 {
            terms.extend(term(part, false));
        } else {
            terms.extend(part.split_whitespace().filter_map(|word| {
                let begins = word.strip_suffix('*').is_some_and(|word| word.ends_with(char::is_alphanumeric));
                term(word, begins)
            }));
        }
    }
    terms
}

fn term(text: &str, begins: bool) -> Option<Term> {
    let mut words = Vec::new();
    each_word(text, |word| words.push(word.to_owned()));
    (!words.is_empty()).then_some(Term { words, begins })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<String> {
        let mut all = Vec::new();
        each_word(text, |word| all.push(word.to_owned()));
        all
    }

    #[test]
    fn letters_and_digits_make_words_and_all_else_parts_them() {
        assert_eq!(
            words("DROP table user_id, <email:k3v9q2>\n/etc/passwd"),
            ["drop", "table", "user", "id", "email", "k3v9q2", "etc", "passwd"]
        );
        assert_eq!(words("Straße ÉCOLE"), ["straße", "école"]);
        assert_eq!(words("東京へ go"), ["東", "京", "へ", "go"]);
        assert_eq!(words(&"x".repeat(500)), ["x".repeat(64)]);
        assert!(words(&format!("{BREAK} \0 - *")).is_empty());
    }

    #[test]
    fn a_query_is_words_and_phrases_and_nothing_else() {
        let said = |asked: &str| -> Vec<(String, bool)> {
            terms(asked).into_iter().map(|term| (term.words.join(" "), term.begins)).collect()
        };
        let own = |words: &str| (words.to_owned(), false);
        assert_eq!(
            said("orders \"drop table\" deploy*"),
            [own("orders"), own("drop table"), ("deploy".into(), true)]
        );
        assert_eq!(said("user_id"), [own("user id")]);
        assert_eq!(said("\"never closed"), [own("never closed")]);
        for hostile in
            ["a OR b NEAR(c", "x' AND 1=1 --", "a & !b | (c <-> d):*", "text:x ^y {z}", "\u{e000}a"]
        {
            assert!(
                !said(hostile).is_empty() && said(hostile).iter().all(|(_, begins)| !begins),
                "{hostile}"
            );
        }
        assert!(said("").is_empty() && said("\"\" * ** -- '").is_empty());
    }
}
