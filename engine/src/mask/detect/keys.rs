//! Keys of providers, told by their literal prefix, length and alphabet.
//!
//! Sources: each provider's published token format or its entry among GitHub's secret scanning partners (2025);
//! where a provider publishes none, the format that its console hands out. A key needs a plausible body
//! ([`plausible`]): `sk-ant-your-key-here` passes.
//!
//! Classic tokens of GitHub and npm end with a checksum: the CRC-32 of the 30 characters in front, in six of base 62
//! (GitHub, "Behind GitHub's new authentication token formats", 2021; npm's tokens are made the same way). Where it is
//! right, nothing else is asked. Where it is wrong, the body must mix small letters, capitals and digits, as drawn
//! ones do: filler and made-up examples pass. It does not pass for the checksum alone, which guards nothing: whoever
//! changes the last six characters can compute them again. Fine-grained tokens (`github_pat_`) have one too, of which
//! GitHub does not say how it is made; it is not read.

use super::{Class, Found, Tail, found, wrap};
use crate::mask::check::{Mix, changes_case, crc32, plausible};
use crate::mask::text::{Text, is_token};

/// What a key's body is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Body {
    /// `[A-Za-z0-9]`.
    Base62,
    /// `[0-9a-f]`, either case.
    Hex,
    /// `[A-Z0-9]`.
    Upper,
    /// `[A-Za-z0-9_]`.
    Word,
    /// `[A-Za-z0-9_-]`.
    Token,
    /// The same and `.`.
    Dotted,
    /// The same and `/`, `+`, `=`, `%`, `~`.
    Wide,
    /// `[A-Za-z0-9]`, of which at least one is a digit and one a letter: prefixes that words share.
    Mixed,
    /// `[A-Za-z0-9]`; of [`CHECKED`] characters the last six are a checksum.
    Checked,
}

/// Each byte's bits: the bodies that it may stand in.
static BODIES: [u8; 256] = {
    let mut bodies = [0; 256];
    let mut byte = 0;
    while byte < 128_u8 {
        let bits = match byte {
            b'0'..=b'9' => BASE62 | HEX | UPPER | WORD | TOKEN | DOTTED | WIDE,
            b'A'..=b'F' => BASE62 | HEX | UPPER | WORD | TOKEN | DOTTED | WIDE,
            b'G'..=b'Z' => BASE62 | UPPER | WORD | TOKEN | DOTTED | WIDE,
            b'a'..=b'f' => BASE62 | HEX | WORD | TOKEN | DOTTED | WIDE,
            b'g'..=b'z' => BASE62 | WORD | TOKEN | DOTTED | WIDE,
            b'_' => WORD | TOKEN | DOTTED | WIDE,
            b'-' => TOKEN | DOTTED | WIDE,
            b'.' => DOTTED | WIDE,
            b'/' | b'+' | b'=' | b'%' | b'~' => WIDE,
            _ => 0,
        };
        // `byte` is below 256.
        #[allow(clippy::indexing_slicing)]
        {
            bodies[byte as usize] = bits;
        }
        byte += 1;
    }
    bodies
};

const BASE62: u8 = 1;
const HEX: u8 = 2;
const UPPER: u8 = 4;
const WORD: u8 = 8;
const TOKEN: u8 = 16;
const DOTTED: u8 = 32;
const WIDE: u8 = 64;

impl Body {
    fn has(self, byte: u8) -> bool {
        let bit = match self {
            Self::Base62 | Self::Mixed | Self::Checked => BASE62,
            Self::Hex => HEX,
            Self::Upper => UPPER,
            Self::Word => WORD,
            Self::Token => TOKEN,
            Self::Dotted => DOTTED,
            Self::Wide => WIDE,
        };
        BODIES.get(usize::from(byte)).copied().unwrap_or(0) & bit != 0
    }

    /// How a key of this alphabet goes on beyond what a stream holds back.
    fn tail(self) -> Tail {
        match self {
            Self::Token => Tail::Run(Class::Token),
            Self::Dotted => Tail::Run(Class::Dotted),
            Self::Wide => Tail::Run(Class::Wide),
            _ => Tail::None,
        }
    }
}

/// A key's format.
struct Format {
    kind: &'static str,
    prefix: &'static str,
    body: Body,
    /// Shortest body.
    min: usize,
    /// Longest body; 0 for open-ended, where the whole token is taken.
    max: usize,
}

const fn key(kind: &'static str, prefix: &'static str, body: Body, min: usize, max: usize) -> Format {
    Format { kind, prefix, body, min, max }
}

/// How much of a body is looked at to tell whether it is a key, in bytes.
const SAMPLE: usize = 64;

/// Shortest first piece of a body that is broken at the end of a line.
const PIECE: usize = 8;

/// Longest body that is not open-ended.
const MAX: usize = 255;

/// Ordered by prefix, a longer one before the one that it starts with.
const FORMATS: &[Format] = &[
    key("openai_key", "sk-proj-", Body::Token, 20, 0),
    key("openai_key", "sk-svcacct-", Body::Token, 20, 0),
    key("openai_key", "sk-admin-", Body::Token, 20, 0),
    key("openai_key", "sk-None-", Body::Token, 20, 0),
    key("openrouter_key", "sk-or-", Body::Token, 32, 0),
    key("anthropic_key", "sk-ant-", Body::Token, 16, 0),
    key("langchain_key", "lsv2_", Body::Word, 32, MAX),
    key("openai_key", "sk-", Body::Mixed, 20, MAX),
    key("aws_access_key", "AKIA", Body::Upper, 16, 16),
    key("aws_access_key", "ASIA", Body::Upper, 16, 16),
    key("aws_access_key", "ABIA", Body::Upper, 16, 16),
    key("aws_access_key", "ACCA", Body::Upper, 16, 16),
    key("aws_bedrock_key", "ABSK", Body::Wide, 100, 0),
    key("aws_bedrock_key", "bedrock-api-key-", Body::Wide, 40, 0),
    key("github_token", "ghp_", Body::Checked, 36, MAX),
    key("github_token", "gho_", Body::Checked, 36, MAX),
    key("github_token", "ghu_", Body::Checked, 36, MAX),
    key("github_token", "ghs_", Body::Checked, 36, MAX),
    key("github_token", "ghr_", Body::Checked, 36, MAX),
    key("github_token", "github_pat_", Body::Word, 40, MAX),
    key("gitlab_token", "glpat-", Body::Dotted, 20, 0),
    key("gitlab_token", "gldt-", Body::Token, 20, 0),
    key("gitlab_token", "glrt-", Body::Dotted, 20, 0),
    key("gitlab_token", "glcbt-", Body::Token, 20, 0),
    key("gitlab_token", "glptt-", Body::Token, 20, 0),
    key("gitlab_token", "glft-", Body::Token, 20, 0),
    key("gitlab_token", "glimt-", Body::Token, 20, 0),
    key("gitlab_token", "glsoat-", Body::Token, 20, 0),
    key("gitlab_token", "glagent-", Body::Token, 20, 0),
    key("slack_token", "xoxb-", Body::Token, 16, 0),
    key("slack_token", "xoxp-", Body::Token, 16, 0),
    key("slack_token", "xoxa-", Body::Token, 16, 0),
    key("slack_token", "xoxr-", Body::Token, 16, 0),
    key("slack_token", "xoxs-", Body::Token, 16, 0),
    key("slack_token", "xoxc-", Body::Token, 16, 0),
    key("slack_token", "xoxd-", Body::Wide, 16, 0),
    key("slack_token", "xoxe-", Body::Token, 16, 0),
    key("slack_token", "xoxe.xox", Body::Dotted, 16, 0),
    key("slack_token", "xapp-", Body::Token, 16, 0),
    key("slack_token", "xwfp-", Body::Token, 16, 0),
    key("slack_webhook", "hooks.slack.com/services/", Body::Wide, 20, 0),
    key("discord_webhook", "discord.com/api/webhooks/", Body::Wide, 40, 0),
    key("stripe_key", "sk_live_", Body::Base62, 16, MAX),
    key("stripe_key", "sk_test_", Body::Base62, 16, MAX),
    key("stripe_key", "rk_live_", Body::Base62, 16, MAX),
    key("stripe_key", "rk_test_", Body::Base62, 16, MAX),
    key("stripe_key", "whsec_", Body::Wide, 24, 0),
    key("google_key", "AIza", Body::Token, 35, 35),
    key("google_key", "AQ.Ab", Body::Token, 30, 0),
    key("google_oauth", "GOCSPX-", Body::Token, 20, 0),
    key("google_oauth", "ya29.", Body::Dotted, 30, 0),
    key("npm_token", "npm_", Body::Checked, 36, 36),
    key("pypi_token", "pypi-", Body::Token, 50, 0),
    key("sendgrid_key", "SG.", Body::Dotted, 40, 0),
    key("twilio_key", "SK", Body::Hex, 32, 32),
    key("huggingface_token", "hf_", Body::Mixed, 30, 64),
    key("huggingface_token", "api_org_", Body::Base62, 30, 64),
    key("databricks_token", "dapi", Body::Hex, 32, 32),
    key("digitalocean_token", "dop_v1_", Body::Hex, 64, 64),
    key("digitalocean_token", "doo_v1_", Body::Hex, 64, 64),
    key("digitalocean_token", "dor_v1_", Body::Hex, 64, 64),
    key("shopify_token", "shpat_", Body::Hex, 32, 32),
    key("shopify_token", "shpca_", Body::Hex, 32, 32),
    key("shopify_token", "shppa_", Body::Hex, 32, 32),
    key("shopify_token", "shpss_", Body::Hex, 32, 32),
    key("square_token", "sq0atp-", Body::Token, 22, 0),
    key("square_token", "sq0csp-", Body::Token, 40, 0),
    key("square_token", "EAAA", Body::Token, 60, 60),
    key("mailgun_key", "key-", Body::Hex, 32, 32),
    key("linear_key", "lin_api_", Body::Base62, 32, MAX),
    key("linear_key", "lin_oauth_", Body::Base62, 32, MAX),
    key("notion_token", "ntn_", Body::Base62, 40, MAX),
    key("figma_token", "figd_", Body::Token, 36, 0),
    key("postman_key", "PMAK-", Body::Token, 50, 0),
    key("newrelic_key", "NRAK-", Body::Upper, 27, 27),
    key("newrelic_key", "NRII-", Body::Token, 32, 0),
    key("grafana_token", "glsa_", Body::Word, 36, MAX),
    key("grafana_token", "glc_", Body::Wide, 32, 0),
    key("doppler_token", "dp.", Body::Dotted, 40, 0),
    key("vault_token", "hvs.", Body::Token, 24, 0),
    key("vault_token", "hvb.", Body::Token, 24, 0),
    key("vault_token", "hvr.", Body::Token, 24, 0),
    key("netlify_token", "nfp_", Body::Base62, 36, MAX),
    key("fly_token", "fo1_", Body::Token, 32, 0),
    key("fly_token", "fm2_", Body::Wide, 32, 0),
    key("planetscale_token", "pscale_tkn_", Body::Dotted, 32, 0),
    key("planetscale_token", "pscale_pw_", Body::Dotted, 32, 0),
    key("planetscale_token", "pscale_oauth_", Body::Dotted, 32, 0),
    key("supabase_key", "sbp_", Body::Hex, 40, 40),
    key("supabase_key", "sb_secret_", Body::Token, 20, 0),
    key("sentry_token", "sntrys_", Body::Wide, 32, 0),
    key("sentry_token", "sntryu_", Body::Hex, 64, 64),
    key("dynatrace_token", "dt0c01.", Body::Dotted, 80, 0),
    key("dynatrace_token", "dt0s16.", Body::Dotted, 60, 0),
    key("pulumi_token", "pul-", Body::Hex, 40, 40),
    key("rubygems_key", "rubygems_", Body::Hex, 48, 48),
    key("docker_token", "dckr_pat_", Body::Token, 24, 0),
    key("docker_token", "dckr_oat_", Body::Token, 24, 0),
    key("atlassian_token", "ATATT3", Body::Wide, 100, 0),
    key("atlassian_token", "ATCTT3", Body::Wide, 100, 0),
    key("atlassian_token", "ATBB", Body::Base62, 32, 32),
    key("airtable_token", "pat", Body::Dotted, 79, 79),
    key("groq_key", "gsk_", Body::Base62, 40, MAX),
    key("replicate_token", "r8_", Body::Mixed, 37, 37),
    key("perplexity_key", "pplx-", Body::Base62, 40, MAX),
    key("xai_key", "xai-", Body::Base62, 60, MAX),
    key("nvidia_key", "nvapi-", Body::Token, 60, 0),
    key("fireworks_key", "fw_", Body::Mixed, 22, 40),
    key("hubspot_token", "pat-na1-", Body::Token, 36, 36),
    key("hubspot_token", "pat-eu1-", Body::Token, 36, 36),
    key("brevo_key", "xkeysib-", Body::Token, 64, 0),
    key("tailscale_key", "tskey-", Body::Token, 24, 0),
    key("razorpay_key", "rzp_live_", Body::Base62, 14, 32),
    key("sourcegraph_token", "sgp_", Body::Word, 40, MAX),
    key("age_key", "AGE-SECRET-KEY-1", Body::Upper, 58, 58),
    key("contentful_token", "CFPAT-", Body::Token, 40, 0),
    key("flutterwave_key", "FLWSECK", Body::Token, 32, 0),
    key("readme_key", "rdme_", Body::Base62, 64, MAX),
    key("typeform_token", "tfp_", Body::Token, 40, 0),
    key("onepassword_token", "ops_eyJ", Body::Wide, 100, 0),
    key("alibaba_key", "LTAI", Body::Mixed, 16, 26),
    key("tencent_key", "AKID", Body::Mixed, 32, 36),
    key("adafruit_key", "aio_", Body::Base62, 28, 28),
    key("crates_token", "cio", Body::Mixed, 32, 32),
    key("terraform_token", "tfr-", Body::Token, 40, 0),
    key("duffel_token", "duffel_live_", Body::Token, 40, 0),
    key("prefect_key", "pnu_", Body::Base62, 36, 36),
    key("easypost_key", "EZAK", Body::Base62, 54, 54),
];

/// Finding kinds of this family, with repetitions.
pub(in crate::mask) fn kinds() -> impl Iterator<Item = &'static str> {
    FORMATS.iter().map(|f| f.kind).chain([AWS_SECRET, TELEGRAM])
}

/// What the keys of kinds that are on start with.
pub(in crate::mask) fn prefixes(on: impl Fn(&str) -> bool) -> impl Iterator<Item = &'static [u8]> {
    FORMATS.iter().filter(move |f| on(f.kind)).map(|f| f.prefix.as_bytes())
}

/// Formats by the first two bytes of their prefix, as [`row`] has them.
pub(in crate::mask) struct Keys {
    rows: Vec<Vec<Front>>,
}

/// How many rows there are, and the row of prefixes that start with two bytes.
const ROWS: usize = 256;

fn row(first: u8, second: u8) -> usize {
    usize::from(first.wrapping_mul(37).wrapping_add(second))
}

/// The first four bytes of a format's prefix, or all of it, as a word.
#[derive(Clone, Copy)]
struct Front {
    word: u32,
    mask: u32,
    format: &'static Format,
}

impl Front {
    fn of(format: &'static Format) -> Self {
        let mut bytes = [0; 4];
        let mut mask = [0; 4];
        for ((byte, slot), bits) in format.prefix.bytes().zip(&mut bytes).zip(&mut mask) {
            *slot = byte;
            *bits = u8::MAX;
        }
        Self { word: u32::from_le_bytes(bytes), mask: u32::from_le_bytes(mask), format }
    }
}

impl Keys {
    /// The formats whose kinds are on.
    pub(in crate::mask) fn new(on: impl Fn(&str) -> bool) -> Self {
        let mut rows = vec![Vec::new(); ROWS];
        for format in FORMATS.iter().filter(|f| on(f.kind)) {
            let front = format.prefix.as_bytes().first_chunk::<2>();
            if let Some(row) = front.and_then(|[a, b]| rows.get_mut(row(*a, *b))) {
                row.push(Front::of(format));
            }
        }
        Self { rows }
    }

    /// A key that starts at `at`.
    pub(in crate::mask) fn find(&self, text: &Text<'_>, at: usize) -> Option<Found> {
        let fronts = self.rows.get(row(text.at(at), text.at(at + 1)))?;
        let word = text.get(at, at + 4).first_chunk::<4>().map(|bytes| u32::from_le_bytes(*bytes));
        // Close to the end of the text each prefix is read byte by byte.
        let fits = |front: &&Front| word.is_none_or(|word| word & front.mask == front.word);
        fronts.iter().filter(fits).find_map(|front| matches(text, at, front.format))
    }
}

/// Whether a key or a token seems to start at `at`.
pub(in crate::mask) fn starts(text: &Text<'_>, at: usize) -> bool {
    text.starts_with(at, b"eyJ") || FORMATS.iter().any(|f| text.starts_with(at, f.prefix.as_bytes()))
}

fn matches(text: &Text<'_>, at: usize, format: &Format) -> Option<Found> {
    if !text.starts_with(at, format.prefix.as_bytes()) {
        return None;
    }
    let from = at + format.prefix.len();
    let sample = text.get(from, text.run(from, SAMPLE, |b| format.body.has(b)));
    if format.body == Body::Upper
        && let Some(end) = wrap::groups(text, from, format.min, |b| format.body.has(b))
    {
        return found(format.kind, at, end);
    }
    if sample.len() < format.min.min(PIECE) || !looks_drawn(format.body, sample, format.min) {
        return None;
    }
    let mut end = match (format.max, format.body) {
        (0, Body::Token) => text.token_end(from),
        (0, body) => text.run(from, usize::MAX, |b| body.has(b)),
        (max, body) => text.run(from, max + 1, |b| body.has(b)),
    };
    let mut len = end.saturating_sub(from);
    while let Some((start, stop)) = wrap::rest(text, at, end, |b| format.body.has(b)) {
        end = stop;
        len += stop - start;
    }
    // A full stop at the end belongs to the sentence, unless the value is longer than a stream can look back on.
    if matches!(format.body, Body::Dotted | Body::Wide) && end - at <= crate::mask::region::LIMIT {
        let marks = text.get(from, end).iter().rev().take_while(|b| matches!(b, b'.' | b'/')).count();
        end -= marks;
        len -= marks.min(len);
    }
    if len < format.min || format.max != 0 && len > format.max {
        return None;
    }
    // A bounded format that goes on is another thing (a digest, a longer identifier).
    if format.max != 0 && text.at(end).is_ascii_alphanumeric() {
        return None;
    }
    let tail = if format.max == 0 { format.body.tail() } else { Tail::None };
    Some(Found { kind: format.kind, start: at, end, tail })
}

/// Whether the front of a body looks drawn at random, as far as its alphabet leaves a doubt.
fn looks_drawn(body: Body, sample: &[u8], min: usize) -> bool {
    let mixed = match body {
        Body::Upper => return min < 20 || plausible(sample),
        Body::Base62 | Body::Word => true,
        Body::Checked if sample.len() == CHECKED => {
            let mix = Mix::of(sample);
            if checksum_holds(sample) {
                return true;
            }
            mix.lower && mix.upper && mix.digit
        }
        Body::Checked => true,
        Body::Hex => Mix::of(sample).digit,
        Body::Mixed => {
            let mix = Mix::of(sample);
            mix.digit && (mix.lower || mix.upper) || sample.len() >= 16 && changes_case(sample)
        }
        Body::Token | Body::Dotted | Body::Wide => {
            let mix = Mix::of(sample);
            mix.digit || mix.lower && mix.upper
        }
    };
    mixed && plausible(sample)
}

/// Characters of the body of a classic token of GitHub or npm, of which the last six are its checksum.
const CHECKED: usize = 36;

/// Whether the last six characters are the CRC-32 of those in front, in base 62 with leading zeros.
fn checksum_holds(body: &[u8]) -> bool {
    const DIGITS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    let Some((payload, checksum)) = body.split_last_chunk::<6>() else { return false };
    let mut rest = crc32(payload);
    let digits = checksum.iter().rev().all(|byte| {
        let digit = DIGITS.get((rest % 62) as usize);
        rest /= 62;
        digit == Some(byte)
    });
    digits && rest == 0
}

/// Finding kind of AWS access key ids.
pub(in crate::mask) const AWS_ID: &str = "aws_access_key";

/// Finding kind of Telegram's bot tokens.
pub(in crate::mask) const TELEGRAM: &str = "telegram_token";

/// A bot token: 8 to 10 digits that end at `colon`, `:`, and 35 characters that start with `A` (Telegram Bot API).
pub(in crate::mask) fn telegram(text: &Text<'_>, at: usize, colon: usize) -> Option<Found> {
    if !(8..=10).contains(&(colon - at)) || text.at(colon + 1) != b'A' {
        return None;
    }
    let end = text.run(colon + 1, 36, is_token);
    if end - colon == 36 && plausible(text.get(colon, end)) { found(TELEGRAM, at, end) } else { None }
}

/// Finding kind of the secret half of an AWS access key.
pub(in crate::mask) const AWS_SECRET: &str = "aws_secret_key";

/// The secret that stands next to an access key id, as in credential files and spreadsheets: 40 characters of
/// base64 with lower case, upper case and digits, within a few bytes of separators or a name.
pub(in crate::mask) fn aws_secret(text: &Text<'_>, at: usize) -> Option<Found> {
    let byte = |b: u8| b.is_ascii_alphanumeric() || b == b'/' || b == b'+';
    let end = text.run(at, 41, byte);
    let body = text.get(at, end);
    let mix = Mix::of(body);
    let ok = body.len() == 40 && mix.lower && mix.upper && mix.digit && text.at(end) != b'=';
    if ok { found(AWS_SECRET, at, end) } else { None }
}

/// Whether a body's checksum holds, for tests that make tokens.
#[cfg(test)]
pub(in crate::mask) fn checked(body: &str) -> bool {
    checksum_holds(body.as_bytes())
}

/// Kind, prefix, alphabet, shortest and longest body of each format, for tests that make keys.
#[cfg(test)]
pub(in crate::mask) fn formats() -> Vec<(&'static str, &'static str, &'static str, usize, usize)> {
    let alphabet = |body: Body| match body {
        Body::Hex => "0123456789abcdef",
        Body::Upper => "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567",
        _ => "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789",
    };
    FORMATS.iter().map(|f| (f.kind, f.prefix, alphabet(f.body), f.min, f.max)).collect()
}
