//! Rows straight from the pages of the file: several times as fast as a statement for each range.
//!
//! Everything is read while a read transaction of SQLite is open, so no server writes meanwhile, and only while the file is
//! the one whose leaves were listed (its change counter says so). Whatever is unusual (write-ahead log, another encoding,
//! pages that do not fit together) goes the plain way, by statement. The format: <https://www.sqlite.org/fileformat2.html>.

use std::fs::File;
use std::io;
use std::path::Path;

use rusqlite::types::ValueRef;
use rusqlite::{Connection, OptionalExtension};
use serde::{Deserialize, Serialize};

use crate::capture::bytes::Bytes;
use crate::capture::database::{COLUMN_BYTES, COLUMNS};

/// Pages that are read at once at most: as many as stay in the nearest memory until they are looked at.
const AHEAD: u32 = 32;

/// Leaves that are made room for at once.
const LEAVES_AT_ONCE: usize = 1 << 16;

/// A tree as deep as this holds more pages than a file can have.
const DEPTH: usize = 20;

/// A page with rows of the table.
#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
pub(super) struct Leaf {
    page: u32,
    /// The largest row number that it can have; those of the leaf before are all smaller.
    pub(super) last: i64,
}

/// This is read by statement instead.
#[derive(Debug)]
pub(super) struct Unusual;

/// What stays the same while nobody writes.
#[derive(Debug)]
pub(super) struct Pages {
    page_bytes: u32,
    usable: usize,
    file_bytes: u64,
    /// Counts the transactions that changed the file.
    pub(super) counter: u32,
    /// Where the used columns stand in a record, in the order of [`COLUMNS`], and whether they are declared as real numbers.
    columns: Vec<(usize, usize, bool)>,
    pub(super) leaves: Vec<Leaf>,
}

/// Reads pages, many at once.
pub(super) struct PageReader<'a> {
    bytes: &'a Bytes,
    page_bytes: u32,
    first: u32,
    /// How many bytes of the buffer are pages.
    read: usize,
    buffer: Vec<u8>,
    /// A page outside of the buffer.
    single: Vec<u8>,
}

impl Pages {
    /// Lists the leaves of the table `flows`, given an open transaction.
    pub(super) fn list(connection: &Connection, bytes: &Bytes) -> Result<Self, Unusual> {
        let root = "SELECT rootpage FROM sqlite_master WHERE type = 'table' AND name = 'flows'";
        let root: Option<u32> =
            connection.query_row(root, [], |row| row.get(0)).optional().map_err(|_| Unusual)?;
        let header = header(bytes)?;
        let page_bytes = match number(&header, 16, 2)? {
            1 => 65536,
            size @ 512..=32768 => size,
            _ => return Err(Unusual),
        };
        let reserved = usize::from(header[20]);
        let usable = usize::try_from(page_bytes).map_err(|_| Unusual)? - reserved;
        let is_plain = header[18] == 1 && header[19] == 1 && number(&header, 56, 4)? == 1;
        if !is_plain || usable < 480 {
            return Err(Unusual);
        }
        let mut pages = Self {
            page_bytes,
            usable,
            file_bytes: bytes.length().ok_or(Unusual)?,
            counter: number(&header, 24, 4)?,
            columns: columns(connection)?,
            leaves: Vec::new(),
        };
        // Nearly all pages are leaves; what the file says of its length need not be true.
        let most = pages.file_bytes / u64::from(page_bytes);
        pages.leaves.reserve(usize::try_from(most).unwrap_or(usize::MAX).min(LEAVES_AT_ONCE));
        let mut reader = pages.reader(bytes, Vec::new());
        let root = root.ok_or(Unusual)?;
        let mut depth = 0;
        let mut first = root;
        loop {
            let whole = reader.page(first, || 1)?;
            let inside = content(whole, first)?;
            if inside.first() != Some(&5) {
                break;
            }
            first = children(inside, whole)?.first().ok_or(Unusual)?.0;
            depth += 1;
            if depth > DEPTH {
                return Err(Unusual);
            }
        }
        pages.list_below(&mut reader, root, i64::MAX, depth)?;
        Ok(pages)
    }

    fn list_below(
        &mut self,
        reader: &mut PageReader<'_>,
        page: u32,
        last: i64,
        depth: usize,
    ) -> Result<(), Unusual> {
        if depth == 0 {
            // Row numbers rise from leaf to leaf, so a tree that goes round in circles is noticed here.
            if self.leaves.last().is_some_and(|before| before.last >= last) {
                return Err(Unusual);
            }
            self.leaves.push(Leaf { page, last });
            return Ok(());
        }
        let whole = reader.page(page, || 1)?;
        let below = children(content(whole, page)?, whole)?;
        for (child, key) in below {
            self.list_below(reader, child, key.unwrap_or(last), depth - 1)?;
        }
        Ok(())
    }

    /// `buffer` is memory to work in.
    pub(super) fn reader<'a>(&self, bytes: &'a Bytes, buffer: Vec<u8>) -> PageReader<'a> {
        let page_bytes = self.page_bytes;
        PageReader { bytes, page_bytes, first: 0, read: 0, buffer, single: Vec::new() }
    }

    /// Is it still the file that was listed? Asked before and after its pages are read: a transaction that is open keeps
    /// servers from writing, unless somebody in this process has closed the same file meanwhile (POSIX locks go with it).
    pub(super) fn is_current(&self, bytes: &Bytes) -> bool {
        header(bytes)
            .is_ok_and(|header| number(&header, 24, 4).is_ok_and(|counter| counter == self.counter))
            && bytes.length() == Some(self.file_bytes)
    }

    /// Calls `row` for the rows of some leaves with their number and, column by column in the order of the record, where
    /// it belongs among [`COLUMNS`] and its value.
    pub(super) fn rows(
        &self,
        reader: &mut PageReader<'_>,
        leaves: &[Leaf],
        mut row: impl FnMut(i64, Option<(usize, ValueRef<'_>)>) -> Result<(), Unusual>,
    ) -> Result<(), Unusual> {
        let mut payload = Vec::new();
        // A reader of its own, so that the leaf stays where it is.
        let mut overflow = self.reader(reader.bytes, Vec::new());
        for (i, leaf) in leaves.iter().enumerate() {
            let page = reader.page(leaf.page, || pages_to_read(&leaves[i..]))?;
            let inside = content(page, leaf.page)?;
            if inside.first() != Some(&13) {
                return Err(Unusual);
            }
            let cells = usize::try_from(number(inside, 3, 2)?).map_err(|_| Unusual)?;
            for cell in 0..cells {
                let at = number(inside, 8 + 2 * cell, 2)? as usize;
                let cell = page.get(at..self.usable).ok_or(Unusual)?;
                let (length, rest) = varint(cell)?;
                let (number, rest) = varint(rest)?;
                let length = u64::try_from(length).map_err(|_| Unusual)?;
                if number > leaf.last {
                    return Err(Unusual);
                }
                row(number, None)?;
                self.record(&mut overflow, length, rest, &mut payload, |column, value| {
                    row(number, Some((column, value)))
                })?;
            }
        }
        Ok(())
    }

    /// Reads the used columns of one record, of which `local` has at least the beginning.
    fn record(
        &self,
        reader: &mut PageReader<'_>,
        length: u64,
        local: &[u8],
        payload: &mut Vec<u8>,
        mut each: impl FnMut(usize, ValueRef<'_>) -> Result<(), Unusual>,
    ) -> Result<(), Unusual> {
        if length > self.file_bytes {
            return Err(Unusual);
        }
        let length = usize::try_from(length).map_err(|_| Unusual)?;
        let (on_page, most) = (self.usable - 35, self.usable - 4);
        let least = (self.usable - 12) * 32 / 255 - 23;
        let inside = match length {
            _ if length <= on_page => length,
            _ => Some(least + (length - least) % most).filter(|k| *k <= on_page).unwrap_or(least),
        };
        let first = local.get(..inside).ok_or(Unusual)?;
        let mut chain = Chain {
            reader,
            usable: self.usable,
            next: if inside < length { number(local, inside, 4)? } else { 0 },
            position: inside,
        };
        let (header_bytes, types) = varint(first)?;
        let header_bytes = usize::try_from(header_bytes).map_err(|_| Unusual)?;
        let types_bytes = header_bytes.checked_sub(first.len() - types.len()).ok_or(Unusual)?;
        let mut types = types.get(..types_bytes).ok_or(Unusual)?;
        let mut at = header_bytes;
        let mut column = 0;
        for &(used, place, is_real) in &self.columns {
            let (kind, bytes) = loop {
                let (kind, rest) = varint(types)?;
                types = rest;
                let bytes = size_of_type(kind)?;
                column += 1;
                if column > used {
                    break (kind, bytes);
                }
                at = at.checked_add(bytes).ok_or(Unusual)?;
            };
            let end = at.checked_add(bytes).filter(|end| *end <= length).ok_or(Unusual)?;
            if bytes > COLUMN_BYTES[place] {
                at = end;
                continue;
            }
            let value = if end <= first.len() {
                &first[at..end]
            } else {
                payload.clear();
                payload.extend_from_slice(first.get(at..).unwrap_or_default());
                chain.read(at.max(inside), end, payload)?;
                &*payload
            };
            at = end;
            each(place, value_of(kind, value, is_real)?)?;
        }
        Ok(())
    }
}

/// The overflow pages of one record, read forwards.
struct Chain<'r, 'a> {
    reader: &'r mut PageReader<'a>,
    usable: usize,
    next: u32,
    /// Where in the record the next page begins.
    position: usize,
}

impl Chain<'_, '_> {
    /// Appends the bytes of the record from `start` to `end`.
    fn read(&mut self, start: usize, end: usize, out: &mut Vec<u8>) -> Result<(), Unusual> {
        let mut start = start;
        while start < end {
            let page = self.reader.page(self.next, || 1)?;
            let content = page.get(4..self.usable).ok_or(Unusual)?;
            let after = self.position + content.len();
            if start < after {
                let from = start - self.position;
                let to = end.min(after) - self.position;
                out.extend_from_slice(content.get(from..to).ok_or(Unusual)?);
                start = start.max(end.min(after));
            }
            if end < after {
                break;
            }
            self.next = number(page, 0, 4)?;
            self.position = after;
        }
        Ok(())
    }
}

impl PageReader<'_> {
    /// The memory it worked in.
    pub(super) fn into_buffer(self) -> Vec<u8> {
        self.buffer
    }

    /// A page; where it is not there yet, as many pages as `ahead` says are read at once from there on.
    fn page(&mut self, page: u32, ahead: impl FnOnce() -> u32) -> Result<&[u8], Unusual> {
        let index = page.checked_sub(1).ok_or(Unusual)?;
        let size = self.page_bytes as usize;
        if index >= self.first && ((index - self.first) as usize + 1) * size <= self.read {
            let start = (index - self.first) as usize * size;
            return Ok(&self.buffer[start..start + size]);
        }
        let offset = u64::from(index) * u64::from(self.page_bytes);
        let ahead = ahead();
        if ahead > 1 {
            self.first = index;
            let wanted = size * ahead as usize;
            if self.buffer.len() < wanted {
                self.buffer.resize(wanted, 0);
            }
            self.read = read_at(self.bytes, offset, &mut self.buffer[..wanted])?;
            return self.buffer[..self.read].get(..size).ok_or(Unusual);
        }
        self.single.resize(size, 0);
        let read = read_at(self.bytes, offset, &mut self.single)?;
        if read == size { Ok(&self.single) } else { Err(Unusual) }
    }
}

/// How many pages to read at once where the first of the leaves is not there yet: to the last of them that is near.
fn pages_to_read(leaves: &[Leaf]) -> u32 {
    let first = leaves.first().map_or(0, |leaf| leaf.page);
    let near =
        leaves.iter().map(|leaf| leaf.page.wrapping_sub(first)).take_while(|after| *after < AHEAD);
    near.max().unwrap_or(0) + 1
}

/// The file to read pages of.
pub(super) fn open(path: &Path) -> io::Result<Bytes> {
    File::open(path).map(Bytes::File)
}

fn read_at(bytes: &Bytes, offset: u64, buffer: &mut [u8]) -> Result<usize, Unusual> {
    let mut filled = 0;
    while filled < buffer.len() {
        match bytes.read_at(offset + filled as u64, &mut buffer[filled..]) {
            Ok(0) => break,
            Ok(count) => filled += count,
            Err(_) => return Err(Unusual),
        }
    }
    Ok(filled)
}

fn header(bytes: &Bytes) -> Result<[u8; 100], Unusual> {
    let mut header = [0; 100];
    if read_at(bytes, 0, &mut header)? == header.len() { Ok(header) } else { Err(Unusual) }
}

/// What follows the file's header on the first page, and all of the others.
fn content(page: &[u8], number: u32) -> Result<&[u8], Unusual> {
    if number == 1 { page.get(100..).ok_or(Unusual) } else { Ok(page) }
}

/// The children of an interior page, each with the largest row number below it; the last has none.
fn children(inside: &[u8], whole: &[u8]) -> Result<Vec<(u32, Option<i64>)>, Unusual> {
    if inside.first() != Some(&5) {
        return Err(Unusual);
    }
    let cells = number(inside, 3, 2)? as usize;
    let mut children = Vec::with_capacity(cells + 1);
    for cell in 0..cells {
        let at = number(inside, 12 + 2 * cell, 2)? as usize;
        let (key, _) = varint(whole.get(at + 4..).ok_or(Unusual)?)?;
        children.push((number(whole, at, 4)?, Some(key)));
    }
    children.push((number(inside, 8, 4)?, None));
    Ok(children)
}

/// Where the used columns stand in a record.
fn columns(connection: &Connection) -> Result<Vec<(usize, usize, bool)>, Unusual> {
    let query = "SELECT name, type, pk, hidden FROM pragma_table_xinfo('flows') ORDER BY cid";
    let mut statement = connection.prepare(query).map_err(|_| Unusual)?;
    let mut rows = statement.query([]).map_err(|_| Unusual)?;
    let mut columns = Vec::new();
    let mut column = 0;
    while let Some(row) = rows.next().map_err(|_| Unusual)? {
        let name: String = row.get(0).map_err(|_| Unusual)?;
        let kind: String = row.get(1).map_err(|_| Unusual)?;
        let key: i64 = row.get(2).map_err(|_| Unusual)?;
        let hidden: i64 = row.get(3).map_err(|_| Unusual)?;
        // A key of whole numbers is the row's number, and generated columns are not in the record.
        if hidden != 0 || (key != 0 && kind.eq_ignore_ascii_case("INTEGER")) {
            return Err(Unusual);
        }
        if let Some(place) = COLUMNS.iter().position(|used| used.eq_ignore_ascii_case(&name)) {
            let kind = kind.to_ascii_uppercase();
            let is_real = ["REAL", "FLOA", "DOUB"].iter().any(|real| kind.contains(real));
            columns.push((column, place, is_real));
        }
        column += 1;
    }
    Ok(columns)
}

#[inline]
fn number(bytes: &[u8], at: usize, length: usize) -> Result<u32, Unusual> {
    let bytes = bytes.get(at..at + length).ok_or(Unusual)?;
    Ok(bytes.iter().fold(0, |number, byte| number << 8 | u32::from(*byte)))
}

/// A number of up to nine bytes, seven bits in each, the highest first; eight in the ninth.
#[inline]
fn varint(bytes: &[u8]) -> Result<(i64, &[u8]), Unusual> {
    match bytes {
        [one @ 0..0x80, rest @ ..] => Ok((i64::from(*one), rest)),
        [high, low @ 0..0x80, rest @ ..] => {
            Ok((i64::from(*high & 0x7f) << 7 | i64::from(*low), rest))
        }
        _ => long_varint(bytes),
    }
}

fn long_varint(bytes: &[u8]) -> Result<(i64, &[u8]), Unusual> {
    let mut number = 0_u64;
    for (i, byte) in bytes.iter().take(9).enumerate() {
        if i == 8 {
            return Ok(((number << 8 | u64::from(*byte)).cast_signed(), &bytes[9..]));
        }
        number = number << 7 | u64::from(byte & 0x7f);
        if byte & 0x80 == 0 {
            return Ok((number.cast_signed(), &bytes[i + 1..]));
        }
    }
    Err(Unusual)
}

fn size_of_type(kind: i64) -> Result<usize, Unusual> {
    match kind {
        0 | 8 | 9 => Ok(0),
        1..=4 => usize::try_from(kind).map_err(|_| Unusual),
        5 => Ok(6),
        6 | 7 => Ok(8),
        12.. => usize::try_from((kind - 12) / 2).map_err(|_| Unusual),
        _ => Err(Unusual),
    }
}

fn value_of(kind: i64, bytes: &[u8], is_real: bool) -> Result<ValueRef<'_>, Unusual> {
    let integer = |number: i64| {
        #[expect(
            clippy::cast_precision_loss,
            reason = "what SQLite does for a column of real numbers"
        )]
        let real = number as f64;
        if is_real { ValueRef::Real(real) } else { ValueRef::Integer(number) }
    };
    Ok(match kind {
        0 => ValueRef::Null,
        1..=6 => {
            let sign = bytes.first().map_or(0, |first| if first & 0x80 == 0 { 0 } else { -1_i64 });
            integer(bytes.iter().fold(sign, |number, byte| number << 8 | i64::from(*byte)))
        }
        7 => ValueRef::Real(f64::from_be_bytes(bytes.try_into().map_err(|_| Unusual)?)),
        8 | 9 => integer(kind - 8),
        12.. if kind % 2 == 0 => ValueRef::Blob(bytes),
        13.. => ValueRef::Text(bytes),
        _ => return Err(Unusual),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn short_numbers_are_read_as_any(bytes in prop::collection::vec(any::<u8>(), 0..11)) {
            prop_assert_eq!(varint(&bytes).ok(), long_varint(&bytes).ok());
        }

        /// What is read at once begins with the first leaf, ends with a leaf, and is never more than may be.
        #[test]
        fn pages_are_read_up_to_a_leaf(pages in prop::collection::vec(1_u32..100, 1..20)) {
            let leaves: Vec<_> = pages.iter().map(|page| Leaf { page: *page, last: 0 }).collect();
            let count = pages_to_read(&leaves);
            prop_assert!((1..=AHEAD).contains(&count));
            prop_assert!(pages.contains(&(pages[0] + count - 1)));
        }
    }
}
