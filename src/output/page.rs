//! A report as a page: one HTML file that loads nothing and works without scripts.

mod charts;
mod endpoint_view;
mod parts;
mod rankings;
mod viewer;

pub use viewer::PageViewer;

use std::collections::BTreeMap;
use std::io::{self, Write};

use askama::Template;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use sha2::{Digest, Sha256};

use crate::flow::site::site_of;
use crate::flow::text;
use crate::math::format_thousands;
use crate::output::page::charts::TimelineColumn;
use crate::output::page::endpoint_view::EndpointView;
use crate::output::page::rankings::Ranking;
use crate::output::{Output, OverviewOptions, format_count};
use crate::report::decision::NearMiss;
use crate::report::endpoint_class::EndpointClass;
use crate::report::message_field::MessageField;
use crate::report::overview::{Overview, ThirdParty};
use crate::report::path_tree::PathTree;
use crate::report::timeline::RequestTimeline;
use crate::report::{Pattern, Report, order_of_time};

/// Writes a page: numbers, a tree of hosts and paths, the endpoints with all that is known of each, what is slowest, largest and
/// fails most, and what was left out. Captured text is escaped, and secrets are masked, as in the report. A policy in the page
/// forbids all that is not in it.
///
/// ```
/// use api_patterns::output::{Output, Page};
/// use api_patterns::{Flow, Patterns};
///
/// let mut patterns = Patterns::new();
/// patterns.observe(&Flow::new("GET", "https://api.example.com/users/42").unwrap());
/// let mut page = Vec::new();
/// Page::default().write(&patterns.report(), &mut page).unwrap();
/// assert!(String::from_utf8(page).unwrap().contains("<summary"));
/// ```
#[derive(Clone, Debug, Default)]
pub struct Page {
    /// Details of endpoints that the report does not have, by [`Pattern::id`].
    pub endpoints: BTreeMap<String, PageEndpoint>,
    /// The requests over time.
    pub timeline: RequestTimeline,
    /// Problems with the captures, one sentence each.
    pub problems: Vec<String>,
    /// Name of a file beside the page that shows the OpenAPI descriptions: see [`PageViewer`]. Empty for none.
    pub viewer: String,
    /// Whether the page replaces its content when the server that it comes from has a new one.
    pub is_live: bool,
}

/// Details of an endpoint that a page shows beside those of the report.
#[derive(Clone, Debug, Default)]
pub struct PageEndpoint {
    /// The fields of its messages: see [`Schemas::fields`](crate::Schemas::fields).
    pub fields: Vec<MessageField>,
    /// Number of fields that are not in [`fields`](Self::fields).
    pub more_fields: usize,
    /// Close decisions about its path.
    pub near_misses: Vec<NearMiss>,
    /// The credentials that it asks for, by the names of the description: `bearerAuth or none`. Empty if that is not known.
    pub security: String,
    /// Its part of an OpenAPI description, in YAML. A page takes as many of them as its size allows.
    pub openapi: String,
}

/// The file behind the page; the fields are what the template needs.
#[derive(Template)]
#[template(path = "report.html")]
struct PageTemplate<'r> {
    version: &'static str,
    style: &'static str,
    script: String,
    policy: String,
    title: String,
    numbers: Vec<(String, &'static str)>,
    span: Option<(&'r str, &'r str)>,
    columns: Vec<TimelineColumn>,
    chart_width: usize,
    column_title: String,
    most_in_column: String,
    /// The address of the page of a viewer; empty for none.
    viewer: String,
    is_live: bool,
    /// The OpenAPI descriptions by endpoint, as JSON in gzip in Base64; empty if they stand at the endpoints.
    packed: String,
    /// Number of endpoints whose OpenAPI description did not fit.
    undescribed: usize,
    hosts: Vec<HostView<'r>>,
    third_parties: Vec<ThirdParty>,
    rankings: Vec<Ranking<'r>>,
    uncertain: Vec<UncertainParameter<'r>>,
    skipped: Vec<(String, String)>,
    problems: Vec<String>,
}

/// A host with its tree and its endpoints.
struct HostView<'r> {
    name: &'r str,
    requests: String,
    tree: Vec<TreeLine<'r>>,
    /// Number of prefixes that are not in the tree.
    more_prefixes: usize,
    endpoints: Vec<EndpointView<'r>>,
}

/// A prefix of paths in the tree of a host.
struct TreeLine<'r> {
    depth: usize,
    segments: String,
    /// Ids and methods of the endpoints that end here.
    ends: Vec<(&'r str, &'r str)>,
    requests: String,
    bar: charts::Bar,
}

/// A path parameter whose evidence is weak.
struct UncertainParameter<'r> {
    id: &'r str,
    endpoint: &'r str,
    name: &'r str,
    confidence: String,
    distinct: u64,
}

/// Most parameters that are listed as uncertain.
const MAX_UNCERTAIN: usize = 30;
/// Confidence below which a path parameter is listed as uncertain.
const MIN_CERTAIN: f64 = 0.8;
/// Most prefixes in the tree of a host.
const MAX_TREE_LINES: usize = 200;

impl Output for Page {
    fn write(&self, report: &Report, out: &mut dyn Write) -> io::Result<()> {
        let mut template = self.template(report);
        let bytes = template.render().map_err(io::Error::other)?.len();
        self.add_parts(&mut template, bytes)?;
        let page = template.render().map_err(io::Error::other)?;
        out.write_all(page.as_bytes())?;
        out.write_all(b"\n")
    }
}

impl Page {
    fn template<'r>(&'r self, report: &'r Report) -> PageTemplate<'r> {
        let style = include_str!("page/report.css");
        let live = if self.is_live { include_str!("page/live.js") } else { "" };
        let script = format!("{}{live}", include_str!("page/report.js"));
        let overview = Overview::of(report, OverviewOptions::default());
        let most = overview.hosts.iter().flat_map(|host| &host.patterns);
        let most = most.map(|pattern| pattern.request_count).max().unwrap_or(1);
        let slowest = EndpointView::slowest_latency(report);
        let hosts: Vec<HostView<'_>> = overview
            .hosts
            .iter()
            .map(|host| {
                let tree = PathTree::of(&host.patterns);
                let mut lines = Vec::new();
                tree_lines(&tree, 0, tree.requests, &mut lines);
                let more_prefixes = lines.len().saturating_sub(MAX_TREE_LINES);
                lines.truncate(MAX_TREE_LINES);
                let endpoints =
                    host.patterns.iter().map(|pattern| EndpointView::new(pattern, most, slowest));
                HostView {
                    name: host.host,
                    requests: format_count(tree.requests, "request"),
                    tree: lines,
                    more_prefixes,
                    endpoints: endpoints.collect(),
                }
            })
            .collect();
        let shown: Vec<&Pattern> =
            overview.hosts.iter().flat_map(|host| host.patterns.iter().copied()).collect();
        let seen = |time: fn(&Pattern) -> Option<&str>| report.patterns.iter().filter_map(time);
        let first =
            seen(|pattern| pattern.first_seen.as_deref()).min_by_key(|time| order_of_time(time));
        let last =
            seen(|pattern| pattern.last_seen.as_deref()).max_by_key(|time| order_of_time(time));
        let problems =
            self.problems.iter().map(|problem| text::printable(problem.as_bytes()).into());
        PageTemplate {
            version: env!("CARGO_PKG_VERSION"),
            policy: format!(
                "default-src 'none'; style-src '{}'; script-src '{}';{} base-uri 'none'; form-action 'none'",
                hash_source(style),
                hash_source(&script),
                if self.is_live { " connect-src 'self';" } else { "" },
            ),
            style,
            script,
            title: hosts.first().map_or("No endpoint", |host| site_of(host.name)).to_owned(),
            numbers: numbers(report, &shown),
            span: first.zip(last),
            columns: charts::timeline_columns(&self.timeline),
            chart_width: charts::timeline_width(&self.timeline),
            column_title: duration_in_words(self.timeline.interval_seconds),
            most_in_column: format_thousands(charts::most_requests(&self.timeline)),
            viewer: link_to(&self.viewer),
            is_live: self.is_live,
            packed: String::new(),
            undescribed: 0,
            rankings: rankings::of(&shown),
            uncertain: uncertain(&shown),
            skipped: skipped(report),
            problems: problems.collect(),
            third_parties: overview.third_parties,
            hosts,
        }
    }
}

/// The relative address of a file beside the page; empty for none. The dot keeps a colon in the name from ending a scheme.
fn link_to(file: &str) -> String {
    if file.is_empty() {
        return String::new();
    }
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    let escape =
        |byte: u8| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") };
    std::iter::once("./".to_owned()).chain(file.bytes().map(escape)).collect()
}

/// A duration that is a power of two seconds, in words.
fn duration_in_words(seconds: u64) -> String {
    match seconds {
        0..=120 => format_count(seconds, "second"),
        121..=7_200 => format!("about {}", format_count((seconds + 30) / 60, "minute")),
        7_201..=172_800 => format!("about {}", format_count((seconds + 1_800) / 3_600, "hour")),
        _ => format!("about {}", format_count((seconds + 43_200) / 86_400, "day")),
    }
}

/// The source expression of a content security policy for an element with this content (CSP 3, 2.3.1).
fn hash_source(content: &str) -> String {
    format!("sha256-{}", BASE64_STANDARD.encode(Sha256::digest(content.as_bytes())))
}

fn numbers(report: &Report, shown: &[&Pattern]) -> Vec<(String, &'static str)> {
    let totals = &report.totals;
    let calls = shown.iter().filter(|pattern| pattern.class == EndpointClass::Api).count() as u64;
    let requests: u64 = report.patterns.iter().map(|pattern| pattern.request_count).sum();
    let errors: u64 = report.patterns.iter().map(Pattern::errors).sum();
    let skipped: u64 = totals.skipped.values().sum();
    let named = |count: u64, one, several| {
        (format_thousands(count), if count == 1 { one } else { several })
    };
    vec![
        named(totals.flows, "flow", "flows"),
        named(totals.hosts, "host", "hosts"),
        named(totals.patterns, "endpoint", "endpoints"),
        named(calls, "call of its API", "calls of its API"),
        (percent(errors, requests), "errors"),
        (format_thousands(skipped), "skipped"),
    ]
}

/// `part / whole` as a percentage with one decimal.
fn percent(part: u64, whole: u64) -> String {
    let tenths = (part * 2000 + whole) / (2 * whole.max(1));
    format!("{}.{} %", tenths / 10, tenths % 10)
}

fn tree_lines<'r>(node: &PathTree<'r>, depth: usize, whole: u64, lines: &mut Vec<TreeLine<'r>>) {
    lines.push(TreeLine {
        depth: depth.min(8),
        segments: node.segments.clone(),
        ends: node.patterns.iter().map(|end| (&*end.id, end.shown_method())).collect(),
        requests: format_thousands(node.requests),
        bar: charts::Bar::new(node.requests, node.errors, whole),
    });
    for child in &node.children {
        tree_lines(child, depth + 1, whole, lines);
    }
}

fn uncertain<'r>(shown: &[&'r Pattern]) -> Vec<UncertainParameter<'r>> {
    let mut found: Vec<(f64, UncertainParameter<'_>)> = Vec::new();
    for pattern in shown {
        for parameter in &pattern.parameters {
            let Some(confidence) = parameter.confidence.filter(|it| *it < MIN_CERTAIN) else {
                continue;
            };
            found.push((
                confidence,
                UncertainParameter {
                    id: &pattern.id,
                    endpoint: &pattern.endpoint,
                    name: &parameter.name,
                    confidence: format!("{confidence:.2}"),
                    distinct: parameter.distinct.unwrap_or(0),
                },
            ));
        }
    }
    found.sort_by(|a, b| a.0.total_cmp(&b.0).then_with(|| a.1.id.cmp(b.1.id)));
    found.into_iter().map(|(_, parameter)| parameter).take(MAX_UNCERTAIN).collect()
}

fn skipped(report: &Report) -> Vec<(String, String)> {
    let reasons = report.totals.skipped.iter();
    reasons.map(|(reason, count)| (reason.replace('_', " "), format_thousands(*count))).collect()
}
