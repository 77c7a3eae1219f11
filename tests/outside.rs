//! Tests that need what is not in the repository: programs of others, and corpora beside the project. Where it is missing, a
//! test is shown as ignored, with what it needs before its name.

#![allow(unreachable_pub, clippy::unwrap_used, reason = "tests fail by unwrapping")]

#[cfg(feature = "mcp")]
#[path = "main/agent.rs"]
#[allow(dead_code, reason = "shared with the other integration tests")]
mod agent;
#[path = "outside/completions.rs"]
mod completions;
#[path = "outside/corpora.rs"]
mod corpora;
#[path = "main/support.rs"]
#[allow(dead_code, reason = "shared with the other integration tests")]
mod support;
#[cfg(all(feature = "mcp", target_os = "linux"))]
#[path = "outside/system_calls.rs"]
mod system_calls;

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use libtest_mimic::{Arguments, Trial};

/// What a test needs, and how it is told whether that is there.
enum Need {
    /// A program on the search path.
    Program(&'static str),
    /// A file or folder of the corpora.
    Corpus(&'static str),
}

impl Need {
    fn is_met(&self) -> bool {
        match self {
            // Not each program knows `--version`, but each that is there can be started.
            Self::Program(name) => {
                let mut command = Command::new(name);
                command.arg("--version").stdin(Stdio::null());
                command.stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok()
            }
            Self::Corpus(name) => shared(name).exists(),
        }
    }

    fn words(&self) -> String {
        match self {
            Self::Program(name) => format!("needs {name}"),
            Self::Corpus(name) => format!("needs ../shared/{name}"),
        }
    }
}

/// The path of a file in `../shared`, the corpora beside the project.
fn shared(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared").join(name)
}

/// A test with its name and what it needs.
macro_rules! trial {
    ($need:expr, $module:ident::$test:ident) => {{
        let need = $need;
        let name = concat!(stringify!($module), "::", stringify!($test));
        let run = || {
            $module::$test();
            Ok(())
        };
        Trial::test(name, run).with_kind(need.words()).with_ignored_flag(!need.is_met())
    }};
}

fn main() {
    use Need::{Corpus, Program};

    let trials = vec![
        trial!(Program("bash"), completions::bash_completes_behind_subcommands),
        trial!(Program("elvish"), completions::elvish_completes_behind_subcommands),
        trial!(Program("fish"), completions::fish_completes_behind_subcommands),
        trial!(Program("pwsh"), completions::powershell_completes_behind_subcommands),
        trial!(Program("zsh"), completions::zsh_completes_behind_subcommands),
        trial!(
            Corpus("compat/compat-cases.jsonl"),
            corpora::answers_equal_the_originals_on_all_recorded_cases
        ),
        trial!(
            Corpus("compat/compat-cases-surrogates.jsonl"),
            corpora::lone_surrogates_come_out_as_the_original_writes_them
        ),
        trial!(
            Corpus("compat/normalize-path-cases.jsonl"),
            corpora::paths_are_normalized_as_the_original_does
        ),
        trial!(Corpus("compat/db-rows-cases.jsonl"), corpora::rows_are_those_of_the_original),
        trial!(Corpus("accuracy/dev"), corpora::real_corpora_give_the_same_bytes_in_any_order),
        #[cfg(all(feature = "mcp", target_os = "linux"))]
        trial!(
            Program("strace"),
            system_calls::nothing_is_written_and_nothing_but_the_captures_is_read
        ),
        #[cfg(all(feature = "mcp", target_os = "linux"))]
        trial!(Program("strace"), system_calls::the_audit_log_is_all_that_is_written),
    ];
    libtest_mimic::run(&Arguments::from_args(), trials).exit();
}
