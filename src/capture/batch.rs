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
    /// The first and the last number of the rows that it stands for, where the capture has rows.
    rows: Option<(i64, i64)>,
}

impl Batch {
    /// Makes it stand for a range of rows; `place` is that of the first.
    #[cfg(feature = "sqlite")]
    pub(crate) fn put_rows(&mut self, first: i64, last: i64, place: u64) {
        self.clear();
        self.offset = place;
        self.rows = Some((first, last));
    }

    /// The range of rows that it stands for.
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
pub(crate) struct CaptureReader<'a> {
    bytes: &'a Bytes,
    stream: Option<UnreadBuffer>,
    /// Where the next byte stands in the capture.
    position: u64,
    /// Why nothing more can be read.
    failure: Option<io::Error>,
    /// Asked now and then: once it says no, the capture ends here.
    goes_on: KeepGoing<'a>,
    /// Bytes that were read since `goes_on` was asked; every call of `read` counts as some.
    unasked: usize,
}

/// Says whether to go on; asked now and then by whatever may take long.
pub(crate) type KeepGoing<'a> = &'a (dyn Fn() -> bool + Sync);

/// Bytes that are read at once.
const STEP: usize = 1 << 20;

impl<'a> CaptureReader<'a> {
    /// A stream is read once: a second reader of it finds it empty.
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

    /// Reads until the batch holds `want` bytes or the capture ends; was that its end?
    ///
    /// The memory grows with what is really there, not with `want`.
    pub(crate) fn fill(&mut self, batch: &mut Batch, want: usize) -> bool {
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
        const CALL: usize = 64;
        self.unasked += buffer.len().min(STEP) + CALL;
        if self.unasked > STEP {
            self.unasked = 0;
            if !(self.goes_on)() {
                return 0;
            }
        }
        // What was read before the failure and given back is there all the same.
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
        LOOKED.with(|looked| looked.set(looked.get() + count as u64));
        count
    }

    /// Why nothing more could be read, if that is not the end of the capture.
    pub(crate) fn failure(&mut self) -> Option<io::Error> {
        self.failure.take()
    }

    /// Gives the last bytes of what was read back, to be read again.
    pub(crate) fn unread(&mut self, tail: &[u8]) {
        self.position -= tail.len() as u64;
        if let Some(stream) = &mut self.stream {
            stream.unread(tail);
        }
    }

    /// True where the capture can be read at any position.
    pub(crate) fn is_seekable(&self) -> bool {
        self.bytes.is_seekable()
    }

    /// Goes on at another place; `false` where that cannot be. What is packed is unpacked again up to there.
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
        #[cfg(test)]
        LOOKED.with(|looked| looked.set(looked.get() + filled as u64));
        Some(filled)
    }

    /// How many bytes are left, where that is known.
    pub(crate) fn left(&self) -> Option<u64> {
        Some(self.bytes.length()?.saturating_sub(self.position))
    }
}

#[cfg(test)]
thread_local! {
    /// Bytes that were read on this thread, each as often as it was.
    pub(crate) static LOOKED: std::cell::Cell<u64> = const { std::cell::Cell::new(0) };
}

/// A stream of which the last bytes can be given back at no cost.
struct UnreadBuffer {
    inner: ByteStream,
    buffer: Vec<u8>,
    /// The next byte in the buffer; those before it were read already.
    at: usize,
}

impl UnreadBuffer {
    fn new(inner: ByteStream) -> Self {
        Self { inner, buffer: Vec::new(), at: 0 }
    }

    /// True where the buffer holds bytes that were not read yet, or were given back.
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

    /// Reads the next piece. Where much was read already, its memory is used again.
    fn refill(&mut self) -> io::Result<()> {
        if self.at >= STEP {
            self.buffer.clear();
            self.at = 0;
        }
        let start = self.buffer.len();
        self.buffer.resize(start + STEP, 0);
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

/// How much to read ahead, so that what is read again at damaged places is at most some times what was of use.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ReadAhead {
    most: usize,
    want: usize,
}

impl ReadAhead {
    const LEAST: usize = 64;

    /// `most` bytes at once, as long as nothing is damaged.
    pub(crate) fn new(most: usize) -> Self {
        let most = most.max(Self::LEAST);
        Self { most, want: most }
    }

    pub(crate) fn want(self) -> usize {
        self.want
    }

    pub(crate) fn most(self) -> usize {
        self.most
    }

    /// So many bytes of what was read were of use.
    pub(crate) fn used(&mut self, bytes: usize) {
        self.want = bytes.saturating_mul(4).clamp(Self::LEAST, self.most);
    }

    /// Nothing of what was read was enough.
    pub(crate) fn grow(&mut self) {
        self.want = self.want.saturating_mul(2).min(self.most);
    }
}

/// Bytes that were looked at in vain: of records that do not end, or are none.
#[derive(Debug, Default)]
pub(crate) struct SearchBudget {
    spent: u64,
}

impl SearchBudget {
    /// As many times the bytes that are behind may be looked at in vain.
    const TIMES: u64 = 6;

    /// Bytes that may be in any case.
    const FREE: u64 = 256 << 10;

    pub(crate) fn spend(&mut self, bytes: usize) {
        self.spent = self.spent.saturating_add(bytes as u64);
    }

    /// True where more was looked at in vain than a capture may cost of which `behind` bytes are read.
    pub(crate) fn is_over(&self, behind: u64) -> bool {
        self.spent > Self::FREE + behind.saturating_mul(Self::TIMES)
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
        /// Whatever is read and given back, the bytes come in their order.
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
