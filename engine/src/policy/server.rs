//! Globs over the URLs of MCP servers.
//!
//! A `*` in the host part must not reach over the next slash: `https://*.example.com/*` is not to fit
//! `https://evil.test/.example.com/`. So host and path are matched apart.

use super::glob::Glob;

/// A compiled glob over URLs: `*`, or `https://HOST` or `https://HOST/PATH` with `*` and `?` in either part.
/// Without a path any path fits.
#[derive(Debug, Clone)]
pub(super) struct ServerGlob {
    text: String,
    /// Origin and path; `None`: any server.
    parts: Option<(Glob, Option<Glob>)>,
}

impl ServerGlob {
    /// Compiles a glob; the error says what is wrong.
    pub fn new(text: &str) -> Result<Self, String> {
        let whole = Glob::new(text).map_err(|e| e.to_string())?;
        if text == "*" {
            return Ok(Self { text: text.into(), parts: None });
        }
        let (scheme, rest) = text
            .split_once("://")
            .ok_or("it is not a URL; write `https://HOST/PATH`, or `*` for any server")?;
        if scheme.contains('/') {
            return Err("it is not a URL; write `https://HOST/PATH`, or `*` for any server".into());
        }
        let (host, path) = match rest.split_once('/') {
            Some((host, path)) => (host, Some(path)),
            None => (rest, None),
        };
        if host.is_empty() {
            return Err("it has no host; write `https://HOST/PATH`".into());
        }
        let origin = format!("{scheme}://{host}").to_ascii_lowercase();
        let glob = |text: &str| Glob::new(text).map_err(|e| e.to_string());
        let path = path.map(|path| glob(&format!("/{path}"))).transpose()?;
        Ok(Self { text: whole.as_str().into(), parts: Some((glob(&origin)?, path)) })
    }

    /// The glob as it was written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether the server fits.
    pub fn matches(&self, server: &Server) -> bool {
        self.parts.as_ref().is_none_or(|(origin, path)| {
            origin.matches(&server.origin) && path.as_ref().is_none_or(|path| path.matches(&server.path))
        })
    }
}

/// The URL of a server, in the one form in which every reader takes it for the same.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Server {
    origin: String,
    path: String,
}

impl Server {
    /// Reads a URL. `None`: not http(s), or written so that readers may differ on where it leads (a user part, a
    /// backslash, dot segments, percent-encoded dots or slashes, a dot at the host's end, anything beyond ASCII).
    pub fn read(url: &str) -> Option<Self> {
        if !url.bytes().all(|b| b.is_ascii_graphic() && !b"\\#\"<>^`{}|".contains(&b)) {
            return None;
        }
        let (scheme, rest) = url.split_once("://")?;
        let scheme = scheme.to_ascii_lowercase();
        let default_port = match scheme.as_str() {
            "https" => ":443",
            "http" => ":80",
            _ => return None,
        };
        let end = rest.find(['/', '?']).unwrap_or(rest.len());
        let (host, path) = rest.split_at_checked(end)?;
        let host = host.to_ascii_lowercase();
        let host = host.strip_suffix(default_port).unwrap_or(&host);
        let plain = host.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._:[]".contains(&b));
        if host.is_empty() || !plain || host.starts_with('.') || host.ends_with(['.', ':']) {
            return None;
        }
        let way = path.split_once('?').map_or(path, |(way, _)| way).to_ascii_lowercase();
        if way.contains("%2e") || way.contains("%2f") || way.contains("%5c") {
            return None;
        }
        if way.split('/').any(|segment| segment == "." || segment == "..") {
            return None;
        }
        let path = if path.starts_with('/') { path.to_owned() } else { format!("/{path}") };
        Some(Self { origin: format!("{scheme}://{host}"), path })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matches(glob: &str, url: &str) -> bool {
        let glob = ServerGlob::new(glob).unwrap_or_else(|e| panic!("{glob}: {e}"));
        Server::read(url).is_some_and(|server| glob.matches(&server))
    }

    #[test]
    fn host_and_path_are_matched_apart() {
        for (glob, url, expected) in [
            ("*", "https://any.test/x", true),
            ("https://mcp.example.com/*", "https://mcp.example.com/sse", true),
            ("https://mcp.example.com/*", "https://mcp.example.com", true),
            ("https://mcp.example.com/*", "HTTPS://MCP.Example.com:443/sse?x=1", true),
            ("https://MCP.example.com", "https://mcp.example.com/any/path", true),
            ("https://mcp.example.com/db", "https://mcp.example.com/db2", false),
            ("https://mcp.example.com/*", "http://mcp.example.com/sse", false),
            ("https://mcp.example.com/*", "https://mcp.example.com:8443/sse", false),
            ("https://*.example.com/*", "https://mcp.example.com/sse", true),
            ("https://*.example.com/*", "https://evil.test/.example.com/", false),
            ("https://*.example.com/*", "https://evil.test?.example.com/", false),
            ("https://*.example.com", "https://evil.test/x.example.com", false),
            ("https://mcp.example.com*", "https://mcp.example.com.evil.test/", true),
            ("http://localhost:*/mcp", "http://localhost:3000/mcp", true),
        ] {
            assert_eq!(matches(glob, url), expected, "{glob} on {url}");
        }
    }

    #[test]
    fn a_url_that_readers_may_take_differently_is_no_server() {
        for url in [
            "",
            "mcp.example.com",
            "ftp://a.test/",
            "file:///etc",
            "https://",
            "https:///x",
            "https://a@b.test/",
            "https://a.test\\@b.test/",
            "https://a.test/x/../y",
            "https://a.test/x/%2E%2e/y",
            "https://a.test/x%2fy",
            "https://a.test./",
            "https://.a.test/",
            "https://a.test:/",
            "https://a%2etest/",
            "https://ä.test/",
            "https://a.test/#b",
            "https://a.test /",
            "https://a.test\n",
            "https://a,b/",
        ] {
            assert_eq!(Server::read(url), None, "{url}");
        }
    }

    #[test]
    fn a_glob_that_is_not_over_urls_is_refused() {
        for glob in
            ["mcp.example.com", "*.example.com", "https://", "https:///x", "", "a/b://c", "https://[::1]/"]
        {
            assert!(ServerGlob::new(glob).is_err(), "{glob}");
        }
    }
}
