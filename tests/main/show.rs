//! From an endpoint to its requests, and back.

use std::fs;

use serde_json::Value;

use crate::support::{fixture, program};

fn demo(name: &str) -> String {
    fixture(name).to_str().unwrap().to_owned()
}

fn report(arguments: &[&str]) -> Value {
    let run = program(&[&["analyze", "--format", "json"], arguments].concat());
    serde_json::from_str(&run.stdout).unwrap_or_else(|error| panic!("{error}: {}", run.stderr))
}

/// Every sample id of every format leads to a request of its endpoint.
#[test]
fn sample_ids_lead_to_requests() {
    for name in ["demo.mitm", "demo.har", "demo.db", "demo.zhar", "demo.chromium.har"] {
        let capture = demo(name);
        let report = report(&[&capture]);
        let patterns = report["patterns"].as_array().unwrap();
        assert!(patterns.len() > 3, "{name}");
        for pattern in patterns.iter().step_by(4) {
            let ids = pattern["sample_flow_ids"].as_array().unwrap();
            assert!(!ids.is_empty(), "{name}: {}", pattern["endpoint"]);
            for id in ids {
                let run = program(&["show", &capture, id.as_str().unwrap(), "--json"]);
                assert_eq!(run.code, Some(0), "{name} {id}: {}", run.stderr);
                let shown: Value = serde_json::from_str(&run.stdout).unwrap();
                assert_eq!(shown[0]["request"]["method"], pattern["method"], "{name} {id}");
                let host = pattern["host"].as_str().unwrap();
                assert!(shown[0]["request"]["url"].as_str().unwrap().contains(host), "{name} {id}");
                assert_eq!(shown[0]["id"], *id);
                assert_eq!(shown[0]["endpoint"], pattern["endpoint"], "{name} {id}");
            }
        }
    }
}

#[test]
fn ids_of_records_do_not_depend_on_threads_or_other_captures() {
    let (har, dump) = (demo("demo.har"), demo("demo.mitm"));
    let ids = |arguments: &[&str]| -> Vec<String> {
        let run = program(&[&["label", "--quiet"], arguments].concat());
        let lines = run.stdout.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        let ids = lines.map(|line| line["id"].as_str().unwrap().to_owned());
        ids.filter(|id| id.starts_with("record-")).collect()
    };
    let alone = ids(&[&har]);
    assert!(alone.len() > 50);
    assert_eq!(ids(&[&har, "--threads", "1", "--batch-bytes", "900"]), alone);
    assert_eq!(ids(&[&dump, &har]), alone);
    assert_eq!(ids(&[&har, "--limit", "1000"]), alone);
}

#[test]
fn a_request_is_shown_as_text_curl_har_and_json() {
    let capture = demo("demo.mitm");
    let show = |more: &[&str]| {
        let run = program(&[&["show", &*capture, "--endpoint", "POST /v1/users"], more].concat());
        assert_eq!(run.code, Some(0), "{}", run.stderr);
        run.stdout
    };
    let text = show(&[]);
    assert!(text.contains("\nPOST https://api.shop.example/v1/users\n"), "{text}");
    assert!(text.contains("authorization: Bearer [masked]\n"), "{text}");
    assert!(text.contains("\n201\n"), "{text}");
    let revealed = show(&["--reveal"]);
    assert!(!revealed.contains("[masked]") && revealed.contains("authorization: Bearer "));
    let curl = show(&["--curl"]);
    assert!(curl.starts_with("curl 'https://api.shop.example/v1/users' \\\n"), "{curl}");
    assert!(
        curl.contains("-H 'authorization: Bearer [masked]'") && curl.contains("--data-binary '{")
    );
    let har: Value = serde_json::from_str(&show(&["--har"])).unwrap();
    let entry = &har["log"]["entries"][0];
    assert_eq!(entry["request"]["method"], "POST");
    assert_eq!(entry["response"]["status"], 201);
    let json: Value = serde_json::from_str(&show(&["--json"])).unwrap();
    assert_eq!(json[0]["endpoint"], "POST /v1/users");
    assert_eq!(json[0]["request"]["body"]["form"], "json");
}

/// A capture that is cut down to an endpoint is read again as that endpoint.
#[test]
fn captures_are_cut_down_to_an_endpoint() {
    let folder = tempfile::tempdir().unwrap();
    let out = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    for (capture, name, more) in [
        ("demo.mitm", "one.mitm", &["--reveal"][..]),
        ("demo.mitm", "one.har", &[]),
        ("demo.har", "two.har", &["--reveal"]),
        ("demo.har", "masked.mitm", &[]),
        ("demo.db", "revealed.mitm", &["--reveal"]),
    ] {
        let (capture, file) = (demo(capture), out(name));
        let run = program(
            &[&["show", &capture, "--endpoint", "GET /v1/users/{user_id}", "--write", &file], more]
                .concat(),
        );
        assert_eq!(run.code, Some(0), "{}", run.stderr);
        let again = report(&[&file]);
        assert_eq!(again["totals"]["patterns"], 1, "{name}");
        assert_eq!(again["patterns"][0]["endpoint"], "GET /v1/users/{user_id}", "{name}");
        assert_eq!(again["patterns"][0]["request_count"], 15, "{name}");
    }
    let bytes = fs::read(out("one.mitm")).unwrap();
    let whole = fs::read(fixture("demo.mitm")).unwrap();
    let length = bytes.iter().position(|byte| *byte == b':').unwrap();
    let first = std::str::from_utf8(&bytes[..length]).unwrap().parse::<usize>().unwrap();
    let record = &bytes[..first + length + 2];
    assert!(
        whole.windows(record.len()).any(|part| part == record),
        "records are copied as they are"
    );
    let har = fs::read_to_string(out("one.har")).unwrap();
    assert!(har.contains("Bearer [masked]"));
    let masked = fs::read(out("masked.mitm")).unwrap();
    assert!(masked.windows(15).any(|part| part == b"Bearer [masked]"));
}

/// A hard link of a capture is another name for it, which `--write` takes without touching the capture.
#[cfg(unix)]
#[test]
fn a_hard_link_of_a_capture_is_replaced_and_the_capture_kept() {
    use std::os::unix::fs::PermissionsExt as _;

    let folder = tempfile::tempdir().unwrap();
    let (capture, link) = (folder.path().join("a.har"), folder.path().join("b.MITM"));
    fs::copy(fixture("demo.har"), &capture).unwrap();
    fs::hard_link(&capture, &link).unwrap();
    let (from, to) = (capture.to_str().unwrap(), link.to_str().unwrap());
    let run = program(&["show", from, "--endpoint", "POST /v1/users", "--write", to]);
    assert_eq!(run.code, Some(0), "{}", run.stderr);
    assert_eq!(fs::read(&capture).unwrap(), fs::read(fixture("demo.har")).unwrap());
    assert_eq!(report(&[to])["totals"]["flows"], 1);
    assert_eq!(fs::metadata(&link).unwrap().permissions().mode() & 0o777, 0o600);
}

/// Text is decoded, so its charset is UTF-8 from then on.
#[test]
fn text_of_another_charset_is_written_as_utf_8() {
    let folder = tempfile::tempdir().unwrap();
    let (capture, first) = (folder.path().join("a.jsonl"), folder.path().join("a.mitm"));
    let line = r#"{"method":"GET","url":"https://h.example/b","status":200,"response_headers":{"content-type":"text/plain; charset=ISO-8859-1"},"response_body":"Zo"}"#;
    fs::write(&capture, line).unwrap();
    let (from, to) = (capture.to_str().unwrap(), first.to_str().unwrap());
    let run = program(&["show", from, "--endpoint", "/b", "--write", to, "--reveal"]);
    assert_eq!(run.code, Some(0), "{}", run.stderr);
    let bytes = fs::read(&first).unwrap();
    let has = |text: &[u8]| bytes.windows(text.len()).any(|part| part == text);
    assert!(has(b"text/plain; charset=utf-8") && !has(b"ISO-8859-1"));
}

/// A dump that is written from another format holds what was in it.
#[test]
fn a_har_becomes_a_dump_with_equal_requests() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("all.mitm").to_str().unwrap().to_owned();
    let har = demo("demo.har");
    let run =
        program(&["show", &har, "--endpoint", "POST /v1/users", "--write", &file, "--reveal"]);
    assert_eq!(run.code, Some(0), "{}", run.stderr);
    let of = |capture: &str| {
        let run = program(&[
            "show",
            capture,
            "--endpoint",
            "POST /v1/users",
            "--newest",
            "100",
            "--json",
            "--reveal",
        ]);
        let mut found: serde_json::Value = serde_json::from_str(&run.stdout).unwrap();
        for exchange in found.as_array_mut().unwrap() {
            for key in ["id", "source", "offset"] {
                exchange.as_object_mut().unwrap().remove(key);
            }
            // Lengths are those of the decoded bodies.
            for message in ["request", "response"] {
                let headers = exchange[message]["headers"].as_array_mut().unwrap();
                let is_length = |name: &str| name.eq_ignore_ascii_case("content-length");
                headers.retain(|header| !is_length(header[0].as_str().unwrap()));
            }
        }
        found
    };
    assert_eq!(of(&file), of(&har));
}

#[test]
fn what_cannot_be_shown_is_said_in_one_sentence() {
    let capture = demo("demo.mitm");
    for (arguments, words) in [
        (&["show", &*capture][..], "id of a flow"),
        (&["show", &capture, "nope"], "no flow has the id nope"),
        (
            &["show", &capture, "--endpoint", "GET /v1/user/{id}"],
            "similar are GET /v1/users/{user_id}",
        ),
        (&["show", &capture, "--endpoint", "/v1/users", "--write", &capture], "this is a capture"),
        (
            &["analyze", &capture, "--explain", "GET /v1/user/{id}"],
            "similar are GET /v1/users/{user_id}",
        ),
    ] {
        let run = program(arguments);
        assert_eq!(run.code, Some(2), "{arguments:?}: {}", run.stderr);
        assert_eq!(run.stderr.lines().count(), 1, "{arguments:?}: {}", run.stderr);
        assert!(run.stderr.contains(words), "{arguments:?}: {}", run.stderr);
    }
}

#[test]
fn a_path_or_a_url_is_explained_by_its_endpoint() {
    let capture = demo("demo.mitm");
    for (text, endpoints) in [
        (
            "https://api.shop.example/v1/users/999",
            &["GET /v1/users/{user_id}", "PATCH /v1/users/{user_id}", "DELETE /v1/users/{user_id}"]
                [..],
        ),
        ("GET /v1/users/999/orders?page=1", &["GET /v1/users/{user_id}/orders"]),
    ] {
        let run = program(&["analyze", &capture, "--explain", text, "--quiet"]);
        let explained: Value = serde_json::from_str(&run.stdout).unwrap();
        let found: Vec<&str> = explained
            .as_array()
            .unwrap()
            .iter()
            .map(|one| one["pattern"]["endpoint"].as_str().unwrap())
            .collect();
        assert_eq!(found, endpoints, "{text}");
    }
}

#[test]
fn labels_have_further_fields_on_request() {
    let capture = demo("demo.har");
    let fields = "index,source,offset,time,status,path";
    let run = program(&["label", &capture, "--fields", fields, "--quiet"]);
    for (number, line) in run.stdout.lines().enumerate() {
        let line: Value = serde_json::from_str(line).unwrap();
        assert_eq!(line["index"], number);
        assert_eq!(line["source"], capture);
        assert!(line["id"].as_str().unwrap().starts_with("record-") && line["offset"].is_u64());
        assert!(line["path"].as_str().unwrap().starts_with('/') && line["time"].is_string());
    }
    let last: Value = serde_json::from_str(run.stdout.lines().last().unwrap()).unwrap();
    let place = format!("@{}", last["offset"]);
    let shown = program(&["show", &capture, &place, "--json"]);
    let shown: Value = serde_json::from_str(&shown.stdout).unwrap();
    assert_eq!(shown[0]["id"], last["id"]);
    let plain = program(&["label", &capture, "--quiet"]);
    let first: Value = serde_json::from_str(plain.stdout.lines().next().unwrap()).unwrap();
    assert!(first.get("path").is_none() && first.get("index").is_none());
}
