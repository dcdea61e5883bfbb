//! Which files hold cases, and which policy they are about.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use super::document::TestFile;
use crate::policies::{Fault, Files, Loaded, Places, is_test, read_yaml};

/// The deepest folder in which test files are looked for.
const DEPTH: u32 = 8;

/// A file of cases with the policy that they test.
#[derive(Debug, Clone)]
pub struct Suite {
    /// The file, as it was given or found.
    pub path: PathBuf,
    /// What stands in it.
    pub file: TestFile,
    /// The policy.
    pub policy: Loaded,
    places: Places,
}

/// The test files that a path means: itself, all of a directory and below it, or the one beside a policy file.
///
/// # Errors
/// When there is none, or a folder cannot be read.
pub fn find(path: &Path) -> Result<Vec<PathBuf>, Fault> {
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    if path.is_dir() {
        let mut found = Vec::new();
        search(path, DEPTH, &mut found)?;
        found.sort();
        return match found.is_empty() {
            true => Err(fault(path, "holds no file that ends in .test.yaml".into())),
            false => Ok(found),
        };
    }
    if is_test(&name) {
        return Ok(vec![path.to_owned()]);
    }
    let beside = ["test.yaml", "test.yml"].map(|end| path.with_extension(end));
    match beside.iter().find(|beside| beside.is_file()) {
        Some(beside) => Ok(vec![beside.clone()]),
        None => {
            let [expected, _] = beside;
            Err(fault(path, format!("has no cases beside it; write them into {}", expected.display())))
        }
    }
}

fn search(folder: &Path, depth: u32, found: &mut Vec<PathBuf>) -> Result<(), Fault> {
    let unreadable = |e: std::io::Error| fault(folder, format!("cannot be read: {e}"));
    for entry in fs::read_dir(folder).map_err(unreadable)? {
        let entry = entry.map_err(unreadable)?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let path = entry.path();
        // A mount shows each file twice: hidden ones (`..data`) and links to them.
        if name.starts_with('.') {
            continue;
        }
        if path.is_dir() {
            if depth > 0 && !entry.file_type().is_ok_and(|kind| kind.is_symlink()) {
                search(&path, depth - 1, found)?;
            }
        } else if is_test(&name) {
            found.push(path);
        }
    }
    Ok(())
}

impl Suite {
    /// Reads a file of cases and the policy that it is about.
    ///
    /// # Errors
    /// Everything that is wrong with either.
    pub fn read(path: &Path) -> Result<Self, Vec<Fault>> {
        let one = |fault| vec![fault];
        let text = fs::read_to_string(path).map_err(|e| one(fault(path, format!("cannot be read: {e}"))))?;
        let file: TestFile = read_yaml(path, &text).map_err(one)?;
        if file.cases.is_empty() {
            return Err(one(fault(path, "has no `cases`".into())));
        }
        let folder = path.parent().unwrap_or(Path::new(""));
        let policy: Vec<PathBuf> = match file.policy.iter().count() {
            0 => vec![beside(path).map_err(one)?],
            _ => file.policy.iter().map(|name| folder.join(name)).collect(),
        };
        let policy = Files::read_all(policy.iter().map(PathBuf::as_path)).map_err(one)?.policy()?;
        Ok(Self { path: path.to_owned(), file, policy, places: Places::of(&text) })
    }

    /// Cases that came along with the documents of a proposal. They are about these documents and nothing else: no
    /// file is read for them.
    ///
    /// # Errors
    /// Everything that is wrong with either.
    pub fn proposed(
        name: &str,
        text: &str,
        documents: &BTreeMap<String, String>,
    ) -> Result<Self, Vec<Fault>> {
        let path = Path::new(name);
        let one = |fault| vec![fault];
        let file: TestFile = read_yaml(path, text).map_err(one)?;
        if file.cases.is_empty() {
            return Err(one(fault(path, "has no `cases`".into())));
        }
        let reads = |case: &super::document::Case| {
            case.request.file.is_some() || case.reply.as_ref().is_some_and(|reply| reply.file.is_some())
        };
        if let Some(case) = file.cases.iter().find(|case| reads(case)) {
            let why = format!(
                "case `{}` names a `file`: cases of a proposal carry their bodies; write it as `body` or `stream`",
                case.name
            );
            return Err(one(fault(path, why)));
        }
        let wanted: Vec<String> = match file.policy.iter().count() {
            0 => {
                let stem = name.trim_end_matches(".yaml").trim_end_matches(".yml").trim_end_matches(".test");
                let beside = ["yaml", "yml"].map(|end| format!("{stem}.{end}"));
                beside.into_iter().filter(|name| documents.contains_key(name)).collect()
            }
            // A directory: all of them.
            _ if file.policy.iter().any(|name| name == ".") => documents.keys().cloned().collect(),
            _ => file.policy.iter().map(|name| name.trim_start_matches("./").to_owned()).collect(),
        };
        if let Some(absent) = wanted.iter().find(|name| !documents.contains_key(*name)) {
            return Err(one(fault(path, format!("`policy`: there is no document {absent} in the proposal"))));
        }
        let about: BTreeMap<String, String> = wanted
            .iter()
            .filter_map(|name| documents.get_key_value(name))
            .map(|(n, t)| (n.clone(), t.clone()))
            .collect();
        if about.is_empty() {
            let why =
                "names no `policy`, and no document has its name without `.test`; write `policy: [NAME]`";
            return Err(one(fault(path, why.into())));
        }
        let policy = Files::of(&about)?.policy()?;
        Ok(Self { path: path.to_owned(), file, policy, places: Places::of(text) })
    }

    /// Something that is wrong with a field of the file.
    pub fn fault(&self, field: String, why: String) -> Fault {
        let (file, line) = (self.path.display().to_string(), self.places.line(&field));
        Fault { file, line, field: Some(field), why, suggestion: None }
    }

    /// The folder that paths in the file are seen from.
    pub fn folder(&self) -> &Path {
        self.path.parent().unwrap_or(Path::new(""))
    }
}

/// The policy file that has a test file's name without `.test`.
fn beside(path: &Path) -> Result<PathBuf, Fault> {
    let stem = path.with_extension("").with_extension("");
    let names = ["yaml", "yml"].map(|end| stem.with_extension(end));
    let found = names.iter().find(|name| name.is_file()).cloned();
    found.ok_or_else(|| {
        let [expected, _] = &names;
        let why = format!(
            "names no `policy`, and there is no {} beside it; write `policy: PATH`",
            expected.display()
        );
        fault(path, why)
    })
}

pub(super) fn fault(path: &Path, why: String) -> Fault {
    Fault { file: path.display().to_string(), line: None, field: None, why, suggestion: None }
}
