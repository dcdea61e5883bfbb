//! Signatures: on what we send as Standard Webhooks has it, and on what Slack sends.

use base64::Engine as _;
use base64::alphabet::STANDARD;
use base64::engine::general_purpose::STANDARD as BASE64;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use hmac::{Hmac, Mac};
use sha2::Sha256;
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

/// How old or how far ahead a request of Slack may be, in seconds (Slack's "Verifying requests from Slack").
const WINDOW_SECONDS: u64 = 300;

/// Secrets of Standard Webhooks are 24 to 64 bytes long.
const SECRET_BYTES: std::ops::RangeInclusive<usize> = 24..=64;

/// Base64 with or without `=` at its end.
const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// The key in a secret as people write it down: `whsec_` and base64.
pub fn webhook_key(secret: &str) -> Result<Zeroizing<Vec<u8>>, &'static str> {
    const FORM: &str = "a secret of Standard Webhooks is `whsec_` and base64 of 24 to 64 random bytes, as in \
                        `echo whsec_$(openssl rand -base64 32)`";
    let key = secret.strip_prefix("whsec_").and_then(|key| LENIENT.decode(key).ok()).map(Zeroizing::new);
    key.filter(|key| SECRET_BYTES.contains(&key.len())).ok_or(FORM)
}

/// The header `webhook-signature`: one for each key, so that a secret can be changed without a gap.
pub fn webhook_signature(keys: &[Zeroizing<Vec<u8>>], id: &str, seconds: u64, body: &str) -> Option<String> {
    let one = |key: &Zeroizing<Vec<u8>>| {
        let made = mac(key, &[format!("{id}.{seconds}.").as_bytes(), body.as_bytes()])?.finalize();
        Some(format!("v1,{}", BASE64.encode(made.into_bytes())))
    };
    Some(keys.iter().map(one).collect::<Option<Vec<_>>>()?.join(" "))
}

/// Why a request is not taken for one of Slack's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// No timestamp, or an old one.
    #[error("its timestamp is not within five minutes of now")]
    Time,
    /// Another signature, or none.
    #[error("its signature was made with another secret")]
    Signature,
}

/// Whether Slack made the request: `x-slack-signature` is `v0=` and HMAC-SHA256 of `v0:TIMESTAMP:BODY` by one of the secrets,
/// compared in constant time; `x-slack-request-timestamp` is within five minutes.
pub fn is_from_slack(
    secrets: &[Zeroizing<String>],
    timestamp: &str,
    signature: &str,
    body: &[u8],
    now_ms: u64,
) -> Result<(), Refusal> {
    let digits = !timestamp.is_empty() && timestamp.bytes().all(|b| b.is_ascii_digit());
    let seconds: u64 = digits.then(|| timestamp.parse().ok()).flatten().ok_or(Refusal::Time)?;
    if seconds.abs_diff(now_ms / 1000) > WINDOW_SECONDS {
        return Err(Refusal::Time);
    }
    let given = signature.strip_prefix("v0=").and_then(hex).ok_or(Refusal::Signature)?;
    let parts: [&[u8]; 4] = [b"v0:", timestamp.as_bytes(), b":", body];
    let fits = |secret: &Zeroizing<String>| {
        mac(secret.as_bytes(), &parts).is_some_and(|mac| mac.verify_slice(&given).is_ok())
    };
    if secrets.iter().any(fits) { Ok(()) } else { Err(Refusal::Signature) }
}

/// A mark that only who has the secret can make: sixteen bytes in hexadecimal.
pub fn mark(secret: &str, what: &[&str]) -> Option<String> {
    // Lengths keep the parts apart.
    let lengths: Vec<[u8; 8]> = what.iter().map(|part| (part.len() as u64).to_be_bytes()).collect();
    let mut parts: Vec<&[u8]> = vec![b"sluice mark"];
    for (length, part) in lengths.iter().zip(what) {
        parts.extend([length.as_slice(), part.as_bytes()]);
    }
    let made = mac(secret.as_bytes(), &parts)?.finalize().into_bytes();
    Some(made.iter().take(16).map(|byte| format!("{byte:02x}")).collect())
}

/// Whether one of the secrets made the mark, in constant time.
pub fn is_marked(secrets: &[Zeroizing<String>], what: &[&str], given: &str) -> bool {
    let fits = |secret: &Zeroizing<String>| {
        mark(secret, what).is_some_and(|made| bool::from(made.as_bytes().ct_eq(given.as_bytes())))
    };
    secrets.iter().any(fits)
}

/// HMAC takes keys of any length; the type alone does not say so.
fn mac(key: &[u8], parts: &[&[u8]]) -> Option<Hmac<Sha256>> {
    let mut mac = <Hmac<Sha256> as Mac>::new_from_slice(key).ok()?;
    for part in parts {
        mac.update(part);
    }
    Some(mac)
}

fn hex(text: &str) -> Option<Vec<u8>> {
    let pairs = text.as_bytes().chunks(2);
    let byte = |pair: &[u8]| match pair {
        [high, low] => {
            let digit = |b: &u8| char::from(*b).to_digit(16);
            u8::try_from(digit(high)? * 16 + digit(low)?).ok()
        }
        _ => None,
    };
    pairs.map(byte).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Secret, id, timestamp, body and signature of the reference libraries' own tests
    /// (github.com/standard-webhooks/standard-webhooks).
    #[test]
    fn a_signature_is_that_of_the_reference_libraries() {
        let key = webhook_key("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
        let body = r#"{"test": 2432232314}"#;
        let signed = webhook_signature(&[key], "msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, body).unwrap();
        assert_eq!(signed, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }

    #[test]
    fn each_secret_signs_so_that_one_can_be_changed_without_a_gap() {
        let keys = ["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD"];
        let keys: Vec<_> = keys.iter().map(|key| webhook_key(key).unwrap()).collect();
        let both = webhook_signature(&keys, "m", 1, "{}").unwrap();
        let alone = webhook_signature(&keys[1..], "m", 1, "{}").unwrap();
        assert_eq!(both.split(' ').count(), 2);
        assert!(both.ends_with(&alone));
    }

    #[test]
    fn what_is_no_secret_is_refused() {
        for bad in ["", "whsec_", "whsec_abc", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_!!!!", "whsec_YWJj"]
        {
            assert!(webhook_key(bad).is_err(), "{bad}");
        }
        assert!(webhook_key("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwCg").is_ok(), "without padding");
    }

    /// The example of Slack's page on verifying requests.
    const SECRET: &str = "8f742231b10e8888abcd99yyyzzz85a5";
    const AT: &str = "1531420618";
    const BODY: &str = "token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow&channel_id=G8PSS9T3V&\
                        channel_name=foobar&user_id=U2CERLKJA&user_name=roadrunner&command=%2Fwebhook-collect&text=&\
                        response_url=https%3A%2F%2Fhooks.slack.com%2Fcommands%2FT1DC2JH3J%2F397700885554%2F\
                        96rGlfmibIGlgcZRskXaIFfN&trigger_id=398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c";
    const SIGNED: &str = "v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503";

    fn secrets(all: &[&str]) -> Vec<Zeroizing<String>> {
        all.iter().map(|secret| Zeroizing::new((*secret).to_owned())).collect()
    }

    #[test]
    fn slacks_own_example_is_from_slack() {
        let now = 1_531_420_618_000;
        let own = secrets(&[SECRET]);
        assert_eq!(is_from_slack(&own, AT, SIGNED, BODY.as_bytes(), now), Ok(()));
        assert_eq!(is_from_slack(&secrets(&["new", SECRET]), AT, SIGNED, BODY.as_bytes(), now), Ok(()));
        for (secrets, at, signed, body, why) in [
            (secrets(&["other"]), AT, SIGNED, BODY, Refusal::Signature),
            (secrets(&[]), AT, SIGNED, BODY, Refusal::Signature),
            (own.clone(), AT, SIGNED, "token=other", Refusal::Signature),
            (own.clone(), "1531420619", SIGNED, BODY, Refusal::Signature),
            (own.clone(), AT, SIGNED.trim_start_matches("v0="), BODY, Refusal::Signature),
            (own.clone(), AT, "v0=", BODY, Refusal::Signature),
            (own.clone(), AT, "v0=zz", BODY, Refusal::Signature),
            (own.clone(), AT, SIGNED.trim_end_matches('3'), BODY, Refusal::Signature),
            (own.clone(), "", SIGNED, BODY, Refusal::Time),
            (own.clone(), "+1531420618", SIGNED, BODY, Refusal::Time),
            (own.clone(), "99999999999999999999", SIGNED, BODY, Refusal::Time),
        ] {
            assert_eq!(is_from_slack(&secrets, at, signed, body.as_bytes(), now), Err(why), "{at} {signed}");
        }
    }

    #[test]
    fn a_request_of_slack_is_good_for_five_minutes_both_ways() {
        let own = secrets(&[SECRET]);
        let at = |seconds: u64| is_from_slack(&own, AT, SIGNED, BODY.as_bytes(), seconds * 1000);
        assert_eq!((at(1_531_420_918), at(1_531_420_318)), (Ok(()), Ok(())));
        assert_eq!((at(1_531_420_919), at(1_531_420_317)), (Err(Refusal::Time), Err(Refusal::Time)));
    }

    #[test]
    fn a_mark_is_for_exactly_what_it_was_made_for() {
        let made = mark("secret", &["owners", "approve", "h1"]).unwrap();
        let own = secrets(&["new", "secret"]);
        assert!(is_marked(&own, &["owners", "approve", "h1"], &made));
        for other in [["owners", "deny", "h1"], ["owners", "approve", "h2"], ["ownersa", "pprove", "h1"]] {
            assert!(!is_marked(&own, &other, &made), "{other:?}");
        }
        assert!(!is_marked(&secrets(&["new"]), &["owners", "approve", "h1"], &made));
        assert!(!is_marked(&own, &["owners", "approve", "h1"], ""));
    }
}
