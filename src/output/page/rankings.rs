//! The endpoints that are slowest, largest and fail most.

use std::cmp::Reverse;

use crate::math::format_thousands;
use crate::report::Pattern;

/// A list of endpoints by one number.
pub(super) struct Ranking<'r> {
    pub(super) title: &'static str,
    pub(super) rows: Vec<RankedEndpoint<'r>>,
}

/// An endpoint in a ranking.
pub(super) struct RankedEndpoint<'r> {
    pub(super) pattern: &'r Pattern,
    pub(super) value: String,
}

/// Endpoints in a ranking.
const MAX_RANKED: usize = 5;

/// The rankings that have endpoints.
pub(super) fn of<'r>(shown: &[&'r Pattern]) -> Vec<Ranking<'r>> {
    let slowest = |pattern: &Pattern| {
        let latency = pattern.latency_ms.as_ref()?;
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a duration in microseconds"
        )]
        let key = (latency.p95 * 1000.0) as u64;
        Some((key, format!("{} ms", latency.p95)))
    };
    let largest = |pattern: &Pattern| {
        let sizes = pattern.response_bytes.as_ref()?;
        Some((sizes.p95, format!("{} bytes", format_thousands(sizes.p95))))
    };
    let failing = |pattern: &Pattern| {
        let errors = pattern.errors();
        let text =
            format!("{} of {}", format_thousands(errors), format_thousands(pattern.request_count));
        (errors > 0).then_some((errors, text))
    };
    let rankings = [
        ranking("Slowest (95th percentile)", shown, slowest),
        ranking("Largest answers (95th percentile)", shown, largest),
        ranking("Most errors", shown, failing),
    ];
    rankings.into_iter().filter(|ranking| !ranking.rows.is_empty()).collect()
}

fn ranking<'r>(
    title: &'static str,
    shown: &[&'r Pattern],
    value: impl Fn(&Pattern) -> Option<(u64, String)>,
) -> Ranking<'r> {
    let mut found: Vec<(u64, RankedEndpoint<'_>)> = shown
        .iter()
        .filter_map(|pattern| {
            let (key, value) = value(pattern)?;
            Some((key, RankedEndpoint { pattern, value }))
        })
        .collect();
    found.sort_by_key(|(key, endpoint)| (Reverse(*key), &endpoint.pattern.id));
    Ranking { title, rows: found.into_iter().map(|(_, row)| row).take(MAX_RANKED).collect() }
}
