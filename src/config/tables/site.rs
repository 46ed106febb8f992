//! `[site]`.

use crate::{
    config::{
        defaults,
        finding::Wrong,
        model::Site,
        reader::{Item, Section},
        suggestion::{did_you_mean, quoted},
        values::{name, text, utc_offset},
    },
    partners::Registry,
};

pub(super) fn read(mut section: Section<'_>, registry: &Registry) -> Option<Site> {
    let name = section.require("name", "\"akl-01\"", name);
    let market = section.require("market", "\"New Zealand\"", |item| market(item, registry));
    let utc_offset = section.setting("utc_offset", defaults::UTC_OFFSET, utc_offset).value;
    section.finish();
    Some(Site { name: name?.value, market: market?.value, utc_offset })
}

/// A market, as the registry spells it.
pub(super) fn market(item: &Item<'_>, registry: &Registry) -> Result<String, Wrong> {
    known_market(&text(item)?, registry)
}

/// As [`market`], for names that are keys.
pub(super) fn known_market(name: &str, registry: &Registry) -> Result<String, Wrong> {
    registry.market(name).map(str::to_owned).ok_or_else(|| {
        let fix = match did_you_mean(name, registry.market_names()) {
            Some(near) => format!("did you mean {}?", quoted(near)),
            None => "use a country or region by its English name, as Microsoft lists markets: \"Japan\", \"Oceania\""
                .to_owned(),
        };
        Wrong::new(format!("market {} is not known", quoted(name)), fix)
    })
}
