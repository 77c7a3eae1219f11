use std::io::Read;
use std::time::{Duration, Instant};

use api_patterns::{Captures, InputFormat, Options, SkipReason, analyze};

use crate::support::{
    analysis_of, bytes, dict, fixture, flow, headers, list, null, number, record, record_of,
    request, response, tnetstring,
};

/// Returns the paths of the flows that were read, and the skips.
#[track_caller]
fn read(dump: &[u8]) -> (Vec<String>, Vec<(SkipReason, u64)>) {
    let captures = Captures::from_bytes("test", dump.to_vec(), InputFormat::Mitmproxy).unwrap();
    let mut paths = Vec::new();
    let skips = api_patterns::for_each_flow(&captures, |flow| {
        paths.push(String::from_utf8_lossy(flow.path()).into_owned());
    })
    .unwrap();
    // Several threads, small batches, and a pipe must give the same result.
    let mut options = Options::default();
    (options.threads, options.batch_bytes) = (3, 100);
    let analysis = analyze(&captures, &options, &()).unwrap();
    assert_eq!(
        analysis.report.totals.used,
        paths.len() as u64,
        "in small batches: {paths:?} {skips:?} {:?}",
        analysis.skips
    );
    assert_eq!(analysis.skips.total(), skips.total(), "in small batches");
    let counts = skips.iter().map(|(reason, count, _)| (reason, count)).collect();
    (paths, counts)
}

#[test]
fn a_truncated_last_record_costs_one_flow() {
    let last = flow("b", "/last");
    for cut in 1..last.len() {
        let dump = [flow("a", "/first"), last[..cut].to_vec()].concat();
        let (paths, skipped) = read(&dump);
        assert_eq!(paths, ["/first"], "cut after {cut} bytes");
        assert_eq!(skipped, [(SkipReason::Truncated, 1)], "cut after {cut} bytes");
    }
    let analysis =
        analysis_of(&[flow("a", "/first"), last[..20].to_vec()].concat(), &Options::default());
    let (_, _, places) = analysis.skips.iter().next().unwrap();
    assert_eq!(places[0].offset, flow("a", "/first").len() as u64);
    assert!(
        places[0].message.starts_with("the last record is cut off (20 of "),
        "{}",
        places[0].message
    );
}

/// `mitmdump -w +file` appends to a file whose last record may be incomplete.
#[test]
fn records_after_a_truncated_one_are_read() {
    let cut = flow("b", "/cut");
    for length in [1, 4, 5, 20, cut.len() / 2, cut.len() - 1] {
        let dump = [
            flow("a", "/first"),
            cut[..length].to_vec(),
            flow("c", "/third"),
            flow("d", "/fourth"),
        ]
        .concat();
        let (paths, skipped) = read(&dump);
        assert_eq!(paths, ["/first", "/third", "/fourth"], "cut after {length} bytes");
        assert_eq!(
            skipped.iter().map(|s| s.1).sum::<u64>(),
            1,
            "cut after {length} bytes: {skipped:?}"
        );
    }
}

#[test]
fn garbage_between_and_after_records_is_stepped_over() {
    for garbage in [
        &b"\n"[..],
        b"\0\0\0",
        b"hello 12:34",
        b"5:hello",
        b"99999999999999:x",
        b"12:4:type;",
        b"}",
        b"1234",
    ] {
        let dump = [flow("a", "/a"), garbage.to_vec(), flow("b", "/b"), garbage.to_vec()].concat();
        let (paths, skipped) = read(&dump);
        assert_eq!(paths, ["/a", "/b"], "{garbage:?}");
        assert_eq!(skipped.iter().map(|s| s.1).sum::<u64>(), 2, "{garbage:?}: {skipped:?}");
    }
}

#[test]
fn unknown_types_and_versions_cost_one_record_each() {
    let typed = |kind: &str, version: Vec<u8>| {
        record_of(&[
            ("request", request("GET", "h", "/no", &[])),
            ("type", tnetstring(';', kind.as_bytes())),
            ("version", version),
        ])
    };
    let dump = [
        flow("a", "/a"),
        typed("quantum", number(21)),
        typed("http", number(22)),
        typed("http", number(0)),
        typed("http", list(&[number(0), number(10)])),
        typed("http", tnetstring(';', b"new")),
        flow("b", "/b"),
    ]
    .concat();
    let (paths, skipped) = read(&dump);
    assert_eq!(paths, ["/a", "/b"]);
    assert_eq!(skipped, [(SkipReason::UnknownType, 1), (SkipReason::UnknownVersion, 4)]);
    let analysis = analysis_of(&dump, &Options::default());
    let messages: Vec<&str> = analysis
        .skips
        .iter()
        .flat_map(|(_, _, places)| places.iter().map(|place| &*place.message))
        .collect();
    assert!(messages[0].contains("of an unknown type"), "{messages:?}");
    assert!(messages[1].contains("22") && messages[1].contains("update"), "{messages:?}");
}

#[test]
fn values_of_the_wrong_type_and_missing_keys_cost_one_record() {
    let broken: [Vec<u8>; 8] = [
        tnetstring(']', b""),
        null(),
        bytes("hello"),
        record_of(&[("type", tnetstring(';', b"http")), ("version", number(21))]),
        record("x", null(), null()),
        record("x", dict(&[("method", bytes("GET"))]), null()),
        record("x", request("", "h", "/", &[]), null()),
        record("x", list(&[number(1)]), null()),
    ];
    for bad in broken {
        let (paths, skipped) = read(&[flow("a", "/a"), bad.clone(), flow("b", "/b")].concat());
        assert_eq!(paths, ["/a", "/b"], "{}", String::from_utf8_lossy(&bad));
        assert_eq!(skipped, [(SkipReason::BadRecord, 1)], "{}", String::from_utf8_lossy(&bad));
    }
    // Damage in fields that are not needed is ignored.
    let odd =
        [("port", bytes("80")), ("content", tnetstring(';', b"text")), ("trailers", number(7))];
    let (paths, skipped) = read(&record(
        "x",
        request("GET", "h.example", "/kept", &odd),
        dict(&[("status_code", bytes("200"))]),
    ));
    assert_eq!((paths, skipped), (vec!["/kept".to_owned()], vec![]));
}

#[test]
fn absurd_lengths_take_no_memory_and_no_time() {
    let start = Instant::now();
    for claim in ["999999999999:", "1000000000:4:type;4:http;", "99999999:8:response;99999998:"] {
        let dump = [flow("a", "/a"), claim.as_bytes().to_vec()].concat();
        let (paths, skipped) = read(&dump);
        assert_eq!((paths.len(), skipped), (1, vec![(SkipReason::Truncated, 1)]));
        let dump = [flow("a", "/a"), claim.as_bytes().to_vec(), flow("b", "/b")].concat();
        assert_eq!(read(&dump).0, ["/a", "/b"], "{claim}");
    }
    // Nested lengths that exceed their record.
    let nested = tnetstring('}', b"7:request;999999999:4:type;4:http;}");
    assert_eq!(read(&[flow("a", "/a"), nested, flow("b", "/b")].concat()).0, ["/a", "/b"]);
    assert!(start.elapsed() < Duration::from_secs(20));
}

#[test]
fn deep_nesting_is_not_followed() {
    let mut deep = null();
    for _ in 0..20_000 {
        deep = tnetstring(']', &deep);
    }
    let dump = record_of(&[
        ("metadata", deep),
        ("request", request("GET", "h.example", "/deep", &[])),
        ("type", tnetstring(';', b"http")),
        ("version", number(21)),
    ]);
    assert_eq!(read(&dump).0, ["/deep"]);
}

#[test]
fn a_hundred_thousand_headers_and_huge_paths_are_bounded() {
    let many: Vec<(String, String)> =
        (0..100_000).map(|i| (format!("x-{i}"), "v".to_owned())).collect();
    let many: Vec<(&str, &str)> = many.iter().map(|(name, value)| (&**name, &**value)).collect();
    let path = format!("/{}", "a".repeat(8 << 20));
    let fields = [("headers", headers(&many))];
    let dump = [
        record("a", request("GET", "h.example", "/many", &fields), response(200)),
        record("b", request("GET", "h.example", &path, &[]), response(200)),
    ]
    .concat();
    let analysis = analysis_of(&dump, &Options::default());
    assert_eq!(analysis.report.totals.used, 2);
    assert!(serde_json::to_string(&analysis.report).unwrap().len() < 10_000);
}

/// A record of 20 MB is read without its body, from a file and from a pipe.
#[test]
fn large_bodies_are_stepped_over() {
    let body = tnetstring(',', &vec![b'}'; 20 << 20]);
    let large = dict(&[
        ("status_code", number(200)),
        ("content", body.clone()),
        ("headers", headers(&[("content-type", "image/png")])),
    ]);
    let upload = request("POST", "h.example", "/large", &[("content", body)]);
    let dump = [flow("a", "/a"), record("l", upload, large), flow("b", "/b")].concat();
    let from_pipe: Box<dyn Read + Send> = Box::new(std::io::Cursor::new(dump.clone()));
    for captures in [
        Captures::from_bytes("file", dump, InputFormat::Detect).unwrap(),
        Captures::from_reader("pipe", from_pipe, InputFormat::Detect).unwrap(),
    ] {
        let analysis = analyze(&captures, &Options::default(), &()).unwrap();
        assert_eq!(analysis.skips.total(), 0);
        assert_eq!(analysis.report.totals.used, 3);
        let large = analysis.report.patterns.iter().find(|p| p.endpoint == "POST /large").unwrap();
        let bytes = large.response_bytes.as_ref().unwrap().p50;
        assert!(bytes.abs_diff(20 << 20) < 1 << 20, "{bytes}");
        assert_eq!(large.media_types["image/png"], 1);
    }
}

#[test]
fn a_large_record_that_is_damaged_is_one_skip() {
    let mut body = vec![b'x'; 6 << 20];
    body[0] = b'?';
    // A record that ends with a key without a value.
    let payload = [&b"8:response;"[..], &tnetstring(',', &body), b"4:type;"].concat();
    let dump = [flow("a", "/a"), tnetstring('}', &payload), flow("b", "/b")].concat();
    let (paths, skipped) = read(&dump);
    assert_eq!(paths, ["/a", "/b"]);
    assert_eq!(skipped.iter().map(|s| s.1).sum::<u64>(), 1, "{skipped:?}");
}

/// A pipe that returns a few bytes per read gives the same flows as a file.
#[test]
fn a_pipe_gives_the_same_as_a_file() {
    struct Dribble(std::io::Cursor<Vec<u8>>);
    impl Read for Dribble {
        fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
            let count = buffer.len().min(777);
            self.0.read(&mut buffer[..count])
        }
    }
    let demo = std::fs::read(fixture("demo.mitm")).unwrap();
    let damaged = [&demo[..100_000], b"garbage", &demo[120_000..], b"\n"].concat();
    for dump in [demo, damaged] {
        let from_file = analysis_of(&dump, &Options::default());
        for batch_bytes in [0, 3000] {
            let pipe = Dribble(std::io::Cursor::new(dump.clone()));
            let captures =
                Captures::from_reader("pipe", Box::new(pipe), InputFormat::Detect).unwrap();
            let mut options = Options::default();
            options.batch_bytes = batch_bytes;
            let from_pipe = analyze(&captures, &options, &()).unwrap();
            assert_eq!(from_pipe.report, from_file.report);
            assert_eq!(from_pipe.skips, from_file.skips);
        }
    }
}

/// Flips every byte of a small dump in turn: no panic, and only the flows that the flip touched are lost.
#[test]
fn one_damaged_byte_costs_at_most_the_records_beside_it() {
    let flows = [flow("a", "/a"), flow("b", "/b"), flow("c", "/c"), flow("d", "/d")];
    let dump = flows.concat();
    let mut start = 0;
    for (i, flow) in flows.iter().enumerate() {
        for at in (start..start + flow.len()).step_by(3) {
            for byte in [0, b'9', b':', b'}', 0xff] {
                let mut damaged = dump.clone();
                damaged[at] = byte;
                let captures =
                    Captures::from_bytes("test", damaged, InputFormat::Mitmproxy).unwrap();
                let mut paths = Vec::new();
                api_patterns::for_each_flow(&captures, |flow| paths.push(flow.path().to_vec()))
                    .unwrap();
                for (other, path) in [&b"/a"[..], b"/b", b"/c", b"/d"].iter().enumerate() {
                    if other < i || other > i + 1 {
                        assert!(
                            paths.iter().any(|have| have == path),
                            "byte {at} = {byte}: {path:?} is lost"
                        );
                    }
                }
            }
        }
        start += flow.len();
    }
}
