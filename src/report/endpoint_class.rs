//! The class of an endpoint: a call of an API, a page, or an asset of a page.

use serde::{Deserialize, Serialize};

use crate::flow::media_type::MediaKind;
use crate::flow::noise::has_static_ending;
use crate::flow::request_context::Destination;
use crate::patterns::aggregate::CountedName;
use crate::patterns::endpoint::EndpointSection;

/// The class of an endpoint: a call of an API, a page or an asset. Serialised in lower case.
///
/// The media types of the answers decide, then the method, and where these leave it open the headers by which browsers say what
/// a request is for (Fetch Metadata, `Accept`, `X-Requested-With`), the ending of the path, and at last the other endpoints of
/// the host.
///
/// ```
/// use api_patterns::{EndpointClass, Flow, Patterns, Response};
///
/// let mut flow = Flow::new("GET", "https://shop.example/cart").unwrap();
/// flow.response = Some(Response { status: 200, content_type: Some(b"text/html"), ..Response::default() });
/// let mut patterns = Patterns::new();
/// patterns.observe(&flow);
/// assert_eq!(patterns.report().patterns[0].class, EndpointClass::Page);
/// ```
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum EndpointClass {
    /// A call of an API: JSON, XML, remote procedures, websockets, methods other than GET, and what scripts fetch.
    #[default]
    Api,
    /// A page that people look at.
    Page,
    /// A stylesheet, script, image, font, video or sound.
    Asset,
    /// Another one: preflights, tunnels, redirects and empty answers of hosts that have no calls of an API.
    Other,
}

impl EndpointClass {
    /// The name in reports: `api`, `page`, `asset` or `other`.
    ///
    /// ```
    /// assert_eq!(api_patterns::EndpointClass::Api.name(), "api");
    /// ```
    pub fn name(self) -> &'static str {
        match self {
            Self::Api => "api",
            Self::Page => "page",
            Self::Asset => "asset",
            Self::Other => "other",
        }
    }
}

/// The class by what is known of the endpoint alone; `None` if that leaves it open.
pub(crate) fn class_of(
    (method, has_operation, path): (&str, bool, &str),
    seen: &EndpointSection,
) -> Option<EndpointClass> {
    if has_operation || seen.counts.websockets * 2 > seen.counts.requests {
        return Some(EndpointClass::Api);
    }
    if matches!(method, "OPTIONS" | "CONNECT" | "TRACE") {
        return Some(EndpointClass::Other);
    }
    let contexts = &seen.request_contexts;
    let media_kind = most_frequent_kind(&seen.media_types);
    // What an error says about itself is often a page, whatever was asked for.
    let has_answered = seen.status_codes.keys().any(|code| code.starts_with('2'));
    match media_kind {
        Some(MediaKind::Data) => return Some(EndpointClass::Api),
        Some(MediaKind::Asset) if matches!(method, "GET" | "HEAD") => {
            return Some(EndpointClass::Asset);
        }
        _ if !matches!(method, "GET" | "HEAD") => return Some(EndpointClass::Api),
        _ => {}
    }
    let pages: u64 = [Destination::Document, Destination::Navigation, Destination::Frame]
        .into_iter()
        .map(|destination| contexts.requests_for(destination))
        .sum();
    let scripts = contexts.requests_for(Destination::Script);
    let most = pages.max(scripts).max(contexts.requests_for(Destination::Asset));
    if most > 0 {
        return Some(if scripts == most {
            EndpointClass::Api
        } else if pages == most {
            EndpointClass::Page
        } else {
            EndpointClass::Asset
        });
    }
    if has_static_ending(path.as_bytes()) {
        return Some(EndpointClass::Asset);
    }
    (has_answered && media_kind == Some(MediaKind::Page)).then_some(EndpointClass::Page)
}

/// The use of most answers by their media types; `None` if no type is known.
fn most_frequent_kind(media_types: &[CountedName]) -> Option<MediaKind> {
    // Data comes first where two are equally frequent.
    let order = [MediaKind::Data, MediaKind::Page, MediaKind::Asset, MediaKind::Other];
    let count = |kind: MediaKind| -> u64 {
        let of_kind = media_types
            .iter()
            .filter(|seen| MediaKind::of(&String::from_utf8_lossy(&seen.name)) == kind);
        of_kind.map(|seen| seen.count).sum()
    };
    let counts = order.map(|kind| (kind, count(kind)));
    let most = counts.iter().map(|(_, count)| *count).max().filter(|most| *most > 0)?;
    counts.into_iter().find(|(_, count)| *count == most).map(|(kind, _)| kind)
}

/// The class of the endpoints of one host whose own class is open, by what most requests to the others are for; `None` if all are
/// open. `known` are the classes of the others, with their requests.
pub(crate) fn class_beside(known: &[(EndpointClass, u64)]) -> Option<EndpointClass> {
    let requests = |class: EndpointClass| -> u64 {
        known.iter().filter(|(other, _)| *other == class).map(|(_, requests)| requests).sum()
    };
    let calls = requests(EndpointClass::Api);
    let (pages, assets) = (requests(EndpointClass::Page), requests(EndpointClass::Asset));
    let is_api = calls >= pages.max(assets);
    let class = if is_api { EndpointClass::Api } else { EndpointClass::Other };
    (calls + pages + assets > 0).then_some(class)
}
