//! Cuts a HAR into batches of whole entries without building it, and finds the next entry after damage.
//!
//! A HAR is one JSON object (`{"log": {"entries": [...]}}`) in which the order of the keys is free; the list of entries
//! alone, and the list that Charles saves as `.chlsj`, are read as well. Whatever stands around the list is stepped over
//! by its brackets, piece by piece, however long it is.

mod charles;
mod compact;
mod entry;

use crate::capture::bytes::{Batch, Reader};
use crate::capture::har::compact::Compactor;
use crate::capture::json::{self, BadJson, Json, Scan};
use crate::capture::{Cut, Damage, Found};
use crate::limits;
use crate::skip::SkipReason;

/// The first keys that writers give an entry, beside those that begin with `_`.
const ENTRY_KEYS: [&[u8]; 14] = [
    b"startedDateTime",
    b"time",
    b"request",
    b"response",
    b"cache",
    b"timings",
    b"pageref",
    b"connection",
    b"serverIPAddress",
    b"comment",
    b"status",
    b"scheme",
    b"method",
    b"host",
];

/// How much is held while what stands around the entries is read.
const WINDOW: usize = 64 << 10;

/// Objects inside each other that are looked into for the list of entries.
const OPEN_OBJECTS: usize = 8;

pub(crate) struct Entries<'a> {
    reader: Reader<'a>,
    batch_bytes: usize,
    state: State,
    /// The objects around: is it the `log`?
    open: Vec<bool>,
    found_list: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Before the first bracket.
    Start,
    /// In an object that may have the list.
    Members,
    /// In the list.
    Elements,
    /// After the last bracket.
    After,
    End,
}

/// Why there are no more whole entries at the front.
#[derive(Debug, PartialEq, Eq)]
enum Stop {
    NeedsMore,
    /// What begins here is no entry, or is not followed by another one.
    Bad,
    /// The list is closed: where.
    Closed(usize),
}

impl<'a> Entries<'a> {
    pub(crate) fn new(reader: Reader<'a>, batch_bytes: usize) -> Self {
        let batch_bytes = batch_bytes.max(64);
        Self { reader, batch_bytes, state: State::Start, open: Vec::new(), found_list: false }
    }

    pub(crate) fn reader(&mut self) -> &mut Reader<'a> {
        &mut self.reader
    }

    pub(crate) fn next(&mut self, batch: &mut Batch) -> Cut {
        loop {
            let cut = match self.state {
                State::Start => self.start(batch),
                State::Members => self.member(batch),
                State::Elements => self.elements(batch),
                State::After => self.after(batch),
                State::End => Some(Cut::End),
            };
            if let Some(cut) = cut {
                return cut;
            }
        }
    }

    /// Reads what comes next into an empty batch; is that all there is?
    fn window(&mut self, batch: &mut Batch, want: usize) -> bool {
        batch.clear();
        batch.shrink(self.batch_bytes.max(WINDOW));
        batch.offset = self.reader.position();
        self.reader.fill(batch, want)
    }

    fn start(&mut self, batch: &mut Batch) -> Option<Cut> {
        let ended = self.window(batch, WINDOW);
        let bytes = batch.bytes();
        let Some(bracket) = opening_bracket(bytes) else {
            if !ended && bytes.iter().all(|byte| json::is_space(*byte)) {
                return None;
            }
            self.state = State::End;
            return self.rest_is_garbage(batch, "no HAR begins here");
        };
        let is_list = bytes[bracket] == b'[';
        self.reader.unread(&bytes[bracket + 1..]);
        if is_list {
            self.found_list = true;
            self.state = State::Elements;
        } else {
            self.open.push(false);
            self.state = State::Members;
        }
        None
    }

    /// Reads one key, and goes into its value or steps over it.
    fn member(&mut self, batch: &mut Batch) -> Option<Cut> {
        let ended = self.window(batch, WINDOW);
        let bytes = batch.bytes();
        let at = bytes
            .iter()
            .position(|byte| !json::is_space(*byte) && *byte != b',')
            .unwrap_or(bytes.len());
        match bytes.get(at) {
            None if ended => {
                self.state = State::End;
                return Some(self.cut_off(batch.offset, bytes.len() as u64));
            }
            None => return None,
            Some(b'}') => {
                self.reader.unread(&bytes[at + 1..]);
                self.open.pop();
                if self.open.is_empty() {
                    self.state = State::After;
                    if !self.found_list {
                        return Some(no_list(batch.offset));
                    }
                }
                return None;
            }
            Some(_) => {}
        }
        let Some((key, value)) = key_and_value(&bytes[at..]) else {
            // How deep this is can no longer be known: as deep as the list of entries.
            self.open = vec![true];
            return self.resync(batch, ended, at);
        };
        let in_log = self.open.last().copied().unwrap_or(false);
        let value = at + value;
        match bytes[value] {
            b'{' if self.open.len() < OPEN_OBJECTS => {
                self.open.push(key == b"log");
                self.reader.unread(&bytes[value + 1..]);
            }
            b'[' if key == b"entries" && (in_log || self.open.len() == 1) => {
                self.found_list = true;
                self.state = State::Elements;
                self.reader.unread(&bytes[value + 1..]);
            }
            first => {
                self.reader.unread(&bytes[value..]);
                return self.skip_value(batch, first);
            }
        }
        None
    }

    /// Steps over a value of any length.
    fn skip_value(&mut self, batch: &mut Batch, first: u8) -> Option<Cut> {
        let start = self.reader.position();
        let is_scalar = !matches!(first, b'{' | b'[' | b'"');
        let mut scan = Scan::default();
        loop {
            let ended = self.window(batch, self.batch_bytes.max(WINDOW));
            let bytes = batch.bytes();
            let end = if is_scalar {
                bytes.iter().position(|byte| matches!(byte, b',' | b'}'))
            } else {
                scan.step(bytes)
            };
            if let Some(end) = end {
                self.reader.unread(&bytes[end..]);
                return None;
            }
            if ended {
                let length = self.reader.position() - start;
                self.state = State::End;
                // A quote too few in front of the list: where the bytes can be read again, entries are looked for.
                if !self.found_list && self.reader.go_to(start + 1) {
                    self.open = vec![true];
                    let ended = self.window(batch, self.batch_bytes.max(WINDOW));
                    return self.resync_from(batch, ended, 0, start);
                }
                return Some(self.cut_off(start, length));
            }
        }
    }

    fn elements(&mut self, batch: &mut Batch) -> Option<Cut> {
        let mut want = self.batch_bytes;
        let mut ended = self.window(batch, want);
        loop {
            let (end, stop) = whole_entries(batch.bytes(), ended);
            if end > 0 {
                self.reader.unread(&batch.bytes()[end..]);
                batch.truncate(end);
                return Some(Cut::Batch);
            }
            match stop {
                Stop::Closed(at) => {
                    self.reader.unread(&batch.bytes()[at + 1..]);
                    self.state = if self.open.is_empty() { State::After } else { State::Members };
                    return None;
                }
                Stop::Bad => {
                    let start = entry_start(batch.bytes());
                    return self.resync(batch, ended, start);
                }
                Stop::NeedsMore if ended => {
                    let bytes = batch.bytes();
                    let start = entry_start(bytes);
                    if start < bytes.len() {
                        return self.resync(batch, ended, start);
                    }
                    self.state = State::End;
                    return Some(self.cut_off(batch.offset, bytes.len() as u64));
                }
                Stop::NeedsMore if want >= limits::RECORD_BYTES => {
                    let start = entry_start(batch.bytes());
                    self.reader.unread(&batch.bytes()[start..]);
                    return self.compact(batch);
                }
                Stop::NeedsMore => {
                    want = (want * 2).min(limits::RECORD_BYTES);
                    ended = self.reader.fill(batch, want);
                }
            }
        }
    }

    /// Reads an entry too large to hold; of long strings (bodies) only the beginning is kept.
    fn compact(&mut self, batch: &mut Batch) -> Option<Cut> {
        let start = self.reader.position();
        let mut compactor = Compactor::default();
        loop {
            let ended = self.window(batch, self.batch_bytes.max(WINDOW));
            if let Some(end) = compactor.step(batch.bytes()) {
                self.reader.unread(&batch.bytes()[end..]);
                let Some(entry) = compactor.finish() else {
                    let length = self.reader.position() - start;
                    let message =
                        format!("entry of {length} bytes has more than can be read; skipped");
                    let reason = SkipReason::TooLarge;
                    return Some(Cut::Damage(Damage { reason, offset: start, message }));
                };
                batch.replace(entry);
                batch.offset = start;
                return Some(Cut::Batch);
            }
            if ended {
                // Where the bytes can be read again, there may be whole entries among them.
                let length = self.reader.position() - start;
                self.state = State::End;
                if self.reader.go_to(start + 1) {
                    self.state = State::Elements;
                    let ended = self.window(batch, self.batch_bytes);
                    return self.resync_from(batch, ended, 0, start);
                }
                return Some(self.cut_off(start, length));
            }
        }
    }

    /// Steps over what is no entry, from `at` in the batch on, to the next one if there is any.
    fn resync(&mut self, batch: &mut Batch, ended: bool, at: usize) -> Option<Cut> {
        let start = batch.offset + at as u64;
        self.resync_from(batch, ended, at + 1, start)
    }

    fn resync_from(
        &mut self,
        batch: &mut Batch,
        mut ended: bool,
        mut from: usize,
        start: u64,
    ) -> Option<Cut> {
        // Enough for what stands before an entry, and again for its first key.
        const OVERLAP: usize = 128;
        let mut may_begin = true;
        loop {
            if let Some(at) = find_entry(batch.bytes(), from, may_begin) {
                let next = batch.offset + at as u64;
                self.reader.unread(&batch.bytes()[at..]);
                self.found_list = true;
                self.state = State::Elements;
                let message = format!(
                    "{} bytes are no entry that can be read and were skipped; reading went on at byte {next}",
                    next - start
                );
                let reason = SkipReason::BadRecord;
                return Some(Cut::Damage(Damage { reason, offset: start, message }));
            }
            if ended {
                self.state = State::End;
                return Some(self.cut_off(start, self.reader.position() - start));
            }
            let length = batch.bytes().len();
            let keep = length.saturating_sub(2 * OVERLAP).max(from.saturating_sub(OVERLAP));
            self.reader.unread(&batch.bytes()[keep..]);
            (from, may_begin) = (OVERLAP, false);
            ended = self.window(batch, self.batch_bytes.max(16 * OVERLAP));
        }
    }

    fn after(&mut self, batch: &mut Batch) -> Option<Cut> {
        let ended = self.window(batch, WINDOW);
        let bytes = batch.bytes();
        // `);` ends a HAR that calls a function (JSONP).
        let is_nothing = |byte: &u8| json::is_space(*byte) || matches!(byte, b')' | b';');
        let Some(at) = bytes.iter().position(|byte| !is_nothing(byte)) else {
            if ended {
                self.state = State::End;
            }
            return None;
        };
        self.reader.unread(&bytes[at..]);
        // Files that were put one after the other.
        if matches!(bytes[at], b'{' | b'[') {
            self.state = State::Start;
            return None;
        }
        // Damage may have closed the list too soon: entries that come after its end are looked for.
        let start = self.reader.position();
        let ended = self.window(batch, self.batch_bytes.max(WINDOW));
        self.open = vec![true];
        let cut = self.resync_from(batch, ended, 0, start);
        if self.state != State::End {
            return cut;
        }
        let bytes = self.reader.position() - start;
        let message =
            format!("the end of the HAR is passed: {bytes} bytes from here on were skipped");
        Some(Cut::Damage(Damage { reason: SkipReason::Garbage, offset: start, message }))
    }

    fn rest_is_garbage(&mut self, batch: &Batch, why: &str) -> Option<Cut> {
        let start = batch.offset;
        let end = match self.reader.left() {
            Some(left) => self.reader.position() + left,
            None => self.reader.position(),
        };
        if end == start {
            return None;
        }
        let bytes = end - start;
        let more = if self.reader.left().is_some() { "" } else { " or more" };
        let message = format!("{why}: {bytes} bytes{more} from here on were skipped");
        Some(Cut::Damage(Damage { reason: SkipReason::Garbage, offset: start, message }))
    }

    fn cut_off(&self, offset: u64, bytes: u64) -> Cut {
        let what = if self.found_list { "" } else { ", before its list of entries" };
        let message = format!(
            "the file ends in the middle{what} ({bytes} bytes of what begins here are there); what came before was read. \
             Save it again to have the rest"
        );
        Cut::Damage(Damage { reason: SkipReason::Truncated, offset, message })
    }
}

fn no_list(offset: u64) -> Cut {
    let message =
        "this JSON has no list of entries (\"log\" with \"entries\"), so there is no traffic in it";
    Cut::Damage(Damage { reason: SkipReason::BadRecord, offset, message: message.to_owned() })
}

/// Where the first bracket stands, after a byte order mark and the call of a function.
pub(super) fn opening_bracket(bytes: &[u8]) -> Option<usize> {
    let text = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes).trim_ascii_start();
    let name = text
        .iter()
        .take_while(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'$' | b'.'))
        .count();
    let after_name = text[name..].trim_ascii_start();
    let text = match after_name.strip_prefix(b"(") {
        Some(inside) if name > 0 => inside.trim_ascii_start(),
        _ => text,
    };
    matches!(text.first(), Some(b'{' | b'[')).then(|| bytes.len() - text.len())
}

/// The key at the front, and where the first byte of its value stands.
fn key_and_value(bytes: &[u8]) -> Option<(&[u8], usize)> {
    let end =
        if bytes.first() == Some(&b'"') { Scan::default().step(bytes)? } else { return None };
    let next = |at: usize| {
        let space = bytes[at..].iter().take_while(|byte| json::is_space(**byte)).count();
        bytes.get(at + space).map(|byte| (at + space, *byte))
    };
    let (colon, b':') = next(end)? else { return None };
    let (value, _) = next(colon + 1)?;
    Some((&bytes[1..end - 1], value))
}

/// Where the first entry begins, after commas and blanks.
fn entry_start(bytes: &[u8]) -> usize {
    let is_between = |byte: &u8| json::is_space(*byte) || *byte == b',';
    bytes.iter().position(|byte| !is_between(byte)).unwrap_or(bytes.len())
}

/// How far the entries at the front are whole, and what comes after them.
fn whole_entries(bytes: &[u8], ended: bool) -> (usize, Stop) {
    let mut whole = 0;
    // Where the last entry began, and where what stands before it ends.
    let mut last = (0, 0);
    loop {
        let start = whole + entry_start(&bytes[whole..]);
        let end = match bytes.get(start) {
            None => return (whole, Stop::NeedsMore),
            Some(b']') if is_damaged(&bytes[last.0..whole]) => return (last.1, Stop::Bad),
            Some(b']') => return (whole, Stop::Closed(start)),
            Some(b'{' | b'[' | b'"') => Scan::default().step(&bytes[start..]),
            // A null among the entries.
            Some(byte) if byte.is_ascii_alphanumeric() => {
                bytes[start..].iter().position(|byte| !byte.is_ascii_alphanumeric())
            }
            Some(_) => return (whole, Stop::Bad),
        };
        let Some(end) = end.map(|end| start + end) else { return (whole, Stop::NeedsMore) };
        match bytes[end..].iter().find(|byte| !json::is_space(**byte)) {
            Some(b',' | b']') => {}
            None if !ended => return (whole, Stop::NeedsMore),
            // What follows is damaged, or the entry itself: a quote too few turns what is inside of strings outside.
            _ if is_damaged(&bytes[start..end]) => return (whole, Stop::Bad),
            _ => {}
        }
        last = (start, whole);
        whole = end;
    }
}

/// Is an entry, which quotes and brackets say is whole, no JSON after all? Asked where something about it is odd, and of the
/// last one of the list, which damage may have closed too soon.
fn is_damaged(entry: &[u8]) -> bool {
    /// Deeper than entries go, brackets are enough.
    const DEPTH: usize = 64;

    fn check(json: &mut Json<'_>, depth: usize) -> Result<(), BadJson> {
        match json.peek() {
            Some(b'{') if depth < DEPTH => json.members(|_, json| check(json, depth + 1)),
            Some(b'[') if depth < DEPTH => json.items(|json| check(json, depth + 1)),
            _ => json.skip(),
        }
    }

    entry.len() > 1 && check(&mut Json::new(entry), 0).is_err()
}

/// The first place from `from` on where an entry seems to begin: an object with one of the first keys, in a list (or right
/// at `from`, where it may begin there).
fn find_entry(bytes: &[u8], from: usize, may_begin: bool) -> Option<usize> {
    let from = from.min(bytes.len());
    memchr::memchr_iter(b'{', &bytes[from..]).map(|at| from + at).find(|&at| {
        let before = bytes[..at].iter().rposition(|byte| !json::is_space(*byte));
        let is_in_list = match before {
            Some(before) if before >= from || !may_begin => matches!(bytes[before], b',' | b'['),
            _ => may_begin,
        };
        is_in_list
            && key_and_value(bytes[at + 1..].trim_ascii_start())
                .is_some_and(|(key, _)| key.starts_with(b"_") || ENTRY_KEYS.contains(&key))
    })
}

pub(crate) fn decode(batch: &Batch, found: &mut dyn FnMut(u64, Found<'_>)) {
    let bytes = batch.bytes();
    let mut at = 0;
    let mut entry = entry::Entry::default();
    loop {
        at += entry_start(&bytes[at..]);
        if at >= bytes.len() {
            return;
        }
        let offset = batch.offset + at as u64;
        match entry::decode(&bytes[at..], offset, &mut entry, found) {
            Ok(length) => at += length,
            Err(why) => {
                let message = format!("entry cannot be used: {why}; skipped");
                found(offset, Found::Skipped(SkipReason::BadRecord, message));
                // Damage may have joined several entries into one: those after it are looked for.
                let mut json = Json::new(&bytes[at..]);
                let end = if json.skip().is_ok() { at + json.at() } else { bytes.len() };
                at = find_entry(&bytes[..end], at + 1, true).unwrap_or(end.max(at + 1));
            }
        }
    }
}
