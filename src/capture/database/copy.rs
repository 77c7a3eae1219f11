//! Cases in which a database cannot be read in place, and the copy that is read instead.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use rusqlite::ErrorCode;
use tempfile::{TempDir, tempdir};

use crate::capture::bytes::{ByteStream, Bytes, copy_bounded};
use crate::capture::location::{is_plain, open_plain};

/// The path of the copy in its temporary folder.
pub(super) fn database_in(folder: &TempDir) -> PathBuf {
    folder.path().join("copy.db")
}

/// Returns `true` if the database has a write-ahead log that no process uses. Reading it would
/// create files beside it, so a copy is read.
pub(super) fn has_idle_log(bytes: &Bytes, path: &Path) -> bool {
    has_log(bytes) && !beside(path, "-shm").exists()
}

/// Returns `true` if SQLite would open files for writing to read the database. It opens any file
/// with the name of a log.
pub(super) fn needs_writing(bytes: &Bytes, path: &Path) -> bool {
    has_log(bytes) || beside(path, "-wal").symlink_metadata().is_ok()
}

/// Returns `true` if the header of the database says that it has a write-ahead log.
fn has_log(bytes: &Bytes) -> bool {
    bytes.head(20).is_ok_and(|header| header.get(19) == Some(&2))
}

/// Refuses a database beside which a link, a pipe or a folder has the name of a journal or log.
/// SQLite would follow the link or wait for the pipe.
pub(super) fn check_beside(path: &Path) -> Result<(), String> {
    for suffix in SIDE_FILES {
        let metadata = beside(path, suffix).symlink_metadata();
        if metadata.is_ok_and(|metadata| !is_plain(&metadata)) {
            return Err(format!(
                "the {suffix} file beside this SQLite database is a link, a pipe or a folder and not a plain file; remove it"
            ));
        }
    }
    Ok(())
}

/// Suffixes of the files that SQLite keeps beside a database.
const SIDE_FILES: [&str; 3] = ["-journal", "-wal", "-shm"];

/// Returns `true` if a transaction was left unfinished, so that the state before it cannot be read
/// without writing.
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

/// Copies the database with its journal. Opening the copy restores the last complete state.
pub(super) fn copied(bytes: &Bytes, path: &Path) -> io::Result<TempDir> {
    let folder = tempdir()?;
    let copy = database_in(&folder);
    // Copy only the bytes and not the mode, because the copy is written to when it is repaired.
    copy_bounded(&mut PositionedReader { bytes, position: 0 }, &mut File::create(&copy)?)?;
    for suffix in ["-journal", "-wal"] {
        let from = beside(path, suffix);
        if from.exists() {
            copy_bounded(&mut open_plain(&from)?, &mut File::create(beside(&copy, suffix))?)?;
        }
    }
    Ok(folder)
}

/// Copies a database that comes out of an archive or a pipe to a file.
pub(super) fn unpacked(stream: &mut ByteStream) -> io::Result<TempDir> {
    let folder = tempdir()?;
    copy_bounded(stream, &mut File::create(database_in(&folder))?)?;
    Ok(folder)
}

/// Reader of a file from its start that does not move the shared file position.
struct PositionedReader<'a> {
    bytes: &'a Bytes,
    position: u64,
}

impl Read for PositionedReader<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.bytes.read_at(self.position, buffer)?;
        self.position += count as u64;
        Ok(count)
    }
}
