//! A branch in a box: namespaces, ISPs, a Microsoft edge, and the real peerward binary between them.

mod branch;
mod edge;
mod error;
mod fabric;
mod flow;
mod link;
mod namespace;
mod netlink;
mod privilege;
mod route;
mod syscalls;
mod tun;

pub use branch::{
    Branch, BranchBuilder, CLIENT_IPV4, CLIENT_IPV6, INTERNET_IPV4, INTERNET_IPV6, MICROSOFT_IPV4, MICROSOFT_IPV6,
    OPS_IPV4,
};
pub use edge::TCP_PORT;
pub use error::LabError;
pub use fabric::{ECHO_PORT, Fabric, IspPath, PathProfile, Seen};
pub use flow::{ClientFlow, GapReport};
pub use link::{Link, LinkState, veth};
pub use namespace::Namespace;
pub use privilege::enter;
pub use route::{LOCAL, MAIN, Route, RouteRow, RuleRow};
