//! The messages that lead from what the kernel holds to what it should hold.
//!
//! The order is the substance. A packet looks up the primary table, then the backup table, then main; at no moment may
//! it find less than it found before and will find after, or a path that is neither:
//!
//! 1. Next-hop objects: groups need them.
//! 2. Table by table in the order of lookup: the groups of its routes, the routes, the rules that lead to it. The primary
//!    table comes first, so that traffic does not visit the backup on its way, and so that the backup may be changed
//!    once the primary holds. Within a table the longest prefixes come first: a short one of another class would catch
//!    theirs.
//! 3. Deletions, in the opposite order: table by table from the last to the first, rules before routes, short prefixes
//!    before long ones. The backup is gone before the primary rule goes, so that lookups fall through to main in one
//!    step. Then groups; then next-hop objects, which no group refers to any more.

use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet},
};

use ipnet::{IpNet, Ipv4Net};

use super::{Change, Fib, Group, NextHopId, Rule, Via};

/// The messages that lead from `observed` to `desired`, in an order that never leaves a hole: objects before what
/// refers to them, additions before deletions, replacements in place.
///
/// An object whose id is wanted for the other kind (which ids of ours never are) is deleted first, with what hangs on it.
pub fn difference(desired: &Fib, observed: &Fib) -> Vec<Change> {
    if desired == observed {
        return Vec::new();
    }
    let (mut changes, observed) = without_conflicts(desired, observed);
    changes.extend(next_hops_set(desired, &observed));
    let tables = tables_in_lookup_order(desired, &observed);
    let mut groups_left: BTreeSet<NextHopId> = desired.groups.keys().copied().collect();
    for &table in &tables {
        for group in groups_of(desired, table) {
            if groups_left.remove(&group) {
                changes.extend(group_set(desired, &observed, group));
            }
        }
        changes.extend(routes_set(desired, &observed, table));
        changes.extend(rules_added(desired, &observed, table));
    }
    changes.extend(groups_left.into_iter().filter_map(|group| group_set(desired, &observed, group)));
    changes.extend(deletions(desired, &observed, &tables));
    changes
}

/// The few messages that take traffic off a path that is wanted no more: next-hop objects, and the groups in front, each
/// in place. These are right even when the kernel no longer holds what was observed: with the carrier go a next hop, its
/// group and all their routes, without a word, and packets are on the table behind then. So nothing is deleted, and the
/// groups of a table that may be in use in place of another are left alone.
pub fn at_once(desired: &Fib, observed: &Fib) -> Vec<Change> {
    let mut changes: Vec<Change> = next_hops_set(desired, observed).collect();
    let other = |(id, group): &(&NextHopId, &Group)| observed.groups.get(id).is_some_and(|held| held != *group);
    let moved: BTreeSet<NextHopId> = desired.groups.iter().filter(other).map(|(id, _)| *id).collect();
    if moved.is_empty() {
        return changes;
    }
    let tables = tables_in_lookup_order(desired, observed);
    for (position, &table) in tables.iter().enumerate() {
        let before = tables.get(..position).unwrap_or_default();
        let before: Vec<u32> = before.iter().copied().filter(|other| are_led_alike(desired, *other, table)).collect();
        let mut seen = BTreeSet::new();
        for (prefix, via) in desired.in_table(table) {
            let Via::Group(group) = via else { continue };
            if moved.contains(&group) && seen.insert(group) {
                let stands_behind = |other: &u32| desired.longest_match(*other, prefix.addr()).is_some();
                changes.extend(group_set(desired, observed, group).filter(|_| !before.iter().any(stands_behind)));
            }
        }
    }
    changes
}

/// Whether the same packets may come to both tables.
fn are_led_alike(fib: &Fib, one: u32, other: u32) -> bool {
    let led = |table: u32| fib.rules.iter().filter(move |rule| rule.table == table);
    led(one).any(|rule| led(other).any(|also| also.selector == rule.selector && also.family == rule.family))
}

fn next_hops_set<'a>(desired: &'a Fib, observed: &'a Fib) -> impl Iterator<Item = Change> + 'a {
    (desired.next_hops.iter())
        .filter(|(id, next_hop)| observed.next_hops.get(id) != Some(next_hop))
        .map(|(id, next_hop)| Change::SetNextHop(*id, id.family(), *next_hop))
}

fn group_set(desired: &Fib, observed: &Fib, id: NextHopId) -> Option<Change> {
    let group = desired.groups.get(&id)?;
    (observed.groups.get(&id) != Some(group)).then(|| Change::SetGroup(id, group.clone()))
}

/// Groups that the routes of a table refer to.
fn groups_of(fib: &Fib, table: u32) -> BTreeSet<NextHopId> {
    let in_table = fib.in_table(table);
    in_table.filter_map(|(_, via)| if let Via::Group(group) = via { Some(group) } else { None }).collect()
}

/// The tables that hold routes; each is found by one look-up, however many routes are in it.
fn tables_of(fib: &Fib) -> impl Iterator<Item = u32> {
    let first = IpNet::V4(Ipv4Net::default());
    let next_from = move |from: u32| fib.routes.range((from, first)..).next().map(|((table, _), _)| *table);
    std::iter::successors(next_from(0), move |table| table.checked_add(1).and_then(next_from))
}

fn routes_set(desired: &Fib, observed: &Fib, table: u32) -> Vec<Change> {
    let mut changes: Vec<(IpNet, Change)> = Vec::new();
    // Side by side, both being in order, instead of a look-up for each.
    let mut held = observed.in_table(table).peekable();
    for (prefix, via) in desired.in_table(table) {
        while held.next_if(|(other, _)| *other < prefix).is_some() {}
        match held.next_if(|(other, _)| *other == prefix) {
            Some((_, from)) if from == via => {}
            Some((_, from)) => changes.push((prefix, Change::MoveRoute { table, prefix, from, to: via })),
            None => changes.push((prefix, Change::AddRoute(table, prefix, via))),
        }
    }
    changes.sort_by_key(|(prefix, _)| std::cmp::Reverse(prefix.prefix_len()));
    changes.into_iter().map(|(_, change)| change).collect()
}

fn rules_added(desired: &Fib, observed: &Fib, table: u32) -> Vec<Change> {
    let mut added: Vec<&Rule> =
        desired.rules.difference(&observed.rules).filter(|rule| rule.table == table).collect();
    added.sort_by_key(|rule| rule.preference);
    added.into_iter().cloned().map(Change::AddRule).collect()
}

/// All tables by the lowest preference of a rule that leads to them; tables without a rule last.
fn tables_in_lookup_order(desired: &Fib, observed: &Fib) -> Vec<u32> {
    let mut preferences: BTreeMap<u32, u32> = BTreeMap::new();
    for table in tables_of(desired).chain(tables_of(observed)) {
        preferences.insert(table, u32::MAX);
    }
    for rule in desired.rules.iter().chain(&observed.rules) {
        let lowest = preferences.entry(rule.table).or_insert(u32::MAX);
        *lowest = rule.preference.min(*lowest);
    }
    let mut tables: Vec<(u32, u32)> = preferences.into_iter().map(|(table, lowest)| (lowest, table)).collect();
    tables.sort_unstable();
    tables.into_iter().map(|(_, table)| table).collect()
}

fn deletions(desired: &Fib, observed: &Fib, tables: &[u32]) -> Vec<Change> {
    let rules_gone = |table: u32| {
        let gone = observed.rules.difference(&desired.rules).filter(move |rule| rule.table == table);
        gone.cloned().map(Change::DeleteRule)
    };
    let last_to_first = || tables.iter().rev().copied();
    let mut changes: Vec<Change> = Vec::new();
    if desired.rules.is_empty() {
        // Everything goes: steering ends with these few messages, wherever the rest is cut short.
        changes.extend(last_to_first().flat_map(rules_gone));
        changes.extend(last_to_first().flat_map(|table| routes_gone(desired, observed, table)));
    } else {
        for table in last_to_first() {
            changes.extend(rules_gone(table));
            changes.extend(routes_gone(desired, observed, table));
        }
    }
    let groups = observed.groups.keys().filter(|id| !desired.groups.contains_key(id));
    let next_hops = observed.next_hops.keys().filter(|id| !desired.next_hops.contains_key(id));
    changes.extend(groups.chain(next_hops).map(|id| Change::DeleteNextHop(*id)));
    changes
}

/// Routes of a table that are wanted no more, the shortest prefixes first.
fn routes_gone(desired: &Fib, observed: &Fib, table: u32) -> Vec<Change> {
    let mut wanted = desired.in_table(table).peekable();
    let mut prefixes: Vec<IpNet> = observed.in_table(table).map(|(prefix, _)| prefix).collect();
    prefixes.retain(|prefix| {
        while wanted.next_if(|(other, _)| other < prefix).is_some() {}
        wanted.next_if(|(other, _)| other == prefix).is_none()
    });
    prefixes.sort_by_key(IpNet::prefix_len);
    prefixes.into_iter().map(|prefix| Change::DeleteRoute(table, prefix)).collect()
}

/// What is left of `observed` after the deletion of objects that stand in the way by their kind, with these deletions.
/// The kernel takes the routes of a group with it, and a next-hop object out of its groups.
fn without_conflicts<'a>(desired: &Fib, observed: &'a Fib) -> (Vec<Change>, Cow<'a, Fib>) {
    let groups: Vec<NextHopId> =
        observed.groups.keys().filter(|id| desired.next_hops.contains_key(id)).copied().collect();
    let next_hops: Vec<NextHopId> =
        observed.next_hops.keys().filter(|id| desired.groups.contains_key(id)).copied().collect();
    if groups.is_empty() && next_hops.is_empty() {
        return (Vec::new(), Cow::Borrowed(observed));
    }
    let mut rest = observed.clone();
    for id in &next_hops {
        rest.next_hops.remove(id);
        rest.groups.values_mut().for_each(|group| group.members.retain(|member, _| member != id));
    }
    rest.groups.retain(|id, group| !groups.contains(id) && !group.members.is_empty());
    let standing = rest.groups.clone();
    rest.routes.retain(|_, via| !matches!(via, Via::Group(group) if !standing.contains_key(group)));
    (groups.into_iter().chain(next_hops).map(Change::DeleteNextHop).collect(), Cow::Owned(rest))
}

impl Fib {
    /// What is held once the kernel has acknowledged a change: with a next hop go the routes and memberships that hang on
    /// it. Lets a list of changes be left half-way and the next one begin from there.
    pub fn absorb(&mut self, change: &Change) {
        match change {
            Change::SetNextHop(id, _, next_hop) => _ = self.next_hops.insert(*id, *next_hop),
            Change::SetGroup(id, members) => _ = self.groups.insert(*id, members.clone()),
            Change::AddRoute(table, prefix, via) | Change::MoveRoute { table, prefix, to: via, .. } => {
                self.routes.insert((*table, *prefix), *via);
            }
            Change::DeleteRoute(table, prefix) => _ = self.routes.remove(&(*table, *prefix)),
            Change::AddRule(rule) => _ = self.rules.insert(rule.clone()),
            Change::DeleteRule(rule) => _ = self.rules.remove(rule),
            Change::DeleteNextHop(id) => self.drop_next_hop(*id),
        }
    }

    fn drop_next_hop(&mut self, id: NextHopId) {
        self.next_hops.remove(&id);
        self.groups.remove(&id);
        self.groups.values_mut().for_each(|group| group.members.retain(|member, _| *member != id));
        self.groups.retain(|_, group| !group.members.is_empty());
        let groups = &self.groups;
        self.routes.retain(|_, via| !matches!(via, Via::Group(group) if !groups.contains_key(group)));
    }
}
