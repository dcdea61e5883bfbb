//! A file's path, in the forms by which it may be known.

use crate::mask::fold::{Fold, fold};
use crate::policy::glob::{Glob, GlobError};

/// A path that a tool call names.
///
/// Nothing is known of the machine: no working directory, no links, no mounts. So a path has several forms, and a
/// condition takes any of them, while an exception takes only what is certain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FilePath {
    /// Folded; empty: it could be any file.
    forms: Vec<String>,
    /// The one form, as it is written, where it leads to the same place whoever reads it.
    certain: Option<String>,
    in_command: bool,
}

impl FilePath {
    /// A path of which nothing can be told.
    pub fn anywhere() -> Self {
        Self { forms: Vec::new(), certain: None, in_command: false }
    }

    /// Reads a path. `//`, `.` and `..` are resolved as text; `$HOME`, `~ann`, `/home/ann` and `/root` are also `~`;
    /// a relative path may stand below the root; case and invisible characters do not count. What climbs above where
    /// it begins (`../x`), begins with a variable, goes through `/proc/*/root` or holds control characters could be
    /// any file.
    pub fn read(text: &str) -> Self {
        Self::of(text, false).unwrap_or_else(Self::anywhere)
    }

    /// Reads a word of a command, where `../x` is common: it is taken for `x` in any directory.
    pub fn read_in_command(text: &str) -> Self {
        let mut path = Self::of(text, true).unwrap_or_else(Self::anywhere);
        path.in_command = true;
        path
    }

    /// Whether it stands in a command and not in a field for paths.
    pub fn is_in_command(&self) -> bool {
        self.in_command
    }

    /// Whether it may be one of the files.
    pub fn may_be(&self, globs: &[PathGlob]) -> bool {
        self.forms.is_empty()
            || globs.iter().any(|glob| self.forms.iter().any(|form| fits(&glob.folded, form)))
    }

    /// Whether it is one of the files for certain.
    pub fn is(&self, globs: &[PathGlob]) -> bool {
        self.certain.as_ref().is_some_and(|path| globs.iter().any(|glob| fits(&glob.exact, path)))
    }

    fn of(text: &str, climbs: bool) -> Option<Self> {
        let trimmed = text.trim();
        let unescaped = without_scheme(trimmed)?;
        if unescaped.chars().any(char::is_control) {
            return None;
        }
        let slashed = unescaped.replace('\\', "/");
        let homely = at_home(&slashed);
        if homely.starts_with(['$', '%']) {
            return None;
        }
        let way = resolve(&homely);
        if way.climbs && !climbs {
            return None;
        }
        if leads_elsewhere(&way.text) {
            return None;
        }
        let plain = trimmed == text && !way.dotted && unescaped == trimmed && !is_doubtful(&way.text);
        let backslash = unescaped.contains('\\') && !is_drive(&unescaped);
        let certain = (plain && !backslash).then(|| way.text.clone());
        let mut forms = Vec::new();
        for form in forms_of(&way.text) {
            forms.push(folded(&form));
        }
        forms.sort_unstable();
        forms.dedup();
        Some(Self { forms, certain, in_command: false })
    }
}

/// A glob over paths: `*` stands for any run of characters, slashes too. `/a/*` also fits `/a` itself.
#[derive(Debug, Clone)]
pub struct PathGlob {
    exact: Glob,
    folded: Glob,
}

impl PathGlob {
    /// Compiles a glob over paths as [`FilePath`] writes them: `/etc/*`, `~/.ssh/*`, `*/.env`, `./src/*`.
    ///
    /// # Errors
    /// A sentence that says what is wrong.
    pub fn new(text: &str) -> Result<Self, String> {
        let exact = Glob::new(text).map_err(|error| match error {
            GlobError::Sign('\\') => {
                "write paths with `/`, on Windows too: `C:/Users/*`; `\\` has no meaning here".to_owned()
            }
            error => error.to_string(),
        })?;
        if text.contains("//") || text.split('/').any(|part| part == "..") || text.contains("/./") {
            return Err(
                "paths are compared after `//`, `.` and `..` are resolved; write it without them".into()
            );
        }
        if text.starts_with('$') {
            return Err("variables are not known here; write `~/` for a home directory, or `*/`".into());
        }
        let folded = Glob::new(&folded(text)).map_err(|error| error.to_string())?;
        Ok(Self { exact, folded })
    }
}

/// A directory fits the glob of what is in it.
fn fits(glob: &Glob, path: &str) -> bool {
    glob.matches(path) || glob.matches(&format!("{path}/"))
}

/// A `file:` URL as its path, percent-encoding undone. `None`: not decodable.
fn without_scheme(text: &str) -> Option<String> {
    let Some(rest) = text.get(..5).filter(|s| s.eq_ignore_ascii_case("file:")).and_then(|_| text.get(5..))
    else {
        return Some(text.to_owned());
    };
    let rest = match rest.strip_prefix("//") {
        Some(authority) => authority.find('/').and_then(|at| authority.get(at..)).unwrap_or("/"),
        None => rest,
    };
    percent_decoded(rest)
}

/// Undoes percent-encoding; `None`: what comes out is no text.
pub(super) fn percent_decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        let hex = |digit: Option<&u8>| digit.and_then(|d| char::from(*d).to_digit(16));
        match (byte, hex(after.first()), hex(after.get(1))) {
            (b'%', Some(high), Some(low)) => {
                bytes.push(u8::try_from(high * 16 + low).ok()?);
                rest = after.get(2..)?;
            }
            _ => {
                bytes.push(byte);
                rest = after;
            }
        }
    }
    String::from_utf8(bytes).ok()
}

/// `$HOME` and `${HOME}` are written `~`.
fn at_home(text: &str) -> String {
    let rest = ["${HOME}", "$HOME"].iter().find_map(|home| text.strip_prefix(home));
    match rest {
        Some(rest) if rest.is_empty() || rest.starts_with('/') => format!("~{rest}"),
        _ => text.to_owned(),
    }
}

/// A path without `//`, `.` and `..`.
struct Way {
    text: String,
    /// `..` led above its beginning.
    climbs: bool,
    /// It had a `..`, which a link in front of it would lead elsewhere.
    dotted: bool,
}

/// Relative paths come out as `./a/b`.
fn resolve(text: &str) -> Way {
    let (mut parts, mut climbs, mut dotted): (Vec<&str>, bool, bool) = (Vec::new(), false, false);
    let home = text.starts_with('~');
    let drive = is_drive(text);
    for part in text.split('/').filter(|part| !part.is_empty() && *part != ".") {
        if part != ".." {
            parts.push(part);
            continue;
        }
        dotted = true;
        let floor = usize::from(home || drive);
        if parts.len() > floor {
            parts.pop();
        } else if !text.starts_with('/') {
            // Above the root there is nothing; above anything else there is something unknown.
            climbs = true;
        }
    }
    let joined = parts.join("/");
    let text = match () {
        () if home || drive => joined,
        () if text.starts_with('/') => format!("/{joined}"),
        () if joined.is_empty() => ".".to_owned(),
        () => format!("./{joined}"),
    };
    Way { text, climbs, dotted }
}

/// `C:/x`
fn is_drive(text: &str) -> bool {
    let mut bytes = text.bytes();
    matches!((bytes.next(), bytes.next(), bytes.next()), (Some(letter), Some(b':'), Some(b'/' | b'\\')) if letter.is_ascii_alphabetic())
}

/// Ways through the process table lead to any directory (proc(5): `root`, `cwd`, `fd`, `exe`, `map_files`).
fn leads_elsewhere(path: &str) -> bool {
    let path = folded(path);
    path.starts_with("/dev/fd/")
        || path.strip_prefix("/proc/").is_some_and(|rest| {
            rest.split('/').any(|part| matches!(part, "root" | "cwd" | "fd" | "exe" | "map_files"))
        })
}

/// All forms by which a condition may know the path.
fn forms_of(path: &str) -> Vec<String> {
    let mut forms = vec![path.to_owned()];
    if let Some(relative) = path.strip_prefix("./") {
        forms.push(relative.to_owned());
        forms.push(format!("/{relative}"));
    }
    // On macOS `/etc`, `/tmp` and `/var` are links into `/private`.
    if let Some(public) = path.strip_prefix("/private") {
        forms.push(public.to_owned());
    }
    let mut parts = path.splitn(4, '/');
    let (first, second, third, rest) =
        (parts.next().unwrap_or_default(), parts.next(), parts.next(), parts.next());
    let below = |rest: &str| if rest.is_empty() { String::new() } else { format!("/{rest}") };
    let windows = is_drive(path) && second.is_some_and(|users| users.eq_ignore_ascii_case("users"));
    let home = match (first, second) {
        ("", Some(homes))
            if matches!(homes.to_ascii_lowercase().as_str(), "home" | "users") && third.is_some() =>
        {
            Some(below(rest.unwrap_or_default()))
        }
        ("", Some("root")) => path.strip_prefix("/root").map(str::to_owned),
        _ if windows && third.is_some() => Some(below(rest.unwrap_or_default())),
        (tilde, _) if tilde.starts_with('~') => {
            path.split_once('/').map(|(_, rest)| below(rest)).or(Some(String::new()))
        }
        _ => None,
    };
    if let Some(rest) = home {
        forms.extend([
            format!("~{rest}"),
            format!("/home/~{rest}"),
            format!("/Users/~{rest}"),
            format!("/root{rest}"),
        ]);
    }
    forms
}

/// File systems that do not tell case apart, or drop what cannot be seen, take these for the same (APFS, NTFS, HFS+).
fn folded(path: &str) -> String {
    path.chars()
        .filter(|c| fold(*c) != Fold::Drop)
        .flat_map(char::to_uppercase)
        .flat_map(char::to_lowercase)
        .collect()
}

/// Whether some file systems would take it for another path. Windows drops dots and spaces at a name's end, and a
/// colon begins a stream.
fn is_doubtful(path: &str) -> bool {
    let hidden = path.chars().any(|c| fold(c) == Fold::Drop);
    let odd = |part: &str| part.len() > 2 && part.ends_with(['.', ' ']);
    hidden || path.split('/').any(odd)
}
