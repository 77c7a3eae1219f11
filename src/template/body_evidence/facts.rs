//! Reads the bodies of one request for what they say about the segments of its path.

use std::borrow::Cow;

use crate::flow::Flow;
use crate::flow::body::decode::{BodyDecoder, to_utf8};
use crate::flow::body::media::BodySyntax;
use crate::flow::json_string::JsonString;
use crate::flow::json_walk::{JsonVisitor, MAX_WALK_DEPTH, walk_json};
use crate::flow::{Body, Headers};
use crate::limits;
use crate::simd::ByteMask;
use crate::sketch::stable_hash;
use crate::template::body_evidence::key_class::KeyClass;
use crate::template::body_evidence::{ScalarRole, ScalarSet};
use crate::template::segment::{Segment, is_value};
use crate::template::vocabulary::{Vocabulary, words_of};

/// What the bodies of one request say about one segment of its path.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct SegmentEcho {
    /// One bit for each [`KeyClass`] of a key that holds the segment.
    classes: u8,
    /// Whether it is a key.
    pub(crate) is_key: bool,
    /// Whether it is the last segment of the path.
    pub(crate) is_last: bool,
    /// Whether a key of an identifier or a name holds it near the top, and not in a list.
    pub(crate) is_own: bool,
    /// The first keys of identifiers and names that hold it at the least depth, with the key around
    /// them; at most [`limits::MAX_ECHO_KEYS`].
    pub(crate) keys: Vec<Box<[u8]>>,
    /// Number of objects and lists around these keys.
    depth: usize,
}

/// What the bodies of one request say.
#[derive(Debug, Default)]
pub(crate) struct BodyFacts {
    /// Whether a body was read.
    is_read: bool,
    segments: Vec<SegmentEcho>,
    /// Hashes of the paths of the keys in a successful answer; `None` without one.
    shape: Option<Vec<u64>>,
}

impl SegmentEcho {
    /// Whether a key of this class holds the segment.
    pub(crate) fn holds(&self, class: KeyClass) -> bool {
        self.classes & 1 << class as u8 != 0
    }
}

impl BodyFacts {
    /// What the bodies say about the segment with this number, from 0; `None` if no body was read.
    pub(crate) fn segment(&self, number: usize) -> Option<&SegmentEcho> {
        self.segments.get(number).filter(|_| self.is_read)
    }

    /// The shape of a successful answer.
    pub(crate) fn shape(&self) -> Option<&[u64]> {
        self.shape.as_deref()
    }
}

/// Memory to read bodies in, and what is remembered of keys between bodies.
#[derive(Debug, Default)]
pub(crate) struct FactsReader {
    decoder: BodyDecoder,
    classes: KeyClasses,
    facts: BodyFacts,
}

impl Clone for FactsReader {
    /// Memory is not worth a copy.
    fn clone(&self) -> Self {
        Self::default()
    }
}

impl FactsReader {
    /// Reads the bodies of a request to a host, which was not answered with 404. What they hold is
    /// added to `scalars`. `segments` are those of the path.
    pub(crate) fn read<'s>(
        &mut self,
        flow: &Flow<'_>,
        host: &[u8],
        segments: impl Iterator<Item = &'s [u8]> + Clone,
        scalars: &mut ScalarSet,
    ) -> &BodyFacts {
        let facts = &mut self.facts;
        *facts = BodyFacts::default();
        let segments = segments.take(limits::MAX_PATH_SEGMENTS);
        segments.clone().for_each(|segment| scalars.observe_segment(&segment_value(segment)));
        let response = flow.response.as_ref();
        let answer = response.map(|response| response.body).filter(Body::is_recorded);
        let sent = Some(flow.request_body).filter(Body::is_recorded);
        if answer.is_none() && sent.is_none() {
            return facts;
        }
        let texts = SegmentTexts::of(segments);
        facts.segments.resize(texts.count, SegmentEcho::default());
        // Of a longer path the end is not known.
        if let Some(last) =
            facts.segments.last_mut().filter(|_| texts.count < limits::MAX_PATH_SEGMENTS)
        {
            last.is_last = true;
        }
        let host = stable_hash(host);
        let decoder = &mut self.decoder;
        let mut read = |body: Body<'_>, headers: Headers<'_>, content_type, shape: Option<u64>| {
            let Ok(Some(bytes)) = decoder.decode(body, headers) else { return None };
            if bytes.is_empty() || BodySyntax::of(content_type, &bytes) != Some(BodySyntax::Json) {
                return None;
            }
            let json = to_utf8(bytes, content_type);
            let mut scan = BodyScan {
                texts: &texts,
                facts: &mut facts.segments,
                classes: &mut self.classes,
                scalars,
                host,
                open: [OpenContainer::default(); MAX_WALK_DEPTH + 1],
                shape: Vec::with_capacity(RECENT / 8),
                keys: [0; RECENT],
            };
            scan.open[0].path = shape.unwrap_or_default();
            walk_json(&json, &mut scan);
            Some(scan.shape)
        };
        if let Some(sent) = sent {
            let content_type = flow.request_headers.get(b"content-type");
            let read = read(sent, flow.request_headers, content_type, None);
            facts.is_read |= read.is_some();
        }
        if let (Some(response), Some(answer)) = (response, answer) {
            let method = stable_hash(&flow.method);
            let shape = read(answer, response.headers, response.content_type(), Some(method));
            facts.is_read |= shape.is_some();
            facts.shape = shape.filter(|_| (200..300).contains(&response.status));
        }
        facts
    }
}

/// The value in a segment as bodies have it: decoded, without an ending.
pub(crate) fn segment_value(segment: &[u8]) -> Cow<'_, [u8]> {
    percent_encoding::percent_decode(Segment::parse(segment).core).into()
}

/// The texts of the segments of a path as bodies have them.
struct SegmentTexts<'s> {
    /// Decoded, with the number of the segment; a segment with an ending has a second text without.
    texts: Vec<(usize, Cow<'s, [u8]>)>,
    /// One bit for each length.
    lengths: u64,
    count: usize,
}

impl<'s> SegmentTexts<'s> {
    fn of(segments: impl Iterator<Item = &'s [u8]>) -> Self {
        let mut found = Self { texts: Vec::new(), lengths: 0, count: 0 };
        for (number, segment) in segments.enumerate() {
            found.count = number + 1;
            let core = Segment::parse(segment).core;
            found.add(number, percent_encoding::percent_decode(segment).into());
            if core.len() < segment.len() {
                found.add(number, percent_encoding::percent_decode(core).into());
            }
        }
        found
    }

    fn add(&mut self, number: usize, text: Cow<'s, [u8]>) {
        if (1..=MAX_SCALAR_BYTES).contains(&text.len()) {
            self.lengths |= 1 << (text.len() - 1);
            self.texts.push((number, text));
        }
    }

    /// Whether a segment may have this text, by its length.
    #[inline]
    fn may_have(&self, text: JsonString<'_>) -> bool {
        let length = text.bytes.len();
        // A text that is escaped is shorter than it is written.
        let longer = if text.is_escaped() { u64::MAX } else { 1 << (length.wrapping_sub(1) & 63) };
        self.lengths & longer != 0 && (1..=MAX_SCALAR_BYTES * MAX_ESCAPE_BYTES).contains(&length)
    }

    /// The numbers of the segments with this text.
    #[inline]
    fn with_text(&self, text: &[u8]) -> impl Iterator<Item = usize> {
        let may_be = text.len().wrapping_sub(1) < MAX_SCALAR_BYTES
            && self.lengths & 1 << (text.len() - 1) != 0;
        let texts = if may_be { &*self.texts } else { &[] };
        texts.iter().filter(move |(_, have)| **have == *text).map(|(number, _)| *number)
    }
}

/// The longest scalar that is looked at, in bytes.
const MAX_SCALAR_BYTES: usize = 64;

/// The longest escape of one byte of a JSON string.
const MAX_ESCAPE_BYTES: usize = 6;

/// Key paths of a body that are remembered to skip those that repeat. A power of two.
const RECENT: usize = 256;

/// Depth at which a key is one of the thing that a body is: in the object at the top, or in one in it.
const OWN_DEPTH: usize = 2;

/// Depth of the objects whose keys are part of the shape.
const SHAPE_DEPTH: u8 = 3;

/// An open object or list.
#[derive(Clone, Copy)]
struct OpenContainer<'t> {
    /// Hash of the path to the value that is read.
    path: u64,
    /// Number of objects around the value.
    objects: u8,
    class: KeyClass,
    /// The key of the value, or of the list that it is in.
    key: JsonString<'t>,
    /// Whether the key is a name that APIs use.
    is_known: bool,
    is_list: bool,
}

impl Default for OpenContainer<'_> {
    fn default() -> Self {
        Self {
            path: 0,
            objects: 0,
            class: KeyClass::Other,
            key: JsonString::new(b"", false),
            is_known: false,
            is_list: false,
        }
    }
}

/// One walk over a body.
struct BodyScan<'t, 'f> {
    texts: &'f SegmentTexts<'f>,
    facts: &'f mut [SegmentEcho],
    classes: &'f mut KeyClasses,
    scalars: &'f mut ScalarSet,
    host: u64,
    open: [OpenContainer<'t>; MAX_WALK_DEPTH + 1],
    shape: Vec<u64>,
    /// Recent key paths, by their lowest bits.
    keys: [u64; RECENT],
}

impl<'t> JsonVisitor<'t> for BodyScan<'t, '_> {
    #[inline]
    fn key(&mut self, depth: usize, key: JsonString<'t>) {
        let around = self.open[depth - 1];
        let KnownKey { hash, class, is_known } = self.classes.of(key.bytes);
        let path = mixed(around.path, hash);
        let objects = around.objects + 1;
        self.open[depth] = OpenContainer { path, objects, class, key, is_known, is_list: false };
        for number in self.texts.with_text(key.bytes) {
            self.facts[number].is_key = true;
        }
        let recent = &mut self.keys[usize::from(path.to_le_bytes()[0])];
        if *recent != path {
            *recent = path;
            self.scalars.observe(self.host, ScalarRole::Key, hash);
            if objects <= SHAPE_DEPTH {
                self.shape.push(path);
            }
        }
    }

    #[inline]
    fn list(&mut self, depth: usize) {
        let around = self.open[depth - 1];
        self.open[depth] =
            OpenContainer { path: mixed(around.path, LIST), is_list: true, ..around };
    }

    #[inline]
    fn scalar(&mut self, depth: usize, text: JsonString<'t>, is_string: bool) {
        let bytes = text.bytes;
        let own = self.open[depth];
        let class = own.class;
        if self.texts.may_have(text) {
            let whole = text.unescaped();
            let names = matches!(class, KeyClass::Identifier | KeyClass::Name);
            let around = self.open[depth.saturating_sub(1)];
            let is_own = names && depth <= OWN_DEPTH && !own.is_list && !around.is_list;
            let mut name = None;
            for number in self.texts.with_text(&whole) {
                let facts = &mut self.facts[number];
                facts.classes |= 1 << class as u8;
                facts.is_own |= is_own;
                if !names || (!facts.keys.is_empty() && depth > facts.depth) {
                    continue;
                }
                if depth < facts.depth {
                    facts.keys.clear();
                }
                facts.depth = depth;
                if facts.keys.len() == limits::MAX_ECHO_KEYS {
                    continue;
                }
                let name = name
                    .get_or_insert_with(|| key_name(own, (!own.is_list).then_some(around)))
                    .as_ref();
                if let Some(name) = name.filter(|name| !facts.keys.contains(name)) {
                    facts.keys.push(name.clone());
                }
            }
        }
        if class != KeyClass::Other && is_string && may_be_segment(bytes) {
            let role = match class {
                KeyClass::Identifier => ScalarRole::Identifier,
                KeyClass::Name => ScalarRole::Name,
                KeyClass::Kind | KeyClass::Other => ScalarRole::Kind,
            };
            self.scalars.observe(self.host, role, stable_hash(bytes));
        }
    }
}

/// Added to the path of a list's items.
const LIST: u64 = 0x5b5d;

#[inline]
fn mixed(path: u64, step: u64) -> u64 {
    (path.rotate_left(23) ^ step).wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

/// Whether a scalar may be a segment that the trie keeps as a literal.
#[inline]
fn may_be_segment(text: &[u8]) -> bool {
    let Some(bytes) = ByteMask::of(text).filter(|_| !text.is_empty()) else { return false };
    let digits = bytes.between(b'0', b'9');
    let upper = bytes.between(b'A', b'Z');
    let lower = bytes.between(b'a', b'z');
    let separators = bytes.find(|lane| {
        lane.between(b'-', b'.')
            | lane.equal(b'_')
            | lane.equal(b'~')
            | lane.equal(b'@')
            | lane.equal(b':')
    });
    if digits | upper | lower | separators != bytes.all() {
        return false;
    }
    // What is certainly an id is told before its kind is asked for, which takes longer.
    let humps = (upper & (lower << 1)).count_ones();
    let is_id = digits.count_ones() > MAX_NAME_DIGITS || (digits != 0 && humps > 1);
    !is_id && !is_value(&Segment::parse(text))
}

/// Digits of a segment that is kept as a literal. Others are looked at as values are.
const MAX_NAME_DIGITS: u32 = 6;

/// The name of a key with that of the object around it: `login`, `owner.login`. `None` if it is not
/// one that may be kept: a key may be a value itself, so all of its words must be known.
fn key_name(own: OpenContainer<'_>, around: Option<OpenContainer<'_>>) -> Option<Box<[u8]>> {
    let holder = around.filter(|around| !around.is_list && !around.key.bytes.is_empty());
    if !own.is_known || holder.is_some_and(|around| !around.is_known) {
        return None;
    }
    Some(match holder {
        Some(around) => [around.key.bytes, b".", own.key.bytes].concat().into(),
        None => own.key.bytes.into(),
    })
}

/// Whether a key is a name that APIs use, by its words. Any other one may be a value.
pub(crate) fn is_known_name(key: &[u8]) -> bool {
    if key.len() > MAX_KEY_BYTES {
        return false;
    }
    let vocabulary = Vocabulary::shipped();
    let words = words_of(key);
    key.first().is_some_and(|first| first.is_ascii_alphabetic() || b"_@$".contains(first))
        && key.iter().all(|byte| byte.is_ascii_alphanumeric() || b"-_@$".contains(byte))
        && !words.is_empty()
        && words.iter().all(|word| {
            vocabulary.word(word) > 0 || KeyClass::of(word.as_bytes()) != KeyClass::Other
        })
}

/// The longest key that is kept as a name, in bytes.
const MAX_KEY_BYTES: usize = 32;

/// The hash and the class of a key, and whether APIs use its name.
#[derive(Clone, Copy)]
struct KnownKey {
    hash: u64,
    class: KeyClass,
    is_known: bool,
}

/// A cache of the hashes and classes of keys. Most keys repeat.
#[derive(Default)]
struct KeyClasses {
    /// By the lowest bits of the hash; empty until the first key.
    recent: Vec<Option<KnownKey>>,
}

impl std::fmt::Debug for KeyClasses {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("KeyClasses")
    }
}

/// Keys that are remembered. A power of two.
const RECENT_KEYS: usize = 1 << 10;

impl KeyClasses {
    #[inline]
    fn of(&mut self, key: &[u8]) -> KnownKey {
        if self.recent.is_empty() {
            self.recent.resize(RECENT_KEYS, None);
        }
        let hash = stable_hash(key);
        #[expect(clippy::cast_possible_truncation, reason = "the mask leaves 10 bits")]
        let recent = &mut self.recent[hash as usize & (RECENT_KEYS - 1)];
        match recent {
            Some(known) if known.hash == hash => *known,
            _ => *recent.insert(KnownKey {
                hash,
                class: KeyClass::of(key),
                is_known: is_known_name(key),
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flow::Response;
    use proptest::prelude::*;
    use serde_json::{Value, json};

    /// The plain twin of a [`BodyScan`]: a walk over a parsed value. `around` are the keys of the
    /// open containers, `None` for a list.
    fn scan_value(
        value: &Value,
        around: &mut Vec<Option<String>>,
        texts: &[&str],
        facts: &mut [SegmentEcho],
    ) {
        match value {
            Value::Object(members) => {
                for (key, value) in members {
                    for (fact, text) in facts.iter_mut().zip(texts) {
                        fact.is_key |= key == text;
                    }
                    around.push(Some(key.clone()));
                    scan_value(value, around, texts, facts);
                    around.pop();
                }
            }
            Value::Array(items) => {
                around.push(None);
                items.iter().for_each(|item| scan_value(item, around, texts, facts));
                around.pop();
            }
            Value::String(_) | Value::Number(_) => {
                let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
                let key = around.iter().rev().find_map(Option::clone).unwrap_or_default();
                let class = KeyClass::of(key.as_bytes());
                let is_item = matches!(around.last(), Some(None));
                let is_in_list = matches!(around.iter().rev().nth(1), Some(None));
                let depth = around.len();
                for (fact, _) in facts.iter_mut().zip(texts).filter(|(_, own)| ***own == *text) {
                    fact.classes |= 1 << class as u8;
                    if !matches!(class, KeyClass::Identifier | KeyClass::Name) {
                        continue;
                    }
                    fact.is_own |= depth <= OWN_DEPTH && !is_item && !is_in_list;
                    if !fact.keys.is_empty() && depth > fact.depth {
                        continue;
                    }
                    if depth < fact.depth {
                        fact.keys.clear();
                    }
                    fact.depth = depth;
                    let holder = around.iter().rev().nth(1).and_then(Option::clone);
                    let name = match holder.filter(|_| !is_item) {
                        Some(holder) => format!("{holder}.{key}"),
                        None => key.clone(),
                    };
                    let name: Box<[u8]> = name.into_bytes().into();
                    if !fact.keys.contains(&name) && fact.keys.len() < limits::MAX_ECHO_KEYS {
                        fact.keys.push(name);
                    }
                }
            }
            Value::Null | Value::Bool(_) => {}
        }
    }

    fn values() -> impl Strategy<Value = Value> {
        let text = prop_oneof![Just("octocat"), Just("42"), Just("users"), Just("a\"b"), Just("x")];
        let leaf = prop_oneof![
            text.prop_map(|text| json!(text)),
            (40_u64..44).prop_map(|number| json!(number)),
            Just(Value::Null),
        ];
        let key = prop_oneof![
            Just("id"),
            Just("login"),
            Just("type"),
            Just("owner"),
            Just("users"),
            Just("note")
        ];
        leaf.prop_recursive(4, 24, 4, move |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::Array),
                prop::collection::vec((key.clone(), inner), 0..4).prop_map(|members| {
                    Value::Object(
                        members.into_iter().map(|(key, value)| (key.to_owned(), value)).collect(),
                    )
                }),
            ]
        })
    }

    proptest! {
        #[test]
        fn facts_are_those_of_a_walk_over_values(value in values()) {
            prop_assume!(value.is_object() || value.is_array());
            let text = value.to_string();
            let mut flow = Flow::new("GET", "https://h.example/users/octocat/42/a%22b").unwrap();
            let body = Body::decoded(text.as_bytes());
            flow.response = Some(Response { status: 200, body, ..Response::default() });
            let segments: [&[u8]; 4] = [b"users", b"octocat", b"42", b"a%22b"];
            let mut reader = FactsReader::default();
            let facts =
                reader.read(&flow, b"h.example", segments.into_iter(), &mut ScalarSet::default());
            let mut expected = vec![SegmentEcho::default(); 4];
            expected[3].is_last = true;
            scan_value(&value, &mut Vec::new(), &["users", "octocat", "42", "a\"b"], &mut expected);
            prop_assert_eq!(&facts.segments, &expected);
        }

        /// The fast check for texts that may be segments equals one that looks at each byte and asks
        /// for the kind of every text.
        #[test]
        fn few_texts_are_asked_for_their_kind(text in "[a-zA-Z0-9_./ -]{0,70}") {
            let is_plain = !text.is_empty()
                && text.len() <= MAX_SCALAR_BYTES
                && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.~@:".contains(&byte));
            let digits = text.bytes().filter(u8::is_ascii_digit).count();
            let humps = text.as_bytes().windows(2).filter(|pair| pair[0].is_ascii_lowercase() && pair[1].is_ascii_uppercase()).count();
            let is_id = digits > 6 || (digits > 0 && humps > 1);
            let expected = is_plain && !is_id && !is_value(&Segment::parse(text.as_bytes()));
            prop_assert_eq!(may_be_segment(text.as_bytes()), expected);
        }
    }

    #[test]
    fn an_answer_that_is_the_thing_says_what_its_segment_is() {
        let mut flow = Flow::new("GET", "https://h.example/users/octocat").unwrap();
        let body = Body::decoded(br#"{"login": "octocat", "owner": {"login": "octocat"}}"#);
        flow.response = Some(Response { status: 200, body, ..Response::default() });
        let mut scalars = ScalarSet::default();
        let mut reader = FactsReader::default();
        let segments: [&[u8]; 2] = [b"users", b"octocat"];
        let facts = reader.read(&flow, b"h.example", segments.into_iter(), &mut scalars);
        let user = facts.segment(1).unwrap();
        assert!(user.is_own && user.is_last && user.holds(KeyClass::Name));
        assert_eq!(user.keys, [b"login".to_vec().into_boxed_slice()]);
        assert_eq!(facts.shape().map(<[u64]>::len), Some(3));
        let (host, text) = (stable_hash(b"h.example"), stable_hash(b"octocat"));
        assert!(scalars.held(host, ScalarRole::Name, text) > 0.9);
        assert!(scalars.held(host, ScalarRole::Identifier, text) < 0.1);
        assert!(scalars.holds_segment(b"octocat") && !scalars.holds_segment(b"mona"));
    }
}
