//! Single exchanges of captures: the one with an id, or the newest ones of an endpoint.

use std::collections::BTreeMap;

use crate::capture::{CaptureItem, Captures};
use crate::engine::analysis::observe_for_templates;
use crate::engine::filter::Filter;
use crate::engine::fold::CapturePosition;
use crate::engine::options::Options;
use crate::engine::progress::Monitor;
use crate::engine::run::run;
use crate::error::Error;
use crate::flow::{Flow, RecordIdText, text};
use crate::patterns::is_not_found;
use crate::report::Pattern;
use crate::report::decision::Decision;
use crate::report::exchange::{Exchange, Secrets};
use crate::report::lookup::{find_endpoints, similar_endpoints};

/// The most exchanges with one id that are read.
const MAX_EXCHANGES_OF_ID: usize = 100;

/// The exchanges that are asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ExchangeQuery {
    /// The exchanges with an id: that of [`Pattern::sample_flow_ids`](crate::Pattern::sample_flow_ids), or `@` and
    /// the place in the capture, in bytes or as the number of a row.
    Id(String),
    /// The newest exchanges of an endpoint: its name, its id, or a path or a URL that belongs to it.
    Endpoint {
        /// The text that means the endpoint.
        endpoint: String,
        /// The most exchanges that are wanted.
        newest: usize,
    },
}

/// Reads exchanges from captures, in the order of the captures.
///
/// ```
/// use api_patterns::{Captures, ExchangeQuery, InputFormat, Options, Secrets, exchanges};
///
/// let captures = Captures::open(&["fixtures/demo.mitm"], InputFormat::Detect)?;
/// let query = ExchangeQuery::Endpoint { endpoint: "GET /v1/users/me".to_owned(), newest: 2 };
/// let found = exchanges(&captures, &Options::default(), &query, Secrets::Masked, &())?;
/// assert_eq!(found.len(), 2);
/// assert_eq!(found[0].request.method, "GET");
/// # Ok::<(), api_patterns::Error>(())
/// ```
///
/// # Errors
///
/// Fails if there is no such exchange or endpoint, as [`analyze`](crate::analyze) does, and if the monitor stopped the run.
pub fn exchanges(
    captures: &Captures,
    options: &Options,
    query: &ExchangeQuery,
    secrets: Secrets,
    monitor: &dyn Monitor,
) -> Result<Vec<Exchange>, Error> {
    captures.require_flows()?;
    captures.spool()?;
    let choice = FlowChoice::new(captures, options, query, monitor)?;
    let newest = match query {
        ExchangeQuery::Id(_) => MAX_EXCHANGES_OF_ID,
        ExchangeQuery::Endpoint { newest, .. } => (*newest).max(1),
    };
    let options = Options { bodies: true, limit: None, ..options.clone() };
    let visit = |kept: &mut NewestExchanges, source: usize, offset: u64, found: CaptureItem<'_>| {
        let Some(flow) = found.flow().filter(|flow| flow.is_http()) else { return };
        let started = flow.started.unwrap_or(i64::MIN);
        let age = (!is_not_found(flow), started, (source, offset));
        if !kept.wants(age) {
            return;
        }
        let Some(endpoint) = choice.wanted(flow, offset) else { return };
        let mut exchange = Exchange::of(flow, &captures.sources[source].name, offset, secrets);
        exchange.endpoint = (!endpoint.is_empty()).then(|| endpoint.to_owned());
        kept.add(age, exchange);
    };
    let new = || NewestExchanges { most: newest, found: BTreeMap::new() };
    let outcome = run(captures, &options, monitor, new, visit)?;
    if outcome.stopped {
        return Err(Error::canceled());
    }
    let mut all = new();
    let found = outcome.states.into_iter().flat_map(|state| state.found);
    found.for_each(|(key, exchange)| all.add(key, exchange));
    if all.found.is_empty() {
        // What can be read is shown, also of a capture that cannot be read to its end.
        return Err(outcome.failures.into_iter().next().unwrap_or_else(|| choice.nothing_found()));
    }
    let mut found: Vec<_> = all.found.into_iter().collect();
    found.sort_by_key(|((_, _, place), _)| *place);
    Ok(found.into_iter().map(|(_, exchange)| exchange).collect())
}

/// The flows that a query means.
pub(super) enum FlowChoice {
    Id {
        id: String,
        decision: Box<Decision>,
    },
    Endpoint {
        /// The text of the query.
        name: String,
        filter: Filter,
        decision: Box<Decision>,
        ids: Vec<String>,
    },
}

impl FlowChoice {
    /// Reads the captures once, to decide the endpoints.
    pub(super) fn new(
        captures: &Captures,
        options: &Options,
        query: &ExchangeQuery,
        monitor: &dyn Monitor,
    ) -> Result<Self, Error> {
        let with_bodies = Options { bodies: true, ..options.clone() };
        let (patterns, outcome) = observe_for_templates(captures, &with_bodies, monitor)?;
        if outcome.stopped {
            return Err(Error::canceled());
        }
        let mut decision = with_bodies.decide(&patterns);
        let name = match query {
            ExchangeQuery::Id(id) => {
                return Ok(Self::Id { id: id.clone(), decision: Box::new(decision) });
            }
            ExchangeQuery::Endpoint { endpoint, .. } => endpoint,
        };
        let ids_in = |decision: &Decision| -> Vec<String> {
            let wanted = find_endpoints(&decision.report.patterns, &decision.routes, name);
            wanted.iter().map(|pattern| pattern.id.clone()).collect()
        };
        let mut ids = ids_in(&decision);
        if ids.is_empty() {
            // The name may be from a report that was decided without bodies.
            let alone = Options { bodies: false, ..options.clone() };
            let by_paths = alone.decide(&patterns);
            ids = ids_in(&by_paths);
            if ids.is_empty() {
                return Err(unknown_endpoint(name, &decision.report.patterns));
            }
            decision = by_paths;
        }
        let (name, filter) = (name.clone(), Filter::new(options));
        Ok(Self::Endpoint { name, filter, decision: Box::new(decision), ids })
    }

    /// The endpoint of a flow that is wanted, empty if it is not known. `None` if the flow is not wanted.
    pub(super) fn wanted(&self, flow: &Flow<'_>, offset: u64) -> Option<&str> {
        match self {
            Self::Id { id, decision } => {
                let mut record = RecordIdText::default();
                let known = flow.shown_id(&mut record);
                let is_place = || id.strip_prefix('@').is_some_and(|at| at == offset.to_string());
                let is_id = known == id.as_bytes();
                (is_id || is_place())
                    .then(|| decision.routes.label(flow).map_or("", |label| &*label.endpoint))
            }
            Self::Endpoint { filter, decision, ids, .. } => {
                let label = decision.routes.label(flow)?;
                let is_wanted = ids.contains(&label.id) && filter.skip_reason(flow).is_none();
                is_wanted.then_some(&*label.endpoint)
            }
        }
    }

    /// The error if no flow is wanted.
    pub(super) fn nothing_found(&self) -> Error {
        let what = match self {
            Self::Id { id, .. } => format!(
                "no flow has the id {id}; the sample_flow_ids of each endpoint are ids, and label writes that of each flow"
            ),
            Self::Endpoint { name, .. } => format!("no flow of {name} can be read"),
        };
        Error::usage(text::printable(what.as_bytes()))
    }
}

/// Whether it was answered otherwise than with 404, start in nanoseconds since the Unix epoch, and place.
type ExchangeAge = (bool, i64, CapturePosition);

/// The newest exchanges, by start and then by place; those that were answered with 404 are kept where there are too few others.
struct NewestExchanges {
    most: usize,
    found: BTreeMap<ExchangeAge, Exchange>,
}

impl NewestExchanges {
    /// Returns `true` if an exchange is newer than the oldest of those that are kept.
    fn wants(&self, age: ExchangeAge) -> bool {
        self.found.len() < self.most
            || self.found.first_key_value().is_some_and(|(oldest, _)| *oldest < age)
    }

    fn add(&mut self, age: ExchangeAge, exchange: Exchange) {
        self.found.insert(age, exchange);
        if self.found.len() > self.most {
            self.found.pop_first();
        }
    }
}

/// The error for a text that means no endpoint.
pub(crate) fn unknown_endpoint(endpoint: &str, patterns: &[Pattern]) -> Error {
    let similar = similar_endpoints(patterns, endpoint);
    let advice = if similar.is_empty() {
        "write it as analyze lists it, or give a path or a URL".to_owned()
    } else {
        format!("similar are {}", similar.join(", "))
    };
    let what = format!("there is no endpoint {endpoint}; {advice}");
    Error::usage(text::printable(what.as_bytes()))
}
