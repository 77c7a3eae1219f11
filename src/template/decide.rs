//! From evidence to templates: a pure function of the merged trie.
//!
//! Walks down from a host. At each place every child is judged a name or a value; all values with the same suffix are
//! looked at as one from there on, so that what stands below is seen across all of them. Nothing is copied: a place of
//! the decided tree is a group of places of the trie.

use std::collections::BTreeMap;

use crate::limits;
use crate::sketch::{Distinct, Merge, stable_hash};
use crate::template::context::{Candidate, HostIndex, Observed, Place};
use crate::template::evidence::{End, Node, Values};
use crate::template::judge::{Judge, Verdict};
use crate::template::name::{parameter_name, unique};
use crate::template::operations;
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
    /// Requests that ended here, by method and operation; the operation is empty where the path is not split.
    pub(crate) ends: Vec<DecidedEnd<'t, T>>,
    /// Where this place is, in words.
    pub(crate) template: Template,
    /// Segments that were nearly judged otherwise, the nearest first.
    pub(crate) near: Vec<Near<'t>>,
}

/// What ended at a place: its method, its operation, and what was seen of it.
pub(crate) type DecidedEnd<'t, T> = ((&'t [u8], &'t [u8]), Vec<&'t T>);

/// A segment that was nearly judged otherwise.
#[derive(Clone, Debug)]
pub(crate) struct Near<'t> {
    pub(crate) text: &'t [u8],
    pub(crate) verdict: Verdict,
}

/// From how far from even odds a verdict is no near miss.
const NEAR: f64 = 0.35;
/// Near misses remembered for one place.
const NEAR_MISSES: usize = 10;

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
    /// Segments that could have been names, by what spoke most for their being values.
    judged: BTreeMap<&'static str, u64>,
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
        for (reason, count) in &self.judged {
            reasons.push(format!(
                "{count} segments that could be names are values, most of all by {reason}"
            ));
        }
        reasons
    }

    fn add(&mut self, kind: SegmentKind, count: u64, probability: f64) {
        *self.kinds.entry(kind).or_default() += count;
        #[expect(clippy::cast_precision_loss, reason = "a mean needs no more")]
        let weight = count as f64;
        self.certainty += weight * probability;
    }
}

/// Decides everything below one host, or below several that are one.
pub(crate) fn decide<'t, T: Observed>(
    hosts: &[&'t Node<T>],
    vocabulary: &Vocabulary,
    judge: &dyn Judge<T>,
) -> Decided<'t, T> {
    let index = HostIndex::new(hosts, vocabulary);
    decide_group(hosts, Template::default(), &index, judge)
}

/// Everything below is one value: the path of a file.
fn decide_files<'t, T: Observed>(
    group: &[&'t Node<T>],
    template: Template,
    judge: &dyn Judge<T>,
) -> Decided<'t, T> {
    let mut variable = Variable { rest: true, ..Variable::default() };
    let mut below: Vec<&'t End<T>> = Vec::new();
    let mut open: Vec<&Node<T>> = Vec::new();
    for node in group {
        for literal in &node.literals {
            variable.add(SegmentKind::Path, literal.node.count, FILES);
            variable.distinct.observe(literal.hash);
            open.push(&literal.node);
        }
        for values in &node.values {
            variable.add(SegmentKind::Path, values.node.count, FILES);
            variable.distinct.merge(values.distinct.clone());
            open.push(&values.node);
        }
    }
    while let Some(node) = open.pop() {
        below.extend(&node.ends);
        open.extend(node.literals.iter().map(|literal| &*literal.node));
        open.extend(node.values.iter().map(|values| &*values.node));
    }
    let ends: Vec<&'t End<T>> = group.iter().flat_map(|node| &node.ends).collect();
    let mut deeper = template.clone();
    let named = judge.parameter_name(&template, b"");
    let name = unique(named.unwrap_or_else(|| "path".to_owned()), &template.parts);
    deeper.parts.push(Part::Parameter { name, suffix: Box::default(), rest: true });
    let files = Decided {
        literals: Vec::new(),
        variables: Vec::new(),
        ends: operations::split(&below),
        template: deeper,
        near: Vec::new(),
    };
    Decided {
        literals: Vec::new(),
        variables: vec![(variable, files)],
        ends: operations::split(&ends),
        template,
        near: Vec::new(),
    }
}

/// How sure it is that names of files at several depths are one value.
const FILES: f64 = 0.9;

/// What ends below a place, and how much of it looks like files.
#[derive(Default)]
struct Files {
    ends: usize,
    with_extension: usize,
    /// Bit n: a file ends n segments below.
    depths: u64,
}

impl Files {
    fn below<T>(group: &[&Node<T>]) -> Self {
        let mut found = Self::default();
        for node in group {
            found.walk(node, 1);
        }
        found
    }

    fn walk<T>(&mut self, node: &Node<T>, depth: u32) {
        for literal in &node.literals {
            self.end(&literal.node, has_extension(&literal.text), depth);
        }
        for values in &node.values {
            self.end(&values.node, values.suffix.starts_with(b"."), depth);
        }
    }

    fn end<T>(&mut self, node: &Node<T>, is_file: bool, depth: u32) {
        if !node.ends.is_empty() {
            self.ends += 1;
            if is_file {
                self.with_extension += 1;
                self.depths |= 1 << depth.min(63);
            }
        }
        self.walk(node, depth + 1);
    }

    /// Names with extensions right below and at two more depths at least, and two of five of all that ends here.
    fn are_one_value(&self) -> bool {
        self.depths & 2 != 0
            && self.depths.count_ones() >= 3
            && self.with_extension * 5 >= self.ends * 2
    }
}

/// A dot and one to five letters or digits at the end, with a letter among them: any file, not only those that APIs serve.
fn has_extension(text: &[u8]) -> bool {
    let Some(dot) = memchr::memrchr(b'.', text) else { return false };
    let extension = &text[dot + 1..];
    (1..=5).contains(&extension.len())
        && extension.iter().all(u8::is_ascii_alphanumeric)
        && extension.iter().any(u8::is_ascii_alphabetic)
}

/// A varying part while it is put together: what is known of it, and where it leads.
type Varying<'t, T> = (Variable<'t>, Vec<&'t Node<T>>);

fn decide_group<'t, T: Observed>(
    group: &[&'t Node<T>],
    template: Template,
    index: &HostIndex,
    judge: &dyn Judge<T>,
) -> Decided<'t, T> {
    let may_hold_files = matches!(template.parts.last(), Some(Part::Literal(_)));
    if judge.takes_rest(&template) || (may_hold_files && Files::below(group).are_one_value()) {
        return decide_files(group, template, judge);
    }
    let mut children: BTreeMap<&'t [u8], Vec<&'t Node<T>>> = BTreeMap::new();
    let mut ends: Vec<&'t End<T>> = Vec::new();
    let mut values: Vec<&'t Values<T>> = Vec::new();
    for node in group {
        for literal in &node.literals {
            children.entry(&literal.text).or_default().push(&literal.node);
        }
        ends.extend(&node.ends);
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
    let mut near = Vec::new();
    for (candidate, verdict) in candidates.into_iter().zip(verdicts) {
        if (verdict.probability - 0.5).abs() < NEAR {
            near.push(Near { text: candidate.text, verdict: verdict.clone() });
        }
        if !verdict.is_value {
            literals.push((candidate.text, candidate.nodes));
            continue;
        }
        let (variable, below) = variables.entry((false, candidate.segment.suffix)).or_default();
        variable.add(candidate.segment.kind, candidate.requests(), verdict.probability);
        *variable.judged.entry(verdict.reason).or_default() += 1;
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

    let distance = |near: &Near<'_>| (near.verdict.probability - 0.5).abs();
    near.sort_by(|a, b| distance(a).total_cmp(&distance(b)).then(a.text.cmp(b.text)));
    near.truncate(NEAR_MISSES);

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
                let named = judge.parameter_name(&template, suffix);
                let name = named.map_or_else(
                    || parameter_name(&template.parts),
                    |name| unique(name, &template.parts),
                );
                let part = Part::Parameter { name, suffix: suffix.into(), rest };
                (variable, decide_group(&below, step(part), index, judge))
            })
            .collect(),
        ends: operations::split(&ends),
        template,
        near,
    }
}
