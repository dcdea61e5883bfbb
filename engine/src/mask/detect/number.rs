//! Groups of digits with the separators that people put between them: what cards, phones and identity numbers
//! are read from.

use crate::mask::text::{Text, is_word};

/// Most digits that are read. Longer runs are no number of a person.
pub(in crate::mask) const MAX_DIGITS: usize = 20;

/// How many digits and groups are kept, those of groups that are forgotten included.
const ROOM: usize = 3 * MAX_DIGITS;

/// A group of digits.
#[derive(Debug, Clone, Copy, Default)]
pub(in crate::mask) struct Group {
    /// Number of digits.
    pub(in crate::mask) len: usize,
    /// Where it ends in the view.
    pub(in crate::mask) end: usize,
    /// The separator in front of it; 0 for the first, `(` where a bracket is among several characters.
    pub(in crate::mask) separator: u8,
    /// Which of the digits is the one behind it.
    next: usize,
}

/// Groups of digits.
///
/// A long row of groups has a number at each of them. So that a row is read once, and not once for each group of it,
/// a number that starts at a group of the last one goes on from there.
#[derive(Debug, Clone)]
pub(in crate::mask) struct Number {
    digits: [u8; ROOM],
    groups: [Group; ROOM],
    /// Which are the number's own: the others are forgotten.
    own_digits: std::ops::Range<usize>,
    own_groups: std::ops::Range<usize>,
    /// Where the first digit stands.
    pub(in crate::mask) start: usize,
    /// The group behind the last one, where it has more digits than are read; its length counts up to 20 more.
    over: Option<Group>,
    /// Whether ends of lines were taken for separators.
    wrapped: bool,
}

impl Default for Number {
    fn default() -> Self {
        Self {
            digits: [0; ROOM],
            groups: [Group::default(); ROOM],
            own_digits: 0..0,
            own_groups: 0..0,
            start: 0,
            over: None,
            wrapped: false,
        }
    }
}

impl Number {
    /// Reads the number whose first digit stands at `at`, in the text of the one that was read before. Between groups
    /// stand up to three of space, tab, `-`, `.`, `/`, `_`, `(`, `)`, and the end of a line behind `-` or `)`, where
    /// text is wrapped.
    pub(in crate::mask) fn read(&mut self, text: &Text<'_>, at: usize) {
        let apart = self.wrapped || at >= self.end();
        let known = if apart { None } else { self.groups().iter().position(|g| g.end - g.len == at) };
        match known {
            Some(count) => self.forget(count),
            None => self.clear(),
        }
        (self.start, self.over, self.wrapped) = (at, None, false);
        self.read_on(text);
    }

    /// Reads it anew, with ends of lines as separators; whether one stands between two of its groups.
    pub(in crate::mask) fn read_wrapped(&mut self, text: &Text<'_>) -> bool {
        self.clear();
        (self.over, self.wrapped) = (None, true);
        self.read_on(text);
        self.groups().iter().filter(|g| g.separator == b'\n').count() == 1
    }

    fn clear(&mut self) {
        (self.own_digits, self.own_groups) = (0..0, 0..0);
    }

    /// Forgets the first groups.
    fn forget(&mut self, count: usize) {
        self.own_digits.start += self.total(count);
        self.own_groups.start += count;
        if let Some(first) = self.groups.get_mut(self.own_groups.start) {
            first.separator = 0;
        }
    }

    /// Makes room for one number more, if there is none.
    fn make_room(&mut self) {
        if self.own_digits.end + MAX_DIGITS + 1 < ROOM {
            return;
        }
        let (digits, groups) = (self.own_digits.clone(), self.own_groups.clone());
        self.digits.copy_within(digits.clone(), 0);
        self.groups.copy_within(groups.clone(), 0);
        self.own_digits = 0..digits.len();
        self.own_groups = 0..groups.len();
        for group in self.groups.iter_mut().take(groups.len()) {
            group.next -= digits.start;
        }
    }

    /// Reads groups behind those that are read.
    fn read_on(&mut self, text: &Text<'_>) {
        self.make_room();
        let (mut place, mut separator) = (self.start, 0);
        loop {
            if !self.own_groups.is_empty() {
                match self.next_group(text) {
                    Some(next) => (place, separator) = next,
                    None => return,
                }
            }
            let free = MAX_DIGITS - self.own_digits.len();
            let end = text.run(place, free + 1, |b| b.is_ascii_digit());
            if end - place > free {
                let end = text.run(place + free, MAX_DIGITS, |b| b.is_ascii_digit());
                self.over = Some(Group { len: end - place, end, separator, next: 0 });
                return;
            }
            let from = self.own_digits.end;
            let slots = self.digits.iter_mut().skip(from);
            for (slot, byte) in slots.zip(text.get(place, end)) {
                *slot = byte - b'0';
            }
            self.own_digits.end = from + (end - place);
            if let Some(group) = self.groups.get_mut(self.own_groups.end) {
                *group = Group { len: end - place, end, separator, next: self.own_digits.end };
                self.own_groups.end += 1;
            }
        }
    }

    /// Where the group behind the last one starts, and the separator in front of it.
    fn next_group(&self, text: &Text<'_>) -> Option<(usize, u8)> {
        let place = self.end();
        let mut next = place;
        let mut separator = 0;
        while next - place < 3 {
            let byte = text.at(next);
            match byte {
                b'(' | b')' => separator = b'(',
                b' ' | b'\t' | b'-' | b'.' | b'/' | b'_' if separator == 0 => separator = byte,
                b' ' | b'-' => {}
                b'\r' | b'\n' if self.wrapped => separator = b'\n',
                b'\r' | b'\n' if matches!(text.before(next), b'-' | b')' | b'\r') => {}
                _ => break,
            }
            next += 1;
        }
        if next > place && text.at(next).is_ascii_digit() { Some((next, separator)) } else { None }
    }

    /// The groups.
    pub(in crate::mask) fn groups(&self) -> &[Group] {
        self.groups.get(self.own_groups.clone()).unwrap_or_default()
    }

    /// The group behind the first `count`, read or not.
    pub(in crate::mask) fn group_after(&self, count: usize) -> Option<&Group> {
        let groups = self.groups();
        groups.get(count).or(self.over.as_ref().filter(|_| count == groups.len()))
    }

    /// Whether all of it is read: nothing follows that would belong to it.
    pub(in crate::mask) fn is_whole(&self) -> bool {
        self.over.is_none()
    }

    /// The first `count` digits, or all where there are fewer.
    pub(in crate::mask) fn digits(&self, count: usize) -> &[u8] {
        let digits = self.own_digits.clone();
        self.digits.get(digits.start..digits.end.min(digits.start + count)).unwrap_or_default()
    }

    /// All digits.
    pub(in crate::mask) fn all(&self) -> &[u8] {
        self.digits(MAX_DIGITS)
    }

    /// How many digits the first `count` groups have.
    pub(in crate::mask) fn total(&self, count: usize) -> usize {
        let last = count.checked_sub(1).and_then(|last| self.groups().get(last));
        last.map_or(0, |group| group.next - self.own_digits.start)
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

/// Whether a digit and a space or a bracket stand in front of `at`: the number there is one of a row.
pub(in crate::mask) fn continues(text: &Text<'_>, at: usize) -> bool {
    matches!(text.behind(at, 2), [digit, b' ' | b'('] if digit.is_ascii_digit())
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
