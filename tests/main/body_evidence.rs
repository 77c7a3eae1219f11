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

/// The sources of the parameters of an endpoint: (endpoint, key).
fn sources(
    exchanges: &[(&str, String, u16, String)],
    endpoint: &str,
) -> Vec<Option<(String, String)>> {
    let analysis = analyzed(exchanges, true);
    let found = endpoints(&analysis).join(", ");
    let pattern = analysis.report.patterns.iter().find(|it| it.endpoint == endpoint);
    let pattern = pattern.unwrap_or_else(|| panic!("{endpoint} is not among {found}"));
    let of_path = pattern.parameters.iter().filter(|parameter| parameter.location == "path");
    of_path
        .map(|parameter| parameter.source.as_ref().map(|it| (it.endpoint.clone(), it.key.clone())))
        .collect()
}

fn from(endpoint: &str, key: &str) -> (String, String) {
    (endpoint.to_owned(), key.to_owned())
}

fn get(path: String, body: String) -> (&'static str, String, u16, String) {
    ("GET", path, 200, body)
}

/// A list of objects with these values at a key.
fn list_of(key: &str, values: impl Iterator<Item = String>) -> String {
    let items: Vec<String> = values.map(|value| format!(r#"{{"{key}":{value}}}"#)).collect();
    format!("[{}]", items.join(","))
}

#[test]
fn small_numbers_of_unrelated_things_are_no_sources() {
    let mut exchanges =
        vec![get("/users".to_owned(), list_of("id", (1..=20).map(|id| id.to_string())))];
    exchanges.extend((1..=15).map(|id| get(format!("/invoices/{id}"), "{}".to_owned())));
    assert_eq!(sources(&exchanges, "GET /invoices/{invoice_id}"), [None]);
}

#[test]
fn items_of_a_list_may_have_the_numbers_of_their_parents() {
    let mut exchanges = Vec::new();
    for order in 1..=20 {
        let items = list_of("id", (0..2).map(|item| (order * 2 + item).to_string()));
        exchanges.push(get(format!("/orders/{order}/items"), items));
    }
    exchanges.extend((2..=15).map(|id| get(format!("/items/{id}"), "{}".to_owned())));
    let expected = [Some(from("GET /orders/{order_id}/items", "[].id"))];
    assert_eq!(sources(&exchanges, "GET /items/{item_id}"), expected);
}

#[test]
fn ids_with_prefixes_and_ids_under_other_keys_have_sources() {
    let sku = |number: u32| format!("KIT-{:04}", 37 * number + 11);
    let mut exchanges = vec![get(
        "/products".to_owned(),
        list_of("sku", (0..20).map(|it| format!("\"{}\"", sku(it)))),
    )];
    exchanges.extend((0..20).map(|it| get(format!("/products/{}", sku(it)), "{}".to_owned())));
    let analysis = analyzed(&exchanges, true);
    let one = analysis.report.patterns.iter().find(|it| !it.path_params.is_empty()).unwrap();
    assert_eq!(one.parameters[0].source.as_ref().unwrap().key, "[].sku");

    let customer = |number: u32| format!("cus_9s6X{number:04}NRiz8i3");
    let mut exchanges: Vec<_> = (0..12)
        .map(|it| {
            ("POST", "/orders".to_owned(), 201, format!(r#"{{"customer":"{}"}}"#, customer(it)))
        })
        .collect();
    exchanges
        .extend((0..12).map(|it| get(format!("/customers/{}", customer(it)), "{}".to_owned())));
    let expected = [Some(from("POST /orders", "customer"))];
    assert_eq!(sources(&exchanges, "GET /customers/{customer_id}"), expected);
}

/// Two calls that begin with values of their own have the source of the calls beside them, at one place of the path.
#[test]
fn a_parameter_has_one_source_at_one_place_of_paths() {
    let app = |number: u32| 1_000_000 + 7_919 * number;
    let mut exchanges: Vec<_> = (0..90)
        .map(|it| ("POST", "/apps".to_owned(), 201, format!(r#"{{"id":{}}}"#, app(it))))
        .collect();
    exchanges.extend((0..90).map(|it| get(format!("/apps/{}", app(it)), "{}".to_owned())));
    exchanges.extend((0..3).map(|it| get(format!("/apps/{}/grants", app(it)), "[]".to_owned())));
    let expected = [Some(from("POST /apps", "id"))];
    assert_eq!(sources(&exchanges, "GET /apps/{app_id}"), expected);
    assert_eq!(sources(&exchanges, "GET /apps/{app_id}/grants"), expected);
}

/// The parameters of one path come from one answer, if it has values of both.
#[test]
fn an_owner_and_a_name_come_from_the_list_that_has_both() {
    let owners = ["jqnatividad", "mholt", "sharkdp", "BurntSushi", "dtolnay", "antirez"];
    let names = [
        "xsv-tools",
        "Kamal.js",
        "hexyl9",
        "rg_all",
        "qx-2",
        "thiserr",
        "bat",
        "tokei7",
        "fd-find2",
        "zq",
        "lz4x",
        "erd1s",
    ];
    let owner = |it: u32| owners[it as usize % owners.len()];
    let name = |it: u32| names[it as usize % names.len()];
    let repository =
        |it: u32| format!(r#"{{"name":"{}","owner":{{"login":"{}"}}}}"#, name(it), owner(it));
    let all: Vec<String> = (0..24).map(repository).collect();
    let gist = |it: u32| format!(r#"{{"id":{},"owner":{{"login":"{}"}}}}"#, 900 + it, owner(it));
    let gists: Vec<String> = (0..4).map(gist).collect();
    let mut exchanges = vec![
        get("/gists".to_owned(), format!("[{}]", gists.join(","))),
        get("/user/repos".to_owned(), format!("[{}]", all.join(","))),
    ];
    exchanges.extend(
        (0..24).map(|it| get(format!("/repos/{}/{}", owner(it), name(it)), repository(it))),
    );
    let found = sources(&exchanges, "GET /repos/{owner}/{repo_name}");
    let expected =
        [Some(from("GET /user/repos", "[].owner.login")), Some(from("GET /user/repos", "[].name"))];
    assert_eq!(found, expected);
}

/// An object without an id of its own is identified by that of its part.
#[test]
fn an_id_may_stand_in_a_part_of_the_object() {
    let id = |number: u32| format!("5KHX{number:03}WlmxvntrrB09");
    let item = |it: u32| format!(r#"{{"sys":{{"id":"{}"}},"fields":{{"title":"x"}}}}"#, id(it));
    let all: Vec<String> = (0..20).map(item).collect();
    let mut exchanges =
        vec![get("/entries".to_owned(), format!(r#"{{"items":[{}]}}"#, all.join(",")))];
    exchanges.extend((0..20).map(|it| get(format!("/entries/{}", id(it)), item(it))));
    let expected = [Some(from("GET /entries", "items[].sys.id"))];
    assert_eq!(sources(&exchanges, "GET /entries/{entry_id}"), expected);
}

#[test]
fn two_endpoints_are_not_the_source_of_each_other() {
    let (user, order) = (
        |number: u32| format!("5b{number:02x}1c9e-0b7d-4c1e-9f3a-2d6c8e4a1f70"),
        |number: u32| format!("7a{number:02x}4d2b-1c8e-4f9a-8b3d-6e5f7a9c2d10"),
    );
    let mut exchanges = Vec::new();
    for it in 0..15 {
        let body = format!(r#"{{"last_order_id":"{}"}}"#, order(it));
        exchanges.push(get(format!("/users/{}", user(it)), body));
        let body = format!(r#"{{"user_id":"{}"}}"#, user(it));
        exchanges.push(get(format!("/orders/{}", order(it)), body));
    }
    let both = ["GET /users/{user_id}", "GET /orders/{order_id}"];
    let known = both.map(|endpoint| sources(&exchanges, endpoint)[0].is_some());
    assert_eq!(known.iter().filter(|is_known| **is_known).count(), 1);
}

#[test]
fn both_parameters_of_a_comparison_come_from_one_list() {
    let user = |number: u32| format!("5b{number:02x}1c9e-0b7d-4c1e-9f3a-2d6c8e4a1f70");
    let mut exchanges = vec![get(
        "/users".to_owned(),
        list_of("id", (0..16).map(|it| format!("\"{}\"", user(it)))),
    )];
    exchanges.extend(
        (0..15).map(|it| {
            get(format!("/users/{}/compare/{}", user(it), user(it + 1)), "{}".to_owned())
        }),
    );
    let expected = [Some(from("GET /users", "[].id")), Some(from("GET /users", "[].id"))];
    assert_eq!(sources(&exchanges, "GET /users/{user_id}/compare/{compare_id}"), expected);
}

#[test]
fn one_body_does_not_decide_about_requests_that_have_none() {
    let users = [
        "anna", "ben", "clara", "david", "emil", "frieda", "gustav", "hanna", "ida", "jakob",
        "karla", "lukas", "marta", "nils", "olga", "paul", "rosa", "stefan", "theresa", "ulrich",
    ];
    let mut exchanges: Vec<_> =
        users.iter().map(|user| get(format!("/users/{user}"), String::new())).collect();
    exchanges.extend((0..3).map(|_| get("/users/search".to_owned(), String::new())));
    let without = analyzed(&exchanges, true);
    exchanges[0].3 = r#"{"login":"anna","id":0}"#.to_owned();
    let with = analyzed(&exchanges, true);
    assert!(endpoints(&without).contains(&"GET /users/search"), "{:?}", endpoints(&without));
    assert!(endpoints(&with).contains(&"GET /users/search"), "{:?}", endpoints(&with));
}
