//! What stands in a value's place, and how it is told apart from everything else.
//!
//! | mask | written | stands for |
//! |---|---|---|
//! | redaction | `[redacted:email]` | a value that nobody gets back |
//! | pseudonym | `<email:k3v9q2m8x0ta>` | a value of this very request: 60 bits of HMAC-SHA256 under the tenant's key |
//! | sealed | `<email:~...>` | a value that the model wrote: AES-SIV under the tenant's key |
//!
//! All are pure functions of tenant key, kind and value. Two values of one kind share a pseudonym with a chance of
//! 2^-60; among a hundred thousand values in one exchange that is one in two hundred million.

use std::sync::Arc;

use aes_siv::KeyInit as _;
use aes_siv::siv::Aes128Siv;
use hmac::{Hmac, Mac as _};
use sha2::Sha256;

use super::text::Text;
use crate::policy::document::MaskStyle;

/// Base 32 as Crockford writes it, in lower case: no letters that are mistaken for digits.
const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";

/// Characters of a pseudonym: 60 bits.
const PSEUDONYM: usize = 12;

/// Longest kind name, in bytes.
pub(super) const MAX_KIND: usize = 40;

/// Longest sealed body: [`LIMIT`](super::region::LIMIT) bytes and SIV's 16 of tag, in base 32. A value may take more
/// bytes in the text than in the view, so there is room for four times as many.
const MAX_SEALED: usize = (4 * super::region::LIMIT + 16) * 8 / 5 + 1;

/// The kinds that are on, by name.
#[derive(Debug, Clone, Default)]
pub(super) struct Kinds {
    list: Vec<(Arc<str>, MaskStyle)>,
    /// Indexes by [`Kinds::row`]: a finding is looked up by its name, and of findings there are many.
    rows: Vec<Vec<usize>>,
}

impl Kinds {
    /// Of these names and styles.
    pub(super) fn new(mut list: Vec<(Arc<str>, MaskStyle)>) -> Self {
        list.sort_by(|a, b| a.0.cmp(&b.0));
        list.dedup_by(|a, b| a.0 == b.0);
        let mut rows = vec![Vec::new(); 256];
        for (index, (name, _)) in list.iter().enumerate() {
            if let Some(row) = rows.get_mut(Self::row(name)) {
                row.push(index);
            }
        }
        Self { list, rows }
    }

    /// A number below 256 in which most names differ.
    fn row(name: &str) -> usize {
        let bytes = name.as_bytes();
        let (first, last) = (bytes.first().copied().unwrap_or(0), bytes.last().copied().unwrap_or(0));
        usize::from(first.wrapping_mul(29).wrapping_add(last.wrapping_mul(7)) ^ bytes.len() as u8)
    }

    /// The index of a kind that is on.
    pub(super) fn index(&self, kind: &str) -> Option<usize> {
        let row = self.rows.get(Self::row(kind))?;
        row.iter().copied().find(|index| self.list.get(*index).is_some_and(|(name, _)| **name == *kind))
    }

    /// Whether a kind is on.
    pub(super) fn is_on(&self, kind: &str) -> bool {
        self.index(kind).is_some()
    }

    /// Name and style.
    pub(super) fn get(&self, index: usize) -> Option<(&Arc<str>, MaskStyle)> {
        self.list.get(index).map(|(name, style)| (name, *style))
    }

    /// Names and styles.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, MaskStyle)> {
        self.list.iter().map(|(name, style)| (name.as_ref(), *style))
    }

    /// The names.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.list.iter().map(|(name, _)| name.as_ref())
    }
}

/// The end of the mask that starts at `at`, if one does: its form decides, nothing else.
pub(super) fn read(text: &Text<'_>, at: usize) -> Option<usize> {
    let redaction = text.at(at) == b'[';
    let name = if redaction { at + 10 } else { at + 1 };
    if redaction && !text.starts_with(at, b"[redacted:") || !redaction && text.at(at) != b'<' {
        return None;
    }
    let colon = text.run(name, MAX_KIND, |b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_');
    if colon == name {
        return None;
    }
    if redaction {
        return if text.at(colon) == b']' { Some(colon + 1) } else { None };
    }
    if text.at(colon) != b':' {
        return None;
    }
    let sealed = text.at(colon + 1) == b'~';
    let body = if sealed { colon + 2 } else { colon + 1 };
    let most = if sealed { MAX_SEALED } else { PSEUDONYM };
    let end = text.run(body, most, |b| ALPHABET.contains(&b));
    let len = end - body;
    let fits = if sealed { len >= 26 } else { len == PSEUDONYM };
    if fits && text.at(end) == b'>' { Some(end + 1) } else { None }
}

/// Whether a mask surely starts at `at`, of which no more is read than tells: a pseudonym, a redaction, or the front
/// of a sealed mask.
pub(super) fn starts(text: &Text<'_>, at: usize) -> bool {
    if text.at(at) == b'[' {
        return text.starts_with(at, b"[redacted:");
    }
    let colon = text.run(at + 1, MAX_KIND, |b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_');
    if colon == at + 1 || text.at(colon) != b':' {
        return false;
    }
    let body = colon + 1;
    text.at(body) == b'~'
        || text.run(body, PSEUDONYM, |b| ALPHABET.contains(&b)) == body + PSEUDONYM
            && text.at(body + PSEUDONYM) == b'>'
}

/// Makes masks and opens them, under keys that are derived from the tenant's.
pub(super) struct Minter {
    pseudonyms: Hmac<Sha256>,
    seal: [u8; 32],
}

impl Minter {
    /// Under keys derived from the tenant's key; HMAC takes keys of any length.
    pub(super) fn new(tenant_key: &[u8]) -> Option<Self> {
        let derive = |purpose: &str| -> Option<[u8; 32]> {
            let mut mac = <Hmac<Sha256> as hmac::Mac>::new_from_slice(tenant_key).ok()?;
            mac.update(purpose.as_bytes());
            Some(mac.finalize().into_bytes().into())
        };
        let pseudonyms =
            <Hmac<Sha256> as hmac::Mac>::new_from_slice(&derive("sluice mask pseudonym 1")?).ok()?;
        Some(Self { pseudonyms, seal: derive("sluice mask seal 1")? })
    }

    /// `[redacted:KIND]`.
    pub(super) fn redaction(kind: &str) -> String {
        format!("[redacted:{kind}]")
    }

    /// The pseudonym of a value, in the form in which its kind is compared.
    pub(super) fn pseudonym(&self, kind: &str, value: &str) -> String {
        let mut mac = self.pseudonyms.clone();
        mac.update(kind.as_bytes());
        mac.update(&[0]);
        mac.update(canonical(kind, value).as_bytes());
        let digest = mac.finalize().into_bytes();
        let mut body = encode(digest.get(..8).unwrap_or_default());
        body.truncate(PSEUDONYM);
        format!("<{kind}:{body}>")
    }

    /// The sealed mask of a value.
    pub(super) fn seal(&self, kind: &str, value: &str) -> Option<String> {
        let mut cipher = Aes128Siv::new(&self.seal.into());
        let sealed = cipher.encrypt([kind.as_bytes()], value.as_bytes()).ok()?;
        Some(format!("<{kind}:~{}>", encode(&sealed)))
    }

    /// The value in a sealed mask of this tenant.
    pub(super) fn open(&self, mask: &str) -> Option<String> {
        self.open_kind(mask).map(|(_, value)| value)
    }

    /// The same, with the kind.
    pub(super) fn open_kind<'m>(&self, mask: &'m str) -> Option<(&'m str, String)> {
        let (kind, body) = mask.strip_prefix('<')?.strip_suffix('>')?.split_once(":~")?;
        let mut cipher = Aes128Siv::new(&self.seal.into());
        let value = cipher.decrypt([kind.as_bytes()], &decode(body)?).ok()?;
        Some((kind, String::from_utf8(value).ok()?))
    }
}

/// The form in which values of a kind are compared, so that two spellings of one value are one: addresses in lower
/// case, numbers without separators.
fn canonical(kind: &str, value: &str) -> String {
    let alphanumeric =
        |value: &str| -> String { value.chars().filter(char::is_ascii_alphanumeric).collect() };
    match kind {
        "email" => value.to_lowercase(),
        "payment_card" | "us_ssn" | "phone" => {
            let digits: String = value.chars().filter(char::is_ascii_digit).collect();
            if value.starts_with('+') { format!("+{digits}") } else { digits }
        }
        "iban" => alphanumeric(value).to_ascii_uppercase(),
        _ => value.to_owned(),
    }
}

fn encode(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len() * 8 / 5 + 1);
    let (mut bits, mut count) = (0_u32, 0);
    let mut put = |five: u32| {
        if let Some(symbol) = ALPHABET.get((five & 31) as usize) {
            out.push(char::from(*symbol));
        }
    };
    for byte in bytes {
        bits = bits << 8 | u32::from(*byte);
        count += 8;
        while count >= 5 {
            count -= 5;
            put(bits >> count);
        }
        bits &= 0xFF;
    }
    if count > 0 {
        put(bits << (5 - count));
    }
    out
}

/// Nothing for what [`encode`] would not have written.
fn decode(text: &str) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(text.len() * 5 / 8);
    let (mut bits, mut count) = (0_u32, 0);
    for byte in text.bytes() {
        bits = bits << 5 | u32::try_from(ALPHABET.iter().position(|a| *a == byte)?).ok()?;
        count += 5;
        if count >= 8 {
            count -= 8;
            out.push(u8::try_from(bits >> count & 0xFF).ok()?);
        }
        bits &= 0xFFF;
    }
    if encode(&out) == text { Some(out) } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn minter() -> Minter {
        Minter::new(b"a tenant key of thirty-two bytes").unwrap()
    }

    #[test]
    fn masks_are_pure_functions_of_key_kind_and_value() {
        let (one, two) = (minter(), Minter::new(b"another tenant").unwrap());
        assert_eq!(one.pseudonym("email", "a@b.com"), minter().pseudonym("email", "A@B.com"));
        assert_ne!(one.pseudonym("email", "a@b.com"), one.pseudonym("phone", "a@b.com"));
        assert_ne!(one.pseudonym("email", "a@b.com"), two.pseudonym("email", "a@b.com"));
        assert_eq!(one.pseudonym("payment_card", "4111 1111"), one.pseudonym("payment_card", "4111-1111"));
    }

    #[test]
    fn a_sealed_mask_opens_under_its_own_key_and_kind_only() {
        for value in ["", "x", "john@example.com", &"é".repeat(700)] {
            let sealed = minter().seal("email", value).unwrap();
            assert_eq!(read(&Text::new(sealed.as_bytes()), 0), Some(sealed.len()), "{sealed}");
            assert_eq!(minter().open(&sealed).as_deref(), Some(value));
            assert_eq!(minter().open(&sealed.replace("<email", "<phone")), None);
            assert_eq!(Minter::new(b"another tenant").unwrap().open(&sealed), None);
            let (body, last) =
                sealed.strip_suffix('>').and_then(|s| s.split_at_checked(s.len() - 1)).unwrap();
            let changed = format!("{body}{}>", if last == "0" { "1" } else { "0" });
            assert_eq!(minter().open(&changed), None);
        }
    }

    #[test]
    fn only_the_exact_form_is_a_mask() {
        let end = |text: &str| read(&Text::new(text.as_bytes()), 0);
        assert_eq!(end("<email:k3v9q2m8x0ta> x"), Some(20));
        assert_eq!(end("[redacted:email]"), Some(16));
        for other in [
            "<email:john@example.com>",
            "<email:k3v9>",
            "<Email:k3v9q2m8x0ta>",
            "<div>",
            "[redacted:]",
            "<email:~00>",
        ] {
            assert_eq!(end(other), None, "{other}");
        }
    }
}
