//! Pooling: finding objects of one host that are one thing, by their keys.
//!
//! Objects with equal keys, and objects whose keys are nearly equal, are united, so that what is decided about one of them
//! rests on the evidence of all. The keys are weighed by how few kinds of objects have them: that both have an `id` says
//! little. Objects whose values are of different kinds under one key are never united.

use std::collections::BTreeMap;

use crate::schema::graph::{ObjectEvidence, ObjectId, PlaceGraph, PlaceId};
use crate::schema::names::ERROR;
use crate::shape::Shape;

/// Keys that an object must have to be compared.
const MIN_KEYS: usize = 3;

/// From this similarity on objects are one thing.
const MIN_SIMILARITY: f64 = 0.8;

/// From this similarity on objects that have a name in common are one thing.
const MIN_NAMED_SIMILARITY: f64 = 0.7;

/// Equal keys are enough if they weigh at least as much as two keys that no other kind of object has.
const MIN_WEIGHT: f64 = 2.0;

/// Kinds of objects with equal keys that each further object is compared with.
const MAX_KINDS_OF_ONE_SIGNATURE: usize = 16;

/// Signatures that have a key, up to which the key leads to pairs that are compared.
const MAX_SIGNATURES_OF_KEY: usize = 64;

/// The rarest keys of a signature that lead to pairs.
const MAX_LEADING_KEYS: usize = 8;

/// Nesting up to which values are compared.
const MAX_COMPARED_DEPTH: usize = 4;

/// Unites the objects of a graph that are one thing.
pub(crate) fn pool(graph: &mut PlaceGraph) {
    graph.unite_map_values();
    let signatures = signatures(graph);
    let weights = Weights::of(signatures.keys());
    unite_equal(graph, &signatures, &weights);
    unite_similar(graph, &weights);
    unite_errors(graph);
    graph.unite_map_values();
}

/// The hashes of the keys of an object, in their order.
type Signature = Vec<u64>;

fn is_comparable(object: &ObjectEvidence) -> bool {
    !object.is_map && !object.is_text && !object.is_cut() && object.fields.keys.len() >= MIN_KEYS
}

fn signature(object: &ObjectEvidence) -> Signature {
    object.keys().map(|(hash, _, _, _)| hash).collect()
}

fn signatures(graph: &PlaceGraph) -> BTreeMap<Signature, Vec<ObjectId>> {
    let mut signatures: BTreeMap<Signature, Vec<ObjectId>> = BTreeMap::new();
    for (id, object) in graph.objects().filter(|(_, object)| is_comparable(object)) {
        signatures.entry(signature(object)).or_default().push(id);
    }
    signatures
}

/// The weight of each key as evidence of the object that it belongs to: 1 for a key of one signature, near 0 for a key of all.
struct Weights {
    /// Number of signatures.
    all: f64,
    signatures: BTreeMap<u64, u32>,
}

impl Weights {
    #[expect(clippy::cast_precision_loss, reason = "far fewer signatures than 2^53")]
    fn of<'s>(all: impl Iterator<Item = &'s Signature>) -> Self {
        let mut signatures: BTreeMap<u64, u32> = BTreeMap::new();
        let mut count = 0_usize;
        for signature in all {
            count += 1;
            signature.iter().for_each(|key| *signatures.entry(*key).or_default() += 1);
        }
        Self { all: count.max(1) as f64, signatures }
    }

    fn count(&self, key: u64) -> u32 {
        self.signatures.get(&key).copied().unwrap_or(1)
    }

    fn of_key(&self, key: u64) -> f64 {
        (1.0 + self.all / f64::from(self.count(key))).ln() / (1.0 + self.all).ln()
    }
}

/// Unites objects with equal keys.
fn unite_equal(
    graph: &mut PlaceGraph,
    signatures: &BTreeMap<Signature, Vec<ObjectId>>,
    weights: &Weights,
) {
    for (signature, ids) in signatures {
        let weight: f64 = signature.iter().map(|key| weights.of_key(*key)).sum();
        let mut kinds: Vec<ObjectId> = Vec::new();
        for id in ids {
            let is_same_kind = |kind: &&ObjectId| {
                let (one, other) = (graph.object(**kind), graph.object(*id));
                let is_evidence = weight >= MIN_WEIGHT || have_common_name(one, other);
                is_evidence && are_compatible(graph, **kind, *id, 0)
            };
            match kinds.iter().find(is_same_kind) {
                Some(kind) => graph.unite(*kind, *id),
                None if kinds.len() < MAX_KINDS_OF_ONE_SIGNATURE => kinds.push(*id),
                None => {}
            }
        }
    }
}

/// Unites objects whose keys are nearly equal, the most similar ones first.
fn unite_similar(graph: &mut PlaceGraph, weights: &Weights) {
    let comparable: Vec<ObjectId> =
        graph.objects().filter(|(_, object)| is_comparable(object)).map(|(id, _)| id).collect();
    let mut by_key: BTreeMap<u64, Vec<ObjectId>> = BTreeMap::new();
    for id in &comparable {
        let mut keys = signature(graph.object(*id));
        keys.retain(|key| weights.count(*key) as usize <= MAX_SIGNATURES_OF_KEY);
        keys.sort_by_key(|key| (weights.count(*key), *key));
        for key in keys.into_iter().take(MAX_LEADING_KEYS) {
            by_key.entry(key).or_default().push(*id);
        }
    }
    let mut pairs: Vec<(ObjectId, ObjectId)> = by_key
        .values()
        .flat_map(|ids| {
            let of_one = |(at, one): (usize, &ObjectId)| {
                let one = *one;
                ids[at + 1..].iter().map(move |other| (one, *other)).collect::<Vec<_>>()
            };
            ids.iter().take(MAX_SIGNATURES_OF_KEY).enumerate().flat_map(of_one).collect::<Vec<_>>()
        })
        .collect();
    pairs.sort_unstable();
    pairs.dedup();
    let similar = |graph: &PlaceGraph, one: ObjectId, other: ObjectId| {
        let (a, b) = (graph.object(one), graph.object(other));
        let similarity = similarity(a, b, |key| weights.of_key(key));
        let least = if have_common_name(a, b) { MIN_NAMED_SIMILARITY } else { MIN_SIMILARITY };
        (similarity >= least).then_some(similarity)
    };
    let mut found: Vec<(f64, ObjectId, ObjectId)> = pairs
        .into_iter()
        .filter_map(|(one, other)| Some((similar(graph, one, other)?, one, other)))
        .collect();
    found.sort_by(|a, b| b.0.total_cmp(&a.0).then((a.1, a.2).cmp(&(b.1, b.2))));
    for (_, one, other) in found {
        let (one, other) = (graph.object_root(one), graph.object_root(other));
        // What they were united with since may have made them unlike.
        if one != other
            && similar(graph, one, other).is_some()
            && are_compatible(graph, one, other, 0)
        {
            graph.unite(one, other);
        }
    }
}

/// Unites the bodies of errors of which one has all keys of the other, or that have half of their keys in common: an API has one
/// format of them, of which each endpoint shows a part.
fn unite_errors(graph: &mut PlaceGraph) {
    let is_error = |object: &ObjectEvidence| {
        let is_named = object.names.get(ERROR).is_some_and(|weight| *weight > 0);
        is_named && !object.is_map && !object.is_text && !object.is_cut()
    };
    let mut errors: Vec<(usize, ObjectId)> = graph
        .objects()
        .filter(|(_, object)| is_error(object) && object.fields.keys.len() > 0)
        .map(|(id, object)| (object.fields.keys.len(), id))
        .collect();
    // The most complete ones come first.
    errors.sort_by(|a, b| b.0.cmp(&a.0).then(a.1.cmp(&b.1)));
    let mut kinds: Vec<ObjectId> = Vec::new();
    for (_, id) in errors {
        let is_same_kind = |kind: &&ObjectId| {
            let (one, other) = (graph.object(**kind), graph.object(id));
            let shared = other.keys().filter(|(hash, ..)| one.key_of_hash(*hash).is_some()).count();
            let all = one.fields.keys.len() + other.fields.keys.len() - shared;
            let is_alike = shared > 0 && (shared == other.fields.keys.len() || shared * 2 >= all);
            is_alike && are_compatible(graph, **kind, id, 0)
        };
        match kinds.iter().find(is_same_kind) {
            Some(kind) => graph.unite(*kind, id),
            None if kinds.len() < MAX_KINDS_OF_ONE_SIGNATURE => kinds.push(id),
            None => {}
        }
    }
}

/// The weighted Jaccard similarity of the keys of two objects, each by the share of the objects that have it.
#[expect(clippy::cast_precision_loss, reason = "counts of observations")]
fn similarity(one: &ObjectEvidence, other: &ObjectEvidence, weight: impl Fn(u64) -> f64) -> f64 {
    let shares = |object: &ObjectEvidence| -> BTreeMap<u64, f64> {
        let count = object.fields.count.max(1) as f64;
        object.keys().map(|(hash, _, present, _)| (hash, present as f64 / count)).collect()
    };
    let (one, other) = (shares(one), shares(other));
    let (mut both, mut either) = (0.0, 0.0);
    for (key, share) in &one {
        let also = other.get(key).copied().unwrap_or_default();
        both += weight(*key) * share.min(also);
        either += weight(*key) * share.max(also);
    }
    for (key, share) in other.iter().filter(|(key, _)| !one.contains_key(key)) {
        either += weight(*key) * share;
    }
    if either > 0.0 { both / either } else { 0.0 }
}

fn have_common_name(one: &ObjectEvidence, other: &ObjectEvidence) -> bool {
    let is_also = |name: &str| other.names.get(name).is_some_and(|weight| *weight > 0);
    one.names.iter().any(|(name, weight)| *weight > 0 && is_also(name))
}

/// True if nothing speaks against two objects being one thing: they come in one direction, and the values under equal keys
/// are of kinds that agree.
fn are_compatible(graph: &PlaceGraph, one: ObjectId, other: ObjectId, depth: usize) -> bool {
    let (one, other) = (graph.object_root(one), graph.object_root(other));
    if one == other {
        return true;
    }
    let (a, b) = (graph.object(one), graph.object(other));
    let is_one_way = a.is_request == b.is_request || depth > 0;
    is_one_way
        && a.keys().all(|(hash, _, _, place)| {
            let also = b.key_of_hash(hash);
            also.is_none_or(|(_, also)| are_places_compatible(graph, place, also, depth))
        })
}

fn are_places_compatible(graph: &PlaceGraph, one: PlaceId, other: PlaceId, depth: usize) -> bool {
    let (a, b) = (graph.place(one), graph.place(other));
    let (of_a, of_b) = (kinds(&a.shape, a.objects), kinds(&b.shape, b.objects));
    if of_a != 0 && of_b != 0 && of_a & of_b == 0 {
        return false;
    }
    if depth >= MAX_COMPARED_DEPTH {
        return true;
    }
    let are_objects = match (a.object, b.object) {
        (Some(one), Some(other)) => {
            let (a, b) = (graph.object(one), graph.object(other));
            let is_alike = graph.object_root(one) == graph.object_root(other)
                || (a.is_map && b.is_map)
                || similarity(a, b, |_| 1.0) >= 0.4
                || is_part_of(a, b)
                || is_part_of(b, a);
            is_alike && are_compatible(graph, one, other, depth + 1)
        }
        _ => true,
    };
    let are_lists = match (a.item, b.item) {
        (Some(one), Some(other)) => {
            // Of an empty list it is not known what it lists: two envelopes are not one because of it.
            let seen = [one, other].map(|item| graph.place(item).objects > 0);
            let is_known = seen[0] == seen[1] || depth > 0;
            is_known && are_places_compatible(graph, one, other, depth + 1)
        }
        _ => true,
    };
    are_objects && are_lists
}

/// True if an object has few keys, and all of them are keys of the other.
fn is_part_of(one: &ObjectEvidence, other: &ObjectEvidence) -> bool {
    one.fields.keys.len() < MIN_KEYS
        && one.keys().all(|(hash, _, _, _)| other.key_of_hash(hash).is_some())
}

/// The kinds of the values other than null, as bits.
fn kinds(shape: &Shape, objects: u64) -> u8 {
    u8::from(shape.trues + shape.falses > 0)
        | u8::from(shape.numbers.is_some()) << 1
        | u8::from(shape.strings.is_some()) << 2
        | u8::from(shape.items.is_some()) << 3
        | u8::from(objects > 0) << 4
}
