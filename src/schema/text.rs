//! Decisions about parameters and fields of forms, whose values are text: the kinds they are written as, and lists in one string.

use crate::schema::decide::{
    Decider, ListSchema, NumberSchema, SchemaNode, StringSchema, sensitive, string,
};
use crate::schema::graph::PlaceEvidence;
use crate::shape::form::FILE_CONTENT;
use crate::shape::formats::StringFormat;
use crate::shape::strings::Strings;

impl Decider<'_> {
    /// The schema of a place that holds single texts that are lists, or all written as one kind; `None` for other places.
    pub(super) fn text_place(place: &PlaceEvidence, name: &str) -> Option<SchemaNode> {
        let shape = &place.shape;
        if place.object.is_some() || shape.items.is_some() {
            return None;
        }
        if let Some((style, items)) = shape.separated_lists() {
            let item = as_written(&items).unwrap_or_else(|| SchemaNode {
                string: Some(string(&items, place, name)),
                sensitive: sensitive(&items, name),
                ..SchemaNode::default()
            });
            let list = ListSchema { item: Some(item), tuple: Vec::new() };
            let list = Some(Box::new(list));
            return Some(SchemaNode { list, style: Some(style), ..SchemaNode::default() });
        }
        let strings = shape.all_strings()?;
        if is_file(&strings) {
            let formats = vec!["binary"];
            let string = Some(StringSchema { formats, ..StringSchema::default() });
            return Some(SchemaNode { string, ..SchemaNode::default() });
        }
        as_written(&strings)
    }
}

/// True if every value is the content of a file.
fn is_file(strings: &Strings) -> bool {
    strings.is_closed()
        && strings.values.distinct() == 1
        && strings.values.iter().all(|value| &*value.text == FILE_CONTENT)
}

/// The kind that all texts are written as: whole numbers, numbers, or `true` and `false`. `None` if one of them is
/// empty or of another kind.
fn as_written(strings: &Strings) -> Option<SchemaNode> {
    let integers = strings.formats[StringFormat::Integer as usize];
    let decimals = strings.formats[StringFormat::Decimal as usize];
    if strings.count == 0 || strings.empty > 0 {
        return None;
    }
    if integers + decimals == strings.count {
        let number = if decimals > 0 { NumberSchema::Number } else { NumberSchema::Integer };
        return Some(SchemaNode { number: Some(number), ..SchemaNode::default() });
    }
    let is_truth = |text: &str| matches!(text, "true" | "false");
    let are_truths =
        strings.is_closed() && strings.values.iter().all(|value| is_truth(&value.text));
    are_truths.then(|| SchemaNode { boolean: true, ..SchemaNode::default() })
}
