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

/// Adds to "unknown field `x`, expected one of `y`, `z`" which of them is near.
fn with_suggestion(why: &str) -> String {
    let mut quoted = why.split('`').skip(1).step_by(2);
    let unknown = why.starts_with("unknown field") || why.starts_with("unknown variant");
    let Some(name) = quoted.next().filter(|_| unknown) else { return why.to_owned() };
    let known: Vec<&str> = quoted.collect();
    match nearest(name, &known) {
        Some(meant) => format!("{why}; perhaps `{meant}`?"),
        None => why.to_owned(),
    }
}
