//! Serialised form of [`Patterns`], for storage and for exchange between machines.
//!
//! Layout: `APST`, one byte of version, the XXH3 hash of the payload (8 bytes, little-endian), and
//! the payload in postcard (<https://postcard.jamesmunns.com/wire-format>). The encoding is
//! canonical: equal states have equal bytes, however they were produced.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use crate::error::Error;
use crate::flow::text;
use crate::limits;
use crate::patterns::Patterns;
use crate::patterns::endpoint::Endpoint;
use crate::patterns::timeline::Timeline;
use crate::shape::path_shapes::PathShapes;
use crate::sketch::{LargestCount, stable_hash};
use crate::skip::{SkipPlace, SkipReason, Skips};
use crate::template::body_evidence::ScalarSet;
use crate::template::trie::{Node, StoredTrie, Trie, TrieBounds};

const MAGIC: &[u8; 4] = b"APST";

/// Version of the format. Must be increased with every change to the stored fields or to a hashed
/// input.
pub(crate) const VERSION: u8 = 10;

/// Size of the header in bytes.
const HEADER: usize = MAGIC.len() + 1 + 8;

/// Serialised fields of [`Patterns`]. `T` is a borrowed trie when writing, and a [`StoredTrie`]
/// when reading.
#[derive(Serialize, Deserialize)]
#[serde(bound(deserialize = "T: Deserialize<'de>"))]
struct StoredPatterns<'a, T> {
    used: u64,
    skips: Vec<(Cow<'a, str>, u64, Vec<(u64, u64, Cow<'a, str>)>)>,
    timeline: Cow<'a, Timeline>,
    answered: T,
    not_found: T,
    bodies: Option<Cow<'a, PathShapes>>,
    scalars: Option<Cow<'a, ScalarSet>>,
}

impl Patterns {
    /// Serialises the state. The bytes depend only on the observed flows, not on their order or
    /// split.
    ///
    /// The format is versioned and checksummed, but not encrypted or authenticated. Host names,
    /// path segments and parameter names are stored as captured, including those that a report
    /// would mask.
    ///
    /// ```
    /// use api_patterns::{Flow, Patterns};
    ///
    /// let mut patterns = Patterns::new();
    /// patterns.observe(&Flow::new("GET", "https://api.example.com/users/42").unwrap());
    /// let bytes = patterns.to_bytes();
    /// let mut sent = Patterns::from_bytes(&bytes)?;
    /// assert_eq!(sent.report(), patterns.report());
    /// sent.merge(patterns);
    /// assert_eq!(sent.report().patterns[0].request_count, 2);
    /// # Ok::<(), api_patterns::Error>(())
    /// ```
    #[expect(clippy::missing_panics_doc, reason = "plain data in memory is always serialized")]
    pub fn to_bytes(&self) -> Vec<u8> {
        let [answered, not_found] = self.bounded_tries();
        let places = |places: &'_ [SkipPlace]| {
            let place = |place: &SkipPlace| {
                (place.source as u64, place.offset, Cow::Owned(place.message.clone()))
            };
            places.iter().map(place).collect()
        };
        let skips = self.skips.iter();
        let stored = StoredPatterns {
            used: self.used,
            skips: skips.map(|(reason, n, at)| (reason.name().into(), n, places(at))).collect(),
            timeline: Cow::Borrowed(&self.timeline),
            answered: &*answered,
            not_found: &*not_found,
            bodies: self.bodies.as_deref().map(|bodies| {
                let mut bodies = bodies.clone();
                bodies.fit();
                Cow::Owned(bodies)
            }),
            scalars: self.scalars.as_deref().map(Cow::Borrowed),
        };
        // Serialising plain data to memory cannot fail.
        let payload = postcard::to_stdvec(&stored).expect("plain data in memory is serialized");
        let mut bytes = Vec::with_capacity(HEADER + payload.len());
        bytes.extend_from_slice(MAGIC);
        bytes.push(VERSION);
        bytes.extend_from_slice(&stable_hash(&payload).to_le_bytes());
        bytes.extend_from_slice(&payload);
        bytes
    }

    /// Both tries, folded to their bounds. A trie that exceeds its bounds must not be read, because
    /// its content depends on how the traffic was split.
    pub(crate) fn bounded_tries(&self) -> [Cow<'_, Trie<Endpoint>>; 2] {
        [&self.answered, &self.not_found].map(|trie| {
            let mut trie = Cow::Borrowed(trie);
            if !trie.fits() {
                trie.to_mut().fit();
            }
            trie
        })
    }

    /// Deserialises a state. The bytes need not be trusted: a state that no sequence of
    /// observations can produce is rejected, and memory is proportional to the length.
    ///
    /// ```
    /// use api_patterns::Patterns;
    ///
    /// let bytes = Patterns::new().to_bytes();
    /// assert_eq!(Patterns::from_bytes(&bytes)?.used(), 0);
    /// assert!(Patterns::from_bytes(&bytes[1..]).is_err());
    /// # Ok::<(), api_patterns::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// Fails if the bytes are not a state, are damaged, or were written by another version of the
    /// format.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, Error> {
        let refuse = |why: &str| Err(Error::format("state", why));
        let Some((header, payload)) = bytes.split_at_checked(HEADER) else {
            return refuse(
                "these bytes are not a state: they are too short; give the bytes that to_bytes returned",
            );
        };
        if !header.starts_with(MAGIC) {
            return refuse(
                "these bytes are not a state: they do not begin with APST; give the bytes that to_bytes returned",
            );
        }
        let version = header[MAGIC.len()];
        if version != VERSION {
            return refuse(&format!(
                "this state has version {version}, and this library reads version {VERSION}; create it again with the \
                 same version on all machines"
            ));
        }
        if header[MAGIC.len() + 1..] != stable_hash(payload).to_le_bytes() {
            return refuse(
                "this state is damaged: its bytes do not match their hash; send it again",
            );
        }
        match postcard::take_from_bytes::<StoredPatterns<'_, StoredTrie<Endpoint>>>(payload) {
            Ok((stored, [])) => stored.patterns(),
            _ => refuse(
                "this state is damaged: it has parts that do not fit together; create it again",
            ),
        }
    }
}

impl StoredPatterns<'_, StoredTrie<Endpoint>> {
    fn patterns(self) -> Result<Patterns, Error> {
        let mut skips = Skips::default();
        let mut counts_fit = self.used <= limits::MAX_COUNT;
        for (name, count, places) in self.skips {
            let Some(reason) = SkipReason::ALL.iter().find(|reason| reason.name() == name) else {
                return Err(Error::format(
                    "state",
                    "this state is damaged: it has a skip reason that is not known; create it again",
                ));
            };
            counts_fit &= count <= limits::MAX_COUNT && places.len() as u64 <= count;
            skips.add_many(*reason, count.saturating_sub(places.len() as u64));
            for (source, offset, message) in places.into_iter().take(limits::MAX_SKIP_PLACES) {
                let message =
                    text::shortened(message.as_bytes(), limits::MAX_MESSAGE_BYTES).into_owned();
                let source = usize::try_from(source).unwrap_or(usize::MAX);
                skips.add_at(*reason, SkipPlace { source, offset, message });
            }
        }
        let trie = |stored, bounds| {
            Trie::from_stored(bounds, stored).map_err(|why| {
                Error::format(
                    "state",
                    format!("this state is damaged: it has {why}; create it again"),
                )
            })
        };
        let answered = trie(self.answered, TrieBounds::ANSWERED)?;
        let not_found = trie(self.not_found, TrieBounds::NOT_FOUND)?;
        if !counts_fit || !answered.hosts().chain(not_found.hosts()).all(|(_, node)| fits(node)) {
            return Err(Error::format(
                "state",
                "this state is damaged: it has counts that are too large; create it again",
            ));
        }
        let bodies = self.bodies.map(|bodies| Box::new(bodies.into_owned()));
        if bodies.as_ref().is_some_and(|bodies| !bodies.is_sound()) {
            return Err(Error::format(
                "state",
                "this state is damaged: it has shapes that do not fit together; create it again",
            ));
        }
        let timeline = self.timeline.into_owned();
        if !timeline.is_sound() {
            return Err(Error::format(
                "state",
                "this state is damaged: it has times that do not fit together; create it again",
            ));
        }
        let used = self.used;
        let scalars = self.scalars.map(|scalars| Box::new(scalars.into_owned()));
        Ok(Patterns {
            answered,
            not_found,
            used,
            skips,
            timeline,
            bodies,
            scalars,
            ..Patterns::default()
        })
    }
}

/// Returns `true` if all counters of the subtree are at most [`limits::MAX_COUNT`], so that they can be
/// added without overflow.
fn fits(node: &Node<Endpoint>) -> bool {
    node.count <= limits::MAX_COUNT
        && node.bodies.as_ref().is_none_or(|bodies| bodies.largest_count() <= limits::MAX_COUNT)
        && node.ends.iter().all(|end| end.seen.largest_count() <= limits::MAX_COUNT)
        && node.literals.iter().all(|child| fits(&child.node))
        && node.values.iter().all(|child| fits(&child.node))
}
