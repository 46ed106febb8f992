//! A branch in a box: namespaces, ISPs, a Microsoft edge, and the real peerward binary between them.

mod error;
mod link;
mod namespace;
mod netlink;
mod privilege;
mod route;
mod syscalls;

pub use error::LabError;
pub use link::{Link, LinkState, veth};
pub use namespace::Namespace;
pub use privilege::enter;
pub use route::{LOCAL, MAIN, Route, RouteRow, RuleRow};
