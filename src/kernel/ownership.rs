//! What is ours: our tables, our route protocol, our range of next-hop ids.

use crate::config::Kernel;

/// Tables that may lead probes out of uplinks, from `probe_table` on; configuration bounds the uplinks to as many.
const PROBE_TABLES: u32 = 64;

/// Tables for IPv6 sources that not every uplink lets through, from `source_table` on.
const SOURCE_TABLES: u32 = 128;

/// Ids of next hops, from `nexthop_base` on.
const NEXT_HOP_IDS: u32 = 65_536;

/// The marks by which our objects are told from those of others.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ownership {
    /// Protocol number of our next hops, routes and rules.
    pub(super) protocol: u8,
    table: u32,
    backup_table: u32,
    probe_table: u32,
    source_table: u32,
    nexthop_base: u32,
}

impl Ownership {
    pub(super) fn new(own: &Kernel) -> Self {
        Self {
            protocol: own.protocol,
            table: own.table,
            backup_table: own.backup_table,
            probe_table: own.probe_table,
            source_table: own.source_table,
            nexthop_base: own.nexthop_base,
        }
    }

    /// Our tables, ascending within the probe tables.
    pub(super) fn tables(&self) -> impl Iterator<Item = u32> + use<> {
        let probe_tables = self.probe_table..self.probe_table.saturating_add(PROBE_TABLES);
        let source_tables = self.source_table..self.source_table.saturating_add(SOURCE_TABLES);
        [self.table, self.backup_table].into_iter().chain(probe_tables).chain(source_tables)
    }

    /// Whether a table is one of ours.
    pub(super) fn owns_table(&self, table: u32) -> bool {
        table == self.table
            || table == self.backup_table
            || table.checked_sub(self.probe_table).is_some_and(|offset| offset < PROBE_TABLES)
            || table.checked_sub(self.source_table).is_some_and(|offset| offset < SOURCE_TABLES)
    }

    /// Whether an id is in our range; a next hop there is ours if it also carries our protocol number.
    pub(super) fn claims_next_hop(&self, id: u32) -> bool {
        id.checked_sub(self.nexthop_base).is_some_and(|offset| offset < NEXT_HOP_IDS)
    }
}
