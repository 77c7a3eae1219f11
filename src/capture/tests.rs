//! Test of a property of the readers: each byte of a capture is read a bounded number of times,
//! whatever the content and the damage. The test counts bytes and not time, which differs between
//! machines.

use proptest::prelude::*;

use crate::capture::batch::{BYTES_READ, Batch};
use crate::capture::bytes::Bytes;
use crate::capture::chunk::Bodies;
use crate::capture::chunk::{CaptureItem, Chunk};
use crate::capture::format::{Framer, decode};
use crate::capture::source::{CaptureSource, Content, Format};
use crate::limits;

/// Maximum number of times that a byte is read, on average.
const TIMES: u64 = 20;

/// Bytes that may be read in addition: a batch, and the bytes that a search reads ahead.
const FREE: u64 = 4 << 20;

/// Returns the number of bytes that a reader reads of a capture, and the number of flows that it
/// finds.
fn reading(format: Format, bytes: Vec<u8>, is_stream: bool) -> (u64, u64) {
    let bytes = if is_stream {
        Bytes::stream(Box::new(std::io::Cursor::new(bytes)))
    } else {
        Bytes::Memory(bytes)
    };
    let source = CaptureSource::new("x".to_owned(), format, Content::Bytes(bytes));
    let mut cutter = Framer::new(&source, limits::DEFAULT_BATCH_BYTES, &|| true);
    let mut batch = Batch::default();
    BYTES_READ.set(0);
    let mut flows = 0;
    loop {
        match cutter.next(&mut batch) {
            Chunk::Batch => decode(&source, &batch, Bodies::Read, &|| true, &mut |_, found| {
                flows += u64::from(matches!(found, CaptureItem::Flow(_)));
            }),
            Chunk::Damage(_) => {}
            Chunk::End => break,
        }
    }
    (BYTES_READ.get(), flows)
}

#[track_caller]
fn check(format: Format, bytes: &[u8]) -> u64 {
    let most = bytes.len() as u64 * TIMES + FREE;
    let [flows, of_stream] = [false, true].map(|is_stream| {
        let (looked, flows) = reading(format, bytes.to_vec(), is_stream);
        assert!(
            looked <= most,
            "{format:?}: {looked} of {} bytes, stream: {is_stream}",
            bytes.len()
        );
        flows
    });
    assert!(of_stream <= flows);
    flows
}

const ENTRY: &str = r#"{"request":{"method":"GET","url":"https://h/a"}}"#;

#[test]
fn damage_between_all_records_is_stepped_over_once() {
    check(Format::Mitmproxy, &b"10:4:type;0:,}X".repeat(100_000));
    let entries = format!("{ENTRY},!").repeat(20_000);
    let flows = check(Format::Har, format!(r#"{{"log":{{"entries":[{entries}]}}}}"#).as_bytes());
    assert_eq!(flows, 20_000);
}

#[test]
fn what_stands_around_the_entries_is_read_once() {
    let members = r#""a":1,"#.repeat(400_000);
    let flows =
        check(Format::Har, format!(r#"{{"log":{{{members}"entries":[{ENTRY}]}}}}"#).as_bytes());
    assert_eq!(flows, 1);
    let lists = r#""entries":[],"#.repeat(200_000);
    check(Format::Har, format!(r#"{{"log":{{{lists}"entries":[{ENTRY}]}}}}"#).as_bytes());
}

#[test]
fn entries_that_never_end_are_not_all_read_to_the_end() {
    for open in [r#"{"request":{"#, r#"{"request":[{"time":["#, r#"{"time":["#] {
        check(Format::Har, format!("[{}", format!("{open}1,").repeat(200_000)).as_bytes());
    }
    let nested = format!("{}{}", r#"{"time":["#.repeat(50_000), "]}".repeat(50_000));
    let flows = check(Format::Har, format!("[{nested},{ENTRY}]").as_bytes());
    assert_eq!(flows, 1);
}

/// Each entry contains the next one, and the list is not closed.
#[test]
fn entries_in_entries_of_an_open_list_are_not_all_gone_back_for() {
    let nested = format!("{}{}", r#"{"request":{},"x":["#.repeat(20_000), "]}".repeat(20_000));
    check(Format::Har, format!("[{nested}").as_bytes());
}

/// All candidates lead into one chain of fields, which is not a record.
#[test]
fn candidates_that_share_their_fields_are_not_all_walked_over() {
    let chain = "1:a;1:b;".repeat(62);
    let first = "109:4:type;4:http;7:request;82:6:method;3:GET,4:host;9:h.example;4:port;3:443#6:scheme;5:https,4:path;2:/a,}}X";
    let (count, width) = (20_000, 36);
    let end = first.len() + count * width + 1 + chain.len();
    let start = first.len() + count * width + 1;
    let mut bytes = first.as_bytes().to_vec();
    for i in 0..count {
        let base = first.len() + i * width;
        bytes.extend(
            format!("{:012}:7:version;{:012}:", end - (base + 13), start - 1 - (base + width))
                .bytes(),
        );
    }
    bytes.push(b',');
    bytes.extend(chain.bytes());
    bytes.extend(b"}\n");
    check(Format::Mitmproxy, &bytes);
}

fn piece() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => Just(format!("{ENTRY},")),
        2 => Just("109:4:type;4:http;7:request;82:6:method;3:GET,4:host;9:h.example;4:port;3:443#6:scheme;5:https,4:path;2:/a,}}".to_owned()),
        1 => "[\\[\\]{}\",:]{1,6}",
        1 => "[0-9]{1,7}:(7:version;|4:type;|7:request;)",
        1 => r#"\{"(request|time|_x|a)":[\[{]?"#,
        1 => r#""(entries|log|pages)":[\[{]"#,
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    /// Any mixture of pieces of captures, each of them repeated.
    #[test]
    fn any_mixture_is_read_a_bounded_number_of_times(
        pieces in prop::collection::vec((piece(), 1_usize..400), 1..40), head in 0_usize..3,
    ) {
        let head = ["", "[", r#"{"log":{"entries":["#][head];
        let text: String = pieces.iter().map(|(piece, times)| piece.repeat(*times)).collect();
        let all = format!("{head}{}", text.repeat(1 + 200_000 / text.len().max(1)));
        for format in [Format::Har, Format::Mitmproxy, Format::JsonLines] {
            check(format, all.as_bytes());
        }
    }
}
