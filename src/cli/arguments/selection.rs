//! Arguments that select flows, and how captures are read.

use std::ffi::OsStr;
use std::path::PathBuf;

use clap::builder::{EnumValueParser, PossibleValue, TypedValueParser};
use clap::{Args, ValueEnum};

use crate::capture::InputFormat;
use crate::flow::noise::Noise;
use crate::flow::status_filter::StatusFilter;

/// Options that select flows and decide templates.
#[derive(Args, Debug)]
pub(in crate::cli) struct SelectionArguments {
    /// Format of the captures [default: detected from the content, never from the name]
    #[arg(long, value_enum, default_value_t = FormatArgument::Auto, hide_default_value = true)]
    pub(in crate::cli) input_format: FormatArgument,

    /// Host of requests in access logs that do not name it [default: localhost]
    #[arg(long, value_name = "HOST")]
    pub(in crate::cli) log_host: Option<String>,

    /// Only this host and its subdomains; can be repeated
    #[arg(long, value_name = "HOST")]
    pub(in crate::cli) domain: Vec<String>,

    /// Domain of the captured application, whose hosts are shown first; all others are third parties then; can be repeated
    /// [default: decided from what browsers and pages ask for]
    #[arg(long, value_name = "DOMAIN")]
    pub(in crate::cli) first_party: Vec<String>,

    /// Noise or statuses to leave out, for example static,preflight,404; dropped flows are counted (errors-only-404
    /// applies after --limit)
    #[arg(long, value_parser = ExcludeParser, value_delimiter = ',', value_name = "NOISE|STATUS,...")]
    pub(in crate::cli) exclude: Vec<Exclude>,

    /// Only flows with these statuses: codes and classes, as in 2xx,3xx,404, and none for no response
    #[arg(long, value_parser = parse_status, value_delimiter = ',', value_name = "STATUS,...")]
    pub(in crate::cli) status: Vec<StatusFilter>,

    /// Rules file (TOML) that templates follow
    #[arg(long, value_name = "FILE")]
    pub(in crate::cli) rules: Option<PathBuf>,

    /// Treat hosts as one if they have the same endpoints and their names differ only in the first label
    #[arg(long)]
    pub(in crate::cli) group_hosts: bool,

    /// Number of threads; 0 for one per core
    #[arg(long, value_name = "N", default_value_t = 0, value_parser = parse_threads, hide_default_value = true)]
    pub(in crate::cli) threads: usize,

    /// Print only errors to stderr
    #[arg(long, short)]
    pub(in crate::cli) quiet: bool,
}

fn parse_threads(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(threads) if threads <= 1024 => Ok(threads),
        _ => Err("give a whole number from 0 to 1024".to_owned()),
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum FormatArgument {
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

/// Flows that `--exclude` leaves out: a kind of noise, or those with a status.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::cli) enum Exclude {
    Noise(NoiseArgument),
    Status(StatusFilter),
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
        if let Some(range) = value.to_str().and_then(StatusFilter::parse) {
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

fn parse_status(text: &str) -> Result<StatusFilter, String> {
    StatusFilter::parse(text)
        .ok_or_else(|| "give a status such as 404, a class such as 2xx, or none".to_owned())
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum NoiseArgument {
    /// Style sheets, scripts, fonts, images, videos, sounds
    Static,
    /// CORS preflights
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
