//! What is ours: our tables, our route protocol, our range of next-hop ids.

use std::ops::RangeInclusive;

use crate::{config::Kernel, domain::Family};

/// Tables that may lead probes out of uplinks, from `probe_table` on; configuration bounds the uplinks to as many.
const PROBE_TABLES: u32 = 64;

/// Tables for IPv6 sources that not every uplink lets through, from `source_table` on.
const SOURCE_TABLES: u32 = 128;

/// Ids of next hops, from `nexthop_base` on.
const NEXT_HOP_IDS: u32 = 65_536;

/// Metric of a new IPv6 route of ours. Programs that name none write 1024, and so neither overwrite ours nor come before
/// them. Below it there is room for 511 moves, each of which needs a better one (see `encode`).
pub(super) const METRIC_V6: u32 = 512;

/// The kernel's own tables: `default`, `main`, `local`, and the one below them that it sets aside. Nothing of ours was
/// ever there, in no configuration.
const KERNEL_TABLES: RangeInclusive<u32> = 252..=255;

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

    /// The tables that are always read: those of the classes' routes.
    pub(super) fn class_tables(&self) -> [u32; 2] {
        [self.table, self.backup_table]
    }

    /// Our tables, ascending within the probe and source tables.
    pub(super) fn tables(&self) -> impl Iterator<Item = u32> + use<> {
        let probe_tables = self.probe_table..self.probe_table.saturating_add(PROBE_TABLES);
        let source_tables = self.source_table..self.source_table.saturating_add(SOURCE_TABLES);
        self.class_tables().into_iter().chain(probe_tables).chain(source_tables)
    }

    /// Whether a route of our protocol in that table may have been ours once.
    pub(super) fn may_have_owned(table: u32) -> bool {
        table != 0 && !KERNEL_TABLES.contains(&table)
    }

    /// Whether a route of that metric is in the place of ours. IPv4 has one place for each prefix, of metric 0.
    pub(super) fn is_our_metric(family: Family, metric: u32) -> bool {
        match family {
            Family::Ipv4 => metric == 0,
            Family::Ipv6 => (1..=METRIC_V6).contains(&metric),
        }
    }

    /// Whether a table leads probes out of an uplink.
    pub(super) fn is_probe_table(&self, table: u32) -> bool {
        table.checked_sub(self.probe_table).is_some_and(|offset| offset < PROBE_TABLES)
    }

    /// Whether a table is one of ours.
    pub(super) fn owns_table(&self, table: u32) -> bool {
        let for_sources = table.checked_sub(self.source_table).is_some_and(|offset| offset < SOURCE_TABLES);
        self.class_tables().contains(&table) || self.is_probe_table(table) || for_sources
    }

    /// Whether an id is in our range; a next hop there is ours if it also carries our protocol number.
    pub(super) fn claims_next_hop(&self, id: u32) -> bool {
        id.checked_sub(self.nexthop_base).is_some_and(|offset| offset < NEXT_HOP_IDS)
    }
}
