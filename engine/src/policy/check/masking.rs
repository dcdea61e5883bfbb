//! What is masked: that kinds are globs, patterns have names, and held media has approvers.

use super::Found;
use super::rules::check_approval;
use crate::policy::document::{MediaAction, Policy};
use crate::policy::glob::Glob;

pub(super) fn check(policy: &Policy, found: &mut Found) {
    let (approval, holds) =
        (policy.masking.media_approval.as_ref(), policy.masking.media == MediaAction::Hold);
    check_approval("masking.mediaApproval", "`masking.media: hold`", approval, holds, found);
    for kind in policy.masking.kinds.keys() {
        if let Err(why) = Glob::new(kind) {
            found.add(format!("masking.kinds.{kind}"), why.to_string());
        }
    }
    let custom = &policy.masking.custom;
    found.names("masking.custom", custom.iter().map(|pattern| &pattern.name));
    for (n, pattern) in custom.iter().enumerate() {
        let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_';
        if !pattern.name.is_empty() && !pattern.name.bytes().all(plain) {
            let field = format!("masking.custom[{n}].name");
            let why = "a finding kind is written in lower-case letters, digits and `_`";
            let plainer: String = pattern.name.to_ascii_lowercase().replace(['-', ' ', '.'], "_");
            let suggestion = plainer.bytes().all(plain).then_some(plainer.as_str());
            found.suggest(field, why, suggestion);
        }
    }
}
