//! What a run collects: a state that takes in what is found, and merges.

use crate::capture::{CaptureItem, Captures};
use crate::engine::filter::Filter;
use crate::engine::options::Options;
use crate::engine::progress::Monitor;
use crate::engine::run::{RunResult, run};
use crate::error::Error;
use crate::patterns::Patterns;
use crate::skip::{SkipPlace, SkipReason, Skips};

/// Where a flow stands: (capture, byte offset or row).
pub(super) type CapturePosition = (usize, u64);

/// A state that takes in what is found in captures.
pub(super) trait FlowCollector: Send {
    /// Takes in one flow, if the filter leaves it, or counts what is none.
    fn take(&mut self, filter: &Filter, place: CapturePosition, found: CaptureItem<'_>);

    /// Takes in all that `other` has.
    fn merge(&mut self, other: Self);

    /// What was not used.
    fn skips(&mut self) -> &mut Skips;

    /// Counts what was skipped; the place is remembered where something is wrong there.
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
