//! Adds what is in a file, a folder or a pipe to the captures that are open: captures, archives of them, saved states, databases.

use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::capture::bytes::Bytes;
use crate::capture::bytes::unpack::{self, Compression, UnpackBudget};
#[cfg(feature = "sqlite")]
use crate::capture::database::Database;
use crate::capture::detect::{self, NotACapture};
use crate::capture::open::{Captures, NO_FLOWS, STATE_MAGIC};
use crate::capture::source::{CaptureSource, Content, Format, InputFormat};
use crate::error::Error;
use crate::limits;

/// The layers of compression around some bytes.
#[derive(Clone)]
struct UnpackContext {
    /// Number of layers.
    packings: usize,
    budget: Arc<UnpackBudget>,
}

impl UnpackContext {
    /// Enters one more layer. Fails if there are too many.
    fn enter(&mut self, name: &str) -> Result<(), Error> {
        self.packings += 1;
        if self.packings > limits::MAX_COMPRESSION_DEPTH {
            let why = format!(
                "this is packed more than {} times over; unpack it first",
                limits::MAX_COMPRESSION_DEPTH
            );
            return Err(Error::foreign(name, why));
        }
        Ok(())
    }
}

impl Captures {
    /// Adds the captures in some bytes: one, or those of a zip archive.
    pub(super) fn add(
        &mut self,
        name: String,
        path: Option<&Path>,
        bytes: Bytes,
        format: InputFormat,
    ) -> Result<(), Error> {
        // A file that is named twice, or stands in a folder that is named too, would count twice.
        let real = path.filter(|_| matches!(bytes, Bytes::File(_)));
        let real = real.and_then(|path| std::fs::canonicalize(path).ok());
        if real.as_ref().is_some_and(|real| self.files.contains(real)) {
            self.repeated += 1;
            self.ignored.push(format!("{name}: this file was named before and is read once"));
            return Ok(());
        }
        let bytes = match (bytes, path) {
            (Bytes::File(file), Some(path)) if self.sources.len() >= limits::MAX_OPEN_FILES => {
                Bytes::closed(&file, path, self.location.as_ref())
                    .map_err(|error| Error::io(&name, "read", error))?
            }
            (bytes, _) => bytes,
        };
        let outside = UnpackContext { packings: 0, budget: UnpackBudget::of(&bytes) };
        self.add_inside(name, path, bytes, format, outside)?;
        self.files.extend(real);
        Ok(())
    }

    /// Adds the captures in bytes that may have been unpacked from others.
    fn add_inside(
        &mut self,
        name: String,
        path: Option<&Path>,
        mut bytes: Bytes,
        format: InputFormat,
        mut outside: UnpackContext,
    ) -> Result<(), Error> {
        let head_of = |bytes: &Bytes| {
            bytes.head(detect::MAX_HEAD_BYTES).map_err(|error| Error::io(&name, "read", error))
        };
        let mut head = head_of(&bytes)?;
        while let Some(packing) = Compression::of(&head) {
            outside.enter(&name)?;
            bytes = unpack::unpack(bytes, packing, &outside.budget);
            head = head_of(&bytes)?;
        }
        if head.starts_with(STATE_MAGIC) && format.exactly().is_none() {
            return self.add_state(name, bytes);
        }
        if head.starts_with(b"PK\x03\x04") {
            outside.enter(&name)?;
            return self.add_zip(&name, bytes, format, &outside);
        }
        if detect::is_database(&head) {
            let is_plain = matches!(bytes, Bytes::File(_) | Bytes::Closed(_));
            return self.add_database(name, path.filter(|_| is_plain), bytes, format);
        }
        // A line may be longer than the head, so more bytes are needed to detect its format.
        let asked = format.exactly();
        if asked.is_none() && detect::is_open_line(&head) {
            head = bytes
                .head(limits::MAX_LINE_BYTES)
                .map_err(|error| Error::io(&name, "read", error))?;
        }
        let format = match asked {
            None => detect::detect(&head).map_err(|refused| match refused {
                NotACapture::Known(why) => Error::foreign(&name, why),
                NotACapture::Vague(why) => Error::format(&name, why),
            })?,
            Some(Format::McpDatabase) => {
                return Err(Error::format(&name, "this is not a SQLite database"));
            }
            Some(
                named @ (Format::Mitmproxy | Format::Har | Format::JsonLines | Format::AccessLog),
            ) => named,
        };
        self.sources.push(CaptureSource::new(name, format, Content::Bytes(bytes)));
        Ok(())
    }

    /// Adds a saved state, whose content is read later.
    fn add_state(&mut self, name: String, bytes: Bytes) -> Result<(), Error> {
        // A file that is watched has to have flows.
        if self.location.is_some() {
            return Err(Error::foreign(&name, NO_FLOWS));
        }
        let mut content = Vec::new();
        let most = limits::MAX_STATE_BYTES as u64;
        let read = bytes.into_stream().take(most + 1).read_to_end(&mut content);
        read.map_err(|error| Error::io(&name, "read", error))?;
        if content.len() as u64 > most {
            let why = format!("this saved state has more than {} MB", most >> 20);
            return Err(Error::foreign(&name, why));
        }
        self.states.push((name, content));
        Ok(())
    }

    #[cfg(feature = "sqlite")]
    fn add_database(
        &mut self,
        name: String,
        path: Option<&Path>,
        bytes: Bytes,
        format: InputFormat,
    ) -> Result<(), Error> {
        if !matches!(format.exactly(), None | Some(Format::McpDatabase)) {
            return Err(Error::format(
                &name,
                "this is a SQLite database; leave --input-format out",
            ));
        }
        let database = match path {
            Some(path) => {
                let file = match bytes {
                    Bytes::File(file) => Ok(file),
                    Bytes::Closed(closed) => closed.open(),
                    _ => Err(io::Error::other("it is not a plain file")),
                };
                file.map_err(|error| error.to_string()).and_then(|file| {
                    Database::open(path, file, self.location.as_ref(), !self.only_read)
                })
            }
            None if self.only_read => {
                let why = "this SQLite database is packed and would have to be unpacked into a temporary file, and nothing \
                           may be written here; unpack it first";
                Err(why.to_owned())
            }
            None => Database::unpacked(&mut bytes.into_stream()),
        };
        let database = database.map_err(|why| Error::foreign(&name, why))?;
        let content = Content::Database(database);
        self.sources.push(CaptureSource::new(name, Format::McpDatabase, content));
        Ok(())
    }

    #[cfg(not(feature = "sqlite"))]
    #[expect(
        clippy::unused_self,
        clippy::needless_pass_by_value,
        reason = "the same call with and without the feature"
    )]
    fn add_database(
        &mut self,
        name: String,
        _path: Option<&Path>,
        _bytes: Bytes,
        _format: InputFormat,
    ) -> Result<(), Error> {
        let why =
            "this is a SQLite database, which this build does not read (its feature sqlite is off)";
        Err(Error::format(&name, why))
    }

    /// Adds the captures of a zip archive. If it has a HAR or a dump, its other files belong to
    /// that (such as the bodies that Playwright stores beside its HAR) and are not read.
    fn add_zip(
        &mut self,
        name: &str,
        bytes: Bytes,
        format: InputFormat,
        outside: &UnpackContext,
    ) -> Result<(), Error> {
        if self.only_read && !bytes.is_seekable() {
            let why = "this zip archive is packed itself and would have to be unpacked into a temporary file, and nothing \
                       may be written here; unpack it first";
            return Err(Error::foreign(name, why));
        }
        let files = unpack::zip_files(bytes, &outside.budget).map_err(|error| {
            Error::format(name, format!("this zip archive cannot be read ({error}); save it again"))
        })?;
        if files.iter().any(|file| file.name.starts_with("raw/") && file.name.ends_with("_c.txt")) {
            let why = "this is a Fiddler archive (.saz); in Fiddler choose File > Export Sessions > HTTPArchive v1.2 and \
                       give that HAR";
            return Err(Error::foreign(name, why));
        }
        let mut inside = Self { only_read: self.only_read, ..Self::default() };
        for file in files {
            let name = format!("{name}/{}", file.name);
            let added = file.bytes.map_err(|why| Error::foreign(&name, why)).and_then(|bytes| {
                inside.add_inside(name.clone(), None, bytes, format, outside.clone())
            });
            if let Err(error) = added {
                inside.refused.push(error);
            }
        }
        if inside.sources.iter().any(|source| source.format != Format::JsonLines) {
            inside.sources.retain(|source| source.format != Format::JsonLines);
        }
        if inside.sources.is_empty() {
            let first = inside.refused.first().map(|first| format!("; the first is {first}"));
            let what = "no file in this zip archive is a capture that can be read";
            return Err(Error::format(name, what.to_owned() + &first.unwrap_or_default()));
        }
        // Files beside a HAR are mostly its bodies. Report only those of a known other format.
        let foreign = inside.refused.iter().filter(|error| error.is_foreign());
        self.ignored.extend(foreign.map(ToString::to_string));
        self.sources.append(&mut inside.sources);
        Ok(())
    }

    pub(super) fn add_folder(&mut self, folder: &Path, format: InputFormat) -> Result<(), Error> {
        let name = folder.display().to_string();
        let mut files = Vec::new();
        self.walk(folder, &mut files, 0).map_err(|error| Error::io(&name, "read", error))?;
        let is_empty = files.is_empty();
        let before = (self.sources.len(), self.repeated);
        // List files of known other formats first, because the user may want to convert them.
        let mut foreign = Vec::new();
        for file in files {
            let name = file.display().to_string();
            match Bytes::open(&file) {
                // An empty file in a folder is ignored.
                Ok(bytes) if bytes.length() == Some(0) => {
                    self.ignored.push(format!("{name}: this file is empty"))
                }
                Ok(bytes) => match self.add(name.clone(), Some(&file), bytes, format) {
                    Err(error) if error.is_io() => self.refused.push(error),
                    Err(error) if error.is_foreign() => foreign.push(error.to_string()),
                    Err(error) => self.ignored.push(error.to_string()),
                    Ok(()) => {}
                },
                Err(error) => self.refused.push(Error::io(&name, "read", error)),
            }
        }
        self.ignored.splice(0..0, foreign);
        if is_empty {
            let what = "no capture yet: this folder is empty; record into it, as with mitmdump -w dump.mitm";
            return Err(Error::format(&name, what));
        }
        if (self.sources.len(), self.repeated) == before {
            let what = "no file in this folder is a capture that can be read (a mitmproxy dump, a HAR, the database of mitmproxy-mcp, or JSON lines)";
            let first = self.ignored.first().map(|first| format!("; the first is {first}"));
            return Err(Error::format(&name, what.to_owned() + &first.unwrap_or_default()));
        }
        Ok(())
    }

    fn walk(&mut self, folder: &Path, files: &mut Vec<PathBuf>, depth: usize) -> io::Result<()> {
        const MAX_FOLDER_DEPTH: usize = 64;
        let mut entries: Vec<PathBuf> = std::fs::read_dir(folder)?
            .map(|entry| entry.map(|entry| entry.path()))
            .collect::<io::Result<_>>()?;
        entries.sort();
        for path in entries {
            let kind = std::fs::symlink_metadata(&path)?.file_type();
            if kind.is_dir() && depth < MAX_FOLDER_DEPTH {
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
