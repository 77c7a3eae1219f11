//! Parsing and observing JSON bodies, compared with `serde_json` reading the same bytes and keeping nothing.

#![allow(clippy::unwrap_used, missing_docs, reason = "benchmarks fail by unwrapping")]

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use serde::de::IgnoredAny;

/// Bodies as REST APIs send them: pages of objects with ids, times, addresses, choices, nested owners and text.
fn bodies() -> Vec<Vec<u8>> {
    let mut state = 7_u64;
    let mut draw = |below: u64| {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from((state >> 33) % below).unwrap()
    };
    let states = |draw| ["open", "closed", "merged"].into_iter().cycle().nth(draw).unwrap();
    let kinds = |draw| ["User", "Organization", "Bot"].into_iter().cycle().nth(draw).unwrap();
    (0..200)
        .map(|_| {
            let items: Vec<String> = (0..20)
                .map(|_| {
                    format!(
                        r#"{{"id":{},"node_id":"MDU6SXNzdWU{}","url":"https://api.example.com/repos/a/b/issues/{}","number":{},"title":"Found a bug in the {} module","user":{{"login":"user{}","id":{},"avatar_url":"https://avatars.example.com/u/{}?v=4","type":"{}","site_admin":{}}},"labels":[{{"id":{},"name":"bug","color":"f29513","default":true}}],"state":"{}","locked":false,"assignee":null,"comments":{},"created_at":"2024-0{}-1{}T12:3{}:00Z","score":{}.{},"body":"I am having a problem with this. It fails in {} of the cases that I tried."}}"#,
                        draw(1 << 30), draw(1 << 30), draw(9999), draw(9999), draw(50), draw(9999), draw(1 << 20), draw(1 << 20),
                        kinds(draw(3)), draw(2) == 0, draw(1 << 20), states(draw(3)), draw(50), draw(9) + 1,
                        draw(9), draw(6), draw(10), draw(1000), draw(100)
                    )
                })
                .collect();
            format!("{{\"total_count\":{},\"items\":[{}]}}", items.len(), items.join(",")).into_bytes()
        })
        .collect()
}

fn observe(criterion: &mut Criterion) {
    let bodies = bodies();
    let bytes: usize = bodies.iter().map(Vec::len).sum();
    let mut group = criterion.benchmark_group("JSON bodies");
    group.throughput(Throughput::Bytes(bytes as u64)).sample_size(20);
    group.bench_function("serde_json, nothing kept", |bencher| {
        bencher.iter(|| {
            for body in &bodies {
                black_box(serde_json::from_slice::<IgnoredAny>(body).unwrap());
            }
        });
    });
    group.bench_function("observed into a shape", |bencher| {
        bencher.iter(|| black_box(api_patterns::schema_of_json(bodies.iter().map(Vec::as_slice))));
    });
    group.finish();
}

criterion_group!(benches, observe);
criterion_main!(benches);
