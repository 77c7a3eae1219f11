//! Security schemes and requirements, from the credentials that were sent, refused and asked for.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

use crate::flow::site::site_of;
use crate::openapi::servers::server_url;
use crate::report::Pattern;
use crate::schema::Schemas;
use crate::schema::names::pascal_case;
use crate::shape::credentials::{CredentialKind, CredentialUse};
use crate::shape::messages::Direction;

/// Alternative sets of credentials of one operation.
const MAX_ALTERNATIVES: usize = 4;

/// The security schemes of a host.
#[derive(Debug, Default)]
pub(super) struct SecuritySchemes {
    /// By name; sorted.
    schemes: BTreeMap<String, Value>,
    /// The flows of OAuth 2, if requests for tokens were captured: bearer tokens come from them.
    oauth_flows: Option<Value>,
}

impl SecuritySchemes {
    /// The schemes of a host whose requests for tokens have these flows.
    pub(super) fn new(oauth_flows: Option<Value>) -> Self {
        Self { schemes: BTreeMap::new(), oauth_flows }
    }

    /// The `security` of an operation: the alternative sets of credentials that were accepted. An empty set stands for requests
    /// without credentials; an empty list says that none are needed. With it come the kinds that are in it.
    pub(super) fn requirement(
        &mut self,
        patterns: &[&Pattern],
        schemas: &Schemas,
    ) -> (Value, Vec<CredentialKind>) {
        let mut sets: BTreeMap<Vec<CredentialKind>, CredentialUse> = BTreeMap::new();
        let mut challenges: BTreeSet<String> = BTreeSet::new();
        for pattern in patterns {
            let Some((host, endpoint)) = schemas.get(&pattern.id) else { continue };
            for (kinds, used) in host.credentials_of(endpoint) {
                let sum = sets.entry(kinds).or_default();
                sum.sent += used.sent;
                sum.accepted += used.accepted;
                sum.refused += used.refused;
            }
            challenges.extend(endpoint.credentials.challenges());
        }
        let without = sets.remove(&Vec::new()).unwrap_or_default();
        let is_any_accepted = sets.values().any(|used| used.accepted > 0);
        let mut sets: Vec<(Vec<CredentialKind>, CredentialUse)> = sets
            .into_iter()
            .filter(|(_, used)| used.accepted > 0 || (!is_any_accepted && without.accepted == 0))
            .collect();
        if sets.is_empty() && without.accepted == 0 && without.refused > 0 {
            let asked = challenges
                .into_iter()
                .map(|scheme| (vec![CredentialKind::Http(scheme)], CredentialUse::default()));
            sets.extend(asked);
        }
        // What more a client sends beside credentials that are enough is not needed.
        let all: Vec<Vec<CredentialKind>> = sets.iter().map(|(kinds, _)| kinds.clone()).collect();
        let is_part = |part: &[CredentialKind], of: &[CredentialKind]| {
            part.len() < of.len() && part.iter().all(|kind| of.contains(kind))
        };
        sets.retain(|(kinds, _)| !all.iter().any(|other| is_part(other, kinds)));
        sets.sort_by(|a, b| b.1.sent.cmp(&a.1.sent).then_with(|| a.0.cmp(&b.0)));
        sets.truncate(MAX_ALTERNATIVES);
        let mut alternatives = Vec::new();
        // Optional where requests without credentials were accepted, even if others were refused.
        if without.accepted > 0 && !sets.is_empty() {
            alternatives.push(json!({}));
        }
        for (kinds, _) in &sets {
            let names = kinds.iter().map(|kind| (self.name_of(kind), json!([])));
            alternatives.push(Value::Object(names.collect()));
        }
        let stated = sets.into_iter().flat_map(|(kinds, _)| kinds).collect();
        (Value::Array(alternatives), stated)
    }

    fn name_of(&mut self, kind: &CredentialKind) -> String {
        let camel = |name: &str| {
            let pascal = pascal_case(name);
            let mut letters = pascal.chars();
            let first = letters.next().map(|first| first.to_ascii_lowercase());
            first.into_iter().chain(letters).collect::<String>()
        };
        let in_place =
            |place: &str, name: &str| json!({ "type": "apiKey", "in": place, "name": name });
        let (name, scheme) = match kind {
            CredentialKind::Http(scheme) if scheme == "bearer" && self.oauth_flows.is_some() => {
                ("oauth2".to_owned(), json!({ "type": "oauth2", "flows": self.oauth_flows }))
            }
            CredentialKind::Http(scheme) => {
                (format!("{scheme}Auth"), json!({ "type": "http", "scheme": scheme }))
            }
            CredentialKind::Authorization => {
                ("authorizationHeader".to_owned(), in_place("header", "Authorization"))
            }
            CredentialKind::Header(name) => (camel(name), in_place("header", name)),
            CredentialKind::Query(name) => {
                (format!("{}Query", camel(name)), in_place("query", name))
            }
            CredentialKind::Cookie(name) => {
                (format!("{}Cookie", camel(name)), in_place("cookie", name))
            }
        };
        let name = if name.starts_with(|first: char| first.is_ascii_alphabetic()) {
            name
        } else {
            format!("key{name}")
        };
        // Names that differ only in what camel case leaves out.
        let mut unique = name;
        while self.schemes.get(&unique).is_some_and(|have| *have != scheme) {
            unique.push('B');
        }
        self.schemes.insert(unique.clone(), scheme);
        unique
    }

    /// All schemes that operations require.
    pub(super) fn into_value(self) -> Map<String, Value> {
        self.schemes.into_iter().collect()
    }
}

/// The URL at which people log in and allow an application to act for them (RFC 6749, section 4.1.1): its query has
/// `response_type` and `client_id`.
fn authorization_url(
    hosts: &[(&str, Vec<&Pattern>)],
    schemas: &Schemas,
    is_of_site: impl Fn(&str) -> bool,
) -> Option<String> {
    hosts.iter().filter(|(host, _)| is_of_site(host)).find_map(|(host, patterns)| {
        let has =
            |pattern: &Pattern, name: &str| pattern.query_params.iter().any(|known| known == name);
        let is_login = |pattern: &&&Pattern| {
            let is_url = !pattern.path_pattern.contains(['{', '[']);
            pattern.method == "GET"
                && is_url
                && has(pattern, "response_type")
                && has(pattern, "client_id")
        };
        let login = patterns.iter().find(is_login)?;
        Some(format!("{}{}", server_url(host, "", patterns, schemas), login.path_pattern))
    })
}

/// The flows of OAuth 2 that requests for tokens show: a form or an object with `grant_type`, answered with an `access_token`.
/// The requests may have gone to another host of the site.
pub(super) fn oauth_flows(
    host: &str,
    hosts: &[(&str, Vec<&Pattern>)],
    schemas: &Schemas,
) -> Option<Value> {
    let mut flows = Map::new();
    let is_of_site = |other: &str| site_of(other) == site_of(host);
    let authorization_url = authorization_url(hosts, schemas, is_of_site);
    let mut refresh_url = None;
    for (other, patterns) in hosts.iter().filter(|(other, _)| is_of_site(other)) {
        for pattern in patterns {
            let Some((graph, endpoint)) = schemas.get(&pattern.id) else { continue };
            let graph = &graph.graph;
            let key_of = |direction: Direction, key: &str| {
                let bodies = endpoint.bodies.iter().filter(|(of, bodies, _)| {
                    of.direction == direction && of.status < 400 && bodies.observed > 0
                });
                let objects = bodies.filter_map(|(_, _, place)| graph.place(*place).object);
                let places = objects.filter_map(|id| graph.object(id).key(key.as_bytes()));
                places.map(|(_, place)| place).next()
            };
            let grant = key_of(Direction::Request, "grant_type");
            let (Some(grant), Some(_)) = (grant, key_of(Direction::Response, "access_token"))
            else {
                continue;
            };
            let url =
                format!("{}{}", server_url(other, "", patterns, schemas), pattern.path_pattern);
            let strings = graph.place(grant).shape.strings.as_deref();
            let kept = strings.into_iter().flat_map(|strings| strings.values.iter());
            for grant in kept {
                let mut stated = json!({ "tokenUrl": url, "scopes": {} });
                let flow = match (&*grant.text, &authorization_url) {
                    ("client_credentials", _) => "clientCredentials",
                    ("password", _) => "password",
                    // Without the URL at which people log in, this flow cannot be stated.
                    ("authorization_code", Some(at)) => {
                        stated["authorizationUrl"] = json!(at);
                        "authorizationCode"
                    }
                    ("refresh_token", at) => {
                        refresh_url = Some(url.clone());
                        let Some(at) = at.as_ref().filter(|_| flows.is_empty()) else { continue };
                        stated["authorizationUrl"] = json!(at);
                        "authorizationCode"
                    }
                    _ => continue,
                };
                flows.insert(flow.to_owned(), stated);
            }
        }
    }
    if let Some(url) = refresh_url {
        flows.values_mut().for_each(|flow| flow["refreshUrl"] = json!(url));
    }
    (!flows.is_empty()).then_some(Value::Object(flows))
}
