//! The store of the gateway, an SQLite file that several gateways of one machine share: what limits count, and grants.

mod counter;

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::fs::OpenOptions;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rusqlite::{Connection, OptionalExtension, Transaction, TransactionBehavior, params};

use crate::capture::location::{FileIdentity, identity_of};
use crate::error::Error;
use crate::gateway::store::counter::{CounterUses, ReservedUse, hash_of};
use crate::policy::LimitUse;
use crate::policy::ledger::{Exhausted, amounts_by_counter, longest_window};

/// Time for which another gateway may hold the file before a call is refused.
const MAX_WAIT: Duration = Duration::from_secs(2);

/// The version of the tables.
const VERSION: i64 = 1;

/// The tables of the store, in SQL. `counter` is a hash of the name, so that rows are short. `total` and `number` are
/// the sum and the count of all uses of a counter up to a row, so that the use within a window is the difference of
/// two rows, however many there are between them.
const SCHEMA: &str = "
CREATE TABLE IF NOT EXISTS uses (
    counter BLOB NOT NULL, at INTEGER NOT NULL, id INTEGER NOT NULL, amount REAL NOT NULL, total REAL NOT NULL, number INTEGER NOT NULL,
    PRIMARY KEY (counter, at, id)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS grants (hash BLOB PRIMARY KEY, name TEXT NOT NULL, created INTEGER NOT NULL, expires INTEGER);
";

/// An open store.
#[derive(Debug)]
pub(super) struct Store {
    connection: Mutex<Connection>,
    /// A connection for reads, which never waits for another gateway that writes.
    reader: Mutex<Connection>,
    path: PathBuf,
    identity: FileIdentity,
}

/// The reason why the store could not be used, as a sentence.
#[derive(Debug)]
pub(super) struct StoreFailure(pub(super) String);

impl From<rusqlite::Error> for StoreFailure {
    fn from(error: rusqlite::Error) -> Self {
        Self(error.to_string())
    }
}

/// The uses of limits that were reserved for a call and can be given back.
pub(super) type Reservation = Vec<ReservedUse>;

impl Store {
    /// Opens the store, and makes it if it is not there, for its owner alone.
    ///
    /// # Errors
    ///
    /// Fails if the file cannot be written or is not a store.
    pub(super) fn open(path: &Path) -> Result<Self, Error> {
        let name = path.display().to_string();
        if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            make_private_folder(folder).map_err(|error| Error::io(&name, "make", error))?;
        }
        let mut options = OpenOptions::new();
        options.create(true).append(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        options.open(path).map_err(|error| Error::io(&name, "write", error))?;
        let open = || -> rusqlite::Result<Connection> {
            let connection = Connection::open(path)?;
            connection.busy_timeout(MAX_WAIT)?;
            connection.set_prepared_statement_cache_capacity(32);
            connection.pragma_update(None, "journal_mode", "WAL")?;
            connection.pragma_update(None, "synchronous", "NORMAL")?;
            if connection.pragma_query_value(None, "user_version", |row| row.get::<_, i64>(0))? == 0
            {
                connection.execute_batch(SCHEMA)?;
                connection.pragma_update(None, "user_version", VERSION)?;
            }
            Ok(connection)
        };
        let not_a_store = |error| {
            Error::format(
                &name,
                format!(
                    "this is not a store of the gateway ({error}); name another file with --store"
                ),
            )
        };
        let connection = open().map_err(not_a_store)?;
        let version: i64 = connection
            .pragma_query_value(None, "user_version", |row| row.get(0))
            .map_err(not_a_store)?;
        if version != VERSION {
            let why = format!(
                "this store is of version {version} and not {VERSION}; name another file with --store"
            );
            return Err(Error::format(&name, why));
        }
        let reader = open().map_err(not_a_store)?;
        let metadata =
            std::fs::metadata(path).map_err(|error| Error::io(&name, "look at", error))?;
        Ok(Self {
            connection: Mutex::new(connection),
            reader: Mutex::new(reader),
            path: path.to_owned(),
            identity: identity_of(&metadata),
        })
    }

    /// Fails if the file is not the one that was opened: other gateways would use another one.
    fn check_is_there(&self) -> Result<(), StoreFailure> {
        let there = std::fs::metadata(&self.path).map(|metadata| identity_of(&metadata));
        if there.is_ok_and(|identity| identity == self.identity) {
            return Ok(());
        }
        Err(StoreFailure("the file was removed or replaced; start the gateway again".to_owned()))
    }

    pub(super) fn reader(&self) -> Result<MutexGuard<'_, Connection>, StoreFailure> {
        self.check_is_there()?;
        Ok(self.reader.lock().unwrap_or_else(PoisonError::into_inner))
    }

    pub(super) fn connection(&self) -> Result<MutexGuard<'_, Connection>, StoreFailure> {
        self.check_is_there()?;
        Ok(self.connection.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Reserves for several calls in one transaction, in order: each takes what it needs if all of its limits have room, and
    /// nothing else. `takes` is false for a call that is only looked at. Times are microseconds since 1970.
    ///
    /// # Errors
    ///
    /// Fails if the store does; nothing is taken then.
    pub(super) fn reserve(
        &self,
        calls: &[(&[LimitUse], bool)],
        now: i64,
    ) -> Result<Vec<Result<Reservation, Box<Exhausted>>>, StoreFailure> {
        let mut connection = self.connection()?;
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let mut answers = Vec::with_capacity(calls.len());
        for (limits, takes) in calls {
            answers.push(reserve_one(&transaction, limits, *takes, now)?);
        }
        transaction.commit()?;
        Ok(answers)
    }

    /// Gives back what was reserved for a call that did not reach its server.
    ///
    /// # Errors
    ///
    /// Fails if the store does.
    pub(super) fn give_back(&self, reserved: &[ReservedUse]) -> Result<(), StoreFailure> {
        let mut connection = self.connection()?;
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        for ReservedUse { counter, at, id } in reserved {
            let sql = "DELETE FROM uses WHERE counter = ? AND at = ? AND id = ? RETURNING amount";
            let mut statement = transaction.prepare_cached(sql)?;
            let amount = statement.query_row(params![counter, at, id], |row| row.get::<_, f64>(0));
            // One that has left its window may be gone.
            if let Some(amount) = amount.optional()? {
                let sql = "UPDATE uses SET total = total - ?1, number = number - 1 WHERE counter = ?2 AND (at, id) > (?3, ?4)";
                transaction.prepare_cached(sql)?.execute(params![amount, counter, at, id])?;
            }
        }
        Ok(transaction.commit()?)
    }

    /// Returns the amount of a limit that is used now.
    ///
    /// # Errors
    ///
    /// Fails if the store does.
    pub(super) fn used(&self, limit: &LimitUse, now: i64) -> Result<f64, StoreFailure> {
        let connection = self.reader()?;
        let counter = hash_of(&limit.counter);
        let uses = CounterUses::last(&connection, counter, now)?;
        Ok(uses.within(uses.now - micros(limit.window))?)
    }
}

fn reserve_one(
    transaction: &Transaction<'_>,
    limits: &[LimitUse],
    takes: bool,
    now: i64,
) -> rusqlite::Result<Result<Reservation, Box<Exhausted>>> {
    let mut counters: BTreeMap<&str, CounterUses<'_>> = BTreeMap::new();
    for limit in limits {
        let uses = match counters.entry(&limit.counter) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(new) => {
                let longest = micros(longest_window(limits, &limit.counter));
                new.insert(CounterUses::open(transaction, &limit.counter, now, longest)?)
            }
        };
        let sum = uses.within(uses.now - micros(limit.window))?;
        if sum + limit.amount > limit.max || (uses.is_full && limit.amount > 0.0) {
            let wait = wait_for(transaction, limit, uses.now, sum)?;
            return Ok(Err(Box::new(Exhausted { limit: limit.clone(), wait })));
        }
    }
    let mut reserved = Vec::new();
    if takes {
        for (counter, amount) in amounts_by_counter(limits) {
            if let Some(uses) = counters.get(counter) {
                reserved.push(uses.add(amount)?);
            }
        }
    }
    Ok(Ok(reserved))
}

/// The time after which enough of what was used has left the window; `None` if the call alone is more than the limit.
fn wait_for(
    transaction: &Transaction<'_>,
    limit: &LimitUse,
    now: i64,
    mut sum: f64,
) -> rusqlite::Result<Option<Duration>> {
    let sql = "SELECT at, amount FROM uses WHERE counter = ? AND at > ? ORDER BY at, id";
    let since = now - micros(limit.window);
    let mut statement = transaction.prepare_cached(sql)?;
    let mut rows = statement.query(params![hash_of(&limit.counter), since])?;
    while let Some(row) = rows.next()? {
        let (at, amount): (i64, f64) = (row.get(0)?, row.get(1)?);
        sum -= amount;
        if sum + limit.amount <= limit.max {
            let wait = (micros(limit.window) - (now - at)).max(0);
            return Ok(Some(Duration::from_micros(wait.unsigned_abs())));
        }
    }
    Ok(None)
}

fn micros(window: Duration) -> i64 {
    i64::try_from(window.as_micros()).unwrap_or(i64::MAX / 4)
}

/// Where the store is unless the operator says otherwise: with the state of the user's programs.
pub(super) fn default_path() -> Option<PathBuf> {
    let set =
        |name: &str| std::env::var_os(name).filter(|path| !path.is_empty()).map(PathBuf::from);
    let folder = if cfg!(windows) {
        set("LOCALAPPDATA")
    } else {
        let stated = set("XDG_STATE_HOME").filter(|path| path.is_absolute());
        stated.or_else(|| Some(std::env::home_dir()?.join(".local/state")))
    };
    Some(folder?.join("api-patterns").join("gateway.db"))
}

fn make_private_folder(folder: &Path) -> std::io::Result<()> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use proptest::prelude::*;

    use super::*;
    use crate::policy::ledger::Ledger;

    fn limit(counter: u8, max: f64, window: u64, amount: f64) -> LimitUse {
        LimitUse {
            rule: format!("/tools/t/limits/{counter}"),
            counter: counter.to_string(),
            max,
            window: Duration::from_millis(window),
            amount,
            counts_calls: false,
            is_of_tool: true,
        }
    }

    proptest! {
        /// The store and the ledger in memory count alike.
        #[test]
        fn the_store_counts_as_the_ledger_does(
            calls in prop::collection::vec(
                (0_u64..50, prop::collection::vec((0_u8..3, 1_u8..6, 1_u8..6), 1..3), 0_u8..4, any::<bool>()), 1..40
            )
        ) {
            let folder = tempfile::tempdir().unwrap();
            let store = Store::open(&folder.path().join("s.db")).unwrap();
            let (mut ledger, start, mut time) = (Ledger::default(), Instant::now(), 0);
            for (later, counters, amount, takes) in calls {
                time += later;
                // A counter has the same windows in every call.
                let limits: Vec<LimitUse> = counters.iter().flat_map(|(counter, one, other)| {
                    let window = 10 + 20 * u64::from(*counter);
                    [(*one, window), (*other, 3 * window)].map(|(max, window)| {
                        limit(*counter, f64::from(max), window, f64::from(amount))
                    })
                }).collect();
                let now = i64::try_from(time).unwrap() * 1000;
                let stored = store.reserve(&[(&limits, takes)], now).unwrap().remove(0);
                let held = ledger.reserve(&limits, start + Duration::from_millis(time), takes);
                prop_assert_eq!(stored.map(drop).map_err(|it| *it), held);
            }
        }
    }

    #[test]
    fn what_was_given_back_can_be_used_and_the_rest_survives() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("deep").join("s.db");
        let limits = [limit(1, 1.0, 60_000, 1.0)];
        let store = Store::open(&path).unwrap();
        let taken = store.reserve(&[(&limits, true), (&limits, true)], 1).unwrap();
        let reserved = taken[0].clone().unwrap();
        assert!(taken[1].is_err());
        let other = Store::open(&path).unwrap();
        assert!(other.reserve(&[(&limits, true)], 2).unwrap()[0].is_err());
        store.give_back(&reserved).unwrap();
        assert!(other.reserve(&[(&limits, true)], 3).unwrap()[0].is_ok());
        assert!((store.used(&limits[0], 3).unwrap() - 1.0).abs() < f64::EPSILON);
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        }
        std::fs::write(folder.path().join("other"), "not a database, but a text of some length")
            .unwrap();
        assert!(Store::open(&folder.path().join("other")).is_err());
    }
}
