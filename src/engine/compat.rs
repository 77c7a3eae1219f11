//! The rows that the original tool would store for the captures, and its answer about them.

use crate::capture::{CaptureItem, Captures};
#[cfg(feature = "sqlite")]
use crate::capture::{RowColumns, header_problem};
#[cfg(feature = "sqlite")]
use crate::compat::StoredRow;
use crate::compat::{self, CompatFlow, Redaction};
use crate::engine::filter::Filter;
use crate::engine::fold::{CapturePosition, FlowCollector, collect};
use crate::engine::options::Options;
use crate::engine::progress::Monitor;
use crate::error::Error;
use crate::limits;
use crate::skip::{SkipReason, Skips};

/// The result of [`compat_answer`].
#[derive(Clone, Debug)]
pub struct CompatAnswer {
    /// The JSON text, as the original tool writes it.
    pub text: String,
    /// The items that were not used, counted by reason.
    pub skips: Skips,
    /// Errors of captures that could not be read to their end.
    pub failures: Vec<Error>,
    /// Number of patterns in the answer.
    pub patterns: u64,
    /// Number of flows that the answer counts.
    pub flows: u64,
    /// Number of bytes that were read.
    pub bytes: u64,
}

/// Flows as the original tool stores them, in any order.
#[derive(Clone, Default)]
pub(super) struct CompatRows {
    flows: Vec<(CapturePosition, CompatFlow)>,
    /// Estimate of the memory that the flows take, in bytes. Beyond a bound no flow is held, and
    /// there is no answer.
    bytes: usize,
    skips: Skips,
}

impl FlowCollector for CompatRows {
    /// Without a filter, flows that are not HTTP count as well.
    fn take(&mut self, filter: &Filter, place: CapturePosition, found: CaptureItem<'_>) {
        let checked = match found.flow() {
            Some(_) if filter.is_empty() => Ok(()),
            _ => filter.check(&found).map(drop),
        };
        match (checked, &found) {
            (Ok(()), CaptureItem::Flow(flow)) => self.push(place, || CompatFlow::new(flow)),
            #[cfg(feature = "sqlite")]
            (Ok(()), CaptureItem::Row(flow, columns)) => {
                self.push(place, || CompatFlow::of_row(flow, &stored_row(columns)));
            }
            (Ok(()), CaptureItem::Skipped(..)) => {}
            (Err(reason), _) => self.skip(reason, place, found),
        }
    }

    fn merge(&mut self, other: Self) {
        self.bytes = self.bytes.saturating_add(other.bytes);
        self.flows.extend(other.flows);
        if self.is_full() {
            self.flows = Vec::new();
        }
        self.skips.merge(other.skips);
    }

    fn skips(&mut self) -> &mut Skips {
        &mut self.skips
    }
}

impl CompatRows {
    fn push(&mut self, place: CapturePosition, row: impl FnOnce() -> CompatFlow) {
        if self.is_full() {
            return;
        }
        let row = row();
        self.bytes = self.bytes.saturating_add(row.bytes());
        self.flows.push((place, row));
        if self.is_full() {
            self.flows = Vec::new();
        }
    }

    fn is_full(&self) -> bool {
        self.bytes > limits::MAX_HELD_ROW_BYTES
    }

    /// The number of flows.
    pub(super) fn len(&self) -> usize {
        self.flows.len()
    }

    /// The answer, in which captured words are shown as `shown` specifies. Failures and bytes are
    /// empty.
    pub(super) fn answer(
        mut self,
        domain: Option<&str>,
        limit: Option<i64>,
        shown: Option<Redaction>,
    ) -> Result<CompatAnswer, Error> {
        if self.is_full() {
            return Err(Error::usage(format!(
                "the answer of the original needs all flows in memory, and these take more than {} MB; ask without compat",
                limits::MAX_HELD_ROW_BYTES >> 20
            )));
        }
        self.flows.sort_by_key(|(place, _)| *place);
        let mut skips = self.skips;
        let count = self.flows.len() as u64;
        let rows = compat::newest_first(self.flows.into_iter().map(|(_, flow)| flow));
        let (selected, of_domain) = compat::select(&rows, domain, limit);
        let (text, patterns) = compat::answer(&selected, shown)?;
        let used = selected.len();
        skips.add_many(SkipReason::Repeated, count - rows.len() as u64);
        skips.add_many(SkipReason::OtherDomain, (rows.len() - of_domain) as u64);
        skips.add_many(SkipReason::Older, (of_domain - used) as u64);
        Ok(CompatAnswer {
            text,
            skips,
            failures: Vec::new(),
            patterns,
            flows: used as u64,
            bytes: 0,
        })
    }
}

/// The columns of a row as the original tool loads them.
#[cfg(feature = "sqlite")]
fn stored_row<'a>(columns: &RowColumns<'a>) -> StoredRow<'a> {
    let response_headers =
        columns.response_headers.filter(|text| columns.status.is_some() && !text.is_empty());
    let problem = if columns.has_url {
        header_problem(columns.request_headers.unwrap_or_default())
            .or_else(|| response_headers.and_then(header_problem))
    } else {
        Some("it has no URL")
    };
    StoredRow { status: columns.status, has_method: columns.has_method, problem }
}

/// Answers as `get_api_patterns` of mitmproxy-mcp 0.6 does after importing the captures: see
/// [`compat`].
///
/// `domain` and `limit` have the meaning that they have in that tool. Of `options`, only `threads`
/// and `batch_bytes` are used.
///
/// ```
/// use api_patterns::{Captures, InputFormat, Options, compat_answer};
///
/// let captures = Captures::open(&["fixtures/demo.mitm"], InputFormat::Detect)?;
/// let answer = compat_answer(&captures, None, None, &Options::default(), &())?;
/// assert!(answer.text.starts_with('['));
/// assert_eq!(answer.flows, 65);
/// # Ok::<(), api_patterns::Error>(())
/// ```
///
/// # Errors
///
/// Fails as [`analyze`](crate::analyze) does, if the monitor stopped the run, if the flows take
/// more than 1 GiB of memory, and if the original tool raises an exception for a flow, which the
/// error names.
pub fn compat_answer(
    captures: &Captures,
    domain: Option<&str>,
    limit: Option<i64>,
    options: &Options,
    monitor: &dyn Monitor,
) -> Result<CompatAnswer, Error> {
    captures.require_flows()?;
    let Options { threads, batch_bytes, .. } = *options;
    let options = Options { threads, batch_bytes, ..Options::default() };
    let (rows, outcome) = collect(captures, &options, monitor, CompatRows::default)?;
    if outcome.stopped {
        return Err(Error::canceled());
    }
    let answer = rows.answer(domain, limit, None)?;
    Ok(CompatAnswer { failures: outcome.failures, bytes: outcome.bytes, ..answer })
}
