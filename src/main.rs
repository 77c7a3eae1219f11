//! Command line program; see [`api_patterns`] for the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    api_patterns::cli::main()
}
