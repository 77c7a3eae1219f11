//! Queue of the batches of all captures, one capture after the other.

use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::capture::batch::{Batch, KeepGoing};
use crate::capture::{Captures, Chunk, Framer};
use crate::error::Error;
use crate::skip::{SkipPlace, Skips};

pub(super) struct BatchQueue<'a> {
    captures: &'a Captures,
    batch_bytes: usize,
    goes_on: KeepGoing<'a>,
    source: usize,
    cutter: Option<Framer<'a>>,
    sequence: u64,
    /// Total of the bytes of all captures before each one, as far as they were read.
    read: Vec<u64>,
    ends: Vec<u64>,
    pub(super) skips: Skips,
    pub(super) failures: Vec<Error>,
}

impl<'a> BatchQueue<'a> {
    pub(super) fn new(captures: &'a Captures, batch_bytes: usize, goes_on: KeepGoing<'a>) -> Self {
        Self {
            captures,
            batch_bytes,
            goes_on,
            source: 0,
            cutter: None,
            sequence: 0,
            read: vec![0],
            ends: Vec::new(),
            skips: Skips::default(),
            failures: Vec::new(),
        }
    }

    /// Fills the batch with the next records. Returns `false` if there are none left.
    pub(super) fn next(&mut self, batch: &mut Batch) -> bool {
        while let Some(source) = self.captures.sources.get(self.source) {
            let cutter = self
                .cutter
                .get_or_insert_with(|| Framer::new(source, self.batch_bytes, self.goes_on));
            match cutter.next(batch) {
                // A stopped reader reports an end or damage where the reading stopped.
                Chunk::Damage(_) | Chunk::End if !(self.goes_on)() => return false,
                Chunk::Batch => {
                    batch.source = self.source;
                    batch.sequence = self.sequence;
                    self.sequence += 1;
                    return true;
                }
                Chunk::Damage(damage) => {
                    let place = SkipPlace {
                        source: self.source,
                        offset: damage.offset,
                        message: damage.message,
                    };
                    self.skips.add_at(damage.reason, place);
                }
                Chunk::End => {
                    if let Some(error) = cutter.failure() {
                        let error = Error::io(&source.name, "read on in", error);
                        self.failures.push(error.at(cutter.position()));
                    }
                    self.next_source();
                }
            }
        }
        false
    }

    fn next_source(&mut self) {
        let bytes = self.bytes();
        self.read.push(bytes);
        self.ends.extend(self.cutter.as_mut().map(Framer::position));
        self.cutter = None;
        self.source += 1;
    }

    /// Number of bytes of all captures up to the end of a batch.
    pub(super) fn bytes_behind(&mut self, batch: &Batch) -> u64 {
        if self.captures.unit(batch.source) != "byte" {
            return self.bytes();
        }
        let before = self.read.get(batch.source).copied().unwrap_or_default();
        before + batch.offset + batch.bytes().len() as u64
    }

    /// The position at which the reading of each capture ended; for the current one, the position
    /// so far.
    pub(super) fn ends(&mut self) -> Vec<u64> {
        let mut ends = std::mem::take(&mut self.ends);
        ends.extend(self.cutter.as_mut().map(Framer::position));
        ends
    }

    /// Number of bytes that were read.
    pub(super) fn bytes(&mut self) -> u64 {
        self.read.last().copied().unwrap_or_default()
            + self.cutter.as_mut().map_or(0, Framer::position)
    }
}

/// Locks a mutex, also after another thread panicked. The queue is consistent between any two
/// calls.
pub(super) fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
