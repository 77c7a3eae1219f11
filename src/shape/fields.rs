//! The objects at one place: their fields, what comes beside the kept ones, and their tags.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::flow::text;
use crate::shape::sensitive::NameKind;
use crate::shape::tags::Tag;
use crate::shape::{Caps, Shape};
use crate::sketch::{BottomK, DistinctCounter, HeapSize, Merge, vec_bytes};
use crate::template::body_evidence::key_class::KeyClass;
use crate::template::secret::{Frequency, looks_secret_again};
use crate::template::segment::kind_of;

/// Fields of one object that are kept.
pub(crate) const MAX_FIELDS: usize = 128;

/// The longest key that is kept, in bytes: a longer one is a value.
const MAX_KEY_BYTES: usize = 64;

/// Hashes by which the distinct keys that are not kept are estimated; the relative error is about an eighth.
const MAX_KEY_HASHES: usize = 64;

/// A summary of objects.
#[derive(Clone, Debug, Default)]
pub(crate) struct Fields {
    pub(crate) count: u64,
    /// The fewest and the most keys of one object; both are 0 if there is no object.
    pub(crate) fewest: u64,
    pub(crate) most: u64,
    /// The fields with the smallest hashes. Its rest holds the others, with those of hidden keys.
    pub(crate) keys: BottomK<Field, MAX_FIELDS>,
    /// Keys that are values: ids, addresses, and whatever looks like a secret. They are counted and not kept.
    pub(crate) hidden: DistinctCounter<MAX_KEY_HASHES>,
    /// Sorted by name.
    pub(crate) tags: Vec<Tag>,
    /// The index of the field that came after each field the last time: most objects of one place have one order.
    after: Vec<u16>,
    /// The field that came first the last time.
    first: u16,
    /// Objects that were begun in this process, to count a key once that an object has twice. It starts anew at 1 after 4
    /// billion.
    begun: u32,
}

/// One field.
#[derive(Clone, Debug, Default)]
pub(crate) struct Field {
    /// Objects that have it; 0 in the rest of an object, whose values are counted by its shape.
    pub(crate) present: u64,
    pub(crate) shape: Shape,
    traits: FieldTraits,
    /// The last object that had it: see [`Fields::begun`].
    stamp: u32,
}

/// What the name of a field says about its values.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct FieldTraits {
    /// They are secret or personal, so that they are counted and not kept.
    pub(super) is_secret: bool,
    /// They identify something.
    pub(super) is_identifier: bool,
    /// They are those of keys that are not kept, of which no value is sampled.
    pub(super) is_rest: bool,
}

impl FieldTraits {
    fn of(key: &[u8]) -> Self {
        let is_secret = NameKind::of(key).is_some();
        let class = KeyClass::of(key);
        let is_identifier = !is_secret && matches!(class, KeyClass::Identifier | KeyClass::Name);
        Self { is_secret, is_identifier, is_rest: false }
    }
}

/// The place of a field that is being read.
pub(super) enum FieldIndex {
    Kept(usize),
    Rest,
}

impl Fields {
    /// Begins an object; its fields follow.
    pub(super) fn begin(&mut self) {
        self.begun = self.begun.checked_add(1).unwrap_or(1);
    }

    /// Finds or makes the field of a key; `previous` is the one that came before it in this object.
    #[inline]
    pub(super) fn index(&mut self, key: &str, previous: Option<usize>) -> FieldIndex {
        let expected = previous
            .map_or(self.first, |previous| self.after.get(previous).copied().unwrap_or(u16::MAX));
        let bytes = key.as_bytes();
        if self.keys.key_at(usize::from(expected)) == Some(bytes) {
            return FieldIndex::Kept(usize::from(expected));
        }
        let Some(index) = self.find(bytes) else { return FieldIndex::Rest };
        // Far fewer fields are kept than a number of 16 bits counts.
        let next = u16::try_from(index).unwrap_or(u16::MAX);
        match previous {
            None => self.first = next,
            Some(previous) => {
                if self.after.len() <= previous {
                    self.after.resize(previous + 1, u16::MAX);
                }
                self.after[previous] = next;
            }
        }
        FieldIndex::Kept(index)
    }

    fn find(&mut self, key: &[u8]) -> Option<usize> {
        if let Some(index) = self.keys.index_of(key) {
            return Some(index);
        }
        if is_hidden(key) {
            self.hidden.observe(crate::sketch::stable_hash(key));
            return None;
        }
        let was_full = self.keys.len() >= MAX_FIELDS;
        let index = self.keys.insert(key)?;
        self.keys.value_at(index).traits = FieldTraits::of(key);
        self.forget_order();
        if was_full {
            self.drop_evicted();
        }
        Some(index)
    }

    /// Forgets which field came after which, because their indexes have changed.
    fn forget_order(&mut self) {
        self.after.clear();
        self.first = u16::MAX;
    }

    /// Removes what is left of fields that were merged into the rest, so that it does not show when that happened.
    fn drop_evicted(&mut self) {
        self.keys.rest.present = 0;
        // Keys that come now are not sampled there.
        self.keys.rest.shape.forget_sample();
        for tag in &mut self.tags {
            let keys = &self.keys;
            let is_kept = |hash: u64| keys.has_hash(hash);
            tag.values.values_mut().for_each(|objects| objects.retain_keys(is_kept));
            tag.values.rest.retain_keys(is_kept);
        }
    }

    /// What the name of a field says about its values.
    #[inline]
    pub(super) fn traits(&mut self, index: &FieldIndex, key: &str) -> FieldTraits {
        match index {
            FieldIndex::Kept(index) => self.keys.value_at(*index).traits,
            // Where the values of the rest come from is not asked.
            FieldIndex::Rest => FieldTraits {
                is_identifier: false,
                is_rest: true,
                ..FieldTraits::of(key.as_bytes())
            },
        }
    }

    /// The shape of a field's values, which are counted as present.
    #[inline]
    pub(super) fn shape_at(&mut self, index: &FieldIndex) -> &mut Shape {
        let begun = self.begun;
        match index {
            FieldIndex::Kept(index) => {
                let field = self.keys.value_at(*index);
                field.present += u64::from(field.stamp != begun);
                field.stamp = begun;
                &mut field.shape
            }
            FieldIndex::Rest => &mut self.keys.rest.shape,
        }
    }

    /// Ends an object with that many keys.
    pub(super) fn end(&mut self, keys: u64) {
        self.fewest = if self.count == 0 { keys } else { self.fewest.min(keys) };
        self.count += 1;
        self.most = self.most.max(keys);
    }

    /// Rolls back an object that cannot be read to its end; `keys` are the hashes of the keys that were read.
    pub(super) fn roll_back(&mut self, keys: &[u64]) {
        let begun = self.begun;
        for hash in keys {
            if let Some(field) = self.keys.value_of_hash(*hash).filter(|field| field.stamp == begun)
            {
                field.present -= 1;
                field.stamp = 0;
            }
        }
    }

    /// The tag with this name.
    pub(super) fn tag(&mut self, name: u8) -> &mut Tag {
        let at = self.tags.binary_search_by_key(&name, |tag| tag.name).unwrap_or_else(|at| {
            self.tags.insert(at, Tag { name, ..Tag::default() });
            at
        });
        &mut self.tags[at]
    }

    /// Fields that are kept, in the order of their hashes: (hash, key, field).
    pub(crate) fn iter(&self) -> impl Iterator<Item = (u64, &[u8], &Field)> {
        self.keys.iter().map(|entry| (entry.hash, &*entry.key, &entry.value))
    }

    /// The values of all fields that are not kept.
    pub(crate) fn rest(&self) -> &Shape {
        &self.keys.rest.shape
    }

    /// Takes the shapes of the kept fields out, in the order of their hashes: (hash, key, shape).
    pub(crate) fn take_shapes(&mut self) -> Vec<(u64, Box<[u8]>, Shape)> {
        let names: Vec<_> = self.keys.iter().map(|entry| (entry.hash, entry.key.clone())).collect();
        let shapes = self.keys.values_mut().map(|field| std::mem::take(&mut field.shape));
        names.into_iter().zip(shapes).map(|((hash, key), shape)| (hash, key, shape)).collect()
    }

    /// The number of objects that have the kept field with this hash.
    pub(crate) fn present(&self, hash: u64) -> u64 {
        self.keys.get_hash(hash).map_or(0, |field| field.present)
    }

    /// Merges the fields with larger hashes than this one into the rest.
    pub(crate) fn keep_up_to(&mut self, hash: u64) {
        let kept = self.keys.iter().take_while(|entry| entry.hash <= hash).count();
        if kept < self.keys.len() {
            self.keys.keep(kept);
            self.forget_order();
            self.drop_evicted();
        }
    }

    pub(super) fn nodes(&self) -> usize {
        let kept: usize = self.keys.iter().map(|entry| entry.value.shape.nodes()).sum();
        kept + if self.rest().seen() > 0 { self.rest().nodes() } else { 0 }
    }

    pub(super) fn cut_at(&mut self, caps: Caps, depth: usize) {
        if self.keys.len() > caps.fields {
            self.keys.keep(caps.fields);
            self.forget_order();
            self.drop_evicted();
        }
        self.keys.values_mut().for_each(|field| field.shape.cut_at(caps, depth));
        self.keys.rest.shape.cut_at(caps, depth);
    }
}

/// True for a key that is a value and not a name.
fn is_hidden(key: &[u8]) -> bool {
    if key.is_empty() || key.len() > MAX_KEY_BYTES || !text::is_printable(key) {
        return true;
    }
    let is_value = kind_of(key).is_unmistakable() && !is_numbered_name(key);
    is_value || key.iter().all(u8::is_ascii_digit) || is_secret_key(key, Frequency::Often)
}

/// Returns `true` for a key that looks like a secret. Of a name with numbers that was seen often the letters are judged.
pub(crate) fn is_secret_key(key: &[u8], seen: Frequency) -> bool {
    match letters_of_numbered_name(key).filter(|_| seen == Frequency::Often) {
        Some(letters) => looks_secret_again(&letters, seen),
        None => looks_secret_again(key, seen),
    }
}

/// True for a name with numbers in it, as `isbn13` is.
pub(crate) fn is_numbered_name(key: &[u8]) -> bool {
    letters_of_numbered_name(key).is_some()
}

/// The letters of a name with numbers in it, as `isbn13`, `iso_3166_1`, `720p` and `w500` are; `None` for ids, which have more digits,
/// or letters and digits in turn.
fn letters_of_numbered_name(key: &[u8]) -> Option<Vec<u8>> {
    const MAX_NAME_BYTES: usize = 24;

    let is_name = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'_';
    if key.len() > MAX_NAME_BYTES || !key.iter().all(is_name) {
        return None;
    }
    let is_standard = key.get(..3).is_some_and(|head| head.eq_ignore_ascii_case(b"iso"));
    let fits_part = |part: &[u8]| {
        let digits = part.iter().filter(|byte| byte.is_ascii_digit()).count();
        let letters = part.len() - digits;
        let runs = part.split(|byte| !byte.is_ascii_digit()).filter(|run| !run.is_empty()).count();
        let stands_at_end = part.first().is_some_and(u8::is_ascii_digit)
            != part.last().is_some_and(u8::is_ascii_digit);
        let is_year = digits == 4 && (part.starts_with(b"19") || part.starts_with(b"20"));
        let is_size = part.split(|byte| *byte == b'x').count() == 2
            && part.iter().all(|byte| byte.is_ascii_digit() || *byte == b'x');
        match (letters, digits) {
            (_, 0) => true,
            (0, _) => digits <= 2 || is_year || (is_standard && digits <= 4),
            _ if is_size => digits <= 8,
            // The longer a number, the shorter the word that it belongs to: `float32`, `hs256`, `iso4217`.
            _ => {
                runs == 1
                    && stands_at_end
                    && match digits {
                        1 | 2 => letters <= 8,
                        3 => letters <= 5,
                        4 => letters <= 3,
                        _ => false,
                    }
            }
        }
    };
    let fits = key.iter().any(u8::is_ascii_digit) && key.split(|byte| *byte == b'_').all(fits_part);
    let letters: Vec<u8> = key.iter().filter(|byte| !byte.is_ascii_digit()).copied().collect();
    (fits && letters.iter().any(u8::is_ascii_alphabetic)).then_some(letters)
}

impl Merge for Field {
    fn merge(&mut self, other: Self) {
        self.present += other.present;
        self.traits.is_secret |= other.traits.is_secret;
        self.traits.is_identifier |= other.traits.is_identifier;
        self.shape.merge(other.shape);
    }
}

impl Merge for Fields {
    fn merge(&mut self, other: Self) {
        self.fewest = match (self.count, other.count) {
            (_, 0) => self.fewest,
            (0, _) => other.fewest,
            _ => self.fewest.min(other.fewest),
        };
        self.count += other.count;
        self.begun = self.begun.checked_add(other.begun).unwrap_or(1);
        self.most = self.most.max(other.most);
        self.keys.merge(other.keys);
        self.hidden.merge(other.hidden);
        for tag in other.tags {
            match self.tags.binary_search_by_key(&tag.name, |have| have.name) {
                Ok(at) => self.tags[at].merge(tag),
                Err(at) => self.tags.insert(at, tag),
            }
        }
        self.forget_order();
        self.drop_evicted();
    }
}

impl HeapSize for Fields {
    fn heap_bytes(&self) -> usize {
        let fields = self.keys.iter().map(|entry| &entry.value).chain([&self.keys.rest]);
        self.keys.heap_bytes()
            + fields.map(|field| field.shape.heap_bytes()).sum::<usize>()
            + self.hidden.heap_bytes()
            + vec_bytes(&self.tags)
            + self.tags.iter().map(HeapSize::heap_bytes).sum::<usize>()
            + vec_bytes(&self.after)
    }
}

impl PartialEq for Field {
    fn eq(&self, other: &Self) -> bool {
        self.present == other.present && self.shape == other.shape
    }
}

impl Eq for Field {}

impl PartialEq for Fields {
    fn eq(&self, other: &Self) -> bool {
        let counts = |fields: &Self| [fields.count, fields.fewest, fields.most];
        counts(self) == counts(other)
            && self.keys == other.keys
            && self.hidden == other.hidden
            && self.tags == other.tags
    }
}

impl Eq for Fields {}

impl Serialize for Field {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        (self.present, &self.shape).serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Field {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let (present, shape) = <(u64, Shape)>::deserialize(deserializer)?;
        Ok(Self { present, shape, ..Self::default() })
    }
}

type StoredFields<K, D, T> = ([u64; 3], K, D, T);

impl Serialize for Fields {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let counts = [self.count, self.fewest, self.most];
        let stored: StoredFields<_, _, _> = (counts, &self.keys, &self.hidden, &self.tags);
        stored.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Fields {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let (counts, keys, hidden, tags): StoredFields<_, _, Vec<Tag>> =
            Deserialize::deserialize(deserializer)?;
        if !tags.is_sorted_by(|a, b| a.name < b.name) {
            return Err(serde::de::Error::custom("tags that are not in order"));
        }
        let [count, fewest, most] = counts;
        let first = u16::MAX;
        let mut fields = Self { count, fewest, most, keys, hidden, tags, first, ..Self::default() };
        for index in 0..fields.keys.len() {
            let traits = fields.keys.key_at(index).map(FieldTraits::of).unwrap_or_default();
            fields.keys.value_at(index).traits = traits;
        }
        Ok(fields)
    }
}
