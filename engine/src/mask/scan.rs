//! One pass over the view: classes of bytes tell the few places where something may start, and the detectors read
//! around them.
//!
//! The scan goes from left to right and a region, once claimed, is stepped over. Every decision depends on at most
//! [`LOOK_BACK`](super::text::LOOK_BACK) bytes in front and on what the detector read; when it read past the end of
//! text that goes on, the scan stops there and says from where on nothing is decided yet.

use super::detect::keys::Keys;
use super::detect::number::{self, Number};
use super::detect::packs;
use super::detect::{
    Found, Tail, assignment, azure, behind, card, email, iban, jwt, keys, network, pem, phone, ssn, url,
    wallet,
};
use super::masks::{self, Kinds};
use super::region::{LIMIT, Region, Scanned, What};
use super::starts::{Starts, Window, may_be_packed};
use super::text::{Text, is_word};

/// The detectors that are on, and the table that finds where they may start.
pub(super) struct Scanner {
    kinds: Kinds,
    keys: Keys,
    starts: Starts,
    numbers: Vec<(usize, NumberDetector)>,
    words: Vec<(usize, WordDetector)>,
    tests: Tests,
    /// Access key ids of AWS, and the secrets that stand next to them, where both are on.
    aws: Option<(usize, usize)>,
}

type NumberDetector = fn(&Text<'_>, &Number) -> Option<Found>;
type WordDetector = fn(&Text<'_>, usize) -> Option<Found>;

/// Which of the default detectors, and of the others that need a call of their own, are on.
#[derive(Debug, Clone, Copy, Default)]
struct Tests {
    email: bool,
    password: bool,
    secret: bool,
    iban: bool,
    jwt: bool,
    pem: bool,
    url: bool,
    ip: bool,
    azure: bool,
    /// Detectors that read digits in ways of their own: short numbers must not be passed over.
    any_number: bool,
}

/// What a detector at a trigger said.
enum Seen {
    Nothing,
    Value(Found),
    Region(Region),
}

impl Scanner {
    pub(super) fn new(kinds: Kinds) -> Self {
        let on = |kind: &str| kinds.is_on(kind);
        let tests = Tests {
            email: on(email::KIND),
            password: on(assignment::PASSWORD),
            secret: on(assignment::SECRET),
            iban: on(iban::KIND),
            jwt: on(jwt::KIND),
            pem: on(pem::KIND),
            url: on(url::KIND),
            ip: on(network::IP),
            azure: on(azure::KIND),
            any_number: on(network::IP) || on(network::MAC) || on(wallet::KIND),
        };
        let mut numbers: Vec<(usize, NumberDetector)> = Vec::new();
        let mut words: Vec<(usize, WordDetector)> = Vec::new();
        let defaults: [(&str, NumberDetector); 2] = [(card::KIND, card::find), (ssn::KIND, ssn::find)];
        let packed = packs::NUMBERS.iter().map(|(_, kind, find)| (*kind, *find));
        let phones: [(&str, NumberDetector); 1] = [(phone::KIND, phone::find)];
        for (kind, find) in defaults.into_iter().chain(packed).chain(phones) {
            numbers.extend(kinds.index(kind).map(|index| (index, find)));
        }
        for (_, kind, find) in packs::WORDS {
            words.extend(kinds.index(kind).map(|index| (index, find)));
        }
        let others: [(&str, WordDetector); 2] = [(network::MAC, network::mac), (wallet::KIND, wallet::find)];
        for (kind, find) in others {
            words.extend(kinds.index(kind).map(|index| (index, find)));
        }
        let starts = Starts::new(keys::prefixes(&on), !words.is_empty(), tests.any_number, tests.azure);
        let aws = kinds.index(keys::AWS_ID).zip(kinds.index(keys::AWS_SECRET));
        Self { keys: Keys::new(on), starts, numbers, words, tests, aws, kinds }
    }

    /// The kinds.
    pub(super) fn kinds(&self) -> &Kinds {
        &self.kinds
    }

    /// Scans `bytes` from `from` on. `complete` says that nothing follows; `cut` is a place from which on the bytes
    /// cannot be relied on.
    pub(super) fn scan(&self, bytes: &[u8], from: usize, complete: bool, cut: Option<usize>) -> Scanned {
        let bytes = bytes.get(..cut.unwrap_or(bytes.len())).unwrap_or(bytes);
        let text = Text::new(bytes);
        let mut scanned = Scanned::default();
        let mut at = from;
        let mut floor = from;
        let mut scratch = Number::default();
        let mut window = Window::default();
        while let Some((place, byte)) = self.starts.next(bytes, at, &mut window) {
            text.begin();
            let (start, seen) = self.look(&text, place, byte, floor, &mut scratch);
            let undecided = text.looked_past_end() && !complete;
            if undecided {
                if let Seen::Value(found) = seen
                    && let Some(index) = self.kinds.index(found.kind)
                    && is_long(&found)
                {
                    let what = What::Open(index, found.tail);
                    scanned.regions.push(Region {
                        trigger: place.min(found.start),
                        start: found.start,
                        end: text.len(),
                        what,
                    });
                    scanned.settled = text.len();
                    return scanned;
                }
                scanned.settled = start.max(floor);
                return Self::settle(scanned, &text, floor);
            }
            let region = match seen {
                Seen::Nothing => {
                    at = place + 1;
                    continue;
                }
                Seen::Value(found) => match self.kinds.index(found.kind) {
                    Some(index) => Region {
                        trigger: place.min(found.start),
                        start: found.start,
                        end: found.end,
                        what: What::Value(index),
                    },
                    None => {
                        at = place + 1;
                        continue;
                    }
                },
                Seen::Region(region) => region,
            };
            let beside = self.beside(&text, &region);
            if text.looked_past_end() && !complete {
                scanned.settled = start.max(floor);
                return Self::settle(scanned, &text, floor);
            }
            // A region never ends before its trigger, and never is empty.
            at = region.end.max(place + 1);
            floor = at;
            scanned.regions.push(region);
            if let Some(beside) = beside {
                at = beside.end;
                floor = at;
                scanned.regions.push(beside);
            }
        }
        scanned.settled = text.len();
        if complete { scanned } else { Self::settle(scanned, &text, floor) }
    }

    /// Holds back the end of the text that a trigger behind it could still claim: the front of an address, a sign or
    /// a bracket in front of a number, the dashes in front of `BEGIN`.
    fn settle(mut scanned: Scanned, text: &Text<'_>, floor: usize) -> Scanned {
        let end = text.len();
        let bytes = text.get(0, end);
        // What is undecided may be a part of the front of an address, whose `@` is there or yet to come.
        let tail = bytes.get(scanned.settled.min(end)..).unwrap_or_default();
        let sign =
            tail.iter().position(|b| !email::is_local(*b) && b.is_ascii()).map(|step| scanned.settled + step);
        let local = match sign {
            Some(at) if bytes.get(at) != Some(&b'@') => end,
            _ => email::local_start(text.get(0, sign.unwrap_or(end)), floor),
        };
        let signs = bytes.iter().rev().take(2).take_while(|b| matches!(b, b'+' | b'(')).count();
        let dashes = bytes.iter().rev().take(5).take_while(|b| **b == b'-').count();
        scanned.settled = scanned.settled.min(local).min(end - signs.max(dashes)).max(floor);
        scanned
    }

    /// What starts at the trigger, and from where on the text is undecided when the answer needs more of it.
    fn look(
        &self,
        text: &Text<'_>,
        at: usize,
        byte: u8,
        floor: usize,
        scratch: &mut Number,
    ) -> (usize, Seen) {
        match byte {
            b'@' if self.tests.email => {
                let start = email::local_start(text.get(0, at), floor);
                (start, email::find(text, at, start).into())
            }
            b'<' | b'[' => match masks::read(text, at) {
                Some(end) => (at, Seen::mask(at)(end)),
                None if byte == b'<' => (at, self.named(text, behind::element(text, at))),
                None => (at, Seen::Nothing),
            },
            b'=' => (at, self.assigned(text, at)),
            b':' => (at, self.colon(text, at)),
            b'0'..=b'9' => self.number(text, at, floor, scratch),
            b'B' if text.before(at) == b'-' && self.tests.pem => match pem::find(text, at, floor) {
                Some(found) => (found.start, Seen::Value(found)),
                // Undecided: the dashes in front belong to it.
                None => {
                    let dashes = text.behind(at, 5).iter().rev().take_while(|b| **b == b'-').count();
                    ((at - dashes).max(floor), self.word(text, at))
                }
            },
            _ => (at, self.word(text, at)),
        }
    }

    /// The secret that stands next to an access key id.
    fn beside(&self, text: &Text<'_>, region: &Region) -> Option<Region> {
        let (id, secret) = self.aws?;
        if region.what != What::Value(id) {
            return None;
        }
        let at = text.run(region.end, 8, |b| b" \t\r\n,;:|\"'/".contains(&b));
        let found = keys::aws_secret(text, at).filter(|_| at > region.end)?;
        // Seen from the id only.
        Some(Region { trigger: region.start, start: found.start, end: found.end, what: What::Value(secret) })
    }

    fn assigned(&self, text: &Text<'_>, at: usize) -> Seen {
        if !self.tests.password && !self.tests.secret {
            return Seen::Nothing;
        }
        let wanted = |kind: &str, start| self.kinds.is_on(kind) && !self.starts_another(text, start);
        assignment::find(text, at, wanted).into()
    }

    /// What a name gives away, unless it has a detector of its own: then that finds it.
    fn named(&self, text: &Text<'_>, found: Option<Found>) -> Seen {
        match found {
            Some(found) if !self.starts_another(text, found.start) => Seen::Value(found),
            _ => Seen::Nothing,
        }
    }

    fn starts_another(&self, text: &Text<'_>, at: usize) -> bool {
        self.keys.find(text, at).is_some()
            || self.tests.jwt && jwt::find(text, at).is_some()
            || masks::read(text, at).is_some()
    }

    fn colon(&self, text: &Text<'_>, at: usize) -> Seen {
        if text.at(at + 1) != b'/' {
            return match self.assigned(text, at) {
                Seen::Nothing if self.tests.password => self.named(text, behind::user(text, at)),
                seen => seen,
            };
        }
        if text.at(at + 2) != b'/' || !self.tests.url {
            return Seen::Nothing;
        }
        match url::find(text, at + 3) {
            url::Authority::Password(found) => Seen::Value(found),
            url::Authority::Placeholder(end) => {
                Seen::Region(Region { trigger: at, start: at + 3, end, what: What::Nothing })
            }
            url::Authority::None => Seen::Nothing,
        }
    }

    fn number(&self, text: &Text<'_>, at: usize, floor: usize, number: &mut Number) -> (usize, Seen) {
        let before = text.before(at);
        let small = text.run(at, 3, |b| b.is_ascii_digit()) - at < 3;
        if small && number::continues(text, at) && !self.tests.any_number {
            // A row of small numbers is read once, from its first.
            return (at, Seen::Nothing);
        }
        let start = if matches!(before, b'+' | b'(') && at > floor { at - 1 } else { at };
        let run = text.run(at, number::MAX_DIGITS, |b| b.is_ascii_digit());
        let next = text.at(run);
        // Where no number may start, none of the detectors of numbers finds one.
        if (!is_word(next) || next == b'_') && (before == b'+' || number::opens(text, at)) {
            number.read(text, at);
            for (_, find) in &self.numbers {
                if let Some(found) = find(text, number) {
                    return (start, Seen::Value(Found { start: found.start.max(floor), ..found }));
                }
            }
            if matches!(text.at(number.end()), b'\r' | b'\n')
                && let Some(found) = self.wrapped(text, number)
            {
                return (start, Seen::Value(Found { start: found.start.max(floor), ..found }));
            }
        }
        if next == b':'
            && let Some(found) = keys::telegram(text, at, run)
        {
            return (start, Seen::Value(found));
        }
        if self.tests.azure
            && let Some(found) = azure::find(text, at)
        {
            return (start, Seen::Value(found));
        }
        if self.tests.ip
            && let Some(found) = network::ipv4(text, at).or_else(|| network::ipv6(text, at))
        {
            return (start, Seen::Value(found));
        }
        (start, self.packed_word(text, at))
    }

    /// A card, or a phone number with its country, that goes on in the next line.
    fn wrapped(&self, text: &Text<'_>, number: &mut Number) -> Option<Found> {
        if !number.read_wrapped(text) {
            return None;
        }
        let plus = text.before(number.start) == b'+';
        let phone = || phone::find(text, number).filter(|_| plus);
        card::find(text, number)
            .filter(|found| self.kinds.is_on(found.kind))
            .or_else(phone)
            .filter(|found| self.kinds.is_on(found.kind))
    }

    fn word(&self, text: &Text<'_>, at: usize) -> Seen {
        // As the first look has them.
        if matches!(
            &[text.at(at), text.at(at + 1), text.at(at + 2)],
            b"pas" | b"Pas" | b"PAS" | b"ide" | b"Ide" | b"IDE" | b"ssh"
        ) && let Some(found) = behind::words(text, at)
        {
            return self.named(text, Some(found));
        }
        if let Some(found) = self.keys.find(text, at) {
            return Seen::Value(found);
        }
        if self.tests.jwt
            && let Some(found) = jwt::find(text, at)
        {
            return Seen::Value(found);
        }
        if self.tests.azure
            && let Some(found) = azure::find(text, at)
        {
            return Seen::Value(found);
        }
        if self.tests.iban
            && let Some(found) = iban::find(text, at)
        {
            return Seen::Value(found);
        }
        self.packed_word(text, at)
    }

    fn packed_word(&self, text: &Text<'_>, at: usize) -> Seen {
        // What the first look passes over is no value where something else made it look, either.
        if text.at(at).is_ascii_alphabetic() && !may_be_packed(text.get(0, text.len()), at) {
            return Seen::Nothing;
        }
        self.words.iter().find_map(|(_, find)| find(text, at)).into()
    }
}

impl Seen {
    fn mask(at: usize) -> impl Fn(usize) -> Self {
        move |end| Self::Region(Region { trigger: at, start: at, end, what: What::Mask })
    }
}

impl From<Option<Found>> for Seen {
    fn from(found: Option<Found>) -> Self {
        found.map_or(Self::Nothing, Self::Value)
    }
}

/// Whether a value that goes on is surely one already, and longer than is held back.
fn is_long(found: &Found) -> bool {
    match found.tail {
        Tail::None => false,
        Tail::Run(_) => found.end - found.start > LIMIT,
        Tail::Pem { sure, .. } => sure.saturating_sub(found.start) > LIMIT,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mask::tests::{maskers, texts};

    /// The first look only saves time: where it passes over a place, the detectors find nothing there.
    #[test]
    fn the_first_look_passes_over_nothing_that_a_detector_finds() {
        for masker in maskers() {
            let scanner = &masker.scanner;
            for text in texts(2000) {
                let bytes = text.as_bytes();
                for (at, byte) in Starts::candidates(bytes) {
                    if scanner.starts.passes_over(bytes, at, byte) {
                        let (_, seen) = scanner.look(&Text::new(bytes), at, byte, 0, &mut Number::default());
                        assert!(matches!(seen, Seen::Nothing), "{text:?} at {at}");
                    }
                }
            }
        }
    }
}
