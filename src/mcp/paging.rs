//! Limits an answer to its byte budget. Answers are cut only between endpoints, and state that they are cut.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::engine::Snapshot;
use crate::limits;
use crate::mcp::answer::{Count, EndpointAnswer, EndpointRow, PatternsAnswer, TotalsRow};
use crate::mcp::arguments::{AnswerFormat, Detail, PatternsArguments};
use crate::mcp::compact::compact_answer;
use crate::mcp::messages;
use crate::report::Pattern;
use crate::report::branches::branches;
use crate::report::decision::Explanation;
use crate::schema::outline::outline;

/// Divisor: the tree takes at most one part in `TREE_SHARE` of the budget.
const TREE_SHARE: usize = 3;

/// Estimated size of a branch of the tree, in bytes of JSON.
const BRANCH_BYTES: usize = 110;

/// Builds the page of an answer that begins at endpoint number `start`. Returns `None` if there are not so many
/// endpoints.
pub(super) fn patterns_answer(
    view: &Snapshot,
    arguments: &PatternsArguments,
    start: usize,
    cursor_at: impl Fn(usize) -> String,
) -> Option<PatternsAnswer> {
    let mut selection = arguments.selection();
    if view.is_narrowed {
        selection.domain = None;
    }
    let mut selected = arguments.selected(&selection, &view.report.patterns);
    let names_hosts_once = matches!(arguments.detail, Detail::Summary | Detail::Standard);
    if arguments.format == AnswerFormat::Text || names_hosts_once {
        keep_hosts_together(&mut selected);
    }
    let budget = usize::try_from(arguments.max_bytes).unwrap_or(limits::DEFAULT_ANSWER_BYTES);
    let mut answer = PatternsAnswer {
        version: 1,
        detail: arguments.detail,
        totals: TotalsRow::new(&view.report.totals, view.readable, view.problems.len()),
        matched: count(&selected),
        returned: Count::default(),
        truncated: false,
        next_cursor: None,
        advice: messages::advice(view, selected.len()),
        tree: Vec::new(),
        patterns: Vec::new(),
        result: None,
    };
    // A name that is the only one of a narrowed view may not be the only one of all.
    let all = if view.is_narrowed { &[][..] } else { &view.report.patterns };
    let mut names = BTreeMap::new();
    for pattern in all {
        *names.entry(&*pattern.endpoint).or_default() += 1;
    }
    if arguments.format == AnswerFormat::Text {
        return compact_answer(&selected, answer, (start, budget), &names, cursor_at);
    }
    // A cursor always points to an endpoint that is left.
    if start > 0 && start >= selected.len() {
        return None;
    }
    let rest = selected.get(start..).unwrap_or_default();
    // Everything may fit on one page; then neither a tree nor a cursor is needed.
    let room = budget.saturating_sub(bytes_of(&answer));
    let rows = rows_within(rest, arguments, room, &names);
    if rows.len() == rest.len() {
        answer.returned = count(rest);
        answer.patterns = rows;
        return Some(answer);
    }
    if start == 0 {
        let most = (budget / TREE_SHARE / BRANCH_BYTES).max(1);
        answer.tree = branches(&selected, most).into_iter().map(Into::into).collect();
        while bytes_of(&answer.tree) > budget / TREE_SHARE && answer.tree.len() > 1 {
            let fewer = answer.tree.len() * 3 / 4;
            answer.tree = branches(&selected, fewer).into_iter().map(Into::into).collect();
        }
        // One row leads nowhere.
        if bytes_of(&answer.tree) > budget / TREE_SHARE || answer.tree.len() < 2 {
            answer.tree.clear();
        }
    }
    // Measure the answer with its longest possible cursor and counts, so that the final ones fit.
    answer.advice.push(messages::GO_ON.to_owned());
    answer.truncated = true;
    answer.next_cursor = Some(cursor_at(usize::MAX));
    answer.returned = answer.matched;
    let room = budget.saturating_sub(bytes_of(&answer));
    answer.patterns = rows_within(rest, arguments, room, &names);
    let taken = answer.patterns.len();
    answer.returned = count(&rest[..taken]);
    if taken == rest.len() {
        answer.advice.pop();
        answer.truncated = false;
        answer.next_cursor = None;
    } else {
        answer.next_cursor = Some(cursor_at(start + taken));
    }
    Some(answer)
}

/// Sorts endpoints so that each host is named once: hosts in the order in which they come first.
fn keep_hosts_together(selected: &mut [&Pattern]) {
    let mut order = BTreeMap::new();
    for pattern in selected.iter() {
        let next = order.len();
        order.entry(&*pattern.host).or_insert(next);
    }
    selected.sort_by_key(|pattern| order[&*pattern.host]);
}

/// Builds rows for as many endpoints as fit into `room` bytes, and at least one. If the first does not fit, its row has
/// less detail. `names` counts the endpoints with each name.
fn rows_within(
    patterns: &[&Pattern],
    arguments: &PatternsArguments,
    room: usize,
    names: &BTreeMap<&str, u32>,
) -> Vec<EndpointRow> {
    let detail = arguments.detail;
    let mut rows = Vec::new();
    let mut used = 0;
    let mut host_above = None;
    for pattern in patterns {
        let row = EndpointRow::new(pattern, detail, false).with_sort_key(pattern, arguments.sort);
        let row = row.without_repetition(pattern, detail, names, host_above);
        host_above = Some(&*pattern.host);
        let bytes = bytes_of(&row) + 1;
        if used + bytes > room {
            if rows.is_empty() {
                let standard = EndpointRow::new(pattern, Detail::Standard, true);
                let fits = detail == Detail::Full && bytes_of(&standard) < room;
                rows.push(if fits {
                    standard
                } else {
                    EndpointRow::new(pattern, Detail::Summary, true)
                });
            }
            break;
        }
        used += bytes;
        rows.push(row);
    }
    rows
}

/// Builds the answer about one endpoint. Its lists are halved until the answer fits.
pub(super) fn endpoint_answer(
    explanation: &Explanation,
    schemas: Option<&serde_json::Value>,
    max_bytes: usize,
) -> EndpointAnswer {
    // The lists leave a quarter for the schemas.
    let mut answer = without_schemas(explanation, max_bytes / 4 * 3);
    if let Some(schemas) = schemas {
        let room = max_bytes.saturating_sub(bytes_of(&answer) + messages::SCHEMA_CUT.len() + 64);
        let (schemas, is_cut) = outline(schemas, room);
        answer.schemas = schemas.as_object().cloned().unwrap_or_default();
        answer.advice.extend(is_cut.then_some(messages::SCHEMA_CUT));
    }
    answer
}

/// The answer with lists cut until it has at most so many bytes.
fn without_schemas(explanation: &Explanation, max_bytes: usize) -> EndpointAnswer {
    let whole = EndpointAnswer {
        version: 1,
        pattern: EndpointRow::new(&explanation.pattern, Detail::Full, false),
        near_misses: explanation.near_misses.iter().map(Into::into).collect(),
        omitted: BTreeMap::new(),
        schemas: serde_json::Map::new(),
        advice: Vec::new(),
    };
    let mut most = 256;
    loop {
        let mut answer = whole.clone();
        let mut omit = |name, length: usize| {
            if length > most {
                answer.omitted.insert(name, (length - most) as u64);
            }
        };
        omit("parameters", answer.pattern.parameters.len());
        omit("status_codes", answer.pattern.status_codes.len());
        omit("media_types", answer.pattern.media_types.len());
        omit("near_misses", answer.near_misses.len());
        answer.pattern.parameters.truncate(most);
        answer.pattern.status_codes.truncate(most);
        answer.pattern.media_types =
            std::mem::take(&mut answer.pattern.media_types).into_iter().take(most).collect();
        answer.near_misses.truncate(most);
        if most <= 1 || bytes_of(&answer) <= max_bytes {
            return answer;
        }
        most /= 2;
    }
}

fn count(patterns: &[&Pattern]) -> Count {
    Count {
        patterns: patterns.len() as u64,
        requests: patterns.iter().map(|pattern| pattern.request_count).sum(),
    }
}

/// Returns the length of a value as JSON, in bytes.
fn bytes_of<T: Serialize>(value: &T) -> usize {
    // Serializing plain data into memory cannot fail.
    serde_json::to_vec(value).map_or(0, |bytes| bytes.len())
}
