//! The control socket: one JSON request a connection, one JSON answer. Read-only but for `withdraw`.
//!
//! May know the domain's views. Holds no state of the agent. Who may ask is decided by the file's mode (0660) alone.
//! Every request and answer is bounded in bytes and time, and so is the number of connections: a stuck or hostile
//! client can delay other clients for two seconds, and the agent never.

mod ask;
mod error;
mod listen;
mod lock;
mod serve;

pub use ask::ask;
pub use error::LocalError;
pub use listen::ControlSocket;

use std::{fmt, net::IpAddr, time::Duration};

use ipnet::IpNet;
use serde::{Deserialize, Serialize};
use tokio::sync::oneshot;

use crate::domain::view::{Explanation, PathReport, Snapshot};

/// Largest request, in bytes.
const REQUEST_BYTES: usize = 64 * 1024;

/// Largest answer, in bytes: thousands of paths fit.
const ANSWER_BYTES: usize = 16 * 1024 * 1024;

/// How long one side may take to send its line, or to take the other's.
const TRANSFER: Duration = Duration::from_secs(2);

/// How long the agent may take over what only it can answer.
const FORWARDED: Duration = Duration::from_secs(5);

/// The same for a withdrawal, which may be of a hundred thousand routes.
const WITHDRAWN: Duration = Duration::from_secs(22);

/// What can be asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "request", rename_all = "kebab-case")]
pub enum Request {
    /// The newest snapshot.
    Snapshot,
    /// Where does this go, and why.
    Explain {
        /// What is asked about.
        query: Subject,
        /// Source of the packets, where it matters.
        #[serde(default)]
        from: Option<IpAddr>,
    },
    /// Every path with all that is known of it.
    Paths,
    /// Take everything of ours out of the kernel and leave it so until restart.
    Withdraw,
}

/// What `explain` is asked about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Subject {
    /// An address (as a host prefix) or a prefix.
    Prefix(IpNet),
    /// A class, by its id.
    Class(String),
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Prefix(net) => net.fmt(f),
            Self::Class(name) => f.write_str(name),
        }
    }
}

impl Request {
    /// How long the agent may take.
    fn deadline(&self) -> Duration {
        match self {
            Self::Withdraw => WITHDRAWN,
            Self::Snapshot | Self::Paths | Self::Explain { .. } => FORWARDED,
        }
    }

    /// How long a client waits for the answer: longer than the server may take, so that the server can say why not.
    fn patience(&self) -> Duration {
        match self {
            Self::Snapshot => TRANSFER * 2,
            Self::Paths | Self::Explain { .. } | Self::Withdraw => self.deadline() + TRANSFER,
        }
    }
}

/// What is answered.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "answer", content = "value", rename_all = "kebab-case")]
pub enum Answer {
    /// To [`Request::Snapshot`].
    Snapshot(Box<Snapshot>),
    /// To [`Request::Explain`].
    Explanation(Box<Explanation>),
    /// To [`Request::Paths`].
    Paths(Vec<PathReport>),
    /// To [`Request::Withdraw`]: how many objects were removed.
    Withdrawn {
        /// Objects removed.
        removed: usize,
    },
    /// It could not be done.
    Error {
        /// Why.
        reason: String,
    },
}

/// A request that only the agent can answer, with the way back.
pub type Forwarded = (Request, oneshot::Sender<Answer>);

#[cfg(test)]
mod tests;
