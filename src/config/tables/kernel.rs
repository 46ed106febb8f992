//! `[kernel]`.

use std::ops::RangeInclusive;

use crate::config::{
    defaults,
    document::{Document, Placed},
    finding::Wrong,
    model::{Kernel, Mode, OnStop},
    reader::{Item, Section},
    values::{number, one_of},
};

const MODES: [(&str, Mode); 2] = [("observe", Mode::Observe), ("enforce", Mode::Enforce)];
const STOPS: [(&str, OnStop); 2] = [("keep", OnStop::Keep), ("withdraw", OnStop::Withdraw)];

/// One table for each uplink, at most this many.
const PROBE_TABLES: u32 = 64;

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
    let tables = Tables {
        primary: section.setting("table", defaults::TABLE, table),
        backup: section.setting("backup_table", defaults::BACKUP_TABLE, table),
        probe: section.setting("probe_table", defaults::PROBE_TABLE, probe_table),
    };
    let preference = number(1..=MAIN_PREFERENCE - 1);
    let rules = Rules {
        primary: section.setting("rule_preference", defaults::RULE_PREFERENCE, &preference),
        backup: section.setting("backup_rule_preference", defaults::BACKUP_RULE_PREFERENCE, &preference),
        probe: section.setting("probe_rule_preference", defaults::PROBE_RULE_PREFERENCE, &preference),
    };
    // 0 to 4 are the kernel's own (rtnetlink.h: unspec, redirect, kernel, boot, static).
    let protocol = section.setting("protocol", defaults::PROTOCOL, number(5..=255_u8)).value;
    let nexthop_base = section.setting("nexthop_base", defaults::NEXTHOP_BASE, nexthop_base).value;
    section.finish();
    tables.check(document);
    rules.check(document);
    Kernel {
        mode,
        table: tables.primary.value,
        backup_table: tables.backup.value,
        probe_table: tables.probe.value,
        rule_preference: rules.primary.value,
        backup_rule_preference: rules.backup.value,
        probe_rule_preference: rules.probe.value,
        protocol,
        nexthop_base,
        on_stop,
    }
}

fn table(item: &Item<'_>) -> Result<u32, Wrong> {
    let table = number(1..=u32::MAX)(item)?;
    if KERNEL_TABLES.contains(&table) {
        return Err(Wrong::new(format!("table {table} is the kernel's own"), "use one above 255"));
    }
    Ok(table)
}

fn probe_table(item: &Item<'_>) -> Result<u32, Wrong> {
    let first = number(1..=u32::MAX - PROBE_TABLES)(item)?;
    let last = first + (PROBE_TABLES - 1);
    if first <= *KERNEL_TABLES.end() && *KERNEL_TABLES.start() <= last {
        return Err(Wrong::new(
            format!("the {PROBE_TABLES} tables from {first} on reach the kernel's own, 252 to 255"),
            "use one above 255",
        ));
    }
    Ok(first)
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

struct Tables {
    primary: Placed<u32>,
    backup: Placed<u32>,
    probe: Placed<u32>,
}

impl Tables {
    fn check(&self, document: &Document<'_>) {
        if self.primary.value == self.backup.value {
            blame(document, [&self.backup, &self.primary], "table and backup_table are the same", "use two numbers");
        }
        let range = self.probe.value..=self.probe.value.saturating_add(PROBE_TABLES - 1);
        for (name, table) in [("table", &self.primary), ("backup_table", &self.backup)] {
            if range.contains(&table.value) {
                let problem =
                    format!("{name} {} is one of the {PROBE_TABLES} tables from probe_table on", table.value);
                let fix = format!("keep it out of {} to {}", range.start(), range.end());
                blame(document, [table, &self.probe], &problem, &fix);
            }
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
        // Probe rules have two preferences, one after the other.
        for (earlier, room, later, order) in [
            (&self.probe, 2, &self.primary, "probe_rule_preference must be at least 2 below rule_preference"),
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
