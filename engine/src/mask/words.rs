//! Lists of words, and whether one of them stands somewhere: in front of a number, in a value, at the end of a name.
//!
//! They are asked at every number and every name of a text, so a word is found by two of its letters: what somebody
//! writes to slow this down costs a look at a table for each byte.

use super::blocks::{BLOCK, letters};
use super::text::Text;

/// Most words of a list.
const MOST: usize = 64;

/// Words of ASCII in lower case, of two bytes or more, found by their first two.
pub(super) struct Words(Chains);

/// The same, found by their last two.
pub(super) struct Endings(Chains);

/// Words in chains, by two of their bytes.
struct Chains {
    list: &'static [&'static str],
    /// By [`slot`]: the number of the first word, counted from one.
    heads: [u8; 256],
    /// By word: the number of the next word of its chain.
    next: [u8; MOST],
}

/// Where words with these two bytes are. The bit that makes letters small is set.
const fn slot(first: u8, second: u8) -> u8 {
    (first | 0x20).wrapping_mul(37).wrapping_add(second | 0x20)
}

impl Chains {
    // Runs when the program is compiled: a list or a word that does not fit does not build.
    #[allow(clippy::indexing_slicing)]
    const fn new(list: &'static [&'static str], ends: bool) -> Self {
        let (mut heads, mut next) = ([0; 256], [0; MOST]);
        let mut index = list.len();
        assert!(index <= MOST);
        while index > 0 {
            index -= 1;
            let word = list[index].as_bytes();
            let from = if ends { word.len() - 2 } else { 0 };
            let head = slot(word[from], word[from + 1]) as usize;
            next[index] = heads[head];
            heads[head] = index as u8 + 1;
        }
        Self { list, heads, next }
    }

    /// The words that may have these two bytes, in the order of the list.
    #[inline]
    fn with(&self, first: u8, second: u8) -> impl Iterator<Item = &'static [u8]> {
        let mut number = self.heads.get(usize::from(slot(first, second))).copied().unwrap_or(0);
        std::iter::from_fn(move || {
            let index = usize::from(number.checked_sub(1)?);
            number = self.next.get(index).copied().unwrap_or(0);
            self.list.get(index).map(|word| word.as_bytes())
        })
    }
}

impl Words {
    /// Of these.
    pub(super) const fn new(list: &'static [&'static str]) -> Self {
        Self(Chains::new(list, false))
    }

    /// Whether one of them stands anywhere in the bytes. Case does not matter.
    pub(super) fn stand_in(&self, bytes: &[u8]) -> bool {
        let stands = |(at, pair): (usize, &[u8; 2])| {
            let [first, second] = *pair;
            self.0.with(first, second).any(|word| {
                let front = bytes.get(at..at + word.len());
                front.is_some_and(|front| front.eq_ignore_ascii_case(word))
            })
        };
        bytes.array_windows::<2>().enumerate().any(stands)
    }

    /// Whether one of them stands at `at`. Case does not matter.
    pub(super) fn stand_at(&self, text: &Text<'_>, at: usize) -> bool {
        self.0.with(text.at(at), text.at(at + 1)).any(|word| text.starts_with_any_case(at, word))
    }

    /// Whether one of them is the first of these bytes: no letter follows.
    fn lead(&self, bytes: &[u8]) -> bool {
        let Some([first, second]) = bytes.first_chunk::<2>() else { return false };
        self.0.with(*first, *second).any(|word| {
            bytes.get(..word.len()).is_some_and(|front| front.eq_ignore_ascii_case(word))
                && !bytes.get(word.len()).is_some_and(u8::is_ascii_alphabetic)
        })
    }
}

impl Endings {
    /// Of these.
    pub(super) const fn new(list: &'static [&'static str]) -> Self {
        Self(Chains::new(list, true))
    }

    /// The one that a name in lower case ends with, if one: the first of the list.
    pub(super) fn of(&self, name: &[u8]) -> Option<&'static [u8]> {
        let [first, second] = *name.last_chunk::<2>()?;
        self.0.with(first, second).find(|word| name.ends_with(word))
    }
}

/// Whether one of `words`, which start with letters, stands as a word within `count` bytes in front of `at`: with no
/// letter directly around it. Case does not matter.
pub(super) fn context(text: &Text<'_>, at: usize, count: usize, words: &Words) -> bool {
    let mut from = at - text.behind(at, count).len();
    let mut inside = false;
    while from < at {
        let wanted = u64::MAX >> (BLOCK - (at - from).min(BLOCK));
        let letters = text.block(from, letters) & wanted;
        let mut starts = letters & !(letters << 1 | u64::from(inside));
        while starts != 0 {
            if words.lead(text.get(from + starts.trailing_zeros() as usize, at)) {
                return true;
            }
            starts &= starts - 1;
        }
        inside = letters >> (BLOCK - 1) == 1;
        from += BLOCK;
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    static WORDS: Words = Words::new(&["card", "cc", "call me", "téléphone"]);

    #[test]
    fn words_are_found_anywhere_at_a_place_and_in_front() {
        for (text, found) in [("xCARDx", true), ("c", false), ("acc", true), ("car", false), ("", false)] {
            assert_eq!(WORDS.stand_in(text.as_bytes()), found, "{text}");
        }
        let text = Text::new(b"a Card");
        assert!(WORDS.stand_at(&text, 2) && !WORDS.stand_at(&text, 1));
        assert!(!text.looked_past_end() && !WORDS.stand_at(&text, 5) && text.looked_past_end());
    }

    #[test]
    fn names_end_with_words() {
        static ENDINGS: Endings = Endings::new(&["token", "key", "apikey"]);
        for (name, end) in [("apikey", Some("key")), ("stoken", Some("token")), ("k", None), ("keys", None)] {
            assert_eq!(ENDINGS.of(name.as_bytes()), end.map(str::as_bytes), "{name}");
        }
    }

    /// At every distance, with and without a word in front of the words that are looked at.
    #[test]
    fn a_word_in_front_is_one_without_letters_around_it() {
        let filler = " 12 é_- xy ".repeat(20);
        for (words, found) in [
            ("card", true),
            ("Card:", true),
            ("cards", false),
            ("xcard", false),
            ("cc", true),
            ("call me", true),
        ] {
            for gap in 0..140 {
                let text = format!("{filler} {words}{}4111", "-".repeat(gap));
                let text = Text::new(text.as_bytes());
                let at = text.len() - 4;
                for count in [16, 48, 64, 100, 128] {
                    let reaches = gap + words.len() <= count;
                    // What the reach cuts off does not count as a letter in front.
                    let cut = words == "xcard" && gap + 4 == count;
                    assert_eq!(
                        context(&text, at, count, &WORDS),
                        found && reaches || cut,
                        "{words} {gap} {count}"
                    );
                }
            }
        }
        let text = Text::new("téléphone 4111".as_bytes());
        assert!(context(&text, text.len() - 4, 32, &WORDS));
    }
}
