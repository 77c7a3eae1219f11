//! Opening of captures: files, folders, pipes and archives, with the reasons why some cannot be
//! opened.

mod content;

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use crate::capture::bytes::Bytes;
use crate::capture::chunk::CaptureItem;
use crate::capture::chunk::RowExtent;
use crate::capture::location::Location;
use crate::capture::source::{CaptureSource, Content, Format, GrowthKind, InputFormat};
use crate::error::Error;

/// The first bytes of a saved state.
pub(crate) const STATE_MAGIC: &[u8] = b"APST";

const NO_FLOWS: &str =
    "this is a saved state, which has no flows; name the captures that it was made from";

/// Captures that were opened and whose formats are known.
///
/// ```no_run
/// use api_patterns::{Captures, InputFormat, Options};
///
/// let captures = Captures::open(&["dump.mitm", "more-dumps/"], InputFormat::Detect)?;
/// let analysis = api_patterns::analyze(&captures, &Options::default(), &())?;
/// for pattern in &analysis.report.patterns {
///     println!("{:6} {}", pattern.request_count, pattern.endpoint);
/// }
/// # Ok::<(), api_patterns::Error>(())
/// ```
#[derive(Debug, Default)]
pub struct Captures {
    pub(crate) sources: Vec<CaptureSource>,
    /// Saved states that were named beside captures, or instead of them: name and bytes.
    states: Vec<(String, Vec<u8>)>,
    refused: Vec<Error>,
    ignored: Vec<String>,
    has_standard_input: bool,
    /// The real paths of the files that were added.
    files: BTreeSet<PathBuf>,
    /// Number of times that a file was named which was added before.
    repeated: usize,
    /// Whether nothing may be written, not even a temporary file.
    only_read: bool,
    /// Location of the file that is being added, if its path must not leave a folder.
    location: Option<Location>,
}

impl fmt::Debug for CaptureSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Source")
            .field("name", &self.name)
            .field("format", &self.format)
            .finish_non_exhaustive()
    }
}

impl Captures {
    /// Opens files, folders (walked, sorted by name) and standard input (`-`). A file that is named
    /// twice, or stands in a folder that is named too, is opened once.
    ///
    /// ```
    /// use api_patterns::{Captures, InputFormat};
    ///
    /// let paths = ["fixtures/demo.mitm", "fixtures/demo.har"];
    /// let captures = Captures::open(&paths, InputFormat::Detect)?;
    /// assert_eq!(captures.len(), 2);
    /// # Ok::<(), api_patterns::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// Returns the first error if no capture can be opened. If at least one can, the others are
    /// left out, and [`refused`](Self::refused) returns their errors.
    pub fn open(paths: &[impl AsRef<Path>], format: InputFormat) -> Result<Self, Error> {
        let mut captures = Self::default();
        for path in paths {
            captures.add_path(path.as_ref(), format);
        }
        if captures.sources.is_empty() && captures.states.is_empty() {
            let refused = captures.refused.into_iter().next();
            return Err(refused.unwrap_or_else(|| {
                Error::usage("no capture was named; give files, folders or -")
            }));
        }
        Ok(captures)
    }

    /// Opens a file that another program writes, from a byte on. An incomplete record at its end is
    /// left for later.
    pub(crate) fn open_live(path: &Path, format: InputFormat, start: u64) -> Result<Self, Error> {
        let mut captures = Self::open_from(path, format, start)?;
        captures.sources.iter_mut().for_each(|source| source.is_live = true);
        Ok(captures)
    }

    /// Opens one file without writing anything, not even a temporary file.
    #[cfg(feature = "mcp")]
    pub(crate) fn open_only_read(path: &Path, format: InputFormat) -> Result<Self, Error> {
        let mut captures = Self::only_read();
        captures.add_path(path, format);
        match captures.refused.pop() {
            Some(error) if captures.is_empty() => Err(error),
            _ => Ok(captures),
        }
    }

    /// Creates an empty list of captures. Adding to it writes nothing, not even a temporary file.
    pub(crate) fn only_read() -> Self {
        Self { only_read: true, ..Self::default() }
    }

    /// Adds a file whose content before `start` (a byte offset or row number) is already known.
    /// Returns the indices of its captures, which are several for an archive. An incomplete record
    /// at the end of a file that grows is left for later.
    pub(crate) fn add_growing(
        &mut self,
        location: &Location,
        format: InputFormat,
        start: u64,
    ) -> Result<std::ops::Range<usize>, Error> {
        let name = location.path().display().to_string();
        let before = self.sources.len();
        let file = location.open().map_err(|error| Error::io(&name, "read", error))?;
        self.location = Some(location.clone());
        let added = self.add(name, Some(&location.path()), Bytes::File(file), format);
        self.location = None;
        added?;
        for source in &mut self.sources[before..] {
            source.is_live = source.is_appended();
            source.start = start;
        }
        Ok(before..self.sources.len())
    }

    /// The way in which the captures of one file grow.
    pub(crate) fn growth(&self, sources: &std::ops::Range<usize>) -> GrowthKind {
        match &self.sources[sources.clone()] {
            [source] if source.is_appended() => GrowthKind::AtEnd,
            #[cfg(feature = "sqlite")]
            [CaptureSource { content: Content::Database(_), .. }] => GrowthKind::InRows,
            _ => GrowthKind::AsWhole,
        }
    }

    /// The range of the rows of a database, and the id of the flow in one row. `None` if the
    /// capture is not a database or cannot be read.
    #[cfg_attr(
        not(feature = "sqlite"),
        expect(unused_variables, reason = "without databases nothing has rows")
    )]
    pub(crate) fn extent(&self, source: usize, row: u64) -> Option<RowExtent> {
        match &self.sources.get(source)?.content {
            Content::Bytes(_) => None,
            #[cfg(feature = "sqlite")]
            Content::Database(database) => database.extent(row),
        }
    }

    /// Decodes one row of a database, if it still exists.
    #[cfg_attr(
        not(feature = "sqlite"),
        expect(
            unused_variables,
            clippy::unused_self,
            reason = "without databases nothing has rows"
        )
    )]
    pub(crate) fn row(&self, source: usize, row: u64, found: &mut dyn FnMut(u64, CaptureItem<'_>)) {
        #[cfg(feature = "sqlite")]
        if let Some(CaptureSource { content: Content::Database(database), .. }) =
            self.sources.get(source)
        {
            database.decode_row(row, found);
        }
    }

    /// Opens the rest of a file that another program writes, from a byte on, and reads an
    /// incomplete record at its end as damage. `None` if the file cannot be opened or does not grow
    /// at its end.
    pub(crate) fn rest_of(location: &Location, format: InputFormat, start: u64) -> Option<Self> {
        let mut captures = Self::only_read();
        let sources = captures.add_growing(location, format, start).ok()?;
        let is_appended = captures.growth(&sources) == GrowthKind::AtEnd;
        captures.sources.iter_mut().for_each(|source| source.is_live = false);
        is_appended.then_some(captures)
    }

    /// Opens a file from a byte on.
    pub(crate) fn open_from(path: &Path, format: InputFormat, start: u64) -> Result<Self, Error> {
        let mut captures = Self::open(&[path], format)?;
        captures.require_flows()?;
        for source in &mut captures.sources {
            if !source.is_appended() {
                let why = "only a mitmproxy dump or JSON lines in a file can be followed, because others are not \
                           written by adding to their end";
                return Err(Error::format(&source.name, why));
            }
            source.start = start;
        }
        Ok(captures)
    }

    /// Opens a capture that is already in memory. `name` is used in messages.
    ///
    /// ```
    /// use api_patterns::{Captures, InputFormat};
    ///
    /// let line = br#"{"method": "GET", "url": "https://api.example.com/users/42"}"#;
    /// let captures = Captures::from_bytes("one line", line.to_vec(), InputFormat::Detect)?;
    /// assert_eq!(captures.name(0), Some("one line"));
    /// # Ok::<(), api_patterns::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// Fails if the bytes are not a capture.
    pub fn from_bytes(name: &str, bytes: Vec<u8>, format: InputFormat) -> Result<Self, Error> {
        let mut captures = Self::default();
        captures.add(name.to_owned(), None, Bytes::Memory(bytes), format)?;
        Ok(captures)
    }

    /// Opens a capture that is read from front to back, once. `name` is used in messages.
    ///
    /// ```
    /// use api_patterns::{Captures, InputFormat};
    ///
    /// let line: &[u8] = br#"{"method": "GET", "url": "https://api.example.com/users/42"}"#;
    /// let captures = Captures::from_reader("a reader", Box::new(line), InputFormat::Detect)?;
    /// assert_eq!(captures.len(), 1);
    /// # Ok::<(), api_patterns::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// Fails if its first bytes cannot be read or are not a capture.
    pub fn from_reader(
        name: &str,
        reader: Box<dyn io::Read + Send>,
        format: InputFormat,
    ) -> Result<Self, Error> {
        let mut captures = Self::default();
        captures.add(name.to_owned(), None, Bytes::stream(reader), format)?;
        Ok(captures)
    }

    /// Makes all captures readable more than once, by copying pipes to temporary files.
    pub(crate) fn spool(&self) -> Result<(), Error> {
        for source in &self.sources {
            #[cfg_attr(
                not(feature = "sqlite"),
                expect(
                    irrefutable_let_patterns,
                    reason = "without databases there is nothing else"
                )
            )]
            if let Content::Bytes(bytes) = &source.content {
                bytes.spool().map_err(|error| Error::io(&source.name, "keep", error))?;
            }
        }
        Ok(())
    }

    /// Sets the host of requests in access logs that do not name it. It is `localhost` otherwise.
    ///
    /// ```
    /// use api_patterns::{Captures, InputFormat, Options, analyze};
    ///
    /// let log = br#"203.0.113.5 - - [22/Nov/2026:15:10:37 +0100] "GET /users/7 HTTP/1.1" 200 43"#;
    /// let mut captures = Captures::from_bytes("access.log", log.to_vec(), InputFormat::Detect)?;
    /// captures.set_log_host("api.example.com");
    /// let report = analyze(&captures, &Options::default(), &())?.report;
    /// assert_eq!(report.patterns[0].host, "api.example.com");
    /// # Ok::<(), api_patterns::Error>(())
    /// ```
    pub fn set_log_host(&mut self, host: &str) {
        for source in &mut self.sources {
            source.log_host = Cow::Owned(host.to_owned());
        }
    }

    /// The name of the first capture that is not a mitmproxy dump; `None` if all are.
    pub(crate) fn first_other_than_dump(&self) -> Option<&str> {
        let state = self.states.first().map(|state| &*state.0);
        let other = self.sources.iter().find(|source| source.format != Format::Mitmproxy);
        state.or_else(|| other.map(|source| &*source.name))
    }

    /// The saved states among the captures: name and bytes.
    pub(crate) fn states(&self) -> &[(String, Vec<u8>)] {
        &self.states
    }

    /// Fails if there is a saved state among the captures, for runs that need the flows themselves.
    pub(crate) fn require_flows(&self) -> Result<(), Error> {
        match self.states.first() {
            Some((name, _)) => Err(Error::foreign(name, NO_FLOWS)),
            None => Ok(()),
        }
    }

    /// Errors of the files that were named and could not be opened.
    ///
    /// ```
    /// use api_patterns::{Captures, InputFormat};
    ///
    /// let paths = ["fixtures/demo.mitm", "no-such-file.mitm"];
    /// let captures = Captures::open(&paths, InputFormat::Detect)?;
    /// assert!(captures.refused()[0].is_io());
    /// # Ok::<(), api_patterns::Error>(())
    /// ```
    pub fn refused(&self) -> &[Error] {
        &self.refused
    }

    /// Files that are left out, one sentence each with name and reason: those in folders that are
    /// not captures, and repetitions.
    ///
    /// ```
    /// use api_patterns::{Captures, InputFormat};
    ///
    /// let captures = Captures::open(&["fixtures"], InputFormat::Detect)?;
    /// assert!(captures.ignored().iter().any(|file| file.contains("README.md")));
    /// # Ok::<(), api_patterns::Error>(())
    /// ```
    pub fn ignored(&self) -> &[String] {
        &self.ignored
    }

    /// The name of a capture by its index, which is that of
    /// [`SkipPlace::source`](crate::SkipPlace::source). `None` if there is no such capture.
    ///
    /// ```
    /// use api_patterns::{Captures, InputFormat};
    ///
    /// let captures = Captures::open(&["fixtures/demo.har"], InputFormat::Detect)?;
    /// assert_eq!(captures.name(0), Some("fixtures/demo.har"));
    /// assert_eq!(captures.name(1), None);
    /// # Ok::<(), api_patterns::Error>(())
    /// ```
    pub fn name(&self, source: usize) -> Option<&str> {
        self.sources.get(source).map(|source| &*source.name)
    }

    /// The number of captures, without saved states.
    ///
    /// ```
    /// use api_patterns::{Captures, InputFormat};
    ///
    /// let captures = Captures::open(&["fixtures/demo.har"], InputFormat::Detect)?;
    /// assert_eq!(captures.len(), 1);
    /// # Ok::<(), api_patterns::Error>(())
    /// ```
    pub fn len(&self) -> usize {
        self.sources.len()
    }

    /// Returns `true` if there are no captures.
    ///
    /// ```
    /// assert!(api_patterns::Captures::default().is_empty());
    /// ```
    pub fn is_empty(&self) -> bool {
        self.sources.is_empty() && self.states.is_empty()
    }

    /// The total length of all captures in bytes. `None` if one of the lengths is not known.
    ///
    /// ```
    /// use api_patterns::{Captures, InputFormat};
    ///
    /// let captures = Captures::open(&["fixtures/demo.har"], InputFormat::Detect)?;
    /// let length = std::fs::metadata("fixtures/demo.har").unwrap().len();
    /// assert_eq!(captures.bytes(), Some(length));
    /// # Ok::<(), api_patterns::Error>(())
    /// ```
    pub fn bytes(&self) -> Option<u64> {
        self.sources.iter().map(CaptureSource::length).sum()
    }

    /// The unit of the places in a capture: `byte`, or `row` in a database.
    ///
    /// ```
    /// use api_patterns::{Captures, InputFormat};
    ///
    /// let captures = Captures::open(&["fixtures/demo.har"], InputFormat::Detect)?;
    /// assert_eq!(captures.unit(0), "byte");
    /// # Ok::<(), api_patterns::Error>(())
    /// ```
    pub fn unit(&self, source: usize) -> &'static str {
        self.sources.get(source).map_or("byte", CaptureSource::unit)
    }

    pub(crate) fn add_path(&mut self, path: &Path, format: InputFormat) {
        let name = path.display().to_string();
        let result =
            if path.as_os_str() == "-" && std::mem::replace(&mut self.has_standard_input, true) {
                Err(Error::usage("standard input (-) can be read once; name it once"))
            } else if path.as_os_str() == "-" {
                self.add("standard input".to_owned(), None, Bytes::standard_input(), format)
            } else if path.is_dir() {
                self.add_folder(path, format)
            } else {
                match Bytes::open(path) {
                    Ok(bytes) => self.add(name, Some(path), bytes, format),
                    Err(error) => Err(Error::io(&name, "read", error)),
                }
            };
        if let Err(error) = result {
            self.refused.push(error);
        }
    }
}
