//! What was not used and why: counted by reason, with the first places.

use std::collections::BTreeMap;

use crate::limits;

/// Why something in a capture is not among the flows that were used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum SkipReason {
    /// The last record is cut off: the capture is still being written, or its writer was killed.
    Truncated,
    /// Bytes that belong to no record.
    Garbage,
    /// A record whose framing is whole and whose content is not.
    BadRecord,
    /// A line that is no JSON object, or no flow.
    BadLine,
    /// A record or line larger than what is read.
    TooLarge,
    /// A record of a type that is not known.
    UnknownType,
    /// A record of a format version that is not known.
    UnknownVersion,
    /// An URL that was not asked over HTTP (`data:`, `blob:`).
    NotHttp,
    /// A TCP flow.
    Tcp,
    /// A UDP flow.
    Udp,
    /// A DNS flow.
    Dns,
    /// The messages of a websocket, in the records of old mitmproxy versions; the handshake is a flow of its own.
    WebsocketMessages,
    /// Left out by `--domain`.
    OtherDomain,
    /// Left out by `--method`.
    OtherMethod,
    /// Left out by `--limit`.
    Older,
    /// The id of a flow that came before: only the last of them counts in the original's answer.
    Repeated,
    /// Left out by `--exclude static`.
    Static,
    /// Left out by `--exclude preflight`.
    Preflight,
    /// Left out by `--exclude telemetry`.
    Telemetry,
    /// Left out by `--exclude errors-only-404`.
    ErrorsOnly404,
}

impl SkipReason {
    /// All of them.
    pub(crate) const ALL: [Self; 20] = [
        Self::Truncated,
        Self::Garbage,
        Self::BadRecord,
        Self::BadLine,
        Self::TooLarge,
        Self::UnknownType,
        Self::UnknownVersion,
        Self::NotHttp,
        Self::Tcp,
        Self::Udp,
        Self::Dns,
        Self::WebsocketMessages,
        Self::OtherDomain,
        Self::OtherMethod,
        Self::Older,
        Self::Repeated,
        Self::Static,
        Self::Preflight,
        Self::Telemetry,
        Self::ErrorsOnly404,
    ];

    /// The name in reports.
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
            Self::Tcp => "tcp",
            Self::Udp => "udp",
            Self::Dns => "dns",
            Self::WebsocketMessages => "websocket_messages",
            Self::OtherDomain => "other_domain",
            Self::OtherMethod => "other_method",
            Self::Older => "older",
            Self::Repeated => "repeated",
            Self::Static => "static",
            Self::Preflight => "preflight",
            Self::Telemetry => "telemetry",
            Self::ErrorsOnly404 => "errors_only_404",
        }
    }

    /// Does it say that what was captured is no HTTP?
    pub fn is_no_http(self) -> bool {
        matches!(self, Self::NotHttp | Self::Tcp | Self::Udp | Self::Dns | Self::WebsocketMessages)
    }

    /// Does it say that the capture is damaged, rather than that something was left out on purpose?
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

/// One thing that was skipped: where, and in words.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct SkipPlace {
    /// Which of the captures, counted from 0 in the order in which they were opened.
    pub source: usize,
    /// Byte offset in that capture (in its unpacked form); in a database, the row.
    pub offset: u64,
    /// What is wrong there, and what to do where something can be done.
    pub message: String,
}

/// What was skipped, by reason.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Skips {
    reasons: BTreeMap<SkipReason, (u64, Vec<SkipPlace>)>,
}

impl Skips {
    /// Counts one thing that was skipped.
    pub(crate) fn add(&mut self, reason: SkipReason) {
        self.reasons.entry(reason).or_default().0 += 1;
    }

    /// Counts several.
    pub(crate) fn add_many(&mut self, reason: SkipReason, count: u64) {
        if count > 0 {
            self.reasons.entry(reason).or_default().0 += count;
        }
    }

    /// Counts one damaged thing and remembers the place, if it is among the first of its reason.
    pub(crate) fn add_at(&mut self, reason: SkipReason, place: SkipPlace) {
        let (count, places) = self.reasons.entry(reason).or_default();
        *count += 1;
        keep_first(places, place);
    }

    pub(crate) fn merge(&mut self, other: Self) {
        for (reason, (count, places)) in other.reasons {
            let (own_count, own_places) = self.reasons.entry(reason).or_default();
            *own_count += count;
            for place in places {
                keep_first(own_places, place);
            }
        }
    }

    /// The same with other numbers for the captures.
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

    /// How many there are of one reason.
    pub fn count(&self, reason: SkipReason) -> u64 {
        self.reasons.get(&reason).map_or(0, |(count, _)| *count)
    }

    /// How many there are in all.
    pub fn total(&self) -> u64 {
        self.reasons.values().map(|(count, _)| count).sum()
    }

    /// Reason, count and the first places, at most three of each reason.
    pub fn iter(&self) -> impl Iterator<Item = (SkipReason, u64, &[SkipPlace])> {
        self.reasons.iter().map(|(reason, (count, places))| (*reason, *count, &**places))
    }
}

fn keep_first(places: &mut Vec<SkipPlace>, place: SkipPlace) {
    if let Err(at) = places.binary_search(&place)
        && at < limits::SKIP_PLACES
    {
        places.insert(at, place);
        places.truncate(limits::SKIP_PLACES);
    }
}
