//! Structure-aware fuzzer that damages captures and checks the time, memory and result of reading them.
//!
//! ```sh
//! cargo xtask tool damage 20000 1    # COUNT captures, and the SEED of what is done to them
//! ```
//!
//! Records are trees: subtrees are dropped, duplicated, exchanged with others, nested, and given wrong lengths, tags,
//! brackets and quotes. Pages of a database are shuffled. Captures are spliced into each other and compressed in any
//! way. For every input an analysis must not panic, must end within two seconds, and must use at most 200 MB. All
//! exchanges before the damage must be found, and nearly all after it.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    unsafe_code,
    reason = "a check fails by unwrapping; small random numbers are cut to fit"
)]

use std::alloc::System;
use std::collections::BTreeSet;
use std::io::Write;
use std::time::{Duration, Instant};

use api_patterns::{Captures, InputFormat, Options, analyze, for_each_flow};
use cap::Cap;

#[global_allocator]
static MEMORY: Cap<System> = Cap::new(System, 200 << 20);

/// Maximum time of one analysis.
const MAX_TIME: Duration = Duration::from_secs(2);

/// Maximum shares of the exchanges after the damage that may be lost.
const MAX_LOST_OF_DUMPS: f64 = 0.001;
const MAX_LOST_OF_HARS: f64 = 0.005;

/// Number of exchanges per capture.
const EXCHANGES: usize = 24;

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

    fn of<'a, T>(&mut self, list: &'a [T]) -> &'a T {
        &list[self.below(list.len())]
    }
}

/// A value of a capture: a leaf, or parts with the text between them.
#[derive(Clone)]
enum Tree {
    Leaf(Vec<u8>, u8),
    Branch(Vec<Tree>, u8),
}

fn text(text: &str) -> Tree {
    Tree::Leaf(text.as_bytes().to_vec(), b';')
}

fn bytes(text: &str) -> Tree {
    Tree::Leaf(text.as_bytes().to_vec(), b',')
}

fn dict(pairs: Vec<(&str, Tree)>) -> Tree {
    Tree::Branch(pairs.into_iter().flat_map(|(key, value)| [text(key), value]).collect(), b'}')
}

/// Creates a record as mitmproxy writes it, with a unique path.
fn record(draw: &mut Draw, number: usize) -> Tree {
    let headers = (0..draw.below(6))
        .map(|i| Tree::Branch(vec![bytes(&format!("X-Header-{i}")), bytes("value: 1")], b']'));
    let headers = Tree::Branch(headers.collect(), b']');
    let body = "x".repeat(1 << draw.below(11));
    let number_of = |number: usize| Tree::Leaf(number.to_string().into_bytes(), b'#');
    dict(vec![
        ("version", number_of(21)),
        ("type", text("http")),
        ("id", text(&format!("00000000-0000-4000-8000-{number:012}"))),
        (
            "request",
            dict(vec![
                ("method", bytes("GET")),
                ("scheme", bytes("https")),
                ("host", text("h.example")),
                ("port", number_of(443)),
                ("authority", bytes("")),
                ("path", bytes(&format!("/unique/{number}"))),
                ("http_version", bytes("HTTP/1.1")),
                ("headers", headers),
                ("content", bytes(&body)),
            ]),
        ),
        (
            "response",
            dict(vec![
                ("status_code", number_of(200)),
                ("headers", Tree::Branch(Vec::new(), b']')),
                ("content", bytes(&body)),
            ]),
        ),
    ])
}

/// Writes a tree as part of a dump. In `wrong` of 1,000 cases a length or a tag is wrong.
fn write_tree(tree: &Tree, out: &mut Vec<u8>, draw: &mut Draw, wrong: usize) {
    let (payload, tag) = match tree {
        Tree::Leaf(payload, tag) => (payload.clone(), *tag),
        Tree::Branch(parts, tag) => {
            let mut payload = Vec::new();
            parts.iter().for_each(|part| write_tree(part, &mut payload, draw, wrong));
            (payload, *tag)
        }
    };
    let mut length = payload.len() as u64;
    let mut tag = tag;
    if draw.below(1000) < wrong {
        match draw.below(3) {
            0 => {
                length = *draw.of(&[
                    0,
                    1,
                    length + 1,
                    length.saturating_sub(1),
                    1 << 20,
                    999_999_999_999,
                ])
            }
            1 => tag = *draw.of(b"},;#^!~]X"),
            _ => length = draw.below(3 * payload.len() + 2) as u64,
        }
    }
    out.extend(format!("{length}:").bytes());
    out.extend(payload);
    out.push(tag);
}

/// Returns a random subtree, at most `depth` levels down.
fn inside<'t>(tree: &'t mut Tree, depth: usize, draw: &mut Draw) -> &'t mut Tree {
    let is_branch = matches!(tree, Tree::Branch(parts, _) if !parts.is_empty());
    if depth == 0 || !is_branch {
        return tree;
    }
    match tree {
        Tree::Branch(parts, _) => {
            let part = draw.below(parts.len());
            inside(&mut parts[part], depth - 1, draw)
        }
        leaf @ Tree::Leaf(..) => leaf,
    }
}

/// Changes a tree in a random way that depends on its structure.
fn change_tree(tree: &mut Tree, other: &Tree, draw: &mut Draw) {
    let depth = draw.below(4);
    let at = inside(tree, depth, draw);
    match draw.below(7) {
        0 => *at = Tree::Branch(Vec::new(), b'}'),
        1 => {
            let deep = 1 << draw.below(11);
            let mut nested = std::mem::replace(at, text(""));
            for _ in 0..deep {
                nested = Tree::Branch(vec![text("request"), nested], b'}');
            }
            *at = nested;
        }
        2 => *at = other.clone(),
        3 => *at = Tree::Leaf(vec![*draw.of(b"\0:9x\xff"); 1 << draw.below(15)], b','),
        4 => {
            if let Tree::Branch(parts, _) = at {
                let again = parts.clone();
                (0..draw.below(40)).for_each(|_| parts.extend(again.iter().cloned()));
            }
        }
        5 => {
            if let Tree::Branch(parts, _) = at
                && parts.len() > 1
            {
                let (a, b) = (draw.below(parts.len()), draw.below(parts.len()));
                parts.swap(a, b);
                parts.truncate(1 + draw.below(parts.len()));
            }
        }
        _ => match at {
            Tree::Leaf(_, tag) | Tree::Branch(_, tag) => *tag = *draw.of(b"},;#^!~]"),
        },
    }
}

/// A capture, with the numbers of the exchanges that must be found in it, and of those that should be found.
struct Case {
    bytes: Vec<u8>,
    format: InputFormat,
    before: BTreeSet<usize>,
    after: BTreeSet<usize>,
}

fn dump(draw: &mut Draw) -> Case {
    let hit = draw.below(EXCHANGES);
    let mut bytes = Vec::new();
    for number in 0..EXCHANGES {
        let mut tree = record(draw, number);
        if number != hit {
            write_tree(&tree, &mut bytes, draw, 0);
            continue;
        }
        let other = record(draw, EXCHANGES + number);
        for _ in 0..draw.below(3) {
            change_tree(&mut tree, &other, draw);
        }
        let mut damaged = Vec::new();
        let wrong = *draw.of(&[0, 2, 20]);
        write_tree(&tree, &mut damaged, draw, wrong);
        damage_bytes(&mut damaged, draw, b"0123456789:;,}]#");
        bytes.extend(damaged);
    }
    Case {
        bytes,
        format: InputFormat::Mitmproxy,
        before: (0..hit).collect(),
        after: (hit + 1..EXCHANGES).collect(),
    }
}

fn entry(draw: &mut Draw, number: usize) -> String {
    let headers: Vec<String> =
        (0..draw.below(5)).map(|i| format!(r#"{{"name":"x-{i}","value":"a\"b{i}"}}"#)).collect();
    let body = "b\\\"{[".repeat(1 << draw.below(8));
    let first = *draw.of(&["startedDateTime", "_custom", "ourOwnKey"]);
    format!(
        r#"{{"{first}":"2026-01-01T00:00:00Z","time":1.5,"request":{{"method":"GET","url":"https://h.example/unique/{number}","headers":[{}]}},"response":{{"status":200,"content":{{"mimeType":"text/html","text":"{body}"}}}}}}"#,
        headers.join(",")
    )
}

fn har(draw: &mut Draw) -> Case {
    let hit = draw.below(EXCHANGES + 1);
    let head = r#"{"log":{"version":"1.2","creator":{"name":"x","version":"1"},"pages":[{"startedDateTime":"x","id":"p","title":"t"}],"entries":["#;
    let mut head = head.to_owned().into_bytes();
    let mut bytes = Vec::new();
    for number in 0..EXCHANGES {
        if number > 0 {
            bytes.push(b',');
        }
        let mut one = entry(draw, number).into_bytes();
        if number == hit {
            change_json(&mut one, draw);
        }
        bytes.extend(one);
    }
    let is_in_head = hit == EXCHANGES;
    if is_in_head {
        damage_bytes(&mut head, draw, b"{}[]\",:");
    }
    head.extend(bytes);
    head.extend(b"]}}");
    let hit = if is_in_head { 0 } else { hit };
    Case {
        bytes: head,
        format: InputFormat::Har,
        before: (0..hit).collect(),
        after: (hit + usize::from(!is_in_head)..EXCHANGES).collect(),
    }
}

/// Returns the indices of brackets, quotes, colons and commas.
fn structure(text: &[u8]) -> Vec<usize> {
    let is_structure = |at: &usize| b"{}[]\",:".contains(&text[*at]);
    (0..text.len()).filter(is_structure).collect()
}

fn change_json(text: &mut Vec<u8>, draw: &mut Draw) {
    let places = structure(text);
    let at = *draw.of(&places);
    match draw.below(6) {
        0 => drop(text.remove(at)),
        1 => text.insert(at, *draw.of(b"{}[]\",:")),
        2 => text[at] = *draw.of(b"{}[]\",:"),
        3 => {
            let to = *draw.of(&places);
            let piece = text[at.min(to)..at.max(to)].to_vec();
            text.splice(at..at, piece);
        }
        4 => {
            let to = *draw.of(&places);
            text.drain(at.min(to)..at.max(to));
        }
        _ => {
            let piece = draw
                .of(&[&b"[[[["[..], b"{\"a\":", b"\\", b"\"\"\"", b"]]}}"])
                .repeat(1 << draw.below(10));
            text.splice(at..at, piece);
        }
    }
}

fn damage_bytes(bytes: &mut Vec<u8>, draw: &mut Draw, alphabet: &[u8]) {
    if bytes.is_empty() {
        return;
    }
    let at = draw.below(bytes.len());
    match draw.below(4) {
        0 => drop(bytes.remove(at)),
        1 => bytes.insert(at, *draw.of(alphabet)),
        2 => bytes[at] = *draw.of(alphabet),
        _ => {}
    }
}

fn lines(draw: &mut Draw) -> Case {
    let hit = draw.below(EXCHANGES);
    let mut bytes = Vec::new();
    for number in 0..EXCHANGES {
        let mut line = format!(
            r#"{{"method":"GET","url":"https://h.example/unique/{number}","status":200,"request_headers":[["a","b"]]}}"#
        )
        .into_bytes();
        if number == hit {
            change_json(&mut line, draw);
        }
        bytes.extend(line);
        bytes.push(b'\n');
    }
    Case {
        bytes,
        format: InputFormat::JsonLines,
        before: (0..hit).collect(),
        after: (hit + 1..EXCHANGES).collect(),
    }
}

/// Exchanges, duplicates and overwrites pages of a database, the latter near their headers.
fn database(draw: &mut Draw, whole: &[u8]) -> Case {
    const PAGE: usize = 4096;
    let mut bytes = whole.to_vec();
    let pages = bytes.len() / PAGE;
    for _ in 0..=draw.below(4) {
        let (a, b) = (draw.below(pages), draw.below(pages));
        match draw.below(4) {
            0 => {
                let page = bytes[a * PAGE..(a + 1) * PAGE].to_vec();
                bytes[b * PAGE..(b + 1) * PAGE].copy_from_slice(&page);
            }
            1 => {
                let at = a * PAGE + draw.below(16) + if a == 0 { 100 } else { 0 };
                bytes[at] = draw.draw() as u8;
            }
            2 => {
                // A pointer to a cell or to a child page.
                let at = a * PAGE + 8 + 2 * draw.below(60);
                bytes[at] = draw.draw() as u8;
                bytes[at + 1] = draw.draw() as u8;
            }
            _ => {
                let at = draw.below(bytes.len());
                bytes[at] = draw.draw() as u8;
            }
        }
    }
    Case { bytes, format: InputFormat::Detect, before: BTreeSet::new(), after: BTreeSet::new() }
}

/// Compresses bytes in a random way, and sometimes damages the compressed bytes.
fn wrap(mut bytes: Vec<u8>, draw: &mut Draw) -> Vec<u8> {
    for _ in 0..=draw.below(5) {
        bytes = match draw.below(4) {
            0 => {
                let mut packed =
                    flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
                packed.write_all(&bytes).unwrap();
                packed.finish().unwrap()
            }
            1 => {
                let mut packed =
                    flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::fast());
                packed.write_all(&bytes).unwrap();
                packed.finish().unwrap()
            }
            2 => ruzstd::encoding::compress_to_vec(
                &*bytes,
                ruzstd::encoding::CompressionLevel::Fastest,
            ),
            _ => {
                let mut archive = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
                for i in 0..=draw.below(3) {
                    let options = zip::write::SimpleFileOptions::default();
                    archive.start_file(format!("{i}"), options).unwrap();
                    archive.write_all(&bytes).unwrap();
                }
                archive.finish().unwrap().into_inner()
            }
        };
        if draw.below(6) == 0 {
            damage_bytes(&mut bytes, draw, b"\0\xffPK\x1f\x8b");
        }
    }
    bytes
}

/// Number of exchanges after the damage that were not found, and their total number.
#[derive(Default)]
struct Lost {
    lost: usize,
    of: usize,
}

impl Lost {
    fn share(&self) -> f64 {
        self.lost as f64 / self.of.max(1) as f64
    }
}

fn main() {
    let mut arguments = std::env::args().skip(1).map(|argument| argument.parse::<u64>().unwrap());
    let (count, seed) = (arguments.next().unwrap_or(2000), arguments.next().unwrap_or(1));
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("damaged");
    let fixture = |name: &str| {
        std::fs::read(
            std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures").join(name),
        )
        .unwrap()
    };
    let (rows, other) = (fixture("demo.db"), fixture("demo.mitm"));
    let mut lost = [Lost::default(), Lost::default(), Lost::default()];
    let mut slowest = (Duration::ZERO, 0);
    for number in 0..count {
        let mut draw = Draw(seed.wrapping_mul(0x9e37_79b9) ^ (number << 20));
        let kind = draw.below(5);
        let mut case = match kind {
            0 => dump(&mut draw),
            1 => har(&mut draw),
            2 => lines(&mut draw),
            3 => database(&mut draw, &rows),
            _ => {
                let kinds = [dump, har, lines];
                let case = *draw.of(&kinds);
                let mut case = case(&mut draw);
                (case.before, case.after) = (BTreeSet::new(), BTreeSet::new());
                if draw.below(2) == 0 {
                    // Splice part of another capture into the middle.
                    let at = draw.below(case.bytes.len());
                    let from = draw.below(other.len());
                    let to = (from + (1 << draw.below(16))).min(other.len());
                    case.bytes.splice(at..at, other[from..to].iter().copied());
                }
                case.bytes = wrap(case.bytes, &mut draw);
                case.format = InputFormat::Detect;
                case
            }
        };
        std::fs::write(&path, &case.bytes).unwrap();
        let start = Instant::now();
        let mut found = BTreeSet::new();
        if let Ok(captures) = Captures::open(&[&path], case.format) {
            let see = |flow: &api_patterns::Flow<'_>| {
                let number = flow.path().strip_prefix(b"/unique/".as_slice());
                let number =
                    number.and_then(|text| std::str::from_utf8(text).ok()?.parse::<usize>().ok());
                found.extend(number);
            };
            for_each_flow(&captures, see).unwrap_or_default();
            if number % 4 == 0 {
                let mut options = Options::default();
                (options.threads, options.batch_bytes) = (2, 1 + draw.below(20_000));
                analyze(&captures, &options, &()).unwrap();
            }
        }
        let time = start.elapsed();
        if time > slowest.0 {
            slowest = (time, number);
        }
        assert!(time < MAX_TIME, "case {number} of seed {seed}: {time:?}");
        if kind < 3 {
            let missing: Vec<_> = case.before.difference(&found).collect();
            assert!(
                missing.is_empty(),
                "case {number} of seed {seed}, kind {kind}: {missing:?} stand before the damage"
            );
            let lost = &mut lost[kind];
            let gone = case.after.difference(&found).count();
            if gone > 2 && std::env::var_os("SHOW").is_some() {
                println!("case {number}, kind {kind}: {gone} of {} lost", case.after.len());
                std::fs::write(format!("/tmp/lost-{kind}-{number}"), &case.bytes).unwrap();
            }
            lost.lost += gone;
            lost.of += case.after.len();
        }
        case.bytes.clear();
    }
    let [dumps, hars, lines] = lost;
    println!(
        "{count} damaged captures: the slowest took {:?} (case {}), at most {} MB; after the damage {:.3} % of dumps, {:.3} % of HARs \
         and {:.3} % of lines were lost",
        slowest.0,
        slowest.1,
        MEMORY.max_allocated() >> 20,
        100.0 * dumps.share(),
        100.0 * hars.share(),
        100.0 * lines.share()
    );
    assert!(dumps.share() <= MAX_LOST_OF_DUMPS && hars.share() <= MAX_LOST_OF_HARS);
}
