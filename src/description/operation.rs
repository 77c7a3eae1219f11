//! Operations of a description: parameters, bodies, answers and required credentials.

use crate::description::compile::SchemaCompiler;
use crate::description::cursor::{DescriptionCursor, DescriptionPlace};
use crate::description::path_text::texts_between;
use crate::description::schema::SchemaId;
use crate::description::security::{SecurityRequirement, requirements};
use crate::description::server::{ApiServer, servers};

/// The methods of a path item (OpenAPI 3.1; `query` is that of 3.2).
pub(crate) const METHODS: [&str; 9] =
    ["get", "put", "post", "delete", "options", "head", "patch", "trace", "query"];

/// An operation of a description.
#[derive(Debug)]
pub(crate) struct ApiOperation {
    /// In upper case.
    pub(crate) method: String,
    /// The path as it is written.
    pub(crate) path: String,
    pub(crate) place: DescriptionPlace,
    pub(crate) is_deprecated: bool,
    pub(crate) parameters: Vec<ApiParameter>,
    pub(crate) body: Option<ApiBody>,
    pub(crate) responses: Vec<ApiResponse>,
    pub(crate) security: Vec<SecurityRequirement>,
    /// Servers of its own; `None` for those of the description.
    pub(crate) servers: Option<Vec<ApiServer>>,
    /// True if the last parameter of the path may have slashes.
    pub(crate) spans_segments: bool,
}

/// The place of a parameter in a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum ParameterPlace {
    Path,
    Query,
    Header,
    Cookie,
}

impl ParameterPlace {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Path => "path",
            Self::Query => "query",
            Self::Header => "header",
            Self::Cookie => "cookie",
        }
    }

    fn of(name: &str) -> Option<Self> {
        Some(match name {
            "path" => Self::Path,
            "query" => Self::Query,
            "header" => Self::Header,
            "cookie" => Self::Cookie,
            _ => return None,
        })
    }
}

/// The style in which the values of one parameter are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ParameterStyle {
    /// The name comes once for each item.
    Repeated,
    /// Items are separated by this character.
    Separated(char),
    /// Members are `name[member]`.
    Deep,
    /// The members of an object are parameters themselves.
    Members,
    /// The value is a JSON text.
    Json,
    /// In a path: `;name=value`.
    Matrix,
    /// In a path: `.value`.
    Label,
}

/// A parameter of an operation.
#[derive(Debug)]
pub(crate) struct ApiParameter {
    pub(crate) name: String,
    pub(crate) location: ParameterPlace,
    pub(crate) is_required: bool,
    pub(crate) is_deprecated: bool,
    pub(crate) style: ParameterStyle,
    /// Whether the value may be left empty, whatever its schema is.
    pub(crate) may_be_empty: bool,
    pub(crate) schema: Option<SchemaId>,
    pub(crate) place: DescriptionPlace,
}

/// The body of a request.
#[derive(Debug)]
pub(crate) struct ApiBody {
    pub(crate) is_required: bool,
    pub(crate) contents: Vec<ApiContent>,
    pub(crate) place: DescriptionPlace,
}

/// The schema of one media type or range of media types.
#[derive(Debug)]
pub(crate) struct ApiContent {
    /// In lower case, without parameters.
    pub(crate) media_type: String,
    pub(crate) schema: Option<SchemaId>,
}

/// The stated media type or range that a message of a media type belongs to: the type itself before ranges, and these before its
/// relatives. A message without a type belongs to the range of all types, or else to the first.
pub(crate) fn stated_media_type<'s>(
    mut stated: impl Iterator<Item = &'s str> + Clone,
    media_type: &str,
) -> Option<&'s str> {
    let mut find = |wanted: &str| stated.clone().find(|known| *known == wanted);
    if media_type.is_empty() {
        return find("*/*").or_else(|| stated.next());
    }
    let range = format!("{}/*", media_type.split('/').next().unwrap_or_default());
    let exact = [media_type, &range, "*/*"].into_iter().find_map(&mut find);
    // `application/vnd.example+json` is JSON for who describes `application/json` ...
    let suffix = media_type.rsplit_once('+').map(|(_, suffix)| format!("application/{suffix}"));
    // ... and the other way round.
    let plain = media_type.strip_prefix("application/");
    let ends_so = |known: &&str| known.rsplit_once('+').is_some_and(|(_, end)| Some(end) == plain);
    exact.or_else(|| find(&suffix?)).or_else(|| stated.find(ends_so))
}

/// The statuses that an answer is stated for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum StatusRange {
    Exactly(u16),
    /// `2XX` is 2.
    Class(u16),
    Default,
}

impl StatusRange {
    pub(super) fn of(text: &str) -> Option<Self> {
        if text == "default" {
            return Some(Self::Default);
        }
        if let Some(class) = text.strip_suffix("XX").or_else(|| text.strip_suffix("xx")) {
            return class.parse().ok().map(Self::Class);
        }
        text.parse().ok().map(Self::Exactly)
    }

    /// As descriptions write it.
    pub(crate) fn text(self) -> String {
        match self {
            Self::Exactly(status) => status.to_string(),
            Self::Class(class) => format!("{class}XX"),
            Self::Default => "default".to_owned(),
        }
    }
}

/// An answer of an operation.
#[derive(Debug)]
pub(crate) struct ApiResponse {
    pub(crate) statuses: StatusRange,
    pub(crate) contents: Vec<ApiContent>,
    pub(crate) place: DescriptionPlace,
    /// True where nothing was captured and the answer only stands for that (our own descriptions).
    pub(crate) is_placeholder: bool,
}

impl ApiOperation {
    /// The operation as people write it: `GET /users/{id}`.
    pub(crate) fn name(&self) -> String {
        format!("{} {}", self.method, self.path)
    }

    /// Method and path, whatever the parameters are called.
    pub(crate) fn key(&self) -> String {
        let segments = self.path.split('/').map(|segment| texts_between(segment).join("{}"));
        format!("{} {}", self.method, segments.collect::<Vec<_>>().join("/"))
    }

    /// The answer that is stated for a status: the status itself before its class, and that before the default.
    pub(crate) fn response(&self, status: u16) -> Option<&ApiResponse> {
        let wanted =
            [StatusRange::Exactly(status), StatusRange::Class(status / 100), StatusRange::Default];
        wanted.iter().find_map(|wanted| {
            self.responses
                .iter()
                .find(|response| response.statuses == *wanted && !response.is_placeholder)
        })
    }
}

/// Reads the operations of `paths` of OpenAPI 3.
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
            let security = operation.get("security");
            let own_security = security.map(|security| requirements(root, &security));
            let own_servers = [&operation, &item].into_iter().find_map(|from| {
                from.get("servers").map(|own| servers(&own)).filter(|own| !own.is_empty())
            });
            operations.push(ApiOperation {
                method: method.to_ascii_uppercase(),
                path: path.to_owned(),
                place: operation.place(),
                is_deprecated: operation.is_true("deprecated"),
                parameters: listed.iter().filter_map(|own| parameter(own, compiler)).collect(),
                body: operation.follow("requestBody").map(|body| ApiBody {
                    is_required: body.is_true("required"),
                    contents: contents(&body, compiler),
                    place: body.place(),
                }),
                responses: responses(&operation, compiler),
                security: own_security.or_else(|| common.clone()).unwrap_or_default(),
                servers: own_servers,
                spans_segments: operation.is_true("x-spans-segments"),
            });
        }
    }
    operations
}

/// The parameters of an operation, and those of its path that it does not replace.
pub(super) fn parameters_of<'d>(
    operation: &DescriptionCursor<'d>,
    item: &DescriptionCursor<'d>,
) -> Vec<DescriptionCursor<'d>> {
    let list = |of: &DescriptionCursor<'d>| -> Vec<DescriptionCursor<'d>> {
        let list = of.get("parameters").map(|list| list.items().collect::<Vec<_>>());
        list.into_iter().flatten().filter_map(DescriptionCursor::resolved).collect()
    };
    let mut own = list(operation);
    for shared in list(item) {
        let is_replaced = |known: &DescriptionCursor<'d>| {
            known.text("name") == shared.text("name") && known.text("in") == shared.text("in")
        };
        if !own.iter().any(is_replaced) {
            own.push(shared);
        }
    }
    own
}

fn parameter<'d>(
    cursor: &DescriptionCursor<'d>,
    compiler: &mut SchemaCompiler<'d>,
) -> Option<ApiParameter> {
    let location = ParameterPlace::of(cursor.text("in")?)?;
    let content = cursor.get("content").and_then(|content| {
        let first = content.members().next();
        first.and_then(|(_, media)| media.get("schema"))
    });
    let is_json = content.is_some();
    let schema = content.or_else(|| cursor.get("schema"));
    let explode = cursor.value.get("explode").and_then(serde_json::Value::as_bool);
    let is_object = schema.as_ref().is_some_and(|schema| {
        let schema = schema.clone().resolved();
        schema.is_some_and(|schema| {
            schema.text("type") == Some("object") || schema.get("properties").is_some()
        })
    });
    let default = if location == ParameterPlace::Query { "form" } else { "simple" };
    let style = match cursor.text("style").unwrap_or(default) {
        _ if is_json => ParameterStyle::Json,
        "deepObject" => ParameterStyle::Deep,
        "matrix" => ParameterStyle::Matrix,
        "label" => ParameterStyle::Label,
        "spaceDelimited" => ParameterStyle::Separated(' '),
        "pipeDelimited" => ParameterStyle::Separated('|'),
        "form" if explode != Some(false) && is_object => ParameterStyle::Members,
        "form" if explode != Some(false) => ParameterStyle::Repeated,
        _ => ParameterStyle::Separated(','),
    };
    Some(ApiParameter {
        name: cursor.text("name")?.to_owned(),
        location,
        is_required: cursor.is_true("required"),
        is_deprecated: cursor.is_true("deprecated"),
        style,
        may_be_empty: cursor.is_true("allowEmptyValue"),
        schema: schema.map(|schema| compiler.enqueue_schema(schema)),
        place: cursor.place(),
    })
}

fn contents<'d>(of: &DescriptionCursor<'d>, compiler: &mut SchemaCompiler<'d>) -> Vec<ApiContent> {
    let content = of.get("content").map(|content| content.members().collect::<Vec<_>>());
    let each = content.into_iter().flatten().map(|(media_type, media)| ApiContent {
        media_type: media_type_of(media_type),
        schema: media.get("schema").map(|schema| compiler.enqueue_schema(schema)),
    });
    each.collect()
}

/// A media type in lower case, without parameters.
pub(super) fn media_type_of(text: &str) -> String {
    text.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}

fn responses<'d>(
    operation: &DescriptionCursor<'d>,
    compiler: &mut SchemaCompiler<'d>,
) -> Vec<ApiResponse> {
    let stated = operation.get("responses").map(|list| list.members().collect::<Vec<_>>());
    let each = stated.into_iter().flatten().filter_map(|(status, response)| {
        let statuses = StatusRange::of(status)?;
        let response = response.resolved()?;
        Some(ApiResponse {
            statuses,
            contents: contents(&response, compiler),
            place: response.place(),
            is_placeholder: response.is_true("x-not-captured"),
        })
    });
    each.collect()
}
