//! The headers of a request to an MCP server.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;

/// Longest session id that is recorded, in bytes.
const MAX_SESSION: usize = 256;

/// What stands for a value that a header cannot carry (revision 2026-07-28).
const ENCODED: (&str, &str) = ("=?base64?", "?=");

/// What the headers say.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Head {
    /// `Mcp-Session-Id`.
    pub session: Option<String>,
    /// `MCP-Protocol-Version`.
    pub version: Option<String>,
    /// `Mcp-Method`: the body's method, repeated.
    pub method: Option<String>,
    /// `Mcp-Name`: the name of the tool or prompt, or the URI of the resource, repeated.
    pub name: Option<String>,
    /// `Mcp-Param-...`: names of the headers and values of arguments, repeated.
    pub params: Vec<(String, String)>,
}

impl Head {
    /// Reads headers, whose names are in lower case.
    ///
    /// # Errors
    /// What is wrong: a header that stands twice, so that two readers could take two values.
    pub fn read(headers: &[(String, String)]) -> Result<Self, &'static str> {
        let mut head = Self::default();
        for (name, value) in headers.iter().filter(|(name, _)| name.starts_with("mcp-")) {
            let once = |place: &mut Option<String>, value: String| match place.replace(value) {
                None => Ok(()),
                Some(_) => Err("an `Mcp-` header stands twice; send each once"),
            };
            match name.as_str() {
                "mcp-session-id" => {
                    let text = value.len() <= MAX_SESSION && value.bytes().all(|b| b.is_ascii_graphic());
                    if !text {
                        return Err("`Mcp-Session-Id` must be at most 256 visible ASCII characters");
                    }
                    once(&mut head.session, value.clone())?;
                }
                "mcp-protocol-version" => once(&mut head.version, value.clone())?,
                "mcp-method" => once(&mut head.method, decoded(value)?)?,
                "mcp-name" => once(&mut head.name, decoded(value)?)?,
                name if name.starts_with("mcp-param-") => {
                    if head.params.iter().any(|(own, _)| own == name) {
                        return Err("an `Mcp-` header stands twice; send each once");
                    }
                    head.params.push((name.to_owned(), decoded(value)?));
                }
                _ => {}
            }
        }
        Ok(head)
    }

    /// Whether the client speaks a revision without sessions, whose results name their type.
    pub fn is_modern(&self) -> bool {
        self.version.as_deref().is_some_and(|version| version >= "2026")
    }
}

fn decoded(value: &str) -> Result<String, &'static str> {
    let Some(body) = value.strip_prefix(ENCODED.0).and_then(|rest| rest.strip_suffix(ENCODED.1)) else {
        return Ok(value.to_owned());
    };
    let bytes = BASE64.decode(body).map_err(|_| "an `Mcp-` header is not base64")?;
    String::from_utf8(bytes).map_err(|_| "an `Mcp-` header is not UTF-8")
}

/// A value as a header carries it.
pub fn encoded(value: &str) -> String {
    let plain = value.bytes().all(|b| (0x20..=0x7e).contains(&b)) && value.trim() == value;
    if plain && !value.starts_with(ENCODED.0) {
        return value.to_owned();
    }
    format!("{}{}{}", ENCODED.0, BASE64.encode(value), ENCODED.1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(headers: &[(&str, &str)]) -> Result<Head, &'static str> {
        let headers: Vec<_> =
            headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Head::read(&headers)
    }

    #[test]
    fn each_header_is_read_and_decoded() {
        let head = read(&[
            ("mcp-session-id", "s1"),
            ("mcp-protocol-version", "2026-07-28"),
            ("mcp-method", "tools/call"),
            ("mcp-name", "=?base64?w6k=?="),
            ("mcp-param-region", "eu"),
            ("x-mcp", "ignored"),
        ])
        .unwrap();
        assert_eq!((head.session.as_deref(), head.name.as_deref()), (Some("s1"), Some("é")));
        assert_eq!(head.params, [("mcp-param-region".to_owned(), "eu".to_owned())]);
        assert!(head.is_modern());
        assert!(!read(&[("mcp-protocol-version", "2025-11-25")]).unwrap().is_modern());
        for value in ["plain", "é", " edge", "=?base64?x?="] {
            assert_eq!(decoded(&encoded(value)).as_deref(), Ok(value));
        }
    }

    #[test]
    fn two_of_one_header_and_unreadable_ones_are_refused() {
        for headers in [
            [("mcp-session-id", "a"), ("mcp-session-id", "a")],
            [("mcp-method", "a"), ("mcp-method", "b")],
            [("mcp-param-x", "a"), ("mcp-param-x", "b")],
            [("mcp-name", "=?base64?*?="), ("x", "")],
            [("mcp-name", "=?base64?/w==?="), ("x", "")],
            [("mcp-session-id", "a b"), ("x", "")],
        ] {
            assert!(read(&headers).is_err(), "{headers:?}");
        }
    }
}
