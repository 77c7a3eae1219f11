//! Skipped input: counted by reason, with the first places of each.

use std::collections::BTreeMap;

use crate::limits;

/// The reason why something in a capture is not among the flows that were used.
///
/// Reasons fall into three groups: damage ([`is_damage`](Self::is_damage)), traffic that is not
/// HTTP or does not say of which host it is, and flows left out by an option. New reasons may be
/// added.
///
/// ```
/// use api_patterns::SkipReason;
///
/// assert_eq!(SkipReason::BadLine.name(), "bad_line");
/// assert!(SkipReason::BadLine.is_damage());
/// assert!(SkipReason::Udp.is_not_http());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum SkipReason {
    /// The last record is incomplete: the capture is still being written, or its writer was killed.
    Truncated,
    /// Bytes that belong to no record.
    Garbage,
    /// A record with valid framing and invalid content.
    BadRecord,
    /// A line that is not a JSON object, or a JSON object that does not describe a flow.
    BadLine,
    /// A record or line above the size limit.
    TooLarge,
    /// A record of an unknown type.
    UnknownType,
    /// A record of an unknown format version.
    UnknownVersion,
    /// A URL with a scheme other than HTTP (`data:`, `blob:`).
    NotHttp,
    /// A URL that names no host, as in a log of paths.
    NoHost,
    /// A TCP flow.
    Tcp,
    /// A UDP flow.
    Udp,
    /// A DNS flow.
    Dns,
    /// The messages of a websocket, in dumps of old mitmproxy versions. The handshake is a flow of
    /// its own.
    WebsocketMessages,
    /// A flow excluded by `--domain`.
    OtherDomain,
    /// A flow excluded by `--method`.
    OtherMethod,
    /// A flow excluded by `--status`, or by a status in `--exclude`.
    OtherStatus,
    /// A flow excluded by `--limit`.
    Older,
    /// A flow with the same id as a later one. Only the last of them counts in the answer of the
    /// original tool.
    Repeated,
    /// A flow excluded by `--exclude static`.
    Static,
    /// A flow excluded by `--exclude preflight`.
    Preflight,
    /// A flow excluded by `--exclude telemetry`.
    Telemetry,
    /// A flow excluded by `--exclude errors-only-404`.
    ErrorsOnly404,
}

impl SkipReason {
    /// All reasons, in the order of declaration.
    pub(crate) const ALL: [Self; 22] = [
        Self::Truncated,
        Self::Garbage,
        Self::BadRecord,
        Self::BadLine,
        Self::TooLarge,
        Self::UnknownType,
        Self::UnknownVersion,
        Self::NotHttp,
        Self::NoHost,
        Self::Tcp,
        Self::Udp,
        Self::Dns,
        Self::WebsocketMessages,
        Self::OtherDomain,
        Self::OtherMethod,
        Self::OtherStatus,
        Self::Older,
        Self::Repeated,
        Self::Static,
        Self::Preflight,
        Self::Telemetry,
        Self::ErrorsOnly404,
    ];

    /// The reason as it is written in reports, in snake case: `bad_line`. Names are stable.
    ///
    /// ```
    /// assert_eq!(api_patterns::SkipReason::BadLine.name(), "bad_line");
    /// ```
    pub fn name(self) -> &'static str {
        match self {
            Self::Truncated => "truncated",
            Self::Garbage => "garbage",
            Self::BadRecord => "bad_record",
            Self::BadLine => "bad_line",
            Self::TooLarge => "too_large",
            Self::UnknownType => "unknown_type",
            Self::UnknownVersion => "unknown_version",
            Self::NotHttp => "not_http",
            Self::NoHost => "no_host",
            Self::Tcp => "tcp",
            Self::Udp => "udp",
            Self::Dns => "dns",
            Self::WebsocketMessages => "websocket_messages",
            Self::OtherDomain => "other_domain",
            Self::OtherMethod => "other_method",
            Self::OtherStatus => "other_status",
            Self::Older => "older",
            Self::Repeated => "repeated",
            Self::Static => "static",
            Self::Preflight => "preflight",
            Self::Telemetry => "telemetry",
            Self::ErrorsOnly404 => "errors_only_404",
        }
    }

    /// Returns `true` if the reason is that the captured traffic is not HTTP.
    ///
    /// ```
    /// use api_patterns::SkipReason;
    ///
    /// assert!(SkipReason::Dns.is_not_http());
    /// assert!(!SkipReason::BadLine.is_not_http());
    /// ```
    pub fn is_not_http(self) -> bool {
        matches!(self, Self::NotHttp | Self::Tcp | Self::Udp | Self::Dns | Self::WebsocketMessages)
    }

    /// Returns `true` if the reason is damage to the capture, or a form of it that cannot be read,
    /// and not a deliberate exclusion.
    ///
    /// ```
    /// use api_patterns::SkipReason;
    ///
    /// assert!(SkipReason::Truncated.is_damage());
    /// assert!(!SkipReason::Older.is_damage());
    /// ```
    pub fn is_damage(self) -> bool {
        matches!(
            self,
            Self::Truncated
                | Self::Garbage
                | Self::BadRecord
                | Self::BadLine
                | Self::TooLarge
                | Self::UnknownType
                | Self::UnknownVersion
        )
    }
}

/// One skipped item: its location and a message.
///
/// Places are ordered by capture, then by offset.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct SkipPlace {
    /// Index of the capture, from 0, in the order of opening.
    pub source: usize,
    /// Byte offset in the (unpacked) capture, from 0; in a database, the row number.
    pub offset: u64,
    /// The problem, as one sentence for users, with a remedy if there is one.
    pub message: String,
}

/// Skipped items: the number for each reason, and the first places.
///
/// The counts are exact. At most three places are kept for each reason: those with the lowest
/// capture index and offset, so they do not depend on the order of reading.
///
/// ```
/// use api_patterns::{Patterns, SkipReason};
///
/// let mut patterns = Patterns::new();
/// patterns.skip(SkipReason::Tcp);
/// patterns.skip(SkipReason::Tcp);
/// assert_eq!(patterns.skips().count(SkipReason::Tcp), 2);
/// assert_eq!(patterns.skips().total(), 2);
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Skips {
    reasons: BTreeMap<SkipReason, (u64, Vec<SkipPlace>)>,
}

impl Skips {
    /// Counts one skipped item without a place.
    pub(crate) fn add(&mut self, reason: SkipReason) {
        self.reasons.entry(reason).or_default().0 += 1;
    }

    /// Counts `count` skipped items without a place.
    pub(crate) fn add_many(&mut self, reason: SkipReason, count: u64) {
        if count > 0 {
            self.reasons.entry(reason).or_default().0 += count;
        }
    }

    /// Counts one skipped item and keeps its place if it is among the first of its reason.
    pub(crate) fn add_at(&mut self, reason: SkipReason, place: SkipPlace) {
        let (count, places) = self.reasons.entry(reason).or_default();
        *count += 1;
        keep_first(places, place);
    }

    /// Adds the counts and places of `other`. Commutative and associative.
    pub(crate) fn merge(&mut self, other: Self) {
        for (reason, (count, places)) in other.reasons {
            let (own_count, own_places) = self.reasons.entry(reason).or_default();
            *own_count += count;
            for place in places {
                keep_first(own_places, place);
            }
        }
    }

    /// A copy in which every capture index is replaced by `number(index)`.
    pub(crate) fn with_sources(&self, number: impl Fn(usize) -> usize) -> Self {
        let mut skips = Self::default();
        for (reason, (count, places)) in &self.reasons {
            let (own_count, own_places) = skips.reasons.entry(*reason).or_default();
            *own_count += count;
            for place in places {
                keep_first(own_places, SkipPlace { source: number(place.source), ..place.clone() });
            }
        }
        skips
    }

    /// The number of items skipped for `reason`.
    ///
    /// ```
    /// use api_patterns::{Patterns, SkipReason};
    ///
    /// let mut patterns = Patterns::new();
    /// patterns.skip(SkipReason::Tcp);
    /// assert_eq!(patterns.skips().count(SkipReason::Tcp), 1);
    /// assert_eq!(patterns.skips().count(SkipReason::Udp), 0);
    /// ```
    pub fn count(&self, reason: SkipReason) -> u64 {
        self.reasons.get(&reason).map_or(0, |(count, _)| *count)
    }

    /// The number of skipped items, over all reasons.
    ///
    /// ```
    /// use api_patterns::{Patterns, SkipReason};
    ///
    /// let mut patterns = Patterns::new();
    /// patterns.skip(SkipReason::Tcp);
    /// patterns.skip(SkipReason::Udp);
    /// assert_eq!(patterns.skips().total(), 2);
    /// ```
    pub fn total(&self) -> u64 {
        self.reasons.values().map(|(count, _)| count).sum()
    }

    /// The reasons that occurred, each with its count and its first places (at most three), in the
    /// order of [`SkipReason`].
    ///
    /// ```
    /// use api_patterns::{Patterns, SkipReason};
    ///
    /// let mut patterns = Patterns::new();
    /// patterns.skip(SkipReason::Tcp);
    /// let (reason, count, places) = patterns.skips().iter().next().unwrap();
    /// assert_eq!((reason, count, places.len()), (SkipReason::Tcp, 1, 0));
    /// ```
    pub fn iter(&self) -> impl Iterator<Item = (SkipReason, u64, &[SkipPlace])> {
        self.reasons.iter().map(|(reason, (count, places))| (*reason, *count, &**places))
    }
}

/// Inserts a place in order, unless [`limits::MAX_SKIP_PLACES`] lower ones are there.
fn keep_first(places: &mut Vec<SkipPlace>, place: SkipPlace) {
    if let Err(at) = places.binary_search(&place)
        && at < limits::MAX_SKIP_PLACES
    {
        places.insert(at, place);
        places.truncate(limits::MAX_SKIP_PLACES);
    }
}
