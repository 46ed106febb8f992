//! Pure: which flows leave with the address of an uplink that they are not on.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
    sync::Arc,
    time::Duration,
};

use ipnet::IpNet;

use crate::{
    domain::{BootTime, ClassId, Family, IfIndex, ReadState, RouterState, UplinkId},
    kernel::Flow,
    plan::{Fib, NextHopId, Selector, Via},
};

/// How long an address that an uplink lost is remembered: longer than UDP entries live (3 min by default).
const MEMORY: Duration = Duration::from_secs(600);
/// Addresses that are remembered at most; those that were lost first are forgotten.
const REMEMBERED: usize = 256;

/// By which uplink the kernel sends what is steered.
#[derive(Debug, Clone)]
pub struct Steering {
    table: u32,
    fib: Arc<Fib>,
    /// Class and uplink of each group of the primary table.
    primaries: BTreeMap<NextHopId, (ClassId, UplinkId)>,
    /// Sources that have tables of their own.
    set_aside: Vec<IpNet>,
}

impl Steering {
    /// What the kernel holds in the primary `table`.
    pub fn new(table: u32, fib: Arc<Fib>, primaries: BTreeMap<NextHopId, (ClassId, UplinkId)>) -> Self {
        let of_source = |selector: &Selector| match selector {
            Selector::From(net) => Some(*net),
            _ => None,
        };
        let set_aside = fib.rules.iter().filter_map(|rule| of_source(&rule.selector)).collect();
        Self { table, fib, primaries, set_aside }
    }

    /// Class and uplink of a flow; `None` when it is not steered, or by its source.
    pub fn of(&self, flow: &Flow) -> Option<&(ClassId, UplinkId)> {
        match self.fib.longest_match(self.table, flow.destination)? {
            Via::Group(group) if !self.set_aside.iter().any(|net| net.contains(&flow.source)) => {
                self.primaries.get(&group)
            }
            _ => None,
        }
    }

    /// Uplinks that carry something of a family.
    fn uplinks(&self, family: Family) -> BTreeSet<UplinkId> {
        let of_family = self.primaries.iter().filter(|(group, _)| group.family() == family);
        of_family.map(|(_, (_, uplink))| *uplink).collect()
    }
}

/// Whether an uplink has an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Holds {
    Now,
    Until(BootTime),
}

/// Addresses of the uplinks, and those that they had until lately.
#[derive(Debug, Clone)]
pub struct UplinkAddresses {
    interfaces: Vec<(UplinkId, String)>,
    holders: BTreeMap<(IpAddr, UplinkId), Holds>,
    /// Every address of this router.
    own: BTreeSet<IpAddr>,
    /// Addresses of interfaces that are no uplinks.
    elsewhere: BTreeSet<IpAddr>,
}

impl UplinkAddresses {
    /// Nothing is known yet of these uplinks and their interfaces.
    pub fn new(interfaces: Vec<(UplinkId, String)>) -> Self {
        Self { interfaces, holders: BTreeMap::new(), own: BTreeSet::new(), elsewhere: BTreeSet::new() }
    }

    /// Takes a new picture of the router.
    pub fn observe(&mut self, router: &RouterState, now: BootTime) {
        if router.read == ReadState::Stale {
            return;
        }
        for holds in self.holders.values_mut().filter(|holds| **holds == Holds::Now) {
            *holds = Holds::Until(now);
        }
        self.own.clear();
        self.elsewhere.clear();
        for address in &router.addresses {
            let ip = address.net.addr();
            self.own.insert(ip);
            let uplinks = self.uplinks_on(router, address.index);
            if uplinks.is_empty() {
                self.elsewhere.insert(ip);
            }
            self.holders.extend(uplinks.into_iter().map(|uplink| ((ip, uplink), Holds::Now)));
        }
        self.forget(now);
    }

    fn uplinks_on(&self, router: &RouterState, index: IfIndex) -> Vec<UplinkId> {
        let Some(link) = router.links.get(&index) else { return Vec::new() };
        self.interfaces.iter().filter(|(_, name)| *name == link.name).map(|(uplink, _)| *uplink).collect()
    }

    fn forget(&mut self, now: BootTime) {
        let lost_at = |holds: &Holds| match holds {
            Holds::Now => None,
            Holds::Until(lost) => Some(*lost),
        };
        self.holders.retain(|_, holds| lost_at(holds).is_none_or(|lost| now.since(lost) < MEMORY));
        while self.holders.len() > REMEMBERED {
            let lost = self.holders.iter().filter_map(|(key, holds)| Some((lost_at(holds)?, *key)));
            let Some((_, oldest)) = lost.min() else { return };
            self.holders.remove(&oldest);
        }
    }

    /// Whether an address belongs to another uplink than `uplink`, and to that one alone.
    fn is_of_another(&self, address: IpAddr, uplink: UplinkId) -> bool {
        let holders = || self.holders.range((address, UplinkId(0))..=(address, UplinkId(u16::MAX)));
        let has = holders().any(|(_, holds)| *holds == Holds::Now);
        // Who has it now is asked before who had it: an address may have moved between uplinks.
        let mut relevant = holders().filter(|(_, holds)| !has || **holds == Holds::Now).peekable();
        relevant.peek().is_some()
            && relevant.all(|((_, holder), _)| *holder != uplink)
            && !self.elsewhere.contains(&address)
    }

    /// Addresses with which a flow that is steered now should not leave.
    pub fn suspects(&self, steering: &Steering) -> BTreeSet<IpAddr> {
        let uplinks = |address| steering.uplinks(Family::of(address));
        let of_another = |address: &IpAddr| uplinks(*address).iter().any(|it| self.is_of_another(*address, *it));
        self.holders.keys().map(|(address, _)| *address).filter(of_another).collect()
    }

    /// Class and uplink of a flow that leaves with the address of another uplink; `None` when all is well, and for
    /// what this router itself began.
    pub fn stale<'a>(&self, flow: &Flow, steering: &'a Steering) -> Option<&'a (ClassId, UplinkId)> {
        let on = steering.of(flow)?;
        (self.is_of_another(flow.translated, on.1) && !self.own.contains(&flow.source)).then_some(on)
    }
}
