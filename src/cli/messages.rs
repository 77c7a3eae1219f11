//! Messages on stderr: damage and its position, failures, and a final line of totals.

use std::io::{self, Write};
use std::time::Duration;

use crate::capture::Captures;
use crate::cli::exit::Exit;
use crate::engine::{Analysis, Comparison, CompatAnswer, ObservedState};
use crate::flow::text;
use crate::math::format_thousands;
use crate::output::format_count;
use crate::report::endpoint_class::EndpointClass;
use crate::report::{Pattern, Report};
use crate::skip::{SkipReason, Skips};

/// Prints one sentence to stderr, on a terminal in lines of its width. A closed stderr is ignored, since there is nowhere to
/// report it.
pub(super) fn complain(sentence: &str) {
    let line = format!("api-patterns: {sentence}");
    let width =
        terminal_size::terminal_size_of(io::stderr()).map(|(width, _)| usize::from(width.0));
    let shown = width.map_or_else(|| line.clone(), |width| in_lines(&line, width));
    writeln!(io::stderr(), "{shown}").unwrap_or_default();
}

/// Breaks a line between words, so that it fits into a terminal. The lines below the first are indented more.
pub(super) fn in_lines(line: &str, width: usize) -> String {
    if width < MIN_WIDTH {
        return line.to_owned();
    }
    let text = line.trim_start();
    let indent = &line[..line.len() - text.len()];
    let below = format!("{indent}  ");
    let options = textwrap::Options::new(width).initial_indent(indent).subsequent_indent(&below);
    textwrap::fill(text, options.break_words(false))
}

/// The narrowest terminal for which sentences are broken, in columns.
const MIN_WIDTH: usize = 20;

pub(super) struct Messages<'a> {
    captures: &'a Captures,
    quiet: bool,
}

/// Numbers of the final line.
struct RunTotals {
    flows: u64,
    used: u64,
    bytes: u64,
    stopped: bool,
}

impl<'a> Messages<'a> {
    pub(super) fn new(captures: &'a Captures, quiet: bool) -> Self {
        Self { captures, quiet }
    }

    pub(super) fn report_analysis(&self, analysis: &Analysis, time: Duration) -> Exit {
        let totals = &analysis.report.totals;
        let totals = RunTotals {
            flows: totals.flows,
            used: totals.used,
            bytes: analysis.bytes,
            stopped: analysis.stopped,
        };
        let mut problems = analysis.problems(self.captures);
        let not_told_apart = analysis.report.totals.not_told_apart;
        if not_told_apart > 0 {
            problems.push(format!(
                "{} were not told apart, because there were too many at one place or on one host, and may be names of \
                 endpoints: --domain HOST analyzes one host alone, and the reasons of the parameters name the places",
                format_count(not_told_apart, "segment")
            ));
        }
        let not_selected = analysis.report.totals.not_selected;
        if not_selected > 0 && !self.quiet {
            let all = not_selected + analysis.report.totals.patterns;
            let shown = all - not_selected;
            let verb = if shown == 1 { "is" } else { "are" };
            complain(&format!(
                "{} of {} {verb} shown",
                format_thousands(shown),
                format_count(all, "endpoint")
            ));
        }
        let exit =
            self.say(&totals, &analysis.skips, &problems, !analysis.failures.is_empty(), time);
        let shows_nothing = analysis.report.patterns.is_empty();
        if shows_nothing && matches!(exit, Exit::Done) { Exit::Nothing } else { exit }
    }

    /// Says how to leave noise out, where most flows or endpoints are noise.
    pub(super) fn say_noise(&self, report: &Report) {
        /// Endpoints that were not found, from which on a scan is likely.
        const MIN_NOT_FOUND: usize = 20;

        let is_not_found = |pattern: &&Pattern| pattern.status_codes.keys().eq(["404"]);
        let not_found = report.patterns.iter().filter(is_not_found).count();
        let is_scan = not_found >= MIN_NOT_FOUND && not_found * 2 > report.patterns.len();
        if !self.quiet && is_scan {
            complain(&format!(
                "{} only ever answered 404, as to a scan; --exclude errors-only-404 leaves them out",
                format_count(not_found as u64, "endpoint")
            ));
        }
        let requests = |is_it: &dyn Fn(&Pattern) -> bool| -> u64 {
            let kept = report.patterns.iter().filter(|pattern| is_it(pattern));
            kept.map(|pattern| pattern.request_count).sum()
        };
        let is_call = |pattern: &Pattern| pattern.class == EndpointClass::Api;
        let calls = report.patterns.iter().filter(|pattern| is_call(pattern)).count() as u64;
        // A part of the endpoints does not say what most requests are for.
        let shows_all = report.totals.not_selected == 0;
        if !self.quiet && shows_all && calls > 0 && requests(&is_call) * 2 < requests(&|_| true) {
            complain(&format!(
                "most requests are for pages and their assets; --only api shows the {} that {}",
                format_count(calls, "endpoint"),
                if calls == 1 { "is a call of an API" } else { "are calls of an API" }
            ));
        }
    }

    pub(super) fn report_compat(&self, answer: &CompatAnswer, time: Duration) -> Exit {
        let flows = answer.flows + answer.skips.total();
        let totals = RunTotals { flows, used: answer.flows, bytes: answer.bytes, stopped: false };
        let problems = answer.problems(self.captures);
        self.say(&totals, &answer.skips, &problems, !answer.failures.is_empty(), time)
    }

    pub(super) fn report_observation(&self, observed: &ObservedState, time: Duration) -> Exit {
        let (used, skips) = (observed.patterns.used(), observed.patterns.skips());
        let totals = RunTotals {
            flows: used + skips.total(),
            used,
            bytes: observed.bytes,
            stopped: observed.stopped,
        };
        let problems = observed.problems(self.captures);
        self.say(&totals, skips, &problems, !observed.failures.is_empty(), time)
    }

    pub(super) fn report_comparison(&self, comparison: &Comparison, time: Duration) -> Exit {
        let flows = comparison.used + comparison.skips.total();
        let totals = RunTotals {
            flows,
            used: comparison.used,
            bytes: comparison.bytes,
            stopped: comparison.stopped,
        };
        let problems = comparison.problems(self.captures);
        self.say(&totals, &comparison.skips, &problems, !comparison.failures.is_empty(), time)
    }

    fn say(
        &self,
        totals: &RunTotals,
        skips: &Skips,
        problems: &[String],
        has_failed: bool,
        time: Duration,
    ) -> Exit {
        for problem in problems {
            complain(problem);
        }
        if !self.quiet {
            self.say_ignored();
            self.say_totals(totals, skips, time);
        }
        // An empty result is an error only if some input was unusable, and not if filters left nothing.
        let unusable = skips.iter().any(|(reason, _, _)| reason.is_damage()) || is_unusable(skips);
        if has_failed || !self.captures.refused().is_empty() || (totals.used == 0 && unusable) {
            Exit::Error
        } else if totals.used == 0 {
            Exit::Nothing
        } else {
            Exit::Done
        }
    }

    fn say_ignored(&self) {
        let ignored = self.captures.ignored();
        if let Some(first) = ignored.first() {
            let first = text::printable(first.as_bytes());
            complain(&format!(
                "left out {}, the first is {first}",
                format_count(ignored.len() as u64, "file")
            ));
        }
    }

    fn say_totals(&self, totals: &RunTotals, skips: &Skips, time: Duration) {
        let reasons: Vec<String> = skips
            .iter()
            .map(|(reason, count, _)| format!("{} {}", reason.name(), format_thousands(count)))
            .collect();
        let skipped = if reasons.is_empty() {
            "none skipped".to_owned()
        } else {
            format!("{} skipped ({})", format_thousands(skips.total()), reasons.join(", "))
        };
        let read = format!(
            "{} in {} and {:.2} s: {} used, {skipped}",
            format_count(totals.flows, "flow"),
            size(totals.bytes),
            time.as_secs_f64(),
            format_thousands(totals.used),
        );
        if totals.stopped {
            complain(&format!("stopped before the end; {read}"));
        } else if totals.used > 0 {
            complain(&read);
        } else if totals.flows == 0 {
            let captures = format_count(self.captures.len() as u64, "capture");
            complain(&format!(
                "no endpoint found: there is no flow in {captures} ({})",
                size(totals.bytes)
            ));
        } else if skips.count(SkipReason::NoHost) > 0 && is_unusable(skips) {
            complain(&format!(
                "no endpoint found, because URLs name no host: write them whole, as https://HOST/PATH; {read}"
            ));
        } else if is_unusable(skips) {
            complain(&format!("no endpoint found, because none of the traffic is HTTP; {read}"));
        } else {
            complain(&format!("no endpoint found; {read}"));
        }
    }
}

/// Returns `true` if flows were captured, but none of them is HTTP and says its host.
fn is_unusable(skips: &Skips) -> bool {
    let is_of_no_use = |reason: SkipReason| reason.is_not_http() || reason == SkipReason::NoHost;
    skips.total() > 0 && skips.iter().all(|(reason, _, _)| is_of_no_use(reason))
}

fn size(bytes: u64) -> String {
    #[expect(clippy::cast_precision_loss, reason = "shown with one decimal")]
    let bytes_shown = bytes as f64;
    match bytes {
        0..1_000 => format_count(bytes, "byte"),
        1_000..1_000_000 => format!("{:.1} kB", bytes_shown / 1e3),
        1_000_000..1_000_000_000 => format!("{:.1} MB", bytes_shown / 1e6),
        _ => format!("{:.2} GB", bytes_shown / 1e9),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_broken_between_words_and_keep_their_indent() {
        let line = "  {user_id}  segment 3, integer, 14 different values";
        assert_eq!(
            in_lines(line, 30),
            "  {user_id}  segment 3,\n    integer, 14 different\n    values"
        );
        assert_eq!(in_lines(line, 80), line);
        assert_eq!(in_lines(line, 5), line);
    }
}
