//! Bytes become a text that every XML parser reads alike, with no key in it.

use roxmltree::{Node, ParsingOptions};

use super::Wrong;

/// The largest assertion, in bytes. Real ones are 3 to 20 kB.
pub const LARGEST: usize = 64 << 10;

/// The most elements, attributes' values and texts of one.
const NODES: u32 = 4000;

/// The namespaces.
pub const SAML: &str = "urn:oasis:names:tc:SAML:2.0:assertion";
pub const PROTOCOL: &str = "urn:oasis:names:tc:SAML:2.0:protocol";
pub const SIGNATURE: &str = "http://www.w3.org/2000/09/xmldsig#";

/// By what the pinned key is known to the program that checks the signature.
pub const KEY: &str = "sluice";

/// An assertion whose only hint at a key is our own name for the pinned one. The same text is read here and checked there.
#[derive(Debug)]
pub struct Document(String);

impl Document {
    /// Takes the document in, if it has the outline of a signed assertion.
    ///
    /// # Errors
    /// What it may not have.
    pub fn take(bytes: &[u8]) -> Result<Self, Wrong> {
        let text = plain(bytes)?;
        let tree = parse(text)?;
        let root = tree.root_element();
        is_assertion(root)?;
        let mut signatures = root.children().filter(|node| is(*node, SIGNATURE, "Signature"));
        let (Some(signature), None) = (signatures.next(), signatures.next()) else {
            return Err(Wrong::new("it must carry one signature of its own, directly below its root"));
        };
        pinned(text, signature).map(Self)
    }

    /// The text.
    pub fn text(&self) -> &str {
        &self.0
    }

    /// The text as a tree.
    pub fn tree(&self) -> Result<roxmltree::Document<'_>, Wrong> {
        parse(&self.0)
    }
}

/// The text without its declaration: UTF-8, no document type, no entities, no comments, no CDATA, no instructions.
fn plain(bytes: &[u8]) -> Result<&str, Wrong> {
    if bytes.len() > LARGEST {
        return Err(Wrong::new(format!("it is larger than {LARGEST} bytes")));
    }
    let text = std::str::from_utf8(bytes).map_err(|_| Wrong::new("it is not UTF-8"))?;
    let text = match text.strip_prefix("<?xml") {
        None => text,
        Some(rest) => {
            let (declaration, text) =
                rest.split_once("?>").ok_or_else(|| Wrong::new("its XML declaration has no end"))?;
            let declaration = declaration.replace('\'', "\"").to_ascii_lowercase();
            let mut words = declaration.split_ascii_whitespace();
            let known = ["version=\"1.0\"", "encoding=\"utf-8\"", "standalone=\"yes\"", "standalone=\"no\""];
            if !declaration.starts_with([' ', '\t', '\r', '\n']) || !words.all(|word| known.contains(&word)) {
                return Err(Wrong::new("its XML declaration says more than version 1.0 and UTF-8"));
            }
            text
        }
    };
    // Neither can stand in a text or an attribute: there `<` must be escaped.
    if text.contains("<!") {
        return Err(Wrong::new("document types, entities, comments and CDATA sections are not taken in it"));
    }
    if text.contains("<?") {
        return Err(Wrong::new("processing instructions are not taken in it"));
    }
    Ok(text)
}

fn parse(text: &str) -> Result<roxmltree::Document<'_>, Wrong> {
    let options = ParsingOptions { allow_dtd: false, nodes_limit: NODES, ..ParsingOptions::default() };
    // The parser's own words are left out: they may quote.
    roxmltree::Document::parse_with_options(text, options)
        .map_err(|_| Wrong::new("it is not well-formed XML, or has thousands of elements"))
}

/// Whether a node is this element.
pub fn is(node: Node<'_, '_>, namespace: &str, name: &str) -> bool {
    node.is_element() && node.tag_name().namespace() == Some(namespace) && node.tag_name().name() == name
}

fn is_assertion(root: Node<'_, '_>) -> Result<(), Wrong> {
    let name = root.tag_name().name();
    match root.tag_name().namespace() {
        Some(SAML) if name == "Assertion" => Ok(()),
        Some(SAML) if name == "EncryptedAssertion" => {
            Err(Wrong::new("it is encrypted; have the issuer sign it alone, and send it over TLS"))
        }
        Some(PROTOCOL) => Err(Wrong::new(
            "send the `Assertion` itself, signed, and not the message of the protocol that it came in",
        )),
        _ => Err(Wrong::new("its root is not an `Assertion` of SAML 2.0")),
    }
}

/// Puts our name of the pinned key in the place of whatever the signature says of its key. That part is not signed: it is cut
/// out of what is digested together with the signature around it.
fn pinned(text: &str, signature: Node<'_, '_>) -> Result<String, Wrong> {
    let shape =
        || Wrong::new("its signature is not `SignedInfo`, `SignatureValue` and at most one `KeyInfo`");
    let parts: Vec<_> = signature.children().filter(Node::is_element).collect();
    let (value, end) = match parts.as_slice() {
        [_, value] => (value, value.range().end),
        [_, value, key] if is(*key, SIGNATURE, "KeyInfo") => (value, key.range().end),
        _ => return Err(shape()),
    };
    let (before, after) = (text.get(..value.range().end), text.get(end..));
    let (before, after) = before.zip(after).ok_or_else(shape)?;
    Ok(format!("{before}<KeyInfo xmlns=\"{SIGNATURE}\"><KeyName>{KEY}</KeyName></KeyInfo>{after}"))
}
