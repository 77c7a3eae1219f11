//! Arguments of `analyze`.

use std::io::{self, IsTerminal};
#[cfg(feature = "live")]
use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, ValueEnum};

use crate::cli::arguments::input::InputArguments;
use crate::report::endpoint_class::EndpointClass;
use crate::report::selection::EndpointOrder;

#[derive(Args, Debug)]
pub(in crate::cli) struct AnalyzeArguments {
    #[command(flatten)]
    pub(in crate::cli) input: InputArguments,

    /// Output format [default: table on a terminal, else json]
    #[arg(long, value_enum)]
    pub(in crate::cli) format: Option<OutputFormat>,

    /// Keep reading while another program writes the capture (a dump or JSON lines), until Ctrl-C
    #[arg(long, conflicts_with_all = ["compat", "explain", "limit"])]
    pub(in crate::cli) follow: bool,

    /// Seconds between two checks for new flows, with --follow
    #[arg(long, value_name = "SECONDS", default_value_t = 1.0, value_parser = parse_interval, allow_negative_numbers = true)]
    pub(in crate::cli) interval: f64,

    /// Explain one endpoint (for example `GET /users/{user_id}`): why each segment is a parameter, and which decisions
    /// were close
    #[arg(long, value_name = "ENDPOINT")]
    pub(in crate::cli) explain: Option<String>,

    #[command(flatten)]
    pub(in crate::cli) selection: EndpointSelection,

    #[command(flatten)]
    pub(in crate::cli) overview: OverviewArguments,

    /// Colours in the table [default: on a terminal that has them]
    #[arg(long, value_enum, default_value_t = ColorWhen::Auto, hide_default_value = true)]
    pub(in crate::cli) color: ColorWhen,

    /// Answer byte for byte as another tool does; --domain and --limit then have that tool's meaning
    #[arg(
        long,
        value_enum,
        value_name = "TOOL",
        conflicts_with_all = ["sort", "top", "min_count", "path_prefix", "only", "filter"]
    )]
    pub(in crate::cli) compat: Option<Compat>,
}

impl AnalyzeArguments {
    pub(in crate::cli) fn format(&self) -> OutputFormat {
        let default =
            if io::stdout().is_terminal() { OutputFormat::Table } else { OutputFormat::Json };
        self.format.unwrap_or(default)
    }

    /// True if the output is for people, who look for what matters first.
    pub(in crate::cli) fn is_for_people(&self) -> bool {
        self.explain.is_none()
            && (self.overview.tree
                || matches!(self.format(), OutputFormat::Table | OutputFormat::Markdown))
    }
}

/// Arguments of `report`.
#[derive(Args, Debug)]
pub(in crate::cli) struct ReportArguments {
    #[command(flatten)]
    pub(in crate::cli) input: InputArguments,

    /// The file to write [default: standard output]
    #[arg(long, short, value_name = "FILE")]
    pub(in crate::cli) output: Option<PathBuf>,

    /// Script of a viewer of OpenAPI descriptions (redoc.standalone.js, swagger-ui-bundle.js, or the standalone.js of Scalar);
    /// report.viewer.html beside report.html then shows the descriptions with it
    #[arg(long, value_name = "FILE.js", requires = "output")]
    pub(in crate::cli) viewer: Option<PathBuf>,

    #[cfg(feature = "live")]
    #[command(flatten)]
    pub(in crate::cli) live: LiveArguments,

    #[command(flatten)]
    pub(in crate::cli) selection: EndpointSelection,
}

/// Arguments of a page that is served while a capture grows.
#[cfg(feature = "live")]
#[derive(Args, Debug)]
pub(in crate::cli) struct LiveArguments {
    /// Keep reading while another program writes the capture (a dump or JSON lines), until Ctrl-C; with --listen
    #[arg(long, requires = "listen")]
    follow: bool,

    /// Serve the page at this address of the machine, as in 127.0.0.1:0 for any port; browsers show what is new at once
    #[arg(long, value_name = "ADDRESS", requires = "follow", conflicts_with = "viewer")]
    pub(in crate::cli) listen: Option<SocketAddr>,

    /// Seconds between two checks for new flows, with --follow
    #[arg(long, value_name = "SECONDS", default_value_t = 1.0, value_parser = parse_interval, allow_negative_numbers = true)]
    pub(in crate::cli) interval: f64,
}

/// Arguments of `explore`.
#[cfg(feature = "tui")]
#[derive(Args, Debug)]
pub(in crate::cli) struct ExploreArguments {
    #[command(flatten)]
    pub(in crate::cli) input: InputArguments,

    /// Keep reading while another program writes the capture (a dump or JSON lines)
    #[arg(long)]
    pub(in crate::cli) follow: bool,

    /// Seconds between two checks for new flows, with --follow
    #[arg(long, value_name = "SECONDS", default_value_t = 1.0, value_parser = parse_interval, allow_negative_numbers = true)]
    pub(in crate::cli) interval: f64,

    /// Colours [default: on a terminal that has them]
    #[arg(long, value_enum, default_value_t = ColorWhen::Auto, hide_default_value = true)]
    pub(in crate::cli) color: ColorWhen,
}

/// Options of outputs for people, which show what matters first.
#[derive(Args, Debug)]
pub(in crate::cli) struct OverviewArguments {
    /// Show third parties' endpoints too, which tables and Markdown sum up by domain
    #[arg(long, conflicts_with = "compat")]
    pub(in crate::cli) all: bool,

    /// Show a tree of hosts and paths with the number of endpoints and requests below each
    #[arg(long, conflicts_with_all = ["compat", "explain", "format"])]
    pub(in crate::cli) tree: bool,
}

/// Options that select and order the endpoints that are shown. They are decided from all flows in any case.
#[derive(Args, Debug)]
pub(in crate::cli) struct EndpointSelection {
    /// Order of the endpoints of each host [default: requests]
    #[arg(long, value_enum, value_name = "KEY")]
    pub(in crate::cli) sort: Option<EndpointOrder>,

    /// Only the first N endpoints in that order, over all hosts
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(in crate::cli) top: Option<u32>,

    /// Only endpoints with at least this many requests
    #[arg(long, value_name = "N", default_value_t = 0, hide_default_value = true)]
    pub(in crate::cli) min_count: u64,

    /// Only endpoints of this class: api leaves out pages and their images, scripts and stylesheets
    #[arg(long, value_enum, value_name = "CLASS")]
    pub(in crate::cli) only: Option<ClassArgument>,

    /// Only endpoints with this text in their method, host or path, ignoring case
    #[arg(long, value_name = "TEXT")]
    pub(in crate::cli) filter: Option<String>,

    /// Only paths that begin with these whole segments, as in /api/v1/users; a {parameter} stands for any segment
    #[arg(long, value_name = "PATH")]
    pub(in crate::cli) path_prefix: Option<String>,
}

/// A class of endpoints.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum ClassArgument {
    /// Calls of an API
    Api,
    /// Pages that people look at
    Page,
    /// Stylesheets, scripts, images, fonts, videos and sounds
    Asset,
    /// Preflights, tunnels and redirects
    Other,
}

impl From<ClassArgument> for EndpointClass {
    fn from(class: ClassArgument) -> Self {
        match class {
            ClassArgument::Api => Self::Api,
            ClassArgument::Page => Self::Page,
            ClassArgument::Asset => Self::Asset,
            ClassArgument::Other => Self::Other,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum ColorWhen {
    /// On a terminal
    Auto,
    /// In every case
    Always,
    /// In no case
    Never,
}

fn parse_interval(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(seconds) if (0.05..=86_400.0).contains(&seconds) => Ok(seconds),
        _ => Err("give seconds from 0.05 to 86400".to_owned()),
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum OutputFormat {
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
pub(in crate::cli) enum Compat {
    /// mitmproxy-mcp 0.6's `get_api_patterns`
    MitmproxyMcp,
}
