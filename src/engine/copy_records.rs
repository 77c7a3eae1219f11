//! Copies the records of an endpoint from dumps into one dump.

use std::io::Write;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use crate::capture::batch::{Batch, KeepGoing};
use crate::capture::{Captures, decode_records};
use crate::engine::batch_queue::locked;
use crate::engine::exchanges::{ExchangeQuery, FlowChoice};
use crate::engine::options::Options;
use crate::engine::progress::Monitor;
use crate::engine::reorder_buffer::ReorderBuffer;
use crate::engine::run::run_batches;
use crate::error::Error;

/// Numbers of a [`copy_records`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct CopiedRecords {
    /// Records that were written.
    pub written: u64,
    /// Records that are too large to hold, and were left out.
    pub too_large: u64,
}

/// Writes the records of the flows that are asked for to `out`, in the order of the captures, byte for byte as they are in the
/// mitmproxy dumps that they come from. [`ExchangeQuery::Endpoint`] selects all flows of the endpoint, whatever its number.
///
/// ```
/// use api_patterns::{Captures, ExchangeQuery, InputFormat, Options, analyze, copy_records};
///
/// let captures = Captures::open(&["fixtures/demo.mitm"], InputFormat::Detect)?;
/// let query = ExchangeQuery::Endpoint { endpoint: "GET /v1/users/me".to_owned(), newest: 1 };
/// let mut dump = Vec::new();
/// let copied = copy_records(&captures, &Options::default(), &query, &(), &mut dump)?;
/// assert_eq!(copied.written, 4);
/// let copy = Captures::from_bytes("copy", dump, InputFormat::Mitmproxy)?;
/// assert_eq!(analyze(&copy, &Options::default(), &())?.report.totals.used, 4);
/// # Ok::<(), api_patterns::Error>(())
/// ```
///
/// # Errors
///
/// Fails if a capture is not a mitmproxy dump, if there is no such flow or endpoint, if `out` cannot be written to, as
/// [`analyze`](crate::analyze) does, and if the monitor stopped the run.
pub fn copy_records(
    captures: &Captures,
    options: &Options,
    query: &ExchangeQuery,
    monitor: &dyn Monitor,
    out: &mut (dyn Write + Send),
) -> Result<CopiedRecords, Error> {
    if let Some(name) = captures.first_other_than_dump() {
        let what = "this is not a mitmproxy dump, and only records of dumps can be written to a dump; write a HAR instead";
        return Err(Error::foreign(name, what));
    }
    captures.spool()?;
    let choice = FlowChoice::new(captures, options, query, monitor)?;
    let sequence = Mutex::new(ReorderBuffer::new(out));
    let (written, too_large) = (AtomicU64::new(0), AtomicU64::new(0));
    let visit = |(): &mut (), batch: &Batch, _: KeepGoing<'_>, _: &mut u64| {
        let mut records = Vec::new();
        decode_records(batch, &mut |offset, record, found| {
            let Some(flow) = found.flow().filter(|flow| flow.is_http()) else { return };
            if choice.wanted(flow, offset).is_none() {
                return;
            }
            // A record whose bodies were left out is not the one in the file.
            let response = flow.response.as_ref().map(|response| response.body);
            if flow.request_body.is_left_out() || response.is_some_and(|body| body.is_left_out()) {
                too_large.fetch_add(1, Ordering::Relaxed);
                return;
            }
            written.fetch_add(1, Ordering::Relaxed);
            records.extend_from_slice(record);
        });
        locked(&sequence).put(batch.sequence, records);
    };
    let keep_on = |progress: &_| monitor.progress(progress) && !locked(&sequence).has_failed();
    let outcome = run_batches(captures, options, &keep_on, || (), visit)?;
    let finished = sequence.into_inner().unwrap_or_else(PoisonError::into_inner).finish();
    finished.map_err(|error| Error::io("the output", "write", error))?;
    if outcome.stopped {
        return Err(Error::canceled());
    }
    let copied = CopiedRecords { written: written.into_inner(), too_large: too_large.into_inner() };
    if copied == CopiedRecords::default() {
        return Err(choice.nothing_found());
    }
    Ok(copied)
}
