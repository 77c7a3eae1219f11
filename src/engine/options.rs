//! The options of a run.

use crate::capture::Bodies;
use crate::flow::noise::Noise;
use crate::flow::status_filter::StatusFilter;
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
    /// Only flows with these statuses. Empty for all.
    pub statuses: Vec<StatusFilter>,
    /// Statuses of flows that are left out. Empty for none.
    pub exclude_statuses: Vec<StatusFilter>,
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
    /// The fields that [`label`](crate::label) adds to each line.
    pub label_fields: Vec<LabelField>,
    /// The options of the report.
    pub report: ReportOptions,
}

/// A field that [`label`](crate::label) adds to each line on request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum LabelField {
    /// `index`: number of the line, from 0.
    Index,
    /// `source`: name of the capture.
    Source,
    /// `offset`: place of the flow in the capture, in bytes from its start, or as the number of a row.
    Offset,
    /// `time`: start of the request, in RFC 3339 (UTC, microseconds).
    Time,
    /// `status`: status code of the response.
    Status,
    /// `path`: path and query, in which secret and personal values are masked.
    Path,
}

impl Options {
    /// Whether the readers must read bodies.
    pub(super) fn read_bodies(&self) -> Bodies {
        if self.bodies { Bodies::Read } else { Bodies::Skip }
    }

    /// An empty state that observes what these options ask for in one pass.
    pub(super) fn new_patterns(&self) -> Patterns {
        if self.bodies { Patterns::with_bodies() } else { Patterns::new() }
    }

    /// An empty state for the first of two passes: bodies are read as evidence for templates alone.
    pub(super) fn new_first_pass(&self) -> Patterns {
        if self.bodies { Patterns::with_body_evidence() } else { Patterns::new() }
    }

    pub(super) fn decide(&self, patterns: &Patterns) -> Decision {
        let mut report = self.report.clone();
        // A saved state may have read bodies although nobody asks for them now.
        report.paths_alone |= !self.bodies;
        report.exclude_errors_only_404 |= self.exclude.contains(&Noise::ErrorsOnly404);
        if report.first_parties.is_empty() {
            report.first_parties.clone_from(&self.domains);
        }
        patterns.decide(&report)
    }
}
