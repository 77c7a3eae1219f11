//! The report of a comparison of two sides.

use std::collections::BTreeMap;

use crate::description::ApiDescription;
use crate::description::cursor::DescriptionPlace;
use crate::description::lines::lines_of;
use crate::diff::compare::ApiChange;
use crate::diff::model::ApiModel;
use crate::diff::{DiffOptions, DiffSide};
use crate::finding::{Finding, FindingLocation, FindingReport, fingerprint};
use crate::flow::text;
use crate::math::format_thousands;

/// Makes the report.
pub(super) fn diff_report(
    changes: &[ApiChange],
    sides: (DiffSide<'_>, DiffSide<'_>),
    models: (&ApiModel, &ApiModel),
    options: &DiffOptions,
    mut notes: Vec<String>,
) -> FindingReport {
    let (before, after) = (&models.0.operations, &models.1.operations);
    if !before.is_empty() && !after.is_empty() && before.keys().all(|key| !after.contains_key(key))
    {
        notes.push("no endpoint is on both sides, so nothing can be compared; take captures of one API with the same hosts".to_owned());
    }
    let is_sure = |change: &&ApiChange| {
        change.confidence.is_none_or(|confidence| confidence >= options.min_confidence)
    };
    let shown: Vec<&ApiChange> = changes.iter().filter(is_sure).collect();
    let left_out = changes.len() - shown.len();
    let shown = merge_by_cause(shown);
    let mut hosts: Vec<&str> = shown.iter().map(|(change, _)| &*change.host).collect();
    hosts.sort_unstable();
    hosts.dedup();
    let mut lines = Lines { sides, known: BTreeMap::new() };
    lines.find(&shown);
    let mut findings: Vec<Finding> = shown
        .iter()
        .map(|(change, more)| finding(change, *more, hosts.len() > 1, &lines))
        .collect();
    // Fingerprints tell findings apart; two details of one place are two findings.
    findings.dedup_by(|a, b| a.fingerprint == b.fingerprint && a.message == b.message);
    let totals = BTreeMap::from([
        ("endpoints_after".to_owned(), models.1.operations.len() as u64),
        ("endpoints_before".to_owned(), models.0.operations.len() as u64),
        ("unlikely_changes".to_owned(), left_out as u64),
    ]);
    let said = |model: &ApiModel| {
        let count = model.operations.len() as u64;
        let noun = if count == 1 { "endpoint" } else { "endpoints" };
        format!("{} {noun}", format_thousands(count))
    };
    let unlikely = if left_out > 0 {
        format!(", {} changes left out that may be chance", format_thousands(left_out as u64))
    } else {
        String::new()
    };
    let mut report = FindingReport {
        version: 1,
        comparison: "diff".to_owned(),
        summary: format!("{} before, {} after{unlikely}", said(models.0), said(models.1)),
        totals,
        findings,
        coverage: None,
        notes,
    };
    report.sort();
    report
}

/// Changes of one schema that several endpoints have are one finding, with the number of further endpoints.
fn merge_by_cause(changes: Vec<&ApiChange>) -> Vec<(&ApiChange, usize)> {
    let mut found: Vec<(&ApiChange, usize)> = Vec::new();
    let mut by_cause: BTreeMap<(String, &str, &DescriptionPlace), usize> = BTreeMap::new();
    for change in changes {
        let source = change.sources.0.as_ref().or(change.sources.1.as_ref());
        let is_of_schema = |place: &&DescriptionPlace| place.pointer.starts_with("/components/");
        let Some(place) = source.filter(is_of_schema) else {
            found.push((change, 0));
            continue;
        };
        let leaf = change.place.rsplit(['.', ' ']).next().unwrap_or_default();
        let key = (format!("{}\0{leaf}", change.rule.name()), &*change.detail, place);
        if let Some(at) = by_cause.get(&key) {
            found[*at].1 += 1;
        } else {
            by_cause.insert(key, found.len());
            found.push((change, 0));
        }
    }
    found
}

fn finding(change: &ApiChange, more: usize, with_host: bool, lines: &Lines<'_>) -> Finding {
    let rule = change.rule;
    let shown = |text: &str| text::printable(text.as_bytes()).into_owned();
    let operation = if with_host && !change.host.is_empty() {
        format!("{} {}", change.host, change.operation)
    } else {
        change.operation.clone()
    };
    let (operation, place) = (shown(&operation), shown(&change.place));
    let mut message = rule.about().to_owned();
    if !change.detail.is_empty() {
        message = format!("{message}: {}", shown(&change.detail));
    }
    if more > 0 {
        let noun = if more == 1 { "place" } else { "places" };
        message = format!("{message} (and at {more} more {noun} with this schema)");
    }
    let unique = format!("{place}\0{}", change.detail);
    Finding {
        rule: rule.name().to_owned(),
        severity: rule.severity(),
        message,
        count: change.count,
        of: change.of,
        confidence: change.confidence.map(|number| (number * 10_000.0).floor() / 10_000.0),
        first_seen: None,
        last_seen: None,
        flow_ids: Vec::new(),
        location: lines.location(change),
        fingerprint: fingerprint(rule.name(), &operation, &unique),
        known: false,
        operation,
        place,
    }
}

/// The lines of the descriptions on both sides.
struct Lines<'a> {
    sides: (DiffSide<'a>, DiffSide<'a>),
    /// By side (`true` for after), file and pointer.
    known: BTreeMap<(bool, usize, String), usize>,
}

impl<'a> Lines<'a> {
    fn api(&self, is_after: bool) -> Option<&'a ApiDescription> {
        match if is_after { self.sides.1 } else { self.sides.0 } {
            DiffSide::Described(api) => Some(api),
            DiffSide::Observed(_) => None,
        }
    }

    /// The place of a change: after, if it has one there, otherwise before.
    fn place(change: &ApiChange) -> Option<(bool, &DescriptionPlace)> {
        let after = change.sources.1.as_ref().map(|place| (true, place));
        after.or(change.sources.0.as_ref().map(|place| (false, place)))
    }

    fn find(&mut self, changes: &[(&ApiChange, usize)]) {
        let mut wanted: BTreeMap<(bool, usize), Vec<&str>> = BTreeMap::new();
        for (change, _) in changes {
            if let Some((is_after, place)) = Self::place(change) {
                wanted.entry((is_after, place.file)).or_default().push(&place.pointer);
            }
        }
        for ((is_after, file), mut pointers) in wanted {
            let Some(api) = self.api(is_after) else { continue };
            pointers.sort_unstable();
            pointers.dedup();
            for (pointer, line) in lines_of(api.file(file).1, &pointers) {
                self.known.insert((is_after, file, pointer.to_owned()), line);
            }
        }
    }

    fn location(&self, change: &ApiChange) -> Option<FindingLocation> {
        let (is_after, place) = Self::place(change)?;
        let api = self.api(is_after)?;
        Some(FindingLocation {
            file: api.file(place.file).0.to_owned(),
            line: self.known.get(&(is_after, place.file, place.pointer.to_string())).copied(),
            pointer: place.pointer.to_string(),
        })
    }
}
