//! The party of a host: whether it belongs to what was captured, or is embedded by it.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::flow::request_context::{Destination, SiteRelation};
use crate::flow::site::{site_of, without_port};
use crate::flow::trackers::is_tracker;
use crate::patterns::endpoint::request_contexts::RequestContexts;
use crate::report::domain::is_host_in;
use crate::report::endpoint_class::EndpointClass;

/// Whether an endpoint belongs to the sites and applications that were captured (`first`), or to services that they embed
/// (`third`). Serialised in lower case.
///
/// Hosts are judged together by their registrable domain. Third parties are the domains of advertising and analytics, and those
/// to which the pages of other sites send requests while nobody opens a page of theirs. Where nothing is known, as in the traffic
/// of a program that is not a browser, a host is a first party.
///
/// ```
/// use api_patterns::{Flow, Party, Patterns};
///
/// let mut patterns = Patterns::new();
/// for url in ["https://api.shop.example/carts/7", "https://www.google-analytics.com/collect"] {
///     patterns.observe(&Flow::new("POST", url).unwrap());
/// }
/// let parties: Vec<Party> = patterns.report().patterns.iter().map(|pattern| pattern.party).collect();
/// assert_eq!(parties, [Party::First, Party::Third]);
/// ```
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(rename_all = "lowercase")]
pub enum Party {
    /// The captured sites and applications.
    #[default]
    First,
    /// Services that they embed.
    Third,
}

impl Party {
    /// The name in reports: `first` or `third`.
    ///
    /// ```
    /// assert_eq!(api_patterns::Party::Third.name(), "third");
    /// ```
    pub fn name(self) -> &'static str {
        match self {
            Self::First => "first",
            Self::Third => "third",
        }
    }
}

/// What an endpoint tells about the party of its host.
pub(crate) struct PartyEvidence<'e> {
    pub(crate) host: &'e str,
    pub(crate) class: EndpointClass,
    pub(crate) requests: u64,
    pub(crate) contexts: &'e RequestContexts,
    /// Start of the earliest request, as [`order_of_time`](crate::report::order_of_time) gives it.
    pub(crate) first_seen: Option<&'e str>,
}

/// Evidence about one registrable domain. Numbers of documents and senders are of the sampled requests.
#[derive(Default)]
struct SiteEvidence<'e> {
    /// Requests for pages at the top of a tab, as a browser said.
    documents: u64,
    /// Requests for pages that may be in frames.
    pages: u64,
    assets: u64,
    requests: u64,
    /// Requests that pages of other sites sent.
    from_others: u64,
    /// Requests that its own pages sent, or a person.
    from_itself: u64,
    /// Requests that its pages sent to other sites.
    to_others: u64,
    /// Earliest request for a page.
    first_page: Option<&'e str>,
    is_tracker: bool,
}

/// The registrable domains of third parties. `first_parties` are domains that are first parties in any case; where there are
/// some, all others are third parties.
pub(crate) fn third_parties(
    evidence: &[PartyEvidence<'_>],
    first_parties: &[String],
) -> BTreeSet<String> {
    let sites = sites_of(evidence);
    if !first_parties.is_empty() {
        let is_first = |site: &&&str| {
            let own = evidence.iter().filter(|seen| site_of(seen.host) == **site);
            own.into_iter()
                .any(|seen| first_parties.iter().any(|domain| is_host_in(seen.host, domain)))
        };
        let others = sites.keys().filter(|site| !is_first(site));
        return others.map(|site| (*site).to_owned()).collect();
    }
    let earliest = sites.values().filter_map(|site| site.first_page).min();
    let has_browser =
        sites.values().any(|site| site.from_others + site.from_itself + site.documents > 0);
    let is_third = |site: &SiteEvidence<'_>| {
        if site.is_tracker {
            return true;
        }
        let is_opened = site.documents > 0
            || site.pages > 0
                && (site.first_page.is_some() && site.first_page == earliest
                    || site.to_others + site.from_itself > 0
                        && site.from_others <= site.from_itself);
        if is_opened || !has_browser {
            return false;
        }
        if site.from_others > 0 {
            return site.from_others >= site.from_itself;
        }
        // Nothing says who asked for its assets, as with a policy of no referrers.
        site.from_itself == 0 && site.assets * 2 > site.requests
    };
    let third: BTreeSet<String> = sites
        .iter()
        .filter(|(_, site)| is_third(site))
        .map(|(name, _)| (*name).to_owned())
        .collect();
    // A capture of nothing but trackers is one of somebody who studies them.
    if third.len() == sites.len() { BTreeSet::new() } else { third }
}

fn sites_of<'e>(evidence: &[PartyEvidence<'e>]) -> BTreeMap<&'e str, SiteEvidence<'e>> {
    let mut sites: BTreeMap<&str, SiteEvidence<'_>> = BTreeMap::new();
    for seen in evidence {
        let name = site_of(seen.host);
        let site = sites.entry(name).or_default();
        let contexts = seen.contexts;
        site.requests += seen.requests;
        site.documents += contexts.requests_for(Destination::Document);
        site.is_tracker |= is_tracker(without_port(seen.host).as_bytes());
        match seen.class {
            EndpointClass::Page => {
                site.pages +=
                    seen.requests.saturating_sub(contexts.requests_for(Destination::Frame));
                let first = [site.first_page, seen.first_seen].into_iter().flatten().min();
                site.first_page = first;
            }
            EndpointClass::Asset => site.assets += seen.requests,
            _ => {}
        }
        let (mut from_others, mut from_itself) = (0, 0);
        for (host, requests) in contexts.initiators() {
            if site_of(host) == name {
                from_itself += requests;
            } else {
                from_others += requests;
            }
        }
        let own = [SiteRelation::Same, SiteRelation::User];
        let own: u64 = own.map(|relation| contexts.requests_from(relation)).into_iter().sum();
        site.from_others += from_others.max(contexts.requests_from(SiteRelation::Cross));
        site.from_itself += from_itself.max(own);
    }
    for seen in evidence {
        let name = site_of(seen.host);
        for (host, requests) in seen.contexts.initiators() {
            let sender = site_of(host);
            if sender != name
                && let Some(site) = sites.get_mut(sender)
            {
                site.to_others += requests;
            }
        }
    }
    sites
}

#[cfg(test)]
mod tests {
    use super::Party;
    use crate::flow::Headers;
    use crate::{Flow, Patterns, ReportOptions, Response};

    /// Requests of a capture: URL, content type, and headers.
    type Request<'a> = (&'a str, &'a str, &'a [(&'a str, &'a str)]);

    /// The hosts of third parties, sorted.
    fn third(requests: &[Request<'_>], first_parties: &[&str]) -> Vec<String> {
        let mut patterns = Patterns::new();
        for (number, (url, content_type, headers)) in requests.iter().enumerate() {
            let headers: Vec<_> = headers
                .iter()
                .map(|(name, value)| (name.as_bytes(), Some(value.as_bytes())))
                .collect();
            let mut flow = Flow::new("GET", url).unwrap();
            flow.started = Some(i64::try_from(number).unwrap());
            flow.request_headers = Headers::new(&headers);
            let content_type = Some(content_type.as_bytes());
            flow.response = Some(Response { status: 200, content_type, ..Response::default() });
            patterns.observe(&flow);
        }
        let first_parties = first_parties.iter().map(|domain| (*domain).to_owned()).collect();
        let options = ReportOptions { first_parties, ..ReportOptions::default() };
        let report = patterns.decide(&options).report;
        let found = report.patterns.into_iter().filter(|pattern| pattern.party == Party::Third);
        let mut hosts: Vec<String> = found.map(|pattern| pattern.host).collect();
        hosts.sort();
        hosts.dedup();
        hosts
    }

    const SHOP: (&str, &str) = ("referer", "https://www.shop.example/");

    #[test]
    fn sites_that_others_embed_are_third_parties() {
        let requests: [Request<'_>; 5] = [
            ("https://www.shop.example/", "text/html", &[("sec-fetch-dest", "document")]),
            ("https://api.shop.example/v1/carts", "application/json", &[SHOP]),
            ("https://chat.example/frame", "text/html", &[SHOP, ("sec-fetch-dest", "iframe")]),
            // The page in the frame asks for more, and stays a part of the shop's page.
            (
                "https://chat.example/messages",
                "application/json",
                &[("referer", "https://chat.example/frame")],
            ),
            (
                "https://login.example/authorize",
                "text/html",
                &[SHOP, ("sec-fetch-dest", "document")],
            ),
        ];
        assert_eq!(third(&requests, &[]), ["chat.example"]);
        let all_but_chat = ["api.shop.example", "login.example", "www.shop.example"];
        assert_eq!(third(&requests, &["chat.example"]), all_but_chat);
    }

    #[test]
    fn programs_without_pages_have_first_parties_only() {
        let requests: [Request<'_>; 3] = [
            ("https://api.shop.example/v1/carts", "application/json", &[("user-agent", "app/1")]),
            ("https://cdn.other.example/logo", "image/png", &[("user-agent", "app/1")]),
            ("https://app-measurement.com/a", "text/plain", &[("user-agent", "app/1")]),
        ];
        assert_eq!(third(&requests, &[]), ["app-measurement.com"]);
        assert_eq!(third(&requests[2..], &[]), [""; 0], "who captures a tracker alone studies it");
    }
}
