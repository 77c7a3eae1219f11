use std::io::{Read, Write};
use std::path::Path;

use api_patterns::{Captures, InputFormat, Options, Report, analyze, label};

use crate::support::{fixture, program};

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    packed.write_all(bytes).unwrap();
    packed.finish().unwrap()
}

fn zlib(bytes: &[u8]) -> Vec<u8> {
    let mut packed = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::best());
    packed.write_all(bytes).unwrap();
    packed.finish().unwrap()
}

fn zstd(bytes: &[u8]) -> Vec<u8> {
    ruzstd::encoding::compress_to_vec(bytes, ruzstd::encoding::CompressionLevel::Fastest)
}

fn zip(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut archive = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    for (name, bytes) in files {
        archive.start_file(*name, zip::write::SimpleFileOptions::default()).unwrap();
        archive.write_all(bytes).unwrap();
    }
    archive.finish().unwrap().into_inner()
}

fn demo(name: &str) -> Vec<u8> {
    std::fs::read(fixture(name)).unwrap()
}

#[track_caller]
fn report(bytes: &[u8]) -> Report {
    let captures = Captures::from_bytes("packed", bytes.to_vec(), InputFormat::Detect).unwrap();
    let report = analyze(&captures, &Options::default(), &()).unwrap().report;
    let pipe = Box::new(std::io::Cursor::new(bytes.to_vec()));
    let pipe = Captures::from_reader("pipe", pipe, InputFormat::Detect).unwrap();
    assert_eq!(analyze(&pipe, &Options::default(), &()).unwrap().report, report, "from a pipe");
    report
}

#[test]
fn packed_captures_give_what_they_hold() {
    for name in ["demo.mitm", "demo.har"] {
        let bytes = demo(name);
        let plain = report(&bytes);
        assert!(plain.totals.used > 60);
        let two_members = [gzip(&bytes[..1000]), gzip(&bytes[1000..])].concat();
        let skippable =
            [b"\x50\x2a\x4d\x18\x03\0\0\0abc".to_vec(), zstd(&bytes[..1000]), zstd(&bytes[1000..])]
                .concat();
        for packed in [
            gzip(&bytes),
            zlib(&bytes),
            zstd(&bytes),
            two_members,
            skippable,
            gzip(&zstd(&bytes)),
            zip(&[("a/b.har", &bytes)]),
            zip(&[("x.gz", &gzip(&bytes))]),
        ] {
            assert_eq!(report(&packed), plain, "{name}: {:?}", &packed[..4]);
        }
    }
}

/// `label` reads its captures twice, which is possible for compressed files.
#[test]
fn packed_captures_are_labelled() {
    let labels = |bytes: Vec<u8>| {
        let captures = Captures::from_bytes("demo", bytes, InputFormat::Detect).unwrap();
        let mut out = Vec::new();
        label(&captures, &Options::default(), &(), &mut out).unwrap();
        String::from_utf8(out).unwrap()
    };
    assert_eq!(labels(gzip(&demo("demo.mitm"))), labels(demo("demo.mitm")));
}

#[test]
fn what_mitmproxy_and_playwright_pack_is_read() {
    assert_eq!(report(&demo("demo.zhar")), report(&demo("demo.har")));
    let (packed, plain) =
        (report(&demo("demo.playwright.zip")), report(&demo("demo.chromium.har")));
    let endpoints = |report: &Report| {
        report.patterns.iter().map(|p| (p.endpoint.clone(), p.request_count)).collect::<Vec<_>>()
    };
    assert!(plain.totals.used >= 20, "{:?}", plain.totals);
    assert_eq!(endpoints(&packed), endpoints(&plain));
}

#[test]
fn archives_without_captures_and_of_fiddler_are_named() {
    let error = |bytes: &[u8]| {
        Captures::from_bytes("x.zip", bytes.to_vec(), InputFormat::Detect).unwrap_err().to_string()
    };
    assert!(
        error(&zip(&[("readme.txt", b"hello")]))
            .contains("no file in this zip archive is a capture")
    );
    assert!(error(&zip(&[("raw/1_c.txt", b"GET / HTTP/1.1\r\n\r\n")])).contains("Export Sessions"));
    assert!(error(b"PK\x03\x04rubbish").contains("cannot be read"));
    let packed = (0..5).fold(b"{}".to_vec(), |bytes, _| gzip(&bytes));
    assert!(error(&packed).contains("packed more than 4 times"));
    let packed = (0..2000).fold(demo("demo.har"), |bytes, _| stored(&bytes));
    assert!(error(&packed).contains("packed more than 4 times"));
}

/// Creates a zip archive with one uncompressed file.
fn stored(bytes: &[u8]) -> Vec<u8> {
    let mut archive = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    let options =
        zip::write::SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored);
    archive.start_file("a", options).unwrap();
    archive.write_all(bytes).unwrap();
    archive.finish().unwrap().into_inner()
}

#[test]
fn packings_inside_each_other_are_read_up_to_a_depth() {
    let bytes = demo("demo.mitm");
    let plain = report(&bytes);
    for packed in [
        gzip(&zip(&[("x.gz", &zstd(&bytes))])),
        zip(&[("y", &zip(&[("x.gz", &gzip(&bytes))]))]),
        gzip(&gzip(&gzip(&gzip(&bytes)))),
    ] {
        assert_eq!(report(&packed), plain);
    }
}

/// Zip entries may share the same bytes, so that a small archive would unpack to any size.
#[test]
fn files_of_an_archive_that_share_bytes_are_read_once() {
    let archive = zip(&[("a.mitm", &demo("demo.mitm"))]);
    let end = archive.len() - 22;
    let word = |at: usize| u32::from_le_bytes(archive[at..at + 4].try_into().unwrap()) as usize;
    let (length, start) = (word(end + 12), word(end + 16));
    let mut shared = archive[..start].to_vec();
    for name in [b'a', b'b', b'c'] {
        let mut entry = archive[start..start + length].to_vec();
        entry[46] = name;
        shared.extend(entry);
    }
    let mut tail = archive[end..].to_vec();
    for at in [8, 10] {
        tail[at..at + 2].copy_from_slice(&3_u16.to_le_bytes());
    }
    tail[12..16].copy_from_slice(&u32::try_from(3 * length).unwrap().to_le_bytes());
    shared.extend(tail);
    let captures = Captures::from_bytes("x.zip", shared, InputFormat::Detect).unwrap();
    assert_eq!(captures.len(), 1);
    assert!(captures.ignored().iter().all(|why| why.contains("shares its bytes")));
    assert_eq!(captures.ignored().len(), 2, "{:?}", captures.ignored());
}

/// The limit on the unpacked size applies to all files of an archive together.
#[test]
fn an_archive_unpacks_to_a_bounded_multiple_of_its_size() {
    let zeros = vec![b'0'; 32 << 20];
    let bomb = zstd(&zeros);
    let names: Vec<String> = (0..40).map(|i| format!("{i:02}")).collect();
    let files: Vec<(&str, &[u8])> = names.iter().map(|name| (&**name, &*bomb)).collect();
    let archive = zip(&files);
    assert!(archive.len() < 200_000, "{}", archive.len());
    let captures = Captures::from_bytes("x.zip", archive.clone(), InputFormat::Mitmproxy).unwrap();
    let analysis = analyze(&captures, &Options::default(), &()).unwrap();
    let most = archive.len() as u64 * 2000 + (64 << 20);
    assert!(analysis.bytes <= most, "{} {most}", analysis.bytes);
    assert!(analysis.bytes < 40 * zeros.len() as u64);
    assert!(analysis.failures[0].to_string().contains("times the size of its file"));
}

#[test]
fn what_was_unpacked_before_damage_is_kept() {
    let bytes = demo("demo.mitm").repeat(8);
    for packed in [gzip(&bytes), zlib(&bytes), zstd(&bytes)] {
        let cut = &packed[..packed.len() / 2];
        let captures = Captures::from_bytes("cut", cut.to_vec(), InputFormat::Detect).unwrap();
        let analysis = analyze(&captures, &Options::default(), &()).unwrap();
        assert!(analysis.report.totals.used > 5, "{:?}", analysis.report.totals);
        let failure = analysis.failures.first().expect("a failure").to_string();
        assert!(failure.contains("ends in the middle"), "{failure}");
    }
}

/// If reading a file fails, the flows read before are kept.
#[test]
fn a_read_error_is_reported_and_the_rest_kept() {
    struct Failing(std::io::Cursor<Vec<u8>>, usize);
    impl Read for Failing {
        fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
            if self.1 == 0 {
                return Err(std::io::Error::other("the disk is on fire"));
            }
            let count = buffer.len().min(self.1);
            let read = self.0.read(&mut buffer[..count])?;
            self.1 -= read;
            Ok(read)
        }
    }
    for name in ["demo.mitm", "demo.har", "demo.db"] {
        let bytes = demo(name);
        let half = bytes.len() / 2;
        let failing = Box::new(Failing(std::io::Cursor::new(bytes), half));
        let captures = match Captures::from_reader("failing", failing, InputFormat::Detect) {
            Ok(captures) => captures,
            Err(error) => {
                assert!(name == "demo.db" && error.to_string().contains("on fire"), "{error}");
                continue;
            }
        };
        let analysis = analyze(&captures, &Options::default(), &()).unwrap();
        assert!(analysis.report.totals.used > 5, "{name}: {:?}", analysis.report.totals);
        assert!(analysis.failures[0].to_string().contains("on fire"), "{:?}", analysis.failures);
    }
}

#[test]
fn every_fixture_is_read_by_the_program() {
    for name in [
        "demo.mitm",
        "demo.har",
        "demo.zhar",
        "demo.db",
        "demo.playwright.zip",
        "demo.chromium.har",
    ] {
        let path = fixture(name);
        let run = program(&["analyze", "--format", "json", path.to_str().unwrap()]);
        assert_eq!(run.code, Some(0), "{name}: {}", run.stderr);
    }
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures");
    let run = program(&["analyze", "--format", "jsonl", folder.to_str().unwrap()]);
    assert_eq!(run.code, Some(0), "{}", run.stderr);
}

/// Files in a zip archive that are recognized as another format are reported by name, but not the bodies of a HAR.
#[test]
fn what_lies_beside_captures_in_a_zip_is_named_where_it_is_known() {
    let pcap = b"\xd4\xc3\xb2\xa1";
    let bytes = zip(&[
        ("a.har", &demo("demo.har")),
        ("b.db", &demo("demo.db")),
        ("c.txt", b"hello"),
        ("d.pcap", pcap),
    ]);
    let captures = Captures::from_bytes("x.zip", bytes, InputFormat::Detect).unwrap();
    assert_eq!(captures.ignored().len(), 1, "{:?}", captures.ignored());
    assert!(captures.ignored()[0].contains("packet capture"), "{:?}", captures.ignored());
    let report = analyze(&captures, &Options::default(), &()).unwrap().report;
    assert_eq!(report.totals.flows, 130);
    let playwright =
        Captures::open(&[fixture("demo.playwright.zip")], InputFormat::Detect).unwrap();
    assert_eq!(playwright.ignored().len(), 0, "{:?}", playwright.ignored());
}

/// Standard input is read once, from its current position.
#[test]
fn standard_input_is_read_once_and_from_where_it_stands() {
    use std::process::{Command, Stdio};

    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("lines.jsonl");
    let line = |i: usize| format!("{{\"method\":\"GET\",\"url\":\"https://h.example/{i}\"}}\n");
    std::fs::write(&path, (0..3).map(line).collect::<Vec<_>>().concat()).unwrap();
    let mut file = std::fs::File::open(&path).unwrap();
    std::io::Seek::seek(&mut file, std::io::SeekFrom::Start(line(0).len() as u64)).unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_api-patterns"))
        .args(["label", "-"])
        .stdin(Stdio::from(file))
        .output()
        .unwrap();
    assert_eq!(String::from_utf8(output.stdout).unwrap().lines().count(), 2);
    let twice = program(&["analyze", "-", "-"]);
    assert!(twice.stderr.contains("name it once"), "{}", twice.stderr);
}
