//! OpenAPI 2.0 (Swagger), read as what it means in OpenAPI 3.

use crate::description::compile::SchemaCompiler;
use crate::description::cursor::DescriptionCursor;
use crate::description::operation::{
    ApiBody, ApiContent, ApiOperation, ApiParameter, ApiResponse, METHODS, ParameterPlace,
    ParameterStyle, StatusRange, media_type_of, parameters_of,
};
use crate::description::security::requirements;
use crate::description::server::ApiServer;

/// The servers that `host`, `basePath` and `schemes` stand for.
pub(super) fn servers(root: &DescriptionCursor<'_>) -> Vec<ApiServer> {
    let base = root.text("basePath").unwrap_or("/");
    ApiServer::of_parts(root.text("host"), base).into_iter().collect()
}

/// Reads the operations of `paths`.
pub(super) fn operations<'d>(
    root: &DescriptionCursor<'d>,
    compiler: &mut SchemaCompiler<'d>,
) -> Vec<ApiOperation> {
    let mut operations = Vec::new();
    let common = root.get("security").map(|security| requirements(root, &security));
    let Some(paths) = root.get("paths") else { return operations };
    for (path, item) in paths.members().filter(|(path, _)| path.starts_with('/')) {
        let Some(item) = item.resolved() else { continue };
        for method in METHODS {
            let Some(operation) = item.get(method) else { continue };
            let listed = parameters_of(&operation, &item);
            let types = |name: &str| {
                let own = operation.get(name).or_else(|| root.get(name));
                let items = own.map(|types| types.items().collect::<Vec<_>>()).unwrap_or_default();
                items.iter().filter_map(|item| item.value.as_str()).map(media_type_of).collect()
            };
            let (consumes, produces): (Vec<String>, Vec<String>) =
                (types("consumes"), types("produces"));
            let security = operation.get("security").map(|own| requirements(root, &own));
            operations.push(ApiOperation {
                method: method.to_ascii_uppercase(),
                path: path.to_owned(),
                place: operation.place(),
                is_deprecated: operation.is_true("deprecated"),
                body: body(&listed, &consumes, compiler),
                parameters: listed.iter().filter_map(|own| parameter(own, compiler)).collect(),
                responses: responses(&operation, &produces, compiler),
                security: security.or_else(|| common.clone()).unwrap_or_default(),
                servers: None,
                spans_segments: operation.is_true("x-spans-segments"),
            });
        }
    }
    operations
}

fn parameter<'d>(
    cursor: &DescriptionCursor<'d>,
    compiler: &mut SchemaCompiler<'d>,
) -> Option<ApiParameter> {
    let location = match cursor.text("in")? {
        "path" => ParameterPlace::Path,
        "query" => ParameterPlace::Query,
        "header" => ParameterPlace::Header,
        _ => return None,
    };
    let style = match cursor.text("collectionFormat") {
        Some("multi") => ParameterStyle::Repeated,
        Some("ssv") => ParameterStyle::Separated(' '),
        Some("tsv") => ParameterStyle::Separated('\t'),
        Some("pipes") => ParameterStyle::Separated('|'),
        _ => ParameterStyle::Separated(','),
    };
    Some(ApiParameter {
        name: cursor.text("name")?.to_owned(),
        location,
        is_required: cursor.is_true("required"),
        is_deprecated: false,
        style,
        may_be_empty: cursor.is_true("allowEmptyValue"),
        // The parameter itself has the keywords of a schema.
        schema: Some(compiler.enqueue_schema(cursor.clone())),
        place: cursor.place(),
    })
}

/// Media types of forms.
const FORM_TYPES: [&str; 2] = ["application/x-www-form-urlencoded", "multipart/form-data"];

fn body<'d>(
    parameters: &[DescriptionCursor<'d>],
    consumes: &[String],
    compiler: &mut SchemaCompiler<'d>,
) -> Option<ApiBody> {
    let is_form = |own: &&DescriptionCursor<'d>| own.text("in") == Some("formData");
    if let Some(body) = parameters.iter().find(|own| own.text("in") == Some("body")) {
        let schema = body.get("schema").map(|schema| compiler.enqueue_schema(schema));
        return Some(ApiBody {
            is_required: body.is_true("required"),
            contents: contents(consumes, schema),
            place: body.place(),
        });
    }
    let form = parameters.iter().find(is_form)?;
    let fields: Vec<&DescriptionCursor<'d>> = parameters.iter().filter(is_form).collect();
    let types = FORM_TYPES.map(str::to_owned);
    let stated: Vec<String> =
        consumes.iter().filter(|known| types.contains(known)).cloned().collect();
    // Each field has the keywords of a schema.
    let schema = compiler.add_object(form.place(), &fields);
    Some(ApiBody {
        is_required: fields.iter().any(|own| own.is_true("required")),
        contents: contents(if stated.is_empty() { &types } else { &stated }, Some(schema)),
        place: form.place(),
    })
}

fn contents(
    types: &[String],
    schema: Option<crate::description::schema::SchemaId>,
) -> Vec<ApiContent> {
    if types.is_empty() {
        return vec![ApiContent { media_type: "*/*".to_owned(), schema }];
    }
    types.iter().map(|media_type| ApiContent { media_type: media_type.clone(), schema }).collect()
}

fn responses<'d>(
    operation: &DescriptionCursor<'d>,
    produces: &[String],
    compiler: &mut SchemaCompiler<'d>,
) -> Vec<ApiResponse> {
    let stated = operation.get("responses").map(|list| list.members().collect::<Vec<_>>());
    let each = stated.into_iter().flatten().filter_map(|(status, response)| {
        let statuses = StatusRange::of(status)?;
        let response = response.resolved()?;
        let schema = response.get("schema").map(|schema| compiler.enqueue_schema(schema));
        Some(ApiResponse {
            statuses,
            // An answer without a schema may have any content.
            contents: contents(produces, schema),
            place: response.place(),
            is_placeholder: false,
        })
    });
    each.collect()
}
