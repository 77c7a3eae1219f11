//! The parts into which captures are cut, and what reads a capture into them.

use std::io::{self, Read};

use crate::capture::bytes::{ByteStream, Bytes, locked};

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
