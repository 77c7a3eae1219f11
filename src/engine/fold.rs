//! States that collect the items of a run and can be merged.

use crate::capture::{CaptureItem, Captures};
use crate::engine::filter::Filter;
use crate::engine::options::Options;
use crate::engine::progress::Monitor;
use crate::engine::run::{RunResult, run};
use crate::error::Error;
use crate::patterns::Patterns;
use crate::skip::{SkipPlace, SkipReason, Skips};

/// The place of a flow: (index of the capture, byte offset or row number).
pub(super) type CapturePosition = (usize, u64);

/// A state that collects the items found in captures.
pub(super) trait FlowCollector: Send {
    /// Adds a flow that the filter selects, and counts any other item.
    fn take(&mut self, filter: &Filter, place: CapturePosition, found: CaptureItem<'_>);

    /// Adds everything that `other` has collected.
    fn merge(&mut self, other: Self);

    /// The items that were not used.
    fn skips(&mut self) -> &mut Skips;

    /// Counts a skipped item, and keeps its place if it is damage.
    fn skip(
        &mut self,
        reason: SkipReason,
        (source, offset): CapturePosition,
        found: CaptureItem<'_>,
    ) {
        if reason.is_damage() {
            let message =
                if let CaptureItem::Skipped(_, message) = found { message } else { String::new() };
            self.skips().add_at(reason, SkipPlace { source, offset, message });
        } else {
            self.skips().add(reason);
        }
    }
}

impl FlowCollector for Patterns {
    fn take(&mut self, filter: &Filter, place: CapturePosition, found: CaptureItem<'_>) {
        match filter.check(&found) {
            Ok(flow) => self.observe(flow),
            Err(reason) => FlowCollector::skip(self, reason, place, found),
        }
    }

    fn merge(&mut self, other: Self) {
        Patterns::merge(self, other);
    }

    fn skips(&mut self) -> &mut Skips {
        &mut self.skips
    }
}

/// Reads all captures into one state.
pub(super) fn collect<S: FlowCollector>(
    captures: &Captures,
    options: &Options,
    monitor: &dyn Monitor,
    new: impl Fn() -> S + Sync,
) -> Result<(S, RunResult<()>), Error> {
    let filter = Filter::new(options);
    let mut outcome = run(captures, options, monitor, &new, |state, source, offset, found| {
        S::take(state, &filter, (source, offset), found);
    })?;
    let mut all = new();
    for state in std::mem::take(&mut outcome.states) {
        all.merge(state);
    }
    all.skips().merge(std::mem::take(&mut outcome.skips));
    Ok((all, outcome.without_states()))
}
