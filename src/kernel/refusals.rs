//! What was refused while a list of changes is applied, and what of the rest depends on it. No I/O.

use std::collections::BTreeSet;

use ipnet::IpNet;

use crate::{
    domain::{Family, PrefixSet},
    plan::{Change, NextHopId, Via},
};

/// Refusals so far.
#[derive(Debug, Default)]
pub(super) struct Refusals {
    objects: BTreeSet<NextHopId>,
    prefixes: Vec<IpNet>,
    families: BTreeSet<Family>,
    /// The prefixes as a set, once it was asked for.
    space: Option<PrefixSet>,
}

impl Refusals {
    /// Takes note of a refused change.
    pub(super) fn note(&mut self, change: &Change) {
        match change {
            Change::SetNextHop(id, ..) | Change::SetGroup(id, _) => {
                self.objects.insert(*id);
                self.families.insert(id.family());
            }
            Change::AddRoute(_, prefix, _) | Change::MoveRoute { prefix, .. } => {
                self.prefixes.push(*prefix);
                self.families.insert(Family::of_net(*prefix));
                self.space = None;
            }
            Change::AddRule(rule) => _ = self.families.insert(rule.family),
            Change::DeleteRoute(..) | Change::DeleteRule(_) | Change::DeleteNextHop(_) => {}
        }
    }

    /// The refused object that a change refers to: what it would lead to is not what was planned.
    pub(super) fn missing(&self, change: &Change) -> Option<NextHopId> {
        match change {
            Change::SetGroup(_, members) => members.iter().find(|member| self.objects.contains(member)).copied(),
            Change::AddRoute(_, _, Via::Group(id)) | Change::MoveRoute { to: Via::Group(id), .. } => {
                self.objects.get(id).copied()
            }
            _ => None,
        }
    }

    /// Whether a deletion takes away what works while its successor is missing: a route where one was refused, a rule or
    /// an object of a family in which anything was.
    pub(super) fn hold_back(&mut self, change: &Change) -> bool {
        match change {
            Change::DeleteRoute(_, prefix) => {
                let space = self.space.get_or_insert_with(|| self.prefixes.iter().copied().collect());
                space.touches(*prefix)
            }
            Change::DeleteRule(rule) => self.families.contains(&rule.family),
            Change::DeleteNextHop(id) => self.families.contains(&id.family()),
            _ => false,
        }
    }
}
