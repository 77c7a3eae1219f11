use std::fs;

use serde_json::{Value, json};

use crate::support::{Run, fixture, flow, program, program_with_input, record, request, response};

fn demo() -> String {
    fixture("demo.mitm").to_str().unwrap().to_owned()
}

#[track_caller]
fn refused(run: &Run, words: &[&str]) {
    assert_eq!(run.code, Some(2), "{}", run.stderr);
    assert_eq!(run.stdout, "");
    assert_eq!(run.stderr.trim_end().lines().count(), 1, "one sentence: {}", run.stderr);
    assert!(run.stderr.starts_with("api-patterns: "), "{}", run.stderr);
    for word in words {
        assert!(run.stderr.contains(word), "no {word:?} in {}", run.stderr);
    }
}

#[test]
fn a_pipe_gets_json_and_stderr_the_totals() {
    let run = program(&["analyze", &demo()]);
    assert_eq!(run.code, Some(0));
    let report: Value = serde_json::from_str(&run.stdout).unwrap();
    assert_eq!(report["version"], 1);
    assert_eq!(report["totals"]["used"], 65);
    assert_eq!(report["totals"]["hosts"], 3);
    let keys: Vec<&String> = report["patterns"][0].as_object().unwrap().keys().collect();
    for original in [
        "endpoint",
        "method",
        "path_pattern",
        "path_params",
        "query_params",
        "common_headers",
        "status_codes",
        "content_types",
        "request_count",
        "sample_flow_ids",
    ] {
        assert!(keys.iter().any(|key| *key == original), "{original}");
    }
    assert!(run.stderr.starts_with("api-patterns: 65 flows in 220.6 kB and "), "{}", run.stderr);
    assert!(run.stderr.ends_with(" s: 65 used, none skipped\n"), "{}", run.stderr);
    assert_eq!(program(&["analyze", &demo(), "--quiet"]).stderr, "");
}

/// Each format is compared verbatim with `fixtures/demo.*`; review the difference when these files change.
#[test]
fn every_format_is_written_as_recorded() {
    for (format, file) in [
        ("json", "demo.json"),
        ("jsonl", "demo.jsonl"),
        ("csv", "demo.csv"),
        ("markdown", "demo.md"),
        ("table", "demo.txt"),
    ] {
        let run = program(&["analyze", &demo(), "--format", format, "--quiet"]);
        assert_eq!((run.code, &*run.stderr), (Some(0), ""));
        let path = fixture(file);
        if std::env::var_os("UPDATE_FIXTURES").is_some() {
            fs::write(&path, &run.stdout).unwrap();
        }
        let expected = fs::read_to_string(&path).unwrap();
        assert!(
            run.stdout == expected,
            "{file} is not what is written; UPDATE_FIXTURES=1 cargo test writes it anew:\n{}",
            run.stdout
        );
    }
}

#[test]
fn the_table_keeps_to_the_width() {
    for width in [40, 60, 80, 100, 200] {
        let run = std::process::Command::new(env!("CARGO_BIN_EXE_api-patterns"))
            .args(["analyze", &demo(), "--format", "table", "--quiet"])
            .env("COLUMNS", width.to_string())
            .output()
            .unwrap();
        let table = String::from_utf8(run.stdout).unwrap();
        let widest = table.lines().map(|line| line.chars().count()).max().unwrap();
        // Below 50 columns the table cannot be fitted.
        assert!(widest <= width.max(50), "{widest} columns of {width}:\n{table}");
        assert!(table.contains("/v1/users/me"));
        assert!(!table.contains('\u{1b}'), "colour in a pipe");
    }
}

#[test]
fn long_paths_are_cut_before_successes_are_left_out() {
    let folder = tempfile::tempdir().unwrap();
    let capture = folder.path().join("long.jsonl");
    let words = [("entitlements", 200), ("subscriptions", 304), ("settlements", 503)];
    let lines = words.map(|(word, status)| {
        let path = format!("administration/organizations/current/configuration/{word}/overview");
        json!({"method": "GET", "url": format!("https://api.example/{path}"), "status": status})
            .to_string()
    });
    fs::write(&capture, lines.join("\n")).unwrap();
    // Options may stand before a capture that means analyze.
    let shown = |width: usize, options: &[&str]| {
        let run = std::process::Command::new(env!("CARGO_BIN_EXE_api-patterns"))
            .arg("-q")
            .args(options)
            .arg(&capture)
            .env("COLUMNS", width.to_string())
            .output()
            .unwrap();
        String::from_utf8(run.stdout).unwrap()
    };
    let widest = |text: &str| text.lines().map(|line| line.chars().count()).max().unwrap();
    let table = shown(60, &["--format", "table"]);
    assert!(table.contains("2xx") && widest(&table) <= 60, "{table}");
    let tree = shown(60, &["--tree"]);
    assert!(tree.contains('…') && widest(&tree) <= 60, "{tree}");
    assert!(!shown(200, &["--tree"]).contains('…'));
}

#[test]
fn label_gives_each_flow_its_endpoint_in_input_order() {
    let from_file = program(&["label", &demo(), "--threads", "3", "--batch-bytes", "5000"]);
    assert_eq!(from_file.code, Some(0));
    let lines: Vec<Value> =
        from_file.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), 65);
    let keys: Vec<&str> = lines[0].as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(keys.len(), 5);
    assert!(
        ["id", "method", "host", "endpoint", "path_pattern"].iter().all(|key| keys.contains(key))
    );
    assert_eq!(lines[0]["endpoint"], "GET /v1/users");
    assert_eq!(lines[3]["endpoint"], "GET /v1/users/{user_id}");
    let from_pipe = program_with_input(&["label", "-"], &fs::read(demo()).unwrap());
    assert_eq!(from_pipe.stdout, from_file.stdout);
    // The newest flows only, but still in input order.
    let newest = program(&["label", &demo(), "--limit", "3"]);
    let last: Vec<&str> = from_file.stdout.lines().collect();
    assert_eq!(newest.stdout.lines().count(), 3);
    assert!(newest.stdout.lines().all(|line| last.contains(&line)));
}

#[test]
fn flows_are_chosen_by_domain_method_and_age() {
    let used = |arguments: &[&str]| {
        let demo = demo();
        let run = program(&[&["analyze", &*demo][..], arguments].concat());
        let report: Value = serde_json::from_str(&run.stdout).unwrap();
        (report["totals"]["used"].as_u64().unwrap(), report["totals"]["skipped"].clone(), run.code)
    };
    assert_eq!(used(&["--domain", "api.shop.example"]).0, 58);
    assert_eq!(used(&["--domain", "SHOP.example"]).0, 65);
    assert_eq!(used(&["--domain", "files.shop.example"]).0, 6);
    assert_eq!(
        used(&["--domain", "op.example"]),
        (0, serde_json::json!({"other_domain": 65}), Some(1))
    );
    assert_eq!(used(&["--domain", "api.shop.example", "--domain", "gone.shop.example"]).0, 59);
    assert_eq!(used(&["--method", "patch"]).0, 3);
    assert_eq!(used(&["--limit", "7"]), (7, serde_json::json!({"older": 58}), Some(0)));
    assert_eq!(used(&["--limit", "0"]).2, Some(1));
    assert_eq!(
        used(&["--limit", "2", "--method", "GET", "--threads", "2", "--batch-bytes", "9000"]).0,
        2
    );
}

#[test]
fn several_captures_folders_and_standard_input_are_one_traffic() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("inner")).unwrap();
    fs::write(folder.path().join("a"), flow("a", "/a")).unwrap();
    fs::write(folder.path().join("inner/b.txt"), flow("b", "/b")).unwrap();
    fs::write(folder.path().join("notes.txt"), "no capture").unwrap();
    let path = folder.path().to_str().unwrap();
    let run = program_with_input(&["analyze", path, "-", &demo()], &flow("c", "/c"));
    assert_eq!(run.code, Some(0), "{}", run.stderr);
    let report: Value = serde_json::from_str(&run.stdout).unwrap();
    assert_eq!(report["totals"]["used"], 68);
    assert!(run.stderr.contains("left out 1 file, the first is "), "{}", run.stderr);
}

#[test]
fn bad_usage_is_one_sentence_and_exit_code_2() {
    let folder = tempfile::tempdir().unwrap();
    let inside = |name: &str, bytes: &[u8]| {
        let path = folder.path().join(name);
        fs::write(&path, bytes).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let empty = tempfile::tempdir().unwrap();
    refused(
        &program(&["analyze", "no-such-file.mitm"]),
        &["no-such-file.mitm: ", "no such file", "check the path"],
    );
    refused(
        &program(&["analyze", empty.path().to_str().unwrap()]),
        &["no capture yet", "mitmdump -w"],
    );
    refused(
        &program(&["analyze", &inside("x.mitm", b"\x89PNG\r\n\x1a\n")]),
        &["x.mitm: ", "not a capture", "mitmdump -w"],
    );
    refused(
        &program(&["analyze", &inside("y", b"\xd4\xc3\xb2\xa1\x02\0\x04\0")]),
        &["packet capture", "mitmdump -w"],
    );
    refused(&program(&["analyze"]), &["no capture was named"]);
    refused(&program(&[]), &["no command was given", "analyze"]);
    refused(&program(&["analyze", &demo(), "--frobnicate"]), &["--frobnicate", "--help"]);
    refused(&program(&["analyze", &demo(), "--limit", "many"]), &["many", "--limit"]);
    refused(&program(&["analyze", &demo(), "--limit", "-3"]), &["--limit is negative"]);
    refused(&program(&["analyze", &demo(), "--threads", "100000"]), &["--threads", "0 to 1024"]);
    refused(
        &program(&["analyze", &demo(), "--compat", "mitmproxy-mcp", "--format", "csv"]),
        &["JSON only"],
    );
    refused(
        &program(&["analyze", &demo(), "--compat", "mitmproxy-mcp", "--group-hosts"]),
        &["--group-hosts", "as the original"],
    );
    refused(&program(&["analyze", &demo(), "--compat", "other"]), &["other", "mitmproxy-mcp"]);
    refused(&program(&["analyze", &demo(), "--domain", ""]), &["--domain", "is not a host name"]);
    refused(
        &program(&["analyze", &demo(), "--domain", "https://h.example/"]),
        &["is not a host name", "--domain example.com"],
    );
    refused(&program(&["analyze", &demo(), "--method", ""]), &["--method is empty"]);
    refused(
        &program(&["analyze", &demo(), "--explain", "GET /", "--format", "csv"]),
        &["table or json"],
    );
    let hidden = program(&["analyze", "--\u{202e}x\u{1b}[31m"]);
    assert!(!hidden.stderr.trim_end().contains(api_patterns::text::is_unsafe), "{}", hidden.stderr);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let secret = inside("secret", b"12:");
        fs::set_permissions(&secret, fs::Permissions::from_mode(0o000)).unwrap();
        // Root may read every file.
        if fs::read(&secret).is_err() {
            refused(&program(&["analyze", &secret]), &["no permission to read"]);
        }
    }
}

#[test]
fn good_captures_are_analyzed_beside_bad_ones() {
    let run = program(&["analyze", "no-such-file", &demo()]);
    assert_eq!(run.code, Some(2));
    let report: Value = serde_json::from_str(&run.stdout).unwrap();
    assert_eq!(report["totals"]["used"], 65);
    assert!(run.stderr.contains("no-such-file: there is no such file"), "{}", run.stderr);
}

#[test]
fn nothing_found_is_exit_code_1_and_says_why() {
    let run = program_with_input(&["analyze", "-"], b"");
    assert_eq!(run.code, Some(1));
    assert!(
        run.stderr.contains("no endpoint found: there is no flow in 1 capture (0 bytes)"),
        "{}",
        run.stderr
    );
    let run = program(&["analyze", &demo(), "--domain", "other.example"]);
    assert!(
        run.stderr.contains("no endpoint found; 65 flows")
            && run.stderr.contains("other_domain 65"),
        "{}",
        run.stderr
    );
}

#[test]
fn damage_is_said_with_file_and_offset() {
    let whole = flow("a", "/a");
    let dump = [whole.clone(), b"123:".to_vec()].concat();
    let run = program_with_input(&["analyze", "-"], &dump);
    assert_eq!(run.code, Some(0));
    let first = run.stderr.lines().next().unwrap();
    let expected = format!(
        "api-patterns: standard input: at byte {}: the last record is cut off (4 of 128 bytes",
        whole.len()
    );
    assert!(first.starts_with(&expected), "{first}");
    assert!(run.stderr.contains("1 used, 1 skipped (truncated 1)"), "{}", run.stderr);
}

#[test]
fn escapes_of_a_capture_never_come_out_raw() {
    let evil = "/a\u{1b}[31m\u{202e}\u{200b}\u{9b}31m/`|*\r\n";
    let fields = [(
        "headers",
        crate::support::headers(&[("Host", "h\u{1b}]0;x\u{7}.example"), ("x\u{1b}[2J", "v")]),
    )];
    let id = "id\u{1b}[0m";
    let dump = record(
        id,
        request("GET", "h.example", &format!("{evil}?q\u{1b}%1b%5b31m=1&\u{202e}=2"), &fields),
        response(200),
    );
    let dump = [dump, "11:\u{1b}[31m".to_string().into_bytes()].concat();
    for arguments in [
        vec!["analyze", "-", "--format", "table"],
        vec!["analyze", "-", "--format", "json"],
        vec!["analyze", "-", "--format", "jsonl"],
        vec!["analyze", "-", "--format", "csv"],
        vec!["analyze", "-", "--format", "markdown"],
        vec!["label", "-"],
        vec!["analyze", "-", "--compat", "mitmproxy-mcp"],
    ] {
        let run = program_with_input(&arguments, &dump);
        assert_eq!(run.code, Some(0), "{}", run.stderr);
        for text in [&run.stdout, &run.stderr] {
            let raw = text.chars().find(|c| *c != '\n' && api_patterns::text::is_unsafe(*c));
            assert_eq!(raw, None, "{arguments:?}: {text:?}");
        }
    }
}

/// No answer contains header values, bodies or values of parameters.
#[test]
fn no_secret_reaches_an_answer() {
    let secret = "canary";
    let fields = [
        ("headers", crate::support::headers(&[("Authorization", secret), ("Cookie", secret)])),
        ("content", crate::support::bytes(secret)),
    ];
    let path = "/reset/eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJjYW5hcnkifQ.c2lnbmF0dXJl/k9fK2mQ7xTzB4?token=canary&q=canary";
    let dump = record("f1", request("GET", "h.example", path, &fields), response(200));
    for arguments in
        [vec!["analyze", "-"], vec!["analyze", "-", "--format", "csv"], vec!["label", "-"]]
    {
        let run = program_with_input(&arguments, &dump);
        let text = format!("{}{}", run.stdout, run.stderr);
        assert!(
            !text.contains("canary") && !text.contains("eyJ") && !text.contains("k9fK"),
            "{text}"
        );
    }
}

#[test]
fn completions_and_the_manual_page_are_written() {
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let run = program(&["completions", shell]);
        assert_eq!(run.code, Some(0));
        assert!(run.stdout.contains("api-patterns") && run.stdout.contains("analyze"), "{shell}");
    }
    let page = program(&["man"]);
    assert!(page.stdout.contains(".TH") && page.stdout.contains("analyze"));
    assert!(program(&["--version"]).stdout.starts_with("api-patterns "));
    assert!(program(&["--help"]).stdout.contains("analyze"));
}

#[test]
fn a_closed_pipe_is_no_error() {
    use std::io::Read;
    use std::process::{Command, Stdio};

    // More than the capacity of a pipe, so that the program is still writing when its reader closes the pipe.
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("lines");
    fs::write(
        &path,
        "{\"method\":\"GET\",\"url\":\"https://h.example/users/1001\"}\n".repeat(50_000),
    )
    .unwrap();
    let mut child = Command::new(env!("CARGO_BIN_EXE_api-patterns"))
        .args(["label", path.to_str().unwrap(), "--quiet"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdout = child.stdout.take().unwrap();
    stdout.read_exact(&mut [0; 10]).unwrap();
    drop(stdout);
    let output = child.wait_with_output().unwrap();
    assert_eq!(
        (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned()),
        (Some(0), String::new())
    );
}

#[test]
fn a_file_that_is_named_twice_is_read_once() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("a.mitm");
    std::fs::copy(fixture("demo.mitm"), &file).unwrap();
    let (file, folder) = (file.to_str().unwrap(), folder.path().to_str().unwrap());
    let once = program(&["analyze", file, "--format", "json"]);
    for named in [[file, file], [file, folder], [folder, file]] {
        let twice = program(&["analyze", named[0], named[1], "--format", "json"]);
        assert_eq!(twice.code, Some(0), "{}", twice.stderr);
        assert!(twice.stdout == once.stdout, "{named:?} gives another report");
        assert!(twice.stderr.contains("named before and is read once"), "{}", twice.stderr);
    }
}

#[test]
fn urls_without_a_host_are_counted_as_such() {
    let line = r#"{"method": "GET", "url": "/users/1", "status": 200}"#;
    let run = program_with_input(&["analyze", "-"], line.as_bytes());
    assert_eq!(run.code, Some(2));
    assert!(run.stderr.contains("URLs name no host"), "{}", run.stderr);
    assert!(run.stdout.contains(r#""no_host": 1"#), "{}", run.stdout);
    // Beside others they are counted, and nothing fails.
    let both = format!("{line}\n{}", line.replace("/users", "https://a.example/users"));
    let run = program_with_input(&["analyze", "-"], both.as_bytes());
    assert_eq!(run.code, Some(0));
    assert!(run.stderr.contains("1 skipped (no_host 1)"), "{}", run.stderr);
    // Where a filter leaves nothing of them, that is no error either.
    let run = program_with_input(&["analyze", "-", "--domain", "b.example"], both.as_bytes());
    assert_eq!(run.code, Some(1));
    assert!(!run.stderr.contains("URLs name no host"), "{}", run.stderr);
}
