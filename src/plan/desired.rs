//! The FIB of a set of placements.

use std::collections::{BTreeMap, BTreeSet};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

use crate::domain::{ClassId, Family, UplinkAttachment, UplinkId, ZoneId};

use super::{Fib, Layout, NextHopId, Rule, Selector, Side, Via};

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

type Attachments = BTreeMap<(UplinkId, Family), UplinkAttachment>;

impl Layout {
    /// The FIB for these placements. A placement on an uplink that is not attached is left out. Next-hop objects, probe
    /// rules and probe tables are there for every attached uplink, so that moving a class to any of them is one change;
    /// rules for our two tables as soon as there is a route in them. `interfaces` is by position of the uplink.
    pub fn desired(&self, placements: &[Placement], attachments: &Attachments, interfaces: &[String]) -> Fib {
        let mut fib = Fib::default();
        for (&key, attachment) in attachments {
            if let Some(&id) = self.next_hops.get(&key) {
                fib.next_hops.insert(id, attachment.next_hop);
            }
            self.add_probe_table(&mut fib, key, attachment, interfaces);
        }
        for zone in self.zones().filter(|zone| zone.is_none_or(|zone| self.sources.contains_key(&zone))) {
            let primary = self.seats(zone, placements, attachments, |placement| placement.chosen);
            let backup = self.seats(zone, placements, attachments, |placement| {
                placement.backup.filter(|backup| placement.chosen != Some(*backup))
            });
            self.add_table(&mut fib, zone, Side::Primary, &primary);
            self.add_table(&mut fib, zone, Side::Backup, &backup);
        }
        fib
    }

    /// The next hop of each class that `uplink` finds a place for.
    fn seats(
        &self,
        zone: Option<ZoneId>,
        placements: &[Placement],
        attachments: &Attachments,
        uplink: impl Fn(&Placement) -> Option<UplinkId>,
    ) -> BTreeMap<usize, NextHopId> {
        (placements.iter())
            .filter_map(|placement| {
                let (position, plot) = self.plot(&placement.class).filter(|(_, plot)| plot.zone == zone)?;
                let key = (uplink(placement)?, plot.family);
                attachments.contains_key(&key).then_some(())?;
                Some((position, *self.next_hops.get(&key)?))
            })
            .collect()
    }

    fn add_table(&self, fib: &mut Fib, zone: Option<ZoneId>, side: Side, seats: &BTreeMap<usize, NextHopId>) {
        let table = self.table(zone, side);
        let placed: BTreeSet<usize> = seats.keys().copied().collect();
        for (position, routes) in self.routes_of(zone, &placed) {
            let (Some(plot), Some(&next_hop)) = (self.plots.get(position), seats.get(&position)) else { continue };
            if routes.is_empty() {
                continue;
            }
            let group = plot.group(side);
            fib.groups.insert(group, vec![next_hop]);
            fib.routes.extend(routes.into_iter().map(|prefix| ((table, prefix), Via::Group(group))));
            let family = plot.family;
            let rule = |(selector, preference)| Rule { family, preference, selector, table };
            fib.rules.extend(self.selectors(zone, side).into_iter().map(rule));
        }
    }

    /// A default route of its own, and the rules that lead probes into it: binding a socket to the uplink is not enough,
    /// because without a route by that device IPv4 asks for the target's hardware address and IPv6 refuses to send. What
    /// comes from the uplink's address is led there too, so that strict reverse-path filters accept the answers. All this
    /// comes after what the main table knows a network for: answers of this router to its own clients, neighbours on
    /// the link.
    fn add_probe_table(
        &self,
        fib: &mut Fib,
        (uplink, family): (UplinkId, Family),
        attachment: &UplinkAttachment,
        interfaces: &[String],
    ) {
        let table = self.numbers.probe_table.saturating_add(u32::from(uplink.0));
        let first = self.numbers.probe_rule_preference;
        fib.routes.insert((table, everything(family)), Via::NextHop(attachment.next_hop));
        let bound = interfaces.get(usize::from(uplink.0)).map(|name| Selector::OutputInterface(name.clone()));
        let sourced = attachment.source.map(Selector::Source);
        let (own, main) = (Selector::OwnUnlessDefault, MAIN_TABLE);
        fib.rules.insert(Rule { family, preference: first, selector: own, table: main });
        let led = bound.into_iter().chain(sourced);
        fib.rules.extend(led.map(|selector| Rule { family, preference: first + 1, selector, table }));
    }
}

/// `RT_TABLE_MAIN`.
const MAIN_TABLE: u32 = 254;

fn everything(family: Family) -> IpNet {
    match family {
        Family::Ipv4 => IpNet::V4(Ipv4Net::default()),
        Family::Ipv6 => IpNet::V6(Ipv6Net::default()),
    }
}
