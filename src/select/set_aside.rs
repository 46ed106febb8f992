//! Space that stays with the router's own routes although the catalogue names it, and why.
//!
//! A VPN, an ExpressRoute circuit or a null route that the owner has put into a table that is looked up after ours is
//! meant: it keeps its prefix, and what we would have steered there is left out of our tables.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use ipnet::IpNet;

use crate::domain::{IfIndex, LocalRoute, PrefixSet, RouteKind, RouterState};

/// `RT_TABLE_MAIN`, `RT_TABLE_LOCAL`.
const MAIN: u32 = 254;
const LOCAL: u32 = 255;

/// Shorter routes are no statement about Microsoft: full tunnels are spelt 0.0.0.0/1 and 128.0.0.0/1, or 2000::/3.
const SHORTEST_IPV4: u8 = 8;
const SHORTEST_IPV6: u8 = 16;

/// A prefix that is not steered, and why.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct SetAside {
    /// The prefix as its cause names it; a longer route by an uplink inside it is not part of what is set aside.
    pub prefix: IpNet,
    /// Why.
    pub why: Why,
}

/// Why a prefix is not steered.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Why {
    /// A route of the router's own that does not leave by an uplink is in charge of it.
    LocalRoute {
        /// What the route does.
        kind: RouteKind,
        /// Interface that it leaves by, if it sends anything on.
        interface: Option<String>,
        /// Table that holds it.
        table: u32,
        /// Who set it (`RTPROT_*`).
        protocol: u8,
        /// Metric.
        metric: u32,
    },
    /// It is on the link of an interface.
    OnLink(String),
    /// The gateway of an uplink.
    Gateway(String),
    /// The router asks it for names.
    NameServer,
    /// It collects the reports.
    Collector,
    /// `kernel.never_steer` names it.
    Configured,
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::LocalRoute { kind, interface, table, protocol, metric } => {
                f.write_str("the router's own ")?;
                match (kind, interface) {
                    (RouteKind::Unicast, Some(name)) => write!(f, "route by {name}")?,
                    (RouteKind::Unicast, None) => write!(f, "route")?,
                    (RouteKind::Blackhole, _) => write!(f, "blackhole route")?,
                    (RouteKind::Unreachable, _) => write!(f, "unreachable route")?,
                    (RouteKind::Prohibit, _) => write!(f, "prohibit route")?,
                    (RouteKind::Throw, _) => write!(f, "throw route")?,
                }
                write!(f, " (table {table}, protocol {protocol}, metric {metric})")
            }
            Self::OnLink(name) => write!(f, "on the link of {name}"),
            Self::Gateway(uplink) => write!(f, "gateway of uplink {uplink}"),
            Self::NameServer => f.write_str("a name server of this router"),
            Self::Collector => f.write_str("the collector of reports"),
            Self::Configured => f.write_str("kernel.never_steer names it"),
        }
    }
}

/// What the router's own routes of one table keep.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Kept {
    /// Prefixes that they keep, sorted.
    pub set_aside: Vec<SetAside>,
    /// Longer routes of the same table by uplinks inside them, which they do not keep.
    pub released: Vec<IpNet>,
}

/// Finds the routes that keep their prefixes, table by table: those that do not leave by one of `uplinks`, in tables that
/// forwarded packets come to after the rule of preference `after`.
///
/// Of the routes of one prefix, table and source the best metric counts; one for some sources alone keeps its prefix from
/// all, and releases nothing. Where only some ways of a route are uplinks the router shares its load: it keeps its prefix.
pub fn kept_by_local_routes(router: &RouterState, uplinks: &BTreeSet<IfIndex>, after: u32) -> Vec<Kept> {
    let mut tables: BTreeMap<u32, Kept> =
        tables_after(router, after).into_iter().map(|table| (table, Kept::default())).collect();
    for alike in router.routes.chunk_by(|a, b| (a.destination, a.table) == (b.destination, b.table)) {
        let Some(first) = alike.first() else { continue };
        let Some(kept) = tables.get_mut(&first.table) else { continue };
        let prefix = first.destination;
        let sources: BTreeSet<Option<IpNet>> = alike.iter().map(|route| route.source).collect();
        let verdicts = || sources.iter().map(|source| verdict(alike, *source, uplinks));
        let keeping =
            verdicts().find_map(|verdict| if let Verdict::Keeps(route) = verdict { Some(route) } else { None });
        match keeping {
            Some(route) if is_a_statement(prefix) => {
                kept.set_aside.push(SetAside { prefix, why: why(route, router) });
            }
            None if verdict(alike, None, uplinks) == Verdict::ByUplinks => kept.released.push(prefix),
            _ => {}
        }
    }
    let keeping = tables.into_values().filter(|kept| !kept.set_aside.is_empty());
    keeping.map(Kept::tidy).collect()
}

impl Kept {
    /// Forgets what is released outside of what is kept.
    fn tidy(mut self) -> Self {
        let space: PrefixSet = self.set_aside.iter().map(|kept| kept.prefix).collect();
        self.released.retain(|prefix| space.touches(*prefix));
        self.set_aside.sort_unstable();
        self
    }
}

/// What the routes of one prefix and table do with packets from a source.
#[derive(Debug, PartialEq, Eq)]
enum Verdict<'a> {
    /// There is none for it, or the lookup goes on in another table.
    Passes,
    /// Every way is an uplink.
    ByUplinks,
    /// This one leads elsewhere.
    Keeps(&'a LocalRoute),
}

fn verdict<'a>(alike: &'a [LocalRoute], source: Option<IpNet>, uplinks: &BTreeSet<IfIndex>) -> Verdict<'a> {
    let of_source = || alike.iter().filter(|route| route.source == source);
    let Some(metric) = of_source().map(|route| route.metric).min() else { return Verdict::Passes };
    let leaves = |route: &LocalRoute| route.way.is_some_and(|way| uplinks.contains(&way.index));
    match of_source().filter(|route| route.metric == metric).find(|route| !leaves(route)) {
        None => Verdict::ByUplinks,
        Some(route) if route.kind == RouteKind::Throw => Verdict::Passes,
        Some(route) => Verdict::Keeps(route),
    }
}

/// The space that the router's own routes lead to by an interface, for packets of any source, in tables that forwarded
/// packets come to after the rule of preference `after`.
pub fn routed_by(router: &RouterState, index: IfIndex, after: u32) -> PrefixSet {
    let tables = tables_after(router, after);
    let by_it = router.routes.iter().filter(|route| route.way.is_some_and(|way| way.index == index));
    let looked_up = by_it.filter(|route| route.source.is_none() && tables.contains(&route.table));
    looked_up.map(|route| route.destination).collect()
}

fn tables_after(router: &RouterState, after: u32) -> BTreeSet<u32> {
    let led = router.rules.iter().filter(|rule| rule.preference > after && rule.table != LOCAL);
    led.map(|rule| rule.table).chain([MAIN]).collect()
}

fn is_a_statement(prefix: IpNet) -> bool {
    prefix.prefix_len() >= if prefix.addr().is_ipv4() { SHORTEST_IPV4 } else { SHORTEST_IPV6 }
}

fn why(route: &LocalRoute, router: &RouterState) -> Why {
    let link = route.way.and_then(|way| router.links.get(&way.index));
    Why::LocalRoute {
        kind: route.kind,
        interface: link.map(|link| link.name.clone()),
        table: route.table,
        protocol: route.protocol,
        metric: route.metric,
    }
}
