//! Cases in tests/data/templates: requests, and the templates expected from them.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use api_patterns::{Flow, Patterns, Response};

/// Parses a line of a case into its requests, with repetitions and ranges expanded.
fn requests(line: &str) -> Vec<(String, String, Option<i64>, Option<String>)> {
    let (line, times) = match line.split_once(" * ") {
        Some((line, times)) => (line, times.parse().expect("a number behind *")),
        None => (line, 1),
    };
    let words: Vec<&str> = line.split(' ').collect();
    let status = words.get(2).map(|status| status.parse().expect("a status"));
    let content_type = words.get(3).map(|text| (*text).to_owned());
    let url = |path: String| format!("https://{path}");
    let one = |path: String| (words[0].to_owned(), url(path), status, content_type.clone());
    (0..times).flat_map(|_| expanded(words[1])).map(one).collect()
}

/// Expands the ranges of a path: `a{1..3}b{5..6}` gives every combination.
fn expanded(path: &str) -> Vec<String> {
    let Some((before, rest)) = path.split_once('{') else { return vec![path.to_owned()] };
    let (range, after) = rest.split_once('}').expect("a range that ends");
    let (low, high) = range.split_once("..").expect("a range");
    let (low, high): (u64, u64) = (low.parse().expect("a number"), high.parse().expect("a number"));
    let ends = expanded(after);
    (low..=high)
        .zip(ends.iter().cycle())
        .map(|(number, end)| format!("{before}{number}{end}"))
        .collect()
}

#[test]
fn cases_in_plain_text_have_their_templates() {
    // What a rule is worth: how many cases fail without it.
    #[cfg(feature = "training")]
    if let Ok(rule) = std::env::var("WITHOUT_RULE") {
        assert!(api_patterns::training::switch_off_rule(&rule), "there is no rule {rule}");
    }
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/templates");
    let mut files: Vec<_> = fs::read_dir(folder)
        .expect("the folder of cases")
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "txt"))
        .collect();
    files.sort();
    let (mut count, mut wrong) = (0, Vec::new());
    for file in files {
        let text = fs::read_to_string(&file).expect("a readable file");
        for case in text.split("\n\n").filter(|case| !case.trim().is_empty()) {
            let (name, case) = case.trim().split_once('\n').expect("a name and requests");
            let (asked, expected) = case.split_once("\n--\n").expect("a line -- before templates");
            let mut patterns = Patterns::new();
            for (method, url, status, content_type) in asked.lines().flat_map(requests) {
                let mut flow = Flow::new(&method, &url).expect("a URL");
                let mut response =
                    Response { status: status.unwrap_or(200), ..Response::default() };
                response.content_type = content_type.as_ref().map(String::as_bytes);
                flow.response = Some(response);
                patterns.observe(&flow);
            }
            let report = patterns.report();
            let found: BTreeSet<&str> = report.patterns.iter().map(|p| &*p.endpoint).collect();
            let expected: BTreeSet<&str> = expected.lines().collect();
            count += 1;
            if found != expected {
                let file = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
                wrong.push(format!("{file} {name}\n  expected {expected:#?}\n  found {found:#?}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{} of {count} cases:\n{}", wrong.len(), wrong.join("\n"));
}
