//! Schemas of bodies, from captures to the command line and the report.

use api_patterns::{Analysis, Captures, InputFormat, Options, Rules, analyze};
use serde_json::{Value, json};

use crate::support::{fixture, program as run};

fn analyzed(lines: &[Value]) -> Analysis {
    let text = lines.iter().map(Value::to_string).collect::<Vec<_>>().join("\n");
    let captures = Captures::from_bytes("lines", text.into_bytes(), InputFormat::Detect).unwrap();
    let mut options = Options::default();
    options.bodies = true;
    analyze(&captures, &options, &()).unwrap()
}

fn user(number: u64, body: &Value) -> Value {
    json!({
        "method": "GET", "url": format!("https://api.example.com/users/{number}"), "status": 200,
        "content_type": "application/json", "response_body": body.to_string(),
    })
}

fn schema_of(analysis: &Analysis) -> Value {
    let schemas = analysis.schemas.as_ref().unwrap();
    let endpoint = schemas.endpoint(&analysis.report.patterns[0].id).unwrap();
    endpoint["responses"]["200"]["application/json"]["schema"].clone()
}

#[test]
fn kinds_formats_choices_and_required_fields_are_decided() {
    let states = ["active", "blocked", "invited"];
    let lines: Vec<Value> = (0..60_usize)
        .map(|n| {
            let mut body = json!({
                "id": n, "email": format!("user{n}@example.com"), "created_at": "2024-02-29T12:30:00Z",
                "status": states.iter().cycle().nth(n).unwrap(), "score": 0.5, "owner": { "login": format!("name{n}") }, "tags": ["a"],
            });
            if n % 4 == 0 {
                body["note"] = json!("free text of any length");
            }
            if n % 7 == 0 {
                body["score"] = Value::Null;
            }
            user(n as u64, &body)
        })
        .collect();
    let analysis = analyzed(&lines);
    let schema = schema_of(&analysis);
    let properties = &schema["properties"];
    assert_eq!(properties["id"]["type"], "integer");
    assert_eq!(properties["email"]["format"], "email");
    assert_eq!(properties["email"]["x-sensitive"], json!(["email"]));
    assert_eq!(properties["created_at"]["format"], "date-time");
    assert_eq!(properties["status"]["enum"], json!(["active", "blocked", "invited"]));
    assert_eq!(properties["score"]["type"], json!(["number", "null"]));
    assert_eq!(properties["tags"]["items"]["type"], "string");
    assert_eq!(
        schema["required"],
        json!(["created_at", "email", "id", "owner", "score", "status", "tags"])
    );
    let summary = &analysis.report.patterns[0].responses["200"]["application/json"];
    assert_eq!((summary.bodies, summary.properties, summary.unreadable), (60, 8, 0));
    assert_eq!(summary.sensitive, ["email"]);
}

#[test]
fn forms_and_queries_have_the_kinds_that_they_are_written_as() {
    let lines: Vec<Value> = (0..20_u64)
        .map(|n| {
            json!({
                "method": "POST", "url": format!("https://api.example.com/users?page={n}&full=true&ids[]=1&ids[]=2&q=x{n}"), "status": 201,
                "request_headers": [["Content-Type", "application/x-www-form-urlencoded"]],
                "request_body": format!("age={n}&height=1.{n}&name=some+name&agreed=false&tag=a&tag=b"),
            })
        })
        .collect();
    let analysis = analyzed(&lines);
    let schemas = analysis.schemas.as_ref().unwrap();
    let endpoint = schemas.endpoint(&analysis.report.patterns[0].id).unwrap();
    let query = &endpoint["parameters"]["properties"];
    assert_eq!(
        (&query["page"]["type"], &query["full"]["type"]),
        (&json!("integer"), &json!("boolean"))
    );
    assert_eq!(query["ids[]"]["items"]["type"], "integer");
    assert_eq!(query["q"]["type"], "string");
    let form =
        &endpoint["request_body"]["application/x-www-form-urlencoded"]["schema"]["properties"];
    assert_eq!(
        (&form["age"]["type"], &form["height"]["type"]),
        (&json!("integer"), &json!("number"))
    );
    assert_eq!(
        (&form["name"]["type"], &form["agreed"]["type"]),
        (&json!("string"), &json!("boolean"))
    );
    assert_eq!(form["tag"]["type"], "array");
}

#[test]
fn lists_in_one_string_of_a_parameter_are_arrays_with_a_style() {
    let lines: Vec<Value> = (0..20_u64)
        .map(|n| {
            let url = format!("https://api.example.com/users?ids={n},7,{n}3&fields=id|name&q=red,+green&page={n}");
            json!({
                "method": "POST", "url": if n % 3 == 0 { url.replace(",7", "") } else { url }, "status": 201,
                "request_headers": [["Content-Type", "application/x-www-form-urlencoded"]],
                "request_body": format!("labels=bug,area-{n}&note=one,%20two"),
            })
        })
        .collect();
    let analysis = analyzed(&lines);
    let schemas = analysis.schemas.as_ref().unwrap();
    let id = &analysis.report.patterns[0].id;
    let endpoint = schemas.endpoint(id).unwrap();
    let query = &endpoint["parameters"]["properties"];
    let list = |style: &str, kind: &str| json!({ "type": "array", "items": { "type": kind }, "x-style": style });
    assert_eq!(query["ids"], list("form", "integer"));
    assert_eq!(query["fields"]["x-style"], "pipeDelimited");
    assert_eq!(
        (&query["q"]["type"], &query["page"]["type"]),
        (&json!("string"), &json!("integer"))
    );
    let form =
        &endpoint["request_body"]["application/x-www-form-urlencoded"]["schema"]["properties"];
    assert_eq!(form["labels"], list("form", "string"));
    assert_eq!(form["note"]["type"], "string");
    let reasons = schemas.explain(id, "query.ids").unwrap();
    assert!(reasons.iter().any(|reason| (reason.decision, &*reason.value) == ("style", "form")));
}

#[test]
fn keys_that_are_values_make_a_map() {
    let lines: Vec<Value> = (0..40_u64)
        .map(|n| {
            let ids: serde_json::Map<String, Value> = (0..5)
                .map(|i| ((n * 977 + i * 131 + 10_000).to_string(), json!({ "count": i })))
                .collect();
            user(n, &json!({ "by_user": ids }))
        })
        .collect();
    let schema = schema_of(&analyzed(&lines));
    let map = &schema["properties"]["by_user"];
    assert!(map.get("properties").is_none(), "{map}");
    assert_eq!(map["additionalProperties"]["properties"]["count"]["type"], "integer");
}

#[test]
fn objects_with_a_tag_are_a_union() {
    let lines: Vec<Value> = (0..60_u64)
        .map(|n| {
            let event = match n % 2 {
                0 => json!({ "type": "push", "commits": 3 }),
                _ => json!({ "type": "release", "version": "x" }),
            };
            user(n, &json!({ "events": [event] }))
        })
        .collect();
    let schema = schema_of(&analyzed(&lines));
    let item = &schema["properties"]["events"]["items"];
    let validator = jsonschema::validator_for(item).unwrap();
    assert!(validator.is_valid(&json!({ "type": "push", "commits": 1 })));
    assert!(!validator.is_valid(&json!({ "type": "push", "version": "x" })), "{item}");
    assert!(!validator.is_valid(&json!({ "type": "deleted", "commits": 1 })), "{item}");
}

#[test]
fn objects_in_several_places_are_one_component() {
    let user = |n: u64| json!({ "id": n, "login": format!("name{n}"), "avatar": format!("https://h.example/{n}.png"), "admin": n.is_multiple_of(2) });
    let mut lines: Vec<Value> = (1..40).map(|n| self::user(n, &user(n))).collect();
    lines.extend((1..10).map(|n| {
        let body = json!({ "id": n, "title": "a title", "author": user(n), "reviewers": [user(n + 1)], "body": "text" });
        let url = format!("https://api.example.com/posts/{}", 1000 + n);
        json!({ "method": "GET", "url": url, "status": 200, "content_type": "application/json", "response_body": body.to_string() })
    }));
    let analysis = analyzed(&lines);
    let all = analysis.schemas.as_ref().unwrap().all(&analysis.report);
    let host = &all["hosts"]["api.example.com"];
    let schema = |endpoint: &str| &host[endpoint]["responses"]["200"]["application/json"]["schema"];
    assert_eq!(schema("GET /users/{user_id}")["title"], "User");
    let post = schema("GET /posts/{post_id}");
    assert_eq!(post["properties"]["author"]["$ref"], "#/$defs/User", "{post}");
    assert_eq!(post["properties"]["reviewers"]["items"]["$ref"], "#/$defs/User", "{post}");
    // Nine posts tell what 57 users tell: no place says null of it, and all fields are required.
    let user = &post["$defs"]["User"];
    assert_eq!(user["required"], json!(["admin", "avatar", "id", "login"]));
    assert_eq!(user["properties"]["login"]["type"], "string");
}

#[test]
fn a_field_that_objects_lack_elsewhere_is_required_where_all_have_it() {
    let person = |n: u64| {
        let mut person = json!({ "id": n, "login": format!("n{n}"), "admin": false });
        for key in ["blog", "company", "followers", "location", "posts", "stars"] {
            person[key] = json!(n);
        }
        person
    };
    let lines: Vec<Value> = (0..40)
        .map(|n| {
            let mut owner = person(n);
            owner["plan"] = json!(format!("plan {n} of many"));
            user(n, &json!({ "owner": owner, "members": [person(n + 1), person(n + 2)] }))
        })
        .collect();
    let schema = schema_of(&analyzed(&lines));
    let owner = &schema["properties"]["owner"]["allOf"];
    assert_eq!(owner[1], json!({ "required": ["plan"] }), "{schema}");
    assert_eq!(owner[0], schema["properties"]["members"]["items"]);
    let name = owner[0]["$ref"].as_str().unwrap().rsplit('/').next().unwrap();
    assert_eq!(
        schema["$defs"][name]["required"],
        json!([
            "admin",
            "blog",
            "company",
            "followers",
            "id",
            "location",
            "login",
            "posts",
            "stars"
        ])
    );
    // Too few objects say nothing.
    let few = schema_of(&analyzed(&lines[..3]));
    assert_eq!(few["properties"]["owner"]["allOf"], Value::Null, "{few}");
}

#[test]
fn two_formats_that_cover_all_values_are_stated_together() {
    let lines: Vec<Value> = (0..20)
        .map(|n| {
            let address = if n % 2 == 0 { format!("192.0.2.{n}") } else { format!("2001:db8::{n}") };
            let any = [&*address, "localhost"][usize::from(n % 5 == 0)].to_owned();
            user(n, &json!({ "address": address, "any": any, "or_none": if n < 4 { "" } else { &address } }))
        })
        .collect();
    let schema = schema_of(&analyzed(&lines));
    let properties = &schema["properties"];
    let both = json!([{ "format": "ipv4" }, { "format": "ipv6" }]);
    assert_eq!(properties["address"], json!({ "type": "string", "anyOf": both }));
    assert_eq!(properties["any"], json!({ "type": "string" }));
    assert_eq!(
        properties["or_none"]["anyOf"],
        json!([{ "format": "ipv4" }, { "format": "ipv6" }, { "maxLength": 0 }])
    );
}

#[test]
fn an_object_in_an_object_of_its_kind_is_a_reference() {
    fn comment(depth: u64) -> Value {
        let replies: Vec<Value> = (0..depth).map(|_| comment(depth - 1)).collect();
        json!({ "id": depth, "text": "some words", "author_name": "x", "replies": replies })
    }
    let lines: Vec<Value> = (1..6).map(|n| user(n, &comment(n % 4))).collect();
    let schema = schema_of(&analyzed(&lines));
    let component = schema["properties"]["replies"]["items"]["$ref"].as_str().unwrap();
    let name = component.strip_prefix("#/$defs/").unwrap();
    let items = &schema["$defs"][name]["properties"]["replies"]["items"];
    assert_eq!(items["$ref"], component, "{schema}");
    let validator = jsonschema::draft202012::new(&schema).unwrap();
    assert!(validator.is_valid(&comment(5)));
    assert!(!validator.is_valid(
        &json!({ "id": 1, "text": "x", "author_name": "x", "replies": [{ "id": "x" }] })
    ));
}

#[test]
fn lists_with_a_kind_for_each_position_are_tuples() {
    let lines: Vec<Value> =
        (0..8).map(|n| user(n, &json!({ "point": [n, "north", true], "pair": [n, n] }))).collect();
    let schema = schema_of(&analyzed(&lines));
    let point = &schema["properties"]["point"];
    let kinds = json!([{ "type": "number" }, { "type": "string" }, { "type": "boolean" }]);
    assert_eq!((&point["prefixItems"], &point["maxItems"]), (&kinds, &json!(3)), "{schema}");
    assert!(schema["properties"]["pair"]["items"].is_object());
}

#[test]
fn rules_decide_about_properties_that_were_observed_before() {
    let lines: Vec<Value> = (0..20)
        .map(|n| {
            let settings = json!({ "color": "red", "size": n, "shape": "round" });
            user(
                n,
                &json!({ "id": n, "state": if n.is_multiple_of(2) { "on" } else { "off" }, "settings": settings }),
            )
        })
        .collect();
    let text = lines.iter().map(Value::to_string).collect::<Vec<_>>().join("\n");
    let captures = Captures::from_bytes("lines", text.into_bytes(), InputFormat::Detect).unwrap();
    let analyzed = |rules: &str| {
        let mut options = Options::default();
        options.bodies = true;
        options.report.rules = Rules::parse("rules.toml", rules).unwrap();
        analyze(&captures, &options, &()).unwrap()
    };
    let plain = schema_of(&analyzed(""));
    assert!(plain["properties"]["settings"]["properties"]["color"].is_object());
    assert_eq!(plain["properties"]["state"]["enum"], json!(["off", "on"]));
    let ruled = analyzed(
        r#"
        [[property]]
        path = "200.settings"
        map = true
        [[property]]
        endpoint = "GET /users/{user_id}"
        path = "**.state"
        enum = false
        [[property]]
        path = "200"
        name = "Account"
        [[property]]
        path = "404.nothing"
        map = true
        "#,
    );
    let schema = schema_of(&ruled);
    let settings = &schema["properties"]["settings"];
    assert!(settings["properties"].is_null() && settings["additionalProperties"].is_object());
    assert!(schema["properties"]["state"]["enum"].is_null());
    assert_eq!(schema["title"], "Account");
    assert_eq!(ruled.unmatched_rules, ["[[property]] 404.nothing"]);
    let id = &ruled.report.patterns[0].id;
    let reasons = ruled.schemas.as_ref().unwrap().explain(id, "200.settings").unwrap();
    assert!(
        reasons.iter().any(|reason| reason.reason.starts_with("a rule says so")),
        "{reasons:?}"
    );
    for broken in ["path = \"\"\nmap = true", "path = \"200\"", "path = \"200\"\nname = \"2x\""] {
        let error = Rules::parse("rules.toml", &format!("[[property]]\n{broken}")).unwrap_err();
        assert!(error.to_string().contains("cannot be applied"), "{error}");
    }
}

#[test]
fn bodies_that_cannot_be_read_are_counted() {
    let mut lines: Vec<Value> = (0..6).map(|n| user(n, &json!({ "id": n }))).collect();
    for text in ["{\"id\": ", "not json", "{\"id\": 1} x"] {
        let mut line = user(9, &json!({}));
        line["response_body"] = json!(text);
        lines.push(line);
    }
    let analysis = analyzed(&lines);
    let schemas = analysis.schemas.as_ref().unwrap();
    let endpoint = schemas.endpoint(&analysis.report.patterns[0].id).unwrap();
    let body = &endpoint["responses"]["200"]["application/json"];
    assert_eq!(body["bodies"], 6);
    assert_eq!(body["unreadable"], json!({ "truncated": 1, "invalid": 2 }));
    assert_eq!(schema_of(&analysis)["properties"]["id"]["type"], "integer");
}

/// Compressed, in Base64, in pieces, as a form: every format gives the bodies that it holds.
#[test]
fn every_format_offers_bodies() {
    let mut found = Vec::new();
    for name in ["demo.mitm", "demo.har", "demo.db"] {
        let captures = Captures::open(&[fixture(name)], InputFormat::Detect).unwrap();
        let mut options = Options::default();
        options.bodies = true;
        let analysis = analyze(&captures, &options, &()).unwrap();
        let schemas = analysis.schemas.unwrap();
        let users = analysis
            .report
            .patterns
            .iter()
            .find(|pattern| pattern.endpoint == "GET /v1/users/me")
            .unwrap();
        found.push(
            schemas.endpoint(&users.id).unwrap()["responses"]["200"]["application/json"].clone(),
        );
    }
    assert!(found[0]["schema"]["properties"].is_object(), "{}", found[0]);
    assert_eq!(found[0], found[1]);
    assert_eq!(found[0]["schema"], found[2]["schema"]);
}

#[test]
fn schemas_do_not_depend_on_threads_and_batches() {
    let captures = || Captures::open(&[fixture("demo.mitm")], InputFormat::Detect).unwrap();
    let mut all = Vec::new();
    for (threads, batch_bytes) in [(1, 0), (4, 1000), (2, 100)] {
        let mut options = Options::default();
        (options.bodies, options.threads, options.batch_bytes) = (true, threads, batch_bytes);
        let analysis = analyze(&captures(), &options, &()).unwrap();
        all.push(analysis.schemas.unwrap().all(&analysis.report).to_string());
    }
    assert_eq!(all[0], all[1]);
    assert_eq!(all[0], all[2]);
}

#[test]
fn the_program_writes_and_explains_schemas() {
    let demo = fixture("demo.mitm");
    let demo = demo.to_str().unwrap();
    let all: Value = serde_json::from_str(&run(&["schema", demo, "--quiet"]).stdout).unwrap();
    assert_eq!(all["$schema"], "https://json-schema.org/draft/2020-12/schema");
    assert!(
        all["hosts"]["api.shop.example"]["GET /v1/users/{user_id}"]["responses"]["200"].is_object()
    );
    let endpoint = "GET /v1/users/{user_id}";
    let one: Value =
        serde_json::from_str(&run(&["schema", demo, "--quiet", "--endpoint", endpoint]).stdout)
            .unwrap();
    assert_eq!(one[0]["endpoint"], endpoint);
    let explained =
        run(&["schema", demo, "--quiet", "--endpoint", endpoint, "--explain", "200.id"]).stdout;
    let explained: Value = serde_json::from_str(&explained).unwrap();
    assert_eq!(explained[0]["decisions"][0]["decision"], "type");
    let missing = run(&["schema", demo, "--endpoint", endpoint, "--explain", "200.nothing"]);
    assert!(missing.stderr.contains("no such place"), "{}", missing.stderr);
    let missing = run(&["schema", demo, "--endpoint", "GET /nothing"]);
    assert!(missing.stderr.contains("no such endpoint"), "{}", missing.stderr);
}

/// The schema of the answers of users that each have this body.
fn schema_of_bodies(count: u64, body: impl Fn(u64) -> Value) -> Value {
    let lines: Vec<Value> = (0..count).map(|number| user(number, &body(number))).collect();
    schema_of(&analyzed(&lines))
}

#[test]
fn names_with_numbers_are_names() {
    let names = ["isbn13", "iso_3166_1", "720p", "w500", "48x48", "co2_emissions_2020"];
    let schema = schema_of_bodies(5, |_| names.iter().map(|name| (*name, json!("t"))).collect());
    for name in names {
        assert!(schema["properties"][name].is_object(), "{schema}");
    }
    assert!(schema["additionalProperties"].is_null(), "{schema}");
}

#[test]
fn objects_whose_keys_are_codes_are_maps() {
    for keys in [["en", "de", "fr"], ["EUR", "USD", "CHF"], ["en-US", "de-DE", "pt-BR"]] {
        let schema = schema_of_bodies(
            12,
            |number| json!({ "id": number, "texts": { keys[usize::try_from(number % 3).unwrap()]: "x" } }),
        );
        let texts = &schema["properties"]["texts"];
        assert!(texts["properties"].is_null(), "{texts}");
        assert_eq!(texts["additionalProperties"]["type"], "string", "{texts}");
    }
    // Two words that are codes as well.
    let schema = schema_of_bodies(12, |number| json!({ "link": { "id": number, "to": "x" } }));
    assert!(schema["properties"]["link"]["properties"]["to"].is_object(), "{schema}");
}

#[test]
fn a_change_of_some_fields_is_no_map() {
    let fields = ["brightness", "volume", "contrast", "color"];
    let mut lines = Vec::new();
    for number in 0..24_usize {
        let all: serde_json::Map<String, Value> =
            fields.iter().map(|field| ((*field).to_owned(), json!(number))).collect();
        let url = format!("https://api.example.com/devices/{}", 200 + number);
        lines.push(
            json!({ "method": "GET", "url": url, "status": 200, "content_type": "application/json",
            "response_body": Value::Object(all).to_string() }),
        );
        lines.push(json!({ "method": "PATCH", "url": url, "status": 204,
            "request_headers": { "content-type": "application/json" },
            "request_body": json!({ fields[number % 4]: number }).to_string() }));
    }
    let analysis = analyzed(&lines);
    let patch = analysis.report.patterns.iter().find(|pattern| pattern.method == "PATCH").unwrap();
    let schema = analysis.schemas.as_ref().unwrap().endpoint(&patch.id).unwrap();
    let body = &schema["request_body"]["application/json"]["schema"];
    assert!(fields.iter().all(|field| body["properties"][field].is_object()), "{body}");
}

#[test]
fn numbers_written_with_a_fraction_may_have_one() {
    let schema = schema_of_bodies(10, |number| json!({ "id": number, "price": 10.0 }));
    assert_eq!(schema["properties"]["id"]["type"], "integer");
    assert_eq!(schema["properties"]["price"]["type"], "number");
}

#[test]
fn codes_of_few_letters_and_words_for_passwords_are_no_choices() {
    let schema = schema_of_bodies(40, |number| {
        let of = |texts: [&str; 2]| json!(texts[usize::try_from(number % 2).unwrap()]);
        json!({
            "origin": of(["BER", "CDG"]), "status": of(["open", "closed"]), "passcode": of(["LETMEIN", "OPENSESAME"]),
            "senha": of(["LETMEIN", "OPENSESAME"]), "pin": of(["LETMEIN", "OPENSESAME"]),
        })
    });
    let properties = &schema["properties"];
    assert!(properties["origin"]["enum"].is_null() && properties["status"]["enum"].is_array());
    for name in ["passcode", "senha", "pin"] {
        assert_eq!(properties[name]["x-sensitive"], json!(["credential"]), "{properties}");
    }
    assert!(!schema.to_string().contains("LETMEIN"));
}

/// The names of the definitions of all schemas of a capture.
fn component_names(lines: &[Value]) -> Vec<String> {
    let analysis = analyzed(lines);
    let schemas = analysis.schemas.as_ref().unwrap();
    let described = api_patterns::openapi_descriptions(
        &analysis.report,
        schemas,
        &api_patterns::OpenApiOptions::default(),
    );
    let names = described[0].1["components"]["schemas"].as_object().cloned().unwrap_or_default();
    names.keys().cloned().collect()
}

#[test]
fn envelopes_and_recursive_objects_are_named_by_what_they_are() {
    let answer = |path: &str, body: Value| {
        json!({ "method": "GET", "url": format!("https://api.example.com{path}"), "status": 200,
            "content_type": "application/json", "response_body": body.to_string() })
    };
    let mut lines = Vec::new();
    for number in 0..12 {
        let user = json!({ "id": number, "name": "x", "mail": "y" });
        let envelope = |data: Value| json!({ "ok": true, "code": 0, "data": data });
        lines.push(answer(&format!("/users/{}", 100 + number), envelope(user.clone())));
        lines.push(answer(&format!("/users?page={number}"), envelope(json!([user]))));
        let leaf = json!({ "op": "const", "value": number, "left": null, "right": null });
        let tree = json!({ "op": "add", "value": 0, "left": leaf, "right": leaf });
        lines.push(answer(
            &format!("/rules/{}", 200 + number),
            json!({ "id": number, "expression": tree }),
        ));
    }
    let names = component_names(&lines);
    for name in ["User", "Expression"] {
        assert!(names.iter().any(|known| known == name), "{names:?}");
    }
    assert!(
        !names.iter().any(|known| known.contains("UserListUser") || known == "Left"),
        "{names:?}"
    );
}
