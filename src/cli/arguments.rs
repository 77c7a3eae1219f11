//! Arguments of the command line, and their validation.

mod analyze;
mod descriptions;
#[cfg(feature = "mcp")]
mod gateway;
mod input;
mod requests;
mod selection;

use std::ffi::OsString;
use std::path::Path;

use clap::error::ErrorKind;
use clap::{CommandFactory, Parser, Subcommand};

use crate::cli::exit::Exit;
use crate::cli::messages::complain;

#[cfg(feature = "tui")]
pub(super) use analyze::ExploreArguments;
pub(super) use analyze::{
    AnalyzeArguments, ColorWhen, EndpointSelection, OutputFormat, ReportArguments,
};
pub(super) use descriptions::{
    DescriptionFormat, DiffArguments, DriftArguments, FailOn, FindingsArguments, FindingsFormat,
    OpenApiArgument, OpenApiArguments, SchemaArguments, StateArguments,
};
#[cfg(feature = "mcp")]
pub(super) use gateway::{
    AuditArguments, McpArguments, PolicyCheckArguments, PolicyCommand, PolicyTestArguments,
};
#[cfg(feature = "gateway")]
pub(super) use gateway::{
    GatewayArguments, GatewayCommand, GrantArguments, ListenArguments, PolicyScanArguments,
    ServerArguments,
};
pub(super) use input::{InputArguments, ProgressWhen};
pub(super) use requests::{LabelArguments, ShowArguments};
pub(super) use selection::{Exclude, SelectionArguments};

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
  api-patterns analyze session.har --exclude static,404      without the assets of pages, and without 404s
  api-patterns show dump.mitm --endpoint '/users/7' --curl   the newest such request as a command of curl
  api-patterns report session.har --output report.html       a report as an HTML page
  api-patterns explore dump.mitm                             explore the endpoints in the terminal, and correct templates
  api-patterns openapi dump.mitm --output apis/              an OpenAPI description of each host
  mitmdump -w dump.mitm & api-patterns analyze --follow dump.mitm

Exit codes:
  0  at least one endpoint was found, or the comparison found nothing to fail on
  1  no flow matched, or the comparison found something to fail on
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
    /// Write a report as one HTML file: the endpoints, their schemas, and the slowest, largest and most failing ones
    Report(ReportArguments),
    /// Explore a report on the terminal, and correct what was decided wrongly: a tree, a table, details
    #[cfg(feature = "tui")]
    Explore(ExploreArguments),
    /// Write OpenAPI descriptions, one for each host
    Openapi(OpenApiArguments),
    /// Compare captures with an OpenAPI description: find traffic that it does not describe or contradicts
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
    /// Run a gateway in front of any server of the Model Context Protocol, which passes on only the calls that a
    /// policy allows
    #[cfg(feature = "gateway")]
    Gateway(GatewayArguments),
    /// Check a policy for agents, try out what it says of a call, and write one to begin with
    #[cfg(feature = "mcp")]
    #[command(subcommand)]
    Policy(PolicyCommand),
    /// Summarize audit logs: calls, denials by rule, the slowest tools, and who called
    #[cfg(feature = "mcp")]
    Audit(AuditArguments),
    /// Print the path of the addon for mitmproxy, which the Python package installs: mitmdump -s "$(api-patterns addon)"
    Addon,
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
    let is_capture = arguments.get(1).is_some_and(|argument| {
        let first = argument.to_string_lossy();
        let is_option = first.starts_with('-') && !matches!(&*first, "-" | "-h" | "-V");
        is_path(argument) || (is_option && arguments.iter().skip(2).any(is_path))
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
    let paragraph = text.split("\n\n").next().unwrap_or(&text);
    if error.kind() == ErrorKind::MissingRequiredArgument && paragraph.contains("<CAPTURE>") {
        return format!("no capture was named; give a file, a folder or -, or {help}");
    }
    let words: Vec<&str> = paragraph.trim_start_matches("error: ").split_whitespace().collect();
    let tip = text.lines().find_map(|line| line.trim().strip_prefix("tip: "));
    let advice = tip.map_or_else(|| help.to_owned(), |tip| format!("{tip}, or {help}"));
    crate::flow::text::printable(format!("{}; {advice}", words.join(" ")).as_bytes()).into_owned()
}
