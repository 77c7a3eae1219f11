//! Maps: objects whose keys are values, so that new ones are to be expected.

use crate::schema::enumeration::has_known_words;
use crate::shape::fields::{Fields, is_numbered_name};
use crate::template::codes;
use crate::template::segment::{SegmentKind, kind_of};
use crate::template::vocabulary::words_of;

/// From this probability on an object is a map.
const MIN_MAP: f64 = 0.4;

/// Last words of the names of objects that are maps in descriptions of APIs: of those that at least three providers use and that
/// are maps for two in five of them (`scripts/fit_schema.py map-words`); the APIs that the fit is
/// measured on are left out.
const MAP_NAMES: [&str; 27] = [
    "annotations",
    "arguments",
    "bindings",
    "bundles",
    "components",
    "configs",
    "definitions",
    "descriptions",
    "extensions",
    "fields",
    "headers",
    "keys",
    "labels",
    "map",
    "names",
    "overrides",
    "parameters",
    "refs",
    "regions",
    "routes",
    "scores",
    "secrets",
    "tags",
    "templates",
    "translations",
    "values",
    "variables",
];

/// Evidence about the keys of one place, for the judgement and for its explanation.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct MapEvidence {
    pub(crate) objects: u64,
    /// Distinct keys, estimated where not all are kept.
    pub(crate) keys: u64,
    /// Mean share of the objects that have a key.
    pub(crate) occupancy: f64,
    /// The largest share of the objects that one key has.
    pub(crate) most_present: f64,
    /// Share of the keys that are written as values: ids, numbers, dates, addresses.
    pub(crate) as_values: f64,
    /// Share of the keys that are not written as identifiers of programs are: with dots, slashes, blanks.
    pub(crate) not_identifiers: f64,
    /// Whether the name of the object is one of maps: `labels`, `headers`.
    pub(crate) named_map: bool,
    /// Share of the values that have the most frequent kind.
    pub(crate) one_kind: f64,
    /// Share of the keys whose words paths of APIs use, as names of fields do.
    pub(crate) known_keys: f64,
}

impl MapEvidence {
    /// The evidence about objects that stand under some names, and whose values are of five kinds so many times.
    #[expect(clippy::cast_precision_loss, reason = "counts of observations")]
    pub(crate) fn of<'n>(
        fields: &Fields,
        mut names: impl Iterator<Item = &'n str>,
        kinds: [u64; 5],
    ) -> Self {
        let hidden = fields.hidden.estimate();
        let (mut kept, mut as_values, mut not_identifiers, mut known, mut present, mut most) =
            (0_u64, hidden, 0_u64, 0_u64, 0_u64, 0_u64);
        for (_, key, field) in fields.iter() {
            kept += 1;
            present += field.present;
            most = most.max(field.present);
            let kind = kind_of(key);
            let is_value = (kind.is_unmistakable() && !is_numbered_name(key))
                || kind.is_integer()
                || matches!(kind, SegmentKind::Date | SegmentKind::Number);
            as_values += u64::from(is_value);
            not_identifiers += u64::from(!is_identifier(key));
            known += u64::from(std::str::from_utf8(key).is_ok_and(has_known_words));
        }
        if hidden == 0 && are_codes(fields) {
            as_values = kept;
        }
        let keys = (kept + hidden).max(1);
        let values: u64 = kinds.iter().sum();
        Self {
            objects: fields.count,
            keys,
            occupancy: present as f64 / (kept.max(1) * fields.count.max(1)) as f64,
            most_present: most as f64 / fields.count.max(1) as f64,
            as_values: as_values as f64 / keys as f64,
            not_identifiers: not_identifiers as f64 / kept.max(1) as f64,
            named_map: names.any(|name| {
                words_of(name.as_bytes()).last().is_some_and(|word| MAP_NAMES.contains(&&**word))
            }),
            known_keys: known as f64 / kept.max(1) as f64,
            one_kind: kinds.iter().copied().max().unwrap_or_default() as f64 / values.max(1) as f64,
        }
    }

    /// True if the keys are values.
    pub(crate) fn is_map(&self) -> bool {
        self.probability() >= MIN_MAP
    }

    /// The probability that the keys are values.
    ///
    /// A logistic model, fitted by `scripts/fit_schema.py maps` on 5,853 places of 16 APIs, of which 164 are a map by their
    /// descriptions or by hand. With each API left out of the fit, 96 % of the places that are stated are a map, and 77 % of the
    /// maps are stated.
    pub(crate) fn probability(&self) -> f64 {
        if self.keys < 3 && self.as_values < 1.0 {
            return 0.0;
        }
        // Objects that nearly all have all keys are not a map. One key that nearly all have is a field beside a map.
        if self.occupancy >= 0.95 && self.objects >= 3 && self.as_values < 0.5 {
            return 0.0;
        }
        if self.objects < 3 && self.as_values < 0.5 {
            return 0.0;
        }
        #[expect(clippy::cast_precision_loss, reason = "counts of observations")]
        let growth = (self.keys as f64).ln() - (self.objects.max(1) as f64).ln();
        let named = if self.named_map { 4.59 } else { 0.0 };
        let score = 9.48 * self.as_values + 3.33 * self.not_identifiers + 4.87 * self.one_kind
            - 6.01 * self.occupancy
            - 1.5 * self.most_present
            - 2.72 * self.known_keys
            + 0.27 * growth.clamp(-3.0, 3.0)
            + named
            - 0.97;
        1.0 / (1.0 + (-score).exp())
    }
}

/// Length of the longest code: a locale with a script, `zh-Hant-TW`.
const MAX_CODE_BYTES: usize = 10;

/// True if all keys are codes of one list: of languages, countries, currencies, or locales as in `en-US`.
fn are_codes(fields: &Fields) -> bool {
    // Codes are short, and most objects have a longer key.
    if fields.iter().any(|(_, key, _)| !(2..=MAX_CODE_BYTES).contains(&key.len())) {
        return false;
    }
    let keys: Vec<&[u8]> = fields.iter().map(|(_, key, _)| key).collect();
    let words = keys.iter().filter(|key| codes::is_word(key)).count();
    let is_locale = |key: &&[u8]| key.len() > 2 && kind_of(key) == SegmentKind::Locale;
    // Two words that are codes too, as `id` and `to`, are names.
    keys.len() > 1
        && words * 2 <= keys.len()
        && if keys.iter().all(|key| key.len() <= 3) {
            codes::name_of(&keys).is_some()
        } else {
            keys.iter().all(is_locale)
        }
}

/// True for a key that could name a field of a class, or is written like one with hyphens.
fn is_identifier(key: &[u8]) -> bool {
    let is_start = |byte: u8| byte.is_ascii_alphabetic() || b"_$@".contains(&byte) || byte >= 0x80;
    key.first().is_some_and(|first| is_start(*first))
        && key.iter().all(|byte| is_start(*byte) || byte.is_ascii_digit() || *byte == b'-')
}
