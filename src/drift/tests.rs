use std::collections::BTreeSet;

use proptest::prelude::*;
use serde_json::{Value, json};

use crate::description::ApiDescription;
use crate::drift::evaluate::{MessageDirection, SchemaMarks, evaluate};
use crate::drift::report::drift_report;
use crate::drift::state::DriftState;
use crate::drift::value::MessageValue;
use crate::finding::{Finding, FindingReport, Severity};
use crate::flow::{Body, Flow, Headers, Response};

/// A description whose one operation answers with this schema.
fn api_of(version: &str, schema: &Value, components: &Value) -> ApiDescription {
    let api = json!({
        "openapi": version,
        "paths": { "/a": { "get": { "responses": { "200": {
            "description": "OK", "content": { "application/json": { "schema": schema } },
        } } } } },
        "components": { "schemas": components },
    });
    ApiDescription::of_text("api.json", &api.to_string()).unwrap()
}

fn is_valid(api: &ApiDescription, value: &Value) -> bool {
    let schema = api.operations[0].responses[0].contents[0].schema.unwrap();
    let text = value.to_string();
    let value = MessageValue::parse(text.as_bytes()).unwrap();
    let mut marks = SchemaMarks::default();
    let found = evaluate(&api.schemas, schema, &value, MessageDirection::Response, &mut marks);
    assert!(!found.is_unfinished);
    assert_eq!(
        found.is_invalid,
        found.issues.iter().any(|issue| issue.rule.name() != "undocumented-property"),
        "{:?}",
        found.issues
    );
    !found.is_invalid
}

fn leaf() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        (-3_i64..4).prop_map(Value::from),
        Just(json!(1.5)),
        "[ab]{0,3}".prop_map(Value::from),
        Just(json!("2024-01-01")),
    ]
}

fn value() -> impl Strategy<Value = Value> {
    leaf().prop_recursive(3, 16, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
            prop::collection::btree_map("[abc]", inner, 0..3)
                .prop_map(|members| members.into_iter().collect::<serde_json::Map<_, _>>().into()),
        ]
    })
}

/// Schemas with every keyword that is evaluated; `#/components/schemas/c` leads to itself.
fn schema() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(json!({})),
        Just(json!({ "type": "string" })),
        Just(json!({ "type": ["integer", "null"] })),
        Just(json!({ "type": "number", "minimum": 0, "exclusiveMaximum": 3 })),
        Just(json!({ "type": "string", "minLength": 1, "maxLength": 2 })),
        Just(json!({ "pattern": "^a" })),
        Just(json!({ "enum": [1, "a", null, [1], { "a": 1.0 }] })),
        Just(json!({ "const": "ab" })),
        Just(json!({ "multipleOf": 2 })),
        Just(json!(false)),
        Just(json!({ "$ref": "#/components/schemas/c" })),
    ];
    leaf.prop_recursive(3, 20, 4, |inner| {
        let names = prop::collection::vec("[abc]", 0..3);
        let object = (
            prop::collection::btree_map("[abc]", inner.clone(), 0..3),
            names,
            prop::option::of(inner.clone()),
        );
        let two = prop::collection::vec(inner.clone(), 1..4);
        prop_oneof![
            object.prop_map(|(properties, required, additional)| {
                let required: BTreeSet<String> = required.into_iter().collect();
                let mut schema = json!({ "properties": properties, "required": required });
                if let Some(additional) = additional {
                    schema["additionalProperties"] = additional;
                }
                schema
            }),
            inner.clone().prop_map(|items| json!({ "type": "array", "items": items })),
            (inner.clone(), inner.clone()).prop_map(|(first, rest)| {
                json!({ "prefixItems": [first], "items": rest, "maxItems": 2 })
            }),
            inner.clone().prop_map(|of| json!({ "contains": of, "uniqueItems": true })),
            two.clone().prop_map(|of| json!({ "allOf": of })),
            two.clone().prop_map(|of| json!({ "anyOf": of })),
            two.prop_map(|of| json!({ "oneOf": of })),
            inner.clone().prop_map(|of| json!({ "not": of })),
            (inner.clone(), inner.clone(), inner.clone())
                .prop_map(|(a, b, c)| json!({ "if": a, "then": b, "else": c })),
            inner.clone().prop_map(|of| json!({ "propertyNames": of, "minProperties": 1 })),
            inner.prop_map(|of| json!({ "patternProperties": { "^a": of },
                "dependentRequired": { "a": ["b"] } })),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1500))]

    /// The verdict is that of an independent validator.
    #[test]
    fn verdicts_equal_those_of_a_validator(schema in schema(), values in prop::collection::vec(value(), 4)) {
        let component = json!({ "type": ["object", "string"],
            "properties": { "a": { "$ref": "#/components/schemas/c" } } });
        let api = api_of("3.1.0", &schema, &json!({ "c": component }));
        let whole = json!({ "components": { "schemas": { "c": component } }, "allOf": [schema] });
        let validator = jsonschema::draft202012::new(&whole).unwrap();
        for value in &values {
            prop_assert_eq!(is_valid(&api, value), validator.is_valid(value), "{} {}", schema, value);
        }
    }

    /// Any order and split of the flows gives the same report.
    #[test]
    fn states_merge_in_any_order(
        bodies in prop::collection::vec((0_u8..4, value()), 1..12),
        at in 0_usize..12,
    ) {
        let api = api_of("3.1.0", &json!({ "required": ["a"],
            "properties": { "a": { "type": "string" }, "b": { "enum": ["a"] } } }), &json!({}));
        let observe = |bodies: &[(u8, Value)]| {
            let mut state = DriftState::default();
            for (number, body) in bodies {
                observe_body(&mut state, &api, &format!("https://h.example/{}", ["a", "b", "a?x=1", "c/7"][usize::from(*number)]), 200, body);
            }
            state
        };
        let whole = report_of(&api, &observe(&bodies));
        let mut reversed = bodies.clone();
        reversed.reverse();
        let (first, second) = reversed.split_at(at.min(bodies.len()));
        let mut merged = observe(first);
        merged.merge(observe(second));
        prop_assert_eq!(report_of(&api, &merged), whole);
    }

    /// Descriptions that nobody vouches for neither panic nor hang.
    #[test]
    fn any_json_is_a_description_or_an_error(paths in value(), schema in value(), seen in value()) {
        let api = json!({ "openapi": "3.1.0", "paths": { "/a": { "get": paths, "post": { "parameters": [schema] } } },
            "components": { "schemas": { "a": schema } }, "security": schema, "servers": schema });
        if let Ok(api) = ApiDescription::of_text("api.json", &api.to_string()) {
            let mut state = DriftState::default();
            observe_body(&mut state, &api, "https://h.example/a", 200, &seen);
            report_of(&api, &state);
        }
    }
}

fn observe_body(
    state: &mut DriftState,
    api: &ApiDescription,
    url: &str,
    status: i64,
    body: &Value,
) {
    let text = body.to_string();
    let mut flow = Flow::new("GET", url).unwrap();
    let headers: [(&[u8], Option<&[u8]>); 1] = [(b"content-type", Some(b"application/json"))];
    flow.response = Some(Response {
        status,
        headers: Headers::new(&headers),
        body: Body::decoded(text.as_bytes()),
        ..Response::default()
    });
    state.observe(api, &flow);
}

fn report_of(api: &ApiDescription, state: &DriftState) -> FindingReport {
    let options = crate::ReportOptions::default();
    let documented = state.documented.decide(&options).report;
    let undocumented = state.undocumented.decide(&options).report;
    drift_report(api, state, &documented, &undocumented)
}

/// The findings of one body.
fn findings(schema: &Value, body: &Value) -> Vec<(String, String)> {
    let api = api_of("3.1.0", schema, &json!({}));
    let mut state = DriftState::default();
    observe_body(&mut state, &api, "https://h.example/a", 200, body);
    let found = report_of(&api, &state).findings;
    found.into_iter().map(|finding: Finding| (finding.rule, finding.place)).collect()
}

#[test]
fn one_cause_is_one_finding() {
    let one = |schema: Value, body: Value| {
        let found = findings(&schema, &body);
        assert_eq!(found.len(), 1, "{found:?}");
        found.into_iter().next().unwrap()
    };
    let is = |rule: &str, place: &str| (rule.to_owned(), place.to_owned());
    let pet = json!({ "oneOf": [
        { "type": "object", "properties": { "kind": { "const": "cat" }, "lives": { "type": "integer" } }, "required": ["kind", "lives"] },
        { "type": "object", "properties": { "kind": { "const": "dog" }, "breed": { "type": "string" } }, "required": ["kind", "breed"] },
    ] });
    assert_eq!(
        one(pet.clone(), json!({ "kind": "cat", "lives": "nine" })),
        is("wrong-kind", "response 200 lives")
    );
    assert_eq!(
        one(pet.clone(), json!({ "kind": "dog" })),
        is("missing-required", "response 200 breed")
    );
    assert_eq!(one(pet, json!(null)).0, "null-not-allowed");
    let list =
        json!({ "type": "array", "items": { "properties": { "id": { "type": "integer" } } } });
    assert_eq!(
        one(list.clone(), json!([{ "id": 1 }, { "id": null }, { "id": null }])),
        is("null-not-allowed", "response 200 [].id")
    );
    assert_eq!(
        one(list, json!([{ "id": 1, "name": "x" }])),
        is("undocumented-property", "response 200 [].name")
    );
    let both = json!({ "anyOf": [{ "properties": { "a": {} } }, { "properties": { "b": {} } }] });
    assert!(findings(&both, &json!({ "a": 1, "b": 2 })).is_empty());
    let closed = json!({ "properties": { "a": {} }, "additionalProperties": false });
    assert_eq!(one(closed, json!({ "b": 2 })), is("forbidden-property", "response 200 b"));
    let map = json!({ "additionalProperties": { "type": "integer" } });
    assert_eq!(one(map, json!({ "k1": 2, "k2": "x" })), is("wrong-kind", "response 200 {}"));
}

#[test]
fn early_dialects_are_read_as_everybody_means_them() {
    let cat = json!({ "c": { "type": "object" } });
    let nullable = json!({ "allOf": [{ "$ref": "#/components/schemas/c" }], "nullable": true });
    assert!(is_valid(&api_of("3.0.3", &nullable, &cat), &Value::Null));
    assert!(!is_valid(&api_of("3.1.0", &nullable, &cat), &Value::Null));
    let bound = json!({ "minimum": 3, "exclusiveMinimum": true });
    assert!(!is_valid(&api_of("3.0.3", &bound, &cat), &json!(3)));
}

#[test]
fn hostile_schemas_end() {
    // Doubles with each level, and leads to itself.
    let mut components = serde_json::Map::new();
    for level in 0..40 {
        let next = json!({ "$ref": format!("#/components/schemas/s{}", level + 1) });
        components.insert(format!("s{level}"), json!({ "allOf": [next, next] }));
    }
    components
        .insert("s40".to_owned(), json!({ "anyOf": [{ "$ref": "#/components/schemas/s0" }] }));
    let api = api_of("3.1.0", &json!({ "$ref": "#/components/schemas/s0" }), &components.into());
    let mut state = DriftState::default();
    observe_body(&mut state, &api, "https://h.example/a", 200, &json!({ "a": [1, 2] }));
    assert_eq!(state.counts.unjudged_bodies, 1);
    let huge = json!({ "pattern": "(a{1000}){1000}" });
    let api = api_of("3.1.0", &huge, &json!({}));
    assert!(api.notes()[0].contains("not checked"), "{:?}", api.notes());
}

#[test]
fn findings_are_counted_once_for_an_exchange_and_have_no_value() {
    let api = api_of("3.1.0", &json!({ "items": { "type": "integer" } }), &json!({}));
    let mut state = DriftState::default();
    for _ in 0..3 {
        observe_body(&mut state, &api, "https://h.example/a", 200, &json!(["hunter2", "hunter2"]));
    }
    observe_body(&mut state, &api, "https://h.example/a", 200, &json!([1]));
    let report = report_of(&api, &state);
    let finding = &report.findings[0];
    assert_eq!((finding.count, finding.of), (Some(3), Some(4)));
    assert_eq!(report.worst(), Some(Severity::Error));
    assert!(!serde_json::to_string(&report).unwrap().contains("hunter2"));
}

/// The findings of requests against a description: rule and place.
fn of_requests(
    api: &str,
    requests: &[(&str, &str, Option<(&str, &str)>)],
) -> Vec<(String, String)> {
    let api = ApiDescription::of_text("api.yaml", api).unwrap();
    let mut state = DriftState::new();
    for (method, url, body) in requests {
        let mut flow = Flow::new(method, url).unwrap();
        let headers: [(&[u8], Option<&[u8]>); 2] = [
            (b"content-type", body.map(|(media_type, _)| media_type.as_bytes())),
            (b"access-control-request-method", (*method == "OPTIONS").then_some(b"GET")),
        ];
        let headers: Vec<_> = headers.into_iter().filter(|header| header.1.is_some()).collect();
        flow.request_headers = Headers::new(&headers);
        if let Some((_, text)) = body {
            flow.request_body = Body::decoded(text.as_bytes());
        }
        flow.response = Some(Response { status: 200, ..Response::default() });
        state.observe(&api, &flow);
    }
    let report = report_of(&api, &state);
    report.findings.into_iter().map(|found| (found.rule, found.place)).collect()
}

#[test]
fn parameters_are_read_in_every_style() {
    const API: &str = r"
openapi: 3.1.0
paths:
  /m/{m}/l/{l}/o/{o}:
    get:
      parameters:
        - {name: m, in: path, required: true, style: matrix, explode: true, schema: {type: array, items: {type: integer}}}
        - {name: l, in: path, required: true, style: label, schema: {type: array, items: {type: integer}}}
        - {name: o, in: path, required: true, explode: true, schema: {type: object, properties: {r: {type: integer}}}}
        - {name: q, in: query, explode: false, schema: {type: object, properties: {r: {type: integer}, g: {type: integer}}}}
        - {name: flag, in: query, allowEmptyValue: true, schema: {type: boolean}}
      responses: {'200': {description: OK}}
";
    let good = "https://a.example/m/;m=1;m=2/l/.5.6/o/r=1?q=r,1,g,2&flag=";
    assert_eq!(of_requests(API, &[("GET", good, None)]), []);
    let bad = "https://a.example/m/;m=1;m=x/l/.5.y/o/r=z?q=r,1,g,w&flag=no";
    let found = of_requests(API, &[("GET", bad, None)]);
    let places: Vec<&str> = found.iter().map(|(_, place)| &**place).collect();
    assert!(found.iter().all(|(rule, _)| rule == "wrong-kind"), "{found:?}");
    assert_eq!(places, ["path l []", "path m []", "path o r", "query flag", "query q g"]);
}

#[test]
fn fields_of_forms_of_swagger_are_judged() {
    const API: &str = r"
swagger: '2.0'
paths:
  /f:
    post:
      consumes: [application/x-www-form-urlencoded]
      parameters:
        - {name: name, in: formData, type: string, required: true}
        - {name: age, in: formData, type: integer}
        - {name: ids, in: formData, type: array, items: {type: integer}}
      responses: {200: {description: OK}}
";
    let form = |text| Some(("application/x-www-form-urlencoded", text));
    let url = "https://a.example/f";
    assert_eq!(of_requests(API, &[("POST", url, form("name=x&age=7&ids=1,2"))]), []);
    let found = of_requests(API, &[("POST", url, form("age=x&other=1"))]);
    let rules: Vec<&str> = found.iter().map(|(rule, _)| &**rule).collect();
    assert_eq!(rules, ["missing-required", "wrong-kind", "undocumented-property"]);
}

#[test]
fn preflights_and_head_are_no_other_methods_and_assets_are_told_apart() {
    const API: &str = r"
openapi: 3.1.0
servers: [{url: 'https://a.example'}]
paths:
  /a: {get: {responses: {'200': {description: OK}}}}
";
    let url = "https://a.example/a";
    assert_eq!(of_requests(API, &[("OPTIONS", url, None), ("HEAD", url, None)]), []);
    let found =
        of_requests(API, &[("DELETE", url, None), ("GET", "https://a.example/x.css", None)]);
    let rules: Vec<&str> = found.iter().map(|(rule, _)| &**rule).collect();
    assert_eq!(rules, ["undocumented-method", "undocumented-asset"]);
}

#[test]
fn text_that_is_not_json_is_told_and_text_that_is_cut_off_is_not() {
    let api = r"
openapi: 3.1.0
paths:
  /a:
    post:
      requestBody: {content: {application/json: {schema: {type: object}}}}
      responses: {'200': {description: OK}}
";
    let json = |text| [("POST", "https://a.example/a", Some(("application/json", text)))];
    for text in ["<html></html>", "{bad: 1}"] {
        let found = of_requests(api, &json(text));
        assert_eq!(found, [("malformed-body".to_owned(), "request body".to_owned())], "{text}");
    }
    for text in ["{\"a\": [1, 2", "{}", "{\"a\": -", "{\"a\": 1.", "{\"a\": 1}\n{\"a\": 2}"] {
        assert_eq!(of_requests(api, &json(text)), [], "{text}");
    }
}

#[test]
fn descriptions_are_yaml_of_version_1_2() {
    let api = "openapi: 3.1.0\npaths:\n  /a:\n    get:\n      parameters: [{name: y, in: query, required: true, schema: {enum: [NO, yes]}}]\n      responses: {'200': {description: OK}}\n";
    assert_eq!(of_requests(api, &[("GET", "https://a.example/a?y=NO", None)]), []);
    let found = of_requests(api, &[("GET", "https://a.example/a?y=maybe", None)]);
    assert_eq!(found, [("outside-enum".to_owned(), "query y".to_owned())]);
}

#[test]
fn text_that_is_no_object_gives_no_names_and_json_in_one_is_read() {
    const API: &str = r"
openapi: 3.1.0
paths:
  /a:
    get:
      parameters:
        - {name: filter, in: query, explode: false, schema: {type: object, properties: {r: {type: integer}}}}
        - {name: closed, in: query, explode: false, schema: {type: object, additionalProperties: false}}
      responses: {'200': {description: OK}}
";
    let json = "https://a.example/a?filter=%7B%22r%22%3A1%7D";
    assert_eq!(of_requests(API, &[("GET", json, None)]), []);
    let found = of_requests(API, &[("GET", "https://a.example/a?closed=letmein,hunter", None)]);
    assert_eq!(found, [("wrong-kind".to_owned(), "query closed".to_owned())]);
}
