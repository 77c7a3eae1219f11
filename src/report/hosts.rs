//! Which hosts are one: each for itself, as rules say, or where their endpoints are the same.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use crate::flow::text;
use crate::patterns::endpoint::Endpoint;
use crate::report::OTHER_HOSTS;
use crate::report::decision::ReportOptions;
use crate::sketch::stable_hash;
use crate::template::decide::{Decided, Group as Places, decide};
use crate::template::evidence::Trie;
use crate::template::judge::Judge;
use crate::template::model::Model;
use crate::template::rules::Matched;

/// Hosts that are described as one.
pub(super) struct Group<'t> {
    pub(super) name: String,
    /// The hosts; `None` stands for those that had no place of their own.
    pub(super) members: Vec<Option<&'t [u8]>>,
    pub(super) nodes: Places<'t, Endpoint>,
}

/// Endpoints that a host must have at least before it can be the same as another.
const LEAST_SURFACE: usize = 3;

pub(super) fn groups<'t>(
    [answered, not_found]: [&'t Trie<Endpoint>; 2],
    options: &ReportOptions,
    model: &Model,
    judge: &dyn Judge<Endpoint>,
    matched: &RefCell<Matched>,
) -> Vec<Group<'t>> {
    let mut groups: BTreeMap<String, Group<'t>> = BTreeMap::new();
    let mut alone = Vec::new();
    let mut hosts: BTreeMap<Option<&'t [u8]>, Places<'t, Endpoint>> = BTreeMap::new();
    for (host, node) in answered.hosts() {
        hosts.entry(host).or_default().answered.push(node);
    }
    for (host, node) in not_found.hosts() {
        hosts.entry(host).or_default().not_found.push(node);
    }
    for (host, node) in hosts {
        let name =
            host.map_or_else(|| OTHER_HOSTS.to_owned(), |host| text::printable(host).into_owned());
        let ruled = options.rules.host_group(&name).map(|(i, group)| {
            matched.borrow_mut().hosts.insert(i);
            group.to_owned()
        });
        match ruled {
            Some(group) => add(&mut groups, group, host, node),
            None => alone.push((name, host, node)),
        }
    }
    let templates =
        if options.group_hosts { same_surface(&alone, model, judge) } else { BTreeMap::new() };
    for (name, host, node) in alone {
        let group = templates.get(&name).cloned().unwrap_or(name);
        add(&mut groups, group, host, node);
    }
    groups.into_values().collect()
}

fn add<'t>(
    groups: &mut BTreeMap<String, Group<'t>>,
    name: String,
    host: Option<&'t [u8]>,
    node: Places<'t, Endpoint>,
) {
    let group = groups.entry(name.clone()).or_insert_with(|| Group {
        name,
        members: Vec::new(),
        nodes: Places::default(),
    });
    group.members.push(host);
    group.nodes.extend(node);
}

/// Hosts below one domain whose endpoints are the same: host -> its template. A host belongs to one with more endpoints where
/// it has at least three and four of five of them are among the other's.
fn same_surface(
    hosts: &[(String, Option<&[u8]>, Places<'_, Endpoint>)],
    model: &Model,
    judge: &dyn Judge<Endpoint>,
) -> BTreeMap<String, String> {
    let mut by_domain: BTreeMap<&str, Vec<(&str, BTreeSet<u64>)>> = BTreeMap::new();
    for (name, host, node) in hosts {
        let Some((_, domain)) = name.split_once('.').filter(|_| host.is_some()) else { continue };
        let mut surface = BTreeSet::new();
        collect(&decide(node, model.vocabulary, judge), &mut surface);
        by_domain.entry(domain).or_default().push((name, surface));
    }
    let mut templates = BTreeMap::new();
    for (domain, mut members) in by_domain {
        // The largest surface first: the others are compared with it.
        members.sort_by(|a, b| b.1.len().cmp(&a.1.len()).then(a.0.cmp(b.0)));
        let mut kinds: Vec<(&BTreeSet<u64>, Vec<&str>)> = Vec::new();
        for (name, surface) in &members {
            let same = |kind: &&mut (&BTreeSet<u64>, Vec<&str>)| {
                surface.len() >= LEAST_SURFACE
                    && surface.intersection(kind.0).count() * 5 >= surface.len() * 4
            };
            match kinds.iter_mut().find(same) {
                Some(kind) => kind.1.push(name),
                None => kinds.push((surface, vec![name])),
            }
        }
        let several = kinds.iter().filter(|kind| kind.1.len() > 1);
        for (number, (_, names)) in several.enumerate() {
            // Two groups below one domain are two APIs.
            let label =
                if number == 0 { "tenant".to_owned() } else { format!("tenant_{}", number + 1) };
            for name in names {
                templates.insert((*name).to_owned(), format!("{{{label}}}.{domain}"));
            }
        }
    }
    templates
}

fn collect(place: &Decided<'_, Endpoint>, surface: &mut BTreeSet<u64>) {
    for ((method, operation), _) in &place.ends {
        let structure = place.template.structure();
        surface
            .insert(stable_hash(&[*method, &b" "[..], &structure, &b"#"[..], *operation].concat()));
    }
    let below = place.literals.iter().map(|(_, below)| below);
    below
        .chain(place.variables.iter().map(|(_, below)| below))
        .for_each(|below| collect(below, surface));
}
