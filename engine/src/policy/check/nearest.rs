//! What was probably meant.

/// The known name that is nearest to a mistyped one, if any is near: at most a third of its characters differ.
pub fn nearest<'k>(text: &str, known: &[&'k str]) -> Option<&'k str> {
    // A longer text than any name is no misspelling, and would only cost time.
    if text.len() > 200 {
        return None;
    }
    known
        .iter()
        .map(|name| (distance(text, name), *name))
        .filter(|(distance, name)| *distance <= name.chars().count().div_ceil(3))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, name)| name)
}

/// Levenshtein's distance: how many characters to put in, take out or replace. One row of the table at a time.
fn distance(a: &str, b: &str) -> usize {
    let mut row: Vec<usize> = (0..=b.chars().count()).collect();
    for (n, from) in a.chars().enumerate() {
        let mut diagonal = n;
        let mut left = n + 1;
        let mut cells = row.iter_mut();
        if let Some(first) = cells.next() {
            *first = left;
        }
        for (cell, to) in cells.zip(b.chars()) {
            let replaced = diagonal + usize::from(from != to);
            diagonal = *cell;
            left = replaced.min(diagonal + 1).min(left + 1);
            *cell = left;
        }
    }
    row.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_distance_counts_edits() {
        for (a, b, expected) in [
            ("", "", 0),
            ("", "abc", 3),
            ("abc", "", 3),
            ("abc", "abc", 0),
            ("kitten", "sitting", 3),
            ("ab", "ba", 2),
        ] {
            assert_eq!(distance(a, b), expected, "{a} {b}");
        }
    }

    #[test]
    fn a_near_name_is_suggested_and_a_far_one_is_not() {
        let known = ["messages.create", "messages.count_tokens", "files.read"];
        assert_eq!(nearest("mesages.craete", &known), Some("messages.create"));
        assert_eq!(nearest("file.read", &known), Some("files.read"));
        assert_eq!(nearest("everything", &known), None);
        assert_eq!(nearest(&"messages.create".repeat(20), &known), None);
    }
}
