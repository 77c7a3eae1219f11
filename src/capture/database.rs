//! The database of mitmproxy-mcp, read while its server writes it.
//!
//! The server waits five seconds for a reader and then drops the flow that it wanted to save.
//! Therefore nothing is written, and a lock is held only for the milliseconds of one statement
//! ([`rows`]). Rows are copied first and decoded afterwards. The schema of the table and the
//! behaviour of the server: <https://github.com/snapspecter/mitmproxy-mcp>, `core/recorder.py`.

mod copy;
mod headers;
mod patience;
mod ranges;
mod rows;

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode, OpenFlags, ffi};

use crate::capture::batch::{Batch, KeepGoing};
use crate::capture::bytes::{ByteStream, Bytes};
use crate::capture::chunk::CaptureItem;
use crate::capture::chunk::{Bodies, RowExtent};
use crate::capture::database::patience::TimeBudget;
use crate::capture::database::rows::{CopiedRows, Statement};
use crate::capture::location::Location;
use crate::limits;

pub(crate) use headers::header_problem;
#[cfg(feature = "fuzzing")]
pub(crate) use headers::laws as header_laws;
pub(crate) use ranges::RowRanges;

/// Time that a statement waits for the server to finish saving.
const MAX_LOCK_WAIT: Duration = Duration::from_secs(5);

/// Pages that a connection caches.
const CACHED_PAGES: i32 = 64;

/// Instructions of SQLite's virtual machine between two checks of the time.
const STEPS: i32 = 100_000;

/// Message for a database that cannot be read without writing. SQLite opens a write-ahead log for
/// writing even to read it.
const NEEDS_WRITING: &str = "this SQLite database can only be read by opening files for writing (it has a write-ahead log, or \
                             its writer was stopped in the middle), which is not done here; open it once with sqlite3 and \
                             PRAGMA journal_mode=DELETE";

/// The columns that are used. All before `size` are required.
const COLUMNS: [&str; 10] = [
    "id",
    "url",
    "method",
    "status_code",
    "request_headers",
    "response_headers",
    "timestamp",
    "size",
    "request_body",
    "response_body",
];

/// Maximum length of the text of each of [`COLUMNS`], in bytes. A longer value is read as missing.
const MAX_COLUMN_BYTES: [usize; COLUMNS.len()] = {
    let mut most = [limits::MAX_LINE_BYTES; COLUMNS.len()];
    (most[STATUS], most[TIMESTAMP], most[SIZE]) = (64, 64, 64);
    (most[REQUEST_BODY], most[RESPONSE_BODY]) = (limits::MAX_BODY_BYTES, limits::MAX_BODY_BYTES);
    most
};

/// Indices of [`COLUMNS`].
const ID: usize = 0;
const URL: usize = 1;
const METHOD: usize = 2;
const STATUS: usize = 3;
const REQUEST_HEADERS: usize = 4;
const RESPONSE_HEADERS: usize = 5;
const TIMESTAMP: usize = 6;
const SIZE: usize = 7;
const REQUEST_BODY: usize = 8;
const RESPONSE_BODY: usize = 9;

/// A connection, and memory for the rows that are read through it.
struct ReadConnection {
    connection: Connection,
    copied: CopiedRows,
}

/// A database that can be read.
pub(crate) struct Database {
    path: PathBuf,
    /// The temporary folder of the copy that is read instead. Dropping it deletes the copy.
    copy: Option<tempfile::TempDir>,
    /// Whether SQLite may open files for writing, as it does with a write-ahead log even to read.
    may_write: bool,
    /// The statement without bodies, and the statement with bodies.
    queries: [String; 2],
    idle: Mutex<Vec<ReadConnection>>,
    /// The location that the file must have.
    location: Option<Location>,
    /// The file itself. It stays open as long as there are connections, because closing it would
    /// release their locks (POSIX).
    file: Option<Bytes>,
    patience: Arc<TimeBudget>,
}

impl Database {
    /// Opens a database. The error is a sentence with the reason, also if reading requires writing
    /// and nothing may be written.
    ///
    /// `file` is the opened file at `path`. With a `location`, no other file is opened.
    pub(crate) fn open(
        path: &Path,
        file: File,
        location: Option<&Location>,
        may_write: bool,
    ) -> Result<Self, String> {
        copy::check_beside(path)?;
        let bytes = Bytes::File(file);
        let of_copy = || {
            if may_write {
                Self::of_copy(copy::copied(&bytes, path))
            } else {
                Err(NEEDS_WRITING.to_owned())
            }
        };
        if copy::has_idle_log(&bytes, path) || (!may_write && copy::needs_writing(&bytes, path)) {
            return of_copy();
        }
        let mut database = Self {
            may_write,
            location: location.cloned(),
            file: Some(bytes),
            ..Self::new(path.to_owned(), None)
        };
        match database.columns() {
            Ok(columns) => database.check(&columns)?,
            Err(error) if copy::needs_copy(path, &error) => {
                let bytes = database.file.take();
                return match bytes {
                    Some(bytes) if may_write => Self::of_copy(copy::copied(&bytes, path)),
                    _ => Err(NEEDS_WRITING.to_owned()),
                };
            }
            Err(error) => return Err(in_words(&error)),
        }
        Ok(database)
    }

    /// Opens a database that comes out of an archive or a pipe. SQLite needs a file, so it is
    /// copied.
    pub(crate) fn unpacked(stream: &mut ByteStream) -> Result<Self, String> {
        Self::of_copy(copy::unpacked(stream))
    }

    /// Opens a copy. If it has a journal, opening it repairs it.
    fn of_copy(folder: io::Result<tempfile::TempDir>) -> Result<Self, String> {
        let folder = folder.map_err(|error| {
            format!("this SQLite database must be copied to be read, which failed ({error})")
        })?;
        let mut database = Self::new(copy::database_in(&folder), Some(folder));
        let columns = database.columns().map_err(|error| in_words(&error))?;
        database.check(&columns)?;
        Ok(database)
    }

    fn new(path: PathBuf, copy: Option<tempfile::TempDir>) -> Self {
        Self {
            path,
            copy,
            may_write: true,
            queries: Default::default(),
            idle: Mutex::default(),
            location: None,
            file: None,
            patience: Arc::default(),
        }
    }

    /// Checks by the columns that the database is one of mitmproxy-mcp.
    fn check(&mut self, columns: &[String]) -> Result<(), String> {
        let has = |name: &str| columns.iter().any(|column| column.eq_ignore_ascii_case(name));
        if columns.is_empty() {
            return Err("this SQLite database is not one of mitmproxy-mcp: it has no plain table \"flows\"; give \
                        mitm_mcp_traffic.db of the server's folder"
                .to_owned());
        }
        if let Some(missing) = COLUMNS[..SIZE].iter().find(|name| !has(name)) {
            return Err(format!(
                "this SQLite database is not one of mitmproxy-mcp: its table \"flows\" has no column \"{missing}\""
            ));
        }
        self.queries = [Bodies::Skip, Bodies::Read].map(|bodies| rows::query(has, bodies));
        Ok(())
    }

    /// The columns of the table; empty if the table does not exist. Only a plain table counts: a
    /// view may be endless, a virtual table may run any code, and a computed column may have any
    /// size.
    fn columns(&self) -> rusqlite::Result<Vec<String>> {
        let session = self.take_connection()?;
        let query = "SELECT x.name FROM pragma_table_list('flows') AS t, pragma_table_xinfo('flows') AS x \
                     WHERE t.schema = 'main' AND t.type = 'table' AND t.wr = 0 AND x.hidden = 0";
        let mut statement = session.connection.prepare(query)?;
        let names = statement.query_map([], |row| row.get(0))?.collect();
        drop(statement);
        self.give_back(session);
        names
    }

    /// Returns a read-only connection. The connection to a copy can write, because opening the copy
    /// repairs it.
    fn take_connection(&self) -> rusqlite::Result<ReadConnection> {
        if let Some(idle) = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop() {
            return Ok(idle);
        }
        // The server may have started a write-ahead log since.
        if !self.is_in_place() {
            return Err(rusqlite::Error::InvalidPath(self.path.clone()));
        }
        let mut mode = if self.copy.is_some() {
            OpenFlags::SQLITE_OPEN_READ_WRITE
        } else {
            OpenFlags::SQLITE_OPEN_READ_ONLY
        };
        // SQLite opens the file by its path, so check before and after that it is the file opened
        // earlier.
        if self.location.is_some() {
            mode |= OpenFlags::SQLITE_OPEN_NOFOLLOW;
        }
        let mut connection =
            Connection::open_with_flags(&self.path, mode | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
        connection.busy_timeout(MAX_LOCK_WAIT)?;
        // Do not trust the file: run no triggers or functions of its schema. The statement caps
        // each value, because a limit on all lengths would also reject a row for a body that is not
        // read.
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false)?;
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true)?;
        connection.pragma_update(None, "cell_size_check", true)?;
        // Pages are read once, in order, so a larger cache would not help.
        connection.pragma_update(None, "cache_size", CACHED_PAGES)?;
        let patience = Arc::clone(&self.patience);
        connection.progress_handler(STEPS, Some(move || patience.is_over()))?;
        if self.is_in_place() {
            Ok(ReadConnection { connection, copied: CopiedRows::default() })
        } else {
            Err(rusqlite::Error::InvalidPath(self.path.clone()))
        }
    }

    /// Returns `true` if the path still leads to the file that was opened, and SQLite can read it
    /// without writing and without opening a link or a pipe beside it.
    fn is_in_place(&self) -> bool {
        let Some(Bytes::File(file)) = &self.file else { return true };
        if copy::check_beside(&self.path).is_err() {
            return false;
        }
        let needs_writing =
            self.file.as_ref().is_some_and(|bytes| copy::needs_writing(bytes, &self.path));
        (self.may_write || !needs_writing)
            && self.location.as_ref().is_none_or(|location| location.is_same_file(file))
    }

    fn give_back(&self, session: ReadConnection) {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(session);
    }

    /// The current length of the file in bytes.
    pub(crate) fn length(&self) -> u64 {
        std::fs::metadata(&self.path).map_or(0, |metadata| metadata.len())
    }

    /// Returns an iterator over the current rows in ranges, from a row number on; 0 means the first
    /// row.
    pub(crate) fn rows(&self, start: u64) -> RowRanges<'_> {
        self.patience.begin(self.length());
        let start = if start == 0 { i64::MIN } else { i64::try_from(start).unwrap_or(i64::MAX) };
        RowRanges::new(self, start)
    }

    /// The first and the last row number, and the id of the flow in `row`. `None` if the database
    /// cannot be read.
    pub(crate) fn extent(&self, row: u64) -> Option<RowExtent> {
        let first = self.row("SELECT min(rowid) FROM flows", []).ok()?;
        let last = self.row("SELECT max(rowid) FROM flows", []).ok()?;
        Some(RowExtent { first, last: last.map_or(0, place_of), id: self.id_of(row) })
    }

    fn id_of(&self, row: u64) -> Option<Vec<u8>> {
        let row = i64::try_from(row).ok()?;
        let session = self.take_connection().ok()?;
        let query =
            "SELECT CAST(id AS BLOB) FROM flows WHERE rowid = ?1 AND octet_length(id) <= 65536";
        let id = session.connection.query_row(query, [row], |row| row.get(0)).ok().flatten();
        self.give_back(session);
        id
    }

    /// Reads and decodes one row, if it still exists.
    pub(crate) fn decode_row(&self, row: u64, found: &mut dyn FnMut(u64, CaptureItem<'_>)) {
        let Ok(row) = i64::try_from(row) else { return };
        self.decode_range((row, row), Bodies::Skip, &|| true, found);
    }

    fn row(&self, query: &str, with: impl rusqlite::Params) -> rusqlite::Result<Option<i64>> {
        let session = self.take_connection()?;
        let row = session.connection.prepare_cached(query)?.query_row(with, |row| row.get(0));
        self.give_back(session);
        row
    }

    /// Reads and decodes the rows of a range, as long as `goes_on` returns `true`.
    pub(crate) fn decode(
        &self,
        batch: &Batch,
        bodies: Bodies,
        goes_on: KeepGoing<'_>,
        found: &mut dyn FnMut(u64, CaptureItem<'_>),
    ) {
        if let Some(range) = batch.rows() {
            self.decode_range(range, bodies, goes_on, found);
        }
    }

    fn decode_range(
        &self,
        (first, last): (i64, i64),
        bodies: Bodies,
        goes_on: KeepGoing<'_>,
        found: &mut dyn FnMut(u64, CaptureItem<'_>),
    ) {
        match self.take_connection() {
            Ok(mut session) => {
                let [heads, whole] = &self.queries;
                let query = if bodies == Bodies::Read { whole } else { heads };
                let statement = Statement::new(&session.connection, query, &self.patience);
                statement.decode(first, last, goes_on, &mut session.copied, found);
                self.give_back(session);
            }
            Err(error) => rows::report_unreadable(first, &error, found),
        }
    }
}

/// The place of a row: its number, or 0 for a negative number.
fn place_of(row: i64) -> u64 {
    if row >= 0 { row.unsigned_abs() } else { 0 }
}

/// Describes an error without the statement that SQLite quotes.
fn in_words(error: &rusqlite::Error) -> String {
    match error.sqlite_error() {
        Some(error) if error.code == ErrorCode::DatabaseBusy => {
            "its server kept the database locked for 5 seconds; try again".to_owned()
        }
        Some(error) if error.code == ErrorCode::NotADatabase => {
            "this begins like a SQLite database and is not one; it is damaged or encrypted"
                .to_owned()
        }
        Some(error) if error.code == ErrorCode::OperationInterrupted => TimeBudget::OVER.to_owned(),
        Some(error) => {
            format!(
                "the database cannot be read ({}); check it with sqlite3 and PRAGMA integrity_check",
                ffi::code_to_str(error.extended_code)
            )
        }
        None => "the database cannot be read; check it with sqlite3 and PRAGMA integrity_check"
            .to_owned(),
    }
}
