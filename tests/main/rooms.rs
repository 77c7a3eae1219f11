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
        ("schema", &["flow", "template", "patterns", "report", "shape"]),
        ("patterns", &["flow", "template", "shape"]),
        ("report", &["flow", "template", "patterns", "shape"]),
        ("openapi", &["flow", "report", "schema", "shape", "template"]),
        ("description", &["flow", "report", "shape", "template"]),
        ("finding", &["flow"]),
        ("drift", &["description", "finding", "flow", "patterns", "report", "shape"]),
        ("diff", &["description", "finding", "flow", "patterns", "report", "schema", "shape"]),
        ("output", &["finding", "flow", "report"]),
        ("compat", &["flow"]),
        (
            "engine",
            &[
                "capture",
                "compat",
                "description",
                "drift",
                "finding",
                "flow",
                "patterns",
                "report",
                "schema",
                "shape",
            ],
        ),
        ("jsonrpc", &["flow"]),
        ("audit", &["capture", "flow"]),
        ("policy", &["flow", "jsonrpc"]),
        ("serve", &[]),
        (
            "gateway",
            &["audit", "capture", "engine", "flow", "jsonrpc", "mcp", "policy", "report", "serve"],
        ),
        ("fuzzing", &["capture", "engine", "flow", "patterns", "policy"]),
        ("training", &["flow", "template", "patterns", "report"]),
        (
            "mcp",
            &[
                "audit", "capture", "diff", "engine", "finding", "flow", "jsonrpc", "openapi",
                "policy", "report", "schema", "shape",
            ],
        ),
        ("explorer", &["engine", "flow", "output", "report", "template"]),
        (
            "cli",
            &[
                "audit",
                "capture",
                "description",
                "diff",
                "engine",
                "explorer",
                "finding",
                "flow",
                "gateway",
                "mcp",
                "openapi",
                "output",
                "patterns",
                "policy",
                "report",
                "schema",
                "serve",
                "template",
            ],
        ),
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

/// The modules of the crate by their paths, each with its source without tests and comments.
fn modules(folder: &Path, prefix: &str, found: &mut BTreeMap<String, String>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        let module = if prefix.is_empty() { name.clone() } else { format!("{prefix}::{name}") };
        if path.is_dir() {
            modules(&path, &module, found);
        } else if !matches!(&*name, "lib" | "main" | "tests") {
            let text = std::fs::read_to_string(&path).unwrap();
            let code = text.split("#[cfg(test)]\nmod tests").next().unwrap();
            let lines = code.lines().filter(|line| !line.trim_start().starts_with("//"));
            found.insert(module, lines.collect::<Vec<_>>().join("\n"));
        }
    }
}

/// The paths behind each `crate::` in some code; a list in braces gives one for each of its items.
fn used_paths(code: &str) -> Vec<String> {
    let mut paths = Vec::new();
    for (at, found) in code.match_indices("crate::") {
        let rest = &code[at + found.len()..];
        let is_path = |c: char| c.is_alphanumeric() || c == '_' || c == ':';
        let path = &rest[..rest.find(|c| !is_path(c)).unwrap_or(rest.len())];
        match rest[path.len()..].strip_prefix('{') {
            Some(list) if path.ends_with("::") => {
                let list = &list[..list.find(';').unwrap_or(list.len())];
                let items =
                    list.split(['{', '}', ',']).map(str::trim).filter(|item| !item.is_empty());
                paths.extend(items.map(|item| format!("{path}{item}")));
            }
            _ => paths.push(path.to_owned()),
        }
    }
    paths
}

/// Modules that use each other, directly or over others, could only be understood together. A module and those in its folder
/// count as one.
#[test]
fn no_modules_use_each_other() {
    let mut sources = BTreeMap::new();
    modules(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), "", &mut sources);
    assert!(sources.len() > 100);
    let is_in = |inner: &str, outer: &str| {
        inner.strip_prefix(outer).is_some_and(|rest| rest.starts_with("::"))
    };
    let mut edges: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (module, code) in &sources {
        for path in used_paths(code) {
            let mut path = &*path;
            let target = loop {
                if let Some((target, _)) = sources.get_key_value(path) {
                    break Some(&**target);
                }
                match path.rsplit_once("::") {
                    Some((shorter, _)) => path = shorter,
                    None => break None,
                }
            };
            if let Some(target) = target.filter(|target| *target != module)
                && !is_in(target, module)
                && !is_in(module, target)
            {
                edges.entry(module).or_default().push(target);
            }
        }
    }
    let reaches = |from: &str, to: &str| {
        let mut open = vec![from];
        let mut seen = std::collections::BTreeSet::new();
        while let Some(module) = open.pop() {
            for target in edges.get(module).into_iter().flatten() {
                if *target == to {
                    return true;
                }
                if seen.insert(*target) {
                    open.push(target);
                }
            }
        }
        false
    };
    let all = edges
        .iter()
        .flat_map(|(module, targets)| targets.iter().map(move |target| (*module, *target)));
    let mut circles: Vec<String> = all
        .filter(|(module, target)| reaches(target, module))
        .map(|(module, target)| format!("{module} uses {target}, which leads back to it"))
        .collect();
    circles.dedup();
    assert!(circles.is_empty(), "{circles:#?}");
}

/// A reader who meets a type looks it up by its name, which must lead to one place.
#[test]
fn names_of_types_are_unique() {
    let mut sources = BTreeMap::new();
    modules(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), "", &mut sources);
    let mut places: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    for (module, code) in &sources {
        // Types within functions and the associated types of traits are indented.
        for line in code.lines().filter(|line| !line.starts_with(' ')) {
            let line = match line.strip_prefix("pub(").and_then(|rest| rest.split_once(") ")) {
                Some((_, rest)) => rest,
                None => line.strip_prefix("pub ").unwrap_or(line),
            };
            let mut words = line.split(|c: char| !c.is_alphanumeric() && c != '_');
            if let (Some("struct" | "enum" | "trait" | "type" | "union"), Some(name)) =
                (words.next(), words.next())
            {
                places.entry(name.to_owned()).or_default().push(module);
            }
        }
    }
    assert!(places.len() > 300, "{} types were found", places.len());
    let twice: Vec<_> = places.into_iter().filter(|(_, modules)| modules.len() > 1).collect();
    assert!(twice.is_empty(), "{twice:#?}");
}
