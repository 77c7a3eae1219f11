//! Compares the places of one endpoint: parameters, properties and items.

use crate::diff::compare::{OperationComparison, TrialCounts, confidence};
use crate::diff::model::{MessagePart, ModelPlace, OperationModel, PlaceModel, Presence};
use crate::diff::probability::scale_to_messages;
use crate::diff::rule::DiffRule;
use crate::flow::text;

/// Minimum number of objects on each side for a place to count as always present.
const MIN_ALWAYS: u64 = 5;

impl OperationComparison<'_> {
    pub(super) fn compare_at(&mut self, place: &ModelPlace) {
        let (old, new) = (self.old.places.get(place), self.new.places.get(place));
        let has_part = |of: &OperationModel| {
            place.part.is_parameter()
                || of.places.contains_key(&ModelPlace { path: String::new(), ..place.clone() })
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
            let above = ModelPlace { path: parent, ..place.clone() };
            if !self.old.places.contains_key(&above) || !self.new.places.contains_key(&above) {
                return;
            }
        }
        match (old, new) {
            (Some(old), None) => self.report_removed(place, old),
            (None, Some(new)) => self.report_added(place, new),
            (Some(old), Some(new)) => self.compare_place(place, old, new),
            (None, None) => {}
        }
    }

    pub(super) fn text_of(place: &ModelPlace) -> String {
        let separator = if place.path.is_empty() { "" } else { " " };
        format!("{}{separator}{}", place.part.text(), place.path)
    }

    /// Times that a place could have been there on a side that does not have it: how often its parent was.
    pub(super) fn trials(place: &ModelPlace, known: &PlaceModel, side: &OperationModel) -> u64 {
        let Some(parent) = &known.parent else {
            return if place.part.is_parameter() { side.requests } else { 0 };
        };
        let above = ModelPlace { path: parent.clone(), ..place.clone() };
        let Some(parent) = side.places.get(&above) else { return 0 };
        let wanted = if place.path.ends_with("[]") { "array" } else { "object" };
        let objects = parent.kind_counts.get(wanted).copied().unwrap_or(0);
        match parent.presence {
            Presence::Seen { messages, .. } => objects.min(messages),
            Presence::Described { .. } => 0,
        }
    }

    pub(super) fn push_place_change(
        &mut self,
        rule: DiffRule,
        place: &ModelPlace,
        detail: String,
        chance: Option<(bool, TrialCounts)>,
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

    pub(super) fn report_removed(&mut self, place: &ModelPlace, old: &PlaceModel) {
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
        self.push_place_change(rule, place, String::new(), told, sure, (Some(old), None));
    }

    pub(super) fn report_added(&mut self, place: &ModelPlace, new: &PlaceModel) {
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
        self.push_place_change(rule, place, String::new(), told, sure, (None, Some(new)));
    }

    /// The number of times that a place was there on its side, and that it could have been on the other.
    pub(super) fn chance_of(
        place: &ModelPlace,
        known: &PlaceModel,
        other: &OperationModel,
    ) -> TrialCounts {
        let (shown, of) = match known.presence {
            Presence::Seen { present, of, messages } => scale_to_messages(present, of, messages),
            Presence::Described { .. } => (0, 0),
        };
        TrialCounts { shown, of, other: Self::trials(place, known, other) }
    }

    pub(super) fn compare_place(&mut self, place: &ModelPlace, old: &PlaceModel, new: &PlaceModel) {
        self.compare_presence(place, old, new);
        self.compare_place_kinds(place, old, new);
        self.compare_enum_values(place, old, new);
        self.compare_formats(place, old, new);
        self.compare_limits(place, old, new);
    }

    pub(super) fn compare_presence(
        &mut self,
        place: &ModelPlace,
        old: &PlaceModel,
        new: &PlaceModel,
    ) {
        let is_whole = place.path.is_empty();
        if place.path.ends_with("[]") || is_whole && place.part != MessagePart::Request {
            return;
        }
        let (required, optional) = match &place.part {
            MessagePart::Request if is_whole => {
                (DiffRule::RequestBodyBecameRequired, DiffRule::RequestBodyBecameOptional)
            }
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
                self.push_place_change(
                    rule,
                    place,
                    String::new(),
                    None,
                    None,
                    (Some(old), Some(new)),
                );
            }
            // That clients always send something does not say that they must.
            (
                Presence::Seen { present, of, messages },
                Presence::Seen { present: p, of: o, messages: m },
            ) if is_response && present == of && p < o && of >= MIN_ALWAYS && o >= MIN_ALWAYS => {
                let (missing, of_new) = scale_to_messages(o - p, o, m);
                let (_, of_old) = scale_to_messages(present, of, messages);
                let chance = TrialCounts { shown: missing, of: of_new, other: of_old };
                let sure = confidence(true, true, chance, self.tests);
                let detail = format!("missing in {} of {o}", o - p);
                self.push_place_change(
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
                let chance = TrialCounts { shown: of - present, of, other: 0 };
                let detail = format!("missing in {} of {of}", of - present);
                self.push_place_change(
                    optional,
                    place,
                    detail,
                    Some((true, chance)),
                    None,
                    (Some(old), None),
                );
            }
            _ => {}
        }
    }

    pub(super) fn compare_place_kinds(
        &mut self,
        place: &ModelPlace,
        old: &PlaceModel,
        new: &PlaceModel,
    ) {
        // Traffic whose values may be of any kind, as text in a query, says nothing of kinds.
        let is_unknown =
            |of: &PlaceModel, is_observed: bool| is_observed && of.kind_counts.is_empty();
        if is_unknown(old, self.is_observed.0) || is_unknown(new, self.is_observed.1) {
            return;
        }
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
            self.push_kind_change(
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
            self.push_kind_change(
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
    pub(super) fn push_kind_change(
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
        let (shown, of) = scale_to_messages(shown, all(has), messages(has));
        let other = all(lacks).min(messages(lacks));
        let chance = TrialCounts { shown, of, other };
        let sure = confidence(has_observed, lacks_observed, chance, self.tests);
        let told = Some((has_observed, chance));
        let sources = if is_old { (Some(has), Some(lacks)) } else { (Some(lacks), Some(has)) };
        self.push_place_change(rule, place, name.to_owned(), told, sure, sources);
    }

    pub(super) fn compare_enum_values(
        &mut self,
        place: &ModelPlace,
        old: &PlaceModel,
        new: &PlaceModel,
    ) {
        let (Some(before), Some(after)) = (&old.values, &new.values) else { return };
        let is_response = matches!(place.part, MessagePart::Response(_));
        let quoted = |value: &String| text::shortened(value.as_bytes(), 60).into_owned();
        for value in after.difference(before) {
            let rule = if is_response {
                DiffRule::ResponseValueAdded
            } else {
                DiffRule::RequestValueAdded
            };
            self.push_place_change(rule, place, quoted(value), None, None, (Some(old), Some(new)));
        }
        for value in before.difference(after) {
            let rule = if is_response {
                DiffRule::ResponseValueRemoved
            } else {
                DiffRule::RequestValueRemoved
            };
            self.push_place_change(rule, place, quoted(value), None, None, (Some(old), Some(new)));
        }
    }

    pub(super) fn compare_formats(
        &mut self,
        place: &ModelPlace,
        old: &PlaceModel,
        new: &PlaceModel,
    ) {
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
            scale_to_messages(strings(new).saturating_sub(kept), strings(new), messages(new));
        let chance = TrialCounts { shown, of, other: strings(old).min(messages(old)) };
        let sure = match self.is_observed {
            (true, true) => confidence(true, true, chance, self.tests),
            (false, false) => None,
            // A description need not state a format, and a few texts may have one by chance.
            _ => Some(0.0),
        };
        self.push_place_change(
            DiffRule::FormatChanged,
            place,
            detail,
            None,
            sure,
            (Some(old), Some(new)),
        );
    }
}
