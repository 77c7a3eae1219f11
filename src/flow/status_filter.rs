//! Ranges of status codes, by which flows are selected.

use crate::flow::Flow;

/// A status code, a class of them, or the absence of a response.
///
/// ```
/// use api_patterns::StatusFilter;
///
/// let success = StatusFilter::parse("2xx").unwrap();
/// assert!(success.contains(204) && !success.contains(301));
/// assert!(StatusFilter::parse("404").unwrap().contains(404));
/// assert!(StatusFilter::parse("none").is_some());
/// assert!(StatusFilter::parse("600").is_none());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StatusFilter {
    first: i64,
    last: i64,
}

impl StatusFilter {
    /// Parses `404`, `4xx`, or `none` for flows without a response.
    ///
    /// ```
    /// use api_patterns::StatusFilter;
    ///
    /// assert!(StatusFilter::parse("4xx").unwrap().contains(404));
    /// assert!(StatusFilter::parse("4x").is_none());
    /// ```
    pub fn parse(text: &str) -> Option<Self> {
        if text.eq_ignore_ascii_case("none") {
            return Some(Self { first: 0, last: 0 });
        }
        let (class, rest) = text.split_at_checked(1)?;
        let class = class.parse::<i64>().ok().filter(|class| (1..=5).contains(class))?;
        if rest.eq_ignore_ascii_case("xx") {
            return Some(Self { first: class * 100, last: class * 100 + 99 });
        }
        let is_code = rest.len() == 2 && rest.bytes().all(|byte| byte.is_ascii_digit());
        let code = text.parse().ok().filter(|_| is_code)?;
        Some(Self { first: code, last: code })
    }

    /// Returns `true` if the range has a status code.
    ///
    /// ```
    /// use api_patterns::StatusFilter;
    ///
    /// assert!(StatusFilter::parse("5xx").unwrap().contains(503));
    /// ```
    pub fn contains(self, status: i64) -> bool {
        (self.first..=self.last).contains(&status)
    }

    /// Returns `true` if the range has the status of a flow. Proxies write 0 or -1 for no response.
    pub(crate) fn contains_flow(self, flow: &Flow<'_>) -> bool {
        let status = flow.response.as_ref().map_or(0, |response| response.status.max(0));
        self.contains(status)
    }
}
