//! Detection of changes to a file: whether it is unchanged, has grown, or was replaced.

use std::fs::{File, Metadata};
use std::io;
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use crate::capture::bytes::Bytes;
use crate::capture::location::{FileIdentity, Location, identity_of, is_plain};
use crate::sketch::stable_hash;

/// Size of a sample by which a file is recognized, in bytes.
const SAMPLE: u64 = 256;

/// Number of intervals between the samples of the content that was read.
const SAMPLES: u64 = 32;

/// Age below which a file may change again without a change of its times.
const MIN_SETTLED_AGE: Duration = Duration::from_millis(50);

/// Size of the head of a SQLite file, which contains its change counter, in bytes.
const COUNTERS: usize = 100;

/// The properties of a file at one time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct FileFingerprint {
    identity: FileIdentity,
    length: u64,
    modified: Option<SystemTime>,
    /// Time of the last change of its permissions or path, as seconds and nanoseconds, if the
    /// system has it.
    status_changed: Option<(i64, i64)>,
    /// For a database: the head of its file, and whether there is a write-ahead log.
    counters: Vec<u8>,
    /// Whether the file may have changed later without a change of its times.
    is_fresh: bool,
}

impl FileFingerprint {
    /// Reads the properties of a file.
    pub(super) fn of(location: &Location, is_database: bool) -> io::Result<Self> {
        let metadata = location.metadata()?;
        if !is_plain(&metadata) {
            return Err(io::Error::other("it is not a plain file"));
        }
        let mut counters = Vec::new();
        if is_database {
            // A file that cannot be read has an empty head.
            counters = location
                .open()
                .and_then(|file| Bytes::File(file).head(COUNTERS))
                .unwrap_or_default();
            // A database with a log is not read, so only the existence of the log matters.
            let mut log = location.path().into_os_string();
            log.push("-wal");
            counters.push(u8::from(PathBuf::from(log).symlink_metadata().is_ok()));
        }
        let modified = metadata.modified().ok();
        #[expect(clippy::disallowed_methods, reason = "it only decides whether to look again")]
        let now = SystemTime::now();
        let age = modified.and_then(|time| now.duration_since(time).ok());
        Ok(Self {
            identity: identity_of(&metadata),
            length: metadata.len(),
            modified,
            status_changed: status_changed(&metadata),
            counters,
            // A database has a change counter; other files have only their times.
            is_fresh: !is_database && age.is_none_or(|age| age < MIN_SETTLED_AGE),
        })
    }

    /// Returns `true` if the file has not changed since `before`.
    pub(super) fn is_same(&self, before: &Self) -> bool {
        !before.is_fresh
            && (self.identity, self.length, self.modified, self.status_changed, &self.counters)
                == (
                    before.identity,
                    before.length,
                    before.modified,
                    before.status_changed,
                    &before.counters,
                )
    }
}

/// The position up to which a growing file was read.
#[derive(Clone, Debug, Default)]
pub(in crate::engine) struct ReadPosition {
    identity: Option<FileIdentity>,
    /// Offset of the first byte that was not read.
    pub(in crate::engine) position: u64,
    /// Length of the file at that time, in bytes.
    length: u64,
    /// Hash of samples of the bytes that were read, which detects a file that was written again.
    samples: u64,
}

impl ReadPosition {
    /// Returns `true` if the file has only grown, so that reading can continue. A file that was
    /// replaced by one with equal bytes in all samples is not detected.
    pub(in crate::engine) fn has_only_grown(&self, file: &File) -> bool {
        let Ok(metadata) = file.metadata() else { return false };
        let Some(known) = self.identity else { return true };
        known == identity_of(&metadata)
            && metadata.len() >= self.length
            && samples_of(file, self.position).is_ok_and(|samples| samples == self.samples)
    }

    /// A position in a file that cannot be opened. Reading never continues there.
    pub(super) fn lost() -> Self {
        Self { identity: Some((u64::MAX, u64::MAX)), ..Self::default() }
    }

    /// Records that the file was read up to `position`. If the samples cannot be read, the file
    /// counts as replaced the next time.
    pub(in crate::engine) fn at(file: &File, position: u64) -> Self {
        let metadata = file.metadata().ok();
        Self {
            identity: Some(metadata.as_ref().map_or((0, 0), identity_of)),
            position,
            length: metadata.map_or(0, |metadata| metadata.len()).max(position),
            samples: samples_of(file, position).unwrap_or_default(),
        }
    }
}

/// A hash of samples of the bytes before a position: the first, the last, and some at equal
/// distances between them.
fn samples_of(file: &File, position: u64) -> io::Result<u64> {
    let bytes = Bytes::File(file.try_clone()?);
    let length = position.min(SAMPLE);
    let last = position - length;
    let mut all = Vec::new();
    let mut before = None;
    for sample in 0..=SAMPLES {
        let at = u64::try_from(u128::from(last) * u128::from(sample) / u128::from(SAMPLES))
            .unwrap_or(last);
        if before.replace(at) != Some(at) {
            all.extend(bytes.range(at, length)?);
        }
    }
    Ok(stable_hash(&all))
}

/// Time of the last change of the file status, in seconds and nanoseconds.
#[cfg(unix)]
#[expect(clippy::unnecessary_wraps, reason = "other systems return None")]
fn status_changed(metadata: &Metadata) -> Option<(i64, i64)> {
    use std::os::unix::fs::MetadataExt;

    Some((metadata.ctime(), metadata.ctime_nsec()))
}

#[cfg(not(unix))]
fn status_changed(_metadata: &Metadata) -> Option<(i64, i64)> {
    None
}
