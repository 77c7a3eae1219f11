//! The audit log: one JSON line a call, on the disk before the answer is sent.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use serde::Serialize;
use serde_json::{Map, Value};

use crate::error::Error;
use crate::flow::text;

/// Bytes of one word of the arguments that are kept.
const WORD_BYTES: usize = 400;

/// Arguments that are kept, and how deep.
const ARGUMENTS: usize = 32;

/// A file that lines are added to.
pub(super) struct AuditLog {
    log: Mutex<Log>,
}

struct Log {
    file: File,
    /// How long the file was before a line that could not be written whole.
    torn_at: Option<u64>,
}

/// One call.
#[derive(Debug, Serialize)]
pub(super) struct Entry<'a> {
    /// When it was answered, RFC 3339 in UTC.
    pub(super) time: String,
    /// What the client calls itself: a label, no proof.
    pub(super) identity: &'a str,
    pub(super) tool: &'a str,
    pub(super) arguments: Value,
    pub(super) decision: &'static str,
    /// Seconds.
    pub(super) duration: f64,
    /// Length of the answer's text.
    pub(super) bytes: usize,
    pub(super) is_error: bool,
}

impl AuditLog {
    /// Opens the file to add to it. Nothing is written yet: it may not be one to write to.
    pub(super) fn open(path: &Path) -> Result<Self, Error> {
        let name = path.display().to_string();
        let open = || -> io::Result<File> {
            if std::fs::metadata(path).is_ok_and(|metadata| !metadata.is_file()) {
                return Err(io::Error::other(
                    "an audit log is a file, which keeps what is written; a pipe, a terminal or a folder is none",
                ));
            }
            OpenOptions::new().create(true).append(true).read(true).open(path)
        };
        let file = open().map_err(|error| Error::io(&name, "write", error))?;
        Ok(Self { log: Mutex::new(Log { file, torn_at: None }) })
    }

    /// Ends the line that an earlier process left in the middle.
    pub(super) fn end_line(&self) -> io::Result<()> {
        let file = &mut self.log.lock().unwrap_or_else(PoisonError::into_inner).file;
        if file.metadata()?.len() > 0 {
            file.seek(SeekFrom::End(-1))?;
            let mut last = [0];
            file.read_exact(&mut last)?;
            if last != *b"\n" {
                file.write_all(b"\n")?;
            }
        }
        Ok(())
    }

    /// The file that lines are added to.
    pub(super) fn file(&self) -> io::Result<File> {
        self.log.lock().unwrap_or_else(PoisonError::into_inner).file.try_clone()
    }

    /// Adds one line, whole: when this returns it is on the disk. What is left of a line for which there was no room is cut
    /// off before the next.
    pub(super) fn add(&self, entry: &Entry<'_>) -> io::Result<()> {
        let mut line = serde_json::to_vec(entry)?;
        line.push(b'\n');
        let mut log = self.log.lock().unwrap_or_else(PoisonError::into_inner);
        log.add(&line)
    }
}

impl Log {
    fn add(&mut self, line: &[u8]) -> io::Result<()> {
        if let Some(length) = self.torn_at {
            self.file.set_len(length)?;
            self.torn_at = None;
        }
        let before = self.file.metadata()?.len();
        let written = self.file.write_all(line).and_then(|()| self.file.sync_data());
        if written.is_err() {
            self.torn_at = Some(before);
            // Now, if there is a way: who reads the log meanwhile finds whole lines.
            if self.file.set_len(before).is_ok() {
                self.torn_at = None;
            }
        }
        written
    }
}

/// Now, as a log writes it.
#[expect(clippy::disallowed_methods, reason = "a log says when; no report depends on it")]
pub(super) fn now() -> String {
    let now = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap_or(Duration::ZERO);
    let microseconds = i64::try_from(now.as_micros()).unwrap_or_default();
    jiff::Timestamp::from_microsecond(microseconds).map(|time| time.to_string()).unwrap_or_default()
}

/// The arguments as an agent sent them, with an end, and nothing that acts on whoever reads the log.
pub(super) fn arguments(sent: Option<&Map<String, Value>>) -> Value {
    let kept = sent.into_iter().flatten().take(ARGUMENTS);
    Value::Object(kept.map(|(name, value)| (word(name), argument(value))).collect())
}

fn argument(value: &Value) -> Value {
    match value {
        Value::String(text) => Value::String(word(text)),
        Value::Array(_) | Value::Object(_) => Value::String(word(&value.to_string())),
        plain => plain.clone(),
    }
}

fn word(sent: &str) -> String {
    text::shortened(sent.as_bytes(), WORD_BYTES).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_whole_also_after_one_that_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("audit.jsonl");
        std::fs::write(&path, "{\"time\":\"cut o").unwrap();
        let log = AuditLog::open(&path).unwrap();
        log.end_line().unwrap();
        let sent = serde_json::json!({"domain": "a\u{202e}b", "deep": {"a": [1]}, "limit": 3});
        let entry = Entry {
            time: now(),
            identity: "test",
            tool: "get_api_patterns",
            arguments: arguments(sent.as_object()),
            decision: "allow",
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
}
