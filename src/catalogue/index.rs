//! Longest match over prefixes that nest: sorted rows, each of which knows the row around it.
//!
//! In the order of address and length, every prefix that contains a query is the query's predecessor or lies around
//! it: one binary search finds the predecessor, and the way outwards is at most as long as prefixes nest (three deep in
//! Microsoft's documents). This takes 4 bytes a prefix more than the sorted list.

use std::{iter::successors, num::NonZeroU32};

use ipnet::IpNet;

use crate::domain::Source;

/// A set of sources in one byte.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct SourceSet(u8);

impl SourceSet {
    /// With one source more.
    pub fn with(self, source: Source) -> Self {
        Self(self.0 | 1 << source as u8)
    }

    /// Its sources, most trusted first.
    pub fn to_vec(self) -> Vec<Source> {
        let all = [Source::Static, Source::Microsoft365, Source::ServiceTags];
        all.into_iter().filter(|source| self.0 & 1 << *source as u8 != 0).collect()
    }
}

/// One known prefix.
#[derive(Debug, Clone)]
pub(super) struct Row {
    pub prefix: IpNet,
    /// Number of its kind.
    pub kind: u32,
    /// Position of the class that steers it.
    pub class: Option<u32>,
    /// How many rows before this one stands the smallest that lies around it.
    around: Option<NonZeroU32>,
}

impl Row {
    /// A row of which nothing is steered yet.
    pub fn new(prefix: IpNet, kind: u32) -> Self {
        Self { prefix, kind, class: None, around: None }
    }
}

/// All known prefixes.
#[derive(Debug, Default)]
pub(super) struct Index {
    /// Sorted by prefix, which are distinct.
    rows: Vec<Row>,
}

impl Index {
    /// Takes rows that are sorted by prefix, which are distinct.
    pub fn new(mut rows: Vec<Row>) -> Self {
        let mut open: Vec<(IpNet, usize)> = Vec::new();
        for (position, row) in rows.iter_mut().enumerate() {
            while open.pop_if(|(outer, _)| !outer.contains(&row.prefix)).is_some() {}
            let distance = open.last().and_then(|(_, outer)| u32::try_from(position - outer).ok());
            row.around = distance.and_then(NonZeroU32::new);
            open.push((row.prefix, position));
        }
        Self { rows }
    }

    /// All rows, sorted by prefix.
    pub fn rows(&self) -> &[Row] {
        &self.rows
    }

    /// Gives every row its class, in the order of the rows.
    pub fn set_classes(&mut self, classes: impl Iterator<Item = Option<u32>>) {
        for (row, class) in self.rows.iter_mut().zip(classes) {
            row.class = class;
        }
    }

    /// Rows that contain all of `query`, most specific first.
    pub fn covering(&self, query: IpNet) -> impl Iterator<Item = &Row> {
        let query = query.trunc();
        let predecessor = self.rows.partition_point(|row| row.prefix <= query).checked_sub(1);
        successors(predecessor, |position| {
            let distance = self.rows.get(*position)?.around?;
            position.checked_sub(distance.get() as usize)
        })
        .filter_map(|position| self.rows.get(position))
        .skip_while(move |row| !row.prefix.contains(&query))
    }
}
