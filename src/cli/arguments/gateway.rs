//! Arguments of the commands about agents: `mcp`, `gateway`, `policy` and `audit`.

#[cfg(feature = "gateway")]
use std::ffi::OsString;
#[cfg(feature = "gateway")]
use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Subcommand};

use crate::cli::arguments::input::SourceArguments;

/// Arguments of `mcp`. Each question is answered from the current content of the captures.
#[derive(Args, Debug)]
pub(in crate::cli) struct McpArguments {
    #[command(flatten)]
    pub(in crate::cli) source: SourceArguments,

    /// Policy file (JSON): which client may call which tool, how often, and whether the user must approve [default: all
    /// calls are allowed]
    #[arg(long, value_name = "FILE")]
    pub(in crate::cli) policy: Option<PathBuf>,

    /// Write one JSON line for every call to this file, before the call is answered
    #[arg(long, value_name = "FILE")]
    pub(in crate::cli) audit_log: Option<PathBuf>,

    #[cfg(feature = "gateway")]
    #[command(flatten)]
    pub(in crate::cli) listen: ListenArguments,
}

/// Options of what is served over HTTP.
#[cfg(feature = "gateway")]
#[derive(Args, Debug)]
pub(in crate::cli) struct ListenArguments {
    /// Serve Streamable HTTP at this address instead of standard input and output, as in 127.0.0.1:8765
    #[arg(long, value_name = "ADDRESS", help_heading = "HTTP")]
    pub(in crate::cli) listen: Option<SocketAddr>,

    /// Another name of this machine that requests may have as their host, with its port; several times for several
    #[arg(long, value_name = "HOST", requires = "listen", help_heading = "HTTP")]
    pub(in crate::cli) allow_host: Vec<String>,

    /// An origin of pages whose scripts may call, as in `https://app.example`; several times for several
    #[arg(long, value_name = "ORIGIN", requires = "listen", help_heading = "HTTP")]
    pub(in crate::cli) allow_origin: Vec<String>,

    /// Let every program of this machine call without a grant
    #[arg(long, requires = "listen", help_heading = "HTTP")]
    pub(in crate::cli) without_grants: bool,

    /// The store of limits and grants [default: that of the user]
    #[arg(long, value_name = "FILE", help_heading = "HTTP")]
    pub(in crate::cli) store: Option<PathBuf>,
}

/// Arguments of `gateway`.
#[cfg(feature = "gateway")]
#[derive(Args, Debug)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub(in crate::cli) struct GatewayArguments {
    #[command(subcommand)]
    pub(in crate::cli) command: Option<GatewayCommand>,

    #[command(flatten)]
    pub(in crate::cli) server: ServerArguments,

    /// Policy file (JSON); it is looked at before every call, so that an edit holds from the next call on [default: all calls are
    /// allowed]
    #[arg(long, value_name = "FILE")]
    pub(in crate::cli) policy: Option<PathBuf>,

    /// Name of the client on standard input in the policy; a client over HTTP has the name of its grant
    #[arg(long, value_name = "NAME", default_value = "", hide_default_value = true)]
    pub(in crate::cli) identity: String,

    /// Write every decision to this file before a call is passed on, and what became of it
    #[arg(long, value_name = "FILE", help_heading = "Audit log")]
    pub(in crate::cli) audit_log: Option<PathBuf>,

    /// Log the values of arguments too, secrets masked
    #[arg(long, requires = "audit_log", help_heading = "Audit log")]
    pub(in crate::cli) audit_arguments: bool,

    /// Rotate the log when it has this many MB; the last ten are kept
    #[arg(long, value_name = "MB", requires = "audit_log", default_value_t = 100, value_parser = clap::value_parser!(u64).range(1..=1_000_000), help_heading = "Audit log")]
    pub(in crate::cli) audit_max_mb: u64,

    /// Tools that the gateway answers from the database of mitmproxy-mcp, or none [default: in front of mitmproxy-mcp
    /// `get_api_patterns`, `export_openapi_spec`, `get_flow_schema` and `detect_auth_pattern`]
    #[arg(long, value_name = "TOOLS", value_delimiter = ',', help_heading = "Own answers")]
    pub(in crate::cli) answer: Option<Vec<String>>,

    /// Answer as the tools of api-patterns mcp do, and not in the words of mitmproxy-mcp
    #[arg(long, help_heading = "Own answers")]
    pub(in crate::cli) better: bool,

    /// The database of mitmproxy-mcp
    #[arg(
        long,
        value_name = "FILE",
        default_value = "mitm_mcp_traffic.db",
        help_heading = "Own answers"
    )]
    pub(in crate::cli) database: PathBuf,

    #[command(flatten)]
    pub(in crate::cli) listen: ListenArguments,
}

/// The server that is asked.
#[cfg(feature = "gateway")]
#[derive(Args, Debug)]
pub(in crate::cli) struct ServerArguments {
    /// The server as a Streamable HTTP address, in place of a command
    #[arg(long, value_name = "URL", conflicts_with = "server")]
    pub(in crate::cli) upstream: Option<String>,

    /// A header for the server whose value is that of a variable of the environment, as in Authorization=TOKEN; several times for
    /// several
    #[arg(long, value_name = "NAME=VARIABLE", requires = "upstream")]
    pub(in crate::cli) header_env: Vec<String>,

    /// The command that starts the server, after --
    #[arg(last = true, value_name = "COMMAND")]
    pub(in crate::cli) server: Vec<OsString>,
}

#[cfg(feature = "gateway")]
#[derive(Debug, Subcommand)]
pub(in crate::cli) enum GatewayCommand {
    /// Make a grant for a client over HTTP, and print its token, once
    Grant(GrantArguments),
    /// End the grants of a client, from its next request on
    Revoke {
        /// The name of the client
        name: String,
        /// The store of limits and grants [default: that of the user]
        #[arg(long, value_name = "FILE")]
        store: Option<PathBuf>,
    },
    /// List the grants that hold
    Grants {
        /// The store of limits and grants [default: that of the user]
        #[arg(long, value_name = "FILE")]
        store: Option<PathBuf>,
    },
}

/// Arguments of `gateway grant`.
#[cfg(feature = "gateway")]
#[derive(Args, Debug)]
pub(in crate::cli) struct GrantArguments {
    /// The name of the client, by which the policy has rules for it (identities)
    pub(in crate::cli) name: String,

    /// Days after which the grant ends [default: never]
    #[arg(long, value_name = "DAYS", value_parser = clap::value_parser!(u64).range(1..=3650))]
    pub(in crate::cli) expires: Option<u64>,

    /// Replace the grants that the client has
    #[arg(long)]
    pub(in crate::cli) rotate: bool,

    /// Hours for which the replaced grants still hold
    #[arg(long, value_name = "HOURS", requires = "rotate", default_value_t = 0, value_parser = clap::value_parser!(u64).range(0..=8760))]
    pub(in crate::cli) overlap: u64,

    /// The store of limits and grants [default: that of the user]
    #[arg(long, value_name = "FILE")]
    pub(in crate::cli) store: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum PolicyCommand {
    /// List all that is wrong with a policy file
    Check(PolicyCheckArguments),
    /// Say what a policy does with a call, by which rule, and what the agent is told
    Test(PolicyTestArguments),
    /// List the tools of a server, and write a policy to begin with: reads are allowed, the rest is denied
    #[cfg(feature = "gateway")]
    Scan(PolicyScanArguments),
}

/// Arguments of `policy check`.
#[derive(Args, Debug)]
pub(in crate::cli) struct PolicyCheckArguments {
    /// The policy file (JSON)
    #[arg(value_name = "FILE")]
    pub(in crate::cli) policy: PathBuf,

    /// Take rules for tools of other servers too
    #[arg(long)]
    pub(in crate::cli) any_tools: bool,

    #[cfg(feature = "gateway")]
    #[command(flatten)]
    pub(in crate::cli) server: ServerArguments,
}

/// Arguments of `policy test`.
#[derive(Args, Debug)]
pub(in crate::cli) struct PolicyTestArguments {
    #[command(flatten)]
    pub(in crate::cli) check: PolicyCheckArguments,

    /// The tool that is called
    #[arg(long, value_name = "NAME")]
    pub(in crate::cli) tool: String,

    /// The arguments of the call, a JSON object
    #[arg(long, value_name = "JSON", default_value = "{}")]
    pub(in crate::cli) arguments: String,

    /// The name of the client
    #[arg(long, value_name = "NAME", default_value = "", hide_default_value = true)]
    pub(in crate::cli) identity: String,
}

/// Arguments of `policy scan`.
#[cfg(feature = "gateway")]
#[derive(Args, Debug)]
pub(in crate::cli) struct PolicyScanArguments {
    #[command(flatten)]
    pub(in crate::cli) server: ServerArguments,

    /// Write the policy to this file, which must not be there yet [default: standard output]
    #[arg(long, value_name = "FILE")]
    pub(in crate::cli) output: Option<PathBuf>,
}

/// Arguments of `audit`.
#[derive(Args, Debug)]
pub(in crate::cli) struct AuditArguments {
    /// Audit logs, of `mcp` or of `gateway`
    #[arg(value_name = "FILE", required = true)]
    pub(in crate::cli) logs: Vec<PathBuf>,

    /// Write JSON
    #[arg(long)]
    pub(in crate::cli) json: bool,
}
