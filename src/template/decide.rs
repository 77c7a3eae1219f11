//! From evidence to templates: a pure function of the merged trie.
//!
//! Walks down from a host. At each place every child is judged a name or a value; all values with the same suffix are
//! looked at as one from there on, so that what stands below is seen across all of them. Nothing is copied: a place of
//! the decided tree is a group of places of the trie.

use std::collections::BTreeMap;

use crate::limits;
use crate::sketch::{Distinct, Merge, stable_hash};
use crate::template::evidence::{Node, Values};
use crate::template::name::parameter_name;
use crate::template::segment::{Segment, SegmentKind};
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
    /// Were there more names here than are kept?
    overflow: bool,
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

    /// How sure it is that this part varies, from 0 to 1.
    pub(crate) fn confidence(&self) -> f64 {
        let certain =
            self.kinds.keys().all(|kind| kind.is_unmistakable() || *kind == SegmentKind::Integer);
        match (certain, self.distinct()) {
            (true, 2..) => 0.99,
            (true, _) => 0.95,
            (false, _) if self.overflow => 0.9,
            (false, _) => 0.8,
        }
    }

    pub(crate) fn reasons(&self) -> Vec<String> {
        let mut reasons = Vec::new();
        let mut by_name: BTreeMap<&str, u64> = BTreeMap::new();
        for (kind, count) in &self.kinds {
            *by_name.entry(kind.name()).or_default() += count;
        }
        let total: u64 = by_name.values().sum();
        for (name, count) in by_name {
            reasons.push(format!("{count} of {total} values look like: {name}"));
        }
        if self.overflow {
            reasons.push(format!("more than {} different segments here", limits::LITERAL_CHILDREN));
        }
        reasons
    }

    fn add(&mut self, kind: SegmentKind, count: u64) {
        *self.kinds.entry(kind).or_default() += count;
    }
}

/// Decides everything below one host.
pub(crate) fn decide<T>(host: &Node<T>) -> Decided<'_, T> {
    decide_group(&[host], Template::default())
}

fn decide_group<'t, T>(group: &[&'t Node<T>], template: Template) -> Decided<'t, T> {
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
    let overflow = values.iter().any(|values| may_be_name(values.kind));
    let versions = version_like(&children, &values, &template);

    let mut literals = Vec::new();
    let mut variables: BTreeMap<(bool, &'t [u8]), (Variable<'t>, Vec<&'t Node<T>>)> =
        BTreeMap::new();
    for (text, nodes) in children {
        let segment = Segment::parse(text);
        let is_name =
            may_be_name(segment.kind) && !(overflow && segment.kind != SegmentKind::Version);
        if is_name || (versions && is_short_number(&segment)) {
            literals.push((text, nodes));
            continue;
        }
        let (variable, below) = variables.entry((false, segment.suffix)).or_default();
        variable.add(segment.kind, nodes.iter().map(|node| node.count).sum());
        variable.distinct.observe(stable_hash(text));
        below.extend(nodes);
    }
    for child in values {
        let rest = child.kind == SegmentKind::Path;
        let (variable, below) = variables.entry((rest, &child.suffix)).or_default();
        variable.add(child.kind, child.node.count);
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
            .map(|(text, nodes)| (text, decide_group(&nodes, step(Part::Literal(text.into())))))
            .collect(),
        variables: variables
            .into_iter()
            .map(|((rest, suffix), (mut variable, below))| {
                (variable.suffix, variable.rest, variable.overflow) = (suffix, rest, overflow);
                let name = parameter_name(&template.parts);
                let part = Part::Parameter { name, suffix: suffix.into(), rest };
                (variable, decide_group(&below, step(part)))
            })
            .collect(),
        ends: ends.into_iter().collect(),
        template,
    }
}

/// May a segment of this kind be a name, where nothing else is known?
fn may_be_name(kind: SegmentKind) -> bool {
    use SegmentKind::{Domain, Symbol, Version, Word, WordWithDigits};
    matches!(kind, Word | WordWithDigits | Version | Symbol | Domain)
}

fn is_short_number(segment: &Segment<'_>) -> bool {
    matches!(segment.kind, SegmentKind::Integer | SegmentKind::Number) && segment.core.len() <= 3
}

/// Are the short numbers here versions (`/1/boards`, `/rest/api/3/issue`)? So it looks where they stand near the root,
/// are at most three, and have at least three names below each.
fn version_like<T>(
    children: &BTreeMap<&[u8], Vec<&Node<T>>>,
    values: &[&Values<T>],
    template: &Template,
) -> bool {
    let near_root = template.parts.len() <= 2 && template.parameters().next().is_none();
    if !near_root || values.iter().any(|values| !may_be_name(values.kind)) {
        return false;
    }
    let mut numbers =
        children.iter().filter(|(text, _)| is_short_number(&Segment::parse(text))).peekable();
    numbers.peek().is_some()
        && numbers.clone().count() <= 3
        && numbers.all(|(_, nodes)| {
            let names = nodes.iter().flat_map(|node| &node.literals);
            let mut names: Vec<&[u8]> = names
                .map(|child| &*child.text)
                .filter(|text| may_be_name(Segment::parse(text).kind))
                .collect();
            names.sort_unstable();
            names.dedup();
            names.len() >= 3 && nodes.iter().all(|node| node.ends.is_empty())
        })
}
