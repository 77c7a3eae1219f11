//! Checks the dependencies between modules: captures -> flow -> template -> patterns -> report -> output. Each module
//! may use those listed here, and those of `GROUND_FLOOR`.

use std::collections::BTreeMap;
use std::path::Path;

const GROUND_FLOOR: [&str; 6] = ["simd", "error", "limits", "math", "sketch", "skip"];

fn allowed() -> BTreeMap<&'static str, &'static [&'static str]> {
    BTreeMap::from([
        ("simd", &[][..]),
        ("error", &["flow"]),
        ("limits", &[]),
        ("math", &[]),
        ("sketch", &[]),
        ("skip", &[]),
        ("flow", &[]),
        ("capture", &["flow"]),
        ("template", &["flow"]),
        ("shape", &["flow", "template"]),
        ("schema", &["flow", "template", "report", "shape"]),
        ("patterns", &["flow", "template"]),
        ("report", &["flow", "template", "patterns"]),
        ("output", &["report"]),
        ("compat", &["flow"]),
        ("engine", &["capture", "flow", "patterns", "report", "compat", "schema", "shape"]),
        ("fuzzing", &["capture", "engine", "flow", "patterns"]),
        ("training", &["flow", "template", "patterns", "report"]),
        ("mcp", &["capture", "engine", "flow", "report", "schema"]),
        ("cli", &["capture", "engine", "mcp", "output", "flow", "report", "schema", "template"]),
    ])
}

fn check(path: &Path, room: &str, allowed: &BTreeMap<&str, &[&str]>, wrong: &mut Vec<String>) {
    if path.is_dir() {
        for entry in std::fs::read_dir(path).unwrap() {
            check(&entry.unwrap().path(), room, allowed, wrong);
        }
        return;
    }
    // A file of tests may use what it tests.
    if path.file_name().is_some_and(|name| name == "tests.rs") {
        return;
    }
    let text = std::fs::read_to_string(path).unwrap();
    let code = text.split("#[cfg(test)]\nmod tests").next().unwrap();
    let lines = code.lines().filter(|line| !line.trim_start().starts_with("//"));
    for (number, line) in lines.enumerate() {
        for used in line.match_indices("crate::").map(|(at, found)| &line[at + found.len()..]) {
            let used: String =
                used.chars().take_while(|c| c.is_ascii_lowercase() || *c == '_').collect();
            let fine = used.is_empty()
                || used == room
                || GROUND_FLOOR.contains(&&*used)
                || allowed[room].contains(&&*used);
            if !fine {
                wrong.push(format!("{}:{}: {room} uses {used}", path.display(), number + 1));
            }
        }
    }
}

#[test]
fn imports_point_down() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let allowed = allowed();
    let mut wrong = Vec::new();
    let mut rooms = 0;
    for entry in std::fs::read_dir(&source).unwrap() {
        let path = entry.unwrap().path();
        let room = path.file_stem().unwrap().to_str().unwrap().to_owned();
        if matches!(&*room, "lib" | "main") {
            continue;
        }
        assert!(
            allowed.contains_key(&*room),
            "{room} has no place in the house: add it to this test"
        );
        check(&path, &room, &allowed, &mut wrong);
        rooms += 1;
    }
    assert!(rooms > 12);
    assert!(wrong.is_empty(), "{wrong:#?}");
}
