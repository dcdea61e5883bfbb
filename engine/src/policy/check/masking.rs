//! What is masked: that there are such kinds, and patterns have names.

use super::{Found, kinds};
use crate::policy::document::Policy;

pub(super) fn check(policy: &Policy, found: &mut Found) {
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
