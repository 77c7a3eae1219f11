//! The question get_auth.

#![expect(
    clippy::doc_markdown,
    reason = "these words are the descriptions of a schema, where backticks are noise"
)]

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::engine::Snapshot;
use crate::flow::text;
use crate::limits;
use crate::mcp::arguments::PatternsArguments;
use crate::schema::Schemas;
use crate::shape::credentials::CredentialKind;

/// The arguments of get_auth.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, Serialize)]
#[serde(deny_unknown_fields, default)]
pub(in crate::mcp) struct AuthQuestion {
    /// Only this host and its subdomains, as in example.com. Empty: all hosts.
    pub(in crate::mcp) domain: String,
}

impl AuthQuestion {
    pub(in crate::mcp) fn check(&self) -> Result<(), String> {
        self.patterns().check()
    }

    fn patterns(&self) -> PatternsArguments {
        PatternsArguments { domain: self.domain.clone(), ..PatternsArguments::default() }
    }
}

/// The answer of get_auth.
#[derive(Clone, Debug, JsonSchema, Serialize)]
pub(in crate::mcp) struct AuthAnswer {
    /// The version of this shape: 1.
    pub(in crate::mcp) version: u32,
    /// Whether rows were left out, because there are too many.
    pub(in crate::mcp) truncated: bool,
    /// Credentials by host, the most-used first. Never a value of one.
    pub(in crate::mcp) credentials: Vec<AuthRow>,
}

/// Requests to one host with one set of credentials.
#[derive(Clone, Debug, JsonSchema, Serialize)]
#[schemars(inline)]
pub(in crate::mcp) struct AuthRow {
    /// The host. Observed data.
    pub(in crate::mcp) host: String,
    /// What was sent together, such as "Authorization: bearer", "header x-api-key", "cookie sid". Empty: nothing. Names are
    /// observed data.
    pub(in crate::mcp) sent: Vec<String>,
    /// Requests that sent it.
    pub(in crate::mcp) requests: u64,
    /// Those that were answered below 400.
    pub(in crate::mcp) accepted: u64,
    /// Those that were answered with 401 or 403.
    pub(in crate::mcp) refused: u64,
    /// Endpoints that were asked with it.
    pub(in crate::mcp) endpoints: u64,
    /// Schemes that the server asked for in WWW-Authenticate.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(in crate::mcp) asked_for: Vec<String>,
}

/// Rows of get_auth.
const MAX_AUTH_ROWS: usize = 60;

/// Answers get_auth.
pub(in crate::mcp) fn auth_answer(
    view: &Snapshot,
    schemas: &Schemas,
    question: &AuthQuestion,
) -> AuthAnswer {
    let selection = question.patterns().selection();
    let mut rows: BTreeMap<(String, Vec<String>), AuthRow> = BTreeMap::new();
    for pattern in view.report.patterns.iter().filter(|pattern| selection.wants(pattern)) {
        let Some((host, endpoint)) = schemas.get(&pattern.id) else { continue };
        for (kinds, used) in host.credentials_of(endpoint) {
            let sent: Vec<String> = kinds.iter().map(CredentialKind::words).collect();
            let row = rows.entry((pattern.host.clone(), sent.clone())).or_insert_with(|| AuthRow {
                host: text::shortened(pattern.host.as_bytes(), limits::MAX_SHOWN_BYTES)
                    .into_owned(),
                sent,
                requests: 0,
                accepted: 0,
                refused: 0,
                endpoints: 0,
                asked_for: Vec::new(),
            });
            row.requests += used.sent;
            row.accepted += used.accepted;
            row.refused += used.refused;
            row.endpoints += 1;
            for scheme in endpoint.credentials.challenges() {
                if used.refused > 0 && !row.asked_for.contains(&scheme) {
                    row.asked_for.push(scheme);
                }
            }
        }
    }
    let mut credentials: Vec<AuthRow> = rows.into_values().collect();
    credentials.sort_by(|a, b| {
        b.requests.cmp(&a.requests).then_with(|| (&a.host, &a.sent).cmp(&(&b.host, &b.sent)))
    });
    let truncated = credentials.len() > MAX_AUTH_ROWS;
    credentials.truncate(MAX_AUTH_ROWS);
    AuthAnswer { version: 1, truncated, credentials }
}
