//! Labels each flow with its endpoint: a first pass finds the endpoints, a second pass assigns the
//! flows.

use std::borrow::Cow;
use std::io::{self, Write};
use std::sync::{Mutex, PoisonError};

use serde::Serialize;
use serde_json::Value;

use crate::capture::batch::{Batch, KeepGoing};
use crate::capture::{Bodies, CaptureItem, Captures, decode};
use crate::engine::analysis::{Analysis, observe_for_templates};
use crate::engine::batch_queue::locked;
use crate::engine::filter::Filter;
use crate::engine::fold::{CapturePosition, collect};
use crate::engine::options::{LabelField, Options};
use crate::engine::progress::Monitor;
use crate::engine::reorder_buffer::ReorderBuffer;
use crate::engine::run::run_batches;
use crate::engine::top_flows::NewestFlows;
use crate::error::Error;
use crate::flow::{Flow, RecordIdText, text};
use crate::patterns::endpoint::method_name;
use crate::patterns::endpoint::times::rfc3339;
use crate::patterns::host_name;
use crate::report::exchange::{Secrets, target_of};
use crate::report::masked;
use crate::report::routes::{Label, Routes};

#[derive(Serialize)]
struct LabelLine<'a> {
    id: &'a str,
    method: &'a str,
    host: &'a str,
    endpoint: Option<&'a str>,
    path_pattern: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    source: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    offset: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    time: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    path: Option<String>,
}

/// Writer of the lines of flows.
struct LineWriter<'a> {
    captures: &'a Captures,
    routes: &'a Routes,
    fields: &'a [LabelField],
}

/// Reads captures and writes one JSON object per line for every flow that was used, in input order,
/// with its `id`, `method`, `host`, `endpoint` and `path_pattern`. Returns the analysis that
/// [`analyze`](crate::analyze) returns.
///
/// Captures are read twice. Pipes are copied to temporary files first.
///
/// ```
/// use api_patterns::{Captures, InputFormat, Options, label};
///
/// let captures = Captures::open(&["fixtures/demo.mitm"], InputFormat::Detect)?;
/// let mut out: Vec<u8> = Vec::new();
/// let analysis = label(&captures, &Options::default(), &(), &mut out)?;
/// assert_eq!(analysis.report.totals.used, 65);
/// assert_eq!(String::from_utf8(out).unwrap().lines().count(), 65);
/// # Ok::<(), api_patterns::Error>(())
/// ```
///
/// # Errors
///
/// Fails as [`analyze`](crate::analyze) does, and if `out` cannot be written to.
pub fn label(
    captures: &Captures,
    options: &Options,
    monitor: &dyn Monitor,
    out: &mut (dyn Write + Send),
) -> Result<Analysis, Error> {
    captures.require_flows()?;
    let failed = |error| Error::io("the output", "write", error);
    let mut numbered = NumberedLines { out, next: 0 };
    let out: &mut (dyn Write + Send) = if options.label_fields.contains(&LabelField::Index) {
        &mut numbered
    } else {
        numbered.out
    };
    // With a limit, the selected flows are held in memory.
    if let Some(limit) = options.limit {
        let (newest, outcome) = collect(captures, options, monitor, || NewestFlows::new(limit))?;
        let (flows, mut patterns) = newest.into_flows();
        flows.iter().for_each(|(_, flow)| flow.with(|flow| patterns.observe(flow)));
        let decision = options.decide(&patterns);
        let mut text = Vec::new();
        let routes = &decision.routes;
        let lines = LineWriter { captures, routes, fields: &options.label_fields };
        for (place, flow) in &flows {
            flow.with(|flow| lines.write(&mut text, flow, *place));
            out.write_all(&text).map_err(failed)?;
            text.clear();
        }
        return Ok(Analysis::new(decision, patterns.skips, outcome));
    }
    captures.spool()?;
    let (patterns, outcome) = observe_for_templates(captures, options, monitor)?;
    let decision = options.decide(&patterns);
    let filter = Filter::new(options);
    let lines = LineWriter { captures, routes: &decision.routes, fields: &options.label_fields };
    let sequence = Mutex::new(ReorderBuffer::new(out));
    let visit = |(): &mut (), batch: &Batch, goes_on: KeepGoing<'_>, _: &mut u64| {
        let mut text = Vec::new();
        decode(
            &captures.sources[batch.source],
            batch,
            Bodies::Skip,
            goes_on,
            &mut |offset, found: CaptureItem<'_>| {
                if let Ok(flow) = filter.check(&found) {
                    lines.write(&mut text, flow, (batch.source, offset));
                }
            },
        );
        locked(&sequence).put(batch.sequence, text);
    };
    let keep_on = |_: &_| !locked(&sequence).has_failed();
    run_batches(captures, options, &keep_on, || (), visit)?;
    sequence.into_inner().unwrap_or_else(PoisonError::into_inner).finish().map_err(failed)?;
    Ok(Analysis::new(decision, patterns.skips, outcome))
}

impl LineWriter<'_> {
    fn write(&self, out: &mut Vec<u8>, flow: &Flow<'_>, (source, offset): CapturePosition) {
        let label = self.routes.label(flow);
        if label.is_none() && self.routes.leave_out {
            return;
        }
        let mut record = RecordIdText::default();
        let id = flow.shown_id(&mut record);
        let (id, method, host) = (masked::flow_id(id), method_name(&flow.method), host_name(flow));
        let host = text::printable(&host);
        // If the label has a group of hosts, show the host of the flow.
        let is_own = |label: &&Label| !label.host.contains('{');
        let shown = label.filter(is_own).map(|label| Cow::Borrowed(&*label.host));
        let name = text::printable(self.captures.sources[source].name.as_bytes());
        let has = |field| self.fields.contains(&field);
        let status = || flow.response.as_ref().map(|response| response.status);
        let line = LabelLine {
            id: &id,
            method: &label
                .map_or_else(|| masked::word(&method, 1), |label| Cow::Borrowed(&*label.method)),
            host: &shown.unwrap_or_else(|| masked::host(&host, 1)),
            endpoint: label.map(|label| &*label.endpoint),
            path_pattern: label.map(|label| &*label.path_pattern),
            source: has(LabelField::Source).then_some(&*name),
            offset: has(LabelField::Offset).then_some(offset),
            time: has(LabelField::Time).then(|| flow.started.and_then(rfc3339).into()),
            status: has(LabelField::Status).then(|| status().filter(|status| *status > 0).into()),
            path: has(LabelField::Path).then(|| target_of(flow, Secrets::Masked)),
        };
        // Writing plain text into memory does not fail.
        serde_json::to_writer(&mut *out, &line).unwrap_or_default();
        out.push(b'\n');
    }
}

/// Writer that numbers the JSON objects that pass through it, one per line.
struct NumberedLines<'a> {
    out: &'a mut (dyn Write + Send),
    next: u64,
}

impl Write for NumberedLines<'_> {
    /// Writes whole lines.
    fn write(&mut self, lines: &[u8]) -> io::Result<usize> {
        for line in lines.split_inclusive(|byte| *byte == b'\n') {
            write!(self.out, "{{\"index\":{},", self.next)?;
            self.out.write_all(&line[1..])?;
            self.next += 1;
        }
        Ok(lines.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}
