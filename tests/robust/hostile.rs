use std::io::{Read, Write};
use std::time::{Duration, Instant};

use api_patterns::{Analysis, Captures, InputFormat, Options, SkipReason, analyze};

#[track_caller]
fn analysis(bytes: Vec<u8>, format: InputFormat) -> Analysis {
    let captures = Captures::from_bytes("hostile", bytes, format).unwrap();
    let start = Instant::now();
    let analysis = analyze(&captures, &Options::default(), &()).unwrap();
    assert!(start.elapsed() < Duration::from_secs(60), "{:?}", start.elapsed());
    analysis
}

const ENTRY: &str = r#"{"request": {"method": "GET", "url": "https://h.example/a"}}"#;

/// A reader of a very long input that is generated while it is read.
struct EndlessReader {
    head: std::io::Cursor<Vec<u8>>,
    fill: &'static [u8],
    left: u64,
}

impl Read for EndlessReader {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let head = self.head.read(buffer)?;
        if head > 0 {
            return Ok(head);
        }
        let count = buffer.len().min(usize::try_from(self.left).unwrap_or(usize::MAX));
        for (byte, fill) in buffer[..count].iter_mut().zip(self.fill.iter().cycle()) {
            *byte = *fill;
        }
        self.left -= count as u64;
        Ok(count)
    }
}

fn endless(head: &str, fill: &'static [u8], bytes: u64) -> Analysis {
    let head = std::io::Cursor::new(head.as_bytes().to_vec());
    let reader = Box::new(EndlessReader { head, fill, left: bytes });
    let captures = Captures::from_reader("endless", reader, InputFormat::Detect).unwrap();
    analyze(&captures, &Options::default(), &()).unwrap()
}

#[test]
fn nesting_of_any_depth_is_stepped_over() {
    for (open, close) in [("[", "]"), ("{\"a\":", "}")] {
        let deep = format!("{}1{}", open.repeat(1_000_000), close.repeat(1_000_000));
        let har = format!(
            "{{\"log\": {{\"x\": {deep}, \"entries\": [{ENTRY}, {{\"y\": {deep}, \"request\": {{\"method\": \"GET\", \"url\": \"https://h.example/b\"}}}}]}}}}"
        );
        assert_eq!(analysis(har.into_bytes(), InputFormat::Har).report.totals.used, 2);
        let unclosed = format!("{{\"log\": {{\"entries\": [{ENTRY}, {}", open.repeat(1_000_000));
        assert_eq!(analysis(unclosed.into_bytes(), InputFormat::Har).report.totals.used, 1);
        let line = format!(
            "{{\"x\": {deep}, \"method\": \"GET\", \"url\": \"https://h.example/a\"}}\n{{\"method\": \"GET\", \"url\": \"https://h.example/b\"}}\n"
        );
        let found = analysis(line.into_bytes(), InputFormat::JsonLines);
        assert_eq!(found.report.totals.used, 2, "{:?}", found.skips);
    }
    let mut dump = b"0:~".to_vec();
    for _ in 0..10_000 {
        dump = [format!("{}:", dump.len()).as_bytes(), &dump, b"]"].concat();
    }
    let dump = [format!("{}:1:a;", dump.len() + 4).as_bytes(), &dump, b"}"].concat();
    assert_eq!(analysis(dump, InputFormat::Mitmproxy).report.totals.used, 0);
}

#[test]
fn bodies_and_lists_of_gigabytes_take_no_memory() {
    let body = format!(
        "{{\"log\": {{\"entries\": [{ENTRY}, {{\"response\": {{\"content\": {{\"text\": \""
    );
    let found = endless(&body, b"x\\\"}] ", 1 << 30);
    assert_eq!(
        (found.report.totals.used, found.skips.count(SkipReason::Truncated)),
        (1, 1),
        "{:?}",
        found.skips
    );
    let found = endless("{\"log\": {\"pages\": \"", b"abcdefgh", 1 << 30);
    assert_eq!(found.skips.count(SkipReason::Truncated), 1);
    let found = endless(
        "{\"log\": {\"entries\": [{\"request\": {\"headers\": [",
        b"{\"name\": \"x\"}, ",
        1 << 30,
    );
    assert_eq!(found.report.totals.used, 0);
    let found =
        endless("{\"method\":\"GET\",\"url\":\"https://h.example/a\"}\n", b"\0\xff{", 1 << 30);
    assert_eq!(
        (found.report.totals.used, found.skips.count(SkipReason::TooLarge)),
        (1, 1),
        "{:?}",
        found.skips
    );
    let found = endless("999999999999:8:response;99999999:", b"4:type;4:http;", 256 << 20);
    assert_eq!(found.report.totals.used, 0);
}

#[test]
fn bombs_are_stopped_in_a_sentence() {
    let head = format!("{{\"log\": {{\"entries\": [{ENTRY}, ");
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    gzip.write_all(head.as_bytes()).unwrap();
    let spaces = vec![b' '; 1 << 20];
    (0..300).for_each(|_| gzip.write_all(&spaces).unwrap());
    let gzip = gzip.finish().unwrap();
    assert!(gzip.len() < 1 << 20);
    assert_eq!(analysis(gzip.clone(), InputFormat::Detect).report.totals.used, 1);
    // Compressed twice, the file is tiny and unpacks to 3,000 times its size.
    let mut twice = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    twice.write_all(&gzip).unwrap();
    assert_eq!(analysis(twice.finish().unwrap(), InputFormat::Detect).report.totals.used, 1);
    // zstd does not limit its ratio: a gigabyte of spaces in blocks that say "repeat this byte".
    let mut zstd = vec![0x28, 0xb5, 0x2f, 0xfd, 0x00, 0x58];
    let block = |out: &mut Vec<u8>, kind: u32, size: u32, last: bool| {
        out.extend_from_slice(&(size << 3 | kind << 1 | u32::from(last)).to_le_bytes()[..3]);
    };
    block(&mut zstd, 0, u32::try_from(head.len()).unwrap(), false);
    zstd.extend_from_slice(head.as_bytes());
    for _ in 0..8192 {
        block(&mut zstd, 1, 128 << 10, false);
        zstd.push(b' ');
    }
    let found = analysis(zstd, InputFormat::Detect);
    assert_eq!(found.report.totals.used, 1);
    assert!(
        found.failures[0].to_string().contains("2000 times the size of its file"),
        "{:?}",
        found.failures
    );
}

#[test]
fn too_much_of_everything_is_bounded() {
    let headers: Vec<String> =
        (0..100_000).map(|i| format!("{{\"name\": \"x-{i}\", \"value\": \"v\"}}")).collect();
    let entries = [
        format!(
            "{{\"request\": {{\"method\": \"GET\", \"url\": \"https://h.example/many\", \"headers\": [{}]}}}}",
            headers.join(",")
        ),
        format!(
            "{{\"request\": {{\"method\": \"GET\", \"url\": \"https://h.example/{}\"}}}}",
            "a".repeat(3 << 20)
        ),
        format!(
            "{{\"request\": {{\"method\": \"GET\", \"url\": \"https://h.example/{}\"}}}}",
            "b/".repeat(1 << 20)
        ),
        format!(
            "{{\"request\": {{\"method\": \"GET\", \"url\": \"https://h.example/q?{}\"}}}}",
            "c=1&".repeat(1 << 19)
        ),
        "{\"request\": {\"method\": \"GET\", \"url\": \"https://h.example/nul\\u0000\0\"}}"
            .to_owned(),
    ];
    let har = format!("{{\"log\": {{\"entries\": [{}]}}}}", entries.join(","));
    let found = analysis(har.into_bytes(), InputFormat::Har);
    assert_eq!((found.report.totals.used, found.skips.total()), (5, 0));
    let text = serde_json::to_string(&found.report).unwrap();
    assert!(text.len() < 20_000, "{} bytes", text.len());
    assert!(!text.contains("\\u0000"));
}

#[test]
fn bytes_that_are_no_utf_8_are_read_everywhere() {
    let mut har = b"{\"log\": {\"\xff\": \"\xff\", \"entries\": [".to_vec();
    har.extend_from_slice(b"{\"\xfe\": 1, \"request\": {\"method\": \"G\xffT\", \"url\": \"https://h.example/\xe9?\xff=\xff\", \"headers\": [{\"name\": \"\xff\", \"value\": \"\xff\"}]}, \"response\": {\"status\": 200, \"content\": {\"mimeType\": \"\xff\", \"text\": \"\xff\"}}}");
    har.extend_from_slice(b"]}}");
    let found = analysis(har, InputFormat::Har);
    assert_eq!((found.report.totals.used, found.skips.total()), (1, 0));
    let text = serde_json::to_string(&found.report).unwrap();
    assert!(!text.chars().any(api_patterns::text::is_unsafe), "{text}");
}
