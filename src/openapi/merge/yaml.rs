//! Reads YAML into a tree with places.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use granit_parser::{Event, Parser, ScalarStyle, Span, StructureStyle};
use serde_json::{Value, json};

use crate::limits::{MAX_DESCRIPTION_DEPTH, MAX_DESCRIPTION_VALUES};
use crate::openapi::merge::tree::{
    Layout, SourceEntry, SourceId, SourceNode, SourceTree, SourceValue,
};

/// A fault of a file: its line, from 1, and a sentence.
pub(super) type Fault = (usize, String);

/// A mapping or sequence that has not ended.
struct OpenCollection {
    id: SourceId,
    /// The key that waits for its value.
    key: Option<String>,
    anchor: usize,
}

/// A tree that is being read.
struct TreeBuilder<'s> {
    text: &'s str,
    tree: SourceTree,
    open: Vec<OpenCollection>,
    /// Nodes with anchors, each with the number of nodes after its last one.
    anchors: BTreeMap<usize, (SourceId, usize)>,
    aliased: BTreeSet<usize>,
}

/// Reads one document of YAML.
pub(super) fn read_yaml(text: &str) -> Result<SourceTree, Fault> {
    let mut builder = TreeBuilder {
        text,
        tree: SourceTree::new(text),
        open: Vec::new(),
        anchors: BTreeMap::new(),
        aliased: BTreeSet::new(),
    };
    let mut documents = 0;
    for event in Parser::new_from_str(text) {
        let (event, span) = event.map_err(|error| {
            let what = format!("this cannot be read as YAML ({}); correct it", error.info());
            (error.marker().line(), what)
        })?;
        if matches!(event, Event::DocumentStart(..)) {
            documents += 1;
            if documents > 1 {
                let what =
                    "a second document begins here; keep each description in a file of its own";
                return Err((span.start.line(), what.to_owned()));
            }
        }
        let line = span.start.line();
        builder.observe(event, span).map_err(|what| (line, what))?;
    }
    for anchor in &builder.aliased {
        if let Some((id, end)) = builder.anchors.get(anchor) {
            builder.tree.share(*id, *end);
        }
    }
    Ok(builder.tree)
}

impl TreeBuilder<'_> {
    fn observe(&mut self, event: Event<'_>, span: Span) -> Result<(), String> {
        match event {
            Event::Scalar(text, ..) if self.waits_for_key() => {
                let Some(open) = self.open.last_mut() else { return Ok(()) };
                let node = self.tree.node_mut(open.id);
                let is_first = matches!(&node.value, SourceValue::Mapping(all) if all.is_empty());
                // A key with an anchor begins before its own first byte.
                if let (true, Some(indent)) = (is_first, span.indent) {
                    node.column = indent;
                }
                node.end = span.end.byte_offset().unwrap_or(node.end);
                open.key = Some(text.into_owned());
            }
            Event::Scalar(text, style, anchor, tag) => {
                let is_string = style != ScalarStyle::Plain
                    || tag.is_some_and(|tag| tag.is_yaml_core_schema_tag("str"));
                let is_absent = style == ScalarStyle::Plain && span.is_empty();
                let end = self.end_of_scalar(&text, style, span);
                let value = if is_string {
                    Value::String(text.into_owned())
                } else if is_absent {
                    Value::Null
                } else {
                    plain(text)
                };
                let layout = if is_absent { Layout::Absent } else { Layout::Flow };
                let id = self.add(SourceValue::Scalar(value), layout, span)?;
                self.tree.node_mut(id).end = end;
                self.close(id, anchor);
            }
            _ if self.waits_for_key() && matches!(event, Event::Alias(_)) => {
                return Err(NO_KEY.to_owned());
            }
            Event::Alias(anchor) => {
                let Some((target, _)) = self.anchors.get(&anchor).copied() else {
                    return Err(
                        "this alias stands inside of its own anchor; write it out".to_owned()
                    );
                };
                self.aliased.insert(anchor);
                let id = self.add(SourceValue::Alias(target), Layout::Flow, span)?;
                self.close(id, 0);
            }
            Event::MappingStart(style, anchor, _) => {
                self.begin(SourceValue::Mapping(Vec::new()), style, anchor, span)?;
            }
            Event::SequenceStart(style, anchor, _) => {
                self.begin(SourceValue::Sequence(Vec::new()), style, anchor, span)?;
            }
            Event::MappingEnd | Event::SequenceEnd => {
                let Some(open) = self.open.pop() else { return Ok(()) };
                let node = self.tree.node_mut(open.id);
                if node.layout == Layout::Flow {
                    node.end = span.end.byte_offset().unwrap_or(node.end);
                }
                if let SourceValue::Mapping(entries) = &node.value {
                    refuse_duplicate_key(entries)?;
                }
                self.close(open.id, open.anchor);
            }
            _ => {}
        }
        Ok(())
    }

    /// True where the next node is the key of a mapping.
    fn waits_for_key(&self) -> bool {
        self.open.last().is_some_and(|open| {
            open.key.is_none() && matches!(self.tree.node(open.id).value, SourceValue::Mapping(_))
        })
    }

    fn begin(
        &mut self,
        value: SourceValue,
        style: StructureStyle,
        anchor: usize,
        span: Span,
    ) -> Result<(), String> {
        if self.waits_for_key() {
            return Err(NO_KEY.to_owned());
        }
        let is_block = style == StructureStyle::Block;
        let is_list = matches!(value, SourceValue::Sequence(_));
        let layout = if is_block { Layout::Block } else { Layout::Flow };
        let id = self.add(value, layout, span)?;
        let node = self.tree.node_mut(id);
        // The start of a list that is not indented is after its first dash.
        if is_block && is_list && self.text.as_bytes().get(node.start) != Some(&b'-') {
            let before = self.text[..node.start].trim_end_matches([' ', '\t']);
            let blanks = node.start - before.len();
            node.column = node.column.saturating_sub(blanks + 1);
        }
        self.open.push(OpenCollection { id, key: None, anchor });
        Ok(())
    }

    /// Adds a node that stands in the innermost open collection.
    fn add(&mut self, value: SourceValue, layout: Layout, span: Span) -> Result<SourceId, String> {
        if self.tree.len() >= MAX_DESCRIPTION_VALUES {
            return Err(format!(
                "there are more than {MAX_DESCRIPTION_VALUES} values; split the description"
            ));
        }
        if self.open.len() >= MAX_DESCRIPTION_DEPTH {
            return Err(format!(
                "values are nested more than {MAX_DESCRIPTION_DEPTH} levels deep; move inner schemas to components"
            ));
        }
        let range = span.byte_range().unwrap_or_default();
        Ok(self.tree.push(SourceNode {
            value,
            layout,
            start: range.start,
            end: range.end,
            column: span.start.col(),
            parent: self.open.last().map_or(SourceId::ROOT, |open| open.id),
            depth: self.open.len(),
            is_shared: false,
        }))
    }

    /// Puts a node that has ended where it stands.
    fn close(&mut self, id: SourceId, anchor: usize) {
        if anchor != 0 {
            self.anchors.insert(anchor, (id, self.tree.len()));
        }
        let end = self.tree.node(id).end;
        let Some(open) = self.open.last_mut() else { return };
        let parent = self.tree.node_mut(open.id);
        parent.end = parent.end.max(end);
        match &mut parent.value {
            SourceValue::Mapping(entries) => {
                let key = open.key.take().unwrap_or_default();
                entries.push(SourceEntry { key, value: id });
            }
            SourceValue::Sequence(items) => items.push(id),
            _ => {}
        }
    }

    /// The offset after a scalar, without blank lines that are not part of it.
    fn end_of_scalar(&self, value: &str, style: ScalarStyle, span: Span) -> usize {
        let range = span.byte_range().unwrap_or_default();
        let written = self.text.get(range.clone()).unwrap_or_default();
        let is_block = matches!(style, ScalarStyle::Literal | ScalarStyle::Folded);
        let keeps_lines = value.ends_with("\n\n") || value == "\n";
        let written = match (is_block, keeps_lines) {
            (false, _) => return range.end,
            (true, false) => written.trim_end(),
            (true, true) => written.trim_end_matches([' ', '\t']),
        };
        range.start + written.len()
    }
}

const NO_KEY: &str =
    "a list, a mapping or an alias is a key here; OpenAPI has keys of one text only";

fn refuse_duplicate_key(entries: &[SourceEntry]) -> Result<(), String> {
    let mut seen = BTreeSet::new();
    match entries.iter().find(|entry| !seen.insert(&*entry.key)) {
        Some(entry) => Err(format!(
            "the mapping that ends here has the key `{}` twice; keep one of them",
            entry.key
        )),
        None => Ok(()),
    }
}

/// A plain scalar by the core schema of YAML 1.2.
fn plain(text: Cow<'_, str>) -> Value {
    match &*text {
        "" | "~" | "null" | "Null" | "NULL" => return Value::Null,
        "true" | "True" | "TRUE" => return json!(true),
        "false" | "False" | "FALSE" => return json!(false),
        _ => {}
    }
    let looks_like_number =
        text.starts_with(|first: char| first.is_ascii_digit() || "+-.".contains(first));
    let is_number = looks_like_number
        && text.bytes().all(|byte| byte.is_ascii_digit() || b"+-.eE".contains(&byte));
    let number = is_number.then(|| text.strip_prefix('+').unwrap_or(&text)).and_then(|text| {
        let whole = text.parse::<i64>().ok().map(|whole| json!(whole));
        whole.or_else(|| text.parse::<f64>().ok().filter(|n| n.is_finite()).map(|n| json!(n)))
    });
    number.unwrap_or_else(|| Value::String(text.into_owned()))
}
