//! What a comparison knows of an API, whether it was observed or is described.

use std::collections::{BTreeMap, BTreeSet};

use crate::description::cursor::DescriptionPlace;
use crate::description::schema::KindSet;
use crate::diff::{DiffOptions, DiffSide, observed, stated};
use crate::patterns::Patterns;

/// One side of a comparison.
#[derive(Debug, Default)]
pub(super) struct ApiModel {
    pub(super) is_observed: bool,
    /// By a key that both sides give to one endpoint.
    pub(super) operations: BTreeMap<String, OperationModel>,
    /// Requests of each host, of an observed side.
    pub(super) requests: BTreeMap<String, u64>,
}

/// One endpoint.
#[derive(Debug, Default)]
pub(super) struct OperationModel {
    /// Method and path.
    pub(super) name: String,
    pub(super) host: String,
    /// Requests that were observed; 0 of a described one.
    pub(super) requests: u64,
    pub(super) places: BTreeMap<ModelPlace, PlaceModel>,
    /// Messages by part and media type.
    pub(super) media_types: BTreeMap<MessagePart, BTreeMap<String, u64>>,
    /// Answers by status.
    pub(super) statuses: BTreeMap<String, u64>,
    /// Alternatives of credentials, each as text, with the accepted requests that had them; an empty text needs none.
    pub(super) security: BTreeMap<String, u64>,
    pub(super) is_deprecated: bool,
    pub(super) place: Option<DescriptionPlace>,
}

/// A part of an exchange.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum MessagePart {
    Query,
    Header,
    Cookie,
    Request,
    /// With its status.
    Response(String),
}

impl MessagePart {
    pub(super) fn text(&self) -> String {
        match self {
            Self::Query => "query".to_owned(),
            Self::Header => "header".to_owned(),
            Self::Cookie => "cookie".to_owned(),
            Self::Request => "request body".to_owned(),
            Self::Response(status) => format!("response {status}"),
        }
    }

    pub(super) fn is_parameter(&self) -> bool {
        matches!(self, Self::Query | Self::Header | Self::Cookie)
    }
}

/// A place of an exchange: a part, and keys such as `items[].name`; empty for a body as a whole.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct ModelPlace {
    pub(super) part: MessagePart,
    pub(super) path: String,
}

/// What is known of the values at a place.
#[derive(Clone, Debug)]
pub(super) struct PlaceModel {
    /// The place that has this one; `None` for a parameter or a body as a whole.
    pub(super) parent: Option<String>,
    pub(super) presence: Presence,
    pub(super) kinds: KindSet,
    /// Values of each kind, of an observed place.
    pub(super) kind_counts: BTreeMap<&'static str, u64>,
    /// The values that may come, if they are listed.
    pub(super) values: Option<BTreeSet<String>>,
    /// The format of all texts.
    pub(super) format: Option<String>,
    /// Texts with each format, of an observed place.
    pub(super) format_counts: BTreeMap<&'static str, u64>,
    pub(super) source: Option<DescriptionPlace>,
}

/// How often something is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Presence {
    Described {
        is_required: bool,
    },
    Seen {
        /// Times that it was there.
        present: u64,
        /// Times that it could have been.
        of: u64,
        /// Messages in which these were.
        messages: u64,
    },
}

/// The models of both sides, and sentences about what could not be compared.
pub(super) fn models(
    before: DiffSide<'_>,
    after: DiffSide<'_>,
    options: &DiffOptions,
) -> (ApiModel, ApiModel, Vec<String>) {
    let mut notes = Vec::new();
    for side in [before, after] {
        match side {
            DiffSide::Observed(patterns) if !patterns.has_bodies() => {
                notes.push(
                    "One state has no bodies: only endpoints are compared with it.".to_owned(),
                );
            }
            DiffSide::Described(api) => notes.extend_from_slice(api.notes()),
            DiffSide::Observed(_) => {}
        }
    }
    // Templates are decided once, from everything that was observed.
    let mut all = Patterns::with_bodies();
    for side in [before, after] {
        if let DiffSide::Observed(patterns) = side {
            all.merge(patterns.clone());
        }
    }
    let decision = all.decide(&options.report);
    let described = [before, after].into_iter().find_map(|side| match side {
        DiffSide::Described(api) => Some(api),
        DiffSide::Observed(_) => None,
    });
    let mut model = |side: DiffSide<'_>| match side {
        DiffSide::Observed(patterns) => {
            let (model, unassigned) = observed::model(patterns, &decision, described);
            if unassigned > 0 {
                notes.push(format!(
                    "{unassigned} requests are not compared, because their paths were not told apart in bounded memory."
                ));
            }
            model
        }
        DiffSide::Described(api) => stated::model(api),
    };
    let models = (model(before), model(after));
    (models.0, models.1, notes)
}
