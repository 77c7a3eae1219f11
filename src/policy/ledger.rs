//! The calls that limits count.

use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};

use crate::policy::LimitUse;

/// The most uses of one limit that are held; a limit of a sum has no room beyond them.
pub(crate) const MAX_USES: usize = 100_000;

/// The calls that were counted for each limit, with the amounts that they took.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    /// Times and amounts within the window, by counter, oldest first.
    uses: BTreeMap<String, VecDeque<(Instant, f64)>>,
}

/// A limit that a call exceeds.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Exhausted {
    pub(crate) limit: LimitUse,
    /// Time until there is room; `None` if the call alone is more than the limit.
    pub(crate) wait: Option<Duration>,
}

impl Ledger {
    /// Checks that a call is within all limits and, if `takes`, counts it. Nothing is counted if it exceeds one of
    /// them.
    ///
    /// # Errors
    ///
    /// Fails with the first limit that the call exceeds.
    pub(crate) fn reserve(
        &mut self,
        limits: &[LimitUse],
        now: Instant,
        takes: bool,
    ) -> Result<(), Exhausted> {
        for limit in limits {
            let uses = self.uses.entry(limit.counter.clone()).or_default();
            let longest = longest_window(limits, &limit.counter);
            while uses.front().is_some_and(|(time, _)| now.duration_since(*time) >= longest) {
                uses.pop_front();
            }
            let is_in_window = |use_: &&(Instant, f64)| now.duration_since(use_.0) < limit.window;
            let within: Vec<(Instant, f64)> = uses.iter().filter(is_in_window).copied().collect();
            let is_full = uses.len() >= MAX_USES && limit.amount > 0.0;
            let sum: f64 = within.iter().map(|(_, amount)| amount).sum();
            if sum + limit.amount > limit.max || is_full {
                let wait = wait_for(&within, limit, now, sum);
                return Err(Exhausted { limit: limit.clone(), wait });
            }
        }
        if takes {
            for (counter, amount) in amounts_by_counter(limits) {
                self.uses.entry(counter.to_owned()).or_default().push_back((now, amount));
            }
        }
        Ok(())
    }
}

/// The longest window of the limits with a counter: what it holds is needed for that long.
pub(crate) fn longest_window(limits: &[LimitUse], counter: &str) -> Duration {
    let windows = limits.iter().filter(|limit| limit.counter == counter).map(|limit| limit.window);
    windows.max().unwrap_or_default()
}

/// The amount that a call adds to each counter. Limits that share a counter count once, and an amount of 0 is left
/// out.
pub(crate) fn amounts_by_counter(limits: &[LimitUse]) -> BTreeMap<&str, f64> {
    let counted = limits.iter().filter(|limit| limit.amount > 0.0);
    counted.map(|limit| (&*limit.counter, limit.amount)).collect()
}

/// The time after which enough of what was used has left the window.
fn wait_for(
    within: &[(Instant, f64)],
    limit: &LimitUse,
    now: Instant,
    mut sum: f64,
) -> Option<Duration> {
    let mut left = within.len();
    for (time, amount) in within {
        sum -= amount;
        left -= 1;
        if sum + limit.amount <= limit.max && left < MAX_USES {
            return Some(limit.window.saturating_sub(now.duration_since(*time)));
        }
    }
    None
}

/// The message to an agent when a call exceeds a limit.
pub(crate) fn exhausted_message(exhausted: &Exhausted) -> String {
    let limit = &exhausted.limit;
    let calls = if limit.max < 2.0 { "call" } else { "calls" };
    let what = match (limit.counts_calls, limit.is_of_tool) {
        (true, true) => format!("{} {calls} of this tool", limit.max),
        (true, false) => format!("{} {calls} of all tools together", limit.max),
        (false, _) => format!("a sum of {}", limit.max),
    };
    let window = limit.window.as_secs_f64();
    let allows = format!("The operator's policy allows {what} in {window} seconds");
    match exhausted.wait {
        Some(wait) => {
            format!("{allows}; wait {} seconds before the next.", wait.as_secs_f64().ceil())
        }
        None => format!("{allows}, and this call alone is more."),
    }
}
