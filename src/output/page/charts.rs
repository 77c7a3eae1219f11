//! Small charts of a page, as percentages for attributes of SVG, which a policy without inline styles allows.

use crate::output::status_classes;
use crate::report::{Latency, Pattern};

/// Width of a chart in percent.
const WIDTH: u64 = 100;

/// A bar: the share of a whole, and the part of it that is errors.
pub(super) struct Bar {
    pub(super) width: u64,
    pub(super) errors: u64,
}

impl Bar {
    pub(super) fn new(part: u64, errors: u64, whole: u64) -> Self {
        let share = |number: u64| (number * WIDTH).div_ceil(whole.max(1)).min(WIDTH);
        Self { width: share(part), errors: share(errors) }
    }
}

/// A part of a stacked bar.
pub(super) struct StackedPart {
    pub(super) start: u64,
    pub(super) width: u64,
    /// Class of status, `2xx`, or `none` without an answer.
    pub(super) name: &'static str,
}

/// The statuses of an endpoint as a stacked bar. Parts that are there are visible.
pub(super) fn stacked_statuses(pattern: &Pattern) -> Vec<StackedPart> {
    let classes = status_classes(pattern);
    let none = pattern.request_count.saturating_sub(classes.iter().sum());
    let names = ["1xx", "2xx", "3xx", "4xx", "5xx", "none"];
    let counts = classes.into_iter().chain([none]);
    let mut start = 0;
    let mut parts = Vec::new();
    for (name, count) in names.into_iter().zip(counts).filter(|(_, count)| *count > 0) {
        let width = (count * WIDTH / pattern.request_count.max(1)).max(2).min(WIDTH - start);
        parts.push(StackedPart { start, width, name });
        start += width;
    }
    if let Some(last) = parts.last_mut() {
        last.width = WIDTH - last.start;
    }
    parts
}

/// The percentiles of an endpoint on a logarithmic axis from 1 ms to the slowest of the report.
pub(super) struct LatencyLine {
    pub(super) p50: u64,
    pub(super) p95: u64,
    pub(super) p99: u64,
}

impl LatencyLine {
    pub(super) fn new(latency: &Latency, slowest: f64) -> Self {
        let place = |milliseconds: f64| {
            let whole = slowest.max(2.0).ln();
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "between 0 and the width"
            )]
            let place = (milliseconds.max(1.0).ln() / whole * 96.0).clamp(0.0, 96.0) as u64;
            place
        };
        Self { p50: place(latency.p50), p95: place(latency.p95), p99: place(latency.p99) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Flow, Patterns, Response};

    #[test]
    fn rare_statuses_are_visible_and_bars_are_full() {
        let mut patterns = Patterns::new();
        for number in 0..1000 {
            let mut flow = Flow::new("GET", "https://h.example/x").unwrap();
            let status = if number == 0 { 500 } else { 200 };
            flow.response = Some(Response { status, ..Response::default() });
            patterns.observe(&flow);
        }
        let parts = stacked_statuses(&patterns.report().patterns[0]);
        let shown: Vec<_> = parts.iter().map(|part| (part.name, part.start, part.width)).collect();
        assert_eq!(shown, [("2xx", 0, 99), ("5xx", 99, 1)]);
        assert_eq!((Bar::new(1, 0, 1000).width, Bar::new(0, 0, 0).width), (1, 0));
    }
}
