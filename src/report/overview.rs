//! The order of a report for people: what belongs to the captured application first, and third parties in short.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use crate::flow::site::site_of;
use crate::report::endpoint_class::EndpointClass;
use crate::report::party::Party;
use crate::report::{Pattern, Report};

/// A report in the order in which people read it.
pub(crate) struct Overview<'r> {
    /// Hosts of first parties. Those of one registrable domain stand together, the domain with most requests first, and of
    /// them those with most calls of an API first. Without folding, hosts of third parties follow.
    pub(crate) hosts: Vec<HostOverview<'r>>,
    /// Third parties, those with most requests first; empty without folding.
    pub(crate) third_parties: Vec<ThirdParty>,
}

/// The endpoints of one host.
pub(crate) struct HostOverview<'r> {
    pub(crate) host: &'r str,
    /// Calls of an API before pages, pages before assets; those of one class in the order of the report.
    pub(crate) patterns: Vec<&'r Pattern>,
}

/// The hosts of one registrable domain that belongs to a third party.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct ThirdParty {
    pub(crate) domain: String,
    pub(crate) hosts: u64,
    pub(crate) endpoints: u64,
    pub(crate) requests: u64,
}

/// What an output for people shows first, and what it sums up. In any case hosts of first parties come before others.
#[derive(Clone, Copy, Debug)]
pub struct OverviewOptions {
    /// True to sum up the endpoints of third parties by registrable domain.
    pub fold_third_parties: bool,
    /// True to put calls of an API before pages and assets; false to keep the order of the report in each host.
    pub by_class: bool,
}

impl Default for OverviewOptions {
    fn default() -> Self {
        Self { fold_third_parties: true, by_class: true }
    }
}

impl<'r> Overview<'r> {
    pub(crate) fn of(report: &'r Report, options: OverviewOptions) -> Self {
        let is_folded =
            |pattern: &Pattern| options.fold_third_parties && pattern.party == Party::Third;
        let mut hosts: Vec<HostOverview<'_>> = report
            .patterns
            .chunk_by(|a, b| a.host == b.host)
            .filter(|patterns| !patterns.first().is_none_or(is_folded))
            .map(|patterns| {
                let mut patterns: Vec<&Pattern> = patterns.iter().collect();
                if options.by_class {
                    patterns.sort_by_key(|pattern| pattern.class);
                }
                HostOverview { host: patterns.first().map_or("", |first| &first.host), patterns }
            })
            .collect();
        let mut requests_of_site: BTreeMap<&str, u64> = BTreeMap::new();
        for host in &hosts {
            *requests_of_site.entry(site_of(host.host)).or_default() += host.requests();
        }
        hosts.sort_by_cached_key(|host| {
            let site = site_of(host.host);
            let requests = requests_of_site.get(site).copied().unwrap_or_default();
            (host.party(), Reverse(requests), site, Reverse(host.calls()))
        });
        let third_parties =
            third_parties(report.patterns.iter().filter(|pattern| is_folded(pattern)));
        Self { hosts, third_parties }
    }
}

impl HostOverview<'_> {
    fn party(&self) -> Party {
        self.patterns.first().map_or(Party::First, |first| first.party)
    }

    fn requests(&self) -> u64 {
        self.patterns.iter().map(|pattern| pattern.request_count).sum()
    }

    /// Requests to its calls of an API.
    fn calls(&self) -> u64 {
        let calls = self.patterns.iter().filter(|pattern| pattern.class == EndpointClass::Api);
        calls.map(|pattern| pattern.request_count).sum()
    }
}

fn third_parties<'r>(patterns: impl Iterator<Item = &'r Pattern>) -> Vec<ThirdParty> {
    let mut domains: BTreeMap<&str, ThirdParty> = BTreeMap::new();
    let mut last_host = None;
    for pattern in patterns {
        let domain = site_of(&pattern.host);
        let sum = domains.entry(domain).or_insert_with(|| ThirdParty {
            domain: domain.to_owned(),
            hosts: 0,
            endpoints: 0,
            requests: 0,
        });
        sum.hosts += u64::from(last_host != Some(&pattern.host));
        sum.endpoints += 1;
        sum.requests += pattern.request_count;
        last_host = Some(&pattern.host);
    }
    let mut sums: Vec<ThirdParty> = domains.into_values().collect();
    sums.sort_by(|a, b| b.requests.cmp(&a.requests).then_with(|| a.domain.cmp(&b.domain)));
    sums
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Flow, Patterns, Response};

    #[test]
    fn calls_of_first_parties_come_first_and_third_parties_are_summed_up() {
        let mut patterns = Patterns::new();
        let requests = [
            ("https://static.shop.example/app.js", "text/javascript", 5),
            ("https://shop.example/cart", "text/html", 4),
            ("https://shop.example/api/cart", "application/json", 3),
            ("https://a.doubleclick.net/x", "text/html", 9),
            ("https://b.doubleclick.net/y", "text/html", 9),
        ];
        for (url, content_type, times) in requests {
            let mut flow = Flow::new("GET", url).unwrap();
            let content_type = Some(content_type.as_bytes());
            flow.response = Some(Response { status: 200, content_type, ..Response::default() });
            (0..times).for_each(|_| patterns.observe(&flow));
        }
        let report = patterns.report();
        let overview = Overview::of(&report, OverviewOptions::default());
        let shown: Vec<Vec<&str>> = overview
            .hosts
            .iter()
            .map(|host| host.patterns.iter().map(|pattern| &*pattern.endpoint).collect())
            .collect();
        assert_eq!(shown, [vec!["GET /api/cart", "GET /cart"], vec!["GET /app.js"]]);
        let [third] = &*overview.third_parties else { panic!("one domain") };
        assert_eq!((&*third.domain, third.hosts, third.endpoints), ("doubleclick.net", 2, 2));
        assert_eq!(third.requests, 18);
        let all = OverviewOptions { fold_third_parties: false, ..OverviewOptions::default() };
        assert_eq!(Overview::of(&report, all).hosts.len(), 4);
    }
}
