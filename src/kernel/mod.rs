//! The netlink edge: dump, watch, apply. The only code that speaks netlink; holds no policy.
//!
//! May know the domain types and the plan's values. Accepts messages from the kernel only (port id 0), never waits
//! for a reply without a deadline, and treats overruns, interrupted dumps and duplicates as normal.
//!
//! From the wire up: [`transport`] moves datagrams, [`frame`] takes them apart, [`socket`] pairs requests with their
//! answers. [`decode`], [`route`], [`rule`] and [`nexthop`] know the messages. On top, [`read`], [`write`] and [`lookup`]
//! serve [`FibSocket`]; [`survey`] and [`picture`] serve [`watch_router`]: [`sieve`] picks the routes that can matter,
//! [`routes`] and [`objects`] keep them, [`shown`] makes of them what others see; [`conntrack`] serves [`FlowSocket`].
//! [`mod@inventory`] serves the doctor.

mod conntrack;
mod decode;
mod error;
mod frame;
mod inventory;
mod lookup;
mod message_type;
mod neighbours;
mod nexthop;
mod objects;
mod ownership;
mod pace;
mod picture;
mod read;
mod route;
mod routes;
mod rule;
mod shown;
mod sieve;
mod socket;
mod survey;
mod transport;
mod watch;
mod write;

#[cfg(test)]
mod tests;

use std::{net::IpAddr, sync::Arc};

use netlink_sys::protocols::NETLINK_ROUTE;
use tokio::sync::watch::Sender;

pub use conntrack::{Fate, Flow, FlowSocket, Flows, TrackedFlow, tracked_flows};
pub use error::{KernelError, Refusal};
pub use inventory::{Inventory, RuleAbilities, TableContents, inventory};

use crate::{
    config::Kernel,
    domain::{IfIndex, Interest, RouterState},
    plan::{Change, Fib},
};

/// Counters that only grow; a change means that our tables may differ from what was last read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Doubt {
    /// Swarms of events that may have touched what is ours (link, address, next hop, rule, route of our tables).
    pub touched: u64,
    /// Times that events were lost and everything was read again.
    pub overruns: u64,
}

/// Keeps the picture of the router current, until nobody receives it any more; of its routes only those that are of
/// `interest` are kept. Needs no privileges. Recovers by itself
/// from lost events, interrupted lists and silence of the kernel; the picture is stale meanwhile.
///
/// # Errors
/// When a netlink socket cannot be opened.
pub async fn watch_router(
    own: Kernel,
    interest: Arc<Interest>,
    state: Sender<Arc<RouterState>>,
    doubt: Sender<Doubt>,
) -> Result<(), KernelError> {
    watch::watch_router(&own, interest, state, doubt).await
}

/// What became of a list of changes.
#[derive(Debug, Default)]
pub struct Applied {
    /// Changes that the kernel acknowledged, or that were so already.
    pub done: usize,
    /// Changes that it refused, each with its error.
    pub failed: Vec<(Change, KernelError)>,
    /// Deletions that were not tried, because an addition before them was refused: what works is not taken away while
    /// its successor is missing.
    pub held_back: usize,
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
pub struct FibSocket {
    socket: socket::RequestSocket,
    own: ownership::Ownership,
    /// Next hops of others in our range of ids, as last read.
    strangers: std::collections::BTreeMap<u32, u8>,
}

impl FibSocket {
    /// Opens a netlink socket. Must be called on a tokio runtime; needs no privileges.
    ///
    /// # Errors
    /// When the socket cannot be opened.
    pub fn open(own: &Kernel) -> Result<Self, KernelError> {
        Ok(Self {
            socket: socket::RequestSocket::open(NETLINK_ROUTE)?,
            own: ownership::Ownership::new(own),
            strangers: std::collections::BTreeMap::new(),
        })
    }

    /// Reads everything of ours: next hops of our id range and protocol, routes of our tables and protocol, rules of
    /// our protocol; both families. Needs no privileges.
    ///
    /// # Errors
    /// When the kernel has no next-hop objects, does not answer in time, or answers with an error.
    pub async fn read(&mut self) -> Result<Fib, KernelError> {
        let found = read::fib(&mut self.socket, self.own).await?;
        self.strangers = found.strangers;
        Ok(found.fib)
    }

    /// Applies changes in order, in batches, with every acknowledgement accounted for. Needs `CAP_NET_ADMIN`.
    ///
    /// A change that finds its work done (a rule that is there, an object that is gone) counts as done. A gateway that
    /// no connected prefix covers is taken to be on its link. A next hop of another program that was seen at the last
    /// read is never overwritten.
    ///
    /// # Errors
    /// When the socket fails as a whole; refusals of single changes are in [`Applied`].
    pub async fn apply(&mut self, changes: &[Change]) -> Result<Applied, KernelError> {
        let (mut refused, free) = write::split_taken(changes, &self.strangers);
        let mut applied = write::apply(&mut self.socket, self.own, &free, !refused.is_empty()).await?;
        applied.failed.append(&mut refused);
        Ok(applied)
    }

    /// Asks the kernel where a packet forwarded to `destination` goes; `from` is the interface it would arrive on
    /// with a source address there, if one is known. Without it, the question is where this router's own packet goes,
    /// which steering leaves alone. Needs no privileges.
    ///
    /// # Errors
    /// When the kernel has no route, or does not answer.
    pub async fn lookup(
        &mut self,
        destination: IpAddr,
        from: Option<(IfIndex, IpAddr)>,
    ) -> Result<Lookup, KernelError> {
        lookup::lookup(&mut self.socket, destination, from).await
    }
}
