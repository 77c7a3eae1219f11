//! Reads JSON into a tree with places.

use std::collections::BTreeSet;

use serde::de::IgnoredAny;
use serde_json::Value;

use crate::limits::{MAX_DESCRIPTION_DEPTH, MAX_DESCRIPTION_VALUES};
use crate::openapi::merge::tree::{
    Layout, SourceEntry, SourceId, SourceNode, SourceTree, SourceValue,
};
use crate::openapi::merge::yaml::Fault;

/// A reader of JSON whose syntax was checked.
struct JsonTreeReader<'s> {
    text: &'s str,
    at: usize,
    tree: SourceTree,
}

/// Reads JSON; `text` has no byte order mark.
pub(super) fn read_json(text: &str) -> Result<SourceTree, Fault> {
    if let Err(error) = serde_json::from_str::<IgnoredAny>(text) {
        return Err((error.line(), format!("this is not JSON ({error}); correct it")));
    }
    let mut reader = JsonTreeReader { text, at: 0, tree: SourceTree::new(text) };
    match reader.value(SourceId::ROOT, 0) {
        Ok(_) => Ok(reader.tree),
        Err(what) => Err((reader.tree.line_at(reader.at), what)),
    }
}

impl JsonTreeReader<'_> {
    fn skip_blanks(&mut self) -> u8 {
        let bytes = self.text.as_bytes();
        while bytes.get(self.at).is_some_and(u8::is_ascii_whitespace) {
            self.at += 1;
        }
        bytes.get(self.at).copied().unwrap_or_default()
    }

    /// Reads the value that begins here.
    fn value(&mut self, parent: SourceId, depth: usize) -> Result<SourceId, String> {
        if self.tree.len() >= MAX_DESCRIPTION_VALUES {
            return Err(format!(
                "there are more than {MAX_DESCRIPTION_VALUES} values; split the description"
            ));
        }
        if depth > MAX_DESCRIPTION_DEPTH {
            return Err(format!(
                "values are nested more than {MAX_DESCRIPTION_DEPTH} levels deep; move inner schemas to components"
            ));
        }
        let first = self.skip_blanks();
        let id = self.tree.push(SourceNode {
            value: SourceValue::Scalar(Value::Null),
            layout: Layout::Flow,
            start: self.at,
            end: self.at,
            column: 0,
            parent,
            depth,
            is_shared: false,
        });
        let value = match first {
            b'{' => self.object(id, depth)?,
            b'[' => self.array(id, depth)?,
            _ => {
                let text = self.scalar();
                let value = serde_json::from_str(text);
                SourceValue::Scalar(
                    value.map_err(|error| format!("this cannot be read ({error}); correct it"))?,
                )
            }
        };
        let end = self.at;
        let node = self.tree.node_mut(id);
        (node.value, node.end) = (value, end);
        Ok(id)
    }

    /// Steps over a scalar, and returns it.
    fn scalar(&mut self) -> &str {
        let rest = &self.text.as_bytes()[self.at..];
        let length = if rest.first() == Some(&b'"') {
            let mut is_escaped = false;
            let end = rest.iter().skip(1).position(|byte| {
                let ends = *byte == b'"' && !is_escaped;
                is_escaped = *byte == b'\\' && !is_escaped;
                ends
            });
            end.map_or(rest.len(), |end| end + 2)
        } else {
            let ends = |byte: &u8| byte.is_ascii_whitespace() || b",]}".contains(byte);
            rest.iter().position(ends).unwrap_or(rest.len())
        };
        let start = self.at;
        self.at += length;
        &self.text[start..self.at]
    }

    fn object(&mut self, id: SourceId, depth: usize) -> Result<SourceValue, String> {
        let mut entries: Vec<SourceEntry> = Vec::new();
        let mut seen = BTreeSet::new();
        self.at += 1;
        loop {
            match self.skip_blanks() {
                b'"' => {}
                b',' => {
                    self.at += 1;
                    continue;
                }
                _ => break,
            }
            let key: Result<String, _> = serde_json::from_str(self.scalar());
            let key =
                key.map_err(|error| format!("this key cannot be read ({error}); correct it"))?;
            if !seen.insert(key.clone()) {
                return Err(format!("the key `{key}` is in this object twice; keep one of them"));
            }
            self.skip_blanks();
            self.at += 1;
            let value = self.value(id, depth + 1)?;
            entries.push(SourceEntry { key, value });
        }
        self.at += 1;
        Ok(SourceValue::Mapping(entries))
    }

    fn array(&mut self, id: SourceId, depth: usize) -> Result<SourceValue, String> {
        let mut items = Vec::new();
        self.at += 1;
        loop {
            match self.skip_blanks() {
                b']' | 0 => break,
                b',' => self.at += 1,
                _ => items.push(self.value(id, depth + 1)?),
            }
        }
        self.at += 1;
        Ok(SourceValue::Sequence(items))
    }
}
