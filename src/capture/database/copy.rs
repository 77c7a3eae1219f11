//! When a database cannot be read where it stands, and the copy that is read instead.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use rusqlite::ErrorCode;
use tempfile::{TempDir, tempdir};

use crate::capture::bytes::{ByteStream, copy_bounded};

/// Where the copy stands in its temporary folder.
pub(super) fn database_in(folder: &TempDir) -> PathBuf {
    folder.path().join("copy.db")
}

/// Has it a write-ahead log that nobody uses now? Reading it would make files beside it, so a copy is read.
pub(super) fn has_idle_log(path: &Path) -> bool {
    has_log(path) && !beside(path, "-shm").exists()
}

/// Would SQLite open files for writing to read it? Whatever stands beside it under the name of a log is opened.
pub(super) fn needs_writing(path: &Path) -> bool {
    has_log(path) || beside(path, "-wal").symlink_metadata().is_ok()
}

/// Has it a write-ahead log?
fn has_log(path: &Path) -> bool {
    let mut header = [0; 20];
    let read = File::open(path).and_then(|mut file| file.read_exact(&mut header));
    read.is_ok() && header[19] == 2
}

/// Was a transaction left in the middle, so that reading alone cannot see the state before it?
pub(super) fn needs_copy(path: &Path, error: &rusqlite::Error) -> bool {
    let left_over = ["-journal", "-wal"].iter().any(|suffix| {
        std::fs::metadata(beside(path, suffix)).is_ok_and(|metadata| metadata.len() > 0)
    });
    let code = error.sqlite_error().map(|error| error.code);
    left_over && matches!(code, Some(ErrorCode::ReadOnly | ErrorCode::CannotOpen))
}

fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

/// Copies the database with its journal: opening the copy puts the last whole state back.
pub(super) fn copied(path: &Path) -> io::Result<TempDir> {
    let folder = tempdir()?;
    let copy = database_in(&folder);
    // Only the bytes: the copy is repaired by writing to it, whatever the mode of the original.
    let copy_bytes = |from: &Path, to: &Path| -> io::Result<()> {
        io::copy(&mut File::open(from)?, &mut File::create(to)?).map(drop)
    };
    copy_bytes(path, &copy)?;
    for suffix in ["-journal", "-wal"] {
        let from = beside(path, suffix);
        if from.exists() {
            copy_bytes(&from, &beside(&copy, suffix))?;
        }
    }
    Ok(folder)
}

/// Puts a database that comes out of an archive or a pipe into a file.
pub(super) fn unpacked(stream: &mut ByteStream) -> io::Result<TempDir> {
    let folder = tempdir()?;
    copy_bounded(stream, &mut File::create(database_in(&folder))?)?;
    Ok(folder)
}
