//! Implementation of the tools, from arguments to answer. Authorization is in `authorization`.

mod definitions;
mod page_cursor;
mod tool_answer;

use std::collections::BTreeSet;
use std::fs::File;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use serde::Serialize;
use serde_json::{Map, Value};

use crate::capture::InputFormat;
use crate::engine::{LiveCaptures, Monitor, Options, Scope, Snapshot};
use crate::error::Error;
use crate::flow::text;
use crate::limits;
use crate::mcp::answer::{Count, PatternsAnswer, TotalsRow};
use crate::mcp::arguments::{Detail, EndpointArguments, PatternsArguments, parse};
use crate::mcp::questions::{
    AuthQuestion, CompareQuestion, ExplainQuestion, OpenApiQuestion, SampleQuestion,
    SchemaQuestion, SearchQuestion, auth_answer, compare_answer, explain_answer, no_endpoint,
    openapi_answer, sample_answer, schema_answer, search_answer,
};
pub(crate) use crate::mcp::tools::definitions::NAMES;
pub(super) use crate::mcp::tools::definitions::definitions;
use crate::mcp::tools::definitions::{
    COMPARE_CAPTURES, EXPLAIN_URL, GET_API_PATTERNS, GET_AUTH, GET_OPENAPI, GET_SAMPLE, GET_SCHEMA,
    SEARCH_ENDPOINTS,
};
use crate::mcp::tools::page_cursor::PageCursor;
pub(super) use crate::mcp::tools::tool_answer::Answer;
use crate::mcp::{messages, paging};
use crate::report::{Pattern, Totals};
use crate::schema::Schemas;
use crate::sketch::stable_hash;

/// The tool that answers a call in the words of mitmproxy-mcp, and the arguments of it that are taken. The policy of the tool
/// applies.
pub(super) fn translate_call(
    name: &str,
    arguments: Option<&Map<String, Value>>,
) -> Option<(&'static str, Map<String, Value>)> {
    let tool = match name {
        "export_openapi_spec" => GET_OPENAPI,
        "detect_auth_pattern" => GET_AUTH,
        _ => return None,
    };
    let mut taken = Map::new();
    if let Some(domain) = arguments.and_then(|arguments| arguments.get("domain")) {
        taken.insert("domain".to_owned(), domain.clone());
    }
    Some((tool, taken))
}

/// The captures, and a cache of answers about them.
pub(super) struct ToolHandler {
    views: LiveCaptures,
    /// Cached answers by (fingerprint of the view, question), oldest first. A changed view has another fingerprint.
    answers: Mutex<Vec<((u64, String), Answer)>>,
    /// Passes a message on to the operator.
    complain: Box<dyn Fn(&str) + Send + Sync>,
    reported_problems: Mutex<ReportedProblems>,
    /// The captures that the operator named.
    paths: Vec<PathBuf>,
    format: InputFormat,
    options: Options,
}

/// Problems that were reported to the operator last.
#[derive(Default)]
struct ReportedProblems {
    /// Sequence number of the view that had these problems.
    sequence: u64,
    problems: BTreeSet<String>,
}

impl ToolHandler {
    pub(super) fn new(
        paths: Vec<PathBuf>,
        format: InputFormat,
        options: Options,
        complain: Box<dyn Fn(&str) + Send + Sync>,
    ) -> Self {
        Self {
            views: LiveCaptures::new(paths.clone(), format, options.clone()),
            paths,
            format,
            options,
            answers: Mutex::default(),
            complain,
            reported_problems: Mutex::default(),
        }
    }

    /// Reads the captures, so that the first question does not wait for it.
    pub(super) fn read_ahead(&self, monitor: &dyn Monitor) {
        // An error occurs again at the first question, and is reported then.
        drop(self.view(&Scope::default(), monitor));
    }

    /// Returns `true` if the file is one of the captures.
    pub(super) fn has_capture(&self, file: &File) -> bool {
        self.views.has_file(file)
    }

    /// Reports problems with the captures to the operator, each once for as long as it persists.
    fn report_problems(&self, view: &Snapshot) {
        let problems: BTreeSet<String> = view.problems.iter().map(ToString::to_string).collect();
        let mut told = self.reported_problems.lock().unwrap_or_else(PoisonError::into_inner);
        // A slow call may carry a view older than one that was reported already.
        if view.sequence >= told.sequence {
            problems.difference(&told.problems).for_each(|problem| (self.complain)(problem));
            *told = ReportedProblems { sequence: view.sequence, problems };
        }
    }

    /// Answers one call.
    pub(super) fn call(
        &self,
        name: &str,
        arguments: Option<Map<String, Value>>,
        monitor: &dyn Monitor,
    ) -> Answer {
        let answer = match name {
            GET_API_PATTERNS => {
                parse(arguments).and_then(|arguments| self.get_api_patterns(&arguments, monitor))
            }
            GET_SCHEMA => {
                parse(arguments).and_then(|arguments| self.get_schema(&arguments, monitor))
            }
            GET_OPENAPI => {
                parse(arguments).and_then(|question| self.get_openapi(&question, monitor))
            }
            GET_AUTH => parse(arguments).and_then(|question| self.get_auth(&question, monitor)),
            COMPARE_CAPTURES => {
                parse(arguments).and_then(|question| self.compare_captures(&question, monitor))
            }
            EXPLAIN_URL => {
                parse(arguments).and_then(|question| self.explain_url(&question, monitor))
            }
            SEARCH_ENDPOINTS => {
                parse(arguments).and_then(|question| self.search_endpoints(&question, monitor))
            }
            GET_SAMPLE => parse(arguments).and_then(|question| self.get_sample(&question, monitor)),
            _ => parse(arguments).and_then(|arguments| self.get_endpoint(&arguments, monitor)),
        };
        answer.unwrap_or_else(Answer::error)
    }

    /// Returns the effective arguments of a call as JSON, without defaults, or a sentence that says what is wrong with
    /// them.
    pub(super) fn effective_arguments(
        name: &str,
        arguments: Option<Map<String, Value>>,
    ) -> Result<String, String> {
        macro_rules! written {
            ($arguments:ty) => {{
                let arguments: $arguments = parse(arguments)?;
                arguments.check()?;
                (serde_json::to_value(arguments), serde_json::to_value(<$arguments>::default()))
            }};
        }
        let (used, unasked) = match name {
            GET_API_PATTERNS => written!(PatternsArguments),
            GET_SCHEMA => written!(SchemaQuestion),
            GET_OPENAPI => written!(OpenApiQuestion),
            GET_AUTH => written!(AuthQuestion),
            COMPARE_CAPTURES => written!(CompareQuestion),
            EXPLAIN_URL => written!(ExplainQuestion),
            SEARCH_ENDPOINTS => written!(SearchQuestion),
            GET_SAMPLE => written!(SampleQuestion),
            _ => written!(EndpointArguments),
        };
        let (mut used, unasked) = (used.unwrap_or_default(), unasked.unwrap_or_default());
        if let Some(used) = used.as_object_mut() {
            used.retain(|name, value| unasked.get(name) != Some(value));
        }
        Ok(text::printable(used.to_string().as_bytes()).into_owned())
    }

    /// Returns the cached answer to a question if no capture changed since. Fast enough for the thread that serves the
    /// protocol.
    pub(super) fn cached_answer(
        &self,
        name: &str,
        arguments: Option<&Map<String, Value>>,
    ) -> Option<Answer> {
        if name != GET_API_PATTERNS {
            return None;
        }
        let arguments: PatternsArguments = parse(arguments.cloned()).ok()?;
        let is_plain = arguments.detail != Detail::Compat && arguments.cursor.is_empty();
        if !is_plain || arguments.check().is_err() {
            return None;
        }
        let view = self.views.cached_view(&arguments.scope())?;
        let key = (view.fingerprint, format!("{}0", question_of(&arguments)));
        self.get_or_create_answer(key, || None)
    }

    fn get_api_patterns(
        &self,
        arguments: &PatternsArguments,
        monitor: &dyn Monitor,
    ) -> Result<Answer, String> {
        arguments.check()?;
        if arguments.detail == Detail::Compat {
            return self.compat(arguments, monitor);
        }
        let question =
            question_of(&PatternsArguments { cursor: String::new(), ..arguments.clone() });
        let (view, start) = if arguments.cursor.is_empty() {
            (self.view(&arguments.scope(), monitor)?, 0)
        } else {
            let cursor = PageCursor::parse(&arguments.cursor)
                .filter(|cursor| cursor.question == hash_of(&question));
            let cursor = cursor.ok_or(messages::STALE_CURSOR)?;
            let view = match self.views.view_by_fingerprint(cursor.view) {
                Some(view) => view,
                // Another process may have issued the cursor; equal captures give equal fingerprints.
                None => self.view(&arguments.scope(), monitor)?,
            };
            if view.fingerprint != cursor.view {
                return Err(messages::STALE_CURSOR.to_owned());
            }
            (view, cursor.start)
        };
        let key = (view.fingerprint, format!("{question}{start}"));
        Ok(self
            .get_or_create_answer(key, || {
                let cursor_at = |start| {
                    PageCursor { view: view.fingerprint, question: hash_of(&question), start }
                        .to_string()
                };
                let answer = paging::patterns_answer(&view, arguments, start, cursor_at)?;
                // The text stands for the whole answer.
                Some(match &answer.result {
                    Some(text) => Answer::of_text(
                        text.clone(),
                        serde_json::to_value(&answer).expect("plain data in memory is serialized"),
                    ),
                    None => Answer::new(&answer),
                })
            })
            .unwrap_or_else(|| Answer::error(messages::STALE_CURSOR)))
    }

    fn compat(
        &self,
        arguments: &PatternsArguments,
        monitor: &dyn Monitor,
    ) -> Result<Answer, String> {
        let domain = Some(&*arguments.domain).filter(|domain| !domain.is_empty());
        let view = self.view(&Scope::default(), monitor)?;
        let answer = self
            .views
            .compat_answer(domain, arguments.limit, monitor)
            .map_err(|error| in_words(&error))?;
        let count = Count { patterns: answer.patterns, requests: answer.flows };
        let skipped = answer
            .skips
            .iter()
            .map(|(reason, count, _)| (reason.name().to_owned(), count))
            .collect();
        let totals = Totals {
            flows: answer.flows + answer.skips.total(),
            used: answer.flows,
            skipped,
            hosts: 0,
            patterns: count.patterns,
            not_told_apart: 0,
            not_selected: 0,
        };
        let structured = PatternsAnswer {
            version: 1,
            detail: Detail::Compat,
            totals: TotalsRow::new(&totals, view.readable, view.problems.len()),
            matched: count,
            returned: count,
            truncated: false,
            next_cursor: None,
            advice: Vec::new(),
            tree: Vec::new(),
            patterns: Vec::new(),
            result: Some(answer.text.clone()),
        };
        Ok(Answer::of_text(
            answer.text,
            serde_json::to_value(structured).expect("plain data in memory is serialized"),
        ))
    }

    fn get_endpoint(
        &self,
        arguments: &EndpointArguments,
        monitor: &dyn Monitor,
    ) -> Result<Answer, String> {
        arguments.check()?;
        let view = self.view(&arguments.scope(), monitor)?;
        let (_, schemas) = self.views.schemas(monitor).map_err(|error| in_words(&error))?;
        let key = (view.fingerprint, question_of(arguments));
        let answer = self.get_or_create_answer(key, || {
            let mut explanation = self.views.explain(&view, &arguments.id)?;
            schemas.link(&mut explanation.pattern);
            let schemas = schemas.endpoint(&explanation.pattern.id);
            let max_bytes = usize::try_from(arguments.max_bytes).unwrap_or(usize::MAX);
            let answer = paging::endpoint_answer(&explanation, schemas.as_ref(), max_bytes);
            Some(Answer::new(&answer))
        });
        answer.ok_or_else(|| no_endpoint(&view.report.patterns, &arguments.id))
    }

    /// The endpoint that an id, a name, a path or a URL means; the first if it means several.
    fn endpoint(&self, view: &Snapshot, text: &str) -> Result<Pattern, String> {
        if let Some(pattern) = view.report.patterns.iter().find(|pattern| pattern.id == text) {
            return Ok(pattern.clone());
        }
        let found = self.views.explain(view, text).map(|explanation| explanation.pattern);
        found.ok_or_else(|| no_endpoint(&view.report.patterns, text))
    }

    fn get_schema(
        &self,
        arguments: &SchemaQuestion,
        monitor: &dyn Monitor,
    ) -> Result<Answer, String> {
        arguments.check()?;
        let (view, schemas) = self.view_with_schemas(monitor)?;
        let pattern = self.endpoint(&view, &arguments.id)?;
        let mut refused = messages::NO_SCHEMA;
        let key = (view.fingerprint, question_of(arguments));
        let answer =
            self.get_or_create_answer(key, || match schema_answer(&pattern, &schemas, arguments) {
                Ok(answer) => Some(Answer::new(&answer)),
                Err(why) => {
                    refused = why;
                    None
                }
            });
        answer.ok_or_else(|| refused.to_owned())
    }

    fn get_openapi(
        &self,
        question: &OpenApiQuestion,
        monitor: &dyn Monitor,
    ) -> Result<Answer, String> {
        question.check()?;
        let (view, schemas) = self.view_with_schemas(monitor)?;
        let mut question = question.clone();
        if !question.id.is_empty() {
            question.id = self.endpoint(&view, &question.id)?.id;
        }
        let question = &question;
        let mut refused = None;
        let key = (view.fingerprint, format!("openapi {}", question_of(question)));
        let answer =
            self.get_or_create_answer(key, || match openapi_answer(&view, &schemas, question) {
                Ok(answer) => Some(Answer::new(&answer)),
                Err(why) => {
                    refused = Some(why);
                    None
                }
            });
        answer.ok_or_else(|| refused.unwrap_or_else(|| messages::FAILED.to_owned()))
    }

    fn get_auth(&self, question: &AuthQuestion, monitor: &dyn Monitor) -> Result<Answer, String> {
        question.check()?;
        let (view, schemas) = self.view_with_schemas(monitor)?;
        Ok(Answer::new(&auth_answer(&view, &schemas, question)))
    }

    fn compare_captures(
        &self,
        question: &CompareQuestion,
        monitor: &dyn Monitor,
    ) -> Result<Answer, String> {
        question.check()?;
        let answer = compare_answer(&self.paths, &self.options, question, monitor)?;
        Ok(Answer::new(&answer))
    }

    fn explain_url(
        &self,
        question: &ExplainQuestion,
        monitor: &dyn Monitor,
    ) -> Result<Answer, String> {
        question.check()?;
        let view = self.view(&Scope::default(), monitor)?;
        let key = (view.fingerprint, format!("explain {}", question_of(question)));
        let answer = self.get_or_create_answer(key, || {
            Some(Answer::new(&explain_answer(&self.views, &view, question)))
        });
        answer.ok_or_else(|| messages::FAILED.to_owned())
    }

    fn search_endpoints(
        &self,
        question: &SearchQuestion,
        monitor: &dyn Monitor,
    ) -> Result<Answer, String> {
        question.check()?;
        let (view, schemas) = self.view_with_schemas(monitor)?;
        Ok(Answer::new(&search_answer(&view, &schemas, question)))
    }

    fn get_sample(
        &self,
        question: &SampleQuestion,
        monitor: &dyn Monitor,
    ) -> Result<Answer, String> {
        question.check()?;
        let answer = sample_answer(&self.paths, self.format, &self.options, question, monitor)?;
        Ok(Answer::new(&answer))
    }

    /// The current view with the schemas of its endpoints.
    fn view_with_schemas(
        &self,
        monitor: &dyn Monitor,
    ) -> Result<(Arc<Snapshot>, Arc<Schemas>), String> {
        let (view, schemas) = self.views.schemas(monitor).map_err(|error| in_words(&error))?;
        self.report_problems(&view);
        if view.readable == 0 {
            Err(messages::no_capture(&self.paths).to_owned())
        } else {
            Ok((view, schemas))
        }
    }

    fn view(&self, scope: &Scope, monitor: &dyn Monitor) -> Result<Arc<Snapshot>, String> {
        let view = self.views.view(scope, monitor).map_err(|error| in_words(&error))?;
        self.report_problems(&view);
        if view.readable == 0 {
            Err(messages::no_capture(&self.paths).to_owned())
        } else {
            Ok(view)
        }
    }

    /// Returns the cached answer for `key`, or creates and caches one.
    fn get_or_create_answer(
        &self,
        key: (u64, String),
        new: impl FnOnce() -> Option<Answer>,
    ) -> Option<Answer> {
        let answers = || self.answers.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, answer)) = answers().iter().find(|(known, _)| *known == key) {
            return Some(answer.clone());
        }
        let answer = new()?;
        let mut known = answers();
        known.push((key, answer.clone()));
        if known.len() > limits::MAX_CACHED_ANSWERS {
            known.remove(0);
        }
        Some(answer)
    }
}

fn question_of<T: Serialize>(arguments: &T) -> String {
    serde_json::to_string(arguments).expect("plain data in memory is serialized")
}

fn hash_of(question: &str) -> u64 {
    stable_hash(question.as_bytes()) >> 32
}

/// Returns the message about an error for the agent. The error of a flow quotes captured text, so it is replaced.
fn in_words(error: &Error) -> String {
    if error.is_flow() {
        messages::NO_COMPAT.to_owned()
    } else if error.is_usage() {
        error.to_string()
    } else {
        messages::FAILED.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_view_that_comes_late_does_not_repeat_a_problem() {
        let folder = tempfile::tempdir().unwrap();
        let (first, second) = (folder.path().join("a.jsonl"), folder.path().join("b.jsonl"));
        for path in [&first, &second] {
            std::fs::write(path, "{\"method\":\"GET\",\"url\":\"http://a.example/a\"}\n").unwrap();
        }
        let said = Arc::new(Mutex::new(0));
        let count = Arc::clone(&said);
        let complain = Box::new(move |_: &str| *count.lock().unwrap() += 1);
        let paths = vec![first, second.clone()];
        let tools = ToolHandler::new(paths, InputFormat::Detect, Options::default(), complain);
        let early = tools.views.view(&Scope::default(), &()).unwrap();
        std::fs::remove_file(second).unwrap();
        let late = tools.views.view(&Scope::default(), &()).unwrap();
        [&late, &early, &late].into_iter().for_each(|view| tools.report_problems(view));
        assert_eq!(*said.lock().unwrap(), 1);
    }
}
