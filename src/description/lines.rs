//! The lines of a file on which places of a description stand.

use std::collections::BTreeMap;

use granit_parser::{Event, Parser};

/// Returns the line (from 1) of each of the given JSON pointers that is found in a text, in YAML or JSON. A pointer leads to
/// the line of its key.
pub(crate) fn lines_of<'p>(text: &str, wanted: &[&'p str]) -> BTreeMap<&'p str, usize> {
    let mut found = BTreeMap::new();
    let mut levels: Vec<Level> = Vec::new();
    let mut pointer = String::new();
    for event in Parser::new_from_str(text) {
        let Ok((event, span)) = event else { break };
        let line = span.start.line();
        match event {
            Event::MappingEnd | Event::SequenceEnd => {
                if let Some(level) = levels.pop() {
                    pointer.truncate(level.start);
                }
                after_value(&mut levels, &mut pointer);
                continue;
            }
            Event::DocumentEnd | Event::StreamEnd => break,
            Event::Scalar(..)
            | Event::Alias(..)
            | Event::MappingStart(..)
            | Event::SequenceStart(..) => {}
            _ => continue,
        }
        // In a mapping, keys and values alternate.
        if let Some(level) = levels.last_mut()
            && level.is_mapping
            && !level.has_key
        {
            level.has_key = true;
            if let Event::Scalar(key, ..) = &event {
                pointer.push('/');
                pointer.push_str(&key.replace('~', "~0").replace('/', "~1"));
                note(wanted, &pointer, line, &mut found);
                continue;
            }
            // A key that is not a scalar: nothing below it has a pointer.
            pointer.push_str("/\0");
        } else if let Some(level) = levels.last_mut()
            && !level.is_mapping
        {
            pointer.push('/');
            pointer.push_str(&level.index.to_string());
            level.index += 1;
            note(wanted, &pointer, line, &mut found);
        } else if levels.is_empty() {
            note(wanted, "", line, &mut found);
        }
        match event {
            Event::MappingStart(..) => {
                levels.push(Level {
                    is_mapping: true,
                    has_key: false,
                    index: 0,
                    start: pointer.len(),
                });
            }
            Event::SequenceStart(..) => {
                levels.push(Level {
                    is_mapping: false,
                    has_key: false,
                    index: 0,
                    start: pointer.len(),
                });
            }
            _ => after_value(&mut levels, &mut pointer),
        }
    }
    found
}

struct Level {
    is_mapping: bool,
    has_key: bool,
    index: usize,
    /// Length of the pointer of the collection itself.
    start: usize,
}

/// Ends the value of a key or an item.
fn after_value(levels: &mut [Level], pointer: &mut String) {
    if let Some(level) = levels.last_mut() {
        pointer.truncate(level.start);
        level.has_key = false;
    }
}

fn note<'p>(wanted: &[&'p str], pointer: &str, line: usize, found: &mut BTreeMap<&'p str, usize>) {
    if let Ok(index) = wanted.binary_search(&pointer) {
        found.entry(wanted[index]).or_insert(line);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pointers_have_the_lines_of_their_keys() {
        let yaml = "openapi: 3.1.0\n# a comment\npaths:\n  /a/b:\n    get:\n      tags:\n        - x\n        - y\n  /c: {}\n";
        let wanted = ["/nothing", "/paths/~1a~1b/get", "/paths/~1a~1b/get/tags/1", "/paths/~1c"];
        let lines = lines_of(yaml, &wanted);
        assert_eq!(lines.get("/paths/~1a~1b/get"), Some(&5));
        assert_eq!(lines.get("/paths/~1a~1b/get/tags/1"), Some(&8));
        assert_eq!(lines.get("/paths/~1c"), Some(&9));
        assert_eq!(lines.get("/nothing"), None);
        let json = "{\n \"paths\": {\n  \"/c\": {\n   \"get\": {}}}}";
        assert_eq!(lines_of(json, &["/paths/~1c/get"]).get("/paths/~1c/get"), Some(&4));
    }
}
