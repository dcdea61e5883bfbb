//! Where each field of a YAML file stands: for messages that name line and field.

use serde_saphyr::granit_parser::{Event, Parser, ScalarStyle};

/// A field and where it stands.
#[derive(Debug, Clone)]
struct Place {
    /// `roles[1].scopes[0]`.
    path: String,
    line: usize,
    column: usize,
    /// The text that stands there, where it is one.
    value: Option<String>,
    /// Nothing stands there, or `null`.
    empty: bool,
    /// `[]` stands there.
    empty_list: bool,
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
                    if let Some(Open::List { path, next: 0 }) = stack.pop()
                        && let Some(place) = places.iter_mut().rfind(|place| place.path == path)
                    {
                        place.empty_list = true;
                    }
                }
                Event::Scalar(value, style, ..) => {
                    let bare = style == ScalarStyle::Plain;
                    let path = begin(&mut stack, &mut places, at, Some(&value));
                    // A key has just been put down; a value belongs to the key before it.
                    let is_key = matches!(stack.last(), Some(Open::Map { key: Some(_), .. }));
                    if let Some(place) = places.last_mut().filter(|place| !is_key && place.path == path) {
                        place.empty = bare && matches!(&*value, "" | "~" | "null" | "Null" | "NULL");
                        place.value = Some(value.into_owned());
                    }
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

    /// The text of a field.
    pub fn value(&self, path: &str) -> Option<&str> {
        self.0.iter().find(|place| place.path == path)?.value.as_deref()
    }

    /// Fields with nothing behind them, and their lines.
    pub fn empty(&self) -> impl Iterator<Item = (&str, usize)> {
        self.0.iter().filter(|place| place.empty).map(|place| (place.path.as_str(), place.line))
    }

    /// The lines of the names of the objects in a list that have this one.
    pub fn named(&self, list: &str, name: &str) -> impl Iterator<Item = usize> {
        let is_name = move |place: &&Place| {
            let index = place.path.strip_prefix(list).and_then(|rest| rest.strip_suffix(".name"));
            index.is_some_and(|index| index.starts_with('[')) && place.value.as_deref() == Some(name)
        };
        self.0.iter().filter(is_name).map(|place| place.line)
    }

    /// Lists that are written and hold nothing, by their paths.
    pub fn empty_lists(&self) -> impl Iterator<Item = &str> {
        self.0.iter().filter(|place| place.empty_list).map(|place| place.path.as_str())
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
    places.push(Place { path: path.clone(), line, column, value: None, empty: false, empty_list: false });
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
        assert_eq!(places.value("roles[1].scopes[1]"), Some("two"));
        assert_eq!(places.value("limits.depth"), Some("3"));
        assert_eq!(places.value("roles"), None);
        assert_eq!(places.field(9, 9), Some("roles[1].scopes[1]"));
        assert_eq!(places.field(10, 18), Some("limits.depth"));
    }

    #[test]
    fn what_has_no_value_is_named_and_what_says_nothing_on_purpose_is_not() {
        let text = "a:\nb: null\nc: ~\nd: ''\ne: []\nf:\n  g:\n  h: x\ni: [~, y]\n";
        let places = Places::of(text);
        let empty: Vec<_> = places.empty().collect();
        assert_eq!(empty, [("a", 1), ("b", 2), ("c", 3), ("f.g", 7), ("i[0]", 9)]);
    }

    #[test]
    fn a_list_that_is_written_and_holds_nothing_is_told() {
        let places = Places::of("a: []\nb: [x]\nc:\n- d: []\n  e: {}\nf: []\n");
        assert_eq!(places.empty_lists().collect::<Vec<_>>(), ["a", "c[0].d", "f"]);
    }

    #[test]
    fn each_of_two_names_is_found() {
        let places = Places::of("roles:\n- name: a\n- name: b\n- scopes: []\n  name: a\n");
        let lines = |name: &str| places.named("roles", name).collect::<Vec<_>>();
        assert_eq!((lines("a"), lines("b"), lines("c")), (vec![2, 5], vec![3], vec![]));
    }
}
