//! The database of mitmproxy-mcp, read while its server writes it.
//!
//! The server waits five seconds for a reader and then drops the flow that it wanted to save. So nothing is written, and a
//! lock is held for milliseconds: while a statement is stepped to its end ([`rows`]).
//! What they gave is decoded afterwards. The table and the server's habits: <https://github.com/snapspecter/mitmproxy-mcp>, `core/recorder.py`.

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

/// How long a statement waits for the server to finish saving.
const LOCK_PATIENCE: Duration = Duration::from_secs(5);

/// Pages that a connection keeps.
const CACHED_PAGES: i32 = 64;

/// Steps of SQLite's machine between two looks at the time.
const STEPS: i32 = 100_000;

/// Why a database cannot be read where nothing may be written. SQLite opens a write-ahead log for writing also to read.
const NEEDS_WRITING: &str = "this SQLite database can only be read by opening files for writing (it has a write-ahead log, or \
                             its writer was stopped in the middle), which is not done here; open it once with sqlite3 and \
                             PRAGMA journal_mode=DELETE";

/// The columns that are used; all before `size` must be there.
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

/// The longest text of each of [`COLUMNS`] that is used, in bytes; what is longer is read as missing.
const MAX_COLUMN_BYTES: [usize; COLUMNS.len()] = {
    let mut most = [limits::MAX_LINE_BYTES; COLUMNS.len()];
    (most[STATUS], most[TIMESTAMP], most[SIZE]) = (64, 64, 64);
    (most[REQUEST_BODY], most[RESPONSE_BODY]) = (limits::MAX_BODY_BYTES, limits::MAX_BODY_BYTES);
    most
};

/// The order of [`COLUMNS`].
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

/// A connection, and memory for the rows that come through it.
struct ReadConnection {
    connection: Connection,
    copied: CopiedRows,
}

/// A database that was found readable.
pub(crate) struct Database {
    path: PathBuf,
    /// Where the copy stands that is read instead, until it is dropped.
    copy: Option<tempfile::TempDir>,
    /// May SQLite open files for writing, as it does with a write-ahead log also to read?
    may_write: bool,
    /// The statement without bodies, and the one with them.
    queries: [String; 2],
    idle: Mutex<Vec<ReadConnection>>,
    /// Where the file must be.
    location: Option<Location>,
    /// The file itself. It stays open as long as there are connections: closing it would give their locks up (POSIX).
    file: Option<Bytes>,
    patience: Arc<TimeBudget>,
}

impl Database {
    /// Opens it, or says in a sentence why not. Where that needs more than reading and nothing may be written, that is why.
    ///
    /// `file` is the file at `path`, opened; where there is a `location`, nothing else is opened.
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

    /// Opens a database that comes out of an archive or a pipe: SQLite needs a file.
    pub(crate) fn unpacked(stream: &mut ByteStream) -> Result<Self, String> {
        Self::of_copy(copy::unpacked(stream))
    }

    /// Opens a copy, which is repaired by that if it has a journal.
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

    /// Is it one of mitmproxy-mcp, by its columns?
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
        self.queries = [Bodies::Left, Bodies::Read].map(|bodies| rows::query(has, bodies));
        Ok(())
    }

    /// The columns of the table, or none. A view may be endless, a virtual table may be anything, and what is computed may be
    /// of any size: they are not asked.
    fn columns(&self) -> rusqlite::Result<Vec<String>> {
        let session = self.session()?;
        let query = "SELECT x.name FROM pragma_table_list('flows') AS t, pragma_table_xinfo('flows') AS x \
                     WHERE t.schema = 'main' AND t.type = 'table' AND t.wr = 0 AND x.hidden = 0";
        let mut statement = session.connection.prepare(query)?;
        let names = statement.query_map([], |row| row.get(0))?.collect();
        drop(statement);
        self.give_back(session);
        names
    }

    /// A connection that can only read. A copy is repaired by opening it, so it can be written.
    fn session(&self) -> rusqlite::Result<ReadConnection> {
        if let Some(idle) = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop() {
            return Ok(idle);
        }
        // Its writer may have begun a log since.
        if !self.is_in_place() {
            return Err(rusqlite::Error::InvalidPath(self.path.clone()));
        }
        let mut mode = if self.copy.is_some() {
            OpenFlags::SQLITE_OPEN_READ_WRITE
        } else {
            OpenFlags::SQLITE_OPEN_READ_ONLY
        };
        // SQLite opens it by its path: what is there must be the file that was opened before, and still be it afterwards.
        if self.location.is_some() {
            mode |= OpenFlags::SQLITE_OPEN_NOFOLLOW;
        }
        let mut connection =
            Connection::open_with_flags(&self.path, mode | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
        connection.busy_timeout(LOCK_PATIENCE)?;
        // What the file says of itself is not believed: no triggers or functions of its schema. Values are capped one by one by
        // the statement, because a limit on lengths would also refuse a row for the length of a body that nobody asks for.
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false)?;
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true)?;
        connection.pragma_update(None, "cell_size_check", true)?;
        // Pages are read once, in order: memory for more of them would only have to be cleared.
        connection.pragma_update(None, "cache_size", CACHED_PAGES)?;
        let patience = Arc::clone(&self.patience);
        connection.progress_handler(STEPS, Some(move || patience.is_over()))?;
        if self.is_in_place() {
            Ok(ReadConnection { connection, copied: CopiedRows::default() })
        } else {
            Err(rusqlite::Error::InvalidPath(self.path.clone()))
        }
    }

    /// True where the path still leads to the file that was opened, and SQLite can read it without writing and without opening
    /// a link or a pipe beside it.
    fn is_in_place(&self) -> bool {
        let Some(Bytes::File(file)) = &self.file else { return true };
        if copy::check_beside(&self.path).is_err() {
            return false;
        }
        let needs_writing =
            self.file.as_ref().is_some_and(|bytes| copy::needs_writing(bytes, &self.path));
        (self.may_write || !needs_writing)
            && self.location.as_ref().is_none_or(|location| location.is(file))
    }

    fn give_back(&self, session: ReadConnection) {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(session);
    }

    /// Bytes of the file now.
    pub(crate) fn length(&self) -> u64 {
        std::fs::metadata(&self.path).map_or(0, |metadata| metadata.len())
    }

    /// Hands out its rows, as they are now, in ranges, from a row number on; 0 stands for the first.
    pub(crate) fn rows(&self, start: u64) -> RowRanges<'_> {
        self.patience.begin(self.length());
        let start = if start == 0 { i64::MIN } else { i64::try_from(start).unwrap_or(i64::MAX) };
        RowRanges::new(self, start)
    }

    /// The first and the last row number, and the id of the flow in a row.
    pub(crate) fn extent(&self, row: u64) -> Option<RowExtent> {
        let first = self.row("SELECT min(rowid) FROM flows", []).ok()?;
        let last = self.row("SELECT max(rowid) FROM flows", []).ok()?;
        Some(RowExtent { first, last: last.map_or(0, place_of), id: self.id_of(row) })
    }

    fn id_of(&self, row: u64) -> Option<Vec<u8>> {
        let row = i64::try_from(row).ok()?;
        let session = self.session().ok()?;
        let query =
            "SELECT CAST(id AS BLOB) FROM flows WHERE rowid = ?1 AND octet_length(id) <= 65536";
        let id = session.connection.query_row(query, [row], |row| row.get(0)).ok().flatten();
        self.give_back(session);
        id
    }

    /// Reads and decodes one row, if it is still there.
    pub(crate) fn decode_row(&self, row: u64, found: &mut dyn FnMut(u64, CaptureItem<'_>)) {
        let Ok(row) = i64::try_from(row) else { return };
        self.decode_range((row, row), Bodies::Left, &|| true, found);
    }

    fn row(&self, query: &str, with: impl rusqlite::Params) -> rusqlite::Result<Option<i64>> {
        let session = self.session()?;
        let row = session.connection.prepare_cached(query)?.query_row(with, |row| row.get(0));
        self.give_back(session);
        row
    }

    /// Reads and decodes the rows of a range, as long as `goes_on` says so.
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
        match self.session() {
            Ok(mut session) => {
                let [heads, whole] = &self.queries;
                let query = if bodies == Bodies::Read { whole } else { heads };
                let statement = Statement::new(&session.connection, query, &self.patience);
                statement.decode(first, last, goes_on, &mut session.copied, found);
                self.give_back(session);
            }
            Err(error) => rows::unreadable(first, &error, found),
        }
    }
}

/// A row's number as the place of a flow: in the order of the rows, negative ones first.
fn place_of(row: i64) -> u64 {
    if row >= 0 { row.unsigned_abs() } else { 0 }
}

/// What went wrong, without the statement that SQLite quotes.
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
            format!("the database cannot be read ({})", ffi::code_to_str(error.extended_code))
        }
        None => "the database cannot be read".to_owned(),
    }
}
