//! The files of a description: the one that was named, and those beside it that its references lead to.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::error::Error;
use crate::flow::text;

/// The largest file of a description, in bytes. The largest that vendors publish have about 10 MB.
const MAX_FILE_BYTES: u64 = 64 << 20;

/// Files that one description may have.
const MAX_FILES: usize = 500;

/// All files of a description together, in bytes.
const MAX_TOTAL_BYTES: u64 = 256 << 20;

/// Levels of objects and lists in one file.
const MAX_DEPTH: usize = 120;

/// One file of a description.
#[derive(Debug)]
pub(crate) struct DescriptionFile {
    /// The path as it is shown, relative to what the user named.
    pub(crate) name: String,
    pub(crate) text: String,
    pub(crate) value: Value,
}

/// The files of one description. The first is the one that was named.
#[derive(Debug)]
pub(crate) struct DescriptionFiles {
    pub(crate) files: Vec<DescriptionFile>,
    /// Index of a file by its real path.
    by_path: BTreeMap<PathBuf, usize>,
    /// Real path of each file; empty for a text without a file.
    paths: Vec<PathBuf>,
    /// The references that lead to no file, in words.
    pub(crate) unresolved: Vec<String>,
}

impl DescriptionFiles {
    /// Reads a file, and all files beside it that references lead to. Nothing outside of its folder is read, and nothing over
    /// a network.
    pub(super) fn open(path: &Path) -> Result<Self, Error> {
        let name = path.display().to_string();
        let real = std::fs::canonicalize(path).map_err(|error| Error::io(&name, "open", error))?;
        let text = read_text(&real, &name)?;
        let value = parse(&name, &text)?;
        let file = DescriptionFile { name, text, value };
        let mut files = Self {
            files: vec![file],
            by_path: BTreeMap::from([(real.clone(), 0)]),
            paths: vec![real],
            unresolved: Vec::new(),
        };
        files.follow_references(path.parent().unwrap_or(Path::new("")));
        Ok(files)
    }

    /// A description without a file, such as one that was just made.
    pub(super) fn of_text(name: &str, text: &str) -> Result<Self, Error> {
        let value = parse(name, text)?;
        let file = DescriptionFile { name: name.to_owned(), text: text.to_owned(), value };
        Ok(Self {
            files: vec![file],
            by_path: BTreeMap::new(),
            paths: vec![PathBuf::new()],
            unresolved: Vec::new(),
        })
    }

    fn follow_references(&mut self, shown: &Path) {
        let Some(root) = self.paths[0].parent().map(Path::to_owned) else { return };
        let mut bytes = self.files[0].text.len() as u64;
        let mut next = 0;
        while next < self.files.len() {
            let folder = self.paths[next].parent().map(Path::to_owned).unwrap_or_default();
            for target in external_targets(&self.files[next].value) {
                let found = self.open_beside(&folder, &root, &target, shown, &mut bytes);
                if let Err(problem) = found {
                    let from = &self.files[next].name;
                    let said = format!("{from}: $ref to {target}: {problem}");
                    self.unresolved.push(text::printable(said.as_bytes()).into_owned());
                }
            }
            next += 1;
        }
    }

    fn open_beside(
        &mut self,
        folder: &Path,
        root: &Path,
        target: &str,
        shown: &Path,
        bytes: &mut u64,
    ) -> Result<(), String> {
        if target.contains("://") || target.starts_with("//") {
            return Err(
                "references over a network are not followed; save the file beside".to_owned()
            );
        }
        let real = std::fs::canonicalize(folder.join(&*decoded(target)))
            .map_err(|_| "there is no such file".to_owned())?;
        let Ok(relative) = real.strip_prefix(root) else {
            return Err("only files in the folder of the description are read".to_owned());
        };
        if self.by_path.contains_key(&real) {
            return Ok(());
        }
        if self.files.len() >= MAX_FILES {
            return Err(format!(
                "a description has at most {MAX_FILES} files; bundle it into fewer"
            ));
        }
        let name = shown.join(relative).display().to_string();
        let text = read_text(&real, &name).map_err(|error| error.to_string())?;
        *bytes += text.len() as u64;
        if *bytes > MAX_TOTAL_BYTES {
            return Err(format!(
                "all files together have more than {} MB; leave out the parts that are not compared",
                MAX_TOTAL_BYTES >> 20
            ));
        }
        let value = parse(&name, &text).map_err(|error| error.to_string())?;
        self.by_path.insert(real.clone(), self.files.len());
        self.paths.push(real);
        self.files.push(DescriptionFile { name, text, value });
        Ok(())
    }

    /// The index of the file that a reference in a file leads to; an empty target is the file itself.
    pub(super) fn index_of(&self, from: usize, target: &str) -> Option<usize> {
        if target.is_empty() {
            return Some(from);
        }
        let real =
            std::fs::canonicalize(self.paths[from].parent()?.join(&*decoded(target))).ok()?;
        self.by_path.get(&real).copied()
    }
}

/// The files that references of a value lead to, each once.
fn external_targets(value: &Value) -> Vec<String> {
    let mut found = BTreeSet::new();
    let mut open = vec![value];
    while let Some(value) = open.pop() {
        match value {
            Value::Object(members) => {
                if let Some(Value::String(target)) = members.get("$ref") {
                    let file = target.split('#').next().unwrap_or_default();
                    if !file.is_empty() {
                        found.insert(file.to_owned());
                    }
                }
                open.extend(members.values());
            }
            Value::Array(items) => open.extend(items),
            _ => {}
        }
    }
    found.into_iter().collect()
}

/// A percent-encoded text as it is meant.
pub(crate) fn decoded(text: &str) -> Cow<'_, str> {
    if !text.contains('%') {
        return text.into();
    }
    // Only `%` is special in what is decoded here: what is special in forms stays.
    let kept = text.replace('+', "%2B").replace('&', "%26").replace('=', "%3D");
    let mut pairs = url::form_urlencoded::parse(kept.as_bytes());
    pairs.next().map_or_else(String::new, |(name, _)| name.into_owned()).into()
}

fn read_text(path: &Path, name: &str) -> Result<String, Error> {
    let failed = |error| Error::io(name, "read", error);
    let metadata = std::fs::metadata(path).map_err(failed)?;
    if !metadata.is_file() {
        return Err(Error::usage(format!(
            "{}: this is not a file; name an OpenAPI description in YAML or JSON",
            text::printable(name.as_bytes())
        )));
    }
    let file = std::fs::File::open(path).map_err(failed)?;
    let mut bytes = Vec::new();
    file.take(MAX_FILE_BYTES + 1).read_to_end(&mut bytes).map_err(failed)?;
    if bytes.len() as u64 > MAX_FILE_BYTES {
        return Err(problem(
            name,
            &format!(
                "the file has more than {} MB; split it into several files",
                MAX_FILE_BYTES >> 20
            ),
        ));
    }
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").map(<[u8]>::to_vec).unwrap_or(bytes);
    String::from_utf8(bytes).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        problem(name, &format!("byte {at} is not UTF-8; save the description as UTF-8"))
    })
}

/// An error about a file of a description.
pub(super) fn problem(name: &str, what: &str) -> Error {
    Error::usage(text::printable(format!("{name}: {what}").as_bytes()).into_owned())
}

/// Reads JSON, and everything else as YAML.
fn parse(name: &str, text: &str) -> Result<Value, Error> {
    if text.trim_start().starts_with('{') {
        match serde_json::from_str(text) {
            Ok(value) => return Ok(value),
            // A file may be YAML that begins with `{`.
            Err(error) if !is_yaml(name) => {
                let what = format!("cannot be read as JSON: {error}");
                return Err(problem(name, &what));
            }
            Err(_) => {}
        }
    }
    let options = serde_saphyr::options! {
        budget: serde_saphyr::budget! {
            max_events: 40_000_000,
            max_nodes: 20_000_000,
            max_depth: MAX_DEPTH,
            max_total_scalar_bytes: usize::try_from(MAX_FILE_BYTES).unwrap_or(usize::MAX),
        },
        with_snippet: false,
        // YAML 1.2, in which the country `NO` and the coordinate `y` are text, as editors and other tools read them.
        strict_booleans: true,
        underscored_numbers_as_strings: true,
    };
    serde_saphyr::from_str_with_options(text, options).map_err(|error| {
        let said = error.render_with_formatter(&serde_saphyr::UserMessageFormatter);
        let said = said.split_whitespace().collect::<Vec<_>>().join(" ");
        problem(name, &format!("cannot be read as YAML: {said}"))
    })
}

fn is_yaml(name: &str) -> bool {
    let extension = Path::new(name).extension().unwrap_or_default();
    extension.eq_ignore_ascii_case("yaml") || extension.eq_ignore_ascii_case("yml")
}
