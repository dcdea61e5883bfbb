//! Where each field of a YAML file stands: for messages that name line and field.

use serde_saphyr::granit_parser::{Event, Parser};

/// A field and where it stands.
#[derive(Debug, Clone)]
struct Place {
    /// `roles[1].scopes[0]`.
    path: String,
    line: usize,
    column: usize,
}

/// Every field of a file, in the order of writing.
#[derive(Debug, Clone)]
pub struct Places(Vec<Place>);

/// A container that is being read.
enum Open {
    Map { path: String, key: Option<String> },
    List { path: String, next: usize },
}

impl Places {
    /// Reads as far as the text is YAML.
    pub fn of(text: &str) -> Self {
        let mut places = Vec::new();
        let mut stack: Vec<Open> = Vec::new();
        let mut parser = Parser::new_from_str(text);
        while let Some(Ok((event, span))) = parser.next_event() {
            let at = (span.start.line(), span.start.col() + 1);
            match event {
                Event::MappingStart(..) => {
                    let path = begin(&mut stack, &mut places, at, None);
                    stack.push(Open::Map { path, key: None });
                }
                Event::SequenceStart(..) => {
                    let path = begin(&mut stack, &mut places, at, None);
                    stack.push(Open::List { path, next: 0 });
                }
                Event::MappingEnd | Event::SequenceEnd => {
                    stack.pop();
                }
                Event::Scalar(value, ..) => {
                    begin(&mut stack, &mut places, at, Some(&value));
                }
                Event::Alias(_) => {
                    begin(&mut stack, &mut places, at, None);
                }
                _ => {}
            }
        }
        Self(places)
    }

    /// The line of a field, or of the nearest one around it.
    pub fn line(&self, path: &str) -> Option<usize> {
        let mut path = path;
        loop {
            if let Some(place) = self.0.iter().find(|place| place.path == path) {
                return Some(place.line);
            }
            let end = path.rfind(['.', '['])?;
            (path, _) = path.split_at_checked(end)?;
        }
    }

    /// The field at a position: the last one that starts at or before it.
    pub fn field(&self, line: usize, column: usize) -> Option<&str> {
        let place = self.0.iter().rev().find(|place| (place.line, place.column) <= (line, column))?;
        Some(place.path.as_str()).filter(|path| !path.is_empty())
    }
}

/// A node begins: what is its path? A scalar that is a key has none; it gives one to the node after it.
fn begin(
    stack: &mut [Open],
    places: &mut Vec<Place>,
    (line, column): (usize, usize),
    scalar: Option<&str>,
) -> String {
    let path = match stack.last_mut() {
        None => String::new(),
        Some(Open::List { path, next }) => {
            let path = format!("{path}[{next}]");
            *next += 1;
            path
        }
        Some(Open::Map { path, key }) => {
            let join = |key: &str| if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") };
            match (key.take(), scalar) {
                (Some(key), _) => return join(&key),
                (None, Some(name)) => {
                    let path = join(name);
                    *key = Some(name.to_owned());
                    path
                }
                (None, None) => path.clone(),
            }
        }
    };
    places.push(Place { path: path.clone(), line, column });
    path
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "issuers:\n  - name: a\n    audiences: [x, y]\nroles:\n  - name: r\n  - name: s\n    scopes:\n      - one\n      - two\nlimits: { depth: 3 }\n";

    #[test]
    fn a_field_has_its_line_and_a_line_its_field() {
        let places = Places::of(TEXT);
        for (path, line) in [
            ("issuers[0].audiences[1]", 3),
            ("roles[1].scopes[1]", 9),
            ("roles[1].models", 6),
            ("limits.depth", 10),
            ("roles", 4),
        ] {
            assert_eq!(places.line(path), Some(line), "{path}");
        }
        assert_eq!(places.line("nothing"), None);
        assert_eq!(places.field(9, 9), Some("roles[1].scopes[1]"));
        assert_eq!(places.field(10, 18), Some("limits.depth"));
    }
}
