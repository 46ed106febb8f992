//! Pure: decisions in, the FIB that the kernel should hold out; and the ordered difference from what it holds.
//!
//! May know the domain and `config::Kernel`, as values. No I/O, no clock, no log line.

use std::collections::{BTreeMap, BTreeSet};

use ipnet::IpNet;

use crate::{
    config::Kernel,
    domain::{Class, ClassId, Family, NextHop, UplinkAttachment, UplinkId},
};

/// Id of a next-hop object or group (`NHA_ID`), in our own range.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NextHopId(pub u32);

/// Where a route of ours leads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Via {
    /// A next-hop group of ours: routes of classes.
    Group(NextHopId),
    /// Straight to a next hop: default routes of the probe tables.
    NextHop(NextHop),
}

/// What a rule of ours matches.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Selector {
    /// `not iif lo`: forwarded traffic only; the router's own stays out of steering.
    Forwarded,
    /// `oif NAME`: sockets bound to an uplink (probes).
    OutputInterface(String),
    /// `from ADDRESS`: packets from an uplink's own address; makes strict reverse-path filters accept probe answers.
    Source(std::net::IpAddr),
}

/// A policy rule of ours (`FRA_PROTOCOL` is our protocol number).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Rule {
    /// Family.
    pub family: Family,
    /// Preference (`FRA_PRIORITY`).
    pub preference: u32,
    /// What it matches.
    pub selector: Selector,
    /// Table it leads to.
    pub table: u32,
}

/// Everything of ours in the kernel: desired, or as observed.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Fib {
    /// Next-hop objects.
    pub next_hops: BTreeMap<NextHopId, NextHop>,
    /// Next-hop groups; members in order, all of weight one.
    pub groups: BTreeMap<NextHopId, Vec<NextHopId>>,
    /// Routes by table and prefix.
    pub routes: BTreeMap<(u32, IpNet), Via>,
    /// Rules.
    pub rules: BTreeSet<Rule>,
}

/// One kernel message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// Create or replace in place a next-hop object; the family is that of its routes.
    SetNextHop(NextHopId, Family, NextHop),
    /// Create or replace in place a group.
    SetGroup(NextHopId, Vec<NextHopId>),
    /// Create or replace in place a route.
    SetRoute(u32, IpNet, Via),
    /// Delete a route.
    DeleteRoute(u32, IpNet),
    /// Add a rule.
    AddRule(Rule),
    /// Delete a rule.
    DeleteRule(Rule),
    /// Delete a next-hop object or group.
    DeleteNextHop(NextHopId),
}

/// Where a class should go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Placement {
    /// Class.
    pub class: ClassId,
    /// Uplink in charge.
    pub chosen: Option<UplinkId>,
    /// Standing backup.
    pub backup: Option<UplinkId>,
}

/// Classes with their routes after exact aggregation, and the ids of their groups; made once per catalogue.
#[derive(Debug, Clone, Default)]
pub struct Layout {}

impl Layout {
    /// Aggregates exactly and assigns ids: stable across restarts and catalogue updates, because they follow from the
    /// names of classes and uplinks and not from their positions.
    pub fn new(_kernel: &Kernel, _classes: &[Class], _uplink_names: &[String]) -> Self {
        todo!()
    }

    /// Routes of a class after exact aggregation, nested prefixes of other classes resolved by longest match.
    pub fn routes(&self, _class: &ClassId) -> &[IpNet] {
        todo!()
    }

    /// The FIB for these placements. A placement on an uplink that is not attached is left out. Probe rules and tables
    /// are there for every attached uplink; rules for our two tables as soon as there is a route in them.
    pub fn desired(
        &self,
        _placements: &[Placement],
        _attachments: &BTreeMap<(UplinkId, Family), UplinkAttachment>,
        _interfaces: &[String],
    ) -> Fib {
        todo!()
    }

    /// Which uplinks the kernel holds each class on: (primary, backup), by the groups and routes in `observed`. A class
    /// counts as held only when all of its routes are there.
    pub fn held(&self, _observed: &Fib) -> BTreeMap<ClassId, (Option<UplinkId>, Option<UplinkId>)> {
        todo!()
    }
}

/// The messages that lead from `observed` to `desired`, in an order that never leaves a hole: objects before what
/// refers to them, additions before deletions, replacements in place.
pub fn difference(_desired: &Fib, _observed: &Fib) -> Vec<Change> {
    todo!()
}
