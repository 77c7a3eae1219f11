//! Inserts members and items into JSON, which otherwise stays as it is.

use serde::Serialize;
use serde_json::Value;
use serde_json::ser::{PrettyFormatter, Serializer};

use crate::openapi::merge::additions::{Addition, Additions};
use crate::openapi::merge::insert::{Edit, apply_edits};
use crate::openapi::merge::tree::{SourceId, SourceTree, SourceValue};

/// A file of JSON with additions.
pub(super) fn with_members(text: &str, tree: &SourceTree, additions: &Additions) -> String {
    let root = tree.node(SourceId::ROOT);
    let unit = indent_inside(text, root.start).filter(|unit| !unit.is_empty()).unwrap_or("  ");
    let line_break = if text.contains("\r\n") { "\r\n" } else { "\n" };
    let has_lines = indent_inside(text, root.start).is_some() || root.end - root.start <= 2;
    let mut edits = Vec::new();
    for (id, added) in additions {
        let node = tree.node(*id);
        let last = match &node.value {
            SourceValue::Mapping(entries) => entries.last().map(|entry| entry.value),
            SourceValue::Sequence(items) => items.last().copied(),
            _ => None,
        };
        let own = line_indent(text, node.start);
        let has_own_lines = match (last, *id) {
            (Some(_), _) => indent_inside(text, node.start).is_some(),
            (None, SourceId::ROOT) => has_lines,
            // What stands in one line with its parent stays there.
            (None, _) => indent_inside(text, tree.node(node.parent).start).is_some(),
        };
        let inner = has_own_lines.then(|| {
            let known = last.and_then(|_| indent_inside(text, node.start));
            known.map_or_else(|| format!("{own}{unit}"), str::to_owned)
        });
        let mut out = String::new();
        for (n, addition) in added.iter().enumerate() {
            if n > 0 || last.is_some() {
                out.push(',');
            }
            match &inner {
                Some(indent) => {
                    out.push_str(line_break);
                    out.push_str(indent);
                }
                None if out.ends_with(',') => out.push(' '),
                None => {}
            }
            let value = match addition {
                Addition::Entry(key, value) => {
                    out.push_str(&Value::String(key.clone()).to_string());
                    out.push_str(": ");
                    value
                }
                Addition::Item(value) => value,
            };
            match &inner {
                Some(indent) => {
                    let written = pretty(value, unit);
                    out.push_str(&written.replace('\n', &format!("{line_break}{indent}")));
                }
                None => out.push_str(&value.to_string()),
            }
        }
        let range = match last {
            Some(last) => tree.node(last).end..tree.node(last).end,
            None => node.start + 1..node.end.saturating_sub(1),
        };
        if last.is_none() && inner.is_some() {
            out.push_str(line_break);
            out.push_str(own);
        }
        edits.push(Edit { range, depth: node.depth, text: out });
    }
    apply_edits(text, edits)
}

/// The blanks before the first member or item of a collection, if that stands in a line of its own.
fn indent_inside(text: &str, start: usize) -> Option<&str> {
    let inside = text.get(start + 1..)?;
    let blank = &inside[..inside.len() - inside.trim_start().len()];
    blank.rfind('\n').map(|at| &blank[at + 1..])
}

/// The blanks at the begin of the line in which a byte stands.
fn line_indent(text: &str, offset: usize) -> &str {
    let start = text[..offset].rfind('\n').map_or(0, |at| at + 1);
    let line = &text[start..];
    &line[..line.len() - line.trim_start_matches([' ', '\t']).len()]
}

fn pretty(value: &Value, unit: &str) -> String {
    let mut out = Vec::new();
    let mut writer =
        Serializer::with_formatter(&mut out, PrettyFormatter::with_indent(unit.as_bytes()));
    // Writing a value to memory does not fail.
    if value.serialize(&mut writer).is_err() {
        return "null".to_owned();
    }
    String::from_utf8(out).unwrap_or_default()
}
