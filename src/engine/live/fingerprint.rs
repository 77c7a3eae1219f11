//! Is a file still the one that was read, and what was added to it?

use std::fs::{File, Metadata};
use std::io;
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use crate::capture::bytes::Bytes;
use crate::capture::location::{FileIdentity, Location, identity_of, is_plain};
use crate::sketch::stable_hash;

/// Bytes of one sample by which a file is known again.
const SAMPLE: u64 = 256;

/// Samples of what was read, beside its first and last bytes.
const SAMPLES: u64 = 32;

/// A file changed so short a time ago may change again without its times showing it.
const CLOCK: Duration = Duration::from_millis(50);

/// The head of a SQLite file, which holds its counter of changes.
const COUNTERS: usize = 100;

/// What a file was like when it was looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct FileFingerprint {
    identity: FileIdentity,
    length: u64,
    modified: Option<SystemTime>,
    /// When its permissions or its place changed last, where the system says so.
    status_changed: Option<(i64, i64)>,
    /// Of a database: the head of its file, and whether there is a write-ahead log.
    counters: Vec<u8>,
    /// Could it have changed since, with the same times?
    is_fresh: bool,
}

impl FileFingerprint {
    /// The stamp of a file now.
    pub(super) fn of(location: &Location, is_database: bool) -> io::Result<Self> {
        let metadata = location.metadata()?;
        if !is_plain(&metadata) {
            return Err(io::Error::other("it is not a plain file"));
        }
        let mut counters = Vec::new();
        if is_database {
            // A file that cannot be read has no counter.
            counters = location
                .open()
                .and_then(|file| Bytes::File(file).head(COUNTERS))
                .unwrap_or_default();
            // With a log it is not read, so that there is one is all there is to know.
            let mut log = location.path().into_os_string();
            log.push("-wal");
            counters.push(u8::from(PathBuf::from(log).symlink_metadata().is_ok()));
        }
        let modified = metadata.modified().ok();
        #[expect(clippy::disallowed_methods, reason = "only whether to look again depends on it")]
        let now = SystemTime::now();
        let age = modified.and_then(|time| now.duration_since(time).ok());
        Ok(Self {
            identity: identity_of(&metadata),
            length: metadata.len(),
            modified,
            status_changed: status_changed(&metadata),
            counters,
            // A database has its counter, other files have but their times.
            is_fresh: !is_database && age.is_none_or(|age| age < CLOCK),
        })
    }

    /// Is the file as it was then?
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

/// How far a file was read that its writer adds to.
#[derive(Clone, Debug, Default)]
pub(in crate::engine) struct ReadPosition {
    identity: Option<FileIdentity>,
    /// The first byte that was not read.
    pub(in crate::engine) position: u64,
    /// How long the file was then.
    length: u64,
    /// Of what was read: a writer that began anew and is already further has other bytes somewhere.
    samples: u64,
}

impl ReadPosition {
    /// Did the file only grow since, so that reading can go on? A file that was written anew with the same bytes at all
    /// samples is not noticed.
    pub(in crate::engine) fn goes_on(&self, file: &File) -> bool {
        let Ok(metadata) = file.metadata() else { return false };
        let Some(known) = self.identity else { return true };
        known == identity_of(&metadata)
            && metadata.len() >= self.length
            && samples_of(file, self.position).is_ok_and(|samples| samples == self.samples)
    }

    /// The mark of a file that cannot be found again: it goes on from nowhere.
    pub(super) fn lost() -> Self {
        Self { identity: Some((u64::MAX, u64::MAX)), ..Self::default() }
    }

    /// The file was read up to `position`. (Where it cannot be read any more, it is another one the next time.)
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

/// A hash of samples of the bytes before a position: the first, the last, and some between them at even distances.
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

/// Seconds and nanoseconds.
#[cfg(unix)]
#[expect(clippy::unnecessary_wraps, reason = "elsewhere there is none")]
fn status_changed(metadata: &Metadata) -> Option<(i64, i64)> {
    use std::os::unix::fs::MetadataExt;

    Some((metadata.ctime(), metadata.ctime_nsec()))
}

#[cfg(not(unix))]
fn status_changed(_metadata: &Metadata) -> Option<(i64, i64)> {
    None
}
