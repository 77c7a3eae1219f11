use std::io::Write;

use api_patterns::{Change, Follower, InputFormat, Options, SkipReason};

use crate::support::{fixture, flow, program};

fn follower(path: &std::path::Path) -> Follower {
    Follower::open(path, InputFormat::Detect, Options::default()).unwrap()
}

#[track_caller]
fn poll(follower: &mut Follower, change: Change, used: u64) {
    assert_eq!(follower.poll(&()).unwrap(), change);
    let analysis = follower.analysis();
    assert_eq!(
        (analysis.report.totals.used, analysis.skips.total()),
        (used, 0),
        "{:?}",
        analysis.skips
    );
}

#[test]
fn what_is_added_is_read_and_what_is_not_whole_is_waited_for() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("dump.mitm");
    let mut file = std::fs::File::create(&path).unwrap();
    let mut follower = follower(&path);
    poll(&mut follower, Change::Nothing, 0);
    let record = flow("a", "/a");
    for byte in &record[..record.len() - 1] {
        file.write_all(&[*byte]).unwrap();
        poll(&mut follower, Change::Nothing, 0);
    }
    file.write_all(&record[record.len() - 1..]).unwrap();
    poll(&mut follower, Change::More, 1);
    poll(&mut follower, Change::Nothing, 1);
    file.write_all(&[flow("b", "/b"), flow("c", "/c"), record[..20].to_vec()].concat()).unwrap();
    poll(&mut follower, Change::More, 3);
    let analysis = follower.finish().unwrap();
    assert_eq!(analysis.report.totals.used, 3);
    assert_eq!(analysis.skips.count(SkipReason::Truncated), 1);
}

#[test]
fn a_file_that_began_anew_is_read_from_its_start() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("dump.mitm");
    let write = |flows: &[&str]| {
        let dump: Vec<u8> = flows.iter().flat_map(|path| flow("id", path)).collect();
        std::fs::write(&path, dump).unwrap();
    };
    write(&["/a", "/b", "/c"]);
    let mut follower = follower(&path);
    poll(&mut follower, Change::More, 3);
    write(&["/x"]);
    poll(&mut follower, Change::Restarted, 1);
    // The file is longer than at the last read, but its earlier bytes differ.
    write(&["/p", "/q", "/r", "/s"]);
    poll(&mut follower, Change::Restarted, 4);
    std::fs::remove_file(&path).unwrap();
    poll(&mut follower, Change::Nothing, 4);
    write(&["/new"]);
    poll(&mut follower, Change::Restarted, 1);
}

#[test]
fn lines_are_followed_as_well_and_other_formats_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("flows.jsonl");
    std::fs::write(
        &path,
        "{\"method\":\"GET\",\"url\":\"https://h.example/a\"}\n{\"method\":\"GET\"",
    )
    .unwrap();
    let mut follower = follower(&path);
    poll(&mut follower, Change::More, 1);
    let mut file = std::fs::OpenOptions::new().append(true).open(&path).unwrap();
    file.write_all(b",\"url\":\"https://h.example/b\"}\n").unwrap();
    poll(&mut follower, Change::More, 2);
    for name in ["demo.har", "demo.zhar", "demo.db"] {
        let error =
            Follower::open(fixture(name), InputFormat::Detect, Options::default()).unwrap_err();
        assert!(error.to_string().contains("can be followed"), "{error}");
    }
    let run = program(&["analyze", "--follow", "-"]);
    assert_eq!((run.code, run.stderr.contains("--follow takes a file")), (Some(2), true));
}

/// The program writes a line per refresh, and Ctrl-C ends it with the totals.
#[cfg(unix)]
#[test]
fn the_program_follows_until_it_is_interrupted() {
    use std::io::{BufRead, BufReader};
    use std::process::{Command, Stdio};

    // The capture is not there yet: the folder is waited at.
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("dump.mitm");
    let mut child = Command::new(env!("CARGO_BIN_EXE_api-patterns"))
        .args(["analyze", "--follow", "--interval", "0.05"])
        .arg(folder.path())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stderr = BufReader::new(child.stderr.take().unwrap());
    let mut told = String::new();
    stderr.read_line(&mut told).unwrap();
    assert!(told.contains("no capture yet, waiting"), "{told}");
    std::fs::write(&path, flow("a", "/a")).unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut used = || {
        let line = lines.next()?.unwrap();
        let report: api_patterns::Report = serde_json::from_str(&line).unwrap();
        Some(report.totals.used)
    };
    assert_eq!(used(), Some(1));
    let mut file = std::fs::OpenOptions::new().append(true).open(&path).unwrap();
    file.write_all(&flow("b", "/b")).unwrap();
    assert_eq!(used(), Some(2));
    let killed = Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    assert!(killed.success());
    assert_eq!(used(), Some(2), "the last line");
    assert_eq!(used(), None);
    assert_eq!(child.wait().unwrap().code(), Some(0));
    let mut rest = String::new();
    std::io::Read::read_to_string(&mut stderr, &mut rest).unwrap();
    assert!(rest.contains("2 flows in"), "{rest}");
}
