//! A capture that grows while it is read: an incremental source.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use crate::capture::{Captures, InputFormat};
use crate::engine::run::Outcome;
use crate::engine::{Analysis, Monitor, Options, observe};
use crate::error::Error;
use crate::patterns::Patterns;

/// Follows a mitmproxy dump or JSON lines that another program writes: each [`poll`](Self::poll) reads what was added.
///
/// A record that is not whole yet is waited for. Where the file became shorter or is another one (its writer began anew),
/// what was read of the old one is forgotten: the analysis is always about what the file holds.
///
/// ```no_run
/// use api_patterns::{Change, Follower, InputFormat, Options};
///
/// let mut follower = Follower::open("dump.mitm", InputFormat::Detect, Options::default())?;
/// loop {
///     if follower.poll(&())? != Change::Nothing {
///         println!("{} endpoints", follower.analysis().report.patterns.len());
///     }
///     std::thread::sleep(std::time::Duration::from_secs(1));
/// }
/// # #[allow(unreachable_code)]
/// # Ok::<(), api_patterns::Error>(())
/// ```
#[derive(Debug)]
pub struct Follower {
    path: PathBuf,
    format: InputFormat,
    options: Options,
    patterns: Patterns,
    outcome: Outcome<()>,
    /// Which file it was, and how far it was read.
    identity: Option<Identity>,
    position: u64,
    /// The last bytes before that position: a writer that began anew and is already further has others there.
    tail: Vec<u8>,
}

/// What a [`Follower`] found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// Nothing new.
    Nothing,
    /// More of the same file.
    More,
    /// The file was cut off or replaced, and was read from its start.
    Restarted,
}

/// Bytes by which a file is known again.
const TAIL: u64 = 256;

/// Device and number of a file.
type Identity = (u64, u64);

impl Follower {
    /// Follows the file at `path` from its start. Nothing is read yet.
    ///
    /// # Errors
    ///
    /// Where there is no such file, where it is neither a dump nor JSON lines, and where `options` has a limit (the newest
    /// flows are known only when the last one is).
    pub fn open(
        path: impl AsRef<Path>,
        format: InputFormat,
        options: Options,
    ) -> Result<Self, Error> {
        if options.limit.is_some() {
            return Err(Error::usage("a capture that is followed takes no limit"));
        }
        let mut follower = Self {
            path: path.as_ref().to_owned(),
            format,
            options,
            patterns: Patterns::new(),
            outcome: Outcome::default(),
            identity: None,
            position: 0,
            tail: Vec::new(),
        };
        follower.captures()?;
        Ok(follower)
    }

    /// The file now, from where it was read to.
    fn captures(&mut self) -> Result<Captures, Error> {
        Captures::open_live(&self.path, self.format, self.position)
    }

    /// Reads what was added since the last time.
    ///
    /// # Errors
    ///
    /// Where the file is there and cannot be read. A file that is gone is waited for.
    pub fn poll(&mut self, monitor: &dyn Monitor) -> Result<Change, Error> {
        let Ok(metadata) = std::fs::metadata(&self.path) else { return Ok(Change::Nothing) };
        let identity = identity_of(&metadata);
        let is_other = self.identity.is_some_and(|known| known != identity);
        let restarted = is_other || metadata.len() < self.position || self.read_tail() != self.tail;
        if restarted {
            self.patterns = Patterns::new();
            self.outcome = Outcome::default();
            self.position = 0;
            self.tail.clear();
        } else if metadata.len() == self.position {
            return Ok(Change::Nothing);
        }
        self.identity = Some(identity);
        let captures = self.captures()?;
        let before = (self.position, self.patterns.skips().total());
        let (patterns, mut outcome) = observe(&captures, &self.options, monitor)?;
        self.patterns.merge(patterns);
        self.position = outcome.ends.first().copied().unwrap_or(self.position);
        self.tail = self.read_tail();
        self.outcome.failures.append(&mut outcome.failures);
        self.outcome.bytes = self.position;
        self.outcome.stopped = outcome.stopped;
        let is_new = before != (self.position, self.patterns.skips().total());
        Ok(match (restarted, is_new) {
            (true, _) => Change::Restarted,
            (false, true) => Change::More,
            (false, false) => Change::Nothing,
        })
    }

    /// The bytes of the file before the position; fewer where they cannot be read.
    fn read_tail(&self) -> Vec<u8> {
        let length = self.position.min(TAIL);
        let read = || -> std::io::Result<Vec<u8>> {
            let mut file = File::open(&self.path)?;
            file.seek(SeekFrom::Start(self.position - length))?;
            let mut tail = Vec::new();
            file.take(length).read_to_end(&mut tail)?;
            Ok(tail)
        };
        read().unwrap_or_default()
    }

    /// What is known now.
    pub fn analysis(&self) -> Analysis {
        let decision = self.options.decide(&self.patterns);
        Analysis::new(decision, self.patterns.skips().clone(), self.outcome.clone())
    }

    /// Reads what is left, as if nothing more were to come, and gives the last analysis: a record that is not whole is
    /// counted as cut off.
    pub fn finish(mut self) -> Result<Analysis, Error> {
        let rest = std::fs::metadata(&self.path).is_ok_and(|now| now.len() > self.position);
        if rest {
            let captures = Captures::open_from(&self.path, self.format, self.position)?;
            let (patterns, mut outcome) = observe(&captures, &self.options, &())?;
            self.patterns.merge(patterns);
            self.outcome.failures.append(&mut outcome.failures);
            self.outcome.bytes = outcome.ends.first().copied().unwrap_or(self.position);
        }
        Ok(self.analysis())
    }
}

#[cfg(unix)]
fn identity_of(metadata: &std::fs::Metadata) -> Identity {
    use std::os::unix::fs::MetadataExt;

    (metadata.dev(), metadata.ino())
}

/// Elsewhere the time of creation tells files apart.
#[cfg(not(unix))]
fn identity_of(metadata: &std::fs::Metadata) -> Identity {
    let created = metadata.created().ok();
    let since = created.and_then(|time| time.duration_since(std::time::UNIX_EPOCH).ok());
    (0, since.map_or(0, |since| u64::try_from(since.as_nanos()).unwrap_or(0)))
}
