//! The formats of providers' keys: prefix, alphabet, length. Sources: see [`keys`](super::keys).

use super::{Class, Tail};

/// What a key's body is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Body {
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
    pub(super) fn has(self, byte: u8) -> bool {
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
    pub(super) fn tail(self) -> Tail {
        match self {
            Self::Token => Tail::Run(Class::Token),
            Self::Dotted => Tail::Run(Class::Dotted),
            Self::Wide => Tail::Run(Class::Wide),
            _ => Tail::None,
        }
    }
}

/// A key's format.
pub(super) struct Format {
    pub(super) kind: &'static str,
    pub(super) prefix: &'static str,
    pub(super) body: Body,
    /// Shortest body.
    pub(super) min: usize,
    /// Longest body; 0 for open-ended, where the whole token is taken.
    pub(super) max: usize,
}

const fn key(kind: &'static str, prefix: &'static str, body: Body, min: usize, max: usize) -> Format {
    Format { kind, prefix, body, min, max }
}

/// Longest body that is not open-ended.
const MAX: usize = 255;

/// Ordered by prefix, a longer one before the one that it starts with.
pub(super) const FORMATS: &[Format] = &[
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
