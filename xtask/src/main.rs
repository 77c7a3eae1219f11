//! Tasks of the maintainers of api-patterns: `cargo xtask --help` lists them.
//!
//! Everything that a release uploads is made by a task, so that the workflow of releases is a list of tasks and uploads, and
//! `cargo xtask release-check` tries all but the uploads on any machine.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a task talks to who runs it")]
#![allow(clippy::doc_markdown, reason = "words of the field, such as PyPI, are no code")]

mod archive;
mod book;
mod bundle;
mod changelog;
mod container;
mod formula;
mod licences;
mod owner;
mod package;
mod project;
mod reference;
mod registry;
mod release_check;
mod target;
mod tool;
mod version;
mod wheel;
mod workflows;

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::target::Target;

/// Tasks of the maintainers of api-patterns
#[derive(Debug, Parser)]
#[command(bin_name = "cargo xtask")]
enum Task {
    /// Check all that a release needs and that can be checked without uploading
    ReleaseCheck(release_check::Arguments),
    /// Write a version into every file that has one, and give the changelog its section
    SetVersion {
        /// As in 0.2.0
        version: String,
    },
    /// Write the notes of a version, from the changelog
    Notes {
        /// As in 0.2.0
        version: String,
    },
    /// Make what a release of one platform uploads
    #[command(subcommand)]
    Make(Artefact),
    /// Build and run a program that measures, damages or fits the engine; without a name they are listed
    Tool {
        /// The program, as in accuracy
        name: Option<String>,
        /// Arguments of the program
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<OsString>,
    },
    /// Write the book to target/book: the documents and the reference; needs mdbook
    Book {
        /// The program whose help is the reference [default: one that is built]
        #[arg(long)]
        program: Option<PathBuf>,
    },
}

#[derive(Debug, Subcommand)]
enum Artefact {
    /// An archive with the program, its completions, man page and licences, and its checksum
    Archive(Source),
    /// The bundle that desktop clients install (.mcpb)
    Bundle(Source),
    /// The wheel with the module and the program; needs maturin
    Wheel(wheel::Arguments),
    /// The archive of sources for PyPI; needs maturin
    Sdist {
        /// Folder that it is written to
        #[arg(long, default_value = "target/artefacts")]
        output: PathBuf,
    },
    /// The entry of the registry of MCP servers, with the checksums of the bundles in a folder
    Registry {
        /// Folder with the bundles, which the entry is written to
        #[arg(long, default_value = "target/artefacts")]
        output: PathBuf,
    },
    /// The formula for Homebrew, with the checksums of the archives in a folder
    Formula {
        /// Folder with the archives, which the formula is written to
        #[arg(long, default_value = "target/artefacts")]
        output: PathBuf,
    },
}

/// What an artefact is made from.
#[derive(Debug, clap::Args)]
struct Source {
    /// Platform that it is for
    #[arg(long, default_value = Target::HOST)]
    target: Target,
    /// The program, built for that platform
    #[arg(long)]
    program: PathBuf,
    /// A program that runs on this machine, which writes completions and the man page [default: --program]
    #[arg(long)]
    helper: Option<PathBuf>,
    /// Folder that it is written to
    #[arg(long, default_value = "target/artefacts")]
    output: PathBuf,
}

impl Source {
    fn helper(&self) -> &std::path::Path {
        self.helper.as_ref().unwrap_or(&self.program)
    }
}

fn main() -> ExitCode {
    match run(Task::parse()) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("xtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(task: Task) -> anyhow::Result<ExitCode> {
    let show = |path: PathBuf| println!("{}", path.display());
    match task {
        Task::ReleaseCheck(arguments) => return release_check::check(&arguments),
        Task::SetVersion { version } => version::set(&version)?,
        Task::Notes { version } => print!("{}", changelog::section(&version)?),
        Task::Make(Artefact::Archive(source)) => show(archive::make(&source)?),
        Task::Make(Artefact::Bundle(source)) => show(bundle::make(&source)?),
        Task::Make(Artefact::Wheel(arguments)) => show(wheel::make(&arguments)?),
        Task::Make(Artefact::Sdist { output }) => show(wheel::make_sdist(&output)?),
        Task::Make(Artefact::Registry { output }) => show(registry::make(&output)?),
        Task::Make(Artefact::Formula { output }) => show(formula::make(&output)?),
        Task::Tool { name: Some(name), arguments } => return tool::run(&name, &arguments),
        Task::Tool { name: None, .. } => print!("{}", tool::list()?),
        Task::Book { program } => show(book::make(program.as_deref())?),
    }
    Ok(ExitCode::SUCCESS)
}
