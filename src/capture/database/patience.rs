//! Time limit for SQLite on one file, because a damaged file can keep it busy forever.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Time that is granted to any file.
const MIN_TIME: Duration = Duration::from_secs(2);

/// Bytes of the file for which one more second is granted. The slowest disks read faster than this.
const BYTES_A_SECOND: u64 = 4 << 20;

/// The time budget of the statements over one database.
#[derive(Debug, Default)]
pub(super) struct TimeBudget {
    left: Mutex<TimeSpent>,
}

#[derive(Debug, Default)]
struct TimeSpent {
    /// Time that finished statements took. `granted` is the time for all of them.
    used: Duration,
    granted: Option<Duration>,
    /// Start of the statements that run now, and their number. With several, the start of the first
    /// counts.
    running: Option<(Instant, usize)>,
}

impl TimeBudget {
    /// The message for a database over which SQLite used up its time.
    pub(super) const OVER: &str = "SQLite was busy with this database for longer than an undamaged one of its size takes; recover it with sqlite3 and .recover";

    /// Resets the budget for a file of `bytes` bytes.
    pub(super) fn begin(&self, bytes: u64) {
        let granted = MIN_TIME + Duration::from_secs(bytes / BYTES_A_SECOND);
        *self.budget() = TimeSpent { granted: Some(granted), ..TimeSpent::default() };
    }

    /// Returns `true` if the time is used up. SQLite calls this while a statement runs.
    pub(super) fn is_over(&self) -> bool {
        let budget = self.budget();
        let running = budget.running.map_or(Duration::ZERO, |(since, _)| since.elapsed());
        budget.used + running > budget.granted.unwrap_or(MIN_TIME)
    }

    /// Counts the time until the guard is dropped.
    pub(super) fn spend(&self) -> StatementTimer<'_> {
        let mut budget = self.budget();
        let running = budget.running.get_or_insert_with(|| (Instant::now(), 0));
        running.1 += 1;
        StatementTimer { patience: self }
    }

    fn budget(&self) -> std::sync::MutexGuard<'_, TimeSpent> {
        self.left.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Guard of a running statement.
pub(super) struct StatementTimer<'p> {
    patience: &'p TimeBudget,
}

impl Drop for StatementTimer<'_> {
    fn drop(&mut self) {
        let mut budget = self.patience.budget();
        if let Some((since, count)) = &mut budget.running {
            *count -= 1;
            if *count == 0 {
                let since = *since;
                budget.used += since.elapsed();
                budget.running = None;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_is_counted_while_a_statement_runs_and_granted_anew() {
        let patience = TimeBudget::default();
        patience.begin(0);
        assert!(!patience.is_over());
        patience.budget().used = MIN_TIME + Duration::from_millis(1);
        assert!(patience.is_over());
        patience.begin(64 << 20);
        drop(patience.spend());
        assert!(!patience.is_over() && patience.budget().running.is_none());
        assert_eq!(patience.budget().granted, Some(MIN_TIME + Duration::from_secs(16)));
    }
}
