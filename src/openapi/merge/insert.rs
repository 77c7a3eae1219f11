//! Inserts lines into YAML, which otherwise stays as it is.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::ops::Range;

use serde_json::json;

use crate::openapi::merge::additions::{Addition, Additions};
use crate::openapi::merge::tree::{Layout, SourceId, SourceTree, SourceValue};

/// The style of a YAML file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct YamlStyle {
    /// Columns from a mapping to one inside of it.
    step: usize,
    /// Whether the dashes of a list stand further right than its key.
    has_indented_lists: bool,
    line_break: &'static str,
}

/// A text that replaces a range of another, which is empty for a mere insertion.
#[derive(Debug)]
pub(super) struct Edit {
    pub(super) range: Range<usize>,
    /// Nesting depth of the edited node; of edits at one offset, the deepest comes first.
    pub(super) depth: usize,
    pub(super) text: String,
}

/// A text with edits.
pub(super) fn apply_edits(text: &str, mut edits: Vec<Edit>) -> String {
    edits.sort_by_key(|edit| (edit.range.start, Reverse(edit.depth)));
    let mut out =
        String::with_capacity(text.len() + edits.iter().map(|edit| edit.text.len()).sum::<usize>());
    let mut done = 0;
    for edit in edits {
        out.push_str(text.get(done..edit.range.start).unwrap_or_default());
        out.push_str(&edit.text);
        done = edit.range.end.max(done);
    }
    out.push_str(text.get(done..).unwrap_or_default());
    out
}

/// A file of YAML with additions.
pub(super) fn with_lines(text: &str, tree: &SourceTree, additions: &Additions) -> String {
    let style = style_of(text, tree);
    let mut edits = Vec::new();
    for (id, added) in additions {
        let node = tree.node(*id);
        let is_list = added.iter().any(|addition| matches!(addition, Addition::Item(_)));
        let column = match node.layout {
            Layout::Block => node.column,
            _ => column_within(tree, node.parent, is_list, style),
        };
        if node.layout == Layout::Flow {
            // `{}` and `[]`, and what is blank before them.
            let before = text[..node.start].trim_end_matches(' ').len();
            edits.push(Edit { range: before..node.end, depth: node.depth, text: String::new() });
        }
        let end = if node.layout == Layout::Absent { node.start } else { node.end };
        let (at, has_break) = line_after(text, end);
        let at = if has_break { after_comments(text, at, column) } else { at };
        let mut lines = String::new();
        for addition in added {
            let value = match addition {
                Addition::Entry(key, value) => json!({ key: value }),
                Addition::Item(value) => json!([value]),
            };
            let options = serde_saphyr::ser_options! {
                indent_step: style.step,
                compact_list_indent: !style.has_indented_lists,
            };
            let written = serde_saphyr::to_string_with_options(&value, options).unwrap_or_default();
            for line in written.lines() {
                if !line.is_empty() {
                    lines.extend(std::iter::repeat_n(' ', column));
                }
                lines.push_str(line);
                lines.push_str(style.line_break);
            }
        }
        if !text[..at].is_empty() && !text[..at].ends_with('\n') {
            // The last line of the file has no break, and the new last one has none either.
            lines.truncate(lines.trim_end_matches(['\r', '\n']).len());
            lines.insert_str(0, style.line_break);
        }
        edits.push(Edit { range: at..at, depth: node.depth, text: lines });
    }
    apply_edits(text, edits)
}

/// The column of what is added below a key or a dash that has nothing yet.
fn column_within(tree: &SourceTree, parent: SourceId, is_list: bool, style: YamlStyle) -> usize {
    let parent = tree.node(parent);
    match parent.value {
        SourceValue::Sequence(_) => parent.column + 2,
        _ if is_list && !style.has_indented_lists => parent.column,
        _ => parent.column + style.step,
    }
}

/// The offset of the line after an offset, and whether a break ends the line before it.
fn line_after(text: &str, offset: usize) -> (usize, bool) {
    if text[..offset].ends_with('\n') {
        return (offset, true);
    }
    match memchr::memchr(b'\n', &text.as_bytes()[offset..]) {
        Some(length) => (offset + length + 1, true),
        None => (text.len(), false),
    }
}

/// The offset after lines that are comments of a block in this column.
fn after_comments(text: &str, mut at: usize, column: usize) -> usize {
    loop {
        let rest = &text[at..];
        let indent = rest.len() - rest.trim_start_matches(' ').len();
        if indent < column || rest.as_bytes().get(indent) != Some(&b'#') {
            return at;
        }
        match memchr::memchr(b'\n', rest.as_bytes()) {
            Some(length) => at += length + 1,
            None => return text.len(),
        }
    }
}

fn style_of(text: &str, tree: &SourceTree) -> YamlStyle {
    let mut steps: BTreeMap<usize, usize> = BTreeMap::new();
    let (mut indented, mut flush) = (0, 0);
    for id in tree.ids().skip(1) {
        let node = tree.node(id);
        let parent = tree.node(node.parent);
        if node.layout != Layout::Block || !matches!(parent.value, SourceValue::Mapping(_)) {
            continue;
        }
        match &node.value {
            SourceValue::Sequence(_) if node.column > parent.column => indented += 1,
            SourceValue::Sequence(_) => flush += 1,
            _ => *steps.entry(node.column.saturating_sub(parent.column)).or_default() += 1,
        }
    }
    let step = steps.iter().max_by_key(|(step, count)| (**count, Reverse(**step)));
    YamlStyle {
        step: step.map_or(2, |(step, _)| (*step).clamp(1, 16)),
        has_indented_lists: indented > flush,
        line_break: if text.contains("\r\n") { "\r\n" } else { "\n" },
    }
}
