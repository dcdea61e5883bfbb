//! The three parts of a JSON Web Token (RFC 7519, RFC 7515), read strictly.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::de::{self, Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

/// Largest token that is looked at, in bytes. Envoy's own limit on all headers is 60 kB; a token with a thousand
/// groups has about this size.
pub const MAX_TOKEN: usize = 16 * 1024;

/// Longest `kid`, in bytes. It may be passed on to control and so is bounded and printable.
const MAX_KID: usize = 256;

/// A token whose signature has not been looked at: nothing in it is true yet.
pub(super) struct Untrusted<'t> {
    /// `alg`, as the token claims it.
    pub algorithm: String,
    /// `kid`.
    pub kid: Option<String>,
    /// The claims.
    pub claims: Map<String, Value>,
    /// The bytes that are signed: header and claims, as encoded.
    pub signed: &'t [u8],
    /// The signature.
    pub signature: Vec<u8>,
}

impl<'t> Untrusted<'t> {
    /// Takes a token apart; the error says what is wrong with it.
    pub fn read(token: &'t str) -> Result<Self, &'static str> {
        if token.len() > MAX_TOKEN {
            return Err("it is longer than 16 kB");
        }
        let (signed, signature) = token.rsplit_once('.').ok_or("it does not have three parts")?;
        let (header, claims) = signed.split_once('.').ok_or("it does not have three parts")?;
        if claims.contains('.') {
            return Err("it does not have three parts (encrypted tokens are not read)");
        }
        let header = object(header).ok_or("its header is not a JSON object without duplicate keys")?;
        if header.contains_key("crit") {
            return Err("its header demands extensions (`crit`) that are not known here");
        }
        let algorithm = match header.get("alg") {
            Some(Value::String(algorithm)) => algorithm.clone(),
            _ => return Err("its header has no `alg`"),
        };
        let kid = match header.get("kid") {
            None => None,
            Some(Value::String(kid)) if is_kid(kid) => Some(kid.clone()),
            Some(_) => return Err("its `kid` is not a printable string of at most 256 bytes"),
        };
        let claims = object(claims).ok_or("its claims are not a JSON object without duplicate keys")?;
        let signature = URL_SAFE_NO_PAD.decode(signature).map_err(|_| "its signature is not base64url")?;
        Ok(Self { algorithm, kid, claims, signed: signed.as_bytes(), signature })
    }
}

fn is_kid(kid: &str) -> bool {
    (1..=MAX_KID).contains(&kid.len()) && kid.bytes().all(|b| b.is_ascii_graphic() || b == b' ')
}

fn object(part: &str) -> Option<Map<String, Value>> {
    object_of(&URL_SAFE_NO_PAD.decode(part).ok()?)
}

/// A JSON object without duplicate keys.
pub(super) fn object_of(json: &[u8]) -> Option<Map<String, Value>> {
    match serde_json::from_slice(json).ok()? {
        Strict(Value::Object(map)) => Some(map),
        Strict(_) => None,
    }
}

/// A JSON value in which no object has a key twice: two readers of such an object may see different claims.
struct Strict(Value);

impl<'de> Deserialize<'de> for Strict {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(StrictVisitor).map(Self)
    }
}

struct StrictVisitor;

impl<'de> Visitor<'de> for StrictVisitor {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON without duplicate keys")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E: de::Error>(self, value: f64) -> Result<Value, E> {
        Number::from_f64(value).map(Value::Number).ok_or_else(|| E::custom("not a number"))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Value, A::Error> {
        let mut values = Vec::new();
        while let Some(Strict(value)) = list.next_element()? {
            values.push(value);
        }
        Ok(Value::Array(values))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let mut map = Map::new();
        while let Some((key, Strict(value))) = entries.next_entry::<String, Strict>()? {
            if map.insert(key, value).is_some() {
                return Err(de::Error::custom("duplicate key"));
            }
        }
        Ok(Value::Object(map))
    }
}
