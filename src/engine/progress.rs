//! Progress of a run, and its monitor.

/// The progress of a run.
#[derive(Clone, Copy, Debug, Default)]
#[non_exhaustive]
pub struct Progress {
    /// Number of bytes that were read.
    pub bytes: u64,
    /// Total number of bytes; `None` if it is not known.
    pub total_bytes: Option<u64>,
    /// Number of flows that were found.
    pub flows: u64,
}

/// Observer of a run that can stop it. `()` never stops it, and closures are monitors as well.
///
/// ```
/// use api_patterns::{Monitor, Progress};
///
/// struct FirstThousand;
///
/// impl Monitor for FirstThousand {
///     fn progress(&self, progress: &Progress) -> bool {
///         progress.flows < 1000
///     }
/// }
/// assert!(FirstThousand.progress(&Progress::default()));
/// ```
pub trait Monitor: Sync {
    /// Called at intervals, from any thread. If it returns `false`, the run ends early with the
    /// flows that were read so far.
    fn progress(&self, _progress: &Progress) -> bool {
        true
    }
}

impl Monitor for () {}

impl<F: Fn(&Progress) -> bool + Sync> Monitor for F {
    fn progress(&self, progress: &Progress) -> bool {
        self(progress)
    }
}
