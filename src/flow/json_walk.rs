//! Walks over JSON text without building anything: keys, strings, numbers and the beginnings of
//! lists, in order.

use wide::u8x16;

use crate::flow::json_string::JsonString;

/// Receives what [`walk_json`] finds.
pub(crate) trait JsonVisitor<'t> {
    /// A key. `depth` is the number of objects and lists around its value.
    fn key(&mut self, depth: usize, key: JsonString<'t>);
    /// A list begins; `depth` is the number of objects and lists around its items.
    fn list(&mut self, depth: usize);
    /// A string, or the text of a number. Words (`true`, `null`) are left out.
    fn scalar(&mut self, depth: usize, text: JsonString<'t>, is_string: bool);
}

/// Maximum depth of objects and lists. What is deeper ends the walk.
pub(crate) const MAX_WALK_DEPTH: usize = 64;

/// Bytes that are compared at once.
const LANE: usize = 16;

/// Lanes of a string that are looked at before a search takes over.
const MAX_SHORT_LANES: usize = 3;

/// For each byte, whether it can be part of a number.
const IN_NUMBER: [bool; 256] = {
    let mut table = [false; 256];
    let mut byte = 0_u8;
    while byte < 0x80 {
        table[byte as usize] =
            byte.is_ascii_digit() || matches!(byte, b'+' | b'-' | b'.' | b'e' | b'E');
        byte += 1;
    }
    table
};

/// Reads one JSON value and what follows it as further values, and calls `visitor` for all that is
/// in them. Ends early where the text is not JSON. Time is linear in the text; nothing is copied.
pub(crate) fn walk_json<'t>(text: &'t [u8], visitor: &mut impl JsonVisitor<'t>) {
    // Whether each open container is an object.
    let mut objects: u64 = 0;
    let mut depth = 0_usize;
    let mut may_be_key = false;
    let mut at = 0;
    while let Some(byte) = text.get(at) {
        match byte {
            b'"' => {
                let Some((string, end)) = string_at(text, at + 1) else { return };
                at = end;
                if may_be_key {
                    may_be_key = false;
                    visitor.key(depth, string);
                } else {
                    visitor.scalar(depth, string, true);
                }
                continue;
            }
            b'{' | b'[' => {
                if depth == MAX_WALK_DEPTH {
                    return;
                }
                let is_object = *byte == b'{';
                objects = objects << 1 | u64::from(is_object);
                depth += 1;
                may_be_key = is_object;
                if !is_object {
                    visitor.list(depth);
                }
            }
            b'}' | b']' => {
                if depth == 0 || (objects & 1 == 1) != (*byte == b'}') {
                    return;
                }
                objects >>= 1;
                depth -= 1;
                may_be_key = false;
            }
            b',' => may_be_key = objects & 1 == 1 && depth > 0,
            b':' | b' ' | b'\n' | b'\r' | b'\t' => {}
            b'-' | b'0'..=b'9' => {
                let rest = &text[at..];
                let length = rest.iter().position(|byte| !IN_NUMBER[usize::from(*byte)]);
                let length = length.unwrap_or(rest.len());
                visitor.scalar(depth, JsonString::new(&rest[..length], false), false);
                at += length;
                continue;
            }
            b't' | b'n' => at += 3,
            b'f' => at += 4,
            _ => return,
        }
        at += 1;
    }
}

/// The string that begins at an index, and the index behind its closing quote.
#[inline]
fn string_at(text: &[u8], start: usize) -> Option<(JsonString<'_>, usize)> {
    let rest = text.get(start..)?;
    // Most strings are short and have no escapes.
    for lane in 0..MAX_SHORT_LANES {
        let Some(bytes) = rest.get(lane * LANE..).and_then(<[u8]>::first_chunk::<LANE>) else {
            break;
        };
        let bytes = u8x16::new(*bytes);
        let found =
            (bytes.simd_eq(u8x16::splat(b'"')) | bytes.simd_eq(u8x16::splat(b'\\'))).to_bitmask();
        if found != 0 {
            let length = lane * LANE + found.trailing_zeros() as usize;
            if rest[length] == b'"' {
                return Some((JsonString::new(&rest[..length], false), start + length + 1));
            }
            break;
        }
    }
    let mut at = 0;
    let mut is_escaped = false;
    loop {
        at += memchr::memchr2(b'"', b'\\', &rest[at..])?;
        if rest[at] == b'"' {
            return Some((JsonString::new(&rest[..at], is_escaped), start + at + 1));
        }
        is_escaped = true;
        at += 2;
        if at > rest.len() {
            return None;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::{Value, json};

    #[derive(Debug, Default, PartialEq)]
    struct Seen(Vec<(usize, Option<String>, String)>);

    impl JsonVisitor<'_> for Seen {
        fn key(&mut self, depth: usize, key: JsonString<'_>) {
            self.0.push((depth, Some("key".to_owned()), lossy(key)));
        }

        fn list(&mut self, depth: usize) {
            self.0.push((depth, None, "[".to_owned()));
        }

        fn scalar(&mut self, depth: usize, text: JsonString<'_>, is_string: bool) {
            self.0.push((depth, is_string.then(|| "text".to_owned()), lossy(text)));
        }
    }

    fn lossy(text: JsonString<'_>) -> String {
        String::from_utf8_lossy(&text.unescaped()).into_owned()
    }

    /// The reference implementation: a walk over a parsed value.
    fn walk_value(value: &Value, depth: usize, seen: &mut Seen) {
        match value {
            Value::Null | Value::Bool(_) => {}
            Value::Number(_) => seen.0.push((depth, None, value.to_string())),
            Value::String(text) => seen.0.push((depth, Some("text".to_owned()), text.clone())),
            Value::Array(items) => {
                seen.0.push((depth + 1, None, "[".to_owned()));
                items.iter().for_each(|item| walk_value(item, depth + 1, seen));
            }
            Value::Object(members) => {
                for (key, value) in members {
                    seen.0.push((depth + 1, Some("key".to_owned()), key.clone()));
                    walk_value(value, depth + 1, seen);
                }
            }
        }
    }

    fn values() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::Bool),
            any::<i64>().prop_map(|number| json!(number)),
            any::<f32>().prop_map(|number| json!(number)),
            any::<String>().prop_map(Value::String),
            "[a-z\\\\\"]{0,60}".prop_map(Value::String),
        ];
        leaf.prop_recursive(5, 40, 6, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..6).prop_map(Value::Array),
                prop::collection::vec((any::<String>(), inner), 0..6)
                    .prop_map(|members| Value::Object(members.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn a_walk_over_text_equals_one_over_values(value in values(), is_pretty in any::<bool>()) {
            let text = if is_pretty {
                serde_json::to_string_pretty(&value).unwrap()
            } else {
                value.to_string()
            };
            let (mut walked, mut plain) = (Seen::default(), Seen::default());
            walk_json(text.as_bytes(), &mut walked);
            // Numbers are compared as they are written.
            walk_value(&serde_json::from_str(&text).unwrap(), 0, &mut plain);
            prop_assert_eq!(walked, plain);
        }

        #[test]
        fn any_bytes_are_walked(text in prop::collection::vec(prop_oneof![Just(b'"'), Just(b'\\'), Just(b'{'), Just(b'['), Just(b','), Just(b'n'), any::<u8>()], 0..80)) {
            walk_json(&text, &mut Seen::default());
        }
    }
}
