//! What a tool call reaches for: the files and hosts that its input names.
//!
//! Both are read the way an attacker hopes that nobody reads them. A name of which it cannot be told where it leads
//! fits every glob of a condition (`paths`, `hosts`) and none of its exceptions (`pathsExcept`, `hostsExcept`).
//!
//! ```text
//!  input ─► fields that hold paths ──► FilePath: one form of `//`, `..`, `~`, case, `\`
//!        ─► fields that hold URLs ───► Host: userinfo, port, IDNA, numbers for addresses
//!        ─► commands ────────────────► both, as far as they are written out
//! ```

mod host;
mod path;
mod punycode;

pub use host::{Host, HostGlob};
pub use path::{FilePath, PathGlob};

/// The most files, and the most hosts, that are told apart. What comes after could be any.
const MOST: usize = 2048;

/// Longest path or URL that is read, in bytes. A longer one could be any.
const LONGEST: usize = 8192;

/// What a tool call reaches for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Targets {
    paths: Vec<FilePath>,
    hosts: Vec<Host>,
}

impl Targets {
    /// The files.
    pub fn paths(&self) -> &[FilePath] {
        &self.paths
    }

    /// The hosts.
    pub fn hosts(&self) -> &[Host] {
        &self.hosts
    }

    /// Adds the text of a field that holds a path.
    pub fn path(&mut self, text: &str) {
        if text.trim().is_empty() {
            return;
        }
        self.add_path(if text.len() > LONGEST { FilePath::anywhere() } else { FilePath::read(text) });
        // `file://host/share` and UNC names lead to another machine.
        if text.contains("://") {
            self.url(text);
        }
    }

    /// Adds the text of a field that holds a URL; a `file:` URL is a path.
    pub fn url(&mut self, text: &str) {
        let text = text.trim();
        if text.len() > LONGEST {
            return self.add_host(Host::any());
        }
        if text.get(..5).is_some_and(|scheme| scheme.eq_ignore_ascii_case("file:")) {
            self.add_path(FilePath::read(text));
        }
        if let Some(host) = Host::read(text) {
            self.add_host(host);
        }
    }

    /// Adds what a command writes out: words that are URLs or could be hosts, and words with a slash or `~`.
    pub fn command(&mut self, text: &str) {
        let ends = |c: char| c.is_whitespace() || "'\"`;|&<>(),={}".contains(c);
        for word in text.split(ends).filter(|word| !word.is_empty() && word.len() <= LONGEST) {
            if word.contains("://") {
                self.url(word);
                continue;
            }
            if let Some(host) = Host::bare(word) {
                self.add_host(host);
            }
            if word.starts_with('~') || word.contains('/') {
                self.add_path(FilePath::read_in_command(word));
            }
        }
    }

    /// Says that it could reach for anything.
    pub fn anything(&mut self) {
        self.add_path(FilePath::anywhere());
        self.add_host(Host::any());
    }

    fn add_path(&mut self, path: FilePath) {
        match self.paths.len() {
            0..MOST => self.paths.push(path),
            MOST => self.paths.push(FilePath::anywhere()),
            _ => {}
        }
    }

    fn add_host(&mut self, host: Host) {
        match self.hosts.len() {
            0..MOST => self.hosts.push(host),
            MOST => self.hosts.push(Host::any()),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests;
