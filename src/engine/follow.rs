//! Incremental reading of a capture that grows.

use std::path::{Path, PathBuf};

use crate::capture::location::open_plain;
use crate::capture::{Captures, InputFormat};
use crate::engine::analysis::{Analysis, observe_flows};
use crate::engine::live::ReadPosition;
use crate::engine::options::Options;
use crate::engine::progress::Monitor;
use crate::engine::run::RunResult;
use crate::error::Error;
use crate::patterns::Patterns;
use crate::report::options::ReportOptions;
use crate::schema::Schemas;

/// Follows a mitmproxy dump or JSON lines that another program writes. Each [`poll`](Self::poll)
/// reads the records that were added.
///
/// An incomplete record at the end is left for the next poll. If the file became shorter or was
/// replaced, the old content is forgotten, so the analysis always describes the current content of
/// the file.
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
    /// The position up to which the file was read.
    mark: ReadPosition,
}

/// The result of [`Follower::poll`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// Nothing was added.
    Nothing,
    /// Records were added.
    More,
    /// The file was cut off or replaced, and was read from its start.
    Restarted,
}

impl Follower {
    /// Follows the file at `path` from its start. Does not read records yet.
    ///
    /// ```
    /// use api_patterns::{Follower, InputFormat, Options};
    ///
    /// let path = "fixtures/demo.mitm";
    /// let follower = Follower::open(path, InputFormat::Detect, Options::default())?;
    /// assert_eq!(follower.analysis().report.totals.used, 0);
    /// # Ok::<(), api_patterns::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// Fails if the file does not exist, if it is neither a dump nor JSON lines, and if `options`
    /// has a limit, because the newest flows are only known at the end.
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
            patterns: options.new_patterns(),
            options,
            outcome: RunResult::default(),
            mark: ReadPosition::default(),
        };
        follower.captures()?;
        Ok(follower)
    }

    /// Opens the current file at the position up to which it was read.
    fn captures(&mut self) -> Result<Captures, Error> {
        Captures::open_live(&self.path, self.format, self.mark.position)
    }

    /// Reads the records that were added since the last call.
    ///
    /// ```
    /// use api_patterns::{Change, Follower, InputFormat, Options};
    ///
    /// let path = "fixtures/demo.mitm";
    /// let mut follower = Follower::open(path, InputFormat::Detect, Options::default())?;
    /// assert_eq!(follower.poll(&())?, Change::More);
    /// assert_eq!(follower.poll(&())?, Change::Nothing);
    /// # Ok::<(), api_patterns::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// Fails if the file exists and cannot be read. A file that does not exist is not an error,
    /// because it may be created again.
    pub fn poll(&mut self, monitor: &dyn Monitor) -> Result<Change, Error> {
        let file = match open_plain(&self.path) {
            Ok(file) => file,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return Ok(Change::Nothing);
            }
            Err(error) => return Err(Error::io(&self.path.display().to_string(), "read", error)),
        };
        let length = file.metadata().map_or(0, |metadata| metadata.len());
        let restarted = !self.mark.has_only_grown(&file);
        if restarted {
            self.patterns = self.options.new_patterns();
            self.outcome = RunResult::default();
            self.mark = ReadPosition::default();
        } else if length == self.mark.position {
            return Ok(Change::Nothing);
        }
        let captures = self.captures()?;
        let before = (self.mark.position, self.patterns.skips().total());
        let (patterns, mut outcome) = observe_flows(&captures, &self.options, monitor)?;
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

    /// The analysis of all records that were read so far.
    ///
    /// ```
    /// use api_patterns::{Follower, InputFormat, Options};
    ///
    /// let path = "fixtures/demo.mitm";
    /// let mut follower = Follower::open(path, InputFormat::Detect, Options::default())?;
    /// follower.poll(&())?;
    /// assert_eq!(follower.analysis().report.totals.used, 65);
    /// # Ok::<(), api_patterns::Error>(())
    /// ```
    pub fn analysis(&self) -> Analysis {
        let decision = self.options.decide(&self.patterns);
        let schemas = Schemas::of(&self.patterns, &decision);
        Analysis::new(decision, self.patterns.skips().clone(), self.outcome.clone())
            .with_schemas(schemas)
    }

    /// Sets the options by which the report is decided from now on, also for what was read before.
    ///
    /// ```
    /// use api_patterns::{Follower, InputFormat, Options, ReportOptions, Rules};
    ///
    /// let path = "fixtures/demo.mitm";
    /// let mut follower = Follower::open(path, InputFormat::Detect, Options::default())?;
    /// follower.poll(&())?;
    /// let mut options = ReportOptions::default();
    /// options.rules = Rules::parse("rules", "[[template]]\npath = \"/v1/{noun}\"")?;
    /// follower.set_report_options(options);
    /// assert_eq!(follower.analysis().report.patterns[0].path_pattern, "/v1/{noun}/{id}");
    /// # Ok::<(), api_patterns::Error>(())
    /// ```
    pub fn set_report_options(&mut self, options: ReportOptions) {
        self.options.report = options;
    }

    /// Reads the rest of the file and returns the last analysis. An incomplete record at the end is
    /// counted as cut off.
    ///
    /// ```
    /// use api_patterns::{Follower, InputFormat, Options};
    ///
    /// let path = "fixtures/demo.mitm";
    /// let follower = Follower::open(path, InputFormat::Detect, Options::default())?;
    /// assert_eq!(follower.finish()?.report.totals.used, 65);
    /// # Ok::<(), api_patterns::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// Fails if there is a rest that cannot be opened. A file that no longer exists has none.
    pub fn finish(mut self) -> Result<Analysis, Error> {
        let rest = std::fs::metadata(&self.path).is_ok_and(|now| now.len() > self.mark.position);
        if rest {
            let captures = Captures::open_from(&self.path, self.format, self.mark.position)?;
            let (patterns, mut outcome) = observe_flows(&captures, &self.options, &())?;
            self.patterns.merge(patterns);
            self.outcome.failures.append(&mut outcome.failures);
            self.outcome.bytes = outcome.ends.first().copied().unwrap_or(self.mark.position);
        }
        Ok(self.analysis())
    }
}
