//! YAML that people write becomes a value, or a message that says which file, line, field and why.

use std::path::Path;

use serde::de::DeserializeOwned;
use sluice_engine::policy::check::nearest;

use super::faults::Fault;
use super::places::Places;

/// Reads a value from the text of a file.
///
/// # Errors
/// The first thing that is wrong; for a field that does not exist, with the one that was probably meant.
pub fn read_yaml<T: DeserializeOwned>(path: &Path, text: &str) -> Result<T, Fault> {
    let options = serde_saphyr::options! { with_snippet: false };
    serde_saphyr::from_str_with_options(text, options).map_err(|error| {
        let at = error.location().map(|l| (l.line() as usize, l.column() as usize));
        let field = at.and_then(|(line, column)| Places::of(text).field(line, column).map(str::to_owned));
        // The line stands in front already.
        let said = error.without_snippet().render();
        let why = said.split(" at line ").next().unwrap_or_default();
        let file = path.display().to_string();
        Fault { file, line: at.map(|(line, _)| line), field, why: with_suggestion(why), suggestion: None }
    })
}

/// Adds to "unknown field `x`, expected one of y, z" which of them is near.
fn with_suggestion(why: &str) -> String {
    let suggestion = || {
        let (unknown, expected) = why.split_once(", expected ")?;
        let kind = ["unknown field ", "unknown variant "];
        let name = kind.iter().find_map(|kind| unknown.strip_prefix(kind))?.trim_matches('`');
        let expected = expected.strip_prefix("one of ").unwrap_or(expected);
        let known: Vec<&str> = expected
            .split([',', ' '])
            .map(|word| word.trim_matches('`'))
            .filter(|word| !word.is_empty())
            .collect();
        nearest(name, &known)
    };
    match suggestion() {
        Some(meant) => format!("{why}; perhaps `{meant}`?"),
        None => why.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Deserialize)]
    #[serde(rename_all = "camelCase", deny_unknown_fields)]
    #[allow(dead_code)]
    struct Written {
        verdict: Verdict,
        rule: Option<String>,
    }

    #[derive(Debug, Deserialize)]
    #[serde(rename_all = "camelCase")]
    enum Verdict {
        Allow,
        Deny,
    }

    #[test]
    fn a_misspelt_word_has_its_line_and_the_one_that_was_meant() {
        for (text, line, field, meant) in [
            ("verdict: deny\nrul: x\n", 2, "rul", "perhaps `rule`?"),
            ("rule: x\nverdict: alow\n", 2, "verdict", "perhaps `allow`?"),
        ] {
            let fault = read_yaml::<Written>(Path::new("a.yaml"), text).unwrap_err();
            assert_eq!((fault.line, fault.field.as_deref()), (Some(line), Some(field)), "{fault}");
            assert!(fault.why.ends_with(meant), "{fault}");
        }
        let far = read_yaml::<Written>(Path::new("a.yaml"), "verdict: deny\nsomethingelse: x\n").unwrap_err();
        assert!(!far.why.contains("perhaps"), "{far}");
    }
}
