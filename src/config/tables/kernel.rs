//! `[kernel]`.

use std::ops::RangeInclusive;

use crate::config::{
    defaults,
    document::{Document, Placed},
    finding::Wrong,
    model::{Kernel, Mode, MovedFlows, OnStop},
    reader::{Item, Section},
    values::{any_prefix, number, one_of},
};

const MODES: [(&str, Mode); 2] = [("observe", Mode::Observe), ("enforce", Mode::Enforce)];
const STOPS: [(&str, OnStop); 2] = [("keep", OnStop::Keep), ("withdraw", OnStop::Withdraw)];
const MOVED_FLOWS: [(&str, MovedFlows); 2] = [("reset", MovedFlows::Reset), ("keep", MovedFlows::Keep)];

/// One table for each uplink, at most this many.
const PROBE_TABLES: u32 = 64;

/// Two for each set of uplinks that let the same IPv6 sources through; there are no more sets than uplinks that matter.
const SOURCE_TABLES: u32 = 128;

/// 252 is set aside by the kernel; 253 to 255 are its default, main and local tables. 0 means "any".
const KERNEL_TABLES: RangeInclusive<u32> = 252..=255;

/// Preference of the rule for the main table; ours must be looked at before.
const MAIN_PREFERENCE: u32 = 32_766;

/// Ids of next hops and groups from `nexthop_base` on.
const NEXT_HOP_IDS: u32 = 0x1_0000;

pub(super) fn read(mut section: Section<'_>) -> Kernel {
    let document = section.document();
    let mode = section.setting("mode", defaults::MODE, one_of(&MODES)).value;
    let on_stop = section.setting("on_stop", defaults::ON_STOP, one_of(&STOPS)).value;
    let moved_flows = section.setting("moved_flows", defaults::MOVED_FLOWS, one_of(&MOVED_FLOWS)).value;
    let tables = Tables {
        primary: section.setting("table", defaults::TABLE, table),
        backup: section.setting("backup_table", defaults::BACKUP_TABLE, table),
        probe: section.setting("probe_table", defaults::PROBE_TABLE, table_range(PROBE_TABLES)),
        source: section.setting("source_table", defaults::SOURCE_TABLE, table_range(SOURCE_TABLES)),
    };
    let never_steer = section.take("never_steer").map(|item| item.elements_or_none(any_prefix));
    let preference = number(1..=MAIN_PREFERENCE - 1);
    let rules = Rules {
        primary: section.setting("rule_preference", defaults::RULE_PREFERENCE, &preference),
        backup: section.setting("backup_rule_preference", defaults::BACKUP_RULE_PREFERENCE, &preference),
        probe: section.setting("probe_rule_preference", defaults::PROBE_RULE_PREFERENCE, &preference),
    };
    let protocol = section.setting("protocol", defaults::PROTOCOL, protocol).value;
    let nexthop_base = section.setting("nexthop_base", defaults::NEXTHOP_BASE, nexthop_base).value;
    let max_routes = section.setting("max_routes", defaults::MAX_ROUTES, number(1..=1_000_000)).value;
    section.finish();
    tables.check(document);
    rules.check(document);
    Kernel {
        mode,
        table: tables.primary.value,
        backup_table: tables.backup.value,
        probe_table: tables.probe.value,
        source_table: tables.source.value,
        never_steer: never_steer.unwrap_or_default().into_iter().map(|prefix| prefix.value).collect(),
        rule_preference: rules.primary.value,
        backup_rule_preference: rules.backup.value,
        probe_rule_preference: rules.probe.value,
        protocol,
        nexthop_base,
        max_routes,
        on_stop,
        moved_flows,
    }
}

fn table(item: &Item<'_>) -> Result<u32, Wrong> {
    let table = number(1..=u32::MAX)(item)?;
    if KERNEL_TABLES.contains(&table) {
        return Err(Wrong::new(format!("table {table} is the kernel's own"), "use one above 255"));
    }
    Ok(table)
}

/// The first of some tables in a row.
fn table_range(count: u32) -> impl Fn(&Item<'_>) -> Result<u32, Wrong> {
    move |item| {
        let first = number(1..=u32::MAX - count)(item)?;
        let last = first + (count - 1);
        if first <= *KERNEL_TABLES.end() && *KERNEL_TABLES.start() <= last {
            return Err(Wrong::new(
                format!("the {count} tables from {first} on reach the kernel's own, 252 to 255"),
                "use one above 255",
            ));
        }
        Ok(first)
    }
}

/// What carries our number is taken for ours, and removed when it is of no plan: a number that another program is known
/// for would cost that program its routes.
fn protocol(item: &Item<'_>) -> Result<u8, Wrong> {
    // 0 to 4 are the kernel's own (rtnetlink.h: unspec, redirect, kernel, boot, static).
    let protocol = number(5..=255_u8)(item)?;
    match KNOWN_PROTOCOLS.iter().find(|(known, _)| *known == protocol) {
        Some((_, program)) => Err(Wrong::new(format!("{protocol} is {program}'s"), "use a free one, such as 77")),
        None => Ok(protocol),
    }
}

/// Aligned, so that an id tells by its upper half that it is ours; not the lowest, where the kernel numbers by
/// itself.
fn nexthop_base(item: &Item<'_>) -> Result<u32, Wrong> {
    let base = number(NEXT_HOP_IDS..=u32::MAX - (NEXT_HOP_IDS - 1))(item)?;
    if base.is_multiple_of(NEXT_HOP_IDS) {
        Ok(base)
    } else {
        Err(Wrong::new(
            format!("{base} is not a multiple of 65536"),
            format!("use for example {:#x}", base - base % NEXT_HOP_IDS),
        ))
    }
}

/// Route protocol numbers that have an owner (linux/rtnetlink.h, and FRR's zebra/rt_netlink.h from 190 on).
const KNOWN_PROTOCOLS: [(u8, &str); 27] = [
    (8, "GateD"),
    (9, "the kernel's router advertisements"),
    (10, "MRT"),
    (11, "zebra"),
    (12, "BIRD"),
    (13, "DECnet"),
    (14, "XORP"),
    (15, "Netsukuku"),
    (16, "the DHCP client"),
    (17, "the multicast daemon"),
    (18, "keepalived"),
    (42, "babel"),
    (84, "OVN"),
    (99, "Open/R"),
    (186, "BGP"),
    (187, "IS-IS"),
    (188, "OSPF"),
    (189, "RIP"),
    (190, "FRR's RIPng"),
    (191, "FRR's NHRP"),
    (192, "EIGRP"),
    (193, "FRR's LDP"),
    (194, "FRR's sharp"),
    (195, "FRR's PBR"),
    (196, "FRR's static routes"),
    (197, "FRR's OpenFabric"),
    (198, "FRR's SR-TE"),
];

struct Tables {
    primary: Placed<u32>,
    backup: Placed<u32>,
    probe: Placed<u32>,
    source: Placed<u32>,
}

impl Tables {
    fn check(&self, document: &Document<'_>) {
        if self.primary.value == self.backup.value {
            blame(document, [&self.backup, &self.primary], "table and backup_table are the same", "use two numbers");
        }
        let mut taken = vec![("table", &self.primary, 1), ("backup_table", &self.backup, 1)];
        for (name, first, count) in
            [("probe_table", &self.probe, PROBE_TABLES), ("source_table", &self.source, SOURCE_TABLES)]
        {
            let range = first.value..=first.value.saturating_add(count - 1);
            for (other, table, width) in &taken {
                let last = table.value.saturating_add(width - 1);
                if table.value <= *range.end() && *range.start() <= last {
                    let problem = format!("{other} {} is one of the {count} tables from {name} on", table.value);
                    let fix = format!("keep it out of {} to {}", range.start(), range.end());
                    blame(document, [*table, first], &problem, &fix);
                }
            }
            taken.push((name, first, count));
        }
    }
}

struct Rules {
    primary: Placed<u32>,
    backup: Placed<u32>,
    probe: Placed<u32>,
}

impl Rules {
    fn check(&self, document: &Document<'_>) {
        // Probe rules have two preferences, one after the other; those for IPv6 sources eight, before rule_preference.
        for (earlier, room, later, order) in [
            (&self.probe, 10, &self.primary, "probe_rule_preference must be at least 10 below rule_preference"),
            (&self.primary, 1, &self.backup, "rule_preference must be below backup_rule_preference"),
        ] {
            if earlier.value + room > later.value {
                let problem = format!("{order}, but is {} against {}", earlier.value, later.value);
                blame(document, [earlier, later], &problem, "probes first, then chosen paths, then backups");
            }
        }
    }
}

/// Reports at the first of two settings that is in the file: the other may be a default.
fn blame(document: &Document<'_>, settings: [&Placed<u32>; 2], problem: &str, fix: &str) {
    let [first, second] = settings;
    let blamed = if first.span.is_some() { first } else { second };
    blamed.report(document, Wrong::new(problem, fix));
}
