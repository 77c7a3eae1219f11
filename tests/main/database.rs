use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use api_patterns::{Captures, InputFormat, Options, analyze};
use proptest::prelude::*;
use rusqlite::types::Value;
use rusqlite::{Connection, params_from_iter};

use crate::support::{TABLE, create_database as create, fixture, insert, program};

fn row(id: &str, url: &str, body_bytes: usize) -> Vec<Value> {
    let text = |text: &str| Value::Text(text.to_owned());
    vec![
        text(id),
        text(url),
        text("GET"),
        Value::Integer(200),
        text(r#"[["X-Key", "1"]]"#),
        Value::Null,
        text(r#"[["Content-Type", "application/json"]]"#),
        Value::Text("x".repeat(body_bytes)),
        Value::Real(1_700_000_000.5),
        Value::Integer(i64::try_from(body_bytes).unwrap()),
    ]
}

/// Returns (id, url, status) of all flows, in the order in which they are delivered.
fn flows(path: &Path) -> Vec<(String, String, i64)> {
    let captures = Captures::open(&[path], InputFormat::Detect).unwrap();
    let mut flows = Vec::new();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let skips = api_patterns::for_each_flow(&captures, |flow| {
        let status = flow.response.as_ref().map_or(0, |response| response.status);
        flows.push((text(flow.id), text(flow.url.unwrap()), status));
    })
    .unwrap();
    assert_eq!(skips.total(), 0, "{skips:?}");
    flows
}

#[test]
fn the_fixture_gives_the_endpoints_of_the_dump() {
    let report = |name: &str| {
        let captures = Captures::open(&[fixture(name)], InputFormat::Detect).unwrap();
        let report = analyze(&captures, &Options::default(), &()).unwrap().report;
        // The database has the addresses connected to, but a dump has host names.
        let mut endpoints: Vec<_> = report
            .patterns
            .into_iter()
            .map(|p| (p.endpoint, p.request_count, p.query_params, p.status_codes))
            .collect();
        endpoints.sort_by(|a, b| (&a.0, a.1).cmp(&(&b.0, b.1)));
        endpoints
    };
    assert_eq!(report("demo.db"), report("demo.mitm"));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    /// The reader delivers the rows that SQL selects, for any size of rows and pages, and after deletions.
    #[test]
    fn pages_equal_statements(
        sizes in prop::collection::vec(prop_oneof![0usize..200, 0usize..6000, Just(100_000)], 0..300),
        page_bytes in prop::sample::select(vec![512, 1024, 4096, 65536]), deleted in 1usize..7, wal in prop::bool::weighted(0.1),
        far in prop::bool::ANY,
    ) {
        let folder = tempfile::tempdir().unwrap();
        let journal = if wal { "PRAGMA journal_mode = WAL;" } else { "" };
        let (path, connection) = create(folder.path(), &format!("PRAGMA page_size = {page_bytes}; {journal}"));
        connection.execute_batch("BEGIN").unwrap();
        for (i, bytes) in sizes.iter().enumerate() {
            insert(&connection, &row(&format!("f{i}"), &format!("https://h.example/{i}/{}", "a".repeat(i % 90)), *bytes));
        }
        if far {
            connection.execute("UPDATE flows SET rowid = rowid + 9000000000 WHERE rowid % 3 = 0", []).unwrap();
        }
        connection.execute("DELETE FROM flows WHERE rowid % ? = 0", [i64::try_from(deleted).unwrap() + 1]).unwrap();
        connection.execute_batch("COMMIT").unwrap();
        let expected: Vec<(String, String, i64)> = connection
            .prepare("SELECT id, url, status_code FROM flows ORDER BY rowid")
            .unwrap()
            .query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
            .unwrap()
            .collect::<Result<_, _>>()
            .unwrap();
        prop_assert_eq!(flows(&path), expected);
    }
}

/// The server saves each flow with its own connection and transaction, and gives up after a timeout.
#[test]
fn a_server_that_writes_meanwhile_loses_nothing_and_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let (path, connection) = create(folder.path(), "");
    connection.execute_batch("BEGIN").unwrap();
    for i in 0..3000 {
        insert(
            &connection,
            &row(&format!("old{i}"), &format!("https://h.example/users/{i}"), 3000),
        );
    }
    connection.execute_batch("COMMIT").unwrap();
    drop(connection);
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let writer = scope.spawn(|| {
            let mut saved = 0;
            while !done.load(Ordering::Relaxed) && saved < 2000 {
                std::thread::sleep(Duration::from_millis(2));
                let connection = Connection::open(&path).unwrap();
                connection.busy_timeout(Duration::from_millis(1500)).unwrap();
                let row = row(&format!("new{saved}"), "https://h.example/new", 3000);
                let query = "INSERT INTO flows VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)";
                connection
                    .execute(query, params_from_iter(row))
                    .expect("the server dropped a flow");
                saved += 1;
            }
            saved
        });
        let mut last = 3000;
        for _ in 0..40 {
            let count = flows(&path).len();
            assert!(count >= last, "{count} after {last}");
            last = count;
        }
        done.store(true, Ordering::Relaxed);
        let saved = writer.join().unwrap();
        assert!(saved > 0);
        assert_eq!(flows(&path).len(), 3000 + saved);
    });
    let beside: Vec<_> = std::fs::read_dir(folder.path()).unwrap().collect();
    assert_eq!(beside.len(), 1, "files were left beside the database");
}

/// A writer that was killed during a transaction leaves a hot journal; the state before the transaction is read.
#[test]
fn a_hot_journal_is_survived() {
    let folder = tempfile::tempdir().unwrap();
    let (path, connection) = create(folder.path(), "");
    for i in 0..50 {
        insert(&connection, &row(&format!("f{i}"), "https://h.example/a", 3000));
    }
    // The cache is so small that pages are written before the end of the transaction.
    connection
        .execute_batch(
            "PRAGMA cache_size = 2; BEGIN; UPDATE flows SET url = 'https://h.example/torn';",
        )
        .unwrap();
    let killed = tempfile::tempdir().unwrap();
    let copy = killed.path().join("mitm_mcp_traffic.db");
    std::fs::copy(&path, &copy).unwrap();
    std::fs::copy(path.with_extension("db-journal"), copy.with_extension("db-journal")).unwrap();
    drop(connection);
    let before = std::fs::read(&copy).unwrap();
    let found = flows(&copy);
    assert_eq!(found.len(), 50);
    assert!(found.iter().all(|(_, url, _)| url == "https://h.example/a"), "a torn state was read");
    assert!(std::fs::read(&copy).unwrap() == before, "the database was written to");
}

#[test]
fn a_database_with_a_write_ahead_log_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let (path, connection) = create(folder.path(), "PRAGMA journal_mode = WAL;");
    insert(&connection, &row("a", "https://h.example/a", 10));
    assert_eq!(flows(&path).len(), 1);
    drop(connection);
    // No process has the database open, so no file may be created beside it.
    assert_eq!(flows(&path).len(), 1);
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
}

/// A database is also read if it is compressed, piped, or in a zip archive.
#[test]
fn a_database_that_is_no_file_of_its_own_is_read() {
    use std::io::Write;

    let bytes = std::fs::read(fixture("demo.db")).unwrap();
    let run = crate::support::program_with_input(&["analyze", "-"], &bytes);
    assert!(run.stderr.contains("65 flows"), "{}", run.stderr);
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(&bytes).unwrap();
    let captures =
        Captures::from_bytes("x.gz", gzip.finish().unwrap(), InputFormat::Detect).unwrap();
    assert_eq!(analyze(&captures, &Options::default(), &()).unwrap().report.totals.flows, 65);
    let captures = Captures::from_bytes("x", bytes, InputFormat::McpDatabase).unwrap();
    assert_eq!(analyze(&captures, &Options::default(), &()).unwrap().report.totals.flows, 65);
}

#[test]
fn what_is_no_database_of_the_server_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("other.db");
    Connection::open(&path).unwrap().execute_batch("CREATE TABLE notes (text TEXT)").unwrap();
    let path = path.to_str().unwrap();
    let run = program(&["analyze", path]);
    assert_eq!(run.code, Some(2));
    assert!(run.stderr.contains("no plain table \"flows\""), "{}", run.stderr);
    Connection::open(path)
        .unwrap()
        .execute_batch("CREATE TABLE flows (id TEXT, url TEXT)")
        .unwrap();
    let run = program(&["analyze", path]);
    assert!(run.stderr.contains("no column \"method\""), "{}", run.stderr);
}

#[test]
fn damage_costs_rows_and_no_more() {
    let folder = tempfile::tempdir().unwrap();
    let (path, connection) = create(folder.path(), "");
    for i in 0..500 {
        insert(&connection, &row(&format!("f{i}"), "https://h.example/a", 3000));
    }
    drop(connection);
    let mut bytes = std::fs::read(&path).unwrap();
    let middle = bytes.len() / 2 / 4096 * 4096;
    bytes[middle..middle + 4096].fill(0xee);
    std::fs::write(&path, &bytes).unwrap();
    let captures = Captures::open(&[&path], InputFormat::Detect).unwrap();
    let analysis = analyze(&captures, &Options::default(), &()).unwrap();
    // A page holds one or two rows.
    let used = analysis.report.totals.used;
    assert!((497..500).contains(&used), "{:?}", analysis.report.totals);
    assert!(analysis.skips.total() > 0, "{:?}", analysis.skips);
}

/// A view may be endless, a virtual table may run arbitrary code, and a generated column may have any size, so none of
/// them is queried.
#[test]
fn only_a_plain_table_is_read() {
    let columns = "'x' AS id, 'https://h.example/a' AS url, 'GET' AS method, 200 AS status_code, '{}' AS request_headers, \
                   '{}' AS response_headers, 1.0 AS timestamp";
    for view in [
        format!(
            "CREATE VIEW flows AS WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) SELECT x AS rowid, {columns} FROM c"
        ),
        format!("CREATE VIEW flows AS SELECT 1 AS rowid, {columns}"),
        TABLE.replacen("size INTEGER)", "size INTEGER) WITHOUT ROWID", 1),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("view.db");
        Connection::open(&path).unwrap().execute_batch(&view).unwrap();
        let error = Captures::open(&[&path], InputFormat::Detect).unwrap_err().to_string();
        assert!(error.contains("no plain table"), "{error}");
    }
}

#[test]
fn huge_cells_are_read_as_missing() {
    let folder = tempfile::tempdir().unwrap();
    let (path, connection) = create(folder.path(), "");
    insert(&connection, &row("a", "https://h.example/a", 3));
    connection
        .execute_batch(
            "INSERT INTO flows SELECT 'b', url, method, zeroblob(30000000), request_headers, NULL, response_headers, NULL, \
             zeroblob(30000000), zeroblob(30000000) FROM flows; \
             INSERT INTO flows SELECT 'c', zeroblob(30000000), method, 200, request_headers, NULL, response_headers, NULL, 1.0, 1 FROM flows LIMIT 1",
        )
        .unwrap();
    drop(connection);
    let captures = Captures::open(&[&path], InputFormat::Detect).unwrap();
    let mut found = Vec::new();
    api_patterns::for_each_flow(&captures, |flow| {
        found.push((flow.id.to_vec(), flow.response.is_some()));
    })
    .unwrap();
    assert_eq!(found, [(b"a".to_vec(), true), (b"b".to_vec(), false)]);
}

/// Pages that reference each other would deliver rows endlessly.
#[test]
fn rows_out_of_order_end_the_reading() {
    let folder = tempfile::tempdir().unwrap();
    let (path, connection) = create(folder.path(), "PRAGMA page_size = 4096;");
    for i in 0..400 {
        insert(&connection, &row(&format!("id-{i:04}"), "https://h.example/a", 200));
    }
    let root: u32 = connection
        .query_row("SELECT rootpage FROM sqlite_master WHERE name = 'flows'", [], |row| row.get(0))
        .unwrap();
    drop(connection);
    let mut bytes = std::fs::read(&path).unwrap();
    // The second child of the root is made to be its first child.
    let page = (root as usize - 1) * 4096;
    let cell = |n: usize, bytes: &[u8]| {
        let at = page + 12 + 2 * n;
        page + usize::from(u16::from_be_bytes([bytes[at], bytes[at + 1]]))
    };
    assert_eq!(bytes[page], 5);
    let (first, second) = (cell(0, &bytes), cell(1, &bytes));
    let child: [u8; 4] = bytes[first..first + 4].try_into().unwrap();
    bytes[second..second + 4].copy_from_slice(&child);
    std::fs::write(&path, bytes).unwrap();
    let captures = Captures::open(&[&path], InputFormat::Detect).unwrap();
    let analysis = analyze(&captures, &Options::default(), &()).unwrap();
    assert!(analysis.report.totals.used < 400);
    let said = analysis.problems(&captures).join("; ");
    assert!(said.contains("out of order"), "{said}");
}

#[cfg(unix)]
#[test]
fn what_stands_beside_a_database_must_be_a_file() {
    for suffix in ["-journal", "-wal"] {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("demo.db");
        std::fs::copy(fixture("demo.db"), &path).unwrap();
        std::os::unix::fs::symlink("/dev/zero", folder.path().join(format!("demo.db{suffix}")))
            .unwrap();
        let error = Captures::open(&[&path], InputFormat::Detect).unwrap_err().to_string();
        assert!(error.contains("is a link, a pipe or a folder"), "{error}");
    }
}
