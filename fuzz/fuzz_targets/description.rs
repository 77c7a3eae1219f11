//! A description, and a body that is compared with it.

#![no_main]

use api_patterns::{ApiDescription, Captures, InputFormat, Options, drift};

// A description, and after a NUL the body of an answer. Whatever the description is, it is compared or refused in one sentence.
libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let (description, body) = match bytes.iter().position(|byte| *byte == 0) {
        Some(at) => (&bytes[..at], &bytes[at + 1..]),
        None => (bytes, &b"{}"[..]),
    };
    let description = String::from_utf8_lossy(description);
    let api = match ApiDescription::of_text("openapi.yaml", &description) {
        Ok(api) => api,
        Err(error) => {
            let error = error.to_string();
            assert!(!error.contains(|letter: char| letter.is_control()), "{error:?}");
            return;
        }
    };
    let line = |method: &str, path: &str| {
        serde_json::json!({
            "method": method, "url": format!("https://api.shop.example{path}"), "status": 200,
            "content_type": "application/json", "response_body": String::from_utf8_lossy(body),
            "request_headers": [["Content-Type", "application/json"]], "request_body": String::from_utf8_lossy(body),
        })
        .to_string()
    };
    let lines =
        [line("GET", "/v1/users/1?limit=5&page=a"), line("POST", "/v1/users"), line("GET", "/a")]
            .join("\n");
    let captures = Captures::from_bytes("lines", lines.into_bytes(), InputFormat::Detect)
        .expect("lines are JSON");
    let mut options = Options::default();
    options.threads = 1;
    let first = drift(&captures, &api, &options, &()).expect("a comparison has no error");
    let second = drift(&captures, &api, &options, &()).expect("a comparison has no error");
    assert_eq!(first.report, second.report);
    assert!(
        first
            .report
            .findings
            .iter()
            .all(|found| !found.place.contains(|letter: char| letter.is_control()))
    );
});
