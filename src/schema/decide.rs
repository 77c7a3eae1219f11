//! Decisions: from a shape to a schema tree. Pure functions of the shape, the habits of the API and the options.

use crate::schema::SchemaOptions;
use crate::schema::enumeration::{EnumEvidence, IS_ENUM};
use crate::schema::map::is_map;
use crate::schema::prior::Prior;
use crate::schema::sensitive::sensitive_name;
use crate::shape::Shape;
use crate::shape::fields::Fields;
use crate::shape::formats::StringFormat;
use crate::shape::items::Items;
use crate::shape::numbers::Numbers;
use crate::shape::sensitive::SensitiveKind;
use crate::shape::strings::Strings;
use crate::shape::tags::{TAG_NAMES, Tag};
use crate::sketch::{Merge, stable_hash};

/// Up to this probability that a field is optional it is required.
const MAX_OPTIONAL: f64 = 0.02;

/// From this probability on a place that was never null is allowed to be.
const MIN_NULLABLE: f64 = 0.012;

/// Strings that must have a format that is described by a pattern, before the pattern is stated.
const MIN_PATTERN_COUNT: u64 = 10;

/// Objects of each tag value before a union is stated, and the number of such values.
const MIN_TAGGED: u64 = 3;

/// A decided schema of one place.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct SchemaNode {
    /// True if values were seen that nothing is known of: the place accepts everything.
    pub(crate) is_open: bool,
    pub(crate) nullable: bool,
    pub(crate) boolean: bool,
    pub(crate) number: Option<NumberSchema>,
    pub(crate) string: Option<StringSchema>,
    pub(crate) list: Option<Box<ListSchema>>,
    pub(crate) object: Option<Box<ObjectSchema>>,
    pub(crate) sensitive: Vec<&'static str>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NumberSchema {
    Integer,
    Number,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct StringSchema {
    pub(crate) format: Option<&'static str>,
    pub(crate) pattern: Option<&'static str>,
    /// Whether the empty string was seen, which has no format and matches no pattern.
    pub(crate) may_be_empty: bool,
    /// Sorted; empty if the values are free.
    pub(crate) values: Vec<String>,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct ListSchema {
    pub(crate) item: Option<SchemaNode>,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct ObjectSchema {
    /// Sorted by name.
    pub(crate) properties: Vec<(String, SchemaNode)>,
    /// Sorted.
    pub(crate) required: Vec<String>,
    /// The schema of fields that are not named; `None` if nothing is known of them.
    pub(crate) additional: Option<SchemaNode>,
    pub(crate) union: Option<UnionSchema>,
}

/// Objects that are told apart by the value of a tag.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct UnionSchema {
    pub(crate) tag: &'static str,
    /// Value of the tag and the fields that all objects with it have; sorted by value.
    pub(crate) variants: Vec<(String, Vec<String>)>,
}

/// Decides the schema of a place.
pub(crate) fn decide(shape: &Shape, prior: &Prior, options: SchemaOptions) -> SchemaNode {
    Decider { prior, options, is_text: false }.place(shape, "")
}

/// Decides the schema of a form or a query, whose values are text: what is always written as a number is one.
pub(crate) fn decide_text(shape: &Shape, prior: &Prior, options: SchemaOptions) -> SchemaNode {
    Decider { prior, options, is_text: true }.place(shape, "")
}

struct Decider<'p> {
    prior: &'p Prior,
    options: SchemaOptions,
    /// True if all values are text, so that their kinds are those that the text is written as.
    is_text: bool,
}

impl Decider<'_> {
    fn place(&self, shape: &Shape, name: &str) -> SchemaNode {
        // Of a place that was only null nothing is known but that.
        if shape.opaque > 0 || shape.not_null() == 0 {
            return SchemaNode { is_open: true, ..SchemaNode::default() };
        }
        let may_be_null = shape.nulls > 0
            || (!name.is_empty() && self.prior.is_nullable(shape.seen()) > MIN_NULLABLE);
        if self.is_text
            && let Some(node) = shape.strings.as_deref().and_then(as_written)
            && shape.fields.is_none()
            && shape.items.is_none()
        {
            return node;
        }
        SchemaNode {
            is_open: false,
            nullable: may_be_null && !self.is_text,
            boolean: shape.trues + shape.falses > 0,
            number: shape.numbers.as_deref().map(number),
            string: shape.strings.as_deref().map(|strings| string(strings, name)),
            list: shape.items.as_deref().map(|items| Box::new(self.list(items, name))),
            object: shape.fields.as_deref().map(|fields| Box::new(self.object(fields, name))),
            sensitive: shape.strings.as_deref().map(|s| sensitive(s, name)).unwrap_or_default(),
        }
    }

    fn list(&self, items: &Items, name: &str) -> ListSchema {
        // Of lists that were always empty nothing is known.
        let item = (items.item.seen() > 0).then(|| self.item(&items.item, name));
        ListSchema { item }
    }

    /// The schema of the items of a list, whose name is that of the list: `roles` are roles.
    fn item(&self, shape: &Shape, name: &str) -> SchemaNode {
        let mut node = self.place(shape, name);
        // A list says null of an item far more seldom than a field does.
        node.nullable &= shape.nulls > 0;
        node
    }

    fn object(&self, fields: &Fields, name: &str) -> ObjectSchema {
        // Names of parameters are names.
        if !self.is_text && is_map(fields, name) {
            return self.map(fields);
        }
        let mut properties = Vec::new();
        let mut required = Vec::new();
        for (_, key, field) in fields.iter() {
            let name = String::from_utf8_lossy(key).into_owned();
            let is_required = field.present == fields.count
                && fields.count >= self.options.required_from
                && self.prior.is_optional(fields.count) <= MAX_OPTIONAL;
            if is_required {
                required.push(name.clone());
            }
            let node = self.place(&field.shape, &name);
            properties.push((name, node));
        }
        properties.sort_by(|a, b| a.0.cmp(&b.0));
        required.sort_unstable();
        let additional = (fields.rest().seen() > 0).then(|| self.place(fields.rest(), ""));
        ObjectSchema { properties, required, additional, union: self.union(fields) }
    }

    /// All fields are values of one map, but for those that nearly every object has.
    fn map(&self, fields: &Fields) -> ObjectSchema {
        let mut values = fields.rest().clone();
        let mut properties = Vec::new();
        for (_, key, field) in fields.iter() {
            if is_named_beside_map(field.present, fields.count) {
                let name = String::from_utf8_lossy(key).into_owned();
                properties.push((name.clone(), self.place(&field.shape, &name)));
            } else {
                values.merge(field.shape.clone());
            }
        }
        properties.sort_by(|a, b| a.0.cmp(&b.0));
        let additional = (values.seen() > 0).then(|| self.place(&values, ""));
        ObjectSchema { properties, required: Vec::new(), additional, union: None }
    }
}

impl Decider<'_> {
    /// The tagged union that explains most about which fields are present; `None` if no tag explains anything.
    fn union(&self, fields: &Fields) -> Option<UnionSchema> {
        let unions = fields.tags.iter().filter_map(|tag| self.union_by(tag, fields));
        unions.max_by_key(|(gain, _)| *gain).map(|(_, union)| union)
    }

    fn union_by(&self, tag: &Tag, fields: &Fields) -> Option<(u64, UnionSchema)> {
        let name = *TAG_NAMES.get(usize::from(tag.name))?;
        let tagged: u64 = tag.values.iter().map(|entry| entry.value.count).sum();
        let values = tag.values.iter().count();
        let all_enough = tag.values.iter().all(|entry| entry.value.count >= MIN_TAGGED);
        // Every object has the tag, and every value of it is known, as far as one can tell.
        let is_closed = fields.iter().find(|(_, key, _)| *key == name.as_bytes()).is_some_and(
            |(_, _, field)| {
                let strings = field.shape.strings.as_deref();
                strings.is_some_and(|strings| is_enumeration(strings, name))
            },
        );
        if !is_closed
            || tagged != fields.count
            || tag.untagged > 0
            || tag.values.rest.count > 0
            || values < 2
            || !all_enough
        {
            return None;
        }
        let mut gain = 0;
        let mut variants = Vec::new();
        for entry in tag.values.iter() {
            let mut required: Vec<String> = Vec::new();
            for (hash, key, field) in fields.iter() {
                let is_always = entry.value.present(hash) == entry.value.count;
                if is_always && self.prior.is_optional(entry.value.count) <= MAX_OPTIONAL {
                    required.push(String::from_utf8_lossy(key).into_owned());
                    gain += u64::from(field.present < fields.count);
                }
            }
            required.sort_unstable();
            variants.push((String::from_utf8_lossy(&entry.key).into_owned(), required));
        }
        variants.sort_unstable();
        let is_kept = fields.keys.has_hash(stable_hash(name.as_bytes()));
        (gain > 0 && is_kept).then_some((gain, UnionSchema { tag: name, variants }))
    }
}

/// A field that nearly every object has is named, also where the others are a map.
fn is_named_beside_map(present: u64, objects: u64) -> bool {
    objects >= 3 && present * 20 >= objects * 19
}

fn number(numbers: &Numbers) -> NumberSchema {
    if numbers.fractions > 0 { NumberSchema::Number } else { NumberSchema::Integer }
}

/// The kind that all texts are written as: whole numbers, numbers, or `true` and `false`. (An empty text is none.)
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

/// True if the values to come are among those that were seen.
fn is_enumeration(strings: &Strings, name: &str) -> bool {
    EnumEvidence::of(strings, name).is_some_and(|evidence| evidence.probability() >= IS_ENUM)
}

fn string(strings: &Strings, name: &str) -> StringSchema {
    let format = strings.format();
    let mut values: Vec<String> = Vec::new();
    if is_enumeration(strings, name) {
        values = strings.values.iter().map(|value| value.text.to_string()).collect();
        if strings.empty > 0 {
            values.push(String::new());
        }
        values.sort_unstable();
    }
    StringSchema {
        format: format
            .filter(|format| states_format(*format, strings))
            .and_then(StringFormat::keyword),
        pattern: format
            .filter(|_| strings.count >= MIN_PATTERN_COUNT)
            .filter(|format| *format == StringFormat::LooseDateTime)
            .and_then(StringFormat::pattern),
        may_be_empty: strings.empty > 0,
        values,
    }
}

/// Formats that a word or a number may have by chance are stated when they were seen a few times.
fn states_format(format: StringFormat, strings: &Strings) -> bool {
    const FEW: u64 = 3;

    let may_be_chance = matches!(
        format,
        StringFormat::Date
            | StringFormat::Ipv4
            | StringFormat::Ipv6
            | StringFormat::Email
            | StringFormat::Uri
    );
    strings.count - strings.empty >= if may_be_chance { FEW } else { 1 }
}

/// The kinds of sensitive content at a place, by its values and by its name.
fn sensitive(strings: &Strings, name: &str) -> Vec<&'static str> {
    let mut kinds: Vec<&'static str> = SensitiveKind::ALL
        .into_iter()
        .filter(|kind| strings.sensitive[*kind as usize] * 2 > strings.count - strings.empty)
        .map(SensitiveKind::name)
        .collect();
    kinds.extend(sensitive_name(name, strings));
    kinds.dedup();
    kinds
}
