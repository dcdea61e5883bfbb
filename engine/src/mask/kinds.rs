//! Which kinds of findings there are, and which of them a policy turns on.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::detect::{
    assignment, azure, card, email, iban, jwt, keys, network, packs, pem, phone, ssn, url, wallet,
};
use super::error::MaskError;
use super::masks::{Kinds, MAX_KIND};
use crate::policy::document::{MaskStyle, Masking};

/// Packs beside those of [`packs`], with their kinds.
const OTHER_PACKS: [(&str, &str); 3] =
    [("network", network::IP), ("network", network::MAC), ("crypto", wallet::KIND)];

/// The kinds that are on unless policy turns them off, in alphabetical order.
pub fn default_kinds() -> Vec<&'static str> {
    let mut kinds = vec![
        email::KIND,
        card::KIND,
        ssn::KIND,
        phone::KIND,
        iban::KIND,
        jwt::KIND,
        pem::KIND,
        url::KIND,
        assignment::PASSWORD,
        assignment::SECRET,
        azure::KIND,
    ];
    kinds.extend(keys::kinds());
    kinds.sort_unstable();
    kinds.dedup();
    kinds
}

/// The packs and their kinds, as pairs in alphabetical order.
pub fn pack_kinds() -> Vec<(&'static str, &'static str)> {
    let mut kinds: Vec<_> = OTHER_PACKS.to_vec();
    kinds.extend(packs::NUMBERS.iter().map(|(pack, kind, _)| (*pack, *kind)));
    kinds.extend(packs::WORDS.iter().map(|(pack, kind, _)| (*pack, *kind)));
    kinds.sort_unstable();
    kinds.dedup();
    kinds
}

/// The kinds that `masking` turns on, with their styles.
///
/// A kind's own entry in `masking.kinds` counts before globs, a longer glob before a shorter one. An entry with the
/// exact name of a kind in a pack turns that kind on without the pack.
pub(super) fn chosen(masking: &Masking) -> Result<Kinds, MaskError> {
    let packs = pack_kinds();
    let names: BTreeSet<&str> = packs.iter().map(|(pack, _)| *pack).collect();
    for name in &masking.packs {
        if !names.contains(name.as_str()) {
            let known = names.iter().copied().collect::<Vec<_>>().join(", ");
            return Err(MaskError::UnknownPack { name: name.clone(), known });
        }
    }
    let mut seen: BTreeSet<&str> =
        default_kinds().into_iter().chain(packs.iter().map(|(_, kind)| *kind)).collect();
    for pattern in &masking.custom {
        name(&pattern.name)?;
        if !seen.insert(&pattern.name) {
            return Err(MaskError::Name {
                name: pattern.name.clone(),
                why: "there is a kind of this name already",
            });
        }
    }
    for key in masking.kinds.keys() {
        if !seen.iter().any(|kind| glob(key, kind)) {
            return Err(MaskError::UnknownKind { name: key.clone(), hint: hint(key, &seen) });
        }
    }
    let by_pack =
        |kind: &str| packs.iter().any(|(pack, k)| *k == kind && masking.packs.iter().any(|p| p == pack));
    let in_pack = |kind: &str| packs.iter().any(|(_, k)| *k == kind);
    let style = |kind: &str| style(&masking.kinds, kind).unwrap_or(masking.mask);
    let list = seen
        .iter()
        .filter(|kind| !in_pack(kind) || by_pack(kind) || masking.kinds.contains_key(**kind))
        .map(|kind| (Arc::from(*kind), style(kind)))
        .filter(|(_, style)| *style != MaskStyle::Off)
        .collect();
    Ok(Kinds::new(list))
}

/// What entries (names and globs, with styles) say of a kind: the most specific counts, of several the safest.
pub(super) fn style<'e>(
    entries: impl IntoIterator<Item = (&'e String, &'e MaskStyle)>,
    kind: &str,
) -> Option<MaskStyle> {
    entries
        .into_iter()
        .filter(|(key, _)| glob(key, kind))
        .max_by_key(|(key, style)| (*key == kind, key.len(), style.safety()))
        .map(|(_, style)| *style)
}

fn name(name: &str) -> Result<(), MaskError> {
    let refused = |why| Err(MaskError::Name { name: name.to_owned(), why });
    if name.is_empty() || name.len() > MAX_KIND {
        return refused("it must have 1 to 40 characters");
    }
    if !name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_') {
        return refused("only lower-case letters, digits and `_` are allowed");
    }
    Ok(())
}

/// The kind that differs least, for a message.
fn hint(name: &str, kinds: &BTreeSet<&str>) -> String {
    let shared = |kind: &str| kind.split('_').filter(|part| name.contains(part)).count();
    let best = kinds.iter().copied().max_by_key(|kind| shared(kind)).filter(|kind| shared(kind) > 0);
    best.map_or_else(String::new, |kind| format!("; did you mean `{kind}`?"))
}

/// Whether a glob (`*` for any characters) fits a name.
pub(super) fn glob(pattern: &str, name: &str) -> bool {
    let mut parts = pattern.split('*');
    let Some(mut rest) = parts.next().and_then(|first| name.strip_prefix(first)) else { return false };
    let Some(last) = parts.next_back() else { return rest.is_empty() };
    for part in parts {
        match rest.split_once(part) {
            Some((_, after)) => rest = after,
            None => return false,
        }
    }
    rest.len() >= last.len() && rest.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn globs_fit_whole_names() {
        for (pattern, name, fits) in [
            ("*_key", "openai_key", true),
            ("*_key", "keys", false),
            ("email", "email", true),
            ("email", "emails", false),
            ("*", "x", true),
            ("a*b*c", "axxbyyc", true),
            ("a*a", "a", false),
        ] {
            assert_eq!(glob(pattern, name), fits, "{pattern} {name}");
        }
    }

    #[test]
    fn kinds_are_chosen_by_default_by_pack_and_by_name() {
        let mut masking = Masking { packs: vec!["uk".into()], ..Masking::default() };
        masking.kinds.insert("*_key".into(), MaskStyle::Off);
        masking.kinds.insert("openai_key".into(), MaskStyle::Redact);
        masking.kinds.insert("ip_address".into(), MaskStyle::Redact);
        let kinds = chosen(&masking).unwrap();
        for (kind, on) in [
            ("email", true),
            ("uk_nino", true),
            ("es_nif", false),
            ("anthropic_key", false),
            ("openai_key", true),
            ("ip_address", true),
            ("mac_address", false),
        ] {
            assert_eq!(kinds.is_on(kind), on, "{kind}");
        }
    }

    #[test]
    fn what_names_nothing_is_refused_with_a_suggestion() {
        let refused = |masking: Masking| chosen(&masking).unwrap_err().to_string();
        let mut masking = Masking::default();
        masking.kinds.insert("credit_card".into(), MaskStyle::Off);
        assert!(refused(masking).contains("did you mean `payment_card`"));
        assert!(refused(Masking { packs: vec!["xx".into()], ..Masking::default() }).contains("crypto, de, "));
    }
}
