//! The options of a run.

use crate::capture::Bodies;
use crate::flow::noise::Noise;
use crate::patterns::Patterns;
use crate::report::decision::Decision;
use crate::report::options::ReportOptions;

/// What to use of the captures, and how.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Options {
    /// Only flows of these hosts and their subdomains; all where empty.
    pub domains: Vec<String>,
    /// Only flows with these methods, in any case; all where empty.
    pub methods: Vec<String>,
    /// Noise that is left out; none where empty.
    pub exclude: Vec<Noise>,
    /// Only this many of the newest flows that the other options leave. They are held in memory.
    pub limit: Option<usize>,
    /// How many threads; 0 for as many as there are cores.
    pub threads: usize,
    /// How many bytes a thread reads at once; 0 for the default. Answers don't depend on it.
    pub batch_bytes: usize,
    /// Whether the shapes of JSON bodies, forms and parameters are observed: see [`Schemas`](crate::Schemas).
    pub bodies: bool,
    /// How the templates are decided.
    pub report: ReportOptions,
}

impl Options {
    /// Whether readers have to read bodies.
    pub(super) fn read_bodies(&self) -> Bodies {
        if self.bodies { Bodies::Read } else { Bodies::Left }
    }

    pub(super) fn decide(&self, patterns: &Patterns) -> Decision {
        let mut report = self.report.clone();
        report.exclude_errors_only_404 |= self.exclude.contains(&Noise::ErrorsOnly404);
        patterns.decide(&report)
    }
}
