//! Forms and parameters: names and values as objects of strings, in the syntax of `application/x-www-form-urlencoded`.

use std::borrow::Cow;

use crate::shape::Shape;
use crate::shape::fields::{FieldIndex, Fields};
use crate::shape::items::Items;
use crate::shape::strings::Strings;

/// Pairs of one form or query that are looked at.
const MAX_PAIRS: usize = 1024;

/// The longest value that is looked at, in bytes.
const MAX_FORM_VALUE_BYTES: usize = 4096;

/// Adds a form or a query to a shape, as an object: the value of a name is a string, or a list of them if the name comes
/// more than once, or ends with `[]`.
pub(crate) fn observe_form(shape: &mut Shape, text: &[u8]) {
    let pairs = text.split(|byte| *byte == b'&').filter(|pair| !pair.is_empty()).take(MAX_PAIRS);
    let pairs: Vec<(Cow<'_, str>, Cow<'_, str>)> = pairs.map(pair).collect();
    observe_pairs(shape, &pairs, true);
}

/// Adds pairs of names and values to a shape, as an object; `has_lists` says that a value may be a list in one string.
pub(crate) fn observe_pairs(
    shape: &mut Shape,
    pairs: &[(Cow<'_, str>, Cow<'_, str>)],
    has_lists: bool,
) {
    let mut order: Vec<usize> = (0..pairs.len()).collect();
    order.sort_by(|a, b| pairs[*a].0.cmp(&pairs[*b].0).then(a.cmp(b)));
    let fields: &mut Fields = shape.fields.get_or_insert_default();
    fields.begin();
    let mut previous = None;
    let mut count = 0;
    for group in order.chunk_by(|a, b| pairs[*a].0 == pairs[*b].0) {
        let name = &*pairs[group[0]].0;
        let index = fields.index(name, previous);
        if let FieldIndex::Kept(kept) = index {
            previous = Some(kept);
        }
        let is_secret = fields.traits(&index, name).is_secret;
        let observe = if is_secret { Strings::observe_secret } else { Strings::observe };
        let value = fields.shape_at(&index);
        if group.len() == 1 && !name.ends_with("[]") {
            let text = &*pairs[group[0]].1;
            // The last item of a list that was cut is another one.
            if has_lists && !is_secret && text.len() < MAX_FORM_VALUE_BYTES {
                value.observe_parameter(text);
            } else {
                observe(value.strings.get_or_insert_default(), text);
            }
        } else {
            let list: &mut Items = value.items.get_or_insert_default();
            for at in group {
                observe(list.item.strings.get_or_insert_default(), &pairs[*at].1);
            }
            list.observe_length(group.len() as u64);
        }
        count += 1;
    }
    fields.end(count);
}

fn pair(pair: &[u8]) -> (Cow<'_, str>, Cow<'_, str>) {
    let at = memchr::memchr(b'=', pair);
    let (name, value) = at.map_or((pair, &b""[..]), |at| (&pair[..at], &pair[at + 1..]));
    let value = &value[..value.len().min(MAX_FORM_VALUE_BYTES)];
    (decoded(name), decoded(value))
}

fn decoded(text: &[u8]) -> Cow<'_, str> {
    if memchr::memchr2(b'%', b'+', text).is_none() {
        return String::from_utf8_lossy(text);
    }
    // Only a name is parsed: an escaped `=` stays in it.
    url::form_urlencoded::parse(text).next().map_or(Cow::Borrowed(""), |(name, _)| name)
}

/// The value that stands for the content of a file in a form.
pub(crate) const FILE_CONTENT: &str = "(file)";

/// The names and values of a `multipart/form-data` body (RFC 7578); the content of a file comes as `None`.
pub(crate) fn multipart<'t>(
    body: &'t [u8],
    content_type: &[u8],
) -> Option<Vec<(Cow<'t, str>, Option<Cow<'t, str>>)>> {
    let boundary = boundary_of(content_type)?;
    let delimiter = [b"--", boundary].concat();
    let mut starts = memchr::memmem::find_iter(body, &delimiter).peekable();
    let mut parts = Vec::new();
    while let (Some(start), Some(end)) = (starts.next(), starts.peek()) {
        if parts.len() == MAX_PAIRS {
            break;
        }
        let part = &body[(start + delimiter.len()).min(*end)..*end];
        let part = part.strip_prefix(b"\r\n").or_else(|| part.strip_prefix(b"\n"));
        if let Some(found) = part.and_then(part_of) {
            parts.push(found);
        }
    }
    (!parts.is_empty()).then_some(parts)
}

fn part_of(part: &[u8]) -> Option<(Cow<'_, str>, Option<Cow<'_, str>>)> {
    let (head, content) = [&b"\r\n\r\n"[..], b"\n\n"].iter().find_map(|gap| {
        let at = memchr::memmem::find(part, gap)?;
        Some((&part[..at], &part[at + gap.len()..]))
    })?;
    let content = content.strip_suffix(b"\n").unwrap_or(content);
    let content = content.strip_suffix(b"\r").unwrap_or(content);
    let is_disposition = |line: &&[u8]| {
        line.get(..20).is_some_and(|name| name.eq_ignore_ascii_case(b"content-disposition:"))
    };
    let line = head.split(|byte| *byte == b'\n').find(is_disposition)?;
    let name = quoted(line, b" name=")?;
    let is_file = memchr::memmem::find(line, b"filename").is_some();
    let value = &content[..content.len().min(MAX_FORM_VALUE_BYTES)];
    let value = (!is_file).then(|| String::from_utf8_lossy(value));
    Some((String::from_utf8_lossy(name), value))
}

/// The value of a parameter of a header, with or without quotes.
fn quoted<'l>(line: &'l [u8], name: &[u8]) -> Option<&'l [u8]> {
    let value = &line[memchr::memmem::find(line, name)? + name.len()..];
    match value.strip_prefix(b"\"") {
        Some(value) => Some(&value[..memchr::memchr(b'"', value)?]),
        None => value.split(|byte| matches!(byte, b';' | b'\r')).next(),
    }
}

fn boundary_of(content_type: &[u8]) -> Option<&[u8]> {
    let at = memchr::memmem::find(&content_type.to_ascii_lowercase(), b"boundary=")?;
    let boundary = quoted(&content_type[at..], &content_type[at..at + 9])?.trim_ascii();
    (!boundary.is_empty() && boundary.len() <= 200).then_some(boundary)
}
