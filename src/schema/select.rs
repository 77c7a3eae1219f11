//! Finding the shape at a path: `200.items[].id`.

use crate::shape::Shape;
use crate::shape::fields::Fields;
use crate::shape::messages::{ACCEPTED, Direction, EndpointMessages};

/// The shape at a path, with the object and the name that it is a field of. The first part is `query`, `request` or a status;
/// `[]` stands for the items of a list.
pub(super) fn place<'m>(
    messages: &'m EndpointMessages,
    path: &str,
) -> Option<(&'m Shape, Option<(&'m Fields, String)>)> {
    let mut parts = path
        .replace("[]", ".[]")
        .split('.')
        .filter(|part| !part.is_empty())
        .map(str::to_owned)
        .collect::<Vec<_>>()
        .into_iter();
    let first = parts.next()?;
    let mut shape = match &*first {
        "query" => &messages.query,
        "request" => {
            let bodies = messages.bodies();
            let (_, bodies) = bodies.into_iter().find(|(key, bodies)| {
                key.direction == Direction::Request && key.status == ACCEPTED && bodies.observed > 0
            })?;
            &bodies.shape
        }
        status => {
            let status: u16 = status.parse().ok()?;
            let bodies = messages.bodies();
            let (_, bodies) = bodies.into_iter().find(|(key, bodies)| {
                key.direction == Direction::Response && key.status == status && bodies.observed > 0
            })?;
            &bodies.shape
        }
    };
    let mut parent = None;
    for part in parts {
        if part == "[]" {
            shape = &shape.items.as_ref()?.item;
            parent = None;
        } else {
            let fields: &Fields = shape.fields.as_ref()?;
            let (_, _, field) = fields.iter().find(|(_, key, _)| *key == part.as_bytes())?;
            shape = &field.shape;
            parent = Some((fields, part));
        }
    }
    Some((shape, parent))
}
