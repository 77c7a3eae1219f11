use std::path::Path;
use std::time::{Duration, Instant};

use api_patterns::{Captures, InputFormat, Options, analyze, for_each_flow};

/// `SplitMix64` random numbers (Steele et al. 2014), which are identical on every machine.
struct Draw(u64);

impl Draw {
    fn draw(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, bound: usize) -> usize {
        (self.draw() % bound.max(1) as u64) as usize
    }

    /// Damages the bytes in a random way. Returns the index of the first changed byte.
    fn damage(&mut self, bytes: &mut Vec<u8>) -> usize {
        let at = self.below(bytes.len());
        let most = 1 << self.below(12);
        let length = 1 + self.below(most);
        let end = (at + length).min(bytes.len());
        match self.below(6) {
            0 => bytes.truncate(at),
            1 => bytes[at] ^= 1 << self.below(8),
            2 => bytes[at] = b"\0\"\\{}[]:,0123456789\xff\n"[self.below(20)],
            3 => {
                let piece = bytes[at..end].to_vec();
                bytes.splice(at..at, piece);
            }
            4 => {
                let piece: Vec<u8> = (at..end).map(|_| self.draw() as u8).collect();
                bytes.splice(at..at, piece);
            }
            _ => drop(bytes.drain(at..end)),
        }
        at
    }
}

fn fixture(name: &str) -> Vec<u8> {
    std::fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures").join(name)).unwrap()
}

type Seen = (Vec<u8>, Vec<u8>);

/// Returns methods and paths of all flows in order; empty if the bytes are no longer a capture.
fn flows(bytes: Vec<u8>, format: InputFormat) -> Vec<Seen> {
    let mut flows = Vec::new();
    if let Ok(captures) = Captures::from_bytes("damaged", bytes, format) {
        let see = |flow: &api_patterns::Flow<'_>| {
            flows.push((flow.method.to_vec(), flow.path().to_vec()))
        };
        for_each_flow(&captures, see).unwrap_or_default();
    }
    flows
}

/// Damages a fixture 10,000 times. `ends` are the ends of its flows, found independently of the readers.
#[track_caller]
fn check(name: &str, bytes: &[u8], format: InputFormat, ends: &[usize]) {
    let whole = flows(bytes.to_vec(), format);
    assert!(
        ends.is_empty() || ends.len() == whole.len(),
        "{name}: {} ends, {} flows",
        ends.len(),
        whole.len()
    );
    let mut draw = Draw(1);
    for way in 0..10_000 {
        let mut damaged = bytes.to_vec();
        let mut at = draw.damage(&mut damaged);
        if way % 4 == 0 {
            at = at.min(draw.damage(&mut damaged));
        }
        let start = Instant::now();
        let found = flows(damaged.clone(), format);
        let untouched = ends.iter().filter(|end| **end <= at).count();
        assert!(
            found.len() >= untouched && found[..untouched] == whole[..untouched],
            "{name}, way {way}: damaged at byte {at}, {untouched} flows stand before it, {} were found",
            found.len()
        );
        // Regularly run a whole analysis, in parallel and with small batches.
        if way % 50 == 0
            && let Ok(captures) = Captures::from_bytes("damaged", damaged, InputFormat::Detect)
        {
            let mut options = Options::default();
            (options.threads, options.batch_bytes) = (2, 1 + draw.below(10_000));
            let analysis = analyze(&captures, &options, &()).unwrap();
            let text = serde_json::to_string(&analysis.report).unwrap();
            assert!(!text.chars().any(api_patterns::text::is_unsafe), "{name}, way {way}");
        }
        assert!(
            start.elapsed() < Duration::from_secs(10),
            "{name}, way {way}: {:?}",
            start.elapsed()
        );
    }
}

/// Returns the ends of the records of a dump, computed from their lengths alone.
fn record_ends(dump: &[u8]) -> Vec<usize> {
    let mut ends = Vec::new();
    let mut at = 0;
    while at < dump.len() {
        let colon = at + dump[at..].iter().position(|byte| *byte == b':').unwrap();
        let length: usize = std::str::from_utf8(&dump[at..colon]).unwrap().parse().unwrap();
        at = colon + 1 + length + 1;
        ends.push(at);
    }
    ends
}

/// Returns the ends of the entries of a HAR, found by counting brackets byte by byte.
fn entry_ends(har: &[u8]) -> Vec<usize> {
    let (mut ends, mut depth, mut in_string, mut escaped, mut start) =
        (Vec::new(), 0, false, false, 0);
    let list = har.windows(9).position(|bytes| bytes == b"\"entries\"").unwrap();
    for (i, byte) in har.iter().enumerate().skip(list + 9) {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => in_string = !in_string,
            b'{' | b'[' if !in_string => {
                depth += 1;
                start = if depth == 2 { i } else { start };
            }
            b'}' | b']' if !in_string => {
                depth -= 1;
                if depth == 1 && start > 0 {
                    ends.push(i + 1);
                }
                if depth == 0 {
                    break;
                }
            }
            _ => {}
        }
    }
    ends
}

#[test]
fn dump() {
    let dump = fixture("demo.mitm");
    check("demo.mitm", &dump, InputFormat::Mitmproxy, &record_ends(&dump));
}

#[test]
fn har() {
    let har = fixture("demo.har");
    check("demo.har", &har, InputFormat::Har, &entry_ends(&har));
}

#[test]
fn minified_har() {
    let har = fixture("demo.chromium.har");
    check("demo.chromium.har", &har, InputFormat::Har, &entry_ends(&har));
}

#[test]
fn json_lines() {
    let lines: Vec<String> = (0..200)
        .map(|i| format!("{{\"method\":\"GET\",\"url\":\"https://h.example/users/{i}?a=\\\"{i}\",\"status\":200,\"request_headers\":[[\"x\",\"{i}\"]]}}\n"))
        .collect();
    let lines = lines.concat();
    let ends: Vec<usize> = lines.match_indices('\n').map(|(at, _)| at).collect();
    check("lines", lines.as_bytes(), InputFormat::JsonLines, &ends);
}

#[test]
fn packed() {
    for name in ["demo.zhar", "demo.playwright.zip"] {
        check(name, &fixture(name), InputFormat::Detect, &[]);
    }
}

/// A database is opened by its path, so it is tested through a file.
#[test]
fn database() {
    let bytes = fixture("demo.db");
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("damaged.db");
    let mut draw = Draw(7);
    for way in 0..10_000 {
        let mut damaged = bytes.clone();
        draw.damage(&mut damaged);
        std::fs::write(&path, &damaged).unwrap();
        let start = Instant::now();
        if let Ok(captures) = Captures::open(&[&path], InputFormat::Detect) {
            let mut options = Options::default();
            options.threads = 1;
            let _analysis = analyze(&captures, &options, &()).unwrap();
        }
        assert!(start.elapsed() < Duration::from_secs(10), "way {way}: {:?}", start.elapsed());
    }
}
