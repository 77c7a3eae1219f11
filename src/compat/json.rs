//! JSON writer equivalent to Python's `json.dumps(value, indent=2)`: two spaces per level, and everything outside
//! printable ASCII escaped in lower-case hexadecimal.

use std::borrow::Cow;
use std::fmt::Write;

/// A JSON value. Text is WTF-8.
pub(super) enum JsonValue<'a> {
    Null,
    Text(&'a [u8]),
    Number(u64),
    /// JSON text that is written verbatim.
    Json(&'a [u8]),
    List(Vec<Self>),
    Object(Vec<(Cow<'a, [u8]>, Self)>),
}

pub(super) fn write(items: &Vec<JsonValue<'_>>) -> String {
    let mut out = String::new();
    write_list(&mut out, items, 0);
    out
}

fn write_value(out: &mut String, value: &JsonValue<'_>, level: usize) {
    match value {
        JsonValue::Null => out.push_str("null"),
        JsonValue::Text(text) => write_text(out, text),
        JsonValue::Number(number) => write!(out, "{number}").unwrap_or_default(),
        JsonValue::Json(json) => out.push_str(&String::from_utf8_lossy(json)),
        JsonValue::List(items) => write_list(out, items, level),
        JsonValue::Object(members) if members.is_empty() => out.push_str("{}"),
        JsonValue::Object(members) => {
            out.push('{');
            for (i, (name, value)) in members.iter().enumerate() {
                new_line(out, i > 0, level + 1);
                write_text(out, name);
                out.push_str(": ");
                write_value(out, value, level + 1);
            }
            new_line(out, false, level);
            out.push('}');
        }
    }
}

fn write_list(out: &mut String, items: &[JsonValue<'_>], level: usize) {
    if items.is_empty() {
        out.push_str("[]");
        return;
    }
    out.push('[');
    for (i, item) in items.iter().enumerate() {
        new_line(out, i > 0, level + 1);
        write_value(out, item, level + 1);
    }
    new_line(out, false, level);
    out.push(']');
}

fn new_line(out: &mut String, comma: bool, level: usize) {
    if comma {
        out.push(',');
    }
    out.push('\n');
    out.extend(std::iter::repeat_n("  ", level));
}

fn write_text(out: &mut String, text: &[u8]) {
    out.push('"');
    let mut rest = text;
    while !rest.is_empty() {
        // A surrogate in WTF-8: ED, A0..BF, 80..BF.
        if let [0xed, high @ 0xa0..=0xbf, low @ 0x80..=0xbf, after @ ..] = rest {
            let unit = 0xd000 | (u32::from(high & 0x3f) << 6) | u32::from(low & 0x3f);
            write!(out, "\\u{unit:04x}").unwrap_or_default();
            rest = after;
            continue;
        }
        let Some(chunk) = rest.utf8_chunks().next() else { break };
        if chunk.valid().is_empty() {
            out.push_str("\\ufffd");
            rest = &rest[chunk.invalid().len().max(1)..];
            continue;
        }
        chunk.valid().chars().for_each(|c| write_char(out, c));
        rest = &rest[chunk.valid().len()..];
    }
    out.push('"');
}

fn write_char(out: &mut String, c: char) {
    match c {
        '"' => out.push_str("\\\""),
        '\\' => out.push_str("\\\\"),
        '\n' => out.push_str("\\n"),
        '\r' => out.push_str("\\r"),
        '\t' => out.push_str("\\t"),
        '\u{8}' => out.push_str("\\b"),
        '\u{c}' => out.push_str("\\f"),
        ' '..='~' => out.push(c),
        c => c
            .encode_utf16(&mut [0; 2])
            .iter()
            .for_each(|unit| write!(out, "\\u{unit:04x}").unwrap_or_default()),
    }
}
