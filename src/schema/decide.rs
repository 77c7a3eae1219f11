//! Decisions: from the places of a graph to schema trees. Pure functions of the evidence, the habits of the API and the rules.

use std::collections::BTreeSet;

use crate::schema::enumeration::{EnumEvidence, MIN_ENUM, may_be_enumeration};
use crate::schema::graph::{ObjectEvidence, ObjectId, PlaceEvidence, PlaceGraph, PlaceId};
use crate::schema::prior::Prior;
use crate::schema::sensitive::sensitive_name;
use crate::shape::formats::StringFormat;
use crate::shape::items::{Items, KindBit, MAX_POSITIONS};
use crate::shape::numbers::Numbers;
use crate::shape::sensitive::SensitiveKind;
use crate::shape::separated::ListStyle;
use crate::shape::strings::Strings;
use crate::shape::tags::{TAG_NAMES, Tag};
use crate::sketch::stable_hash;

/// Objects of one place that must have been seen before a field that all of them have is required.
const MIN_REQUIRED: u64 = 5;

/// Lists of one length that must have been seen before they are a tuple.
const MIN_TUPLES: u64 = 5;

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
#[expect(clippy::struct_excessive_bools, reason = "they do not exclude each other")]
pub(crate) struct SchemaNode {
    /// True if values were seen that nothing is known of: the place accepts everything.
    pub(crate) is_open: bool,
    pub(crate) nullable: bool,
    /// Whether null was seen. What is seen seldom is nullable without it.
    pub(crate) has_nulls: bool,
    pub(crate) boolean: bool,
    pub(crate) number: Option<NumberSchema>,
    pub(crate) string: Option<StringSchema>,
    pub(crate) list: Option<Box<ListSchema>>,
    pub(crate) object: Option<ObjectNode>,
    /// Fields that are required of the objects of this place, but not of the others of their component; sorted.
    pub(crate) required: Vec<String>,
    pub(crate) sensitive: Vec<&'static str>,
    /// The style of the list, if it is written in one string.
    pub(crate) style: Option<ListStyle>,
}

/// The objects of one place.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum ObjectNode {
    Inline(Box<ObjectSchema>),
    /// A component, which has a schema of its own.
    Component(ObjectId),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NumberSchema {
    Integer,
    Number,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct StringSchema {
    /// The formats that are stated: every value that is not empty has one of them. Empty if none is stated.
    pub(crate) formats: Vec<&'static str>,
    pub(crate) pattern: Option<&'static str>,
    /// Whether the empty string was seen, which has no format and matches no pattern.
    pub(crate) may_be_empty: bool,
    /// The values of an enumeration, sorted; empty if the values are free.
    pub(crate) values: Vec<String>,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct ListSchema {
    pub(crate) item: Option<SchemaNode>,
    /// The kind at each position, if all lists have one length and different kinds at their positions.
    pub(crate) tuple: Vec<&'static str>,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct ObjectSchema {
    /// The properties with their schemas, sorted by name.
    pub(crate) properties: Vec<(String, SchemaNode)>,
    /// The names of the required properties, sorted.
    pub(crate) required: Vec<String>,
    /// The properties that some objects had and others had not; sorted. What is seen seldom is not required without it.
    pub(crate) sometimes: Vec<String>,
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

/// Decides the schemas of one graph.
pub(crate) struct Decider<'g> {
    pub(crate) graph: &'g PlaceGraph,
    pub(crate) prior: &'g Prior,
    /// Objects that are decided apart, as components.
    pub(crate) components: &'g BTreeSet<ObjectId>,
    /// True if all values are text, so that their kinds are those that the text is written as: a form or a query.
    pub(crate) is_text: bool,
}

impl Decider<'_> {
    /// The schema of a message, or of the place with this name below one.
    pub(crate) fn place(&self, id: PlaceId, name: &str) -> SchemaNode {
        let place = self.graph.place(id);
        let shape = &place.shape;
        // Of a place that was only null nothing is known but that.
        if shape.opaque > 0 || place.not_null() == 0 {
            return SchemaNode { is_open: true, ..SchemaNode::default() };
        }
        if self.is_text
            && let Some(node) = Self::text_place(place, name)
        {
            return node;
        }
        let strings = shape.all_strings();
        let strings = strings.as_deref();
        SchemaNode {
            is_open: false,
            nullable: !self.is_text && self.is_nullable(place, name),
            has_nulls: shape.nulls > 0,
            boolean: shape.trues + shape.falses > 0,
            number: shape.numbers.as_deref().map(number),
            string: strings.map(|strings| string(strings, place, name)),
            list: shape.items.as_deref().map(|items| Box::new(self.list(place, items, name))),
            object: place.object.map(|object| self.object_node(object)),
            required: self.required_here(place),
            sensitive: strings.map(|strings| sensitive(strings, name)).unwrap_or_default(),
            style: None,
        }
    }

    /// True if a place is allowed to be null. A place at the top of a message is only what was seen.
    pub(crate) fn is_nullable(&self, place: &PlaceEvidence, name: &str) -> bool {
        place.shape.nulls > 0
            || (!name.is_empty() && self.prior.nullable_probability(place.seen()) > MIN_NULLABLE)
    }

    fn list(&self, place: &PlaceEvidence, items: &Items, name: &str) -> ListSchema {
        // Of lists that were always empty nothing is known.
        let item = place.item.filter(|item| self.graph.place(*item).seen() > 0);
        let tuple = item.map(|item| tuple(items, self.graph.place(item))).unwrap_or_default();
        ListSchema { item: item.map(|item| self.item(item, name)), tuple }
    }

    /// The schema of the items of a list, whose name is that of the list: `roles` are roles.
    fn item(&self, id: PlaceId, name: &str) -> SchemaNode {
        let mut node = self.place(id, name);
        // A list says null of an item far more seldom than a field does.
        node.nullable &= self.graph.place(id).shape.nulls > 0;
        node
    }

    fn object_node(&self, id: ObjectId) -> ObjectNode {
        let id = self.graph.object_root(id);
        if self.components.contains(&id) {
            return ObjectNode::Component(id);
        }
        ObjectNode::Inline(Box::new(self.object(id)))
    }

    /// The schema of an object that is written where it stands, or of a component.
    pub(crate) fn object(&self, id: ObjectId) -> ObjectSchema {
        let object = self.graph.object(id);
        // Names of parameters are names.
        if !self.is_text && object.is_map {
            return self.map(object);
        }
        let mut properties = Vec::new();
        let mut required = Vec::new();
        let mut sometimes = Vec::new();
        for (_, key, present, place) in object.keys() {
            let name = String::from_utf8_lossy(key).into_owned();
            if self.is_required(object, present) {
                required.push(name.clone());
            }
            if present < object.fields.count {
                sometimes.push(name.clone());
            }
            let node = self.place(place, &name);
            properties.push((name, node));
        }
        properties.sort_by(|a, b| a.0.cmp(&b.0));
        required.sort_unstable();
        sometimes.sort_unstable();
        let additional = object.rest.map(|rest| self.place(rest, ""));
        let union = self.union(object);
        ObjectSchema { properties, required, sometimes, additional, union }
    }

    /// True if a field that so many of the objects have is required.
    pub(crate) fn is_required(&self, object: &ObjectEvidence, present: u64) -> bool {
        let objects = object.fields.count;
        present == objects
            && objects >= MIN_REQUIRED
            && self.prior.optional_probability(objects) <= MAX_OPTIONAL
    }

    /// The fields that all objects of a place have, if they are enough, and that others of the same kind lack.
    pub(crate) fn required_here(&self, place: &PlaceEvidence) -> Vec<String> {
        let Some(id) = place.object.map(|id| self.graph.object_root(id)) else { return Vec::new() };
        let object = self.graph.object(id);
        let is_enough = place.objects >= MIN_REQUIRED
            && self.prior.optional_probability(place.objects) <= MAX_OPTIONAL;
        if !is_enough || object.is_map || !self.components.contains(&id) {
            return Vec::new();
        }
        let is_own = |hash: u64, present: u64| {
            place.always.binary_search(&hash).is_ok() && !self.is_required(object, present)
        };
        let own = object.keys().filter(|(hash, _, present, _)| is_own(*hash, *present));
        let mut names: Vec<String> =
            own.map(|(_, key, _, _)| String::from_utf8_lossy(key).into_owned()).collect();
        names.sort_unstable();
        names
    }

    /// The schema of an object that is a map: only fields that nearly every object has are named.
    fn map(&self, object: &ObjectEvidence) -> ObjectSchema {
        let named = object.keys().filter(|(_, _, present, _)| object.is_named(*present));
        let mut properties: Vec<(String, SchemaNode)> = named
            .map(|(_, key, _, place)| {
                let name = String::from_utf8_lossy(key).into_owned();
                (name.clone(), self.place(place, &name))
            })
            .collect();
        properties.sort_by(|a, b| a.0.cmp(&b.0));
        let additional = object.rest.map(|rest| self.place(rest, ""));
        ObjectSchema { properties, additional, ..ObjectSchema::default() }
    }

    /// The tagged union that explains most about which fields are present; `None` if no tag explains anything.
    fn union(&self, object: &ObjectEvidence) -> Option<UnionSchema> {
        let unions = object.fields.tags.iter().filter_map(|tag| self.union_by(tag, object));
        unions.max_by_key(|(gain, _)| *gain).map(|(_, union)| union)
    }

    fn union_by(&self, tag: &Tag, object: &ObjectEvidence) -> Option<(u64, UnionSchema)> {
        let name = *TAG_NAMES.get(usize::from(tag.name))?;
        let tagged: u64 = tag.values.iter().map(|entry| entry.value.count).sum();
        let values = tag.values.iter().count();
        let all_enough = tag.values.iter().all(|entry| entry.value.count >= MIN_TAGGED);
        // Every object has the tag, and every value of it is known, as far as one can tell.
        let is_closed = object.key(name.as_bytes()).is_some_and(|(_, place)| {
            let place = self.graph.place(place);
            let strings = place.shape.strings.as_deref();
            strings.is_some_and(|strings| is_enumeration(strings, place, name))
        });
        if !is_closed
            || tagged != object.fields.count
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
            for (hash, key, present, _) in object.keys() {
                let is_always = entry.value.present(hash) == entry.value.count;
                if is_always && self.prior.optional_probability(entry.value.count) <= MAX_OPTIONAL {
                    required.push(String::from_utf8_lossy(key).into_owned());
                    gain += u64::from(present < object.fields.count);
                }
            }
            required.sort_unstable();
            variants.push((String::from_utf8_lossy(&entry.key).into_owned(), required));
        }
        variants.sort_unstable();
        let is_kept = object.fields.keys.has_hash(stable_hash(name.as_bytes()));
        (gain > 0 && is_kept).then_some((gain, UnionSchema { tag: name, variants }))
    }
}

/// The kinds at the positions of lists that are tuples: all have one length, and the kinds at their positions are single
/// and not all equal. Empty if they are not tuples.
fn tuple(items: &Items, item: &PlaceEvidence) -> Vec<&'static str> {
    const KINDS: [(KindBit, &str); 3] =
        [(KindBit::Boolean, "boolean"), (KindBit::Number, "number"), (KindBit::String, "string")];

    let length = usize::try_from(items.longest).unwrap_or(usize::MAX);
    let is_plain = item.objects == 0 && item.shape.items.is_none() && item.shape.nulls == 0;
    if items.count < MIN_TUPLES
        || items.shortest != items.longest
        || !(2..=MAX_POSITIONS).contains(&length)
        || !is_plain
    {
        return Vec::new();
    }
    let kind = |bits: &u8| KINDS.iter().find(|(kind, _)| *kind as u8 == *bits).map(|(_, k)| *k);
    let kinds: Vec<&str> = items.first[..length].iter().filter_map(kind).collect();
    let is_tuple = kinds.len() == length && kinds.iter().any(|kind| *kind != kinds[0]);
    if is_tuple { kinds } else { Vec::new() }
}

fn number(numbers: &Numbers) -> NumberSchema {
    if numbers.fractions + numbers.zero_fractions > 0 {
        NumberSchema::Number
    } else {
        NumberSchema::Integer
    }
}

/// True if the values to come are among those that were seen.
pub(crate) fn is_enumeration(strings: &Strings, place: &PlaceEvidence, name: &str) -> bool {
    if place.rule.enumeration.is_none() && !may_be_enumeration(strings) {
        return false;
    }
    let Some(evidence) = EnumEvidence::of(strings, name) else { return false };
    place.rule.enumeration.unwrap_or_else(|| evidence.probability() >= MIN_ENUM)
}

pub(super) fn string(strings: &Strings, place: &PlaceEvidence, name: &str) -> StringSchema {
    let format = strings.format();
    let mut values: Vec<String> = Vec::new();
    if is_enumeration(strings, place, name) {
        values = strings.values.iter().map(|value| value.text.to_string()).collect();
        if strings.empty > 0 {
            values.push(String::new());
        }
        values.sort_unstable();
    }
    StringSchema {
        formats: formats(strings),
        pattern: format
            .filter(|_| strings.count >= MIN_PATTERN_COUNT)
            .filter(|format| *format == StringFormat::LooseDateTime)
            .and_then(StringFormat::pattern),
        may_be_empty: strings.empty > 0,
        values,
    }
}

/// The formats that are stated: all that the strings have, if each has a keyword and was seen often enough.
fn formats(strings: &Strings) -> Vec<&'static str> {
    let found = strings.covering_formats();
    let stated = found.iter().filter(|format| states_format(**format, strings));
    let keywords: Vec<&str> = stated.filter_map(|format| format.keyword()).collect();
    if keywords.len() == found.len() { keywords } else { Vec::new() }
}

/// Returns `true` if a format was seen often enough to be stated.
fn states_format(format: StringFormat, strings: &Strings) -> bool {
    const MIN_CHANCE_FORMAT: u64 = 3;

    let may_be_chance = matches!(
        format,
        StringFormat::Date
            | StringFormat::Ipv4
            | StringFormat::Ipv6
            | StringFormat::Email
            | StringFormat::Uri
    );
    strings.formats[format as usize] >= if may_be_chance { MIN_CHANCE_FORMAT } else { 1 }
}

/// The kinds of sensitive content at a place, by its values and by its name.
pub(super) fn sensitive(strings: &Strings, name: &str) -> Vec<&'static str> {
    let mut kinds: Vec<&'static str> = SensitiveKind::ALL
        .into_iter()
        .filter(|kind| strings.sensitive[*kind as usize] * 2 > strings.count - strings.empty)
        .map(SensitiveKind::name)
        .collect();
    kinds.extend(sensitive_name(name, strings));
    kinds.dedup();
    kinds
}
