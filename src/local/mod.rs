//! The control socket: one JSON request a connection, one JSON answer. Read-only but for `withdraw`.
//!
//! May know the domain's views. Holds no state of the agent.

use std::{path::Path, sync::Arc};

use ipnet::IpNet;
use serde::{Deserialize, Serialize};
use tokio::sync::{mpsc, oneshot, watch};

use crate::domain::view::{Explanation, Snapshot};

/// What can be asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "request", rename_all = "kebab-case")]
pub enum Request {
    /// The newest snapshot.
    Snapshot,
    /// Where does this go, and why.
    Explain {
        /// Address (as a host prefix) or prefix.
        query: IpNet,
    },
    /// Take everything of ours out of the kernel and leave it so until restart.
    Withdraw,
}

/// What is answered.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "answer", content = "value", rename_all = "kebab-case")]
pub enum Answer {
    /// To [`Request::Snapshot`].
    Snapshot(Box<Snapshot>),
    /// To [`Request::Explain`].
    Explanation(Box<Explanation>),
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

/// Why the socket cannot be had, or did not answer.
#[derive(Debug, thiserror::Error)]
pub enum LocalError {
    /// TODO by the owner of this room.
    #[error("x")]
    Placeholder,
}

/// The listening socket.
#[derive(Debug)]
pub struct ControlSocket {}

impl ControlSocket {
    /// Binds it, mode 0660; a stale socket file is replaced, a live agent's is not.
    ///
    /// # Errors
    /// When another agent answers on it, or the path cannot be used.
    pub fn bind(_path: &Path) -> Result<Self, LocalError> {
        todo!()
    }

    /// Serves until dropped; snapshots are answered here, the rest is forwarded.
    pub async fn serve(self, _snapshot: watch::Receiver<Arc<Snapshot>>, _agent: mpsc::Sender<Forwarded>) {
        todo!()
    }
}

/// Asks a running agent, from a command; blocks, with a deadline.
///
/// # Errors
/// When no agent listens there, access is denied, or it does not answer in time.
pub fn ask(_path: &Path, _request: &Request) -> Result<Answer, LocalError> {
    todo!()
}
