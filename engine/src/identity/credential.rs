//! The token among a request's headers.

/// Why no token can be taken from the headers. None of the messages carries a header's value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CredentialError {
    /// Neither header is there.
    #[error("no token: send one from an issuer in the policy as `Authorization: Bearer` or `x-api-key`")]
    Missing,
    /// One is there with nothing in it.
    #[error("the token in `Authorization` or `x-api-key` is empty: set it, or leave the header out")]
    Empty,
    /// `Authorization` with another scheme.
    #[error("`Authorization` must be `Bearer` followed by the token")]
    Scheme,
    /// Characters that no token has.
    #[error(
        "the token has characters that no token has (such as a space, a comma or a line break): send it alone"
    )]
    Characters,
    /// Two tokens.
    #[error("two different tokens: send one, in `Authorization` or `x-api-key` or the same in both")]
    Different,
}

/// The one token in a request, from all values of its `authorization` and `x-api-key` headers.
///
/// The same token in several places is one token. Two different ones are refused, since an upstream might choose
/// another than we do.
///
/// # Errors
/// See [`CredentialError`].
pub fn credential<'h>(authorization: &[&'h str], x_api_key: &[&'h str]) -> Result<&'h str, CredentialError> {
    let bearers = authorization.iter().map(|value| bearer(value));
    let keys = x_api_key.iter().map(|value| plain(value));
    let mut found = None;
    for token in bearers.chain(keys) {
        let token = token?;
        if found.is_some_and(|first| first != token) {
            return Err(CredentialError::Different);
        }
        found = Some(token);
    }
    found.ok_or(CredentialError::Missing)
}

fn bearer(value: &str) -> Result<&str, CredentialError> {
    let value = trim(value);
    if value.is_empty() {
        return Err(CredentialError::Empty);
    }
    match value.split_once(' ') {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => plain(token),
        None if value.eq_ignore_ascii_case("bearer") => Err(CredentialError::Empty),
        _ => Err(CredentialError::Scheme),
    }
}

/// RFC 6750, section 2.1: `b64token`.
fn plain(value: &str) -> Result<&str, CredentialError> {
    let value = trim(value);
    if value.is_empty() {
        Err(CredentialError::Empty)
    } else if value.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._~+/=".contains(&b)) {
        Ok(value)
    } else {
        Err(CredentialError::Characters)
    }
}

fn trim(value: &str) -> &str {
    value.trim_matches([' ', '\t'])
}

#[cfg(test)]
mod tests {
    use super::CredentialError::*;
    use super::*;

    #[test]
    fn one_token_is_taken_from_either_header_or_both() {
        for (authorization, key) in [
            (&["Bearer a.b.c"][..], &[][..]),
            (&["bearer a.b.c"], &[]),
            (&["BEARER   a.b.c "], &[]),
            (&[], &["a.b.c"]),
            (&[], &[" a.b.c\t"]),
            (&["Bearer a.b.c"], &["a.b.c"]),
            (&["Bearer a.b.c", "Bearer a.b.c"], &["a.b.c"]),
        ] {
            assert_eq!(credential(authorization, key), Ok("a.b.c"), "{authorization:?} {key:?}");
        }
    }

    #[test]
    fn what_is_not_exactly_one_token_is_refused() {
        for (authorization, key, error) in [
            (&[][..], &[][..], Missing),
            (&[""], &[], Empty),
            (&["Bearer"], &[], Empty),
            (&["Bearer "], &[], Empty),
            (&[], &[""], Empty),
            (&["Bearer a"], &[""], Empty),
            (&["Basic YTpi"], &[], Scheme),
            (&["a.b.c"], &[], Scheme),
            (&["Bearer\ta"], &[], Scheme),
            (&["Bearera a"], &[], Scheme),
            (&["Basic YTpi"], &["a"], Scheme),
            (&["Bearer a"], &["b"], Different),
            (&["Bearer a", "Bearer b"], &[], Different),
            (&[], &["a", "b"], Different),
            (&["Bearer a"], &["A"], Different),
            (&["Bearer a b"], &[], Characters),
            (&["Bearer a, Bearer a"], &[], Characters),
            (&[], &["a,a"], Characters),
            (&[], &["a\r\nx: y"], Characters),
            (&[], &["ä"], Characters),
        ] {
            assert_eq!(credential(authorization, key), Err(error), "{authorization:?} {key:?}");
        }
    }
}
