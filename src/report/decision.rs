//! Building a report from a state: options, decision, and the traversal of the decided tree.

use std::cell::RefCell;
use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::limits;
use crate::patterns::Patterns;
use crate::patterns::endpoint::Endpoint;
use crate::report::classification::{DescribedHost, classify};
use crate::report::describe::{DescribedEndpoint, HostSummary, NameCounts, pattern_of};
use crate::report::lookup::find_endpoints;
use crate::report::options::ReportOptions;
use crate::report::routes::{Label, RouteNode, Routes};
use crate::report::timeline::RequestTimeline;
use crate::report::{Pattern, Report, Totals, hosts, masked};
use crate::skip::SkipReason;
use crate::template::classifier::{Classifier, ModelClassifier};
use crate::template::context::LeafStats;
use crate::template::decide::decide;
use crate::template::decided::{CloseCall, DecidedNode};
use crate::template::model::Model;
use crate::template::property_rules::PropertyRule;
use crate::template::user_rules::MatchedRules;
use crate::template::user_rules::rule_classifier::RuleClassifier;
use crate::template::variable::Variable;

/// Result of [`Patterns::decide`]: the report, and data derived from the same decisions.
#[derive(Debug)]
#[non_exhaustive]
pub struct Decision {
    /// The report.
    pub report: Report,
    /// The lookup from flows to the endpoints of the report.
    pub routes: Routes,
    /// Explanations of the endpoints that [`ReportOptions::explain`] selects, sorted by host.
    pub explanations: Vec<Explanation>,
    /// The closest near misses of each endpoint that has some, at most five, by [`Pattern::id`]; empty unless
    /// [`ReportOptions::near_misses`] asks for them.
    pub near_misses: BTreeMap<String, Vec<NearMiss>>,
    /// The observed requests over time, whatever endpoint they belong to.
    pub timeline: RequestTimeline,
    /// The rules that matched nothing, such as `[[literal]] /v1/me on api.example.com`.
    pub unmatched_rules: Vec<String>,
    /// The rules that are for one place or cover others, one sentence each.
    pub rule_conflicts: Vec<String>,
    /// The rules for properties, which decide when schemas are.
    pub(crate) property_rules: Vec<PropertyRule>,
    /// Number of requests to endpoints left out by [`ReportOptions::exclude_errors_only_404`].
    pub errors_only_404: u64,
}

impl Decision {
    /// Problems with the rules: one sentence for users per rule that matched nothing.
    ///
    /// ```
    /// use api_patterns::{Patterns, ReportOptions, Rules};
    ///
    /// let mut options = ReportOptions::default();
    /// options.rules = Rules::parse("rules.toml", "[[literal]]\npath = \"/me\"").unwrap();
    /// let problems = Patterns::new().decide(&options).problems();
    /// assert_eq!(problems.len(), 1);
    /// ```
    pub fn problems(&self) -> Vec<String> {
        rule_problems(&self.unmatched_rules, &self.rule_conflicts)
    }
}

/// One sentence for users per rule that matched nothing, after those about rules that conflict.
pub(crate) fn rule_problems(unmatched: &[String], conflicts: &[String]) -> Vec<String> {
    let advice = "check its path and host (ids and long numbers are kept by kind, so a rule cannot tell them apart)";
    let unmatched =
        unmatched.iter().map(|rule| format!("the rule {rule} matched nothing; {advice}"));
    conflicts.iter().cloned().chain(unmatched).collect()
}

/// Explanation of one endpoint: the pattern with its reasons, and the near misses on its path.
///
/// ```
/// use api_patterns::{Flow, Patterns, ReportOptions};
///
/// let mut patterns = Patterns::new();
/// patterns.observe(&Flow::new("GET", "https://api.example.com/users/42").unwrap());
/// let mut options = ReportOptions::default();
/// options.explain = Some("GET /users/{user_id}".to_owned());
/// let decision = patterns.decide(&options);
/// assert_eq!(decision.explanations[0].pattern.path_pattern, "/users/{user_id}");
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Explanation {
    /// The endpoint; [`Parameter::reasons`](crate::Parameter::reasons) explains its parameters.
    pub pattern: Pattern,
    /// Segments below the prefixes of its path whose classification was close, ordered by position
    /// and then by distance to probability one half.
    pub near_misses: Vec<NearMiss>,
}

/// A segment whose classification as name or value was close.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NearMiss {
    /// Position of the segment in the path, from 1.
    pub segment: usize,
    /// The captured text of the segment; `[masked]` if it looks like a secret.
    pub text: String,
    /// The classification: `value` or `name`.
    pub judged: String,
    /// The probability that the segment is a value, 0 to 1, with two decimals.
    pub probability: f64,
    /// The group of features that contributed most to the classification.
    pub reason: String,
}

impl NearMiss {
    /// The near miss as a sentence: `segment 2 "a" is a name (46 % likely to be a value), mainly because of words`.
    ///
    /// ```
    /// use api_patterns::NearMiss;
    ///
    /// let (text, judged, reason) = ("me".to_owned(), "name".to_owned(), "words".to_owned());
    /// let miss = NearMiss { segment: 2, text, judged, probability: 0.46, reason };
    /// let sentence = "segment 2 \"me\" is a name (46 % likely to be a value), mainly because of words";
    /// assert_eq!(miss.in_words(), sentence);
    /// ```
    pub fn in_words(&self) -> String {
        format!(
            "segment {} \"{}\" is a {} ({:.0} % likely to be a value), mainly because of {}",
            self.segment,
            self.text,
            self.judged,
            self.probability * 100.0,
            self.reason,
        )
    }
}

impl Patterns {
    /// Decides the templates with default options and describes every endpoint. Pure: the state is
    /// not changed, and equal states give equal reports. The cost is proportional to the size of
    /// the state, not to the number of flows.
    ///
    /// ```
    /// use api_patterns::{Flow, Patterns};
    ///
    /// let mut patterns = Patterns::new();
    /// patterns.observe(&Flow::new("GET", "https://api.example.com/users/42").unwrap());
    /// assert_eq!(patterns.report().patterns[0].path_pattern, "/users/{user_id}");
    /// ```
    pub fn report(&self) -> Report {
        self.decide(&ReportOptions::default()).report
    }

    /// The report with default options, and the lookup from flows to its endpoints.
    ///
    /// ```
    /// use api_patterns::{Flow, Patterns};
    ///
    /// let flow = Flow::new("GET", "https://api.example.com/users/42").unwrap();
    /// let mut patterns = Patterns::new();
    /// patterns.observe(&flow);
    /// let (report, routes) = patterns.report_and_routes();
    /// assert_eq!(routes.label(&flow).unwrap().endpoint, report.patterns[0].endpoint);
    /// ```
    pub fn report_and_routes(&self) -> (Report, Routes) {
        let decision = self.decide(&ReportOptions::default());
        (decision.report, decision.routes)
    }

    /// Decides templates under `options` and builds the report. Pure: the same state and options
    /// give an equal result.
    ///
    /// ```
    /// use api_patterns::{Flow, Patterns, ReportOptions, Rules};
    ///
    /// let mut patterns = Patterns::new();
    /// patterns.observe(&Flow::new("GET", "https://api.example.com/users/42").unwrap());
    /// let mut options = ReportOptions::default();
    /// options.rules = Rules::parse("rules.toml", r#"
    ///     [[rename]]
    ///     path = "/users/{user_id}"
    ///     to = "login"
    /// "#).unwrap();
    /// let decision = patterns.decide(&options);
    /// assert_eq!(decision.report.patterns[0].path_pattern, "/users/{login}");
    /// assert!(decision.unmatched_rules.is_empty());
    /// ```
    pub fn decide(&self, options: &ReportOptions) -> Decision {
        let decide = |options: &ReportOptions| {
            build(self, options, Model::shipped(), &ModelClassifier(Model::shipped()))
        };
        let mut decision = decide(options);
        // Most texts are names of endpoints. What a path or a URL means is known after the decision.
        if let Some(text) = &options.explain
            && decision.explanations.is_empty()
        {
            let meant = find_endpoints(&decision.report.patterns, &decision.routes, text);
            for pattern in meant.into_iter().take(MAX_EXPLAINED) {
                let explain = Some(pattern.id.clone());
                let explained = decide(&ReportOptions { explain, ..options.clone() });
                decision.explanations.extend(explained.explanations);
            }
        }
        decision
    }
}

/// The most endpoints that are explained for one path, which may be on several hosts and have several methods.
const MAX_EXPLAINED: usize = 8;

/// Decides the templates of a state with a given model and classifier, and builds the report.
pub(crate) fn build(
    patterns: &Patterns,
    options: &ReportOptions,
    model: &Model,
    judge: &dyn Classifier<Endpoint>,
) -> Decision {
    let [answered, not_found] = patterns.bounded_tries();
    let scalars = patterns.scalars.as_deref().filter(|_| !options.paths_alone);
    let matched = RefCell::new(MatchedRules::default());
    let mut routes = Routes::default();
    let mut explanations = Vec::new();
    let mut near_misses = BTreeMap::new();
    let (mut errors_only_404, mut not_told_apart) = (0, 0);
    let mut hosts: Vec<DescribedHost> = Vec::new();
    for group in hosts::groups([&answered, &not_found], scalars, options, model, judge, &matched) {
        let ruled = RuleClassifier {
            rules: &options.rules,
            host: &group.name,
            inner: judge,
            matched: &matched,
        };
        let judge: &dyn Classifier<Endpoint> =
            if options.rules.is_empty() { judge } else { &ruled };
        let own = hosts::scalars_of(scalars, &group.members);
        let decided = decide(&group.nodes, model.vocabulary, own, judge);
        let requests = group.nodes.all().map(|node| node.count).sum();
        let mut host = HostSummary { name: &group.name, requests, ..HostSummary::default() };
        count_names(&decided, &mut host.names);
        let mut describer = Describer {
            host,
            explain: options.explain.as_deref(),
            near_misses: options.near_misses.then_some(&mut near_misses),
            exclude_errors_only_404: options.exclude_errors_only_404,
            errors_only_404: 0,
            not_told_apart: 0,
            variables: Vec::new(),
            near: Vec::new(),
            found: Vec::new(),
            explanations: &mut explanations,
            routes: &mut routes,
        };
        let route = describer.describe(&decided);
        errors_only_404 += describer.errors_only_404;
        not_told_apart += describer.not_told_apart;
        let left_out = describer.errors_only_404 > 0;
        let mut found = describer.found;
        routes.add_hosts(&group.members, route);
        found.sort_by(|a, b| {
            let (a, b) = (&a.pattern, &b.pattern);
            let path = a.path_pattern.cmp(&b.path_pattern);
            b.request_count.cmp(&a.request_count).then(path).then_with(|| a.method.cmp(&b.method))
        });
        if found.is_empty() && left_out {
            continue;
        }
        let requests = found.iter().map(|endpoint| endpoint.pattern.request_count).sum();
        hosts.push(DescribedHost { name: group.name, requests, endpoints: found });
    }
    hosts.sort_by(|a, b| b.requests.cmp(&a.requests).then_with(|| a.name.cmp(&b.name)));
    let host_count = hosts.len() as u64;
    let found = classify(hosts, &options.first_parties);
    for explanation in &mut explanations {
        let shown = &mut explanation.pattern;
        if let Some(pattern) = found.iter().find(|pattern| pattern.id == shown.id) {
            (shown.class, shown.party) = (pattern.class, pattern.party);
        }
    }
    let used = patterns.used.saturating_sub(errors_only_404);
    let mut skips = patterns.skips.clone();
    skips.add_many(SkipReason::ErrorsOnly404, errors_only_404);
    let totals = Totals {
        flows: used + skips.total(),
        used,
        skipped: skips.iter().map(|(reason, count, _)| (reason.name().to_owned(), count)).collect(),
        hosts: host_count,
        patterns: found.len() as u64,
        not_told_apart,
        not_selected: 0,
    };
    explanations.sort_by(|a, b| a.pattern.host.cmp(&b.pattern.host));
    let unmatched_rules = options.rules.in_words(&matched.borrow());
    Decision {
        report: Report { version: 1, totals, patterns: found },
        routes,
        explanations,
        near_misses,
        timeline: RequestTimeline::of(&patterns.timeline),
        unmatched_rules,
        rule_conflicts: options.rules.conflicts(),
        property_rules: options.rules.properties.clone(),
        errors_only_404,
    }
}

/// The most near misses of an endpoint that are kept with [`ReportOptions::near_misses`].
const MAX_NEAR_MISSES: usize = 5;

/// The near misses whose probability is nearest to one half, in the order of their segments.
fn closest(near: &[NearMiss]) -> Vec<NearMiss> {
    let distance = |miss: &NearMiss| (miss.probability - 0.5).abs();
    let mut closest = near.to_vec();
    closest.sort_by(|a, b| distance(a).total_cmp(&distance(b)));
    closest.truncate(MAX_NEAR_MISSES);
    closest.sort_by_key(|miss| miss.segment);
    closest
}

/// Traversal of the decided tree of one host that describes its endpoints.
struct Describer<'a, 't> {
    host: HostSummary<'a>,
    explain: Option<&'a str>,
    near_misses: Option<&'a mut BTreeMap<String, Vec<NearMiss>>>,
    exclude_errors_only_404: bool,
    errors_only_404: u64,
    not_told_apart: u64,
    variables: Vec<(usize, Variable<'t>)>,
    near: Vec<NearMiss>,
    found: Vec<DescribedEndpoint>,
    explanations: &'a mut Vec<Explanation>,
    routes: &'a mut Routes,
}

impl<'t> Describer<'_, 't> {
    /// Describes the endpoints at and below one node.
    fn describe(&mut self, place: &DecidedNode<'t, Endpoint>) -> RouteNode {
        let mut route = RouteNode::default();
        let segment = place.template.parts.len() + 1;
        for (end, seen) in &place.ends {
            if self.exclude_errors_only_404 && is_only_404(seen) {
                self.errors_only_404 += seen.iter().map(|seen| seen.count()).sum::<u64>();
                route.add_end(*end, self.routes.no_label());
                continue;
            }
            let described = pattern_of(*end, &self.host, &place.template, &self.variables, seen);
            let pattern = &described.pattern;
            if self.explain.is_some_and(|name| name == pattern.endpoint || name == pattern.id) {
                let near_misses = self.near.clone();
                self.explanations.push(Explanation { pattern: pattern.clone(), near_misses });
            }
            if let Some(near_misses) = self.near_misses.as_mut().filter(|_| !self.near.is_empty()) {
                near_misses.insert(pattern.id.clone(), closest(&self.near));
            }
            let label = Label {
                id: pattern.id.clone(),
                endpoint: pattern.endpoint.clone(),
                path_pattern: pattern.path_pattern.clone(),
                method: pattern.method.clone(),
                host: pattern.host.clone(),
            };
            route.add_end(*end, self.routes.add_label(label));
            self.found.push(described);
        }
        let near_before = self.near.len();
        if self.explain.is_some() || self.near_misses.is_some() {
            self.near.extend(place.near.iter().map(|near| near_miss(segment, near)));
        }
        for (literal, below) in &place.literals {
            route.add_literal(*literal, self.describe(below));
        }
        for (variable, below) in &place.variables {
            self.not_told_apart += variable.folded();
            self.variables.push((segment, variable.clone()));
            let below = self.describe(below);
            route.add_variable(&variable.key, below);
            self.variables.pop();
        }
        self.near.truncate(near_before);
        route
    }
}

/// Counts the requests per name over a whole decided tree.
fn count_names(place: &DecidedNode<'_, Endpoint>, names: &mut NameCounts) {
    place.ends.iter().flat_map(|(_, seen)| seen).for_each(|endpoint| names.add(endpoint));
    place.literals.iter().for_each(|(_, below)| count_names(below, names));
    place.variables.iter().for_each(|(_, below)| count_names(below, names));
}

/// Returns `true` if every response had status 404.
fn is_only_404(seen: &[&Endpoint]) -> bool {
    let responses: u64 = seen.iter().map(|seen| seen.counts.responses).sum();
    responses > 0 && responses == seen.iter().map(|seen| seen.not_found()).sum::<u64>()
}

fn near_miss(segment: usize, near: &CloseCall<'_>) -> NearMiss {
    NearMiss {
        segment,
        text: masked::short_word(near.text, 1, limits::MAX_NAME_BYTES).into_owned(),
        judged: if near.verdict.is_value { "value" } else { "name" }.to_owned(),
        probability: (near.verdict.probability * 100.0).round() / 100.0,
        reason: near.verdict.reason.to_owned(),
    }
}
