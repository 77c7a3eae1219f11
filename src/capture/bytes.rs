//! Where bytes come from: a file by positioned reads, a pipe, or memory.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::capture::unpack::Packed;
use crate::limits;

/// What can only be read from front to back.
pub(crate) type ByteStream = Box<dyn Read + Send>;

/// The bytes of one capture.
pub(crate) enum Bytes {
    /// Anything that can be read at a position.
    File(File),
    /// A pipe, or what became of it.
    Stream(Mutex<Stream>),
    Memory(Vec<u8>),
    /// Unpacked while it is read, from the front each time.
    Packed(Packed),
}

/// What can be read once.
pub(crate) enum Stream {
    /// What was read off it to find out its format, and the rest.
    Unread(Vec<u8>, ByteStream),
    /// Somebody reads it.
    Taken,
    /// It was put into a file.
    Spooled(Arc<Bytes>),
}

impl Stream {
    /// All that is left of it, from the front.
    pub(crate) fn take(&mut self) -> ByteStream {
        match std::mem::replace(self, Self::Taken) {
            Self::Unread(head, rest) => Box::new(io::Cursor::new(head).chain(rest)),
            Self::Taken => Box::new(io::empty()),
            Self::Spooled(file) => {
                *self = Self::Spooled(Arc::clone(&file));
                Box::new(Section::whole(file))
            }
        }
    }
}

impl Bytes {
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

    /// Standard input: read by position where it is a file.
    pub(crate) fn standard_input() -> Self {
        #[cfg(unix)]
        {
            use std::os::fd::AsFd;
            if let Ok(fd) = io::stdin().as_fd().try_clone_to_owned() {
                let mut file = File::from(fd);
                // What somebody else has read of it already is not ours.
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

    /// The length in bytes now, where it is known.
    pub(crate) fn length(&self) -> Option<u64> {
        match self {
            Self::File(file) => file.metadata().ok().map(|metadata| metadata.len()),
            Self::Stream(_) | Self::Packed(_) => None,
            Self::Memory(bytes) => Some(bytes.len() as u64),
        }
    }

    /// Can it be read at any position?
    pub(crate) fn is_seekable(&self) -> bool {
        matches!(self, Self::File(_) | Self::Memory(_))
    }

    /// All of it, from front to back.
    pub(crate) fn into_stream(self) -> ByteStream {
        match self {
            Self::Stream(stream) => {
                stream.into_inner().unwrap_or_else(PoisonError::into_inner).take()
            }
            Self::Packed(packed) => packed.open(),
            bytes => Box::new(Section::whole(Arc::new(bytes))),
        }
    }

    /// Puts what can be read once into a file that has no name.
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

    /// The first bytes, at most `limit`, which are not used up by it.
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
                    // What came before the damage says what it is.
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

    /// Some bytes in the middle. What a length claims is not believed before it was read.
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
            Self::File(file) => loop {
                #[cfg(unix)]
                let count = std::os::unix::fs::FileExt::read_at(file, buffer, offset);
                #[cfg(windows)]
                let count = std::os::windows::fs::FileExt::seek_read(file, buffer, offset);
                match count {
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                    count => return count,
                }
            },
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

/// Lets more bytes wait in a pipe: of the 64 kB that it holds at first, its two programs wait for each other most of the time.
/// (Where it is no pipe, or may not grow, it works as well.)
#[cfg(target_os = "linux")]
fn widen_pipe(pipe: &impl std::os::fd::AsFd) {
    /// As much as everybody may have: `/proc/sys/fs/pipe-max-size`.
    const PIPE_BYTES: usize = 1 << 20;
    rustix::pipe::fcntl_setpipe_size(pipe, PIPE_BYTES).ok();
}

#[cfg(not(target_os = "linux"))]
fn widen_pipe<T>(_pipe: &T) {}

fn locked(stream: &Mutex<Stream>) -> MutexGuard<'_, Stream> {
    stream.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Puts bytes into a file that has no name.
pub(crate) fn spooled(stream: &mut ByteStream) -> io::Result<Bytes> {
    let mut file = tempfile::tempfile()?;
    copy_bounded(stream, &mut file)?;
    Ok(Bytes::File(file))
}

/// Copies all of a stream, up to what a temporary file may hold.
pub(crate) fn copy_bounded(stream: &mut ByteStream, file: &mut File) -> io::Result<()> {
    let copied = io::copy(&mut stream.take(limits::SPOOLED_BYTES), file)?;
    if copied == limits::SPOOLED_BYTES {
        return Err(io::Error::other(
            "it is too large for a temporary file; give its path instead",
        ));
    }
    Ok(())
}

/// Reads a part of a capture.
pub(crate) struct Section {
    bytes: Arc<Bytes>,
    position: u64,
    start: u64,
    end: u64,
}

impl Section {
    pub(crate) fn new(bytes: Arc<Bytes>, start: u64, end: u64) -> Self {
        Self { bytes, position: start, start, end }
    }

    pub(crate) fn whole(bytes: Arc<Bytes>) -> Self {
        Self::new(bytes, 0, u64::MAX)
    }
}

impl Read for Section {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = usize::try_from(self.end.saturating_sub(self.position)).unwrap_or(usize::MAX);
        let length = buffer.len().min(left);
        let count = self.bytes.read_at(self.position, &mut buffer[..length])?;
        self.position += count as u64;
        Ok(count)
    }
}

impl Seek for Section {
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

/// A part of a capture that one thread decodes on its own.
#[derive(Debug, Default)]
pub(crate) struct Batch {
    /// Which capture.
    pub(crate) source: usize,
    /// Which batch of all, counted from 0.
    pub(crate) sequence: u64,
    /// Where its bytes begin in the capture.
    pub(crate) offset: u64,
    buffer: Vec<u8>,
    filled: usize,
}

impl Batch {
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.buffer[..self.filled]
    }

    pub(crate) fn clear(&mut self) {
        self.filled = 0;
    }

    pub(crate) fn truncate(&mut self, length: usize) {
        self.filled = self.filled.min(length);
    }

    /// Replaces the bytes.
    pub(crate) fn replace(&mut self, bytes: Vec<u8>) {
        self.filled = bytes.len();
        self.buffer = bytes;
    }

    /// Gives memory back that one large record needed.
    pub(crate) fn shrink(&mut self, capacity: usize) {
        if self.buffer.len() > 2 * capacity {
            self.buffer = Vec::new();
        }
    }
}

/// Reads a capture from front to back into batches.
pub(crate) struct Reader<'a> {
    bytes: &'a Bytes,
    stream: Option<ByteStream>,
    /// Read off the stream and given back.
    carry: Vec<u8>,
    /// Where the next byte stands in the capture.
    position: u64,
    /// Why nothing more can be read.
    failure: Option<io::Error>,
}

impl<'a> Reader<'a> {
    /// A stream is read once: a second reader of it finds it empty.
    pub(crate) fn new(bytes: &'a Bytes) -> Self {
        let mut reader =
            Self { bytes, stream: None, carry: Vec::new(), position: 0, failure: None };
        match bytes {
            Bytes::Stream(stream) => reader.stream = Some(locked(stream).take()),
            Bytes::Packed(packed) => reader.stream = Some(packed.open()),
            Bytes::File(_) | Bytes::Memory(_) => {}
        }
        reader
    }

    pub(crate) fn position(&self) -> u64 {
        self.position
    }

    /// Reads until the batch holds `want` bytes or the capture ends; was that its end?
    ///
    /// The memory grows with what is really there, not with `want`.
    pub(crate) fn fill(&mut self, batch: &mut Batch, want: usize) -> bool {
        const STEP: usize = 1 << 20;
        // Of a small capture no more memory is touched than it fills, and one byte to see its end.
        let left = self.left().and_then(|left| usize::try_from(left).ok());
        let most =
            left.map_or(usize::MAX, |left| batch.filled.saturating_add(left).saturating_add(1));
        while batch.filled < want {
            let until = want.min(batch.filled + STEP).min(most.max(batch.filled + 1));
            if batch.buffer.len() < until {
                batch.buffer.resize(until, 0);
            }
            let count = self.read(&mut batch.buffer[batch.filled..until]);
            if count == 0 {
                return true;
            }
            batch.filled += count;
        }
        false
    }

    /// Reads some bytes; 0 at the end, and where nothing more can be read: [`failure`](Self::failure) says why.
    pub(crate) fn read(&mut self, buffer: &mut [u8]) -> usize {
        if !self.carry.is_empty() {
            let count = self.carry.len().min(buffer.len());
            buffer[..count].copy_from_slice(&self.carry[..count]);
            self.carry.drain(..count);
            self.position += count as u64;
            return count;
        }
        let read = match (&self.failure, &mut self.stream) {
            (Some(_), _) => Ok(0),
            (None, Some(stream)) => loop {
                match stream.read(buffer) {
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                    read => break read,
                }
            },
            (None, None) => self.bytes.read_at(self.position, buffer),
        };
        let count = read.unwrap_or_else(|error| {
            self.failure = Some(error);
            0
        });
        self.position += count as u64;
        count
    }

    /// Why nothing more could be read, if that is not the end of the capture.
    pub(crate) fn failure(&mut self) -> Option<io::Error> {
        self.failure.take()
    }

    /// Gives the last bytes of what was read back, to be read again.
    pub(crate) fn unread(&mut self, tail: &[u8]) {
        self.position -= tail.len() as u64;
        if !self.bytes.is_seekable() {
            self.carry.splice(0..0, tail.iter().copied());
        }
    }

    /// Goes on at another place; `false` where that cannot be.
    pub(crate) fn go_to(&mut self, position: u64) -> bool {
        if self.bytes.is_seekable() {
            self.position = position;
        }
        self.bytes.is_seekable()
    }

    /// Steps over bytes; how many there really were.
    pub(crate) fn skip(&mut self, count: u64) -> u64 {
        if self.bytes.is_seekable() {
            let length = self.bytes.length().unwrap_or(u64::MAX);
            let skipped = count.min(length.saturating_sub(self.position));
            self.position += skipped;
            return skipped;
        }
        let mut buffer = [0; 8192];
        let mut skipped = 0;
        while skipped < count {
            let want = usize::try_from(count - skipped).unwrap_or(usize::MAX).min(buffer.len());
            match self.read(&mut buffer[..want]) {
                0 => break,
                read => skipped += read as u64,
            }
        }
        skipped
    }

    /// Bytes at any position, without moving; fewer at the end, `None` where the capture cannot be read by position.
    pub(crate) fn peek(&self, offset: u64, buffer: &mut [u8]) -> Option<usize> {
        if !self.bytes.is_seekable() {
            return None;
        }
        let mut filled = 0;
        while filled < buffer.len() {
            match self.bytes.read_at(offset + filled as u64, &mut buffer[filled..]) {
                Ok(0) | Err(_) => break,
                Ok(count) => filled += count,
            }
        }
        Some(filled)
    }

    /// How many bytes are left, where that is known.
    pub(crate) fn left(&self) -> Option<u64> {
        Some(self.bytes.length()?.saturating_sub(self.position))
    }
}
