//! Arguments of the command line, and their validation.

use std::ffi::{OsStr, OsString};
use std::io::{self, IsTerminal};
use std::path::{Path, PathBuf};

use clap::builder::{EnumValueParser, PossibleValue, TypedValueParser};
use clap::error::ErrorKind;
use clap::{Args, CommandFactory, Parser, Subcommand, ValueEnum};

use crate::capture::InputFormat;
use crate::cli::exit::Exit;
use crate::cli::messages::complain;
use crate::engine::LabelField;
use crate::flow::noise::Noise;
use crate::flow::status_range::StatusRange;
use crate::report::selection::EndpointOrder;

/// Clusters captured HTTP traffic into endpoint patterns.
#[derive(Debug, Parser)]
#[command(name = "api-patterns", version, max_term_width = 100, after_help = AFTER_HELP)]
pub(super) struct Arguments {
    #[command(subcommand)]
    pub(super) command: Command,
}

/// Examples and exit codes, for the help and the manual page.
const AFTER_HELP: &str = "\
Examples:
  api-patterns dump.mitm                                     a table of the endpoints
  api-patterns analyze session.har --exclude static,404      without files of pages and what was not found
  api-patterns show dump.mitm --endpoint '/users/7' --curl   the newest such request as a command of curl
  api-patterns openapi dump.mitm --output apis/              an OpenAPI description of each host
  mitmdump -w dump.mitm & api-patterns analyze --follow dump.mitm

Exit codes:
  0  at least one endpoint was found, or the comparison found nothing to fail on
  1  no flow matched, or the comparison found what it is to fail on
  2  an option or an input is wrong; whatever could be read is still reported";

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Show the endpoint patterns of the captured APIs: a table on a terminal, JSON in a pipe
    Analyze(AnalyzeArguments),
    /// Write each flow with its endpoint, one JSON object per line, in input order
    Label(LabelArguments),
    /// Write the JSON Schemas of request and response bodies, by endpoint
    Schema(SchemaArguments),
    /// Show single requests with their responses: one by its id, or the newest of an endpoint
    Show(ShowArguments),
    /// Write OpenAPI descriptions, one for each host
    Openapi(OpenApiArguments),
    /// Compare captures with an OpenAPI description: what traffic does that the description does not say
    Drift(DriftArguments),
    /// Compare two captures, saved states or descriptions: what was added, removed or changed, and whether clients break
    Diff(DiffArguments),
    /// Save what was observed as a state, which every command takes where it takes captures
    State(StateArguments),
    /// Manage rules, which pin templates, keep segments, rename parameters and group hosts
    #[command(subcommand)]
    Rules(RulesCommand),
    /// Serve `get_api_patterns` to an agent: a Model Context Protocol server on standard input and output
    #[cfg(feature = "mcp")]
    Mcp(McpArguments),
    /// Write a completion script for a shell
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
    /// Write the manual page (roff)
    Man,
}

#[derive(Debug, Subcommand)]
pub(super) enum RulesCommand {
    /// Write the current templates as a rules file to edit
    Init(InputArguments),
}

#[derive(Args, Debug)]
pub(super) struct AnalyzeArguments {
    #[command(flatten)]
    pub(super) input: InputArguments,

    /// Output format [default: table on a terminal, else json]
    #[arg(long, value_enum)]
    pub(super) format: Option<OutputFormat>,

    /// Keep reading while another program writes the capture (a dump or JSON lines), until Ctrl-C
    #[arg(long, conflicts_with_all = ["compat", "explain", "limit"])]
    pub(super) follow: bool,

    /// Seconds between two checks for new flows, with --follow
    #[arg(long, value_name = "SECONDS", default_value_t = 1.0, value_parser = parse_interval, allow_negative_numbers = true)]
    pub(super) interval: f64,

    /// Read the bodies too: which endpoints have schemas, and where secret or personal content is (see `schema`)
    #[arg(long, conflicts_with_all = ["compat", "limit"])]
    pub(super) bodies: bool,

    /// Explain one endpoint (for example `GET /users/{user_id}`): why each segment is a parameter, and which decisions
    /// were close
    #[arg(long, value_name = "ENDPOINT")]
    pub(super) explain: Option<String>,

    #[command(flatten)]
    pub(super) selection: EndpointSelection,

    /// Colours in the table [default: on a terminal that has them]
    #[arg(long, value_enum, default_value_t = ColorWhen::Auto, hide_default_value = true)]
    pub(super) color: ColorWhen,

    /// Answer byte for byte as another tool does; --domain and --limit then have that tool's meaning
    #[arg(long, value_enum, value_name = "TOOL")]
    pub(super) compat: Option<Compat>,
}

impl AnalyzeArguments {
    pub(super) fn format(&self) -> OutputFormat {
        let default =
            if io::stdout().is_terminal() { OutputFormat::Table } else { OutputFormat::Json };
        self.format.unwrap_or(default)
    }
}

/// Options that select and order the endpoints that are shown. They are decided from all flows in any case.
#[derive(Args, Debug)]
pub(super) struct EndpointSelection {
    /// Order of the endpoints of each host [default: requests]
    #[arg(long, value_enum, value_name = "KEY", conflicts_with = "compat")]
    pub(super) sort: Option<SortArgument>,

    /// Only the first N endpoints in that order, over all hosts
    #[arg(long, value_name = "N", conflicts_with = "compat", value_parser = clap::value_parser!(u32).range(1..))]
    pub(super) top: Option<u32>,

    /// Only endpoints with at least this many requests
    #[arg(
        long,
        value_name = "N",
        default_value_t = 0,
        hide_default_value = true,
        conflicts_with = "compat"
    )]
    pub(super) min_count: u64,

    /// Only paths that begin with these whole segments, as in /api/v1/users; a {parameter} stands for any segment
    #[arg(long, value_name = "PATH", conflicts_with = "compat")]
    pub(super) path_prefix: Option<String>,
}

/// The order of endpoints.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum SortArgument {
    /// Most requests first
    Requests,
    /// By path, then by method
    Path,
    /// Most answers with 4xx, 5xx or none first
    Errors,
    /// Slowest median first
    Latency,
    /// Largest median of the response first
    Size,
    /// Last seen first
    Recent,
}

impl From<SortArgument> for EndpointOrder {
    fn from(sort: SortArgument) -> Self {
        match sort {
            SortArgument::Requests => Self::Requests,
            SortArgument::Path => Self::Path,
            SortArgument::Errors => Self::Errors,
            SortArgument::Latency => Self::Latency,
            SortArgument::Size => Self::Size,
            SortArgument::Recent => Self::Recent,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum ColorWhen {
    /// On a terminal
    Auto,
    /// In every case
    Always,
    /// In no case
    Never,
}

#[derive(Args, Debug)]
pub(super) struct LabelArguments {
    #[command(flatten)]
    pub(super) input: InputArguments,

    /// Further fields of each line. Paths have secret and personal values masked
    #[arg(long, value_enum, value_delimiter = ',', value_name = "FIELD,...")]
    pub(super) fields: Vec<LabelFieldArgument>,
}

/// A field that `label` adds on request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum LabelFieldArgument {
    /// Number of the line, from 0
    Index,
    /// Name of the capture
    Source,
    /// Place in the capture: bytes from its start, or the number of a row
    Offset,
    /// Start of the request
    Time,
    /// Status of the response
    Status,
    /// Path and query
    Path,
}

impl From<LabelFieldArgument> for LabelField {
    fn from(field: LabelFieldArgument) -> Self {
        match field {
            LabelFieldArgument::Index => Self::Index,
            LabelFieldArgument::Source => Self::Source,
            LabelFieldArgument::Offset => Self::Offset,
            LabelFieldArgument::Time => Self::Time,
            LabelFieldArgument::Status => Self::Status,
            LabelFieldArgument::Path => Self::Path,
        }
    }
}

#[derive(Args, Debug)]
pub(super) struct SchemaArguments {
    #[command(flatten)]
    pub(super) input: InputArguments,

    /// Only this endpoint, as analyze lists it (for example `GET /users/{user_id}`), or its id
    #[arg(long, value_name = "ENDPOINT")]
    pub(super) endpoint: Option<String>,

    /// Explain one place of the endpoint instead: `request`, `query` or a status, then keys (for example `200.items[].id`)
    #[arg(long, value_name = "PATH", requires = "endpoint")]
    pub(super) explain: Option<String>,
}

#[derive(Args, Debug)]
pub(super) struct ShowArguments {
    /// Captures as for analyze and, without --endpoint, the id of a flow as the last one
    #[arg(required = true, value_name = "CAPTURE|ID")]
    pub(super) captures: Vec<PathBuf>,

    /// The newest requests of this endpoint: its name as analyze lists it, its id, or a path or URL that belongs to it
    #[arg(long, value_name = "ENDPOINT")]
    pub(super) endpoint: Option<String>,

    /// Number of requests that are shown, with --endpoint [default: 1, and all of them with --write]
    #[arg(long, value_name = "N", requires = "endpoint", value_parser = clap::value_parser!(u32).range(1..))]
    pub(super) newest: Option<u32>,

    #[command(flatten)]
    pub(super) form: ExchangeForm,

    /// Write to this file instead: a HAR, or with the ending .mitm the records of dumps as they are, which needs --reveal
    #[arg(long, value_name = "OUT.har|OUT.mitm", conflicts_with = "form")]
    pub(super) write: Option<PathBuf>,

    /// Show secret and personal values, which are masked otherwise
    #[arg(long)]
    pub(super) reveal: bool,

    #[command(flatten)]
    pub(super) selection: SelectionArguments,

    /// Show a progress bar on stderr [default: on a terminal]
    #[arg(long, value_enum, default_value_t = ProgressWhen::Auto, hide_default_value = true)]
    pub(super) progress: ProgressWhen,
}

/// The form in which requests are shown; text without any of these.
#[derive(Args, Debug)]
#[group(id = "form", multiple = false)]
pub(super) struct ExchangeForm {
    /// As commands of curl
    #[arg(long)]
    pub(super) curl: bool,

    /// As a HAR
    #[arg(long)]
    pub(super) har: bool,

    /// As JSON
    #[arg(long)]
    pub(super) json: bool,
}

#[derive(Args, Debug)]
pub(super) struct OpenApiArguments {
    #[command(flatten)]
    pub(super) input: InputArguments,

    /// Write to this file or, if it is a folder or there are several hosts, to HOST.yaml or HOST.json for each host in
    /// this folder [default: standard output]
    #[arg(long, value_name = "FILE|DIR")]
    pub(super) output: Option<PathBuf>,

    /// Add what the captures show to this description (YAML or JSON, OpenAPI 3.0 or 3.1), keep all that is written in it,
    /// and say on stderr where it contradicts the traffic; the file itself is written only if --output names it
    #[arg(long, value_name = "FILE", conflicts_with_all = ["format", "openapi"])]
    pub(super) merge: Option<PathBuf>,

    /// Add examples that are made of kinds and formats alone
    #[arg(long, value_enum, value_name = "KIND")]
    pub(super) examples: Option<ExamplesArgument>,

    /// Format of the descriptions
    #[arg(long, value_enum, default_value_t = DescriptionFormat::Yaml)]
    pub(super) format: DescriptionFormat,

    /// Version of OpenAPI
    #[arg(long, value_enum, value_name = "VERSION", default_value_t = OpenApiArgument::V3_1)]
    pub(super) openapi: OpenApiArgument,

    /// Add counts, confidence and reasons (`x-evidence`)
    #[arg(long)]
    pub(super) evidence: bool,
}

#[derive(Args, Debug)]
pub(super) struct DriftArguments {
    #[command(flatten)]
    pub(super) input: InputArguments,

    /// The description: OpenAPI 2.0, 3.0 or 3.1 in YAML or JSON. Files beside it are read where it refers to them
    #[arg(long, value_name = "FILE")]
    pub(super) api: PathBuf,

    /// URL of the server that the description is about, instead of those that it names
    #[arg(long, value_name = "URL")]
    pub(super) server: Option<String>,

    /// Also say what of the description was seen in traffic, and which operations were not
    #[arg(long)]
    pub(super) coverage: bool,

    #[command(flatten)]
    pub(super) findings: FindingsArguments,
}

#[derive(Args, Debug)]
pub(super) struct DiffArguments {
    /// One side: a capture, a folder of captures, a saved state or a description
    #[arg(value_name = "BEFORE")]
    pub(super) before: PathBuf,

    /// The other side
    #[arg(value_name = "AFTER")]
    pub(super) after: PathBuf,

    /// A further capture or state of the side before; can be repeated
    #[arg(long, value_name = "FILE")]
    pub(super) also_before: Vec<PathBuf>,

    /// A further capture or state of the side after; can be repeated
    #[arg(long, value_name = "FILE")]
    pub(super) also_after: Vec<PathBuf>,

    /// Also show changes that are unlikely: what was merely not seen
    #[arg(long, conflicts_with = "min_confidence")]
    pub(super) all: bool,

    /// Least probability of a change between captures that is shown, from 0 to 1
    #[arg(long, value_name = "P", default_value_t = 0.99, value_parser = parse_probability)]
    pub(super) min_confidence: f64,

    #[command(flatten)]
    pub(super) selection: SelectionArguments,

    #[command(flatten)]
    pub(super) findings: FindingsArguments,

    /// Show a progress bar on stderr [default: on a terminal]
    #[arg(long, value_enum, default_value_t = ProgressWhen::Auto, hide_default_value = true)]
    pub(super) progress: ProgressWhen,
}

#[derive(Args, Debug)]
pub(super) struct StateArguments {
    #[command(flatten)]
    pub(super) input: InputArguments,

    /// The file to write. It has names and paths as captured, also those that reports do not show
    #[arg(long, value_name = "FILE")]
    pub(super) output: PathBuf,
}

/// Options of commands that write findings.
#[derive(Args, Debug)]
pub(super) struct FindingsArguments {
    /// Format of the findings
    #[arg(long, value_enum, default_value_t = FindingsFormat::Text)]
    pub(super) format: FindingsFormat,

    /// Write the findings to this file [default: standard output]
    #[arg(long, value_name = "FILE")]
    pub(super) output: Option<PathBuf>,

    /// Exit with code 1 if there is a new finding of this severity or a worse one
    #[arg(long, value_enum, value_name = "SEVERITY", default_value_t = FailOn::Error)]
    pub(super) fail_on: FailOn,

    /// Known findings (a file of --update-baseline): they are counted, and only new ones fail
    #[arg(long, value_name = "FILE")]
    pub(super) baseline: Option<PathBuf>,

    /// Write all findings of this run to the file of --baseline
    #[arg(long, requires = "baseline")]
    pub(super) update_baseline: bool,
}

/// A format of findings.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum FindingsFormat {
    /// For people
    Text,
    /// One object
    Json,
    /// SARIF 2.1.0, for code scanning
    Sarif,
    /// XML of `JUnit`, for test reports
    Junit,
    /// A comment for a pull request
    Markdown,
    /// Annotations of GitHub Actions
    Github,
}

/// Findings that make a run fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum FailOn {
    /// Errors, which are what breaks clients
    #[value(alias = "breaking")]
    Error,
    /// Errors and warnings
    Warning,
    /// Every finding
    Info,
    /// None
    Never,
}

/// A format of descriptions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum DescriptionFormat {
    /// YAML
    Yaml,
    /// JSON
    Json,
}

/// The source of examples.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum ExamplesArgument {
    /// Made of kinds and formats; no captured value, but enumerated ones that the schema lists
    Synthetic,
}

/// A version of OpenAPI.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum OpenApiArgument {
    /// OpenAPI 3.1.0
    #[value(name = "3.1")]
    V3_1,
    /// OpenAPI 3.0.3, for tools that do not read 3.1
    #[value(name = "3.0")]
    V3_0,
}

/// Options for input and inference that all commands share.
#[derive(Args, Debug)]
pub(super) struct SourceArguments {
    /// Captures: files, folders (walked, sorted by name), or - for standard input
    #[arg(required = true, value_name = "CAPTURE")]
    pub(super) captures: Vec<PathBuf>,

    #[command(flatten)]
    pub(super) selection: SelectionArguments,
}

/// Options that select flows and decide templates.
#[derive(Args, Debug)]
pub(super) struct SelectionArguments {
    /// Format of the captures [default: detected from the content, never from the name]
    #[arg(long, value_enum, default_value_t = FormatArgument::Auto, hide_default_value = true)]
    pub(super) input_format: FormatArgument,

    /// Host of requests in access logs that do not name it [default: localhost]
    #[arg(long, value_name = "HOST")]
    pub(super) log_host: Option<String>,

    /// Only this host and its subdomains; can be repeated
    #[arg(long, value_name = "HOST")]
    pub(super) domain: Vec<String>,

    /// Noise or statuses to leave out, for example static,preflight,404; dropped flows are counted (errors-only-404
    /// applies after --limit)
    #[arg(long, value_parser = ExcludeParser, value_delimiter = ',', value_name = "NOISE|STATUS,...")]
    pub(super) exclude: Vec<Exclude>,

    /// Only flows with these statuses: codes and classes, as in 2xx,3xx,404, and none for no response
    #[arg(long, value_parser = parse_status, value_delimiter = ',', value_name = "STATUS,...")]
    pub(super) status: Vec<StatusRange>,

    /// Rules file (TOML) that templates follow
    #[arg(long, value_name = "FILE")]
    pub(super) rules: Option<PathBuf>,

    /// Treat hosts as one if they have the same endpoints and their names differ only in the first label
    #[arg(long)]
    pub(super) group_hosts: bool,

    /// Number of threads; 0 for one per core
    #[arg(long, value_name = "N", default_value_t = 0, value_parser = parse_threads, hide_default_value = true)]
    pub(super) threads: usize,

    /// Print only errors to stderr
    #[arg(long, short)]
    pub(super) quiet: bool,
}

#[derive(Args, Debug)]
pub(super) struct InputArguments {
    #[command(flatten)]
    pub(super) source: SourceArguments,

    /// Only this method; can be repeated
    #[arg(long)]
    pub(super) method: Vec<String>,

    /// Only the newest N flows that the other options leave
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    pub(super) limit: Option<i64>,

    /// Number of bytes that a thread reads at once (for tests and measurements; does not change the result)
    #[arg(long, value_name = "N", default_value_t = 0, hide = true)]
    pub(super) batch_bytes: usize,

    /// Show a progress bar on stderr [default: on a terminal]
    #[arg(long, value_enum, default_value_t = ProgressWhen::Auto, hide_default_value = true)]
    pub(super) progress: ProgressWhen,
}

/// Arguments of `mcp`. Each question is answered from the current content of the captures.
#[cfg(feature = "mcp")]
#[derive(Args, Debug)]
pub(super) struct McpArguments {
    #[command(flatten)]
    pub(super) source: SourceArguments,

    /// Policy file (JSON): which client may call which tool, how often, and whether the user must approve [default: all
    /// calls are allowed]
    #[arg(long, value_name = "FILE")]
    pub(super) policy: Option<PathBuf>,

    /// Write one JSON line for every call to this file, before the call is answered
    #[arg(long, value_name = "FILE")]
    pub(super) audit_log: Option<PathBuf>,
}

fn parse_threads(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(threads) if threads <= 1024 => Ok(threads),
        _ => Err("give a whole number from 0 to 1024".to_owned()),
    }
}

fn parse_probability(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(number) if (0.0..=1.0).contains(&number) => Ok(number),
        _ => Err("give a number from 0 to 1".to_owned()),
    }
}

fn parse_interval(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(seconds) if (0.05..=86_400.0).contains(&seconds) => Ok(seconds),
        _ => Err("give seconds from 0.05 to 86400".to_owned()),
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum OutputFormat {
    /// Aligned columns, for a terminal
    Table,
    /// One object with totals and patterns
    Json,
    /// One pattern per line, as JSON
    Jsonl,
    /// One pattern per line, for spreadsheets
    Csv,
    /// A table per host
    Markdown,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum FormatArgument {
    /// Detected from the content
    Auto,
    /// A mitmproxy dump
    Mitmproxy,
    /// HAR, or a Charles session saved as JSON
    Har,
    /// One flow per line, as JSON
    Jsonl,
    /// An access log: common, combined, or the default of Envoy
    AccessLog,
    /// The database of mitmproxy-mcp
    McpDatabase,
}

impl From<FormatArgument> for InputFormat {
    fn from(format: FormatArgument) -> Self {
        match format {
            FormatArgument::Auto => Self::Detect,
            FormatArgument::Mitmproxy => Self::Mitmproxy,
            FormatArgument::Har => Self::Har,
            FormatArgument::Jsonl => Self::JsonLines,
            FormatArgument::AccessLog => Self::AccessLog,
            FormatArgument::McpDatabase => Self::McpDatabase,
        }
    }
}

/// What is left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Exclude {
    Noise(NoiseArgument),
    Status(StatusRange),
}

/// Parser of `--exclude`, which lists the kinds of noise in the help and for shells.
#[derive(Clone, Debug)]
struct ExcludeParser;

impl TypedValueParser for ExcludeParser {
    type Value = Exclude;

    fn parse_ref(
        &self,
        command: &clap::Command,
        argument: Option<&clap::Arg>,
        value: &OsStr,
    ) -> Result<Exclude, clap::Error> {
        if let Some(range) = value.to_str().and_then(StatusRange::parse) {
            return Ok(Exclude::Status(range));
        }
        let noise = EnumValueParser::<NoiseArgument>::new();
        noise.parse_ref(command, argument, value).map(Exclude::Noise)
    }

    fn possible_values(&self) -> Option<Box<dyn Iterator<Item = PossibleValue> + '_>> {
        let values = NoiseArgument::value_variants().iter();
        Some(Box::new(values.filter_map(ValueEnum::to_possible_value)))
    }
}

fn parse_status(text: &str) -> Result<StatusRange, String> {
    StatusRange::parse(text)
        .ok_or_else(|| "give a status such as 404, a class such as 2xx, or none".to_owned())
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum NoiseArgument {
    /// Style sheets, scripts, fonts, images
    Static,
    /// CORS preflights (OPTIONS)
    Preflight,
    /// Analytics, crash reports, advertising
    Telemetry,
    /// Endpoints whose responses were all 404
    #[value(name = "errors-only-404")]
    ErrorsOnly404,
}

impl From<NoiseArgument> for Noise {
    fn from(noise: NoiseArgument) -> Self {
        match noise {
            NoiseArgument::Static => Self::Static,
            NoiseArgument::Preflight => Self::Preflight,
            NoiseArgument::Telemetry => Self::Telemetry,
            NoiseArgument::ErrorsOnly404 => Self::ErrorsOnly404,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Compat {
    /// mitmproxy-mcp 0.6's `get_api_patterns`
    MitmproxyMcp,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum ProgressWhen {
    /// If stderr is a terminal
    Auto,
    /// In every case
    Always,
    /// In no case
    Never,
}

/// Parses the arguments. On failure prints one sentence to stderr and returns the exit code.
pub(super) fn parse(arguments: impl Iterator<Item = OsString>) -> Result<Arguments, Exit> {
    Arguments::try_parse_from(with_command(arguments)).map_err(|error| {
        if matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion) {
            // Help and version were asked for, so they go to stdout; a closed pipe is not an error.
            error.print().unwrap_or_default();
            return Exit::Done;
        }
        complain(&sentence(&error));
        Exit::Error
    })
}

/// Inserts the command `analyze` where the first argument is a capture: `api-patterns dump.mitm`.
fn with_command(arguments: impl Iterator<Item = OsString>) -> Vec<OsString> {
    let mut arguments: Vec<OsString> = arguments.collect();
    let command = Arguments::command();
    let is_command = |text: &str| {
        text == "help" || command.get_subcommands().any(|command| command.get_name() == text)
    };
    let is_path = |argument: &OsString| {
        let text = argument.to_string_lossy();
        let may_be_path = || text.contains(['/', '\\', '.']) || Path::new(argument).exists();
        text == "-" || (!text.starts_with('-') && !is_command(&text) && may_be_path())
    };
    // Options may stand before the capture, as in `api-patterns --follow dump.mitm`.
    let is_capture = arguments.get(1).is_some_and(|first| {
        let is_option = first.to_string_lossy().starts_with("--");
        is_path(first) || (is_option && arguments.iter().skip(2).any(is_path))
    });
    if is_capture {
        arguments.insert(1, "analyze".into());
    }
    arguments
}

fn sentence(error: &clap::Error) -> String {
    let help = "run api-patterns --help to see what there is";
    let text = error.to_string();
    if matches!(
        error.kind(),
        ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand | ErrorKind::MissingSubcommand
    ) {
        return format!("no command was given, such as api-patterns analyze dump.mitm; {help}");
    }
    if error.kind() == ErrorKind::MissingRequiredArgument && text.contains("<CAPTURE>") {
        return format!("no capture was named; give a file, a folder or -, or {help}");
    }
    let paragraph = text.split("\n\n").next().unwrap_or(&text);
    let words: Vec<&str> = paragraph.trim_start_matches("error: ").split_whitespace().collect();
    let tip = text.lines().find_map(|line| line.trim().strip_prefix("tip: "));
    let advice = tip.map_or_else(|| help.to_owned(), |tip| format!("{tip}, or {help}"));
    crate::flow::text::printable(format!("{}; {advice}", words.join(" ")).as_bytes()).into_owned()
}
