//! Names of components: those of the capture as the description has them.

use serde_json::{Value, json};

use crate::openapi::merge::merger::{Merger, SCHEMAS};
use crate::openapi::merge::tree::SourceId;
use crate::openapi::merge::view::{kinds_at, parts_of};
use crate::schema::emit::OBSERVED;

impl<'m> Merger<'m> {
    /// The name of the component that a node refers to.
    pub(super) fn component_of(&self, id: SourceId) -> Option<String> {
        let reference = self.tree.text(self.tree.behind_alias(id), "$ref")?;
        let name = reference.strip_prefix(SCHEMAS)?;
        Some(name.replace("~1", "/").replace("~0", "~"))
    }

    /// Notes that a component of the capture has this name in the description.
    pub(super) fn pair(&mut self, own: &str, theirs: String) {
        self.renamed.entry(own.to_owned()).or_insert(theirs);
    }

    /// Notes that a component and a node are compared; false if they were before.
    pub(super) fn mark_compared(&mut self, own: &str, id: SourceId) -> bool {
        self.compared.insert((own.to_owned(), id))
    }

    /// The schema of a component of the capture.
    pub(super) fn own_component(&self, name: &str) -> Option<&'m Value> {
        self.input.api.get("components")?.get("schemas")?.get(name)
    }

    /// A part of the capture's description with the names of the edited one; `None` if components would be needed that cannot be
    /// added.
    pub(super) fn import_value(&mut self, value: &Value) -> Option<Value> {
        Some(match value {
            Value::Object(object) => {
                let mut out = serde_json::Map::new();
                for (key, value) in object.iter().filter(|(key, _)| *key != OBSERVED) {
                    let own = value
                        .as_str()
                        .filter(|_| key == "$ref")
                        .and_then(|reference| reference.strip_prefix(SCHEMAS));
                    let value = match own {
                        Some(own) => json!(format!("{SCHEMAS}{}", self.component_name(own)?)),
                        None => self.import_value(value)?,
                    };
                    out.insert(key.clone(), value);
                }
                // Alternatives that differed only in what was observed are one.
                if let Some(Value::Array(alternatives)) = out.get_mut("anyOf") {
                    let all = std::mem::take(alternatives);
                    for alternative in all {
                        if !alternatives.contains(&alternative) {
                            alternatives.push(alternative);
                        }
                    }
                }
                Value::Object(out)
            }
            Value::Array(items) => Value::Array(
                items.iter().map(|item| self.import_value(item)).collect::<Option<_>>()?,
            ),
            other => other.clone(),
        })
    }

    /// The name that a component of the capture has in the description.
    fn component_name(&mut self, own: &str) -> Option<String> {
        if let Some(name) = self.renamed.get(own) {
            let name = name.clone();
            if !self.open_components.iter().any(|open| open == own) {
                self.open_components.push(own.to_owned());
            }
            return Some(name);
        }
        let known = self.tree.get_path(SourceId::ROOT, &["components", "schemas", own]);
        let is_same = known.is_some_and(|known| self.is_alike(own, known));
        let name = if is_same { own.to_owned() } else { self.free_name(own)? };
        self.renamed.insert(own.to_owned(), name.clone());
        self.open_components.push(own.to_owned());
        Some(name)
    }

    /// A name that no component has; `None` if components cannot be extended.
    fn free_name(&mut self, own: &str) -> Option<String> {
        let path: &[&[&str]] = &[&["components", "schemas"], &["components"], &[]];
        let place = path.iter().find_map(|keys| self.tree.get_path(SourceId::ROOT, keys))?;
        if self.obstacle(place, false).is_some() {
            return None;
        }
        let mut name = own.to_owned();
        for n in 2_u64.. {
            if self.taken.insert(name.clone()) {
                break;
            }
            name = format!("{own}{n}");
        }
        Some(name)
    }

    /// Notes components of the capture whose names the description has for schemas that are alike.
    pub(super) fn pair_by_name(&mut self) -> Vec<(&'m str, SourceId)> {
        let schemas = self.input.api.get("components").and_then(|all| all["schemas"].as_object());
        let mut found = Vec::new();
        for own in schemas.into_iter().flat_map(|schemas| schemas.keys()) {
            let known = self.tree.get_path(SourceId::ROOT, &["components", "schemas", own]);
            if let Some(known) = known.filter(|known| self.is_alike(own, *known)) {
                self.pair(own, own.clone());
                found.push((&**own, known));
            }
        }
        found
    }

    /// The name of a component of the capture in the description, and its node there if it has one.
    pub(super) fn renamed_component(&self, own: &str) -> Option<(String, Option<SourceId>)> {
        let name = self.renamed.get(own)?;
        let id = self.tree.get_path(SourceId::ROOT, &["components", "schemas", name]);
        Some((name.clone(), id))
    }

    /// Adds an entry below `components`.
    pub(super) fn add_component(
        &mut self,
        section: &'static str,
        kind: &'static str,
        name: &str,
        value: Value,
    ) {
        let place = format!("components.{section}");
        if let Some(id) = self.tree.get_path(SourceId::ROOT, &["components", section]) {
            self.add(id, (kind, &place), name, |_| Some(value));
        } else if let Some(id) = self.tree.get(SourceId::ROOT, "components") {
            self.add(id, (kind, &place), section, |_| Some(json!({ name: value })));
        } else {
            let value = json!({ section: { name: value } });
            self.add(SourceId::ROOT, (kind, &place), "components", |_| Some(value));
        }
    }

    /// True if something can be added below a section of `components`.
    pub(super) fn has_room_for(&self, section: &str) -> bool {
        let path: &[&[&str]] = &[&["components", section], &["components"], &[]];
        let place = path.iter().find_map(|keys| self.tree.get_path(SourceId::ROOT, keys));
        place.is_some_and(|place| self.obstacle(place, false).is_none())
    }

    /// True unless a node is of another kind than an object, or a component and a node have properties and share none.
    fn is_alike(&self, own: &str, known: SourceId) -> bool {
        let Some(properties) =
            self.own_component(own).and_then(|own| own["properties"].as_object())
        else {
            return true;
        };
        let parts = parts_of(self.tree, known);
        if kinds_at(self.tree, &parts).is_some_and(|kinds| !kinds.contains("object")) {
            return false;
        }
        let mut names =
            parts.iter().filter_map(|part| self.tree.get(part.id, "properties")).peekable();
        names.peek().is_none()
            || names.any(|node| {
                self.tree.entries(node).iter().any(|entry| properties.contains_key(&entry.key))
            })
    }
}
