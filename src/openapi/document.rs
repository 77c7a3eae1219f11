//! The description of one host.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

use crate::openapi::client_names::set_client_names;
use crate::openapi::cycles::unfold_cycles;
use crate::openapi::dialect::convert_to_dialect;
use crate::openapi::duplicates::merge_equal_components;
use crate::openapi::links::{LinkedOperation, add_links};
use crate::openapi::names::{OperationKey, name_operations};
use crate::openapi::operation::{COMPONENTS, OperationInput};
use crate::openapi::security::{SecuritySchemes, oauth_flows};
use crate::openapi::servers::{base_path, server, server_url, with_parameters};

use crate::openapi::{OpenApiOptions, OpenApiVersion};
use crate::report::Pattern;
use crate::schema::Schemas;
use crate::schema::emit::Emitter;
use crate::schema::graph::{ObjectId, PlaceId};
use crate::schema::host::HostSchemas;
use crate::shape::messages::{Direction, MessageKey};

/// The methods that a path item has, in the order in which people write them.
const METHODS: [&str; 8] = ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "TRACE"];

/// Describes a host by its endpoints; `hosts` are all hosts of the report.
pub(super) fn describe(
    host: &str,
    patterns: &[&Pattern],
    hosts: &[(&str, Vec<&Pattern>)],
    schemas: &Schemas,
    options: OpenApiOptions,
) -> Value {
    let base = base_path(patterns);
    let operations = operations(patterns, &base);
    let keys: Vec<OperationKey> = operations
        .iter()
        .map(|((path, method), patterns)| OperationKey {
            method: METHODS[*method],
            path,
            answers_one: patterns.iter().all(|pattern| answers_one(pattern, schemas)),
            creates: patterns.iter().any(|pattern| pattern.status_codes.contains_key("201")),
        })
        .collect();
    let names = name_operations(&keys);
    let mut security = SecuritySchemes::new(oauth_flows(host, hosts, schemas));
    let mut references = BTreeSet::new();
    let mut paths: Map<String, Value> = Map::new();
    for (((path, method), patterns), names) in operations.iter().zip(&names) {
        let path_names = &path_names_of(path);
        let input = OperationInput { patterns, schemas, names, path_names, options };
        let operation = input.describe(&mut security, &mut references);
        let item = paths.entry(path.clone()).or_insert_with(|| json!({}));
        item[METHODS[*method].to_ascii_lowercase()] = operation;
    }
    let linked = operations
        .iter()
        .zip(&names)
        .map(|(((path, method), patterns), names)| LinkedOperation {
            path,
            method: METHODS[*method].to_ascii_lowercase(),
            patterns,
            names,
            path_names: path_names_of(path),
        })
        .collect::<Vec<_>>();
    // A description that people have edited has ids of its own, which are not known here.
    if !options.observations {
        add_links(&linked, &mut paths);
    }
    let tags: BTreeSet<&str> = names.iter().map(|names| &*names.tag).collect();
    let tags: Vec<Value> = tags
        .into_iter()
        .map(|tag| json!({ "name": tag, "description": format!("Operations on {tag}.") }))
        .collect();
    let host_schemas = patterns.iter().find_map(|pattern| Some(schemas.get(&pattern.id)?.0));
    let mut components = Map::new();
    if let Some(host_schemas) = host_schemas {
        let mut definitions = definitions(host_schemas, schemas, references, options);
        merge_equal_components(&mut definitions, &mut paths);
        if !definitions.is_empty() {
            components.insert("schemas".to_owned(), Value::Object(definitions));
        }
    }
    let security = security.into_value();
    if !security.is_empty() {
        components.insert("securitySchemes".to_owned(), Value::Object(security));
    }
    let version = if options.version == OpenApiVersion::V3_0 { "3.0.3" } else { "3.1.0" };
    let about = "Inferred from captured traffic. It states what was seen; there may be more.";
    let mut out = Map::new();
    out.insert("openapi".to_owned(), json!(version));
    let info = json!({ "title": host, "description": about, "version": "0.0.0" });
    out.insert("info".to_owned(), info);
    let url = server_url(host, &base, patterns, schemas);
    out.insert("servers".to_owned(), json!([server(&url)]));
    out.insert("tags".to_owned(), Value::Array(tags));
    out.insert("paths".to_owned(), Value::Object(paths));
    if !components.is_empty() {
        out.insert("components".to_owned(), Value::Object(components));
    }
    let mut out = Value::Object(out);
    set_client_names(&mut out);
    out
}

/// True if the successful answers of an endpoint are objects without a list: one thing, and not several.
fn answers_one(pattern: &Pattern, schemas: &Schemas) -> bool {
    let Some((host, endpoint)) = schemas.get(&pattern.id) else { return false };
    let is_successful =
        |key: &MessageKey| key.direction == Direction::Response && (200..300).contains(&key.status);
    let mut places = endpoint.bodies.iter().filter(|(key, _, _)| is_successful(key)).peekable();
    let is_list = |place: PlaceId| host.graph.place(place).item.is_some();
    places.peek().is_some()
        && places.all(|(_, _, place)| {
            let Some(object) = host.graph.place(*place).object else { return false };
            !is_list(*place)
                && !host.graph.object(object).keys().any(|(_, _, _, child)| is_list(child))
        })
}

/// The endpoints by path without base and method (an index into [`METHODS`]); sorted by both. Endpoints whose method no path
/// item has are left out.
fn operations<'p>(
    patterns: &[&'p Pattern],
    base: &str,
) -> BTreeMap<(String, usize), Vec<&'p Pattern>> {
    let mut operations: BTreeMap<(String, usize), Vec<&Pattern>> = BTreeMap::new();
    // Paths that differ only in the names of their parameters are one path: the first names stay.
    let mut shapes: BTreeMap<String, String> = BTreeMap::new();
    for pattern in patterns {
        let method = METHODS.iter().position(|method| *method == pattern.method);
        let (Some(method), Some(rest)) = (method, pattern.path_pattern.strip_prefix(base)) else {
            continue;
        };
        if pattern.path_pattern.is_empty() {
            continue;
        }
        let path = written_path(rest);
        let shape: String = path
            .split('{')
            .map(|part| part.split_once('}').map_or(part, |(_, rest)| rest))
            .collect::<Vec<_>>()
            .join("{}");
        let path = shapes.entry(shape).or_insert(path).clone();
        operations.entry((path, method)).or_default().push(pattern);
    }
    operations
}

/// A path as OpenAPI writes it: parameters that span segments are plain ones, and text that is not shown is a parameter.
fn written_path(path: &str) -> String {
    let path = with_parameters(&path.replace("+}", "}"));
    let path = path.replace(['?', '#'], "_");
    if path.is_empty() { "/".to_owned() } else { path }
}

/// The names of the parameters in a path, in order.
fn path_names_of(path: &str) -> Vec<String> {
    let names = path.split('{').skip(1).filter_map(|part| part.split_once('}'));
    names.map(|(name, _)| name.to_owned()).collect()
}

/// The components that operations refer to, and those that these refer to, by name.
fn definitions(
    host: &HostSchemas,
    schemas: &Schemas,
    mut open: BTreeSet<ObjectId>,
    options: OpenApiOptions,
) -> Map<String, Value> {
    let emitter = Emitter {
        names: &host.components.names,
        prefix: COMPONENTS,
        has_observations: options.observations,
    };
    let decider = host.named_decider(&schemas.prior);
    let mut found = BTreeMap::new();
    let mut seen = BTreeSet::new();
    while let Some(id) = open.pop_first() {
        let Some(name) = host.components.names.get(&id).filter(|_| seen.insert(id)) else {
            continue;
        };
        let object = decider.object(id);
        object.add_references(&mut open);
        let mut schema = Map::new();
        schema.insert("type".to_owned(), json!("object"));
        schema.extend(emitter.of_object(&object, true));
        let mut schema = Value::Object(schema);
        convert_to_dialect(options.version, &mut schema);
        found.insert(name.clone(), schema);
    }
    let mut definitions = found.into_iter().collect();
    unfold_cycles(&mut definitions);
    definitions
}
