//! Routes and rules: written for the topology, read to judge what the agent wrote.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use futures_util::TryStreamExt;
use ipnet::{IpNet, Ipv4Net};
use netlink_packet_route::{
    AddressFamily,
    route::{RouteAddress, RouteAttribute, RouteMessage, RouteNextHopFlags, RouteScope, RouteType, RouteVia},
    rule::{RuleAction, RuleAttribute, RuleFlags, RuleMessage},
};
use rtnetlink::{Error, Handle, IpVersion, RouteMessageBuilder};

use crate::{LabError, Namespace, link::index_of, netlink::talk};

/// The main table.
pub const MAIN: u32 = 254;
/// The local table.
pub const LOCAL: u32 = 255;

/// A route to write. Start with [`Route::to`].
#[derive(Debug, Clone)]
pub struct Route {
    destination: IpNet,
    gateway: Option<IpAddr>,
    interface: String,
    metric: Option<u32>,
    table: u32,
    source: Option<IpNet>,
    kind: Kind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Unicast,
    Local,
    Blackhole,
}

impl Route {
    /// A unicast route in the main table, directly by `interface`.
    pub fn to(destination: IpNet, interface: &str) -> Self {
        Self {
            destination,
            gateway: None,
            interface: interface.to_owned(),
            metric: None,
            table: MAIN,
            source: None,
            kind: Kind::Unicast,
        }
    }

    /// By a gateway.
    #[must_use]
    pub fn via(self, gateway: IpAddr) -> Self {
        Self { gateway: Some(gateway), ..self }
    }

    /// With a metric; lower is preferred.
    #[must_use]
    pub fn metric(self, metric: u32) -> Self {
        Self { metric: Some(metric), ..self }
    }

    /// In another table.
    #[must_use]
    pub fn table(self, table: u32) -> Self {
        Self { table, ..self }
    }

    /// For packets from that prefix alone (IPv6).
    #[must_use]
    pub fn from(self, source: IpNet) -> Self {
        Self { source: Some(source), ..self }
    }

    /// Of type `local`: every address of the prefix is this namespace's own (AnyIP).
    #[must_use]
    pub fn local(self) -> Self {
        Self { kind: Kind::Local, table: LOCAL, ..self }
    }

    /// Of type `blackhole`: what goes there is dropped without a word.
    #[must_use]
    pub fn blackhole(self) -> Self {
        Self { kind: Kind::Blackhole, ..self }
    }

    fn message(&self, index: u32) -> Result<RouteMessage, Error> {
        let mut builder = RouteMessageBuilder::<IpAddr>::new()
            .destination_prefix(self.destination.network(), self.destination.prefix_len())
            .map_err(invalid)?
            .table_id(self.table);
        builder = match self.kind {
            // The kernel refuses an interface on it.
            Kind::Blackhole => builder.kind(RouteType::BlackHole),
            Kind::Local => builder.output_interface(index).kind(RouteType::Local).scope(RouteScope::Host),
            Kind::Unicast if self.gateway.is_none() && self.destination.addr().is_ipv4() => {
                builder.output_interface(index).scope(RouteScope::Link)
            }
            Kind::Unicast => builder.output_interface(index),
        };
        if let Some(gateway) = self.gateway {
            builder = builder.gateway(gateway).map_err(invalid)?;
        }
        if let Some(metric) = self.metric {
            builder = builder.priority(metric);
        }
        if let Some(source) = self.source {
            builder = builder.source_prefix(source.network(), source.prefix_len()).map_err(invalid)?;
        }
        Ok(builder.build())
    }
}

fn invalid(error: impl std::error::Error) -> Error {
    Error::InvalidNla(error.to_string())
}

/// One route as the kernel shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RouteRow {
    /// Destination; a default route has length 0.
    pub destination: IpNet,
    /// Table.
    pub table: u32,
    /// Route protocol number.
    pub protocol: u8,
    /// Metric; 0 when there is none.
    pub metric: u32,
    /// Next-hop object or group.
    pub nexthop: Option<u32>,
    /// Interface, by name; the kernel resolves next-hop objects and groups of one.
    pub interface: Option<String>,
    /// Gateway.
    pub gateway: Option<IpAddr>,
    /// Not a unicast route (local, broadcast, blackhole …).
    pub special: bool,
    /// The interface has no carrier.
    pub linkdown: bool,
}

/// One rule as the kernel shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuleRow {
    /// Whether it is an IPv6 rule.
    pub ipv6: bool,
    /// Preference; lower is looked at first.
    pub preference: u32,
    /// Table looked up.
    pub table: u32,
    /// Route protocol number of its owner.
    pub protocol: Option<u8>,
    /// Incoming interface.
    pub iif: Option<String>,
    /// Outgoing interface that the sender is bound to.
    pub oif: Option<String>,
    /// Source prefix.
    pub source: Option<IpNet>,
    /// The match is inverted (`not`).
    pub inverted: bool,
}

impl Namespace {
    /// Adds a route.
    ///
    /// # Errors
    /// When it exists, or the kernel refuses it.
    pub fn add_route(&self, route: &Route) -> Result<(), LabError> {
        self.put_route(route, false)
    }

    /// Adds a route, or takes the place of the one with the same prefix, table and metric.
    ///
    /// # Errors
    /// When the kernel refuses it.
    pub fn replace_route(&self, route: &Route) -> Result<(), LabError> {
        self.put_route(route, true)
    }

    fn put_route(&self, route: &Route, replace: bool) -> Result<(), LabError> {
        talk(self, &format!("add route to {} by {}", route.destination, route.interface), async |handle: Handle| {
            let message = route.message(index_of(&handle, &route.interface).await?)?;
            let request = handle.route().add(message);
            if replace { request.replace().execute().await } else { request.execute().await }
        })
    }

    /// Deletes a route.
    ///
    /// # Errors
    /// When there is none like it.
    pub fn delete_route(&self, route: &Route) -> Result<(), LabError> {
        talk(
            self,
            &format!("delete route to {} by {}", route.destination, route.interface),
            async |handle: Handle| {
                let message = route.message(index_of(&handle, &route.interface).await?)?;
                handle.route().del(message).execute().await
            },
        )
    }

    /// Routes of one table, both families, sorted by destination.
    ///
    /// # Errors
    /// When the kernel cannot be asked.
    pub fn routes(&self, table: u32) -> Result<Vec<RouteRow>, LabError> {
        talk(self, &format!("read routes of table {table}"), async |handle: Handle| {
            let names = interface_names(&handle).await?;
            let mut rows = Vec::new();
            for family in [AddressFamily::Inet, AddressFamily::Inet6] {
                let mut wanted = RouteMessage::default();
                wanted.header.address_family = family;
                let mut routes = std::pin::pin!(handle.route().get(wanted).execute());
                while let Some(route) = routes.try_next().await? {
                    rows.extend(route_row(&route, &names).filter(|row| row.table == table));
                }
            }
            rows.sort_by_key(|row| (row.destination, row.metric));
            Ok(rows)
        })
    }

    /// Adds an IPv4 rule that leads packets from a prefix to a table.
    ///
    /// # Errors
    /// When it exists, or the kernel refuses it.
    pub fn add_rule(&self, preference: u32, source: Ipv4Net, table: u32) -> Result<(), LabError> {
        talk(self, &format!("add rule {preference} to table {table}"), async |handle: Handle| {
            let rule = handle.rule().add().v4().source_prefix(source.addr(), source.prefix_len());
            rule.action(RuleAction::ToTable).priority(preference).table_id(table).execute().await
        })
    }

    /// Deletes the rules that lead to a table.
    ///
    /// # Errors
    /// When the kernel refuses.
    pub fn delete_rules_to(&self, table: u32) -> Result<(), LabError> {
        talk(self, &format!("delete the rules to table {table}"), async |handle: Handle| {
            for version in [IpVersion::V4, IpVersion::V6] {
                let rules: Vec<_> = handle.rule().get(version).execute().try_collect().await?;
                let ipv6 = rules.iter().any(|rule| rule.header.family == AddressFamily::Inet6);
                for rule in rules.into_iter().filter(|rule| rule_row(rule, ipv6).table == table) {
                    handle.rule().del(rule).execute().await?;
                }
            }
            Ok(())
        })
    }

    /// All rules, both families, in the order in which the kernel looks at them.
    ///
    /// # Errors
    /// When the kernel cannot be asked.
    pub fn rules(&self) -> Result<Vec<RuleRow>, LabError> {
        talk(self, "read rules", async |handle: Handle| {
            let mut rows = Vec::new();
            for (version, ipv6) in [(IpVersion::V4, false), (IpVersion::V6, true)] {
                let rules: Vec<_> = handle.rule().get(version).execute().try_collect().await?;
                rows.extend(rules.iter().map(|rule| rule_row(rule, ipv6)));
            }
            rows.sort_by_key(|row| (row.ipv6, row.preference));
            Ok(rows)
        })
    }
}

async fn interface_names(handle: &Handle) -> Result<Vec<(u32, String)>, Error> {
    use netlink_packet_route::link::LinkAttribute;
    let links: Vec<_> = handle.link().get().execute().try_collect().await?;
    Ok(links
        .iter()
        .filter_map(|link| {
            link.attributes.iter().find_map(|attribute| match attribute {
                LinkAttribute::IfName(name) => Some((link.header.index, name.clone())),
                _ => None,
            })
        })
        .collect())
}

fn route_row(message: &RouteMessage, names: &[(u32, String)]) -> Option<RouteRow> {
    let default: IpAddr = match message.header.address_family {
        AddressFamily::Inet => Ipv4Addr::UNSPECIFIED.into(),
        AddressFamily::Inet6 => Ipv6Addr::UNSPECIFIED.into(),
        _ => return None,
    };
    let mut row = RouteRow {
        destination: IpNet::new(default, message.header.destination_prefix_length).ok()?,
        table: u32::from(message.header.table),
        protocol: message.header.protocol.into(),
        metric: 0,
        nexthop: None,
        interface: None,
        gateway: None,
        special: message.header.kind != RouteType::Unicast,
        linkdown: message.header.flags.bits() & u32::from(RouteNextHopFlags::Linkdown.bits()) != 0,
    };
    let name_of = |index: u32| names.iter().find(|(held, _)| *held == index).map(|(_, name)| name.clone());
    for attribute in &message.attributes {
        match attribute {
            RouteAttribute::Destination(address) => {
                row.destination = IpNet::new(plain(address)?, row.destination.prefix_len()).ok()?;
            }
            RouteAttribute::Table(table) => row.table = *table,
            RouteAttribute::Priority(metric) => row.metric = *metric,
            RouteAttribute::NhId(id) => row.nexthop = Some(*id),
            RouteAttribute::Oif(index) => row.interface = name_of(*index),
            RouteAttribute::Gateway(address) => row.gateway = plain(address),
            RouteAttribute::Via(RouteVia::Inet6(address)) => row.gateway = Some((*address).into()),
            _ => {}
        }
    }
    Some(row)
}

fn plain(address: &RouteAddress) -> Option<IpAddr> {
    match address {
        RouteAddress::Inet(address) => Some((*address).into()),
        RouteAddress::Inet6(address) => Some((*address).into()),
        _ => None,
    }
}

fn rule_row(message: &RuleMessage, ipv6: bool) -> RuleRow {
    let mut row = RuleRow {
        ipv6,
        preference: 0,
        table: u32::from(message.header.table),
        protocol: None,
        iif: None,
        oif: None,
        source: None,
        inverted: message.header.flags.contains(RuleFlags::Invert),
    };
    for attribute in &message.attributes {
        match attribute {
            RuleAttribute::Priority(preference) => row.preference = *preference,
            RuleAttribute::Table(table) => row.table = *table,
            RuleAttribute::Protocol(protocol) => row.protocol = Some((*protocol).into()),
            RuleAttribute::Iifname(name) => row.iif = Some(name.clone()),
            RuleAttribute::Oifname(name) => row.oif = Some(name.clone()),
            RuleAttribute::Source(address) => row.source = IpNet::new(*address, message.header.src_len).ok(),
            _ => {}
        }
    }
    row
}
