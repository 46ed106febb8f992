//! Whether an ISP is a qualified Peering Service partner in the site's market.

use crate::{config::Isp, partners::Registry};

/// Whether an ISP may be preferred in the site's market, and why (or why not).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Qualification {
    /// It may.
    pub qualified: bool,
    /// In words, with the market and the date of Microsoft's list.
    pub reason: String,
}

/// Microsoft's list first, because it carries a date; then what the owner of the configuration says.
pub(super) fn qualify(isp: &Isp, market: &str, registry: &Registry) -> Qualification {
    if let Some(partner) = &isp.partner
        && let Some(listing) = registry.qualification(partner, market)
    {
        let place = place(listing.market, market, registry);
        let reason = format!(
            "{} is a Peering Service partner in {place} (Microsoft's list of {})",
            listing.partner, listing.listed
        );
        return Qualification { qualified: true, reason };
    }
    if let Some(outer) = isp.qualified_in.iter().find(|outer| registry.contains(outer, market)) {
        let reason = format!("{} is qualified by `qualified_in` in {}", isp.name, place(outer, market, registry));
        return Qualification { qualified: true, reason };
    }
    Qualification { qualified: false, reason: refusal(isp, market, registry) }
}

fn place(listed: &str, market: &str, registry: &Registry) -> String {
    if registry.contains(market, listed) { market.to_owned() } else { format!("{listed}, which contains {market}") }
}

fn refusal(isp: &Isp, market: &str, registry: &Registry) -> String {
    let Some(partner) = &isp.partner else {
        return format!("{} is no Peering Service partner (no `partner`, no `qualified_in` for {market})", isp.name);
    };
    let markets: Vec<&str> = registry.markets_of(partner).collect();
    let listed = |elsewhere: &&str| registry.qualification(partner, elsewhere).map(|listing| listing.listed);
    let Some(newest) = markets.iter().filter_map(listed).max() else {
        return format!("{partner} is not on Microsoft's list of partners");
    };
    format!(
        "{partner} is not a qualified partner in {market} (Microsoft's list of {newest} has it in {})",
        markets.join(", ")
    )
}
