//! Credentials that are planted in every part of an exchange come out of no command.

use std::fs;

use serde_json::{Value, json};

use crate::support::program;

/// A generator of numbers that is the same everywhere.
struct Draw(u64);

impl Draw {
    fn next(&mut self) -> u64 {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        self.0 >> 33
    }

    fn text(&mut self, letters: &str, length: usize) -> String {
        let letters: Vec<char> = letters.chars().collect();
        (0..length)
            .map(|_| letters[usize::try_from(self.next()).unwrap() % letters.len()])
            .collect()
    }

    /// A credential of one of the shapes that services give out.
    fn credential(&mut self, shape: u64) -> String {
        const LETTERS: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
        const HEX: &str = "0123456789abcdef";
        match shape % 8 {
            0 => format!(
                "eyJhbGciOiJIUzI1NiJ9.{}.{}",
                self.text(LETTERS, 60),
                self.text(LETTERS, 43)
            ),
            1 => format!("sk_live_{}", self.text(LETTERS, 24)),
            2 => format!("ghp_{}", self.text(LETTERS, 36)),
            3 => self.text(HEX, 40),
            4 => self.text(LETTERS, 32),
            5 => format!("xoxb-{}-{}", self.text("0123456789", 12), self.text(LETTERS, 24)),
            6 => format!("AKIA{}", self.text("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", 16)),
            _ => format!("{}-{}", self.text("abcdefghijklmnop", 6), self.text(LETTERS, 16)),
        }
    }
}

/// The number of places that a credential can stand in.
const PLACES: usize = 14;

/// The place that is a segment of the path.
const PATH: usize = 4;

/// An exchange with a credential at a place.
fn planted(place: usize, secret: &str, number: usize) -> Value {
    let mut path = format!("/v1/items/{number}");
    let mut headers = vec![json!(["Content-Type", "application/json"])];
    let mut request = json!({ "name": "a" });
    let mut response = json!({ "id": number });
    match place {
        0 => headers.push(json!(["Authorization", format!("Bearer {secret}")])),
        1 => headers.push(json!(["X-Api-Key", secret])),
        2 => headers.push(json!(["Cookie", format!("session={secret}; theme=dark")])),
        3 => path = format!("{path}?api_key={secret}"),
        PATH => path = format!("/v1/reset/{secret}/confirm"),
        5 => path = format!("{path}?{secret}=1"),
        6 => request["password"] = json!(secret),
        7 => request["client_secret"] = json!(secret),
        8 => response["access_token"] = json!(secret),
        9 => response["tokens"] = json!([secret, "b"]),
        10 => response[secret] = json!(1),
        11 => response["html"] = json!(format!("<a href='/x?token={secret}'>x</a>")),
        12 => request = json!({ "by": { secret: { "a": true } } }),
        _ => headers.push(json!([format!("X-{secret}"), "1"])),
    }
    json!({
        "id": format!("f{number}"), "method": "POST", "url": format!("https://api.example{path}"),
        "status": if number.is_multiple_of(9) { 401 } else { 200 },
        "request_headers": headers, "content_type": "application/json",
        "request_body": request.to_string(), "response_body": response.to_string(),
    })
}

#[test]
fn planted_credentials_come_out_of_no_command() {
    let mut draw = Draw(7);
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    let mut secrets = Vec::new();
    let mut halves = [String::new(), String::new()];
    for number in 0..210 {
        let secret = draw.credential(u64::try_from(number).unwrap() / 3);
        let line = planted(number % PLACES, &secret, number).to_string();
        halves[number % 2].push_str(&line);
        halves[number % 2].push('\n');
        secrets.push(secret);
    }
    let [before, after] = [path("before.jsonl"), path("after.jsonl")];
    fs::write(&before, &halves[0]).unwrap();
    fs::write(&after, &halves[1]).unwrap();
    // Another API, so that everything that can differ does.
    let api = path("api.yaml");
    let other = "openapi: 3.1.0\nservers: [{url: 'https://api.example/v1'}]\npaths:\n  /items/{id}:\n    post:\n      parameters:\n      - {name: id, in: path, required: true, schema: {type: boolean}}\n      requestBody: {content: {application/json: {schema: {type: object, required: [z], properties: {name: {type: integer}, password: {type: integer}}, additionalProperties: false}}}}\n      responses:\n        '200': {description: OK, content: {application/json: {schema: {type: object, properties: {id: {type: string}, access_token: {enum: [a]}}}}}}\n";
    fs::write(&api, other).unwrap();
    let state = path("state");
    assert_eq!(program(&["state", &before, "--output", &state]).code, Some(0));
    let mut outputs = vec![(
        "state".to_owned(),
        String::from_utf8_lossy(&fs::read(&state).unwrap()).into_owned(),
    )];
    let mut run = |arguments: &[&str]| {
        let run = program(arguments);
        assert!(!run.stdout.is_empty(), "{arguments:?}: {}", run.stderr);
        outputs.push((arguments.join(" "), run.stdout + &run.stderr));
    };
    for version in ["3.1", "3.0"] {
        for more in [&[][..], &["--evidence"], &["--examples", "synthetic"], &["--format", "json"]]
        {
            run(&[&["openapi", &before, "--openapi", version], more].concat());
        }
    }
    for format in ["text", "json", "sarif", "junit", "markdown", "github"] {
        run(&["drift", &after, "--api", &api, "--format", format, "--fail-on", "never"]);
        for (old, new) in [(&before, &after), (&state, &after), (&api, &after)] {
            run(&[
                "diff",
                old,
                new,
                "--format",
                format,
                "--fail-on",
                "never",
                "--min-confidence",
                "0",
            ]);
        }
    }
    run(&["drift", &after, "--api", &api, "--coverage", "--fail-on", "never"]);
    run(&["schema", &before]);
    run(&["report", &before]);
    run(&["analyze", &before, "--tree"]);
    run(&["analyze", &before, "--bodies"]);
    let endpoint = ["POST /v1/items/{item_id}", "/v1/reset/x/confirm"];
    for (endpoint, form) in
        endpoint.iter().flat_map(|one| ["--json", "--curl", "--har"].map(|form| (one, form)))
    {
        run(&["show", &before, "--endpoint", endpoint, "--newest", "1000", form]);
    }
    run(&["label", &before, "--fields", "path"]);
    for (arguments, output) in &outputs {
        // A state has segments of paths as they were, since what they stand for is decided when it is read.
        let may_have = |number: usize| arguments == "state" && number % PLACES == PATH;
        let is_shown =
            |(number, secret): &(usize, &String)| output.contains(&***secret) && !may_have(*number);
        let shown: Vec<(usize, &String)> = secrets.iter().enumerate().filter(is_shown).collect();
        let shown = shown.iter().map(|(number, secret)| (number % PLACES, secret));
        assert_eq!(shown.clone().count(), 0, "{arguments} shows {:?}", shown.collect::<Vec<_>>());
    }
}
