//! The server behind the gateway: a program, an address, or a part of this process.

use std::path::PathBuf;

use tokio::sync::mpsc;

use crate::gateway::link::{FromServer, Link, MAX_QUEUED, read_messages, write_lines};
use crate::gateway::remote::RemoteServer;
use crate::gateway::{MAX_MESSAGE_BYTES, OperatorMessages, child, remote};

/// The server behind the gateway.
#[derive(Clone)]
pub(crate) enum Upstream {
    /// A program that speaks on its standard input and output.
    Command(Vec<std::ffi::OsString>),
    /// A server that speaks Streamable HTTP.
    Remote(RemoteServer),
    /// A server in this process.
    Local(std::sync::Arc<dyn Fn(tokio::io::DuplexStream, tokio::io::DuplexStream) + Send + Sync>),
}

impl Upstream {
    /// Connects to the server. Standard error of a program goes to `complain`, line by line.
    ///
    /// # Errors
    ///
    /// Fails with a sentence if the program cannot be started.
    pub(super) fn connect(&self, complain: &OperatorMessages) -> Result<Link, String> {
        match self {
            Self::Command(command) => child::start(command, complain),
            Self::Remote(server) => Ok(remote::connect(server.clone())),
            Self::Local(serve) => {
                let (near_input, far_input) = tokio::io::duplex(MAX_MESSAGE_BYTES);
                let (far_output, near_output) = tokio::io::duplex(MAX_MESSAGE_BYTES);
                serve(far_input, far_output);
                let (outgoing, to_server) = mpsc::channel(MAX_QUEUED);
                let (from_server, incoming) = mpsc::channel(MAX_QUEUED);
                tokio::spawn(write_lines(near_input, to_server));
                tokio::spawn(async move {
                    read_messages(near_output, &from_server).await;
                    let why = "the server ended".to_owned();
                    from_server.send(FromServer::Ended(why)).await.unwrap_or_default();
                });
                Ok(Link { outgoing, incoming })
            }
        }
    }

    /// How the server is named to people.
    pub(super) fn name(&self) -> String {
        match self {
            Self::Command(command) => {
                let program = command.first().map(PathBuf::from).unwrap_or_default();
                program.file_name().unwrap_or_default().to_string_lossy().into_owned()
            }
            Self::Remote(server) => server.shown(),
            Self::Local(_) => "api-patterns".to_owned(),
        }
    }
}
