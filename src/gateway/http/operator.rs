//! The page of the operator: tools with what the policy says of them, the last calls, and a policy to try out. It changes nothing.

use std::collections::BTreeSet;

use http_body_util::{BodyExt, Full, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::header::{AUTHORIZATION, CONTENT_SECURITY_POLICY, HeaderValue};
use hyper::{Method, Request, Response, StatusCode};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::audit::now_micros;
use crate::flow::text::printable;
use crate::gateway::Gateway;
use crate::gateway::grants::is_same_token;
use crate::gateway::http::answers::{JSON, text};
use crate::gateway::http::sessions::Sessions;
use crate::policy::{KnownTools, Policy, Verdict};
use crate::serve::{AnswerBody, response};

const PAGE: &str = include_str!("operator.html");
const SCRIPT: &str = include_str!("operator.js");
const STYLE: &str = include_str!("operator.css");

/// The content security policy of the page: it may load and reach only its own origin.
const RULES: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; base-uri 'none'; \
    form-action 'none'; frame-ancestors 'none'";

/// The longest draft of a policy, in bytes.
const MAX_DRAFT_BYTES: usize = 1 << 20;

/// The page, and the token that it needs.
pub(super) struct OperatorPage {
    token: String,
}

/// A draft of a policy, and a call that it is tried out on.
#[derive(Deserialize)]
struct Trial {
    policy: String,
    tool: String,
    arguments: Value,
    identity: String,
}

impl OperatorPage {
    pub(super) fn new(token: String) -> Self {
        Self { token }
    }

    pub(super) fn token(&self) -> &str {
        &self.token
    }

    /// Answers a request. The page itself has nothing to hide; what it shows needs the token.
    pub(super) async fn answer(
        &self,
        request: Request<Incoming>,
        gateway: &Gateway,
        sessions: &Sessions,
    ) -> Response<AnswerBody> {
        let method = request.method().clone();
        match (request.uri().path(), method == Method::GET) {
            ("/", true) => return file("text/html; charset=utf-8", PAGE),
            ("/operator/page.js", true) => return file("text/javascript; charset=utf-8", SCRIPT),
            ("/operator/page.css", true) => return file("text/css; charset=utf-8", STYLE),
            _ => {}
        }
        if !self.is_allowed(&request) {
            return text(
                StatusCode::UNAUTHORIZED,
                "the page needs the token that the gateway printed\n",
            );
        }
        match (request.uri().path(), &method) {
            ("/operator/state", &Method::GET) => {
                let asked = request.uri().query().and_then(|query| {
                    let mut pairs = url::form_urlencoded::parse(query.as_bytes());
                    pairs.find(|(name, _)| name == "identity").map(|(_, value)| value.into_owned())
                });
                let identity = asked.unwrap_or_else(|| gateway.identity.clone());
                found(&state_of(gateway, sessions, &identity))
            }
            ("/operator/try", &Method::POST) => {
                let Ok(body) = Limited::new(request.into_body(), MAX_DRAFT_BYTES).collect().await
                else {
                    return text(
                        StatusCode::PAYLOAD_TOO_LARGE,
                        "a draft of a policy is 1 MB at most\n",
                    );
                };
                match serde_json::from_slice::<Trial>(&body.to_bytes()) {
                    Ok(trial) => found(&try_draft(&trial)),
                    Err(_) => text(
                        StatusCode::BAD_REQUEST,
                        "this is not a trial of a policy: give policy, tool, arguments and identity as JSON\n",
                    ),
                }
            }
            _ => text(StatusCode::NOT_FOUND, "there is nothing at this path; the page is at /\n"),
        }
    }

    fn is_allowed(&self, request: &Request<Incoming>) -> bool {
        let mut given = request.headers().get_all(AUTHORIZATION).iter();
        let (Some(given), None) = (given.next(), given.next()) else { return false };
        let token = given.to_str().ok().and_then(|given| given.strip_prefix("Bearer "));
        token.is_some_and(|token| is_same_token(token, &self.token))
    }
}

fn file(content_type: &'static str, content: &'static str) -> Response<AnswerBody> {
    let body = Full::new(Bytes::from_static(content.as_bytes())).boxed();
    let mut answer = response(StatusCode::OK, content_type, body);
    answer.headers_mut().insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(RULES));
    answer
}

fn found(state: &Value) -> Response<AnswerBody> {
    response(StatusCode::OK, JSON, Full::new(Bytes::from(state.to_string())).boxed())
}

fn state_of(gateway: &Gateway, sessions: &Sessions, identity: &str) -> Value {
    let in_force = gateway.rulings.policy();
    let tools: Vec<Value> = gateway
        .known_tools()
        .into_iter()
        .map(|(name, description)| {
            let standing = in_force.policy.decide_without_arguments(identity, &name);
            let limits = gateway.rulings.limits(&standing).into_iter().map(|(limit, used)| {
                json!({"rule": limit.rule, "max": limit.max, "window": limit.window.as_secs_f64(), "used": used,
                    "calls": limit.counts_calls})
            });
            let limits: Vec<Value> = limits.collect();
            json!({
                "name": printable(name.as_bytes()), "description": description, "state": standing.verdict.name(),
                "rule": standing.rule, "conditions": in_force.policy.has_conditions(identity, &name), "limits": limits,
                "answered_here": gateway.answers_itself(&name),
            })
        })
        .collect();
    json!({
        "identity": identity, "identities": identities_of(gateway), "server": gateway.upstream.name(), "policy": *in_force.fingerprint, "draft": gateway.rulings.policy_text(),
        "sessions": sessions.count(), "tools": tools, "calls": gateway.recent.all(),
    })
}

/// The names of clients that have grants or rules of their own.
fn identities_of(gateway: &Gateway) -> BTreeSet<String> {
    let grants = gateway.store.as_ref().and_then(|store| store.grants(now_micros()).ok());
    let mut names: BTreeSet<String> =
        grants.into_iter().flatten().map(|grant| grant.name).collect();
    names.extend(gateway.rulings.policy().policy.identity_names().map(str::to_owned));
    names.insert(gateway.identity.clone());
    names
}

/// Decides a call by a draft of a policy, and returns the decision as JSON.
fn try_draft(trial: &Trial) -> Value {
    let policy = match Policy::parse(&trial.policy, KnownTools::Any) {
        Ok(policy) => policy,
        Err(wrong) => return json!({"errors": wrong}),
    };
    if !trial.arguments.is_object() {
        return json!({"errors": ["the arguments are not a JSON object; give one, as in {\"id\": 5}"]});
    }
    let identity = crate::policy::shown_identity(&trial.identity);
    let decision = policy.decide(&identity, &trial.tool, &trial.arguments);
    let message = match decision.verdict {
        Verdict::Deny => Some(decision.refusal()),
        _ => decision.message.clone(),
    };
    json!({"decision": decision.verdict.name(), "rule": decision.rule, "message": message, "errors": [],
        "listed": policy.lists(&identity, &trial.tool)})
}
