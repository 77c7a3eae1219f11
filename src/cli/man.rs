//! The command `man`.

use std::io;

use clap::{Command, CommandFactory};

use crate::cli::arguments::Arguments;

/// The manual page of the program, with a part for each command.
pub(super) fn page() -> io::Result<Vec<u8>> {
    let mut page = Vec::new();
    let program = Arguments::command();
    clap_mangen::Man::new(program.clone()).render(&mut page)?;
    add_commands(&mut page, &program, "api-patterns")?;
    let text = String::from_utf8_lossy(&page);
    // Examples and exit codes are aligned, and are not running text.
    let text = text.replace(".SH EXTRA\n", ".SH EXAMPLES AND EXIT CODES\n.nf\n");
    let lines = text.lines().scan(false, |is_open, line| {
        let is_next = line.starts_with(".SH") || line.starts_with(".TH");
        let closes = *is_open && is_next;
        *is_open = line == ".nf" || (*is_open && !is_next);
        Some(if closes { format!(".fi\n{line}\n") } else { format!("{line}\n") })
    });
    Ok(lines.collect::<String>().into_bytes())
}

fn add_commands(page: &mut Vec<u8>, command: &Command, path: &str) -> io::Result<()> {
    for inner in command.get_subcommands().filter(|inner| !inner.is_hide_set()) {
        let path = format!("{path} {}", inner.get_name());
        let named = inner.clone().display_name(path.replace(' ', "-")).bin_name(path.clone());
        clap_mangen::Man::new(named).render(&mut *page)?;
        add_commands(page, inner, &path)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn examples_keep_their_lines_and_commands_their_names() {
        let page = String::from_utf8(page().unwrap()).unwrap();
        assert!(
            page.contains(".nf\n")
                && page.matches(".nf\n").count() == page.matches(".fi\n").count()
        );
        assert!(page.contains("\\fBapi\\-patterns analyze\\fR"), "{}", &page[..2000]);
        assert!(page.contains("api\\-patterns rules init"), "a command in a command");
    }
}
