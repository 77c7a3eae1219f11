//! Arguments of the commands about schemas, descriptions and states.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use crate::cli::arguments::input::{InputArguments, ProgressWhen};
use crate::cli::arguments::selection::SelectionArguments;

#[derive(Args, Debug)]
pub(in crate::cli) struct SchemaArguments {
    #[command(flatten)]
    pub(in crate::cli) input: InputArguments,

    /// Only this endpoint, as analyze lists it (for example `GET /users/{user_id}`), or its id
    #[arg(long, value_name = "ENDPOINT")]
    pub(in crate::cli) endpoint: Option<String>,

    /// Explain one place of the endpoint instead: `request`, `query` or a status, then keys (for example `200.items[].id`)
    #[arg(long, value_name = "PATH", requires = "endpoint")]
    pub(in crate::cli) explain: Option<String>,
}

#[derive(Args, Debug)]
pub(in crate::cli) struct OpenApiArguments {
    #[command(flatten)]
    pub(in crate::cli) input: InputArguments,

    /// Write to this file or, if it is a folder or there are several hosts, to HOST.yaml or HOST.json for each host in
    /// this folder [default: standard output]
    #[arg(long, value_name = "FILE|DIR")]
    pub(in crate::cli) output: Option<PathBuf>,

    /// Add what the captures show to this description (YAML or JSON, OpenAPI 3.0 or 3.1), keep all that is written in it,
    /// and say on stderr where it contradicts the traffic; the file itself is written only if --output names it
    #[arg(long, value_name = "FILE", conflicts_with_all = ["format", "openapi"])]
    pub(in crate::cli) merge: Option<PathBuf>,

    /// Add examples that are made of kinds and formats alone
    #[arg(long, value_enum, value_name = "KIND")]
    pub(in crate::cli) examples: Option<ExamplesArgument>,

    /// Format of the descriptions
    #[arg(long, value_enum, default_value_t = DescriptionFormat::Yaml)]
    pub(in crate::cli) format: DescriptionFormat,

    /// Version of OpenAPI
    #[arg(long, value_enum, value_name = "VERSION", default_value_t = OpenApiArgument::V3_1)]
    pub(in crate::cli) openapi: OpenApiArgument,

    /// Add counts, confidence and reasons (`x-evidence`)
    #[arg(long)]
    pub(in crate::cli) evidence: bool,
}

#[derive(Args, Debug)]
pub(in crate::cli) struct DriftArguments {
    #[command(flatten)]
    pub(in crate::cli) input: InputArguments,

    /// The description: OpenAPI 2.0, 3.0 or 3.1 in YAML or JSON. Files beside it are read where it refers to them
    #[arg(long, value_name = "FILE")]
    pub(in crate::cli) api: PathBuf,

    /// URL of the server that the description is about, instead of those that it names
    #[arg(long, value_name = "URL")]
    pub(in crate::cli) server: Option<String>,

    /// Also show which parts of the description were seen in traffic, and which operations were not
    #[arg(long)]
    pub(in crate::cli) coverage: bool,

    #[command(flatten)]
    pub(in crate::cli) findings: FindingsArguments,
}

#[derive(Args, Debug)]
pub(in crate::cli) struct DiffArguments {
    /// One side: a capture, a folder of captures, a saved state or a description
    #[arg(value_name = "BEFORE")]
    pub(in crate::cli) before: PathBuf,

    /// The other side
    #[arg(value_name = "AFTER")]
    pub(in crate::cli) after: PathBuf,

    /// A further capture or state of the side before; can be repeated
    #[arg(long, value_name = "FILE")]
    pub(in crate::cli) also_before: Vec<PathBuf>,

    /// A further capture or state of the side after; can be repeated
    #[arg(long, value_name = "FILE")]
    pub(in crate::cli) also_after: Vec<PathBuf>,

    /// Also show changes that are unlikely: what was merely not seen
    #[arg(long, conflicts_with = "min_confidence")]
    pub(in crate::cli) all: bool,

    /// Least probability of a change between captures that is shown, from 0 to 1
    #[arg(long, value_name = "P", default_value_t = 0.99, value_parser = parse_probability)]
    pub(in crate::cli) min_confidence: f64,

    #[command(flatten)]
    pub(in crate::cli) selection: SelectionArguments,

    #[command(flatten)]
    pub(in crate::cli) findings: FindingsArguments,

    /// Show a progress bar on stderr [default: on a terminal]
    #[arg(long, value_enum, default_value_t = ProgressWhen::Auto, hide_default_value = true)]
    pub(in crate::cli) progress: ProgressWhen,
}

#[derive(Args, Debug)]
pub(in crate::cli) struct StateArguments {
    #[command(flatten)]
    pub(in crate::cli) input: InputArguments,

    /// The file to write. It has names and paths as captured, also those that reports do not show
    #[arg(long, value_name = "FILE")]
    pub(in crate::cli) output: PathBuf,
}

/// Options of commands that write findings.
#[derive(Args, Debug)]
pub(in crate::cli) struct FindingsArguments {
    /// Format of the findings
    #[arg(long, value_enum, default_value_t = FindingsFormat::Text)]
    pub(in crate::cli) format: FindingsFormat,

    /// Write the findings to this file [default: standard output]
    #[arg(long, value_name = "FILE")]
    pub(in crate::cli) output: Option<PathBuf>,

    /// Exit with code 1 if there is a new finding of this severity or a worse one
    #[arg(long, value_enum, value_name = "SEVERITY", default_value_t = FailOn::Error)]
    pub(in crate::cli) fail_on: FailOn,

    /// Known findings (a file of --update-baseline): they are counted, and only new ones fail
    #[arg(long, value_name = "FILE")]
    pub(in crate::cli) baseline: Option<PathBuf>,

    /// Write all findings of this run to the file of --baseline
    #[arg(long, requires = "baseline")]
    pub(in crate::cli) update_baseline: bool,
}

/// A format of findings.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum FindingsFormat {
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
pub(in crate::cli) enum FailOn {
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
pub(in crate::cli) enum DescriptionFormat {
    /// YAML
    Yaml,
    /// JSON
    Json,
}

/// The source of examples.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum ExamplesArgument {
    /// Made of kinds and formats; no captured value, but enumerated ones that the schema lists
    Synthetic,
}

/// A version of OpenAPI.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum OpenApiArgument {
    /// OpenAPI 3.1.0
    #[value(name = "3.1")]
    V3_1,
    /// OpenAPI 3.0.3, for tools that do not read 3.1
    #[value(name = "3.0")]
    V3_0,
}

fn parse_probability(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(number) if (0.0..=1.0).contains(&number) => Ok(number),
        _ => Err("give a number from 0 to 1".to_owned()),
    }
}
