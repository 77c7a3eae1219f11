//! How far a run is, and who watches it.

/// How far a run is.
#[derive(Clone, Copy, Debug, Default)]
#[non_exhaustive]
pub struct Progress {
    /// Bytes read.
    pub bytes: u64,
    /// Bytes there are to read, where that is known.
    pub total_bytes: Option<u64>,
    /// Flows found.
    pub flows: u64,
}

/// Watches a run, and may stop it. `()` watches nothing.
pub trait Monitor: Sync {
    /// Called now and then, from any thread. The run ends early where it returns `false`, with what was read so far.
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
