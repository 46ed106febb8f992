//! Everything that sources say to one catalogue: one destination a distinct prefix, one class a key and family.

use std::mem;

use ipnet::IpNet;

use super::{
    Catalogue,
    index::{self, Index, SourceSet},
    statement::{ClassKey, Gathered, Row, Statement},
    targets,
};
use crate::domain::{Class, Family};

/// Merges what was gathered.
pub(super) fn merge(mut gathered: Gathered) -> Catalogue {
    let mut said = mem::take(&mut gathered.rows);
    said.sort_unstable();
    said.dedup();
    let distinct = said.chunk_by(same_prefix).count();
    let mut rows = Vec::with_capacity(distinct);
    let mut slots = Slots::new(gathered.classes.len());
    for same in said.chunk_by(same_prefix) {
        let Some((prefix, verdict)) = judge(same, &gathered.statements) else { continue };
        count(same, verdict.claim, &mut gathered);
        let slot = verdict.class.and_then(|key| slots.join(key, prefix));
        rows.push(index::Row::new(prefix, verdict.sources, verdict.facts, slot));
    }
    drop(said);
    let (classes, positions) = slots.into_classes(&gathered.classes);
    for row in &mut rows {
        row.class = row.class.and_then(|slot| positions.get(slot as usize).copied().flatten());
    }
    let mut catalogue = Catalogue {
        index: Index::new(rows),
        facts: gathered.statements.into_iter().map(|statement| statement.facts).collect(),
        classes,
        targets: Vec::new(),
        sources: gathered.sources,
    };
    catalogue.targets = targets::of_all(&catalogue);
    catalogue
}

fn same_prefix(one: &Row, other: &Row) -> bool {
    one.prefix == other.prefix
}

/// What all that is said of one prefix comes to.
struct Verdict {
    sources: SourceSet,
    /// The statement that is trusted most.
    facts: u32,
    /// The statement that gives it to a class.
    claim: Option<u32>,
    /// The key of that class.
    class: Option<usize>,
}

fn judge(same: &[Row], statements: &[Statement]) -> Option<(IpNet, Verdict)> {
    let said = || same.iter().filter_map(|row| Some((row.statement, statements.get(row.statement as usize)?)));
    let (facts, _) = said().min_by(|(_, one), (_, other)| one.trust().cmp(&other.trust()))?;
    let claim = said()
        .filter_map(|(position, statement)| Some((statement.claim()?, position, statement.steering?.class)))
        .min()
        .map(|(_, position, class)| (position, class));
    let verdict = Verdict {
        sources: said().fold(SourceSet::default(), |set, (_, statement)| set.with(statement.facts.source)),
        facts,
        claim: claim.map(|(position, _)| position),
        class: claim.map(|(_, class)| class),
    };
    Some((same.first()?.prefix, verdict))
}

/// Counts a prefix for each listing that has it. Rows are sorted: those of one listing stand together.
fn count(same: &[Row], claim: Option<u32>, gathered: &mut Gathered) {
    let mut counted = None;
    for row in same {
        let Some(listing) = gathered.statements.get(row.statement as usize).map(|it| it.listing) else { continue };
        let Some(source) = gathered.sources.get_mut(listing) else { continue };
        source.prefixes += usize::from(counted != Some(listing));
        source.steered += usize::from(claim == Some(row.statement));
        counted = Some(listing);
    }
}

/// The steered prefixes: a slot for each class key and family.
struct Slots(Vec<Vec<IpNet>>);

impl Slots {
    fn new(keys: usize) -> Self {
        Self(vec![Vec::new(); keys * Family::BOTH.len()])
    }

    /// Takes a prefix; the slot.
    fn join(&mut self, key: usize, prefix: IpNet) -> Option<u32> {
        let slot = key * Family::BOTH.len() + usize::from(prefix.addr().is_ipv6());
        self.0.get_mut(slot)?.push(prefix);
        u32::try_from(slot).ok()
    }

    /// The classes, sorted by id, and the position of each slot's class among them.
    fn into_classes(self, keys: &[ClassKey]) -> (Vec<Class>, Vec<Option<u32>>) {
        let slots = self.0.len();
        let kinds = keys.iter().flat_map(|key| Family::BOTH.map(|family| (key, family)));
        let mut classes: Vec<(usize, Class)> = (kinds.zip(self.0).enumerate())
            .filter(|(_, (_, prefixes))| !prefixes.is_empty())
            .map(|(slot, ((key, family), prefixes))| (slot, class(key, family, prefixes)))
            .collect();
        classes.sort_by(|(_, one), (_, other)| one.id.cmp(&other.id));
        let mut positions = vec![None; slots];
        for (position, (slot, _)) in (0..).zip(&classes) {
            if let Some(entry) = positions.get_mut(*slot) {
                *entry = Some(position);
            }
        }
        (classes.into_iter().map(|(_, class)| class).collect(), positions)
    }
}

fn class(key: &ClassKey, family: Family, prefixes: Vec<IpNet>) -> Class {
    Class {
        id: key.id(family),
        family,
        service: key.service.to_string(),
        region: key.region.as_ref().map(ToString::to_string),
        prefixes: prefixes.into(),
        rule: None,
        zone: None,
    }
}
