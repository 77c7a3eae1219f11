//! The bounds of entries in bytes that may be damaged.

use crate::capture::batch::SearchBudget;
use crate::capture::json::{self, JsonError, JsonReader, JsonScanner};

/// Keys with which programs begin an entry, beside keys that begin with `_`.
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

/// The reason why the sequence of whole entries at the front stops.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum EntryStop {
    NeedsMore,
    /// The next value is not an entry, or is not followed by another one.
    Bad,
    /// The list is closed, at this index.
    Closed(usize),
}

/// The index of the first bracket, after a byte order mark and the call of a function. `None` if
/// another byte comes first.
pub(crate) fn opening_bracket(bytes: &[u8]) -> Option<usize> {
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

/// The key at the front, and the index of the first byte of its value. `None` if they are
/// incomplete.
pub(super) fn key_and_value(bytes: &[u8]) -> Option<(&[u8], usize)> {
    let end = if bytes.first() == Some(&b'"') {
        JsonScanner::default().step(bytes)?
    } else {
        return None;
    };
    let next = |at: usize| {
        let space = bytes[at..].iter().take_while(|byte| json::is_space(**byte)).count();
        bytes.get(at + space).map(|byte| (at + space, *byte))
    };
    let (colon, b':') = next(end)? else { return None };
    let (value, _) = next(colon + 1)?;
    Some((&bytes[1..end - 1], value))
}

/// The index of the first entry, after commas and white space.
pub(super) fn entry_start(bytes: &[u8]) -> usize {
    let is_between = |byte: &u8| json::is_space(*byte) || *byte == b',';
    bytes.iter().position(|byte| !is_between(byte)).unwrap_or(bytes.len())
}

/// The sequence of whole entries at the front of some bytes.
pub(super) struct WholeEntries {
    /// Index of the end of the last whole entry.
    pub(super) end: usize,
    /// Index of the start of the last whole entry.
    pub(super) last: usize,
    /// The reason why the sequence stops.
    pub(super) stop: EntryStop,
}

/// Steps over the entries at the front.
pub(super) fn whole_entries(bytes: &[u8], ended: bool) -> WholeEntries {
    let mut whole = 0;
    // For the last entry: its start, and the end of the entry before it.
    let mut last = (0, 0);
    // The values of `last` before the last entry was read.
    let mut before = (0, 0);
    let found = |end, last, stop| WholeEntries { end, last, stop };
    loop {
        let start = whole + entry_start(&bytes[whole..]);
        let end = match bytes.get(start) {
            None => return found(whole, last.0, EntryStop::NeedsMore),
            Some(b']') if is_damaged(&bytes[last.0..whole]) => {
                return found(last.1, before.0, EntryStop::Bad);
            }
            Some(b']') => return found(whole, last.0, EntryStop::Closed(start)),
            Some(b'{' | b'[' | b'"') => JsonScanner::default().step(&bytes[start..]),
            // A null among the entries.
            Some(byte) if byte.is_ascii_alphanumeric() => {
                bytes[start..].iter().position(|byte| !byte.is_ascii_alphanumeric())
            }
            Some(_) => return found(whole, last.0, EntryStop::Bad),
        };
        let Some(end) = end.map(|end| start + end) else {
            return found(whole, last.0, EntryStop::NeedsMore);
        };
        match bytes[end..].iter().find(|byte| !json::is_space(**byte)) {
            Some(b',' | b']') => {}
            None if !ended => return found(whole, last.0, EntryStop::NeedsMore),
            // Either the next bytes or this entry are damaged: after a missing quote, strings and
            // the bytes between them are exchanged.
            _ if is_damaged(&bytes[start..end]) => return found(whole, last.0, EntryStop::Bad),
            _ => {}
        }
        before = last;
        last = (start, whole);
        whole = end;
    }
}

/// Returns `true` if an entry whose quotes and brackets match is not valid JSON. Called for entries
/// before unexpected bytes, and for the last entry, because damage may have closed the list too
/// early.
fn is_damaged(entry: &[u8]) -> bool {
    /// Deeper than this, only brackets are checked.
    const MAX_CHECKED_DEPTH: usize = 64;

    fn check(json: &mut JsonReader<'_>, depth: usize) -> Result<(), JsonError> {
        match json.peek() {
            Some(b'{') if depth < MAX_CHECKED_DEPTH => {
                json.members(|_, json| check(json, depth + 1))
            }
            Some(b'[') if depth < MAX_CHECKED_DEPTH => json.items(|json| check(json, depth + 1)),
            _ => json.skip(),
        }
    }

    entry.len() > 1 && check(&mut JsonReader::new(entry), 0).is_err()
}

/// The end of the value at the front, whose first byte is `first`. `None` if it is incomplete.
pub(super) fn end_of_value(bytes: &[u8], first: u8) -> Option<usize> {
    match first {
        b'{' | b'[' | b'"' => JsonScanner::default().step(bytes),
        _ => bytes.iter().position(|byte| matches!(byte, b',' | b'}')),
    }
}

/// The result of a search for an entry.
#[derive(Debug, Default)]
pub(super) struct EntrySearch {
    /// Index at which an entry seems to begin.
    pub(super) entry: Option<usize>,
    /// Index of an object that may be an entry, if more of its bytes are read.
    pub(super) open: Option<usize>,
}

/// Finds the first place, at `from` or after it, at which an entry seems to begin (at `from` itself
/// only with `may_begin`). This is an object in a list that has the members of an entry, or that is
/// incomplete and begins with one of the [`ENTRY_KEYS`].
pub(super) fn find_entry(
    bytes: &[u8],
    from: usize,
    may_begin: bool,
    effort: &mut SearchBudget,
) -> EntrySearch {
    let from = from.min(bytes.len());
    let mut open = None;
    let mut starts = memchr::memchr_iter(b'{', &bytes[from..]).map(|at| from + at);
    let entry = starts.find(|&at| {
        let before = bytes[..at].iter().rposition(|byte| !json::is_space(*byte));
        let is_in_list = match before {
            Some(before) if before >= from || !may_begin => matches!(bytes[before], b',' | b'['),
            _ => may_begin,
        };
        let key = || key_and_value(bytes[at + 1..].trim_ascii_start()).map(|(key, _)| key);
        is_in_list
            && key().is_some_and(|key| {
                let is_known = key.starts_with(b"_") || ENTRY_KEYS.contains(&key);
                let is_entry = is_entry(&bytes[at..], bytes.len(), effort);
                if is_entry.is_none() && !is_known {
                    open = open.or(Some(at));
                }
                is_entry.unwrap_or(is_known)
            })
    });
    EntrySearch { entry, open }
}

/// Returns `true` if the object at the front contains a request. `None` if it is incomplete, or if
/// the budget `effort` is used up. `length` is the number of bytes that are searched in total.
fn is_entry(bytes: &[u8], length: usize, effort: &mut SearchBudget) -> Option<bool> {
    if effort.is_over(length as u64) {
        return None;
    }
    let mut json = JsonReader::new(bytes);
    let (mut has_request, mut has_method, mut has_url) = (false, false, false);
    let read = json.members(|key, json| {
        has_request |= key == b"request" && json.peek() == Some(b'{');
        has_method |= key == b"method";
        has_url |= key == b"url";
        Ok(())
    });
    effort.spend(json.at());
    read.ok().map(|()| has_request || (has_method && has_url))
}
