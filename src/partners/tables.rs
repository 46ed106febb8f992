//! The tables inside the binary, as comma-separated rows below one line of headings.

use std::{collections::BTreeMap, iter::once, sync::Arc};

use super::{Listing, Registry, Spelling};

pub(super) const PARTNERS: &str = include_str!("../../config/partners.csv");
pub(super) const MARKETS: &str = include_str!("../../config/markets.csv");
pub(super) const REGIONS: &str = include_str!("../../config/azure-regions.csv");

impl Registry {
    /// Reads the tables; rows with too few fields are left out (a test proves that the bundled ones have none).
    pub(super) fn read(partners: &'static str, markets: &'static str, regions: &'static str) -> Self {
        let mut registry = Self {
            listings: rows(partners).map(|[partner, market, listed]| Listing { partner, market, listed }).collect(),
            within: BTreeMap::new(),
            spellings: BTreeMap::new(),
            regions: BTreeMap::new(),
            region_aliases: BTreeMap::new(),
        };
        for [market, outer, aliases] in rows(markets).filter(|[market, ..]| !market.is_empty()) {
            let outer = Some(outer).filter(|outer| !outer.is_empty());
            let market: Arc<str> = Arc::from(market);
            registry.within.insert(Arc::clone(&market), outer.map(Arc::from));
            for shown in once(&*market).chain(aliases.split('|')).filter(|shown| !shown.is_empty()) {
                let spelling = Spelling { shown: Arc::from(shown), market: Arc::clone(&market) };
                registry.spellings.insert(shown.to_lowercase(), spelling);
            }
        }
        for [region, market, aliases] in rows(regions) {
            registry.regions.insert(Arc::from(region), Arc::from(market));
            for alias in aliases.split('|').filter(|alias| !alias.is_empty()) {
                registry.region_aliases.insert(Arc::from(alias), Arc::from(region));
            }
        }
        registry
    }
}

fn rows(table: &'static str) -> impl Iterator<Item = [&'static str; 3]> {
    table.lines().skip(1).filter_map(|line| {
        let fields: Vec<&str> = line.split(',').map(str::trim).collect();
        fields.try_into().ok()
    })
}
