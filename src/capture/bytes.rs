//! Sources of bytes: a file that is read by position, a pipe, or memory.

pub(crate) mod unpack;

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::capture::bytes::unpack::Packed;
use crate::capture::location::{FileIdentity, Location, identity_of, open_plain};
use crate::limits;

/// A source that can only be read from front to back.
pub(crate) type ByteStream = Box<dyn Read + Send>;

/// The bytes of one capture.
pub(crate) enum Bytes {
    /// A file, which can be read at any position.
    File(File),
    /// A file that is open only while it is read. There may be more captures than a process can
    /// have open files.
    Closed(Closed),
    /// A pipe, in its current state.
    Stream(Mutex<Stream>),
    Memory(Vec<u8>),
    /// Compressed bytes that are unpacked while they are read, each time from the front.
    Packed(Packed),
}

/// The state of a source that can be read once.
pub(crate) enum Stream {
    /// The bytes that were read to detect the format, and the rest.
    Unread(Vec<u8>, ByteStream),
    /// A reader has taken the stream.
    Taken,
    /// The stream was copied to a file.
    Spooled(Arc<Bytes>),
}

impl Stream {
    /// Takes all bytes that are left, from the front.
    pub(crate) fn take(&mut self) -> ByteStream {
        match std::mem::replace(self, Self::Taken) {
            Self::Unread(head, rest) => Box::new(io::Cursor::new(head).chain(rest)),
            Self::Taken => Box::new(io::empty()),
            Self::Spooled(file) => {
                *self = Self::Spooled(Arc::clone(&file));
                Box::new(BytesSection::whole(file))
            }
        }
    }
}

/// The path of a file, and the identity and length that the file had when it was found.
pub(crate) struct Closed {
    path: PathBuf,
    location: Option<Location>,
    identity: FileIdentity,
    length: u64,
}

impl Closed {
    /// Opens the file. Fails if another file has its place.
    pub(crate) fn open(&self) -> io::Result<File> {
        let file = match &self.location {
            Some(location) => location.open()?,
            None => open_plain(&self.path)?,
        };
        if identity_of(&file.metadata()?) == self.identity {
            Ok(file)
        } else {
            Err(io::Error::other("it was replaced by another file while it was read"))
        }
    }
}

impl Bytes {
    /// Closes a file until it is read.
    pub(crate) fn closed(
        file: &File,
        path: &Path,
        location: Option<&Location>,
    ) -> io::Result<Self> {
        let metadata = file.metadata()?;
        let (identity, length) = (identity_of(&metadata), metadata.len());
        let (path, location) = (path.to_owned(), location.cloned());
        Ok(Self::Closed(Closed { path, location, identity, length }))
    }

    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        let file = File::open(path)?;
        let metadata = file.metadata()?;
        if metadata.is_dir() {
            return Err(io::Error::from(io::ErrorKind::IsADirectory));
        }
        if metadata.is_file() {
            return Ok(Self::File(file));
        }
        widen_pipe(&file);
        Ok(Self::stream(Box::new(file)))
    }

    /// Standard input. It is read by position if it is a file.
    pub(crate) fn standard_input() -> Self {
        #[cfg(unix)]
        {
            use std::os::fd::AsFd;
            if let Ok(fd) = io::stdin().as_fd().try_clone_to_owned() {
                let mut file = File::from(fd);
                // If another process has already read a part of the file, only the rest is the
                // capture.
                let is_at_start = file.stream_position().is_ok_and(|at| at == 0);
                if is_at_start && file.metadata().is_ok_and(|metadata| metadata.is_file()) {
                    return Self::File(file);
                }
            }
        }
        widen_pipe(&io::stdin());
        Self::stream(Box::new(io::stdin()))
    }

    pub(crate) fn stream(stream: ByteStream) -> Self {
        Self::Stream(Mutex::new(Stream::Unread(Vec::new(), stream)))
    }

    /// The current length in bytes. `None` if it is not known.
    pub(crate) fn length(&self) -> Option<u64> {
        match self {
            Self::File(file) => file.metadata().ok().map(|metadata| metadata.len()),
            Self::Stream(_) | Self::Packed(_) => None,
            Self::Closed(closed) => Some(closed.length),
            Self::Memory(bytes) => Some(bytes.len() as u64),
        }
    }

    /// Returns `true` if the bytes can be read at any position.
    pub(crate) fn is_seekable(&self) -> bool {
        matches!(self, Self::File(_) | Self::Closed(_) | Self::Memory(_))
    }

    /// All bytes, from front to back.
    pub(crate) fn into_stream(self) -> ByteStream {
        match self {
            Self::Stream(stream) => {
                stream.into_inner().unwrap_or_else(PoisonError::into_inner).take()
            }
            Self::Packed(packed) => packed.open(),
            bytes => Box::new(BytesSection::whole(Arc::new(bytes))),
        }
    }

    /// Copies a source that can be read once to a file without a name.
    pub(crate) fn spool(&self) -> io::Result<()> {
        if let Self::Stream(stream) = self
            && let mut stream = locked(stream)
            && !matches!(*stream, Stream::Spooled(_))
        {
            let spooled = spooled(&mut stream.take())?;
            *stream = Stream::Spooled(Arc::new(spooled));
        }
        Ok(())
    }

    /// Returns the first bytes, at most `limit`. They can be read again.
    pub(crate) fn head(&self, limit: usize) -> io::Result<Vec<u8>> {
        let mut head = vec![0; limit];
        let mut filled = 0;
        match self {
            Self::Stream(stream) => {
                if let Stream::Unread(read, stream) = &mut *locked(stream) {
                    let wanted = limit.saturating_sub(read.len()) as u64;
                    stream.take(wanted).read_to_end(read)?;
                    filled = read.len().min(limit);
                    head[..filled].copy_from_slice(&read[..filled]);
                }
            }
            Self::Packed(packed) => {
                let mut unpacked = Vec::new();
                packed.open().take(limit as u64).read_to_end(&mut unpacked).or_else(|error| {
                    // The bytes before the damage suffice to detect the format.
                    if unpacked.is_empty() { Err(error) } else { Ok(0) }
                })?;
                return Ok(unpacked);
            }
            _ => {
                while filled < limit {
                    match self.read_at(filled as u64, &mut head[filled..])? {
                        0 => break,
                        count => filled += count,
                    }
                }
            }
        }
        head.truncate(filled);
        Ok(head)
    }

    /// Reads a range of bytes. Memory is allocated only after the length was compared with that of
    /// the source.
    pub(crate) fn range(&self, offset: u64, length: u64) -> io::Result<Vec<u8>> {
        let available = self.length().unwrap_or_default().saturating_sub(offset);
        if length > available {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let mut bytes = vec![0; usize::try_from(length).map_err(io::Error::other)?];
        let mut filled = 0;
        while filled < bytes.len() {
            match self.read_at(offset + filled as u64, &mut bytes[filled..])? {
                0 => return Err(io::ErrorKind::UnexpectedEof.into()),
                count => filled += count,
            }
        }
        Ok(bytes)
    }

    pub(crate) fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::File(file) => read_at(file, buffer, offset),
            Self::Closed(closed) => read_at(&closed.open()?, buffer, offset),
            Self::Memory(bytes) => {
                let rest =
                    bytes.get(usize::try_from(offset).unwrap_or(usize::MAX)..).unwrap_or_default();
                let count = rest.len().min(buffer.len());
                buffer[..count].copy_from_slice(&rest[..count]);
                Ok(count)
            }
            Self::Stream(_) | Self::Packed(_) => Ok(0),
        }
    }
}

fn read_at(file: &File, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
    loop {
        #[cfg(unix)]
        let count = std::os::unix::fs::FileExt::read_at(file, buffer, offset);
        #[cfg(windows)]
        let count = std::os::windows::fs::FileExt::seek_read(file, buffer, offset);
        match count {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            count => return count,
        }
    }
}

/// Enlarges the buffer of a pipe. With the default of 64 kB, the two programs wait for each other
/// most of the time. Has no effect on anything that is not a pipe, or if the system refuses.
#[cfg(target_os = "linux")]
fn widen_pipe(pipe: &impl std::os::fd::AsFd) {
    /// The limit for unprivileged processes on Linux: `/proc/sys/fs/pipe-max-size`, in bytes.
    const PIPE_BYTES: usize = 1 << 20;
    rustix::pipe::fcntl_setpipe_size(pipe, PIPE_BYTES).ok();
}

#[cfg(not(target_os = "linux"))]
fn widen_pipe<T>(_pipe: &T) {}

pub(super) fn locked(stream: &Mutex<Stream>) -> MutexGuard<'_, Stream> {
    stream.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Copies a stream to a file without a name.
pub(crate) fn spooled(stream: &mut ByteStream) -> io::Result<Bytes> {
    let mut file = tempfile::tempfile()?;
    copy_bounded(stream, &mut file)?;
    Ok(Bytes::File(file))
}

/// Copies a whole stream, up to the maximum size of a temporary file.
pub(crate) fn copy_bounded(stream: &mut dyn Read, file: &mut File) -> io::Result<()> {
    let copied = io::copy(&mut stream.take(limits::MAX_SPOOLED_BYTES), file)?;
    if copied == limits::MAX_SPOOLED_BYTES {
        return Err(io::Error::other(
            "it is too large for a temporary file; give its path instead",
        ));
    }
    Ok(())
}

/// A reader of a part of a capture.
pub(crate) struct BytesSection {
    bytes: Arc<Bytes>,
    position: u64,
    start: u64,
    end: u64,
}

impl BytesSection {
    pub(crate) fn new(bytes: Arc<Bytes>, start: u64, end: u64) -> Self {
        Self { bytes, position: start, start, end }
    }

    pub(crate) fn whole(bytes: Arc<Bytes>) -> Self {
        Self::new(bytes, 0, u64::MAX)
    }
}

impl Read for BytesSection {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = usize::try_from(self.end.saturating_sub(self.position)).unwrap_or(usize::MAX);
        let length = buffer.len().min(left);
        let count = self.bytes.read_at(self.position, &mut buffer[..length])?;
        self.position += count as u64;
        Ok(count)
    }
}

impl Seek for BytesSection {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let end = self.end.min(self.bytes.length().unwrap_or(u64::MAX));
        let position = match to {
            SeekFrom::Start(offset) => self.start.checked_add(offset),
            SeekFrom::Current(offset) => self.position.checked_add_signed(offset),
            SeekFrom::End(offset) => end.checked_add_signed(offset),
        };
        self.position = position
            .filter(|position| *position >= self.start)
            .ok_or(io::ErrorKind::InvalidInput)?;
        Ok(self.position - self.start)
    }
}
