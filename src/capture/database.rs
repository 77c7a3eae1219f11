//! The database of mitmproxy-mcp, read while its server writes it.
//!
//! The server waits five seconds for a reader and then drops the flow that it wanted to save. So rows are read in short
//! statements, each stepped to its end and reset before anything is done with what it gave; nothing is written, and no
//! transaction is held. The table and the server's habits: <https://github.com/snapspecter/mitmproxy-mcp>, `core/recorder.py`.

mod headers;
mod pages;
mod rows;

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rusqlite::{Connection, ErrorCode, OpenFlags, ffi};

use crate::capture::bytes::{Batch, ByteStream, Bytes};
use crate::capture::database::pages::Pages;
use crate::capture::{Cut, Found};
use crate::limits;

#[cfg(feature = "fuzzing")]
pub(crate) use headers::laws as header_laws;

/// The name of a copy in its temporary folder.
const COPY: &str = "copy.db";

/// Rows that one statement reads.
const ROWS: i64 = 1024;

/// Where row numbers span more than this, rows may be few and far between: the next one is asked for.
const SPAN: i64 = 1 << 22;

/// How long a statement waits for the server to finish saving.
const PATIENCE: Duration = Duration::from_secs(5);

/// The columns that are used; all but the last two must be there.
const COLUMNS: [&str; 9] = [
    "id",
    "url",
    "method",
    "status_code",
    "request_headers",
    "response_headers",
    "timestamp",
    "size",
    "request_body",
];

/// A database that was found readable.
pub(crate) struct Database {
    path: PathBuf,
    /// Where the copy stands that is read instead, until it is dropped.
    copy: Option<tempfile::TempDir>,
    query: String,
    idle: Mutex<Vec<Connection>>,
    /// The file itself. It stays open as long as there are connections: closing it would give their locks up (POSIX).
    file: Option<Bytes>,
    pages: Mutex<Option<Arc<Pages>>>,
}

/// Hands out ranges of rows.
pub(crate) struct Rows<'a> {
    database: &'a Database,
    pages: Option<Arc<Pages>>,
    /// The next leaf of these.
    leaf: usize,
    next: i64,
    last: Option<i64>,
    is_dense: bool,
    failure: Option<io::Error>,
}

impl Database {
    /// Opens it, or says in a sentence why not.
    pub(crate) fn open(path: &Path) -> Result<Self, String> {
        if has_idle_log(path) {
            return Self::of_copy(copied(path));
        }
        let mut database = Self::new(path.to_owned(), None);
        match database.columns() {
            Ok(columns) => database.check(&columns)?,
            Err(error) if needs_copy(path, &error) => return Self::of_copy(copied(path)),
            Err(error) => return Err(in_words(&error)),
        }
        Ok(database)
    }

    /// Opens a database that comes out of an archive or a pipe: SQLite needs a file.
    pub(crate) fn unpacked(stream: &mut ByteStream) -> Result<Self, String> {
        Self::of_copy(tempfile::tempdir().and_then(|folder| {
            let mut file = File::create(folder.path().join(COPY))?;
            let copied = io::copy(&mut stream.take(limits::SPOOLED_BYTES), &mut file)?;
            if copied == limits::SPOOLED_BYTES {
                return Err(io::Error::other("it is too large to be unpacked here"));
            }
            Ok(folder)
        }))
    }

    /// Opens a copy, which is repaired by that if it has a journal.
    fn of_copy(folder: io::Result<tempfile::TempDir>) -> Result<Self, String> {
        let folder = folder.map_err(|error| {
            format!("this SQLite database must be copied to be read, which failed ({error})")
        })?;
        let mut database = Self::new(folder.path().join(COPY), Some(folder));
        let columns = database.columns().map_err(|error| in_words(&error))?;
        database.check(&columns)?;
        Ok(database)
    }

    fn new(path: PathBuf, copy: Option<tempfile::TempDir>) -> Self {
        Self {
            path,
            copy,
            query: String::new(),
            idle: Mutex::default(),
            file: None,
            pages: Mutex::default(),
        }
    }

    /// Is it one of mitmproxy-mcp, by its columns?
    fn check(&mut self, columns: &[String]) -> Result<(), String> {
        let has = |name: &str| columns.iter().any(|column| column.eq_ignore_ascii_case(name));
        if columns.is_empty() {
            return Err("this SQLite database is not one of mitmproxy-mcp: it has no table \"flows\"; give \
                        mitm_mcp_traffic.db of the server's folder"
                .to_owned());
        }
        if let Some(missing) = COLUMNS[..7].iter().find(|name| !has(name)) {
            return Err(format!(
                "this SQLite database is not one of mitmproxy-mcp: its table \"flows\" has no column \"{missing}\""
            ));
        }
        self.query = rows::query(has("size"), has("request_body"));
        self.file = pages::open(&self.path).ok();
        Ok(())
    }

    fn columns(&self) -> rusqlite::Result<Vec<String>> {
        let connection = self.connection()?;
        let mut statement = connection.prepare("SELECT name FROM pragma_table_info('flows')")?;
        let names = statement.query_map([], |row| row.get(0))?.collect();
        drop(statement);
        self.give_back(connection);
        names
    }

    /// A connection that can only read. A copy is repaired by opening it, so it can be written.
    fn connection(&self) -> rusqlite::Result<Connection> {
        if let Some(idle) = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop() {
            return Ok(idle);
        }
        let mode = if self.copy.is_some() {
            OpenFlags::SQLITE_OPEN_READ_WRITE
        } else {
            OpenFlags::SQLITE_OPEN_READ_ONLY
        };
        let connection =
            Connection::open_with_flags(&self.path, mode | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
        connection.busy_timeout(PATIENCE)?;
        Ok(connection)
    }

    fn give_back(&self, connection: Connection) {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(connection);
    }

    /// Bytes of the file now.
    pub(crate) fn length(&self) -> u64 {
        std::fs::metadata(&self.path).map_or(0, |metadata| metadata.len())
    }

    pub(crate) fn rows(&self) -> Rows<'_> {
        let pages = self.list_pages().map(Arc::new);
        self.pages.lock().unwrap_or_else(PoisonError::into_inner).clone_from(&pages);
        let mut rows = Rows {
            database: self,
            pages,
            leaf: 0,
            next: i64::MIN,
            last: Some(i64::MAX),
            is_dense: false,
            failure: None,
        };
        if rows.pages.is_none() {
            rows.find_range();
        }
        rows
    }

    /// The leaves of the table, where they can be read without statements.
    fn list_pages(&self) -> Option<Pages> {
        let bytes = self.file.as_ref()?;
        let connection = self.connection().ok()?;
        let listed = connection
            .unchecked_transaction()
            .ok()
            .and_then(|transaction| Pages::list(&transaction, bytes).ok());
        self.give_back(connection);
        listed
    }

    fn row(&self, query: &str, with: impl rusqlite::Params) -> rusqlite::Result<Option<i64>> {
        let connection = self.connection()?;
        let row = connection.prepare_cached(query)?.query_row(with, |row| row.get(0));
        self.give_back(connection);
        row
    }

    /// Reads and decodes the rows of a range.
    pub(crate) fn decode(&self, batch: &Batch, found: &mut dyn FnMut(u64, Found<'_>)) {
        let Some((first, last, leaves)) = range_of(batch.bytes()) else { return };
        let connection = match self.connection() {
            Ok(connection) => connection,
            Err(error) => return rows::unreadable(first, &error, found),
        };
        let pages = self.pages.lock().unwrap_or_else(PoisonError::into_inner).clone();
        match (&pages, &self.file) {
            (Some(pages), Some(bytes)) if !leaves.is_empty() => {
                let source = (&connection, &**pages, bytes);
                self.decode_leaves(source, first, &leaves, found);
            }
            _ => rows::decode(&connection, &self.query, first, last, found),
        }
        self.give_back(connection);
    }

    /// Decodes leaves from their pages. Where those are unusual or damaged, or the file has changed, by statement: leaf by
    /// leaf, so that one costs no other.
    fn decode_leaves(
        &self,
        source: (&Connection, &Pages, &Bytes),
        first: i64,
        leaves: &[(u32, i64)],
        found: &mut dyn FnMut(u64, Found<'_>),
    ) {
        let (connection, pages, bytes) = source;
        if rows::decode_leaves(connection, pages, bytes, leaves, found).is_ok() {
            return;
        }
        let mut from = first;
        for leaf in leaves {
            if rows::decode_leaves(connection, pages, bytes, &[*leaf], found).is_err() {
                rows::decode(connection, &self.query, from, leaf.1, found);
            }
            from = leaf.1.saturating_add(1);
        }
    }
}

impl Rows<'_> {
    /// The first and the last row number, where ranges of them are handed out.
    fn find_range(&mut self) {
        let first = self.database.row("SELECT min(rowid) FROM flows", []);
        let last = self.database.row("SELECT max(rowid) FROM flows", []);
        match (first, last) {
            (Ok(first), Ok(last)) => {
                self.next = first.unwrap_or_default();
                self.last = last;
                let span = last.and_then(|last| last.checked_sub(self.next));
                self.is_dense = span.is_some_and(|span| span < SPAN);
            }
            (Err(error), _) | (_, Err(error)) => {
                self.failure = Some(io::Error::other(in_words(&error)));
                self.last = None;
            }
        }
    }

    fn next_leaves(&mut self, pages: &Pages, batch: &mut Batch) -> Cut {
        let end = (self.leaf + pages::LEAVES).min(pages.leaves.len());
        let leaves = &pages.leaves[self.leaf..end];
        let Some((_, last)) = leaves.last() else { return Cut::End };
        batch.offset = place_of(self.next);
        let mut bytes = [self.next.to_le_bytes(), last.to_le_bytes()].concat();
        for (page, last) in leaves {
            bytes.extend_from_slice(&page.to_le_bytes());
            bytes.extend_from_slice(&last.to_le_bytes());
        }
        batch.replace(bytes);
        self.next = last.saturating_add(1);
        self.leaf = end;
        Cut::Batch
    }

    pub(crate) fn next(&mut self, batch: &mut Batch) -> Cut {
        if let Some(pages) = self.pages.clone() {
            return self.next_leaves(&pages, batch);
        }
        let Some(last) = self.last.filter(|last| self.next <= *last) else { return Cut::End };
        let first = if self.is_dense {
            self.next
        } else {
            match self.database.row("SELECT min(rowid) FROM flows WHERE rowid >= ?1", [self.next]) {
                Ok(first) => first.unwrap_or(i64::MAX),
                Err(error) => {
                    self.failure = Some(io::Error::other(in_words(&error)));
                    i64::MAX
                }
            }
        };
        if first > last || self.failure.is_some() {
            self.last = None;
            return Cut::End;
        }
        let end = first.saturating_add(ROWS - 1).min(last);
        match end.checked_add(1) {
            Some(next) => self.next = next,
            None => self.last = None,
        }
        batch.offset = place_of(first);
        batch.replace([first.to_le_bytes(), end.to_le_bytes()].concat());
        Cut::Batch
    }

    /// About how many bytes of the file are behind it.
    pub(crate) fn position(&self) -> u64 {
        let length = self.database.length();
        if let Some(pages) = &self.pages {
            return length * self.leaf as u64 / (pages.leaves.len() as u64).max(1);
        }
        match self.last {
            Some(last) if last > 0 && self.next > 0 => {
                let share = u128::from(length) * u128::from(self.next.unsigned_abs());
                u64::try_from(share / u128::from(last.unsigned_abs())).unwrap_or(length).min(length)
            }
            _ => length,
        }
    }

    pub(crate) fn failure(&mut self) -> Option<io::Error> {
        self.failure.take()
    }
}

/// A row's number as the place of a flow: in the order of the rows, negative ones first.
fn place_of(row: i64) -> u64 {
    if row >= 0 { row.unsigned_abs() } else { 0 }
}

/// The first and last row of a batch, and the leaves that have them, each with its last row, where those are known.
fn range_of(bytes: &[u8]) -> Option<(i64, i64, Vec<(u32, i64)>)> {
    let (first, rest) = bytes.split_first_chunk::<8>()?;
    let (last, rest) = rest.split_first_chunk::<8>()?;
    let leaf = |bytes: &[u8; 12]| {
        let (page, last) = bytes.split_first_chunk::<4>()?;
        Some((u32::from_le_bytes(*page), i64::from_le_bytes(last.try_into().ok()?)))
    };
    let leaves = rest.as_chunks::<12>().0.iter().filter_map(leaf).collect();
    Some((i64::from_le_bytes(*first), i64::from_le_bytes(*last), leaves))
}

/// Has it a write-ahead log that nobody uses now? Reading it would make files beside it, so a copy is read.
fn has_idle_log(path: &Path) -> bool {
    let mut header = [0; 20];
    let read = File::open(path).and_then(|mut file| file.read_exact(&mut header));
    read.is_ok() && header[19] == 2 && !beside(path, "-shm").exists()
}

/// Was a transaction left in the middle, so that reading alone cannot see the state before it?
fn needs_copy(path: &Path, error: &rusqlite::Error) -> bool {
    let left_over = ["-journal", "-wal"].iter().any(|suffix| {
        std::fs::metadata(beside(path, suffix)).is_ok_and(|metadata| metadata.len() > 0)
    });
    let code = error.sqlite_error().map(|error| error.code);
    left_over && matches!(code, Some(ErrorCode::ReadOnly | ErrorCode::CannotOpen))
}

fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

/// Copies the database with its journal: opening the copy puts the last whole state back.
fn copied(path: &Path) -> io::Result<tempfile::TempDir> {
    let folder = tempfile::tempdir()?;
    let copy = folder.path().join(COPY);
    // Only the bytes: the copy is repaired by writing to it, whatever the mode of the original.
    let copy_bytes = |from: &Path, to: &Path| -> io::Result<()> {
        io::copy(&mut File::open(from)?, &mut File::create(to)?).map(drop)
    };
    copy_bytes(path, &copy)?;
    for suffix in ["-journal", "-wal"] {
        let from = beside(path, suffix);
        if from.exists() {
            copy_bytes(&from, &beside(&copy, suffix))?;
        }
    }
    Ok(folder)
}

/// What went wrong, without the statement that SQLite quotes.
fn in_words(error: &rusqlite::Error) -> String {
    match error.sqlite_error() {
        Some(error) if error.code == ErrorCode::DatabaseBusy => {
            "its server kept the database locked for 5 seconds; try again".to_owned()
        }
        Some(error) if error.code == ErrorCode::NotADatabase => {
            "this begins as a SQLite database and is none; it is damaged or encrypted".to_owned()
        }
        Some(error) => {
            format!("the database cannot be read ({})", ffi::code_to_str(error.extended_code))
        }
        None => "the database cannot be read".to_owned(),
    }
}
