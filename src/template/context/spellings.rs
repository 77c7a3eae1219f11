//! How the siblings of a place are spelled.

use std::collections::BTreeMap;

use crate::template::context::candidate::Candidate;
use crate::template::features::shape;
use crate::template::segment::{SegmentKind, substitute_foreign_letters};
use crate::template::vocabulary::words_of;

/// Spelling of the candidates, and frequencies of spellings among the voting ones.
pub(super) struct Spellings {
    /// Words and shape per candidate.
    pub(super) each: Vec<(Vec<String>, Vec<u8>)>,
    pub(super) kinds: BTreeMap<SegmentKind, usize>,
    pub(super) shapes: BTreeMap<Vec<u8>, usize>,
    pub(super) first_words: BTreeMap<String, usize>,
    pub(super) last_words: BTreeMap<String, usize>,
    /// Number of candidates per word.
    pub(super) words: BTreeMap<String, usize>,
}

impl Spellings {
    pub(super) fn of<T>(candidates: &[Candidate<'_, T>]) -> Self {
        let mut writing = Self {
            each: Vec::with_capacity(candidates.len()),
            kinds: BTreeMap::new(),
            shapes: BTreeMap::new(),
            first_words: BTreeMap::new(),
            last_words: BTreeMap::new(),
            words: BTreeMap::new(),
        };
        for candidate in candidates {
            let core = substitute_foreign_letters(candidate.segment.core);
            let (words, shape) = (words_of(&core), shape(&core));
            if candidate.votes && !candidate.is_date() {
                *writing.kinds.entry(candidate.segment.kind).or_default() += 1;
                *writing.shapes.entry(shape.clone()).or_default() += 1;
                *writing.first_words.entry(first_of(&words)).or_default() += 1;
                *writing.last_words.entry(last_of(&words)).or_default() += 1;
                for word in &words {
                    *writing.words.entry(word.clone()).or_default() += 1;
                }
            }
            writing.each.push((words, shape));
        }
        writing
    }
}

pub(super) fn first_of(words: &[String]) -> String {
    words.first().cloned().unwrap_or_default()
}

pub(super) fn last_of(words: &[String]) -> String {
    words.last().cloned().unwrap_or_default()
}
