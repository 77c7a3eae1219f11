//! The model of one side of a comparison, for observed and for described APIs.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};

use crate::description::cursor::DescriptionPlace;
use crate::description::schema::KindSet;

/// One side of a comparison.
#[derive(Debug, Default)]
pub(super) struct ApiModel {
    pub(super) is_observed: bool,
    /// By a key that both sides give to one endpoint.
    pub(super) operations: BTreeMap<String, OperationModel>,
    /// Requests of each host, of an observed side.
    pub(super) requests: BTreeMap<String, u64>,
    /// The URLs of the servers as they are written, of a described side, by what they lead to.
    pub(super) servers: BTreeMap<String, String>,
    /// Endpoints of hosts that the description on the other side does not have, by host.
    pub(super) foreign: BTreeMap<String, u64>,
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

impl OperationModel {
    /// Adds a place, or merges it with the one that is there.
    pub(super) fn add_place(&mut self, place: ModelPlace, new: PlaceModel) {
        match self.places.entry(place) {
            Entry::Vacant(free) => drop(free.insert(new)),
            Entry::Occupied(mut known) => known.get_mut().merge(new),
        }
    }
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
    /// Of a body; empty for parameters.
    pub(super) media_type: String,
    pub(super) path: String,
}

impl ModelPlace {
    /// The place of a member of an object here.
    pub(super) fn member(&self, name: &str) -> Self {
        let separator = if self.path.is_empty() { "" } else { "." };
        Self { path: format!("{}{separator}{name}", self.path), ..self.clone() }
    }

    /// The place of the items of a list here.
    pub(super) fn items(&self) -> Self {
        Self { path: format!("{}[]", self.path), ..self.clone() }
    }
}

/// The values at one place of an endpoint: how often they are there, and their kinds and formats.
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
    /// Limits of the values, of a described place, by keyword.
    pub(super) limits: BTreeMap<&'static str, ValueLimit>,
    /// The format of all texts.
    pub(super) format: Option<String>,
    /// Texts with each format, of an observed place.
    pub(super) format_counts: BTreeMap<&'static str, u64>,
    pub(super) source: Option<DescriptionPlace>,
}

/// A limit of values that a description states.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum ValueLimit {
    AtLeast(f64),
    AtMost(f64),
    /// A pattern.
    Pattern(String),
    /// No other properties than those that are named.
    Closed,
}

impl ValueLimit {
    pub(super) fn text(&self) -> String {
        match self {
            Self::AtLeast(bound) | Self::AtMost(bound) => bound.to_string(),
            Self::Pattern(pattern) => pattern.clone(),
            Self::Closed => "false".to_owned(),
        }
    }
}

/// The presence of a part of messages.
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
