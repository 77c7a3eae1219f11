//! Parameters of a request as values that schemas apply to.

use std::borrow::Cow;

use crate::description::operation::{ApiParameter, ParameterStyle};
use crate::description::schema::{KindSet, SchemaId, SchemaSet};
use crate::drift::value::MessageValue;

/// Pairs of one query or form that are looked at.
const MAX_PAIRS: usize = 1024;

/// The pairs of a query or form, decoded.
pub(super) type FormPairs<'q> = Vec<(Cow<'q, str>, Cow<'q, str>)>;

/// Reads `application/x-www-form-urlencoded`.
pub(super) fn pairs(text: &[u8]) -> FormPairs<'_> {
    url::form_urlencoded::parse(text).take(MAX_PAIRS).collect()
}

/// A text as the schema expects it: a number or a boolean where it is written as one and the schema allows that.
pub(super) fn coerce_to_schema<'t>(
    set: &SchemaSet,
    schema: Option<SchemaId>,
    text: Cow<'t, str>,
) -> MessageValue<'t> {
    let kinds = schema.map_or(KindSet::STRING, |schema| set.kinds(schema));
    let is_number = kinds.intersects(KindSet::INTEGER.or(KindSet::FRACTION));
    if is_number
        && let Some(number @ (MessageValue::Integer(_) | MessageValue::Number(_))) =
            number_of(&text)
    {
        return number;
    }
    // A part of a multipart body, or a parameter, whose schema is a structure is JSON.
    let is_structure = kinds.intersects(KindSet::OBJECT.or(KindSet::ARRAY));
    if is_structure
        && !kinds.intersects(KindSet::STRING)
        && text.trim_start().starts_with(['{', '['])
        && let Ok(value) = serde_json::from_str::<serde_json::Value>(&text)
    {
        return to_message_value(&value);
    }
    if kinds.intersects(KindSet::BOOLEAN) && matches!(&*text, "true" | "false") {
        return MessageValue::Boolean(text == "true");
    }
    if kinds.intersects(KindSet::NULL)
        && !kinds.intersects(KindSet::STRING)
        && (text.is_empty() || text == "null")
    {
        return MessageValue::Null;
    }
    MessageValue::Text(text)
}

/// A number as forms write it, which may have zeros in front.
fn number_of(text: &str) -> Option<MessageValue<'static>> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    if !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return text
            .parse()
            .ok()
            .map(MessageValue::Integer)
            .or_else(|| text.parse().ok().map(MessageValue::Number));
    }
    match serde_json::from_str::<MessageValue<'_>>(text).ok()? {
        MessageValue::Integer(number) => Some(MessageValue::Integer(number)),
        MessageValue::Number(number) => Some(MessageValue::Number(number)),
        _ => None,
    }
}

/// The value of a parameter that was sent in these pairs; `None` if it was not. Calls `used` with the index of each pair that
/// belongs to it.
pub(super) fn value_of<'q>(
    set: &SchemaSet,
    parameter: &ApiParameter,
    pairs: &FormPairs<'q>,
    mut used: impl FnMut(usize),
) -> Option<MessageValue<'q>> {
    let schema = parameter.schema;
    match parameter.style {
        ParameterStyle::Deep => {
            let mut members = FormPairs::new();
            for (index, (name, value)) in pairs.iter().enumerate() {
                let Some(rest) = name.strip_prefix(&*parameter.name) else { continue };
                let Some(member) = rest.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'))
                else {
                    continue;
                };
                used(index);
                // Members of members are not looked at.
                if !member.contains(['[', ']']) {
                    members.push((Cow::Owned(member.to_owned()), value.clone()));
                }
            }
            (!members.is_empty()).then(|| form_value(set, schema, members))
        }
        ParameterStyle::Members => {
            let mut members = Vec::new();
            for (index, (name, value)) in pairs.iter().enumerate() {
                let of_member = schema.and_then(|schema| property(set, schema, name));
                if of_member.is_some() || **name == *parameter.name {
                    used(index);
                    members.push((name.clone(), coerce_to_schema(set, of_member, value.clone())));
                }
            }
            (!members.is_empty()).then(|| MessageValue::object(members))
        }
        style => {
            let is_list = schema.is_some_and(|schema| {
                let kinds = set.kinds(schema);
                kinds.intersects(KindSet::ARRAY)
            });
            let is_only_list =
                schema.is_some_and(|schema| !set.kinds(schema).intersects(KindSet::STRING));
            let bracketed =
                |name: &str| is_list && name.strip_suffix("[]") == Some(&*parameter.name);
            let mut values = Vec::new();
            for (index, (name, value)) in pairs.iter().enumerate() {
                if **name == *parameter.name || bracketed(name) {
                    used(index);
                    values.push(value.clone());
                }
            }
            let first = values.first()?.clone();
            if let (ParameterStyle::Separated(separator), Some(schema)) = (style, schema)
                && is_object(set, schema)
            {
                return Some(members_of_text(set, schema, &first, separator));
            }
            if style == ParameterStyle::Json {
                let parsed = serde_json::from_str::<serde_json::Value>(&first).ok();
                return Some(
                    parsed.map_or(MessageValue::Text(first), |value| to_message_value(&value)),
                );
            }
            if !is_list
                || (values.len() == 1
                    && !is_only_list
                    && style == ParameterStyle::Repeated
                    && !parameter.name.ends_with("[]"))
            {
                return Some(coerce_to_schema(set, schema, first));
            }
            let item = schema.and_then(|schema| items(set, schema));
            let texts: Vec<Cow<'q, str>> = match style {
                ParameterStyle::Separated(separator) => values
                    .iter()
                    .flat_map(|value| {
                        value.split(separator).map(|part| Cow::Owned(part.to_owned()))
                    })
                    .collect(),
                _ => values,
            };
            Some(MessageValue::List(
                texts.into_iter().map(|text| coerce_to_schema(set, item, text)).collect(),
            ))
        }
    }
}

/// The value of a parameter that is one text: in the path, a header or a cookie.
pub(super) fn value_of_text<'t>(
    set: &SchemaSet,
    parameter: &ApiParameter,
    text: Cow<'t, str>,
) -> MessageValue<'t> {
    let Some(schema) = parameter.schema else { return MessageValue::Text(text) };
    let kinds = set.kinds(schema);
    if parameter.style == ParameterStyle::Json {
        let parsed = serde_json::from_str::<serde_json::Value>(&text).ok();
        return parsed.map_or(MessageValue::Text(text), |value| to_message_value(&value));
    }
    let (text, separator) = match parameter.style {
        ParameterStyle::Label => {
            let rest = text.strip_prefix('.').unwrap_or(&text).to_owned();
            let separator = if rest.contains(',') { ',' } else { '.' };
            (Cow::Owned(rest), separator)
        }
        ParameterStyle::Matrix => {
            let rest = text.strip_prefix(';').unwrap_or(&text);
            let own = format!("{}=", parameter.name);
            // The name stands before the value, and with `explode` before each item.
            let parts = rest.split(';').map(|part| part.strip_prefix(&own).unwrap_or(part));
            (Cow::Owned(parts.collect::<Vec<_>>().join(",")), ',')
        }
        _ => (text, ','),
    };
    if is_object(set, schema) {
        return members_of_text(set, schema, &text, separator);
    }
    if kinds.intersects(KindSet::ARRAY) && !kinds.intersects(KindSet::STRING) {
        let item = items(set, schema);
        let parts = text
            .split(separator)
            .map(|part| coerce_to_schema(set, item, Cow::Owned(part.trim().to_owned())));
        return MessageValue::List(parts.collect());
    }
    coerce_to_schema(set, Some(schema), text)
}

/// True if values are objects and nothing that one text could be.
fn is_object(set: &SchemaSet, schema: SchemaId) -> bool {
    let kinds = set.kinds(schema);
    kinds.intersects(KindSet::OBJECT) && !kinds.intersects(KindSet::STRING.or(KindSet::ARRAY))
}

/// An object in one text: names and values in turn, or with `explode` pairs with `=`.
fn members_of_text<'t>(
    set: &SchemaSet,
    schema: SchemaId,
    text: &str,
    separator: char,
) -> MessageValue<'t> {
    if text.trim_start().starts_with('{') {
        return coerce_to_schema(set, Some(schema), Cow::Owned(text.to_owned()));
    }
    let parts: Vec<&str> = text.split(separator).take(MAX_PAIRS).collect();
    let are_pairs = parts.iter().all(|part| part.contains('='));
    // A text of another form has no names, but values.
    if !are_pairs && !parts.len().is_multiple_of(2) {
        return MessageValue::Text(Cow::Owned(text.to_owned()));
    }
    let pairs: Vec<(&str, &str)> = if are_pairs {
        parts.iter().filter_map(|part| part.split_once('=')).collect()
    } else {
        parts.chunks(2).map(|pair| (pair[0], pair.get(1).copied().unwrap_or_default())).collect()
    };
    let mut is_known = false;
    let members: Vec<_> = pairs
        .into_iter()
        .map(|(name, value)| {
            let own = property(set, schema, name);
            is_known |= own.is_some_and(|own| !set.get(own).is_never);
            let value = coerce_to_schema(set, own, Cow::Owned(value.to_owned()));
            (Cow::Owned(name.to_owned()), value)
        })
        .collect();
    // Where the schema knows no name, they are hardly names: what is not known as a name is not shown as one.
    if is_known {
        MessageValue::object(members)
    } else {
        MessageValue::Text(Cow::Owned(text.to_owned()))
    }
}

/// A form as an object: fields that come more than once are lists.
pub(super) fn form_value<'q>(
    set: &SchemaSet,
    schema: Option<SchemaId>,
    pairs: FormPairs<'q>,
) -> MessageValue<'q> {
    let mut grouped: Vec<(Cow<'q, str>, Vec<Cow<'q, str>>)> = Vec::new();
    let mut by_name = std::collections::BTreeMap::new();
    for (name, value) in pairs {
        let at = *by_name.entry(name.clone()).or_insert_with(|| {
            grouped.push((name, Vec::new()));
            grouped.len() - 1
        });
        grouped[at].1.push(value);
    }
    let members = grouped.into_iter().map(|(name, values)| {
        let own = schema.and_then(|schema| property(set, schema, &name));
        let is_list = own.is_some_and(|own| {
            let kinds = set.kinds(own);
            kinds.intersects(KindSet::ARRAY)
                && (!kinds.intersects(KindSet::STRING) || values.len() > 1)
        });
        let value = match (is_list || values.len() > 1 || name.ends_with("[]"), values) {
            (true, values) => {
                let item = own.and_then(|own| items(set, own));
                // A list may be written in one text, if its items have no commas.
                let is_of_text =
                    item.is_none_or(|item| set.kinds(item).intersects(KindSet::STRING));
                let is_one_text = !is_of_text && values.len() == 1 && values[0].contains(',');
                let texts: Vec<Cow<'q, str>> = if is_one_text {
                    values[0].split(',').map(|part| Cow::Owned(part.to_owned())).collect()
                } else {
                    values
                };
                MessageValue::List(
                    texts.into_iter().map(|text| coerce_to_schema(set, item, text)).collect(),
                )
            }
            (false, values) => {
                coerce_to_schema(set, own, values.into_iter().next().unwrap_or_default())
            }
        };
        (name, value)
    });
    MessageValue::object(members.collect())
}

/// The schema of a property, also behind references and combinations.
fn property(set: &SchemaSet, schema: SchemaId, name: &str) -> Option<SchemaId> {
    find(set, schema, 8, &|set, id| {
        set.get(id)
            .object
            .as_deref()
            .and_then(|rules| rules.properties.get(name).copied().or(rules.additional))
    })
}

/// The schema of the items of a list.
fn items(set: &SchemaSet, schema: SchemaId) -> Option<SchemaId> {
    find(set, schema, 8, &|set, id| set.get(id).list.as_deref().and_then(|rules| rules.rest))
}

fn find(
    set: &SchemaSet,
    id: SchemaId,
    depth: u8,
    of: &dyn Fn(&SchemaSet, SchemaId) -> Option<SchemaId>,
) -> Option<SchemaId> {
    if let Some(found) = of(set, id) {
        return Some(found);
    }
    if depth == 0 {
        return None;
    }
    let schema = set.get(id);
    let branches = schema.branches.iter().flat_map(|b| b.all.iter().chain(&b.any).chain(&b.one));
    schema.reference.iter().chain(branches).find_map(|next| find(set, *next, depth - 1, of))
}

fn to_message_value(value: &serde_json::Value) -> MessageValue<'static> {
    match value {
        serde_json::Value::Null => MessageValue::Null,
        serde_json::Value::Bool(value) => MessageValue::Boolean(*value),
        serde_json::Value::Number(number) => number.as_i64().map_or_else(
            || MessageValue::Number(number.as_f64().unwrap_or(f64::MAX)),
            MessageValue::Integer,
        ),
        serde_json::Value::String(text) => MessageValue::Text(Cow::Owned(text.clone())),
        serde_json::Value::Array(items) => {
            MessageValue::List(items.iter().map(to_message_value).collect())
        }
        serde_json::Value::Object(members) => MessageValue::object(
            members
                .iter()
                .map(|(name, value)| (Cow::Owned(name.clone()), to_message_value(value)))
                .collect(),
        ),
    }
}
