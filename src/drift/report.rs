//! The report of a comparison with a description: sentences, lines, coverage.

use std::collections::{BTreeMap, BTreeSet};

use crate::description::ApiDescription;
use crate::description::cursor::DescriptionPlace;
use crate::description::flow_match::{FlowMatch, match_flow};
use crate::description::lines::lines_of;
use crate::description::schema::SchemaId;
use crate::drift::rule::DriftRule;
use crate::drift::state::{DriftState, FindingEvidence, FindingKey};
use crate::finding::{
    Coverage, Covered, Finding, FindingLocation, FindingReport, Severity, fingerprint,
};
use crate::flow::text;
use crate::patterns::endpoint::times::rfc3339;
use crate::report::Report;
use crate::report::endpoint_class::EndpointClass;

/// Makes the report. `documented` is the report of the requests that belong to operations, and `undocumented` of those that
/// no path fits.
pub(crate) fn drift_report(
    api: &ApiDescription,
    state: &DriftState,
    documented: &Report,
    undocumented: &Report,
) -> FindingReport {
    let mut sources: Vec<Option<DescriptionPlace>> = Vec::new();
    let mut findings = Vec::new();
    for (key, evidence) in &state.found {
        findings.push(finding_of(api, state, key, evidence));
        sources.push(evidence.source.clone());
    }
    for pattern in &undocumented.patterns {
        findings.push(undocumented_endpoint(api, pattern));
        // Where the path would have to stand.
        sources.push(Some(DescriptionPlace { file: 0, pointer: "/paths".into() }));
    }
    for (index, names) in coarse_parameters(api, documented) {
        let operation = &api.operations[index.0];
        let mut found = new_finding(
            DriftRule::TemplateTooCoarse,
            &operation.name(),
            &format!("path {}", index.1),
        );
        let names: Vec<&str> = names.iter().take(5).map(|name| &**name).collect();
        found.message = format!("{}: {}", found.message, names.join(", "));
        findings.push(found);
        sources.push(Some(operation.place.clone()));
    }
    locate(api, &mut findings, &sources);
    let counts = &state.counts;
    let judged = counts.flows - counts.other_hosts;
    let totals = BTreeMap::from([
        ("bodies".to_owned(), counts.judged_bodies),
        ("bodies_invalid".to_owned(), counts.invalid_bodies),
        ("bodies_not_judged".to_owned(), counts.unjudged_bodies),
        ("findings_not_told_apart".to_owned(), counts.not_told_apart),
        ("flows".to_owned(), counts.flows),
        ("flows_of_api".to_owned(), judged),
        ("flows_of_other_hosts".to_owned(), counts.other_hosts),
        ("flows_undocumented".to_owned(), counts.undocumented),
    ]);
    let (file, _) = api.file(0);
    let mut report = FindingReport {
        version: 1,
        comparison: "drift".to_owned(),
        summary: format!(
            "{} compared with {}",
            exchanges(judged),
            text::printable(file.as_bytes())
        ),
        totals,
        findings,
        coverage: Some(coverage(api, state)),
        notes: api.notes().to_vec(),
    };
    report.sort();
    report
}

fn exchanges(count: u64) -> String {
    let noun = if count == 1 { "exchange" } else { "exchanges" };
    format!("{} {noun}", crate::math::format_thousands(count))
}

fn new_finding(rule: DriftRule, operation: &str, place: &str) -> Finding {
    Finding {
        rule: rule.name().to_owned(),
        severity: rule.severity(),
        operation: operation.to_owned(),
        place: place.to_owned(),
        message: rule.about().to_owned(),
        count: None,
        of: None,
        confidence: None,
        first_seen: None,
        last_seen: None,
        flow_ids: Vec::new(),
        location: None,
        fingerprint: fingerprint(rule.name(), operation, place),
        known: false,
    }
}

fn finding_of(
    api: &ApiDescription,
    state: &DriftState,
    key: &FindingKey,
    evidence: &FindingEvidence,
) -> Finding {
    let operation = key.operation.map(|index| api.operations[index].name()).unwrap_or_default();
    // Another method of a path is an operation of its own.
    let (operation, place) = if key.rule == DriftRule::UndocumentedMethod {
        let path = operation.split_once(' ').map_or("", |(_, path)| path);
        (format!("{} {path}", key.place), String::new())
    } else {
        (operation, key.place.clone())
    };
    let mut found = new_finding(key.rule, &operation, &place);
    if !evidence.stated.is_empty() {
        found.message = format!("{}: {}", found.message, evidence.stated);
    }
    found.count = Some(evidence.count);
    found.of = key.operation.and_then(|index| {
        let seen = state.operations.get(&index)?;
        let status = place.strip_prefix("response ").and_then(|rest| rest.split(' ').next());
        let of_status = status
            .and_then(|status| status.parse().ok())
            .and_then(|status: i64| seen.statuses.get(&status));
        Some(of_status.copied().unwrap_or(seen.requests))
    });
    found.first_seen = evidence.first.and_then(rfc3339);
    found.last_seen = evidence.last.and_then(rfc3339);
    found.flow_ids = evidence.samples.iter().map(|(_, id)| id.clone()).collect();
    found
}

fn undocumented_endpoint(api: &ApiDescription, pattern: &crate::report::Pattern) -> Finding {
    let rule = match pattern.class {
        EndpointClass::Page | EndpointClass::Asset => DriftRule::UndocumentedAsset,
        EndpointClass::Api | EndpointClass::Other => DriftRule::UndocumentedEndpoint,
    };
    let mut found = new_finding(rule, &pattern.endpoint, "");
    // Probes of strangers are answered with 404, and nobody describes what is not there.
    let is_only_404 = pattern.status_codes.keys().all(|status| status == "404")
        && !pattern.status_codes.is_empty();
    if is_only_404 {
        found.severity = Severity::Info;
        found.message.push_str(", and all were answered with 404");
    }
    if let Some(near) = nearest(api, &pattern.path_pattern) {
        found.message = format!("{}; the nearest is {near}", found.message);
    }
    found.count = Some(pattern.request_count);
    found.of = Some(pattern.request_count);
    found.first_seen.clone_from(&pattern.first_seen);
    found.last_seen.clone_from(&pattern.last_seen);
    found.flow_ids.clone_from(&pattern.sample_flow_ids);
    found
}

/// Parameters of paths at which our templates have names: operation and parameter, with the names.
fn coarse_parameters(
    api: &ApiDescription,
    documented: &Report,
) -> BTreeMap<(usize, String), BTreeSet<String>> {
    let mut found: BTreeMap<(usize, String), BTreeSet<String>> = BTreeMap::new();
    for pattern in &documented.patterns {
        let path = &pattern.path_pattern;
        let FlowMatch::Operation(index) = match_flow(api, &pattern.host, &pattern.method, path)
        else {
            continue;
        };
        let own: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
        let operation = &api.operations[index];
        let theirs: Vec<&str> = operation.path.split('/').filter(|part| !part.is_empty()).collect();
        let Some(base) = own.len().checked_sub(theirs.len()) else { continue };
        for (own, theirs) in own[base..].iter().zip(&theirs) {
            let name = theirs.strip_prefix('{').and_then(|name| name.strip_suffix('}'));
            let is_name =
                !own.contains(['{', '[']) && own.bytes().any(|byte| byte.is_ascii_alphabetic());
            if let Some(name) = name.filter(|_| is_name) {
                found.entry((index, name.to_owned())).or_default().insert((*own).to_owned());
            }
        }
    }
    // One name alone may be a value that came once.
    found.retain(|_, names| names.len() > 1);
    found
}

/// The described path that has most segments in common with a path, if that are more than half.
fn nearest<'a>(api: &'a ApiDescription, path: &str) -> Option<&'a str> {
    let own: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
    let mut best: Option<(usize, &str)> = None;
    for operation in &api.operations {
        let other: Vec<&str> = operation.path.split('/').filter(|part| !part.is_empty()).collect();
        let longest = own.len().max(other.len());
        // Segments from the end, because a base path may be before them.
        let equal = |(a, b): &(&&str, &&str)| a == b || (a.contains('{') && b.contains('{'));
        let shared = own.iter().rev().zip(other.iter().rev()).filter(equal).count();
        let front = own.iter().zip(&other).filter(equal).count();
        let shared = shared.max(front);
        if shared * 2 > longest && best.is_none_or(|(most, _)| shared > most) {
            best = Some((shared, &operation.path));
        }
    }
    best.map(|(_, path)| path)
}

/// Adds the lines of the description. A file is read once for all of its findings.
fn locate(api: &ApiDescription, findings: &mut [Finding], sources: &[Option<DescriptionPlace>]) {
    let mut by_file: BTreeMap<usize, BTreeSet<&str>> = BTreeMap::new();
    for place in sources.iter().flatten() {
        by_file.entry(place.file).or_default().insert(&place.pointer);
    }
    let mut lines: BTreeMap<(usize, &str), usize> = BTreeMap::new();
    for (file, pointers) in &by_file {
        let wanted: Vec<&str> = pointers.iter().copied().collect();
        let found = lines_of(api.file(*file).1, &wanted);
        lines.extend(found.into_iter().map(|(pointer, line)| ((*file, pointer), line)));
    }
    for (finding, place) in findings.iter_mut().zip(sources) {
        let Some(place) = place else { continue };
        finding.location = Some(FindingLocation {
            file: api.file(place.file).0.to_owned(),
            line: lines.get(&(place.file, &*place.pointer)).copied(),
            pointer: place.pointer.to_string(),
        });
    }
}

fn coverage(api: &ApiDescription, state: &DriftState) -> Coverage {
    let mut coverage = Coverage::default();
    for (index, operation) in api.operations.iter().enumerate() {
        let seen = state.operations.get(&index);
        add(&mut coverage.operations, seen.is_some());
        if seen.is_none() {
            coverage.never_seen.push(text::printable(operation.name().as_bytes()).into_owned());
        }
        for response in operation.responses.iter().filter(|response| !response.is_placeholder) {
            let came = seen.is_some_and(|seen| seen.responses.contains_key(&response.statuses));
            add(&mut coverage.responses, came);
        }
        for parameter in 0..operation.parameters.len() {
            let came = seen.is_some_and(|seen| seen.parameters.contains_key(&parameter));
            add(&mut coverage.parameters, came);
        }
    }
    for index in 0..api.schemas.len() {
        let schema = api.schemas.get(SchemaId(u32::try_from(index).unwrap_or(u32::MAX)));
        for property in schema.object.iter().flat_map(|rules| rules.properties.values()) {
            add(&mut coverage.properties, state.marks.contains(*property));
        }
    }
    coverage
}

fn add(covered: &mut Covered, is_seen: bool) {
    covered.of += 1;
    covered.seen += u64::from(is_seen);
}
