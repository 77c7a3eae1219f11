//! Rows of a database that is being written. The server inserts a row with the request and changes
//! it once, when the response arrives.

use crate::capture::location::Location;
use crate::capture::{CaptureItem, Captures, InputFormat};

/// Number of rows at the end of a database that are read at every look.
const RECENT_ROWS: u64 = 1024;

/// Maximum number of older rows without a response that are read again at every look.
const MAX_OPEN_ROWS: usize = 4096;

/// The rows of a database that were read.
#[derive(Debug, Default)]
pub(super) struct KnownRows {
    first: Option<i64>,
    /// The last settled row. `id` is the id of its flow.
    last: u64,
    id: Option<Vec<u8>>,
    /// Rows before it that have no response yet.
    open: Vec<u64>,
    /// Whether a row could not be read.
    is_doubtful: bool,
}

impl KnownRows {
    /// The first row that is not settled.
    pub(super) fn next(&self) -> u64 {
        if self.last == 0 { 0 } else { self.last + 1 }
    }

    /// Returns `true` if rows were only added. Deleting rows, as the server's `clear_traffic` does,
    /// changes the first row or the last known one.
    pub(super) fn has_only_grown(&self, location: &Location, format: InputFormat) -> bool {
        let mut captures = Captures::only_read();
        let opened = captures.add_growing(location, format, 0).is_ok();
        let extent = opened.then(|| captures.extent(0, self.last)).flatten();
        !self.is_doubtful
            && extent.is_some_and(|extent| {
                extent.first == self.first && extent.last >= self.last && extent.id == self.id
            })
    }
}

/// The boundary of the settled items of a capture, and the open rows before it.
#[derive(Clone, Debug)]
pub(super) struct SettledBoundary {
    /// The last settled row; the maximum for a capture that is not a database, where all items are
    /// settled.
    last: u64,
    open: Vec<u64>,
    is_doubtful: bool,
}

impl SettledBoundary {
    pub(super) fn of(captures: &Captures, source: usize, known: Option<&KnownRows>) -> Self {
        let row = known.and_then(|_| captures.extent(source, 0)).map(|extent| extent.last);
        let settled = known.map_or(0, |known| known.last);
        Self {
            last: row.map_or(u64::MAX, |row| row.saturating_sub(RECENT_ROWS).max(settled)),
            open: Vec::new(),
            is_doubtful: false,
        }
    }

    /// Returns `true` if the item will not change.
    pub(super) fn settle(&mut self, row: u64, found: &CaptureItem<'_>) -> bool {
        if self.last == u64::MAX {
            return true;
        }
        self.is_doubtful |= matches!(found, CaptureItem::Skipped(..));
        if row > self.last {
            return false;
        }
        let is_open = self.open.len() < MAX_OPEN_ROWS && has_no_response(found);
        if is_open {
            self.open.push(row);
        }
        !is_open
    }

    pub(super) fn merge(&mut self, other: Self) {
        // Each thread has at most `OPEN_ROWS`, so the sum is bounded as well.
        self.open.extend(other.open);
        self.is_doubtful |= other.is_doubtful;
    }

    /// The known rows after a run. Open rows are read again: `again` is called with each of them,
    /// and with whether it is settled.
    pub(super) fn known(
        self,
        captures: &Captures,
        source: usize,
        before: KnownRows,
        again: &mut dyn FnMut(u64, bool, CaptureItem<'_>),
    ) -> KnownRows {
        let mut open = self.open;
        let mut is_doubtful = self.is_doubtful || before.is_doubtful;
        for row in before.open {
            captures.row(source, row, &mut |row, found| {
                let is_open = open.len() < MAX_OPEN_ROWS && has_no_response(&found);
                is_doubtful |= matches!(found, CaptureItem::Skipped(..));
                if is_open {
                    open.push(row);
                }
                again(row, !is_open, found);
            });
        }
        let extent = captures.extent(source, self.last);
        let first = extent.as_ref().and_then(|extent| extent.first);
        let id = extent.and_then(|extent| extent.id);
        KnownRows { first, last: self.last, id, open, is_doubtful }
    }
}

fn has_no_response(found: &CaptureItem<'_>) -> bool {
    found.flow().is_some_and(|flow| flow.response.is_none())
}
