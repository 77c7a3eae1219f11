//! Selection and order of the endpoints of a report.

use std::cmp::Reverse;

use crate::report::domain::is_host_in;
use crate::report::endpoint_class::EndpointClass;
use crate::report::{Pattern, Report, order_of_time};
use crate::template::segment::is_written_as_value;

/// A filter for endpoints. The default selects all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Selection {
    /// Selects this host and its subdomains.
    pub(crate) domain: Option<String>,
    /// Selects paths that begin with these segments. A parameter matches any parameter.
    pub(crate) path_prefix: Option<String>,
    /// Selects this method, ignoring case.
    pub(crate) method: Option<String>,
    pub(crate) min_count: u64,
    /// Selects this class.
    pub(crate) class: Option<EndpointClass>,
    /// Selects endpoints with this text in their host, method or path, ignoring case.
    pub(crate) text: Option<String>,
}

/// An order of the endpoints of a host. The program and the server take it by these names.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "cli", derive(clap::ValueEnum))]
#[cfg_attr(
    feature = "mcp",
    derive(schemars::JsonSchema, serde::Deserialize, serde::Serialize),
    serde(rename_all = "lowercase"),
    schemars(inline)
)]
pub(crate) enum EndpointOrder {
    /// Most requests first.
    #[default]
    Requests,
    /// By path, then by method.
    Path,
    /// Most answers with 4xx, 5xx or none first.
    Errors,
    /// Slowest median first.
    Latency,
    /// Largest median of the response first.
    Size,
    /// Last seen first.
    Recent,
}

impl EndpointOrder {
    /// Sorts endpoints. The sort is stable: ties keep their order.
    pub(crate) fn sort(self, patterns: &mut [&Pattern]) {
        let descending = |value: Option<f64>| Reverse(OrderedNumber(value.unwrap_or(-1.0)));
        match self {
            Self::Requests => patterns.sort_by_key(|pattern| Reverse(pattern.request_count)),
            Self::Path => patterns.sort_by(|a, b| {
                a.path_pattern.cmp(&b.path_pattern).then_with(|| a.endpoint.cmp(&b.endpoint))
            }),
            Self::Errors => patterns.sort_by_key(|pattern| Reverse(pattern.errors())),
            Self::Latency => patterns.sort_by_key(|pattern| {
                descending(pattern.latency_ms.as_ref().map(|latency| latency.p50))
            }),
            Self::Size => patterns.sort_by_key(|pattern| {
                #[expect(clippy::cast_precision_loss, reason = "compared as it is shown")]
                descending(pattern.response_bytes.as_ref().map(|sizes| sizes.p50 as f64))
            }),
            Self::Recent => patterns
                .sort_by_key(|pattern| Reverse(pattern.last_seen.as_deref().map(order_of_time))),
        }
    }
}

/// A number with the total order of IEEE 754.
#[derive(Clone, Copy, PartialEq)]
struct OrderedNumber(f64);

impl Eq for OrderedNumber {}

impl PartialOrd for OrderedNumber {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for OrderedNumber {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.0.total_cmp(&other.0)
    }
}

impl Report {
    /// Keeps the first `top` endpoints, in an order over all hosts, of those that are selected. Hosts stay together and in their
    /// order; the endpoints of each are sorted. What is left out is counted.
    pub(crate) fn select(
        &mut self,
        selection: &Selection,
        order: EndpointOrder,
        top: Option<usize>,
    ) {
        let before = self.patterns.len();
        let mut kept: Vec<&Pattern> =
            self.patterns.iter().filter(|pattern| selection.wants(pattern)).collect();
        order.sort(&mut kept);
        kept.truncate(top.unwrap_or(usize::MAX));
        let host_of = |pattern: &&Pattern| {
            self.patterns.iter().position(|other| other.host == pattern.host).unwrap_or_default()
        };
        kept.sort_by_cached_key(host_of);
        let kept: Vec<Pattern> = kept.into_iter().cloned().collect();
        self.totals.not_selected += (before - kept.len()) as u64;
        self.totals.patterns = kept.len() as u64;
        self.patterns = kept;
    }
}

impl Selection {
    /// Returns the selected endpoints of all hosts in an order. By requests, those of first parties stand before others, and calls
    /// of an API before pages and assets.
    #[cfg(feature = "mcp")]
    pub(crate) fn ordered<'r>(
        &self,
        patterns: &'r [Pattern],
        order: EndpointOrder,
    ) -> Vec<&'r Pattern> {
        let mut selected: Vec<&Pattern> =
            patterns.iter().filter(|pattern| self.wants(pattern)).collect();
        order.sort(&mut selected);
        if order == EndpointOrder::Requests {
            selected.sort_by_key(|pattern| (pattern.party, pattern.class));
        }
        selected
    }

    pub(crate) fn wants(&self, pattern: &Pattern) -> bool {
        pattern.request_count >= self.min_count
            && self.method.as_ref().is_none_or(|method| pattern.method.eq_ignore_ascii_case(method))
            && self
                .domain
                .as_ref()
                .is_none_or(|domain| pattern.host == *domain || is_host_in(&pattern.host, domain))
            && self
                .path_prefix
                .as_ref()
                .is_none_or(|prefix| is_below(&pattern.path_pattern, prefix))
            && self.class.is_none_or(|class| pattern.class == class)
            && self.text.as_ref().is_none_or(|text| {
                let whole = format!("{} {}{}", pattern.method, pattern.host, pattern.endpoint);
                whole.to_lowercase().contains(&text.to_lowercase())
            })
    }
}

/// Returns `true` if the segments of `path` begin with those of `prefix`.
fn is_below(path: &str, prefix: &str) -> bool {
    let mut segments = path.split('/').filter(|segment| !segment.is_empty());
    prefix.split('/').filter(|segment| !segment.is_empty()).all(|wanted| {
        segments.next().is_some_and(|segment| {
            // A parameter stands for any segment, and a value for any parameter.
            segment == wanted
                || wanted.starts_with('{')
                || (segment.starts_with('{') && is_written_as_value(wanted.as_bytes()))
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_ordered_although_zeros_are_left_out() {
        let times =
            ["2026-11-22T10:54:06Z", "2026-11-22T10:54:06.74019Z", "2026-11-22T10:54:06.740191Z"];
        assert!(times.map(order_of_time).is_sorted() && !times.is_sorted());
    }

    #[test]
    fn prefixes_are_whole_segments() {
        assert!(is_below("/v1/users/{user_id}", "/v1/users"));
        assert!(is_below("/v1/users/{user_id}/orders", "v1/users/{id}/"));
        assert!(is_below("/v1/users", ""));
        assert!(is_below("/v1/users/me", "/v1/users/{id}"));
        assert!(is_below("/v1/users/{user_id}/orders", "/v1/users/1001/orders"));
        assert!(!is_below("/v1/users/{user_id}/orders", "/v1/users/me"));
        assert!(!is_below("/v1/users", "/v1/use"));
        assert!(!is_below("/v1", "/v1/users"));
    }
}
