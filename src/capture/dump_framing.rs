//! Framer of mitmproxy dumps: cuts a dump into batches of whole records, and finds the next record
//! after damage.
//!
//! A dump has no index and no checksum, only lengths. A record is accepted if its end tag is in
//! place and a length follows it. If one of these is missing, its fields are checked.

use std::cell::Cell;

use crate::capture::batch::{Batch, CaptureReader, ReadAhead, SearchBudget};
use crate::capture::chunk::{Chunk, Damage};
use crate::capture::tnetstring::{self, LengthPrefix, Pairs, Tnetstring};
use crate::limits;
use crate::skip::SkipReason;

/// Keys at the top level of records of all versions that do not also occur inside records.
const TOP_KEYS: [&[u8]; 16] = [
    b"version",
    b"type",
    b"request",
    b"response",
    b"websocket",
    b"client_conn",
    b"server_conn",
    b"metadata",
    b"marked",
    b"comment",
    b"backup",
    b"intercepted",
    b"is_replay",
    b"timestamp_created",
    b"mode",
    b"messages",
];

/// Fields of a request or response that are kept, however long they are.
const USED_KEYS: [&[u8]; 6] = [b"headers", b"path", b"authority", b"host", b"method", b"scheme"];

/// Maximum number of fields of a record that are checked.
const MAX_TOP_FIELDS: usize = 64;

/// Bytes that must have been read for each field that may be checked in search of records. A real
/// record has fewer fields than one in ten bytes.
const BYTES_A_FIELD: u64 = 8;

/// Number of fields that may be checked in any case.
const MAX_FREE_FIELDS: u64 = 4096;

pub(crate) struct DumpFramer<'a> {
    reader: CaptureReader<'a>,
    ahead: ReadAhead,
    /// Number of fields that were checked in search of records.
    fields: Cell<u64>,
    effort: SearchBudget,
    /// Whether the file is still being written, so that an incomplete record at its end is left for
    /// later.
    is_live: bool,
}

/// The result of a search for a record.
enum RecordSearch {
    Found(usize),
    /// A record may begin at `at`. To decide, the batch must hold all bytes before `end`.
    NeedsMore {
        at: usize,
        end: usize,
    },
    Nothing,
}

/// The reason why the sequence of whole records at the front of a batch stops.
enum RecordStop {
    /// The record needs this many bytes in total.
    NeedsMore(u64),
    /// There is no length, or the length does not lead to the end of a record.
    Garbage,
    /// The bytes are used up.
    Done,
}

impl<'a> DumpFramer<'a> {
    pub(crate) fn new(reader: CaptureReader<'a>, batch_bytes: usize, is_live: bool) -> Self {
        Self {
            reader,
            ahead: ReadAhead::new(batch_bytes),
            fields: Cell::new(0),
            effort: SearchBudget::default(),
            is_live,
        }
    }

    pub(crate) fn reader(&mut self) -> &mut CaptureReader<'a> {
        &mut self.reader
    }

    pub(crate) fn next(&mut self, batch: &mut Batch) -> Chunk {
        batch.clear();
        batch.shrink(self.ahead.most());
        batch.offset = self.reader.position();
        let mut want = self.ahead.want();
        loop {
            let ended = self.reader.fill(batch, want);
            let (end, stop) = skip_whole_records(batch.bytes(), ended);
            if end > 0 {
                self.reader.unread(&batch.bytes()[end..]);
                batch.truncate(end);
                self.ahead.used(end);
                return Chunk::Batch;
            }
            match stop {
                RecordStop::Done => return Chunk::End,
                RecordStop::Garbage => {
                    self.effort.spend(batch.bytes().len());
                    return self.resync(batch, ended, None);
                }
                RecordStop::NeedsMore(total) => {
                    let there =
                        self.reader.remaining_bytes().map(|left| left + batch.bytes().len() as u64);
                    let is_cut_off = ended || there.is_some_and(|there| total > there);
                    if is_cut_off && self.is_live {
                        self.reader.unread(batch.bytes());
                        return Chunk::End;
                    }
                    if is_cut_off {
                        return self.resync(batch, ended, Some(total));
                    }
                    // The search budget is used up by earlier candidates, so this candidate is
                    // taken for damage.
                    if total > 4 * want as u64 && self.effort.is_over(self.reader.position()) {
                        return self.resync(batch, ended, None);
                    }
                    if total > limits::MAX_RECORD_BYTES as u64 {
                        let mut last = [0];
                        if self.reader.peek(batch.offset + total - 1, &mut last) == Some(1)
                            && last != *b"}"
                        {
                            return self.resync(batch, ended, None);
                        }
                        self.reader.unread(batch.bytes());
                        return self.compact(batch, total);
                    }
                    want = usize::try_from(total).unwrap_or(limits::MAX_RECORD_BYTES).max(want);
                }
            }
        }
    }

    /// Skips damage up to the next record, if there is one.
    fn resync(&mut self, batch: &mut Batch, mut ended: bool, claimed: Option<u64>) -> Chunk {
        const OVERLAP: usize = 64;
        let start = batch.offset;
        let mut from = 1;
        let mut piece = ReadAhead::new(self.ahead.most());
        piece.used(OVERLAP);
        loop {
            match self.find_record(batch, from, ended) {
                RecordSearch::Found(at) => {
                    let next = batch.offset + at as u64;
                    self.reader.unread(&batch.bytes()[at..]);
                    self.ahead.used(usize::try_from(next - start).unwrap_or(usize::MAX));
                    let message = format!(
                        "{} bytes are damaged and were skipped; reading went on at byte {next}",
                        next - start
                    );
                    let reason =
                        if claimed.is_some() { SkipReason::BadRecord } else { SkipReason::Garbage };
                    return Chunk::Damage(Damage { reason, offset: start, message });
                }
                // In a source that cannot be read by position, the batch must hold the candidate.
                RecordSearch::NeedsMore { at, end } => {
                    // Drop bytes that were searched, so that the memory stays bounded.
                    let kept = if at > self.ahead.most() { at - OVERLAP } else { 0 };
                    if kept > 0 {
                        self.reader.unread(&batch.bytes()[kept..]);
                        batch.clear();
                        batch.offset = self.reader.position();
                    }
                    from = at - kept;
                    ended = self.reader.fill(batch, end - kept);
                    continue;
                }
                RecordSearch::Nothing => {}
            }
            if ended {
                let missing = self.reader.position() - start;
                return Chunk::Damage(end_of_file_damage(start, missing, claimed));
            }
            let keep = batch.bytes().len().saturating_sub(OVERLAP);
            self.reader.unread(&batch.bytes()[keep..]);
            batch.clear();
            batch.offset = self.reader.position();
            from = 1;
            piece.grow();
            ended = self.reader.fill(batch, piece.want().max(4 * OVERLAP));
        }
    }

    /// Finds the first place in the batch, at `from` or after it, at which a record begins.
    fn find_record(&self, batch: &Batch, from: usize, ended: bool) -> RecordSearch {
        let bytes = batch.bytes();
        // A colon has at least one digit before it.
        let colons = memchr::memchr_iter(b':', &bytes[from..]).map(|colon| from + colon);
        for colon in colons.filter(|colon| begins_with_top_key(&bytes[colon + 1..])) {
            let digits =
                bytes[..colon].iter().rev().take(12).take_while(|b| b.is_ascii_digit()).count();
            for at in (1..=digits).rev().map(|digits| colon - digits).filter(|at| *at >= from) {
                let is_backup =
                    bytes[..at].ends_with(b"6:backup;") || bytes[..at].ends_with(b"6:backup,");
                if is_backup {
                    continue;
                }
                match self.is_record(batch, at, ended) {
                    Some(true) => return RecordSearch::Found(at),
                    Some(false) => {}
                    None => {
                        let end = match tnetstring::prefix(&bytes[at..]) {
                            LengthPrefix::Length { length, bytes } => {
                                at as u64 + bytes as u64 + length + 1
                            }
                            _ => continue,
                        };
                        let end = usize::try_from(end).unwrap_or(usize::MAX);
                        return RecordSearch::NeedsMore { at, end };
                    }
                }
            }
        }
        RecordSearch::Nothing
    }

    /// Returns `true` if a whole record with valid fields begins at this place. `None` if more
    /// bytes are needed to decide.
    fn is_record(&self, batch: &Batch, at: usize, ended: bool) -> Option<bool> {
        let bytes = &batch.bytes()[at..];
        let LengthPrefix::Length { length, bytes: header } = tnetstring::prefix(bytes) else {
            return Some(false);
        };
        if self.fields.get() > MAX_FREE_FIELDS + self.reader.position() / BYTES_A_FIELD {
            return Some(false);
        }
        if let Some((value, _)) = tnetstring::take(bytes) {
            let (is_record, fields) = walk_dict(value);
            self.count_fields(fields);
            return Some(is_record);
        }
        let start = batch.offset + at as u64 + header as u64;
        let mut last = [0];
        match self.reader.peek(start + length, &mut last) {
            None if ended || length > limits::MAX_RECORD_BYTES as u64 => Some(false),
            None => None,
            Some(count) => {
                self.count_fields(1);
                Some(count == 1 && last == *b"}" && self.check_fields(start, start + length))
            }
        }
    }

    fn count_fields(&self, fields: u64) {
        self.fields.set(self.fields.get() + fields);
    }

    /// Checks the fields of a record by position. Returns `true` if they fill the record exactly
    /// and one of them is its type or request.
    fn check_fields(&self, mut at: u64, end: u64) -> bool {
        let mut is_flow = false;
        for field in 0..2 * MAX_TOP_FIELDS {
            self.count_fields(1);
            if at == end {
                return is_flow && field % 2 == 0;
            }
            let mut head = [0; 32];
            let count = self.reader.peek(at, &mut head).unwrap_or(0);
            let LengthPrefix::Length { length, bytes } = tnetstring::prefix(&head[..count]) else {
                return false;
            };
            if field % 2 == 0 {
                let key = head[..count].get(bytes..).unwrap_or_default();
                is_flow |= key.starts_with(b"type") || key.starts_with(b"request");
            }
            at += bytes as u64 + length + 1;
            if at > end {
                return false;
            }
        }
        false
    }

    /// Reads a record that is too large to hold, without its bodies and certificates.
    fn compact(&mut self, batch: &mut Batch, total: u64) -> Chunk {
        let offset = batch.offset;
        let end = offset + total;
        let mut out = Vec::new();
        let header = self.header();
        let result = match header {
            Some(length) => self.compact_dict(length, &mut out, 0),
            None => Err(SkipReason::Garbage),
        };
        let tag = self.byte();
        if result.is_ok() && tag == Some(b'}') {
            let mut framed = format!("{}:", out.len()).into_bytes();
            framed.append(&mut out);
            framed.push(b'}');
            batch.replace(framed);
            return Chunk::Batch;
        }
        let position = self.reader.position();
        if !self.reader.is_seekable() && result != Err(SkipReason::TooLarge) {
            // The length may be wrong, and the bytes taken for a record may contain whole records.
            batch.clear();
            batch.offset = position;
            let ended = self.reader.fill(batch, self.ahead.want());
            return self.resync(batch, ended, None);
        }
        // The framing at the top level is intact, so skip the whole record.
        self.reader.skip(end.saturating_sub(position));
        let message = match result {
            Err(SkipReason::TooLarge) => {
                format!("record of {total} bytes has more headers than can be read; skipped")
            }
            _ => format!("record of {total} bytes is damaged; skipped"),
        };
        let reason = if result == Err(SkipReason::TooLarge) {
            SkipReason::TooLarge
        } else {
            SkipReason::BadRecord
        };
        Chunk::Damage(Damage { reason, offset, message })
    }

    /// Copies the pairs of a dict of `length` bytes. Long values are left out, except that the
    /// pairs of a request or response are copied in the same way.
    fn compact_dict(
        &mut self,
        length: u64,
        out: &mut Vec<u8>,
        depth: usize,
    ) -> Result<(), SkipReason> {
        const BAD: Result<(), SkipReason> = Err(SkipReason::BadRecord);
        let end = self.reader.position() + length;
        while self.reader.position() < end {
            if out.len() > limits::MAX_COMPACT_RECORD_BYTES {
                return Err(SkipReason::TooLarge);
            }
            let Some(key_length) = self.header().filter(|length| *length <= 64) else {
                return BAD;
            };
            let key = self.copy(key_length + 1);
            out.extend_from_slice(format!("{key_length}:").as_bytes());
            out.extend_from_slice(&key);
            let Some(value_length) = self.header() else { return BAD };
            if self.reader.position() + value_length >= end {
                return BAD;
            }
            let name = &key[..key.len().saturating_sub(1)];
            let is_message = depth == 0 && (name == b"request" || name == b"response");
            if value_length <= limits::MAX_COMPACT_VALUE_BYTES
                || (depth == 1 && USED_KEYS.contains(&name))
            {
                if value_length > limits::MAX_COMPACT_RECORD_BYTES as u64 {
                    return Err(SkipReason::TooLarge);
                }
                let value = self.copy(value_length + 1);
                out.extend_from_slice(format!("{value_length}:").as_bytes());
                out.extend_from_slice(&value);
            } else if is_message {
                let mut inner = Vec::new();
                self.compact_dict(value_length, &mut inner, depth + 1)?;
                if self.byte() != Some(b'}') {
                    return BAD;
                }
                out.extend_from_slice(format!("{}:", inner.len()).as_bytes());
                out.append(&mut inner);
                out.push(b'}');
            } else {
                self.reader.skip(value_length + 1);
                let left_out = value_length.to_string();
                out.extend_from_slice(format!("{}:{left_out}", left_out.len()).as_bytes());
                out.push(tnetstring::LEFT_OUT);
            }
        }
        if self.reader.position() == end { Ok(()) } else { BAD }
    }

    /// Reads a length with its colon.
    fn header(&mut self) -> Option<u64> {
        let mut text = Vec::new();
        while let Some(byte) = self.byte() {
            text.push(byte);
            match tnetstring::prefix(&text) {
                LengthPrefix::Length { length, .. } => return Some(length),
                LengthPrefix::Incomplete => {}
                LengthPrefix::Bad => return None,
            }
        }
        None
    }

    fn byte(&mut self) -> Option<u8> {
        let mut byte = [0];
        (self.reader.read(&mut byte) == 1).then_some(byte[0])
    }

    fn copy(&mut self, count: u64) -> Vec<u8> {
        let mut batch = Batch::default();
        self.reader.fill(&mut batch, usize::try_from(count).unwrap_or(usize::MAX));
        batch.bytes().to_vec()
    }
}

/// Steps over the whole records at the front. Returns the end of the last one, and the reason why
/// the sequence stops there.
fn skip_whole_records(bytes: &[u8], ended: bool) -> (usize, RecordStop) {
    let mut at = 0;
    loop {
        let rest = &bytes[at..];
        if rest.is_empty() {
            return (at, RecordStop::Done);
        }
        match tnetstring::prefix(rest) {
            LengthPrefix::Incomplete => return (at, RecordStop::NeedsMore(rest.len() as u64 + 1)),
            LengthPrefix::Bad => return (at, RecordStop::Garbage),
            LengthPrefix::Length { length, bytes: header } => {
                let total = header as u64 + length + 1;
                if total > rest.len() as u64 {
                    return (at, RecordStop::NeedsMore(total));
                }
                let end = usize::try_from(total).unwrap_or(usize::MAX);
                let tag = rest[end - 1];
                if !is_trusted(tag, &rest[end..], ended)
                    && !is_record_dict(Tnetstring { tag, payload: &rest[header..end - 1] })
                {
                    return (at, RecordStop::Garbage);
                }
                at += end;
            }
        }
    }
}

/// Returns `true` if a value has an end tag and a record follows, so that its content need not be
/// checked.
fn is_trusted(tag: u8, next: &[u8], ended: bool) -> bool {
    match tnetstring::prefix(next) {
        LengthPrefix::Length { .. } if tag == b'}' => true,
        // A value that is not a dict is not a record, so a record must follow.
        LengthPrefix::Length { bytes, .. } => {
            b",;#^!~]".contains(&tag) && begins_with_top_key(&next[bytes..])
        }
        LengthPrefix::Incomplete => next.is_empty() && ended && b"},;#^!~]".contains(&tag),
        LengthPrefix::Bad => false,
    }
}

/// Returns `true` if the fields of this dict are valid and one of them is the type or the request
/// of a flow.
fn is_record_dict(value: Tnetstring<'_>) -> bool {
    walk_dict(value).0
}

/// As [`is_record_dict`], with the number of fields that were checked.
fn walk_dict(value: Tnetstring<'_>) -> (bool, u64) {
    if value.tag != b'}' {
        return (false, 1);
    }
    let mut is_flow = false;
    let pairs: Pairs<'_> = value.pairs();
    let mut fields = 0;
    for pair in pairs {
        fields += 1;
        let Ok((key, _)) = pair else { return (false, fields) };
        is_flow |= key == b"type" || key == b"request";
        if fields > MAX_TOP_FIELDS as u64 {
            return (false, fields);
        }
    }
    (is_flow, fields)
}

/// Returns `true` if the bytes begin with the key of a field at the top level of a record.
fn begins_with_top_key(bytes: &[u8]) -> bool {
    let Some(colon) = bytes.iter().take(3).position(|b| *b == b':') else { return false };
    let Some(length) =
        std::str::from_utf8(&bytes[..colon]).ok().and_then(|digits| digits.parse::<usize>().ok())
    else {
        return false;
    };
    let key = bytes.get(colon + 1..colon + 1 + length);
    key.is_some_and(|key| TOP_KEYS.contains(&key))
        && matches!(bytes.get(colon + 1 + length), Some(b';' | b','))
}

fn end_of_file_damage(offset: u64, missing: u64, claimed: Option<u64>) -> Damage {
    let (reason, message) = match claimed {
        Some(claimed) => (
            SkipReason::Truncated,
            format!(
                "the last record is cut off ({missing} of {claimed} bytes are present): the capture is still being \
                 written, or its writer was stopped"
            ),
        ),
        None => (
            SkipReason::Garbage,
            format!("{missing} bytes at the end belong to no record and were skipped"),
        ),
    };
    Damage { reason, offset, message }
}
