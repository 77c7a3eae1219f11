//! Tables of words that are searched in the text of their file, so that starting the program costs nothing.

use std::sync::OnceLock;

/// Lines of a key, a tab and a number, sorted by key.
#[derive(Debug)]
pub(super) struct LineTable {
    lines: &'static str,
    /// Every [`STRIDE`]th line; computed on first use.
    index: OnceLock<Vec<IndexedLine>>,
}

/// The start of a line in the index.
#[derive(Clone, Copy, Debug)]
struct IndexedLine {
    /// The first eight bytes of the key, as [`prefix_of`] makes them.
    prefix: u64,
    start: usize,
}

/// Number of lines between two lines of the index.
const STRIDE: usize = 8;

impl LineTable {
    pub(super) fn new(lines: &'static str) -> Self {
        Self { lines, index: OnceLock::new() }
    }

    /// The number of a key. The index narrows the search to the lines between two prefixes, which are then compared one by one.
    pub(super) fn find(&self, key: &str) -> Option<u32> {
        let index = self.index.get_or_init(|| self.index_of_lines());
        let prefix = prefix_of(key.as_bytes());
        // Lines with a prefix of equal bytes may begin before the first line of the index that has it.
        let first = index.partition_point(|line| line.prefix < prefix).saturating_sub(1);
        let start = index.get(first).map_or(0, |line| line.start);
        for (known, number) in self.entries_from(start) {
            match known.cmp(key.as_bytes()) {
                std::cmp::Ordering::Less => {}
                std::cmp::Ordering::Equal => return Some(number),
                std::cmp::Ordering::Greater => return None,
            }
        }
        None
    }

    /// All keys with their numbers, in the order of the keys.
    pub(super) fn entries(&self) -> impl Iterator<Item = (&'static [u8], u32)> {
        self.entries_from(0)
    }

    fn entries_from(&self, start: usize) -> impl Iterator<Item = (&'static [u8], u32)> {
        let lines = self.lines.as_bytes().get(start..).unwrap_or_default();
        lines.split(|byte| *byte == b'\n').filter_map(entry)
    }

    fn index_of_lines(&self) -> Vec<IndexedLine> {
        let lines = self.lines.as_bytes();
        let starts = std::iter::once(0).chain(memchr::memchr_iter(b'\n', lines).map(|end| end + 1));
        let indexed = starts.step_by(STRIDE).filter_map(|start| {
            let line = lines[start..].split(|byte| *byte == b'\n').next()?;
            Some(IndexedLine { prefix: prefix_of(entry(line)?.0), start })
        });
        indexed.collect()
    }
}

/// The first eight bytes as a number that is ordered as they are. Missing bytes are zeros.
fn prefix_of(key: &[u8]) -> u64 {
    let mut bytes = [0; 8];
    let length = key.len().min(bytes.len());
    bytes[..length].copy_from_slice(&key[..length]);
    u64::from_be_bytes(bytes)
}

/// Parses a line: key, tab, number.
pub(super) fn entry(line: &[u8]) -> Option<(&[u8], u32)> {
    let (key, number) = line.split_at(line.iter().rposition(|byte| *byte == b'\t')?);
    let number = number.get(1..).filter(|number| !number.is_empty())?;
    let number = number.iter().try_fold(0_u32, |number, byte| {
        let digit = byte.is_ascii_digit().then(|| u32::from(byte - b'0'))?;
        number.checked_mul(10)?.checked_add(digit)
    });
    Some((key, number?))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Fast equals naive, for keys that share long prefixes too.
        #[test]
        fn a_search_by_the_index_finds_what_a_map_finds(
            known in prop::collection::btree_map("(abcdefgh){0,2}[a-c]{0,3}", 0_u32..900, 0..90),
            searched in prop::collection::vec("(abcdefgh){0,2}[a-d]{0,3}", 0..30),
        ) {
            let lines: Vec<String> = known.iter().map(|(key, number)| format!("{key}\t{number}\n")).collect();
            let table = LineTable::new(Box::leak(lines.concat().into_boxed_str()));
            let all: BTreeMap<String, u32> = table.entries()
                .map(|(key, number)| (String::from_utf8(key.to_vec()).unwrap(), number))
                .collect();
            prop_assert_eq!(&all, &known);
            for key in searched.iter().chain(known.keys()) {
                prop_assert_eq!(table.find(key), known.get(key).copied(), "{}", key);
            }
        }
    }
}
