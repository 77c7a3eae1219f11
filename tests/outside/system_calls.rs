//! System calls of the MCP server: it writes nothing, reads only its captures and connects to nothing.

use std::collections::BTreeSet;
use std::fs;
use std::process::Command;

use serde_json::json;

use crate::agent::{Agent, ProtocolEra};
use crate::support::fixture;

/// Returns the system calls that strace recorded, one per line.
fn traced(folder: &tempfile::TempDir, captures: &[String], options: &[String]) -> String {
    let trace = folder.path().join("trace");
    let mut command = Command::new("strace");
    command
        .args([
            "-f",
            "-y",
            "-s",
            "4096",
            "-e",
            "trace=%file,%network,open,openat,openat2,creat,memfd_create,ftruncate",
            "-o",
        ])
        .arg(&trace)
        .arg(env!("CARGO_BIN_EXE_api-patterns"))
        .arg("mcp")
        .args(captures)
        .args(options);
    let mut agent = Agent::run(ProtocolEra::Stateless, "test", json!({}), command);
    let answer = agent.patterns(json!({}));
    assert!(answer["totals"]["used"].as_u64().unwrap() > 0);
    let id = answer["patterns"][0]["id"].clone();
    agent.call("get_endpoint", json!({"id": id}));
    agent.patterns(json!({"limit": 3, "domain": "shop.example"}));
    agent.call("get_api_patterns", json!({"detail": "compat"}));
    agent.refusal("get_api_patterns", json!({"domain": "../../etc/passwd"}));
    assert_eq!(agent.leave().0, Some(0));
    fs::read_to_string(trace).unwrap()
}

/// Returns (path, flags) of the files that were opened.
fn opened(trace: &str) -> Vec<(String, &str)> {
    let calls = trace.lines().filter(|line| !line.contains(" = -1 "));
    let opens = calls.filter(|line| {
        line.contains("open(") || line.contains("openat(") || line.contains("openat2(")
    });
    opens
        .filter_map(|line| {
            let path = line.split('"').nth(1)?;
            // strace shows the folder of a relative path after the descriptor: `openat2(7</captures>, "demo.mitm",
            // ...`.
            let folder = line.split_once('<').and_then(|(_, rest)| rest.split_once('>'));
            let path = match folder {
                Some((folder, _)) if !path.starts_with('/') => format!("{folder}/{path}"),
                _ => path.to_owned(),
            };
            Some((path, line.rsplit('"').next()?))
        })
        .collect()
}

/// Creates a zip archive with one compressed file.
fn archive(bytes: &[u8]) -> Vec<u8> {
    let mut archive = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    archive.start_file("a", zip::write::SimpleFileOptions::default()).unwrap();
    std::io::Write::write_all(&mut archive, bytes).unwrap();
    archive.finish().unwrap().into_inner()
}

fn captures_in(folder: &tempfile::TempDir) -> Vec<String> {
    let inside = folder.path().join("captures");
    fs::create_dir(&inside).unwrap();
    for name in ["demo.mitm", "demo.har", "demo.db", "demo.playwright.zip"] {
        fs::copy(fixture(name), inside.join(name)).unwrap();
    }
    // A capture that needs a temporary file is refused.
    fs::write(
        inside.join("nested.zip"),
        archive(&archive(&fs::read(fixture("demo.har")).unwrap())),
    )
    .unwrap();
    fs::write(folder.path().join("secret.har"), "{\"log\":{\"entries\":[]}}").unwrap();
    #[cfg(unix)]
    std::os::unix::fs::symlink(folder.path().join("secret.har"), inside.join("link.har")).unwrap();
    vec![inside.display().to_string()]
}

pub fn nothing_is_written_and_nothing_but_the_captures_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let captures = captures_in(&folder);
    let database = folder.path().join("wal.db");
    fs::copy(fixture("demo.db"), &database).unwrap();
    let writer = rusqlite::Connection::open(&database).unwrap();
    writer.execute_batch("PRAGMA journal_mode=WAL; UPDATE flows SET size = 8").unwrap();
    let captures = [captures, vec![database.display().to_string()]].concat();
    let trace = traced(&folder, &captures, &[]);
    drop(writer);
    let files = opened(&trace);
    assert!(files.iter().any(|(path, _)| path.ends_with("captures/demo.mitm")));
    // Reading a write-ahead log would open it for writing.
    assert!(!files.iter().any(|(path, _)| path.ends_with("wal.db-wal")));
    for (path, flags) in &files {
        let is_standard_stream = path.starts_with("/proc/self/fd/") && path.len() < 17;
        let can_write = ["O_WRONLY", "O_RDWR", "O_CREAT", "O_TRUNC", "O_APPEND"]
            .iter()
            .any(|flag| flags.contains(flag));
        assert!(is_standard_stream || !can_write, "{path} {flags}");
        // Files that the dynamic loader reads, and that tell the number of processors.
        let is_of_the_system =
            ["/lib", "/usr/lib", "/etc/ld.so", "/proc/", "/sys/", "/dev/urandom"]
                .iter()
                .any(|start| path.starts_with(start));
        // An `O_PATH` descriptor serves to find files and cannot be read.
        let is_handle = flags.contains("O_PATH");
        let is_capture = is_handle || captures.iter().any(|capture| path.starts_with(&**capture));
        assert!(is_of_the_system || is_capture, "{path} {flags}");
    }
    assert!(
        !files.iter().any(|(path, _)| path.ends_with("secret.har") || path.ends_with("link.har"))
    );
    let forbidden = [
        "socket(",
        "connect(",
        "bind(",
        "sendto(",
        "unlink",
        "rename",
        "mkdir",
        "rmdir",
        "creat(",
        "memfd_create",
        "chmod",
        "truncate",
        "link(",
        "linkat(",
    ];
    for line in trace.lines() {
        let call = line.split_whitespace().nth(1).unwrap_or_default();
        let is_readlink = call.starts_with("readlink");
        assert!(is_readlink || !forbidden.iter().any(|name| call.starts_with(name)), "{line}");
    }
}

pub fn the_audit_log_is_all_that_is_written() {
    let folder = tempfile::tempdir().unwrap();
    let captures = captures_in(&folder);
    let log = folder.path().join("audit.jsonl").display().to_string();
    let trace = traced(&folder, &captures, &["--audit-log".to_owned(), log.clone()]);
    let written: BTreeSet<String> = opened(&trace)
        .into_iter()
        .filter(|(path, flags)| {
            !path.starts_with("/proc/self/fd/")
                && (flags.contains("O_WRONLY") || flags.contains("O_RDWR"))
        })
        .map(|(path, _)| path)
        .collect();
    assert_eq!(written.into_iter().collect::<Vec<_>>(), [log]);
}
