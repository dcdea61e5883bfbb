//! Addresses of networks: public IPv4 and IPv6, and MAC. Off unless policy turns the pack `network` on.
//!
//! Sources: RFC 791, RFC 4291 and RFC 5952 (text forms), IANA's special-purpose address registries (what is not
//! public), IEEE 802 (EUI-48 text forms).

use std::net::Ipv6Addr;

use super::number::{closes, opens};
use super::{Found, found};
use crate::mask::text::{Text, is_word};
use crate::mask::words::{Words, context};

/// The finding kind of IP addresses.
pub(in crate::mask) const IP: &str = "ip_address";
/// The finding kind of MAC addresses.
pub(in crate::mask) const MAC: &str = "mac_address";

/// A public IPv4 address at `at`. Four numbers after a word for a version are none.
pub(in crate::mask) fn ipv4(text: &Text<'_>, at: usize) -> Option<Found> {
    static VERSIONS: Words = Words::new(&["version", "ver", "release", "firmware"]);
    if !opens(text, at) || text.before(at) == b'v' {
        return None;
    }
    let mut parts = [0_u32; 4];
    let mut place = at;
    for (index, part) in parts.iter_mut().enumerate() {
        if index > 0 {
            if text.at(place) != b'.' {
                return None;
            }
            place += 1;
        }
        let end = text.run(place, 4, |b| b.is_ascii_digit());
        let digits = text.get(place, end);
        if digits.is_empty() || digits.len() > 3 || digits.len() > 1 && digits.first() == Some(&b'0') {
            return None;
        }
        *part = digits.iter().fold(0, |v, d| v * 10 + u32::from(d - b'0'));
        if *part > 255 {
            return None;
        }
        place = end;
    }
    let goes_on = text.at(place) == b'.' && text.at(place + 1).is_ascii_digit();
    let version = context(text, at, 16, &VERSIONS);
    if goes_on || version || !closes(text, place) || !public(parts) { None } else { found(IP, at, place) }
}

fn public(parts: [u32; 4]) -> bool {
    let [a, b, c, _] = parts;
    !(matches!(a, 0 | 10 | 127 | 224..)
        || a == 100 && (64..128).contains(&b)
        || a == 169 && b == 254
        || a == 172 && (16..32).contains(&b)
        || a == 192 && (b == 168 || b == 0 && (c == 0 || c == 2))
        || a == 198 && (b == 18 || b == 19 || b == 51 && c == 100)
        || a == 203 && b == 0 && c == 113)
}

/// A public IPv6 address (global unicast, `2000::/3`) at `at`.
pub(in crate::mask) fn ipv6(text: &Text<'_>, at: usize) -> Option<Found> {
    if is_word(text.before(at)) || text.before(at) == b':' || !matches!(text.at(at), b'2' | b'3') {
        return None;
    }
    let end = text.run(at, 46, |b| b.is_ascii_hexdigit() || b == b':' || b == b'.');
    let mut bytes = text.get(at, end);
    while let Some((b':' | b'.', rest)) = bytes.split_last() {
        bytes = rest;
    }
    let colons = bytes.iter().filter(|b| **b == b':').count();
    let address: Ipv6Addr = std::str::from_utf8(bytes).ok()?.parse().ok()?;
    let documentation =
        address.segments().first() == Some(&0x2001) && address.segments().get(1) == Some(&0xdb8);
    let end = at + bytes.len();
    if colons < 2 || documentation || is_word(text.at(end)) { None } else { found(IP, at, end) }
}

/// A MAC address at `at`: six pairs of hexadecimal digits with one separator.
pub(in crate::mask) fn mac(text: &Text<'_>, at: usize) -> Option<Found> {
    let separator = text.at(at + 2);
    if !matches!(separator, b':' | b'-') || is_word(text.before(at)) || text.before(at) == separator {
        return None;
    }
    let pairs = (0..6).all(|pair| {
        let place = at + 3 * pair;
        text.at(place).is_ascii_hexdigit()
            && text.at(place + 1).is_ascii_hexdigit()
            && (pair == 5 || text.at(place + 2) == separator)
    });
    let end = at + 17;
    let bytes = text.get(at, end);
    let zero = bytes.iter().all(|b| matches!(b, b'0' | b':' | b'-' | b'f' | b'F'));
    if pairs && !zero && !is_word(text.at(end)) && text.at(end) != separator {
        found(MAC, at, end)
    } else {
        None
    }
}
