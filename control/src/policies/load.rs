//! Files become a policy, or a message that says which file, line, field and why.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};
use sluice_engine::mask::Masker;
use sluice_engine::policy::check::{advice, check};
use sluice_engine::policy::document::Policy;
use sluice_engine::policy::merge::merge;

use super::faults::{Fault, Part, clash, conditions_without_entries, of_masking, place};
use super::mistakes::{self, Mistake};
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
    /// What is probably not meant, and no reason to refuse it.
    pub warnings: Vec<Fault>,
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
        Self::read_those(path, |name| !is_test(name))
    }

    /// `wanted`: whether a file of this name counts.
    fn read_those(path: &Path, wanted: impl Fn(&str) -> bool) -> Result<Self, Fault> {
        let fault = |at: &Path, why: String| Fault {
            file: at.display().to_string(),
            line: None,
            field: None,
            why,
            suggestion: None,
        };
        let unreadable = |at: &Path, e: &io::Error| fault(at, format!("cannot be read: {e}"));
        let mut names = Vec::new();
        if fs::metadata(path).map_err(|e| unreadable(path, &e))?.is_dir() {
            let folder = fs::canonicalize(path.join("..data")).unwrap_or_else(|_| path.to_owned());
            for found in fs::read_dir(&folder).map_err(|e| unreadable(&folder, &e))? {
                let name = found.map_err(|e| unreadable(&folder, &e))?.file_name();
                let text = name.to_string_lossy();
                let yaml = text.ends_with(".yaml") || text.ends_with(".yml");
                if yaml && !text.starts_with('.') && wanted(&text) {
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

    /// Reads a file, or the files of a directory, and the cases that stand with them.
    ///
    /// # Errors
    /// As [`Files::read`].
    pub fn read_with_cases(path: &Path) -> Result<Self, Fault> {
        Self::read_those(path, |_| true)
    }

    /// The texts by the files' names. What is no UTF-8 is replaced; as a policy it would be refused anyway.
    pub fn documents(&self) -> BTreeMap<String, String> {
        let name = |path: &Path| path.file_name().map(|name| name.to_string_lossy().into_owned());
        let one = |(path, bytes): &(PathBuf, Vec<u8>)| {
            Some((name(path)?, String::from_utf8_lossy(bytes).into_owned()))
        };
        self.files.iter().filter_map(one).collect()
    }

    /// Documents by their names, as a directory with such files would be read.
    ///
    /// # Errors
    /// When there is nothing, or too much.
    pub fn of(documents: &BTreeMap<String, String>) -> Result<Self, Vec<Fault>> {
        let files: Vec<_> = documents
            .iter()
            .filter(|(name, _)| !is_test(name))
            .map(|(name, text)| (PathBuf::from(name), text.clone().into_bytes()))
            .collect();
        let bytes = documents.values().map(String::len).sum::<usize>();
        let why = match files.is_empty() {
            true => "there is no file of policy".to_owned(),
            false if bytes > MOST_BYTES => format!("there are more than {MOST_BYTES} bytes of policy"),
            false => return Ok(Self { files }),
        };
        Err(vec![Fault { file: String::new(), line: None, field: None, why, suggestion: None }])
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
                Err(found) => faults.extend(found),
            }
        }
        if !faults.is_empty() {
            return Err(faults);
        }
        if parts.iter().all(|part| part.policy == Policy::default()) {
            let file = self.files.first().map(|(path, _)| path.display().to_string()).unwrap_or_default();
            let why = "it says nothing yet; copy one of the policies that come with Sluice (policies/) to begin with";
            return Err(vec![Fault { file, line: None, field: None, why: why.into(), suggestion: None }]);
        }
        let named = parts.iter().map(|part| (part.file.clone(), part.policy.clone())).collect();
        let policy = merge(named).map_err(|why| vec![clash(&why, &parts)])?;
        let mut problems = check(&policy);
        if !problems.iter().any(|problem| problem.field.starts_with("masking.")) {
            // The patterns of `masking.custom` are checked by compiling them; the key does not matter for that.
            problems.extend(
                Masker::new(&policy.masking, &[0; 32]).err().map(|error| of_masking(&error, &policy)),
            );
        }
        let faults: Vec<Fault> = problems.into_iter().map(|p| place(p, &parts)).collect();
        if !faults.is_empty() {
            return Err(faults);
        }
        let json = serde_json::to_vec(&policy).unwrap_or_default();
        let version = format!("{:x}", Sha256::digest(json));
        let mut warnings: Vec<Fault> = advice(&policy).into_iter().map(|p| place(p, &parts)).collect();
        warnings.extend(parts.iter().flat_map(conditions_without_entries));
        Ok(Loaded { policy, version, files: parts.into_iter().map(|part| part.file).collect(), warnings })
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

fn parse(path: &Path, bytes: &[u8]) -> Result<Part, Vec<Fault>> {
    let file = path.display().to_string();
    let fault = |line: Option<usize>, mistake: Mistake| Fault {
        file: file.clone(),
        line,
        field: mistake.field,
        why: mistake.why,
        suggestion: mistake.suggestion,
    };
    let text = std::str::from_utf8(bytes).map_err(|e| {
        let why = format!("is not UTF-8 text: {e}");
        vec![fault(None, Mistake { field: None, why, suggestion: None })]
    })?;
    let places = Places::of(text);
    // A file of comments alone adds nothing.
    if text.lines().all(|line| line.trim().is_empty() || line.trim_start().starts_with('#')) {
        return Ok(Part { file, policy: Policy::default(), places });
    }
    // Keys of issuers are written by others.
    let empty: Vec<Fault> = places
        .empty()
        .filter(|(field, _)| !field.contains(".jwks."))
        .map(|(field, line)| fault(Some(line), mistakes::empty(field)))
        .collect();
    if !empty.is_empty() {
        return Err(empty);
    }
    let options = serde_saphyr::options! { with_snippet: false };
    match serde_saphyr::from_str_with_options(text, options) {
        Ok(policy) => Ok(Part { file, policy, places }),
        Err(error) => {
            let at = error.location().map(|l| (l.line() as usize, l.column() as usize));
            let field = at.and_then(|(line, column)| places.field(line, column));
            // The line stands in front already.
            let said = error.without_snippet().render();
            let said = said.split(" at line ").next().unwrap_or_default();
            let mistake = mistakes::explain(said, field, &places);
            // What is missing belongs to the object, whose last field the reader had come to.
            let missing = mistake.field.as_deref().filter(|own| field != Some(own));
            let line = missing.and_then(|own| places.line(own)).or(at.map(|(line, _)| line));
            Err(vec![fault(line, mistake)])
        }
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
    fn what_is_wrong_in_the_merged_policy_is_traced_back_to_its_file() {
        type Case<'a> = (&'a [(&'a str, &'a str)], &'a str, Option<usize>, Option<&'a str>, &'a str);
        let cases: &[Case] = &[
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
