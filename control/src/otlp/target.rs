//! Where a signal goes, and the headers that go with it.

use std::path::PathBuf;

use axum::http::{HeaderMap, HeaderName, HeaderValue, Uri};
use zeroize::Zeroizing;

use super::Signal;

/// Why there is nowhere to send to.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum TargetError {
    /// Not an address.
    #[error("the OTLP endpoint is not an http or https URL; write it as http://collector:4318")]
    Endpoint,
    /// Not a list of names and values.
    #[error(
        "{0} is not a list as in name=value,other=value, with % before the hexadecimal digits of other characters"
    )]
    Pairs(&'static str),
    /// A header that cannot be sent.
    #[error("an OTLP header cannot be sent: its name or its value has characters that headers do not have")]
    Header,
}

/// Where a signal goes.
#[derive(Debug, Clone)]
pub struct Target {
    /// The whole address.
    pub url: Uri,
    /// What goes with each message.
    pub headers: Headers,
}

/// Headers of each message: credentials, mostly.
#[derive(Debug, Clone, Default)]
pub struct Headers {
    /// Those that were given.
    pub given: HeaderMap,
    /// A file with more of them, read for each message, so that they can change.
    pub file: Option<PathBuf>,
}

impl Target {
    /// The address of one signal: `own` as it is, or what all signals have in common with the signal's path behind it. `None`
    /// without either.
    ///
    /// # Errors
    /// [`TargetError::Endpoint`].
    pub fn of(
        signal: Signal,
        own: Option<&str>,
        common: Option<&str>,
        headers: &Headers,
    ) -> Result<Option<Self>, TargetError> {
        let common = || Some(format!("{}/v1/{}", common?.trim_end_matches('/'), signal.word()));
        let Some(url) = own.map(str::to_owned).or_else(common) else { return Ok(None) };
        let url: Uri = url.parse().map_err(|_| TargetError::Endpoint)?;
        match (url.scheme_str(), url.authority()) {
            (Some("http" | "https"), Some(_)) => Ok(Some(Self { url, headers: headers.clone() })),
            _ => Err(TargetError::Endpoint),
        }
    }
}

impl Headers {
    /// From a list, as `OTEL_EXPORTER_OTLP_HEADERS` has it.
    ///
    /// # Errors
    /// [`TargetError::Pairs`], [`TargetError::Header`].
    pub fn parse(list: &str) -> Result<HeaderMap, TargetError> {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs("the list of OTLP headers", list)? {
            let name = HeaderName::try_from(name).map_err(|_| TargetError::Header)?;
            let value = Zeroizing::new(value);
            let mut value = HeaderValue::from_str(&value).map_err(|_| TargetError::Header)?;
            value.set_sensitive(true);
            headers.insert(name, value);
        }
        Ok(headers)
    }

    /// All of them, as they are now: those in the file come before those that were given.
    ///
    /// # Errors
    /// Why the file cannot be used, in words.
    pub async fn now(&self) -> Result<HeaderMap, String> {
        let mut headers = self.given.clone();
        if let Some(file) = &self.file {
            let text = tokio::fs::read_to_string(file).await.map(Zeroizing::new);
            let text = text.map_err(|why| format!("{}: {why}", file.display()))?;
            let more = Self::parse(&text).map_err(|why| format!("{}: {why}", file.display()))?;
            headers.extend(more);
        }
        Ok(headers)
    }
}

/// A list of names and values as W3C Baggage has it: `name=value`, with commas or ends of lines between, values with `%` before
/// the hexadecimal digits of what cannot stand there. `what` is named where it is none.
///
/// # Errors
/// [`TargetError::Pairs`].
pub fn pairs(what: &'static str, list: &str) -> Result<Vec<(String, String)>, TargetError> {
    let parts = list.split([',', '\n']).map(str::trim).filter(|part| !part.is_empty());
    parts
        .map(|part| {
            let (name, value) = part.split_once('=').ok_or(TargetError::Pairs(what))?;
            let value = decoded(value.trim()).ok_or(TargetError::Pairs(what))?;
            let name = name.trim();
            if name.is_empty() { Err(TargetError::Pairs(what)) } else { Ok((name.to_owned(), value)) }
        })
        .collect()
}

/// Without percent-encoding; `None` where it is broken, or not of UTF-8.
fn decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte == b'%' {
            let mut digit = || char::from(rest.next()?).to_digit(16);
            let (high, low) = (digit()?, digit()?);
            bytes.push(u8::try_from(high * 16 + low).ok()?);
        } else {
            bytes.push(byte);
        }
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(own: Option<&str>, common: Option<&str>) -> Option<String> {
        let target = Target::of(Signal::Logs, own, common, &Headers::default()).unwrap();
        target.map(|target| target.url.to_string())
    }

    #[test]
    fn what_signals_have_in_common_gets_the_path_of_the_signal_and_its_own_address_stays_as_it_is() {
        assert_eq!(url(None, None), None);
        for common in ["http://c:4318", "http://c:4318/"] {
            assert_eq!(url(None, Some(common)).as_deref(), Some("http://c:4318/v1/logs"));
        }
        assert_eq!(url(None, Some("https://c/otlp/")).as_deref(), Some("https://c/otlp/v1/logs"));
        assert_eq!(url(Some("http://l/in"), Some("http://c")).as_deref(), Some("http://l/in"));
        for bad in ["collector:4318", "ftp://c", "/v1/logs", "http://", ""] {
            let target = Target::of(Signal::Logs, Some(bad), None, &Headers::default());
            assert_eq!(target.err(), Some(TargetError::Endpoint), "{bad}");
        }
    }

    #[test]
    fn headers_are_read_as_baggage_has_them_and_show_no_value() {
        let headers = Headers::parse("Authorization=Bearer%20hush%3D,\n x-tenant = a=b ,,").unwrap();
        assert_eq!(headers["authorization"], "Bearer hush=");
        assert_eq!(headers["x-tenant"], "a=b");
        assert!(!format!("{headers:?}").contains("hush"), "{headers:?}");
        for bad in ["hush", "=hush", "a=%zz", "a=%f", "a=%ff"] {
            let error = Headers::parse(bad).unwrap_err();
            assert!(matches!(error, TargetError::Pairs(_)) && !error.to_string().contains("hush"), "{bad}");
        }
        assert_eq!(Headers::parse("a b=hush").unwrap_err(), TargetError::Header);
        assert_eq!(Headers::parse("a=hush%0d%0ax: y").unwrap_err(), TargetError::Header);
    }

    #[tokio::test]
    async fn the_file_is_read_each_time_and_comes_first() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("headers");
        let given = Headers::parse("authorization=given,x-tenant=t").unwrap();
        let headers = Headers { given, file: Some(file.clone()) };
        assert!(headers.now().await.unwrap_err().contains("headers: "), "a file that is not there is named");
        for secret in ["one", "two"] {
            std::fs::write(&file, format!("authorization={secret}\n")).unwrap();
            let now = headers.now().await.unwrap();
            assert_eq!(
                (now["authorization"].to_str().unwrap(), now["x-tenant"].to_str().unwrap()),
                (secret, "t")
            );
            assert_eq!(now.get_all("authorization").iter().count(), 1);
        }
    }
}
