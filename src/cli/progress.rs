//! Progress bar on stderr, and handling of Ctrl-C.

use std::io::{self, IsTerminal};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::cli::arguments::ProgressWhen;
use crate::engine::{Monitor, Progress};
use crate::math::format_thousands;

/// Time before the progress bar appears. Shorter runs show none.
const PROGRESS_DELAY: Duration = Duration::from_millis(400);

static INTERRUPTED: AtomicBool = AtomicBool::new(false);

/// Returns `true` if Ctrl-C was pressed.
pub(super) fn is_interrupted() -> bool {
    INTERRUPTED.load(Ordering::Relaxed)
}

/// Monitor of a run that shows a progress bar and stops at Ctrl-C.
pub(super) struct ProgressMonitor {
    wanted: bool,
    start: Instant,
    bar: OnceLock<ProgressBar>,
}

impl ProgressMonitor {
    pub(super) fn new(when: ProgressWhen, quiet: bool) -> Self {
        let wanted = match when {
            ProgressWhen::Always => true,
            ProgressWhen::Never => false,
            ProgressWhen::Auto => !quiet && io::stderr().is_terminal(),
        };
        // The first Ctrl-C stops the reading, and the flows read so far are reported. Without a handler Ctrl-C ends the
        // program.
        ctrlc::set_handler(|| {
            if INTERRUPTED.swap(true, Ordering::Relaxed) {
                // The second Ctrl-C ends the program at once.
                #[cfg(feature = "tui")]
                crate::explorer::screen::restore();
                std::process::exit(130);
            }
        })
        .unwrap_or_default();
        Self { wanted, start: Instant::now(), bar: OnceLock::new() }
    }

    pub(super) fn finish(&self) {
        if let Some(bar) = self.bar.get() {
            bar.finish_and_clear();
        }
    }
}

impl Monitor for ProgressMonitor {
    fn progress(&self, progress: &Progress) -> bool {
        if self.wanted && self.start.elapsed() >= PROGRESS_DELAY {
            let bar = self.bar.get_or_init(|| new_bar(progress.total_bytes));
            bar.set_position(progress.bytes.max(bar.position()));
            bar.set_message(format_thousands(progress.flows));
        }
        !is_interrupted()
    }
}

fn new_bar(total_bytes: Option<u64>) -> ProgressBar {
    let bar = ProgressBar::with_draw_target(total_bytes, ProgressDrawTarget::stderr_with_hz(10));
    let template = if total_bytes.is_some() {
        "{wide_bar} {decimal_bytes}/{decimal_total_bytes}  {msg} flows  {eta} left"
    } else {
        "{spinner} {decimal_bytes}  {msg} flows  {elapsed}"
    };
    bar.set_style(
        ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar()),
    );
    bar
}
