//! The places of the messages of one host as a graph, in which equal things are one node.
//!
//! A shape is a tree for one message. [`PlaceGraph::add`] takes it apart into places (a position in a message, which may
//! hold values of several kinds) and objects (what its values of the kind object have together).
//! [`PlaceGraph::unite`] makes two objects one. Then all that stands below them under equal keys is one too, as in
//! congruence closure (Nelson and Oppen, 1980): the evidence of united nodes is merged, and an object that is united with
//! one of its own ancestors makes the graph cyclic, which is how recursion is found.

use std::collections::BTreeMap;

use crate::schema::map::MapEvidence;
use crate::schema::names::{EntityNames, property_weight};
use crate::shape::fields::is_secret_key;
use crate::shape::fields::{Fields, MAX_FIELDS};
use crate::shape::{Caps, Shape};
use crate::sketch::{Merge, stable_hash};
use crate::template::property_rules::PropertyDecision;
use crate::template::secret::Frequency;

/// A place, by its index in a graph.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct PlaceId(u32);

/// An object, by its index in a graph.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct ObjectId(u32);

/// The values at one place.
#[derive(Clone, Debug, Default)]
pub(crate) struct PlaceEvidence {
    /// Values that are not objects; the items of lists are at [`item`](Self::item).
    pub(crate) shape: Shape,
    pub(crate) item: Option<PlaceId>,
    /// Number of values here that are objects. [`object`](Self::object) may have been observed at other places too.
    pub(crate) objects: u64,
    pub(crate) object: Option<ObjectId>,
    /// Hashes of the keys that all objects here have; sorted.
    pub(crate) always: Vec<u64>,
    pub(crate) rule: PropertyDecision,
}

/// The objects that were found to be one thing.
#[derive(Clone, Debug, Default)]
#[expect(clippy::struct_excessive_bools, reason = "facts that do not depend on each other")]
pub(crate) struct ObjectEvidence {
    /// Counts, keys and tags. The values of the keys are at [`children`](Self::children).
    pub(crate) fields: Fields,
    /// The place of each kept key, by the hash of the key; sorted.
    children: Vec<(u64, PlaceId)>,
    /// The values of the keys that are not kept or, of a map, of all keys that are values.
    pub(crate) rest: Option<PlaceId>,
    /// Names that the object has where it was found, with the weight of their evidence.
    pub(crate) names: BTreeMap<Box<str>, u64>,
    /// Whether it is always the value of a key that names it, and not a whole message or an item of a list.
    is_property: bool,
    /// Whether its keys are values. Their places are united then.
    pub(crate) is_map: bool,
    /// Whether it is part of requests.
    pub(crate) is_request: bool,
    /// Whether it is part of a form or a query.
    pub(crate) is_text: bool,
    /// Keys with larger hashes are not told apart, because some of these objects were cut down to this hash.
    limit: Option<u64>,
    pub(crate) rule: PropertyDecision,
}

/// A message that is added to a graph.
pub(crate) struct MessageContext<'r> {
    pub(crate) names: &'r EntityNames,
    pub(crate) is_request: bool,
    /// Whether it is a form or a query.
    pub(crate) is_text: bool,
    /// Fields of one object that were kept of the message: see [`Caps`].
    pub(crate) caps: Caps,
    /// The rules for a place at a path of keys, of which items of lists are `[]`.
    pub(crate) rules: &'r dyn Fn(&[&str]) -> PropertyDecision,
}

/// Places and objects with their evidence.
#[derive(Clone, Debug, Default)]
pub(crate) struct PlaceGraph {
    places: Vec<PlaceEvidence>,
    objects: Vec<ObjectEvidence>,
    /// For each place the one that it was united with; its own index if none.
    place_roots: Vec<u32>,
    object_roots: Vec<u32>,
    /// Pairs that are still to be united.
    queue: Vec<Pair>,
}

#[derive(Clone, Copy, Debug)]
enum Pair {
    Places(PlaceId, PlaceId),
    Objects(ObjectId, ObjectId),
}

fn index(number: usize) -> u32 {
    // The nodes of all shapes are far fewer: see `limits::MAX_SHAPE_NODES`.
    u32::try_from(number).unwrap_or(u32::MAX)
}

fn root(roots: &[u32], mut of: u32) -> u32 {
    while roots[of as usize] != of {
        of = roots[of as usize];
    }
    of
}

/// As [`root`], with path compression.
fn root_mut(roots: &mut [u32], of: u32) -> u32 {
    let found = root(roots, of);
    let mut at = of;
    while roots[at as usize] != found {
        at = std::mem::replace(&mut roots[at as usize], found);
    }
    found
}

impl PlaceGraph {
    /// Adds a message.
    pub(crate) fn add(&mut self, shape: Shape, new: &MessageContext<'_>) -> PlaceId {
        self.add_at(shape, new, &mut Vec::new(), &new.names.top)
    }

    fn add_at(
        &mut self,
        mut shape: Shape,
        new: &MessageContext<'_>,
        path: &mut Vec<&str>,
        names: &[(Box<str>, u64)],
    ) -> PlaceId {
        let id = PlaceId(index(self.places.len()));
        let rule = (new.rules)(path);
        self.places.push(PlaceEvidence { rule, ..PlaceEvidence::default() });
        self.place_roots.push(id.0);
        let item = shape.items.as_mut().map(|items| std::mem::take(&mut items.item));
        let item = item.map(|item| {
            let both: Vec<_>;
            let names = match path.len() {
                0 => &new.names.items,
                // A list in an envelope.
                1 if new.names.is_collection => {
                    both = names.iter().chain(&new.names.items).cloned().collect();
                    &both
                }
                _ => names,
            };
            path.push("[]");
            let item = self.add_at(item, new, path, names);
            path.pop();
            item
        });
        let fields = shape.fields.take();
        let objects = fields.as_ref().map_or(0, |fields| fields.count);
        let has_all = |fields: &Fields, present: u64| present == fields.count && present > 0;
        let always = fields.as_ref().map_or_else(Vec::new, |fields| {
            let kept = fields.iter().filter(|(_, _, field)| has_all(fields, field.present));
            kept.map(|(hash, _, _)| hash).collect()
        });
        // Objects of which none could be read to its end say nothing.
        let object = fields.filter(|fields| fields.count > 0 || fields.rest().seen() > 0);
        let object = object.map(|fields| self.add_object(*fields, new, path, names));
        let rule = std::mem::take(&mut self.places[id.0 as usize].rule);
        self.places[id.0 as usize] = PlaceEvidence { shape, item, objects, object, always, rule };
        id
    }

    fn add_object(
        &mut self,
        mut fields: Fields,
        new: &MessageContext<'_>,
        path: &[&str],
        names: &[(Box<str>, u64)],
    ) -> ObjectId {
        let id = ObjectId(index(self.objects.len()));
        self.objects.push(ObjectEvidence::default());
        self.object_roots.push(id.0);
        let is_cut = fields.keys.len() >= new.caps.fields.min(MAX_FIELDS);
        let limit = is_cut.then(|| fields.iter().last().map_or(0, |(hash, _, _)| hash));
        let rest = std::mem::take(&mut fields.keys.rest.shape);
        let mut children = Vec::new();
        let shapes = fields.take_shapes();
        for (hash, key, shape) in shapes {
            let key = String::from_utf8_lossy(&key);
            let mut below = path.to_vec();
            below.push(&key);
            let names = [(key.as_ref().into(), property_weight(&key))];
            children.push((hash, self.add_at(shape, new, &mut below, &names)));
        }
        let rest = (rest.seen() > 0).then(|| {
            let mut below = path.to_vec();
            below.push("*");
            self.add_at(rest, new, &mut below, &[])
        });
        self.objects[id.0 as usize] = ObjectEvidence {
            fields,
            children,
            rest,
            names: names.iter().cloned().collect(),
            is_property: path.last().is_some_and(|last| !matches!(*last, "[]" | "*")),
            is_map: false,
            is_request: new.is_request,
            is_text: new.is_text,
            limit,
            rule: (new.rules)(path),
        };
        id
    }

    /// The representative of a place (union-find), with the evidence of all united places.
    pub(crate) fn place(&self, id: PlaceId) -> &PlaceEvidence {
        &self.places[self.place_root(id).0 as usize]
    }

    /// The object that stands for an object.
    pub(crate) fn object(&self, id: ObjectId) -> &ObjectEvidence {
        &self.objects[self.object_root(id).0 as usize]
    }

    /// The id of the place that stands for a place.
    pub(crate) fn place_root(&self, id: PlaceId) -> PlaceId {
        PlaceId(root(&self.place_roots, id.0))
    }

    /// The id of the object that stands for an object.
    pub(crate) fn object_root(&self, id: ObjectId) -> ObjectId {
        ObjectId(root(&self.object_roots, id.0))
    }

    /// The objects that stand for themselves, in the order in which they were added.
    pub(crate) fn objects(&self) -> impl Iterator<Item = (ObjectId, &ObjectEvidence)> {
        let all = self.objects.iter().zip(&self.object_roots).enumerate();
        all.filter(|(at, (_, root))| *at == **root as usize)
            .map(|(at, (object, _))| (ObjectId(index(at)), object))
    }

    /// Makes two objects one, with all that stands below them under equal keys.
    pub(crate) fn unite(&mut self, one: ObjectId, other: ObjectId) {
        self.queue.push(Pair::Objects(one, other));
        self.unite_queued();
    }

    /// Unites the values of all objects that are maps, until no object becomes one by that.
    pub(crate) fn unite_map_values(&mut self) {
        let things = self.constant_fields();
        loop {
            let ids: Vec<ObjectId> = self.objects().map(|(id, _)| id).collect();
            let mut is_changed = false;
            for id in ids {
                let id = self.object_root(id);
                if !self.objects[id.0 as usize].is_map
                    && self.is_map(id)
                    && !self.is_part_of_thing(id, &things)
                {
                    self.objects[id.0 as usize].is_map = true;
                    self.unite_values(id);
                    self.unite_queued();
                    is_changed = true;
                }
            }
            if !is_changed {
                break;
            }
        }
    }

    /// The objects that nearly always have a key, by its hash.
    fn constant_fields(&self) -> BTreeMap<u64, Vec<ObjectId>> {
        /// Objects of a key that are kept.
        const MAX_OBJECTS_OF_KEY: usize = 64;

        let mut found: BTreeMap<u64, Vec<ObjectId>> = BTreeMap::new();
        for (id, object) in self.objects().filter(|(_, object)| !object.is_map) {
            for (hash, _, present, _) in object.keys() {
                // Nine in ten.
                if present * 10 >= object.fields.count * 9 {
                    let ids = found.entry(hash).or_default();
                    if ids.len() < MAX_OBJECTS_OF_KEY {
                        ids.push(id);
                    }
                }
            }
        }
        found
    }

    /// True if all keys of an object are fields that another one always has: a change of it, which has some of its fields.
    fn is_part_of_thing(&self, id: ObjectId, things: &BTreeMap<u64, Vec<ObjectId>>) -> bool {
        let object = self.object(id);
        if object.rule.map.is_some() || object.fields.hidden.estimate() > 0 {
            return false;
        }
        let mut keys = object.keys().map(|(hash, ..)| hash);
        let none = Vec::new();
        let of_key = |hash: u64| things.get(&hash).unwrap_or(&none);
        let Some(first) = keys.next() else { return false };
        let mut alike: Vec<ObjectId> =
            of_key(first).iter().copied().filter(|other| *other != id).collect();
        keys.all(|hash| {
            alike.retain(|other| of_key(hash).contains(other));
            !alike.is_empty()
        }) && !alike.is_empty()
    }

    fn is_map(&self, id: ObjectId) -> bool {
        let object = self.object(id);
        object.rule.map.unwrap_or_else(|| {
            let evidence = self.map_evidence(id);
            // Parameters of queries and forms come and go, and are names nevertheless.
            let is_form = object.is_text && !object.is_property;
            evidence.is_map() && (!is_form || evidence.as_values >= 0.5)
        })
    }

    /// The evidence whether the keys of an object are values.
    pub(crate) fn map_evidence(&self, id: ObjectId) -> MapEvidence {
        let object = self.object(id);
        let mut kinds = [0; 5];
        for place in object.children.iter().map(|(_, child)| *child).chain(object.rest) {
            let place = self.place(place);
            let shape = &place.shape;
            kinds[0] += shape.trues + shape.falses;
            kinds[1] += shape.numbers.as_ref().map_or(0, |numbers| numbers.count());
            kinds[2] += shape.strings.as_ref().map_or(0, |strings| strings.count);
            kinds[3] += shape.items.as_ref().map_or(0, |items| items.count);
            kinds[4] += place.objects;
        }
        // An item of `labels` is a label.
        let names = object.names.keys().filter(|_| object.is_property);
        MapEvidence::of(&object.fields, names.map(|name| &**name), kinds)
    }

    /// Queues the union of the values of a map. Its keys are values, so they name nothing.
    fn unite_values(&mut self, id: ObjectId) {
        let mut object = std::mem::take(&mut self.objects[id.0 as usize]);
        let mut values = Vec::new();
        for (_, key, present, child) in object.keys() {
            if !object.is_named(present) {
                values.push(child);
                self.forget_name(child, key);
            }
        }
        if let Some(first) = values.first() {
            let rest = *object.rest.get_or_insert(*first);
            self.queue.extend(values.into_iter().map(|child| Pair::Places(rest, child)));
        }
        self.objects[id.0 as usize] = object;
    }

    /// Hides the keys that were seen so seldom that they may be values, and look like secrets: their values are those of keys
    /// that are not kept.
    pub(crate) fn hide_secret_keys(&mut self) {
        let ids: Vec<ObjectId> = self.objects().map(|(id, _)| id).collect();
        for id in ids {
            let id = self.object_root(id);
            let object = self.object(id);
            let is_secret =
                |key: &[u8], present: u64| is_secret_key(key, Frequency::times(present));
            let found: Vec<(u64, Box<[u8]>, PlaceId)> = object
                .keys()
                .filter(|(_, key, present, _)| is_secret(key, *present))
                .map(|(hash, key, _, child)| (hash, key.into(), child))
                .collect();
            for (hash, key, child) in found {
                self.forget_name(child, &key);
                let id = self.object_root(id);
                let object = &mut self.objects[id.0 as usize];
                object.fields.keys.remove_hash(hash);
                object.children.retain(|(have, _)| *have != hash);
                let rest = *object.rest.get_or_insert(child);
                self.queue.push(Pair::Places(rest, child));
                self.unite_queued();
            }
        }
    }

    /// Takes the name of a key from the object that it leads to.
    fn forget_name(&mut self, mut place: PlaceId, key: &[u8]) {
        while let Some(item) = self.place(place).item {
            place = item;
        }
        if let (Some(below), Ok(key)) = (self.place(place).object, std::str::from_utf8(key)) {
            let below = self.object_root(below);
            self.objects[below.0 as usize].names.remove(key);
        }
    }

    fn unite_queued(&mut self) {
        while let Some(pair) = self.queue.pop() {
            match pair {
                Pair::Places(one, other) => self.unite_places(one, other),
                Pair::Objects(one, other) => self.unite_objects(one, other),
            }
        }
    }

    fn unite_places(&mut self, one: PlaceId, other: PlaceId) {
        let one = root_mut(&mut self.place_roots, one.0);
        let other = root_mut(&mut self.place_roots, other.0);
        if one == other {
            return;
        }
        let (kept, gone) = (one.min(other), one.max(other));
        self.place_roots[gone as usize] = kept;
        let gone = std::mem::take(&mut self.places[gone as usize]);
        let kept = &mut self.places[kept as usize];
        kept.shape.merge(gone.shape);
        match (kept.objects, gone.objects) {
            (_, 0) => {}
            (0, _) => kept.always = gone.always,
            _ => kept.always.retain(|hash| gone.always.binary_search(hash).is_ok()),
        }
        kept.objects += gone.objects;
        kept.rule.merge(gone.rule);
        match (kept.item, gone.item) {
            (Some(one), Some(other)) => self.queue.push(Pair::Places(one, other)),
            (one, other) => kept.item = one.or(other),
        }
        match (kept.object, gone.object) {
            (Some(one), Some(other)) => self.queue.push(Pair::Objects(one, other)),
            (one, other) => kept.object = one.or(other),
        }
    }

    fn unite_objects(&mut self, one: ObjectId, other: ObjectId) {
        let one = root_mut(&mut self.object_roots, one.0);
        let other = root_mut(&mut self.object_roots, other.0);
        if one == other {
            return;
        }
        let (kept, gone) = (one.min(other), one.max(other));
        self.object_roots[gone as usize] = kept;
        let gone = std::mem::take(&mut self.objects[gone as usize]);
        let object = &mut self.objects[kept as usize];
        for (hash, child) in gone.children {
            match object.children.binary_search_by_key(&hash, |have| have.0) {
                Ok(at) => self.queue.push(Pair::Places(object.children[at].1, child)),
                Err(at) => object.children.insert(at, (hash, child)),
            }
        }
        match (object.rest, gone.rest) {
            (Some(one), Some(other)) => self.queue.push(Pair::Places(one, other)),
            (one, other) => object.rest = one.or(other),
        }
        object.fields.merge(gone.fields);
        object.limit = [object.limit, gone.limit].into_iter().flatten().min();
        if let Some(limit) = object.limit {
            object.fields.keep_up_to(limit);
        }
        let fields = &object.fields;
        for (_, child) in object.children.extract_if(.., |(hash, _)| !fields.keys.has_hash(*hash)) {
            let rest = *object.rest.get_or_insert(child);
            self.queue.push(Pair::Places(rest, child));
        }
        for (name, weight) in gone.names {
            *object.names.entry(name).or_default() += weight;
        }
        object.is_property &= gone.is_property;
        object.is_request |= gone.is_request;
        object.is_text |= gone.is_text;
        object.rule.merge(gone.rule);
        object.is_map |= gone.is_map;
        if object.is_map {
            self.unite_values(ObjectId(kept));
        }
    }
}

impl ObjectEvidence {
    /// The kept keys in the order of their hashes: (hash, key, objects that have it, place of its values).
    pub(crate) fn keys(&self) -> impl Iterator<Item = (u64, &[u8], u64, PlaceId)> {
        // Both are in the order of the hashes.
        self.fields.iter().filter_map(|(hash, key, field)| {
            let at = self.children.binary_search_by_key(&hash, |child| child.0).ok()?;
            Some((hash, key, field.present, self.children[at].1))
        })
    }

    /// The number of objects that have a key, and the place of its values.
    pub(crate) fn key(&self, key: &[u8]) -> Option<(u64, PlaceId)> {
        self.key_of_hash(stable_hash(key))
    }

    /// As [`key`](Self::key), by the hash of the key.
    pub(crate) fn key_of_hash(&self, hash: u64) -> Option<(u64, PlaceId)> {
        let at = self.children.binary_search_by_key(&hash, |child| child.0).ok()?;
        Some((self.fields.present(hash), self.children[at].1))
    }

    /// True if a key of a map that so many of the objects have is a name nevertheless, because nearly all have it. Where a
    /// rule says that the object is a map, all keys are values.
    pub(crate) fn is_named(&self, present: u64) -> bool {
        let objects = self.fields.count;
        self.rule.map != Some(true) && objects >= 3 && present * 20 >= objects * 19
    }

    /// True if the keys that are not kept are more than keys that are values.
    pub(crate) fn is_cut(&self) -> bool {
        self.limit.is_some()
    }
}

impl PlaceEvidence {
    /// Number of values that were observed.
    pub(crate) fn seen(&self) -> u64 {
        self.shape.seen() + self.objects
    }

    /// Number of values other than null.
    pub(crate) fn not_null(&self) -> u64 {
        self.shape.not_null() + self.objects
    }
}
