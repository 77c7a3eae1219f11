//! Arguments that name the captures, and how a run shows its progress.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use crate::cli::arguments::selection::SelectionArguments;

/// Options for input and inference that all commands share.
#[derive(Args, Debug)]
pub(in crate::cli) struct SourceArguments {
    /// Captures: files, folders (walked, sorted by name), or - for standard input
    #[arg(required = true, value_name = "CAPTURE")]
    pub(in crate::cli) captures: Vec<PathBuf>,

    #[command(flatten)]
    pub(in crate::cli) selection: SelectionArguments,
}

#[derive(Args, Debug)]
pub(in crate::cli) struct InputArguments {
    #[command(flatten)]
    pub(in crate::cli) source: SourceArguments,

    /// Only this method; can be repeated
    #[arg(long)]
    pub(in crate::cli) method: Vec<String>,

    /// Only the newest N flows that the other options leave
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    pub(in crate::cli) limit: Option<i64>,

    /// Read the bodies too: they confirm templates, name parameters and tell where values come from, and `analyze` shows
    /// which endpoints have schemas, and where secret or personal content is
    #[arg(long, conflicts_with = "limit")]
    pub(in crate::cli) bodies: bool,

    /// Number of bytes that a thread reads at once (for tests and measurements; does not change the result)
    #[arg(long, value_name = "N", default_value_t = 0, hide = true)]
    pub(in crate::cli) batch_bytes: usize,

    /// Show a progress bar on stderr [default: on a terminal]
    #[arg(long, value_enum, default_value_t = ProgressWhen::Auto, hide_default_value = true)]
    pub(in crate::cli) progress: ProgressWhen,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum ProgressWhen {
    /// If stderr is a terminal
    Auto,
    /// In every case
    Always,
    /// In no case
    Never,
}
