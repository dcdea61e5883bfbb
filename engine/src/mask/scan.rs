//! One pass over the view: classes of bytes tell the few places where something may start, and the detectors read
//! around them.
//!
//! The scan goes from left to right and a region, once claimed, is stepped over. Every decision depends on at most
//! [`LOOK_BACK`](super::text::LOOK_BACK) bytes in front and on what the detector read; when it read past the end of
//! text that goes on, the scan stops there and says from where on nothing is decided yet.

use super::detect::keys::Keys;
use super::detect::number::Number;
use super::detect::packs;
use super::detect::{
    Found, Tail, assignment, azure, card, email, iban, jwt, keys, network, pem, phone, ssn, url, wallet,
};
use super::look::Seen;
use super::masks::Kinds;
use super::region::{LIMIT, Region, Scanned, What};
use super::starts::{Starts, Window};
use super::text::Text;

/// The detectors that are on, and the table that finds where they may start.
pub(super) struct Scanner {
    pub(super) kinds: Kinds,
    pub(super) keys: Keys,
    starts: Starts,
    pub(super) numbers: Vec<(usize, NumberDetector)>,
    pub(super) words: Vec<(usize, WordDetector)>,
    pub(super) tests: Tests,
    /// Access key ids of AWS, and the secrets that stand next to them, where both are on.
    pub(super) aws: Option<(usize, usize)>,
}

pub(super) type NumberDetector = fn(&Text<'_>, &Number) -> Option<Found>;
pub(super) type WordDetector = fn(&Text<'_>, usize) -> Option<Found>;

/// Which of the default detectors, and of the others that need a call of their own, are on.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Tests {
    pub(super) email: bool,
    pub(super) password: bool,
    pub(super) secret: bool,
    pub(super) iban: bool,
    pub(super) jwt: bool,
    pub(super) pem: bool,
    pub(super) url: bool,
    pub(super) ip: bool,
    pub(super) azure: bool,
    /// Detectors that read digits in ways of their own: short numbers must not be passed over.
    pub(super) any_number: bool,
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
