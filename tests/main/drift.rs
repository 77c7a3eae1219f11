//! The commands `drift`, `diff` and `state`: findings, formats, baselines, exit codes, and what may be named.

use std::fs;
use std::path::Path;

use api_patterns::{Captures, InputFormat, Options, observe};
use serde_json::{Value, json};

use crate::support::{Run, fixture, program};

fn demo() -> String {
    fixture("demo.mitm").display().to_string()
}

fn path(folder: &tempfile::TempDir, name: &str) -> String {
    folder.path().join(name).display().to_string()
}

fn json_of(run: &Run) -> Value {
    serde_json::from_str(&run.stdout)
        .unwrap_or_else(|error| panic!("{error}: {} {}", run.stdout, run.stderr))
}

const API: &str = "openapi: 3.1.0
servers:
- url: https://api.shop.example/v1
paths:
  /users/{id}:
    get:
      parameters:
      - {name: id, in: path, required: true, schema: {type: integer}}
      responses:
        '200':
          description: OK
          content:
            application/json:
              schema:
                type: object
                required: [id, nickname]
                properties:
                  id: {type: string}
";

#[test]
fn a_capture_does_not_differ_from_its_own_description() {
    let folder = tempfile::tempdir().unwrap();
    for version in ["3.1", "3.0"] {
        let apis = path(&folder, &format!("apis-{version}/"));
        let run = program(&["openapi", &demo(), "--output", &apis, "--openapi", version]);
        assert_eq!(run.code, Some(0), "{}", run.stderr);
        let mut compared = 0;
        for file in fs::read_dir(&apis).unwrap() {
            let file = file.unwrap().path().display().to_string();
            let run = program(&[
                "drift",
                &demo(),
                "--api",
                &file,
                "--format",
                "json",
                "--fail-on",
                "warning",
            ]);
            assert_eq!(run.code, Some(0), "{} {}", run.stdout, run.stderr);
            let found = json_of(&run);
            let other = |finding: &&Value| finding["rule"] != "undocumented-host";
            assert_eq!(found["findings"].as_array().unwrap().iter().find(other), None, "{file}");
            compared += found["totals"]["bodies"].as_u64().unwrap();
        }
        assert!(compared > 40, "{compared} bodies");
    }
}

/// `diff` of a description with the capture that it was written from finds nothing, also where text in a query may stand for
/// any kind.
#[test]
fn a_description_does_not_differ_from_its_own_capture() {
    let folder = tempfile::tempdir().unwrap();
    let api = path(&folder, "api.yaml");
    let host = ["--domain", "api.shop.example"];
    let run = program(&[&["openapi", &demo(), "--output", &api][..], &host].concat());
    assert_eq!(run.code, Some(0), "{}", run.stderr);
    for sides in [[&*api, &*demo()], [&*demo(), &*api]] {
        let options = ["--format", "json", "--fail-on", "info"];
        let run = program(&[&["diff"][..], &sides, &host, &options].concat());
        assert_eq!(json_of(&run)["findings"], serde_json::json!([]), "{sides:?}");
        assert_eq!(run.code, Some(0), "{}", run.stderr);
    }
}

#[test]
fn drift_says_what_differs_where_and_how_often() {
    let folder = tempfile::tempdir().unwrap();
    let api = path(&folder, "api.yaml");
    fs::write(&api, API).unwrap();
    let run = program(&["drift", &demo(), "--api", &api, "--format", "json", "--coverage"]);
    assert_eq!(run.code, Some(1), "{}", run.stderr);
    let found = json_of(&run);
    let of = |rule: &str, place: &str| {
        let is_it = |finding: &&Value| {
            finding["rule"] == rule && finding["place"].as_str().unwrap_or_default() == place
        };
        found["findings"]
            .as_array()
            .unwrap()
            .iter()
            .find(is_it)
            .unwrap_or_else(|| panic!("{rule} {place}: {found}"))
            .clone()
    };
    let wrong = of("wrong-kind", "response 200 id");
    assert_eq!(
        (&wrong["count"], &wrong["of"], &wrong["location"]["line"]),
        (&json!(18), &json!(18), &json!(18))
    );
    assert_eq!(wrong["operation"], "GET /users/{id}");
    assert_eq!(wrong["flow_ids"].as_array().unwrap().len(), 3);
    assert!(wrong["first_seen"].as_str() < wrong["last_seen"].as_str());
    assert_eq!(of("missing-required", "response 200 nickname")["severity"], "error");
    assert_eq!(of("undocumented-status", "response 404")["severity"], "warning");
    // Requests that no path fits are clustered, so that many ids are one finding.
    let findings = found["findings"].as_array().unwrap();
    let is_orders = |finding: &&Value| finding["operation"] == "GET /v1/users/{user_id}/orders";
    let orders = findings.iter().find(is_orders).unwrap();
    assert_eq!((&orders["rule"], &orders["count"]), (&json!("undocumented-endpoint"), &json!(5)));
    assert_eq!(found["coverage"]["operations"], json!({ "seen": 1, "of": 1 }));
    // The host that is not the API's is not silently judged.
    assert!(found["totals"]["flows_of_other_hosts"].as_u64().unwrap() > 0);
}

#[test]
fn a_baseline_lets_new_findings_alone_fail() {
    let folder = tempfile::tempdir().unwrap();
    let (api, baseline) = (path(&folder, "api.yaml"), path(&folder, "known.json"));
    fs::write(&api, API).unwrap();
    let drift = |more: &[&str]| {
        let (demo, mut arguments) = (demo(), vec!["drift"]);
        arguments.extend([&*demo, "--api", &api, "--baseline", &baseline]);
        arguments.extend(more);
        program(&arguments)
    };
    let missing = drift(&[]);
    assert_eq!(missing.code, Some(2));
    assert!(missing.stderr.contains("--update-baseline writes one"), "{}", missing.stderr);
    assert_eq!(drift(&["--update-baseline"]).code, Some(0));
    let known = fs::read_to_string(&baseline).unwrap();
    let again = drift(&["--fail-on", "info"]);
    assert_eq!(again.code, Some(0), "{}", again.stdout);
    assert!(again.stdout.contains("nothing new ("), "{}", again.stdout);
    // One property more is required now.
    fs::write(&api, API.replace("[id, nickname]", "[id, nickname, surname]")).unwrap();
    let new = drift(&[]);
    assert_eq!(new.code, Some(1));
    assert!(new.stdout.contains("surname") && !new.stdout.contains("nickname"), "{}", new.stdout);
    assert_eq!(fs::read_to_string(&baseline).unwrap(), known);
    fs::write(&baseline, "{\"version\": 7, \"findings\": []}").unwrap();
    assert!(drift(&[]).stderr.contains("version 7"));
}

#[test]
fn findings_are_written_in_every_format() {
    let folder = tempfile::tempdir().unwrap();
    let api = path(&folder, "api.yaml");
    fs::write(&api, API).unwrap();
    let written = |format: &str| {
        let file = path(&folder, &format!("findings.{format}"));
        let run = program(&[
            "drift",
            &demo(),
            "--api",
            &api,
            "--format",
            format,
            "--output",
            &file,
            "-q",
        ]);
        assert_eq!((run.code, &*run.stdout), (Some(1), ""), "{}", run.stderr);
        fs::read_to_string(file).unwrap()
    };
    let sarif: Value = serde_json::from_str(&written("sarif")).unwrap();
    let results = sarif["runs"][0]["results"].as_array().unwrap();
    let first = &results[0]["locations"][0]["physicalLocation"];
    assert!(results.len() > 4 && sarif["version"] == "2.1.0");
    assert!(
        results.iter().all(|result| result["partialFingerprints"]["apiPatterns/v1"].is_string())
    );
    let lines = results
        .iter()
        .filter_map(|r| r["locations"][0]["physicalLocation"]["region"]["startLine"].as_u64());
    assert!(lines.count() > 3, "{first}");
    let junit = written("junit");
    assert!(
        junit.starts_with("<?xml") && junit.contains("<failure") && junit.contains("wrong-kind"),
        "{junit}"
    );
    let markdown = written("markdown");
    assert!(markdown.contains("| error `wrong-kind` | GET /users/{id} |"), "{markdown}");
    let github = written("github");
    assert!(
        github.contains("::error file=") && github.contains(",line=18,title=wrong-kind::"),
        "{github}"
    );
    let text = written("text");
    assert!(
        text.contains("GET /users/{id}\n  error    missing-required  response 200 nickname\n"),
        "{text}"
    );
}

#[test]
fn what_is_wrong_with_a_description_is_said_in_one_sentence() {
    let folder = tempfile::tempdir().unwrap();
    let api = path(&folder, "api.yaml");
    let outside = tempfile::NamedTempFile::new().unwrap();
    for (text, said) in [
        ("openapi: 3.1.0\npaths: [", "cannot be read as YAML"),
        ("{\"openapi\": \"3.1.0\",", "cannot be read as"),
        ("openapi: 4.0.0\n", "this is OpenAPI 4.0.0; versions 2.0, 3.0, 3.1 and 3.2 are read"),
        ("hello: world\n", "is not an OpenAPI description"),
        (
            "openapi: 3.1.0\nservers: [{url: https://other.example}]\npaths: {}\n",
            "none of 65 flows is for a server",
        ),
        ("a: &a [*a]\nopenapi: 3.1.0\n", "cannot be read as YAML"),
    ] {
        fs::write(&api, text).unwrap();
        let run = program(&["drift", &demo(), "--api", &api]);
        assert_eq!((run.code, &*run.stdout), (Some(2), ""), "{text}");
        let last = run.stderr.lines().last().unwrap();
        assert!(last.contains(said), "{text}: {}", run.stderr);
    }
    fs::write(&api, "x: y").unwrap();
    assert!(
        program(&["drift", &demo(), "--api", &path(&folder, "none.yaml")])
            .stderr
            .contains("no such file")
    );
    // References lead neither over a network nor out of the folder.
    let beyond = outside.path().display();
    let references = format!(
        "openapi: 3.1.0\nservers: [{{url: https://api.shop.example}}]\npaths:\n  /a: {{$ref: '{beyond}'}}\n  /b: {{$ref: 'https://h.example/x.yaml'}}\n  /c: {{$ref: 'c.yaml#/c'}}\n"
    );
    fs::write(&api, references).unwrap();
    fs::write(path(&folder, "c.yaml"), "c: {get: {responses: {'200': {description: OK}}}}\n")
        .unwrap();
    let run = program(&["drift", &demo(), "--api", &api, "--format", "json", "--fail-on", "never"]);
    let found = json_of(&run);
    let notes = found["notes"].to_string();
    assert!(
        notes.contains("only files in the folder") && notes.contains("not followed"),
        "{notes}"
    );
    assert_eq!(found["coverage"]["operations"]["of"], 1);
}

#[test]
fn openapi_2_is_read_as_what_it_means() {
    let folder = tempfile::tempdir().unwrap();
    let api = path(&folder, "api.json");
    let swagger = json!({
        "swagger": "2.0", "host": "api.shop.example", "basePath": "/v1", "produces": ["application/json"],
        "securityDefinitions": { "key": { "type": "apiKey", "in": "header", "name": "X-Key" } },
        "paths": { "/users/{id}": { "get": { "security": [{ "key": [] }], "parameters": [
            { "name": "id", "in": "path", "required": true, "type": "boolean" },
        ], "responses": { "200": { "description": "OK", "schema": { "$ref": "#/definitions/User" } }, "404": { "description": "-" } } } } },
        "definitions": { "User": { "type": "object", "required": ["nickname"] } },
    });
    fs::write(&api, swagger.to_string()).unwrap();
    let found = json_of(&program(&["drift", &demo(), "--api", &api, "--format", "json"]));
    let rules: Vec<&str> = found["findings"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|found| found["operation"] == "GET /users/{id}")
        .map(|found| found["rule"].as_str().unwrap())
        .collect();
    assert_eq!(rules, ["missing-required", "security-not-sent", "wrong-kind"]);
}

#[test]
fn saved_states_stand_for_their_captures() {
    let folder = tempfile::tempdir().unwrap();
    let (state, twice) = (path(&folder, "demo.state"), path(&folder, "twice.state"));
    let run = program(&["state", &demo(), "--output", &state]);
    assert_eq!((run.code, &*run.stdout), (Some(0), ""), "{}", run.stderr);
    for arguments in
        [&["analyze", "--format", "json"][..], &["openapi", "--domain", "x"], &["schema"]]
    {
        if arguments.contains(&"--domain") {
            let refused = program(&["openapi", &state, "--domain", "api.shop.example"]);
            assert!(refused.stderr.contains("flows cannot be selected"), "{}", refused.stderr);
            continue;
        }
        let with =
            |input: &str| program(&[&arguments[..1], &[input, "-q"], &arguments[1..]].concat());
        assert_eq!(with(&state).stdout, with(&demo()).stdout, "{arguments:?}");
    }
    // States merge, also with captures.
    assert_eq!(program(&["state", &state, &demo(), "--output", &twice]).code, Some(0));
    let captures = Captures::open(&[Path::new(&twice)], InputFormat::Detect).unwrap();
    assert_eq!(observe(&captures, &Options::default(), &()).unwrap().patterns.used(), 130);
    for command in ["label", "drift"] {
        let api = path(&folder, "api.yaml");
        fs::write(&api, API).unwrap();
        let mut arguments = vec![command, &state];
        if command == "drift" {
            arguments.extend(["--api", &api]);
        }
        let run = program(&arguments);
        assert_eq!(run.code, Some(2), "{command}");
        assert!(run.stderr.contains("this is a saved state, which has no flows"), "{}", run.stderr);
    }
    let mut bytes = fs::read(&state).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&state, bytes).unwrap();
    let damaged = program(&["analyze", &state]);
    assert!(damaged.code == Some(2) && damaged.stderr.contains("damaged"), "{}", damaged.stderr);
}

#[test]
fn both_sides_of_a_diff_may_be_anything() {
    let folder = tempfile::tempdir().unwrap();
    let (state, api) = (path(&folder, "demo.state"), path(&folder, "api.yaml"));
    program(&["state", &demo(), "--output", &state]);
    fs::write(&api, API).unwrap();
    let har = fixture("demo.har").display().to_string();
    for (before, after) in [(&demo(), &state), (&state, &har), (&api, &api)] {
        let run = program(&["diff", before, after, "--fail-on", "info"]);
        assert_eq!(run.code, Some(0), "{before} {after}: {} {}", run.stdout, run.stderr);
        assert!(run.stdout.contains("nothing new"), "{}", run.stdout);
    }
    let run = program(&["diff", &api, &demo(), "--format", "json"]);
    assert_eq!(run.code, Some(1), "{}", run.stderr);
    let found = json_of(&run);
    let breaking: Vec<&str> = found["findings"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|f| f["severity"] == "error")
        .map(|f| f["place"].as_str().unwrap())
        .collect();
    assert_eq!(breaking, ["response 200 nickname", "response 200 id"]);
    let empty = path(&folder, "empty.jsonl");
    fs::write(&empty, "").unwrap();
    let run = program(&["diff", &demo(), &empty]);
    assert_eq!(run.code, Some(2), "{} {}", run.stdout, run.stderr);
}
