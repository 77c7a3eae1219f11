//! Reads the bodies of one request for what they say about the segments of its path.

use std::borrow::Cow;

use crate::flow::Flow;
use crate::flow::body::decode::{BodyDecoder, to_utf8};
use crate::flow::body::media::BodySyntax;
use crate::flow::json_walk::walk_json;
use crate::flow::{Body, Headers};
use crate::limits;
use crate::sketch::stable_hash;
use crate::template::body_evidence::ScalarSet;
use crate::template::body_evidence::known_keys::KeyClasses;
use crate::template::body_evidence::scan::{BodyOutline, BodyScan, SegmentEcho, SegmentTexts};
use crate::template::segment::Segment;

/// Evidence from the bodies of one request about the segments of its path.
#[derive(Debug, Default)]
pub(crate) struct BodyFacts {
    /// Whether a body was read.
    is_read: bool,
    segments: Vec<SegmentEcho>,
    /// The outline of a successful answer; `None` without one.
    answer: Option<BodyOutline>,
}

impl BodyFacts {
    /// What the bodies say about the segment with this number, from 0; `None` if no body was read.
    pub(crate) fn segment(&self, number: usize) -> Option<&SegmentEcho> {
        self.segments.get(number).filter(|_| self.is_read)
    }

    /// The outline of a successful answer.
    pub(crate) fn answer(&self) -> Option<&BodyOutline> {
        self.answer.as_ref()
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
    /// Returns an empty reader, because its memory and its cache are not worth a copy.
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
            let mut scan =
                BodyScan::new(&texts, &mut facts.segments, &mut self.classes, scalars, host, shape);
            walk_json(&json, &mut scan);
            Some(scan.into_outline())
        };
        if let Some(sent) = sent {
            let content_type = flow.request_headers.get(b"content-type");
            let read = read(sent, flow.request_headers, content_type, None);
            facts.is_read |= read.is_some();
        }
        if let (Some(response), Some(answer)) = (response, answer) {
            let method = stable_hash(&flow.method);
            let outline = read(answer, response.headers, response.content_type(), Some(method));
            facts.is_read |= outline.is_some();
            facts.answer = outline.filter(|_| (200..300).contains(&response.status));
        }
        facts
    }
}

/// The value in a segment as bodies have it: decoded, without an ending, and without a sigil as in `@alice`. Another prefix is a
/// part of it, as in `KIT-0042`.
pub(crate) fn segment_value(segment: &[u8]) -> Cow<'_, [u8]> {
    let parsed = Segment::parse(segment);
    let is_core = parsed.prefix.is_empty() || parsed.has_sigil() || parsed.is_key();
    let value =
        if is_core { parsed.core } else { &segment[..parsed.prefix.len() + parsed.core.len()] };
    percent_encoding::percent_decode(value).into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flow::Response;
    use crate::template::body_evidence::ScalarRole;
    use crate::template::body_evidence::key_class::KeyClass;
    use crate::template::body_evidence::scan::{MAX_OWN_DEPTH, MAX_SCALAR_BYTES, may_be_segment};
    use crate::template::segment::is_value;
    use proptest::prelude::*;
    use serde_json::{Value, json};

    /// The reference implementation of [`BodyScan`]: a walk over a parsed value. `around` are the keys of the
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
                    fact.is_own |= depth <= MAX_OWN_DEPTH && !is_item && !is_in_list;
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

    /// The reference implementation of [`BodyOutline::is_collection`].
    fn is_collection(value: &Value) -> bool {
        fn objects(value: &Value, depth: usize, found: &mut Vec<(usize, String, Value)>) {
            for (key, value) in value.as_object().into_iter().flatten() {
                found.push((depth, key.clone(), value.clone()));
                objects(value, depth + 1, found);
            }
        }

        let is_near = |depth: usize| depth < MAX_OWN_DEPTH;
        let mut members = Vec::new();
        objects(value, 0, &mut members);
        let names_itself = members.iter().any(|(depth, key, value)| {
            let class = KeyClass::of(key.as_bytes());
            is_near(*depth)
                && matches!(class, KeyClass::Identifier | KeyClass::Name)
                && (value.is_string() || value.is_number())
        });
        let holds_list =
            members.iter().any(|(depth, _, value)| is_near(*depth) && value.is_array());
        value.is_array() || (holds_list && !names_itself)
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
            prop_assert_eq!(facts.answer().unwrap().is_collection, is_collection(&value));
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
    fn a_collection_holds_a_list_and_has_no_identity() {
        let collection = |text: &str| {
            let mut flow = Flow::new("GET", "https://h.example/things").unwrap();
            let body = Body::decoded(text.as_bytes());
            flow.response = Some(Response { status: 200, body, ..Response::default() });
            let mut reader = FactsReader::default();
            let segments: [&[u8]; 1] = [b"things"];
            let mut scalars = ScalarSet::default();
            let facts = reader.read(&flow, b"h.example", segments.into_iter(), &mut scalars);
            facts.answer().unwrap().is_collection
        };
        assert!(collection("[]") && collection(r#"[{"id": 7, "tags": ["a"]}]"#));
        assert!(collection(r#"{"kind": "PodList", "metadata": {}, "items": []}"#));
        assert!(collection(r#"{"data": {"after": null, "children": [{"id": 7}]}}"#));
        assert!(!collection(r#"{"id": 7, "tags": ["a", "b"]}"#));
        assert!(!collection(r#"{"user": {"login": "mona", "roles": []}}"#));
        assert!(!collection(r#"{"status": "up"}"#));
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
        assert_eq!(facts.answer().map(|answer| answer.keys.len()), Some(3));
        let (host, text) = (stable_hash(b"h.example"), stable_hash(b"octocat"));
        assert!(scalars.membership_probability(host, ScalarRole::Name, text) > 0.9);
        assert!(scalars.membership_probability(host, ScalarRole::Identifier, text) < 0.1);
        assert!(scalars.holds_segment(b"octocat") && !scalars.holds_segment(b"mona"));
    }
}
