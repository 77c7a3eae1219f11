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
        "curl &#39;https://api.shop.example/v1/users/{user_id}&#39; -H &#39;authorization: …&#39;",
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
