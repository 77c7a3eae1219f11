//! Arguments of the commands about single requests: `label` and `show`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use crate::cli::arguments::input::{InputArguments, ProgressWhen};
use crate::cli::arguments::selection::SelectionArguments;
use crate::engine::LabelField;

#[derive(Args, Debug)]
pub(in crate::cli) struct LabelArguments {
    #[command(flatten)]
    pub(in crate::cli) input: InputArguments,

    /// Further fields of each line. Paths have secret and personal values masked
    #[arg(long, value_enum, value_delimiter = ',', value_name = "FIELD,...")]
    pub(in crate::cli) fields: Vec<LabelFieldArgument>,
}

/// A field that `label` adds on request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum LabelFieldArgument {
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
pub(in crate::cli) struct ShowArguments {
    /// Captures as for analyze and, without --endpoint, the id of a flow as the last one
    #[arg(required = true, value_name = "CAPTURE|ID")]
    pub(in crate::cli) captures: Vec<PathBuf>,

    /// The newest requests of this endpoint: its name as analyze lists it, its id, or a path or URL that belongs to it
    #[arg(long, value_name = "ENDPOINT")]
    pub(in crate::cli) endpoint: Option<String>,

    /// Number of requests that are shown, with --endpoint [default: 1, and all of them with --write]
    #[arg(long, value_name = "N", requires = "endpoint", value_parser = clap::value_parser!(u32).range(1..))]
    pub(in crate::cli) newest: Option<u32>,

    #[command(flatten)]
    pub(in crate::cli) form: ExchangeForm,

    /// Write to this file instead: a HAR, or with the ending .mitm a mitmproxy dump (with --reveal, records of dumps are copied as they
    /// are)
    #[arg(long, value_name = "OUT.har|OUT.mitm", conflicts_with = "form")]
    pub(in crate::cli) write: Option<PathBuf>,

    /// Show secret and personal values, which are masked otherwise
    #[arg(long)]
    pub(in crate::cli) reveal: bool,

    #[command(flatten)]
    pub(in crate::cli) selection: SelectionArguments,

    /// Show a progress bar on stderr [default: on a terminal]
    #[arg(long, value_enum, default_value_t = ProgressWhen::Auto, hide_default_value = true)]
    pub(in crate::cli) progress: ProgressWhen,
}

/// The form in which requests are shown; text without any of these.
#[derive(Args, Debug)]
#[group(id = "form", multiple = false)]
pub(in crate::cli) struct ExchangeForm {
    /// As commands of curl
    #[arg(long)]
    pub(in crate::cli) curl: bool,

    /// As a HAR
    #[arg(long)]
    pub(in crate::cli) har: bool,

    /// As JSON
    #[arg(long)]
    pub(in crate::cli) json: bool,
}
