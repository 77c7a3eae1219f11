//! Credentials that a description asks for.

use crate::description::cursor::DescriptionCursor;

/// One alternative: all of its schemes must be sent. An alternative without schemes needs nothing.
pub(crate) type SecurityRequirement = Vec<SecurityScheme>;

/// A way to send a credential.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum SecurityScheme {
    /// A header with this name in lower case.
    Header(String),
    Query(String),
    Cookie(String),
    /// `Authorization` with this scheme in lower case.
    Http(String),
    /// `Authorization` with a token of OAuth 2 or `OpenID` Connect.
    Token,
    /// A scheme that a capture does not show, such as a certificate of the client, or a scheme that is not described.
    Unknown,
}

impl SecurityScheme {
    /// As messages name it.
    pub(crate) fn text(&self) -> String {
        match self {
            Self::Header(name) => format!("header {name}"),
            Self::Query(name) => format!("query parameter {name}"),
            Self::Cookie(name) => format!("cookie {name}"),
            Self::Http(scheme) => format!("Authorization: {scheme}"),
            Self::Token => "Authorization: a token".to_owned(),
            Self::Unknown => "a credential that captures do not show".to_owned(),
        }
    }
}

/// Reads a list of requirements.
pub(super) fn requirements(
    root: &DescriptionCursor<'_>,
    list: &DescriptionCursor<'_>,
) -> Vec<SecurityRequirement> {
    let schemes = root
        .get("components")
        .and_then(|components| components.get("securitySchemes"))
        .or_else(|| root.get("securityDefinitions"));
    let scheme = |name: &str| {
        let scheme = schemes.as_ref().and_then(|schemes| schemes.follow(name));
        scheme.map_or(SecurityScheme::Unknown, |scheme| of_scheme(&scheme))
    };
    list.items().map(|each| each.members().map(|(name, _)| scheme(name)).collect()).collect()
}

fn of_scheme(scheme: &DescriptionCursor<'_>) -> SecurityScheme {
    let name = || scheme.text("name").unwrap_or_default().to_owned();
    match (scheme.text("type"), scheme.text("in")) {
        (Some("apiKey"), Some("header")) => {
            let name = name().to_ascii_lowercase();
            SecurityScheme::Header(name)
        }
        (Some("apiKey"), Some("query")) => SecurityScheme::Query(name()),
        (Some("apiKey"), Some("cookie")) => SecurityScheme::Cookie(name()),
        (Some("http"), _) => {
            SecurityScheme::Http(scheme.text("scheme").unwrap_or_default().to_ascii_lowercase())
        }
        (Some("basic"), _) => SecurityScheme::Http("basic".to_owned()),
        (Some("oauth2" | "openIdConnect"), _) => SecurityScheme::Token,
        _ => SecurityScheme::Unknown,
    }
}
