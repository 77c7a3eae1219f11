//! Framer of HAR files: cuts a HAR into batches of whole entries without building it, and finds the
//! next entry after damage.
//!
//! A HAR is one JSON object (`{"log": {"entries": [...]}}`) in which the order of the keys is free.
//! A list of entries alone, and the list that Charles saves as `.chlsj`, are read as well. The
//! parts around the list are skipped by their brackets, piece by piece, however long they are.

mod bounds;
mod charles;
mod compact;
mod decode;
mod entry;

use crate::capture::batch::{Batch, CaptureReader, ReadAhead, SearchBudget};
use crate::capture::chunk::{CaptureItem, Chunk, Damage};
use crate::capture::har::bounds::{
    EntryStop, WholeEntries, end_of_value, entry_start, find_entry, key_and_value, whole_entries,
};
use crate::capture::har::compact::Compactor;
use crate::capture::json::{self, JsonScanner};
use crate::limits;
use crate::skip::SkipReason;

pub(super) use bounds::opening_bracket;

/// Bytes that are held while the parts around the entries are read.
const WINDOW: usize = 64 << 10;

/// Depth of nested objects that are searched for the list of entries.
const MAX_OPEN_OBJECTS: usize = 8;

pub(crate) struct HarFramer<'a> {
    reader: CaptureReader<'a>,
    ahead: ReadAhead,
    state: HarState,
    /// For each open object, whether it is the `log`.
    open: Vec<bool>,
    found_list: bool,
    /// Offset of the HAR that is being read, until its list of entries is found.
    start: u64,
    /// Whether this HAR was already searched for entries outside of a list.
    was_rescued: bool,
    /// Offset of the last entry that was handed out.
    last_entry: Option<u64>,
    effort: SearchBudget,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum HarState {
    /// Before the first bracket.
    Start,
    /// In an object that may contain the list.
    Members,
    /// In the list.
    Elements,
    /// After the last bracket.
    After,
    End,
}

impl<'a> HarFramer<'a> {
    pub(crate) fn new(reader: CaptureReader<'a>, batch_bytes: usize) -> Self {
        Self {
            reader,
            ahead: ReadAhead::new(batch_bytes),
            state: HarState::Start,
            open: Vec::new(),
            found_list: false,
            start: 0,
            was_rescued: false,
            last_entry: None,
            effort: SearchBudget::default(),
        }
    }

    pub(crate) fn reader(&mut self) -> &mut CaptureReader<'a> {
        &mut self.reader
    }

    pub(crate) fn next(&mut self, batch: &mut Batch) -> Chunk {
        loop {
            let cut = match self.state {
                HarState::Start => self.start(batch),
                HarState::Members => self.read_members(batch),
                HarState::Elements => self.read_entries(batch),
                HarState::After => self.read_after_list(batch),
                HarState::End => Some(Chunk::End),
            };
            if let Some(cut) = cut {
                return cut;
            }
        }
    }

    /// Reads the next bytes into an empty batch. Returns `true` if the capture ends with them.
    fn read_window(&mut self, batch: &mut Batch, want: usize) -> bool {
        batch.clear();
        batch.shrink(self.ahead.most().max(WINDOW));
        batch.offset = self.reader.position();
        self.reader.fill(batch, want)
    }

    fn start(&mut self, batch: &mut Batch) -> Option<Chunk> {
        let want = self.ahead.want().min(WINDOW);
        let ended = self.read_window(batch, want);
        let bytes = batch.bytes();
        let Some(bracket) = opening_bracket(bytes) else {
            if !ended && bytes.iter().all(|byte| json::is_space(*byte)) {
                self.ahead.used(bytes.len());
                return None;
            }
            if bytes.is_empty() {
                self.state = HarState::End;
                return None;
            }
            if !ended && want < WINDOW.min(self.ahead.most()) {
                self.reader.unread(bytes);
                self.ahead.grow();
                return None;
            }
            return Some(self.seek_anywhere(batch, ended, "a HAR does not begin here"));
        };
        let is_list = bytes[bracket] == b'[';
        self.reader.unread(&bytes[bracket + 1..]);
        self.ahead.used(bracket + 1);
        (self.start, self.was_rescued) = (self.reader.position(), false);
        if is_list {
            self.found_list = true;
            self.state = HarState::Elements;
        } else {
            self.open.push(false);
            self.state = HarState::Members;
        }
        None
    }

    /// Reads keys, and enters or skips their values.
    fn read_members(&mut self, batch: &mut Batch) -> Option<Chunk> {
        let want = self.ahead.want().min(WINDOW);
        let ended = self.read_window(batch, want);
        let bytes = batch.bytes();
        let mut next = 0;
        loop {
            let is_between = |byte: &u8| json::is_space(*byte) || *byte == b',';
            let at = bytes[next..]
                .iter()
                .position(|byte| !is_between(byte))
                .map_or(bytes.len(), |at| next + at);
            match bytes.get(at) {
                None if ended => {
                    let length = bytes.len() - next;
                    let offset = batch.offset + next as u64;
                    return Some(self.end_early(batch, offset, length as u64));
                }
                None => {
                    self.ahead.used(bytes.len());
                    return None;
                }
                Some(b'}') => {
                    next = at + 1;
                    self.open.pop();
                    if self.open.is_empty() {
                        self.reader.unread(&bytes[next..]);
                        self.state = HarState::After;
                        return if self.found_list {
                            None
                        } else {
                            Some(self.end_without_list(batch))
                        };
                    }
                    continue;
                }
                Some(_) => {}
            }
            let Some((key, value)) = key_and_value(&bytes[at..]) else {
                let may_grow = want < WINDOW.min(self.ahead.most())
                    && !self.effort.is_over(self.reader.position());
                if !ended && bytes[at] == b'"' && (at > 0 || may_grow) {
                    self.effort.spend(bytes.len() - at);
                    // The value may be complete once more bytes are read.
                    self.reader.unread(&bytes[at..]);
                    if at > want / 4 {
                        self.ahead.used(at)
                    } else {
                        self.ahead.grow()
                    }
                    return None;
                }
                // The depth is no longer known, so assume the depth of the list of entries.
                self.open = vec![true];
                return Some(self.resync(batch, ended, at));
            };
            let in_log = self.open.last().copied().unwrap_or(false);
            let value = at + value;
            match bytes[value] {
                b'{' if self.open.len() < MAX_OPEN_OBJECTS => {
                    self.open.push(key == b"log");
                    next = value + 1;
                }
                b'[' if key == b"entries" && (in_log || self.open.len() == 1) => {
                    self.found_list = true;
                    self.state = HarState::Elements;
                    self.reader.unread(&bytes[value + 1..]);
                    self.ahead.used(value);
                    return None;
                }
                first => {
                    let Some(length) = end_of_value(&bytes[value..], first) else {
                        self.reader.unread(&bytes[value..]);
                        self.ahead.used(bytes.len());
                        return self.skip_value(batch, first);
                    };
                    next = value + length;
                }
            }
        }
    }

    /// Skips a value of any length.
    fn skip_value(&mut self, batch: &mut Batch, first: u8) -> Option<Chunk> {
        let start = self.reader.position();
        let is_scalar = !matches!(first, b'{' | b'[' | b'"');
        let mut scan = JsonScanner::default();
        loop {
            let ended = self.read_window(batch, self.ahead.most().max(WINDOW));
            let bytes = batch.bytes();
            let end = if is_scalar { end_of_value(bytes, first) } else { scan.step(bytes) };
            if let Some(end) = end {
                self.reader.unread(&bytes[end..]);
                return None;
            }
            if ended {
                // A missing quote or bracket before the list can make the list part of this value.
                let length = self.reader.position() - start;
                return Some(self.end_early(batch, start, length));
            }
        }
    }

    /// Handles a HAR that ends before its last bracket.
    fn end_early(&mut self, batch: &mut Batch, offset: u64, bytes: u64) -> Chunk {
        if let Some(cut) = self.search_without_list(batch) {
            return cut;
        }
        self.state = HarState::End;
        self.truncation_chunk(offset, bytes)
    }

    fn end_without_list(&mut self, batch: &mut Batch) -> Chunk {
        let (offset, position) = (batch.offset, self.reader.position());
        if let Some(cut) = self.search_without_list(batch) {
            return cut;
        }
        // Another HAR may follow.
        self.reader.go_to(position);
        self.state = HarState::After;
        self.open.clear();
        missing_list_chunk(offset)
    }

    /// Searches a whole HAR without a list of entries for entries, because damage may have hidden
    /// the list. Does this once for each HAR.
    fn search_without_list(&mut self, batch: &mut Batch) -> Option<Chunk> {
        let can_search = !self.found_list && !std::mem::replace(&mut self.was_rescued, true);
        if !can_search || !self.reader.go_to(self.start) {
            return None;
        }
        self.open = vec![true];
        let start = self.start;
        let ended = self.read_window(batch, self.ahead.most().max(WINDOW));
        self.seek(batch, ended, 0).then(|| self.finish_resync(start, true))
    }

    fn read_entries(&mut self, batch: &mut Batch) -> Option<Chunk> {
        let mut want = self.ahead.want();
        let mut ended = self.read_window(batch, want);
        loop {
            let WholeEntries { end, last, stop } = whole_entries(batch.bytes(), ended);
            if end > 0 {
                self.last_entry = Some(batch.offset + last as u64);
                self.reader.unread(&batch.bytes()[end..]);
                batch.truncate(end);
                self.ahead.used(end);
                return Some(Chunk::Batch);
            }
            match stop {
                EntryStop::Closed(at) => {
                    self.reader.unread(&batch.bytes()[at + 1..]);
                    self.ahead.used(at);
                    self.state =
                        if self.open.is_empty() { HarState::After } else { HarState::Members };
                    return None;
                }
                EntryStop::Bad => {
                    self.effort.spend(batch.bytes().len());
                    let start = entry_start(batch.bytes());
                    return Some(self.resync(batch, ended, start));
                }
                EntryStop::NeedsMore if ended => {
                    let bytes = batch.bytes();
                    let start = entry_start(bytes);
                    if start < bytes.len() {
                        self.effort.spend(bytes.len());
                        return Some(self.resync(batch, ended, start));
                    }
                    return Some(self.end_open_list(batch));
                }
                // The search budget is used up by entries without an end, so this entry is taken
                // for damage.
                EntryStop::NeedsMore if self.effort.is_over(self.reader.position()) => {
                    let start = entry_start(batch.bytes());
                    return Some(self.resync(batch, ended, start));
                }
                EntryStop::NeedsMore if want >= limits::MAX_RECORD_BYTES => {
                    let start = entry_start(batch.bytes());
                    self.reader.unread(&batch.bytes()[start..]);
                    return self.compact(batch);
                }
                EntryStop::NeedsMore => {
                    want = (want * 2).min(limits::MAX_RECORD_BYTES);
                    ended = self.reader.fill(batch, want);
                }
            }
        }
    }

    /// Handles a list that is not closed. If brackets are missing in its last entry, that entry may
    /// contain others.
    fn end_open_list(&mut self, batch: &mut Batch) -> Chunk {
        let (offset, length) = (batch.offset, batch.bytes().len() as u64);
        let position = self.reader.position();
        if let Some(start) = self.last_entry.take()
            && !self.effort.is_over(position)
            && self.reader.go_to(start + 1)
        {
            self.effort.spend(usize::try_from(position - start).unwrap_or(usize::MAX));
            let ended = self.read_window(batch, WINDOW);
            if self.seek(batch, ended, 0) {
                return self.finish_resync(start, true);
            }
        }
        self.state = HarState::End;
        self.truncation_chunk(offset, length)
    }

    /// Reads an entry that is too large to hold. Only the beginning of long strings (bodies) is
    /// kept.
    fn compact(&mut self, batch: &mut Batch) -> Option<Chunk> {
        let start = self.reader.position();
        let mut compactor = Compactor::default();
        loop {
            let ended = self.read_window(batch, self.ahead.most().max(WINDOW));
            if let Some(end) = compactor.step(batch.bytes()) {
                self.reader.unread(&batch.bytes()[end..]);
                let Some(entry) = compactor.finish() else {
                    let length = self.reader.position() - start;
                    let message = format!(
                        "entry of {length} bytes has more content than can be read; skipped"
                    );
                    let reason = SkipReason::TooLarge;
                    return Some(Chunk::Damage(Damage { reason, offset: start, message }));
                };
                batch.replace(entry);
                batch.offset = start;
                return Some(Chunk::Batch);
            }
            if ended {
                // The bytes that were taken for one entry may contain whole entries.
                return Some(self.go_back(batch, start));
            }
        }
    }

    /// Skips bytes that are not an entry, from index `at` of the batch, up to the next entry if
    /// there is one.
    fn resync(&mut self, batch: &mut Batch, ended: bool, at: usize) -> Chunk {
        let start = batch.offset + at as u64;
        let found = self.seek(batch, ended, at + 1);
        self.finish_resync(start, found)
    }

    /// As [`resync`](Self::resync), from an earlier offset, if the source can be read again.
    fn go_back(&mut self, batch: &mut Batch, start: u64) -> Chunk {
        let end = self.reader.position();
        self.effort.spend(usize::try_from(end - start).unwrap_or(usize::MAX));
        if self.reader.go_to(start + 1) {
            let ended = self.read_window(batch, WINDOW);
            let found = self.seek(batch, ended, 0);
            return self.finish_resync(start, found);
        }
        self.state = HarState::End;
        self.truncation_chunk(start, end - start)
    }

    fn finish_resync(&mut self, start: u64, found: bool) -> Chunk {
        let next = self.reader.position();
        self.ahead.used(usize::try_from(next - start).unwrap_or(usize::MAX));
        if !found {
            return self.truncation_chunk(start, next - start);
        }
        let message = format!(
            "{} bytes are not an entry that can be read and were skipped; reading went on at byte {next}",
            next - start
        );
        Chunk::Damage(Damage { reason: SkipReason::BadRecord, offset: start, message })
    }

    /// Searches for the next entry from index `from` of the batch on, and continues there. Returns
    /// `false` if there is none up to the end.
    fn seek(&mut self, batch: &mut Batch, mut ended: bool, mut from: usize) -> bool {
        // Enough for the bytes before an entry, and again for its first key.
        const OVERLAP: usize = 128;
        let mut may_begin = true;
        let mut piece = ReadAhead::new(self.ahead.most().max(WINDOW));
        piece.used(OVERLAP);
        loop {
            let search = find_entry(batch.bytes(), from, may_begin, &mut self.effort);
            if let Some(at) = search.entry {
                self.reader.unread(&batch.bytes()[at..]);
                self.found_list = true;
                self.state = HarState::Elements;
                return true;
            }
            if ended {
                self.state = HarState::End;
                return false;
            }
            let length = batch.bytes().len();
            let passed = length.saturating_sub(2 * OVERLAP).max(from.saturating_sub(OVERLAP));
            let is_patient = piece.want() < piece.most() && !self.effort.is_over(batch.offset);
            if let Some(at) = search.open.filter(|_| is_patient) {
                // The candidate may be an entry; read more of it.
                self.effort.spend(length - at);
                let keep = passed.min(at.saturating_sub(OVERLAP));
                self.reader.unread(&batch.bytes()[keep..]);
                (from, may_begin) = (at - keep, may_begin && at == from);
                piece.used(length - keep);
            } else {
                self.reader.unread(&batch.bytes()[passed..]);
                (from, may_begin) = (OVERLAP, false);
                piece.grow();
            }
            ended = self.read_window(batch, piece.want().max(4 * OVERLAP));
        }
    }

    /// Searches for entries at an unknown depth, which is assumed to be that of the list of
    /// entries.
    fn seek_anywhere(&mut self, batch: &mut Batch, ended: bool, why: &str) -> Chunk {
        let start = batch.offset;
        self.open = vec![true];
        let found = self.seek(batch, ended, 0);
        if found {
            return self.finish_resync(start, found);
        }
        let bytes = self.reader.position() - start;
        let message = format!("{why}: {bytes} bytes from here on were skipped");
        Chunk::Damage(Damage { reason: SkipReason::Garbage, offset: start, message })
    }

    fn read_after_list(&mut self, batch: &mut Batch) -> Option<Chunk> {
        let want = self.ahead.want().min(WINDOW);
        let ended = self.read_window(batch, want);
        let bytes = batch.bytes();
        // `);` ends a HAR that calls a function (JSONP).
        let is_nothing = |byte: &u8| json::is_space(*byte) || matches!(byte, b')' | b';');
        let Some(at) = bytes.iter().position(|byte| !is_nothing(byte)) else {
            if ended {
                self.state = HarState::End;
            }
            self.ahead.used(bytes.len());
            return None;
        };
        self.reader.unread(&bytes[at..]);
        self.ahead.used(at + 1);
        // Several HAR files may be concatenated.
        if matches!(bytes[at], b'{' | b'[') {
            self.state = HarState::Start;
            return None;
        }
        // Damage may have closed the list too early, so search for entries after its end.
        let want = self.ahead.want().min(WINDOW);
        let ended = self.read_window(batch, want);
        Some(self.seek_anywhere(batch, ended, "the HAR has already ended"))
    }

    fn truncation_chunk(&self, offset: u64, bytes: u64) -> Chunk {
        let what = if self.found_list { "" } else { ", before its list of entries" };
        let message = format!(
            "the file ends in the middle{what} ({bytes} bytes of the part that begins here are present); everything before it \
             was read. Save the file again to get the rest"
        );
        Chunk::Damage(Damage { reason: SkipReason::Truncated, offset, message })
    }
}

fn missing_list_chunk(offset: u64) -> Chunk {
    let message =
        "this JSON has no list of entries (\"log\" with \"entries\"), so there is no traffic in it";
    Chunk::Damage(Damage { reason: SkipReason::BadRecord, offset, message: message.to_owned() })
}

/// The end of a value that is not an object, a list or a string.
fn end_of_word(bytes: &[u8], at: usize) -> usize {
    memchr::memchr(b',', &bytes[at..]).map_or(bytes.len(), |comma| at + comma)
}

pub(crate) fn decode(batch: &Batch, found: &mut dyn FnMut(u64, CaptureItem<'_>)) {
    let bytes = batch.bytes();
    let mut at = 0;
    let mut entry = entry::HarEntry::default();
    let mut effort = SearchBudget::default();
    loop {
        at += entry_start(&bytes[at..]);
        if at >= bytes.len() {
            return;
        }
        let offset = batch.offset + at as u64;
        match decode::decode(&bytes[at..], offset, &mut entry, found) {
            Ok(length) => at += length,
            Err(why) => {
                let message = format!("entry cannot be used: {why}; skipped");
                found(offset, CaptureItem::Skipped(SkipReason::BadRecord, message));
                // Damage may have joined several entries into one, so search for the entries after
                // the first.
                let end = match bytes[at] {
                    first @ (b'{' | b'[' | b'"') => end_of_value(&bytes[at..], first),
                    _ => None,
                };
                let end = end.map_or_else(|| end_of_word(bytes, at), |length| at + length);
                effort.spend(end - at);
                let inside = if effort.is_over(bytes.len() as u64) {
                    None
                } else {
                    find_entry(&bytes[..end], at + 1, true, &mut effort).entry
                };
                at = inside.unwrap_or(end.max(at + 1));
            }
        }
    }
}
