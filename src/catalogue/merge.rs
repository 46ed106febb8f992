//! Everything that sources say to one catalogue: one destination a distinct prefix.

use std::mem;

use super::{
    Catalogue,
    index::{self, Index},
    kind::Kinds,
    statement::{Gathered, Row},
};

/// Merges what was gathered; nothing is given to classes yet.
pub(super) fn merge(mut gathered: Gathered) -> Catalogue {
    let mut said = mem::take(&mut gathered.rows);
    said.sort_unstable();
    said.dedup();
    let distinct = said.chunk_by(same_prefix).count();
    let mut rows = Vec::with_capacity(distinct);
    let mut kinds = Kinds::default();
    let mut positions = Vec::new();
    for same in said.chunk_by(same_prefix) {
        let Some(first) = same.first() else { continue };
        positions.clear();
        positions.extend(same.iter().map(|row| row.statement));
        let Some(kind) = kinds.of(&positions, &gathered.statements) else { continue };
        count(same, kinds.get(kind).and_then(|kind| kind.claim), &mut gathered);
        rows.push(index::Row::new(first.prefix, kind));
    }
    drop(said);
    Catalogue {
        index: Index::new(rows),
        kinds: kinds.into_list(),
        statements: gathered.statements,
        keys: gathered.classes,
        classes: Vec::new(),
        ties: Vec::new(),
        targets: Vec::new(),
        sources: gathered.sources,
    }
}

fn same_prefix(one: &Row, other: &Row) -> bool {
    one.prefix == other.prefix
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
