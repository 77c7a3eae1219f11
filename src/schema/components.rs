//! Components: the objects of one host that stand in several places, and their names.

use std::collections::{BTreeMap, BTreeSet};

use crate::schema::graph::{ObjectEvidence, ObjectId, PlaceGraph, PlaceId};
use crate::schema::names::{ERROR, pascal_case, singular_of};

/// Keys that an object must have to be a component.
const MIN_KEYS: usize = 3;

/// Keys that the body of an error must have to be a component.
const MIN_KEYS_OF_ERROR: usize = 2;

/// The longest name of a component, in bytes.
const MAX_NAME_BYTES: usize = 60;

/// A place where an object stands: below a key of another object, or in a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Context {
    Message(usize),
    Key(ObjectId, u64),
}

/// The objects of a host that have names.
#[derive(Clone, Debug, Default)]
pub(crate) struct Components {
    /// Objects that stand in several places, and those at the top of messages, with their names.
    pub(crate) names: BTreeMap<ObjectId, String>,
    pub(crate) named: BTreeSet<ObjectId>,
    /// Named objects that stand in several places, or lead to themselves.
    pub(crate) shared: BTreeSet<ObjectId>,
}

/// Finds the components of a graph, and names them.
pub(crate) fn components(
    graph: &PlaceGraph,
    messages: &[PlaceId],
    path_nouns: &BTreeSet<String>,
) -> Components {
    let mut walk = Walk::new(graph);
    for (number, place) in messages.iter().enumerate() {
        walk.place(*place, Context::Message(number));
    }
    let Walk { contexts, recursive, .. } = walk;
    let is_large = |id: &ObjectId| {
        let object = graph.object(*id);
        let is_error = object.names.contains_key(ERROR);
        let least = if is_error { MIN_KEYS_OF_ERROR } else { MIN_KEYS };
        object.fields.keys.len() >= least && !object.is_map
    };
    let is_shared = |id: &ObjectId, contexts: &BTreeSet<Context>| {
        let is_named = graph.object(*id).rule.name.is_some();
        (contexts.len() > 1 && is_large(id)) || is_named || recursive.contains(id)
    };
    let is_top = |contexts: &BTreeSet<Context>| {
        contexts.iter().any(|context| matches!(context, Context::Message(_)))
    };
    let (mut found, mut shared) = (BTreeMap::new(), BTreeSet::new());
    for (id, contexts) in contexts {
        if graph.object(id).is_text {
            continue;
        }
        let is_shared = is_shared(&id, &contexts);
        if is_shared {
            shared.insert(id);
        }
        if is_shared || (is_top(&contexts) && is_large(&id)) {
            found.insert(id, contexts);
        }
    }
    let namer = Namer {
        graph,
        path_nouns,
        contexts: &found,
        names: BTreeMap::new(),
        taken: BTreeSet::new(),
    };
    Components { names: namer.name_all(), named: found.keys().copied().collect(), shared }
}

/// A walk over all objects that messages lead to.
struct Walk<'g> {
    graph: &'g PlaceGraph,
    contexts: BTreeMap<ObjectId, BTreeSet<Context>>,
    /// Objects that lead to themselves.
    recursive: BTreeSet<ObjectId>,
    /// Objects on the path to the current object.
    above: BTreeSet<ObjectId>,
}

impl<'g> Walk<'g> {
    fn new(graph: &'g PlaceGraph) -> Self {
        Self {
            graph,
            contexts: BTreeMap::new(),
            recursive: BTreeSet::new(),
            above: BTreeSet::new(),
        }
    }

    fn place(&mut self, id: PlaceId, context: Context) {
        let place = self.graph.place(id);
        if let Some(item) = place.item {
            self.place(item, context);
        }
        let Some(object) = place.object else { return };
        let object = self.graph.object_root(object);
        if self.above.contains(&object) {
            self.recursive.insert(object);
        }
        let contexts = self.contexts.entry(object).or_default();
        let is_known = !contexts.is_empty();
        contexts.insert(context);
        if is_known {
            return;
        }
        self.above.insert(object);
        let found = self.graph.object(object);
        for (hash, _, present, child) in found.keys() {
            // The values of a map stand in one place.
            let is_value = found.is_map && !found.is_named(present);
            self.place(child, Context::Key(object, if is_value { 0 } else { hash }));
        }
        if let Some(rest) = found.rest {
            self.place(rest, Context::Key(object, 0));
        }
        self.above.remove(&object);
    }
}

struct Namer<'g> {
    graph: &'g PlaceGraph,
    path_nouns: &'g BTreeSet<String>,
    contexts: &'g BTreeMap<ObjectId, BTreeSet<Context>>,
    names: BTreeMap<ObjectId, String>,
    taken: BTreeSet<String>,
}

impl Namer<'_> {
    fn name_all(mut self) -> BTreeMap<ObjectId, String> {
        let mut order: Vec<(u64, ObjectId)> =
            self.contexts.keys().map(|id| (self.best(*id).map_or(0, |best| best.0), *id)).collect();
        order.sort_by(|a, b| b.0.cmp(&a.0).then(a.1.cmp(&b.1)));
        for (_, id) in &order {
            if let Some(name) = self.graph.object(*id).rule.name.clone() {
                self.assign_name(*id, &name);
            }
        }
        // Every object gets the name that it has most often, if no other has more right to it; then come second names.
        for (_, id) in &order {
            if let Some((_, name)) = self.best(*id) {
                self.assign_name(*id, &name);
            }
        }
        for (_, id) in &order {
            let candidates = self.candidates(*id);
            let _ = candidates.into_iter().any(|name| self.assign_name(*id, &name));
        }
        self.names
    }

    /// Gives an object a name, if it has none and nothing has the name. Returns whether it has one now. A number at the end
    /// is left out: it would look like a second version of a name.
    fn assign_name(&mut self, id: ObjectId, name: &str) -> bool {
        if self.names.contains_key(&id) {
            return true;
        }
        let name = name.trim_end_matches(|last: char| last.is_ascii_digit());
        let is_free = !name.is_empty()
            && name.len() <= MAX_NAME_BYTES
            && self.taken.insert(name.to_ascii_lowercase());
        if is_free {
            self.names.insert(id, name.to_owned());
        }
        is_free
    }

    /// The names that an object has where it was found, by falling weight.
    fn weighted_names(&self, id: ObjectId) -> Vec<(u64, String)> {
        let object = self.graph.object(id);
        let suffix = if self.is_envelope(id) { "Response" } else { "" };
        let weigh = |name: &str, weight: u64| {
            let noun = singular_of(name);
            let weight = if self.path_nouns.contains(&noun) { weight * 2 } else { weight };
            let name = pascal_case(&noun);
            (weight, if name.is_empty() { name } else { name + suffix })
        };
        let own_keys = self.keys_to_itself(id);
        let is_outer = |name: &str| !own_keys.iter().any(|key| key == name);
        let has_outer = object.names.iter().any(|(name, weight)| *weight > 0 && is_outer(name));
        let mut names: Vec<(u64, String)> = object
            .names
            .iter()
            .filter(|(name, weight)| **weight > 0 && (is_outer(name) || !has_outer))
            .map(|(name, weight)| weigh(name, *weight))
            .filter(|(_, name)| !name.is_empty())
            .collect();
        names.sort_by(|a, b| b.0.cmp(&a.0).then_with(|| a.1.cmp(&b.1)));
        names
    }

    /// True for an object of an answer that only carries the thing that was asked for: `{"ok": true, "data": {...}}`.
    fn is_envelope(&self, id: ObjectId) -> bool {
        /// Keys that hold the thing.
        const HOLDERS: [&str; 5] = ["data", "result", "payload", "response", "body"];
        /// Other keys that an envelope may have.
        const MAX_OTHER_KEYS: usize = 6;

        let object = self.graph.object(id);
        let is_top = self
            .contexts
            .get(&id)
            .is_some_and(|found| found.iter().all(|it| matches!(it, Context::Message(_))));
        is_top
            && !object.is_request
            && object.fields.keys.len() <= MAX_OTHER_KEYS + 1
            && object.keys().any(|(_, key, _, child)| {
                HOLDERS.iter().any(|holder| holder.as_bytes() == key)
                    && self.graph.place(child).object.is_some()
            })
    }

    /// The keys under which an object stands in itself: they say what a part of it is, and not what it is.
    fn keys_to_itself(&self, id: ObjectId) -> Vec<String> {
        let leads_back = |mut place: PlaceId| {
            while let Some(item) = self.graph.place(place).item {
                place = item;
            }
            let below = self.graph.place(place).object;
            below.is_some_and(|below| self.graph.object_root(below) == self.graph.object_root(id))
        };
        let keys = self.graph.object(id).keys().filter(|(_, _, _, child)| leads_back(*child));
        keys.map(|(_, key, _, _)| String::from_utf8_lossy(key).into_owned()).collect()
    }

    fn best(&self, id: ObjectId) -> Option<(u64, String)> {
        self.weighted_names(id).into_iter().next()
    }

    /// Further names for an object whose best name another one has: qualified by what it is part of, then its other names,
    /// then by the keys that it has.
    fn candidates(&self, id: ObjectId) -> Vec<String> {
        let object = self.graph.object(id);
        let own = self.weighted_names(id);
        let own_names = || own.iter().map(|(_, name)| name.as_str());
        let best = own_names().next().unwrap_or("Object");
        let parents: Vec<String> = self.contexts[&id]
            .iter()
            .filter_map(|context| match context {
                Context::Key(parent, _) => {
                    self.names.get(parent).cloned().or_else(|| Some(self.best(*parent)?.1))
                }
                Context::Message(_) => None,
            })
            .collect();
        let qualified = parents.iter().map(|parent| joined(parent, best));
        let others = own_names().skip(1).map(str::to_owned);
        let by_keys = keys_by_rarity(object).map(|key| format!("{best}With{key}"));
        let mut all: Vec<String> = qualified.chain(others).chain(by_keys).collect();
        // In the end something that is free: letters, by which nobody mistakes one for a version.
        all.extend((b'A'..=b'Z').map(|letter| format!("{best}Variant{}", char::from(letter))));
        all.extend(
            self.contexts.keys().enumerate().map(|(at, _)| format!("{best}Variant{at:03}Z")),
        );
        all
    }
}

/// A name qualified by that of the object it is part of: `RepositoryOwner`. What both say is said once.
fn joined(parent: &str, name: &str) -> String {
    if name.starts_with(parent) { name.to_owned() } else { format!("{parent}{name}") }
}

/// The keys of an object in Pascal case, those that fewest of the objects have last.
fn keys_by_rarity(object: &ObjectEvidence) -> impl Iterator<Item = String> {
    let mut keys: Vec<(u64, String)> = object
        .keys()
        .map(|(_, key, present, _)| (present, pascal_case(&String::from_utf8_lossy(key))))
        .filter(|(_, key)| !key.is_empty())
        .collect();
    keys.sort_by(|a, b| b.0.cmp(&a.0).then_with(|| a.1.cmp(&b.1)));
    keys.into_iter().map(|(_, key)| key)
}
