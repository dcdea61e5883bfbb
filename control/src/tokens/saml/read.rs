//! A document becomes what it asserts. Only one shape is taken; whatever is not in it is refused, not passed over.

use roxmltree::Node;
use serde_json::{Map, Value, json};

use super::document::{Document, KEY, SAML, SIGNATURE, is};
use super::{Assertion, Wrong};
use crate::calendar::moment;

/// Longest id, in bytes: as of a token.
const MAX_ID: usize = 256;

/// The only form over which digests are made (Exclusive XML Canonicalization, without comments).
const CANONICAL: &str = "http://www.w3.org/2001/10/xml-exc-c14n#";
const ENVELOPED: &str = "http://www.w3.org/2000/09/xmldsig#enveloped-signature";

/// RFC 9231, sections 2.3.2 to 2.3.4 and 2.3.6. No SHA-1, and nothing with a secret: a public key is none.
const SIGNATURES: [&str; 5] = [
    "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256",
    "http://www.w3.org/2001/04/xmldsig-more#rsa-sha384",
    "http://www.w3.org/2001/04/xmldsig-more#rsa-sha512",
    "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha256",
    "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha384",
];
const DIGESTS: [&str; 3] = [
    "http://www.w3.org/2001/04/xmlenc#sha256",
    "http://www.w3.org/2001/04/xmldsig-more#sha384",
    "http://www.w3.org/2001/04/xmlenc#sha512",
];

const BEARER: &str = "urn:oasis:names:tc:SAML:2.0:cm:bearer";
const ENTITY: &str = "urn:oasis:names:tc:SAML:2.0:nameid-format:entity";
const TRANSIENT: &str = "urn:oasis:names:tc:SAML:2.0:nameid-format:transient";

const XML: &str = "http://www.w3.org/XML/1998/namespace";
const XSI: &str = "http://www.w3.org/2001/XMLSchema-instance";

/// Claims that say something else than an attribute does.
const OWN_CLAIMS: [&str; 7] = ["iss", "sub", "aud", "exp", "nbf", "iat", "jti"];

impl Document {
    /// What it says.
    ///
    /// # Errors
    /// The first thing that is not as it must be.
    pub fn read(&self) -> Result<Assertion, Wrong> {
        let tree = self.tree()?;
        let root = tree.root_element();
        let id = identity(root)?;
        let mut claims = Map::new();
        let mut session_ends_ms = None;
        let (head, rest) = elements(root)?
            .split_at_checked(4)
            .map_or((Vec::new(), Vec::new()), |(a, b)| (a.to_vec(), b.to_vec()));
        let &[issuer, signature, subject, conditions] = head.as_slice() else { return Err(order()) };
        let places = [
            (issuer, SAML, "Issuer"),
            (signature, SIGNATURE, "Signature"),
            (subject, SAML, "Subject"),
            (conditions, SAML, "Conditions"),
        ];
        if !places.iter().all(|(node, namespace, name)| is(*node, namespace, name)) {
            return Err(order());
        }
        for statement in rest {
            if is(statement, SAML, "AuthnStatement") {
                session_ends_ms = earliest(session_ends_ms, time(statement, "SessionNotOnOrAfter")?);
            } else if is(statement, SAML, "AttributeStatement") {
                attributes(statement, &mut claims)?;
            } else {
                return Err(order());
            }
        }
        signed(signature, &id)?;
        let issuer = entity(issuer)?;
        let (recipient, confirmed_ms) = subject_of(subject, &mut claims)?;
        let ends_ms = conditions_of(conditions, &mut claims)?;
        let ends_ms = earliest(ends_ms, Some(confirmed_ms)).unwrap_or_default();
        let issued_ms = time(root, "IssueInstant")?.ok_or_else(|| Wrong::new("it has no `IssueInstant`"))?;
        claims.insert("iss".to_owned(), issuer.as_str().into());
        claims.insert("exp".to_owned(), (ends_ms / 1000).into());
        claims.insert("iat".to_owned(), (issued_ms / 1000).into());
        claims.insert("jti".to_owned(), id.as_str().into());
        Ok(Assertion { id, issuer, recipient, claims, session_ends_ms })
    }
}

fn order() -> Wrong {
    Wrong::new(
        "it must be `Issuer`, `Signature`, `Subject`, `Conditions` and then statements on authentication and attributes, in this \
         order, with nothing else and nothing encrypted",
    )
}

/// The root's id, which no other element has in any way that a parser might take for an id.
fn identity(root: Node<'_, '_>) -> Result<String, Wrong> {
    only(root, &["ID", "IssueInstant", "Version"])?;
    if root.attribute("Version") != Some("2.0") {
        return Err(Wrong::new("its version is not 2.0"));
    }
    let id = root.attribute("ID").unwrap_or_default();
    // Nothing that could end the expression by which the reference is looked up.
    let starts = id.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
    let plain = id.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.'));
    if !starts || !plain || id.len() > MAX_ID {
        return Err(Wrong::new(
            "its `ID` is not a name of at most 256 ASCII letters, digits, `_`, `-` and `.`",
        ));
    }
    for node in root.descendants() {
        for attribute in node.attributes() {
            if attribute.namespace() == Some(XML) {
                return Err(Wrong::new("attributes `xml:...` are not taken in it"));
            }
            if node != root && attribute.name().eq_ignore_ascii_case("id") && attribute.value() == id {
                return Err(Wrong::new("another element has its `ID`"));
            }
        }
        if node != root && is(node, SAML, "Assertion") {
            return Err(Wrong::new("there is another assertion in it"));
        }
    }
    Ok(id.to_owned())
}

/// Looks at the whole signature, but for what only a key can tell.
fn signed(signature: Node<'_, '_>, id: &str) -> Result<(), Wrong> {
    let shape = || Wrong::new("its signature has another shape than one reference to the assertion needs");
    only(signature, &[])?;
    let parts = elements(signature)?;
    let &[info, value, key] = parts.as_slice() else { return Err(shape()) };
    named(&[(info, "SignedInfo"), (value, "SignatureValue"), (key, "KeyInfo")], shape)?;
    if key.descendants().filter(Node::is_element).count() != 2
        || key.first_element_child().and_then(|n| n.text()) != Some(KEY)
    {
        return Err(shape());
    }
    only(value, &[])?;
    text(value)?;
    only(info, &[])?;
    let parts = elements(info)?;
    let &[canonical, method, reference] = parts.as_slice() else {
        return Err(Wrong::new("its signature must be about the assertion as a whole and nothing else"));
    };
    let names =
        [(canonical, "CanonicalizationMethod"), (method, "SignatureMethod"), (reference, "Reference")];
    named(&names, shape)?;
    only(reference, &["URI"])?;
    if reference.attribute("URI").and_then(|uri| uri.strip_prefix('#')) != Some(id) {
        return Err(Wrong::new(
            "its signature is about something else than the assertion: `URI` must be `#` and its `ID`",
        ));
    }
    let parts = elements(reference)?;
    let &[transforms, digest, value] = parts.as_slice() else { return Err(shape()) };
    named(&[(transforms, "Transforms"), (digest, "DigestMethod"), (value, "DigestValue")], shape)?;
    only(transforms, &[])?;
    only(value, &[])?;
    text(value)?;
    let parts = elements(transforms)?;
    let &[enveloped, exclusive] = parts.as_slice() else {
        return Err(Wrong::new(
            "its transforms must be `enveloped-signature` and exclusive canonicalization",
        ));
    };
    named(&[(enveloped, "Transform"), (exclusive, "Transform")], shape)?;
    let transforms = "its transforms must be `enveloped-signature` and exclusive canonicalization";
    algorithm(enveloped, &[ENVELOPED], transforms)?;
    none(enveloped)?;
    for node in [exclusive, canonical] {
        algorithm(node, &[CANONICAL], transforms)?;
        prefixes(node)?;
    }
    let methods = "it is not signed by RSA with SHA-256, 384 or 512, or by ECDSA with SHA-256 or 384";
    algorithm(method, &SIGNATURES, methods)?;
    none(method)?;
    algorithm(digest, &DIGESTS, "its digest is not SHA-256, 384 or 512")?;
    none(digest)
}

/// Exclusive canonicalization may name prefixes that are kept (section 3).
fn prefixes(node: Node<'_, '_>) -> Result<(), Wrong> {
    let named = || Wrong::new("its canonicalization has parameters that are not known");
    match elements(node)?.as_slice() {
        [] => Ok(()),
        [list] if is(*list, CANONICAL, "InclusiveNamespaces") => {
            only(*list, &["PrefixList"])?;
            none(*list)
        }
        _ => Err(named()),
    }
}

fn algorithm(node: Node<'_, '_>, known: &[&str], why: &str) -> Result<(), Wrong> {
    only(node, &["Algorithm"])?;
    let algorithm = node.attribute("Algorithm").unwrap_or_default();
    if known.contains(&algorithm) { Ok(()) } else { Err(Wrong::new(why)) }
}

fn entity(issuer: Node<'_, '_>) -> Result<String, Wrong> {
    only(issuer, &["Format"])?;
    if issuer.attribute("Format").is_some_and(|format| format != ENTITY) {
        return Err(Wrong::new("its issuer is not named by an entity ID"));
    }
    Ok(text(issuer)?.to_owned())
}

/// Who it is about; where it may be taken, and until when.
fn subject_of(subject: Node<'_, '_>, claims: &mut Map<String, Value>) -> Result<(String, u64), Wrong> {
    only(subject, &[])?;
    let parts = elements(subject)?;
    let (name, confirmation) = match *parts.as_slice() {
        [name, confirmation] if is(name, SAML, "NameID") => (Some(name), confirmation),
        [confirmation] => (None, confirmation),
        _ => return Err(Wrong::new("its subject must be a `NameID` at most, and one confirmation")),
    };
    let transient = |name: &Node<'_, '_>| name.attribute("Format") == Some(TRANSIENT);
    // A name that is another one next time is nobody's; then an attribute says who it is.
    if let Some(name) = name.filter(|name| !transient(name)) {
        claims.insert("sub".to_owned(), text(name)?.into());
    }
    if !is(confirmation, SAML, "SubjectConfirmation") {
        return Err(Wrong::new("its subject must be a `NameID` at most, and one confirmation"));
    }
    only(confirmation, &["Method"])?;
    if confirmation.attribute("Method") != Some(BEARER) {
        return Err(Wrong::new("its subject is not confirmed by `bearer`"));
    }
    let parts = elements(confirmation)?;
    let &[data] = parts.as_slice() else {
        return Err(Wrong::new("its confirmation needs `SubjectConfirmationData` and nothing else"));
    };
    if !is(data, SAML, "SubjectConfirmationData") {
        return Err(Wrong::new("its confirmation needs `SubjectConfirmationData` and nothing else"));
    }
    // `Address` would bind it to an address that nobody here sees; `NotBefore` is not allowed (Profiles, section 4.1.4.2).
    only(data, &["Recipient", "NotOnOrAfter", "InResponseTo"])?;
    none(data)?;
    let recipient = data.attribute("Recipient");
    let recipient = recipient.ok_or_else(|| Wrong::new("its confirmation names no `Recipient`"))?;
    let ends_ms = time(data, "NotOnOrAfter")?;
    let ends_ms = ends_ms.ok_or_else(|| Wrong::new("its confirmation has no `NotOnOrAfter`"))?;
    Ok((recipient.to_owned(), ends_ms))
}

/// For whom it is, and from when until when.
fn conditions_of(conditions: Node<'_, '_>, claims: &mut Map<String, Value>) -> Result<Option<u64>, Wrong> {
    only(conditions, &["NotBefore", "NotOnOrAfter"])?;
    let mut audiences = None;
    for condition in elements(conditions)? {
        if is(condition, SAML, "OneTimeUse") {
            // Every assertion is taken once.
            none(condition)?;
        } else if is(condition, SAML, "AudienceRestriction") && audiences.is_none() {
            only(condition, &[])?;
            let all = elements(condition)?.into_iter().map(|audience| match is(audience, SAML, "Audience") {
                true => only(audience, &[]).and_then(|()| text(audience)).map(Value::from),
                false => Err(Wrong::new("there is something else than an `Audience` in its audiences")),
            });
            audiences = Some(all.collect::<Result<Vec<_>, _>>()?);
        } else {
            return Err(Wrong::new(
                "it has a condition that is not known: one `AudienceRestriction` and `OneTimeUse` are",
            ));
        }
    }
    let audiences = audiences.ok_or_else(|| Wrong::new("it names no audience"))?;
    claims.insert("aud".to_owned(), audiences.into());
    if let Some(start) = time(conditions, "NotBefore")? {
        claims.insert("nbf".to_owned(), (start / 1000).into());
    }
    time(conditions, "NotOnOrAfter")
}

/// Attributes by their names; values of one name in several places are put together, as some issuers write a group each.
fn attributes(statement: Node<'_, '_>, claims: &mut Map<String, Value>) -> Result<(), Wrong> {
    only(statement, &[])?;
    for attribute in elements(statement)? {
        let name = attribute.attribute("Name").filter(|name| !name.is_empty());
        let Some(name) = name.filter(|_| is(attribute, SAML, "Attribute")) else {
            return Err(Wrong::new(
                "there is something else than attributes with names among its attributes",
            ));
        };
        if OWN_CLAIMS.contains(&name) {
            return Err(Wrong::new(format!(
                "an attribute may not be called `{name}`, as a claim of tokens is"
            )));
        }
        let mut values = match claims.remove(name) {
            None => Vec::new(),
            Some(Value::Array(values)) => values,
            Some(value) => vec![value],
        };
        for value in elements(attribute)? {
            if !is(value, SAML, "AttributeValue") {
                return Err(Wrong::new("an attribute has something else than values"));
            }
            // What is no text is no name of anything: it makes a claim that nobody can read, and no shorter list.
            values.push(text(value).map_or_else(|_| json!({}), Value::from));
        }
        let value = match values.as_slice() {
            [one] => one.clone(),
            _ => Value::Array(values),
        };
        claims.insert(name.to_owned(), value);
    }
    Ok(())
}

fn earliest(one: Option<u64>, other: Option<u64>) -> Option<u64> {
    one.into_iter().chain(other).min()
}

fn time(node: Node<'_, '_>, name: &str) -> Result<Option<u64>, Wrong> {
    let Some(text) = node.attribute(name) else { return Ok(None) };
    let wrong = || Wrong::new(format!("its `{name}` is not a time in UTC, as in 2026-11-22T09:00:00Z"));
    moment(text).ok_or_else(wrong).map(Some)
}

/// The elements in an element; between them nothing but white space.
fn elements<'a, 'i>(node: Node<'a, 'i>) -> Result<Vec<Node<'a, 'i>>, Wrong> {
    let space = |text: &str| text.bytes().all(|b| matches!(b, b' ' | b'\t' | b'\r' | b'\n'));
    if node.children().any(|child| !child.is_element() && !child.text().is_some_and(space)) {
        return Err(Wrong::new("there is text between its elements"));
    }
    Ok(node.children().filter(Node::is_element).collect())
}

/// The text of an element that has nothing else.
fn text<'a>(node: Node<'a, '_>) -> Result<&'a str, Wrong> {
    let mut parts = node.children();
    match (parts.next(), parts.next()) {
        (None, _) => Ok(""),
        (Some(part), None) if part.is_text() => Ok(part.text().unwrap_or_default()),
        _ => Err(Wrong::new("there are elements where only text may be")),
    }
}

fn none(node: Node<'_, '_>) -> Result<(), Wrong> {
    if elements(node)?.is_empty() { Ok(()) } else { Err(Wrong::new("it has parameters that are not known")) }
}

/// No attributes but these; the schema's own do no harm.
fn only(node: Node<'_, '_>, names: &[&str]) -> Result<(), Wrong> {
    let known = |attribute: &roxmltree::Attribute<'_, '_>| match attribute.namespace() {
        None => names.contains(&attribute.name()),
        Some(namespace) => namespace == XSI,
    };
    match node.attributes().find(|attribute| !known(attribute)) {
        None => Ok(()),
        Some(_) => {
            Err(Wrong::new(format!("`{}` has an attribute that is not taken there", node.tag_name().name())))
        }
    }
}

fn named(places: &[(Node<'_, '_>, &str)], why: impl Fn() -> Wrong) -> Result<(), Wrong> {
    if places.iter().all(|(node, name)| is(*node, SIGNATURE, name)) { Ok(()) } else { Err(why()) }
}
