//! Pure: which flows leave with the address of an uplink that they are not on.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
    sync::Arc,
    time::Duration,
};

use ipnet::IpNet;

use crate::{
    domain::{BootTime, ClassId, Family, IfIndex, Link, ReadState, RouterState, UplinkId},
    kernel::Flow,
    plan::{Fib, NextHopId, Selector, Via},
};

/// How long an address that an uplink lost is remembered: longer than UDP entries live (3 min by default).
const MEMORY: Duration = Duration::from_secs(600);
/// Addresses that are remembered at most; those that were lost first are forgotten.
const REMEMBERED: usize = 256;

/// A class and the uplinks that it is on.
pub type OnUplinks = (ClassId, BTreeSet<UplinkId>);

/// By which uplink the kernel sends what is steered.
#[derive(Debug, Clone)]
pub struct Steering {
    table: u32,
    fib: Arc<Fib>,
    /// Class and uplinks of each group of the primary table.
    primaries: BTreeMap<NextHopId, OnUplinks>,
    /// Sources that have tables of their own.
    set_aside: Vec<IpNet>,
    /// Classes, and the uplinks that they left lately: nothing else is judged, because a rule of the router's own may
    /// lead a flow elsewhere before ours does, and it is right there.
    left: BTreeMap<ClassId, BTreeSet<UplinkId>>,
}

impl Steering {
    /// What the kernel holds in the primary `table`, and which uplinks classes `left` lately.
    pub fn new(
        table: u32,
        fib: Arc<Fib>,
        primaries: BTreeMap<NextHopId, OnUplinks>,
        left: BTreeSet<(ClassId, UplinkId)>,
    ) -> Self {
        let of_source = |selector: &Selector| match selector {
            Selector::From(net) => Some(*net),
            _ => None,
        };
        let set_aside = fib.rules.iter().filter_map(|rule| of_source(&rule.selector)).collect();
        let mut uplinks = BTreeMap::<_, BTreeSet<_>>::new();
        for (class, uplink) in left {
            uplinks.entry(class).or_default().insert(uplink);
        }
        Self { table, fib, primaries, set_aside, left: uplinks }
    }

    /// Class and uplinks of a flow; `None` when it is not steered, or by its source.
    pub fn of(&self, flow: &Flow) -> Option<&OnUplinks> {
        match self.fib.longest_match(self.table, flow.destination)? {
            Via::Group(group) if !self.set_aside.iter().any(|net| net.contains(&flow.source)) => {
                self.primaries.get(&group)
            }
            _ => None,
        }
    }

    /// Classes of a family that moved, with the uplinks that they are on.
    fn moved(&self, family: Family) -> impl Iterator<Item = &OnUplinks> {
        let of_family = self.primaries.iter().filter(move |(group, _)| group.family() == family);
        of_family.map(|(_, on)| on).filter(|(class, _)| self.left.contains_key(class))
    }

    fn has_left(&self, class: &ClassId, uplink: UplinkId) -> bool {
        self.left.get(class).is_some_and(|left| left.contains(&uplink))
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

    /// Uplinks by which packets can leave; none while the picture is not certain.
    pub fn usable(&self, router: &RouterState) -> BTreeSet<UplinkId> {
        let is_usable = |name: &str| router.link_named(name).is_some_and(Link::is_usable);
        let usable = self.interfaces.iter().filter(|(_, name)| router.read == ReadState::Fresh && is_usable(name));
        usable.map(|(uplink, _)| *uplink).collect()
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

    /// Whether an address belongs to an uplink that the class left, and to none that it is on.
    fn is_left_behind(&self, address: IpAddr, (class, uplinks): &OnUplinks, steering: &Steering) -> bool {
        let holders = || self.holders.range((address, UplinkId(0))..=(address, UplinkId(u16::MAX)));
        let has = holders().any(|(_, holds)| *holds == Holds::Now);
        // Who has it now is asked before who had it: an address may have moved between uplinks.
        let mut relevant = holders().filter(|(_, holds)| !has || **holds == Holds::Now);
        let mut left = false;
        let elsewhere = relevant.all(|((_, holder), _)| {
            left |= steering.has_left(class, *holder);
            !uplinks.contains(holder)
        });
        left && elsewhere && !self.elsewhere.contains(&address)
    }

    /// Addresses with which a flow that is steered now should not leave.
    pub fn suspects(&self, steering: &Steering) -> BTreeSet<IpAddr> {
        let is_suspect = |address: &IpAddr| {
            steering.moved(Family::of(*address)).any(|on| self.is_left_behind(*address, on, steering))
        };
        self.holders.keys().map(|(address, _)| *address).filter(is_suspect).collect()
    }

    /// Class and uplinks of a flow that leaves with the address of an uplink that the class left; `None` when all is
    /// well, and for what this router itself began.
    pub fn stale<'a>(&self, flow: &Flow, steering: &'a Steering) -> Option<&'a OnUplinks> {
        let on = steering.of(flow)?;
        (self.is_left_behind(flow.translated, on, steering) && !self.own.contains(&flow.source)).then_some(on)
    }
}
