//! Compounds: words that are made of known words without a sign between them, such as `usergroups`.

use crate::template::vocabulary::line_table::LineTable;

/// Words that may be parts of compounds, sorted.
#[derive(Debug)]
pub(super) struct CompoundParts(Vec<&'static [u8]>);

/// Maximum length of a compound in bytes; the letters beyond it count as not covered.
const MAX_COMPOUND_BYTES: usize = 32;
/// Minimum length of a part of a compound. Shorter words occur in random letters.
const MIN_PART_BYTES: usize = 3;
/// Maximum length of a part of a compound.
const MAX_PART_BYTES: usize = 12;
/// Minimum number of providers that use a part of a compound.
const MIN_PART_PROVIDERS: u32 = 5;

impl CompoundParts {
    pub(super) fn new(words: &LineTable) -> Self {
        let fits = |length: usize| (MIN_PART_BYTES..=MAX_PART_BYTES).contains(&length);
        let known = words.entries().filter(|(_, providers)| *providers >= MIN_PART_PROVIDERS);
        Self(known.map(|(word, _)| word).filter(|word| fits(word.len())).collect())
    }

    /// Share of the letters of a word that parts cover without overlap, from 0 to 1.
    pub(super) fn share_covered(&self, word: &[u8]) -> f64 {
        let length = word.len().min(MAX_COMPOUND_BYTES);
        let mut covered = [0_usize; MAX_COMPOUND_BYTES + 1];
        for start in 0..length {
            covered[start + 1] = covered[start + 1].max(covered[start]);
            self.for_each_part(&word[start..length], |part| {
                covered[start + part] = covered[start + part].max(covered[start] + part);
            });
        }
        #[expect(clippy::cast_precision_loss, reason = "lengths of words")]
        let share = covered[length] as f64 / word.len().max(1) as f64;
        share
    }

    /// Calls `found` with the length of each part at the front of `text`. The parts that begin as the text does are narrowed
    /// letter by letter, which ends after a few letters for most texts.
    fn for_each_part(&self, text: &[u8], mut found: impl FnMut(usize)) {
        let mut parts = &self.0[..];
        for (at, letter) in text.iter().enumerate().take(MAX_PART_BYTES) {
            // Parts that end here are before those that go on.
            parts = &parts[parts.partition_point(|part| part.get(at) < Some(letter))..];
            parts = &parts[..parts.partition_point(|part| part.get(at) == Some(letter))];
            let Some(first) = parts.first() else { return };
            if first.len() == at + 1 {
                found(at + 1);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    /// The reference implementation: looks up every part of the word.
    fn share_covered_naively(parts: &BTreeSet<&[u8]>, word: &[u8]) -> f64 {
        let length = word.len().min(MAX_COMPOUND_BYTES);
        let mut covered = vec![0; length + 1];
        for start in 0..length {
            covered[start + 1] = covered[start + 1].max(covered[start]);
            for end in start + 1..=length {
                if parts.contains(&word[start..end]) {
                    covered[end] = covered[end].max(covered[start] + end - start);
                }
            }
        }
        #[expect(clippy::cast_precision_loss, reason = "lengths of words")]
        let share = covered[length] as f64 / word.len().max(1) as f64;
        share
    }

    proptest! {
        #[test]
        fn narrowed_parts_cover_what_all_parts_cover(
            words in prop::collection::btree_map("[ab]{1,7}|(abc){0,5}", 0_u32..12, 0..60),
            word in "[ab]{0,12}|(abc|[a-d]){0,50}",
        ) {
            let lines: Vec<String> = words.iter().map(|(word, number)| format!("{word}\t{number}\n")).collect();
            let parts = CompoundParts::new(&LineTable::new(Box::leak(lines.concat().into_boxed_str())));
            let fits = |word: &str| (MIN_PART_BYTES..=MAX_PART_BYTES).contains(&word.len());
            let known = words.iter().filter(|(word, number)| **number >= MIN_PART_PROVIDERS && fits(word));
            let known: BTreeSet<&[u8]> = known.map(|(word, _)| word.as_bytes()).collect();
            let naive = share_covered_naively(&known, word.as_bytes());
            prop_assert!((parts.share_covered(word.as_bytes()) - naive).abs() < 1e-9);
        }
    }
}
