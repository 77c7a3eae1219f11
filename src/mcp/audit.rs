//! Audit log: one JSON line per call, synced to disk before the answer is sent.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use serde::Serialize;
use serde_json::{Map, Value};

use crate::error::Error;
use crate::flow::text;

/// Maximum length of a name or value in the logged arguments, in bytes.
const WORD_BYTES: usize = 400;

/// Maximum number of arguments logged per call.
const ARGUMENTS: usize = 32;

/// A file to which one line per call is appended.
pub(super) struct AuditLog {
    log: Mutex<Log>,
}

struct Log {
    file: File,
    /// Length of the file, in bytes, before a line of which only a part could be written.
    torn_at: Option<u64>,
}

/// One logged call.
#[derive(Debug, Serialize)]
pub(super) struct AuditEntry<'a> {
    /// Time at which the answer was ready, RFC 3339 in UTC.
    pub(super) time: String,
    /// Name that the client gives itself. It identifies nobody reliably.
    pub(super) identity: &'a str,
    pub(super) tool: &'a str,
    pub(super) arguments: Value,
    pub(super) decision: &'static str,
    /// The rule of the policy that decided, as a JSON Pointer; empty for a tool that is not there.
    pub(super) rule: &'a str,
    /// Time from the request to the answer, in seconds.
    pub(super) duration: f64,
    /// Length of the text of the answer, in bytes.
    pub(super) bytes: usize,
    pub(super) is_error: bool,
}

impl AuditLog {
    /// Opens the file for appending and creates it if needed. Writes nothing: the caller first checks that the file is
    /// neither the policy nor a capture.
    pub(super) fn open(path: &Path) -> Result<Self, Error> {
        let name = path.display().to_string();
        let open = || -> io::Result<File> {
            if std::fs::metadata(path).is_ok_and(|metadata| !metadata.is_file()) {
                return Err(io::Error::other(
                    "an audit log must be a file, which keeps its lines; a pipe, a terminal or a folder does not",
                ));
            }
            OpenOptions::new().create(true).append(true).read(true).open(path)
        };
        let file = open().map_err(|error| Error::io(&name, "write", error))?;
        Ok(Self { log: Mutex::new(Log { file, torn_at: None }) })
    }

    /// Ends a line that an earlier process left incomplete.
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

    /// Returns a second handle to the log file, to compare its identity with other files.
    pub(super) fn file(&self) -> io::Result<File> {
        self.log.lock().unwrap_or_else(PoisonError::into_inner).file.try_clone()
    }

    /// Appends one complete line and syncs it to disk. If a line could be written only in part, that part is removed,
    /// at the latest before the next line.
    pub(super) fn add(&self, entry: &AuditEntry<'_>) -> io::Result<()> {
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
            // Remove the partial line now if possible, so that readers of the log find only complete lines.
            if self.file.set_len(before).is_ok() {
                self.torn_at = None;
            }
        }
        written
    }
}

/// Returns the current time as RFC 3339 in UTC, with microseconds.
#[expect(clippy::disallowed_methods, reason = "a log says when; no report depends on it")]
pub(super) fn now() -> String {
    let now = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap_or(Duration::ZERO);
    let microseconds = i64::try_from(now.as_micros()).unwrap_or_default();
    jiff::Timestamp::from_microsecond(microseconds).map(|time| time.to_string()).unwrap_or_default()
}

/// Returns the arguments as the agent sent them, shortened, and without characters that could act on the terminal of a
/// reader of the log.
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
}
