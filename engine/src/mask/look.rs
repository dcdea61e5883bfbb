//! Which detectors are asked at a place where something may start, and in which order.

use super::detect::number::{self, Number};
use super::detect::{
    Found, assignment, azure, behind, card, email, iban, jwt, keys, network, pem, phone, url,
};
use super::masks;
use super::region::{Region, What};
use super::scan::Scanner;
use super::starts::may_be_packed;
use super::text::{Text, is_word};

/// What a detector at a trigger said.
pub(super) enum Seen {
    Nothing,
    Value(Found),
    Region(Region),
}

impl Scanner {
    /// What starts at the trigger, and from where on the text is undecided when the answer needs more of it.
    pub(super) fn look(
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
    pub(super) fn beside(&self, text: &Text<'_>, region: &Region) -> Option<Region> {
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
