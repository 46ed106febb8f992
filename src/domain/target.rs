//! What is measured: where it is, and what counts as an answer.

use std::{
    fmt,
    net::{IpAddr, SocketAddr},
    ops::RangeInclusive,
    sync::Arc,
};

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

/// How a path is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ProbeKind {
    /// TCP handshake (RFC 9293).
    Tcp,
    /// ICMP echo (RFC 792, RFC 4443).
    Icmp,
    /// STUN binding over UDP (RFC 8489), as Teams media relays answer it.
    Stun,
    /// TLS handshake with a server that must prove its name.
    Tls,
    /// First byte of an HTTP answer.
    Http,
}

impl ProbeKind {
    /// Every kind.
    pub const ALL: [Self; 5] = [Self::Tcp, Self::Icmp, Self::Stun, Self::Tls, Self::Http];

    /// The word that people, JSON and telemetry see.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Tcp => "tcp",
            Self::Icmp => "icmp",
            Self::Stun => "stun",
            Self::Tls => "tls",
            Self::Http => "http",
        }
    }
}

impl fmt::Display for ProbeKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// Where a target is.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Host {
    /// Here.
    Address(IpAddr),
    /// Wherever this name leads when it is looked up through the uplink; lower case, without a dot at its end.
    Name(Arc<str>),
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address(address) => write!(f, "{address}"),
            Self::Name(name) => f.write_str(name),
        }
    }
}

/// What counts as an answer.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Check {
    /// SYN-ACK; RST too where it is known to come from the target itself.
    Tcp {
        /// Whether RST counts.
        refusal_answers: bool,
    },
    /// Echo reply.
    Icmp,
    /// Binding success response.
    Stun,
    /// A handshake in which the server proves this name to a configured trust anchor.
    Tls {
        /// Name in SNI and certificate; may be an address.
        server_name: Arc<str>,
    },
    /// A status line with one of these codes.
    Http {
        /// Over TLS, with the name proven as in [`Check::Tls`].
        secure: bool,
        /// Name in `Host`, SNI and certificate.
        server_name: Arc<str>,
        /// Path and query, from the slash on.
        path: Arc<str>,
        /// Codes.
        status: RangeInclusive<u16>,
    },
}

impl Check {
    /// Its kind.
    pub fn kind(&self) -> ProbeKind {
        match self {
            Self::Tcp { .. } => ProbeKind::Tcp,
            Self::Icmp => ProbeKind::Icmp,
            Self::Stun => ProbeKind::Stun,
            Self::Tls { .. } => ProbeKind::Tls,
            Self::Http { .. } => ProbeKind::Http,
        }
    }

    /// Whether the far side has to prove who it is, so that no portal or proxy on the way passes for it.
    pub fn proves_identity(&self) -> bool {
        matches!(self, Self::Tls { .. } | Self::Http { secure: true, .. })
    }
}

/// One target of a class.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Target {
    /// Where it is.
    pub host: Host,
    /// Port; 0 where the kind has none.
    pub port: u16,
    /// What counts as an answer.
    pub check: Check,
    /// Where its addresses must lie for it to represent its class; anywhere when absent. Looked-up addresses outside are
    /// not probed.
    pub within: Option<Arc<[IpNet]>>,
}

impl Target {
    /// A TCP handshake with an address.
    pub fn tcp(at: SocketAddr) -> Self {
        Self {
            host: Host::Address(at.ip()),
            port: at.port(),
            check: Check::Tcp { refusal_answers: false },
            within: None,
        }
    }
}

impl fmt::Display for Target {
    /// As in the configuration: `tcp:13.107.6.152:443`, `icmp:2620:1ec:4::152`, `https://outlook.office365.com:443/`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let host = match &self.host {
            Host::Address(IpAddr::V6(address)) if self.port != 0 => format!("[{address}]"),
            host => host.to_string(),
        };
        match &self.check {
            Check::Icmp => write!(f, "icmp:{host}"),
            Check::Http { secure, path, .. } => {
                let scheme = if *secure { "https" } else { "http" };
                write!(f, "{scheme}://{host}:{}{path}", self.port)
            }
            check => write!(f, "{}:{host}:{}", check.kind(), self.port),
        }
    }
}
