//! What was refused while a list of changes is applied, and what of the rest depends on it. No I/O.

use std::collections::{BTreeMap, BTreeSet};

use ipnet::IpNet;

use crate::{
    domain::{Family, PrefixSet},
    plan::{Change, NextHopId, Via},
};

/// Refusals so far.
#[derive(Debug)]
pub(super) struct Refusals<'a> {
    /// The whole list that is applied.
    changes: &'a [Change],
    objects: BTreeSet<NextHopId>,
    prefixes: Vec<IpNet>,
    families: BTreeSet<Family>,
    /// The prefixes as a set, once it was asked for.
    space: Option<PrefixSet>,
    /// What becomes of the routes, once it was asked for.
    fate: Option<Fate>,
}

/// What a list of changes does to routes.
#[derive(Debug)]
struct Fate {
    /// In how many tables each prefix is deleted.
    deleted: BTreeMap<IpNet, usize>,
    /// What is added to or moved in each table.
    added: BTreeMap<u32, PrefixSet>,
}

impl<'a> Refusals<'a> {
    /// None so far, while `changes` are applied.
    pub(super) fn of(changes: &'a [Change]) -> Self {
        let (objects, prefixes, families) = Default::default();
        Self { changes, objects, prefixes, families, space: None, fate: None }
    }

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
            Change::SetGroup(_, group) => group.members.keys().find(|member| self.objects.contains(member)).copied(),
            Change::AddRoute(_, _, Via::Group(id)) | Change::MoveRoute { to: Via::Group(id), .. } => {
                self.objects.get(id).copied()
            }
            _ => None,
        }
    }

    /// Whether a deletion takes away what works while its successor is missing: a route where one was refused, or one that
    /// stands behind another which may lead where it should not any more; a rule or an object of a family in which
    /// anything was refused.
    pub(super) fn hold_back(&mut self, change: &Change) -> bool {
        match change {
            Change::DeleteRoute(table, prefix) => {
                let space = self.space.get_or_insert_with(|| self.prefixes.iter().copied().collect());
                space.touches(*prefix) || self.stands_behind_a_refused_object(*table, *prefix)
            }
            Change::DeleteRule(rule) => self.families.contains(&rule.family),
            Change::DeleteNextHop(id) => self.families.contains(&id.family()),
            _ => false,
        }
    }

    /// The route is deleted in this table alone and nothing takes its place there: a backup that goes, while a group of
    /// the family could not be set and its routes elsewhere stay as they were.
    fn stands_behind_a_refused_object(&mut self, table: u32, prefix: IpNet) -> bool {
        if !self.objects.iter().any(|id| id.family() == Family::of_net(prefix)) {
            return false;
        }
        let changes = self.changes;
        let fate = self.fate.get_or_insert_with(|| Fate::of(changes));
        let alone = fate.deleted.get(&prefix).is_none_or(|tables| *tables < 2);
        alone && fate.added.get(&table).is_none_or(|added| !added.touches(prefix))
    }
}

impl Fate {
    fn of(changes: &[Change]) -> Self {
        let mut deleted: BTreeMap<IpNet, usize> = BTreeMap::new();
        let mut added: BTreeMap<u32, Vec<IpNet>> = BTreeMap::new();
        for change in changes {
            match change {
                Change::DeleteRoute(_, prefix) => *deleted.entry(*prefix).or_default() += 1,
                Change::AddRoute(table, prefix, _) | Change::MoveRoute { table, prefix, .. } => {
                    added.entry(*table).or_default().push(*prefix);
                }
                _ => {}
            }
        }
        let added = added.into_iter().map(|(table, prefixes)| (table, prefixes.into_iter().collect()));
        Self { deleted, added: added.collect() }
    }
}
