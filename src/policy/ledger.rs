//! The calls that limits count.

use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};

use crate::policy::LimitUse;

/// The most uses of one limit that are held; a limit of a sum has no room beyond them.
const MAX_USES: usize = 100_000;

/// The calls that were counted for each limit, with the amounts that they took.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    /// Times and amounts within the window, by counter, oldest first.
    uses: BTreeMap<String, VecDeque<(Instant, f64)>>,
}

/// A limit without room for a call.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Exhausted {
    pub(crate) limit: LimitUse,
    /// Time until there is room; `None` if the call alone is more than the limit.
    pub(crate) wait: Option<Duration>,
}

impl Ledger {
    /// Looks whether all limits have room for a call and, if `takes`, takes what it needs. Nothing is taken if one has no room.
    ///
    /// # Errors
    ///
    /// Fails with the first limit that has no room.
    pub(crate) fn reserve(
        &mut self,
        limits: &[LimitUse],
        now: Instant,
        takes: bool,
    ) -> Result<(), Exhausted> {
        for limit in limits {
            let uses = self.uses.entry(limit.counter.clone()).or_default();
            while uses.front().is_some_and(|(time, _)| now.duration_since(*time) >= limit.window) {
                uses.pop_front();
            }
            #[expect(clippy::cast_precision_loss, reason = "100,000 calls at most")]
            let sum = if limit.counts_calls {
                uses.len() as f64
            } else {
                uses.iter().map(|(_, amount)| amount).sum()
            };
            let is_full = uses.len() >= MAX_USES && limit.amount > 0.0;
            if sum + limit.amount > limit.max || is_full {
                let wait = wait_for(uses, limit, now, sum);
                return Err(Exhausted { limit: limit.clone(), wait });
            }
        }
        if takes {
            // What takes nothing leaves nothing.
            for limit in limits.iter().filter(|limit| limit.amount > 0.0) {
                let uses = self.uses.entry(limit.counter.clone()).or_default();
                uses.push_back((now, limit.amount));
            }
        }
        Ok(())
    }
}

/// The time after which enough of what was used has left the window.
fn wait_for(
    uses: &VecDeque<(Instant, f64)>,
    limit: &LimitUse,
    now: Instant,
    mut sum: f64,
) -> Option<Duration> {
    let mut left = uses.len();
    for (time, amount) in uses {
        sum -= amount;
        left -= 1;
        if sum + limit.amount <= limit.max && left < MAX_USES {
            return Some(limit.window.saturating_sub(now.duration_since(*time)));
        }
    }
    None
}
