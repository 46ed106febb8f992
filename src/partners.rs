//! Microsoft's published Peering Service partners and the markets they serve; markets contain one another, and Azure
//! regions lie in markets.
//!
//! Owns the bundled registry (`config/partners.csv`, `config/markets.csv`, `config/azure-regions.csv`) and what a
//! configuration may add to it. Pure data: knows no other room.

mod extension;
mod tables;

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    sync::{Arc, OnceLock},
};

pub use extension::{Addition, Contradiction};

/// One row of the registry that answers a question of qualification.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Listing<'a> {
    /// Partner, as Microsoft spells it.
    pub partner: &'a str,
    /// Market of the row: the one asked for, or one that contains it.
    pub market: &'a str,
    /// Date of the list, `YYYY-MM-DD`.
    pub listed: &'a str,
}

/// The registry. All look-ups ignore case.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Registry {
    listings: Vec<Listing<'static>>,
    /// Market to the market that contains it.
    within: BTreeMap<Arc<str>, Option<Arc<str>>>,
    /// Name in lower case, aliases included.
    spellings: BTreeMap<String, Spelling>,
    /// Short name of an Azure region to its market.
    regions: BTreeMap<Arc<str>, Arc<str>>,
    /// Other name of an Azure region to its short name.
    region_aliases: BTreeMap<Arc<str>, Arc<str>>,
}

/// One of the names of a market.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Spelling {
    /// As the table has it.
    shown: Arc<str>,
    market: Arc<str>,
}

impl Registry {
    /// The registry inside the binary.
    pub fn bundled() -> &'static Self {
        static BUNDLED: OnceLock<Registry> = OnceLock::new();
        BUNDLED.get_or_init(|| Self::read(tables::PARTNERS, tables::MARKETS, tables::REGIONS))
    }

    /// Every known market, sorted.
    pub fn markets(&self) -> impl Iterator<Item = &str> {
        self.within.keys().map(AsRef::as_ref)
    }

    /// Every name that [`Registry::market`] knows, other spellings included: to find what a misspelt one meant.
    pub fn market_names(&self) -> impl Iterator<Item = &str> + Clone {
        self.spellings.values().map(|spelling| &*spelling.shown)
    }

    /// Every known partner, sorted.
    pub fn partners(&self) -> impl Iterator<Item = &str> {
        self.listings.iter().map(|listing| listing.partner).collect::<BTreeSet<_>>().into_iter()
    }

    /// The market as the registry spells it.
    pub fn market(&self, name: &str) -> Option<&str> {
        self.spelt(name).map(AsRef::as_ref)
    }

    /// The partner as the registry spells it.
    pub fn partner(&self, name: &str) -> Option<&str> {
        let name = name.trim().to_lowercase();
        self.listings.iter().map(|listing| listing.partner).find(|partner| partner.to_lowercase() == name)
    }

    /// Whether `outer` is `inner`, or contains it (Asia contains Japan).
    pub fn contains(&self, outer: &str, inner: &str) -> bool {
        self.distance(outer, inner).is_some()
    }

    /// How many steps outwards `outer` lies around `inner`: none when they are the same market.
    pub fn distance(&self, outer: &str, inner: &str) -> Option<usize> {
        let outer = self.market(outer)?;
        self.outwards(inner).position(|market| market == outer)
    }

    /// Of some markets, the one nearest to `inner`: itself, or the narrowest that contains it.
    pub fn nearest<'a>(&self, outers: impl IntoIterator<Item = &'a str>, inner: &str) -> Option<&'a str> {
        outers
            .into_iter()
            .filter_map(|outer| Some((self.distance(outer, inner)?, outer)))
            .min_by_key(|(steps, _)| *steps)
            .map(|(_, outer)| outer)
    }

    /// The newest listing that makes `partner` qualified for a site in `market`; of two lists of one date, the row of
    /// the nearer market.
    pub fn qualification(&self, partner: &str, market: &str) -> Option<Listing<'_>> {
        let partner = self.partner(partner)?;
        self.outwards(market)
            .enumerate()
            .flat_map(|(distance, market)| {
                self.listings
                    .iter()
                    .filter(move |listing| listing.partner == partner && listing.market == market)
                    .map(move |listing| (listing.listed, std::cmp::Reverse(distance), listing))
            })
            .max_by_key(|(listed, nearness, _)| (*listed, *nearness))
            .map(|(_, _, listing)| *listing)
    }

    /// Markets in which a partner is listed, sorted.
    pub fn markets_of(&self, partner: &str) -> impl Iterator<Item = &str> {
        let partner = self.partner(partner);
        self.listings
            .iter()
            .filter(|listing| Some(listing.partner) == partner)
            .map(|listing| listing.market)
            .collect::<BTreeSet<_>>()
            .into_iter()
    }

    /// Short names of every known Azure region, sorted.
    pub fn regions(&self) -> impl Iterator<Item = &str> + Clone {
        self.regions.keys().map(AsRef::as_ref)
    }

    /// An Azure region by its short name as service tags have it (`centralfrance`), or as Azure's other tools do
    /// (`francecentral`).
    pub fn region(&self, name: &str) -> Option<&str> {
        let name = name.trim().to_lowercase();
        let name = self.region_aliases.get(name.as_str()).map_or(name.as_str(), AsRef::as_ref);
        self.regions.get_key_value(name).map(|(region, _)| &**region)
    }

    /// Market of an Azure region, by any of its names.
    pub fn market_of_region(&self, region: &str) -> Option<&str> {
        self.regions.get(self.region(region)?).map(AsRef::as_ref)
    }

    /// Azure regions in a market, sorted by their short names.
    pub fn regions_in<'r>(&'r self, market: &'r str) -> impl Iterator<Item = &'r str> {
        self.regions.iter().filter(move |(_, inner)| self.contains(market, inner)).map(|(region, _)| &**region)
    }

    /// A market, the one that contains it, and so on.
    pub fn outwards(&self, market: &str) -> impl Iterator<Item = &str> {
        std::iter::successors(self.spelt(market), |market| self.within.get(*market)?.as_ref()).map(AsRef::as_ref)
    }

    fn spelt(&self, market: &str) -> Option<&Arc<str>> {
        self.spellings.get(&market.trim().to_lowercase()).map(|spelling| &spelling.market)
    }
}

/// Hundreds of rows that never change would hide the few that were added.
impl fmt::Debug for Registry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Registry").field(&self.additions()).finish()
    }
}

#[cfg(test)]
mod tests;
