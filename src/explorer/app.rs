//! The state of the explorer: the panes, what is chosen in each, and the question at the bottom of the screen.

use std::collections::BTreeSet;

use ratatui::layout::Rect;

use crate::engine::{Analysis, Change};
use crate::explorer::session::ExplorerSession;
use crate::explorer::tree_rows::{NodeKey, TreeRow, tree_rows};
use crate::math::format_thousands;
use crate::output::{OverviewOptions, format_count};
use crate::report::Pattern;
use crate::report::endpoint_class::EndpointClass;
use crate::report::overview::Overview;
use crate::report::party::Party;
use crate::report::selection::{EndpointOrder, Selection};

/// A pane of the screen; one has the keyboard focus.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pane {
    Tree,
    Table,
    Detail,
}

/// A question at the bottom of the screen, which people answer by typing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Question {
    /// A text that endpoints have.
    Search,
    /// The name of the parameter that segments become.
    MergeName,
    /// The new name of a parameter.
    NewName,
    /// The file for the rules.
    RulesFile,
    /// Whether to quit and lose corrections that are in no file.
    Quit,
}

/// A question, with the answer so far.
#[derive(Clone, Debug)]
pub(super) struct Prompt {
    pub(super) question: Question,
    pub(super) answer: String,
    /// The subject of the question, if the question itself does not name it.
    pub(super) about: String,
    /// The host and the segments that a correction will be about, whatever is chosen meanwhile.
    pub(super) place: Option<(String, Vec<String>)>,
}

/// A sentence at the bottom of the screen.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Note {
    pub(super) text: String,
    pub(super) is_error: bool,
}

/// Where the panes were drawn last, for the mouse and for keys that move by pages.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct PaneAreas {
    pub(super) tree: Rect,
    pub(super) table: Rect,
    pub(super) detail: Rect,
    /// First row of the tree and of the table that is drawn.
    pub(super) tree_start: usize,
    pub(super) table_start: usize,
    /// Number of lines of the detail.
    pub(super) detail_lines: usize,
}

/// Nodes of the first host up to which all of it is open at the beginning.
const MAX_OPEN_NODES: usize = 30;

/// The explorer: a session, and what is shown of it.
pub(crate) struct Explorer {
    pub(super) session: ExplorerSession,
    /// Whether colours are used.
    pub(super) is_colored: bool,
    /// The problems with the captures, one sentence each, from an analysis.
    problems_of: Box<dyn Fn(&Analysis) -> Vec<String>>,
    pub(super) pane: Pane,
    pub(super) node: NodeKey,
    /// The id of the endpoint that is chosen.
    pub(super) endpoint: String,
    /// Number of lines of the detail above what is shown.
    pub(super) scroll: usize,
    pub(super) search: String,
    pub(super) order: EndpointOrder,
    pub(super) class: Option<EndpointClass>,
    pub(super) prompt: Option<Prompt>,
    /// Number of lines of the help above what is shown; `None` if it is not shown.
    pub(super) help: Option<usize>,
    pub(super) note: Note,
    pub(super) open: BTreeSet<NodeKey>,
    pub(super) rows: Vec<TreeRow>,
    /// The endpoints of the table, as indices into the report.
    pub(super) table: Vec<usize>,
    pub(super) areas: PaneAreas,
}

impl Explorer {
    /// Begins with the endpoints of all hosts. `problems_of` gives sentences about the captures.
    pub(crate) fn new(
        session: ExplorerSession,
        is_colored: bool,
        problems_of: Box<dyn Fn(&Analysis) -> Vec<String>>,
    ) -> Self {
        let mut explorer = Self {
            session,
            is_colored,
            problems_of,
            pane: Pane::Tree,
            node: NodeKey::All,
            endpoint: String::new(),
            scroll: 0,
            search: String::new(),
            order: EndpointOrder::default(),
            class: None,
            prompt: None,
            help: None,
            note: Note::default(),
            open: BTreeSet::new(),
            rows: Vec::new(),
            table: Vec::new(),
            areas: PaneAreas::default(),
        };
        explorer.open_first_host();
        explorer.refresh();
        if let Some(row) = explorer.rows.get(1) {
            explorer.node = row.key.clone();
        }
        explorer.refresh();
        explorer
    }

    /// Opens the host that is shown first: as a whole if it is small, else its first two levels.
    fn open_first_host(&mut self) {
        let report = &self.session.analysis.report;
        let everything = tree_rows(report, &BTreeSet::new(), true, &|it| it.party == Party::First);
        let Some(NodeKey::Path(first, _)) = everything.get(1).map(|row| row.key.clone()) else {
            return;
        };
        let of_first = |key: &NodeKey| matches!(key, NodeKey::Path(host, _) if *host == first);
        let rows: Vec<&TreeRow> = everything.iter().filter(|row| of_first(&row.key)).collect();
        let is_small = rows.len() <= MAX_OPEN_NODES;
        let opened = rows.iter().filter(|row| is_small || row.depth < 2);
        self.open = opened.map(|row| row.key.clone()).collect();
    }

    /// True if an endpoint is among those that search and class select.
    fn wants(&self, pattern: &Pattern) -> bool {
        let text = (!self.search.is_empty()).then(|| self.search.clone());
        Selection { class: self.class, text, ..Selection::default() }.wants(pattern)
    }

    /// Makes rows and table from the report. What is chosen stays chosen, or the next best thing is.
    pub(super) fn refresh(&mut self) {
        let report = &self.session.analysis.report;
        let opens_all = !self.search.is_empty();
        self.rows = tree_rows(report, &self.open, opens_all, &|pattern| self.wants(pattern));
        while !self.rows.iter().any(|row| row.key == self.node) {
            let Some(parent) = self.node.parent(report) else { break };
            self.node = parent;
        }
        // As in every output, what is of the application comes first.
        let options = OverviewOptions { fold_third_parties: false, by_class: false };
        let overview = Overview::of(report, options);
        let mut shown: Vec<&Pattern> = overview
            .hosts
            .iter()
            .flat_map(|host| host.patterns.iter().copied())
            .filter(|pattern| self.node.holds(pattern) && self.wants(pattern))
            .collect();
        self.order.sort(&mut shown);
        if self.order == EndpointOrder::Requests {
            shown.sort_by_key(|pattern| (pattern.party, pattern.class));
        }
        let places: std::collections::BTreeMap<&str, usize> =
            report.patterns.iter().enumerate().map(|(at, it)| (&*it.id, at)).collect();
        self.table = shown.iter().filter_map(|it| places.get(&*it.id).copied()).collect();
        let is_there = self.table.iter().any(|at| report.patterns[*at].id == self.endpoint);
        if !is_there {
            let first = self.table.first().map(|at| report.patterns[*at].id.clone());
            self.endpoint = first.unwrap_or_default();
            self.scroll = 0;
        }
    }

    /// The endpoint that is chosen.
    pub(super) fn chosen(&self) -> Option<&Pattern> {
        self.session.analysis.report.patterns.iter().find(|it| it.id == self.endpoint)
    }

    /// The row of the tree that is chosen.
    pub(super) fn row(&self) -> usize {
        self.rows.iter().position(|row| row.key == self.node).unwrap_or(0)
    }

    /// The row of the table that is chosen.
    pub(super) fn table_row(&self) -> usize {
        let patterns = &self.session.analysis.report.patterns;
        self.table.iter().position(|at| patterns[*at].id == self.endpoint).unwrap_or(0)
    }

    /// The host and the segments that a correction is about: the node, or the path of the endpoint.
    pub(super) fn place(&self) -> Option<(String, Vec<String>)> {
        if self.pane == Pane::Tree {
            return match &self.node {
                NodeKey::Path(host, segments) => Some((host.clone(), segments.clone())),
                _ => None,
            };
        }
        let pattern = self.chosen()?;
        let segments = pattern.path_pattern.split('/').filter(|segment| !segment.is_empty());
        Some((pattern.host.clone(), segments.map(str::to_owned).collect()))
    }

    /// Asks a question, with an answer that people can take or change.
    pub(super) fn ask(&mut self, question: Question, answer: String) {
        let place = self.place();
        self.prompt = Some(Prompt { question, answer, about: String::new(), place });
    }

    pub(super) fn say(&mut self, text: impl Into<String>) {
        self.note = Note { text: text.into(), is_error: false };
    }

    pub(super) fn complain(&mut self, text: impl Into<String>) {
        self.note = Note { text: text.into(), is_error: true };
    }

    /// Takes over what was decided in the meantime and, if `is_due`, what was added to a capture that grows. True if there is
    /// something to draw.
    pub(crate) fn take_updates(&mut self, is_due: bool) -> bool {
        let mut is_changed = self.session.take_schemas();
        let change = if is_due { self.session.poll() } else { Ok(Change::Nothing) };
        match change {
            Ok(Change::Nothing) => {}
            Ok(change) => {
                is_changed = true;
                if change == Change::Restarted {
                    self.complain(
                        "the capture was cut off or replaced, and was read from its start",
                    );
                }
                if self.open.is_empty() {
                    self.open_first_host();
                }
            }
            Err(error) => {
                self.complain(error.to_string());
                is_changed = true;
            }
        }
        if is_changed {
            self.refresh();
        }
        is_changed
    }

    /// The problems with the captures, one sentence each.
    pub(super) fn problems(&self) -> Vec<String> {
        (self.problems_of)(&self.session.analysis)
    }

    /// Numbers of what is shown, for the top of the screen.
    pub(super) fn totals(&self) -> String {
        let totals = &self.session.analysis.report.totals;
        let left_out = totals.flows - totals.used;
        let left_out = match left_out {
            0 => String::new(),
            count => format!(" ({} left out)", format_thousands(count)),
        };
        format!(
            "{}{left_out}, {}, {}",
            format_count(totals.used, "flow"),
            format_count(totals.hosts, "host"),
            format_count(totals.patterns, "endpoint")
        )
    }

    /// The session, when the exploration is over.
    pub(crate) fn into_session(self) -> ExplorerSession {
        self.session
    }
}
