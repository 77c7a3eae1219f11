//! A description as people wrote it: its values with the places in the text where they stand.

use serde_json::Value;

/// Levels of `$ref` that are followed from one place.
const MAX_REFERENCES: usize = 64;

/// The number of a node in its tree; a parent comes before its children.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct SourceId(u32);

impl SourceId {
    /// The first node, which holds all others.
    pub(super) const ROOT: Self = Self(0);
}

/// The style of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Layout {
    /// One key or item a line.
    Block,
    /// In brackets, or a scalar.
    Flow,
    /// Nothing is written, as after `key:`.
    Absent,
}

/// A key of a mapping and its value.
#[derive(Debug)]
pub(super) struct SourceEntry {
    pub(super) key: String,
    pub(super) value: SourceId,
}

/// The value of a node.
#[derive(Debug)]
pub(super) enum SourceValue {
    Scalar(Value),
    Mapping(Vec<SourceEntry>),
    Sequence(Vec<SourceId>),
    Alias(SourceId),
}

/// A value and where it stands.
#[derive(Debug)]
pub(super) struct SourceNode {
    pub(super) value: SourceValue,
    pub(super) layout: Layout,
    /// The offset of its first byte.
    pub(super) start: usize,
    /// The offset after its last byte, without what is blank behind it.
    pub(super) end: usize,
    /// The column of the keys or dashes of a block.
    pub(super) column: usize,
    pub(super) parent: SourceId,
    /// Levels above it.
    pub(super) depth: usize,
    /// Whether it stands in more than one place, by an anchor of YAML.
    pub(super) is_shared: bool,
}

/// All nodes of a file.
#[derive(Debug)]
pub(super) struct SourceTree {
    nodes: Vec<SourceNode>,
    /// Offsets of the first bytes of lines.
    lines: Vec<usize>,
}

/// The node at the end of `$ref`s.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Target {
    /// A node, and the first `$ref` on the way to it.
    Node(SourceId),
    /// The `$ref` of this node leads to another file.
    OtherFile(SourceId),
    /// The `$ref` of this node leads nowhere, or back to itself.
    Nowhere(SourceId),
}

impl SourceTree {
    /// A tree of nothing, for a text.
    pub(super) fn new(text: &str) -> Self {
        let breaks = memchr::memchr_iter(b'\n', text.as_bytes()).map(|at| at + 1);
        Self { nodes: Vec::new(), lines: std::iter::once(0).chain(breaks).collect() }
    }

    /// Adds a node below others.
    pub(super) fn push(&mut self, node: SourceNode) -> SourceId {
        let id = SourceId(u32::try_from(self.nodes.len()).unwrap_or(u32::MAX));
        self.nodes.push(node);
        id
    }

    pub(super) fn len(&self) -> usize {
        self.nodes.len()
    }

    pub(super) fn node(&self, id: SourceId) -> &SourceNode {
        &self.nodes[id.0 as usize]
    }

    pub(super) fn node_mut(&mut self, id: SourceId) -> &mut SourceNode {
        &mut self.nodes[id.0 as usize]
    }

    /// Marks a node and all that were added since it as shared.
    pub(super) fn share(&mut self, from: SourceId, end: usize) {
        let from = from.0 as usize;
        self.nodes[from..end.max(from)].iter_mut().for_each(|node| node.is_shared = true);
    }

    pub(super) fn ids(&self) -> impl Iterator<Item = SourceId> {
        (0..u32::try_from(self.nodes.len()).unwrap_or(u32::MAX)).map(SourceId)
    }

    /// The number of the line, from 1, in which a byte stands.
    pub(super) fn line_at(&self, offset: usize) -> usize {
        self.lines.partition_point(|start| *start <= offset)
    }

    /// The number of the line in which a node begins.
    pub(super) fn line(&self, id: SourceId) -> usize {
        self.line_at(self.node(id).start)
    }

    /// The value of a node behind an alias.
    pub(super) fn value(&self, id: SourceId) -> &SourceValue {
        &self.node(self.behind_alias(id)).value
    }

    /// The node that an alias stands for.
    pub(super) fn behind_alias(&self, id: SourceId) -> SourceId {
        match self.node(id).value {
            SourceValue::Alias(target) => target,
            _ => id,
        }
    }

    /// The own entries of a mapping; none of another value.
    pub(super) fn entries(&self, id: SourceId) -> &[SourceEntry] {
        match self.value(id) {
            SourceValue::Mapping(entries) => entries,
            _ => &[],
        }
    }

    /// The items of a sequence; none of another value.
    pub(super) fn items(&self, id: SourceId) -> &[SourceId] {
        match self.value(id) {
            SourceValue::Sequence(items) => items,
            _ => &[],
        }
    }

    /// The value of a key, which YAML's merge key `<<` may bring in.
    pub(super) fn get(&self, id: SourceId, key: &str) -> Option<SourceId> {
        let own = |id: SourceId, key: &str| {
            let entry = self.entries(id).iter().find(|entry| entry.key == key);
            entry.map(|entry| self.behind_alias(entry.value))
        };
        own(id, key).or_else(|| {
            let merged = own(id, "<<")?;
            let single = std::iter::once(merged);
            let many = self.items(merged).iter().map(|item| self.behind_alias(*item));
            single.chain(many).find_map(|merged| own(merged, key))
        })
    }

    /// The value at the end of keys.
    pub(super) fn get_path(&self, id: SourceId, keys: &[&str]) -> Option<SourceId> {
        keys.iter().try_fold(id, |id, key| self.get(id, key))
    }

    /// The scalar of a key as text: strings, and numbers that people wrote without quotes.
    pub(super) fn text(&self, id: SourceId, key: &str) -> Option<String> {
        self.scalar_text(self.get(id, key)?)
    }

    /// A scalar as text.
    pub(super) fn scalar_text(&self, id: SourceId) -> Option<String> {
        match self.value(id) {
            SourceValue::Scalar(Value::String(text)) => Some(text.clone()),
            SourceValue::Scalar(value @ (Value::Number(_) | Value::Bool(_))) => {
                Some(value.to_string())
            }
            _ => None,
        }
    }

    /// True if a key has the value `true`.
    pub(super) fn is_true(&self, id: SourceId, key: &str) -> bool {
        let value = self.get(id, key).map(|id| self.value(id));
        matches!(value, Some(SourceValue::Scalar(Value::Bool(true))))
    }

    /// Strings of a list, or one string.
    pub(super) fn strings(&self, id: SourceId) -> Vec<String> {
        let one = self.scalar_text(id);
        one.into_iter()
            .chain(self.items(id).iter().filter_map(|item| self.scalar_text(*item)))
            .collect()
    }

    /// Follows `$ref`s from a node.
    pub(super) fn target(&self, id: SourceId) -> Target {
        let mut id = self.behind_alias(id);
        for _ in 0..MAX_REFERENCES {
            let Some(reference) = self.text(id, "$ref") else { return Target::Node(id) };
            let Some(pointer) = reference.strip_prefix('#') else { return Target::OtherFile(id) };
            match self.at_pointer(pointer) {
                Some(next) => id = next,
                None => return Target::Nowhere(id),
            }
        }
        Target::Nowhere(id)
    }

    /// The node behind `$ref`s, if they lead to one.
    pub(super) fn followed(&self, id: SourceId) -> Option<SourceId> {
        match self.target(id) {
            Target::Node(id) => Some(id),
            Target::OtherFile(_) | Target::Nowhere(_) => None,
        }
    }

    /// The node that a JSON pointer names.
    fn at_pointer(&self, pointer: &str) -> Option<SourceId> {
        let mut id = SourceId::ROOT;
        if pointer.is_empty() {
            return Some(id);
        }
        for part in pointer.strip_prefix('/')?.split('/') {
            let part = percent_decoded(part).replace("~1", "/").replace("~0", "~");
            id = match self.value(id) {
                SourceValue::Sequence(items) => *items.get(part.parse::<usize>().ok()?)?,
                _ => self.get(id, &part)?,
            };
            id = self.behind_alias(id);
        }
        Some(id)
    }
}

fn percent_decoded(text: &str) -> String {
    if !text.contains('%') {
        return text.to_owned();
    }
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let hex = after.get(..2).and_then(|hex| std::str::from_utf8(hex).ok());
        let byte = hex.and_then(|hex| u8::from_str_radix(hex, 16).ok());
        let byte = byte.filter(|_| *first == b'%');
        out.push(byte.unwrap_or(*first));
        rest = if byte.is_some() { &after[2..] } else { after };
    }
    String::from_utf8_lossy(&out).into_owned()
}
