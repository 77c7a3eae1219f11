//! Corpora that are not part of the repository: recorded answers of the original tool, and traffic of real APIs.

use std::fs;
use std::io::Read;

use api_patterns::compat::normalize_path;
use api_patterns::{Captures, InputFormat, Options, Patterns, analyze, compat_answer};
use rusqlite::types::Value as Column;
use serde_json::Value;

use crate::shared;
use crate::support::{create_database, insert};

/// Answers a recorded case through JSON lines. The flows of a case are given newest first, but in JSON lines the last
/// is the newest.
fn answer(case: &RawCase) -> Result<String, api_patterns::Error> {
    let lines: Vec<&str> = case.flows.iter().rev().map(|line| line.get()).collect();
    let captures =
        Captures::from_bytes(&case.name, lines.join("\n").into_bytes(), InputFormat::JsonLines)
            .unwrap();
    let answer =
        compat_answer(&captures, case.domain.as_deref(), case.limit, &Options::default(), &())?;
    assert_eq!(answer.flows + answer.skips.total(), lines.len() as u64, "{}", case.name);
    Ok(answer.text)
}

#[derive(serde::Deserialize)]
struct RawCase {
    name: String,
    flows: Vec<Box<serde_json::value::RawValue>>,
    domain: Option<String>,
    limit: Option<i64>,
    #[serde(default)]
    expected_text: Option<String>,
    #[serde(default)]
    raises: Option<String>,
}

fn check_cases(file: &str, expected_count: usize) {
    let path = shared(file);
    let text = std::fs::read_to_string(path).unwrap();
    let mut count = 0;
    for line in text.lines() {
        let case: RawCase = serde_json::from_str(line).unwrap();
        let answer = answer(&case);
        match (&case.expected_text, &case.raises) {
            (Some(expected), _) => assert_eq!(&answer.unwrap(), expected, "{}", case.name),
            (None, Some(_)) => {
                let error = answer.unwrap_err();
                assert!(error.is_flow(), "{}: {error}", case.name);
                assert!(error.to_string().starts_with("flow f"), "{}: {error}", case.name);
            }
            (None, None) => panic!("{}: a case without an answer", case.name),
        }
        count += 1;
    }
    assert_eq!(count, expected_count);
}

pub fn answers_equal_the_originals_on_all_recorded_cases() {
    check_cases("compat/compat-cases.jsonl", 125);
}

/// Lone surrogates survive, since text is kept in WTF-8.
pub fn lone_surrogates_come_out_as_the_original_writes_them() {
    check_cases("compat/compat-cases-surrogates.jsonl", 3);
}

pub fn paths_are_normalized_as_the_original_does() {
    let path = shared("compat/normalize-path-cases.jsonl");
    for line in std::fs::read_to_string(path).unwrap().lines() {
        let case: Value = serde_json::from_str(line).unwrap();
        let (pattern, params) = normalize_path(case["path"].as_str().unwrap());
        assert_eq!(pattern, case["pattern"].as_str().unwrap(), "{case}");
        assert_eq!(serde_json::json!(params), case["params"], "{case}");
    }
}

/// For each recorded case the rows equal those of the original's reader, or fail where it raises.
pub fn rows_are_those_of_the_original() {
    let cases = shared("compat/db-rows-cases.jsonl");
    let mut count = 0;
    for line in std::fs::read_to_string(cases).unwrap().lines() {
        let case: Value = serde_json::from_str(line).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let (path, connection) = create_database(folder.path(), "");
        for row in case["rows"].as_array().unwrap() {
            let columns = [
                "id",
                "url",
                "method",
                "status_code",
                "request_headers",
                "request_body",
                "response_headers",
                "response_body",
                "timestamp",
                "size",
            ];
            let values = columns.map(|column| match &row[column] {
                Value::Null => Column::Null,
                Value::Number(number) if number.is_i64() => {
                    Column::Integer(number.as_i64().unwrap())
                }
                Value::Number(number) => Column::Real(number.as_f64().unwrap()),
                text => Column::Text(text.as_str().unwrap().to_owned()),
            });
            insert(&connection, &values);
        }
        drop(connection);
        let captures = Captures::open(&[&path], InputFormat::Detect).unwrap();
        let answer = compat_answer(&captures, None, None, &Options::default(), &());
        let flows = case["flows"].as_array();
        let raises = flows.is_none_or(|flows| {
            flows.iter().any(|flow| {
                flow["request"]["headers"].is_null() || flow["request"]["url"].is_null()
            })
        });
        if raises {
            assert!(answer.unwrap_err().is_flow(), "{}", case["name"]);
        } else {
            let text = answer.unwrap().text;
            let parsed: Value = serde_json::from_str(&text).unwrap();
            assert_eq!(parsed, expected(flows.unwrap()), "{}", case["name"]);
            // Parsing loses the order of the members, which this case checks.
            if case["name"] == "list pairs, duplicates collapse last wins, first position" {
                let places =
                    ["\"a\": 1", "\"b\": 1", "\"A\": 1"].map(|name| text.find(name).unwrap());
                assert!(places.is_sorted(), "{text}");
            }
        }
        count += 1;
    }
    assert!(count >= 22);
}

/// Computes the original's answer for rows that all have the same path.
fn expected(flows: &[Value]) -> Value {
    let mut clusters: Vec<(String, Value)> = Vec::new();
    for flow in flows {
        let request = &flow["request"];
        let method = request["method"].as_str().unwrap_or("None");
        let path = request["url"].as_str().unwrap().strip_prefix("https://h").unwrap();
        let endpoint = format!("{method} {path}");
        let at = clusters.iter().position(|(known, _)| *known == endpoint).unwrap_or_else(|| {
            let new = serde_json::json!({
                "endpoint": endpoint, "method": request["method"], "path_pattern": path, "path_params": [],
                "query_params": [], "common_headers": {}, "status_codes": {}, "content_types": {},
                "request_count": 0, "sample_flow_ids": [],
            });
            clusters.push((endpoint.clone(), new));
            clusters.len() - 1
        });
        let cluster = &mut clusters[at].1;
        let bump = |value: &mut Value| *value = (value.as_u64().unwrap_or(0) + 1).into();
        bump(&mut cluster["request_count"]);
        let ids = cluster["sample_flow_ids"].as_array_mut().unwrap();
        if ids.len() < 3 {
            ids.push(flow["id"].clone());
        }
        for name in request["headers"].as_object().unwrap().keys() {
            if name != "content-length" {
                bump(&mut cluster["common_headers"][name]);
            }
        }
        if let Some(response) = flow["response"].as_object() {
            let status = &response["status_code"];
            let status = status.as_str().map_or_else(|| status.to_string(), str::to_owned);
            bump(&mut cluster["status_codes"][&status]);
            bump(&mut cluster["content_types"]["unknown"]);
        }
    }
    clusters.sort_by_key(|(_, cluster)| std::cmp::Reverse(cluster["request_count"].as_u64()));
    clusters.into_iter().map(|(_, cluster)| cluster).collect()
}

/// Recorded traffic of real APIs gives identical bytes if it is shuffled, split, observed on any number of threads, and
/// merged in any order.
pub fn real_corpora_give_the_same_bytes_in_any_order() {
    let folder = shared("accuracy/dev");
    let mut files: Vec<_> =
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    for file in files {
        let api = file.file_name().unwrap().to_str().unwrap();
        let packed = fs::read(&file).unwrap();
        let mut text = String::new();
        flate2::read::MultiGzDecoder::new(&packed[..]).read_to_string(&mut text).unwrap();
        let mut lines: Vec<&str> = text.lines().collect();
        let report = |lines: &[&str], threads, batch_bytes| {
            let captures =
                Captures::from_bytes(api, lines.join("\n").into_bytes(), InputFormat::JsonLines)
                    .unwrap();
            let mut options = Options::default();
            (options.threads, options.batch_bytes) = (threads, batch_bytes);
            serde_json::to_string(&analyze(&captures, &options, &()).unwrap().report).unwrap()
        };
        let whole = report(&lines, 1, 0);
        for (seed, threads) in [(1_u64, 2), (2, 16)] {
            let mut state = seed;
            for i in (1..lines.len()).rev() {
                state = state
                    .wrapping_mul(6_364_136_223_846_793_005)
                    .wrapping_add(1_442_695_040_888_963_407);
                lines.swap(i, usize::try_from(state >> 33).unwrap() % (i + 1));
            }
            assert!(report(&lines, threads, 20_000) == whole, "{api}, shuffle {seed}");
        }
        let mut merged = Patterns::new();
        for part in lines.chunks(lines.len() / 5 + 1).rev() {
            let captures =
                Captures::from_bytes(api, part.join("\n").into_bytes(), InputFormat::JsonLines)
                    .unwrap();
            let mut patterns = Patterns::new();
            api_patterns::for_each_flow(&captures, |flow| patterns.observe(flow)).unwrap();
            patterns.merge(merged);
            merged = patterns;
        }
        let merged: Value = serde_json::to_value(merged.report()).unwrap();
        let whole: Value = serde_json::from_str(&whole).unwrap();
        assert!(merged["patterns"] == whole["patterns"], "{api}, merged");
    }
}
