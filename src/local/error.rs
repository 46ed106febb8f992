//! Why the control socket cannot be had, or did not answer; in words for the person at the command line.

use std::{
    fs, io,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    time::Duration,
};

/// Why the socket cannot be had, or did not answer.
#[derive(Debug, thiserror::Error)]
pub enum LocalError {
    /// Another agent holds the socket.
    #[error(
        "another peerward is running (it answers on {path}); stop it first, or give this one another [control] socket",
        path = .0.display()
    )]
    Busy(PathBuf),
    /// Something that is no socket is in the way.
    #[error("{path} exists and is not a socket; move it away, or give another [control] socket", path = .0.display())]
    NotASocket(PathBuf),
    /// The address of a Unix socket holds 107 bytes.
    #[error("{path} is too long for a Unix socket (at most 107 bytes); give a shorter [control] socket", path = .0.display())]
    TooLong(PathBuf),
    /// The socket could not be made.
    #[error("cannot {what} {path}: {source}; the agent's user must be able to write there", path = .path.display())]
    Prepare {
        /// What was tried, as a verb.
        what: &'static str,
        /// On what.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Nobody listens.
    #[error(
        "no agent answers on {path}; start it (`peerward run`, or the peerward service), or name its socket with --socket",
        path = .0.display()
    )]
    NoAgent(PathBuf),
    /// The file's mode forbids it.
    #[error("permission denied on {path}: {advice}", path = .path.display())]
    Denied {
        /// The socket.
        path: PathBuf,
        /// Who may, and how to become one of them.
        advice: String,
    },
    /// The agent took too long.
    #[error(
        "the agent on {path} did not answer within {seconds} s; it is busy, stopped or stuck: try again, then look at \
         its log",
        path = .path.display(), seconds = .after.as_secs()
    )]
    Timeout {
        /// The socket.
        path: PathBuf,
        /// How long was waited.
        after: Duration,
    },
    /// The answer cannot be understood.
    #[error(
        "the answer on {path} is not understood: {reason}; if peerward was just updated, restart its service so that \
         agent and command are of the same version",
        path = .path.display()
    )]
    BadAnswer {
        /// The socket.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The connection failed half-way.
    #[error("the connection to the agent on {path} failed: {source}; try again", path = .path.display())]
    Connection {
        /// The socket.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

impl LocalError {
    /// An attempt that failed, on what.
    pub(super) fn prepare(what: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Prepare { what, path: path.to_owned(), source }
    }

    /// A refused access, with advice that names the group whose members may.
    pub(super) fn denied(path: &Path) -> Self {
        let groups = fs::read_to_string("/etc/group").unwrap_or_default();
        // A folder that may not be entered hides the socket's own group; then the folder's group is the one to join.
        let holder = fs::metadata(path).or_else(|_| fs::metadata(path.parent().unwrap_or(path)));
        let group = holder.ok().map(|metadata| group_name(&groups, metadata.gid()));
        Self::Denied { path: path.to_owned(), advice: advice(group.as_deref()) }
    }

    /// Whether access was refused, to the socket or to the place where it should be made.
    pub fn is_permission(&self) -> bool {
        match self {
            Self::Denied { .. } => true,
            Self::Prepare { source, .. } => source.kind() == io::ErrorKind::PermissionDenied,
            _ => false,
        }
    }
}

/// What to do about a refused access.
fn advice(group: Option<&str>) -> String {
    match group {
        // Nobody should be sent into root's group.
        None | Some("root" | "0") => "run the command as root (sudo)".to_owned(),
        Some(group) => format!(
            "run the command as root (sudo), or as a member of the group {group} (`usermod -aG {group} USER`, then \
             log in again)"
        ),
    }
}

/// Name of a group by its number, from the text of `/etc/group`; the number itself when it has none.
fn group_name(groups: &str, gid: u32) -> String {
    let name = groups.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        (fields.nth(1)?.parse() == Ok(gid)).then(|| name.to_owned())
    });
    name.unwrap_or_else(|| gid.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    const GROUPS: &str = "root:x:0:\nnetdev:x:103:\npeerward:x:997:ann,bob\n";

    #[test]
    fn group_is_named_or_numbered() {
        assert_eq!(group_name(GROUPS, 997), "peerward");
        assert_eq!(group_name(GROUPS, 4242), "4242");
    }

    #[test]
    fn refused_access_names_the_group_to_join_but_never_root() {
        assert!(advice(Some("peerward")).contains("usermod -aG peerward USER"));
        assert_eq!(advice(Some("root")), "run the command as root (sudo)");
        assert_eq!(advice(None), "run the command as root (sudo)");
    }
}
