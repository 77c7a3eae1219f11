//! Bound on the bytes that may be unpacked from one file, over all layers and archives in it.

use std::io::{self, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use crate::capture::bytes::{ByteStream, Bytes};
use crate::limits;

/// Budget of the bytes that are unpacked from one file. All layers and all archives in it count
/// together.
#[derive(Debug, Default)]
pub(crate) struct UnpackBudget {
    /// Bytes of the file, or the bytes that were read so far if its length is not known.
    packed: AtomicU64,
    /// Unpacked bytes of all layers. Bytes that are read twice count once.
    given: AtomicU64,
    /// Number of files of all archives in it.
    files: AtomicUsize,
}

impl UnpackBudget {
    /// Creates the budget of a file.
    pub(crate) fn of(bytes: &Bytes) -> Arc<Self> {
        let packed = bytes.length().unwrap_or(0).into();
        Arc::new(Self { packed, ..Self::default() })
    }

    /// Wraps a stream so that the bytes read from it count as bytes of the file.
    pub(super) fn count_reads(self: &Arc<Self>, stream: ByteStream) -> ByteStream {
        Box::new(CountingReader { inner: stream, budget: Arc::clone(self) })
    }

    /// Counts one file of an archive. Returns `false` if there are too many.
    pub(super) fn count_file(&self) -> bool {
        self.files.fetch_add(1, Ordering::Relaxed) < limits::MAX_ZIP_FILES
    }

    /// Counts unpacked bytes. Returns `false` if they exceed the budget.
    fn count_bytes(&self, bytes: u64) -> bool {
        let given = self.given.fetch_add(bytes, Ordering::Relaxed).saturating_add(bytes);
        let packed = self.packed.load(Ordering::Relaxed);
        given <= limits::MAX_FREE_UNPACKED_BYTES || given / limits::MAX_UNPACKED_RATIO <= packed
    }
}

/// The furthest position that one layer was unpacked to, over all readings of it.
#[derive(Clone, Debug, Default)]
pub(super) struct UnpackProgress(Arc<AtomicU64>);

impl UnpackProgress {
    /// Notes that a reading reached `position`. Returns `false` if this exceeds the budget.
    pub(super) fn extend(&self, position: u64, budget: &UnpackBudget) -> bool {
        let before = self.0.fetch_max(position, Ordering::Relaxed);
        position <= before || budget.count_bytes(position - before)
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
