//! The messages at one endpoint: a shape for each direction, status and media type, and one for the query.

use std::borrow::Cow;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::flow::body::decode::{BodyDecoder, BodyProblem, to_utf8};
use crate::flow::body::media::{BodySyntax, essence};
use crate::flow::{Body, Flow, Headers};
use crate::limits;
use crate::shape::credentials::Credentials;
use crate::shape::observe::{JsonProblem, SampledValues, observe_json};
use crate::shape::samples::{ValueSample, value_hash};
use crate::shape::{Caps, Shape, form};
use crate::sketch::{BottomK, HeapSize, Merge, vec_bytes};
use crate::template::body_evidence::ScalarSet;
use crate::template::body_evidence::facts::segment_value;

/// Bodies that are told apart at one endpoint, by direction, status and media type.
const MAX_MESSAGE_KINDS: usize = 48;

/// The longest media type that is kept, in bytes.
const MAX_MEDIA_TYPE_BYTES: usize = 80;

/// The shapes of the requests and responses at one endpoint.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct EndpointMessages {
    pub(crate) requests: u64,
    /// Requests that were sent without encryption.
    pub(crate) unencrypted: u64,
    pub(crate) credentials: Credentials,
    /// Parameters of the query, as an object of strings and lists of strings.
    pub(crate) query: Shape,
    /// The values of each segment of the path.
    pub(crate) segments: Vec<ValueSample>,
    /// The bodies by [`MessageKey`].
    pub(crate) bodies: BottomK<BodyStats, MAX_MESSAGE_KINDS>,
    /// The level of detail that is cut away: see [`Caps::at`].
    pub(crate) level: u8,
}

/// The direction of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Direction {
    Request,
    Response,
}

/// The key of bodies that are observed together: a direction, a status (0 for requests that were refused, 1 for the
/// others), and a media type in lower case.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct MessageKey {
    pub(crate) direction: Direction,
    pub(crate) status: u16,
    pub(crate) media_type: String,
}

/// The bodies of one kind.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct BodyStats {
    /// Bodies that were observed.
    pub(crate) observed: u64,
    /// Observed bodies whose syntax is JSON, and not that of a form.
    pub(crate) json: u64,
    /// Bodies in a syntax that has no shape: images, pages, scripts.
    pub(crate) other: u64,
    /// Messages of this kind without a recorded body.
    pub(crate) absent: u64,
    /// Bodies that could not be read, in the order of [`UNREADABLE`].
    pub(crate) unreadable: [u64; 5],
    /// Bytes of the bodies, as recorded.
    pub(crate) bytes: u64,
    pub(crate) shape: Shape,
}

/// The reasons why a body cannot be read, by name.
pub(crate) const UNREADABLE: [&str; 5] =
    ["too_large", "unknown_encoding", "damaged_encoding", "truncated", "invalid"];

/// Memory to observe bodies in.
#[derive(Debug, Default)]
pub(crate) struct BodyScratch {
    decoder: BodyDecoder,
    /// The segments of all paths, if they are known before bodies are observed; only values among
    /// them are sampled then.
    paths: Option<Arc<ScalarSet>>,
}

impl BodyScratch {
    /// Samples only values that are segments of paths.
    pub(crate) fn with_paths(paths: Option<Arc<ScalarSet>>) -> Self {
        Self { paths, ..Self::default() }
    }
}

impl Clone for BodyScratch {
    /// Returns an empty buffer, because the memory of a scratch buffer is not worth a copy.
    fn clone(&self) -> Self {
        Self::with_paths(self.paths.clone())
    }
}

impl MessageKey {
    /// The key as bytes, for a table by hash.
    fn to_bytes(&self) -> Vec<u8> {
        let direction = if self.direction == Direction::Request { b'q' } else { b's' };
        [&[direction][..], &self.status.to_be_bytes(), self.media_type.as_bytes()].concat()
    }

    /// The key that these bytes stand for.
    pub(crate) fn of_bytes(bytes: &[u8]) -> Option<Self> {
        let [direction, high, low, media_type @ ..] = bytes else { return None };
        let direction = match direction {
            b'q' => Direction::Request,
            b's' => Direction::Response,
            _ => return None,
        };
        let media_type = std::str::from_utf8(media_type).ok()?.to_owned();
        Some(Self { direction, status: u16::from_be_bytes([*high, *low]), media_type })
    }
}

/// Requests that were answered with a status below 400, or of which no answer is known.
pub(crate) const ACCEPTED: u16 = 1;
/// Requests that were answered with 400 or above.
pub(crate) const REFUSED: u16 = 0;

impl EndpointMessages {
    /// Adds the messages of one flow; `query` is its query, `segments` are those of its path.
    pub(crate) fn observe<'s>(
        &mut self,
        flow: &Flow<'_>,
        query: &[u8],
        segments: impl Iterator<Item = &'s [u8]>,
        scratch: &mut BodyScratch,
    ) {
        self.requests += 1;
        for (at, segment) in segments.take(limits::MAX_PATH_SEGMENTS).enumerate() {
            if self.segments.len() <= at {
                self.segments.reserve_exact(1);
                self.segments.push(ValueSample::default());
            }
            self.segments[at].observe(value_hash(&segment_value(segment)));
        }
        self.unencrypted += u64::from(matches!(&*flow.scheme, b"http" | b"ws"));
        self.credentials.observe(flow, query);
        let status =
            flow.response.as_ref().map(|response| response.status).filter(|status| *status > 0);
        let is_refused = status.is_some_and(|status| status >= 400);
        if !is_refused {
            // A query that was refused says what is not allowed.
            form::observe_form(&mut self.query, query);
        }
        if flow.request_body.is_recorded() {
            let content_type = flow.request_headers.get(b"content-type");
            let key = MessageKey {
                direction: Direction::Request,
                status: if is_refused { REFUSED } else { ACCEPTED },
                media_type: media_type_of(content_type),
            };
            self.observe_body(&key, flow.request_body, flow.request_headers, content_type, scratch);
        }
        if let Some(response) = &flow.response
            && let Some(status) = status
        {
            let content_type = response.content_type();
            let key = MessageKey {
                direction: Direction::Response,
                status: u16::try_from(status).unwrap_or(u16::MAX),
                media_type: media_type_of(content_type),
            };
            self.observe_body(&key, response.body, response.headers, content_type, scratch);
        }
    }

    fn observe_body(
        &mut self,
        key: &MessageKey,
        body: Body<'_>,
        headers: Headers<'_>,
        content_type: Option<&[u8]>,
        scratch: &mut BodyScratch,
    ) {
        let bodies = self.bodies.entry(&key.to_bytes());
        let mut level = self.level;
        bodies.bytes += body.recorded_bytes().unwrap_or_default();
        // Parameters come from answers that succeeded.
        let is_source = key.direction == Direction::Response && (200..300).contains(&key.status);
        let sampled = match scratch.paths.as_deref() {
            _ if !is_source => SampledValues::Nothing,
            Some(paths) => SampledValues::InPaths(paths),
            None => SampledValues::All,
        };
        match scratch.decoder.decode(body, headers) {
            Ok(Some(bytes)) if !bytes.is_empty() => {
                bodies.observe(bytes, content_type, &mut level, sampled);
            }
            Ok(_) => bodies.absent += 1,
            Err(problem) => {
                bodies.unreadable[match problem {
                    BodyProblem::TooLarge => 0,
                    BodyProblem::UnknownEncoding => 1,
                    BodyProblem::DamagedEncoding => 2,
                }] += 1
            }
        }
        if level > self.level {
            self.raise(level);
        }
    }

    /// Raises the level until the shapes have at most so many nodes.
    pub(crate) fn fit(&mut self, most: usize) {
        while self.nodes() > most && self.level < Caps::MAX_LEVEL {
            self.raise(self.level + 1);
        }
    }

    /// The kinds of bodies with what was observed of them, in the order of their keys.
    pub(crate) fn bodies(&self) -> Vec<(MessageKey, &BodyStats)> {
        let keyed =
            |entry: &'_ crate::sketch::BottomKEntry<BodyStats>| MessageKey::of_bytes(&entry.key);
        let mut bodies: Vec<(MessageKey, &BodyStats)> =
            self.bodies.iter().filter_map(|entry| Some((keyed(entry)?, &entry.value))).collect();
        bodies.sort_by(|a, b| a.0.cmp(&b.0));
        bodies
    }

    /// The kinds of bodies with what was observed of them, in the order of their keys, without a copy.
    pub(crate) fn into_bodies(mut self) -> Vec<(MessageKey, BodyStats)> {
        let keys: Vec<_> =
            self.bodies.iter().map(|entry| MessageKey::of_bytes(&entry.key)).collect();
        let stats = self.bodies.values_mut().map(std::mem::take);
        let mut bodies: Vec<(MessageKey, BodyStats)> =
            keys.into_iter().zip(stats).filter_map(|(key, stats)| Some((key?, stats))).collect();
        bodies.sort_by(|a, b| a.0.cmp(&b.0));
        bodies
    }

    /// Nodes of all shapes.
    pub(crate) fn nodes(&self) -> usize {
        let shapes = self.bodies.iter().map(|entry| &entry.value.shape);
        let rest = [&self.bodies.rest.shape, &self.query];
        shapes.chain(rest).map(Shape::nodes).sum()
    }

    /// Raises the level, or cuts what came since it was raised.
    pub(crate) fn raise(&mut self, level: u8) {
        self.level = self.level.max(level);
        if self.level == 0 {
            return;
        }
        let caps = Caps::at(self.level);
        self.query.cut(caps);
        self.bodies.rest.shape.cut(caps);
        self.bodies.values_mut().for_each(|bodies| bodies.shape.cut(caps));
    }
}

/// The media type of a content type as it is kept: in lower case, without parameters, cut.
pub(crate) fn media_type_of(content_type: Option<&[u8]>) -> String {
    let essence = essence(content_type.unwrap_or_default());
    let is_plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"/+-._*".contains(byte);
    if !essence.iter().all(is_plain) {
        return String::new();
    }
    let essence = &essence[..essence.len().min(MAX_MEDIA_TYPE_BYTES)];
    String::from_utf8_lossy(essence).to_ascii_lowercase()
}

impl BodyStats {
    /// Number of messages of this kind.
    pub(crate) fn messages(&self) -> u64 {
        self.observed + self.other + self.absent + self.unreadable.iter().sum::<u64>()
    }

    /// Adds a body; raises the level where the body is so wide that the endpoint cannot be kept at it.
    fn observe(
        &mut self,
        bytes: Cow<'_, [u8]>,
        content_type: Option<&[u8]>,
        level: &mut u8,
        sampled: SampledValues<'_>,
    ) {
        let Some(syntax) = BodySyntax::of(content_type, &bytes) else {
            self.other += 1;
            return;
        };
        let text = to_utf8(bytes, content_type);
        let observed = match syntax {
            BodySyntax::Json => observe_json(&mut self.shape, &text, level, sampled),
            BodySyntax::JsonLines => {
                self.observe_lines(text.split(|byte| *byte == b'\n'), level, sampled)
            }
            BodySyntax::EventStream => {
                let data = text
                    .split(|byte| *byte == b'\n')
                    .filter_map(|line| line.strip_prefix(b"data:"));
                let is_json = |line: &&[u8]| match line.trim_ascii() {
                    // `[DONE]` ends the streams of some APIs.
                    [b'[', next, ..] => !next.is_ascii_uppercase(),
                    [first, ..] => *first == b'{',
                    [] => false,
                };
                self.observe_lines(data.filter(is_json), level, sampled)
            }
            BodySyntax::Form => {
                form::observe_form(&mut self.shape, &text);
                Ok(())
            }
            BodySyntax::Multipart => {
                let parts = form::multipart(&text, content_type.unwrap_or_default());
                parts.map_or(Err(JsonProblem::Invalid), |parts| {
                    let pairs: Vec<_> = parts
                        .into_iter()
                        .map(|(name, value)| {
                            (name, value.unwrap_or(Cow::Borrowed(form::FILE_CONTENT)))
                        })
                        .collect();
                    form::observe_pairs(&mut self.shape, &pairs, false);
                    Ok(())
                })
            }
        };
        match observed {
            Ok(()) => {
                self.observed += 1;
                self.json += u64::from(!matches!(syntax, BodySyntax::Form | BodySyntax::Multipart));
            }
            Err(JsonProblem::Truncated) => self.unreadable[3] += 1,
            Err(JsonProblem::Invalid) => self.unreadable[4] += 1,
        }
    }

    /// Observes each line as a value of its own. Some must be JSON.
    fn observe_lines<'l>(
        &mut self,
        lines: impl Iterator<Item = &'l [u8]>,
        level: &mut u8,
        sampled: SampledValues<'_>,
    ) -> Result<(), JsonProblem> {
        let lines = lines.map(<[u8]>::trim_ascii).filter(|line| !line.is_empty());
        let mut read = Err(JsonProblem::Invalid);
        for line in lines.take(limits::MAX_LINES_OF_BODY) {
            let observed = observe_json(&mut self.shape, line, level, sampled);
            read = read.or(observed);
        }
        read
    }
}

impl Merge for BodyStats {
    fn merge(&mut self, other: Self) {
        self.observed += other.observed;
        self.json += other.json;
        self.other += other.other;
        self.absent += other.absent;
        self.bytes += other.bytes;
        for (one, other) in self.unreadable.iter_mut().zip(other.unreadable) {
            *one += other;
        }
        self.shape.merge(other.shape);
    }
}

impl Merge for EndpointMessages {
    fn merge(&mut self, other: Self) {
        self.requests += other.requests;
        self.unencrypted += other.unencrypted;
        self.credentials.merge(other.credentials);
        self.query.merge(other.query);
        let more = self.segments.len().max(other.segments.len());
        self.segments.resize_with(more, ValueSample::default);
        for (segment, other) in self.segments.iter_mut().zip(other.segments) {
            segment.merge(other);
        }
        self.bodies.merge(other.bodies);
        self.raise(other.level);
    }
}

impl HeapSize for EndpointMessages {
    fn heap_bytes(&self) -> usize {
        let shapes = self.bodies.iter().map(|entry| entry.value.shape.heap_bytes());
        self.bodies.heap_bytes()
            + shapes.sum::<usize>()
            + self.bodies.rest.shape.heap_bytes()
            + self.query.heap_bytes()
            + self.credentials.heap_bytes()
            + vec_bytes(&self.segments)
            + self.segments.iter().map(HeapSize::heap_bytes).sum::<usize>()
    }
}
