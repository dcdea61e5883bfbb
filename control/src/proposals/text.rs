//! What a proposal changes in the texts of a policy, line by line.

use std::collections::BTreeSet;
use std::fmt;
use std::time::Duration;

use similar::{ChangeTag, TextDiff};

use super::Documents;

/// Lines that stay the same and are shown around those that do not.
const AROUND: usize = 3;

/// A comparison takes at most about this long; what is left then is shown as wholly changed, which is true as well.
const LONGEST: Duration = Duration::from_millis(500);

/// A file of which lines change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileChange {
    /// Its name.
    pub name: String,
    /// Whether it is new, or gone, as a whole.
    pub whole: Option<Whole>,
    /// The lines, in the order of the file.
    pub lines: Vec<Line>,
}

/// What happens to a file as a whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Whole {
    /// It was not there before.
    New,
    /// It is no longer there.
    Gone,
}

/// A line, without its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Line {
    /// Where the lines that follow stand, as unified diffs say it: `@@ -1,4 +1,5 @@`.
    Place(String),
    /// As it was.
    Same(String),
    /// It goes.
    Removed(String),
    /// It comes.
    Added(String),
}

/// What changes in each file; files that stay as they are, are left out.
pub fn changed_lines(old: &Documents, new: &Documents) -> Vec<FileChange> {
    let names: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
    let mut changes = Vec::new();
    for name in names {
        let (was, is) = (old.get(name), new.get(name));
        if was == is {
            continue;
        }
        let whole = match (was, is) {
            (None, _) => Some(Whole::New),
            (_, None) => Some(Whole::Gone),
            _ => None,
        };
        let text = |text: Option<&String>| text.cloned().unwrap_or_default();
        changes.push(FileChange { name: name.clone(), whole, lines: lines(&text(was), &text(is)) });
    }
    changes
}

fn lines(old: &str, new: &str) -> Vec<Line> {
    let diff = TextDiff::configure().timeout(LONGEST).diff_lines(old, new);
    let mut lines = Vec::new();
    for hunk in diff.unified_diff().context_radius(AROUND).iter_hunks() {
        lines.push(Line::Place(hunk.header().to_string()));
        for change in hunk.iter_changes() {
            let text = change.value().trim_end_matches(['\n', '\r']).to_owned();
            lines.push(match change.tag() {
                ChangeTag::Equal => Line::Same(text),
                ChangeTag::Delete => Line::Removed(text),
                ChangeTag::Insert => Line::Added(text),
            });
        }
    }
    lines
}

impl fmt::Display for FileChange {
    /// As a unified diff.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let side = |letter: &str, absent| match self.whole == Some(absent) {
            true => "/dev/null".to_owned(),
            false => format!("{letter}/{}", self.name),
        };
        writeln!(f, "--- {}\n+++ {}", side("a", Whole::New), side("b", Whole::Gone))?;
        self.lines.iter().try_for_each(|line| match line {
            Line::Place(text) => writeln!(f, "{text}"),
            Line::Same(text) => writeln!(f, " {text}"),
            Line::Removed(text) => writeln!(f, "-{text}"),
            Line::Added(text) => writeln!(f, "+{text}"),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn documents(files: &[(&str, &str)]) -> Documents {
        files.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect()
    }

    #[test]
    fn lines_that_change_stand_between_some_that_do_not() {
        let old = documents(&[("base.yaml", "a\nb\nc\nd\ne\nf\ng\n"), ("same.yaml", "x\n")]);
        let new = documents(&[("base.yaml", "a\nb\nc\nd\nE\nf\ng\n"), ("same.yaml", "x\n")]);
        let changes = changed_lines(&old, &new);
        let [file] = changes.as_slice() else { panic!("{changes:?}") };
        let expected = "--- a/base.yaml\n+++ b/base.yaml\n@@ -2,6 +2,6 @@\n b\n c\n d\n-e\n+E\n f\n g\n";
        assert_eq!(file.to_string(), expected);
        assert_eq!(changed_lines(&old, &old), []);
    }

    #[test]
    fn a_file_that_comes_or_goes_is_shown_whole() {
        let (one, two) = (documents(&[("a.yaml", "x\n")]), documents(&[("b.yaml", "y\n")]));
        let changes = changed_lines(&one, &two);
        let told: Vec<_> = changes.iter().map(|file| (file.name.as_str(), file.whole)).collect();
        assert_eq!(told, [("a.yaml", Some(Whole::Gone)), ("b.yaml", Some(Whole::New))]);
        assert!(
            changes[0].to_string().contains("+++ /dev/null") && changes[0].to_string().contains("\n-x\n")
        );
        assert!(
            changes[1].to_string().contains("--- /dev/null") && changes[1].to_string().contains("\n+y\n")
        );
    }

    #[test]
    fn texts_that_have_nothing_in_common_end_too() {
        let text = |seed: u32| -> String {
            let mut x = seed;
            let mut next = || {
                x = x.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                format!("line {}\n", x >> 8)
            };
            (0..40_000).map(|_| next()).collect()
        };
        let changes = changed_lines(&documents(&[("a", &text(1))]), &documents(&[("a", &text(2))]));
        let removed = changes[0].lines.iter().filter(|line| matches!(line, Line::Removed(_))).count();
        assert!(removed > 39_000, "{removed}");
    }
}
