//! Whatever happens to the files, the state equals that of a run over all of them.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};

use proptest::prelude::*;

use super::*;
use crate::engine::analysis::analyze;
use crate::patterns::Patterns;
use crate::report::Report;

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures").join(name)
}

fn live(paths: &[PathBuf]) -> Live<Patterns> {
    let options = Options { threads: 2, ..Options::default() };
    Live::new(paths.to_vec(), InputFormat::Detect, options, Patterns::new)
}

/// The report of a run from the start.
fn anew(paths: &[PathBuf]) -> Report {
    Captures::open(paths, InputFormat::Detect).map_or_else(
        |_| Patterns::new().report(),
        |captures| analyze(&captures, &Options::default(), &()).unwrap().report,
    )
}

fn line(n: u32) -> String {
    format!(
        "{{\"id\":\"{n}\",\"method\":\"GET\",\"url\":\"https://a.example.com/things/{}/{}\",\"status\":200}}\n",
        n % 3,
        n
    )
}

fn append(path: &Path, bytes: &[u8]) {
    let mut file = OpenOptions::new().create(true).append(true).open(path).unwrap();
    file.write_all(bytes).unwrap();
}

/// Makes a file older than the resolution of its times, within which it could change again unnoticed.
fn make_old(path: &Path) {
    let file = OpenOptions::new().append(true).open(path).unwrap();
    let before = file.metadata().unwrap().modified().unwrap() - std::time::Duration::from_secs(1);
    file.set_modified(before).unwrap();
}

#[derive(Clone, Debug)]
enum Step {
    /// Appends a part of the dump, in thousandths of the rest.
    Dump(usize),
    Line(u32),
    /// Appends the start of a line.
    HalfLine(u32),
    Har(bool),
    NewFile(u8),
    Remove(u8),
    Replace(u8),
    Truncate,
    Nothing,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        (0..1000_usize).prop_map(Step::Dump),
        any::<u32>().prop_map(Step::Line),
        any::<u32>().prop_map(Step::HalfLine),
        any::<bool>().prop_map(Step::Har),
        (0..4_u8).prop_map(Step::NewFile),
        (0..4_u8).prop_map(Step::Remove),
        (0..4_u8).prop_map(Step::Replace),
        Just(Step::Truncate),
        Just(Step::Nothing),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn what_is_known_is_what_a_run_from_the_start_finds(steps in prop::collection::vec(step(), 1..12)) {
        let folder = tempfile::tempdir().unwrap();
        let (dump, lines, har) =
            (folder.path().join("a.mitm"), folder.path().join("b.jsonl"), folder.path().join("c.har"));
        let more = folder.path().join("more");
        fs::create_dir(&more).unwrap();
        let whole = fs::read(fixture("demo.mitm")).unwrap();
        let mut written = 0;
        let paths = vec![dump.clone(), lines.clone(), har.clone(), more.clone()];
        let mut live = live(&paths);
        for step in steps {
            let numbered = |n: u8| more.join(format!("{n}.jsonl"));
            match step {
                Step::Dump(share) => {
                    let end = written + (whole.len() - written) * share / 1000;
                    append(&dump, &whole[written..end]);
                    written = end;
                }
                Step::Line(n) => append(&lines, line(n).as_bytes()),
                Step::HalfLine(n) => append(&lines, &line(n).as_bytes()[..20]),
                Step::Har(is_other) => {
                    let name = if is_other { "demo.har" } else { "demo.chromium.har" };
                    fs::copy(fixture(name), &har).unwrap();
                }
                Step::NewFile(n) => append(&numbered(n), line(u32::from(n)).as_bytes()),
                Step::Remove(n) => drop(fs::remove_file(numbered(n))),
                Step::Replace(n) => {
                    let new = more.join("new");
                    fs::write(&new, line(u32::from(n) + 7).repeat(3)).unwrap();
                    fs::rename(new, numbered(n)).unwrap();
                }
                Step::Truncate => {
                    fs::write(&dump, &whole[..0]).unwrap();
                    written = 0;
                }
                Step::Nothing => {}
            }
            live.refresh(&()).unwrap();
            prop_assert_eq!(live.total().report(), anew(&paths));
        }
    }
}

#[test]
fn an_unchanged_file_is_not_read_again_and_a_grown_one_only_where_it_grew() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.jsonl");
    append(&path, (0..100).map(line).collect::<String>().as_bytes());
    make_old(&path);
    let mut live = live(std::slice::from_ref(&path));
    let read = AtomicU64::new(0);
    let monitor = |progress: &crate::engine::Progress| {
        read.fetch_max(progress.flows, Ordering::Relaxed);
        true
    };
    live.refresh(&monitor).unwrap();
    assert_eq!(read.swap(0, Ordering::Relaxed), 100);
    let generation = live.generation();
    live.refresh(&monitor).unwrap();
    live.refresh(&monitor).unwrap();
    assert_eq!((read.load(Ordering::Relaxed), live.total().used()), (0, 100));
    append(&path, line(100).as_bytes());
    live.refresh(&monitor).unwrap();
    assert_eq!((read.load(Ordering::Relaxed), live.total().used()), (1, 101));
    assert_ne!(live.generation(), generation);
}

#[test]
fn an_empty_file_may_become_anything() {
    for name in ["demo.mitm", "demo.har", "demo.db", "demo.zhar"] {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("capture");
        fs::write(&path, "").unwrap();
        let paths = [path.clone()];
        let mut live = live(&paths);
        live.refresh(&()).unwrap();
        assert_eq!(live.total().used(), 0);
        for _ in 0..2 {
            // Write in place, as a program does that has the file open.
            let whole = fs::read(fixture(name)).unwrap();
            OpenOptions::new()
                .write(true)
                .truncate(true)
                .open(&path)
                .unwrap()
                .write_all(&whole)
                .unwrap();
            live.refresh(&()).unwrap();
            assert_eq!(live.total().report(), anew(&paths), "{name}");
        }
    }
}

#[test]
fn a_run_that_was_stopped_is_made_up_for() {
    let paths = [fixture("demo.mitm")];
    let mut live = live(&paths);
    assert!(live.refresh(&|_: &crate::engine::Progress| false).unwrap_err().is_canceled());
    live.refresh(&()).unwrap();
    assert_eq!(live.total().report(), anew(&paths));
}

#[cfg(feature = "sqlite")]
mod database {
    use rusqlite::{Connection, params};

    use super::*;

    fn create(path: &Path) -> Connection {
        let connection = Connection::open(path).unwrap();
        connection
            .execute_batch(
                "CREATE TABLE flows (id TEXT PRIMARY KEY, url TEXT, method TEXT, status_code INTEGER, request_headers TEXT, \
                 request_body TEXT, response_headers TEXT, response_body TEXT, timestamp REAL, size INTEGER)",
            )
            .unwrap();
        connection
    }

    fn request(connection: &Connection, n: u32) {
        let url = format!("https://a.example.com/things/{}/{n}", n % 3);
        connection
            .execute(
                "INSERT INTO flows (id, url, method, request_headers, timestamp, size) VALUES (?1, ?2, 'GET', '[]', ?3, 0)",
                params![n.to_string(), url, 1e9 + f64::from(n)],
            )
            .unwrap();
    }

    fn response(connection: &Connection, n: u32) {
        connection
            .execute("UPDATE flows SET status_code = 200, size = 7 WHERE id = ?1", [n.to_string()])
            .unwrap();
    }

    #[test]
    fn rows_are_added_answered_late_and_deleted() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("traffic.db");
        let paths = [path.clone()];
        let mut live = live(&paths);
        let connection = create(&path);
        let mut check = |what: &str| {
            live.refresh(&()).unwrap();
            assert_eq!(live.total().report(), anew(&paths), "{what}");
        };
        check("empty");
        connection.execute_batch("BEGIN").unwrap();
        (1..=3000).for_each(|n| request(&connection, n));
        (2..=2000).for_each(|n| response(&connection, n));
        connection.execute_batch("COMMIT").unwrap();
        check("3,000 requests, 1,999 answered");
        response(&connection, 1);
        check("the first is answered after 3,000 rows");
        connection.execute_batch("BEGIN").unwrap();
        (3001..=9000).for_each(|n| request(&connection, n));
        connection.execute_batch("COMMIT").unwrap();
        check("6,000 more");
        response(&connection, 2001);
        check("one is answered after 7,000 rows");
        connection.execute_batch("BEGIN").unwrap();
        (8000..=9000).for_each(|n| response(&connection, n));
        connection.execute_batch("COMMIT").unwrap();
        check("the newest are answered");
        connection.execute_batch("DELETE FROM flows").unwrap();
        check("cleared");
        connection.execute_batch("BEGIN").unwrap();
        (20_001..=30_000).for_each(|n| request(&connection, n));
        connection.execute_batch("COMMIT").unwrap();
        check("filled again, further than before");
    }

    #[test]
    fn only_new_rows_are_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("traffic.db");
        let connection = create(&path);
        connection.execute_batch("BEGIN").unwrap();
        (1..=5000).for_each(|n| {
            request(&connection, n);
            response(&connection, n);
        });
        connection.execute_batch("COMMIT").unwrap();
        let mut live = live(std::slice::from_ref(&path));
        let read = AtomicU64::new(0);
        let monitor = |progress: &crate::engine::Progress| {
            read.fetch_max(progress.flows, Ordering::Relaxed);
            true
        };
        live.refresh(&monitor).unwrap();
        assert_eq!(read.swap(0, Ordering::Relaxed), 5000);
        live.refresh(&monitor).unwrap();
        assert_eq!(read.swap(0, Ordering::Relaxed), 0);
        request(&connection, 5001);
        live.refresh(&monitor).unwrap();
        // The window at the end, which may still change, and the new row.
        assert_eq!(read.load(Ordering::Relaxed), 1025);
        assert_eq!(live.total().report(), anew(&[path]));
    }
}

#[test]
fn what_cannot_be_read_is_no_change_each_time() {
    let folder = tempfile::tempdir().unwrap();
    let (lines, notes) = (folder.path().join("a.jsonl"), folder.path().join("notes.txt"));
    append(&lines, line(1).as_bytes());
    append(&notes, b"no capture");
    make_old(&lines);
    make_old(&notes);
    let mut live = live(&[lines, notes.clone()]);
    live.refresh(&()).unwrap();
    let generation = live.generation();
    assert_eq!(live.problems().count(), 1);
    live.refresh(&()).unwrap();
    assert_eq!(live.generation(), generation);
    // A file that becomes a capture is read at the next look.
    fs::write(&notes, line(2)).unwrap();
    live.refresh(&()).unwrap();
    assert_ne!(live.generation(), generation);
    assert_eq!((live.problems().count(), live.total().used()), (0, 2));
}

/// If someone replaces files by links and pipes while they are read, no file outside the folder is
/// read, and nothing waits.
#[cfg(unix)]
#[test]
fn files_that_are_exchanged_while_they_are_read_lead_nowhere() {
    use std::os::unix::fs::symlink;
    use std::sync::atomic::AtomicBool;

    let folder = tempfile::tempdir().unwrap();
    let (inside, outside) = (folder.path().join("in"), folder.path().join("out"));
    fs::create_dir_all(inside.join("sub")).unwrap();
    fs::create_dir(&outside).unwrap();
    append(
        &outside.join("a.jsonl"),
        b"{\"method\":\"GET\",\"url\":\"https://outside.example/a\"}\n",
    );
    let is_done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let (file, sub) = (inside.join("a.jsonl"), inside.join("sub"));
            for round in 0_usize.. {
                if is_done.load(Ordering::Relaxed) {
                    break;
                }
                drop(fs::remove_file(&file));
                drop(fs::remove_file(sub.join("a.jsonl")));
                drop(fs::remove_dir(&sub).or_else(|_| fs::remove_file(&sub)));
                match round % 3 {
                    0 => {
                        append(&file, line(1).as_bytes());
                        fs::create_dir(&sub).unwrap();
                        append(&sub.join("a.jsonl"), line(2).as_bytes());
                    }
                    1 => {
                        symlink(outside.join("a.jsonl"), &file).unwrap();
                        symlink(&outside, &sub).unwrap();
                    }
                    _ => {
                        let made = std::process::Command::new("mkfifo").arg(&file).status();
                        assert!(made.unwrap().success());
                    }
                }
            }
        });
        let mut live = live(&[inside.clone(), inside.join("a.jsonl")]);
        for _ in 0..300 {
            live.refresh(&()).unwrap();
            let report = live.total().report();
            assert!(report.patterns.iter().all(|pattern| pattern.host != "outside.example"));
        }
        is_done.store(true, Ordering::Relaxed);
    });
}

/// A writer starts again and has already written more, with equal bytes at the end of the part that
/// was read.
#[test]
fn a_file_that_was_written_anew_is_read_anew() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.jsonl");
    let numbered =
        |n: u32| format!("{{\"method\":\"GET\",\"url\":\"https://h.example/name{n:04}\"}}\n");
    let tail: String = (0..20).map(line).collect();
    append(&path, ((0..50).map(numbered).collect::<String>() + &tail).as_bytes());
    let mut live = live(std::slice::from_ref(&path));
    live.refresh(&()).unwrap();
    let other = (100..150).map(numbered).collect::<String>() + &tail + &line(99);
    fs::write(&path, other).unwrap();
    live.refresh(&()).unwrap();
    assert_eq!(live.total().used(), 71);
}
