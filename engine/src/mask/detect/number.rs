//! Groups of digits with the separators that people put between them: what cards, phones and identity numbers
//! are read from.

use crate::mask::text::{Text, is_word};

/// Most digits that are read. Longer runs are no number of a person.
pub(in crate::mask) const MAX_DIGITS: usize = 20;

/// A group of digits.
#[derive(Debug, Clone, Copy, Default)]
pub(in crate::mask) struct Group {
    /// Number of digits.
    pub(in crate::mask) len: usize,
    /// Digits up to and with this group.
    pub(in crate::mask) total: usize,
    /// Where it ends in the view.
    pub(in crate::mask) end: usize,
    /// The separator in front of it; 0 for the first, `(` where a bracket is among several characters.
    pub(in crate::mask) separator: u8,
}

/// Groups of digits.
#[derive(Debug, Clone, Default)]
pub(in crate::mask) struct Number {
    digits: [u8; MAX_DIGITS],
    groups: [Group; MAX_DIGITS],
    count: usize,
    /// Where the first digit stands.
    pub(in crate::mask) start: usize,
    /// The group behind the last one, where it has more digits than are read; its length counts up to 20 more.
    over: Option<Group>,
}

impl Number {
    /// Reads the number whose first digit stands at `at`. Between groups stand up to three of space, tab, `-`,
    /// `.`, `/`, `_`, `(`, `)`, and the end of a line behind `-` or `)`, where text is wrapped.
    ///
    /// What was read before is forgotten: making a new one for each number of a log would cost more than reading it.
    pub(in crate::mask) fn read(&mut self, text: &Text<'_>, at: usize) {
        self.digits = [0; MAX_DIGITS];
        (self.count, self.start, self.over) = (0, at, None);
        self.read_over(text, at, false);
    }

    /// The same where a line's end stands between two of its groups, if one does.
    pub(in crate::mask) fn read_wrapped(text: &Text<'_>, at: usize) -> Option<Self> {
        let mut number = Self { start: at, ..Self::default() };
        number.read_over(text, at, true);
        let ends = number.groups().iter().filter(|g| g.separator == b'\n').count();
        if ends == 1 { Some(number) } else { None }
    }

    fn read_over(&mut self, text: &Text<'_>, at: usize, wrapped: bool) {
        let mut place = at;
        let mut total = 0;
        let mut separator = 0;
        loop {
            let from = total;
            let end = text.run(place, MAX_DIGITS + 1 - total, |b| b.is_ascii_digit());
            let free = self.digits.iter_mut().skip(total);
            for (slot, byte) in free.zip(text.get(place, end)) {
                *slot = byte - b'0';
                total += 1;
            }
            if end - place > total - from {
                let end = text.run(place + total - from, MAX_DIGITS, |b| b.is_ascii_digit());
                let len = end - place;
                self.over = Some(Group { len, total: from + len, end, separator });
                return;
            }
            place = end;
            if let Some(group) = self.groups.get_mut(self.count) {
                *group = Group { len: total - from, total, end: place, separator };
                self.count += 1;
            }
            let mut next = place;
            separator = 0;
            while next - place < 3 {
                let byte = text.at(next);
                match byte {
                    b'(' | b')' => separator = b'(',
                    b' ' | b'\t' | b'-' | b'.' | b'/' | b'_' if separator == 0 => separator = byte,
                    b' ' | b'-' => {}
                    b'\r' | b'\n' if wrapped => separator = b'\n',
                    b'\r' | b'\n' if matches!(text.before(next), b'-' | b')' | b'\r') => {}
                    _ => break,
                }
                next += 1;
            }
            if next == place || !text.at(next).is_ascii_digit() {
                return;
            }
            place = next;
        }
    }

    /// The groups.
    pub(in crate::mask) fn groups(&self) -> &[Group] {
        self.groups.get(..self.count).unwrap_or_default()
    }

    /// The group behind the first `count`, read or not.
    pub(in crate::mask) fn group_after(&self, count: usize) -> Option<&Group> {
        self.groups().get(count).or(self.over.as_ref().filter(|_| count == self.count))
    }

    /// The first `count` digits.
    pub(in crate::mask) fn digits(&self, count: usize) -> &[u8] {
        self.digits.get(..count).unwrap_or_default()
    }

    /// All digits.
    pub(in crate::mask) fn all(&self) -> &[u8] {
        self.digits(self.total())
    }

    /// How many digits in all.
    pub(in crate::mask) fn total(&self) -> usize {
        self.groups().last().map_or(0, |g| g.total)
    }

    /// Where the last group ends.
    pub(in crate::mask) fn end(&self) -> usize {
        self.groups().last().map_or(self.start, |g| g.end)
    }

    /// Lengths of the first groups, as many as `lens` has, are these and all separators among them satisfy `ok`.
    pub(in crate::mask) fn shape(&self, lens: &[usize], ok: impl Fn(u8) -> bool) -> Option<&Group> {
        let groups = self.groups().get(..lens.len())?;
        let fits =
            groups.iter().zip(lens).enumerate().all(|(i, (g, l))| g.len == *l && (i == 0 || ok(g.separator)));
        if fits { groups.last() } else { None }
    }

    /// Whether all digits are the same: filler.
    pub(in crate::mask) fn is_filler(digits: &[u8]) -> bool {
        digits.windows(2).all(|w| matches!(w, [a, b] if a == b))
    }
}

/// Whether a number may start at `at`: it is not the tail of a word, of a decimal fraction, or of a longer number
/// with separators.
pub(in crate::mask) fn opens(text: &Text<'_>, at: usize) -> bool {
    match text.before(at) {
        b'.' | b'-' | b'/' => !text.before(at.saturating_sub(1)).is_ascii_digit(),
        _ => !text.word_before(at),
    }
}

/// Whether fewer than six digits stand at `at` with nothing behind them that a longer number could go on with:
/// nothing that has a detector. A line may end behind the first four of a card. Says no where the bytes end.
pub(in crate::mask) fn stands_alone(bytes: &[u8], at: usize) -> bool {
    let rest = bytes.get(at..).unwrap_or_default();
    let run = rest.iter().take(6).take_while(|b| b.is_ascii_digit()).count();
    let plus = at.checked_sub(1).and_then(|i| bytes.get(i)) == Some(&b'+');
    let more = |b: &u8| {
        is_word(*b)
            || matches!(b, b' ' | b'\t' | b'-' | b'.' | b'/' | b'(' | b')')
            || (run == 4 || plus) && matches!(b, b'\r' | b'\n')
    };
    run < 6 && rest.get(run).is_some_and(|b| !more(b))
}

/// Whether the digits at `at` can be the first of a number, or of a token that starts with digits: a cheap first look
/// for the detectors that are on by default. Says yes where the bytes end.
pub(in crate::mask) fn may_stand(bytes: &[u8], at: usize) -> bool {
    let rest = bytes.get(at..).unwrap_or_default();
    let run = rest.iter().take(MAX_DIGITS).take_while(|b| b.is_ascii_digit()).count();
    match rest.get(run) {
        Some(next) if next.is_ascii_alphanumeric() => false,
        // The rest of a fraction, a date or a longer number.
        Some(next) if !opens(&Text::new(bytes), at) => *next == b':' && run >= 8,
        _ => !stands_alone(bytes, at),
    }
}

/// Whether a digit and a space stand in front of `at`: the number there is one of a row.
pub(in crate::mask) fn continues(text: &Text<'_>, at: usize) -> bool {
    matches!(text.behind(at, 2), [digit, b' '] if digit.is_ascii_digit())
}

/// Whether a number may end at `at`: no letter or digit follows directly, nor a decimal fraction.
pub(in crate::mask) fn closes(text: &Text<'_>, at: usize) -> bool {
    match text.at(at) {
        b'.' => !text.at(at + 1).is_ascii_digit(),
        _ => !text.word_at(at),
    }
}

/// The same, and the number does not go on after a separator either.
pub(in crate::mask) fn closes_whole(text: &Text<'_>, at: usize) -> bool {
    closes(text, at)
        && match text.at(at) {
            b'-' | b'/' => !text.at(at + 1).is_ascii_alphanumeric(),
            _ => true,
        }
}
