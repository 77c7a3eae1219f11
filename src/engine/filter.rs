//! Selection of flows by the options.

use crate::capture::CaptureItem;
use crate::engine::options::Options;
use crate::flow::Flow;
use crate::flow::noise::Noise;
use crate::flow::status_filter::StatusFilter;
use crate::patterns::host_name;
use crate::skip::SkipReason;

/// The selection of flows by domains, methods, statuses and exclusions, for programs that read flows
/// themselves. The limit of the options is ignored.
///
/// ```
/// use api_patterns::{Filter, Flow, Options, SkipReason};
///
/// let mut options = Options::default();
/// options.domains = vec!["example.com".to_owned()];
/// let filter = Filter::new(&options);
/// let flow = Flow::new("GET", "https://api.example.org/").unwrap();
/// assert_eq!(filter.skip_reason(&flow), Some(SkipReason::OtherDomain));
/// ```
#[derive(Clone, Debug)]
pub struct Filter {
    domains: Vec<Vec<u8>>,
    methods: Vec<Vec<u8>>,
    exclude: Vec<Noise>,
    statuses: Vec<StatusFilter>,
    exclude_statuses: Vec<StatusFilter>,
}

impl Filter {
    /// Creates the selection of some options.
    ///
    /// ```
    /// use api_patterns::{Filter, Flow, Options, SkipReason};
    ///
    /// let mut options = Options::default();
    /// options.methods = vec!["POST".to_owned()];
    /// let filter = Filter::new(&options);
    /// let flow = Flow::new("GET", "https://api.example.com/").unwrap();
    /// assert_eq!(filter.skip_reason(&flow), Some(SkipReason::OtherMethod));
    /// ```
    pub fn new(options: &Options) -> Self {
        Self {
            domains: options.domains.iter().map(|domain| plain_domain(domain)).collect(),
            methods: options
                .methods
                .iter()
                .map(|method| method.to_ascii_uppercase().into_bytes())
                .collect(),
            exclude: options.exclude.clone(),
            statuses: options.statuses.clone(),
            exclude_statuses: options.exclude_statuses.clone(),
        }
    }

    /// Returns `true` if every flow is selected.
    pub(super) fn is_empty(&self) -> bool {
        self.domains.is_empty()
            && self.methods.is_empty()
            && self.exclude.is_empty()
            && self.statuses.is_empty()
            && self.exclude_statuses.is_empty()
    }

    /// Returns the flow, or the reason why it is not used.
    pub(super) fn check<'f>(&self, found: &CaptureItem<'f>) -> Result<&'f Flow<'f>, SkipReason> {
        if let CaptureItem::Skipped(reason, _) = found {
            return Err(*reason);
        }
        let flow = found.flow().ok_or(SkipReason::NotHttp)?;
        flow.reason_to_skip().or_else(|| self.skip_reason(flow)).map_or(Ok(flow), Err)
    }

    /// The reason why a flow is left out. `None` if it is selected.
    ///
    /// ```
    /// use api_patterns::{Filter, Flow, Options};
    ///
    /// let filter = Filter::new(&Options::default());
    /// let flow = Flow::new("GET", "https://api.example.com/").unwrap();
    /// assert_eq!(filter.skip_reason(&flow), None);
    /// ```
    pub fn skip_reason(&self, flow: &Flow<'_>) -> Option<SkipReason> {
        if !self.domains.is_empty()
            && !self.domains.iter().any(|domain| is_in_domain(&host_name(flow), domain))
        {
            return Some(SkipReason::OtherDomain);
        }
        if !self.methods.is_empty()
            && !self.methods.iter().any(|method| flow.method.eq_ignore_ascii_case(method))
        {
            return Some(SkipReason::OtherMethod);
        }
        let is_in = |ranges: &[StatusFilter]| ranges.iter().any(|range| range.contains_flow(flow));
        if (!self.statuses.is_empty() && !is_in(&self.statuses)) || is_in(&self.exclude_statuses) {
            return Some(SkipReason::OtherStatus);
        }
        Noise::of(flow, &self.exclude)
    }
}

/// Returns `true` if the host of the flow is `domain` or a subdomain of it.
pub(super) fn in_domain(flow: &Flow<'_>, domain: &str) -> bool {
    is_in_domain(&host_name(flow), &plain_domain(domain))
}

/// Normalizes a domain: lower case, without `*.` and surrounding dots.
fn plain_domain(domain: &str) -> Vec<u8> {
    domain.trim_start_matches("*.").trim_matches('.').to_ascii_lowercase().into_bytes()
}

/// Returns `true` if the host is `domain` or a subdomain of it. The port is ignored unless the
/// domain has one.
fn is_in_domain(host: &[u8], domain: &[u8]) -> bool {
    let matches = |host: &[u8]| {
        host.strip_suffix(domain).is_some_and(|before| before.is_empty() || before.ends_with(b"."))
    };
    let port_at = memchr::memrchr(b':', host)
        .filter(|colon| host[colon + 1..].iter().all(u8::is_ascii_digit));
    matches(host) || port_at.is_some_and(|colon| matches(&host[..colon]))
}
