//! What no table can see alone: names used twice, numbers that collide, a policy that cannot be fulfilled.

use std::collections::BTreeMap;

use super::{
    finding::{Wrong, did_you_mean},
    model::{Config, Fallback, Kernel},
    reader::{Document, Placed},
};
use crate::{domain::IspId, partners::Registry};

/// Probe tables and uplinks are numbered alike.
pub(super) const MAX_UPLINKS: usize = 64;

/// Names with their places.
#[derive(Debug, Default)]
pub(super) struct Names {
    pub isps: Vec<Placed<String>>,
    pub uplinks: Vec<Placed<String>>,
    pub interfaces: Vec<Placed<String>>,
    /// Partners that the registry does not know, of ISPs that are not said to be qualified anywhere.
    pub unknown_partners: Vec<Placed<String>>,
}

/// Adds its findings to the document's.
pub(super) fn check(document: &Document<'_>, config: &Config, names: &Names, registry: &Registry) {
    once(document, &names.isps, "ISP", "give each ISP a name of its own");
    once(document, &names.uplinks, "uplink", "give each uplink a name of its own");
    once(document, &names.interfaces, "interface", "an interface can be the uplink of one ISP only");
    if let Some(uplink) = names.uplinks.get(MAX_UPLINKS) {
        let wrong = Wrong::new(format!("there are more than {MAX_UPLINKS} uplinks"), "remove some");
        document.report(&uplink.span, uplink.path.clone(), wrong);
    }
    for partner in &names.unknown_partners {
        let partners: Vec<&str> = registry.partners().collect();
        let fix = match did_you_mean(&partner.value, partners) {
            Some(near) => format!("did you mean \"{near}\"?"),
            None => "leave it out, or say in which markets it is qualified: qualified_in = [\"Japan\"]".to_owned(),
        };
        let wrong = Wrong::new(format!("\"{}\" is not on Microsoft's list of partners", partner.value), fix);
        document.report(&partner.span, partner.path.clone(), wrong);
    }
    services(document, config);
    kernel(document, &config.kernel);
    if document.is_clean() {
        fulfilment(document, config, registry);
    }
}

fn once(document: &Document<'_>, names: &[Placed<String>], what: &str, fix: &str) {
    let mut seen = BTreeMap::new();
    for name in names {
        if let Some(first) = seen.insert(name.value.as_str(), name) {
            let wrong = Wrong::new(format!("{what} \"{}\" is named at {} already", name.value, first.path), fix);
            document.report(&name.span, name.path.clone(), wrong);
        }
    }
}

/// A list without tags would steer nothing, silently.
fn services(document: &Document<'_>, config: &Config) {
    if config.destinations.service_tags.as_ref().is_some_and(|tags| tags.tags.is_empty()) {
        let wrong = Wrong::new("no tag is chosen", "add for example: tags = [\"AzureCloud.japaneast\"]");
        at_table(document, "destinations.service_tags", wrong);
    }
}

fn kernel(document: &Document<'_>, kernel: &Kernel) {
    let probe_tables = kernel.probe_table..=kernel.probe_table.saturating_add(63);
    if kernel.table == kernel.backup_table {
        let wrong = Wrong::new("table and backup_table are the same", "give each a number of its own");
        at_table(document, "kernel", wrong);
    }
    for (name, table) in [("table", kernel.table), ("backup_table", kernel.backup_table)] {
        if probe_tables.contains(&table) {
            let wrong = Wrong::new(
                format!("{name} {table} is one of the 64 tables from probe_table on"),
                "keep it outside that range",
            );
            at_table(document, "kernel", wrong);
        }
    }
    if probe_tables.contains(&254) {
        let wrong = Wrong::new("the 64 tables from probe_table on reach the kernel's own", "use a number above 255");
        at_table(document, "kernel", wrong);
    }
    let in_order = kernel.probe_rule_preference < kernel.rule_preference
        && kernel.rule_preference < kernel.backup_rule_preference;
    if !in_order {
        let wrong = Wrong::new(
            "the rules are not in order",
            "make probe_rule_preference < rule_preference < backup_rule_preference, all below 32766 (main)",
        );
        at_table(document, "kernel", wrong);
    }
}

/// With `fallback = "none"`, somebody must be allowed to carry the traffic.
fn fulfilment(document: &Document<'_>, config: &Config, registry: &Registry) {
    let policy = &config.policy;
    if policy.fallback == Fallback::Any || policy.allow_unqualified {
        return;
    }
    let market = &config.site.market;
    let overrides = policy.markets.iter().filter(|(outer, _)| registry.contains(outer, market));
    let named: Vec<IspId> = overrides.flat_map(|(_, isps)| isps).chain(&policy.preferred).copied().collect();
    if named.iter().any(|id| is_qualified(config, *id, registry)) {
        return;
    }
    let names: Vec<&str> = named.iter().map(|id| config.isp(*id).name.as_str()).collect();
    let wrong = Wrong::new(
        format!("none of {} is a qualified partner in {market}, so nothing would be steered", names.join(", ")),
        "prefer another ISP, set fallback = \"any\", or set allow_unqualified = true",
    );
    at_table(document, "policy.preferred", wrong);
}

fn is_qualified(config: &Config, id: IspId, registry: &Registry) -> bool {
    let isp = config.isp(id);
    let market = &config.site.market;
    isp.qualified_in.iter().any(|outer| registry.contains(outer, market))
        || isp.partner.as_ref().is_some_and(|partner| registry.qualification(partner, market).is_some())
}

/// Reports at the place of a key that may stand anywhere below its table's header.
fn at_table(document: &Document<'_>, key: &str, wrong: Wrong) {
    let last = key.rsplit('.').next().unwrap_or(key);
    let candidates = [format!("[{key}]"), format!("\n{last} ="), format!("\n{last}=")];
    let found = candidates.iter().find_map(|pattern| {
        let start = document.text.find(pattern.as_str())?;
        let skip = pattern.len() - pattern.trim_start().len();
        Some(start + skip..start + pattern.trim_end_matches(['=', ' ']).len())
    });
    document.report(&found.unwrap_or(0..0), key.to_owned(), wrong);
}
