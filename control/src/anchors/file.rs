//! A file of checkpoints: notes one after the other, an empty line between two.

use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// Adds a note at the end, synced to the disk. What a crash has left half-written is closed by an empty line, so that it
/// spoils no note after it.
///
/// # Errors
/// When the file cannot be written.
pub fn append(path: &Path, note: &str) -> std::io::Result<()> {
    let fresh = !path.exists();
    let mut file = OpenOptions::new().read(true).append(true).create(true).mode(0o640).open(path)?;
    let mut text = String::new();
    if file.metadata()?.len() > 0 {
        let mut last = [0];
        file.seek(SeekFrom::End(-1))?;
        file.read_exact(&mut last)?;
        text.push_str(if last == *b"\n" { "\n" } else { "\n\n" });
    }
    text.push_str(note);
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    if fresh && let Some(parent) = path.parent().filter(|parent| !parent.as_os_str().is_empty()) {
        File::open(parent)?.sync_all()?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use ed25519_dalek::SigningKey;
    use sluice_engine::record::chain::Hash;
    use sluice_engine::record::checkpoint::{Checkpoint, notes};

    use super::*;

    #[test]
    fn notes_are_added_and_read_back_one_by_one_also_behind_one_that_was_cut() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("checkpoints");
        let key = SigningKey::from_bytes(&[3; 32]);
        let note = |seq| {
            let at = Checkpoint { writer: "w".into(), seq, hash: Hash([7; 32]) };
            at.note(&at.sign(&key), &key.verifying_key())
        };
        append(&path, &note(1)).unwrap();
        append(&path, &note(2)).unwrap();
        OpenOptions::new().append(true).open(&path).unwrap().write_all(b"\nsluice/w\n3\nAAAA").unwrap();
        append(&path, &note(4)).unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        let seqs: Vec<Option<u64>> = notes(&text)
            .map(|note| Checkpoint::open(note, &key.verifying_key()).ok().map(|at| at.seq))
            .collect();
        assert_eq!(seqs, [Some(1), Some(2), None, Some(4)]);
    }
}
