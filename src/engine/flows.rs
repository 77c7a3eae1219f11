//! Iteration over the flows of captures on the calling thread.

use crate::capture::batch::Batch;
use crate::capture::{Bodies, CaptureItem, Captures, decode};
use crate::engine::batch_queue::BatchQueue;
use crate::error::Error;
use crate::flow::Flow;
use crate::limits;
use crate::skip::{SkipPlace, SkipReason, Skips};

/// Calls `visit` for every HTTP flow of the captures, in input order, on the calling thread.
/// Returns the items that were skipped.
///
/// ```
/// use api_patterns::{Captures, InputFormat, for_each_flow};
///
/// let captures = Captures::open(&["fixtures/demo.mitm"], InputFormat::Detect)?;
/// let mut count = 0;
/// let skips = for_each_flow(&captures, |_flow| count += 1)?;
/// assert_eq!(count, 65);
/// assert_eq!(skips.total(), 0);
/// # Ok::<(), api_patterns::Error>(())
/// ```
///
/// # Errors
///
/// Returns the error of the first capture that cannot be read to its end. All captures are read
/// before.
pub fn for_each_flow(
    captures: &Captures,
    mut visit: impl FnMut(&Flow<'_>),
) -> Result<Skips, Error> {
    captures.require_flows()?;
    let mut feed = BatchQueue::new(captures, limits::DEFAULT_BATCH_BYTES, &|| true);
    let mut skips = Skips::default();
    let mut batch = Batch::default();
    while feed.next(&mut batch) {
        decode(
            &captures.sources[batch.source],
            &batch,
            Bodies::Read,
            &|| true,
            &mut |offset, found| {
                if let Some(flow) = found.flow().filter(|flow| flow.is_http()) {
                    visit(flow);
                } else if let CaptureItem::Skipped(reason, message) = found {
                    if reason.is_damage() {
                        skips.add_at(reason, SkipPlace { source: batch.source, offset, message });
                    } else {
                        skips.add(reason);
                    }
                } else {
                    let reason = found.flow().and_then(Flow::reason_to_skip);
                    skips.add(reason.unwrap_or(SkipReason::NotHttp));
                }
            },
        );
    }
    skips.merge(feed.skips);
    match feed.failures.into_iter().next() {
        Some(failure) => Err(failure),
        None => Ok(skips),
    }
}
