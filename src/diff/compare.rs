//! Compares two models.

mod limits;
mod places;

use std::collections::{BTreeMap, BTreeSet};

use crate::description::cursor::DescriptionPlace;
use crate::diff::model::{ApiModel, MessagePart, ModelPlace, OperationModel};
use crate::diff::probability::probability_of_none;
use crate::diff::rule::DiffRule;

/// A difference between the sides, certain or probable.
#[derive(Clone, Debug)]
pub(super) struct ApiChange {
    pub(super) rule: DiffRule,
    pub(super) host: String,
    pub(super) operation: String,
    pub(super) place: String,
    /// More about it, in words.
    pub(super) detail: String,
    pub(super) count: Option<u64>,
    pub(super) of: Option<u64>,
    /// Probability, from 0 to 1, that the API changed and the difference is not chance; `None` if the change is certain.
    pub(super) confidence: Option<f64>,
    /// The places in the description before, and after.
    pub(super) sources: (Option<DescriptionPlace>, Option<DescriptionPlace>),
}

/// The counts of a part that came on one side and not on the other.
#[derive(Clone, Copy, Debug)]
struct TrialCounts {
    shown: u64,
    of: u64,
    /// Trials on the side where it did not come.
    other: u64,
}

/// Compares two models and returns all changes. A certain change has no confidence; one without any evidence has 0.
pub(super) fn compare(before: &ApiModel, after: &ApiModel) -> Vec<ApiChange> {
    let mut changes = Vec::new();
    let (old, new) = (&before.servers, &after.servers);
    if !old.is_empty() && !new.is_empty() && !old.keys().any(|server| new.contains_key(server)) {
        let names =
            |of: &BTreeMap<String, String>| of.values().cloned().collect::<Vec<_>>().join(", ");
        let mut of_servers = ApiChange::new(DiffRule::ServersChanged, &OperationModel::default());
        of_servers.detail = format!("before {}; now {}", names(old), names(new));
        changes.push(of_servers);
    }
    let keys: BTreeSet<&String> = before.operations.keys().chain(after.operations.keys()).collect();
    let tests = keys.len() as u64;
    for key in keys {
        match (before.operations.get(key), after.operations.get(key)) {
            (Some(old), Some(new)) => {
                compare_operations(old, new, (before.is_observed, after.is_observed), &mut changes);
            }
            (Some(old), None) => {
                let mut removed =
                    missing_endpoint(DiffRule::EndpointRemoved, old, (before, after), tests);
                removed.sources.0.clone_from(&old.place);
                changes.push(removed);
            }
            (None, Some(new)) => {
                let mut added =
                    missing_endpoint(DiffRule::EndpointAdded, new, (after, before), tests);
                added.sources.1.clone_from(&new.place);
                changes.push(added);
            }
            (None, None) => {}
        }
    }
    changes
}

/// The change that an endpoint is on one side and not on the other.
fn missing_endpoint(
    rule: DiffRule,
    operation: &OperationModel,
    (has, lacks): (&ApiModel, &ApiModel),
    tests: u64,
) -> ApiChange {
    let chance = TrialCounts {
        shown: operation.requests,
        of: requests_of(has, &operation.host),
        other: requests_of(lacks, &operation.host),
    };
    let sure = confidence(has.is_observed, lacks.is_observed, chance, tests);
    let mut missing = ApiChange::new(rule, operation);
    missing.set(has.is_observed, chance, sure);
    missing
}

fn requests_of(model: &ApiModel, host: &str) -> u64 {
    // A description names no host of an endpoint: all traffic could have come to it.
    if host.is_empty() {
        return model.requests.values().sum();
    }
    model.requests.get(host).copied().unwrap_or(0)
}

/// The confidence that something is missing on a side, corrected for the number of simultaneous tests. `None` if it is certain.
fn confidence(
    shown_is_observed: bool,
    other_is_observed: bool,
    chance: TrialCounts,
    tests: u64,
) -> Option<f64> {
    match (shown_is_observed, other_is_observed) {
        // What a description does not have is not described.
        (_, false) => None,
        // What is described and did not come may come yet.
        (false, true) => Some(0.0),
        (true, true) => {
            #[expect(clippy::cast_precision_loss, reason = "numbers of places")]
            let tests = tests.max(1) as f64;
            Some(
                (1.0 - probability_of_none(chance.shown, chance.of, chance.other) * tests).max(0.0),
            )
        }
    }
}

impl ApiChange {
    fn new(rule: DiffRule, operation: &OperationModel) -> Self {
        Self {
            rule,
            host: operation.host.clone(),
            operation: operation.name.clone(),
            place: String::new(),
            detail: String::new(),
            count: None,
            of: None,
            confidence: None,
            sources: (None, None),
        }
    }

    fn set(&mut self, is_observed: bool, chance: TrialCounts, confidence: Option<f64>) {
        self.confidence = confidence;
        if is_observed {
            self.count = Some(chance.shown);
            self.of = Some(chance.of.max(chance.shown));
        }
    }
}

/// Comparison of one endpoint before and after.
struct OperationComparison<'a> {
    old: &'a OperationModel,
    new: &'a OperationModel,
    is_observed: (bool, bool),
    /// Things that are tested at once.
    tests: u64,
    changes: &'a mut Vec<ApiChange>,
}

fn compare_operations(
    old: &OperationModel,
    new: &OperationModel,
    is_observed: (bool, bool),
    changes: &mut Vec<ApiChange>,
) {
    let places: BTreeSet<&ModelPlace> = old.places.keys().chain(new.places.keys()).collect();
    let tests = (places.len() + old.statuses.len().max(new.statuses.len())) as u64;
    let mut comparison = OperationComparison { old, new, is_observed, tests, changes };
    comparison.compare_statuses();
    comparison.compare_media_types();
    comparison.compare_security();
    if new.is_deprecated && !old.is_deprecated && is_observed == (false, false) {
        comparison.push(DiffRule::EndpointDeprecated, String::new(), String::new(), None, None);
    }
    for place in places {
        comparison.compare_at(place);
    }
}

impl OperationComparison<'_> {
    fn push(
        &mut self,
        rule: DiffRule,
        place: String,
        detail: String,
        chance: Option<(bool, TrialCounts)>,
        confidence: Option<f64>,
    ) {
        let mut told = ApiChange::new(rule, self.new);
        told.place = place;
        told.detail = detail;
        told.confidence = confidence;
        if let Some((is_observed, chance)) = chance {
            told.set(is_observed, chance, confidence);
        }
        told.sources = (self.old.place.clone(), self.new.place.clone());
        self.changes.push(told);
    }

    /// Tells what is in one table and not in the other.
    fn compare_tables(
        &mut self,
        (old, new): (&BTreeMap<String, u64>, &BTreeMap<String, u64>),
        place: &dyn Fn(&str) -> String,
        rules: &dyn Fn(&str) -> (DiffRule, DiffRule),
    ) {
        let (old_all, new_all) = (old.values().sum::<u64>(), new.values().sum::<u64>());
        for (name, count) in old.iter().filter(|(name, _)| !new.contains_key(*name)) {
            let chance = TrialCounts { shown: *count, of: old_all, other: new_all };
            let sure = confidence(self.is_observed.0, self.is_observed.1, chance, self.tests);
            let told = Some((self.is_observed.0, chance));
            self.push(rules(name).0, place(name), String::new(), told, sure);
        }
        for (name, count) in new.iter().filter(|(name, _)| !old.contains_key(*name)) {
            let chance = TrialCounts { shown: *count, of: new_all, other: old_all };
            let sure = confidence(self.is_observed.1, self.is_observed.0, chance, self.tests);
            let told = Some((self.is_observed.1, chance));
            self.push(rules(name).1, place(name), String::new(), told, sure);
        }
    }

    fn compare_statuses(&mut self) {
        let (old, new) = (self.old, self.new);
        let rules = |status: &str| {
            let is_success = status.starts_with(['2', '3']) || status == "default";
            let gone = if is_success {
                DiffRule::ResponseStatusRemoved
            } else {
                DiffRule::ErrorStatusRemoved
            };
            (gone, DiffRule::ResponseStatusAdded)
        };
        self.compare_tables(
            (&old.statuses, &new.statuses),
            &|status| format!("response {status}"),
            &rules,
        );
    }

    fn compare_media_types(&mut self) {
        let (old, new) = (self.old, self.new);
        for (part, types) in &old.media_types {
            let Some(others) = new.media_types.get(part) else { continue };
            // A range of types takes every type.
            if types.contains_key("*/*") || others.contains_key("*/*") {
                continue;
            }
            let rules = |_: &str| match part {
                MessagePart::Request => (DiffRule::RequestTypeRemoved, DiffRule::RequestTypeAdded),
                _ => (DiffRule::ResponseTypeRemoved, DiffRule::ResponseTypeAdded),
            };
            let place = |name: &str| format!("{} {name}", part.text());
            self.compare_tables((types, others), &place, &rules);
        }
    }

    fn compare_security(&mut self) {
        let (old, new) = (&self.old.security, &self.new.security);
        // The words of a description and of traffic for one credential differ.
        if self.is_observed.0 != self.is_observed.1 || old.is_empty() || new.is_empty() {
            return;
        }
        let is_free = |of: &BTreeMap<String, u64>| of.contains_key("");
        let rule = match (is_free(old), is_free(new)) {
            (true, false) => DiffRule::SecurityAdded,
            (false, true) => DiffRule::SecurityRemoved,
            _ if old.keys().eq(new.keys()) => return,
            // One more alternative, or one less that both sides have another for.
            _ if old.keys().any(|name| new.contains_key(name)) => return,
            _ if old.keys().all(|had| new.keys().all(|needs| needs_more(had, needs))) => {
                DiffRule::SecurityAdded
            }
            _ => DiffRule::SecurityChanged,
        };
        let (old_all, new_all) = (old.values().sum(), new.values().sum());
        let chance = match rule {
            DiffRule::SecurityAdded => TrialCounts {
                shown: old.get("").copied().unwrap_or(old_all),
                of: old_all,
                other: new_all,
            },
            DiffRule::SecurityRemoved => {
                TrialCounts { shown: new[""], of: new_all, other: old_all }
            }
            _ => TrialCounts { shown: old_all, of: old_all, other: new_all },
        };
        let sure = confidence(self.is_observed.0, self.is_observed.1, chance, self.tests);
        let names = |of: &BTreeMap<String, u64>| {
            let each = of.keys().map(|name| if name.is_empty() { "none" } else { name });
            each.collect::<Vec<_>>().join(", or ")
        };
        let detail = format!("before {}; now {}", names(old), names(new));
        self.push(rule, "security".to_owned(), detail, Some((self.is_observed.0, chance)), sure);
    }
}

/// True if an alternative needs all credentials of another one and further ones.
fn needs_more(had: &str, needs: &str) -> bool {
    let parts = |text: &str| text.split(" and ").map(str::to_owned).collect::<BTreeSet<_>>();
    let (had, needs) = (parts(had), parts(needs));
    had.len() < needs.len() && had.is_subset(&needs)
}
