//! What was tried, on what, what the kernel said, and what to do about it.

use std::{fmt, io, time::Duration};

use netlink_packet_core::DecodeError;

/// Why the kernel could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum KernelError {
    /// A netlink socket could not be opened, or failed as a whole.
    #[error("cannot {what}: {source}")]
    Socket {
        /// What was tried.
        what: String,
        /// What the system said.
        source: io::Error,
    },
    /// The kernel refused a request.
    #[error("cannot {what}: {refusal}")]
    Refused {
        /// What was tried, and on what.
        what: String,
        /// What the kernel said.
        refusal: Refusal,
    },
    /// The kernel refused for want of `CAP_NET_ADMIN`.
    #[error(
        "cannot {what}: the capability CAP_NET_ADMIN is missing; grant it with AmbientCapabilities=CAP_NET_ADMIN in the \
         systemd unit, or with `setcap cap_net_admin+ep` on the binary"
    )]
    Privilege {
        /// What was tried, and on what.
        what: String,
    },
    /// Another program has something where ours should be; it is not touched.
    #[error("cannot {what}: a program with route protocol {protocol} holds {remedy}")]
    Taken {
        /// What was tried.
        what: String,
        /// Protocol number of the other program.
        protocol: u8,
        /// What it holds, and what to do about it.
        remedy: &'static str,
    },
    /// What it refers to was refused just before; without that it would lead elsewhere than planned.
    #[error("cannot {what}: next hop {needed}, which it needs, was refused")]
    Dependent {
        /// What was not tried.
        what: String,
        /// Id of the object.
        needed: u32,
    },
    /// The kernel does not know next-hop objects.
    #[error(
        "cannot {what}: this kernel has no next-hop objects; Linux 5.4 or newer is needed (`uname -r` shows what runs)"
    )]
    NoNextHopObjects {
        /// What was tried.
        what: String,
    },
    /// The kernel does not let its table of flows be listed over netlink.
    #[error(
        "cannot {what}: this kernel has no ctnetlink; load the module nf_conntrack_netlink (OpenWrt: install \
         kmod-nf-conntrack-netlink)"
    )]
    NoConntrack {
        /// What was tried.
        what: String,
    },
    /// The kernel did not answer.
    #[error("cannot {what}: the kernel did not answer within {deadline:?}")]
    Deadline {
        /// What was tried.
        what: String,
        /// How long was waited.
        deadline: Duration,
    },
    /// The tables changed under every attempt to list them.
    #[error("cannot {what}: the list changed while it was read, {attempts} times in a row; try again")]
    Interrupted {
        /// What was tried.
        what: String,
        /// How often.
        attempts: usize,
    },
    /// The kernel's answer is not what its own documentation says.
    #[error("cannot {what}: the kernel's answer is malformed: {source}")]
    Malformed {
        /// What was tried.
        what: String,
        /// What is wrong with it.
        source: DecodeError,
    },
}

/// A negative acknowledgement: the error number and, where the kernel gives one, its explanation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// Positive `errno`.
    pub errno: i32,
    /// Text of the extended acknowledgement.
    pub explanation: Option<String>,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        io::Error::from_raw_os_error(self.errno).fmt(f)?;
        match &self.explanation {
            Some(explanation) => write!(f, ": {explanation}"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for Refusal {}

impl KernelError {
    /// A refusal of `what`, with the two that people can do something about told apart.
    pub(super) fn refused(what: impl Into<String>, refusal: Refusal) -> Self {
        let what = what.into();
        match refusal.errno {
            libc::EPERM => Self::Privilege { what },
            _ => Self::Refused { what, refusal },
        }
    }

    /// A failure of the socket itself.
    pub(super) fn socket(what: impl Into<String>, source: io::Error) -> Self {
        match source.raw_os_error() {
            Some(libc::EPERM) => Self::Privilege { what: what.into() },
            _ => Self::Socket { what: what.into(), source },
        }
    }

    /// The kernel's error number, when it refused.
    pub(super) fn errno(&self) -> Option<i32> {
        match self {
            Self::Refused { refusal, .. } => Some(refusal.errno),
            _ => None,
        }
    }
}
