//! The page of a report: equal bytes, escaped text, and sentences for what cannot be done.

use crate::support::{fixture, program, program_with_input};

#[test]
fn the_page_of_the_demo_has_all_that_is_known() {
    let capture = fixture("demo.mitm").display().to_string();
    let page = program(&["report", &capture]).stdout;
    assert_eq!(page, program(&["report", &capture, "--threads", "3"]).stdout);
    assert_eq!(page.matches("class=\"endpoint\"").count(), 21);
    for part in [
        "<h1>shop.example</h1>",
        "<dt>endpoints</dt><dd>21</dd>",
        "14 values, confidence 0.99",
        "200.name string",
        "curl -g &#39;https://api.shop.example/v1/users/{user_id}&#39; -H &#39;authorization: …&#39;",
        "Most errors",
        "default-src &#39;none&#39;",
    ] {
        assert!(page.contains(part), "{part}");
    }
    // Neither scripts nor styles stand at elements, which the policy would forbid.
    for part in [" style=", " onclick", "http-equiv=\"refresh\"", " src="] {
        assert!(!page.contains(part), "{part}");
    }
    let calls = program(&["report", &capture, "--only", "asset"]).stdout;
    assert_eq!(calls.matches("class=\"endpoint\"").count(), 1);
}

#[test]
fn captured_text_is_text_in_the_page() {
    let line = r#"{"method":"GET","url":"https://h.example/<script>a</script>?<img src=x>=1","status":200,"content_type":"application/json","response_body":"{\"</script><script>b\":1}"}"#;
    let page = program_with_input(&["report", "-"], line.as_bytes()).stdout;
    assert_eq!(page.matches("<script>").count(), 1, "{page}");
    assert!(!page.contains("<img"), "{page}");
    assert!(page.contains("&#60;img"), "{page}");
}

#[test]
fn an_empty_capture_and_a_capture_as_output_are_said() {
    let run = program_with_input(&["report", "-"], b"");
    assert!(run.stdout.contains("No endpoint was found."), "{}", run.stdout);
    let capture = fixture("demo.mitm").display().to_string();
    let run = program(&["report", &capture, "--output", &capture]);
    assert_eq!(run.code, Some(2));
    assert!(run.stderr.contains("this is a capture; name another file"), "{}", run.stderr);
}

#[test]
fn an_endpoint_has_near_misses_fields_and_its_openapi() {
    let capture = fixture("demo.mitm").display().to_string();
    let page = program(&["report", &capture]).stdout;
    for part in [
        "Requests over time by status",
        "GET /v1/users answers with",
        "404.error string or null?",
        "operationId: getUser",
        "<dt>Security</dt><dd>bearerAuth</dd>",
        "&#34;/v1/users/{user_id}&#34;:",
    ] {
        assert!(page.contains(part), "{part}");
    }
    assert!(!page.contains("id=\"packed\""), "there is room for the text");
}

#[test]
fn a_page_stays_within_its_size_and_packs_what_has_no_room() {
    let body: String = (0..60)
        .flat_map(|key| ["\\\"name_of_".to_owned(), key.to_string(), "\\\":\\\"x\\\",".to_owned()])
        .collect();
    let nouns = "users orders teams roles files pages items carts tags plans notes tasks events groups photos songs books cars trips maps";
    let nouns: Vec<&str> = nouns.split(' ').collect();
    let line = |number: usize| {
        let (one, other) = (nouns[number % 20], nouns[number / 20]);
        let body = body.replace("name_of", &format!("{one}_{other}"));
        format!(
            "{{\"method\":\"GET\",\"url\":\"https://h.example/{one}/{other}\",\"status\":200,\"content_type\":\"application/json\",\"response_body\":\"{{{body}\\\"end\\\":1}}\"}}\n"
        )
    };
    let lines: String = (0..400).map(line).collect();
    let page = program_with_input(&["report", "-"], lines.as_bytes()).stdout;
    let endpoints = page.matches("class=\"endpoint\"").count();
    assert!(endpoints > 100, "{endpoints}");
    assert!(page.len() <= 150_000 + 1_500 * endpoints, "{} for {endpoints}", page.len());
    assert!(page.contains("id=\"packed\"") && !page.contains("<dt>OpenAPI</dt>"));
}

#[test]
fn a_viewer_of_the_user_has_a_page_beside_the_page() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str| folder.path().join(name).display().to_string();
    std::fs::write(file("viewer.js"), "window.Redoc = '</script>';").unwrap();
    let capture = fixture("demo.mitm").display().to_string();
    let run = program(&[
        "report",
        &capture,
        "-q",
        "--output",
        &file("r.html"),
        "--viewer",
        &file("viewer.js"),
    ]);
    assert_eq!((run.code, &*run.stderr), (Some(0), ""));
    let page = std::fs::read_to_string(file("r.html")).unwrap();
    assert!(page.contains("<a href=\"./r.viewer.html\">"), "{page}");
    let viewer = std::fs::read_to_string(file("r.viewer.html")).unwrap();
    assert!(
        viewer.contains("window.Redoc = '<\\/script>'") && viewer.contains("\"openapi\":\"3.1.0\"")
    );
    let run =
        program(&["report", &capture, "--output", &file("x.html"), "--viewer", &file("none.js")]);
    assert_eq!(run.code, Some(2));
    assert!(run.stderr.contains("none.js") && !std::path::Path::new(&file("x.html")).exists());
}

#[test]
fn what_cannot_be_served_or_explored_is_said() {
    let capture = fixture("demo.mitm").display().to_string();
    let run = program(&["report", "--follow", "--listen", "0.0.0.0:0", &capture]);
    assert_eq!(run.code, Some(2));
    assert!(run.stderr.contains("give a loopback address"), "{}", run.stderr);
    let run = program(&["report", "--follow", &capture]);
    assert!(run.stderr.contains("--listen"), "{}", run.stderr);
    let run = program(&["explore", &capture]);
    assert_eq!(run.code, Some(2));
    assert!(run.stderr.contains("explore needs a terminal"), "{}", run.stderr);
}
