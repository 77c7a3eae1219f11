//! Compares `Patterns::size` with the memory that an allocator counts. This test has its own binary because it counts
//! the memory of the whole process.

#![allow(clippy::unwrap_used, unsafe_code, reason = "tests fail by unwrapping")]

use std::alloc::System;

use api_patterns::{Captures, Flow, Headers, InputFormat, Patterns, for_each_flow};
use cap::Cap;

#[global_allocator]
static MEMORY: Cap<System> = Cap::new(System, usize::MAX);

#[track_caller]
fn check(what: &str, observe: impl Fn(&mut Patterns)) {
    // Initialize lazy static tables first, which are not part of a state.
    observe(&mut Patterns::new());
    let before = MEMORY.allocated();
    let mut patterns = Patterns::new();
    observe(&mut patterns);
    // `size` includes the state itself, which is not on the heap.
    let real = MEMORY.allocated() - before;
    let said = patterns.size();
    assert!(said * 10 >= real * 9 && said * 9 <= real * 10 + 90_000, "{what}: {said} of {real}");
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
