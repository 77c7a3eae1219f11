//! The command `gateway`.

use std::io::{self, Write};
use std::sync::Arc;
use std::time::Duration;

use crate::audit::time_text;
use crate::cli::Failure;
use crate::cli::arguments::{
    GatewayArguments, GatewayCommand, GrantArguments, ListenArguments, McpArguments,
    ServerArguments,
};
use crate::cli::exit::Exit;
use crate::cli::messages::complain;
use crate::error::Error;
use crate::flow::text::printable;
use crate::gateway::granting::{list_grants, make_grant, revoke_grants};
use crate::gateway::{
    ANSWERED, AccessSettings, AuditSettings, GatewaySettings, OperatorMessages, RemoteServer,
    Upstream, serve_http, serve_stdio,
};
use crate::mcp::{LocalServer, Settings};

/// Runs the gateway, or a command about its grants.
pub(super) fn gateway(arguments: &GatewayArguments) -> Result<Exit, Failure> {
    match &arguments.command {
        Some(GatewayCommand::Grant(arguments)) => grant(arguments),
        Some(GatewayCommand::Revoke { name, store }) => {
            let ended = revoke_grants(store.as_deref(), name)?;
            complain(&format!("{} ended", crate::output::format_count(ended as u64, "grant")));
            Ok(Exit::Done)
        }
        Some(GatewayCommand::Grants { store }) => {
            let mut lines = String::new();
            for grant in list_grants(store.as_deref())? {
                let expires = grant.expires.map_or_else(|| "never".to_owned(), time_text);
                let (name, created) = (printable(grant.name.as_bytes()), time_text(grant.created));
                lines
                    .push_str(&[&name, "  made ", &created, "  expires ", &expires, "\n"].concat());
            }
            io::stdout().write_all(lines.as_bytes())?;
            Ok(Exit::Done)
        }
        None => serve(arguments),
    }
}

fn serve(arguments: &GatewayArguments) -> Result<Exit, Failure> {
    let answer = match &arguments.answer {
        Some(tools) if tools.iter().any(|tool| tool == "none") => Some(Vec::new()),
        Some(tools) => {
            if let Some(tool) = tools.iter().find(|tool| !ANSWERED.contains(&&***tool)) {
                let tool = printable(tool.as_bytes());
                let all = ANSWERED.join(", ");
                return Err(Error::usage(format!(
                    "--answer {tool}: the gateway answers {all}, or none"
                ))
                .into());
            }
            Some(tools.clone())
        }
        None => None,
    };
    let settings = GatewaySettings {
        upstream: upstream(&arguments.server)?,
        policy: arguments.policy.clone(),
        audit: AuditSettings {
            path: arguments.audit_log.clone(),
            arguments: arguments.audit_arguments,
            max_bytes: Some(arguments.audit_max_mb << 20),
        },
        store: arguments.listen.store.clone(),
        answer,
        better: arguments.better,
        database: arguments.database.clone(),
        identity: crate::policy::shown_identity(&arguments.identity),
    };
    match access(&arguments.listen, &arguments.identity) {
        Some(access) => serve_http(settings, access, &complaints())?,
        None => serve_stdio(settings, &complaints())?,
    }
    Ok(Exit::Done)
}

/// Returns the function that prints sentences for the operator to standard error.
pub(super) fn complaints() -> OperatorMessages {
    Arc::new(complain)
}

/// The server that arguments name.
pub(super) fn upstream(arguments: &ServerArguments) -> Result<Upstream, Error> {
    match (&arguments.upstream, &*arguments.server) {
        (Some(url), _) => Ok(Upstream::Remote(RemoteServer::parse(url, &arguments.header_env)?)),
        (None, []) => Err(Error::usage(
            "no server was named; give its command after --, as in api-patterns gateway -- mitmproxy-mcp, or an address with --upstream",
        )),
        (None, command) => Ok(Upstream::Command(command.to_vec())),
    }
}

/// The settings of access over HTTP; `None` without `--listen`.
pub(super) fn access(arguments: &ListenArguments, identity: &str) -> Option<AccessSettings> {
    Some(AccessSettings {
        address: arguments.listen?,
        hosts: arguments.allow_host.clone(),
        origins: arguments.allow_origin.clone(),
        without_grants: arguments.without_grants,
        identity: crate::policy::shown_identity(identity),
    })
}

/// A gateway in front of the server of captures in this process.
pub(super) fn local(
    settings: Settings,
    arguments: &McpArguments,
    complain: impl Fn(&str) + Send + Sync + 'static,
) -> Result<GatewaySettings, Error> {
    let server = LocalServer::new(settings, complain)?;
    Ok(GatewaySettings {
        upstream: Upstream::Local(Arc::new(move |input, output| server.serve(input, output))),
        policy: arguments.policy.clone(),
        audit: AuditSettings { path: arguments.audit_log.clone(), ..AuditSettings::default() },
        store: arguments.listen.store.clone(),
        answer: Some(Vec::new()),
        better: false,
        database: std::path::PathBuf::new(),
        identity: String::new(),
    })
}

/// Makes a grant, and prints its token alone, so that it can be piped to where it is kept.
fn grant(arguments: &GrantArguments) -> Result<Exit, Failure> {
    let expires = arguments.expires.map(|days| Duration::from_secs(days * 86_400));
    let overlap = arguments.rotate.then(|| Duration::from_secs(arguments.overlap * 3600));
    let token = make_grant(arguments.store.as_deref(), &arguments.name, expires, overlap)?;
    writeln!(io::stdout(), "{token}")?;
    complain(
        "this token is shown once and kept nowhere; give it to the client as Authorization: Bearer TOKEN",
    );
    Ok(Exit::Done)
}
