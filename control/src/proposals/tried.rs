//! Documents that somebody proposes: checked, compared, and their cases run.

use std::collections::BTreeMap;
use std::path::Path;

use sha2::{Digest as _, Sha256};

use super::Documents;
use crate::policies::{Fault, Files, Loaded, is_test};
use crate::trial::cases::{Suite, run};
use crate::trial::diff::{Change, diff, is_loosened};

/// The most documents of one policy.
const MOST: usize = 200;

/// What came of trying them out.
pub struct Tried {
    /// The policy.
    pub loaded: Loaded,
    /// What it would change.
    pub changes: Vec<Change>,
    /// Whether something would be loosened, or may be.
    pub loosened: bool,
    /// How many cases were run.
    pub cases: usize,
}

/// Checks documents, runs the cases among them, and compares them with the policy in force.
///
/// # Errors
/// Everything that is wrong, as far as it can be seen; a case that did not come out as expected is wrong, too.
pub fn try_out(documents: &Documents, live: &Loaded, now_ms: u64) -> Result<Tried, Vec<Fault>> {
    if documents.len() > MOST {
        return Err(vec![fault("", format!("a policy has at most {MOST} files"))]);
    }
    let names: Vec<Fault> =
        documents.keys().filter_map(|name| Some(fault(name, bad_name(name)?.into()))).collect();
    if !names.is_empty() {
        return Err(names);
    }
    let loaded = Files::of(documents)?.policy()?;
    let mut suites = Vec::new();
    let mut faults = Vec::new();
    for (name, text) in documents.iter().filter(|(name, _)| is_test(name)) {
        match Suite::proposed(name, text, documents) {
            Ok(suite) => suites.push(suite),
            Err(wrong) => faults.extend(wrong),
        }
    }
    if !faults.is_empty() {
        return Err(faults);
    }
    let report = run(&suites, now_ms)?;
    for suite in &report.suites {
        for case in suite.cases.iter().filter(|case| !case.differences.is_empty()) {
            let differences = case.differences.iter();
            let told: Vec<String> = differences
                .map(|one| format!("{}: expected {}, got {}", one.field, one.expected, one.got))
                .collect();
            faults.push(fault(&suite.file, format!("case `{}` failed: {}", case.name, told.join("; "))));
        }
    }
    if !faults.is_empty() {
        return Err(faults);
    }
    let changes = diff(&live.policy, &loaded.policy);
    Ok(Tried { loosened: is_loosened(&changes), changes, cases: report.passed, loaded })
}

/// Hexadecimal SHA-256 over names and texts.
pub fn digest_of(documents: &BTreeMap<String, String>) -> String {
    let mut sha = Sha256::new();
    for part in documents.iter().flat_map(|(name, text)| [name, text]) {
        sha.update((part.len() as u64).to_be_bytes());
        sha.update(part.as_bytes());
    }
    format!("{:x}", sha.finalize())
}

/// What is wrong with the name of a document: it is a plain one, that a directory of policy would take.
fn bad_name(name: &str) -> Option<&'static str> {
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.');
    if !(name.ends_with(".yaml") || name.ends_with(".yml")) {
        Some("a file of policy ends in .yaml or .yml")
    } else if name.starts_with('.') || name.len() > 100 || !name.bytes().all(plain) {
        Some(
            "a file's name has letters, digits, `-`, `_` and `.`, at most 100, and does not begin with a dot",
        )
    } else {
        None
    }
}

fn fault(file: &str, why: String) -> Fault {
    let file = Path::new(file).display().to_string();
    Fault { file, line: None, field: None, why, suggestion: None }
}

#[cfg(test)]
mod tests {
    use super::*;

    const POLICY: &str = "issuers:\n- name: own\n  issuer: http://sluice.test\n  audiences: [sluice]\n  keys: control\n\
        roles:\n- name: reader\n  scopes: [messages.create]\n  models: [\"*\"]\n\
        bindings:\n- name: all\n  groups: [staff]\n  roles: [reader]\n\
        rules:\n- name: no-secrets\n  when: {text: hush}\n  action: deny\n";

    fn documents(files: &[(&str, &str)]) -> Documents {
        files.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect()
    }

    fn live() -> Loaded {
        Files::of(&documents(&[("base.yaml", POLICY)])).unwrap().policy().unwrap()
    }

    fn cases(policy: &str, verdict: &str, more: &str) -> String {
        format!(
            "{policy}cases:\n- name: hush\n  principal: {{groups: [staff]}}\n  request: {{prompt: hush{more}}}\n  \
             expect: {{verdict: {verdict}}}\n"
        )
    }

    fn wrong(files: &[(&str, &str)]) -> String {
        let faults = try_out(&documents(files), &live(), 0).err().unwrap();
        faults.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn what_it_would_change_is_said_and_its_cases_are_run() {
        let looser = POLICY.replace("deny", "allow");
        let (good, beside) = (cases("policy: [base.yaml]\n", "allow", ""), cases("", "allow", ""));
        let tried = try_out(
            &documents(&[("base.yaml", &looser), ("a.test.yaml", &good), ("base.test.yaml", &beside)]),
            &live(),
            0,
        );
        let tried = tried.ok().unwrap();
        assert!(tried.loosened && !tried.changes.is_empty());
        assert_eq!(tried.cases, 2);
        let same = try_out(&documents(&[("base.yaml", POLICY)]), &live(), 0).ok().unwrap();
        assert_eq!((same.changes, same.cases), (vec![], 0));
    }

    #[test]
    fn what_is_wrong_names_its_file() {
        assert!(wrong(&[("base.yaml", "rolls: []\n")]).contains("base.yaml:1"));
        assert!(wrong(&[]).contains("no file"));
        for name in ["../base.yaml", "a/b.yaml", ".hidden.yaml", "base.txt", "b\u{e4}se.yaml"] {
            assert!(wrong(&[(name, POLICY)]).contains("file"), "{name}");
        }
        let failing = cases("", "allow", "");
        assert!(wrong(&[("base.yaml", POLICY), ("base.test.yaml", &failing)]).contains("case `hush` failed"));
        let absent = cases("policy: [other.yaml]\n", "deny", "");
        assert!(wrong(&[("base.yaml", POLICY), ("base.test.yaml", &absent)]).contains("other.yaml"));
    }

    #[test]
    fn cases_read_no_file_of_the_service() {
        let dir = tempfile::tempdir().unwrap();
        let secret = dir.path().join("secret.json");
        std::fs::write(&secret, "{}").unwrap();
        for field in ["request", "reply"] {
            let text = format!(
                "cases:\n- name: x\n  principal: {{groups: [staff]}}\n  {field}: {{file: {}}}\n  expect: {{verdict: allow}}\n",
                secret.display()
            );
            let said = wrong(&[("base.yaml", POLICY), ("base.test.yaml", &text)]);
            assert!(said.contains("carry their bodies"), "{field}: {said}");
        }
        let outside = cases(&format!("policy: [{}]\n", secret.display()), "deny", "");
        assert!(wrong(&[("base.yaml", POLICY), ("base.test.yaml", &outside)]).contains("no document"));
    }

    #[test]
    fn the_digest_tells_names_and_texts_apart() {
        let digest = |files: &[(&str, &str)]| digest_of(&documents(files));
        assert_ne!(digest(&[("a.yaml", "x")]), digest(&[("a.yaml", "y")]));
        assert_ne!(digest(&[("ab", "c")]), digest(&[("a", "bc")]));
        assert_eq!(digest(&[("a", "1"), ("b", "2")]), digest(&[("b", "2"), ("a", "1")]));
    }
}
