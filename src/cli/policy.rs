//! The commands `policy check`, `policy test` and `policy scan`.

use std::fmt::Write as _;
use std::io::{self, Write};

use serde_json::Value;

use crate::cli::Failure;
#[cfg(feature = "gateway")]
use crate::cli::arguments::PolicyScanArguments;
use crate::cli::arguments::{PolicyCheckArguments, PolicyCommand, PolicyTestArguments};
use crate::cli::exit::Exit;
use crate::cli::messages::complain;
use crate::error::Error;
use crate::flow::text;
use crate::mcp::TOOL_NAMES;
use crate::output::format_count;
use crate::policy::{KnownTools, Policy, Verdict, shown_identity};

/// Runs a command about policies.
pub(super) fn policy(command: &PolicyCommand) -> Result<Exit, Failure> {
    match command {
        PolicyCommand::Check(arguments) => check(arguments),
        PolicyCommand::Test(arguments) => test(arguments),
        #[cfg(feature = "gateway")]
        PolicyCommand::Scan(arguments) => scan(arguments),
    }
}

/// Reads a policy and says all that is wrong with it; `None` if something is.
fn read(arguments: &PolicyCheckArguments) -> Result<Option<Policy>, Failure> {
    let name = arguments.policy.display().to_string();
    let file = std::fs::read_to_string(&arguments.policy)
        .map_err(|error| Error::io(&name, "read", error))?;
    let tools = tools_of_server(arguments)?;
    let tools: Option<Vec<&str>> = tools.as_ref().map(|all| all.iter().map(|it| &**it).collect());
    let known = match &tools {
        Some(tools) => KnownTools::These(tools),
        None if arguments.any_tools => KnownTools::Any,
        None => KnownTools::These(&TOOL_NAMES),
    };
    match Policy::parse(&file, known) {
        Ok(policy) => Ok(Some(policy)),
        Err(wrong) => {
            for sentence in &wrong {
                complain(&text::printable(format!("{name}: {sentence}").as_bytes()));
            }
            if tools.is_none()
                && wrong.iter().any(|sentence| sentence.contains("there is no tool "))
            {
                complain(
                    "the tools are those of `api-patterns mcp`: for another server say -- COMMAND or --upstream URL, or --any-tools",
                );
            }
            complain(&format!("{} found", format_count(wrong.len() as u64, "error")));
            Ok(None)
        }
    }
}

/// The names of the tools of the server that was named, if one was.
#[cfg(feature = "gateway")]
fn tools_of_server(arguments: &PolicyCheckArguments) -> Result<Option<Vec<String>>, Failure> {
    let server = &arguments.server;
    if server.upstream.is_none() && server.server.is_empty() {
        return Ok(None);
    }
    let upstream = super::gateway::upstream(server)?;
    let tools = crate::gateway::scan::scan(upstream, &super::gateway::complaints())?;
    let name = |tool: &Value| tool["name"].as_str().unwrap_or_default().to_owned();
    Ok(Some(tools.iter().map(name).collect()))
}

#[cfg(not(feature = "gateway"))]
#[expect(clippy::unnecessary_wraps, reason = "as the function with the feature gateway")]
fn tools_of_server(_: &PolicyCheckArguments) -> Result<Option<Vec<String>>, Failure> {
    Ok(None)
}

/// Lists the tools of a server with what they do, and writes a policy to begin with.
#[cfg(feature = "gateway")]
fn scan(arguments: &PolicyScanArguments) -> Result<Exit, Failure> {
    use crate::policy::draft::{judge_all, recommended};

    let upstream = super::gateway::upstream(&arguments.server)?;
    let tools = crate::gateway::scan::scan(upstream, &super::gateway::complaints())?;
    if tools.is_empty() {
        complain("the server has no tools");
        return Ok(Exit::Nothing);
    }
    let judged = judge_all(&tools);
    let mut table = String::new();
    for tool in &judged {
        let judgement = &tool.judgement;
        let guess = if judgement.is_guess { "guess: " } else { "" };
        let (kind, risk) = (judgement.kind.name(), judgement.risk.name());
        writeln!(table, "{:<32} {kind:<8} {risk:<7} {guess}{}", tool.name, judgement.because)
            .unwrap_or_default();
    }
    let shown: String = table.lines().map(|line| text::printable(line.as_bytes()) + "\n").collect();
    io::stderr().write_all(shown.as_bytes()).unwrap_or_default();
    let policy = recommended(&judged);
    match &arguments.output {
        Some(path) => {
            let name = path.display().to_string();
            let mut file = std::fs::File::create_new(path).map_err(|error| {
                if error.kind() == io::ErrorKind::AlreadyExists {
                    Error::usage(format!(
                        "{name}: this file exists; name another with --output, or remove it"
                    ))
                } else {
                    Error::io(&name, "make", error)
                }
            })?;
            file.write_all(policy.as_bytes()).map_err(|error| Error::io(&name, "write", error))?;
        }
        None => io::stdout().write_all(policy.as_bytes())?,
    }
    Ok(Exit::Done)
}

/// True if the tools of another server than our own are meant.
#[cfg(feature = "gateway")]
fn names_server(arguments: &PolicyCheckArguments) -> bool {
    arguments.server.upstream.is_some() || !arguments.server.server.is_empty()
}

#[cfg(not(feature = "gateway"))]
fn names_server(_: &PolicyCheckArguments) -> bool {
    false
}

fn check(arguments: &PolicyCheckArguments) -> Result<Exit, Failure> {
    if read(arguments)?.is_none() {
        return Ok(Exit::Error);
    }
    let name = arguments.policy.display().to_string();
    writeln!(io::stdout(), "{}: nothing is wrong", text::printable(name.as_bytes()))?;
    Ok(Exit::Done)
}

fn test(arguments: &PolicyTestArguments) -> Result<Exit, Failure> {
    let Some(policy) = read(&arguments.check)? else { return Ok(Exit::Error) };
    let call: Option<Value> = serde_json::from_str(&arguments.arguments).ok();
    let Some(call) = call.filter(Value::is_object) else {
        let why = "--arguments is not a JSON object; give one, as in --arguments '{\"id\": 5}'";
        return Err(Error::usage(why).into());
    };
    if !arguments.check.any_tools
        && !names_server(&arguments.check)
        && !TOOL_NAMES.contains(&&*arguments.tool)
    {
        let tool = text::printable(arguments.tool.as_bytes());
        let tools = TOOL_NAMES.join(", ");
        return Err(Error::usage(format!(
            "--tool {tool}: there is no such tool; the tools are {tools} (--any-tools takes others)"
        ))
        .into());
    }
    let identity = shown_identity(&arguments.identity);
    let decision = policy.decide(&identity, &arguments.tool, &call);
    let verdict = match decision.verdict {
        Verdict::Allow => "allowed",
        Verdict::Ask => "allowed if the user approves",
        Verdict::Deny => "denied",
        Verdict::Hidden => "denied, and the tool is not listed",
    };
    let mut said = format!("{verdict}\nrule: {}\n", decision.rule);
    match (decision.verdict, &decision.message) {
        (Verdict::Deny, _) => {
            writeln!(said, "told to the agent: {}", decision.refusal()).unwrap_or_default();
        }
        (Verdict::Ask, Some(reason)) => {
            writeln!(said, "told to the user: {reason}").unwrap_or_default();
        }
        _ => {}
    }
    for limit in &decision.limits {
        let what = if limit.counts_calls {
            format_count(1, "call")
        } else {
            format!("an amount of {}", limit.amount)
        };
        let window = limit.window.as_secs_f64();
        writeln!(said, "limit {}: {what} of {} in {window} seconds", limit.rule, limit.max)
            .unwrap_or_default();
    }
    let shown = said.lines().map(|line| text::printable(line.as_bytes()) + "\n");
    io::stdout().write_all(shown.collect::<String>().as_bytes())?;
    let is_allowed = matches!(decision.verdict, Verdict::Allow | Verdict::Ask);
    Ok(if is_allowed { Exit::Done } else { Exit::Nothing })
}
