//! Splits of a capture that are observed separately and merged give the state of the whole capture.

use std::io::Write;
use std::path::Path;

use api_patterns::{Captures, InputFormat, Options, analyze, observe_split, split};

use crate::support::{fixture, flow};

fn check(path: &Path, bytes: u64) -> usize {
    let options = Options::default();
    let (parts, mut state, mut problems) =
        split(path, InputFormat::Detect, bytes, &options).unwrap();
    // Merge in another order.
    for part in parts.iter().rev() {
        let (seen, said) = observe_split(path, InputFormat::Detect, part, &options, &()).unwrap();
        problems.extend(said);
        state.merge(api_patterns::Patterns::from_bytes(&seen.to_bytes()).unwrap());
    }
    let captures = Captures::open(&[path], InputFormat::Detect).unwrap();
    let whole = analyze(&captures, &options, &()).unwrap();
    assert_eq!(state.report(), whole.report, "{} {bytes}", path.display());
    assert_eq!(state.skips(), &whole.skips, "{} {bytes}", path.display());
    let mut expected = whole.problems(&captures);
    problems.sort();
    expected.sort();
    assert_eq!(problems, expected, "{} {bytes}", path.display());
    parts.len()
}

#[test]
fn every_fixture_in_parts_is_the_fixture() {
    let names = [
        "demo.mitm",
        "demo.har",
        "demo.zhar",
        "demo.db",
        "demo.chromium.har",
        "demo.playwright.zip",
    ];
    for name in names {
        for bytes in [1, 10_000, 1 << 30] {
            check(&fixture(name), bytes);
        }
    }
    // These captures are smaller than a batch, so splitting needs a larger file.
    let folder = tempfile::tempdir().unwrap();
    let large = folder.path().join("large.mitm");
    let dump = std::fs::read(fixture("demo.mitm")).unwrap();
    std::fs::write(&large, dump.repeat(20)).unwrap();
    assert!(check(&large, 1 << 20) > 2);
}

#[test]
fn damage_and_large_records_are_in_the_state_beside_the_parts() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("damaged.mitm");
    let mut large = flow("large", "/large");
    let body = vec![b'x'; 9 << 20];
    // A record that is too long to be buffered whole.
    let inner = [
        &large[large.iter().position(|byte| *byte == b':').unwrap() + 1..large.len() - 1],
        b"4:note;",
        body.len().to_string().as_bytes(),
        b":",
        &body,
        b",",
    ]
    .concat();
    large = [inner.len().to_string().as_bytes(), b":", &inner, b"}"].concat();
    let bytes = [
        flow("a", "/a"),
        b"garbage".to_vec(),
        flow("b", "/b"),
        large,
        flow("c", "/c"),
        flow("d", "/d")[..50].to_vec(),
    ]
    .concat();
    std::fs::write(&path, bytes).unwrap();
    for bytes in [1, 1 << 30] {
        check(&path, bytes);
    }
}

#[test]
fn a_packed_file_that_ends_in_the_middle_is_no_error() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("cut.gz");
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    packed.write_all(&std::fs::read(fixture("demo.mitm")).unwrap()).unwrap();
    let packed = packed.finish().unwrap();
    std::fs::write(&path, &packed[..packed.len() / 2]).unwrap();
    check(&path, 1);
}

#[test]
fn lines_are_cut_between_lines() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("flows.jsonl");
    let lines: String = (0..40_000)
        .map(|n| {
            [
                "{\"method\":\"GET\",\"url\":\"https://a.example/x/",
                &n.to_string(),
                "\",\"status\":200}\n",
            ]
            .concat()
        })
        .collect();
    std::fs::write(&path, lines + "broken\n{\"method\":").unwrap();
    assert!(check(&path, 1 << 20) > 1);
}

#[test]
fn a_limit_is_refused() {
    let mut options = Options::default();
    options.limit = Some(3);
    let error = split(fixture("demo.mitm"), InputFormat::Detect, 1, &options).unwrap_err();
    assert!(error.to_string().contains("leave the limit out"));
}
