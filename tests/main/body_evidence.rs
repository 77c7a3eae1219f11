//! Bodies as evidence: they confirm templates, name parameters and say where values come from.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use api_patterns::{
    Analysis, Body, Captures, Flow, InputFormat, OpenApiOptions, Options, Patterns, ReportOptions,
    Response, analyze, openapi_descriptions,
};

/// Lines of JSON of (method, path, status, body).
fn lines(exchanges: &[(&str, String, u16, String)]) -> Vec<u8> {
    let mut lines = String::new();
    for (method, path, status, body) in exchanges {
        let body = serde_json::to_string(body).unwrap();
        writeln!(
            lines,
            r#"{{"method":"{method}","url":"https://api.example.com{path}","status":{status},"content_type":"application/json","response_body":{body}}}"#
        )
        .unwrap();
    }
    lines.into_bytes()
}

fn analyzed(exchanges: &[(&str, String, u16, String)], bodies: bool) -> Analysis {
    let captures = Captures::from_bytes("lines", lines(exchanges), InputFormat::Detect).unwrap();
    let mut options = Options::default();
    options.bodies = bodies;
    analyze(&captures, &options, &()).unwrap()
}

fn endpoints(analysis: &Analysis) -> Vec<&str> {
    let mut endpoints: Vec<&str> =
        analysis.report.patterns.iter().map(|pattern| &*pattern.endpoint).collect();
    endpoints.sort_unstable();
    endpoints
}

/// A code host with word-like names, as one session has it.
fn code_host() -> Vec<(&'static str, String, u16, String)> {
    let users = ["octocat", "mona", "hubot"];
    let mut exchanges = vec![(
        "GET",
        "/users".to_owned(),
        200,
        r#"[{"id":7001,"login":"octocat"},{"id":7002,"login":"mona"},{"id":7003,"login":"hubot"}]"#
            .to_owned(),
    )];
    for (number, user) in users.iter().enumerate() {
        let id = 7001 + number;
        exchanges.push((
            "GET",
            format!("/users/{user}"),
            200,
            format!(r#"{{"id":{id},"login":"{user}","site_admin":false,"followers":{number}}}"#),
        ));
        exchanges.push((
            "GET",
            format!("/accounts/{id}/keys"),
            200,
            format!(r#"[{{"key":"ssh","title":"t{number}"}}]"#),
        ));
    }
    exchanges.push((
        "GET",
        "/users/search".to_owned(),
        200,
        r#"{"total":0,"incomplete":false,"hits":[]}"#.to_owned(),
    ));
    exchanges
}

#[test]
fn bodies_confirm_templates_and_name_parameters() {
    let exchanges = code_host();
    let analysis = analyzed(&exchanges, true);
    assert_eq!(
        endpoints(&analysis),
        [
            "GET /accounts/{account_id}/keys",
            "GET /users",
            "GET /users/search",
            "GET /users/{login}"
        ]
    );
    let user = analysis.report.patterns.iter().find(|it| it.endpoint == "GET /users/{login}");
    let reasons = user.unwrap().parameters[0].reasons.join("\n");
    let said = "the bodies hold this segment, mostly under `login`, in 3 of 3 requests with JSON";
    assert!(reasons.contains(said), "{reasons}");
}

#[test]
fn collections_of_one_shape_stay_apart() {
    // By their paths, and by a shape in common, they would be values of one parameter.
    let names = ["kundenliste", "auftragsbestand", "lagerorte", "belegarten"];
    let mut exchanges = Vec::new();
    for name in names {
        let list =
            format!(r#"{{"kind":"{name}List","apiVersion":"v1","metadata":{{}},"items":[]}}"#);
        exchanges.push(("GET", format!("/v1/cluster/{name}"), 200, list));
    }
    let analysis = analyzed(&exchanges, true);
    let expected: BTreeSet<String> =
        names.iter().map(|name| format!("GET /v1/cluster/{name}")).collect();
    let found: BTreeSet<String> = endpoints(&analysis).into_iter().map(str::to_owned).collect();
    assert_eq!(found, expected);
}

#[test]
fn parameters_come_from_the_calls_before_them() {
    let exchanges = code_host();
    let analysis = analyzed(&exchanges, true);
    let source = |endpoint: &str| {
        let pattern = analysis.report.patterns.iter().find(|it| it.endpoint == endpoint).unwrap();
        pattern.parameters[0].source.clone().unwrap()
    };
    // The answer to the request itself is not a source.
    let user = source("GET /users/{login}");
    assert_eq!((&*user.endpoint, &*user.key, user.status), ("GET /users", "[].login", 200));
    let account = source("GET /accounts/{account_id}/keys");
    assert_eq!((&*account.endpoint, &*account.key), ("GET /users", "[].id"));
    let schemas = analysis.schemas.as_ref().unwrap();
    let described = openapi_descriptions(&analysis.report, schemas, &OpenApiOptions::default());
    let links = &described[0].1["paths"]["/users"]["get"]["responses"]["200"]["links"];
    assert_eq!(links["getUser"]["operationId"], "getUser");
    assert_eq!(links["getUser"]["parameters"]["login"], "$response.body#/0/login");
    let without = analyzed(&exchanges, false);
    assert!(
        without.report.patterns.iter().flat_map(|it| &it.parameters).all(|it| it.source.is_none())
    );
}

#[test]
fn bodies_that_are_absent_change_nothing() {
    let mut exchanges = code_host();
    exchanges.iter_mut().for_each(|exchange| exchange.3.clear());
    let (with, without) = (analyzed(&exchanges, true), analyzed(&exchanges, false));
    assert_eq!(endpoints(&with), endpoints(&without));
}

#[test]
fn a_state_with_bodies_decides_by_paths_alone_where_it_is_told_to() {
    let (mut with, mut without) = (Patterns::with_bodies(), Patterns::new());
    for (method, path, status, body) in code_host() {
        let url = format!("https://api.example.com{path}");
        let mut flow = Flow::new(method, &url).unwrap();
        let body = Body::decoded(body.as_bytes());
        flow.response = Some(Response { status: status.into(), body, ..Response::default() });
        with.observe(&flow);
        without.observe(&flow);
    }
    let mut options = ReportOptions::default();
    options.paths_alone = true;
    assert_eq!(with.decide(&options).report, without.report());
    assert_ne!(with.report(), without.report());
}

/// A body may have any number of keys that hold the segment, and hold others than the API's.
#[test]
fn bodies_of_strangers_name_nothing_and_cost_little() {
    let many: Vec<String> =
        (0..20_000).map(|at| format!(r#""k{at}":{{"id":"octocat"}}"#)).collect();
    let patient = |id: u32, name: &str| {
        ("GET", format!("/patients/{id}"), 200, format!(r#"{{"{name}":{{"id":{id}}}}}"#))
    };
    let exchanges = [
        // Keys of a map are values, also if one record is asked for again and again.
        patient(10_001, "wilhelmina"),
        patient(10_001, "wilhelmina"),
        patient(10_001, "wilhelmina"),
        patient(10_002, "bob"),
        (
            "GET",
            "/people".to_owned(),
            200,
            r#"{"wilhelmina":{"id":500001},"bob":{"id":500002}}"#.to_owned(),
        ),
        ("GET", "/people/500001".to_owned(), 200, "{}".to_owned()),
        ("GET", "/users/octocat".to_owned(), 200, format!("{{{}}}", many.join(","))),
        ("GET", "/users/mona".to_owned(), 200, r#"{"alice":{"login":"mona"}}"#.to_owned()),
        ("GET", "/users/hubot".to_owned(), 200, "[".repeat(100_000)),
    ];
    let analysis = analyzed(&exchanges, true);
    let report = serde_json::to_string(&analysis.report).unwrap();
    for name in ["alice", "wilhelmina", "bob"] {
        assert!(!report.contains(name), "{name} in {report}");
    }
}
