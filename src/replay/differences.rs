//! When two policies had a class on different uplinks.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    domain::{BootTime, ClassId},
    recording::Dating,
};

use super::lane::{Lane, Moved};

/// A span of time in which they differed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Differed {
    pub run: usize,
    pub from: BootTime,
    pub until: BootTime,
    pub class: ClassId,
    /// Uplinks by the first policy, and by the second.
    pub on: [Option<String>; 2],
}

/// All of them, by time.
pub(super) fn differences(one: &Lane, other: &Lane, dating: &Dating) -> Vec<Differed> {
    let mut all: Vec<Differed> =
        pairs(one, other).into_iter().flat_map(|pair| of_pair(one, other, pair, dating)).collect();
    all.sort_by(|a, b| (a.run, a.from, &a.class).cmp(&(b.run, b.from, &b.class)));
    all
}

/// Classes that are the same, or of which one is the part of the other that a rule is for.
fn pairs<'a>(one: &'a Lane, other: &'a Lane) -> BTreeSet<(&'a ClassId, &'a ClassId)> {
    let mut pairs = BTreeSet::new();
    for class in one.accounts.keys() {
        pairs.extend(counterpart(class, other).map(|of| (class, of)));
    }
    for class in other.accounts.keys() {
        pairs.extend(counterpart(class, one).map(|of| (of, class)));
    }
    pairs
}

fn counterpart<'a>(class: &ClassId, lane: &'a Lane) -> Option<&'a ClassId> {
    let known = |id: &ClassId| lane.accounts.get_key_value(id).map(|(id, _)| id);
    known(class).or_else(|| known(&class.without_rule()))
}

fn of_pair(one: &Lane, other: &Lane, (of_one, of_other): (&ClassId, &ClassId), dating: &Dating) -> Vec<Differed> {
    // What became of it by whom, at every moment at which something did.
    let mut changes: BTreeMap<(usize, BootTime), Vec<(usize, &Moved)>> = BTreeMap::new();
    for (side, lane, class) in [(0, one, of_one), (1, other, of_other)] {
        for moved in lane.moved.iter().filter(|moved| moved.class == *class) {
            changes.entry((moved.run, moved.at)).or_default().push((side, moved));
        }
    }
    let ends: Vec<(BootTime, BootTime)> = (0..dating.runs()).filter_map(|run| dating.span(run)).collect();
    for (run, (start, end)) in ends.iter().enumerate() {
        changes.entry((run, *start)).or_default();
        changes.entry((run, *end)).or_default();
    }
    let class = if of_one.as_str().len() >= of_other.as_str().len() { of_one } else { of_other };
    let mut on: [Option<String>; 2] = [None, None];
    let mut since: Option<(usize, BootTime)> = None;
    let mut found = Vec::new();
    for ((run, at), moved) in changes {
        // Between two runs nobody decides anything.
        if let Some((of, from)) = since.filter(|(of, from)| *of == run && *from < at && on[0] != on[1]) {
            found.push(Differed { run: of, from, until: at, class: class.clone(), on: on.clone() });
        }
        for (side, moved) in moved {
            if let Some(place) = on.get_mut(side) {
                place.clone_from(&moved.to);
            }
        }
        since = Some((run, at));
    }
    joined(found)
}

/// Neighbours without a change between them become one.
fn joined(found: Vec<Differed>) -> Vec<Differed> {
    let mut all: Vec<Differed> = Vec::new();
    for next in found {
        match all.last_mut() {
            Some(last) if (last.run, last.until, &last.on) == (next.run, next.from, &next.on) => {
                last.until = next.until;
            }
            _ => all.push(next),
        }
    }
    all
}
