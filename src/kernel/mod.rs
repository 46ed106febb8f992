//! The rtnetlink edge: dump, watch, apply. The only code that speaks netlink; holds no policy.
//!
//! May know the domain types and the plan's values. Accepts messages from the kernel only (port id 0), never waits
//! for a reply without a deadline, and treats overruns, interrupted dumps and duplicates as normal.

use std::{net::IpAddr, sync::Arc};

use tokio::sync::watch;

use crate::{
    config::Kernel,
    domain::{IfIndex, RouterState},
    plan::{Change, Fib},
};

/// What was tried, on what, and what the kernel said.
#[derive(Debug, thiserror::Error)]
pub enum KernelError {
    /// TODO by the owner of this room.
    #[error("x")]
    Placeholder,
}

/// Counters that only grow; a change means that our tables may differ from what was last read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Doubt {
    /// Events that may have touched what is ours (link, address, next hop, rule, route of our tables).
    pub touched: u64,
    /// Times that events were lost and everything was read again.
    pub overruns: u64,
}

/// Keeps the picture of the router current. Never returns while it can recover by itself.
///
/// # Errors
/// When a netlink socket cannot be opened.
pub async fn watch_router(
    _own: Kernel,
    _state: watch::Sender<Arc<RouterState>>,
    _doubt: watch::Sender<Doubt>,
) -> Result<(), KernelError> {
    todo!()
}

/// What became of a list of changes.
#[derive(Debug, Default)]
pub struct Applied {
    /// Changes that the kernel acknowledged.
    pub done: usize,
    /// Changes that it refused, each with its error.
    pub failed: Vec<(Change, KernelError)>,
}

/// Result of a route lookup.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lookup {
    /// Table that answered.
    pub table: u32,
    /// Interface.
    pub interface: Option<IfIndex>,
    /// Gateway.
    pub gateway: Option<IpAddr>,
}

/// Reads and writes what is ours.
#[derive(Debug)]
pub struct FibSocket {}

impl FibSocket {
    /// Opens a netlink socket.
    ///
    /// # Errors
    /// When the socket cannot be opened.
    pub fn open(_own: &Kernel) -> Result<Self, KernelError> {
        todo!()
    }

    /// Reads everything of ours: next hops of our id range and protocol, routes of our tables and protocol, rules of
    /// our protocol; both families.
    ///
    /// # Errors
    /// When the kernel does not answer in time, or answers with an error.
    pub async fn read(&mut self) -> Result<Fib, KernelError> {
        todo!()
    }

    /// Applies changes in order, in batches, with every acknowledgement accounted for.
    ///
    /// # Errors
    /// When the socket fails as a whole; refusals of single changes are in [`Applied`].
    pub async fn apply(&mut self, _changes: &[Change]) -> Result<Applied, KernelError> {
        todo!()
    }

    /// Asks the kernel where a packet forwarded to `destination` goes; `from` is the interface it would arrive on
    /// with a source address there, if one is known.
    ///
    /// # Errors
    /// When the kernel has no route, or does not answer.
    pub async fn lookup(
        &mut self,
        _destination: IpAddr,
        _from: Option<(IfIndex, IpAddr)>,
    ) -> Result<Lookup, KernelError> {
        todo!()
    }
}
