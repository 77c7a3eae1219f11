//! Shapes by path, for traffic that is observed once, before templates are decided.
//!
//! Paths whose known words are equal are a group; in it the paths are told apart by their other words. When templates are
//! decided, [`PathShapes::resolve`] merges what belongs to one endpoint. What is kept is a pure function of the set of the
//! requests: groups are kept by the smallest hashes, and share a budget of nodes as the hosts of a trie do. A group beyond
//! its share keeps fewer of its paths apart, again by their hashes, and cuts their shapes. What is not told apart belongs
//! to an endpoint too if the template has a parameter where the words were.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::flow::Flow;
use crate::limits;
use crate::shape::Caps;
use crate::shape::messages::{BodyScratch, EndpointMessages};
use crate::shape::store::ShapeStore;
use crate::sketch::{HeapSize, Merge, fair_share, stable_hash};
use crate::template::path_step::{PathStep, PathSteps, hash_of};

/// The properties by which requests may belong to one endpoint.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct RequestRoute {
    pub(crate) host: Box<[u8]>,
    pub(crate) method: Box<[u8]>,
    pub(crate) operation: Box<[u8]>,
    /// Whether the answer was 404.
    pub(crate) not_found: bool,
    pub(crate) steps: Vec<PathStep>,
}

/// Shapes of messages by path.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct PathShapes {
    /// By the hash of the route.
    groups: BTreeMap<u64, PathGroup>,
    /// Requests of groups that are not kept.
    pub(crate) dropped: u64,
    /// Flows since the nodes were last counted, and bytes of their bodies.
    #[serde(skip)]
    uncounted: Uncounted,
}

/// Counters since nodes were last counted. They are not part of a state.
#[derive(Clone, Copy, Debug, Default)]
struct Uncounted {
    flows: u64,
    bytes: u64,
}

impl PartialEq for Uncounted {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for Uncounted {}

/// The paths whose known words are equal.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct PathGroup {
    /// Its steps have a literal for each known word.
    route: RequestRoute,
    /// The level of merging: see [`bits_at`] and [`caps_level_at`].
    level: u8,
    /// Paths without other words, and those that are not told apart.
    rest: EndpointMessages,
    /// By the hash of the steps.
    paths: BTreeMap<u64, PathMessages>,
}

/// The messages of one path.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct PathMessages {
    steps: Vec<PathStep>,
    messages: EndpointMessages,
}

/// Groups that are kept.
const MAX_GROUPS: usize = 4096;

/// The last level, at which a group is a single shape of a single node.
const MAX_GROUP_LEVEL: u8 = 2 * Caps::MAX_LEVEL;

/// Number of leading zero bits that the hash of a path needs to be kept separate at a level.
fn bits_at(level: u8) -> u32 {
    u32::from(level.div_ceil(2)) * 2
}

/// The level of the caps of shapes at a level of a group.
fn caps_level_at(level: u8) -> u8 {
    level / 2
}

fn is_kept_at(hash: u64, level: u8) -> bool {
    hash.leading_zeros() >= bits_at(level)
}

impl PathShapes {
    /// Adds the messages of a flow. The steps of `route` are not looked at; `query` is the query of the flow, `segments` are
    /// those of its path.
    pub(crate) fn observe<'s>(
        &mut self,
        flow: &Flow<'_>,
        query: &[u8],
        segments: impl Iterator<Item = &'s [u8]> + Clone,
        mut route: RequestRoute,
        scratch: &mut BodyScratch,
    ) {
        let response = flow.response.as_ref().and_then(|response| response.body.recorded_bytes());
        let bytes = [flow.request_body.recorded_bytes(), response].into_iter().flatten().sum();
        self.uncounted.flows += 1;
        self.uncounted.bytes = self.uncounted.bytes.saturating_add(bytes);
        let often = limits::FLOWS_PER_COUNT.max(self.groups.len() as u64 * 8);
        if self.uncounted.flows >= often || self.uncounted.bytes >= limits::BYTES_A_COUNT {
            self.fit();
        }
        let steps = PathSteps::of(segments.clone());
        route.steps = steps.known;
        let hash = route.hash();
        if self.groups.len() >= MAX_GROUPS
            && !self.groups.contains_key(&hash)
            && self.groups.last_key_value().is_some_and(|(last, _)| hash > *last)
        {
            self.dropped += 1;
            return;
        }
        let group =
            self.groups.entry(hash).or_insert_with(|| PathGroup { route, ..PathGroup::default() });
        group.messages(steps.all, steps.has_unknown).observe(flow, query, segments, scratch);
        self.drop_groups();
    }

    fn drop_groups(&mut self) {
        while self.groups.len() > MAX_GROUPS {
            self.dropped += self.groups.pop_last().map_or(0, |(_, group)| group.requests());
        }
    }

    /// Brings every group down to its share.
    pub(crate) fn fit(&mut self) {
        self.fit_to(limits::MAX_SHAPE_NODES);
    }

    fn fit_to(&mut self, most: usize) {
        self.uncounted = Uncounted::default();
        self.groups.values_mut().for_each(|group| {
            group.raise(0);
            group.fit_each(limits::MAX_ENDPOINT_SHAPE_NODES);
        });
        let nodes: Vec<usize> = self.groups.values().map(PathGroup::nodes).collect();
        let levels = self.groups.values().map(|group| group.level);
        let share = if self.dropped > 0 {
            // The need of the others is unknown.
            most / MAX_GROUPS
        } else {
            fair_share(most, &nodes, levels)
        };
        for (group, mut nodes) in self.groups.values_mut().zip(nodes) {
            while nodes > share && group.level < MAX_GROUP_LEVEL {
                group.raise(group.level + 1);
                nodes = group.nodes();
            }
        }
    }

    /// The shapes by endpoint, whose number `endpoint_of` gives for a route, and the number of requests that belong to none
    /// as far as is known.
    pub(crate) fn resolve(
        &self,
        endpoint_of: impl Fn(&RequestRoute) -> Option<u64>,
    ) -> (ShapeStore, u64) {
        let mut shapes = self.clone();
        shapes.fit();
        let mut store = ShapeStore::default();
        let mut unassigned = shapes.dropped;
        for group in shapes.groups.into_values() {
            let mut route = group.route;
            let mut assign =
                |route: &RequestRoute, messages: EndpointMessages| match endpoint_of(route)
                    .filter(|_| messages.requests > 0)
                {
                    Some(id) => store.endpoint(id, 0).merge(messages),
                    None => unassigned += messages.requests,
                };
            assign(&route, group.rest);
            for path in group.paths.into_values() {
                route.steps = path.steps;
                assign(&route, path.messages);
            }
        }
        (store, unassigned)
    }

    /// True if the state is one that requests can lead to, and no counter is so large that sums overflow.
    pub(crate) fn is_sound(&self) -> bool {
        let is_group_sound = |(hash, group): (&u64, &PathGroup)| {
            let are_paths_sound = group.paths.iter().all(|(hash, path)| {
                *hash == hash_of(&path.steps)
                    && is_kept_at(*hash, group.level)
                    && path.steps.len() == group.route.steps.len()
                    && path.messages.is_sound()
            });
            *hash == group.route.hash()
                && group.level <= MAX_GROUP_LEVEL
                && group.route.steps.len() <= limits::MAX_PATH_SEGMENTS
                && group.rest.is_sound()
                && are_paths_sound
        };
        self.dropped <= limits::MAX_COUNT
            && self.groups.len() <= MAX_GROUPS
            && self.groups.iter().all(is_group_sound)
    }
}

impl RequestRoute {
    fn hash(&self) -> u64 {
        let parts: [&[u8]; 4] =
            [&self.host, &self.method, &self.operation, &[u8::from(self.not_found)]];
        let mut bytes = Vec::new();
        for part in parts {
            bytes.extend((part.len() as u64).to_le_bytes());
            bytes.extend_from_slice(part);
        }
        bytes.extend(hash_of(&self.steps).to_le_bytes());
        stable_hash(&bytes)
    }
}

impl PathGroup {
    fn messages(&mut self, steps: Vec<PathStep>, has_unknown: bool) -> &mut EndpointMessages {
        if !has_unknown {
            return &mut self.rest;
        }
        let hash = hash_of(&steps);
        if !is_kept_at(hash, self.level) {
            return &mut self.rest;
        }
        let new = || PathMessages { steps, messages: EndpointMessages::default() };
        &mut self.paths.entry(hash).or_insert_with(new).messages
    }

    fn requests(&self) -> u64 {
        let paths = self.paths.values().map(|path| path.messages.requests);
        self.rest.requests + paths.sum::<u64>()
    }

    /// Nodes of all shapes; a path counts as one more.
    fn nodes(&self) -> usize {
        let paths = self.paths.values().map(|path| path.messages.nodes() + path.steps.len() + 1);
        self.rest.nodes() + paths.sum::<usize>()
    }

    /// Brings each path to at most so many nodes, as an endpoint is brought to.
    fn fit_each(&mut self, most: usize) {
        self.rest.fit(most);
        self.paths.values_mut().for_each(|path| path.messages.fit(most));
    }

    /// Raises the level, or merges and cuts what came since it was raised.
    fn raise(&mut self, level: u8) {
        self.level = self.level.max(level);
        if self.level == 0 {
            return;
        }
        let level = self.level;
        let paths = std::mem::take(&mut self.paths).into_iter();
        let (kept, cut): (BTreeMap<_, _>, BTreeMap<_, _>) =
            paths.partition(|(hash, _)| is_kept_at(*hash, level));
        self.paths = kept;
        cut.into_values().for_each(|path| self.rest.merge(path.messages));
        let caps = caps_level_at(level);
        self.rest.raise(caps);
        self.paths.values_mut().for_each(|path| path.messages.raise(caps));
    }
}

impl Merge for PathGroup {
    fn merge(&mut self, other: Self) {
        self.rest.merge(other.rest);
        for (hash, path) in other.paths {
            let have = self.paths.entry(hash).or_insert_with(|| PathMessages {
                steps: path.steps,
                messages: EndpointMessages::default(),
            });
            have.messages.merge(path.messages);
        }
        self.raise(other.level);
    }
}

impl Merge for PathShapes {
    fn merge(&mut self, other: Self) {
        self.dropped += other.dropped;
        for (hash, group) in other.groups {
            let have = self.groups.entry(hash).or_insert_with(|| PathGroup {
                route: group.route.clone(),
                ..PathGroup::default()
            });
            have.merge(group);
        }
        self.drop_groups();
        self.fit();
    }
}

impl HeapSize for PathShapes {
    fn heap_bytes(&self) -> usize {
        let of_steps = |steps: &[PathStep]| {
            let text = |step: &PathStep| match step {
                PathStep::Literal(text) | PathStep::Value(text) => text.len(),
            };
            size_of_val(steps) + steps.iter().map(text).sum::<usize>()
        };
        let of_group = |group: &PathGroup| {
            let paths = group.paths.values().map(|path| {
                size_of::<PathMessages>() + of_steps(&path.steps) + path.messages.heap_bytes()
            });
            let route = &group.route;
            // Nodes of a map are two thirds full on average.
            size_of::<PathGroup>() * 3 / 2
                + route.host.len()
                + route.method.len()
                + route.operation.len()
                + of_steps(&route.steps)
                + group.rest.heap_bytes()
                + paths.sum::<usize>()
        };
        self.groups.values().map(of_group).sum()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::flow::{Body, Response};

    fn observed(requests: &[(String, String)]) -> PathShapes {
        let mut shapes = PathShapes::default();
        for (path, body) in requests {
            let url = format!("https://h.example{path}");
            let mut flow = Flow::new("GET", &url).unwrap();
            let body = Body::decoded(body.as_bytes());
            flow.response = Some(Response {
                status: 200,
                content_type: Some(b"application/json"),
                body,
                ..Response::default()
            });
            let steps = path.split('/').skip(1).map(str::as_bytes);
            let route = RequestRoute { host: (*b"h.example").into(), ..RequestRoute::default() };
            shapes.observe(&flow, b"", steps, route, &mut BodyScratch::default());
        }
        shapes
    }

    fn fitted(mut shapes: PathShapes, most: usize) -> PathShapes {
        shapes.fit_to(most);
        shapes
    }

    proptest! {
        #[test]
        fn order_and_split_do_not_show(
            requests in prop::collection::vec(
                ("/(users|orders|[qx]{3})(/([qxz]{2,3}|[0-9]{6}))?", "\\{(\"[a-d]\":[0-9],){0,3}\"e\":1\\}"),
                0..40,
            ),
            split in 0_usize..40,
            most in prop_oneof![1_usize..200, Just(100_000)],
        ) {
            let split = split.min(requests.len());
            let whole = fitted(observed(&requests), most);
            let mut backwards = requests[split..].to_vec();
            backwards.reverse();
            let mut merged = fitted(observed(&backwards), most);
            merged.merge(fitted(observed(&requests[..split]), most));
            let merged = fitted(merged, most);
            prop_assert_eq!(&merged, &whole);
            prop_assert!(whole.is_sound());
            let requests_kept: u64 = whole.groups.values().map(PathGroup::requests).sum();
            prop_assert_eq!(requests_kept, requests.len() as u64);
            let bytes = postcard::to_stdvec(&whole).unwrap();
            let back: PathShapes = postcard::from_bytes(&bytes).unwrap();
            prop_assert_eq!(back, whole);
        }
    }
}
