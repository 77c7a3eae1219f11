//! Batches, the parts into which captures are cut, and the reader that fills them.

use std::io::{self, Read};

use crate::capture::bytes::{ByteStream, Bytes, locked};

/// A part of a capture that one thread decodes on its own.
#[derive(Debug, Default)]
pub(crate) struct Batch {
    /// Index of the capture, from 0.
    pub(crate) source: usize,
    /// Number of the batch in the whole run, from 0.
    pub(crate) sequence: u64,
    /// Offset of its first byte in the capture.
    pub(crate) offset: u64,
    buffer: Vec<u8>,
    filled: usize,
    /// First and last row number of the range, inclusive, if the capture has rows.
    rows: Option<(i64, i64)>,
}

impl Batch {
    /// Makes this batch stand for a range of rows; `place` is the place of the first row.
    #[cfg(feature = "sqlite")]
    pub(crate) fn put_rows(&mut self, first: i64, last: i64, place: u64) {
        self.clear();
        self.offset = place;
        self.rows = Some((first, last));
    }

    /// The range of rows that the batch stands for: first and last row number.
    #[cfg(feature = "sqlite")]
    pub(crate) fn rows(&self) -> Option<(i64, i64)> {
        self.rows
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.buffer[..self.filled]
    }

    pub(crate) fn clear(&mut self) {
        self.filled = 0;
        self.rows = None;
    }

    pub(crate) fn truncate(&mut self, length: usize) {
        self.filled = self.filled.min(length);
    }

    /// Replaces the bytes of the batch.
    pub(crate) fn replace(&mut self, bytes: Vec<u8>) {
        self.filled = bytes.len();
        self.buffer = bytes;
    }

    /// Frees memory that one large record needed.
    pub(crate) fn shrink(&mut self, capacity: usize) {
        if self.buffer.len() > 2 * capacity {
            self.buffer = Vec::new();
        }
    }
}

/// Reads a capture from front to back into batches.
pub(crate) struct CaptureReader<'a> {
    bytes: &'a Bytes,
    stream: Option<UnreadBuffer>,
    /// Offset of the next byte in the capture.
    position: u64,
    /// The error after which nothing more can be read.
    failure: Option<io::Error>,
    /// Called at intervals; the capture ends here as soon as it returns `false`.
    goes_on: KeepGoing<'a>,
    /// Bytes that were read since the last call of `goes_on`. Every call of `read` adds a fixed
    /// amount.
    unasked: usize,
}

/// A callback that long operations call at intervals. It returns `false` to stop them.
pub(crate) type KeepGoing<'a> = &'a (dyn Fn() -> bool + Sync);

/// Maximum number of bytes that are read at once.
const MAX_READ_BYTES: usize = 1 << 20;

impl<'a> CaptureReader<'a> {
    /// Creates a reader. A stream can be read once: a second reader finds it empty.
    pub(crate) fn new(bytes: &'a Bytes, goes_on: KeepGoing<'a>) -> Self {
        let stream = match bytes {
            Bytes::Stream(stream) => Some(locked(stream).take()),
            Bytes::Packed(packed) => Some(packed.open()),
            Bytes::File(_) | Bytes::Closed(_) | Bytes::Memory(_) => None,
        };
        let stream = stream.map(UnreadBuffer::new);
        Self { bytes, stream, position: 0, failure: None, goes_on, unasked: 0 }
    }

    pub(crate) fn position(&self) -> u64 {
        self.position
    }

    /// Reads until the batch holds `want` bytes or the capture ends. Returns `true` if the capture
    /// ended.
    ///
    /// Memory grows with the bytes that are present, not with `want`.
    pub(crate) fn fill(&mut self, batch: &mut Batch, want: usize) -> bool {
        // For a small capture, allocate only its size, and one byte to detect the end.
        let left = self.remaining_bytes().and_then(|left| usize::try_from(left).ok());
        let most =
            left.map_or(usize::MAX, |left| batch.filled.saturating_add(left).saturating_add(1));
        while batch.filled < want {
            let until = want.min(batch.filled + MAX_READ_BYTES).min(most.max(batch.filled + 1));
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

    /// Reads some bytes and returns their number. Returns 0 at the end and after an error:
    /// [`failure`](Self::failure) returns the error.
    pub(crate) fn read(&mut self, buffer: &mut [u8]) -> usize {
        const CALL: usize = 64;
        self.unasked += buffer.len().min(MAX_READ_BYTES) + CALL;
        if self.unasked > MAX_READ_BYTES {
            self.unasked = 0;
            if !(self.goes_on)() {
                return 0;
            }
        }
        // Bytes that were read before the failure and given back can still be read.
        let has_rest = self.stream.as_ref().is_some_and(UnreadBuffer::has_rest);
        if self.failure.is_some() && !has_rest {
            return 0;
        }
        let read = match &mut self.stream {
            Some(stream) => stream.read(buffer),
            None => self.bytes.read_at(self.position, buffer),
        };
        let count = read.unwrap_or_else(|error| {
            self.failure = Some(error);
            0
        });
        self.position += count as u64;
        #[cfg(test)]
        BYTES_READ.with(|looked| looked.set(looked.get() + count as u64));
        count
    }

    /// Takes the error that ended the reading. `None` if the capture was read to its end.
    pub(crate) fn failure(&mut self) -> Option<io::Error> {
        self.failure.take()
    }

    /// Gives the last bytes that were read back, so that they are read again.
    pub(crate) fn unread(&mut self, tail: &[u8]) {
        self.position -= tail.len() as u64;
        if let Some(stream) = &mut self.stream {
            stream.unread(tail);
        }
    }

    /// Returns `true` if the capture can be read at any position.
    pub(crate) fn is_seekable(&self) -> bool {
        self.bytes.is_seekable()
    }

    /// Continues at another position. Returns `false` if that is impossible. A compressed capture
    /// is unpacked again from its start.
    pub(crate) fn go_to(&mut self, position: u64) -> bool {
        if let Bytes::Packed(packed) = self.bytes {
            (self.stream, self.position, self.failure) =
                (Some(UnreadBuffer::new(packed.open())), 0, None);
            return self.skip(position) == position;
        }
        if self.bytes.is_seekable() {
            self.position = position;
        }
        self.bytes.is_seekable()
    }

    /// Skips bytes and returns how many were present.
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

    /// Reads bytes at any position without moving, and returns their number, which is smaller at
    /// the end. `None` if the capture cannot be read by position.
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
        #[cfg(test)]
        BYTES_READ.with(|looked| looked.set(looked.get() + filled as u64));
        Some(filled)
    }

    /// Number of bytes that are left. `None` if the length is not known.
    pub(crate) fn remaining_bytes(&self) -> Option<u64> {
        Some(self.bytes.length()?.saturating_sub(self.position))
    }
}

#[cfg(test)]
thread_local! {
    /// Number of bytes that were read on this thread; a byte that is read twice counts twice.
    pub(crate) static BYTES_READ: std::cell::Cell<u64> = const { std::cell::Cell::new(0) };
}

/// A stream whose last bytes can be given back cheaply.
struct UnreadBuffer {
    inner: ByteStream,
    buffer: Vec<u8>,
    /// Index of the next byte in the buffer. The bytes before it were read.
    at: usize,
}

impl UnreadBuffer {
    fn new(inner: ByteStream) -> Self {
        Self { inner, buffer: Vec::new(), at: 0 }
    }

    /// Returns `true` if the buffer has bytes that were not read yet or were given back.
    fn has_rest(&self) -> bool {
        self.at < self.buffer.len()
    }

    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        if !self.has_rest() {
            self.refill()?;
        }
        let rest = &self.buffer[self.at..];
        let count = rest.len().min(out.len());
        out[..count].copy_from_slice(&rest[..count]);
        self.at += count;
        Ok(count)
    }

    /// Reads the next piece. If much of the buffer was read, its memory is reused.
    fn refill(&mut self) -> io::Result<()> {
        if self.at >= MAX_READ_BYTES {
            self.buffer.clear();
            self.at = 0;
        }
        let start = self.buffer.len();
        self.buffer.resize(start + MAX_READ_BYTES, 0);
        let count = loop {
            match self.inner.read(&mut self.buffer[start..]) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                read => break read,
            }
        };
        self.buffer.truncate(start + *count.as_ref().unwrap_or(&0));
        count.map(drop)
    }

    fn unread(&mut self, tail: &[u8]) {
        if let Some(at) = self.at.checked_sub(tail.len()) {
            self.at = at;
        } else {
            self.buffer.splice(..self.at, tail.iter().copied());
            self.at = 0;
        }
    }
}

/// Number of bytes to read ahead. It adapts so that the bytes read again at damaged places are at
/// most a few times the bytes that were used.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ReadAhead {
    most: usize,
    want: usize,
}

impl ReadAhead {
    const MIN_AHEAD_BYTES: usize = 64;

    /// Starts with `most` bytes, which applies as long as nothing is damaged.
    pub(crate) fn new(most: usize) -> Self {
        let most = most.max(Self::MIN_AHEAD_BYTES);
        Self { most, want: most }
    }

    pub(crate) fn want(self) -> usize {
        self.want
    }

    pub(crate) fn most(self) -> usize {
        self.most
    }

    /// Notes that `bytes` of the bytes that were read could be used.
    pub(crate) fn used(&mut self, bytes: usize) {
        self.want = bytes.saturating_mul(4).clamp(Self::MIN_AHEAD_BYTES, self.most);
    }

    /// Notes that the bytes that were read did not suffice.
    pub(crate) fn grow(&mut self) {
        self.want = self.want.saturating_mul(2).min(self.most);
    }
}

/// Budget of bytes that may be searched in vain: bytes of records that do not end, or of data that
/// is not a record.
#[derive(Debug, Default)]
pub(crate) struct SearchBudget {
    spent: u64,
}

impl SearchBudget {
    /// Bytes that may be searched in vain for each byte that was already read.
    const MAX_SEARCHED_PER_BYTE: u64 = 6;

    /// Bytes that may be searched in vain in any case.
    const MAX_FREE_SEARCH_BYTES: u64 = 256 << 10;

    pub(crate) fn spend(&mut self, bytes: usize) {
        self.spent = self.spent.saturating_add(bytes as u64);
    }

    /// Returns `true` if the search has exceeded the budget of a capture of which `behind` bytes
    /// are read.
    pub(crate) fn is_over(&self, behind: u64) -> bool {
        self.spent
            > Self::MAX_FREE_SEARCH_BYTES + behind.saturating_mul(Self::MAX_SEARCHED_PER_BYTE)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_came_before_a_failure_is_read_again() {
        struct Failing(u8);
        impl Read for Failing {
            fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
                self.0 += 1;
                if self.0 > 1 {
                    return Err(io::Error::other("the disk is on fire"));
                }
                buffer[..3].copy_from_slice(b"abc");
                Ok(3)
            }
        }
        let bytes = Bytes::stream(Box::new(Failing(0)));
        let mut reader = CaptureReader::new(&bytes, &|| true);
        let mut batch = Batch::default();
        assert!(reader.fill(&mut batch, 100));
        reader.unread(b"bc");
        let mut again = Batch::default();
        assert!(reader.fill(&mut again, 100));
        assert_eq!(again.bytes(), b"bc");
        assert!(reader.failure().is_some());
    }

    proptest! {
        /// A stream gives its bytes in order, for any sequence of reads and bytes given back.
        #[test]
        fn a_stream_is_read_as_memory_is(
            steps in prop::collection::vec((1_usize..400_000, 0_usize..400_000), 1..40),
        ) {
            let all: Vec<u8> = (0..3_000_000_u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
            let memory = Bytes::Memory(all.clone());
            let stream = Bytes::stream(Box::new(io::Cursor::new(all)));
            let (mut plain, mut buffered) = (CaptureReader::new(&memory, &|| true), CaptureReader::new(&stream, &|| true));
            for (want, back) in steps {
                let mut batches = [Batch::default(), Batch::default()];
                let ended = [plain.fill(&mut batches[0], want), buffered.fill(&mut batches[1], want)];
                prop_assert_eq!(ended[0], ended[1]);
                prop_assert_eq!(batches[0].bytes(), batches[1].bytes());
                let keep = batches[0].bytes().len().saturating_sub(back);
                plain.unread(&batches[0].bytes()[keep..]);
                buffered.unread(&batches[1].bytes()[keep..]);
                prop_assert_eq!(plain.position(), buffered.position());
            }
        }
    }
}
