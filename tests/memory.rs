//! Compares `Patterns::size` with the memory that an allocator counts. This test has its own binary because it counts
//! the memory of the whole process.

#![allow(clippy::unwrap_used, unsafe_code, reason = "tests fail by unwrapping")]

use std::alloc::System;

use api_patterns::{Body, Captures, Flow, Headers, InputFormat, Patterns, Response, for_each_flow};
use cap::Cap;

#[global_allocator]
static MEMORY: Cap<System> = Cap::new(System, usize::MAX);

#[track_caller]
fn check(what: &str, observe: impl Fn(&mut Patterns)) {
    check_in(Patterns::new, what, observe);
}

#[track_caller]
fn check_in(new: fn() -> Patterns, what: &str, observe: impl Fn(&mut Patterns)) -> usize {
    // Initialize lazy static tables first, which are not part of a state.
    observe(&mut new());
    let before = MEMORY.allocated();
    let mut patterns = new();
    observe(&mut patterns);
    // `size` includes the state itself, which is not on the heap.
    let real = MEMORY.allocated() - before;
    let said = patterns.size();
    assert!(said * 10 >= real * 9 && said * 9 <= real * 10 + 90_000, "{what}: {said} of {real}");
    real
}

fn word(mut number: usize) -> String {
    let mut word = String::new();
    for _ in 0..4 {
        word.push(char::from(b"bcdfgklmnprst"[number % 13]));
        number /= 13;
        word.push(char::from(b"aeiou"[number % 5]));
        number /= 5;
    }
    word
}

#[test]
fn a_state_says_what_it_takes_up() {
    check("nothing", |_| ());
    check("the demo", |patterns| {
        let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/demo.mitm");
        let captures = Captures::open(&[path], InputFormat::Detect).unwrap();
        for_each_flow(&captures, |flow| patterns.observe(flow)).unwrap();
    });
    check("many endpoints", |patterns| {
        for number in 0..20_000 {
            let url = format!("https://h.example/{}/{}", word(number * 7919), word(number));
            patterns.observe(&Flow::new("GET", &url).unwrap());
        }
    });
    check("many names", |patterns| flood(patterns, 400));
    // Each of these endpoints could keep 512 names, 4 million in total.
    let mut flooded = Patterns::new();
    flood(&mut flooded, 8000);
    let bytes = flooded.to_bytes();
    assert!(flooded.size() < 160 << 20, "{} MB", flooded.size() >> 20);
    assert_eq!(Patterns::from_bytes(&bytes).unwrap().to_bytes(), bytes);
    assert_eq!(flooded.report().patterns.len(), 8000, "names push out no endpoint");
    drop(flooded);
    shapes_of_bodies_are_bounded();
}

fn shapes_of_bodies_are_bounded() {
    let checked = |what: &str, most: usize, observe: &dyn Fn(&mut Patterns)| {
        let bytes = check_in(Patterns::with_bodies, what, observe);
        assert!(bytes < most << 20, "{what}: {} MB", bytes >> 20);
    };
    checked("5,000 endpoints of ordinary size", 64, &|patterns| {
        for number in 0..10_000 {
            let path =
                [number % 20, number / 20 % 20, number / 400 % 13].map(|at| WORDS[at]).join("/");
            observe_body(patterns, &path, &ordinary_body(number));
        }
    });
    checked("a flood of keys", 256, &|patterns| {
        for number in 0..1500 {
            let keys = (0..1000)
                .map(|key| format!("\"{}{number}x{key}\":{{\"a\":[1],\"b\":\"c\"}}", word(key)));
            let body = format!("{{{}}}", keys.collect::<Vec<_>>().join(","));
            observe_body(patterns, WORDS[number % 20], &body);
        }
    });
    checked("a flood of depths", 256, &|patterns| {
        for number in 0..1500 {
            let mut body = "1".to_owned();
            for depth in 0..60 {
                let name = word(number * 61 + depth);
                body = format!("{{\"{name}\":[{body}],\"b{depth}\":\"{name}\"}}");
            }
            observe_body(patterns, WORDS[number % 20], &body);
        }
    });
    checked("a flood of endpoints", 256, &|patterns| {
        for number in 0..20_000 {
            let path = format!("{}/{}", word(number * 7919), word(number));
            observe_body(patterns, &path, &ordinary_body(number));
        }
    });
}

/// A body with 31 fields at three depths.
fn ordinary_body(number: usize) -> String {
    let fields = |prefix: &str, count: usize| {
        let field = |at: usize| match at % 4 {
            0 => format!("\"{prefix}{at}\":{number}"),
            1 => format!("\"{prefix}{at}\":\"a text of some length {number}\""),
            2 => format!("\"{prefix}{at}\":true"),
            _ => format!("\"{prefix}{at}\":\"{}\"", WORDS[(number + at) % 20]),
        };
        (0..count).map(field).collect::<Vec<_>>().join(",")
    };
    let (owner, item) = (fields("owner_", 6), fields("item_", 5));
    format!("{{{},\"owner\":{{{owner}}},\"items\":[{{{item}}}]}}", fields("field_", 18))
}

fn observe_body(patterns: &mut Patterns, path: &str, body: &str) {
    let url = format!("https://h.example/{path}");
    let mut flow = Flow::new("GET", &url).unwrap();
    flow.response = Some(Response {
        status: 200,
        content_type: Some(b"application/json"),
        body: Body::decoded(body.as_bytes()),
        ..Response::default()
    });
    patterns.observe(&flow);
}

const WORDS: [&str; 20] = [
    "users", "orders", "images", "status", "search", "settings", "comments", "projects", "events",
    "files", "groups", "messages", "reports", "accounts", "products", "invoices", "sessions",
    "teams", "labels", "tags",
];

/// Observes requests to the given number of endpoints, each with 256 header names and 256 parameter names.
fn flood(patterns: &mut Patterns, endpoints: usize) {
    for number in 0..endpoints {
        for part in 0..4 {
            let query: String = (0..64)
                .map(|name| format!("parameter{number}n{}=1&", part * 64 + name))
                .collect::<Vec<_>>()
                .concat();
            let names: Vec<String> =
                (0..64).map(|name| format!("x-header-{number}-{}", part * 64 + name)).collect();
            let headers: Vec<(&[u8], Option<&[u8]>)> =
                names.iter().map(|name| (name.as_bytes(), None)).collect();
            let known = [number % 20, number / 20 % 20, number / 400].map(|at| WORDS[at]);
            let url = format!("https://h.example/{}?{query}", known.join("/"));
            let mut flow = Flow::new("GET", &url).unwrap();
            flow.request_headers = Headers::new(&headers);
            patterns.observe(&flow);
        }
    }
}
