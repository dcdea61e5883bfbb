//! Assertions as attackers write them, signed by `xmlsec1` itself.

use std::path::Path;
use std::process::Command;
use std::sync::LazyLock;

use rsa::pkcs8::{EncodePrivateKey as _, LineEnding};
use serde_json::json;

use super::*;

/// A key and the certificate of it, as PEM.
pub struct Signer {
    private: String,
    pub certificate: String,
}

impl Signer {
    fn of(private: String) -> Self {
        let key = rcgen::KeyPair::from_pem(&private).unwrap();
        let certificate =
            rcgen::CertificateParams::new(vec!["idp.test".into()]).unwrap().self_signed(&key).unwrap();
        Self { private, certificate: certificate.pem() }
    }

    fn rsa() -> Self {
        let key = rsa::RsaPrivateKey::new(&mut rand_core::OsRng, 2048).unwrap();
        Self::of(key.to_pkcs8_pem(LineEnding::LF).unwrap().to_string())
    }

    /// Fills the signature in that a document has an empty one of.
    fn sign(&self, document: &str) -> String {
        let directory = tempfile::tempdir().unwrap();
        let place = |name: &str| directory.path().join(name);
        std::fs::write(place("key.pem"), &self.private).unwrap();
        std::fs::write(place("document.xml"), document).unwrap();
        let out = Command::new(PROGRAM)
            .args(["--sign", "--id-attr:ID", "urn:oasis:names:tc:SAML:2.0:assertion:Assertion"])
            .args(["--privkey-pem".as_ref(), place("key.pem").as_os_str(), place("document.xml").as_os_str()])
            .output()
            .expect("xmlsec1, which `make test` installs");
        assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
        String::from_utf8(out.stdout).unwrap()
    }
}

pub static RSA: LazyLock<Signer> = LazyLock::new(Signer::rsa);
static OTHER: LazyLock<Signer> = LazyLock::new(Signer::rsa);
static EC: LazyLock<Signer> =
    LazyLock::new(|| Signer::of(rcgen::KeyPair::generate().unwrap().serialize_pem()));

const SUBJECT: &str = "<saml:NameID>ana</saml:NameID>";

/// An assertion with an empty signature.
pub fn assertion() -> String {
    let signature = r##"<ds:Signature xmlns:ds="http://www.w3.org/2000/09/xmldsig#"><ds:SignedInfo>
<ds:CanonicalizationMethod Algorithm="http://www.w3.org/2001/10/xml-exc-c14n#"/>
<ds:SignatureMethod Algorithm="http://www.w3.org/2001/04/xmldsig-more#rsa-sha256"/>
<ds:Reference URI="#_a1"><ds:Transforms><ds:Transform Algorithm="http://www.w3.org/2000/09/xmldsig#enveloped-signature"/>
<ds:Transform Algorithm="http://www.w3.org/2001/10/xml-exc-c14n#"/></ds:Transforms>
<ds:DigestMethod Algorithm="http://www.w3.org/2001/04/xmlenc#sha256"/><ds:DigestValue></ds:DigestValue></ds:Reference>
</ds:SignedInfo><ds:SignatureValue></ds:SignatureValue></ds:Signature>"##;
    format!(
        r#"<saml:Assertion xmlns:saml="urn:oasis:names:tc:SAML:2.0:assertion" ID="_a1" IssueInstant="2026-11-22T09:00:00Z" Version="2.0">
<saml:Issuer>https://idp.test</saml:Issuer>{signature}
<saml:Subject>{SUBJECT}<saml:SubjectConfirmation Method="urn:oasis:names:tc:SAML:2.0:cm:bearer"><saml:SubjectConfirmationData
 NotOnOrAfter="2026-11-22T09:05:00Z" Recipient="https://sluice.test/v1/oauth/token"/></saml:SubjectConfirmation></saml:Subject>
<saml:Conditions NotBefore="2026-11-22T08:59:00Z" NotOnOrAfter="2026-11-22T09:06:00Z"><saml:AudienceRestriction>
<saml:Audience>sluice</saml:Audience></saml:AudienceRestriction></saml:Conditions>
<saml:AuthnStatement AuthnInstant="2026-11-22T08:59:59Z" SessionIndex="_a1" SessionNotOnOrAfter="2026-11-22T10:00:00Z"/>
<saml:AttributeStatement><saml:Attribute Name="groups"><saml:AttributeValue>staff</saml:AttributeValue>
<saml:AttributeValue>auditors</saml:AttributeValue></saml:Attribute></saml:AttributeStatement></saml:Assertion>"#
    )
}

fn read(document: &str) -> Result<Assertion, String> {
    Document::take(document.as_bytes()).and_then(|document| document.read()).map_err(|why| why.to_string())
}

/// Whether a document is taken from this signer: what it says, or why not.
async fn taken(document: &str, signer: &Signer) -> Result<Assertion, String> {
    let taken = Document::take(document.as_bytes()).map_err(|why| why.to_string())?;
    let assertion = taken.read().map_err(|why| why.to_string())?;
    let scratch = tempfile::tempdir().unwrap();
    let signatures = Signatures::new(Path::new(PROGRAM), scratch.path());
    match signatures.check(&taken, std::slice::from_ref(&signer.certificate)).await {
        Ok(()) => Ok(assertion),
        Err(why) => Err(format!("{why:?}")),
    }
}

#[tokio::test]
async fn a_signed_assertion_is_what_it_says() {
    let assertion = taken(&RSA.sign(&assertion()), &RSA).await.unwrap();
    assert_eq!(
        json!(assertion.claims),
        json!({
            "iss": "https://idp.test", "sub": "ana", "aud": ["sluice"], "groups": ["staff", "auditors"], "jti": "_a1",
            "iat": 1_795_338_000_u64, "nbf": 1_795_337_940_u64, "exp": 1_795_338_300_u64,
        })
    );
    assert_eq!((assertion.id.as_str(), assertion.issuer.as_str()), ("_a1", "https://idp.test"));
    assert_eq!(assertion.recipient, "https://sluice.test/v1/oauth/token");
    assert_eq!(assertion.session_ends_ms, Some(1_795_341_600_000));
}

#[tokio::test]
async fn each_algorithm_that_is_allowed_is_checked_by_its_own_kind_of_key() {
    for (method, digest, signer) in [
        ("rsa-sha384", "http://www.w3.org/2001/04/xmldsig-more#sha384", &*RSA),
        ("rsa-sha512", "http://www.w3.org/2001/04/xmlenc#sha512", &*RSA),
        ("ecdsa-sha256", "http://www.w3.org/2001/04/xmlenc#sha256", &*EC),
        ("ecdsa-sha384", "http://www.w3.org/2001/04/xmlenc#sha256", &*EC),
    ] {
        let text = assertion().replace("rsa-sha256", method);
        let signed = signer.sign(&text.replace("http://www.w3.org/2001/04/xmlenc#sha256", digest));
        assert!(taken(&signed, signer).await.is_ok(), "{method}");
        let other = if std::ptr::eq(signer, &*EC) { &*RSA } else { &*EC };
        assert_eq!(taken(&signed, other).await.unwrap_err(), "Forged", "{method}");
    }
}

#[tokio::test]
async fn one_of_several_certificates_is_enough_and_none_of_them_too_little() {
    let document = Document::take(RSA.sign(&assertion()).as_bytes()).unwrap();
    let scratch = tempfile::tempdir().unwrap();
    let signatures = Signatures::new(Path::new(PROGRAM), scratch.path());
    let of =
        |signers: &[&Signer]| signers.iter().map(|signer| signer.certificate.clone()).collect::<Vec<_>>();
    assert_eq!(signatures.check(&document, &of(&[&OTHER, &EC, &RSA])).await, Ok(()));
    assert_eq!(signatures.check(&document, &of(&[&OTHER, &EC])).await, Err(Unproved::Forged));
    assert_eq!(signatures.check(&document, &[]).await, Err(Unproved::Forged));
}

#[tokio::test]
async fn what_is_changed_behind_the_signature_is_forged() {
    let signed = RSA.sign(&assertion());
    for (from, to) in [
        ("<saml:NameID>ana<", "<saml:NameID>eve<"),
        (">staff<", ">admins<"),
        ("2026-11-22T09:06:00Z", "2027-11-22T09:06:00Z"),
        ("2026-11-22T09:05:00Z\" Rec", "2027-11-22T09:05:00Z\" Rec"),
        ("<saml:AudienceRestriction>\n", "<saml:AudienceRestriction> \n"),
        (" SessionNotOnOrAfter=\"2026-11-22T10:00:00Z\"", ""),
    ] {
        let changed = signed.replacen(from, to, 1);
        assert_ne!(changed, signed, "{from}");
        assert_eq!(taken(&changed, &RSA).await.unwrap_err(), "Forged", "{from}");
    }
    // What does not change the canonical form does not change what is read.
    let same = signed.replacen("ID=\"_a1\" IssueInstant=", "ID='_&#97;1'\n  IssueInstant=", 1);
    let said = taken(&signed, &RSA).await;
    assert!(said.is_ok(), "{said:?}");
    assert_eq!(taken(&same, &RSA).await, said);
    let declared = signed.replacen("<?xml version=\"1.0\"?>", "<?xml version='1.0' encoding='UTF-8'?>", 1);
    assert_ne!(declared, signed);
    assert_eq!(taken(&declared, &RSA).await, said);
}

/// Somlai and others, "On Breaking SAML" (USENIX Security 2012): a signed assertion is put where the signature is found, and a forged
/// one where it is read.
#[tokio::test]
async fn a_signature_cannot_be_wrapped() {
    let signed = RSA.sign(&assertion()).trim_start_matches("<?xml version=\"1.0\"?>").trim().to_owned();
    let (start, end) = (signed.find("<ds:Signature ").unwrap(), signed.find("</ds:Signature>").unwrap() + 15);
    let signature = signed.get(start..end).unwrap();
    let bare = signed.replace(signature, "");
    let evil = |id: &str| bare.replace(">ana<", ">eve<").replace("ID=\"_a1\"", &format!("ID=\"{id}\""));
    let within =
        |outer: &str, inner: &str| outer.replacen("</saml:Issuer>", &format!("</saml:Issuer>{inner}"), 1);
    let response = |inner: &str| {
        format!(
            "<samlp:Response xmlns:samlp=\"urn:oasis:names:tc:SAML:2.0:protocol\" ID=\"_r1\">{inner}</samlp:Response>"
        )
    };
    let object = |inner: &str| {
        signature.replace("</ds:Signature>", &format!("<ds:Object>{inner}</ds:Object></ds:Signature>"))
    };
    let with_signature = |assertion: &str, signature: &str| within(assertion, signature);
    let key_info = |inner: &str| {
        signature.replace("</ds:Signature>", &format!("<ds:KeyInfo>{inner}</ds:KeyInfo></ds:Signature>"))
    };
    let variants = [
        ("1", response(&with_signature(&evil("_a1"), &object(&response(&bare))))),
        ("2", response(&format!("{}{signed}", evil("_e1")))),
        ("3", within(&evil("_e1"), &signed)),
        ("3, after", evil("_e1").replace("</saml:Assertion>", &format!("{signed}</saml:Assertion>"))),
        (
            "4",
            evil("_e1").replace(
                "</saml:Assertion>",
                &format!("<saml:Advice>{signed}</saml:Advice></saml:Assertion>"),
            ),
        ),
        (
            "5",
            with_signature(&evil("_e1"), signature)
                .replace("</saml:Assertion>", &format!("{bare}</saml:Assertion>")),
        ),
        ("6", with_signature(&evil("_e1"), &object(&bare))),
        ("7", within(&evil("_e1"), &format!("<x:Extensions xmlns:x=\"urn:x\">{signed}</x:Extensions>"))),
        ("8", with_signature(&evil("_a1"), &object(&bare))),
        (
            "of one id",
            with_signature(&evil("_a1"), signature)
                .replace("</saml:Assertion>", &format!("{bare}</saml:Assertion>")),
        ),
        ("in the key", with_signature(&evil("_a1"), &key_info(&bare))),
        ("in an attribute", with_signature(&evil("_a1").replace(">staff<", &format!(">{bare}<")), signature)),
        ("in a name", with_signature(&evil("_a1").replace(">eve<", &format!(">{bare}<")), signature)),
        ("of an empty reference", with_signature(&evil("_e1"), &signature.replace("\"#_a1\"", "\"\""))),
        ("without a signature", evil("_a1")),
        ("of two signatures", with_signature(&with_signature(&evil("_a1"), signature), signature)),
    ];
    assert!(taken(&with_signature(&bare, signature), &RSA).await.is_ok(), "the parts themselves are good");
    for (name, document) in variants {
        let told = taken(&document, &RSA).await;
        assert!(told.is_err(), "XSW {name} is taken for {:?}", told.unwrap().claims);
    }
}

#[tokio::test]
async fn a_key_that_comes_with_the_document_is_no_key() {
    let own = OTHER.certificate.lines().filter(|line| !line.starts_with("-----")).collect::<String>();
    let key_value = "<ds:KeyInfo><ds:KeyValue/></ds:KeyInfo>";
    for key in [
        format!(
            "<ds:KeyInfo><ds:X509Data><ds:X509Certificate>{own}</ds:X509Certificate></ds:X509Data></ds:KeyInfo>"
        ),
        key_value.to_owned(),
    ] {
        let document = assertion().replace("</ds:Signature>", &format!("{key}</ds:Signature>"));
        let signed = OTHER.sign(&document);
        assert!(
            key != key_value || signed.contains("<ds:Modulus>") || signed.contains("Modulus"),
            "{signed}"
        );
        // By the program itself, without what is done here, the first one of these is a good signature.
        assert_eq!(taken(&signed, &RSA).await.unwrap_err(), "Forged", "{key}");
        assert!(taken(&signed, &OTHER).await.is_ok(), "pinned, it is good: {key}");
    }
    // The issuer's own certificate in it changes nothing; nor does what nobody can read.
    for key in ["<ds:X509Data/>", "<x:What xmlns:x=\"urn:x\">ever</x:What>", "<ds:KeyName>other</ds:KeyName>"]
    {
        let signed = RSA
            .sign(&assertion())
            .replace("</ds:Signature>", &format!("<ds:KeyInfo>{key}</ds:KeyInfo></ds:Signature>"));
        assert!(taken(&signed, &RSA).await.is_ok(), "{key}");
    }
}

#[test]
fn a_document_that_parsers_may_read_differently_is_refused_before_any_does() {
    let good = assertion();
    let told = |document: &str| read(document).map(|_| ()).unwrap_err();
    assert!(read(&good).is_ok());
    for (document, word) in [
        (good.replace(">ana<", ">ana<!-- -->.evil<"), "comments"),
        (good.replace(">ana<", "><!-- -->ana<"), "comments"),
        (good.replace(">ana<", "><![CDATA[ana]]><"), "CDATA"),
        (good.replace(">ana<", ">ana<?x?>.evil<"), "instructions"),
        (format!("<!DOCTYPE a [<!ENTITY e \"ana\">]>{}", good.replace(">ana<", ">&e;<")), "document types"),
        (format!("<!DOCTYPE a SYSTEM \"http://127.0.0.1/x\">{good}"), "document types"),
        (
            format!("<!DOCTYPE a [<!ENTITY a \"{}\"><!ENTITY b \"&a;&a;&a;&a;\">]>{good}", "x".repeat(1000)),
            "document types",
        ),
        (format!("<?xml version=\"1.0\" encoding=\"ISO-8859-1\"?>{good}"), "declaration"),
        (format!("<?xml version=\"1.1\"?>{good}"), "declaration"),
        (format!("<?xmlversion=\"1.0\"?>{good}"), "declaration"),
        (format!("<?xml version=\"1.0\"?><?xml-stylesheet href=\"x\"?>{good}"), "instructions"),
        (good.replace(">ana<", ">&unknown;<"), "well-formed"),
        (good.replace(">ana<", ">a\u{0}na<"), "well-formed"),
        (format!("{good}<a/>"), "well-formed"),
        (format!("\u{feff}{good}x"), "well-formed"),
        (good.replace("ID=\"_a1\"", "ID=\"_a1\" ID=\"_a2\""), "well-formed"),
        (good.replace(">ana<", "><a>ana</a><"), "only text"),
        (good.replace(">ana<", &format!(">{}<", "<a/>".repeat(5000))), "well-formed"),
        (good.replace(">ana<", &format!(">{}<", "a".repeat(LARGEST))), "larger"),
    ] {
        let told = told(&document);
        assert!(told.contains(word), "{word}: {told}");
    }
    let latin: Vec<u8> = good.replace(">ana<", ">an\u{e1}<").chars().map(|c| c as u8).collect();
    assert!(Document::take(&latin).unwrap_err().to_string().contains("UTF-8"));
    let wide: Vec<u8> = good.encode_utf16().flat_map(u16::to_le_bytes).collect();
    assert!(Document::take(&wide).is_err());
    assert!(Document::take(b"").is_err() && Document::take(b"<a/>").is_err());
}

#[test]
fn whatever_is_not_in_the_one_shape_is_refused() {
    let good = assertion();
    for (from, to, word) in [
        // The signature.
        ("rsa-sha256", "hmac-sha256", "not signed by RSA"),
        ("2001/04/xmldsig-more#rsa-sha256", "2000/09/xmldsig#rsa-sha1", "not signed by RSA"),
        ("2001/04/xmlenc#sha256", "2000/09/xmldsig#sha1", "digest"),
        (
            "rsa-sha256\"/>",
            "rsa-sha256\"><ds:HMACOutputLength>1</ds:HMACOutputLength></ds:SignatureMethod>",
            "parameters",
        ),
        ("URI=\"#_a1\"", "URI=\"\"", "something else"),
        ("URI=\"#_a1\"", "URI=\"#xpointer(/)\"", "something else"),
        ("URI=\"#_a1\"", "URI=\"file:///etc/passwd\"", "something else"),
        ("URI=\"#_a1\"", "URI=\"#_a1\" Type=\"x\"", "attribute"),
        ("URI=\"#_a1\"", "", "something else"),
        ("<ds:Transform Algorithm=\"http://www.w3.org/2001/10/xml-exc-c14n#\"/>", "", "transforms"),
        ("xmldsig#enveloped-signature", "xmldsig#base64", "transforms"),
        (
            "<ds:Transform Algorithm=\"http://www.w3.org/2001/10/xml-exc-c14n#\"/>",
            "<ds:Transform Algorithm=\"http://www.w3.org/TR/1999/REC-xslt-19991116\"/>",
            "transforms",
        ),
        (
            "Transform Algorithm=\"http://www.w3.org/2001/10/xml-exc-c14n#\"",
            "Transform Algorithm=\"http://www.w3.org/2001/10/xml-exc-c14n#WithComments\"",
            "transforms",
        ),
        (
            "</ds:Transforms>",
            "<ds:Transform Algorithm=\"http://www.w3.org/2001/10/xml-exc-c14n#\"/></ds:Transforms>",
            "transforms",
        ),
        ("<ds:Reference ", "<ds:Reference URI=\"#_a1\"/><ds:Reference ", "as a whole"),
        ("</ds:Signature>", "<ds:Object/></ds:Signature>", "at most one `KeyInfo`"),
        ("</ds:Signature>", "<ds:KeyInfo/><ds:KeyInfo/></ds:Signature>", "at most one `KeyInfo`"),
        // The assertion.
        ("Version=\"2.0\"", "Version=\"1.1\"", "version"),
        ("Version=\"2.0\"", "Version=\"2.0\" x=\"y\"", "attribute"),
        ("ID=\"_a1\"", "ID=\"')or('1\"", "`ID`"),
        ("ID=\"_a1\"", "", "`ID`"),
        ("<saml:NameID>", "<saml:NameID Id=\"_a1\">", "another element has its `ID`"),
        ("<saml:NameID>", "<saml:NameID xml:id=\"x\">", "xml:"),
        ("2026-11-22T09:00:00Z", "today", "not a time"),
        (
            "<saml:Issuer>",
            "<saml:Issuer Format=\"urn:oasis:names:tc:SAML:1.1:nameid-format:emailAddress\">",
            "entity",
        ),
        ("<saml:Subject>", "<saml:Advice/><saml:Subject>", "in this order"),
        ("<saml:Subject>", "words<saml:Subject>", "text between"),
        ("</saml:Assertion>", "<saml:AuthzDecisionStatement/></saml:Assertion>", "in this order"),
        (
            "</saml:AttributeStatement>",
            "<saml:EncryptedAttribute/></saml:AttributeStatement>",
            "something else than attributes",
        ),
        (SUBJECT, "<saml:EncryptedID/>", "its subject must be"),
        ("cm:bearer", "cm:holder-of-key", "bearer"),
        ("<saml:Subject>", "<saml:Subject><saml:SubjectConfirmation/>", "its subject must be"),
        ("Recipient=", "Address=\"10.0.0.1\" Recipient=", "attribute"),
        (" Recipient=\"https://sluice.test/v1/oauth/token\"", "", "Recipient"),
        (" NotOnOrAfter=\"2026-11-22T09:05:00Z\"", "", "NotOnOrAfter"),
        ("<saml:AudienceRestriction>", "<saml:ProxyRestriction/><saml:AudienceRestriction>", "condition"),
        ("<saml:AudienceRestriction>", "<saml:Condition/><saml:AudienceRestriction>", "condition"),
        ("<saml:AudienceRestriction>", "<saml:AudienceRestriction/><saml:AudienceRestriction>", "condition"),
        ("<saml:Audience>sluice</saml:Audience>", "<saml:Audience><a/></saml:Audience>", "only text"),
        ("Name=\"groups\"", "Name=\"sub\"", "claim"),
        ("Name=\"groups\"", "", "with names"),
    ] {
        let changed = good.replacen(from, to, 1);
        assert_ne!(changed, good, "{from}");
        let told = read(&changed).map(|_| ()).unwrap_err();
        assert!(told.contains(word), "{from} > {to}: {told}");
    }
    let wrapped = format!(
        "<samlp:Response xmlns:samlp=\"urn:oasis:names:tc:SAML:2.0:protocol\">{good}</samlp:Response>"
    );
    assert!(read(&wrapped).unwrap_err().contains("send the `Assertion` itself"));
    assert!(
        read("<saml:EncryptedAssertion xmlns:saml=\"urn:oasis:names:tc:SAML:2.0:assertion\"/>")
            .unwrap_err()
            .contains("encrypted")
    );
    assert!(read(&good.replace("SAML:2.0:assertion", "SAML:1.0:assertion")).unwrap_err().contains("root"));
}

#[test]
fn attributes_become_claims_and_what_is_no_text_is_no_name() {
    let with = |inner: &str| {
        let good = assertion();
        let start = good.find("<saml:Attribute ").unwrap();
        let end = good.find("</saml:AttributeStatement>").unwrap();
        read(&format!("{}{inner}{}", good.get(..start).unwrap(), good.get(end..).unwrap())).unwrap().claims
    };
    let value = |text: &str| format!("<saml:AttributeValue>{text}</saml:AttributeValue>");
    let attribute = |name: &str, values: &str| {
        format!("<saml:Attribute Name=\"{name}\" FriendlyName=\"x\">{values}</saml:Attribute>")
    };
    assert_eq!(with(&attribute("mail", &value("ana@example.com")))["mail"], "ana@example.com");
    // Some issuers write each group as an attribute of its own.
    let twice = with(&(attribute("Role", &value("a &amp; b")) + &attribute("Role", &value("c"))));
    assert_eq!(twice["Role"], json!(["a & b", "c"]));
    assert_eq!(with(&attribute("none", ""))["none"], json!([]));
    let structured = with(&attribute("groups", &(value("a") + &value("<saml:NameID>b</saml:NameID>"))));
    assert_eq!(structured["groups"], json!(["a", {}]), "which no groups are");
    let transient = assertion().replace(
        "<saml:NameID>",
        "<saml:NameID Format=\"urn:oasis:names:tc:SAML:2.0:nameid-format:transient\">",
    );
    assert_eq!(read(&transient).unwrap().claims.get("sub"), None, "it is another one next time");
}

#[tokio::test]
async fn whichever_byte_is_changed_the_document_says_the_same_or_nothing() {
    let signed = RSA.sign(&assertion());
    let good = taken(&signed, &RSA).await.unwrap();
    for place in (0..signed.len()).step_by(47) {
        for byte in ["X", " ", "&#88;", ""] {
            let (before, after) = (signed.get(..place).unwrap(), signed.get(place + 1..).unwrap());
            if let Ok(said) = taken(&format!("{before}{byte}{after}"), &RSA).await {
                assert_eq!(said, good, "byte {place} as {byte:?}");
            }
        }
    }
}
