//! Alignment of an observed API with a description: what was observed gets the places that the description has for it.
//!
//! A description has one place where traffic has many: the values of a map, the levels of a recursive schema, the members of
//! a parameter that is an object, the statuses and media types of a range.

use std::collections::BTreeMap;

use crate::description::ApiDescription;
use crate::description::operation::{
    ApiContent, ApiOperation, ApiParameter, ParameterPlace, ParameterStyle, stated_media_type,
};
use crate::description::schema::SchemaId;
use crate::description::security::SecurityScheme;
use crate::diff::model::{ApiModel, MessagePart, ModelPlace, OperationModel};
use crate::diff::stated::{SchemaBelow, SchemaWalk};

/// Gives what was observed the places of the description, and adds to the description's model those that it has and that its own
/// walk did not come to.
pub(super) fn align(api: &ApiDescription, stated: &mut ApiModel, observed: &mut ApiModel) {
    for operation in &api.operations {
        let key = operation.key();
        if let (Some(stated), Some(observed)) =
            (stated.operations.get_mut(&key), observed.operations.get_mut(&key))
        {
            *observed = with_stated_ranges(observed, stated);
            align_parameters(api, operation, observed);
            align_bodies(api, operation, stated, observed);
        }
    }
}

/// A copy of an observed endpoint whose statuses and media types are replaced by the stated ranges that contain them.
fn with_stated_ranges(observed: &OperationModel, stated: &OperationModel) -> OperationModel {
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
    let media_type = |part: &MessagePart, media_type: &str| {
        let Some(known) = stated.media_types.get(part) else { return media_type.to_owned() };
        let named = stated_media_type(known.keys().map(String::as_str), media_type);
        named.unwrap_or(media_type).to_owned()
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
        let of = part(of);
        for (name, count) in types {
            let name = media_type(&of, name);
            *copy.media_types.entry(of.clone()).or_default().entry(name).or_default() += count;
        }
    }
    for (place, known) in &observed.places {
        let part = part(&place.part);
        let media_type = media_type(&part, &place.media_type);
        copy.add_place(ModelPlace { part, media_type, path: place.path.clone() }, known.clone());
    }
    copy
}

/// Merges the members of parameters that are objects or lists, and leaves credentials out.
fn align_parameters(api: &ApiDescription, operation: &ApiOperation, observed: &mut OperationModel) {
    let in_query = || {
        operation.parameters.iter().filter(|parameter| parameter.location == ParameterPlace::Query)
    };
    let credentials: Vec<&str> = api
        .operations
        .iter()
        .flat_map(|operation| operation.security.iter().flatten())
        .filter_map(|scheme| match scheme {
            SecurityScheme::Query(name) => Some(&**name),
            _ => None,
        })
        .collect();
    let members: Vec<&str> = in_query()
        .filter(|parameter| parameter.style == ParameterStyle::Members)
        .filter_map(|parameter| parameter.schema)
        .flat_map(|schema| api.schemas.property_names(schema))
        .collect();
    let places = std::mem::take(&mut observed.places);
    for (mut place, known) in places {
        if place.part == MessagePart::Query && !in_query().any(|one| one.name == place.path) {
            if credentials.contains(&&*place.path) || members.contains(&&*place.path) {
                continue;
            }
            let base = place.path.split('[').next().unwrap_or_default();
            let is_part =
                |one: &&ApiParameter| one.name == base || one.name.strip_suffix("[]") == Some(base);
            if let Some(parameter) = in_query().find(|one| base != place.path && is_part(one)) {
                place.path.clone_from(&parameter.name);
            }
        }
        observed.add_place(place, known);
    }
}

/// Finds the schemas of observed places of bodies, a parent before what is below it.
fn align_bodies(
    api: &ApiDescription,
    operation: &ApiOperation,
    stated: &mut OperationModel,
    observed: &mut OperationModel,
) {
    let mut walk = SchemaWalk::new(&api.schemas, stated);
    // By observed place: the place of the description, and its schemas; `None` if it has no such place.
    let mut found: BTreeMap<ModelPlace, Option<(ModelPlace, Vec<SchemaId>)>> = BTreeMap::new();
    let places = std::mem::take(&mut observed.places);
    for (place, mut known) in places {
        let aligned = match &known.parent {
            None if place.part.is_parameter() => None,
            None => {
                let contents = contents_of(operation, &place.part);
                let schema = contents.iter().find(|content| content.media_type == place.media_type);
                schema.and_then(|content| content.schema).map(|id| (place.clone(), vec![id]))
            }
            Some(parent) => {
                let parent = ModelPlace { path: parent.clone(), ..place.clone() };
                found.get(&parent).cloned().flatten().and_then(|(above, schemas)| {
                    let rest = place.path.get(parent.path.len()..).unwrap_or_default();
                    let is_top = parent.path.is_empty();
                    let name = if is_top { rest } else { rest.strip_prefix('.').unwrap_or(rest) };
                    walk.place_below(&above, &schemas, name)
                })
            }
        };
        let at = match &aligned {
            Some((at, _)) => {
                if let Some(stated) = walk.parent_of(at) {
                    known.parent = Some(stated);
                }
                at.clone()
            }
            None => place.clone(),
        };
        observed.add_place(at, known);
        found.insert(place, aligned);
    }
}

fn contents_of<'o>(operation: &'o ApiOperation, part: &MessagePart) -> &'o [ApiContent] {
    match part {
        MessagePart::Request => operation.body.as_ref().map_or(&[], |body| &body.contents),
        MessagePart::Response(status) => operation
            .responses
            .iter()
            .find(|response| response.statuses.text() == *status)
            .map_or(&[], |response| &response.contents),
        _ => &[],
    }
}

impl SchemaWalk<'_> {
    /// The place below one with these schemas, and its schemas. A place that the walk did not come to is added.
    fn place_below(
        &mut self,
        above: &ModelPlace,
        schemas: &[SchemaId],
        name: &str,
    ) -> Option<(ModelPlace, Vec<SchemaId>)> {
        let (place, schemas, is_required) = match self.below(schemas, name) {
            SchemaBelow::Item(schemas) => (above.items(), schemas, true),
            SchemaBelow::Property(schemas, is_required) => {
                (above.member(name), schemas, is_required)
            }
            SchemaBelow::Value(schemas) => (above.member("*"), schemas, false),
            SchemaBelow::Undescribed => return None,
        };
        if !self.has(&place) {
            self.add(&place, Some(&above.path), is_required, &schemas);
        }
        Some((place, schemas))
    }
}
