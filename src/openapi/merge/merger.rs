//! The state of a merge: what is added, what contradicts, and how names of the capture are written in the description.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::openapi::merge::additions::{Addition, Additions, SourceFormat, add_entry, obstacle};
use crate::openapi::merge::tree::{SourceId, SourceTree, Target};

/// The path to the components with schemas.
pub(super) const SCHEMAS: &str = "#/components/schemas/";

/// A description as it is read once, with what earlier rounds found out.
#[derive(Clone, Copy)]
pub(super) struct MergeInput<'m> {
    pub(super) tree: &'m SourceTree,
    pub(super) text: &'m str,
    pub(super) format: SourceFormat,
    /// The description of the capture.
    pub(super) api: &'m Value,
    pub(super) host: &'m str,
    /// Nodes where lines were tried and came out wrong.
    pub(super) blocked: &'m BTreeSet<SourceId>,
}

/// The findings of one round.
#[derive(Debug, Default)]
pub(super) struct Findings {
    pub(super) additions: Additions,
    /// The number of additions of each kind.
    pub(super) counts: BTreeMap<&'static str, u64>,
    /// Sentences, each with the node that it is about.
    pub(super) conflicts: BTreeSet<(SourceId, String)>,
    /// The parts that were left out at a node, with the reason.
    left_out: BTreeMap<SourceId, (String, &'static str, BTreeSet<String>)>,
}

/// Compares a description with a capture. A first comparison only finds the names of components; what the second one finds
/// is added.
pub(super) struct Merger<'m> {
    pub(super) input: MergeInput<'m>,
    pub(super) tree: &'m SourceTree,
    pub(super) is_planning: bool,
    /// Components of the description, by names of the capture.
    pub(super) renamed: BTreeMap<String, String>,
    /// Components of the capture that are not in the description yet, and those that are to be compared with their
    /// namesakes in it.
    pub(super) open_components: Vec<String>,
    /// Components of the capture and nodes that were compared.
    pub(super) compared: BTreeSet<(String, SourceId)>,
    /// Names of components that the description has or gets.
    pub(super) taken: BTreeSet<String>,
    pub(super) findings: Findings,
    pub(super) operation_ids: BTreeSet<String>,
}

impl<'m> Merger<'m> {
    pub(super) fn new(input: MergeInput<'m>) -> Self {
        let schemas = input.tree.get_path(SourceId::ROOT, &["components", "schemas"]);
        let entries = schemas.map_or(&[][..], |schemas| input.tree.entries(schemas));
        Self {
            input,
            tree: input.tree,
            is_planning: true,
            renamed: BTreeMap::new(),
            open_components: Vec::new(),
            compared: BTreeSet::new(),
            taken: entries.iter().map(|entry| entry.key.clone()).collect(),
            findings: Findings::default(),
            operation_ids: BTreeSet::new(),
        }
    }

    /// Begins the pass that adds: clears all but the names.
    pub(super) fn begin_adding(&mut self) {
        self.is_planning = false;
        self.compared.clear();
        self.open_components.clear();
        self.findings = Findings::default();
    }

    /// True while only names are found.
    pub(super) fn is_planning(&self) -> bool {
        self.is_planning
    }

    /// The findings; the parts that were left out become sentences.
    pub(super) fn into_findings(mut self) -> Findings {
        for (id, (place, why, what)) in std::mem::take(&mut self.findings.left_out) {
            let shown: Vec<&str> = what.iter().take(5).map(|what| &**what).collect();
            let more = if what.len() > shown.len() {
                format!(" and {} more", what.len() - shown.len())
            } else {
                String::new()
            };
            let sentence = format!(
                "{place}: {}{more} was not added, because this place {why}",
                shown.join(", ")
            );
            self.findings.conflicts.insert((id, sentence));
        }
        self.findings
    }

    /// Notes that the description and the traffic differ at a place.
    pub(super) fn conflict(&mut self, id: SourceId, place: &str, what: &str) {
        if !self.is_planning {
            let sentence = format!("{place}: {what}; nothing was changed");
            self.findings.conflicts.insert((id, sentence));
        }
    }

    /// Adds an entry if that is possible, and says so if not. `value` is asked for only if it is.
    pub(super) fn add(
        &mut self,
        id: SourceId,
        (kind, place): (&'static str, &str),
        key: &str,
        value: impl FnOnce(&mut Self) -> Option<Value>,
    ) {
        if !self.may_add(id, (kind, place), key, false) {
            return;
        }
        let Some(value) = value(self) else {
            let why = "needs a component, and `components` cannot be extended (see there)";
            self.leave_out(id, (kind, place), key, why);
            return;
        };
        if add_entry(&mut self.findings.additions, id, key, value) {
            *self.findings.counts.entry(kind).or_default() += 1;
        }
    }

    /// Adds an item, as [`add`](Self::add) an entry.
    pub(super) fn add_item(
        &mut self,
        id: SourceId,
        (kind, place): (&'static str, &str),
        name: &str,
        value: impl FnOnce(&mut Self) -> Option<Value>,
    ) {
        if !self.may_add(id, (kind, place), name, true) {
            return;
        }
        let Some(value) = value(self) else { return };
        let addition = Addition::Item(value);
        let added = self.findings.additions.entry(id).or_default();
        if !added.contains(&addition) {
            *self.findings.counts.entry(kind).or_default() += 1;
            added.push(addition);
        }
    }

    fn may_add(
        &mut self,
        id: SourceId,
        at: (&'static str, &str),
        key: &str,
        is_list: bool,
    ) -> bool {
        if self.is_planning {
            return false;
        }
        match self.obstacle(id, is_list) {
            Some(why) => {
                self.leave_out(id, at, key, why);
                false
            }
            None => true,
        }
    }

    fn leave_out(
        &mut self,
        id: SourceId,
        (kind, place): (&'static str, &str),
        key: &str,
        why: &'static str,
    ) {
        let (_, _, what) = self
            .findings
            .left_out
            .entry(id)
            .or_insert_with(|| (place.to_owned(), why, BTreeSet::new()));
        what.insert(format!("{kind} `{key}`"));
    }

    /// Why nothing can be added to a node.
    pub(super) fn obstacle(&self, id: SourceId, is_list: bool) -> Option<&'static str> {
        if self.input.blocked.contains(&id) {
            return Some(
                "is written in a way in which no line can be inserted safely; add it by hand",
            );
        }
        obstacle(self.tree, self.input.text, self.input.format, id, is_list)
    }

    /// Follows `$ref`s from a node; says so where they lead out of the file or nowhere.
    pub(super) fn follow(&mut self, id: SourceId, place: &str) -> Option<SourceId> {
        let (at, why) = match self.tree.target(id) {
            Target::Node(id) => return Some(id),
            Target::OtherFile(at) => (at, "leads to another file, which was not read"),
            Target::Nowhere(at) => (at, "leads nowhere or back to itself"),
        };
        let reference = self.tree.text(at, "$ref").unwrap_or_default();
        self.conflict(at, place, &format!("`$ref: {reference}` {why}"));
        None
    }
}
