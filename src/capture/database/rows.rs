//! Rows -> flows: what a statement gives is copied, the statement is reset, and then it is decoded.

use std::borrow::Cow;
use std::cell::Cell;
use std::io::Write;

use rusqlite::types::ValueRef;
use rusqlite::{Connection, ErrorCode};

use crate::capture::batch::GoesOn;
use crate::capture::bytes::Bytes;
use crate::capture::database::pages::{Leaf, Pages, Unusual};
use crate::capture::database::patience::Patience;
use crate::capture::database::{
    COLUMN_BYTES, COLUMNS, ID, METHOD, REQUEST_BODY, REQUEST_HEADERS, RESPONSE_HEADERS, SIZE,
    STATUS, TIMESTAMP, URL, headers, in_words, place_of,
};
use crate::capture::{Found, time};
use crate::flow::{Flow, Headers, OriginalRow, OwnedHeader, Response};
use crate::math::decimal;
use crate::skip::SkipReason;

/// Rows are decoded when this much is held.
const HELD_BYTES: usize = 8 << 20;

/// Text that a leaf mostly gives.
const LEAF_TEXT: usize = 2048;

/// Rows that are held at most, in as much memory.
const HELD_ROWS: usize = HELD_BYTES / size_of::<Row>();

/// Rows after which it is asked whether to go on.
const ROWS_A_LOOK: usize = 64;

/// Rows after one that cannot be read that are tried before the range is given up.
const TRIES: u32 = 8;

/// The statement that reads a range of rows, given its first and last.
pub(super) fn query(has_size: bool, has_body: bool) -> String {
    let column = |place: usize| {
        let (name, most) = (COLUMNS[place], COLUMN_BYTES[place]);
        format!("CASE WHEN octet_length({name}) <= {most} THEN {name} END")
    };
    let size = if has_size { column(SIZE) } else { "NULL".to_owned() };
    let body = if has_body {
        format!("CASE WHEN method = 'POST' THEN {} END", column(REQUEST_BODY))
    } else {
        "NULL".to_owned()
    };
    let others: Vec<String> = (ID..SIZE).map(column).collect();
    format!(
        "SELECT rowid, {}, {size}, {body} FROM main.flows WHERE rowid BETWEEN ?1 AND ?2 ORDER BY rowid",
        others.join(", ")
    )
}

/// A row, copied.
struct Row {
    number: i64,
    started: Option<i64>,
    /// The status and the size, where they are whole numbers.
    status: Option<i64>,
    size: Option<i64>,
    /// Where the text of each begins and ends.
    cells: [(u32, u32); 9],
}

/// No text: it would end before it begins.
const NO_CELL: (u32, u32) = (1, 0);

impl Row {
    fn new(number: i64) -> Self {
        Self { number, started: None, status: None, size: None, cells: [NO_CELL; 9] }
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
        // Far less is held than a number of 32 bits counts.
        let bounded = |place| u32::try_from(place).unwrap_or(u32::MAX);
        self.cells[place] = (bounded(start), bounded(text.len()));
    }

    fn cell<'t>(&self, place: usize, text: &'t [u8]) -> Option<&'t [u8]> {
        let (start, end) = self.cells[place];
        text.get(start as usize..end as usize)
    }

    /// Is this value asked for by [`query`] as well?
    fn wants(&self, place: usize, value: ValueRef<'_>, text: &[u8]) -> bool {
        let length = match value {
            ValueRef::Text(bytes) | ValueRef::Blob(bytes) => bytes.len(),
            _ => 0,
        };
        length <= COLUMN_BYTES[place]
            && (place != REQUEST_BODY || self.cell(METHOD, text) == Some(b"POST"))
    }
}

/// Decodes the rows of some leaves from the number `first` on, read from their pages while a transaction is open.
pub(super) fn decode_leaves(
    (connection, pages, bytes): (&Connection, &Pages, &Bytes),
    first: i64,
    leaves: &[Leaf],
    found: &mut dyn FnMut(u64, Found<'_>),
) -> Result<(), Unusual> {
    // Memory is kept for the next leaves: that it is new costs as much as all that is done in it.
    let Held { mut text, mut rows, buffer } = HELD.take();
    text.clear();
    rows.clear();
    // What most leaves come to: to grow to it would touch twice as much memory.
    text.reserve(leaves.len() * LEAF_TEXT);
    let mut reader = pages.reader(bytes, buffer);
    {
        let transaction = connection.unchecked_transaction().map_err(|_| Unusual)?;
        // The lock is taken by the first thing that is read.
        transaction
            .prepare_cached("SELECT 1 FROM sqlite_master LIMIT 1")
            .and_then(|mut statement| statement.query_row([], |_| Ok(())))
            .map_err(|_| Unusual)?;
        if !pages.is_current(bytes) {
            return Err(Unusual);
        }
        pages.rows(&mut reader, leaves, |number, value| {
            let Some((place, value)) = value else {
                if rows.last().map_or(number < first, |before| number <= before.number) {
                    return Err(Unusual);
                }
                rows.push(Row::new(number));
                return if rows.len() > HELD_ROWS { Err(Unusual) } else { Ok(()) };
            };
            let row = rows.last_mut().ok_or(Unusual)?;
            if row.wants(place, value, &text) {
                row.put(place, value, &mut text);
            }
            if text.len() > HELD_BYTES { Err(Unusual) } else { Ok(()) }
        })?;
        if !pages.is_current(bytes) {
            return Err(Unusual);
        }
    }
    for row in &rows {
        decode_row(row, &text, found);
    }
    if text.capacity() <= HELD_BYTES && rows.capacity() <= HELD_ROWS {
        HELD.set(Held { text, rows, buffer: reader.into_buffer() });
    }
    Ok(())
}

/// What one thread works in.
#[derive(Default)]
struct Held {
    text: Vec<u8>,
    rows: Vec<Row>,
    buffer: Vec<u8>,
}

thread_local! {
    static HELD: Cell<Held> = Cell::default();
}

/// The statement that reads rows where pages cannot be read directly.
pub(super) struct Statement<'a> {
    connection: &'a Connection,
    query: &'a str,
    patience: &'a Patience,
}

/// How far a statement came.
enum ReadRows {
    /// There are no more rows.
    Done,
    /// As much is held as may be.
    Full,
    /// The rows do not rise, as those of every undamaged table do.
    Disorder,
    Canceled,
}

impl<'a> Statement<'a> {
    pub(super) fn new(connection: &'a Connection, query: &'a str, patience: &'a Patience) -> Self {
        Self { connection, query, patience }
    }

    /// Decodes the rows from `first` to `last`, as long as `goes_on` says so. A row that SQLite cannot read costs itself.
    pub(super) fn decode(
        &self,
        first: i64,
        last: i64,
        goes_on: GoesOn<'_>,
        found: &mut dyn FnMut(u64, Found<'_>),
    ) {
        let mut text = Vec::new();
        let mut rows: Vec<Row> = Vec::new();
        let mut next = Some(first);
        let mut tries = 0;
        while let Some(from) = next.filter(|from| *from <= last) {
            text.clear();
            rows.clear();
            let read = self.read(from, last, goes_on, &mut text, &mut rows);
            for row in &rows {
                decode_row(row, &text, found);
            }
            let after = rows.last().map_or(Some(from), |row| row.number.checked_add(1));
            next = match read {
                Ok(ReadRows::Done | ReadRows::Canceled) => None,
                Ok(ReadRows::Full) => after,
                Ok(ReadRows::Disorder) => {
                    let message = "the rows of this database are out of order, so it is damaged; the rest of them is skipped";
                    found(
                        place_of(from),
                        Found::Skipped(SkipReason::BadRecord, message.to_owned()),
                    );
                    None
                }
                Err(error) => {
                    let bad = after.unwrap_or(last);
                    unreadable(bad, &error, found);
                    let code = error.sqlite_error_code();
                    if matches!(
                        code,
                        Some(ErrorCode::DatabaseBusy | ErrorCode::OperationInterrupted)
                    ) {
                        return;
                    }
                    // Where nothing came, the row that cannot be read may be any: a few are tried, not all there could be.
                    tries = if rows.is_empty() { tries + 1 } else { 0 };
                    if tries > TRIES {
                        return;
                    }
                    bad.checked_add(1)
                }
            };
        }
    }

    /// Copies rows until there are none left, or enough is held.
    fn read(
        &self,
        first: i64,
        last: i64,
        goes_on: GoesOn<'_>,
        text: &mut Vec<u8>,
        rows: &mut Vec<Row>,
    ) -> rusqlite::Result<ReadRows> {
        let _spending = self.patience.spend();
        let mut statement = self.connection.prepare_cached(self.query)?;
        let mut cursor = statement.query([first, last])?;
        while let Some(row) = cursor.next()? {
            let mut copy = Row::new(row.get(0)?);
            let lowest = rows.last().map_or(Some(first), |row| row.number.checked_add(1));
            if lowest.is_none_or(|lowest| copy.number < lowest) || copy.number > last {
                return Ok(ReadRows::Disorder);
            }
            for place in 0..copy.cells.len() {
                copy.put(place, row.get_ref(place + 1)?, text);
            }
            rows.push(copy);
            if text.len() > HELD_BYTES || rows.len() > HELD_ROWS {
                return Ok(ReadRows::Full);
            }
            if rows.len().is_multiple_of(ROWS_A_LOOK) && !goes_on() {
                return Ok(ReadRows::Canceled);
            }
        }
        Ok(ReadRows::Done)
    }
}

pub(super) fn unreadable(row: i64, error: &rusqlite::Error, found: &mut dyn FnMut(u64, Found<'_>)) {
    let message = format!("{}; skipped", in_words(error));
    found(place_of(row), Found::Skipped(SkipReason::BadRecord, message));
}

fn decode_row(row: &Row, text: &[u8], found: &mut dyn FnMut(u64, Found<'_>)) {
    let cell = |column: usize| row.cell(column, text);
    let columns = [cell(REQUEST_HEADERS), cell(RESPONSE_HEADERS)];
    let (mut request_pairs, mut response_pairs) = (Vec::new(), Vec::new());
    let request_headers = headers_of(columns[0], &mut request_pairs);
    let response_headers = headers_of(columns[1], &mut response_pairs);
    let status = cell(STATUS).filter(|status| *status != b"0");
    let original = OriginalRow {
        status,
        has_method: cell(METHOD).is_some(),
        has_url: cell(URL).is_some(),
        headers: columns,
        raises,
    };
    let method = Cow::Borrowed(cell(METHOD).unwrap_or_default());
    let url = cell(URL).unwrap_or_default();
    let http = if method.is_empty() { None } else { Flow::from_url(method.clone(), url) };
    let is_http = http.is_some();
    let mut flow = http.unwrap_or_else(|| Flow::bare(method, url));
    flow.id = cell(ID).unwrap_or_default();
    flow.request_headers = request_headers;
    flow.request_body = cell(REQUEST_BODY);
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
    });
    flow.original = Some(&original);
    let place = place_of(row.number);
    found(place, if is_http { Found::Flow(&flow) } else { Found::NotHttp(&flow) });
}

fn headers_of<'a>(column: Option<&'a [u8]>, pairs: &'a mut Vec<OwnedHeader<'a>>) -> Headers<'a> {
    let column = column.unwrap_or_default();
    if let Some(headers) = headers::lazy(column) {
        return headers;
    }
    // What is wrong with them matters to the original alone.
    let _problem = headers::read(column, pairs);
    Headers::owned(pairs)
}

/// The original loads the headers of every row, those of the response where there was one.
fn raises(row: &OriginalRow<'_>) -> Option<&'static str> {
    if !row.has_url {
        return Some("it has no URL");
    }
    let [request, response] = row.headers;
    let response = response.filter(|text| row.status.is_some() && !text.is_empty());
    let problem = |text: &[u8]| headers::read(text, &mut Vec::new()).err();
    problem(request.unwrap_or_default()).or_else(|| response.and_then(problem))
}
