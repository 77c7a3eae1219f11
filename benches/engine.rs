//! Benchmarks of the components, each beside a plain implementation of the same task.
//!
//! `cargo bench` compares segment classification in one pass with regular expressions, the URL splitter with the `url`
//! crate, and the analysis of a dump with only reading its bytes.

#![allow(missing_docs, reason = "criterion makes public functions")]
#![allow(clippy::unwrap_used, reason = "a bench that fails has nothing to measure")]

use std::fs;
use std::hint::black_box;
use std::io::Read;

use api_patterns::{
    Captures, Flow, InputFormat, Options, Patterns, Segment, analyze, for_each_flow,
};
use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use regex::RegexSet;

#[path = "support/traffic.rs"]
#[allow(dead_code, reason = "shared with the generator")]
mod traffic;

const FLOWS: u64 = 5_000;

fn dump() -> Vec<u8> {
    let mut dump = Vec::new();
    traffic::write_all(&mut dump, FLOWS, traffic::write_record).unwrap();
    dump
}

fn lines() -> Vec<u8> {
    let mut lines = Vec::new();
    traffic::write_all(&mut lines, FLOWS, traffic::write_line).unwrap();
    lines
}

fn open(bytes: &[u8]) -> Captures {
    Captures::from_bytes("bench", bytes.to_vec(), InputFormat::Detect).unwrap()
}

fn urls() -> Vec<String> {
    let mut traffic = traffic::Traffic::new(1);
    (0..FLOWS)
        .map(|_| traffic.exchange())
        .map(|exchange| format!("https://{}{}", exchange.host, exchange.target))
        .collect()
}

/// Decodes flows from bytes on one thread.
fn reading(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("reading");
    for (name, bytes) in [("mitmproxy", dump()), ("json lines", lines())] {
        let captures = open(&bytes);
        group.throughput(Throughput::Bytes(bytes.len() as u64));
        group.bench_function(name, |bench| {
            bench.iter(|| {
                let mut paths = 0;
                for_each_flow(&captures, |flow| paths += flow.path().len()).unwrap();
                paths
            });
        });
    }
    group.finish();
}

/// Classifies segments in one pass, and with a set of regular expressions.
fn segment_kinds(criterion: &mut Criterion) {
    let segments = [
        "users",
        "v1",
        "42",
        "550e8400-e29b-41d4-a716-446655440000",
        "507f1f77bcf86cd799439011",
        "cus_NffrFeUfNV2Hib",
        "2026-11-22",
        "checkNameAvailability",
        "dQw4w9WgXcQ",
        "42.json",
    ];
    let set = RegexSet::new([
        r"^-?\d+$",
        r"(?i)^[0-9a-f]{8}-([0-9a-f]{4}-){3}[0-9a-f]{12}$",
        r"(?i)^[0-9a-f]{24}$",
        r"(?i)^[0-9a-f]{16,}$",
        r"^v\d{1,3}([._-]\d+)*$",
        r"^\d{4}-\d{2}(-\d{2})?$",
        r"^[A-Za-z]{1,8}[_-][A-Za-z0-9]{8,}$",
        r"^[a-z]{2}[-_][A-Z]{2}$",
    ])
    .unwrap();
    let mut group = criterion.benchmark_group("segment kinds");
    group.throughput(Throughput::Elements(segments.len() as u64));
    group.bench_function("one pass", |bench| {
        bench.iter(|| {
            segments
                .iter()
                .map(|s| Segment::parse(black_box(s.as_bytes())).kind as usize)
                .sum::<usize>()
        });
    });
    group.bench_function("regular expressions", |bench| {
        bench.iter(|| segments.iter().map(|s| set.matches(black_box(s)).len()).sum::<usize>());
    });
    group.finish();
}

fn splitting(criterion: &mut Criterion) {
    let urls = urls();
    let mut group = criterion.benchmark_group("splitting URLs");
    group.throughput(Throughput::Elements(FLOWS));
    group.bench_function("by hand", |bench| {
        bench.iter(|| {
            urls.iter().filter_map(|url| api_patterns::url::split(url.as_bytes())).count()
        });
    });
    group.bench_function("url crate", |bench| {
        bench.iter(|| urls.iter().filter_map(|url| url::Url::parse(url).ok()).count());
    });
    group.finish();
}

fn state(criterion: &mut Criterion) {
    let urls = urls();
    let observed = |urls: &[String]| {
        let mut patterns = Patterns::new();
        for url in urls {
            patterns.observe(&Flow::new("GET", url).unwrap());
        }
        patterns
    };
    let mut group = criterion.benchmark_group("state");
    group.throughput(Throughput::Elements(FLOWS));
    group.bench_function("observing flows", |bench| bench.iter(|| observed(&urls).used()));
    let (left, right) = urls.split_at(urls.len() / 2);
    let (left, right) = (observed(left), observed(right));
    group.throughput(Throughput::Elements(1));
    group.bench_function("merging two states", |bench| {
        bench.iter_batched(
            || (left.clone(), right.clone()),
            |(mut left, right)| {
                left.merge(right);
                left.used()
            },
            BatchSize::SmallInput,
        );
    });
    group.bench_function("deciding and reporting", |bench| {
        bench.iter(|| left.report().patterns.len())
    });
    group.finish();
}

/// Analyzes a file with several numbers of threads, and reads only its bytes.
fn whole(criterion: &mut Criterion) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("bench.mitm");
    let dump = dump();
    fs::write(&path, &dump).unwrap();
    let mut group = criterion.benchmark_group("whole analyze");
    group.throughput(Throughput::Bytes(dump.len() as u64));
    for threads in [1, 2] {
        group.bench_function(format!("{threads} threads"), |bench| {
            let mut options = Options::default();
            options.threads = threads;
            bench.iter(|| {
                let captures = Captures::open(&[&path], InputFormat::Detect).unwrap();
                analyze(&captures, &options, &()).unwrap().report.patterns.len()
            });
        });
    }
    group.bench_function("reading the bytes alone", |bench| {
        let mut buffer = vec![0; 1 << 20];
        bench.iter(|| {
            let mut file = fs::File::open(&path).unwrap();
            let mut total = 0;
            loop {
                match file.read(&mut buffer).unwrap() {
                    0 => break total,
                    count => total += count,
                }
            }
        });
    });
    group.finish();
}

criterion_group!(benches, reading, segment_kinds, splitting, state, whole);
criterion_main!(benches);
