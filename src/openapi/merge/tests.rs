//! Laws of merges on made-up descriptions, and what each kind of addition and conflict looks like.

use std::fmt::Write;
use std::sync::LazyLock;

use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::*;
use crate::capture::{Captures, InputFormat};
use crate::engine::{Options, analyze};
use crate::openapi::{OpenApiOptions, openapi_descriptions};
use crate::schema::emit::OBSERVED;

/// The descriptions of the demo capture in both versions.
static DEMO: LazyLock<[Value; 2]> = LazyLock::new(|| {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/demo.mitm");
    let captures = Captures::open(&[path], InputFormat::Detect).unwrap();
    let options = Options { bodies: true, ..Options::default() };
    let analysis = analyze(&captures, &options, &()).unwrap();
    [OpenApiVersion::V3_0, OpenApiVersion::V3_1].map(|version| {
        let options = OpenApiOptions { version, observations: true, ..OpenApiOptions::default() };
        let schemas = analysis.schemas.as_ref().unwrap();
        openapi_descriptions(&analysis.report, schemas, &options).remove(0).1
    })
});

fn merged(text: &str, api: &Value) -> MergedDescription {
    let edited = EditedDescription::parse("api.yaml", text.as_bytes().to_vec()).unwrap();
    edited.merged_with("api.shop.example", api).unwrap()
}

/// Asserts that each line of a text is in another, in order. In JSON they may have a comma behind them.
fn assert_has_lines(old: &str, new: &str, is_json: bool) {
    let mut rest = new.lines();
    for line in old.lines() {
        let is_kept = |other: &str| {
            if is_json {
                let (line, other) = (line.trim_end_matches(','), other.trim_end_matches(','));
                let opened = ["{}", "[]"].iter().find(|empty| line.ends_with(**empty));
                return other == line || opened.is_some_and(|_| other == &line[..line.len() - 1]);
            }
            // Empty brackets give way to what is added to them.
            let opened = line.strip_suffix("{}").or_else(|| line.strip_suffix("[]"));
            other == line || opened.is_some_and(|opened| other == opened.trim_end())
        };
        assert!(rest.any(is_kept), "{line:?} is lost or moved in\n{new}");
    }
}

/// Asserts that `$ref`s of a description lead somewhere, and that its operations have ids of their own and responses.
fn assert_sound(text: &str) {
    let format = if text.starts_with('{') { SourceFormat::Json } else { SourceFormat::Yaml };
    let tree = parse_source(text, format).unwrap();
    let mut ids = BTreeSet::new();
    for id in tree.ids() {
        if tree.get(id, "$ref").is_some() {
            assert!(tree.followed(id).is_some(), "line {}: nowhere, in\n{text}", tree.line(id));
        }
        if let Some(name) = tree.text(id, "operationId") {
            assert!(ids.insert(name.clone()), "{name} is there twice in\n{text}");
            assert!(tree.get(id, "responses").is_some(), "{name} has no responses");
        }
    }
}

/// A description of a user with a name and a note, as captured.
fn users() -> Value {
    json!({
        "openapi": "3.1.0",
        "servers": [{ "url": "https://api.shop.example/v1" }],
        "tags": [{ "name": "users", "description": "Operations on users." }],
        "paths": {
            "/users/{user_id}": { "get": {
                "operationId": "getUser", "tags": ["users"],
                "parameters": [
                    { "name": "user_id", "in": "path", "required": true, "schema": { "type": "integer" } },
                    { "name": "expand", "in": "query", "required": false, "schema": { "type": "string" },
                      OBSERVED: { "sometimes": true } },
                ],
                "responses": { "200": { "description": "OK", "content": { "application/json": {
                    "schema": { "$ref": "#/components/schemas/User" } } } } },
                "security": [{ "bearerAuth": [] }],
            } },
        },
        "components": {
            "schemas": {
                "User": {
                    "type": "object",
                    "properties": {
                        "id": { "type": "integer" },
                        "state": { "type": "string", "enum": ["new", "old"] },
                        "note": { "type": ["string", "null"], OBSERVED: { "null": true } },
                        "home": { "$ref": "#/components/schemas/Address" },
                    },
                    OBSERVED: { "sometimes": ["note"] },
                },
                "Address": { "type": "object", "properties": { "city": { "type": "string" } } },
            },
            "securitySchemes": { "bearerAuth": { "type": "http", "scheme": "bearer" } },
        },
    })
}

const HEAD: &str = "openapi: 3.1.0\ninfo: {title: x, version: '1'}\nservers:\n- url: https://api.shop.example/v1\n";

#[test]
fn properties_go_to_the_schema_behind_references_once() {
    let text = format!(
        "{HEAD}paths:\n  /users/{{id}}:\n    get:\n      security: []\n      parameters:\n      - {{name: id, in: path, required: true, schema: {{type: integer}}}}\n      \
         - {{name: expand, in: query, schema: {{type: string}}}}\n      responses:\n        '200':\n          $ref: '#/components/responses/One'\n\
         components:\n  responses:\n    One:\n      description: one\n      content:\n        application/json; charset=utf-8:\n          schema:\n            \
         $ref: '#/components/schemas/Person'\n  schemas:\n    Person:\n      allOf:\n      - $ref: '#/components/schemas/Base'\n      - type: object\n        \
         properties: # own ones\n          state:\n            type: string\n    Base:\n      type: object\n      properties:\n        id:\n          type: integer\n"
    );
    let result = merged(&text, &users());
    assert_eq!(result.conflicts, Vec::<String>::new());
    let expected = text.replace(
        "          state:\n            type: string\n",
        "          state:\n            type: string\n          note:\n            type:\n            - string\n            - \"null\"\n          \
         home:\n            $ref: \"#/components/schemas/Address\"\n",
    ) + "    Address:\n      type: object\n      properties:\n        city:\n          type: string\n";
    assert_eq!(result.text, expected);
    assert_eq!(result.additions["property"], 2);
}

#[test]
fn contradictions_are_told_and_change_nothing() {
    let text = format!(
        "{HEAD}security: []\npaths:\n  /users/{{id}}:\n    get:\n      parameters:\n        - name: id\n          in: path\n          required: true\n          schema: {{type: string}}\n        \
         - name: expand\n          in: query\n          required: true\n          schema: {{type: boolean}}\n      responses:\n        2XX:\n          description: one\n          content:\n            \
         '*/*':\n              schema:\n                type: object\n                required: [id, note, age]\n                properties:\n                  id:\n                    type: string\n                  \
         state: {{enum: [new]}}\n                  note: {{type: string}}\n                  home: {{type: object}}\n"
    );
    let result = merged(&text, &users());
    let told = result.conflicts.join("\n");
    for what in [
        "line 14: GET /users/{id}, query parameter `expand`: it is `required`, and was missing in some requests; nothing was changed",
        "query parameter `expand`: the description says `boolean`, and the traffic has `string`",
        "line 28: GET /users/{id}, status 200, application/json, property id: the description says `string`, and the traffic has `integer`",
        "property state: the traffic has values that are not in the enumeration: `old`",
        "property note: the description says `string`, and the traffic has null too",
        "property `note` is `required`, and was missing in some of the traffic",
        "property `age` is `required`, and is nowhere in the traffic",
        "line 31: GET /users/{id}, status 200, application/json, property home: property `properties` was not added, because this place is in flow style",
    ] {
        assert!(told.contains(what), "{what}\n{told}");
    }
    assert!(!told.contains("property `id` is `required`"), "{told}");
    assert_eq!(result.text, text);
}

#[test]
fn places_that_anchors_share_are_left_alone() {
    let text = format!(
        "{HEAD}x-all: &all\n  '404':\n    description: no\npaths:\n  /users/{{id}}:\n    get:\n      security: []\n      responses: *all\n  /other:\n    get:\n      responses:\n        <<: *all\n"
    );
    let result = merged(&text, &users());
    assert!(result.text.contains("responses: *all\n"));
    let told = result.conflicts.join("\n");
    assert!(
        told.contains(
            "status `200` was not added, because this place stands in several places by an anchor"
        ),
        "{told}"
    );
    // A mapping with a merge key is one place, and what it merges is there.
    let mut api = users();
    let item = api["paths"]["/users/{user_id}"].take();
    api["paths"] = json!({ "/other": item });
    let result = merged(&text, &api);
    assert!(result.text.contains("        <<: *all\n        \"200\":\n"), "{}", result.text);
}

#[test]
fn an_empty_description_gets_all() {
    for (text, version) in [
        ("openapi: 3.0.1\npaths: {} # none yet\n", 0),
        ("openapi: '3.1.0'\npaths:", 1),
        ("openapi: 3.1.0\r\n# end", 1),
        ("\u{feff}---\nopenapi: 3.1.1\npaths: {}\ncomponents: {}\ntags: []\n...\n", 1),
        ("{\"openapi\": \"3.0.0\", \"paths\": {}}", 0),
        ("{\n\t\"openapi\": \"3.1.0\",\n\t\"paths\": {\n\t}\n}\n", 1),
    ] {
        let api = &DEMO[version];
        let result = merged(text, api);
        assert_eq!(result.conflicts, Vec::<String>::new(), "{text}");
        assert_sound(result.text.trim_start_matches('\u{feff}'));
        assert_eq!(result.additions["path"], api["paths"].as_object().unwrap().len() as u64);
        assert_eq!(result.text.starts_with('\u{feff}'), text.starts_with('\u{feff}'));
        let lone = result.text.replace("\r\n", "").contains('\n');
        assert!(!(text.contains("\r\n") && lone), "line breaks are those of the file");
        assert_eq!(merged(&result.text, api).text, result.text);
    }
    let hash = merged("openapi: 3.0.1\npaths: {} # none yet\n", &DEMO[0]);
    assert!(hash.text.contains("\npaths: # none yet\n  /graphql:\n"), "{}", hash.text);
}

#[test]
fn json_keeps_its_width_and_its_values() {
    let text = "{\n    \"openapi\": \"3.1.0\",\n    \"x-n\": 1.50e3,\n    \"servers\": [ {\"url\": \"/v1\"} ],\n    \"paths\": {\n        \"/users/{id}\": {\"get\": {\"responses\": {}}}\n    }\n}";
    let result = merged(text, &users());
    assert!(
        result.text.contains("\"x-n\": 1.50e3,\n    \"servers\": [ {\"url\": \"/v1\"} ],"),
        "{}",
        result.text
    );
    assert!(
        result.text.contains(
            "\n        \"schemas\": {\n            \"User\": {\n                \"type\""
        ),
        "{}",
        result.text
    );
    assert!(
        result.text.contains("\n        \"/users/{id}\": {\"get\": {\"responses\": {\"200\": {"),
        "what stands in one line stays in one\n{}",
        result.text
    );
    assert_eq!(merged(&result.text, &users()).text, result.text);
}

#[test]
fn faults_are_one_sentence_with_a_line() {
    let deep = format!("openapi: 3.1.0\nx: {}", "[".repeat(100_000));
    let deep_json =
        format!("{{\"openapi\": \"3.1.0\", \"x\": {}{}}}", "[".repeat(5000), "]".repeat(5000));
    let long = " ".repeat(MAX_DESCRIPTION_BYTES + 1);
    for (text, what) in [
        ("swagger: '2.0'\n", "line 1: this is Swagger 2.0"),
        ("# x\nopenapi: 3.2.0\n", "line 2: `openapi` is `3.2.0`, and 3.0 and 3.1 can be merged"),
        ("info: {}\n", "the key `openapi` with a version is missing"),
        ("", "line 1: this is not an OpenAPI description"),
        ("- a\n", "line 1: this is not an OpenAPI description"),
        ("openapi: 3.1.0\nx: [\n", "this cannot be read as YAML"),
        ("openapi: 3.1.0\nx: *y\n", "line 2: this cannot be read as YAML"),
        ("openapi: 3.1.0\nx: &y [*y]\n", "line 2: this alias stands inside of its own anchor"),
        ("openapi: 3.1.0\n---\nx: 1\n", "line 2: a second document begins here"),
        ("openapi: 3.1.0\nx: 1\nx: 2\n", "has the key `x` twice"),
        ("openapi: 3.1.0\n? [a]\n: 1\n", "line 2: a list, a mapping or an alias is a key"),
        ("{\"openapi\": \"3.1.0\",\n}", "line 2: this is not JSON"),
        (&deep, "line 2: this cannot be read as YAML (recursion limit exceeded)"),
        (&deep_json, "line 1: values are nested more than"),
        (&long, "a description of more than 32 MB is not merged"),
    ] {
        let error = EditedDescription::parse("api.yaml", text.as_bytes().to_vec()).unwrap_err();
        let said = error.to_string();
        assert!(said.starts_with("api.yaml: ") && said.contains(what), "{what}: {said}");
        assert_eq!(said.lines().count(), 1, "{said}");
    }
    let error = EditedDescription::parse("api.yaml", b"a: 1\nb: \xff\n".to_vec()).unwrap_err();
    assert_eq!(error.to_string(), "api.yaml: line 2: this is not UTF-8; save the file as UTF-8");
}

#[test]
fn references_in_circles_end() {
    let text = format!(
        "{HEAD}paths:\n  /users/{{id}}:\n    get:\n      responses:\n        '200':\n          description: x\n          content:\n            application/json:\n              schema:\n                $ref: '#/components/schemas/A'\n\
         components:\n  schemas:\n    A:\n      $ref: '#/components/schemas/B'\n    B:\n      $ref: '#/components/schemas/A'\n    C:\n      allOf:\n      - $ref: '#/components/schemas/C'\n      - $ref: 'other.yaml#/D'\n"
    );
    let told = merged(&text, &users()).conflicts.join("\n");
    assert!(told.contains("leads nowhere or back to itself; nothing was changed"), "{told}");
    let text = text.replace("schemas/A'\ncomponents", "schemas/C'\ncomponents");
    let result = merged(&text, &users());
    assert_eq!(merged(&result.text, &users()).text, result.text);
    // Each level stands twice in the one above: without memory there would be 2^60 schemas.
    let mut bomb = text.replace("schemas/C'\ncomponents", "schemas/L0'\ncomponents");
    for n in 0..60 {
        let next = format!("      - $ref: '#/components/schemas/L{}'\n", n + 1);
        write!(bomb, "    L{n}:\n      allOf:\n{next}{next}").unwrap();
    }
    bomb.push_str("    L60: {}\n");
    assert!(!merged(&bomb, &users()).additions.is_empty());
}

#[test]
fn hosts_are_chosen_by_servers() {
    let edited = |servers: &str| {
        let text = format!("openapi: 3.1.0\nservers: {servers}\n");
        EditedDescription::parse("api.yaml", text.into_bytes()).unwrap()
    };
    let hosts = [("a.org".to_owned(), json!({})), ("b.org:8080".to_owned(), json!({}))];
    let chosen = |servers: &str, count: usize, is_chosen: bool| {
        let edited = edited(servers);
        edited
            .host_of(&hosts[..count], is_chosen)
            .map(|(host, _)| host.clone())
            .map_err(|error| error.to_string())
    };
    assert_eq!(chosen("[{url: 'http://B.org:8080/v1'}]", 2, false).unwrap(), "b.org:8080");
    assert_eq!(chosen("[{url: /v1}]", 1, false).unwrap(), "a.org");
    assert_eq!(chosen("[{url: 'https://c.org'}]", 1, true).unwrap(), "a.org");
    assert!(chosen("[{url: /v1}]", 2, false).unwrap_err().contains("name no host"));
    assert!(chosen("[{url: 'https://c.org'}]", 1, false).unwrap_err().contains("name c.org"));
    assert!(chosen("[{url: 'https://{x}'}]", 2, false).unwrap_err().contains("name 2 hosts"));
}

/// Choices that a test makes; all are the first one after the last.
struct Choices {
    bytes: Vec<u8>,
    at: usize,
}

impl Choices {
    fn one_of(&mut self, many: usize) -> usize {
        let byte = self.bytes.get(self.at % self.bytes.len().max(1)).copied().unwrap_or_default();
        // Turns that begin elsewhere are not alike.
        self.at += 1 + usize::from(self.at.is_multiple_of(self.bytes.len().max(1) + 1));
        usize::from(byte) % many
    }

    fn is(&mut self, one_in: usize) -> bool {
        self.one_of(one_in) == one_in - 1
    }

    /// Leaves out parts of a description.
    fn thinned(&mut self, value: &Value, depth: usize) -> Value {
        match value {
            Value::Object(object) => {
                let mut out = Map::new();
                for (key, value) in object {
                    let is_needed = matches!(
                        &**key,
                        "openapi" | "$ref" | "name" | "in" | "type" | "responses" | "description"
                    );
                    if (!is_needed && depth > 0 && self.is(4)) || key == OBSERVED {
                        continue;
                    }
                    let key = if self.is(12) { key.replace("_id}", "}") } else { key.clone() };
                    out.insert(key, self.thinned(value, depth + 1));
                }
                Value::Object(out)
            }
            Value::Array(items) => {
                Value::Array(items.iter().map(|item| self.thinned(item, depth + 1)).collect())
            }
            Value::String(text) if depth > 3 && text == "integer" && self.is(5) => json!("string"),
            other => other.clone(),
        }
    }

    fn comment(&mut self, out: &mut String, column: usize) {
        match self.one_of(6) {
            5 => writeln!(out, "{}# comment {}", " ".repeat(column), self.at).unwrap(),
            4 => out.push('\n'),
            _ => {}
        }
    }

    fn scalar(&mut self, value: &Value, column: usize) -> String {
        match value {
            Value::String(text) if text.len() > 12 && !text.contains('\n') && self.is(4) => {
                let header = ["|", ">", "|-", ">-", "|+"][self.one_of(5)];
                let blank = if self.is(3) { "\n" } else { "" };
                format!(" {header}\n{}{text}\n{blank}", " ".repeat(column + 2))
            }
            Value::Null => [" null\n", " ~\n", "\n"][self.one_of(3)].to_owned(),
            value => {
                let anchor = if self.is(9) { format!(" &a{}", self.at) } else { String::new() };
                let behind = if self.is(6) { "  # behind" } else { "" };
                format!("{anchor} {value}{behind}\n")
            }
        }
    }

    /// Writes YAML in a style that is chosen anew at each place.
    fn write(&mut self, value: &Value, column: usize, step: usize, out: &mut String) {
        match value {
            Value::Object(object) if object.is_empty() => out.push_str(" {}\n"),
            Value::Array(items) if items.is_empty() => out.push_str(" []\n"),
            Value::Object(_) | Value::Array(_) if column > 0 && self.is(15) => {
                writeln!(out, " {value}").unwrap();
            }
            Value::Object(object) => {
                out.push('\n');
                for (key, value) in object {
                    self.comment(out, column);
                    let is_plain = key.bytes().all(|byte| byte.is_ascii_alphabetic());
                    let key =
                        if is_plain && !self.is(3) { key.clone() } else { json!(key).to_string() };
                    write!(out, "{}{key}:", " ".repeat(column)).unwrap();
                    let inner =
                        if value.is_array() && !self.is(2) { column } else { column + step };
                    self.write(value, inner, step, out);
                }
                if self.is(5) {
                    writeln!(out, "{}# end", " ".repeat(column)).unwrap();
                }
            }
            Value::Array(items) => {
                out.push('\n');
                for item in items {
                    self.comment(out, column);
                    write!(out, "{}-", " ".repeat(column)).unwrap();
                    let mut inner = String::new();
                    self.write(item, column + 2, step, &mut inner);
                    let on_line = inner.trim_start();
                    if item.is_object()
                        && inner.starts_with('\n')
                        && !on_line.starts_with('#')
                        && !self.is(4)
                    {
                        out.push(' ');
                        out.push_str(on_line);
                    } else {
                        out.push_str(&inner);
                    }
                }
            }
            scalar => {
                let written = self.scalar(scalar, column);
                out.push_str(&written);
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(192))]

    /// Whatever the style of a file: its lines stay, in order; a second merge changes nothing; and what is added is sound.
    #[test]
    fn lines_stay_and_a_second_merge_changes_nothing(bytes in prop::collection::vec(any::<u8>(), 1..400), version in 0..2_usize) {
        let api = &DEMO[version];
        let mut choices = Choices { bytes, at: 0 };
        let thin = choices.thinned(api, 0);
        let mut text = String::new();
        let step = [2, 4, 3][choices.one_of(3)];
        choices.write(&thin, 0, step, &mut text);
        let mut text = text.trim_start_matches('\n').to_owned();
        if choices.is(4) {
            text = text.replace('\n', "\r\n");
        }
        if choices.is(4) {
            text.truncate(text.trim_end().len());
        }
        let Ok(edited) = EditedDescription::parse("api.yaml", text.clone().into_bytes()) else {
            // The whole description in flow style is taken for JSON or has no version.
            prop_assume!(false);
            return Ok(());
        };
        let first = edited.merged_with("api.shop.example", api).unwrap();
        assert_has_lines(&text, &first.text, false);
        let second = merged(&first.text, api);
        prop_assert_eq!(&second.text, &first.text);
        prop_assert_eq!(second.additions.len(), 0);
        prop_assert_eq!(second.conflicts.len(), first.conflicts.len());
        assert_sound(&first.text);
    }

    /// JSON keeps its lines but for commas at their ends.
    #[test]
    fn members_stay_and_a_second_merge_changes_nothing(bytes in prop::collection::vec(any::<u8>(), 1..400), is_pretty in any::<bool>()) {
        let api = &DEMO[1];
        let thin = Choices { bytes, at: 0 }.thinned(api, 0);
        let text = if is_pretty { serde_json::to_string_pretty(&thin).unwrap() } else { thin.to_string() };
        let first = merged(&text, api);
        if is_pretty {
            assert_has_lines(&text, &first.text, true);
        }
        prop_assert_eq!(&merged(&first.text, api).text, &first.text);
        assert_sound(&first.text);
        let read: Value = serde_json::from_str(&first.text).unwrap();
        prop_assert!(read["paths"].as_object().unwrap().len() >= api["paths"].as_object().unwrap().len());
    }

    /// No bytes make a reader panic or hang.
    #[test]
    fn any_text_is_read_or_refused(text in "[a-c&*:{}\\[\\]|>\"'#<, \n\t\r?!%-]{0,80}") {
        let whole = format!("openapi: 3.1.0\n{text}");
        if let Ok(edited) = EditedDescription::parse("api.yaml", whole.clone().into_bytes())
            && let Ok(merged) = edited.merged_with("api.shop.example", &DEMO[1])
        {
            assert_has_lines(&whole.replace('\r', "\n"), &merged.text.replace('\r', "\n"), false);
        }
    }
}
