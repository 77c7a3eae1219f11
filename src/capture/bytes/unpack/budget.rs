//! What may come out of one file, however often and in whatever way it is packed.

use std::io::{self, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use crate::capture::bytes::{ByteStream, Bytes};
use crate::limits;

/// Bounds all that is unpacked from one file: the bytes of every packing and of every archive in it count together.
#[derive(Debug, Default)]
pub(crate) struct UnpackBudget {
    /// Bytes of the file, or those read so far where it has no length.
    packed: AtomicU64,
    /// Bytes that all of its packings gave; what is read twice counts once.
    given: AtomicU64,
    /// Files of all archives in it.
    files: AtomicUsize,
}

impl UnpackBudget {
    /// The budget of a file.
    pub(crate) fn of(bytes: &Bytes) -> Arc<Self> {
        let packed = bytes.length().unwrap_or(0).into();
        Arc::new(Self { packed, ..Self::default() })
    }

    /// Counts what is read off a stream as bytes of the file.
    pub(super) fn counted(self: &Arc<Self>, stream: ByteStream) -> ByteStream {
        Box::new(CountingReader { inner: stream, budget: Arc::clone(self) })
    }

    /// May one more file of an archive be looked at?
    pub(super) fn takes_file(&self) -> bool {
        self.files.fetch_add(1, Ordering::Relaxed) < limits::MAX_ZIP_FILES
    }

    /// Takes bytes out of the budget. Are there that many?
    fn takes(&self, bytes: u64) -> bool {
        let given = self.given.fetch_add(bytes, Ordering::Relaxed).saturating_add(bytes);
        let packed = self.packed.load(Ordering::Relaxed);
        given <= limits::MAX_UNPACKED_BYTES || given / limits::MAX_UNPACKED_RATIO <= packed
    }
}

/// How far one packing was ever read, over all readings of it.
#[derive(Clone, Debug, Default)]
pub(super) struct UnpackProgress(Arc<AtomicU64>);

impl UnpackProgress {
    /// Notes that a reading came to `position`; `false` where the budget has not so much.
    pub(super) fn extend(&self, position: u64, budget: &UnpackBudget) -> bool {
        let before = self.0.fetch_max(position, Ordering::Relaxed);
        position <= before || budget.takes(position - before)
    }
}

struct CountingReader {
    inner: ByteStream,
    budget: Arc<UnpackBudget>,
}

impl Read for CountingReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        self.budget.packed.fetch_add(count as u64, Ordering::Relaxed);
        Ok(count)
    }
}
