//! Captures: finding out what a file is, and getting flows out of it.

pub(crate) mod bytes;
mod detect;
mod har;
mod json;
pub(crate) mod jsonl;
mod mitmproxy;
mod records;
mod time;
mod tnetstring;

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use crate::capture::bytes::{Batch, Bytes, Reader};
use crate::error::Error;
use crate::flow::Flow;
use crate::skip::SkipReason;

/// The formats that can be read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum InputFormat {
    /// Whatever the first bytes say; the name of a file says nothing.
    #[default]
    Detect,
    /// A mitmproxy dump (flow format versions 0.11 to 21).
    Mitmproxy,
    /// HAR 1.1 or 1.2; also the list of entries alone, and a Charles session saved as JSON (`.chlsj`).
    Har,
    /// One flow a line, as JSON.
    JsonLines,
}

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
    pub(crate) sources: Vec<Source>,
    refused: Vec<Error>,
    ignored: Vec<String>,
}

/// One capture.
pub(crate) struct Source {
    pub(crate) name: String,
    pub(crate) format: InputFormat,
    pub(crate) bytes: Bytes,
}

impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Source")
            .field("name", &self.name)
            .field("format", &self.format)
            .finish_non_exhaustive()
    }
}

impl Captures {
    /// Opens files and folders (walked, sorted by name) and standard input (`-`).
    ///
    /// # Errors
    ///
    /// Where nothing can be opened, the first reason. Where at least one capture can, the others are left out:
    /// [`refused`](Self::refused) has the reasons.
    pub fn open(paths: &[impl AsRef<Path>], format: InputFormat) -> Result<Self, Error> {
        let mut captures = Self::default();
        for path in paths {
            captures.add_path(path.as_ref(), format);
        }
        if captures.sources.is_empty() {
            let refused = captures.refused.into_iter().next();
            return Err(refused.unwrap_or_else(|| {
                Error::usage("no capture was named; give files, folders or -")
            }));
        }
        Ok(captures)
    }

    /// A capture that is already in memory.
    ///
    /// # Errors
    ///
    /// Where the bytes are no capture.
    pub fn from_bytes(name: &str, bytes: Vec<u8>, format: InputFormat) -> Result<Self, Error> {
        let mut captures = Self::default();
        captures.add(name.to_owned(), Bytes::Memory(bytes), format)?;
        Ok(captures)
    }

    /// A capture that is read from front to back, once.
    ///
    /// # Errors
    ///
    /// Where its first bytes cannot be read or are no capture.
    pub fn from_reader(
        name: &str,
        reader: Box<dyn io::Read + Send>,
        format: InputFormat,
    ) -> Result<Self, Error> {
        let mut captures = Self::default();
        captures.add(name.to_owned(), Bytes::stream(reader), format)?;
        Ok(captures)
    }

    /// Why files that were named are not among the captures.
    pub fn refused(&self) -> &[Error] {
        &self.refused
    }

    /// Files in folders that are not read: name and reason, in a sentence.
    pub fn ignored(&self) -> &[String] {
        &self.ignored
    }

    /// The name of a capture, as [`SkipPlace::source`](crate::SkipPlace::source) counts them.
    pub fn name(&self, source: usize) -> Option<&str> {
        self.sources.get(source).map(|source| &*source.name)
    }

    /// How many captures there are.
    pub fn len(&self) -> usize {
        self.sources.len()
    }

    /// Is there none?
    pub fn is_empty(&self) -> bool {
        self.sources.is_empty()
    }

    /// How many bytes they have in all, where that is known of each.
    pub fn bytes(&self) -> Option<u64> {
        self.sources.iter().map(|source| source.bytes.length()).sum()
    }

    /// Can they be read more than once?
    pub(crate) fn is_seekable(&self) -> bool {
        self.sources.iter().all(|source| source.bytes.is_seekable())
    }

    fn add_path(&mut self, path: &Path, format: InputFormat) {
        let name = path.display().to_string();
        let result = if path.as_os_str() == "-" {
            self.add("standard input".to_owned(), Bytes::standard_input(), format)
        } else if path.is_dir() {
            self.add_folder(path, format)
        } else {
            match Bytes::open(path) {
                Ok(bytes) => self.add(name, bytes, format),
                Err(error) => Err(Error::io(&name, "read", error)),
            }
        };
        if let Err(error) = result {
            self.refused.push(error);
        }
    }

    fn add(&mut self, name: String, bytes: Bytes, format: InputFormat) -> Result<(), Error> {
        let format = match format {
            InputFormat::Detect => {
                let head = bytes
                    .head(detect::HEAD_BYTES)
                    .map_err(|error| Error::io(&name, "read", error))?;
                detect::detect(&head).map_err(|refused| Error::format(&name, refused))?
            }
            named => named,
        };
        self.sources.push(Source { name, format, bytes });
        Ok(())
    }

    fn add_folder(&mut self, folder: &Path, format: InputFormat) -> Result<(), Error> {
        let name = folder.display().to_string();
        let mut files = Vec::new();
        self.walk(folder, &mut files, 0).map_err(|error| Error::io(&name, "read", error))?;
        let before = self.sources.len();
        for file in files {
            let name = file.display().to_string();
            match Bytes::open(&file) {
                // An empty file in a folder is nothing that somebody meant.
                Ok(bytes) if bytes.length() == Some(0) => {
                    self.ignored.push(format!("{name}: this file is empty"))
                }
                Ok(bytes) => match self.add(name.clone(), bytes, format) {
                    Err(error) if error.is_io() => self.refused.push(error),
                    Err(error) => self.ignored.push(error.to_string()),
                    Ok(()) => {}
                },
                Err(error) => self.refused.push(Error::io(&name, "read", error)),
            }
        }
        if self.sources.len() == before {
            let what = "no file in this folder is a capture that can be read (a mitmproxy dump, or JSON lines)";
            let first = self.ignored.first().map(|first| format!("; the first is {first}"));
            return Err(Error::format(&name, what.to_owned() + &first.unwrap_or_default()));
        }
        Ok(())
    }

    fn walk(&mut self, folder: &Path, files: &mut Vec<PathBuf>, depth: usize) -> io::Result<()> {
        const DEPTH: usize = 64;
        let mut entries: Vec<PathBuf> = std::fs::read_dir(folder)?
            .map(|entry| entry.map(|entry| entry.path()))
            .collect::<io::Result<_>>()?;
        entries.sort();
        for path in entries {
            let kind = std::fs::symlink_metadata(&path)?.file_type();
            if kind.is_dir() && depth < DEPTH {
                if let Err(error) = self.walk(&path, files, depth + 1) {
                    self.refused.push(Error::io(&path.display().to_string(), "read", error));
                }
            } else if kind.is_file() || (kind.is_symlink() && path.is_file()) {
                files.push(path);
            }
        }
        Ok(())
    }
}

/// What came next in a capture.
pub(crate) enum Cut {
    /// Whole records, in the batch.
    Batch,
    /// Bytes that are none; they are stepped over.
    Damage(Damage),
    /// Nothing.
    End,
}

/// Something that could not be read.
#[derive(Debug)]
pub(crate) struct Damage {
    pub(crate) reason: SkipReason,
    pub(crate) offset: u64,
    pub(crate) message: String,
}

/// Cuts one capture into batches.
pub(crate) enum Cutter<'a> {
    Records(records::Records<'a>),
    Entries(har::Entries<'a>),
    Lines(jsonl::Lines<'a>),
}

impl<'a> Cutter<'a> {
    pub(crate) fn new(source: &'a Source, batch_bytes: usize) -> Self {
        let reader = Reader::new(&source.bytes);
        match source.format {
            InputFormat::Mitmproxy | InputFormat::Detect => {
                Self::Records(records::Records::new(reader, batch_bytes))
            }
            InputFormat::Har => Self::Entries(har::Entries::new(reader, batch_bytes)),
            InputFormat::JsonLines => Self::Lines(jsonl::Lines::new(reader, batch_bytes)),
        }
    }

    /// How far it has read.
    pub(crate) fn position(&self) -> u64 {
        match self {
            Self::Records(records) => records.position(),
            Self::Entries(entries) => entries.position(),
            Self::Lines(lines) => lines.position(),
        }
    }

    pub(crate) fn next(&mut self, batch: &mut Batch) -> io::Result<Cut> {
        match self {
            Self::Records(records) => records.next(batch),
            Self::Entries(entries) => entries.next(batch),
            Self::Lines(lines) => lines.next(batch),
        }
    }
}

/// What a reader finds in a batch.
pub(crate) enum Found<'a> {
    Flow(&'a Flow<'a>),
    /// A flow whose URL was not asked over HTTP; the original tool counts it all the same.
    NotHttp(&'a Flow<'a>),
    /// Skipped on purpose, or damaged: then with a message.
    Skipped(SkipReason, String),
}

/// Decodes a batch: every flow and everything skipped, in order, with its byte offset in the capture.
pub(crate) fn decode(format: InputFormat, batch: &Batch, found: &mut dyn FnMut(u64, Found<'_>)) {
    match format {
        InputFormat::Mitmproxy | InputFormat::Detect => {
            let mut rest = batch.bytes();
            while let Some((record, after)) = tnetstring::take(rest) {
                let offset = batch.offset + (batch.bytes().len() - rest.len()) as u64;
                match mitmproxy::decode(record) {
                    mitmproxy::Decoded::Flow(flow) => found(offset, Found::Flow(&flow)),
                    mitmproxy::Decoded::Skipped(reason, message) => {
                        found(offset, Found::Skipped(reason, message))
                    }
                }
                rest = after;
            }
        }
        InputFormat::Har => har::decode(batch, found),
        InputFormat::JsonLines => jsonl::decode(batch, found),
    }
}
