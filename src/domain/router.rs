//! What the kernel says about this router, reduced to what can matter to steering.

use std::{collections::BTreeMap, net::IpAddr, sync::Arc};

use ipnet::IpNet;

use super::{Family, PrefixSet};

/// Kernel interface index; a re-created interface gets a new one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct IfIndex(pub u32);

/// One network interface.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    /// Index.
    pub index: IfIndex,
    /// Name at the moment; renames keep the index.
    pub name: String,
    /// Administratively up (`IFF_UP`).
    pub admin_up: bool,
    /// Carrier present (`IFF_LOWER_UP`).
    pub carrier: bool,
    /// Interface that it is a port of (`IFLA_MASTER`): a bridge, a bond or a VRF.
    pub master: Option<IfIndex>,
    /// Table of the VRF that this interface is (`IFLA_VRF_TABLE`).
    pub vrf_table: Option<u32>,
}

impl Link {
    /// Whether packets can leave by it.
    pub fn is_usable(&self) -> bool {
        self.admin_up && self.carrier
    }
}

/// One address of this router with its on-link prefix.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Address {
    /// Interface that holds it.
    pub index: IfIndex,
    /// Address and prefix length.
    pub net: IpNet,
    /// Global scope (usable as a source towards the internet).
    pub global: bool,
    /// Usable now: not tentative, not failed duplicate address detection.
    pub ready: bool,
}

/// A default route of the router's own tables (not ours), of any metric.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DefaultRoute {
    /// Family.
    pub family: Family,
    /// Interface it leaves by.
    pub index: IfIndex,
    /// Gateway; absent on point-to-point links.
    pub gateway: Option<IpAddr>,
    /// Metric (`RTA_PRIORITY`), lower is preferred.
    pub metric: u32,
    /// Table that holds it.
    pub table: u32,
    /// Source addresses that it is for alone (RFC 8678), as DHCPv6 clients of OpenWrt set it; none: all.
    pub source: Option<IpNet>,
}

/// What a route does with a packet (`RTN_*`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RouteKind {
    /// Sends it on.
    Unicast,
    /// Drops it without a word.
    Blackhole,
    /// Drops it and says that the destination cannot be reached.
    Unreachable,
    /// Drops it and says that it is forbidden.
    Prohibit,
    /// Ends the lookup in this table.
    Throw,
}

/// One way of one route of the router's own tables (not ours) that touches a destination (it covers one, equals one, or
/// lies inside one), or that is connected to an uplink. A multipath route has as many of these as it has living ways.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct LocalRoute {
    /// Where it leads to; never a default route.
    pub destination: IpNet,
    /// Table that holds it.
    pub table: u32,
    /// Metric (`RTA_PRIORITY`), lower is preferred.
    pub metric: u32,
    /// Source addresses that it is for alone; none: all.
    pub source: Option<IpNet>,
    /// What it does.
    pub kind: RouteKind,
    /// Who set it (`RTPROT_*`).
    pub protocol: u8,
    /// The way out; absent unless it is [`RouteKind::Unicast`].
    pub way: Option<NextHop>,
}

/// A policy rule of the router's own (not ours) that leads to a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct PolicyRule {
    /// Family.
    pub family: Family,
    /// Preference (`FRA_PRIORITY`); lower is looked at first.
    pub preference: u32,
    /// Table it leads to.
    pub table: u32,
}

/// What of the router's routes can matter: what touches a destination, and what belongs to an uplink.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Interest {
    /// Everything that may be steered.
    pub destinations: PrefixSet,
    /// Interfaces of uplinks.
    pub interfaces: Vec<String>,
}

/// Reachability of a neighbour (`NUD_*`), reduced to what a next hop needs to know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NeighbourState {
    /// Resolved, or being confirmed.
    Resolved,
    /// Resolution is under way.
    Resolving,
    /// Resolution failed.
    Failed,
}

/// Whether the picture can be trusted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ReadState {
    /// Nothing was read yet, or events were lost since.
    #[default]
    Stale,
    /// Listed completely, and kept live by events.
    Fresh,
}

/// The router as the kernel shows it: links, addresses, neighbours of gateways, and those routes that matter.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RouterState {
    /// Links by index.
    pub links: BTreeMap<IfIndex, Link>,
    /// Addresses of all links.
    pub addresses: Vec<Address>,
    /// Default routes, best metric first within a family.
    pub defaults: Vec<DefaultRoute>,
    /// Other routes of the router's own tables that touch a destination, and those connected to uplinks, sorted.
    pub routes: Arc<[LocalRoute]>,
    /// Such routes that were left out because there are too many to keep.
    pub routes_omitted: usize,
    /// Whether `defaults` and `routes` are certain: stale while they are listed anew after something that the kernel
    /// does not tell of each route. What is known of them is followed meanwhile.
    pub routes_read: ReadState,
    /// Rules of others that lead to tables, sorted.
    pub rules: Vec<PolicyRule>,
    /// Neighbours by interface and address.
    pub neighbours: BTreeMap<(IfIndex, IpAddr), NeighbourState>,
    /// Whether links, addresses, neighbours and rules are current, and the routes were listed at least once.
    pub read: ReadState,
}

/// A way out of an uplink: interface and, unless it is point-to-point, a gateway.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NextHop {
    /// Interface to leave by.
    pub index: IfIndex,
    /// Gateway on that interface.
    pub gateway: Option<IpAddr>,
}

/// What the kernel offers for one uplink in one family at the moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UplinkAttachment {
    /// The way out.
    pub next_hop: NextHop,
    /// Source address of this router on that interface, if it has one in this family.
    pub source: Option<IpAddr>,
}

/// `RT_TABLE_MAIN`.
const MAIN: u32 = 254;

impl RouterState {
    /// The link of that name.
    pub fn link_named(&self, name: &str) -> Option<&Link> {
        self.links.values().find(|link| link.name == name)
    }

    /// Best default route of `family` that leaves by `index`: of the main table where there is one, because what a tunnel or
    /// a policy has put into a table of its own is not what the line was given.
    pub fn default_via(&self, index: IfIndex, family: Family) -> Option<&DefaultRoute> {
        self.defaults
            .iter()
            .filter(|route| route.index == index && route.family == family)
            .min_by_key(|route| (route.table != MAIN, route.metric))
    }

    /// First usable global address of `family` on `index`.
    pub fn source_on(&self, index: IfIndex, family: Family) -> Option<IpAddr> {
        self.addresses
            .iter()
            .find(|address| {
                address.index == index && address.global && address.ready && Family::of_net(address.net) == family
            })
            .map(|address| address.net.addr())
    }
}
