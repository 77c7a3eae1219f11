//! From evidence to templates: a pure function of the merged trie.
//!
//! Walks down from a host. At each place every child is judged a name or a value; all values with the same suffix are
//! looked at as one from there on, so that what stands below is seen across all of them. Nothing is copied: a place of
//! the decided tree is a group of places of the trie.

use std::collections::BTreeMap;

use crate::limits;
use crate::sketch::{Distinct, Merge, stable_hash};
use crate::template::context::{Candidate, HostIndex, Place};
use crate::template::evidence::{Node, Values};
use crate::template::judge::Judge;
use crate::template::name::parameter_name;
use crate::template::segment::{Segment, SegmentKind};
use crate::template::vocabulary::Vocabulary;
use crate::template::{Part, Template};

/// A place in the decided tree.
#[derive(Debug)]
pub(crate) struct Decided<'t, T> {
    /// Sorted by text.
    pub(crate) literals: Vec<(&'t [u8], Self)>,
    /// Sorted by suffix.
    pub(crate) variables: Vec<(Variable<'t>, Self)>,
    /// Requests that ended here, by method.
    pub(crate) ends: Vec<(&'t [u8], Vec<&'t T>)>,
    /// Where this place is, in words.
    pub(crate) template: Template,
}

/// A varying part, and why it is one.
#[derive(Clone, Debug, Default)]
pub(crate) struct Variable<'t> {
    pub(crate) suffix: &'t [u8],
    /// Does the value go on over all segments that follow?
    pub(crate) rest: bool,
    /// How many requests had a value of each kind.
    kinds: BTreeMap<SegmentKind, u64>,
    distinct: Distinct<{ limits::DISTINCT_HASHES }>,
    /// Sum over the requests of how sure it is that theirs is a value.
    certainty: f64,
    /// Segments that could have been names.
    judged: u64,
}

impl Variable<'_> {
    /// The kind of the values in reports.
    pub(crate) fn kind(&self) -> &'static str {
        let mut names: Vec<&str> = self.kinds.keys().map(|kind| kind.name()).collect();
        names.dedup();
        match &names[..] {
            [name] => name,
            ["integer", "number"] => "number",
            _ => "string",
        }
    }

    pub(crate) fn distinct(&self) -> u64 {
        self.distinct.estimate()
    }

    /// How sure it is that this part varies, from 0 to 1: the mean over the requests, to two decimals.
    pub(crate) fn confidence(&self) -> f64 {
        #[expect(clippy::cast_precision_loss, reason = "rounded to two decimals")]
        let mean = self.certainty / self.requests().max(1) as f64;
        (mean * 100.0).round().clamp(1.0, 99.0) / 100.0
    }

    fn requests(&self) -> u64 {
        self.kinds.values().sum()
    }

    /// Short reasons that can be checked.
    pub(crate) fn reasons(&self) -> Vec<String> {
        let mut by_name: BTreeMap<&str, u64> = BTreeMap::new();
        for (kind, count) in &self.kinds {
            *by_name.entry(kind.name()).or_default() += count;
        }
        let total = self.requests();
        let mut reasons: Vec<String> = by_name
            .into_iter()
            .map(|(name, count)| format!("{count} of {total} requests have a value of kind {name}"))
            .collect();
        if self.judged > 0 {
            reasons.push(format!(
                "{} segments were judged values by what stands around and below them",
                self.judged
            ));
        }
        reasons
    }

    fn add(&mut self, kind: SegmentKind, count: u64, probability: f64) {
        *self.kinds.entry(kind).or_default() += count;
        #[expect(clippy::cast_precision_loss, reason = "a mean needs no more")]
        let weight = count as f64;
        self.certainty += weight * probability;
        self.judged += u64::from(!kind.is_unmistakable());
    }
}

/// Decides everything below one host.
pub(crate) fn decide<'t, T>(
    host: &'t Node<T>,
    vocabulary: &Vocabulary,
    judge: &dyn Judge<T>,
) -> Decided<'t, T> {
    let index = HostIndex::new(host, vocabulary);
    decide_group(&[host], Template::default(), &index, judge)
}

/// A varying part while it is put together: what is known of it, and where it leads.
type Varying<'t, T> = (Variable<'t>, Vec<&'t Node<T>>);

fn decide_group<'t, T>(
    group: &[&'t Node<T>],
    template: Template,
    index: &HostIndex,
    judge: &dyn Judge<T>,
) -> Decided<'t, T> {
    let mut children: BTreeMap<&'t [u8], Vec<&'t Node<T>>> = BTreeMap::new();
    let mut ends: BTreeMap<&'t [u8], Vec<&'t T>> = BTreeMap::new();
    let mut values: Vec<&'t Values<T>> = Vec::new();
    for node in group {
        for literal in &node.literals {
            children.entry(&literal.text).or_default().push(&literal.node);
        }
        for end in &node.ends {
            ends.entry(&end.method).or_default().push(&end.seen);
        }
        values.extend(&node.values);
    }
    let candidates: Vec<Candidate<'t, T>> = children
        .into_iter()
        .map(|(text, nodes)| Candidate {
            text,
            hash: stable_hash(text),
            segment: Segment::parse(text),
            nodes,
        })
        .collect();
    let place =
        Place { template: &template, group, candidates: &candidates, values: &values, index };
    let verdicts = if candidates.is_empty() { Vec::new() } else { judge.judge(&place) };

    let mut literals = Vec::new();
    let mut variables: BTreeMap<(bool, &'t [u8]), Varying<'t, T>> = BTreeMap::new();
    for (candidate, verdict) in candidates.into_iter().zip(verdicts) {
        if !verdict.is_value {
            literals.push((candidate.text, candidate.nodes));
            continue;
        }
        let (variable, below) = variables.entry((false, candidate.segment.suffix)).or_default();
        variable.add(candidate.segment.kind, candidate.requests(), verdict.probability);
        variable.distinct.observe(candidate.hash);
        below.extend(candidate.nodes);
    }
    for child in values {
        let rest = child.kind == SegmentKind::Path;
        let (variable, below) = variables.entry((rest, &child.suffix)).or_default();
        variable.add(child.kind, child.node.count, 0.99);
        variable.distinct.merge(child.distinct.clone());
        below.push(&child.node);
    }

    let step = |part: Part| {
        let mut deeper = template.clone();
        deeper.parts.push(part);
        deeper
    };
    Decided {
        literals: literals
            .into_iter()
            .map(|(text, nodes)| {
                (text, decide_group(&nodes, step(Part::Literal(text.into())), index, judge))
            })
            .collect(),
        variables: variables
            .into_iter()
            .map(|((rest, suffix), (mut variable, below))| {
                (variable.suffix, variable.rest) = (suffix, rest);
                let name = parameter_name(&template.parts);
                let part = Part::Parameter { name, suffix: suffix.into(), rest };
                (variable, decide_group(&below, step(part), index, judge))
            })
            .collect(),
        ends: ends.into_iter().collect(),
        template,
    }
}
