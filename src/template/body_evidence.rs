//! What the bodies of requests and answers say about the segments of their paths: evidence for the
//! decision, kept at the nodes of the trie.
//!
//! A value is often in the answer to its own request (`GET /users/octocat` is answered with
//! `"login": "octocat"`), it was given out elsewhere, and the answers for values have one shape,
//! while names are answered each in a shape of its own. Nothing here is a value: counts, hashes of
//! key paths, the names of keys, and a set that can only be asked whether it may hold a hash.

pub(crate) mod facts;
pub(crate) mod key_class;
pub(crate) mod known_keys;
mod scan;

use crate::limits;
use crate::sketch::{BloomFilter, BottomK, DistinctCounter, Merge, stable_hash, summary};
use crate::template::body_evidence::key_class::KeyClass;
use crate::template::body_evidence::scan::{BodyOutline, SegmentEcho};

summary! {
    /// Evidence from the bodies of requests and answers about one path segment, counted in
    /// requests.
    pub(crate) struct SegmentEchoes {
        /// Requests with a JSON body, sent or answered, that was read.
        pub(crate) read: u64,
        /// Requests whose JSON body was read and whose path ends with the segment.
        pub(crate) ended: u64,
        /// Requests whose body is the thing that the segment names, because it holds it near its
        /// top under a key of an identifier or a name: of those whose path ends with it, and of the
        /// others.
        pub(crate) own_ended: u64,
        pub(crate) own_passed: u64,
        /// Requests whose bodies hold the segment under a key of an identifier.
        pub(crate) identifiers: u64,
        /// Requests whose bodies hold the segment under a key of a name.
        pub(crate) names: u64,
        /// Requests whose bodies hold the segment under a key of a kind: `type`, `status`.
        pub(crate) kinds: u64,
        /// Requests whose bodies hold the segment under another key.
        pub(crate) others: u64,
        /// Requests in whose bodies the segment is a key itself.
        pub(crate) as_key: u64,
        /// Requests whose bodies hold the segment under a key of an identifier or a name.
        pub(crate) held: u64,
        /// Requests by the key of an identifier or a name that holds the segment where the body is
        /// the thing itself and the path ends with it.
        pub(crate) own_keys: BottomK<u64, { limits::MAX_ECHO_KEYS }>,
        /// All requests by such a key, with the key around it: `owner.login`.
        pub(crate) keys: BottomK<u64, { limits::MAX_HOLDING_KEYS }>,
    }
}

summary! {
    /// What bodies say at one node of the trie.
    pub(crate) struct NodeBodies {
        /// About the segment that leads to the node.
        pub(crate) echoes: SegmentEchoes,
        /// Hashes of the method and the path of each key, to a depth of three, in the successful
        /// answers in JSON to requests whose path ends at the node.
        pub(crate) shape: DistinctCounter<{ limits::MAX_ANSWER_KEYS }>,
        /// Successful answers in JSON to GET requests whose path ends at the node.
        pub(crate) answers: u64,
        /// Those of them that are a collection: a list, or an object around one that has no identity
        /// of its own.
        pub(crate) collections: u64,
    }
}

impl NodeBodies {
    /// Adds what the bodies of one request say about the segment that leads to the node.
    pub(crate) fn observe_segment(&mut self, facts: &SegmentEcho) {
        let echoes = &mut self.echoes;
        echoes.read += 1;
        for (count, class) in [
            (&mut echoes.identifiers, KeyClass::Identifier),
            (&mut echoes.names, KeyClass::Name),
            (&mut echoes.kinds, KeyClass::Kind),
            (&mut echoes.others, KeyClass::Other),
        ] {
            *count += u64::from(facts.holds(class));
        }
        echoes.as_key += u64::from(facts.is_key);
        echoes.ended += u64::from(facts.is_last);
        echoes.own_ended += u64::from(facts.is_own && facts.is_last);
        echoes.own_passed += u64::from(facts.is_own && !facts.is_last);
        echoes.held += u64::from(facts.holds(KeyClass::Identifier) || facts.holds(KeyClass::Name));
        for key in &facts.keys {
            *echoes.keys.entry(key) += 1;
            if facts.is_own && facts.is_last {
                *echoes.own_keys.entry(key) += 1;
            }
        }
    }

    /// Adds the outline of one successful answer.
    pub(crate) fn observe_answer(&mut self, method: &[u8], answer: &BodyOutline) {
        answer.keys.iter().for_each(|hash| self.shape.observe(*hash));
        if method == b"GET" {
            self.answers += 1;
            self.collections += u64::from(answer.is_collection);
        }
    }
}

impl SegmentEchoes {
    /// The key under which most bodies hold the segment, if it says what the segment is. Bodies that
    /// are the thing itself are asked first. `None` if too few bodies hold it, or under too many
    /// keys.
    pub(crate) fn main_key(&self) -> Option<&str> {
        let own = main_of(&self.own_keys, self.own_ended, self.ended, 2);
        own.or_else(|| main_of(&self.keys, self.held, self.read, 6))
    }
}

/// The key with the most requests, if of `read` requests one in `one_in` is `held` by some key, and a
/// third of these by this one.
fn main_of<const K: usize>(
    keys: &BottomK<u64, K>,
    held: u64,
    read: u64,
    one_in: u64,
) -> Option<&str> {
    let most = keys.iter().max_by(|a, b| a.value.cmp(&b.value).then(b.key.cmp(&a.key)))?;
    let is_telling = held * one_in >= read && most.value * 3 >= held;
    std::str::from_utf8(&most.key).ok().filter(|_| is_telling)
}

/// The role of a text in a body, which separates the entries of a [`ScalarSet`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ScalarRole {
    /// Under a key of an identifier.
    Identifier,
    /// Under a key of a name.
    Name,
    /// Under a key of a kind.
    Kind,
    /// As a key.
    Key,
    /// As a segment of a path, of any host.
    Segment,
}

impl ScalarRole {
    fn salt(self) -> u64 {
        match self {
            Self::Identifier => 0x6964_656e_7469_6669,
            Self::Name => 0x6e61_6d65_5f6f_665f,
            Self::Kind => 0x6b69_6e64_5f6f_665f,
            Self::Key => 0x6b65_795f_6f66_5f61,
            Self::Segment => 0x7365_676d_656e_745f,
        }
    }
}

/// The short texts in the bodies of each host, by role, as a set of hashes.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(crate) struct ScalarSet(BloomFilter);

impl ScalarSet {
    /// Adds the hash of a text.
    pub(crate) fn observe(&mut self, host: u64, role: ScalarRole, text: u64) {
        self.0.observe(role_hash(host, role, text));
    }

    /// Adds a segment of a path, decoded and without its ending.
    pub(crate) fn observe_segment(&mut self, text: &[u8]) {
        self.observe(ANY_HOST, ScalarRole::Segment, stable_hash(text));
    }

    /// Whether some path may have the text as a segment.
    pub(crate) fn holds_segment(&self, text: &[u8]) -> bool {
        self.0.may_contain(role_hash(ANY_HOST, ScalarRole::Segment, stable_hash(text)))
    }

    /// Whether a host has sent or received the text in this role, as a probability; `text` is its
    /// [`stable_hash`].
    pub(crate) fn membership_probability(&self, host: u64, role: ScalarRole, text: u64) -> f64 {
        if self.0.may_contain(role_hash(host, role, text)) { self.0.certainty() } else { 0.0 }
    }
}

/// Stands for all hosts.
const ANY_HOST: u64 = 0;

/// The salt changes with the version of stored states: see
/// [`VERSION`](crate::patterns::codec::VERSION).
fn role_hash(host: u64, role: ScalarRole, text: u64) -> u64 {
    // All three are spread evenly or multiplied to be; the filter spreads the sum once more.
    text.wrapping_add((host ^ role.salt()).wrapping_mul(0x9e37_79b9_7f4a_7c15))
}

impl Merge for ScalarSet {
    fn merge(&mut self, other: Self) {
        self.0.merge(other.0);
    }
}

impl crate::sketch::HeapSize for ScalarSet {
    fn heap_bytes(&self) -> usize {
        self.0.heap_bytes()
    }
}
