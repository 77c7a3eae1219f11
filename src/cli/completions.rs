//! The command `completions`.

use clap::CommandFactory;
use clap_complete::Shell;

use crate::cli::arguments::Arguments;

/// The completion script of a shell.
pub(super) fn script(shell: Shell) -> Vec<u8> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Arguments::command(), "api-patterns", &mut script);
    let text = String::from_utf8_lossy(&script);
    match shell {
        // clap_complete 4.6 looks commands up by one spelling of a name with a hyphen, and lists them by another.
        Shell::Bash => text.replace("api__subcmd__patterns", "api__patterns").into_bytes(),
        // To `_arguments`, two colons say that what follows the first capture is a command line of its own, without options.
        Shell::Zsh => text.replace("'*::captures ", "'*:captures ").into_bytes(),
        _ => script,
    }
}
