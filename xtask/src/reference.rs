//! Pages of the book that the program writes of itself: its commands, and the tools of its server.

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};

use crate::project::{output_of, root};

/// The page of all commands, with the help of each.
pub(crate) fn commands(program: &Path) -> Result<String> {
    let mut page = String::from(
        "# Commands\n\nThis page is the help of the program, as `api-patterns COMMAND --help` prints it.\n",
    );
    add_command(&mut page, program, &[])?;
    Ok(page)
}

fn add_command(page: &mut String, program: &Path, path: &[&str]) -> Result<()> {
    let help = output_of(Command::new(program).args(path).arg("--help").env("COLUMNS", "86"))?;
    let name = if path.is_empty() { String::new() } else { format!(" {}", path.join(" ")) };
    let level = "#".repeat(path.len() + 2);
    write!(page, "\n{level} api-patterns{name}\n\n```text\n{}\n```\n", help.trim())?;
    let mut in_commands = false;
    for line in help.lines() {
        if !line.starts_with(' ') {
            in_commands = line == "Commands:";
        } else if in_commands && !line.starts_with("   ") {
            let command = line.split_whitespace().next().context("a command has a name")?;
            if command != "help" {
                add_command(page, program, &[path, &[command]].concat())?;
            }
        }
    }
    Ok(())
}

/// The page of the tools of the server, with what they take and give.
pub(crate) fn server_tools(program: &Path) -> Result<String> {
    let mut page = String::from(
        "# Tools of the server\n\nThis page lists the tools of `api-patterns mcp`, as the server describes them to a client.\n",
    );
    for tool in tools(program)? {
        let name = tool["name"].as_str().context("a tool has a name")?;
        let description = tool["description"].as_str().unwrap_or_default();
        write!(page, "\n## {name}\n\n{description}\n")?;
        for (title, field) in [("Arguments", "inputSchema"), ("Answer", "outputSchema")] {
            if tool[field].is_object() {
                let schema = serde_json::to_string_pretty(&tool[field])?;
                write!(page, "\n{title}:\n\n```json\n{schema}\n```\n")?;
            }
        }
    }
    Ok(page)
}

fn tools(program: &Path) -> Result<Vec<Value>> {
    let mut server = Command::new(program)
        .arg("mcp")
        .arg(root().join("fixtures/demo.mitm"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .context("the program does not start")?;
    let client = json!({"name": "book", "version": "1"});
    let start = json!({"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": client});
    let messages = [
        json!({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": start}),
        json!({"jsonrpc": "2.0", "method": "notifications/initialized"}),
        json!({"jsonrpc": "2.0", "id": 2, "method": "tools/list"}),
    ];
    let mut input = server.stdin.take().context("the server has an input")?;
    for message in messages {
        writeln!(input, "{message}")?;
    }
    drop(input);
    let output = server.wait_with_output()?;
    for line in String::from_utf8(output.stdout)?.lines() {
        let answer: Value = serde_json::from_str(line)?;
        if answer["id"] == 2 {
            let tools =
                answer["result"]["tools"].as_array().context("the server lists no tools")?.clone();
            ensure!(!tools.is_empty(), "the server has no tools");
            return Ok(tools);
        }
    }
    anyhow::bail!("the server did not answer tools/list")
}
