//! The feature vector of one segment: lexical features, and features of its context.

use crate::math::{ln, ln1};
use crate::template::segment::{Segment, SegmentKind, substitute_foreign_letters};
use crate::template::vocabulary::{Vocabulary, words_of};

macro_rules! features {
    ($($name:ident),+ $(,)?) => {
        /// A feature of the classifier. The names are those of data/weights.tsv.
        #[expect(non_camel_case_types, reason = "the names stand in the data file as they are")]
        #[derive(Clone, Copy, Debug)]
        pub(crate) enum Feature { $($name),+ }

        /// The names of all features, in order.
        pub(crate) const NAMES: &[&str] = &[$(stringify!($name)),+];
    };
}

features! {
    // Lexical: the segment alone.
    bias, kind_version, kind_integer, kind_number, kind_locale, kind_domain, kind_symbol, kind_word_digits, all_capitals,
    segment_known, segment_unknown, unknown_letters, rare_letters, least_word, mean_word, all_words_known, words, many_words,
    surprise_mean, surprise_total, digit_share, has_digit, length, length_20, length_2, inner_dash, inner_underscore, dot,
    lead_punctuation, camel_hump, first_capital, extension, verb, sigil, compound, keyword, qualified,
    // Vocabulary coverage and naming habits of the host, and products of them with lexical
    // features.
    host_unknown, host_segment_unknown, host_unknown_letters, host_rare_letters, host_least_word, host_surprise,
    host_surprise_mean, host_length, host_has_digit, host_words, habit_capitals, habit_first_capital, habit_hump, habit_dash,
    habit_underscore, habit_digit, habit_compound,
    // Position in the path, and the parent segment.
    root, root_unknown, second, parent_version, parent_value, parent_value_unknown, two_values_before, parent_plural,
    parent_plural_unknown, parent_qualified, parent_script,
    parent_takes_values, parent_takes_names, parent_value_share,
    // Methods and statuses of the requests.
    get, post, put, delete, patch, ends_here, only_post, only_post_unknown, like_item, not_found, client_error, place_posts,
    place_ends, post_leaf_unknown,
    // Classes of the siblings.
    siblings, sibling_values, sibling_names, only_child, value_share, value_share_unknown, unmistakable_siblings, same_kind,
    same_shape, same_first_word, named_values, named_share, named_share_unknown, named_share_known, ids_without_names,
    ids_without_names_unknown, id_share, pure_names, many_named_rare, name_traffic,
    // Number of siblings and their traffic.
    children_per_request, singletons, once, traffic, traffic_unknown, traffic_share,
    // Subtree below the segment.
    shared_with_values, shared_with_names, shared_with_values_much, shared_with_names_much, shared_with_values_unknown,
    shared_with_names_unknown, shared_named, shared_relative, literals_below, leaf, below_unknown, below_ids, below_children,
    // Subtrees of the siblings compared with each other, and the parents below which a segment occurs.
    below_alone, below_alone_much, below_shared_much, below_held, siblings_apart, siblings_apart_share, siblings_held, parents,
    parents_share, siblings_parents,
    // Small numbers, which may be versions.
    small_number, small_number_rich, small_number_rich_root, small_number_rich_second, small_number_apart,
    small_number_apart_singular,
    // Occurrences elsewhere on the host.
    elsewhere, elsewhere_unknown,
    // Query parameters of requests, and media types of responses.
    query_any, query_with_values, query_with_names, query_alone, media_with_values, media_with_names, media_alone,
    // Collections, and words shared with siblings.
    collection, items_below, word_reuse, same_last_word,
    // Vocabulary coverage of the siblings, compared with that of the host.
    place_unknown, place_unknown_more, place_unknown_many, place_known_many,
    // Keywords beside ids: `me`, `search`.
    keyword_beside_ids, no_keyword_beside_ids,
    // Products of the host's vocabulary coverage with context features.
    host_value_share, host_named_share, host_named_values, host_shared_with_values, host_shared_with_names, host_siblings,
    host_children_per_request, host_only_child, host_singletons, host_get, host_post, host_leaf,
}

/// Number of features.
pub(crate) const COUNT: usize = NAMES.len();
/// Number of lexical features and their products with host habits. They come first; only they are
/// input of stage 0.
pub(crate) const LEXICAL: usize = Feature::root as usize;

/// The feature vector of one segment.
#[derive(Clone, Debug)]
pub(crate) struct Features {
    pub(crate) values: Vec<f64>,
}

impl Default for Features {
    fn default() -> Self {
        Self { values: vec![0.0; COUNT] }
    }
}

impl Features {
    pub(crate) fn set(&mut self, feature: Feature, value: f64) {
        self.values[feature as usize] = value;
    }

    pub(crate) fn get(&self, feature: Feature) -> f64 {
        self.values[feature as usize]
    }

    pub(crate) fn flag(&mut self, feature: Feature, value: bool) {
        self.set(feature, if value { 1.0 } else { 0.0 });
    }
}

/// `part / whole` as a float; a `whole` of 0 counts as 1.
#[expect(clippy::cast_precision_loss, reason = "lengths and counts of a segment are small")]
pub(crate) fn ratio(part: usize, whole: usize) -> f64 {
    part as f64 / whole.max(1) as f64
}

/// The lexical features of a segment. `core` is the part that may be a value, without an ending
/// that is common on the host.
pub(crate) fn lexical(segment: &Segment<'_>, core: &[u8], vocabulary: &Vocabulary) -> Features {
    use Feature as F;
    let core = &*substitute_foreign_letters(core);
    let mut features = Features::default();
    features.set(F::bias, 1.0);
    features.flag(F::kind_version, segment.kind == SegmentKind::Version);
    features.flag(F::kind_integer, segment.kind.is_integer());
    features.flag(F::kind_number, segment.kind == SegmentKind::Number);
    features.flag(F::kind_locale, segment.kind == SegmentKind::Locale);
    features.flag(F::kind_domain, segment.kind == SegmentKind::Domain);
    features.flag(F::kind_symbol, segment.kind == SegmentKind::Symbol);
    features.flag(F::kind_word_digits, segment.kind == SegmentKind::WordWithDigits);
    let letters = core.iter().filter(|byte| byte.is_ascii_alphabetic()).count();
    features.flag(F::all_capitals, letters > 1 && !core.iter().any(u8::is_ascii_lowercase));
    word_features(&mut features, core, vocabulary);
    let surprise = vocabulary.surprisal(core);
    features.set(F::surprise_mean, surprise / ratio(core.len() + 1, 1));
    features.set(F::surprise_total, (surprise / 10.0).min(10.0));
    let digits = core.iter().filter(|byte| byte.is_ascii_digit()).count();
    features.set(F::digit_share, ratio(digits, core.len()));
    features.flag(F::has_digit, digits > 0);
    features.set(F::length, ln1(core.len() as u64));
    features.flag(F::length_20, core.len() >= 20);
    features.flag(F::length_2, core.len() <= 2);
    let inner = core.get(1..core.len().saturating_sub(1)).unwrap_or_default();
    features.flag(F::inner_dash, inner.contains(&b'-'));
    features.flag(F::inner_underscore, inner.contains(&b'_'));
    features.flag(F::dot, core.contains(&b'.'));
    features.flag(F::lead_punctuation, matches!(core.first(), Some(b'_' | b'.' | b'$')));
    let hump =
        core.windows(2).any(|pair| pair[0].is_ascii_lowercase() && pair[1].is_ascii_uppercase());
    features.flag(F::camel_hump, hump);
    features.flag(F::first_capital, core.first().is_some_and(u8::is_ascii_uppercase));
    features.flag(F::extension, segment.suffix.starts_with(b"."));
    features.flag(F::verb, segment.suffix.starts_with(b":"));
    features.flag(F::sigil, !segment.prefix.is_empty());
    features.flag(F::qualified, is_qualified_name(core));
    features
}

/// Returns `true` for a qualified name, such as a gRPC service or a procedure: `pkg.v1.Service`,
/// `user.list`.
pub(crate) fn is_qualified_name(text: &[u8]) -> bool {
    let mut parts = text.split(|byte| *byte == b'.');
    let is_identifier = |part: &[u8]| {
        part.first().is_some_and(u8::is_ascii_alphabetic)
            && part.iter().all(|byte| byte.is_ascii_alphanumeric() || *byte == b'_')
            && part.iter().filter(|byte| byte.is_ascii_digit()).count() <= 2
    };
    parts.clone().count() >= 2 && parts.all(is_identifier)
}

/// Sets the features that depend on the words of a segment.
fn word_features(features: &mut Features, core: &[u8], vocabulary: &Vocabulary) {
    use Feature as F;
    let words = words_of(core);
    let known = vocabulary.segment(&words.join("_"));
    features.set(F::segment_known, ln1(known.into()).min(5.0));
    features.flag(F::segment_unknown, known == 0);
    features.set(F::keyword, ln1(vocabulary.beside_parameters(&words.join("_")).into()).min(4.0));
    let letters: Vec<&String> =
        words.iter().filter(|word| !word.starts_with(|c: char| c.is_ascii_digit())).collect();
    let counts: Vec<u32> = letters.iter().map(|word| vocabulary.word(word)).collect();
    let total: usize = letters.iter().map(|word| word.len()).sum();
    let length_where = |rule: fn(u32) -> bool| {
        let lengths = letters
            .iter()
            .zip(&counts)
            .filter(|(_, count)| rule(**count))
            .map(|(word, _)| word.len());
        ratio(lengths.sum(), total)
    };
    features.set(F::unknown_letters, length_where(|count| count == 0));
    features.set(F::rare_letters, length_where(|count| count <= 1));
    let compounds = letters.iter().zip(&counts).filter(|(_, count)| **count == 0);
    let compound = compounds.map(|(word, _)| vocabulary.compound(word)).reduce(f64::min);
    features.set(F::compound, compound.unwrap_or(0.0));
    let logs: Vec<f64> = counts.iter().map(|count| ln1(u64::from(*count)).min(5.0)).collect();
    features.set(F::least_word, logs.iter().copied().reduce(f64::min).unwrap_or(0.0));
    features.set(F::mean_word, logs.iter().sum::<f64>() / ratio(logs.len().max(1), 1));
    features.flag(F::all_words_known, !counts.is_empty() && counts.iter().all(|count| *count >= 2));
    features.set(F::words, ratio(words.len(), 3));
    features.flag(F::many_words, words.len() >= 4);
}

/// The shape of a text: each run of capitals becomes `A`, of lower-case letters `a`, of digits `0`,
/// and runs of any other byte one such byte.
pub(crate) fn shape(core: &[u8]) -> Vec<u8> {
    let mut shape: Vec<u8> = core
        .iter()
        .map(|byte| match byte {
            b'A'..=b'Z' => b'A',
            b'a'..=b'z' => b'a',
            b'0'..=b'9' => b'0',
            other => *other,
        })
        .collect();
    shape.dedup();
    shape
}

/// Weight of a shared key: an inverse document frequency, ln((places + 1) / (holders + 0.5)), at
/// least 0.1.
pub(crate) fn rarity(places: usize, holders: u32) -> f64 {
    ln((ratio(places, 1) + 1.0) / (f64::from(holders) + 0.5)).max(0.1)
}
