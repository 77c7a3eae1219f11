//! Adds parameters and security schemes of operations.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::openapi::merge::addresses::parameter_names;
use crate::openapi::merge::merger::Merger;
use crate::openapi::merge::operations::PathItem;
use crate::openapi::merge::schemas::SchemaUse;
use crate::openapi::merge::tree::{SourceId, SourceTree};
use crate::schema::emit::OBSERVED;

const PARAMETER: SchemaUse = SchemaUse { is_text: true, is_response: false };

impl<'m> Merger<'m> {
    /// Compares the parameters of an operation, and adds those that it lacks.
    pub(super) fn compare_parameters(
        &mut self,
        own: &'m Value,
        own_path: &str,
        id: SourceId,
        item: &PathItem,
        place: &str,
    ) {
        let lists = [
            self.tree.get(id, "parameters"),
            item.id.and_then(|id| self.tree.get(id, "parameters")),
        ];
        let theirs: Vec<SourceId> = lists
            .into_iter()
            .flatten()
            .flat_map(|list| self.tree.items(list))
            .filter_map(|parameter| self.tree.followed(*parameter))
            .collect();
        let own_names = parameter_names(own_path);
        for parameter in own["parameters"].as_array().into_iter().flatten() {
            let (location, name) = key_of(parameter, &own_names, item);
            let found = find_parameter(self.tree, &theirs, (location, &name));
            let Some(found) = found else { continue };
            let place = format!("{place}, {location} parameter `{name}`");
            if self.tree.is_true(found, "required") && parameter.get(OBSERVED).is_some() {
                self.conflict(found, &place, "it is `required`, and was missing in some requests");
            }
            let is_member =
                self.tree.text(found, "name").is_some_and(|known| known.len() > name.len());
            if let Some(schema) = self.tree.get(found, "schema").filter(|_| !is_member) {
                self.compare_schema(&parameter["schema"], schema, &place, PARAMETER);
            }
        }
        if self.is_planning() {
            return;
        }
        let missing = self.missing_parameters(own, own_path, item, &theirs);
        let at = ("parameter", place);
        match self.tree.get(id, "parameters") {
            Some(list) => {
                for parameter in missing {
                    let name = parameter["name"].as_str().unwrap_or_default().to_owned();
                    self.add_item(list, at, &name, |merger| merger.import_value(&parameter));
                }
            }
            None if missing.is_empty() => {}
            None => {
                self.add(id, at, "parameters", |merger| {
                    merger.import_value(&Value::Array(missing))
                });
            }
        }
    }

    /// The parameters that a new operation has beside those of its path item.
    pub(super) fn parameters_to_add(
        &self,
        own: &Value,
        own_path: &str,
        item: &PathItem,
    ) -> Vec<Value> {
        let list = item.id.and_then(|id| self.tree.get(id, "parameters"));
        let theirs = list.map_or(&[][..], |list| self.tree.items(list));
        let theirs: Vec<SourceId> =
            theirs.iter().filter_map(|parameter| self.tree.followed(*parameter)).collect();
        self.missing_parameters(own, own_path, item, &theirs)
    }

    /// The parameters that are not among some, with the names that the description has for them.
    fn missing_parameters(
        &self,
        own: &Value,
        own_path: &str,
        item: &PathItem,
        theirs: &[SourceId],
    ) -> Vec<Value> {
        let own_names = parameter_names(own_path);
        let credentials = self.credential_names();
        let mut missing = Vec::new();
        for parameter in own["parameters"].as_array().into_iter().flatten() {
            let (location, name) = key_of(parameter, &own_names, item);
            let is_credential =
                credentials.contains(&(location.to_owned(), name.to_ascii_lowercase()));
            if is_credential || find_parameter(self.tree, theirs, (location, &name)).is_some() {
                continue;
            }
            let mut parameter = parameter.clone();
            parameter["name"] = json!(name);
            missing.push(parameter);
        }
        missing
    }

    /// Places and names of the keys that the security schemes of the description are about.
    fn credential_names(&self) -> BTreeSet<(String, String)> {
        self.schemes()
            .into_iter()
            .filter_map(|(_, id)| {
                Some((self.tree.text(id, "in")?, self.tree.text(id, "name")?.to_ascii_lowercase()))
            })
            .collect()
    }

    /// The security schemes of the description.
    fn schemes(&self) -> Vec<(String, SourceId)> {
        let schemes = self.tree.get_path(SourceId::ROOT, &["components", "securitySchemes"]);
        let entries = schemes.map_or(&[][..], |schemes| self.tree.entries(schemes));
        let followed = entries
            .iter()
            .filter_map(|entry| Some((entry.key.clone(), self.tree.followed(entry.value)?)));
        followed.collect()
    }

    /// The security of an operation with the schemes of the description; `None` if schemes are missing and cannot be added.
    pub(super) fn security(&mut self, own: &Value) -> Option<Value> {
        let mut alternatives = Vec::new();
        for alternative in own["security"].as_array()? {
            let mut out = serde_json::Map::new();
            for (name, scopes) in alternative.as_object()? {
                out.insert(self.scheme(name)?, scopes.clone());
            }
            alternatives.push(Value::Object(out));
        }
        Some(Value::Array(alternatives))
    }

    /// The name of a scheme of the capture in the description; it is added if it is not there.
    fn scheme(&mut self, own_name: &str) -> Option<String> {
        let own = self.input.api.get("components")?.get("securitySchemes")?.get(own_name)?;
        let schemes = self.schemes();
        if let Some((name, _)) = schemes.iter().find(|(_, id)| is_scheme(self.tree, *id, own)) {
            return Some(name.clone());
        }
        if !self.has_room_for("securitySchemes") {
            // The attempt says where it cannot be added.
            self.add_component("securitySchemes", "security scheme", own_name, own.clone());
            return None;
        }
        let mut name = own_name.to_owned();
        for n in 2_u64.. {
            if !schemes.iter().any(|(known, _)| *known == name) {
                break;
            }
            name = format!("{own_name}{n}");
        }
        self.add_component("securitySchemes", "security scheme", &name, own.clone());
        Some(name)
    }
}

/// The place and the name of a parameter; parameters of the path have the names that the description's path has.
fn key_of<'p>(parameter: &'p Value, own_names: &[String], item: &PathItem) -> (&'p str, String) {
    let location = parameter["in"].as_str().unwrap_or_default();
    let name = parameter["name"].as_str().unwrap_or_default();
    let at = own_names.iter().position(|own| own == name).filter(|_| location == "path");
    let theirs = at.and_then(|at| item.names.get(at));
    (location, theirs.map_or(name, |name| name).to_owned())
}

/// Finds a parameter; the names of headers have no case, and a deep object may be written as its members.
fn find_parameter(
    tree: &SourceTree,
    theirs: &[SourceId],
    (location, name): (&str, &str),
) -> Option<SourceId> {
    let is_it = |id: &&SourceId| {
        let known = tree.text(**id, "name").unwrap_or_default();
        let is_name = known == name
            || (location == "header" && known.eq_ignore_ascii_case(name))
            || (location == "query"
                && known.strip_prefix(name).is_some_and(|rest| rest.starts_with('[')));
        is_name && tree.text(**id, "in").is_some_and(|known| known == location)
    };
    theirs.iter().find(is_it).copied()
}

/// True if a scheme of the description is about the credentials of one of the capture.
fn is_scheme(tree: &SourceTree, id: SourceId, own: &Value) -> bool {
    let text = |key: &str| tree.text(id, key).unwrap_or_default();
    let own_text = |key: &str| own[key].as_str().unwrap_or_default();
    let is_bearer = |kind: &str, scheme: &str| {
        matches!(kind, "oauth2" | "openIdConnect")
            || (kind == "http" && scheme.eq_ignore_ascii_case("bearer"))
    };
    let is_header = |name: &str| name.eq_ignore_ascii_case("authorization");
    match own_text("type") {
        "apiKey" => {
            let is_place = text("in") == own_text("in");
            let is_name = text("name") == own_text("name")
                || (own_text("in") == "header"
                    && text("name").eq_ignore_ascii_case(own_text("name")));
            text("type") == "apiKey" && is_place && is_name
        }
        kind => {
            let is_any_header =
                text("type") == "apiKey" && text("in") == "header" && is_header(&text("name"));
            let is_same =
                text("type") == kind && text("scheme").eq_ignore_ascii_case(own_text("scheme"));
            is_any_header
                || is_same
                || (is_bearer(kind, own_text("scheme"))
                    && is_bearer(&text("type"), &text("scheme")))
        }
    }
}
