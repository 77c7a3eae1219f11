//! Conversion of rows to flows: rows are copied, the statement is reset, and then the copies are
//! decoded.

use std::borrow::Cow;
use std::io::Write;

use rusqlite::types::ValueRef;
use rusqlite::{Connection, ErrorCode};

use crate::capture::batch::KeepGoing;
use crate::capture::chunk::Bodies;
use crate::capture::chunk::{CaptureItem, RowColumns};
use crate::capture::database::patience::TimeBudget;
use crate::capture::database::{
    COLUMNS, ID, MAX_COLUMN_BYTES, METHOD, REQUEST_BODY, REQUEST_HEADERS, RESPONSE_BODY,
    RESPONSE_HEADERS, SIZE, STATUS, TIMESTAMP, URL, headers, in_words, place_of,
};
use crate::capture::time;
use crate::flow::{Body, Flow, Headers, OwnedHeader, Response};
use crate::math::decimal;
use crate::skip::SkipReason;

/// Bytes of copied rows after which they are decoded.
const MAX_HELD_BYTES: usize = 8 << 20;

/// Maximum number of copied rows. Their fixed part takes at most as much memory as their text.
const MAX_HELD_ROWS: usize = MAX_HELD_BYTES / size_of::<DatabaseRow>();

/// Rows between two calls of `goes_on`.
const ROWS_A_LOOK: usize = 64;

/// Rows that are tried after an unreadable one before the range is given up.
const MAX_TRIES: u32 = 8;

/// Returns the statement that reads a range of rows, given the first and the last row number.
/// Columns that the table does not have are null, and so is a body that is not needed.
pub(super) fn query(has: impl Fn(&str) -> bool, bodies: Bodies) -> String {
    let column = |place: usize| {
        let (name, most) = (COLUMNS[place], MAX_COLUMN_BYTES[place]);
        if !has(name) || (place == RESPONSE_BODY && bodies == Bodies::Skip) {
            return "NULL".to_owned();
        }
        let value = format!("CASE WHEN octet_length({name}) <= {most} THEN {name} END");
        // Only the body of a POST can contain the name of an operation.
        match (place, bodies) {
            (REQUEST_BODY, Bodies::Skip) => format!("CASE WHEN method = 'POST' THEN {value} END"),
            _ => value,
        }
    };
    let columns: Vec<String> = (0..COLUMNS.len()).map(column).collect();
    let columns = columns.join(", ");
    format!("SELECT rowid, {columns} FROM main.flows WHERE rowid BETWEEN ?1 AND ?2 ORDER BY rowid")
}

/// A copied row.
struct DatabaseRow {
    number: i64,
    started: Option<i64>,
    /// The status and the size, if they are whole numbers.
    status: Option<i64>,
    size: Option<i64>,
    /// Start and end of the text of each column.
    cells: [(u32, u32); COLUMNS.len()],
}

/// A column without text. Its start is after its end.
const NO_CELL: (u32, u32) = (1, 0);

impl DatabaseRow {
    fn new(number: i64) -> Self {
        Self { number, started: None, status: None, size: None, cells: [NO_CELL; COLUMNS.len()] }
    }

    /// Copies a value.
    #[inline]
    fn put(&mut self, place: usize, value: ValueRef<'_>, text: &mut Vec<u8>) {
        let start = text.len();
        match value {
            ValueRef::Null => return,
            ValueRef::Real(seconds) if place == TIMESTAMP => {
                self.started = time::of_seconds(seconds);
                return;
            }
            ValueRef::Text(bytes) | ValueRef::Blob(bytes) => text.extend_from_slice(bytes),
            ValueRef::Integer(number) if place == SIZE => {
                self.size = Some(number);
                return;
            }
            ValueRef::Integer(number) => {
                if place == STATUS {
                    self.status = Some(number);
                }
                if number < 0 {
                    text.push(b'-');
                }
                text.extend_from_slice(decimal(number.unsigned_abs(), &mut [0; 20]));
            }
            // Writing into memory does not fail.
            ValueRef::Real(number) => write!(text, "{number}").unwrap_or_default(),
        }
        // The held text is far shorter than `u32::MAX` bytes.
        let bounded = |place| u32::try_from(place).unwrap_or(u32::MAX);
        self.cells[place] = (bounded(start), bounded(text.len()));
    }

    fn cell<'t>(&self, place: usize, text: &'t [u8]) -> Option<&'t [u8]> {
        let (start, end) = self.cells[place];
        text.get(start as usize..end as usize)
    }
}

/// Memory for the copied rows of a statement. It is reused, because allocating it again would take
/// as long as filling it.
#[derive(Default)]
pub(super) struct CopiedRows {
    text: Vec<u8>,
    rows: Vec<DatabaseRow>,
}

impl CopiedRows {
    fn clear(&mut self) {
        self.text.clear();
        self.rows.clear();
    }

    fn is_full(&self) -> bool {
        self.text.len() > MAX_HELD_BYTES || self.rows.len() > MAX_HELD_ROWS
    }
}

/// The statement that reads rows.
pub(super) struct Statement<'a> {
    connection: &'a Connection,
    query: &'a str,
    patience: &'a TimeBudget,
}

/// The reason why a statement stopped.
enum ReadStatus {
    /// There are no more rows.
    Done,
    /// The memory for copied rows is full.
    Full,
    /// The row numbers do not rise, as they do in every undamaged table.
    Disorder,
    Canceled,
}

impl<'a> Statement<'a> {
    pub(super) fn new(
        connection: &'a Connection,
        query: &'a str,
        patience: &'a TimeBudget,
    ) -> Self {
        Self { connection, query, patience }
    }

    /// Decodes the rows from `first` to `last`, as long as `goes_on` returns `true`. A row that
    /// SQLite cannot read is skipped.
    pub(super) fn decode(
        &self,
        first: i64,
        last: i64,
        goes_on: KeepGoing<'_>,
        copied: &mut CopiedRows,
        found: &mut dyn FnMut(u64, CaptureItem<'_>),
    ) {
        let mut next = Some(first);
        let mut tries = 0;
        while let Some(from) = next.filter(|from| *from <= last) {
            copied.clear();
            let read = self.read(from, last, goes_on, copied);
            for row in &copied.rows {
                decode_row(row, &copied.text, found);
            }
            let after = copied.rows.last().map_or(Some(from), |row| row.number.checked_add(1));
            next = match read {
                Ok(ReadStatus::Done | ReadStatus::Canceled) => None,
                Ok(ReadStatus::Full) => after,
                Ok(ReadStatus::Disorder) => {
                    let message = "the rows of this database are out of order, so it is damaged; the rest of them is skipped";
                    found(
                        place_of(from),
                        CaptureItem::Skipped(SkipReason::BadRecord, message.to_owned()),
                    );
                    None
                }
                Err(error) => {
                    let bad = after.unwrap_or(last);
                    report_unreadable(bad, &error, found);
                    let code = error.sqlite_error_code();
                    if matches!(
                        code,
                        Some(ErrorCode::DatabaseBusy | ErrorCode::OperationInterrupted)
                    ) {
                        return;
                    }
                    // If no row was read, the number of the unreadable row is not known, so try
                    // only a few of the next ones.
                    tries = if copied.rows.is_empty() { tries + 1 } else { 0 };
                    if tries > MAX_TRIES {
                        return;
                    }
                    bad.checked_add(1)
                }
            };
        }
    }

    /// Copies rows until there are none left or the memory is full.
    fn read(
        &self,
        first: i64,
        last: i64,
        goes_on: KeepGoing<'_>,
        copied: &mut CopiedRows,
    ) -> rusqlite::Result<ReadStatus> {
        let _spending = self.patience.spend();
        let mut statement = self.connection.prepare_cached(self.query)?;
        let mut cursor = statement.query([first, last])?;
        while let Some(row) = cursor.next()? {
            let mut copy = DatabaseRow::new(row.get(0)?);
            let lowest = copied.rows.last().map_or(Some(first), |row| row.number.checked_add(1));
            if lowest.is_none_or(|lowest| copy.number < lowest) || copy.number > last {
                return Ok(ReadStatus::Disorder);
            }
            for place in 0..copy.cells.len() {
                copy.put(place, row.get_ref(place + 1)?, &mut copied.text);
            }
            copied.rows.push(copy);
            if copied.is_full() {
                return Ok(ReadStatus::Full);
            }
            if copied.rows.len().is_multiple_of(ROWS_A_LOOK) && !goes_on() {
                return Ok(ReadStatus::Canceled);
            }
        }
        Ok(ReadStatus::Done)
    }
}

pub(super) fn report_unreadable(
    row: i64,
    error: &rusqlite::Error,
    found: &mut dyn FnMut(u64, CaptureItem<'_>),
) {
    let message = format!("{}; skipped", in_words(error));
    found(place_of(row), CaptureItem::Skipped(SkipReason::BadRecord, message));
}

fn decode_row(row: &DatabaseRow, text: &[u8], found: &mut dyn FnMut(u64, CaptureItem<'_>)) {
    let cell = |column: usize| row.cell(column, text);
    let columns = [cell(REQUEST_HEADERS), cell(RESPONSE_HEADERS)];
    let (mut request_pairs, mut response_pairs) = (Vec::new(), Vec::new());
    let request_headers = headers_of(columns[0], &mut request_pairs);
    let response_headers = headers_of(columns[1], &mut response_pairs);
    let status = cell(STATUS).filter(|status| *status != b"0");
    let stored = RowColumns {
        status,
        has_method: cell(METHOD).is_some(),
        has_url: cell(URL).is_some(),
        request_headers: columns[0],
        response_headers: columns[1],
    };
    let method = Cow::Borrowed(cell(METHOD).unwrap_or_default());
    let mut flow = Flow::of_any_url(method, cell(URL).unwrap_or_default());
    flow.id = cell(ID).unwrap_or_default();
    flow.request_headers = request_headers;
    // The server stores bodies decompressed.
    flow.request_body = cell(REQUEST_BODY).map(Body::decoded).unwrap_or_default();
    flow.started = row.started.or_else(|| cell(TIMESTAMP).and_then(time::nanoseconds));
    let number = |cell: &[u8]| std::str::from_utf8(cell).ok()?.parse::<i64>().ok();
    flow.response = status.map(|status| Response {
        status: row.status.or_else(|| number(status)).unwrap_or_default(),
        headers: response_headers,
        content_type: None,
        body_bytes: row
            .size
            .or_else(|| cell(SIZE).and_then(number))
            .and_then(|size| u64::try_from(size).ok()),
        body: cell(RESPONSE_BODY).map(Body::decoded).unwrap_or_default(),
    });
    found(place_of(row.number), CaptureItem::Row(&flow, &stored));
}

fn headers_of<'a>(column: Option<&'a [u8]>, pairs: &'a mut Vec<OwnedHeader<'a>>) -> Headers<'a> {
    let column = column.unwrap_or_default();
    if let Some(headers) = headers::lazy(column) {
        return headers;
    }
    // Errors in headers concern only the compat answer.
    let _problem = headers::read(column, pairs);
    Headers::owned(pairs)
}
