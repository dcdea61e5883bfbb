//! Values that are valid, and values that are almost: made by the rules of those who issue them.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64URL;

/// Kind, prefix, alphabet and length of a body, one format of each kind of key.
const KEYS: &str = include_str!("keys.tsv");

/// Digits.
pub const DIGITS: &str = "0123456789";
const HEX: &str = "0123456789abcdef";
const UPPER: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
const LOWER: &str = "abcdefghijklmnopqrstuvwxyz";
/// Letters and digits.
pub const BASE62: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

/// Numbers that are the same in every run (splitmix64), one sequence a kind.
pub struct Draw(u64);

impl Draw {
    /// The sequence of a kind.
    pub fn new(kind: &str) -> Self {
        Self(
            kind.bytes()
                .fold(0xCBF2_9CE4_8422_2325, |hash, b| (hash ^ u64::from(b)).wrapping_mul(0x100_0000_01B3)),
        )
    }

    /// Below a limit.
    pub fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ z >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ z >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
        usize::try_from((z ^ z >> 31) % limit.max(1) as u64).unwrap_or(0)
    }

    /// One of a list.
    pub fn pick<T: Copy>(&mut self, list: &[T], other: T) -> T {
        let at = self.below(list.len());
        list.get(at).copied().unwrap_or(other)
    }

    /// Characters of an alphabet.
    pub fn text(&mut self, alphabet: &str, len: usize) -> String {
        let letters: Vec<char> = alphabet.chars().collect();
        (0..len).map(|_| self.pick(&letters, 'a')).collect()
    }
}

type Make = Box<dyn Fn(&mut Draw) -> String>;

/// How values of a kind are made.
pub struct Sample {
    /// The kind.
    pub kind: &'static str,
    /// What stands in front of them.
    pub context: &'static str,
    /// What stands behind them.
    pub after: &'static str,
    /// A valid one.
    pub valid: Make,
    /// One that is almost valid.
    pub almost: Make,
}

/// A sample with nothing behind its values.
pub fn sample(
    kind: &'static str,
    context: &'static str,
    valid: impl Fn(&mut Draw) -> String + 'static,
    almost: impl Fn(&mut Draw) -> String + 'static,
) -> Sample {
    Sample { kind, context, after: "", valid: Box::new(valid), almost: Box::new(almost) }
}

/// One sample a kind.
pub fn samples() -> Vec<Sample> {
    let mut list: Vec<Sample> = KEYS.lines().filter_map(key).collect();
    list.push(sample("email", "", email, |d| {
        let (name, version) = (d.text(LOWER, 6), d.below(9));
        match d.below(3) {
            0 => format!("{name}@{version}.{}.1", d.below(30)),
            1 => format!("git@{name}.example:org/repo.git"),
            _ => format!("{name}@2x.png"),
        }
    }));
    list.push(sample("payment_card", "", |d| card(d, 0), |d| card(d, 1)));
    list.push(sample("us_ssn", "", ssn, |d| {
        let area = d.pick(&["000", "666", "900", "987"], "000");
        format!("{area}-{:02}-{:04}", 1 + d.below(99), 1 + d.below(9999))
    }));
    list.push(sample("phone", "", phone, |d| {
        let (a, b) = (d.below(200), d.below(10_000));
        format!("{a:03}-{:03}-{b:04}", d.below(200))
    }));
    list.push(sample("iban", "", |d| iban(d, false), |d| iban(d, true)));
    list.push(sample("jwt", "", |d| jwt(d, "alg"), |d| jwt(d, "typ")));
    list.push(sample("private_key", "", |d| pem(d, "PRIVATE KEY"), |d| pem(d, "PUBLIC KEY")));
    let url = sample(
        "url_password",
        "postgres://app:",
        |d| d.text(BASE62, 14),
        |d| d.pick(&["password", "${DB_PASSWORD}", "****", "changeme"], "x").to_owned(),
    );
    list.push(Sample { after: "@db.internal:5432/orders", ..url });
    list.push(sample(
        "password",
        "DB_PASSWORD=",
        |d| format!("{}{}{}", d.text(LOWER, 5), d.text("!?-+~^", 1), d.text(DIGITS, 4)),
        |d| {
            d.pick(
                &["changeme", "${DB_PASSWORD}", "os.environ['PW']", "null", "your-password-1", "getpass()"],
                "x",
            )
            .to_owned()
        },
    ));
    list.push(sample(
        "secret",
        "api_key=",
        |d| d.text("abcdefghjkmnpqrstuvwxyz23456789", 28),
        |d| {
            d.pick(
                &[
                    "your-api-key-goes-here-1",
                    "process.env.API_KEY_2",
                    "xxxxxxxxxxxxxxxxxxxx1",
                    "undefined",
                    "1234",
                ],
                "x",
            )
            .to_owned()
        },
    ));
    list.push(sample(
        "aws_secret_key",
        "aws_secret_access_key = ",
        |d| d.text(BASE62, 40),
        |d| d.pick(&["${AWS_SECRET_ACCESS_KEY}", "<your secret>", "xxxxxxxxxxxx"], "x").to_owned(),
    ));
    list.push(sample(
        "azure_key",
        "",
        |d| match d.below(2) {
            0 => format!("{}{}Q~{}", d.text(BASE62, 3), d.below(10), d.text(BASE62, 34)),
            _ => format!("{}JQQJ99{}", d.text(BASE62, 52), d.text(BASE62, 26)),
        },
        |d| format!("{}Q~{}", d.text(BASE62, 4), d.text(BASE62, 20)),
    ));
    list.push(sample(
        "telegram_token",
        "",
        |d| format!("{}{}:A{}", 1 + d.below(9), d.text(DIGITS, 8), d.text(BASE62, 34)),
        |d| format!("{}{}:B{}", 1 + d.below(9), d.text(DIGITS, 8), d.text(BASE62, 20)),
    ));
    list
}

fn key(line: &'static str) -> Option<Sample> {
    let mut fields = line.split('\t');
    let (kind, prefix, alphabet) = (fields.next()?, fields.next()?, fields.next()?);
    let len: usize = fields.next()?.parse().ok()?;
    if alphabet == "checked" {
        let almost = move |d: &mut Draw| format!("{prefix}{}", d.text(LOWER, 36));
        return Some(sample(kind, "", move |d| format!("{prefix}{}", checked(d)), almost));
    }
    let alphabet = match alphabet {
        "hex" => HEX,
        "upper" => UPPER,
        _ => BASE62,
    };
    let almost = move |d: &mut Draw| match d.below(3) {
        0 => format!("{prefix}{}", "x".repeat(len)),
        1 => format!("{prefix}{}", d.text(alphabet, 3)),
        _ => format!("{prefix}..."),
    };
    Some(sample(kind, "", move |d| format!("{prefix}{}", d.text(alphabet, len)), almost))
}

/// Thirty characters and their CRC-32 in six of base 62.
fn checked(d: &mut Draw) -> String {
    let body = d.text(BASE62, 30);
    let step = |crc: u32, _| if crc & 1 == 1 { crc >> 1 ^ 0xEDB8_8320 } else { crc >> 1 };
    let mut rest = !body.bytes().fold(u32::MAX, |crc, byte| (0..8).fold(crc ^ u32::from(byte), step));
    let mut digits = [b'0'; 6];
    for digit in digits.iter_mut().rev() {
        let alphabet = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
        *digit = alphabet.get((rest % 62) as usize).copied().unwrap_or(b'0');
        rest /= 62;
    }
    format!("{body}{}", String::from_utf8_lossy(&digits))
}

fn email(d: &mut Draw) -> String {
    let tld = d.pick(&["com", "org", "net", "de", "co.uk", "dev", "fr", "io", "ai", "com.br"], "com");
    let len = 2 + d.below(9);
    let (local, domain) = (d.text("abcdefghijklmnopqrstuvwxyz0123456789", len), d.text(LOWER, len));
    let more = d.pick(&["", ".ann", "_x", "+news", "-7"], "");
    format!("{local}{more}@{domain}.{tld}")
}

fn digit_sum(digits: &str) -> u32 {
    let double = |d: u32| if d > 4 { 2 * d - 9 } else { 2 * d };
    let value = |(i, c): (usize, char)| c.to_digit(10).map_or(0, |d| if i % 2 == 0 { d } else { double(d) });
    digits.chars().rev().enumerate().map(value).sum()
}

/// A card whose check digit is off by `off`.
fn card(d: &mut Draw, off: u32) -> String {
    let (lead, len) =
        d.pick(&[("4", 16), ("51", 16), ("2221", 16), ("37", 15), ("6011", 16), ("3528", 16)], ("4", 16));
    let body = format!("{lead}{}", d.text(DIGITS, len - lead.len() - 1));
    let check = (10 - digit_sum(&format!("{body}0")) % 10 + off) % 10;
    let digits = format!("{body}{check}");
    let groups: &[usize] = if len == 15 { &[4, 6, 5] } else { &[4, 4, 4, 4] };
    let separator = d.pick(&["", " ", "-"], "");
    let mut rest = digits.as_str();
    let parts = groups.iter().filter_map(|group| {
        let (part, after) = rest.split_at_checked(*group)?;
        rest = after;
        Some(part)
    });
    parts.collect::<Vec<_>>().join(separator)
}

fn ssn(d: &mut Draw) -> String {
    let area = match 1 + d.below(898) {
        666 => 665,
        area => area,
    };
    format!("{area:03}-{:02}-{:04}", 1 + d.below(99), 1 + d.below(9999))
}

fn phone(d: &mut Draw) -> String {
    let part = |d: &mut Draw| format!("{}{}{}", 2 + d.below(8), d.below(10), 2 + d.below(8));
    let (area, exchange, line) = (part(d), part(d), d.below(10_000));
    match d.below(4) {
        0 => format!("({area}) {exchange}-{line:04}"),
        1 => format!("{area}-{exchange}-{line:04}"),
        2 => format!("+1{area}{exchange}{line:04}"),
        _ => format!("+44 20 {:04} {line:04}", 1000 + d.below(9000)),
    }
}

/// An IBAN of Germany, Britain or Spain with right or wrong check digits.
fn iban(d: &mut Draw, wrong: bool) -> String {
    let (country, bank, len) = d.pick(&[("DE", "", 18), ("GB", "WEST", 14), ("ES", "", 20)], ("DE", "", 18));
    let account = format!("{bank}{}", d.text(DIGITS, len));
    let rest = format!("{account}{country}00")
        .chars()
        .filter_map(|c| c.to_digit(36))
        .fold(0, |rest, value| (if value > 9 { rest * 100 + value } else { rest * 10 + value }) % 97);
    let check = 98 - rest;
    let check = if wrong { if check > 50 { check - 1 } else { check + 1 } } else { check };
    format!("{country}{check:02}{account}")
}

fn jwt(d: &mut Draw, name: &str) -> String {
    let header = format!("{{\"{name}\":\"RS256\",\"kid\":\"{}\"}}", d.text(BASE62, 8));
    let claims = format!("{{\"sub\":\"{}\"}}", d.text(BASE62, 16));
    format!("{}.{}.{}", BASE64URL.encode(header), BASE64URL.encode(claims), d.text(BASE62, 43))
}

fn pem(d: &mut Draw, label: &str) -> String {
    let lines: Vec<String> = (0..6).map(|_| d.text(BASE62, 64)).collect();
    format!("-----BEGIN {label}-----\n{}\n{}=\n-----END {label}-----", lines.join("\n"), d.text(BASE62, 31))
}
