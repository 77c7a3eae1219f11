//! Compares two models.

use std::collections::{BTreeMap, BTreeSet};

use crate::description::cursor::DescriptionPlace;
use crate::diff::model::{ApiModel, MessagePart, ModelPlace, OperationModel, PlaceModel, Presence};
use crate::diff::probability::{in_messages, of_none};
use crate::diff::rule::DiffRule;

/// Objects on both sides before it counts that something is always there.
const MIN_ALWAYS: u64 = 5;

/// A change, or what may be one.
#[derive(Clone, Debug)]
pub(super) struct Change {
    pub(super) rule: DiffRule,
    pub(super) host: String,
    pub(super) operation: String,
    pub(super) place: String,
    /// More about it, in words.
    pub(super) detail: String,
    pub(super) count: Option<u64>,
    pub(super) of: Option<u64>,
    /// Probability that it is no chance; `None` if it is certain.
    pub(super) confidence: Option<f64>,
    /// Where it stands in the description before, and after.
    pub(super) sources: (Option<DescriptionPlace>, Option<DescriptionPlace>),
}

/// How often something came on one side and did not on the other.
#[derive(Clone, Copy, Debug)]
struct Chance {
    shown: u64,
    of: u64,
    /// Trials on the side where it did not come.
    other: u64,
}

/// All changes. Those that are certain have no confidence; those of which nothing is known have 0.
pub(super) fn compare(before: &ApiModel, after: &ApiModel) -> Vec<Change> {
    let mut changes = Vec::new();
    let keys: BTreeSet<&String> = before.operations.keys().chain(after.operations.keys()).collect();
    let tests = keys.len() as u64;
    for key in keys {
        match (before.operations.get(key), after.operations.get(key)) {
            (Some(old), Some(new)) => {
                compare_operations(old, new, (before.is_observed, after.is_observed), &mut changes);
            }
            (Some(old), None) => {
                let chance = Chance {
                    shown: old.requests,
                    of: requests_of(before, &old.host),
                    other: requests_of(after, &old.host),
                };
                let confidence = confidence(before.is_observed, after.is_observed, chance, tests);
                let mut removed = Change::new(DiffRule::EndpointRemoved, old);
                removed.set(before.is_observed, chance, confidence);
                removed.sources.0.clone_from(&old.place);
                changes.push(removed);
            }
            (None, Some(new)) => {
                let chance = Chance {
                    shown: new.requests,
                    of: requests_of(after, &new.host),
                    other: requests_of(before, &new.host),
                };
                let confidence = confidence(after.is_observed, before.is_observed, chance, tests);
                let mut added = Change::new(DiffRule::EndpointAdded, new);
                added.set(after.is_observed, chance, confidence);
                added.sources.1.clone_from(&new.place);
                changes.push(added);
            }
            (None, None) => {}
        }
    }
    changes
}

fn requests_of(model: &ApiModel, host: &str) -> u64 {
    // A description names no host of an endpoint: all traffic could have come to it.
    if host.is_empty() {
        return model.requests.values().sum();
    }
    model.requests.get(host).copied().unwrap_or(0)
}

/// The confidence that something is missing on a side, where so many things were tested at once. `None` if it is certain.
fn confidence(
    shown_is_observed: bool,
    other_is_observed: bool,
    chance: Chance,
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
            Some((1.0 - of_none(chance.shown, chance.of, chance.other) * tests).max(0.0))
        }
    }
}

impl Change {
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

    fn set(&mut self, is_observed: bool, chance: Chance, confidence: Option<f64>) {
        self.confidence = confidence;
        if is_observed {
            self.count = Some(chance.shown);
            self.of = Some(chance.of.max(chance.shown));
        }
    }
}

/// Compares one endpoint with itself.
struct OperationComparison<'a> {
    old: &'a OperationModel,
    new: &'a OperationModel,
    is_observed: (bool, bool),
    /// Things that are tested at once.
    tests: u64,
    changes: &'a mut Vec<Change>,
}

fn compare_operations(
    old: &OperationModel,
    new: &OperationModel,
    is_observed: (bool, bool),
    changes: &mut Vec<Change>,
) {
    // Ranges of statuses are those of the description.
    let old_own;
    let new_own;
    let (mut old, mut new) = (old, new);
    if is_observed == (true, false) {
        old_own = with_statuses_of(old, new);
        old = &old_own;
    } else if is_observed == (false, true) {
        new_own = with_statuses_of(new, old);
        new = &new_own;
    }
    let places: BTreeSet<&ModelPlace> = old.places.keys().chain(new.places.keys()).collect();
    let tests = (places.len() + old.statuses.len().max(new.statuses.len())) as u64;
    let mut comparison = OperationComparison { old, new, is_observed, tests, changes };
    comparison.statuses();
    comparison.media_types();
    comparison.security();
    if new.is_deprecated && !old.is_deprecated && is_observed == (false, false) {
        comparison.push(DiffRule::EndpointDeprecated, String::new(), String::new(), None, None);
    }
    for place in places {
        comparison.place(place);
    }
}

/// A copy of an observed endpoint in which statuses are those that the description states them as.
fn with_statuses_of(observed: &OperationModel, stated: &OperationModel) -> OperationModel {
    let stated_as = |status: &str| {
        let class = format!("{}XX", &status[..status.len().min(1)]);
        [status, &class, "default"]
            .into_iter()
            .find(|known| stated.statuses.contains_key(*known))
            .unwrap_or(status)
            .to_owned()
    };
    let part = |part: &MessagePart| match part {
        MessagePart::Response(status) => MessagePart::Response(stated_as(status)),
        other => other.clone(),
    };
    let mut copy = OperationModel {
        name: observed.name.clone(),
        host: observed.host.clone(),
        requests: observed.requests,
        security: observed.security.clone(),
        ..OperationModel::default()
    };
    for (status, count) in &observed.statuses {
        *copy.statuses.entry(stated_as(status)).or_default() += count;
    }
    for (of, types) in &observed.media_types {
        let into = copy.media_types.entry(part(of)).or_default();
        for (media_type, count) in types {
            *into.entry(media_type.clone()).or_default() += count;
        }
    }
    for (place, known) in &observed.places {
        let place = ModelPlace { part: part(&place.part), path: place.path.clone() };
        match copy.places.get_mut(&place) {
            Some(own) => own.merge(known.clone()),
            None => drop(copy.places.insert(place, known.clone())),
        }
    }
    copy
}

impl OperationComparison<'_> {
    fn push(
        &mut self,
        rule: DiffRule,
        place: String,
        detail: String,
        chance: Option<(bool, Chance)>,
        confidence: Option<f64>,
    ) {
        let mut told = Change::new(rule, self.new);
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
    fn tables(
        &mut self,
        (old, new): (&BTreeMap<String, u64>, &BTreeMap<String, u64>),
        place: &dyn Fn(&str) -> String,
        rules: &dyn Fn(&str) -> (DiffRule, DiffRule),
    ) {
        let (old_all, new_all) = (old.values().sum::<u64>(), new.values().sum::<u64>());
        for (name, count) in old.iter().filter(|(name, _)| !new.contains_key(*name)) {
            let chance = Chance { shown: *count, of: old_all, other: new_all };
            let sure = confidence(self.is_observed.0, self.is_observed.1, chance, self.tests);
            let told = Some((self.is_observed.0, chance));
            self.push(rules(name).0, place(name), String::new(), told, sure);
        }
        for (name, count) in new.iter().filter(|(name, _)| !old.contains_key(*name)) {
            let chance = Chance { shown: *count, of: new_all, other: old_all };
            let sure = confidence(self.is_observed.1, self.is_observed.0, chance, self.tests);
            let told = Some((self.is_observed.1, chance));
            self.push(rules(name).1, place(name), String::new(), told, sure);
        }
    }

    fn statuses(&mut self) {
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
        self.tables((&old.statuses, &new.statuses), &|status| format!("response {status}"), &rules);
    }

    fn media_types(&mut self) {
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
            self.tables((types, others), &place, &rules);
        }
    }

    fn security(&mut self) {
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
            _ => DiffRule::SecurityChanged,
        };
        let (old_all, new_all) = (old.values().sum(), new.values().sum());
        let chance = match rule {
            DiffRule::SecurityAdded => Chance { shown: old[""], of: old_all, other: new_all },
            DiffRule::SecurityRemoved => Chance { shown: new[""], of: new_all, other: old_all },
            _ => Chance { shown: old_all, of: old_all, other: new_all },
        };
        let sure = confidence(self.is_observed.0, self.is_observed.1, chance, self.tests);
        let names = |of: &BTreeMap<String, u64>| {
            let each = of.keys().map(|name| if name.is_empty() { "none" } else { name });
            each.collect::<Vec<_>>().join(", or ")
        };
        let detail = format!("before {}; now {}", names(old), names(new));
        self.push(rule, "security".to_owned(), detail, Some((self.is_observed.0, chance)), sure);
    }

    fn place(&mut self, place: &ModelPlace) {
        let (old, new) = (self.old.places.get(place), self.new.places.get(place));
        let has_part = |of: &OperationModel| {
            place.part.is_parameter()
                || of
                    .places
                    .contains_key(&ModelPlace { part: place.part.clone(), path: String::new() })
        };
        // A body that is missing as a whole is a matter of statuses and media types, and a place below one that is missing is
        // gone with it.
        if !has_part(self.old)
            || !has_part(self.new)
            || place.path.is_empty() && (old.is_none() || new.is_none())
        {
            return;
        }
        let parent = old.or(new).and_then(|known| known.parent.clone());
        if let Some(parent) = parent {
            let above = ModelPlace { part: place.part.clone(), path: parent };
            if !self.old.places.contains_key(&above) || !self.new.places.contains_key(&above) {
                return;
            }
        }
        match (old, new) {
            (Some(old), None) => self.gone(place, old),
            (None, Some(new)) => self.added(place, new),
            (Some(old), Some(new)) => self.changed(place, old, new),
            (None, None) => {}
        }
    }

    fn text_of(place: &ModelPlace) -> String {
        let separator = if place.path.is_empty() { "" } else { " " };
        format!("{}{separator}{}", place.part.text(), place.path)
    }

    /// Times that a place could have been there on a side that does not have it: how often its parent was.
    fn trials(place: &ModelPlace, known: &PlaceModel, side: &OperationModel) -> u64 {
        let Some(parent) = &known.parent else {
            return if place.part.is_parameter() { side.requests } else { 0 };
        };
        let above = ModelPlace { part: place.part.clone(), path: parent.clone() };
        let Some(parent) = side.places.get(&above) else { return 0 };
        let wanted = if place.path.ends_with("[]") { "array" } else { "object" };
        let objects = parent.kind_counts.get(wanted).copied().unwrap_or(0);
        match parent.presence {
            Presence::Seen { messages, .. } => objects.min(messages),
            Presence::Described { .. } => 0,
        }
    }

    fn tell(
        &mut self,
        rule: DiffRule,
        place: &ModelPlace,
        detail: String,
        chance: Option<(bool, Chance)>,
        sure: Option<f64>,
        sources: (Option<&PlaceModel>, Option<&PlaceModel>),
    ) {
        self.push(rule, Self::text_of(place), detail, chance, sure);
        let of = |known: Option<&PlaceModel>| known.and_then(|known| known.source.clone());
        if let Some(change) = self.changes.last_mut() {
            let (before, after) = (of(sources.0), of(sources.1));
            change.sources =
                (before.or(change.sources.0.take()), after.or(change.sources.1.take()));
        }
    }

    fn gone(&mut self, place: &ModelPlace, old: &PlaceModel) {
        if place.path.ends_with("[]") {
            return;
        }
        let rule = match &place.part {
            MessagePart::Request => DiffRule::RequestPropertyRemoved,
            MessagePart::Response(_) => DiffRule::ResponsePropertyRemoved,
            _ => DiffRule::ParameterRemoved,
        };
        let chance = Self::chance_of(place, old, self.new);
        let mut sure = confidence(self.is_observed.0, self.is_observed.1, chance, self.tests);
        // What has to be in an answer and is in none is missing, however few there were.
        let is_required = old.presence == Presence::Described { is_required: true };
        if is_required && matches!(place.part, MessagePart::Response(_)) && chance.other > 0 {
            sure = None;
        }
        let told = Some((self.is_observed.0, chance));
        self.tell(rule, place, String::new(), told, sure, (Some(old), None));
    }

    fn added(&mut self, place: &ModelPlace, new: &PlaceModel) {
        if place.path.ends_with("[]") {
            return;
        }
        let is_required = new.presence == Presence::Described { is_required: true };
        let rule = match (&place.part, is_required) {
            (MessagePart::Request, false) => DiffRule::RequestPropertyAdded,
            (MessagePart::Request, true) => DiffRule::RequiredRequestPropertyAdded,
            (MessagePart::Response(_), _) => DiffRule::ResponsePropertyAdded,
            (_, false) => DiffRule::ParameterAdded,
            (_, true) => DiffRule::RequiredParameterAdded,
        };
        let chance = Self::chance_of(place, new, self.old);
        let sure = confidence(self.is_observed.1, self.is_observed.0, chance, self.tests);
        let told = Some((self.is_observed.1, chance));
        self.tell(rule, place, String::new(), told, sure, (None, Some(new)));
    }

    /// How often a place was there on its side, and how often it could have been on the other.
    fn chance_of(place: &ModelPlace, known: &PlaceModel, other: &OperationModel) -> Chance {
        let (shown, of) = match known.presence {
            Presence::Seen { present, of, messages } => in_messages(present, of, messages),
            Presence::Described { .. } => (0, 0),
        };
        Chance { shown, of, other: Self::trials(place, known, other) }
    }

    fn changed(&mut self, place: &ModelPlace, old: &PlaceModel, new: &PlaceModel) {
        self.presence(place, old, new);
        self.kinds(place, old, new);
        self.values(place, old, new);
        self.format(place, old, new);
    }

    fn presence(&mut self, place: &ModelPlace, old: &PlaceModel, new: &PlaceModel) {
        if place.path.is_empty() || place.path.ends_with("[]") {
            return;
        }
        let (required, optional) = match &place.part {
            MessagePart::Request => {
                (DiffRule::RequestPropertyBecameRequired, DiffRule::RequestPropertyBecameOptional)
            }
            MessagePart::Response(_) => {
                (DiffRule::ResponsePropertyBecameRequired, DiffRule::ResponsePropertyBecameOptional)
            }
            _ => (DiffRule::ParameterBecameRequired, DiffRule::ParameterBecameOptional),
        };
        let is_response = matches!(place.part, MessagePart::Response(_));
        match (old.presence, new.presence) {
            (Presence::Described { is_required: a }, Presence::Described { is_required: b })
                if a != b =>
            {
                let rule = if b { required } else { optional };
                self.tell(rule, place, String::new(), None, None, (Some(old), Some(new)));
            }
            // That clients always send something does not say that they must.
            (
                Presence::Seen { present, of, messages },
                Presence::Seen { present: p, of: o, messages: m },
            ) if is_response && present == of && p < o && of >= MIN_ALWAYS && o >= MIN_ALWAYS => {
                let (missing, of_new) = in_messages(o - p, o, m);
                let (_, of_old) = in_messages(present, of, messages);
                let chance = Chance { shown: missing, of: of_new, other: of_old };
                let sure = confidence(true, true, chance, self.tests);
                let detail = format!("missing in {} of {o}", o - p);
                self.tell(
                    optional,
                    place,
                    detail,
                    Some((true, chance)),
                    sure,
                    (Some(old), Some(new)),
                );
            }
            (Presence::Described { is_required: true }, Presence::Seen { present, of, .. })
                if is_response && present < of =>
            {
                let chance = Chance { shown: of - present, of, other: 0 };
                let detail = format!("missing in {} of {of}", of - present);
                self.tell(optional, place, detail, Some((true, chance)), None, (Some(old), None));
            }
            _ => {}
        }
    }

    fn kinds(&mut self, place: &ModelPlace, old: &PlaceModel, new: &PlaceModel) {
        let (old_names, new_names) = (old.kinds.names(), new.kinds.names());
        let is_response = matches!(place.part, MessagePart::Response(_));
        let is_in = |name: &&str, names: &[&str]| {
            names.contains(name) || (*name == "integer" && names.contains(&"number"))
        };
        for name in new_names.iter().filter(|name| !is_in(name, &old_names)) {
            let rule = match (*name, is_response) {
                ("null", true) => DiffRule::ResponseBecameNullable,
                (_, true) => DiffRule::ResponseKindWidened,
                (_, false) => DiffRule::RequestKindWidened,
            };
            self.kind(
                rule,
                place,
                name,
                (new, self.is_observed.1),
                (old, self.is_observed.0),
                false,
            );
        }
        for name in old_names.iter().filter(|name| !is_in(name, &new_names)) {
            let rule = if is_response {
                DiffRule::ResponseKindNarrowed
            } else {
                DiffRule::RequestKindNarrowed
            };
            self.kind(
                rule,
                place,
                name,
                (old, self.is_observed.0),
                (new, self.is_observed.1),
                true,
            );
        }
    }

    /// Tells that one side has a kind of values and the other has not.
    fn kind(
        &mut self,
        rule: DiffRule,
        place: &ModelPlace,
        name: &str,
        (has, has_observed): (&PlaceModel, bool),
        (lacks, lacks_observed): (&PlaceModel, bool),
        is_old: bool,
    ) {
        let all = |of: &PlaceModel| of.kind_counts.values().sum::<u64>();
        let messages = |of: &PlaceModel| match of.presence {
            Presence::Seen { messages, .. } => messages,
            Presence::Described { .. } => 0,
        };
        let shown = has.kind_counts.get(name).copied().unwrap_or(0);
        let (shown, of) = in_messages(shown, all(has), messages(has));
        let other = all(lacks).min(messages(lacks));
        let chance = Chance { shown, of, other };
        let sure = confidence(has_observed, lacks_observed, chance, self.tests);
        let told = Some((has_observed, chance));
        let sources = if is_old { (Some(has), Some(lacks)) } else { (Some(lacks), Some(has)) };
        self.tell(rule, place, name.to_owned(), told, sure, sources);
    }

    fn values(&mut self, place: &ModelPlace, old: &PlaceModel, new: &PlaceModel) {
        let (Some(before), Some(after)) = (&old.values, &new.values) else { return };
        let is_response = matches!(place.part, MessagePart::Response(_));
        let quoted =
            |value: &String| crate::flow::text::shortened(value.as_bytes(), 60).into_owned();
        for value in after.difference(before) {
            let rule = if is_response {
                DiffRule::ResponseValueAdded
            } else {
                DiffRule::RequestValueAdded
            };
            self.tell(rule, place, quoted(value), None, None, (Some(old), Some(new)));
        }
        for value in before.difference(after) {
            let rule = if is_response {
                DiffRule::ResponseValueRemoved
            } else {
                DiffRule::RequestValueRemoved
            };
            self.tell(rule, place, quoted(value), None, None, (Some(old), Some(new)));
        }
    }

    fn format(&mut self, place: &ModelPlace, old: &PlaceModel, new: &PlaceModel) {
        // Where nothing but null came, or another kind, there is no format to compare.
        let is_text = |of: &PlaceModel| of.kinds.names().contains(&"string");
        let Some(before) = &old.format else { return };
        if new.format.as_ref() == Some(before) || !is_text(old) || !is_text(new) {
            return;
        }
        let now = new.format.as_deref().unwrap_or("none");
        let detail = format!("before {before}, now {now}");
        let strings = |of: &PlaceModel| of.kind_counts.get("string").copied().unwrap_or(0);
        let messages = |of: &PlaceModel| match of.presence {
            Presence::Seen { messages, .. } => messages,
            Presence::Described { .. } => 0,
        };
        let kept = new.format_counts.get(&**before).copied().unwrap_or(0);
        let (shown, of) =
            in_messages(strings(new).saturating_sub(kept), strings(new), messages(new));
        let chance = Chance { shown, of, other: strings(old).min(messages(old)) };
        let sure = match self.is_observed {
            (true, true) => confidence(true, true, chance, self.tests),
            (false, false) => None,
            // A description need not state a format, and a few texts may have one by chance.
            _ => Some(0.0),
        };
        self.tell(DiffRule::FormatChanged, place, detail, None, sure, (Some(old), Some(new)));
    }
}
