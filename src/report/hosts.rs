//! Grouping of hosts: each alone, by user-defined rules, or by equal endpoints.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use crate::flow::text;
use crate::patterns::endpoint::Endpoint;
use crate::report::OTHER_HOSTS;
use crate::report::options::ReportOptions;
use crate::sketch::stable_hash;
use crate::template::Part;
use crate::template::body_evidence::ScalarSet;
use crate::template::classifier::Classifier;
use crate::template::decide::decide;
use crate::template::decided::DecidedNode;
use crate::template::host::HostScalars;
use crate::template::model::Model;
use crate::template::node_group::NodeGroup;
use crate::template::trie::Trie;
use crate::template::user_rules::MatchedRules;

/// Hosts that are described as one.
pub(super) struct HostGroup<'t> {
    pub(super) name: String,
    /// The captured hosts; `None` is the rest of the trie, that is, hosts beyond its bound.
    pub(super) members: Vec<Option<&'t [u8]>>,
    pub(super) nodes: NodeGroup<'t, Endpoint>,
}

/// Minimum number of endpoints of a host that may be grouped by its set of endpoints.
const MIN_SURFACE: usize = 3;

/// Groups the hosts of both tries: by rules, and by equal endpoints if the options ask for it.
/// Sorted by group name.
pub(super) fn groups<'t>(
    [answered, not_found]: [&'t Trie<Endpoint>; 2],
    scalars: Option<&ScalarSet>,
    options: &ReportOptions,
    model: &Model,
    judge: &dyn Classifier<Endpoint>,
    matched: &RefCell<MatchedRules>,
) -> Vec<HostGroup<'t>> {
    let mut groups: BTreeMap<String, HostGroup<'t>> = BTreeMap::new();
    let mut alone = Vec::new();
    let mut hosts: BTreeMap<Option<&'t [u8]>, NodeGroup<'t, Endpoint>> = BTreeMap::new();
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
    let templates = if options.group_hosts {
        group_by_endpoints(&alone, scalars, model, judge)
    } else {
        BTreeMap::new()
    };
    for (name, host, node) in alone {
        let group = templates.get(&name).cloned().unwrap_or(name);
        add(&mut groups, group, host, node);
    }
    groups.into_values().collect()
}

/// The texts in the bodies of these hosts. The rest of the trie has no host of its own.
pub(super) fn scalars_of<'s>(
    all: Option<&'s ScalarSet>,
    members: &[Option<&[u8]>],
) -> HostScalars<'s> {
    HostScalars { all, hosts: members.iter().flatten().map(|host| stable_hash(host)).collect() }
}

fn add<'t>(
    groups: &mut BTreeMap<String, HostGroup<'t>>,
    name: String,
    host: Option<&'t [u8]>,
    node: NodeGroup<'t, Endpoint>,
) {
    let group = groups.entry(name.clone()).or_insert_with(|| HostGroup {
        name,
        members: Vec::new(),
        nodes: NodeGroup::default(),
    });
    group.members.push(host);
    group.nodes.extend(node);
}

/// Groups sibling hosts with the same endpoints; returns the template of each grouped host. A host
/// joins one with as many endpoints or more if it has at least [`LEAST_SURFACE`] and 80 % of them
/// are among the other's.
fn group_by_endpoints(
    hosts: &[(String, Option<&[u8]>, NodeGroup<'_, Endpoint>)],
    scalars: Option<&ScalarSet>,
    model: &Model,
    judge: &dyn Classifier<Endpoint>,
) -> BTreeMap<String, String> {
    let mut by_domain: BTreeMap<&str, Vec<HostEndpoints<'_>>> = BTreeMap::new();
    for (name, host, node) in hosts {
        let Some((label, domain)) = name.split_once('.').filter(|_| host.is_some()) else {
            continue;
        };
        let mut surface =
            HostEndpoints { name, label, endpoints: BTreeSet::new(), outlines: BTreeSet::new() };
        let scalars = scalars_of(scalars, &[*host]);
        surface.collect(&decide(node, model.vocabulary, scalars, judge));
        by_domain.entry(domain).or_default().push(surface);
    }
    let mut templates = BTreeMap::new();
    for (domain, mut members) in by_domain {
        // Larger hosts come first, because smaller ones are compared with them.
        members.sort_by(|a, b| b.endpoints.len().cmp(&a.endpoints.len()).then(a.name.cmp(b.name)));
        let mut kinds: Vec<(&BTreeSet<u64>, Vec<&str>)> = Vec::new();
        for member in &members {
            let surface = &member.endpoints;
            let same = |kind: &&mut (&BTreeSet<u64>, Vec<&str>)| {
                surface.len() >= MIN_SURFACE
                    && surface.intersection(kind.0).count() * 5 >= surface.len() * 4
            };
            match kinds.iter_mut().find(same) {
                Some(kind) => kind.1.push(member.name),
                None => kinds.push((surface, vec![member.name])),
            }
        }
        kinds.retain(|kind| kind.1.len() > 1);
        let grouped: BTreeSet<&str> =
            kinds.iter().flat_map(|kind| kind.1.iter().copied()).collect();
        let small: Vec<&HostEndpoints<'_>> =
            members.iter().filter(|member| !grouped.contains(member.name)).collect();
        let tenants = detect_tenants(&small, model);
        for (number, names) in kinds.into_iter().map(|kind| kind.1).chain(tenants).enumerate() {
            // Several groups below one domain are distinct APIs and need distinct labels.
            let label =
                if number == 0 { "tenant".to_owned() } else { format!("tenant_{}", number + 1) };
            for name in names {
                templates.insert(name.to_owned(), format!("{{{label}}}.{domain}"));
            }
        }
        for (stem, names) in group_numbered(&small) {
            for name in names {
                templates.insert(name.to_owned(), format!("{stem}{{n}}.{domain}"));
            }
        }
    }
    templates
}

/// The endpoints of one host.
struct HostEndpoints<'h> {
    name: &'h str,
    label: &'h str,
    endpoints: BTreeSet<u64>,
    /// Hashes of (method, number of segments, first segment) of each path, which do not depend on
    /// the varying segments.
    outlines: BTreeSet<u64>,
}

impl HostEndpoints<'_> {
    fn collect(&mut self, place: &DecidedNode<'_, Endpoint>) {
        let parts = &place.template.parts;
        let first = match parts.first() {
            Some(Part::Literal { text, .. }) if parts.len() > 1 => text,
            _ => &b""[..],
        };
        for ((method, operation), _) in &place.ends {
            let structure = place.template.structure();
            let end = [*method, &b" "[..], &structure, &b"#"[..], *operation].concat();
            self.endpoints.insert(stable_hash(&end));
            let length = u8::try_from(parts.len()).unwrap_or(u8::MAX);
            self.outlines.insert(stable_hash(&[*method, &[length], first].concat()));
        }
        let below = place.literals.iter().map(|(_, below)| below);
        below
            .chain(place.variables.iter().map(|(_, below)| below))
            .for_each(|below| self.collect(below));
    }

    /// Returns `true` if the label names a service, and not a tenant: a common service label, or a
    /// word of the vocabulary.
    fn is_service(&self, model: &Model) -> bool {
        const SERVICES: [&str; 14] = [
            "www", "www2", "api", "cdn", "static", "assets", "img", "images", "media", "m", "mail",
            "login", "dev", "staging",
        ];
        let has_dash = self.label.contains(['-', '_']);
        SERVICES.contains(&self.label)
            || (!has_dash && model.vocabulary.word(self.label) >= MIN_SERVICE_PROVIDERS)
    }
}

/// Minimum number of hosts in a group of tenants with one or two endpoints.
const MIN_SMALL_TENANTS: usize = 5;
/// Minimum number of providers that use a word for it to be considered the name of a service.
const MIN_SERVICE_PROVIDERS: u32 = 8;

/// Detects the tenants of one service among hosts with few endpoints: hosts whose labels are not
/// service names and whose paths have outlines in common. `None` if there are fewer than
/// [`MIN_SMALL_TENANTS`].
fn detect_tenants<'h>(hosts: &[&HostEndpoints<'h>], model: &Model) -> Option<Vec<&'h str>> {
    let candidates: Vec<&&HostEndpoints<'h>> =
        hosts.iter().filter(|host| !host.is_service(model)).collect();
    let mut holders: BTreeMap<u64, usize> = BTreeMap::new();
    for outline in candidates.iter().flat_map(|host| &host.outlines) {
        *holders.entry(*outline).or_default() += 1;
    }
    let alike = |host: &&&&HostEndpoints<'h>| {
        let shared =
            host.outlines.iter().filter(|outline| holders[*outline] >= MIN_SMALL_TENANTS).count();
        shared > 0 && shared * 2 >= host.outlines.len()
    };
    let names: Vec<&str> = candidates.iter().filter(alike).map(|host| host.name).collect();
    (names.len() >= MIN_SMALL_TENANTS).then_some(names)
}

/// Groups hosts whose labels differ only in a trailing number (`avatars0`, `avatars1`) and that
/// have at least one path outline in common. Returns (label without number, hosts).
fn group_numbered<'h>(hosts: &[&HostEndpoints<'h>]) -> Vec<(&'h str, Vec<&'h str>)> {
    let mut by_stem: BTreeMap<&str, Vec<&&HostEndpoints<'h>>> = BTreeMap::new();
    for host in hosts {
        let stem = host.label.trim_end_matches(|c: char| c.is_ascii_digit());
        if !stem.is_empty() && stem.len() < host.label.len() {
            by_stem.entry(stem).or_default().push(host);
        }
    }
    by_stem
        .into_iter()
        .filter(|(_, hosts)| hosts.len() > 1)
        .filter_map(|(stem, hosts)| {
            let in_common =
                |outline: &&u64| hosts.iter().all(|host| host.outlines.contains(outline));
            let has_common = hosts[0].outlines.iter().any(|outline| in_common(&outline));
            has_common.then(|| (stem, hosts.iter().map(|host| host.name).collect()))
        })
        .collect()
}
