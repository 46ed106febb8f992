//! `[[isp]]` and `[[isp.uplink]]`: who is bought from, and by which lines.

use std::net::{Ipv4Addr, Ipv6Addr};

use ipnet::Ipv6Net;

use crate::domain::{Family, IspId, UplinkId};

/// One internet provider.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Isp {
    /// Unique name.
    pub name: String,
    /// Name in the partner registry; known to it unless `qualified_in` says more.
    pub partner: Option<String>,
    /// Markets in which the owner says it is qualified, beyond the registry.
    pub qualified_in: Vec<String>,
    /// Its uplinks, in order of preference.
    pub uplinks: Vec<UplinkId>,
}

/// One attachment to an ISP.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Uplink {
    /// Unique name; the interface's name by default.
    pub name: String,
    /// ISP it belongs to.
    pub isp: IspId,
    /// Interface.
    pub interface: String,
    /// IPv4 next hop.
    pub ipv4: NextHopSpec<Ipv4Addr>,
    /// IPv6 next hop.
    pub ipv6: NextHopSpec<Ipv6Addr>,
    /// A candidate for a class only while the router's own routes lead to all of it by this uplink.
    pub require_route: bool,
    /// IPv6 source addresses that the ISP lets through.
    pub ipv6_source: Ipv6Source,
}

/// How the next hop of an uplink is found in one family.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NextHopSpec<A> {
    /// Learned from the kernel's default route by the interface.
    Auto,
    /// This gateway.
    Gateway(A),
    /// The uplink does not carry this family.
    Disabled,
}

/// IPv6 source addresses that an ISP lets through (BCP 38).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ipv6Source {
    /// All: provider-independent space, or prefixes are translated (NPTv6, NAT66).
    Any,
    /// Those that the router's own default routes by the uplink are for, as DHCPv6 prefix delegation sets them.
    Auto,
    /// These.
    Prefixes(Vec<Ipv6Net>),
}

impl Uplink {
    /// Whether the uplink carries a family at all.
    pub fn carries(&self, family: Family) -> bool {
        match family {
            Family::Ipv4 => self.ipv4 != NextHopSpec::Disabled,
            Family::Ipv6 => self.ipv6 != NextHopSpec::Disabled,
        }
    }
}
