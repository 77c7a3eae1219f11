//! OpenAPI descriptions: valid, deterministic, without captured values, and true of the traffic.

use api_patterns::{
    Captures, InputFormat, OpenApiOptions, OpenApiVersion, Options, analyze, openapi_descriptions,
};
use serde_json::{Value, json};

use crate::support::{fixture, program as run};

fn described(captures: &Captures, version: OpenApiVersion) -> Vec<(String, Value)> {
    let mut options = Options::default();
    options.bodies = true;
    let analysis = analyze(captures, &options, &()).unwrap();
    let mut openapi = OpenApiOptions::default();
    openapi.version = version;
    openapi_descriptions(&analysis.report, analysis.schemas.as_ref().unwrap(), &openapi)
}

fn lines(flows: &[Value]) -> Captures {
    let text = flows.iter().map(Value::to_string).collect::<Vec<_>>().join("\n");
    Captures::from_bytes("lines", text.into_bytes(), InputFormat::Detect).unwrap()
}

fn flow(method: &str, path: &str, status: u16, headers: &Value, response: &Value) -> Value {
    json!({
        "method": method, "url": format!("https://api.example.com{path}"), "status": status,
        "request_headers": headers, "content_type": "application/json", "response_body": response.to_string(),
    })
}

fn user(n: u64) -> Value {
    json!({ "id": n, "login": format!("name{n}"), "admin": n.is_multiple_of(2), "email": null })
}

#[test]
fn a_description_has_what_its_users_copy() {
    let bearer = json!([["Authorization", "Bearer secret-token-value-1"], ["X-Tenant", "acme"]]);
    let mut flows: Vec<Value> = (1..20)
        .map(|n| flow("GET", &format!("/api/v1/users/{n}"), 200, &bearer, &user(n)))
        .collect();
    flows.extend((0..6).map(|n| {
        let path = format!("/api/v1/users?page={n}&tags=a&tags=b&filter%5Bname%5D=x");
        flow("GET", &path, 200, &bearer, &json!([user(n), user(n + 1)]))
    }));
    flows.push(flow(
        "GET",
        "/api/v1/users",
        401,
        &json!([]),
        &json!({ "message": "no", "code": 1 }),
    ));
    flows.push(flow("GET", "/api/v1/health", 200, &json!([]), &json!({ "ok": true })));
    let captures = lines(&flows);
    let (host, api) = described(&captures, OpenApiVersion::V3_1).remove(0);
    assert_eq!(
        (&*host, &api["servers"][0]["url"]),
        ("api.example.com", &json!("https://api.example.com/api/v1"))
    );
    let list = &api["paths"]["/users"]["get"];
    assert_eq!(
        (&list["operationId"], &list["summary"]),
        (&json!("listUsers"), &json!("List users"))
    );
    assert_eq!(list["security"], json!([{ "bearerAuth": [] }]), "refused without a token");
    let content = |operation: &Value, status: &str| {
        operation["responses"][status]["content"]["application/json"]["schema"].clone()
    };
    assert_eq!(content(list, "200")["items"]["$ref"], "#/components/schemas/User");
    assert_eq!(content(list, "401")["$ref"], "#/components/schemas/Error");
    let parameter = |name: &str| {
        let all = list["parameters"].as_array().unwrap();
        all.iter().find(|parameter| parameter["name"] == name).unwrap().clone()
    };
    assert_eq!(parameter("page")["schema"]["type"], "integer");
    assert_eq!(parameter("tags")["schema"]["type"], "array");
    assert_eq!(parameter("filter")["style"], "deepObject");
    assert_eq!(parameter("x-tenant")["in"], "header");
    let one = &api["paths"]["/users/{user_id}"]["get"];
    assert_eq!(content(one, "200")["$ref"], "#/components/schemas/User");
    assert_eq!(one["operationId"], "getUser");
    assert_eq!(api["paths"]["/health"]["get"]["security"], json!([]));
    assert_eq!(api["components"]["securitySchemes"]["bearerAuth"]["scheme"], "bearer");
    let text = api.to_string();
    assert!(!text.contains("secret-token") && !text.contains("acme"), "no captured value");
    let older = described(&captures, OpenApiVersion::V3_0).remove(0).1;
    let email = &older["components"]["schemas"]["User"]["properties"]["email"];
    assert_eq!(
        (&older["openapi"], email),
        (&json!("3.0.3"), &json!({})),
        "null alone says nothing"
    );
    assert!(!older.to_string().contains("\"null\""));
}

#[test]
fn lists_in_one_string_have_a_style() {
    let none = json!([]);
    let flows: Vec<Value> = (0..9)
        .map(|n| {
            let path = format!("/items?ids={n},{n}1&filter%5Bkinds%5D=a,b&sort=name,-{n}");
            let mut flow = flow("POST", &path, 200, &none, &json!({ "ok": true }));
            flow["request_headers"] =
                json!([["Content-Type", "application/x-www-form-urlencoded"]]);
            flow["request_body"] = json!(format!("labels=a|b{n}&name=x"));
            flow
        })
        .collect();
    for version in [OpenApiVersion::V3_0, OpenApiVersion::V3_1] {
        let (_, api) = described(&lines(&flows), version).remove(0);
        let post = &api["paths"]["/items"]["post"];
        let find = |name: &str| {
            let all = post["parameters"].as_array().unwrap();
            all.iter().find(|parameter| parameter["name"] == name).unwrap()
        };
        let ids = json!({
            "name": "ids", "in": "query", "required": true, "style": "form", "explode": false,
            "schema": { "type": "array", "items": { "type": "integer" } },
        });
        assert_eq!(*find("ids"), ids);
        let filter = find("filter");
        assert_eq!(filter["style"], "deepObject");
        assert_eq!(filter["schema"]["properties"]["kinds"], json!({ "type": "string" }));
        assert_eq!(
            (&filter["required"], &filter["schema"]["required"]),
            (&json!(true), &json!(["kinds"]))
        );
        let form = &post["requestBody"]["content"]["application/x-www-form-urlencoded"];
        let labels = json!({ "style": "pipeDelimited", "explode": false });
        assert_eq!(form["encoding"], json!({ "labels": labels }));
        assert_eq!(form["schema"]["properties"]["labels"]["type"], "array");
        assert!(!api.to_string().contains("x-style"), "{api}");
    }
}

#[test]
fn tokens_of_a_captured_request_are_oauth() {
    let token = json!({
        "method": "POST", "url": "https://api.example.com/oauth/token", "status": 200,
        "request_headers": [["Content-Type", "application/x-www-form-urlencoded"]],
        "request_body": "grant_type=client_credentials&client_id=a&client_secret=b",
        "content_type": "application/json", "response_body": "{\"access_token\": \"x\", \"expires_in\": 3600}",
    });
    let bearer = json!([["Authorization", "Bearer abc"]]);
    let flows = [token, flow("GET", "/users/7", 200, &bearer, &user(7))];
    let api = described(&lines(&flows), OpenApiVersion::V3_1).remove(0).1;
    let flow = &api["components"]["securitySchemes"]["oauth2"]["flows"]["clientCredentials"];
    assert_eq!(flow["tokenUrl"], "https://api.example.com/oauth/token");
    assert_eq!(api["paths"]["/users/{user_id}"]["get"]["security"], json!([{ "oauth2": [] }]));
}

#[test]
fn a_captured_login_is_the_authorization_code_flow() {
    let request = |method: &str, url: &str, body: &str| {
        json!({
            "method": method, "url": url, "status": 200, "request_body": body,
            "request_headers": [["Content-Type", "application/x-www-form-urlencoded"]],
            "content_type": "application/json", "response_body": "{\"access_token\": \"x\", \"expires_in\": 3600}",
        })
    };
    let bearer = json!([["Authorization", "Bearer abc"]]);
    let login = "https://auth.example.com/oauth/authorize?response_type=code&client_id=a&scope=b";
    let token = "https://auth.example.com/oauth/token";
    let flows = [
        flow("GET", "/users/7", 200, &bearer, &user(7)),
        request("GET", login, ""),
        request("POST", token, "grant_type=authorization_code&code=c&client_id=a"),
        request("POST", token, "grant_type=refresh_token&refresh_token=r&client_id=a"),
    ];
    let all = described(&lines(&flows), OpenApiVersion::V3_1);
    let (_, api) = all.iter().find(|(host, _)| host == "api.example.com").unwrap();
    let expected = json!({ "authorizationCode": {
        "authorizationUrl": "https://auth.example.com/oauth/authorize", "tokenUrl": token, "refreshUrl": token, "scopes": {},
    } });
    assert_eq!(api["components"]["securitySchemes"]["oauth2"]["flows"], expected, "{api}");
}

#[test]
fn descriptions_do_not_depend_on_threads() {
    let captures = || Captures::open(&[fixture("demo.mitm")], InputFormat::Detect).unwrap();
    let one = described(&captures(), OpenApiVersion::V3_1);
    let texts = |described: &[(String, Value)]| {
        described.iter().map(|(_, api)| api.to_string()).collect::<Vec<_>>()
    };
    let mut options = Options::default();
    (options.bodies, options.threads) = (true, 2);
    let analysis = analyze(&captures(), &options, &()).unwrap();
    let schemas = analysis.schemas.as_ref().unwrap();
    let two = openapi_descriptions(&analysis.report, schemas, &OpenApiOptions::default());
    assert_eq!(texts(&one), texts(&two));
}

#[test]
fn the_program_writes_one_description_or_a_folder() {
    let demo = fixture("demo.mitm");
    let demo = demo.to_str().unwrap();
    let refused = run(&["openapi", demo]);
    assert_eq!(refused.code, Some(2), "{}", refused.stderr);
    assert!(refused.stderr.contains("--domain") && refused.stderr.contains("--output DIR"));
    let one = run(&["openapi", demo, "--domain", "files.shop.example", "--format", "json"]);
    let api: Value = serde_json::from_str(&one.stdout).unwrap();
    assert_eq!((one.code, &api["openapi"]), (Some(0), &json!("3.1.0")));
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("apis");
    let all = run(&["openapi", demo, "--output", out.to_str().unwrap()]);
    assert_eq!((all.code, &*all.stdout), (Some(0), ""), "{}", all.stderr);
    let yaml = std::fs::read_to_string(out.join("api.shop.example.yaml")).unwrap();
    assert!(yaml.starts_with("openapi: \"3.1.0\"\n"), "{yaml}");
    assert!(out.join("files.shop.example_8080.yaml").is_file());
    let over = run(&["openapi", demo, "--output", demo]);
    assert_eq!(over.code, Some(2), "{}", over.stderr);
    assert!(over.stderr.contains("this is a capture"), "{}", over.stderr);
}
