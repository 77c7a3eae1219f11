//! The options of a run.

use crate::capture::Bodies;
use crate::flow::noise::Noise;
use crate::patterns::Patterns;
use crate::report::decision::Decision;
use crate::report::options::ReportOptions;

/// The options of a run: the selection of flows, and how they are read and reported.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Options {
    /// Only flows of these hosts and their subdomains. Empty for all.
    pub domains: Vec<String>,
    /// Only flows with these methods, in any case. Empty for all.
    pub methods: Vec<String>,
    /// Kinds of noise that are left out. Empty for none.
    pub exclude: Vec<Noise>,
    /// Only this many of the newest flows that the other options select. They are held in memory,
    /// about 500 bytes each.
    pub limit: Option<usize>,
    /// Number of threads; 0 for one per core.
    pub threads: usize,
    /// Number of bytes that a thread reads at once; 0 for the default of 1 MiB. Results do not
    /// depend on it.
    pub batch_bytes: usize,
    /// Whether the bodies and parameters are observed for schemas: see [`Schemas`](crate::Schemas).
    pub bodies: bool,
    /// The options of the report.
    pub report: ReportOptions,
}

impl Options {
    /// Whether the readers must read bodies.
    pub(super) fn read_bodies(&self) -> Bodies {
        if self.bodies { Bodies::Read } else { Bodies::Left }
    }

    /// An empty state that observes what these options ask for in one pass.
    pub(super) fn new_patterns(&self) -> Patterns {
        if self.bodies { Patterns::with_bodies() } else { Patterns::new() }
    }

    pub(super) fn decide(&self, patterns: &Patterns) -> Decision {
        let mut report = self.report.clone();
        report.exclude_errors_only_404 |= self.exclude.contains(&Noise::ErrorsOnly404);
        patterns.decide(&report)
    }
}
