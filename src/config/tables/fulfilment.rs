//! Whether anybody may carry the traffic at this site: with `fallback = "none"`, somebody must.

use crate::{
    config::{
        document::{Document, Placed},
        finding::Wrong,
        model::{Fallback, Isp, Policy, Site},
        suggestion::listed,
    },
    domain::IspId,
    partners::Registry,
};

pub(super) fn check(
    document: &Document<'_>,
    site: &Site,
    isps: &[Isp],
    policy: &Placed<Policy>,
    registry: &Registry,
) {
    let Policy { preferred, markets, treatment, allow_unqualified, .. } = &policy.value;
    if treatment.fallback == Fallback::Any || *allow_unqualified {
        return;
    }
    let nearest = registry.nearest(markets.keys().map(String::as_str), &site.market);
    let first = nearest.and_then(|market| markets.get(market)).into_iter().flatten();
    let named: Vec<&Isp> = isps_of(first.chain(preferred), isps);
    if named.iter().any(|isp| is_qualified(isp, &site.market, registry)) {
        return;
    }
    let where_else = listed(named.iter().map(|isp| qualified_elsewhere(isp, registry)));
    policy.report(
        document,
        Wrong::new(
            format!(
                "no ISP that is preferred is qualified in {}, and fallback is \"none\", so nothing would be steered: \
                 {where_else}",
                site.market
            ),
            "prefer another ISP, set fallback = \"any\", or set allow_unqualified = true",
        ),
    );
}

/// Each once, in order.
fn isps_of<'i, 'p>(ids: impl Iterator<Item = &'p IspId>, isps: &'i [Isp]) -> Vec<&'i Isp> {
    let mut seen = Vec::new();
    for id in ids {
        if !seen.contains(id) {
            seen.push(*id);
        }
    }
    seen.into_iter().filter_map(|id| isps.get(usize::from(id.0))).collect()
}

fn is_qualified(isp: &Isp, market: &str, registry: &Registry) -> bool {
    isp.qualified_in.iter().any(|outer| registry.contains(outer, market))
        || isp.partner.as_ref().is_some_and(|partner| registry.qualification(partner, market).is_some())
}

fn qualified_elsewhere(isp: &Isp, registry: &Registry) -> String {
    let listed = isp.partner.iter().flat_map(|partner| registry.markets_of(partner));
    let mut markets: Vec<&str> = isp.qualified_in.iter().map(String::as_str).chain(listed).collect();
    markets.sort_unstable();
    markets.dedup();
    match markets.as_slice() {
        [] => format!("{} is qualified nowhere", isp.name),
        markets => format!("{} is qualified in {}", isp.name, markets.join(" and ")),
    }
}
