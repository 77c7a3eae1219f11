//! The strings at one place: formats, lengths, and a few short values that are neither secret nor personal.

use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize};

use crate::flow::text;
use crate::shape::MAX_VALUE_BYTES;
use crate::shape::formats::{FORMATS, StringFormat};
use crate::shape::sensitive::{SENSITIVE_KINDS, SensitiveKind};
use crate::sketch::{HeapSize, Merge, stable_hash, vec_bytes};
use crate::template::secret::{Frequency, looks_secret_again};

/// Distinct values that are kept at one place.
pub(crate) const MAX_VALUES: usize = 24;

/// Formats of the strings of one place, up to which they say something together.
const MAX_COVERING_FORMATS: usize = 2;

/// A summary of strings.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Strings {
    pub(crate) count: u64,
    pub(crate) empty: u64,
    /// The shortest and the longest string, in bytes of UTF-8.
    pub(crate) shortest: u64,
    pub(crate) longest: u64,
    /// Strings of each format, in the order of [`StringFormat::ALL`].
    pub(crate) formats: [u64; FORMATS],
    /// Strings of each sensitive kind, in the order of [`SensitiveKind::ALL`].
    pub(crate) sensitive: [u64; SENSITIVE_KINDS],
    /// Strings longer than [`MAX_VALUE_BYTES`].
    pub(crate) long: u64,
    /// Strings that are written as the full names of people are.
    pub(crate) proper: u64,
    pub(crate) values: Values,
}

impl Default for Strings {
    fn default() -> Self {
        Self {
            count: 0,
            empty: 0,
            shortest: u64::MAX,
            longest: 0,
            formats: [0; FORMATS],
            sensitive: [0; SENSITIVE_KINDS],
            long: 0,
            proper: 0,
            values: Values::default(),
        }
    }
}

/// Short strings without a format, by bottom-k: the [`MAX_VALUES`] with the smallest hashes, each with its exact count.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Values {
    /// Sorted by hash.
    kept: Vec<KeptValue>,
    /// Strings that are not among the kept ones.
    pub(crate) rest: u64,
}

/// One kept value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct KeptValue {
    hash: u64,
    /// Empty if the value looks like a secret or like something personal: then it is counted and not kept.
    pub(crate) text: Box<str>,
    pub(crate) count: u64,
}

impl KeptValue {
    /// True if the value itself is not kept.
    pub(crate) fn is_hidden(&self) -> bool {
        self.text.is_empty()
    }
}

impl Values {
    fn observe(&mut self, text: &str) {
        let hash = stable_hash(text.as_bytes());
        match self.kept.binary_search_by_key(&hash, |value| value.hash) {
            Ok(at) => self.kept[at].count += 1,
            Err(at) if at >= MAX_VALUES => self.rest += 1,
            Err(at) => {
                // U+FFFD stands for what could not be decoded.
                let is_hidden = text.contains('\u{fffd}')
                    || !text::is_printable(text.as_bytes())
                    || looks_secret_again(text.as_bytes(), Frequency::Seldom);
                let text = if is_hidden { Box::default() } else { text.into() };
                self.kept.insert(at, KeptValue { hash, text, count: 1 });
                self.trim();
            }
        }
    }

    fn trim(&mut self) {
        while self.kept.len() > MAX_VALUES {
            self.rest += self.kept.pop().map_or(0, |value| value.count);
        }
    }

    /// The kept values, in the order of their hashes.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &KeptValue> {
        self.kept.iter()
    }

    /// The number of distinct values: exact up to [`MAX_VALUES`], and the estimate of Bar-Yossef et al. beyond.
    pub(crate) fn distinct(&self) -> u64 {
        if self.rest == 0 {
            return self.kept.len() as u64;
        }
        let last = self.kept.last().map_or(u64::MAX, |value| value.hash);
        let estimate = ((MAX_VALUES as u128 - 1) << 64) / u128::from(last.max(1));
        u64::try_from(estimate).unwrap_or(u64::MAX).max(MAX_VALUES as u64 + 1)
    }
}

impl Strings {
    /// Adds a string of a place whose name says that its values are secret or personal.
    pub(crate) fn observe_secret(&mut self, text: &str) {
        self.observe_as(text, true);
    }

    #[inline]
    pub(crate) fn observe(&mut self, text: &str) {
        self.observe_as(text, false);
    }

    #[inline]
    fn observe_as(&mut self, text: &str, is_secret: bool) {
        let length = text.len() as u64;
        self.count += 1;
        self.shortest = self.shortest.min(length);
        self.longest = self.longest.max(length);
        if text.is_empty() {
            self.empty += 1;
            return;
        }
        let format = StringFormat::of(text.as_bytes());
        if let Some(format) = format {
            self.formats[format as usize] += 1;
        }
        let sensitive = match format {
            Some(StringFormat::Email) => Some(SensitiveKind::Email),
            None | Some(StringFormat::Integer) => SensitiveKind::of(text.as_bytes()),
            Some(_) => None,
        };
        if let Some(sensitive) = sensitive {
            self.sensitive[sensitive as usize] += 1;
        }
        if text.len() > MAX_VALUE_BYTES {
            self.long += 1;
        } else if format.is_none() && sensitive.is_none() {
            self.proper += u64::from(is_proper(text));
            if is_secret {
                self.values.rest += 1;
            } else {
                self.values.observe(text);
            }
        }
    }

    /// The format of all strings that are not empty; `None` if they have none, or several.
    pub(crate) fn format(&self) -> Option<StringFormat> {
        let formats = self.covering_formats();
        if let [only] = formats[..] { Some(only) } else { None }
    }

    /// The formats that together cover all non-empty strings; empty if some have none, or if there are too many.
    pub(crate) fn covering_formats(&self) -> Vec<StringFormat> {
        let count = |format: StringFormat| self.formats[format as usize];
        let found = StringFormat::ALL.into_iter().filter(|format| count(*format) > 0);
        let found: Vec<StringFormat> = found.collect();
        let covered: u64 = found.iter().map(|format| count(*format)).sum();
        let is_all = covered == self.count - self.empty;
        if is_all && found.len() <= MAX_COVERING_FORMATS { found } else { Vec::new() }
    }

    /// True if every string is among the values that are kept and shown.
    pub(crate) fn is_closed(&self) -> bool {
        let has_format = self.formats.iter().any(|count| *count > 0);
        let is_sensitive = self.sensitive.iter().any(|count| *count > 0);
        self.long == 0
            && self.values.rest == 0
            && !has_format
            && !is_sensitive
            && !self.values.iter().any(KeptValue::is_hidden)
    }
}

/// True for two to four words of letters that begin with capitals: `Ada Lovelace`, `Jean-Luc O'Neil`.
fn is_proper(text: &str) -> bool {
    let is_word = |word: &str| {
        word.starts_with(char::is_uppercase)
            && word.chars().all(|letter| letter.is_alphabetic() || "-'.’".contains(letter))
    };
    text.contains(' ') && text.split(' ').all(is_word) && text.split(' ').count() <= 4
}

impl Merge for Values {
    fn merge(&mut self, other: Self) {
        for value in other.kept {
            match self.kept.binary_search_by_key(&value.hash, |kept| kept.hash) {
                Ok(at) => self.kept[at].count += value.count,
                Err(at) => self.kept.insert(at, value),
            }
        }
        self.rest += other.rest;
        self.trim();
    }
}

impl Merge for Strings {
    fn merge(&mut self, other: Self) {
        self.count += other.count;
        self.empty += other.empty;
        self.shortest = self.shortest.min(other.shortest);
        self.longest = self.longest.max(other.longest);
        self.long += other.long;
        self.proper += other.proper;
        for (one, other) in self.formats.iter_mut().zip(other.formats) {
            *one += other;
        }
        for (one, other) in self.sensitive.iter_mut().zip(other.sensitive) {
            *one += other;
        }
        self.values.merge(other.values);
    }
}

impl HeapSize for Strings {
    fn heap_bytes(&self) -> usize {
        let kept = &self.values.kept;
        vec_bytes(kept) + kept.iter().map(|value| value.text.len()).sum::<usize>()
    }
}

impl<'de> Deserialize<'de> for Values {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let (kept, rest) = <(Vec<KeptValue>, u64)>::deserialize(deserializer)?;
        let is_whole = |value: &KeptValue| {
            value.text.len() <= MAX_VALUE_BYTES
                && (value.is_hidden() || value.hash == stable_hash(value.text.as_bytes()))
        };
        let is_sorted = kept.is_sorted_by(|a, b| a.hash < b.hash);
        if kept.len() > MAX_VALUES || !is_sorted || !kept.iter().all(is_whole) {
            return Err(D::Error::custom("values that are too many, too long or not in order"));
        }
        Ok(Self { kept, rest })
    }
}
