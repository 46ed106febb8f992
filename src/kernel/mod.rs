//! The netlink edge: dump, watch, apply. The only code that speaks netlink; holds no policy.
//!
//! May know the domain types and the plan's values. Accepts messages from the kernel only (port id 0), never waits
//! for a reply without a deadline, and treats overruns, interrupted dumps and duplicates as normal.
//!
//! From the wire up: [`transport`] moves datagrams, [`frame`] takes them apart, [`socket`] pairs requests with their
//! answers. [`decode`], [`route`], [`rule`], [`nexthop`] and [`encode`] know the messages. On top, [`read`], [`write`] and
//! [`lookup`] serve [`FibSocket`], where [`seen`] and [`leftover`] tell what is not of the plan, [`needed`] what others need
//! of it, [`clear`] removes it, and [`guard`] what may never be; [`survey`] and [`picture`] serve [`watch_router`]: [`sieve`] picks the routes that can matter, [`routes`] and
//! [`objects`] keep them, [`shown`] makes of them what others see; [`conntrack`] serves [`FlowSocket`], [`mod@inventory`] the
//! doctor.

mod clear;
mod conntrack;
mod decode;
mod describe;
mod encode;
mod error;
mod followed;
mod fra;
mod frame;
mod guard;
mod inventory;
mod leftover;
mod lookup;
mod message_type;
mod needed;
mod neighbours;
mod nexthop;
mod objects;
mod ownership;
mod pace;
mod picture;
mod read;
mod refusals;
mod release;
mod route;
mod routes;
mod rule;
mod seen;
mod shown;
mod sieve;
mod socket;
mod stream;
mod survey;
mod transport;
mod watch;
mod write;

#[cfg(test)]
mod tests;

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
    sync::{Arc, Once},
    time::Duration,
};

use netlink_sys::protocols::NETLINK_ROUTE;
use tokio::{sync::watch::Sender, time::Instant};

pub use conntrack::{Fate, Flow, FlowSocket, Flows, TrackedFlow, tracked_flows};
pub use error::{KernelError, Refusal};
pub use guard::{Objection, inspect};
pub use inventory::{Inventory, RuleAbilities, TableContents, inventory};
pub use release::has_resilient_groups;

use crate::{
    config::Kernel,
    domain::{Family, IfIndex, Interest, RouterState},
    plan::{Change, Fib},
};

/// Counters that only grow; a change means that our tables may differ from what was last read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Doubt {
    /// Swarms of events that may have touched what is ours (link, address, next hop, rule, route of our tables).
    pub touched: u64,
    /// Times that events were lost, or could not be read, and everything was read again.
    pub overruns: u64,
}

/// Keeps the picture of the router current, until nobody receives it any more; of its routes only those that are of
/// `interest` are kept. Needs no privileges. Recovers by itself from lost events, interrupted lists and silence of the
/// kernel; the picture, or the routes in it, are stale meanwhile and say so.
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
    /// Changes that the kernel acknowledged.
    pub done: usize,
    /// Changes that found their work done: a rule that is there, an object that is gone.
    pub already: usize,
    /// Changes that were refused.
    pub refused: usize,
    /// The first of these, with its error.
    pub first_refusal: Option<(Change, KernelError)>,
    /// Deletions that were not tried, because what was to take their place was refused: what works is not taken away
    /// while its successor is missing.
    pub held_back: usize,
    /// What was left was not tried, because something newer is wanted.
    pub interrupted: bool,
    /// The socket failed as a whole; what was not acknowledged until then may be so or not.
    pub broken: Option<KernelError>,
    /// For each change whether it is so now.
    so: Vec<bool>,
}

impl Applied {
    /// Those of `changes`, the list that was applied, that are so now.
    pub fn accomplished<'a>(&'a self, changes: &'a [Change]) -> impl Iterator<Item = &'a Change> {
        changes.iter().zip(&self.so).filter(|(_, so)| **so).map(|(change, _)| change)
    }
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

/// How often all tables are searched for routes of ours; in between only those are read in which there were some.
const SEARCH: Duration = Duration::from_secs(60);

/// Reads and writes what is ours.
#[derive(Debug)]
pub struct FibSocket {
    socket: socket::RequestSocket,
    own: ownership::Ownership,
    seen: seen::Seen,
    holding: read::Holding,
    searched: Option<Instant>,
    /// Next hops that are of no plan, and whether others need them; asked again after each search.
    judged: BTreeMap<u32, bool>,
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
            seen: seen::Seen::default(),
            holding: read::Holding::new(),
            searched: None,
            judged: BTreeMap::new(),
        })
    }

    /// Reads everything of ours: next hops of our id range and protocol, routes of our tables and protocol, rules of
    /// our protocol; both families. What else carries our protocol number is remembered as [`Self::leftovers`], but for
    /// next hops that others need. Needs no privileges. Safe to cancel.
    ///
    /// # Errors
    /// When the kernel has no next-hop objects, does not answer in time, or answers with an error.
    pub async fn read(&mut self) -> Result<Fib, KernelError> {
        if self.searched.is_none_or(|at| at.elapsed() >= SEARCH) {
            self.holding = read::holding(&mut self.socket, self.own).await?;
            self.searched = Some(Instant::now());
            self.judged.clear();
            self.warn_of_misplaced();
        }
        let mut found = read::fib(&mut self.socket, self.own, &self.holding).await?;
        let left = found.seen.leftover_next_hops().filter(|id| !self.judged.contains_key(id)).collect();
        self.judge(&left).await?;
        found.seen.spare(&self.judged);
        self.seen = found.seen;
        Ok(found.fib)
    }

    /// Tells which of these next hops others need.
    async fn judge(&mut self, next_hops: &BTreeSet<u32>) -> Result<(), KernelError> {
        let needed = needed::by_others(&mut self.socket, self.own, next_hops).await?;
        self.judged.extend(next_hops.iter().map(|id| (*id, needed.contains(id))));
        self.warn_of_needed(&needed);
        Ok(())
    }

    fn warn_of_needed(&self, needed: &BTreeSet<u32>) {
        static TOLD: Once = Once::new();
        if let Some(id) = needed.first() {
            let (protocol, more) = (self.own.protocol, needed.len() - 1);
            TOLD.call_once(|| {
                log::warn!(
                    "next hop {id} (and {more} more) of our protocol number {protocol} is of no plan, but routes or groups \
                     of others refer to it and would go with it: it is left; remove these, or if it is another program's, \
                     choose another kernel.protocol"
                );
            });
        }
    }

    /// A program that writes into the kernel's own tables under our number is not us, and would have been told so once.
    fn warn_of_misplaced(&self) {
        static TOLD: Once = Once::new();
        let misplaced = self.holding.iter().find(|(_, table)| !ownership::Ownership::may_have_owned(*table));
        if let Some((family, table)) = misplaced {
            let protocol = self.own.protocol;
            TOLD.call_once(|| {
                log::warn!(
                    "another program has {family} routes in table {table} under our protocol number {protocol}; they are \
                     left alone, but choose another kernel.protocol: elsewhere what carries that number is taken for ours"
                );
            });
        }
    }

    /// Applies changes in order, in batches, with every acknowledgement accounted for. Needs `CAP_NET_ADMIN`.
    ///
    /// A gateway that no connected prefix covers is taken to be on its link. What another program has in the place of
    /// ours, as seen at the last read, is never overwritten: an IPv4 route is put before theirs, anything else refused.
    pub async fn apply(&mut self, changes: &[Change]) -> Applied {
        self.apply_until(changes, &mut || false).await
    }

    /// As [`Self::apply`], until `superseded` says between two batches that something newer is wanted.
    pub async fn apply_until(
        &mut self,
        changes: &[Change],
        superseded: &mut (dyn FnMut() -> bool + Send),
    ) -> Applied {
        for change in changes {
            if let Change::AddRoute(table, prefix, _) = change {
                self.holding.insert((Family::of_net(*prefix), *table));
            }
        }
        let Self { socket, own, seen, .. } = self;
        let refusals = refusals::Refusals::of(changes);
        write::Writer { socket, own: *own, seen, refusals, superseded }.apply(changes).await
    }

    /// How many objects carry our protocol number and are of no plan, as last read: of another version, of another
    /// configuration, made by hand, or left behind by a change that was not finished.
    pub fn leftovers(&self) -> usize {
        self.seen.leftovers.len() + self.seen.shadows.len()
    }

    /// Deletes the leftovers; returns how many went, and the first refusal. To be called when the plan stands: traffic
    /// may still run on them. Next hops that others need are left. Needs `CAP_NET_ADMIN`.
    ///
    /// # Errors
    /// When the socket fails as a whole.
    pub async fn clear_leftovers(&mut self) -> Result<(usize, Option<KernelError>), KernelError> {
        // Once more: since they were read others may have come to need them.
        self.judge(&self.seen.leftover_next_hops().collect()).await?;
        self.seen.spare(&self.judged);
        let leftovers = std::mem::take(&mut self.seen.leftovers);
        let Self { socket, own, .. } = self;
        let mut clearing = clear::Clearing { socket, own: *own, cleared: 0, first_refusal: None };
        clearing.clear(leftovers).await?;
        Ok((clearing.cleared, clearing.first_refusal))
    }

    /// Protocol number of a program that has something of its own in the place of what one of `changes` sets, as last
    /// read.
    pub fn neighbour(&self, changes: &[Change]) -> Option<u8> {
        changes.iter().find_map(|change| self.seen.neighbour(change))
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
