//! Finding the place at a path: `200.items[].id`.

use crate::schema::EndpointSchemas;
use crate::schema::graph::{ObjectEvidence, PlaceEvidence, PlaceGraph, PlaceId};
use crate::shape::messages::{ACCEPTED, Direction, MessageKey};
use crate::template::property_rules::steps_of;

/// A place that a path leads to.
pub(crate) struct SelectedPlace<'g> {
    pub(crate) place: PlaceId,
    /// Whether its values are text: it is in a form or a query.
    pub(crate) is_text: bool,
    /// The object that it is a field of, with its name.
    pub(crate) parent: Option<(&'g ObjectEvidence, String)>,
}

/// The place at a path. The first part is `query`, `request` or a status; `[]` stands for the items of a list, and `*` for
/// the values of a map.
pub(super) fn place<'g>(
    graph: &'g PlaceGraph,
    endpoint: &EndpointSchemas,
    path: &str,
) -> Option<SelectedPlace<'g>> {
    let steps = steps_of(path);
    let mut parts = steps.iter().map(String::as_str);
    let first = parts.next()?;
    let (mut place, is_text) = if first == "query" {
        (endpoint.query, true)
    } else {
        let status: Option<u16> = first.parse().ok();
        let is_it = |key: &MessageKey| match key.direction {
            Direction::Request => first == "request" && key.status == ACCEPTED,
            Direction::Response => status == Some(key.status),
        };
        let mut found = endpoint.bodies.iter().filter(|(_, bodies, _)| bodies.observed > 0);
        let (_, bodies, place) = found.find(|(key, _, _)| is_it(key))?;
        (*place, bodies.json == 0)
    };
    let mut parent = None;
    for part in parts {
        let found: &PlaceEvidence = graph.place(place);
        parent = None;
        place = match part {
            "[]" => found.item?,
            "*" => graph.object(found.object?).rest?,
            key => {
                let object = graph.object(found.object?);
                parent = Some((object, key.to_owned()));
                object.key(key.as_bytes())?.1
            }
        };
    }
    Some(SelectedPlace { place, is_text, parent })
}
