//! Space that stays with the router's own routes although the catalogue names it, and why.
//!
//! A VPN, an ExpressRoute circuit or a null route that the owner has put into a table that is looked up after ours is
//! meant: it keeps its prefix, and what we would have steered there is left out of our tables.

use std::{collections::BTreeSet, fmt};

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

/// What the router's own routes keep.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Kept {
    /// Prefixes that they keep, sorted.
    pub set_aside: Vec<SetAside>,
    /// Longer routes by uplinks inside them, which they do not keep.
    pub released: Vec<IpNet>,
}

/// Finds the routes that keep their prefixes: those that do not leave by one of `uplinks`, in tables that forwarded
/// packets come to after the rule of preference `after`. Of the routes of one prefix and table the best metric counts.
pub fn kept_by_local_routes(router: &RouterState, uplinks: &BTreeSet<IfIndex>, after: u32) -> Kept {
    let tables = tables_after(router, after);
    let rows = || router.routes.iter().filter(|route| tables.contains(&route.table)).collect::<Vec<_>>();
    let rows = rows();
    let mut kept = Kept::default();
    let mut by_uplinks = Vec::new();
    for alike in rows.chunk_by(|a, b| (a.destination, a.table) == (b.destination, b.table)) {
        let Some(first) = alike.first() else { continue };
        let ways: Vec<&&LocalRoute> = alike.iter().filter(|route| route.metric == first.metric).collect();
        let leaves = |route: &LocalRoute| route.way.is_some_and(|way| uplinks.contains(&way.index));
        if ways.iter().any(|route| leaves(route)) {
            by_uplinks.push(first.destination);
        } else if first.kind != RouteKind::Throw && is_a_statement(first.destination) {
            kept.set_aside.push(SetAside { prefix: first.destination, why: why(first, router) });
        }
    }
    let space: PrefixSet = kept.set_aside.iter().map(|kept| kept.prefix).collect();
    kept.released = by_uplinks.into_iter().filter(|prefix| space.touches(*prefix)).collect();
    kept.set_aside.sort_unstable();
    kept
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
