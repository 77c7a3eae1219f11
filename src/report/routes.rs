//! Lookup from a flow to its endpoint, by the decisions of the report.

use std::collections::BTreeMap;

use crate::flow::Flow;
use crate::flow::operation::operation_key;
use crate::limits;
use crate::patterns::endpoint::method_name;
use crate::patterns::{encoded_path, host_name, is_not_found, segments};
use crate::shape::path_shapes::RequestRoute;
use crate::template::decided::DecidedLiteral;
use crate::template::path_step::PathStep;
use crate::template::segment::{PLAIN_FRAME, Segment};
use crate::template::user_rules::fits_frame;
use crate::template::variable::VariableKey;

/// Lookup from flows to the endpoints of a report.
///
/// A lookup follows the same decisions as the report: every observed flow is assigned to the
/// endpoint that counts it. It can outlive the state that it was made from.
///
/// ```
/// use api_patterns::{Flow, Patterns};
///
/// let flow = Flow::new("GET", "https://api.example.com/users/42").unwrap();
/// let mut patterns = Patterns::new();
/// patterns.observe(&flow);
/// let (_, routes) = patterns.report_and_routes();
/// assert_eq!(routes.label(&flow).unwrap().endpoint, "GET /users/{user_id}");
/// ```
#[derive(Debug, Default)]
pub struct Routes {
    /// Index into `starts` for each host.
    hosts: BTreeMap<Box<[u8]>, usize>,
    other_hosts: Option<usize>,
    starts: Vec<RouteNode>,
    labels: Vec<Label>,
    /// True if endpoints were left out of the report.
    pub(crate) leave_out: bool,
}

/// The endpoint of a flow. All text is displayed as in the report, including masks.
///
/// ```
/// use api_patterns::{Flow, Patterns};
///
/// let flow = Flow::new("GET", "https://api.example.com/users/42").unwrap();
/// let mut patterns = Patterns::new();
/// patterns.observe(&flow);
/// let (_, routes) = patterns.report_and_routes();
/// let label = routes.label(&flow).unwrap();
/// assert_eq!((&*label.method, &*label.host), ("GET", "api.example.com"));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Label {
    /// Stable id of the endpoint: [`Pattern::id`](crate::Pattern::id).
    pub id: String,
    /// Method, path template and operation: [`Pattern::endpoint`](crate::Pattern::endpoint).
    pub endpoint: String,
    /// Path template: [`Pattern::path_pattern`](crate::Pattern::path_pattern).
    pub path_pattern: String,
    /// Method in upper case: [`Pattern::method`](crate::Pattern::method).
    pub method: String,
    /// Host: [`Pattern::host`](crate::Pattern::host).
    pub host: String,
}

/// One node of the lookup tree.
#[derive(Debug, Default)]
pub(crate) struct RouteNode {
    literals: BTreeMap<Box<[u8]>, LiteralRoute>,
    /// Children by slot: see [`Segment::slot`].
    variables: BTreeMap<Box<[u8]>, Self>,
    /// Children by slot for segments that only got 404 and do not fit the frame, as (frame, child).
    scans: BTreeMap<Box<[u8]>, (Box<[u8]>, Self)>,
    /// Children for parameters whose frame is given by a rule, as (frame, child).
    pinned: Vec<(Box<[u8]>, Self)>,
    /// Child that matches all remaining segments.
    rest: Option<Box<Self>>,
    /// Index into the labels by (method, operation).
    ends: BTreeMap<(Box<[u8]>, Box<[u8]>), usize>,
}

/// One step through the lookup tree.
#[derive(Clone, Copy)]
enum RouteStep<'s> {
    /// A segment.
    Text(&'s [u8]),
    /// Any value of a slot.
    Slot(&'s [u8]),
}

/// A literal child, and the kinds of responses that requests with this literal had. Requests with
/// the other kind of response were counted under a parameter, because a trie that exceeded its
/// bounds had folded the literal.
#[derive(Debug)]
struct LiteralRoute {
    route: RouteNode,
    answered: bool,
    not_found: bool,
}

impl Routes {
    /// Adds the lookup tree of one group of hosts. `None` is the rest of the trie, that is, hosts
    /// beyond its bound.
    pub(crate) fn add_hosts(&mut self, hosts: &[Option<&[u8]>], route: RouteNode) {
        for host in hosts {
            match host {
                Some(host) => drop(self.hosts.insert((*host).into(), self.starts.len())),
                None => self.other_hosts = Some(self.starts.len()),
            }
        }
        self.starts.push(route);
    }

    /// Adds a label and returns its index.
    pub(crate) fn add_label(&mut self, label: Label) -> usize {
        self.labels.push(label);
        self.labels.len() - 1
    }

    /// Index for an endpoint that was left out of the report.
    pub(crate) fn no_label(&mut self) -> usize {
        self.leave_out = true;
        usize::MAX
    }

    /// The endpoint of `flow`. Returns `None` if the flow is unlike every observed one, or if its
    /// endpoint was left out of the report.
    ///
    /// ```
    /// use api_patterns::{Flow, Patterns};
    ///
    /// let mut patterns = Patterns::new();
    /// patterns.observe(&Flow::new("GET", "https://api.example.com/users/42").unwrap());
    /// let (_, routes) = patterns.report_and_routes();
    /// let other_id = Flow::new("GET", "https://api.example.com/users/77").unwrap();
    /// assert_eq!(routes.label(&other_id).unwrap().path_pattern, "/users/{user_id}");
    /// assert!(routes.label(&Flow::new("GET", "https://elsewhere.example/").unwrap()).is_none());
    /// ```
    pub fn label(&self, flow: &Flow<'_>) -> Option<&Label> {
        self.labels.get(self.label_index(flow)?)
    }

    /// The index of the label of a flow; an index without a label for an endpoint that was left out.
    pub(crate) fn label_index(&self, flow: &Flow<'_>) -> Option<usize> {
        let path = encoded_path(flow);
        let steps = segments(&path).map(RouteStep::Text);
        let ends = (&*method_name(&flow.method), &*operation_key(flow));
        self.walk(&host_name(flow), steps, ends, is_not_found(flow))
    }

    /// The endpoint of all requests that a route stands for; `None` if they have none, or several as far as is known.
    pub(crate) fn label_of(&self, route: &RequestRoute) -> Option<&Label> {
        let steps = route.steps.iter().map(|step| match step {
            PathStep::Literal(text) => RouteStep::Text(text),
            PathStep::Value(slot) => RouteStep::Slot(slot),
        });
        let ends = (&*route.method, &*route.operation);
        self.labels.get(self.walk(&route.host, steps, ends, route.not_found)?)
    }

    fn walk<'s>(
        &self,
        host: &[u8],
        steps: impl Iterator<Item = RouteStep<'s>>,
        (method, operation): (&[u8], &[u8]),
        not_found: bool,
    ) -> Option<usize> {
        let host = self.hosts.get(host).copied().or(self.other_hosts)?;
        let mut route = self.starts.get(host)?;
        for (depth, step) in steps.enumerate() {
            if let (true, Some(rest)) = (
                depth + 1 >= limits::MAX_PATH_SEGMENTS || route.step(step, not_found).is_none(),
                &route.rest,
            ) {
                route = rest;
                break;
            }
            route = route.step(step, not_found)?;
        }
        let end_of =
            |method: &[u8], operation: &[u8]| route.ends.get(&(method.into(), operation.into()));
        let end = end_of(method, operation)
            .or_else(|| end_of(method, b""))
            .or_else(|| end_of(b"OTHER", b""))?;
        Some(*end)
    }
}

impl RouteNode {
    pub(crate) fn add_end(&mut self, (method, operation): (&[u8], &[u8]), label: usize) {
        self.ends.insert((method.into(), operation.into()), label);
    }

    pub(crate) fn add_literal(&mut self, literal: DecidedLiteral<'_>, route: Self) {
        let DecidedLiteral { text, answered, not_found } = literal;
        self.literals.insert(text.into(), LiteralRoute { route, answered, not_found });
    }

    pub(crate) fn add_variable(&mut self, key: &VariableKey, route: Self) {
        if key.rest {
            self.rest = Some(Box::new(route));
        } else if let Some(beside) = &key.beside {
            self.scans.insert((*key.slot).into(), (beside.clone(), route));
        } else if key.pinned {
            self.pinned.push(((*key.slot).into(), route));
        } else {
            self.variables.insert((*key.slot).into(), route);
        }
    }

    /// The child that a step leads to. `not_found` says whether the response was 404.
    fn step(&self, step: RouteStep<'_>, not_found: bool) -> Option<&Self> {
        let segment = match step {
            RouteStep::Text(segment) => segment,
            // A rule's parameter takes any value that has its frame around it.
            RouteStep::Slot(slot) => {
                if not_found && self.scans.contains_key(slot) {
                    return None;
                }
                let pinned = self.pinned.iter().find(|(frame, _)| fits_frame(frame, slot));
                return pinned
                    .map(|found| &found.1)
                    .or_else(|| self.variables.get(slot))
                    .or_else(|| self.variables.get(&*PLAIN_FRAME));
            }
        };
        let literal = self.literals.get(segment);
        let seen = |literal: &&LiteralRoute| {
            if not_found { literal.not_found } else { literal.answered }
        };
        if let Some(literal) = literal.filter(seen) {
            return Some(&literal.route);
        }
        let slot = Segment::parse(segment).slot();
        let pinned = || self.pinned.iter().find(|(frame, _)| fits_frame(frame, segment));
        let scan = || {
            let scan = self.scans.get(&*slot).filter(|_| not_found);
            scan.filter(|(frame, _)| !fits_frame(frame, segment))
        };
        pinned()
            .or_else(scan)
            .map(|found| &found.1)
            .or_else(|| self.variables.get(&*slot))
            .or_else(|| self.variables.get(&*PLAIN_FRAME))
            // A flow unlike every observed one.
            .or_else(|| literal.map(|literal| &literal.route))
    }
}
