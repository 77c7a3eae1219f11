//! Command line: converts arguments into options, runs the engine, and writes the output. All analysis is done by the
//! engine.

mod addon;
mod arguments;
#[cfg(feature = "mcp")]
mod audit;
mod completions;
mod diff;
mod drift;
mod exit;
#[cfg(feature = "tui")]
mod explore;
mod findings;
mod follow;
#[cfg(feature = "gateway")]
mod gateway;
#[cfg(feature = "live")]
mod live_page;
mod man;
#[cfg(feature = "mcp")]
mod mcp;
mod messages;
mod openapi;
#[cfg(feature = "mcp")]
mod policy;
mod progress;
mod report;
mod schema;
mod show;
mod state;

use std::io::{self, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

use crate::capture::Captures;
use crate::cli::arguments::{
    AnalyzeArguments, Arguments, ColorWhen, Command, EndpointSelection, Exclude, InputArguments,
    LabelArguments, OutputFormat, RulesCommand, SelectionArguments,
};
use crate::cli::exit::Exit;
use crate::cli::messages::Messages;
use crate::cli::progress::ProgressMonitor;
use crate::engine::{self, Analysis, Options};
use crate::error::Error;
use crate::flow::text;
use crate::output::{
    Csv, ExplanationJson, ExplanationOutput, ExplanationText, Json, JsonLines, Markdown, Output,
    OverviewOptions, Table, Tree, rules_of,
};
use crate::report::decision::Explanation;
use crate::report::options::ReportOptions;
use crate::report::selection::Selection;
use crate::template::user_rules::Rules;

/// Runs the program with the arguments of the process.
pub fn main() -> ExitCode {
    let arguments = match arguments::parse(std::env::args_os()) {
        Ok(arguments) => arguments,
        Err(exit) => return exit.into(),
    };
    let exit = match run(&arguments) {
        Ok(exit) => exit,
        Err(Failure::Output(error)) if error.kind() == io::ErrorKind::BrokenPipe => Exit::Done,
        Err(Failure::Output(error)) => {
            messages::complain(&format!("cannot write the answer: {error}"));
            Exit::Error
        }
        Err(Failure::Input(error)) => {
            messages::complain(&error.to_string());
            Exit::Error
        }
    };
    exit.into()
}

enum Failure {
    Input(Error),
    Output(io::Error),
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Input(error)
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::Output(error)
    }
}

fn run(arguments: &Arguments) -> Result<Exit, Failure> {
    match &arguments.command {
        Command::Analyze(arguments) if arguments.follow => follow::follow(arguments),
        Command::Analyze(arguments) if arguments.compat.is_some() => compat(arguments),
        Command::Analyze(arguments) => analyze(arguments),
        Command::Label(arguments) => label(arguments),
        Command::Schema(arguments) => schema::schema(arguments),
        Command::Show(arguments) => show::show(arguments),
        #[cfg(feature = "live")]
        Command::Report(arguments) if arguments.live.listen.is_some() => {
            live_page::serve(arguments)
        }
        Command::Report(arguments) => report::report(arguments),
        #[cfg(feature = "tui")]
        Command::Explore(arguments) => explore::explore(arguments),
        Command::Openapi(arguments) => openapi::openapi(arguments),
        Command::Drift(arguments) => drift::drift(arguments),
        Command::Diff(arguments) => diff::diff(arguments),
        Command::State(arguments) => state::state(arguments),
        Command::Rules(RulesCommand::Init(arguments)) => rules_init(arguments),
        #[cfg(feature = "mcp")]
        Command::Mcp(arguments) => mcp::mcp(arguments),
        #[cfg(feature = "gateway")]
        Command::Gateway(arguments) => gateway::gateway(arguments),
        #[cfg(feature = "mcp")]
        Command::Policy(command) => policy::policy(command),
        #[cfg(feature = "mcp")]
        Command::Audit(arguments) => audit::audit(arguments),
        Command::Addon => {
            writeln!(io::stdout(), "{}", addon::path()?.display())?;
            Ok(Exit::Done)
        }
        Command::Completions { shell } => {
            io::stdout().write_all(&completions::script(*shell))?;
            Ok(Exit::Done)
        }
        Command::Man => {
            io::stdout().write_all(&man::page()?)?;
            Ok(Exit::Done)
        }
    }
}

fn analyze(arguments: &AnalyzeArguments) -> Result<Exit, Failure> {
    let mut options = options(&arguments.input)?;
    options.report.explain.clone_from(&arguments.explain);
    let text_or_json = matches!(arguments.format(), OutputFormat::Table | OutputFormat::Json);
    if arguments.explain.is_some() && !text_or_json {
        return Err(Error::usage("--explain answers as --format table or json only").into());
    }
    let start = Instant::now();
    let captures = open(&arguments.input)?;
    let terminal =
        ProgressMonitor::new(arguments.input.progress, arguments.input.source.selection.quiet);
    let mut analysis = engine::analyze(&captures, &options, &terminal)?;
    terminal.finish();
    select(&mut analysis, &arguments.selection);
    let mut out = io::BufWriter::new(io::stdout().lock());
    if let Some(endpoint) = &arguments.explain {
        if analysis.explanations.is_empty() && !analysis.report.patterns.is_empty() {
            return Err(engine::unknown_endpoint(endpoint, &analysis.report.patterns).into());
        }
        write_explanations(arguments.format(), &analysis.explanations, &mut out)?;
    } else if !analysis.report.patterns.is_empty() || arguments.format() != OutputFormat::Table {
        output(arguments).write(&analysis.report, &mut out)?;
    }
    out.flush()?;
    let messages = Messages::new(&captures, arguments.input.source.selection.quiet);
    let exit = messages.report_analysis(&analysis, start.elapsed());
    if arguments.is_for_people() && arguments.selection.only.is_none() {
        messages.say_noise(&analysis.report);
    }
    Ok(exit)
}

/// Applies the options that select and order endpoints.
fn select(analysis: &mut Analysis, arguments: &EndpointSelection) {
    let selection = Selection {
        path_prefix: arguments.path_prefix.clone(),
        min_count: arguments.min_count,
        class: arguments.only.map(Into::into),
        text: arguments.filter.clone(),
        ..Selection::default()
    };
    let top = arguments.top.map(|top| top as usize);
    if arguments.sort.is_some() || top.is_some() || selection != Selection::default() {
        let order = arguments.sort.unwrap_or_default();
        analysis.report.select(&selection, order, top);
    }
}

fn label(arguments: &LabelArguments) -> Result<Exit, Failure> {
    let fields = arguments.fields.iter().map(|field| (*field).into()).collect();
    let arguments = &arguments.input;
    let options = Options { label_fields: fields, ..options(arguments)? };
    let start = Instant::now();
    let captures = open(arguments)?;
    let terminal = ProgressMonitor::new(arguments.progress, arguments.source.selection.quiet);
    let mut out = io::BufWriter::new(io::stdout());
    let analysis = engine::label(&captures, &options, &terminal, &mut out).map_err(|error| {
        let broken = std::error::Error::source(&error)
            .and_then(|cause| cause.downcast_ref::<io::Error>())
            .is_some_and(|cause| cause.kind() == io::ErrorKind::BrokenPipe);
        if broken {
            Failure::Output(io::ErrorKind::BrokenPipe.into())
        } else {
            Failure::Input(error)
        }
    })?;
    out.flush()?;
    terminal.finish();
    Ok(Messages::new(&captures, arguments.source.selection.quiet)
        .report_analysis(&analysis, start.elapsed()))
}

/// Writes the answer of mitmproxy-mcp, byte for byte. Messages go to stderr only.
fn compat(arguments: &AnalyzeArguments) -> Result<Exit, Failure> {
    let (input, source) = (&arguments.input, &arguments.input.source);
    if arguments.format.is_some_and(|format| format != OutputFormat::Json) {
        return Err(Error::usage("--compat answers in JSON only; leave --format out").into());
    }
    if input.bodies {
        return Err(Error::usage(
            "--compat answers as the original does, which reads no bodies; leave --bodies out",
        )
        .into());
    }
    if source.selection.rules.is_some()
        || source.selection.group_hosts
        || arguments.explain.is_some()
    {
        return Err(Error::usage("--compat takes no --rules, --group-hosts or --explain: it answers as the original does").into());
    }
    if source.selection.domain.len() > 1
        || !input.method.is_empty()
        || !source.selection.exclude.is_empty()
        || !source.selection.status.is_empty()
    {
        return Err(Error::usage(
            "--compat takes one --domain at most, and no --method, --status or --exclude, as the original does",
        )
        .into());
    }
    let start = Instant::now();
    let captures = open(input)?;
    let terminal = ProgressMonitor::new(input.progress, source.selection.quiet);
    let domain = source.selection.domain.first().map(String::as_str);
    let options = Options {
        threads: source.selection.threads,
        batch_bytes: input.batch_bytes,
        ..Options::default()
    };
    let answer = engine::compat_answer(&captures, domain, input.limit, &options, &terminal)?;
    terminal.finish();
    let mut out = io::stdout().lock();
    out.write_all(answer.text.as_bytes())?;
    // The original's answer has no final newline, but a terminal needs one before the prompt.
    if out.is_terminal() {
        out.write_all(b"\n")?;
    }
    out.flush()?;
    Ok(Messages::new(&captures, source.selection.quiet).report_compat(&answer, start.elapsed()))
}

fn options(arguments: &InputArguments) -> Result<Options, Error> {
    let rules = rules(arguments.source.selection.rules.as_deref())?;
    options_with(arguments, rules)
}

/// As [`options`], with these rules.
fn options_with(arguments: &InputArguments, rules: Rules) -> Result<Options, Error> {
    let limit = match arguments.limit.map(usize::try_from) {
        None => None,
        Some(Ok(limit)) => Some(limit),
        Some(Err(_)) => {
            return Err(Error::usage(
                "--limit is negative, which only --compat allows; give 0 or more",
            ));
        }
    };
    if arguments.method.iter().any(String::is_empty) {
        return Err(Error::usage("--method is empty; give one as in --method POST"));
    }
    Ok(Options {
        methods: arguments.method.clone(),
        bodies: arguments.bodies,
        limit,
        batch_bytes: arguments.batch_bytes,
        ..source_options_with(&arguments.source.selection, rules)?
    })
}

/// Converts the options that every command accepts.
fn source_options(arguments: &SelectionArguments) -> Result<Options, Error> {
    let rules = rules(arguments.rules.as_deref())?;
    source_options_with(arguments, rules)
}

/// Reads a rules file; none has no rules.
fn rules(path: Option<&Path>) -> Result<Rules, Error> {
    let Some(path) = path else { return Ok(Rules::default()) };
    let name = path.display().to_string();
    let toml = std::fs::read_to_string(path).map_err(|error| Error::io(&name, "read", error))?;
    Rules::parse(&name, &toml)
}

/// As [`source_options`], with these rules.
fn source_options_with(arguments: &SelectionArguments, rules: Rules) -> Result<Options, Error> {
    let no_host =
        |domain: &&String| domain.is_empty() || domain.contains(['/', '?', '#', '@', ' ']);
    for (option, domains) in
        [("--domain", &arguments.domain), ("--first-party", &arguments.first_party)]
    {
        if let Some(domain) = domains.iter().find(no_host) {
            let shown = text::printable(domain.as_bytes());
            return Err(Error::usage(format!(
                "{option} {shown} is not a host name; give one as in {option} example.com"
            )));
        }
    }
    let exclude = arguments.exclude.iter().filter_map(|exclude| match exclude {
        Exclude::Noise(noise) => Some((*noise).into()),
        Exclude::Status(_) => None,
    });
    let exclude_statuses = arguments.exclude.iter().filter_map(|exclude| match exclude {
        Exclude::Status(status) => Some(*status),
        Exclude::Noise(_) => None,
    });
    let report = ReportOptions {
        rules,
        group_hosts: arguments.group_hosts,
        first_parties: arguments.first_party.clone(),
        ..ReportOptions::default()
    };
    Ok(Options {
        domains: arguments.domain.clone(),
        exclude: exclude.collect(),
        statuses: arguments.status.clone(),
        exclude_statuses: exclude_statuses.collect(),
        threads: arguments.threads,
        report,
        ..Options::default()
    })
}

/// Writes the current templates as a rules file that pins each of them.
fn rules_init(arguments: &InputArguments) -> Result<Exit, Failure> {
    let options = options(arguments)?;
    let start = Instant::now();
    let captures = open(arguments)?;
    let terminal = ProgressMonitor::new(arguments.progress, arguments.source.selection.quiet);
    let analysis = engine::analyze(&captures, &options, &terminal)?;
    terminal.finish();
    let mut out = io::stdout().lock();
    out.write_all(rules_of(&analysis.report).as_bytes())?;
    out.flush()?;
    Ok(Messages::new(&captures, arguments.source.selection.quiet)
        .report_analysis(&analysis, start.elapsed()))
}

/// Writes explanations, as text in lines of the width of the terminal.
fn write_explanations(
    format: OutputFormat,
    explanations: &[Explanation],
    out: &mut dyn Write,
) -> io::Result<()> {
    if format != OutputFormat::Table {
        return ExplanationJson.write(explanations, out);
    }
    write_in_width(out, |out| ExplanationText.write(explanations, out))
}

/// Writes text whose lines are broken between words where the terminal is narrower.
fn write_in_width(
    out: &mut dyn Write,
    write: impl FnOnce(&mut dyn Write) -> io::Result<()>,
) -> io::Result<()> {
    let Some(width) = terminal_width() else { return write(out) };
    let mut text = Vec::new();
    write(&mut text)?;
    for line in String::from_utf8_lossy(&text).lines() {
        writeln!(out, "{}", messages::in_lines(line, width))?;
    }
    Ok(())
}

fn open(arguments: &InputArguments) -> Result<Captures, Error> {
    open_captures(&arguments.source.captures, &arguments.source.selection)
}

fn open_captures(paths: &[PathBuf], selection: &SelectionArguments) -> Result<Captures, Error> {
    let mut captures = Captures::open(paths, selection.input_format.into())?;
    if let Some(host) = &selection.log_host {
        captures.set_log_host(host);
    }
    Ok(captures)
}

/// Refuses to write over a capture. `option` is the name of the option that names the output.
fn refuse_captures(option: &str, output: &Path, captures: &[PathBuf]) -> Result<(), Error> {
    let real = |path: &Path| std::fs::canonicalize(path).ok();
    let is_capture =
        |path: &PathBuf| path.is_file() && real(path).is_some() && real(path) == real(output);
    if captures.iter().any(is_capture) {
        let what = format!("{option} {}: this is a capture; name another file", output.display());
        return Err(Error::usage(text::printable(what.as_bytes())));
    }
    Ok(())
}

/// The output that `analyze` was asked for.
fn output(arguments: &AnalyzeArguments) -> Box<dyn Output> {
    let overview = OverviewOptions {
        fold_third_parties: !arguments.overview.all,
        by_class: arguments.selection.sort.is_none(),
    };
    if arguments.overview.tree {
        let (width, color) = (terminal_width(), is_colored(arguments.color));
        return Box::new(Tree { width, color, overview });
    }
    match arguments.format() {
        OutputFormat::Json => Box::new(Json),
        OutputFormat::Jsonl => Box::new(JsonLines),
        OutputFormat::Csv => Box::new(Csv),
        OutputFormat::Markdown => Box::new(Markdown { overview }),
        OutputFormat::Table => Box::new(Table {
            width: terminal_width(),
            color: is_colored(arguments.color),
            overview,
        }),
    }
}

/// Returns the width of the terminal in columns. Without a terminal returns the value of `COLUMNS`, or `None` if that
/// is not set, which means unlimited.
fn terminal_width() -> Option<usize> {
    let terminal =
        || terminal_size::terminal_size_of(io::stdout()).map(|(width, _)| usize::from(width.0));
    let named = || std::env::var("COLUMNS").ok()?.parse().ok();
    terminal().or_else(named).filter(|width| *width > 0)
}

/// Returns `true` if the output is coloured: as the option says, otherwise on a terminal that is not dumb, or if `CLICOLOR_FORCE` is set, and never
/// if `NO_COLOR` is set (<https://no-color.org>).
fn is_colored(color: ColorWhen) -> bool {
    if color != ColorWhen::Auto {
        return color == ColorWhen::Always;
    }
    let set = |name| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    let forced =
        std::env::var_os("CLICOLOR_FORCE").is_some_and(|value| value != "0" && !value.is_empty());
    let dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
    !set("NO_COLOR") && (forced || (io::stdout().is_terminal() && !dumb))
}
