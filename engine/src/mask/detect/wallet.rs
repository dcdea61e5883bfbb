//! Addresses of crypto wallets: Base58Check (Bitcoin), bech32 and bech32m (SegWit), Ethereum. Pack `crypto`.
//!
//! Sources: Bitcoin's Base58Check encoding (double SHA-256 checksum of four bytes), BIP 173 and BIP 350 (polymod),
//! EIP-55 (an address is 20 bytes in hexadecimal; its letter case is a checksum that is not required here).

use sha2::{Digest as _, Sha256};

use super::{Found, found};
use crate::mask::text::{Text, is_word};
use crate::mask::words::{Words, context};

/// The finding kind.
pub(in crate::mask) const KIND: &str = "crypto_wallet";

const BASE58: &[u8] = b"123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz";
static WORDS: Words = Words::new(&[
    "wallet",
    "address",
    "eth",
    "ethereum",
    "account",
    "to",
    "from",
    "pay",
    "send",
    "recipient",
]);
const BECH32: &[u8] = b"qpzry9x8gf2tvdw0s3jn54khce6mua7l";

/// A wallet address that starts at `at`.
pub(in crate::mask) fn find(text: &Text<'_>, at: usize) -> Option<Found> {
    if is_word(text.before(at)) {
        return None;
    }
    match text.at(at) {
        b'1' | b'3' => {
            let end = text.run(at, 36, |b| BASE58.contains(&b));
            let ok =
                (26..=35).contains(&(end - at)) && !is_word(text.at(end)) && base58check(text.get(at, end));
            if ok { found(KIND, at, end) } else { None }
        }
        b'b' | b'B' => {
            if !text.at(at + 1).eq_ignore_ascii_case(&b'c') || text.at(at + 2) != b'1' {
                return None;
            }
            let end = text.run(at, 91, |b| b.is_ascii_alphanumeric());
            if end - at <= 90 && bech32(text.get(at, end)) { found(KIND, at, end) } else { None }
        }
        b'0' if text.at(at + 1) == b'x' => {
            let end = text.run(at + 2, 41, |b| b.is_ascii_hexdigit());
            let ok = end - at == 42 && !is_word(text.at(end)) && context(text, at, 48, &WORDS);
            if ok { found(KIND, at, end) } else { None }
        }
        _ => None,
    }
}

fn base58check(address: &[u8]) -> bool {
    // A version byte, a hash of 20 and a checksum of 4.
    let mut bytes = [0_u8; 25];
    for byte in address {
        let Some(mut carry) = BASE58.iter().position(|b| b == byte) else { return false };
        for slot in bytes.iter_mut().rev() {
            carry += usize::from(*slot) * 58;
            *slot = u8::try_from(carry % 256).unwrap_or(0);
            carry /= 256;
        }
        if carry != 0 {
            return false;
        }
    }
    let Some((payload, checksum)) = bytes.split_at_checked(21) else { return false };
    matches!(payload.first(), Some(0 | 5)) && Sha256::digest(Sha256::digest(payload)).starts_with(checksum)
}

fn bech32(address: &[u8]) -> bool {
    let upper = address.iter().any(u8::is_ascii_uppercase);
    if upper && address.iter().any(u8::is_ascii_lowercase) || address.len() < 14 {
        return false;
    }
    // The human-readable part `bc`, expanded as BIP 173 says.
    let mut state = [3, 3, 0, 2, 3].iter().fold(1_u32, |state, value| polymod(state, *value));
    for byte in address.iter().skip(3) {
        let Some(value) = BECH32.iter().position(|b| *b == byte.to_ascii_lowercase()) else { return false };
        state = polymod(state, u32::try_from(value).unwrap_or(0));
    }
    state == 1 || state == 0x2bc8_30a3
}

fn polymod(state: u32, value: u32) -> u32 {
    const GENERATOR: [u32; 5] = [0x3b6a_57b2, 0x2650_8e6d, 0x1ea1_19fa, 0x3d42_33dd, 0x2a14_62b3];
    let top = state >> 25;
    let next = (state & 0x01ff_ffff) << 5 ^ value;
    GENERATOR.iter().enumerate().filter(|(i, _)| top >> i & 1 == 1).fold(next, |s, (_, g)| s ^ g)
}
