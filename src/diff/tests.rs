use proptest::prelude::*;
use serde_json::{Value, json};

use super::{DiffOptions, DiffSide, diff};
use crate::description::ApiDescription;
use crate::finding::{FindingReport, Severity};
use crate::flow::{Body, Flow, Headers, Response};
use crate::patterns::Patterns;

fn observe(patterns: &mut Patterns, method: &str, url: &str, status: i64, body: &Value) {
    let text = body.to_string();
    let headers: [(&[u8], Option<&[u8]>); 1] = [(b"content-type", Some(b"application/json"))];
    let mut flow = Flow::new(method, url).unwrap();
    flow.response = Some(Response {
        status,
        headers: Headers::new(&headers),
        body: Body::decoded(text.as_bytes()),
        ..Response::default()
    });
    patterns.observe(&flow);
}

/// A state of so many answers, each made by a function of its number.
fn state(count: u64, body: impl Fn(u64) -> Value) -> Patterns {
    let mut patterns = Patterns::with_bodies();
    for number in 0..count {
        let url = format!("https://h.example/users/{}", 100 + number);
        observe(&mut patterns, "GET", &url, 200, &body(number));
    }
    patterns
}

fn between(before: &Patterns, after: &Patterns) -> FindingReport {
    let sides = (DiffSide::Observed(before), DiffSide::Observed(after));
    diff(sides.0, sides.1, &DiffOptions::default())
}

fn rules(report: &FindingReport) -> Vec<(&str, &str)> {
    report.findings.iter().map(|found| (&*found.rule, &*found.place)).collect()
}

#[test]
fn what_changed_between_captures_is_found() {
    let user = |number: u64| json!({ "id": number, "name": "x", "tags": ["a"], "at": "2024-01-01T00:00:00Z" });
    let before = state(40, user);
    assert!(rules(&between(&before, &state(40, user))).is_empty());
    let without =
        state(40, |number| json!({ "id": number, "tags": ["a"], "at": "2024-01-01T00:00:00Z" }));
    assert_eq!(
        rules(&between(&before, &without)),
        [("response-property-removed", "response 200 name")]
    );
    assert_eq!(
        rules(&between(&without, &before)),
        [("response-property-added", "response 200 name")]
    );
    let nullable = state(40, |number| {
        let name = if number % 2 == 0 { Value::Null } else { json!("x") };
        json!({ "id": number.to_string(), "name": name, "tags": [], "at": "yesterday" })
    });
    let report = between(&before, &nullable);
    assert_eq!(
        rules(&report),
        [
            ("response-became-nullable", "response 200 name"),
            ("response-type-widened", "response 200 id"),
            ("format-changed", "response 200 at"),
            ("response-type-narrowed", "response 200 id"),
        ]
    );
    assert_eq!(report.worst(), Some(Severity::Error));
    let optional = state(40, |number| {
        let mut user = user(number);
        if number % 3 == 0 {
            user.as_object_mut().unwrap().shift_remove("name");
        }
        user
    });
    assert_eq!(
        rules(&between(&before, &optional)),
        [("response-property-became-optional", "response 200 name")]
    );
}

#[test]
fn what_was_merely_not_seen_is_left_out() {
    let before = state(40, |number| {
        if number == 0 { json!({ "id": 1, "rare": true }) } else { json!({ "id": number }) }
    });
    let after = state(40, |number| json!({ "id": number }));
    let report = between(&before, &after);
    assert!(rules(&report).is_empty());
    assert_eq!(report.totals["unlikely_changes"], 1);
    // Items of one answer are not as many answers.
    let before = state(1, |_| (0..50).map(|id| json!({ "id": id, "name": "x" })).collect());
    let after = state(1, |_| (0..50).map(|id| json!({ "id": id })).collect());
    assert!(rules(&between(&before, &after)).is_empty());
    let options = DiffOptions { min_confidence: 0.0, ..DiffOptions::default() };
    let all = diff(DiffSide::Observed(&before), DiffSide::Observed(&after), &options);
    assert_eq!(rules(&all), [("response-property-removed", "response 200 [].name")]);
    assert!(all.findings[0].confidence.unwrap() < 0.9);
}

fn api(text: &str) -> ApiDescription {
    ApiDescription::of_text("api.yaml", text).unwrap()
}

const BEFORE: &str = r"
openapi: 3.1.0
components:
  schemas:
    User:
      type: object
      required: [id, name]
      properties:
        id: {type: integer}
        name: {type: string}
        state: {enum: [on, off]}
        friends: {type: array, items: {$ref: '#/components/schemas/User'}}
paths:
  /users/{id}:
    get:
      parameters: [{name: limit, in: query, schema: {type: integer}}]
      responses: {'200': {description: OK, content: {application/json: {schema: {$ref: '#/components/schemas/User'}}}}}
    put:
      requestBody: {content: {application/json: {schema: {$ref: '#/components/schemas/User'}}}}
      responses: {'204': {description: OK}}
  /old:
    get: {responses: {'200': {description: OK}}}
";

#[test]
fn changes_of_descriptions_are_certain_and_have_one_cause() {
    let after = BEFORE
        .replace("required: [id, name]", "required: [id, state]")
        .replace("enum: [on, off]", "enum: [on, off, paused]")
        .replace("name: limit, in: query", "name: limit, in: query, required: true")
        .replace("{user_id}", "{id}")
        .replace("/old:", "/new:");
    let (before, after) = (api(BEFORE), api(&after));
    let report =
        diff(DiffSide::Described(&before), DiffSide::Described(&after), &DiffOptions::default());
    let found: Vec<(&str, &str, Option<usize>)> = report
        .findings
        .iter()
        .map(|found| {
            (&*found.rule, &*found.operation, found.location.as_ref().and_then(|place| place.line))
        })
        .collect();
    assert_eq!(
        found,
        [
            ("endpoint-removed", "GET /old", Some(22)),
            ("parameter-became-required", "GET /users/{id}", Some(16)),
            ("request-property-became-required", "PUT /users/{id}", Some(11)),
            ("response-property-became-optional", "GET /users/{id}", Some(10)),
            ("response-enum-value-added", "GET /users/{id}", Some(11)),
            ("endpoint-added", "GET /new", Some(22)),
            ("request-enum-value-added", "PUT /users/{id}", Some(11)),
            ("request-property-became-optional", "PUT /users/{id}", Some(10)),
            ("response-property-became-required", "GET /users/{id}", Some(11)),
        ]
    );
    assert!(report.findings.iter().all(|found| found.confidence.is_none()));
    let same =
        diff(DiffSide::Described(&before), DiffSide::Described(&before), &DiffOptions::default());
    assert!(same.findings.is_empty());
}

#[test]
fn captures_are_compared_with_descriptions() {
    let api = api(BEFORE);
    let seen = state(10, |number| json!({ "id": number.to_string(), "extra": 1 }));
    let report =
        diff(DiffSide::Described(&api), DiffSide::Observed(&seen), &DiffOptions::default());
    assert_eq!(
        rules(&report),
        [
            ("response-property-removed", "response 200 name"),
            ("response-type-widened", "response 200 id"),
            ("response-property-added", "response 200 extra"),
        ]
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    /// A side does not differ from itself, and both directions find changes at the same places.
    #[test]
    fn a_comparison_is_symmetric(left in prop::collection::vec(0_u8..6, 1..30), right in prop::collection::vec(0_u8..6, 1..30)) {
        let state = |kinds: &[u8]| {
            let body = |kind: u8| match kind {
                0 => json!({ "a": 1 }),
                1 => json!({ "a": "x", "b": [1] }),
                2 => json!({ "b": [{ "c": null }] }),
                3 => json!([1, 2]),
                4 => json!(null),
                _ => json!({ "a": null, "d": { "e": 1.5 } }),
            };
            state(kinds.len() as u64, |number| body(kinds[usize::try_from(number).unwrap()]))
        };
        let (left, right) = (state(&left), state(&right));
        prop_assert!(between(&left, &left).findings.is_empty());
        let removed = between(&left, &right);
        let added = between(&right, &left);
        let of = |report: &FindingReport, rule: &str| {
            let places = report.findings.iter().filter(|found| found.rule == rule).map(|found| found.place.clone());
            places.collect::<Vec<_>>()
        };
        prop_assert_eq!(of(&removed, "response-property-removed"), of(&added, "response-property-added"));
    }
}

/// A description with one operation, whose answer and query are stated in JSON.
fn described(response: &Value, parameters: &Value) -> ApiDescription {
    let api = json!({
        "openapi": "3.1.0",
        "servers": [{ "url": "https://h.example" }],
        "paths": { "/users/{id}": { "get": {
            "parameters": parameters,
            "responses": { "200": { "description": "OK", "content": { "application/json": { "schema": response } } } },
        } } },
        "components": {
            "securitySchemes": { "key": { "type": "apiKey", "in": "query", "name": "appid" } },
            "schemas": { "Tree": { "type": "object", "properties": {
                "id": {}, "children": { "type": "array", "items": { "$ref": "#/components/schemas/Tree" } },
            } } },
        },
        "security": [{ "key": [] }],
    });
    ApiDescription::of_text("api.json", &api.to_string()).unwrap()
}

fn with_description(api: &ApiDescription, seen: &Patterns) -> Vec<(String, String)> {
    let options = DiffOptions::default();
    let after = diff(DiffSide::Described(api), DiffSide::Observed(seen), &options);
    let before = diff(DiffSide::Observed(seen), DiffSide::Described(api), &options);
    let both = after.findings.iter().chain(&before.findings);
    both.map(|found| (found.rule.clone(), found.place.clone())).collect()
}

#[test]
fn what_a_description_has_one_place_for_does_not_differ_from_it() {
    let files = json!({ "type": "object", "properties": {
        "files": { "type": "object", "additionalProperties": { "type": "object", "properties": { "size": { "type": "integer" } } } },
        "tree": { "$ref": "#/components/schemas/Tree" },
        "free": { "type": "object" },
    } });
    let parameters = json!([
        { "name": "filter", "in": "query", "style": "deepObject", "schema": { "type": "object" } },
        { "name": "page", "in": "query", "schema": { "type": "object", "properties": { "limit": {} } } },
    ]);
    let api = described(&files, &parameters);
    let mut seen = Patterns::with_bodies();
    for number in 0..40 {
        let url =
            format!("https://h.example/users/{number}?filter[a]=1&filter[b]=2&limit=7&appid=x");
        let tree = json!({ "id": 1, "children": [{ "id": 2, "children": [{ "id": 3, "children": [] }] }] });
        let mut body = json!({ "files": {}, "tree": tree, "free": { "any": 1 } });
        body["files"][format!("file{}", number % 5)] = json!({ "size": number });
        observe(&mut seen, "GET", &url, 200, &body);
    }
    assert_eq!(with_description(&api, &seen), []);
    // ... and what is wrong inside of them is found, at the place that the description has.
    let mut seen = Patterns::with_bodies();
    for number in 0..40 {
        let url = format!("https://h.example/users/{number}?appid=x");
        let body = json!({ "files": { format!("file{}", number % 5): { "size": "big" } } });
        observe(&mut seen, "GET", &url, 200, &body);
    }
    let after = diff(DiffSide::Described(&api), DiffSide::Observed(&seen), &DiffOptions::default());
    assert_eq!(rules(&after), [("response-type-widened", "response 200 files.*.size")]);
}

#[test]
fn hosts_that_a_description_does_not_have_are_not_compared() {
    let api = described(&json!({ "type": "object" }), &json!([]));
    let mut seen = Patterns::with_bodies();
    for number in 0..40 {
        let url = format!("https://other.example/things/{number}");
        observe(&mut seen, "GET", &url, 200, &json!({ "id": number }));
    }
    let report =
        diff(DiffSide::Observed(&seen), DiffSide::Described(&api), &DiffOptions::default());
    assert!(!rules(&report).contains(&("endpoint-removed", "")));
    assert!(report.notes.iter().any(|note| note.contains("other.example")), "{:?}", report.notes);
}

#[track_caller]
fn check_edit(before: &str, old: &str, new: &str, expected: &[(&str, &str)]) {
    let after = before.replace(old, new);
    assert_ne!(before, after, "{old}");
    let (before, after) = (api(before), api(&after));
    let report =
        diff(DiffSide::Described(&before), DiffSide::Described(&after), &DiffOptions::default());
    let found: Vec<(&str, &str)> =
        report.findings.iter().map(|found| (&*found.rule, found.severity.name())).collect();
    assert_eq!(found, expected, "{new}");
}

#[test]
fn limits_bodies_servers_and_credentials_of_descriptions_are_compared() {
    const API: &str = r"
openapi: 3.1.0
servers: [{url: 'https://h.example/v1'}]
security: [{k: []}]
components:
  securitySchemes: {k: {type: apiKey, in: header, name: x-key}, o: {type: apiKey, in: header, name: x-other}}
paths:
  /a:
    post:
      requestBody:
        content:
          application/json: {schema: {type: object, properties: {n: {type: integer, maximum: 9}, s: {type: string, pattern: '^a'}}}}
          text/csv: {schema: {type: string}}
      responses: {'200': {description: OK, content: {application/json: {schema: {type: object, required: [id, name], properties: {id: {}, name: {type: string, maxLength: 9}}}}, text/csv: {schema: {type: string}}}}}
";
    check_edit(API, "maximum: 9", "maximum: 5", &[("request-limit-narrowed", "error")]);
    check_edit(API, "maximum: 9", "maximum: 10", &[("request-limit-widened", "info")]);
    check_edit(API, "'^a'", "'^b'", &[("request-limit-narrowed", "error")]);
    check_edit(API, "maxLength: 9", "maxLength: 20", &[("response-limit-widened", "warning")]);
    check_edit(
        API,
        "properties: {n:",
        "additionalProperties: false, properties: {n:",
        &[("request-limit-narrowed", "error")],
    );
    check_edit(
        API,
        "requestBody:\n",
        "requestBody:\n        required: true\n",
        &[("request-body-became-required", "error")],
    );
    check_edit(API, "/v1", "/v2", &[("servers-changed", "error")]);
    let (one, other) =
        (api(API), api(&API.replace("https://h.example/v1", "HTTPS://H.example:443/v1/")));
    let sides = (DiffSide::Described(&one), DiffSide::Described(&other));
    assert!(diff(sides.0, sides.1, &DiffOptions::default()).findings.is_empty());
    check_edit(API, "[{k: []}]", "[{k: [], o: []}]", &[("security-added", "error")]);
    // Another media type of the answer neither hides a change nor makes one.
    check_edit(API, "[id, name]", "[id]", &[("response-property-became-optional", "error")]);
    check_edit(
        API,
        ", text/csv: {schema: {type: string}}}}}\n",
        "}}}\n",
        &[("response-media-type-removed", "error")],
    );
}
