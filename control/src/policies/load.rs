//! Files become a policy, or a message that says which file, line, field and why.

use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::Serialize;
use sha2::{Digest, Sha256};
use sluice_engine::mask::Masker;
use sluice_engine::policy::check::{Problem, check};
use sluice_engine::policy::document::Policy;
use sluice_engine::policy::merge::merge;

use super::places::Places;

/// The most that all files together may hold: a ConfigMap stops at 1 MiB, a policy of that size is a mistake.
const MOST_BYTES: usize = 4 << 20;

/// A policy that is in order.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// Merged and checked.
    pub policy: Policy,
    /// Hexadecimal SHA-256 of the merged policy.
    pub version: String,
    /// The files that it came from.
    pub files: Vec<String>,
}

/// What is wrong with a policy, and where.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Fault {
    /// The file, or the directory.
    pub file: String,
    /// The line, from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line: Option<usize>,
    /// The field, as a dotted path.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
    /// What is wrong, and what to do.
    pub why: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.file)?;
        if let Some(line) = self.line {
            write!(f, ":{line}")?;
        }
        if let Some(field) = &self.field {
            write!(f, ": {field}")?;
        }
        write!(f, ": {}", self.why)
    }
}

/// The files of a policy as they were at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Files {
    files: Vec<(PathBuf, Vec<u8>)>,
}

impl Files {
    /// Reads several paths, of which each is a file or a directory, as one policy.
    ///
    /// # Errors
    /// As [`Files::read`].
    pub fn read_all<'p>(paths: impl IntoIterator<Item = &'p Path>) -> Result<Self, Fault> {
        let mut all = Self { files: Vec::new() };
        for path in paths {
            all.files.extend(Self::read(path)?.files);
        }
        Ok(all)
    }

    /// Reads a file, or every `*.yaml` and `*.yml` of a directory (none below it, none hidden, and no test cases).
    ///
    /// A ConfigMap mount is swapped as a whole, by a symbolic link `..data`. The link is followed once, so that no
    /// reading mixes two states.
    ///
    /// # Errors
    /// When something cannot be read, or there is nothing.
    pub fn read(path: &Path) -> Result<Self, Fault> {
        let fault =
            |at: &Path, why: String| Fault { file: at.display().to_string(), line: None, field: None, why };
        let unreadable = |at: &Path, e: &io::Error| fault(at, format!("cannot be read: {e}"));
        let mut names = Vec::new();
        if fs::metadata(path).map_err(|e| unreadable(path, &e))?.is_dir() {
            let folder = fs::canonicalize(path.join("..data")).unwrap_or_else(|_| path.to_owned());
            for found in fs::read_dir(&folder).map_err(|e| unreadable(&folder, &e))? {
                let name = found.map_err(|e| unreadable(&folder, &e))?.file_name();
                let text = name.to_string_lossy();
                let yaml = text.ends_with(".yaml") || text.ends_with(".yml");
                if yaml && !text.starts_with('.') && !is_test(&text) {
                    names.push((path.join(&name), folder.join(&name)));
                }
            }
            if names.is_empty() {
                return Err(fault(path, "holds no file that ends in .yaml or .yml".into()));
            }
        } else {
            names.push((path.to_owned(), path.to_owned()));
        }
        names.sort();
        let mut files = Vec::with_capacity(names.len());
        let mut total = 0;
        for (shown, real) in names {
            let bytes = fs::read(&real).map_err(|e| unreadable(&shown, &e))?;
            total += bytes.len();
            if total > MOST_BYTES {
                return Err(fault(path, format!("holds more than {MOST_BYTES} bytes of policy")));
            }
            files.push((shown, bytes));
        }
        Ok(Self { files })
    }

    /// Digest over names and contents.
    pub fn digest(&self) -> [u8; 32] {
        let mut sha = Sha256::new();
        for (name, bytes) in &self.files {
            let name = name.display().to_string();
            for part in [name.as_bytes(), bytes] {
                sha.update((part.len() as u64).to_be_bytes());
                sha.update(part);
            }
        }
        sha.finalize().into()
    }

    /// The policy in these files.
    ///
    /// # Errors
    /// Everything that is wrong, as far as it can be seen.
    pub fn policy(&self) -> Result<Loaded, Vec<Fault>> {
        let mut parts = Vec::new();
        let mut faults = Vec::new();
        for (path, bytes) in &self.files {
            match parse(path, bytes) {
                Ok(part) => parts.push(part),
                Err(fault) => faults.push(fault),
            }
        }
        if !faults.is_empty() {
            return Err(faults);
        }
        let named = parts.iter().map(|part| (part.file.clone(), part.policy.clone())).collect();
        let policy = merge(named).map_err(|why| {
            let file = self.files.first().and_then(|(path, _)| path.parent()).unwrap_or(Path::new("."));
            vec![Fault { file: file.display().to_string(), line: None, field: None, why: why.to_string() }]
        })?;
        let mut problems = check(&policy);
        // The patterns of `masking.custom` are checked by compiling them; the key does not matter for that.
        problems.extend(Masker::new(&policy.masking, &[0; 32]).err().map(|error| Problem {
            field: "masking".into(),
            why: error.to_string(),
            suggestion: None,
        }));
        let faults: Vec<Fault> = problems.into_iter().map(|p| place(p, &parts)).collect();
        if !faults.is_empty() {
            return Err(faults);
        }
        let json = serde_json::to_vec(&policy).unwrap_or_default();
        let version = format!("{:x}", Sha256::digest(json));
        Ok(Loaded { policy, version, files: parts.into_iter().map(|part| part.file).collect() })
    }
}

/// Whether a file of this name holds cases that test a policy.
pub fn is_test(name: &str) -> bool {
    name.ends_with(".test.yaml") || name.ends_with(".test.yml")
}

/// Reads, merges and checks the policy at a path.
///
/// # Errors
/// Everything that is wrong with it.
pub fn load(path: &Path) -> Result<Loaded, Vec<Fault>> {
    Files::read(path).map_err(|fault| vec![fault])?.policy()
}

/// A file that was read.
struct Part {
    file: String,
    policy: Policy,
    places: Places,
}

fn parse(path: &Path, bytes: &[u8]) -> Result<Part, Fault> {
    let file = path.display().to_string();
    let text = std::str::from_utf8(bytes).map_err(|e| Fault {
        file: file.clone(),
        line: None,
        field: None,
        why: format!("is not UTF-8 text: {e}"),
    })?;
    let places = Places::of(text);
    // A file of comments alone adds nothing.
    if text.lines().all(|line| line.trim().is_empty() || line.trim_start().starts_with('#')) {
        return Ok(Part { file, policy: Policy::default(), places });
    }
    let options = serde_saphyr::options! { with_snippet: false };
    match serde_saphyr::from_str_with_options(text, options) {
        Ok(policy) => Ok(Part { file, policy, places }),
        Err(error) => {
            let at = error.location().map(|l| (l.line() as usize, l.column() as usize));
            let field = at.and_then(|(line, column)| places.field(line, column)).map(str::to_owned);
            // The line stands in front already.
            let said = error.without_snippet().render();
            let why = said.split(" at line ").next().unwrap_or_default().to_owned();
            Err(Fault { file, line: at.map(|(line, _)| line), field, why })
        }
    }
}

/// A problem of the merged policy, traced back to its file. Lists are put together in the order of the files.
fn place(problem: Problem, parts: &[Part]) -> Fault {
    let why = match &problem.suggestion {
        Some(suggestion) => format!("{}; perhaps `{suggestion}`?", problem.why),
        None => problem.why,
    };
    let (list, index, rest) = split(&problem.field);
    let mut before = 0;
    for part in parts {
        let length = match list {
            "issuers" => part.policy.issuers.len(),
            "roles" => part.policy.roles.len(),
            "bindings" => part.policy.bindings.len(),
            "rules" => part.policy.rules.len(),
            "commands" => part.policy.commands.len(),
            _ => 0,
        };
        let field = match index {
            Some(index) if index < before + length => {
                index.checked_sub(before).map(|own| format!("{list}[{own}]{rest}"))
            }
            Some(_) => None,
            None => part.places.line(list).map(|_| problem.field.clone()),
        };
        if let Some(field) = field {
            let line = part.places.line(&field);
            return Fault { file: part.file.clone(), line, field: Some(field), why };
        }
        before += length;
    }
    let file = parts.first().map(|part| part.file.clone()).unwrap_or_default();
    Fault { file, line: None, field: Some(problem.field), why }
}

/// `roles[1].scopes[0]` is the list `roles`, the index 1, and `.scopes[0]`; `limits.depth` is `limits` and no index.
fn split(field: &str) -> (&str, Option<usize>, &str) {
    let end = field.find(['.', '[']).unwrap_or(field.len());
    let (list, rest) = field.split_at_checked(end).unwrap_or((field, ""));
    let indexed = rest.strip_prefix('[').and_then(|rest| rest.split_once(']'));
    match indexed.and_then(|(index, rest)| Some((index.parse().ok()?, rest))) {
        Some((index, rest)) => (list, Some(index), rest),
        None => (list, None, rest),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load_files(files: &[(&str, &str)]) -> Result<Loaded, Vec<Fault>> {
        let dir = tempfile::tempdir().unwrap();
        if !files.is_empty() {
            fs::write(dir.path().join("issuers.yaml"), ISSUERS).unwrap();
        }
        for (name, text) in files {
            fs::write(dir.path().join(name), text).unwrap();
        }
        load(dir.path()).map_err(|faults| {
            let prefix = format!("{}/", dir.path().display());
            faults.into_iter().map(|f| Fault { file: f.file.replace(&prefix, ""), ..f }).collect()
        })
    }

    const ISSUERS: &str = "issuers:\n  - name: own\n    issuer: https://sluice.test\n    audiences: [sluice]\n    keys: control\n";
    const ROLES: &str = "roles:\n  - name: reader\n    scopes: [messages.create]\n";

    #[test]
    fn files_merge_in_the_order_of_their_names() {
        let loaded = load_files(&[
            ("b.yaml", "roles:\n  - name: writer\n"),
            ("a.yml", ROLES),
            ("empty.yaml", "# nothing yet\n"),
            (".hidden.yaml", "nonsense: ["),
            ("notes.txt", "nonsense: ["),
            ("a.test.yaml", "cases: []"),
        ])
        .unwrap();
        let names: Vec<_> = loaded.policy.roles.iter().map(|r| r.name.as_str()).collect();
        assert_eq!(names, ["reader", "writer"]);
        assert_eq!(loaded.version.len(), 64);
    }

    #[test]
    fn what_is_wrong_has_a_file_a_line_a_field_and_a_reason() {
        type Case<'a> = (&'a [(&'a str, &'a str)], &'a str, Option<usize>, Option<&'a str>, &'a str);
        let cases: &[Case] = &[
            (
                &[("a.yaml", "roles:\n  - name: r\n    scope: [x]\n")],
                "a.yaml",
                Some(3),
                Some("roles[0].scope"),
                "scope",
            ),
            (
                &[("a.yaml", "roles:\n  - name: r\n    maxTokens: many\n")],
                "a.yaml",
                Some(3),
                Some("roles[0].maxTokens"),
                "invalid u64",
            ),
            (&[("a.yaml", "roles: [\n")], "a.yaml", Some(1), None, "bracket"),
            (
                &[("a.yaml", "limits:\n  bundleAge: soon\n")],
                "a.yaml",
                Some(2),
                Some("limits.bundleAge"),
                "90s, 15m",
            ),
            (
                &[
                    ("a.yaml", ROLES),
                    ("b.yaml", "roles:\n  - name: w\nrules:\n  - name: x\n    action: hold\n"),
                ],
                "b.yaml",
                Some(4),
                Some("rules[0].approval"),
                "approve",
            ),
            (
                &[
                    ("a.yaml", "bindings:\n  - name: a\n"),
                    ("b.yaml", "bindings:\n  - name: b\n    roles: [none]\n"),
                ],
                "b.yaml",
                Some(3),
                Some("bindings[0].roles[0]"),
                "no role `none`",
            ),
            (&[("a.yaml", "roles: []\nroles: []\n")], "a.yaml", Some(2), None, "uplicate"),
        ];
        for (files, file, line, field, word) in cases {
            let faults = load_files(files).unwrap_err();
            let fits = |fault: &&Fault| {
                (fault.file.as_str(), fault.line) == (*file, *line)
                    && (field.is_none() || fault.field.as_deref() == *field)
                    && fault.why.contains(word)
            };
            assert!(faults.iter().any(|fault| fits(&fault)), "{file} {field:?} {word}: {faults:#?}");
        }
    }

    #[test]
    fn one_name_for_two_things_and_an_empty_directory_are_refused() {
        let faults = load_files(&[("a.yaml", ROLES), ("b.yaml", ROLES)]).unwrap_err();
        assert!(faults[0].why.contains("role `reader`"), "{}", faults[0]);
        assert!(load_files(&[]).unwrap_err()[0].why.contains(".yaml"));
    }
}
