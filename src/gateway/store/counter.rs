//! What limits count: the uses of one counter, in the order of their times.

use rusqlite::{Connection, OptionalExtension, params};

use crate::policy::ledger::MAX_USES;

/// The most uses of one counter within its longest window, as in [`MAX_USES`].
const MAX_COUNTED_USES: i64 = MAX_USES.cast_signed() as i64;

/// How many uses of a counter are added before those that left its windows are removed.
const FORGET_EVERY: i64 = 64;

/// A use by its counter, time and number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::gateway) struct ReservedUse {
    pub(super) counter: [u8; 16],
    pub(super) at: i64,
    pub(super) id: i64,
}

pub(super) fn hash_of(counter: &str) -> [u8; 16] {
    xxhash_rust::xxh3::xxh3_128(counter.as_bytes()).to_be_bytes()
}

/// The uses of one counter.
pub(super) struct CounterUses<'s> {
    connection: &'s Connection,
    counter: [u8; 16],
    /// The time of a use now, which is not before the last one, so that rows are in the order of their times also where a clock goes
    /// back.
    pub(super) now: i64,
    /// The last use, and total and number of all.
    last: (i64, i64),
    total: f64,
    number: i64,
    /// Whether there are as many uses in the longest window as are held.
    pub(super) is_full: bool,
}

impl<'s> CounterUses<'s> {
    /// A counter with its last use.
    pub(super) fn last(
        connection: &'s Connection,
        counter: [u8; 16],
        now: i64,
    ) -> rusqlite::Result<Self> {
        let sql = "SELECT at, id, total, number FROM uses WHERE counter = ? ORDER BY at DESC, id DESC LIMIT 1";
        let last = connection.prepare_cached(sql)?.query_row([counter], |row| {
            Ok((row.get::<_, i64>(0)?, row.get(1)?, row.get(2)?, row.get(3)?))
        });
        let (at, id, total, number) = last.optional()?.unwrap_or((now, 0, 0.0, 0));
        let is_full = false;
        Ok(Self { connection, counter, now: at.max(now), last: (at, id), total, number, is_full })
    }

    /// Opens the counter of a call at `now`, whose longest window is `longest`. Where a clock went back by more, what was counted is forgotten.
    pub(super) fn open(
        connection: &'s Connection,
        counter: &'s str,
        now: i64,
        longest: i64,
    ) -> rusqlite::Result<Self> {
        let counter = hash_of(counter);
        let mut uses = Self::last(connection, counter, now)?;
        let (at, id) = uses.last;
        if at > now.saturating_add(longest) {
            connection.prepare_cached("DELETE FROM uses WHERE counter = ?")?.execute([counter])?;
            return Ok(Self { now, last: (now, 0), total: 0.0, number: 0, ..uses });
        }
        // Seldom enough to cost little, and often enough that little is held.
        if id % FORGET_EVERY == 0 {
            uses.forget(uses.now - longest)?;
        }
        if uses.number >= MAX_COUNTED_USES {
            let (_, before) = uses.before(uses.now - longest)?;
            uses.is_full = uses.number - before >= MAX_COUNTED_USES;
        }
        Ok(uses)
    }

    /// Total and number of the uses at a time or before, of those that are held.
    fn before(&self, time: i64) -> rusqlite::Result<(f64, i64)> {
        let sql = "SELECT total, number FROM uses WHERE counter = ? AND at <= ? ORDER BY at DESC, id DESC LIMIT 1";
        let mut statement = self.connection.prepare_cached(sql)?;
        let two = |row: &rusqlite::Row<'_>| Ok((row.get(0)?, row.get(1)?));
        if let Some(found) = statement.query_row(params![self.counter, time], two).optional()? {
            return Ok(found);
        }
        let sql =
            "SELECT total - amount, number - 1 FROM uses WHERE counter = ? ORDER BY at, id LIMIT 1";
        let first =
            self.connection.prepare_cached(sql)?.query_row([self.counter], two).optional()?;
        Ok(first.unwrap_or_default())
    }

    /// Sum of the amounts of the uses after a time.
    pub(super) fn within(&self, since: i64) -> rusqlite::Result<f64> {
        Ok(if self.number == 0 { 0.0 } else { self.total - self.before(since)?.0 })
    }

    /// Removes what left all windows, but for the use that the others are counted from.
    fn forget(&self, oldest: i64) -> rusqlite::Result<()> {
        let sql = "DELETE FROM uses WHERE counter = ?1 AND (at, id) <
            (SELECT at, id FROM uses WHERE counter = ?1 AND at <= ?2 ORDER BY at DESC, id DESC LIMIT 1)";
        self.connection.prepare_cached(sql)?.execute(params![self.counter, oldest])?;
        Ok(())
    }

    /// Adds a use.
    pub(super) fn add(&self, amount: f64) -> rusqlite::Result<ReservedUse> {
        let id = self.last.1 + 1;
        let sql =
            "INSERT INTO uses (counter, at, id, amount, total, number) VALUES (?, ?, ?, ?, ?, ?)";
        let row = params![self.counter, self.now, id, amount, self.total + amount, self.number + 1];
        self.connection.prepare_cached(sql)?.execute(row)?;
        Ok(ReservedUse { counter: self.counter, at: self.now, id })
    }
}
