//! The FIB of a set of placements.

use std::collections::{BTreeMap, BTreeSet};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

use crate::domain::{ClassId, Family, Share, UplinkAttachment, UplinkId, ZoneId};

use super::{Fib, Group, Hashing, Layout, NextHopId, Rule, Selector, Side, Via};

/// Where a class should go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Placement {
    /// Class.
    pub class: ClassId,
    /// Uplinks in charge; none: the class is left to the main table.
    pub on: Vec<Share>,
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
            let primary = self.seats(zone, placements, attachments, |placement| placement.on.clone());
            let backup = self.seats(zone, placements, attachments, |placement| {
                let is_apart = |backup: &UplinkId| placement.on.iter().all(|share| share.uplink != *backup);
                placement.backup.filter(is_apart).map(|uplink| Share { uplink, weight: 1 }).into_iter().collect()
            });
            self.add_table(&mut fib, zone, Side::Primary, &primary);
            self.add_table(&mut fib, zone, Side::Backup, &backup);
        }
        fib
    }

    /// The next hops of each class that `on` finds a place for, with their weights.
    fn seats(
        &self,
        zone: Option<ZoneId>,
        placements: &[Placement],
        attachments: &Attachments,
        on: impl Fn(&Placement) -> Vec<Share>,
    ) -> BTreeMap<usize, BTreeMap<NextHopId, u8>> {
        (placements.iter())
            .filter_map(|placement| {
                let (position, plot) = self.plot(&placement.class).filter(|(_, plot)| plot.zone == zone)?;
                let seat = |share: Share| {
                    let key = (share.uplink, plot.family);
                    attachments.contains_key(&key).then_some(())?;
                    Some((*self.next_hops.get(&key)?, share.weight.max(1)))
                };
                let members: BTreeMap<NextHopId, u8> = on(placement).into_iter().filter_map(seat).collect();
                (!members.is_empty()).then_some((position, members))
            })
            .collect()
    }

    fn add_table(
        &self,
        fib: &mut Fib,
        zone: Option<ZoneId>,
        side: Side,
        seats: &BTreeMap<usize, BTreeMap<NextHopId, u8>>,
    ) {
        let table = self.table(zone, side);
        let placed: BTreeSet<usize> = seats.keys().copied().collect();
        for (position, routes) in self.routes_of(zone, &placed) {
            let (Some(plot), Some(members)) = (self.plots.get(position), seats.get(&position)) else { continue };
            if routes.is_empty() {
                continue;
            }
            let group = plot.group(side);
            let hashing = self.hashing(plot, side);
            let members = if hashing == Hashing::Resilient { self.twinned(fib, members) } else { members.clone() };
            fib.groups.insert(group, Group { members, hashing });
            fib.routes.extend(routes.into_iter().map(|prefix| ((table, prefix), Via::Group(group))));
            let family = plot.family;
            let rule = |(selector, preference)| Rule { family, preference, selector, table };
            fib.rules.extend(self.selectors(zone, side).into_iter().map(rule));
        }
    }

    /// With a sole member it is joined by a twin of its own, of the least weight. The kernel notes which buckets are in use
    /// only where a group has more than one member (6.18): without the twin, half of the flows would move the moment that
    /// another uplink joins, and those that the router translates would break.
    fn twinned(&self, fib: &mut Fib, members: &BTreeMap<NextHopId, u8>) -> BTreeMap<NextHopId, u8> {
        let sole = members.first_key_value().filter(|_| members.len() == 1).map(|(id, _)| *id);
        let twin = sole.and_then(|id| {
            let (key, _) = self.next_hops.iter().find(|(_, own)| **own == id)?;
            Some((id, *self.twins.get(key)?, *fib.next_hops.get(&id)?))
        });
        let Some((id, twin, next_hop)) = twin else { return members.clone() };
        fib.next_hops.insert(twin, next_hop);
        BTreeMap::from([(id, u8::MAX), (twin, 1)])
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
