//! Audit log: one JSON line per event; those about decisions are synced to disk before what was decided happens.

pub(crate) mod summary;

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use serde::Serialize;
use serde_json::{Map, Value};

#[cfg(unix)]
use crate::capture::location::{FileIdentity, identity_of};
use crate::error::Error;
use crate::flow::text;

/// Maximum length of a name or value in the logged arguments, in bytes.
const MAX_WORD_BYTES: usize = 400;

/// Maximum number of arguments logged per call.
const MAX_ARGUMENTS: usize = 32;

/// The number of rotated logs that are kept: `FILE.1` is the newest.
const MAX_ROTATED: usize = 10;

/// A file to which lines are appended, rotated when it is large, and opened again when another program renamed it.
pub(crate) struct AuditLog {
    path: PathBuf,
    /// Size in bytes from which the log is rotated.
    max_bytes: Option<u64>,
    log: Mutex<OpenLog>,
}

struct OpenLog {
    file: File,
    #[cfg(unix)]
    identity: FileIdentity,
    /// Length after the last line of ours, in bytes; other processes may have appended since.
    length: u64,
    /// Length of the file, in bytes, before and after a part of a line that could not be removed.
    torn_at: Option<(u64, u64)>,
}

/// One logged call of a server.
#[derive(Debug, Serialize)]
pub(crate) struct AuditEntry<'a> {
    /// Time at which the answer was ready, RFC 3339 in UTC.
    pub(crate) time: String,
    /// Name that the client gives itself. It identifies nobody reliably.
    pub(crate) identity: &'a str,
    pub(crate) tool: &'a str,
    pub(crate) arguments: Value,
    pub(crate) decision: &'static str,
    /// The rule of the policy that decided, as a JSON Pointer; empty for a tool that is not there.
    pub(crate) rule: &'a str,
    /// Time from the request to the answer, in seconds.
    pub(crate) duration: f64,
    /// Length of the text of the answer, in bytes.
    pub(crate) bytes: usize,
    pub(crate) is_error: bool,
}

impl AuditLog {
    /// Opens the file for appending and creates it if needed. Writes nothing: the caller first checks that the file is
    /// neither the policy nor a capture.
    ///
    /// # Errors
    ///
    /// Fails if the path is a link or anything else than a file, or cannot be written.
    pub(crate) fn open(path: &Path, max_bytes: Option<u64>) -> Result<Self, Error> {
        let name = path.display().to_string();
        let log = OpenLog::open(path).map_err(|error| Error::io(&name, "write", error))?;
        Ok(Self { path: path.to_owned(), max_bytes, log: Mutex::new(log) })
    }

    /// Ends a line that an earlier process left incomplete.
    pub(crate) fn end_line(&self) -> io::Result<()> {
        self.log.lock().unwrap_or_else(PoisonError::into_inner).end_line()
    }

    /// Returns a second handle to the log file, to compare its identity with other files.
    pub(crate) fn file(&self) -> io::Result<File> {
        self.log.lock().unwrap_or_else(PoisonError::into_inner).file.try_clone()
    }

    /// Appends an entry as one complete line and syncs it to disk.
    pub(crate) fn add(&self, entry: &impl Serialize) -> io::Result<()> {
        self.add_lines(&line_of(entry)?, true)
    }

    /// Appends complete lines and, if asked to, syncs them to disk. If they could be written only in part, that part is removed,
    /// at the latest before the next line.
    ///
    /// # Errors
    ///
    /// Fails if the lines cannot be written; then none of them is in the log.
    pub(crate) fn add_lines(&self, lines: &[u8], is_synced: bool) -> io::Result<()> {
        let mut log = self.log.lock().unwrap_or_else(PoisonError::into_inner);
        self.renew(&mut log)?;
        // Other processes may write the log too: what is cut off after a failure must be ours.
        log.file.lock()?;
        let appended = log.append(lines, is_synced);
        log.unlock();
        appended
    }

    /// Opens the log again if its name belongs to another file or to none, and rotates it if it is large.
    fn renew(&self, log: &mut OpenLog) -> io::Result<()> {
        let there = match std::fs::symlink_metadata(&self.path) {
            Ok(metadata) => Some(metadata),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(error),
        };
        if !there.as_ref().is_some_and(|there| log.is_at(&self.path, there)) {
            *log = OpenLog::open(&self.path)?;
            log.end_line()?;
            return Ok(());
        }
        let length = there.map_or(0, |metadata| metadata.len());
        if length < log.length {
            // The lines that were cut off are gone; that they are must be seen.
            log.length = length;
            log.end_line()?;
            let cut = serde_json::json!({"time": now(), "event": "log_truncated", "bytes": length});
            log.append(&line_of(&cut)?, true)?;
        }
        if self.max_bytes.is_some_and(|most| length >= most) {
            self.rotate(log)?;
        }
        Ok(())
    }

    /// Renames the log to `FILE.1`, and those before it one further. Of several processes one does, and the others follow.
    fn rotate(&self, log: &mut OpenLog) -> io::Result<()> {
        log.file.lock()?;
        let is_ours = std::fs::symlink_metadata(&self.path)
            .is_ok_and(|metadata| log.is_at(&self.path, &metadata));
        let rotated = |number: usize| {
            let mut name = self.path.as_os_str().to_owned();
            name.push(format!(".{number}"));
            PathBuf::from(name)
        };
        let renamed = (|| -> io::Result<()> {
            if is_ours {
                for number in (1..MAX_ROTATED).rev() {
                    match std::fs::rename(rotated(number), rotated(number + 1)) {
                        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                        _ => {}
                    }
                }
                std::fs::rename(&self.path, rotated(1))?;
            }
            Ok(())
        })();
        log.unlock();
        renamed?;
        *log = OpenLog::open(&self.path)?;
        Ok(())
    }
}

impl OpenLog {
    fn open(path: &Path) -> io::Result<Self> {
        let found = std::fs::symlink_metadata(path).ok();
        if found.as_ref().is_some_and(|metadata| !metadata.is_file()) {
            return Err(io::Error::other(
                "an audit log must be a file, which keeps its lines; a link, a pipe, a terminal or a folder does not",
            ));
        }
        let mut options = OpenOptions::new();
        options.create(true).read(true);
        // On Windows a file that is open for appending alone can neither be cut nor flushed; there lines go to the end because
        // they are written under the lock.
        if cfg!(windows) {
            options.write(true)
        } else {
            options.append(true)
        };
        // Whoever makes it a link after that look is not followed either.
        #[cfg(unix)]
        {
            use std::os::unix::fs::OpenOptionsExt;
            options.mode(0o600).custom_flags(rustix::fs::OFlags::NOFOLLOW.bits().cast_signed());
        }
        #[cfg(windows)]
        {
            use std::os::windows::fs::OpenOptionsExt;
            // FILE_FLAG_OPEN_REPARSE_POINT: a link is opened itself.
            options.custom_flags(0x0020_0000);
        }
        let file = options.open(path)?;
        let metadata = file.metadata()?;
        Ok(Self {
            #[cfg(unix)]
            identity: identity_of(&metadata),
            length: metadata.len(),
            file,
            torn_at: None,
        })
    }

    /// Whether a path with this metadata is the open file.
    #[cfg(unix)]
    fn is_at(&self, _: &Path, there: &std::fs::Metadata) -> bool {
        identity_of(there) == self.identity
    }

    /// Whether a path with this metadata is the open file. A file that is made under the name of one that was just renamed has the
    /// time of its creation, so that metadata alone does not tell.
    #[cfg(not(unix))]
    fn is_at(&self, path: &Path, there: &std::fs::Metadata) -> bool {
        let open = self.file.try_clone().and_then(same_file::Handle::from_file);
        let named = same_file::Handle::from_path(path);
        there.is_file() && matches!((open, named), (Ok(open), Ok(named)) if open == named)
    }

    /// Lets other processes write. What was written stays, so that an error says nothing of it; Wine gives one where Windows
    /// gives none.
    fn unlock(&self) {
        self.file.unlock().unwrap_or_default();
    }

    fn end_line(&mut self) -> io::Result<()> {
        if self.file.metadata()?.len() > 0 {
            self.file.seek(SeekFrom::End(-1))?;
            let mut last = [0];
            self.file.read_exact(&mut last)?;
            if last != *b"\n" {
                self.file.write_all(b"\n")?;
            }
        }
        self.length = self.file.metadata()?.len();
        Ok(())
    }

    fn append(&mut self, lines: &[u8], is_synced: bool) -> io::Result<()> {
        if let Some((torn, length)) = self.torn_at.take()
            && self.file.metadata()?.len() == length
        {
            self.file.set_len(torn)?;
        }
        let before = self.file.seek(SeekFrom::End(0))?;
        let written = self.file.write_all(lines);
        let synced = written.and_then(|()| if is_synced { self.file.sync_data() } else { Ok(()) });
        if synced.is_err() {
            // Remove the partial line now if possible, so that readers of the log find only complete lines.
            if self.file.set_len(before).is_err() {
                self.torn_at = self.file.metadata().ok().map(|metadata| (before, metadata.len()));
            }
            return synced;
        }
        self.length = before + lines.len() as u64;
        Ok(())
    }
}

/// An entry as a line of JSON.
pub(crate) fn line_of(entry: &impl Serialize) -> io::Result<Vec<u8>> {
    let mut line = serde_json::to_vec(entry)?;
    line.push(b'\n');
    Ok(line)
}

/// Returns the current time in microseconds since 1970.
#[expect(clippy::disallowed_methods, reason = "a log says when; no report depends on it")]
pub(crate) fn now_micros() -> i64 {
    let now = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap_or(Duration::ZERO);
    i64::try_from(now.as_micros()).unwrap_or_default()
}

/// Returns the current time as RFC 3339 in UTC, with microseconds.
pub(crate) fn now() -> String {
    time_text(now_micros())
}

/// A time in microseconds since 1970 as RFC 3339 in UTC.
pub(crate) fn time_text(microseconds: i64) -> String {
    jiff::Timestamp::from_microsecond(microseconds).map(|time| time.to_string()).unwrap_or_default()
}

/// Returns the arguments as the agent sent them, shortened, and without characters that could act on the terminal of a
/// reader of the log.
pub(crate) fn arguments(sent: Option<&Map<String, Value>>) -> Value {
    let kept = sent.into_iter().flatten().take(MAX_ARGUMENTS);
    Value::Object(kept.map(|(name, value)| (shorten_word(name), argument(value))).collect())
}

/// The names of arguments, shortened as their values are.
pub(crate) fn argument_names(sent: &Value) -> Vec<String> {
    let names = sent.as_object().into_iter().flatten().map(|(name, _)| shorten_word(name));
    names.take(MAX_ARGUMENTS).collect()
}

fn argument(value: &Value) -> Value {
    match value {
        Value::String(text) => Value::String(shorten_word(text)),
        Value::Array(_) | Value::Object(_) => Value::String(shorten_word(&value.to_string())),
        plain => plain.clone(),
    }
}

fn shorten_word(sent: &str) -> String {
    text::shortened(sent.as_bytes(), MAX_WORD_BYTES).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(path: &Path) -> Vec<Value> {
        let text = std::fs::read_to_string(path).unwrap();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    #[test]
    fn lines_are_whole_also_after_one_that_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("audit.jsonl");
        std::fs::write(&path, "{\"time\":\"cut o").unwrap();
        let log = AuditLog::open(&path, None).unwrap();
        log.end_line().unwrap();
        let sent = serde_json::json!({"domain": "a\u{202e}b", "deep": {"a": [1]}, "limit": 3});
        let entry = AuditEntry {
            time: now(),
            identity: "test",
            tool: "get_api_patterns",
            arguments: arguments(sent.as_object()),
            decision: "allow",
            rule: "/tools/t",
            duration: 0.5,
            bytes: 7,
            is_error: false,
        };
        log.add(&entry).unwrap();
        log.add(&entry).unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.len(), 3);
        let read: Value = serde_json::from_str(lines[2]).unwrap();
        assert_eq!(read["arguments"]["domain"], "a%E2%80%AEb");
        assert_eq!(read["arguments"]["deep"], r#"{"a":[1]}"#);
        assert_eq!(read["arguments"]["limit"], 3);
    }

    #[test]
    fn a_renamed_log_is_opened_again_and_a_large_one_is_rotated() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("audit.jsonl");
        let log = AuditLog::open(&path, Some(100)).unwrap();
        let other = AuditLog::open(&path, Some(100)).unwrap();
        log.add(&1).unwrap();
        std::fs::rename(&path, folder.path().join("moved")).unwrap();
        log.add(&2).unwrap();
        other.add(&3).unwrap();
        assert_eq!(lines(&folder.path().join("moved")), [1]);
        assert_eq!(lines(&path), [2, 3]);
        let large = "x".repeat(120);
        for number in 0..30 {
            if number % 2 == 0 { &log } else { &other }.add(&large).unwrap();
        }
        let rotated = |number: usize| folder.path().join(format!("audit.jsonl.{number}"));
        assert!((1..=MAX_ROTATED).all(|number| lines(&rotated(number)).len() <= 3));
        assert!(!rotated(MAX_ROTATED + 1).exists());
    }

    #[test]
    fn a_log_that_was_cut_says_so() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("audit.jsonl");
        let log = AuditLog::open(&path, None).unwrap();
        log.add(&"first line").unwrap();
        OpenOptions::new().write(true).truncate(true).open(&path).unwrap();
        log.add(&"next").unwrap();
        let lines = lines(&path);
        assert_eq!(
            (lines[0]["event"].as_str(), lines[1].as_str()),
            (Some("log_truncated"), Some("next"))
        );
    }

    #[cfg(unix)]
    #[test]
    fn a_link_in_place_of_the_log_is_not_followed() {
        let folder = tempfile::tempdir().unwrap();
        let (path, target) = (folder.path().join("audit.jsonl"), folder.path().join("target"));
        std::fs::write(&target, "").unwrap();
        let log = AuditLog::open(&path, None).unwrap();
        std::fs::remove_file(&path).unwrap();
        std::os::unix::fs::symlink(&target, &path).unwrap();
        assert!(log.add(&1).is_err());
        assert!(AuditLog::open(&path, None).is_err());
        assert_eq!(std::fs::read(&target).unwrap(), b"");
        // A log that is there again is written again.
        std::fs::remove_file(&path).unwrap();
        log.add(&2).unwrap();
        assert_eq!(lines(&path), [2]);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_full_disk_is_an_error() {
        if let Ok(log) = AuditLog::open(Path::new("/dev/full"), None) {
            panic!("a device is no log: {}", log.path.display());
        }
    }
}
