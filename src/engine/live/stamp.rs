//! Is a file still the one that was read, and what was added to it?

use std::fs::{File, Metadata};
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

/// Bytes by which a file is known again.
const TAIL: u64 = 256;

/// A file changed so short a time ago may change again without its times showing it.
const CLOCK: Duration = Duration::from_millis(50);

/// The head of a SQLite file, which holds its counter of changes.
const COUNTERS: u64 = 100;

/// Device and number of a file.
pub(in crate::engine) type Identity = (u64, u64);

/// What a file was like when it was looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Stamp {
    identity: Identity,
    length: u64,
    modified: Option<SystemTime>,
    /// When its permissions or its place changed last, where the system says so.
    status_changed: Option<(i64, i64)>,
    /// Of a database: the head of its file, and whether there is a write-ahead log.
    counters: Vec<u8>,
    /// Could it have changed since, with the same times?
    is_fresh: bool,
}

impl Stamp {
    /// The stamp of a file now.
    pub(super) fn of(path: &Path, is_database: bool) -> io::Result<Self> {
        let metadata = std::fs::metadata(path)?;
        let mut counters = Vec::new();
        if is_database {
            counters = head(path);
            // With a log it is not read, so that there is one is all there is to know.
            let mut log = path.as_os_str().to_owned();
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

fn head(path: &Path) -> Vec<u8> {
    let mut head = Vec::new();
    let read = File::open(path).and_then(|file| file.take(COUNTERS).read_to_end(&mut head));
    // A file that cannot be read has no counter.
    read.map_or_else(|_| Vec::new(), |_| head)
}

/// How far a file was read that its writer adds to.
#[derive(Clone, Debug, Default)]
pub(in crate::engine) struct Mark {
    identity: Option<Identity>,
    /// The first byte that was not read.
    pub(in crate::engine) position: u64,
    /// The last bytes before it: a writer that began anew and is already further has others there.
    tail: Vec<u8>,
}

impl Mark {
    /// Did the file only grow since, so that reading can go on?
    pub(in crate::engine) fn goes_on(&self, path: &Path) -> bool {
        let Ok(metadata) = std::fs::metadata(path) else { return false };
        let is_same = self.identity.is_none_or(|known| known == identity_of(&metadata));
        is_same && metadata.len() >= self.position && tail_of(path, self.position) == self.tail
    }

    /// The file was read up to `position`.
    pub(in crate::engine) fn at(path: &Path, position: u64) -> Self {
        let identity = std::fs::metadata(path).ok().map(|metadata| identity_of(&metadata));
        Self { identity, position, tail: tail_of(path, position) }
    }
}

/// The bytes of a file before a position; fewer where they cannot be read.
fn tail_of(path: &Path, position: u64) -> Vec<u8> {
    let length = position.min(TAIL);
    let read = || -> io::Result<Vec<u8>> {
        let mut file = File::open(path)?;
        file.seek(SeekFrom::Start(position - length))?;
        let mut tail = Vec::new();
        file.take(length).read_to_end(&mut tail)?;
        Ok(tail)
    };
    read().unwrap_or_default()
}

#[cfg(unix)]
fn identity_of(metadata: &Metadata) -> Identity {
    use std::os::unix::fs::MetadataExt;

    (metadata.dev(), metadata.ino())
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

/// Elsewhere the time of creation tells files apart.
#[cfg(not(unix))]
fn identity_of(metadata: &Metadata) -> Identity {
    let created = metadata.created().ok();
    let since = created.and_then(|time| time.duration_since(std::time::UNIX_EPOCH).ok());
    (0, since.map_or(0, |since| u64::try_from(since.as_nanos()).unwrap_or(0)))
}
