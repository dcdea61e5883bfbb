//! The host that a URL leads to.

use std::net::{Ipv4Addr, Ipv6Addr};

use super::path::percent_decoded;
use super::punycode;
use crate::mask::fold::{Fold, fold};
use crate::policy::glob::Glob;

/// A host that a tool call names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Host {
    /// Lower-case, without port and final dot, `xn--` decoded, addresses in their usual form, IPv6 without brackets;
    /// `None`: readers may differ on it, it could be any.
    name: Option<String>,
    /// Whether every reader takes it for the same.
    plain: bool,
    bare: bool,
}

/// Schemes whose URLs have no host.
const HOSTLESS: &[&str] = &["data", "mailto", "tel", "sms", "urn", "about", "cid", "mid"];

impl Host {
    /// A host of which nothing can be told.
    pub fn any() -> Self {
        Self { name: None, plain: false, bare: false }
    }

    /// The host of a URL, as browsers read it (WHATWG URL); `None`: the text has no host. Where other readers (RFC
    /// 3986, old libraries) may go elsewhere, it could be any: backslashes, two `@`, an `@` behind `?` or `#`,
    /// octal addresses, names with signs beyond ASCII that some readers turn into ASCII.
    pub fn read(text: &str) -> Option<Self> {
        let trimmed = text.trim_matches(|c: char| c <= ' ');
        // Browsers drop these wherever they stand.
        let bare: String = trimmed.chars().filter(|c| !matches!(c, '\t' | '\n' | '\r')).collect();
        if bare.is_empty() {
            return None;
        }
        if bare.chars().any(char::is_control) {
            return Some(Self::any());
        }
        let mut plain = bare == text;
        let rest = match scheme(&bare) {
            Some((scheme, rest)) => match scheme.to_ascii_lowercase().as_str() {
                "http" | "https" | "ws" | "wss" | "ftp" => {
                    let after = rest.trim_start_matches(['/', '\\']);
                    plain &= rest.strip_prefix("//") == Some(after);
                    after
                }
                "file" => {
                    rest.strip_prefix("//").filter(|rest| !rest.starts_with('/') && !rest.is_empty())?
                }
                hostless if HOSTLESS.contains(&hostless) => return None,
                _ if rest.starts_with("//") => rest.trim_start_matches('/'),
                // `localhost:3000/x`
                _ if rest.starts_with(|c: char| c.is_ascii_digit()) => bare.as_str(),
                _ => return Some(Self::any()),
            },
            None if bare.starts_with("//") || bare.starts_with("\\\\") || bare.starts_with("/\\") => {
                plain = false;
                bare.trim_start_matches(['/', '\\'])
            }
            None if bare.starts_with(['/', '.', '?', '#']) => return None,
            None => bare.as_str(),
        };
        let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        let (authority, after) = rest.split_at_checked(end)?;
        let elsewhere = after.starts_with(['?', '#']) && after.contains('@');
        if authority.contains('\\') || authority.matches('@').count() > 1 || elsewhere {
            return Some(Self::any());
        }
        let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
        Some(Self::of_authority(host, plain).unwrap_or_else(Self::any))
    }

    /// Reads a word of a command that could be a host without a scheme: `curl evil.com/x`, `ssh ann@evil.com`. `None`:
    /// it could not, or it is a number such as commands are full of.
    pub fn bare(word: &str) -> Option<Self> {
        let authority = word.split('/').next().unwrap_or_default();
        let host = authority.rsplit('@').next().unwrap_or_default();
        // What follows a colon is a port, or a path of scp.
        let host = if host.starts_with('[') { host } else { host.split(':').next().unwrap_or_default() };
        let numbers = host.bytes().all(|b| b.is_ascii_digit() || b == b'.');
        let address = host.matches('.').count() == 3 || host.len() > 7 && !host.contains('.');
        let likely = match numbers {
            true => address,
            false => {
                host.contains('.')
                    || authority.contains('@')
                    || host.starts_with(['[', '0'])
                    || host.eq_ignore_ascii_case("localhost")
            }
        };
        if !likely || authority.starts_with(['.', '-', '~']) {
            return None;
        }
        Some(Self { bare: true, ..Self::of_authority(host, false)? })
    }

    /// Whether it was a word that could be anything else.
    pub fn is_bare(&self) -> bool {
        self.bare
    }

    /// Whether it may be one of the hosts.
    pub fn may_be(&self, globs: &[HostGlob]) -> bool {
        self.name.as_ref().is_none_or(|name| globs.iter().any(|glob| glob.fits(name)))
    }

    /// Whether it is one of the hosts for certain.
    pub fn is(&self, globs: &[HostGlob]) -> bool {
        self.plain && self.name.is_some() && self.may_be(globs)
    }

    /// `None`: it cannot be told.
    fn of_authority(host: &str, mut plain: bool) -> Option<Self> {
        if let Some(address) = host.strip_prefix('[') {
            let (address, port) = address.split_once(']')?;
            if !port.is_empty() && !port.strip_prefix(':').is_some_and(is_port) {
                return None;
            }
            let address = address.split('%').next().unwrap_or_default();
            return Some(Self { name: Some(of_ipv6(address.parse().ok()?)), plain, bare: false });
        }
        let (host, port) = host.split_once(':').unwrap_or((host, ""));
        if !is_port(port) {
            // `git@github.com:org/repo`; more than one colon is nothing.
            plain = false;
            if port.contains(':') {
                return None;
            }
        }
        let decoded = percent_decoded(host)?;
        plain &= decoded == host && decoded.is_ascii();
        let name = canonical(&decoded)?;
        Some(Self { name: Some(name), plain, bare: false })
    }
}

/// A glob over hosts: `*.example.com`, `10.*`, `::1`. `*` stands for any run of characters, dots too. One of digits
/// alone is about addresses: `10.*` does not fit `10.example.com`.
#[derive(Debug, Clone)]
pub struct HostGlob {
    glob: Glob,
    address: bool,
}

impl HostGlob {
    /// Compiles a glob.
    ///
    /// # Errors
    /// A sentence that says what is wrong.
    pub fn new(text: &str) -> Result<Self, String> {
        if text.contains(['/', '@']) {
            return Err("it is a host alone, without `https://`, user and path: `*.example.com`".into());
        }
        let ipv6 = text.matches(':').count() > 1;
        if text.contains(':') && !ipv6 {
            return Err("ports are not looked at; write the host alone".into());
        }
        if text.ends_with('.') && text.len() > 1 {
            return Err("hosts are compared without a final dot; leave it out".into());
        }
        Glob::new(text).map_err(|e| e.to_string())?;
        let text = match text.parse::<Ipv6Addr>() {
            Ok(address) => of_ipv6(address),
            Err(_) => {
                labels(&text.to_lowercase()).ok_or("a label that begins with `xn--` is not punycode")?
            }
        };
        let address = text.contains(|c: char| c.is_ascii_digit())
            && text.chars().all(|c| c.is_ascii_digit() || ".*?".contains(c));
        Ok(Self { glob: Glob::new(&text).map_err(|e| e.to_string())?, address })
    }

    fn fits(&self, name: &str) -> bool {
        self.glob.matches(name) && (!self.address || name.parse::<Ipv4Addr>().is_ok())
    }
}

/// A scheme and what follows its colon.
fn scheme(text: &str) -> Option<(&str, &str)> {
    let (scheme, rest) = text.split_once(':')?;
    let plain = scheme.bytes().all(|b| b.is_ascii_alphanumeric() || b"+-.".contains(&b));
    (plain && scheme.starts_with(|c: char| c.is_ascii_alphabetic())).then_some((scheme, rest))
}

fn is_port(text: &str) -> bool {
    text.bytes().all(|b| b.is_ascii_digit())
}

/// The one form of a host's name or IPv4 address; `None`: readers may differ.
fn canonical(host: &str) -> Option<String> {
    let mut name = String::with_capacity(host.len());
    for c in host.chars() {
        match fold(c) {
            Fold::Same => name.extend(c.to_lowercase()),
            Fold::Drop => {}
            Fold::To(byte) => name.push(char::from(byte.to_ascii_lowercase())),
        }
    }
    let name = name.strip_suffix('.').unwrap_or(&name);
    if name.is_empty() || name.split('.').any(str::is_empty) || !name.chars().all(is_certain) {
        return None;
    }
    let last = name.rsplit('.').next().unwrap_or_default();
    if last.bytes().all(|b| b.is_ascii_digit()) || last.strip_prefix("0x").is_some_and(is_hex) {
        return of_ipv4(name);
    }
    labels(name)
}

/// Decodes labels in punycode.
fn labels(name: &str) -> Option<String> {
    let label = |label: &str| match label.strip_prefix("xn--") {
        Some(code) => punycode::decode(code).filter(|plain| plain.chars().all(is_certain)),
        None => Some(label.to_owned()),
    };
    let labels: Option<Vec<_>> = name.split('.').map(label).collect();
    Some(labels?.join("."))
}

/// Letters that stay what they are in a host's name. The mapping of IDNA (UTS 46) turns others into ASCII, or into
/// several letters; what is beyond these blocks, or combines with the letter before it, is left in doubt.
fn is_certain(c: char) -> bool {
    let code = u32::from(c);
    if c.is_ascii() {
        return c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    }
    let mapped = matches!(
        code,
        0xA0..=0xBF
            | 0x132..=0x133
            | 0x13F..=0x140
            | 0x149
            | 0x17F
            | 0x1C4..=0x1CC
            | 0x1F1..=0x1F3
            | 0x2B0..=0x36F
            | 0x1D2C..=0x1DFF
            | 0x1E9A..=0x1E9B
    );
    let letters = matches!(code, 0xC0..=0x1FFF | 0x3041..=0x30FF | 0x3400..=0x9FFF | 0xAC00..=0xD7A3);
    c.is_alphanumeric() && letters && !mapped
}

fn is_hex(text: &str) -> bool {
    text.bytes().all(|b| b.is_ascii_hexdigit())
}

/// An IPv4 address as `inet_aton` and browsers read it: one to four numbers, decimal or hexadecimal, the last of
/// which fills what remains. Octal numbers are decimal to some readers.
fn of_ipv4(text: &str) -> Option<String> {
    let parts: Option<Vec<u64>> = text
        .split('.')
        .map(|part| match part.strip_prefix("0x") {
            Some("") => Some(0),
            Some(hex) => u64::from_str_radix(hex, 16).ok(),
            None if part.len() > 1 && part.starts_with('0') => None,
            None => part.parse().ok(),
        })
        .collect();
    let (last, front) = parts.as_deref().and_then(<[u64]>::split_last)?;
    let left = 4_usize.checked_sub(front.len()).filter(|left| *left > 0)?;
    if front.iter().any(|part| *part > 255) || *last >= 1_u64 << (8 * left) {
        return None;
    }
    let high = front.iter().fold(0_u64, |sum, part| sum << 8 | part) << (8 * left);
    Some(Ipv4Addr::from(u32::try_from(high | last).ok()?).to_string())
}

/// An IPv6 address, or the IPv4 address in it (mapped, compatible, or translated: RFC 4291, RFC 6052).
fn of_ipv6(address: Ipv6Addr) -> String {
    let [a, b, c, d, e, f, high, low] = address.segments();
    let inner = Ipv4Addr::from(u32::from(high) << 16 | u32::from(low));
    let mapped = matches!([a, b, c, d, e, f], [0, 0, 0, 0, 0, 0xffff] | [0x64, 0xff9b, 0, 0, 0, 0]);
    let compatible = [a, b, c, d, e, f] == [0; 6] && high != 0;
    if mapped || compatible { inner.to_string() } else { address.to_string() }
}
