//! What is masked: that there are such kinds, patterns have names, and held media has approvers.

use super::rules::check_approval;
use super::{Found, kinds};
use crate::policy::document::{MediaAction, Policy};

pub(super) fn check(policy: &Policy, found: &mut Found) {
    let (approval, holds) =
        (policy.masking.media_approval.as_ref(), policy.masking.media == MediaAction::Hold);
    check_approval("masking.mediaApproval", "`masking.media: hold`", approval, holds, found);
    kinds::check(policy, found);
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
