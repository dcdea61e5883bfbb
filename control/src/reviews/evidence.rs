//! What a review leaves for those who ask later: a signed report, and a table.
//!
//! The report is signed with the key that signs bundles, over [`CONTEXT`] and the exact text of its payload. A bundle
//! starts with a brace and the context does not, so that neither can stand for the other.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use ed25519_dalek::{Signature, Signer, SigningKey, VerifyingKey};
use serde::{Deserialize, Serialize};
use sluice_engine::budget::utc;
use sluice_engine::policy::bundle::Part;

use super::campaign::{Item, Progress, Review};
use crate::records::csv::line;

/// What stands before a payload where it is signed.
const CONTEXT: &[u8] = b"sluice: evidence of an access review/1\n";

/// A review with all of its items.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Evidence {
    /// When this was made, in Unix milliseconds.
    pub made_ms: u64,
    /// The review: what it looked at, who decided, the policy, and where the log's chains stood at its start and end.
    pub review: Review,
    /// How many items were decided how.
    pub progress: Progress,
    /// Each item: what was granted, what was used, what was decided, by whom, when and why.
    pub items: Vec<Item>,
}

/// Evidence as it is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SignedEvidence {
    /// The JSON of [`Evidence`], as text; these exact bytes are signed.
    pub payload: String,
    /// Ed25519, base64.
    pub signature: String,
    /// The public key that fits, base64: to find the right one by, and no reason to believe it.
    pub key: String,
}

/// Why evidence is not believed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EvidenceError {
    /// None of the keys signed it.
    #[error("none of the given keys signed this report, or it was altered since")]
    Signature,
    /// It is no report.
    #[error("this is no report of an access review: {0}")]
    Unreadable(String),
}

/// Signs evidence.
#[derive(Debug, Clone)]
pub struct EvidenceKey(pub SigningKey);

impl EvidenceKey {
    /// Signs.
    ///
    /// # Errors
    /// [`EvidenceError::Unreadable`] when it does not serialise (it always does).
    pub fn sign(&self, evidence: &Evidence) -> Result<SignedEvidence, EvidenceError> {
        let payload =
            serde_json::to_string(evidence).map_err(|e| EvidenceError::Unreadable(e.to_string()))?;
        let signature = BASE64.encode(self.0.sign(&signed_bytes(&payload)).to_bytes());
        let key = BASE64.encode(self.0.verifying_key().as_bytes());
        Ok(SignedEvidence { payload, signature, key })
    }
}

impl SignedEvidence {
    /// Checks the signature against each of `keys`, then reads the report.
    ///
    /// # Errors
    /// [`EvidenceError`].
    pub fn open(&self, keys: &[VerifyingKey]) -> Result<Evidence, EvidenceError> {
        let signature = BASE64.decode(&self.signature).ok().and_then(|b| Signature::from_slice(&b).ok());
        let signature = signature.ok_or(EvidenceError::Signature)?;
        let bytes = signed_bytes(&self.payload);
        if !keys.iter().any(|key| key.verify_strict(&bytes, &signature).is_ok()) {
            return Err(EvidenceError::Signature);
        }
        serde_json::from_str(&self.payload).map_err(|e| EvidenceError::Unreadable(e.to_string()))
    }
}

fn signed_bytes(payload: &str) -> Vec<u8> {
    [CONTEXT, payload.as_bytes()].concat()
}

const COLUMNS: [&str; 24] = [
    "review",
    "name",
    "item",
    "issuer",
    "subject",
    "groups",
    "role",
    "grant",
    "scopes",
    "models",
    "tools",
    "role_used",
    "role_last_used_utc",
    "exchanges",
    "denied",
    "held",
    "findings",
    "suggestion",
    "why",
    "decision",
    "taken_back",
    "by",
    "at_utc",
    "reason",
];

/// The table's first line.
pub fn head() -> String {
    line(&COLUMNS.map(str::to_owned))
}

/// The row of an item.
pub fn row(review: &Review, item: &Item) -> String {
    let list = |names: &[String]| names.join("; ");
    let seen = |count: fn(&super::Seen) -> u64| {
        item.seen.as_ref().map(|seen| count(seen).to_string()).unwrap_or_default()
    };
    let decision = item.decision.as_ref();
    let by = decision.map(|decision| match &decision.by {
        Some((issuer, subject)) => format!("{subject} ({issuer})"),
        None => "nobody".into(),
    });
    line(&[
        review.id.clone(),
        review.name.clone(),
        item.n.to_string(),
        item.issuer.clone(),
        item.subject.clone(),
        list(&item.groups),
        item.role.clone(),
        item.grant.clone().unwrap_or_default(),
        list(&item.right.scopes),
        list(&item.right.models),
        item.right.tools.as_deref().map_or_else(|| "all".into(), list),
        item.right.used.map_or(0, |used| used.count).to_string(),
        item.right.used.map(|used| utc(used.last_ms)).unwrap_or_default(),
        seen(|seen| seen.exchanges),
        seen(|seen| seen.denied),
        seen(|seen| seen.held),
        seen(|seen| seen.findings),
        item.suggestion.choice.map(|choice| format!("{choice:?}").to_lowercase()).unwrap_or_default(),
        item.suggestion.why.clone(),
        decision.map(|decision| decision.choice.word().to_owned()).unwrap_or_default(),
        decision.and_then(|decision| decision.part.as_ref()).map(told).unwrap_or_default(),
        by.unwrap_or_default(),
        decision.map(|decision| utc(decision.at_ms)).unwrap_or_default(),
        decision.map(|decision| decision.reason.clone()).unwrap_or_default(),
    ])
}

/// A part of a role on one line.
pub fn told(part: &Part) -> String {
    let lists = [("scopes", &part.scopes), ("models", &part.models), ("tools", &part.tools)];
    let said = lists.iter().filter(|(_, list)| !list.is_empty());
    said.map(|(name, list)| format!("{name} {}", list.join(", "))).collect::<Vec<_>>().join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reviews::Choice;
    use crate::reviews::campaign::tests::{item, review, ruling};

    fn evidence() -> Evidence {
        let mut item = item(1, "=cmd|' /C calc'!A0");
        let mut ruling = ruling("r", &[1], Choice::Reduce);
        ruling.reason = "+1, \"quoted\"".into();
        item.decision = Some(item.ruled(&ruling, 9).unwrap());
        Evidence { made_ms: 1, review: review("r", 0), progress: Progress::default(), items: vec![item] }
    }

    #[test]
    fn a_report_opens_with_its_key_and_not_when_it_was_altered() {
        let key = EvidenceKey(SigningKey::from_bytes(&[1; 32]));
        let other = SigningKey::from_bytes(&[2; 32]).verifying_key();
        let signed = key.sign(&evidence()).unwrap();
        assert_eq!(signed.open(&[other, key.0.verifying_key()]), Ok(evidence()));
        assert_eq!(signed.open(&[other]), Err(EvidenceError::Signature));
        let altered = SignedEvidence { payload: signed.payload.replace("lea", "eve"), ..signed.clone() };
        assert_eq!(altered.open(&[key.0.verifying_key()]), Err(EvidenceError::Signature));
        // Nor does the key's signature over the bare text count: bundles are signed so.
        let bare = BASE64.encode(key.0.sign(signed.payload.as_bytes()).to_bytes());
        let bare = SignedEvidence { signature: bare, ..signed };
        assert_eq!(bare.open(&[key.0.verifying_key()]), Err(EvidenceError::Signature));
    }

    #[test]
    fn the_table_has_a_cell_for_each_column_and_no_formula() {
        let evidence = evidence();
        let row = row(&evidence.review, &evidence.items[0]);
        assert!(row.contains("'=cmd|"), "{row}");
        assert!(row.contains("\"'+1, \"\"quoted\"\"\""), "{row}");
        assert!(row.contains("models claude-opus-*"), "{row}");
        assert_eq!(head().split(',').count(), COLUMNS.len());
    }
}
