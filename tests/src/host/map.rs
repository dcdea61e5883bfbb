//! Header maps and their form on the wire between host and module.

/// Headers in order; names in lower case, a name may come twice.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Headers {
    pairs: Vec<(String, Vec<u8>)>,
}

impl<const N: usize> From<[(&str, &str); N]> for Headers {
    fn from(pairs: [(&str, &str); N]) -> Self {
        Self::from(pairs.as_slice())
    }
}

impl From<&[(&str, &str)]> for Headers {
    fn from(pairs: &[(&str, &str)]) -> Self {
        let pairs = pairs.iter().map(|(name, value)| ((*name).to_owned(), value.as_bytes().to_vec()));
        Self { pairs: pairs.collect() }
    }
}

impl Headers {
    /// How many lines there are.
    pub fn len(&self) -> usize {
        self.pairs.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.pairs.is_empty()
    }

    /// The value of a header, as text; several lines of one name joined with a comma, as Envoy does.
    pub fn get(&self, name: &str) -> Option<String> {
        self.get_bytes(name).map(|value| String::from_utf8_lossy(&value).into_owned())
    }

    pub(super) fn get_bytes(&self, name: &str) -> Option<Vec<u8>> {
        let name = name.to_ascii_lowercase();
        let values: Vec<&[u8]> =
            self.pairs.iter().filter(|(n, _)| *n == name).map(|(_, value)| value.as_slice()).collect();
        if values.is_empty() { None } else { Some(values.join(&b","[..])) }
    }

    /// Adds a line.
    pub fn add(&mut self, name: &str, value: &[u8]) {
        self.pairs.push((name.to_ascii_lowercase(), value.to_vec()));
    }

    /// Puts one line in place of all of this name.
    pub fn replace(&mut self, name: &str, value: &[u8]) {
        self.remove(name);
        self.add(name, value);
    }

    /// Removes all lines of this name.
    pub fn remove(&mut self, name: &str) {
        let name = name.to_ascii_lowercase();
        self.pairs.retain(|(n, _)| *n != name);
    }

    pub(super) fn extend_except(&mut self, more: &Self, names: &[&str]) {
        let more = more.pairs.iter().filter(|(name, _)| !names.contains(&name.as_str()));
        self.pairs.extend(more.cloned());
    }

    /// Count, then the length of each name and value, then names and values, each with a zero after it.
    pub(super) fn encode(&self) -> Vec<u8> {
        let word = |n: usize| u32::try_from(n).unwrap_or(u32::MAX).to_le_bytes();
        let mut out = word(self.pairs.len()).to_vec();
        for (name, value) in &self.pairs {
            out.extend(word(name.len()));
            out.extend(word(value.len()));
        }
        for (name, value) in &self.pairs {
            out.extend(name.as_bytes());
            out.push(0);
            out.extend(value);
            out.push(0);
        }
        out
    }

    /// Reads [`Headers::encode`]'s form; `None` when it is cut short.
    pub(super) fn decode(bytes: &[u8]) -> Option<Self> {
        if bytes.is_empty() {
            return Some(Self::default());
        }
        let (count, mut lengths) = word(bytes)?;
        let mut content = lengths.get(count.checked_mul(8)?..)?;
        let mut headers = Self::default();
        for _ in 0..count {
            let (name_length, rest) = word(lengths)?;
            let (value_length, rest) = word(rest)?;
            lengths = rest;
            let (name, rest) = content.split_at_checked(name_length)?;
            let (value, rest) = rest.split_first()?.1.split_at_checked(value_length)?;
            content = rest.split_first()?.1;
            headers.add(std::str::from_utf8(name).ok()?, value);
        }
        Some(headers)
    }
}

fn word(bytes: &[u8]) -> Option<(usize, &[u8])> {
    let (word, rest) = bytes.split_first_chunk::<4>()?;
    Some((usize::try_from(u32::from_le_bytes(*word)).ok()?, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_encoded_is_decoded_and_nothing_shorter_is() {
        let headers = Headers::from([(":path", "/"), ("a", ""), ("a", "two")]);
        let bytes = headers.encode();
        assert_eq!(Headers::decode(&bytes), Some(headers.clone()));
        assert_eq!(headers.get("A").as_deref(), Some(",two"));
        for end in 1..bytes.len() {
            assert_eq!(Headers::decode(&bytes[..end]), None, "{end}");
        }
    }
}
