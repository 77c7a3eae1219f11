//! Small charts of a page, as percentages for attributes of SVG, which a policy without inline styles allows.

use crate::math::format_thousands;
use crate::output::{CLASS_NAMES, status_classes};
use crate::report::timeline::{RequestTimeline, TimelineInterval};
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
    let counts = classes.into_iter().chain([none]);
    let mut start = 0;
    let mut parts = Vec::new();
    for (name, count) in CLASS_NAMES.into_iter().zip(counts).filter(|(_, count)| *count > 0) {
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

/// A column of the chart of requests over time.
pub(super) struct TimelineColumn {
    pub(super) x: usize,
    /// The interval in words: its start, and the requests by class of status.
    pub(super) title: String,
    /// Name of the class, top and height, of a chart that is 100 high.
    pub(super) parts: Vec<(&'static str, u64, u64)>,
}

/// Width of a column with the gap after it.
const COLUMN: usize = 10;

/// The least number of columns that a chart has room for, so that a few are not as wide as the page.
const MIN_COLUMNS: usize = 24;

/// The width of a chart of requests over time.
pub(super) fn timeline_width(timeline: &RequestTimeline) -> usize {
    timeline.intervals.len().max(MIN_COLUMNS) * COLUMN
}

/// The number of requests in the interval that has most.
pub(super) fn most_requests(timeline: &RequestTimeline) -> u64 {
    timeline.intervals.iter().map(TimelineInterval::requests).max().unwrap_or_default()
}

/// The columns of a chart of requests over time; none if all began in one interval.
pub(super) fn timeline_columns(timeline: &RequestTimeline) -> Vec<TimelineColumn> {
    let most = most_requests(timeline).max(1);
    if timeline.intervals.len() < 2 {
        return Vec::new();
    }
    let columns = timeline.intervals.iter().enumerate().map(|(place, interval)| {
        let mut bottom = WIDTH;
        let mut parts = Vec::new();
        let mut words = Vec::new();
        for (name, count) in CLASS_NAMES.into_iter().zip(interval.counts) {
            if count > 0 {
                // What is there is visible.
                let height = (count * WIDTH / most).max(2).min(bottom);
                bottom -= height;
                parts.push((name, bottom, height));
                words.push(format!("{name} {}", format_thousands(count)));
            }
        }
        let words = if words.is_empty() { "no request".to_owned() } else { words.join(", ") };
        TimelineColumn { x: place * COLUMN, title: format!("{}: {words}", interval.start), parts }
    });
    columns.collect()
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
