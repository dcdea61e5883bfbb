//! Where the model is.

use hyper::Uri;

use super::StackError;

/// A Messages API: `https://api.anthropic.com`, or any other base URL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Upstream {
    /// Name or address.
    pub host: String,
    /// Port.
    pub port: u16,
    /// Whether it is spoken to over TLS.
    pub tls: bool,
}

impl Upstream {
    /// Anthropic's own.
    pub fn anthropic() -> Self {
        Self { host: "api.anthropic.com".to_owned(), port: 443, tls: true }
    }

    /// On this machine, in the clear.
    pub fn local(port: u16) -> Self {
        Self { host: "127.0.0.1".to_owned(), port, tls: false }
    }

    /// Reads a base URL.
    ///
    /// # Errors
    /// [`StackError::Setting`] when it is not `http(s)://host[:port]`.
    pub fn read(url: &str) -> Result<Self, StackError> {
        let wrong = |why: &str| StackError::Setting {
            name: "UPSTREAM",
            reason: format!("`{url}` {why}; write https://host or http://host:port"),
        };
        let uri: Uri = url.parse().map_err(|_| wrong("is not a URL"))?;
        let tls = match uri.scheme_str() {
            Some("https") => true,
            Some("http") => false,
            _ => return Err(wrong("is neither http nor https")),
        };
        if !matches!(uri.path(), "" | "/") || uri.query().is_some() {
            return Err(wrong("has a path, which the routes of the API leave no room for"));
        }
        let host = uri.host().ok_or_else(|| wrong("names no host"))?.trim_matches(['[', ']']).to_owned();
        let port = uri.port_u16().unwrap_or(if tls { 443 } else { 80 });
        Ok(Self { host, port, tls })
    }

    /// What the `host` header says: the port only where it is not the scheme's own.
    pub fn authority(&self) -> String {
        let host = if self.host.contains(':') { format!("[{}]", self.host) } else { self.host.clone() };
        let usual = if self.tls { 443 } else { 80 };
        if self.port == usual { host } else { format!("{host}:{}", self.port) }
    }

    /// The base URL.
    pub fn url(&self) -> String {
        format!("{}://{}", if self.tls { "https" } else { "http" }, self.authority())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base_urls_of_both_schemes_are_read() {
        let cases = [
            ("https://api.anthropic.com", "api.anthropic.com", 443, true, "api.anthropic.com"),
            ("http://127.0.0.1:9000/", "127.0.0.1", 9000, false, "127.0.0.1:9000"),
            ("https://model.example:8443", "model.example", 8443, true, "model.example:8443"),
            ("http://[::1]:81", "::1", 81, false, "[::1]:81"),
        ];
        for (url, host, port, tls, authority) in cases {
            let upstream = Upstream::read(url).unwrap();
            assert_eq!(upstream, Upstream { host: host.into(), port, tls }, "{url}");
            assert_eq!(upstream.authority(), authority);
        }
    }

    #[test]
    fn what_is_no_base_url_is_refused_with_what_to_write() {
        for url in ["api.anthropic.com", "ftp://host", "https://host/v1", "http://host/?a=b", ""] {
            let error = Upstream::read(url).unwrap_err().to_string();
            assert!(error.contains("write https://host"), "{url}: {error}");
        }
    }
}
