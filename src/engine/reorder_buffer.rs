//! Buffer that restores the order of batches that threads finish out of order.

use std::collections::BTreeMap;
use std::io::{self, Write};

pub(super) struct ReorderBuffer<'a> {
    out: &'a mut (dyn Write + Send),
    next: u64,
    waiting: BTreeMap<u64, Vec<u8>>,
    failure: Option<io::Error>,
}

impl<'a> ReorderBuffer<'a> {
    pub(super) fn new(out: &'a mut (dyn Write + Send)) -> Self {
        Self { out, next: 0, waiting: BTreeMap::new(), failure: None }
    }

    /// Adds the text of a batch. Writes it, and the texts that waited for it, as soon as all
    /// batches before it are written.
    pub(super) fn put(&mut self, sequence: u64, text: Vec<u8>) {
        self.waiting.insert(sequence, text);
        while let Some(text) = self.waiting.remove(&self.next) {
            self.next += 1;
            if self.failure.is_none()
                && let Err(error) = self.out.write_all(&text)
            {
                self.failure = Some(error);
            }
        }
    }

    pub(super) fn has_failed(&self) -> bool {
        self.failure.is_some()
    }

    pub(super) fn finish(self) -> io::Result<()> {
        self.failure.map_or(Ok(()), Err)
    }
}
