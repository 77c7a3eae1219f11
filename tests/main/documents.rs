//! The documents: each command block is run, each link leads somewhere.
//!
//! Blocks of `sh` are run by bash, in order, in a folder of their own for each document; a program ends with 0, or with 1 where
//! it has findings. In blocks of `console`, lines after `$ ` are run and what follows must be their output, where a line `...`
//! stands for any lines. On the line before a block, a comment can say `not run: REASON`, or `as on a terminal`, which has the
//! command write a table.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The documents that are for users, with their text.
fn documents() -> Vec<(PathBuf, String)> {
    let mut paths = vec![root().join("README.md"), root().join("python/README.md")];
    let mut folders = vec![root().join("docs")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "md") {
                paths.push(path);
            }
        }
    }
    paths.sort();
    let read = |path: PathBuf| (path.clone(), std::fs::read_to_string(path).unwrap());
    paths.into_iter().map(read).collect()
}

/// A fenced block.
#[derive(Debug)]
struct Block<'a> {
    /// Number of its first line, from 1.
    line: usize,
    language: &'a str,
    /// What the comment on the line before it says.
    comment: &'a str,
    lines: Vec<&'a str>,
}

fn blocks(text: &str) -> Vec<Block<'_>> {
    let mut found: Vec<Block<'_>> = Vec::new();
    let mut open = false;
    let mut before = "";
    for (index, line) in text.lines().enumerate() {
        match line.strip_prefix("```") {
            Some(_) if open => open = false,
            Some(language) => {
                let comment =
                    before.strip_prefix("<!-- ").and_then(|rest| rest.strip_suffix(" -->"));
                let comment = comment.unwrap_or_default();
                found.push(Block { line: index + 2, language, comment, lines: Vec::new() });
                open = true;
            }
            None if open => found.last_mut().unwrap().lines.push(line),
            None => before = line,
        }
    }
    assert!(!open, "the last block has no end");
    found
}

/// Targets of links outside of blocks, with the number of their line.
fn links(text: &str) -> Vec<(usize, &str)> {
    let mut found = Vec::new();
    let mut open = false;
    for (index, line) in text.lines().enumerate() {
        open ^= line.starts_with("```");
        let mut rest = if open { "" } else { line };
        while let Some((_, after)) = rest.split_once("](") {
            let (target, after) = after.split_once(')').unwrap_or((after, ""));
            found.push((index + 1, target));
            rest = after;
        }
    }
    found
}

/// Names of the headings, as GitHub and mdBook make anchors of them.
fn anchors(text: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut open = false;
    for line in text.lines() {
        open ^= line.starts_with("```");
        let title = line.trim_start_matches('#');
        if open || title.len() == line.len() || !title.starts_with(' ') {
            continue;
        }
        let kept = title.trim().to_lowercase();
        let kept =
            kept.chars().filter(|letter| letter.is_alphanumeric() || " -_".contains(*letter));
        found.insert(kept.map(|letter| if letter == ' ' { '-' } else { letter }).collect());
    }
    found
}

#[test]
fn links_lead_to_files_and_headings() {
    // Written when the book is built, from the help of the program and the schemas of the server.
    let generated = ["docs/reference/commands.md", "docs/reference/server-tools.md"];
    let mut wrong = String::new();
    for (path, text) in documents() {
        for (line, target) in links(&text) {
            if target.starts_with("https://") || target.starts_with("http://") {
                continue;
            }
            let (file, anchor) = target.split_once('#').unwrap_or((target, ""));
            let to = if file.is_empty() { path.clone() } else { path.parent().unwrap().join(file) };
            let is_generated = generated.iter().any(|name| to.ends_with(name));
            let there = match std::fs::read_to_string(&to) {
                Ok(text) => anchor.is_empty() || anchors(&text).contains(anchor),
                Err(_) => is_generated || (to.exists() && anchor.is_empty()),
            };
            if !there {
                writeln!(wrong, "{}:{line}: {target} is not there", path.display()).unwrap();
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

#[test]
fn documents_are_in_the_book() {
    let summary = std::fs::read_to_string(root().join("docs/SUMMARY.md")).unwrap();
    let chapters: BTreeSet<&str> = links(&summary).into_iter().map(|(_, target)| target).collect();
    for (path, _) in documents() {
        let Ok(name) = path.strip_prefix(root().join("docs")) else { continue };
        let name = name.to_str().unwrap().replace('\\', "/");
        assert!(name == "SUMMARY.md" || chapters.contains(&*name), "docs/SUMMARY.md lacks {name}");
    }
}

#[test]
fn blocks_links_and_anchors_are_found() {
    let text = "# A `b`: C\nsee [x](y.md#z) and\n<!-- not run: why -->\n```sh\n# no heading\n[x](q)\n```\n";
    let found = blocks(text);
    let block = &found[0];
    assert_eq!((block.line, block.language, block.comment), (5, "sh", "not run: why"));
    assert_eq!(found[0].lines, ["# no heading", "[x](q)"]);
    assert_eq!(links(text), [(2, "y.md#z")]);
    assert_eq!(anchors(text).into_iter().collect::<Vec<_>>(), ["a-b-c"]);
}

#[cfg(all(unix, feature = "gateway", feature = "sqlite"))]
mod commands {
    use std::fmt::Write as _;
    use std::io::Write as _;
    use std::os::unix::fs::{PermissionsExt, symlink};
    use std::os::unix::process::CommandExt as _;
    use std::path::Path;
    use std::process::{Command, Stdio};
    use std::time::Duration;

    use super::{Block, blocks, documents, root};

    /// What documents name, made of the fixtures.
    const SETUP: &str = r#"
        for name in dump monday tuesday new old; do cp fixtures/demo.mitm $name.mitm; done
        gzip -k old.mitm
        cp fixtures/demo.har demo.har; cp fixtures/demo.chromium.har session.har; cp fixtures/demo.db mitm_mcp_traffic.db
        mkdir captures; cp dump.mitm session.har captures/
        api-patterns openapi dump.mitm --domain api.shop.example --output openapi.yaml
        cp openapi.yaml api.yaml; cp openapi.yaml openapi-1.yaml; cp openapi.yaml openapi-2.yaml
        api-patterns rules init dump.mitm > rules.toml
        api-patterns policy scan --output p.json -- mitmproxy-mcp; cp p.json policy.json
        echo '192.0.2.1 - - [29/Nov/2026:10:00:00 +0000] "GET /v1/users/7 HTTP/1.1" 200 12 "-" "curl/8"' > access.log
    "#;

    /// Programs of others that documents name, each as a script that stands for it.
    const OTHERS: [(&str, &str); 3] = [
        ("mitmproxy-mcp", "exec api-patterns mcp fixtures/demo.mitm"),
        ("ssh", "shift; exec \"$@\""),
        ("kubectl", "exec cat access.log"),
    ];

    /// The program, for blocks: what would run until Ctrl-C is ended, and the explorer only has its arguments read.
    const WRAPPER: &str = r#"case " $* " in
        *" explore "*) "$PROGRAM" "$@" < /dev/null 2> explorer.txt; grep -q 'needs a terminal' explorer.txt ;;
        *" --follow "*) timeout --signal INT 2 "$PROGRAM" "$@"; [ $? -le 1 ] || [ $? = 124 ] ;;
        *) exec "$PROGRAM" "$@" ;;
    esac"#;

    /// The longest time that a block may take, also on a busy machine.
    const MAX_SCRIPT: Duration = Duration::from_secs(2 * 60);

    struct Workshop(tempfile::TempDir);

    impl Workshop {
        fn new() -> Self {
            let folder = tempfile::tempdir().unwrap();
            let bin = folder.path().join(".bin");
            std::fs::create_dir(&bin).unwrap();
            for (name, script) in OTHERS.into_iter().chain([("api-patterns", WRAPPER)]) {
                let path = bin.join(name);
                std::fs::write(&path, format!("#!/bin/bash\n{script}\n")).unwrap();
                std::fs::set_permissions(path, PermissionsExt::from_mode(0o755)).unwrap();
            }
            symlink(root().join("fixtures"), folder.path().join("fixtures")).unwrap();
            let workshop = Self(folder);
            workshop.run(SETUP).unwrap();
            workshop
        }

        /// Runs a script and returns what it wrote, or a message.
        fn run(&self, script: &str) -> Result<String, String> {
            // 1 means findings: a program that fails ends with 2 or more.
            let guard = "set -Euo pipefail; trap 'c=$?; [ $c -le 1 ] || { echo \"exit code $c\"; exit $c; }' ERR; exec 2>&1\n";
            let bin = self.0.path().join(".bin");
            let path = std::env::var("PATH").unwrap_or_default();
            let mut child = Command::new("bash")
                .arg("-s")
                .current_dir(&self.0)
                .env("PATH", format!("{}:{path}", bin.display()))
                .env("PROGRAM", env!("CARGO_BIN_EXE_api-patterns"))
                .env("HOME", self.0.path())
                .env("COLUMNS", "100")
                .env_remove("XDG_STATE_HOME")
                .stdin(Stdio::piped())
                .stdout(Stdio::piped())
                .stderr(Stdio::piped())
                .process_group(0)
                .spawn()
                .unwrap();
            // The script is a function, so that what it runs does not read the rest of it.
            let script = format!("{guard}main() {{\n{script}\n}}\nmain < /dev/null\n");
            child.stdin.take().unwrap().write_all(script.as_bytes()).unwrap();
            // What waits for a user, or for a connection, would wait forever; it is ended with all that it started.
            let group = format!("-{}", child.id());
            let (finished, is_finished) = std::sync::mpsc::channel::<()>();
            let guard = std::thread::spawn(move || {
                let waited = is_finished.recv_timeout(MAX_SCRIPT);
                if waited == Err(std::sync::mpsc::RecvTimeoutError::Timeout) {
                    Command::new("kill").args(["-KILL", "--", &group]).status().unwrap();
                }
            });
            let output = child.wait_with_output().unwrap();
            drop(finished);
            guard.join().unwrap();
            let text = String::from_utf8_lossy(&output.stdout).into_owned();
            match output.status.code() {
                Some(0 | 1) => Ok(text),
                Some(_) => Err(text),
                None => Err(format!("{text}\nit did not end within {MAX_SCRIPT:?}")),
            }
        }

        fn check(&self, block: &Block<'_>) -> Result<(), String> {
            if block.language == "sh" {
                return self.run(&block.lines.join("\n")).map(drop);
            }
            let mut parts: Vec<(&str, Vec<&str>)> = Vec::new();
            for line in &block.lines {
                match line.strip_prefix("$ ") {
                    Some(command) => parts.push((command, Vec::new())),
                    None => parts.last_mut().ok_or("output before a command")?.1.push(line),
                }
            }
            for (command, expected) in parts {
                let table =
                    if block.comment == "as on a terminal" { " --format table" } else { "" };
                let found = self.run(&format!("{command}{table}"))?;
                let lines: Vec<String> = found.lines().map(without_time).collect();
                let expected: Vec<String> = expected.into_iter().map(without_time).collect();
                if !is_like(&lines, &expected) {
                    return Err(format!("$ {command}\n{found}"));
                }
            }
            Ok(())
        }
    }

    /// What goes wrong in the blocks of a document.
    fn failures_of(path: &Path, text: &str) -> String {
        let mut failures = String::new();
        let mut workshop = None;
        for block in blocks(text) {
            if !["sh", "console"].contains(&block.language) {
                continue;
            }
            let place = format!("{}:{}", path.display(), block.line);
            if let Some(reason) = block.comment.strip_prefix("not run: ") {
                println!("skipped: {place} {reason}");
                continue;
            }
            let workshop = workshop.get_or_insert_with(Workshop::new);
            if let Err(message) = workshop.check(&block) {
                writeln!(failures, "{place}\n{message}").unwrap();
            }
        }
        failures
    }

    /// A line without the time that a run took.
    fn without_time(line: &str) -> String {
        match (line.split_once(" and "), line.split_once(" s: ")) {
            (Some((before, _)), Some((_, after))) if line.starts_with("api-patterns: ") => {
                format!("{before} and TIME: {after}")
            }
            _ => line.trim_end().to_owned(),
        }
    }

    /// Whether lines are as expected, where `...` stands for any.
    fn is_like(lines: &[String], expected: &[String]) -> bool {
        match expected.split_first() {
            None => lines.is_empty(),
            Some((first, rest)) if first == "..." => {
                (0..=lines.len()).any(|skipped| is_like(&lines[skipped..], rest))
            }
            Some((first, rest)) => lines.first() == Some(first) && is_like(&lines[1..], rest),
        }
    }

    #[test]
    fn every_command_block_runs() {
        let failures: Vec<String> = std::thread::scope(|scope| {
            let threads: Vec<_> = documents()
                .into_iter()
                .map(|(path, text)| scope.spawn(move || failures_of(&path, &text)))
                .collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        assert!(failures.iter().all(String::is_empty), "{}", failures.concat());
    }

    #[test]
    fn output_is_compared_with_gaps_and_without_times() {
        let lines = |text: &str| text.lines().map(without_time).collect::<Vec<_>>();
        let found = lines("a\nb\nc\napi-patterns: 6 flows in 2 kB and 0.31 s: 6 used");
        assert!(is_like(
            &found,
            &lines("a\n...\napi-patterns: 6 flows in 2 kB and 0.00 s: 6 used")
        ));
        assert!(!is_like(&found, &lines("a\n...\nb")));
        assert!(!is_like(&found, &lines("a\nb\nc")));
    }

    #[test]
    fn a_command_that_fails_is_found() {
        let workshop = Workshop::new();
        assert!(workshop.run("api-patterns analyze dump.mitm > /dev/null").is_ok());
        assert!(workshop.run("api-patterns analyze missing.mitm\ntrue").is_err());
        assert!(workshop.run("api-patterns analyze --wrong dump.mitm\ntrue").is_err());
        assert!(workshop.run("no-such-program\ntrue").is_err());
    }
}
