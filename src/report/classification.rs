//! The classes and parties of all endpoints of a report, which depend on each other's.

use std::collections::BTreeMap;

use crate::flow::site::site_of;
use crate::report::describe::DescribedEndpoint;
use crate::report::endpoint_class::{EndpointClass, class_beside};
use crate::report::party::{Party, PartyEvidence, third_parties};
use crate::report::{Pattern, order_of_time};

/// The described endpoints of one host.
pub(super) struct DescribedHost {
    pub(super) name: String,
    pub(super) requests: u64,
    pub(super) endpoints: Vec<DescribedEndpoint>,
}

/// The endpoints of all hosts, each with its class and party, in the order in which they are given.
pub(super) fn classify(mut hosts: Vec<DescribedHost>, first_parties: &[String]) -> Vec<Pattern> {
    // What an endpoint leaves open, the others of its host say, then those of its site.
    for scope in [host_of as fn(&DescribedHost) -> &str, site_of_host] {
        let known = known_classes(&hosts, scope);
        for host in &mut hosts {
            let beside = known.get(scope(host)).and_then(|known| class_beside(known));
            for endpoint in &mut host.endpoints {
                endpoint.class = endpoint.class.or(beside);
            }
        }
    }
    // Where nothing is known at all, as in a list of URLs, all endpoints are taken for calls; beside endpoints that are known, such
    // hosts are those of redirects and pixels.
    let is_known = hosts.iter().flat_map(|host| &host.endpoints).any(|end| end.class.is_some());
    let open = if is_known { EndpointClass::Other } else { EndpointClass::Api };
    let third = third_parties(&evidence(&hosts), first_parties);
    let mut patterns = Vec::new();
    for host in hosts {
        let party = if third.contains(site_of(&host.name)) { Party::Third } else { Party::First };
        patterns.extend(host.endpoints.into_iter().map(|endpoint| Pattern {
            class: endpoint.class.unwrap_or(open),
            party,
            ..endpoint.pattern
        }));
    }
    patterns
}

fn host_of(host: &DescribedHost) -> &str {
    &host.name
}

fn site_of_host(host: &DescribedHost) -> &str {
    site_of(&host.name)
}

/// The classes that are known, with their requests, by the scope of the host.
fn known_classes(
    hosts: &[DescribedHost],
    scope: fn(&DescribedHost) -> &str,
) -> BTreeMap<String, Vec<(EndpointClass, u64)>> {
    let mut known: BTreeMap<String, Vec<_>> = BTreeMap::new();
    for host in hosts {
        let endpoints = host.endpoints.iter();
        let classes = endpoints.filter_map(|end| Some((end.class?, end.pattern.request_count)));
        known.entry(scope(host).to_owned()).or_default().extend(classes);
    }
    known
}

fn evidence(hosts: &[DescribedHost]) -> Vec<PartyEvidence<'_>> {
    let endpoints = hosts.iter().flat_map(|host| {
        host.endpoints.iter().map(|DescribedEndpoint { pattern, class, contexts }| PartyEvidence {
            host: &host.name,
            class: class.unwrap_or(EndpointClass::Other),
            requests: pattern.request_count,
            contexts,
            first_seen: pattern.first_seen.as_deref().map(order_of_time),
        })
    });
    endpoints.collect()
}
