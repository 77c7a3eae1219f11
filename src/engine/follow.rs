//! A capture that grows while it is read: an incremental source.

use std::path::{Path, PathBuf};

use crate::capture::location::open_plain;
use crate::capture::{Captures, InputFormat};
use crate::engine::analysis::{Analysis, observe};
use crate::engine::live::ReadPosition;
use crate::engine::options::Options;
use crate::engine::progress::Monitor;
use crate::engine::run::RunResult;
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
    outcome: RunResult<()>,
    /// How far it was read.
    mark: ReadPosition,
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
            return Err(Error::usage(
                "limit cannot be combined with a capture that is followed; leave it out",
            ));
        }
        let mut follower = Self {
            path: path.as_ref().to_owned(),
            format,
            options,
            patterns: Patterns::new(),
            outcome: RunResult::default(),
            mark: ReadPosition::default(),
        };
        follower.captures()?;
        Ok(follower)
    }

    /// The file now, from where it was read to.
    fn captures(&mut self) -> Result<Captures, Error> {
        Captures::open_live(&self.path, self.format, self.mark.position)
    }

    /// Reads what was added since the last time.
    ///
    /// # Errors
    ///
    /// Where the file is there and cannot be read. A file that is gone is waited for.
    pub fn poll(&mut self, monitor: &dyn Monitor) -> Result<Change, Error> {
        let file = match open_plain(&self.path) {
            Ok(file) => file,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return Ok(Change::Nothing);
            }
            Err(error) => return Err(Error::io(&self.path.display().to_string(), "read", error)),
        };
        let length = file.metadata().map_or(0, |metadata| metadata.len());
        let restarted = !self.mark.goes_on(&file);
        if restarted {
            self.patterns = Patterns::new();
            self.outcome = RunResult::default();
            self.mark = ReadPosition::default();
        } else if length == self.mark.position {
            return Ok(Change::Nothing);
        }
        let captures = self.captures()?;
        let before = (self.mark.position, self.patterns.skips().total());
        let (patterns, mut outcome) = observe(&captures, &self.options, monitor)?;
        self.patterns.merge(patterns);
        let position = outcome.ends.first().copied().unwrap_or(self.mark.position);
        self.mark = ReadPosition::at(&file, position);
        self.outcome.failures.append(&mut outcome.failures);
        self.outcome.bytes = position;
        self.outcome.stopped = outcome.stopped;
        let is_new = before != (self.mark.position, self.patterns.skips().total());
        Ok(match (restarted, is_new) {
            (true, _) => Change::Restarted,
            (false, true) => Change::More,
            (false, false) => Change::Nothing,
        })
    }

    /// What is known now.
    pub fn analysis(&self) -> Analysis {
        let decision = self.options.decide(&self.patterns);
        Analysis::new(decision, self.patterns.skips().clone(), self.outcome.clone())
    }

    /// Reads what is left, as if nothing more were to come, and gives the last analysis: a record that is not whole is
    /// counted as cut off.
    pub fn finish(mut self) -> Result<Analysis, Error> {
        let rest = std::fs::metadata(&self.path).is_ok_and(|now| now.len() > self.mark.position);
        if rest {
            let captures = Captures::open_from(&self.path, self.format, self.mark.position)?;
            let (patterns, mut outcome) = observe(&captures, &self.options, &())?;
            self.patterns.merge(patterns);
            self.outcome.failures.append(&mut outcome.failures);
            self.outcome.bytes = outcome.ends.first().copied().unwrap_or(self.mark.position);
        }
        Ok(self.analysis())
    }
}
