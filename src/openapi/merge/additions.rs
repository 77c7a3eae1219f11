//! Additions to the tree of a description: where they are possible, and a check of the result.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::openapi::merge::tree::{Layout, SourceEntry, SourceId, SourceTree, SourceValue};

/// The format of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SourceFormat {
    /// YAML, which gets new lines.
    Yaml,
    /// JSON, which gets new members and items.
    Json,
}

/// Something that is added at the end of a mapping or of a sequence.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Addition {
    Entry(String, Value),
    Item(Value),
}

/// All additions by the node that they go into.
pub(super) type Additions = BTreeMap<SourceId, Vec<Addition>>;

/// Adds an entry, and is true if that is new. Where one of this key was added before, what it lacks is added to it.
pub(super) fn add_entry(additions: &mut Additions, id: SourceId, key: &str, value: Value) -> bool {
    let own = additions.entry(id).or_default();
    let before = own.iter_mut().find_map(|addition| match addition {
        Addition::Entry(known, value) if known == key => Some(value),
        _ => None,
    });
    if let Some(before) = before {
        return unite(before, value);
    }
    own.push(Addition::Entry(key.to_owned(), value));
    true
}

/// Adds keys of objects that are not there, and objects of lists; true if there are any.
fn unite(before: &mut Value, value: Value) -> bool {
    let mut is_new = false;
    match (before, value) {
        (Value::Object(before), Value::Object(value)) => {
            for (key, value) in value {
                if let Some(known) = before.get_mut(&key) {
                    is_new |= unite(known, value);
                } else {
                    before.insert(key, value);
                    is_new = true;
                }
            }
        }
        (Value::Array(before), Value::Array(value)) => {
            for item in value {
                if item.is_object() && !before.contains(&item) {
                    before.push(item);
                    is_new = true;
                }
            }
        }
        _ => {}
    }
    is_new
}

/// Why nothing can be added to a node, as the end of a sentence; `is_list` if an item is to be added.
pub(super) fn obstacle(
    tree: &SourceTree,
    text: &str,
    format: SourceFormat,
    id: SourceId,
    is_list: bool,
) -> Option<&'static str> {
    let node = tree.node(id);
    let is_kind = match &node.value {
        SourceValue::Mapping(_) => !is_list,
        SourceValue::Sequence(_) => is_list,
        _ => false,
    };
    let is_absent = node.layout == Layout::Absent;
    if node.is_shared {
        return Some("stands in several places by an anchor (`&`); write it out to have it added");
    }
    if !is_kind && !is_absent {
        let wanted = if is_list { "is not a list" } else { "is not a mapping" };
        return Some(wanted);
    }
    if format == SourceFormat::Json || node.layout == Layout::Block {
        return None;
    }
    let inside = text.get(node.start + 1..node.end.saturating_sub(1)).unwrap_or_default();
    let is_free = is_absent || inside.chars().all(|letter| letter == ' ');
    let stands_in_block = id != SourceId::ROOT && tree.node(node.parent).layout == Layout::Block;
    if is_free && stands_in_block {
        return None;
    }
    Some(
        "is in flow style (`{...}` or `[...]`); write it in block style, one key a line, to have it added",
    )
}

/// The new node of each old one, if a new tree is the old one and the additions at the ends of their nodes, and nothing else.
pub(super) fn new_nodes(
    old: &SourceTree,
    new: &SourceTree,
    additions: &Additions,
) -> Option<BTreeMap<SourceId, SourceId>> {
    let mut check = ExtensionCheck { old, new, additions, known: BTreeMap::new() };
    check.is_extended(SourceId::ROOT, SourceId::ROOT).then_some(check.known)
}

struct ExtensionCheck<'c> {
    old: &'c SourceTree,
    new: &'c SourceTree,
    additions: &'c Additions,
    /// The new nodes of old ones.
    known: BTreeMap<SourceId, SourceId>,
}

impl ExtensionCheck<'_> {
    fn is_extended(&mut self, old: SourceId, new: SourceId) -> bool {
        self.known.insert(old, new);
        let none = Vec::new();
        let added = self.additions.get(&old).unwrap_or(&none);
        match (&self.old.node(old).value, &self.new.node(new).value) {
            (SourceValue::Alias(old), SourceValue::Alias(new)) => {
                added.is_empty() && self.known.get(old) == Some(new)
            }
            (SourceValue::Scalar(old), SourceValue::Scalar(new)) => added.is_empty() && old == new,
            (SourceValue::Mapping(before), SourceValue::Mapping(after)) => {
                let (kept, rest) = after.split_at(before.len().min(after.len()));
                kept.len() == before.len()
                    && before.iter().zip(kept).all(|(old, new)| {
                        old.key == new.key && self.is_extended(old.value, new.value)
                    })
                    && self.has_entries(rest, added)
            }
            (SourceValue::Sequence(before), SourceValue::Sequence(after)) => {
                let (kept, rest) = after.split_at(before.len().min(after.len()));
                kept.len() == before.len()
                    && before.iter().zip(kept).all(|(old, new)| self.is_extended(*old, *new))
                    && self.has_items(rest, added)
            }
            (SourceValue::Scalar(Value::Null), SourceValue::Mapping(after)) => {
                !added.is_empty() && self.has_entries(after, added)
            }
            (SourceValue::Scalar(Value::Null), SourceValue::Sequence(after)) => {
                !added.is_empty() && self.has_items(after, added)
            }
            _ => false,
        }
    }

    fn has_entries(&self, entries: &[SourceEntry], added: &[Addition]) -> bool {
        let is_meant = |addition: &Addition, key: &str, value: SourceId| match addition {
            Addition::Entry(meant, content) => meant == key && is_value(self.new, value, content),
            Addition::Item(_) => false,
        };
        entries.len() == added.len()
            && entries
                .iter()
                .zip(added)
                .all(|(entry, addition)| is_meant(addition, &entry.key, entry.value))
    }

    fn has_items(&self, items: &[SourceId], added: &[Addition]) -> bool {
        let is_meant = |addition: &Addition, item: SourceId| match addition {
            Addition::Item(content) => is_value(self.new, item, content),
            Addition::Entry(..) => false,
        };
        items.len() == added.len()
            && items.iter().zip(added).all(|(item, addition)| is_meant(addition, *item))
    }
}

/// True if a node has this value.
fn is_value(tree: &SourceTree, id: SourceId, value: &Value) -> bool {
    match (&tree.node(id).value, value) {
        (SourceValue::Scalar(written), value) => match (written.as_f64(), value.as_f64()) {
            (Some(written), Some(value)) => written.to_bits() == value.to_bits(),
            _ => written == value,
        },
        (SourceValue::Mapping(entries), Value::Object(object)) => {
            entries.len() == object.len()
                && entries.iter().all(|entry| {
                    object.get(&entry.key).is_some_and(|value| is_value(tree, entry.value, value))
                })
        }
        (SourceValue::Sequence(items), Value::Array(array)) => {
            items.len() == array.len()
                && items.iter().zip(array).all(|(item, value)| is_value(tree, *item, value))
        }
        _ => false,
    }
}
