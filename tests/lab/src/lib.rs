//! A branch in a box: namespaces, ISPs, a Microsoft edge, and the real peerward binary between them.
//!
//! Knows the agent only as a user does: its binary, its configuration file, its command line and what it leaves in
//! the kernel. Built over rtnetlink and `unshare`, without root where user namespaces allow, and without any outside
//! command. Used by the end-to-end tests and by people (`peerward-lab demo`). Only its benchmarks ([`bench`], a feature)
//! also run parts of the agent's library and other programs.
//!
//! Begin with [`enter`], first in `main`; then build a [`Branch`], put an [`Agent`] on it, let [`ClientFlow`]s run
//! and turn the knobs of its [`Fabric`].

mod agent;
#[cfg(feature = "bench")]
pub mod bench;
mod branch;
mod capture;
pub mod collector;
mod crowd;
pub mod demo;
mod edge;
mod error;
mod fabric;
mod flow;
mod link;
mod namespace;
mod netlink;
mod nexthop;
pub mod pki;
mod portal;
mod privilege;
mod reporting;
mod route;
mod syscalls;
mod tun;

pub use agent::{Agent, AgentSettings, ReportSettings, find_binary};
pub use branch::{
    Branch, BranchBuilder, CLIENT_IPV4, CLIENT_IPV6, INTERNET_IPV4, INTERNET_IPV6, MICROSOFT_IPV4, MICROSOFT_IPV6,
    OPS_IPV4, RESOLVER_IPV4, RESOLVER_IPV6,
};
pub use capture::{Capture, Packet};
pub use crowd::Crowd;
pub use edge::{Edge, HTTP_PORT, TCP_PORT, lab_ca_pem};
pub use error::LabError;
pub use fabric::{ECHO_PORT, Fabric, IspPath, PathProfile, Portal, Seen};
pub use flow::{ClientFlow, GapReport};
pub use link::{Link, LinkState, veth};
pub use namespace::Namespace;
pub use nexthop::NextHopRow;
pub use privilege::enter;
pub use reporting::Reporting;
pub use route::{LOCAL, MAIN, Route, RouteRow, RuleRow};
