//! Adds paths and operations, and what operations lack: bodies, statuses, media types.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use crate::openapi::merge::addresses::{PathIndex, PathPlace, base_of, parameter_names};
use crate::openapi::merge::merger::Merger;
use crate::openapi::merge::schemas::SchemaUse;
use crate::openapi::merge::tree::{SourceId, SourceTree};

/// The methods of a path item.
const METHODS: [&str; 8] = ["get", "put", "post", "delete", "options", "head", "patch", "trace"];

/// A path item of the description and the names of its parameters.
pub(super) struct PathItem {
    /// `None` for one that is added.
    pub(super) id: Option<SourceId>,
    pub(super) names: Vec<String>,
}

impl<'m> Merger<'m> {
    /// Compares all paths; the components that were needed come last.
    pub(super) fn compare_paths(&mut self) {
        let api = self.input.api;
        self.operation_ids = operation_ids(self.tree);
        let index = PathIndex::new(self.tree, self.input.host);
        let base = base_of(api);
        for (path, own) in api["paths"].as_object().into_iter().flatten() {
            let Some(operations) = own.as_object() else { continue };
            match index.place_of(&format!("{base}{path}")) {
                PathPlace::Known(key, id) => self.known_path((path, &key), operations, id),
                PathPlace::New(key) => self.new_path((path, &key), operations),
                PathPlace::Outside => {
                    let servers = self.tree.get(SourceId::ROOT, "servers");
                    let what = "no URL in `servers` leads to this path; add one and merge again";
                    self.conflict(
                        servers.unwrap_or(SourceId::ROOT),
                        &format!("{base}{path}"),
                        what,
                    );
                }
            }
        }
        self.compare_components();
    }

    fn new_path(&mut self, (own_path, path): (&str, &str), operations: &'m Map<String, Value>) {
        let item = PathItem { id: None, names: parameter_names(path) };
        let described = |merger: &mut Self| {
            let mut out = Map::new();
            for (method, own) in operations {
                out.insert(method.clone(), merger.new_operation(own, own_path, &item)?);
            }
            Some(Value::Object(out))
        };
        match self.tree.get(SourceId::ROOT, "paths") {
            Some(paths) => self.add(paths, ("path", "paths"), path, described),
            None => self.add(SourceId::ROOT, ("path", "paths"), "paths", |merger| {
                Some(json!({ path: described(merger)? }))
            }),
        }
    }

    fn known_path(
        &mut self,
        (own_path, path): (&str, &str),
        operations: &'m Map<String, Value>,
        id: SourceId,
    ) {
        let Some(id) = self.follow(id, path) else { return };
        let item = PathItem { id: Some(id), names: parameter_names(path) };
        for (method, own) in operations {
            let place = format!("{} {path}", method.to_ascii_uppercase());
            match self.tree.get(id, method) {
                Some(theirs) => self.compare_operation((own, own_path), theirs, &item, &place),
                None => self.add(id, ("operation", &place), method, |merger| {
                    merger.new_operation(own, own_path, &item)
                }),
            }
        }
    }

    /// An operation of the capture as the description would have it.
    fn new_operation(&mut self, own: &Value, own_path: &str, item: &PathItem) -> Option<Value> {
        let mut out = own.as_object()?.clone();
        let mut unique = own["operationId"].as_str().unwrap_or("operation").to_owned();
        let plain = unique.clone();
        for n in 2_u64.. {
            if self.operation_ids.insert(unique.clone()) {
                break;
            }
            unique = format!("{plain}{n}");
        }
        out.insert("operationId".to_owned(), json!(unique));
        let tags = own["tags"].as_array().into_iter().flatten().filter_map(Value::as_str);
        let tags: Vec<String> = tags.map(|tag| self.tag(tag)).collect();
        out.insert("tags".to_owned(), json!(tags));
        let parameters = self.parameters_to_add(own, own_path, item);
        if parameters.is_empty() {
            out.shift_remove("parameters");
        } else {
            out.insert("parameters".to_owned(), Value::Array(parameters));
        }
        match self.security(own) {
            Some(security) => drop(out.insert("security".to_owned(), security)),
            None => drop(out.shift_remove("security")),
        }
        self.import_value(&Value::Object(out))
    }

    /// The tag of the description that equals a tag of the capture; added if missing.
    fn tag(&mut self, own: &str) -> String {
        let tags = self.tree.get(SourceId::ROOT, "tags");
        let items = tags.map_or(&[][..], |tags| self.tree.items(tags));
        let mut names = items.iter().filter_map(|item| self.tree.text(*item, "name"));
        if let Some(known) = names.find(|name| name.eq_ignore_ascii_case(own)) {
            return known;
        }
        let described = &self.input.api["tags"];
        let described = described.as_array().into_iter().flatten().find(|tag| tag["name"] == own);
        let Some(value) = described.cloned() else { return own.to_owned() };
        match tags {
            Some(tags) => self.add_item(tags, ("tag", "tags"), own, |_| Some(value)),
            None => {
                // One list for all new tags: the next round adds the others to it.
                self.add(SourceId::ROOT, ("tag", "tags"), "tags", |_| Some(json!([value])));
            }
        }
        own.to_owned()
    }

    fn compare_operation(
        &mut self,
        (own, own_path): (&'m Value, &str),
        id: SourceId,
        item: &PathItem,
        place: &str,
    ) {
        self.compare_parameters(own, own_path, id, item, place);
        self.compare_request_body(own, id, place);
        if let Some(responses) = own["responses"].as_object() {
            self.compare_responses(responses, id, place);
        }
        let is_silent = self.tree.get(id, "security").is_none()
            && self.tree.get(SourceId::ROOT, "security").is_none();
        if is_silent
            && own["security"].as_array().is_some_and(|all| !all.is_empty())
            && !self.is_planning()
        {
            let Some(security) = self.security(own) else { return };
            self.add(id, ("security", place), "security", |_| Some(security));
        }
    }

    fn compare_request_body(&mut self, own: &'m Value, id: SourceId, place: &str) {
        let Some(body) = own.get("requestBody") else { return };
        let place = format!("{place}, request body");
        let Some(theirs) = self.tree.get(id, "requestBody") else {
            self.add(id, ("request body", &place), "requestBody", |merger| {
                merger.import_value(body)
            });
            return;
        };
        let Some(theirs) = self.follow(theirs, &place) else { return };
        self.compare_content(body, theirs, &place, false);
    }

    fn compare_responses(&mut self, own: &'m Map<String, Value>, id: SourceId, place: &str) {
        let theirs = self.tree.get(id, "responses");
        for (status, response) in own.iter().filter(|(_, own)| own.get("x-not-captured").is_none())
        {
            let place = format!("{place}, status {status}");
            let at = ("status", &*place);
            let Some(theirs) = theirs else {
                self.add(id, at, "responses", |merger| {
                    Some(json!({ status: merger.import_value(response)? }))
                });
                continue;
            };
            let range = format!("{}XX", &status[..1]);
            let known = self.tree.get(theirs, status).or_else(|| self.tree.get(theirs, &range));
            match known {
                Some(known) => {
                    let Some(known) = self.follow(known, &place) else { continue };
                    self.compare_content(response, known, &place, true);
                }
                None => self.add(theirs, at, status, |merger| merger.import_value(response)),
            }
        }
    }

    /// Compares the media types of a body or of a response.
    fn compare_content(&mut self, own: &'m Value, id: SourceId, place: &str, is_response: bool) {
        let Some(media_types) = own["content"].as_object() else { return };
        let content = self.tree.get(id, "content");
        for (name, media_type) in media_types {
            let place = format!("{place}, {name}");
            let at = ("media type", &*place);
            let Some(content) = content else {
                self.add(id, at, "content", |merger| {
                    Some(json!({ name: merger.import_value(media_type)? }))
                });
                continue;
            };
            let Some(theirs) = media_type_of(self.tree, content, name) else {
                self.add(content, at, name, |merger| merger.import_value(media_type));
                continue;
            };
            let Some(theirs) = self.follow(theirs, &place) else { continue };
            let Some(schema) = media_type.get("schema").filter(|schema| **schema != json!({}))
            else {
                continue;
            };
            let used = SchemaUse { is_text: !name.contains("json"), is_response };
            match self.tree.get(theirs, "schema") {
                Some(known) => self.compare_schema(schema, known, &place, used),
                None => {
                    self.add(theirs, ("schema", &place), "schema", |merger| {
                        merger.import_value(schema)
                    });
                }
            }
        }
    }

    /// Adds components that are referred to, and compares those that are there.
    fn compare_components(&mut self) {
        let used = SchemaUse { is_text: false, is_response: true };
        if self.is_planning() {
            for (own, known) in self.pair_by_name() {
                if let (Some(schema), true) =
                    (self.own_component(own), self.mark_compared(own, known))
                {
                    self.compare_schema(schema, known, own, used);
                }
            }
            return;
        }
        let mut seen = BTreeSet::new();
        while let Some(own) = self.open_components.pop() {
            if !seen.insert(own.clone()) {
                continue;
            }
            let (Some((name, known)), Some(schema)) =
                (self.renamed_component(&own), self.own_component(&own))
            else {
                continue;
            };
            if let Some(known) = known {
                let place = format!("components.schemas.{name}");
                if self.mark_compared(&own, known) {
                    self.compare_schema(schema, known, &place, used);
                }
            } else if let Some(value) = self.import_value(schema) {
                self.add_component("schemas", "component", &name, value);
            }
        }
    }
}

/// The ids of all operations of a description.
fn operation_ids(tree: &SourceTree) -> BTreeSet<String> {
    let paths = tree.get(SourceId::ROOT, "paths");
    let items = paths.map_or(&[][..], |paths| tree.entries(paths));
    let items = items.iter().filter_map(|entry| tree.followed(entry.value));
    let operations =
        items.flat_map(|item| METHODS.into_iter().filter_map(move |method| tree.get(item, method)));
    operations.filter_map(|operation| tree.text(operation, "operationId")).collect()
}

/// The media type of a description that describes one of the capture: by its name, else by a range such as `text/*`.
fn media_type_of(tree: &SourceTree, content: SourceId, name: &str) -> Option<SourceId> {
    let plain = |key: &str| key.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let entries = tree.entries(content);
    let find = |wanted: &str| entries.iter().find(|entry| plain(&entry.key) == wanted);
    let range = format!("{}/*", name.split('/').next().unwrap_or_default());
    let found = find(&plain(name)).or_else(|| find(&range)).or_else(|| find("*/*"));
    found.map(|entry| tree.behind_alias(entry.value))
}
