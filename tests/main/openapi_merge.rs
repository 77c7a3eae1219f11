//! Merges of OpenAPI descriptions that people have edited, and examples, on the command line.

use api_patterns::{
    Captures, InputFormat, OpenApiOptions, OpenApiVersion, Options, analyze, openapi_descriptions,
};
use serde_json::{Value, json};

use crate::support::{fixture, program as run};

const EDITED: &str = "\
# The shop. Kept by hand.
openapi: 3.0.3
info: {title: Shop, version: '1'}
servers:
  - url: https://api.shop.example/v1  # production
paths:
  /users/{id}: # people
    get:
      operationId: readUser
      parameters:
        - {name: id, in: path, required: true, schema: {type: integer}}
      responses:
        200:
          description: >
            One user.
          content:
            application/json:
              schema:
                $ref: '#/components/schemas/Person'
components:
  schemas:
    Person:
      type: object
      properties:
        id:
          type: string # as the database has it
";

#[test]
fn a_merge_keeps_the_file_and_says_what_contradicts_it() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("shop.yaml");
    std::fs::write(&file, EDITED).unwrap();
    let (demo, name) = (fixture("demo.mitm"), file.to_str().unwrap());
    let demo = demo.to_str().unwrap();
    let first = run(&["openapi", demo, "--merge", name]);
    assert_eq!(first.code, Some(0), "{}", first.stderr);
    assert_eq!(std::fs::read_to_string(&file).unwrap(), EDITED, "the file is not written");
    let mut rest = first.stdout.lines();
    assert!(EDITED.lines().all(|line| rest.any(|other| other == line)), "{}", first.stdout);
    for added in [
        "    patch:\n",
        "  /search:\n",
        "        \"404\":\n",
        "        name:\n          type: string\n",
        "    bearerAuth:\n",
    ] {
        assert!(first.stdout.contains(added), "{added}\n{}", first.stdout);
    }
    let told = "shop.yaml: line 26: GET /users/{id}, status 200, application/json, property id: the description says `string`, and the \
                traffic has `integer`; nothing was changed";
    assert!(first.stderr.contains(told), "{}", first.stderr);
    // /graphql is outside of /v1.
    assert!(first.stderr.contains("/graphql: no URL in `servers`"), "{}", first.stderr);
    assert!(
        first.stderr.contains("merged: ") && first.stderr.contains("4 conflicts"),
        "{}",
        first.stderr
    );
    let onto = run(&["openapi", demo, "--merge", name, "--output", name, "--quiet"]);
    assert_eq!((onto.code, &*onto.stdout), (Some(0), ""), "{}", onto.stderr);
    assert!(!onto.stderr.contains("merged: "), "{}", onto.stderr);
    assert_eq!(std::fs::read_to_string(&file).unwrap(), first.stdout);
    let again = run(&["openapi", demo, "--merge", name]);
    assert_eq!(again.stdout, first.stdout);
    assert!(again.stderr.contains("merged: nothing to add, 4 conflicts"), "{}", again.stderr);
}

#[test]
fn a_merge_refuses_what_it_cannot_do() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("shop.yaml");
    let (demo, name) = (fixture("demo.mitm"), file.to_str().unwrap());
    let demo = demo.to_str().unwrap();
    let refused = |text: &str, more: &[&str], what: &str| {
        std::fs::write(&file, text).unwrap();
        let out = run(&[&["openapi", demo, "--merge", name], more].concat());
        assert_eq!((out.code, &*out.stdout), (Some(2), ""), "{}", out.stderr);
        assert!(out.stderr.contains(what), "{}", out.stderr);
        assert!(!out.stderr.contains('\u{1b}'), "{}", out.stderr);
    };
    refused("swagger: '2.0'\n", &[], "shop.yaml: line 1: this is Swagger 2.0");
    refused("openapi: \"3.1\\e[31m\"\n", &[], "3.0 and 3.1 can be merged");
    refused("openapi: 3.1.0\n", &[], "its `servers` name no host, and the captures have 3");
    let other = EDITED.replace("api.shop", "other");
    refused(&other, &[], "choose one of these with --domain");
    refused(EDITED, &["--format", "json"], "cannot be used with");
    refused(EDITED, &["--output", folder.path().to_str().unwrap()], "name a file");
    let missing = run(&["openapi", demo, "--merge", "no-such-file.yaml"]);
    assert_eq!(missing.code, Some(2));
    assert!(
        missing.stderr.contains("no-such-file.yaml: there is no such file"),
        "{}",
        missing.stderr
    );
}

/// Asserts that each `example` beside a `schema` is valid by it; counts them.
fn check_examples(value: &Value, components: &Value) -> usize {
    let mut count = 0;
    match value {
        Value::Object(object) => {
            if let (Some(example), Some(schema)) = (object.get("example"), object.get("schema")) {
                let mut root = schema.clone();
                root["components"] = components.clone();
                let validator =
                    jsonschema::options().should_validate_formats(true).build(&root).unwrap();
                let error = validator.validate(example).err().map(|error| error.to_string());
                assert_eq!(error, None, "{example} of {schema}");
                count += 1;
            }
            count += object.values().map(|value| check_examples(value, components)).sum::<usize>();
        }
        Value::Array(items) => {
            count += items.iter().map(|value| check_examples(value, components)).sum::<usize>();
        }
        _ => {}
    }
    count
}

/// Schemas of 3.0 as JSON Schema, as far as `nullable` makes a difference.
fn as_json_schema(value: &mut Value) {
    match value {
        Value::Object(object) => {
            if object.remove("nullable").is_some() {
                let inner = Value::Object(std::mem::take(object));
                object.insert("anyOf".to_owned(), json!([inner, { "type": "null" }]));
            }
            object.values_mut().for_each(as_json_schema);
        }
        Value::Array(items) => items.iter_mut().for_each(as_json_schema),
        _ => {}
    }
}

#[test]
fn examples_are_valid_and_not_captured() {
    let flows: Vec<String> = (0..40_u64)
        .map(|n| {
            let body = json!({
                "id": format!("00000000-0000-4000-8000-{:012x}", n * 77_777), "email": format!("observed{n}@secret.net"),
                "born": format!("19{:02}-01-02", n + 10), "state": if n % 2 == 0 { "new" } else { "old" },
                "score": f64::from(u32::try_from(n).unwrap()) + 0.25,
                "tags": [format!("observed-tag-{n}")], "parent": { "id": n, "note": null }, "at": format!("2024-02-03 10:11:{:02}", n),
                "text": if n % 3 == 0 { String::new() } else { format!("{}", n * 1_000_003) }, "pair": [n, "observed"],
            });
            json!({
                "method": "POST", "url": format!("https://api.example.com/users/{n}?page={n}&filter%5Bname%5D=observed"),
                "status": 200, "request_headers": [["Content-Type", "application/json"], ["X-Tenant", "observed"]],
                "request_body": body.to_string(), "content_type": "application/json", "response_body": json!([body]).to_string(),
            })
            .to_string()
        })
        .collect();
    let of = |version: OpenApiVersion, with: bool| {
        let captures =
            Captures::from_bytes("lines", flows.join("\n").into_bytes(), InputFormat::Detect)
                .unwrap();
        let mut options = Options::default();
        options.bodies = true;
        let analysis = analyze(&captures, &options, &()).unwrap();
        let mut openapi = OpenApiOptions::default();
        (openapi.version, openapi.synthetic_examples) = (version, with);
        openapi_descriptions(&analysis.report, analysis.schemas.as_ref().unwrap(), &openapi)
            .remove(0)
            .1
    };
    for version in [OpenApiVersion::V3_0, OpenApiVersion::V3_1] {
        let mut api = of(version, true);
        assert_eq!(api, of(version, true));
        let text = api.to_string();
        assert!(!text.contains("observed") && !text.contains("secret.net"), "{text}");
        let mut without = api.clone();
        remove_examples(&mut without);
        assert_eq!(without, of(version, false), "examples are all that differs");
        as_json_schema(&mut api);
        assert!(check_examples(&api["paths"], &api["components"]) >= 6, "{api:#}");
    }
}

fn remove_examples(value: &mut Value) {
    match value {
        Value::Object(object) => {
            if object.contains_key("schema") {
                object.remove("example");
            }
            object.values_mut().for_each(remove_examples);
        }
        Value::Array(items) => items.iter_mut().for_each(remove_examples),
        _ => {}
    }
}

#[test]
fn the_program_adds_examples() {
    let demo = fixture("demo.mitm");
    let arguments = [
        "openapi",
        demo.to_str().unwrap(),
        "--domain",
        "api.shop.example",
        "--examples",
        "synthetic",
    ];
    let out = run(&arguments);
    assert_eq!(out.code, Some(0), "{}", out.stderr);
    for example in
        ["        example: 00000000-0000-4000-8000-000000000000\n", "              name: string\n"]
    {
        assert!(out.stdout.contains(example), "{example}\n{}", out.stdout);
    }
}
