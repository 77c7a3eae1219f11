//! Decides path templates: a pure function from the merged trie to a tree of templates.
//!
//! The traversal starts at a host. At each node, the children are classified as names or values.
//! All values with one slot are merged, so that classification below them sees the subtrees of all
//! values together. Nothing is copied: a node of the decided tree is a group of trie nodes. A second
//! traversal corrects what the first one says of texts that occur at several places.

pub(crate) mod files;
mod slots;
mod unanswered;

use std::borrow::Cow;
use std::collections::BTreeMap;

use crate::sketch::stable_hash;
use crate::template::body_evidence::SegmentEchoes;
use crate::template::classifier::{Classification, Classifier};
use crate::template::context::{Candidate, LeafStats, SiblingSet};
use crate::template::decide::unanswered::Unanswered;
use crate::template::decided::{CloseCall, DecidedLiteral, DecidedNode};
use crate::template::host::{HostIndex, HostScalars};
use crate::template::model_rules::ModelRule;
use crate::template::naming::{parameter_names, unique};
use crate::template::node_group::NodeGroup;
use crate::template::operations;
use crate::template::second_pass::TwoPasses;
use crate::template::secret::Frequency;
use crate::template::segment::{PLAIN_FRAME, Segment, SegmentKind};
use crate::template::trie::ValuesChild;
use crate::template::variable::{Variable, VariableKey};
use crate::template::vocabulary::Vocabulary;
use crate::template::{Part, Template};

/// Maximum number of near misses kept for one node.
const MAX_NEAR_MISSES: usize = 10;

/// Decides the templates of one host, or of several that are grouped.
pub(crate) fn decide<'t, T: LeafStats>(
    hosts: &NodeGroup<'t, T>,
    vocabulary: &Vocabulary,
    scalars: HostScalars<'_>,
    judge: &dyn Classifier<T>,
) -> DecidedNode<'t, T> {
    let index = HostIndex::new(hosts, vocabulary, scalars);
    let mut passes = TwoPasses::new(judge);
    let decided = decide_group(hosts, Template::default(), &index, &passes);
    if passes.begin_second() {
        return decide_group(hosts, Template::default(), &index, &passes);
    }
    decided
}

/// The children of a group of nodes: candidates by text, and children that are values in any
/// context. The flag is true for answered requests.
struct Children<'t, T> {
    candidates: Vec<Candidate<'t, T>>,
    values: Vec<(&'t ValuesChild<T>, bool)>,
}

impl<'t, T: LeafStats> Children<'t, T> {
    fn of(group: &NodeGroup<'t, T>) -> Self {
        let mut by_text: BTreeMap<&'t [u8], NodeGroup<'t, T>> = BTreeMap::new();
        let mut values = Vec::new();
        for (nodes, answered) in [(&group.answered, true), (&group.not_found, false)] {
            for node in nodes {
                for literal in &node.literals {
                    by_text.entry(&literal.text).or_default().push(&literal.node, answered);
                }
                values.extend(node.values.iter().map(|values| (values, answered)));
            }
        }
        let has_answers = !group.answered.is_empty();
        let candidate = |(text, places): (&'t [u8], NodeGroup<'t, T>)| Candidate {
            text,
            hash: stable_hash(text),
            segment: Segment::parse(text),
            votes: !has_answers || !places.answered.is_empty(),
            places,
        };
        Self { candidates: by_text.into_iter().map(candidate).collect(), values }
    }
}

/// A parameter under construction, and the group of nodes below it.
type OpenVariable<'t, T> = (Variable<'t>, NodeGroup<'t, T>);

/// Decides the subtree of a group of nodes.
fn decide_group<'t, T: LeafStats>(
    group: &NodeGroup<'t, T>,
    template: Template,
    index: &HostIndex<'_>,
    judge: &dyn Classifier<T>,
) -> DecidedNode<'t, T> {
    let may_hold_files = matches!(template.parts.last(), Some(Part::Literal { .. }));
    if judge.takes_rest(&template)
        || (may_hold_files && ModelRule::FileTrees.is_on() && files::are_one_value(group, index))
    {
        return files::decide(group, template, judge);
    }
    let Children { candidates, values } = Children::of(group);
    let voting: Vec<&ValuesChild<T>> = values
        .iter()
        .filter(|(_, answered)| *answered || group.answered.is_empty())
        .map(|found| found.0)
        .collect();
    let place =
        SiblingSet { template: &template, group, candidates: &candidates, values: &voting, index };
    let verdicts = if candidates.is_empty() { Vec::new() } else { judge.judge(&place) };

    let near = near_misses(&candidates, &verdicts);
    let (literals, variables) = partition(candidates, verdicts, values, &template, judge);
    let step = |part: Part| {
        let mut deeper = template.clone();
        deeper.parts.push(part);
        deeper
    };
    let mut masked = 0;
    let literals = literals
        .into_iter()
        .map(|(literal, places)| {
            let requests = places.all().map(|node| node.count).sum();
            // If most words of a host are unknown, an unknown word is not a sign of a secret. Nor is
            // one with ids below it, which names a collection.
            let is_name = index.is_foreign() || has_ids_below(&places);
            let seen = if is_name { Frequency::Often } else { Frequency::times(requests) };
            let part = Part::literal(literal.text, seen, masked);
            masked += usize::from(part.is_masked());
            (literal, decide_group(&places, step(part), index, judge))
        })
        .collect();
    let variables = variables
        .into_iter()
        .map(|(mut variable, below)| {
            if !index.reads_bodies() {
                variable.echoes = SegmentEchoes::default();
            }
            let given = judge.parameter_names(&template, &variable.frame);
            let wanted =
                given.unwrap_or_else(|| parameter_names(&template.parts, &variable, &below));
            let names = unique(wanted, &template.parts);
            variable.texts = Vec::new();
            variable.unanswered_texts = Vec::new();
            let frame = variable.frame.clone();
            let part = Part::Parameter { names, frame, rest: variable.key.rest };
            (variable, decide_group(&below, step(part), index, judge))
        })
        .collect();
    DecidedNode { literals, variables, ends: operations::split(&group.ends()), template, near }
}

/// Returns `true` if an integer or a UUID stands directly below one of the nodes: `/heroes/7`.
fn has_ids_below<T>(nodes: &NodeGroup<'_, T>) -> bool {
    let is_id = |kind: SegmentKind| kind.is_integer() || kind == SegmentKind::Uuid;
    nodes.answered.iter().any(|node| {
        node.values.iter().any(|values| is_id(values.kind))
            || node.literals.iter().any(|child| is_id(Segment::parse(&child.text).kind))
    })
}

fn near_misses<'t, T>(
    candidates: &[Candidate<'t, T>],
    verdicts: &[Classification],
) -> Vec<CloseCall<'t>> {
    let distance = |verdict: &Classification| (verdict.probability - 0.5).abs();
    let mut near: Vec<CloseCall<'t>> = candidates
        .iter()
        .zip(verdicts)
        .filter(|(_, verdict)| verdict.is_near())
        .map(|(candidate, verdict)| CloseCall { text: candidate.text, verdict: verdict.clone() })
        .collect();
    near.sort_by(|a, b| {
        distance(&a.verdict).total_cmp(&distance(&b.verdict)).then(a.text.cmp(b.text))
    });
    near.truncate(MAX_NEAR_MISSES);
    near
}

/// Literals and parameters, each with the group of nodes below it.
type Partition<'t, T> = (Vec<(DecidedLiteral<'t>, NodeGroup<'t, T>)>, Vec<OpenVariable<'t, T>>);

/// Partitions the children of a node into literals and parameters.
fn partition<'t, T: LeafStats>(
    candidates: Vec<Candidate<'t, T>>,
    verdicts: Vec<Classification>,
    values: Vec<(&'t ValuesChild<T>, bool)>,
    template: &Template,
    judge: &dyn Classifier<T>,
) -> Partition<'t, T> {
    let mut literals = Vec::new();
    let mut unanswered = Unanswered::default();
    let mut variables: BTreeMap<VariableKey, OpenVariable<'t, T>> = BTreeMap::new();
    let values_among = verdicts.iter().filter(|verdict| verdict.is_value).count();
    let folded_may_be_names = values_among * 2 <= verdicts.len();
    for (candidate, verdict) in candidates.into_iter().zip(verdicts) {
        if !verdict.is_value {
            let literal = DecidedLiteral {
                text: candidate.text,
                answered: !candidate.places.answered.is_empty(),
                not_found: !candidate.places.not_found.is_empty(),
            };
            literals.push((literal, candidate.places));
            continue;
        }
        let pinned = judge.pinned_frame(template, candidate.text);
        let key = VariableKey {
            pinned: pinned.is_some(),
            slot: pinned.map_or_else(|| candidate.segment.slot(), Cow::Owned),
            ..VariableKey::plain()
        };
        if !candidate.votes {
            unanswered.candidates.push((key, candidate, verdict));
            continue;
        }
        let (variable, below) = variables.entry(key).or_default();
        variable.add_candidate(&candidate, &verdict);
        below.extend(candidate.places);
    }
    let has_answers = !variables.is_empty() || values.iter().any(|(_, answered)| *answered);
    for (child, answered) in values {
        let pinned = judge.pinned_frame(template, &child.frame).is_some();
        let key = VariableKey {
            rest: child.kind == SegmentKind::Path,
            pinned,
            slot: if pinned { child.frame.to_vec().into() } else { slot_of(&child.frame) },
            beside: None,
        };
        if !answered && has_answers {
            unanswered.values.push((key, child));
            continue;
        }
        let (variable, below) = variables.entry(key).or_default();
        variable.add_values(child, answered && folded_may_be_names, true);
        below.push(&child.node, answered);
    }
    let mut frames = unanswered.add_to(&mut variables);
    slots::merge(&mut variables, template);
    let variables = variables
        .into_iter()
        .map(|(key, (mut variable, below))| {
            let frame = frames.remove(&key);
            variable.settle_frame(key, frame);
            (variable, below)
        })
        .collect();
    (literals, variables)
}

/// The slot of a values child, of which only the frame is known: see [`Segment::slot`].
pub(crate) fn slot_of(frame: &[u8]) -> Cow<'static, [u8]> {
    let tells_apart = matches!(frame.first(), Some(b'@' | b'~')) || frame.ends_with(b")");
    if tells_apart {
        return Cow::Owned(frame.to_vec());
    }
    let last = frame.iter().rposition(|byte| *byte == 0).unwrap_or(0);
    match &frame[last..] {
        b"\0" => PLAIN_FRAME,
        suffix => Cow::Owned(suffix.to_vec()),
    }
}
