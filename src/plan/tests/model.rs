//! The kernel in memory, with the rules of the real one that matter to an order of changes.

use std::{collections::BTreeSet, net::IpAddr};

use ipnet::IpNet;

use crate::{
    domain::{Family, IfIndex, NextHop},
    plan::{Change, Fib, NextHopId, Selector, Via},
};

/// What a kernel holds of ours.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ModelKernel {
    pub fib: Fib,
}

impl ModelKernel {
    pub fn holding(fib: &Fib) -> Self {
        Self { fib: fib.clone() }
    }

    /// Applies one message, or refuses it as the kernel would.
    pub fn apply(&mut self, change: &Change) -> Result<(), String> {
        let fib = &mut self.fib;
        match change.clone() {
            Change::SetNextHop(id, family, next_hop) => {
                refuse(fib.groups.contains_key(&id), "a group cannot become a next hop")?;
                refuse(family != id.family(), "an id keeps its family")?;
                refuse(next_hop.gateway.is_some_and(|gateway| Family::of(gateway) != family), "gateway's family")?;
                fib.next_hops.insert(id, next_hop);
            }
            Change::SetGroup(id, group) => {
                refuse(fib.next_hops.contains_key(&id), "a next hop cannot become a group")?;
                refuse(group.members.is_empty(), "a group needs a member")?;
                let fits = |member: &NextHopId| fib.next_hops.contains_key(member) && member.family() == id.family();
                refuse(!group.members.keys().all(fits), "a member does not exist, or is of another family")?;
                let kept = fib.groups.get(&id).is_none_or(|held| held.hashing == group.hashing);
                refuse(!kept, "a group keeps its kind")?;
                fib.groups.insert(id, group);
            }
            Change::AddRoute(table, prefix, via) | Change::MoveRoute { table, prefix, to: via, .. } => {
                let new = matches!(change, Change::AddRoute(..));
                refuse(new == fib.routes.contains_key(&(table, prefix)), "a route is there, or is not")?;
                if let Via::Group(id) = via {
                    refuse(!fib.groups.contains_key(&id), "no such group")?;
                    refuse(id.family() != Family::of_net(prefix), "group of another family")?;
                }
                fib.routes.insert((table, prefix), via);
            }
            Change::DeleteRoute(table, prefix) => {
                refuse(fib.routes.remove(&(table, prefix)).is_none(), "no such route")?;
            }
            Change::AddRule(rule) => refuse(!fib.rules.insert(rule), "rule exists")?,
            Change::DeleteRule(rule) => refuse(!fib.rules.remove(&rule), "no such rule")?,
            Change::DeleteNextHop(id) => {
                let was_hop = fib.next_hops.remove(&id).is_some();
                let was_group = fib.groups.remove(&id).is_some();
                refuse(!was_hop && !was_group, "no such next hop")?;
                self.drop_what_hung_on(&[id]);
            }
        }
        Ok(())
    }

    /// Carrier of an interface goes: the kernel deletes its next hops and all that hangs on them, silently.
    pub fn lose_carrier(&mut self, index: IfIndex) {
        let gone: Vec<NextHopId> =
            self.fib.next_hops.iter().filter(|(_, hop)| hop.index == index).map(|(id, _)| *id).collect();
        self.fib.next_hops.retain(|_, hop| hop.index != index);
        self.fib.routes.retain(|_, via| !matches!(via, Via::NextHop(hop) if hop.index == index));
        self.drop_what_hung_on(&gone);
    }

    fn drop_what_hung_on(&mut self, gone: &[NextHopId]) {
        let fib = &mut self.fib;
        for group in fib.groups.values_mut() {
            group.members.retain(|member, _| !gone.contains(member));
        }
        fib.groups.retain(|_, group| !group.members.is_empty());
        let groups = &fib.groups;
        fib.routes.retain(|_, via| !matches!(via, Via::Group(id) if !groups.contains_key(id)));
    }

    /// Where a forwarded packet goes, one of its ways; none when it falls through to the main table.
    pub fn lookup(&self, destination: IpAddr) -> Option<NextHop> {
        self.ways(destination).first().copied()
    }

    /// All ways among which a forwarded packet's may be; none when it falls through to the main table.
    pub fn ways(&self, destination: IpAddr) -> BTreeSet<NextHop> {
        let forwarding = self
            .fib
            .rules
            .iter()
            .filter(|rule| rule.selector == Selector::Forwarded && rule.family == Family::of(destination));
        let mut rules: Vec<_> = forwarding.collect();
        rules.sort_by_key(|rule| rule.preference);
        rules.into_iter().find_map(|rule| self.ways_in(rule.table, destination)).unwrap_or_default()
    }

    fn ways_in(&self, table: u32, destination: IpAddr) -> Option<BTreeSet<NextHop>> {
        let covering = |((own, prefix), via): (&(u32, IpNet), &Via)| {
            (*own == table && prefix.contains(&destination)).then_some((prefix.prefix_len(), *via))
        };
        let (_, via) = self.fib.routes.iter().filter_map(covering).max_by_key(|(length, _)| *length)?;
        Some(match via {
            Via::NextHop(next_hop) => BTreeSet::from([next_hop]),
            Via::Group(id) => {
                let members = self.fib.groups.get(&id)?.members.keys();
                members.filter_map(|member| self.fib.next_hops.get(member).copied()).collect()
            }
        })
    }
}

fn refuse(condition: bool, why: &str) -> Result<(), String> {
    if condition { Err(why.to_owned()) } else { Ok(()) }
}
