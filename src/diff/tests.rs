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
