//! The signs of credentials that mitmproxy-mcp looks for, with the kinds that it names.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

use crate::flow::Flow;
use crate::flow::body::RecordedContent;
use crate::flow::text::printable;

/// The kinds, in the order of the answer.
const KINDS: [&str; 7] =
    ["oauth2", "jwt", "api_key", "session_cookie", "csrf", "basic_auth", "bearer_token"];

/// The most flows of a kind that are named.
const MAX_FLOWS: usize = 5;

/// The signs of credentials that were found so far.
#[derive(Debug, Default)]
pub(super) struct AuthSigns {
    kinds: BTreeMap<&'static str, SignsOfKind>,
}

#[derive(Debug, Default)]
struct SignsOfKind {
    signals: BTreeSet<String>,
    flows: BTreeSet<String>,
}

impl AuthSigns {
    fn found(&mut self, kind: &'static str, signal: Option<String>, flow: &Flow<'_>) {
        let signs = self.kinds.entry(kind).or_default();
        signs.signals.extend(signal);
        signs.flows.insert(printable(flow.id).into_owned());
        if signs.flows.len() > MAX_FLOWS {
            signs.flows.pop_last();
        }
    }

    /// Takes the signs of a flow.
    pub(super) fn observe(&mut self, flow: &Flow<'_>) {
        let header = |name: &[u8]| {
            flow.request_headers
                .get(name)
                .map(|value| printable(value).into_owned())
                .unwrap_or_default()
        };
        let authorization = header(b"authorization");
        if let Some(token) = authorization.strip_prefix("Bearer ") {
            self.found("bearer_token", None, flow);
            if token.matches('.').count() == 2 {
                self.found("jwt", Some("Bearer token appears to be JWT format".to_owned()), flow);
            }
        }
        if authorization.starts_with("Basic ") {
            self.found("basic_auth", None, flow);
        }
        let names: Vec<String> =
            flow.request_headers.iter().map(|(name, _)| printable(name).into_owned()).collect();
        for name in &names {
            let lower = name.to_lowercase();
            if ["api-key", "apikey", "x-auth-token"].iter().any(|part| lower.contains(part)) {
                self.found("api_key", Some(format!("Header: {name}")), flow);
            }
            if ["csrf", "xsrf"].iter().any(|part| lower.contains(part)) {
                self.found("csrf", Some(format!("CSRF header: {name}")), flow);
            }
        }
        let target = printable(&flow.target).to_lowercase();
        let path = target.split(['?', '#']).next().unwrap_or_default();
        if ["/oauth", "/token", "/authorize", "/auth/callback"]
            .iter()
            .any(|part| path.contains(part))
        {
            self.found("oauth2", Some(format!("OAuth endpoint: {path}")), flow);
        }
        if let RecordedContent::Decoded(body) | RecordedContent::Wire(body) =
            flow.request_body.content
        {
            let body = String::from_utf8_lossy(body).to_lowercase();
            if ["grant_type=", "refresh_token=", "client_id="]
                .iter()
                .any(|part| body.contains(part))
            {
                self.found("oauth2", Some("OAuth2 parameters in request body".to_owned()), flow);
            }
        }
        for cookie in header(b"cookie").split(';') {
            let name = cookie.trim().split_once('=').map(|(name, _)| name.to_lowercase());
            let Some(name) = name else { continue };
            // `session` has `sess` in it.
            if ["sid", "sess", "auth"].iter().any(|part| name.contains(part)) {
                self.found("session_cookie", Some(format!("Session cookie: {name}")), flow);
            }
        }
    }

    /// The answer.
    pub(super) fn to_json(&self) -> Value {
        let nothing = SignsOfKind::default();
        let mut details = Map::new();
        let mut detected = Vec::new();
        for kind in KINDS {
            let signs = self.kinds.get(kind);
            if signs.is_some() {
                detected.push(kind);
            }
            let (is_detected, signs) = (signs.is_some(), signs.unwrap_or(&nothing));
            details.insert(
                kind.to_owned(),
                json!({"detected": is_detected, "signals": signs.signals, "flows": signs.flows}),
            );
        }
        json!({"detected_auth_types": detected, "details": details})
    }
}
