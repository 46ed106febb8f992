//! Microsoft's published Peering Service partners and the markets they serve; markets contain one another.
//!
//! Owns the bundled registry (`config/partners.csv`, `config/markets.csv`). Pure data: knows no other room.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::OnceLock,
};

const PARTNERS: &str = include_str!("../config/partners.csv");
const MARKETS: &str = include_str!("../config/markets.csv");

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
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Registry {
    listings: Vec<Listing<'static>>,
    /// Market to the market that contains it.
    within: BTreeMap<&'static str, Option<&'static str>>,
    /// Spelling in lower case, aliases included, to the market.
    spellings: BTreeMap<String, &'static str>,
    /// Every spelling as the table has it.
    names: Vec<&'static str>,
    /// Short name of an Azure region to its market.
    regions: BTreeMap<&'static str, &'static str>,
}

impl Registry {
    /// The registry inside the binary.
    pub fn bundled() -> &'static Self {
        static BUNDLED: OnceLock<Registry> = OnceLock::new();
        BUNDLED.get_or_init(|| Self::read(PARTNERS, MARKETS))
    }

    /// Market of an Azure region, by its short name (`japaneast`).
    pub fn market_of_region(&self, region: &str) -> Option<&str> {
        self.regions.get(region).copied()
    }

    /// How many steps outwards `outer` lies around `inner`: none when they are the same market.
    pub fn distance(&self, outer: &str, inner: &str) -> Option<usize> {
        let outer = self.market(outer)?;
        self.outwards(inner).position(|market| market == outer)
    }

    /// Reads both tables; rows with too few fields are left out (a test proves that the bundled ones have none).
    fn read(partners: &'static str, markets: &'static str) -> Self {
        let mut within = BTreeMap::new();
        let mut spellings = BTreeMap::new();
        let mut names = Vec::new();
        for row in rows(markets) {
            let [market, outer, aliases] = row[..] else { continue };
            if market.is_empty() {
                continue;
            }
            within.insert(market, Some(outer).filter(|outer| !outer.is_empty()));
            for spelling in std::iter::once(market).chain(aliases.split('|')).filter(|spelling| !spelling.is_empty())
            {
                spellings.insert(spelling.to_lowercase(), market);
                names.push(spelling);
            }
        }
        let listings = rows(partners)
            .filter_map(|row| match row[..] {
                [partner, market, listed] => Some(Listing { partner, market, listed }),
                _ => None,
            })
            .collect();
        Self { listings, within, spellings, names, regions: BTreeMap::new() }
    }

    /// Every known market, sorted.
    pub fn markets(&self) -> impl Iterator<Item = &str> {
        self.within.keys().copied()
    }

    /// Every name that [`Registry::market`] knows, other spellings included: to find what a misspelt one meant.
    pub fn market_names(&self) -> impl Iterator<Item = &str> + Clone {
        self.names.iter().copied()
    }

    /// Every known partner, sorted.
    pub fn partners(&self) -> impl Iterator<Item = &str> {
        self.listings.iter().map(|listing| listing.partner).collect::<BTreeSet<_>>().into_iter()
    }

    /// The market as the registry spells it.
    pub fn market(&self, name: &str) -> Option<&str> {
        self.spellings.get(&name.trim().to_lowercase()).copied()
    }

    /// The partner as the registry spells it.
    pub fn partner(&self, name: &str) -> Option<&str> {
        let name = name.trim().to_lowercase();
        self.listings.iter().map(|listing| listing.partner).find(|partner| partner.to_lowercase() == name)
    }

    /// Whether `outer` is `inner`, or contains it (Asia contains Japan).
    pub fn contains(&self, outer: &str, inner: &str) -> bool {
        let Some(outer) = self.market(outer) else { return false };
        self.outwards(inner).any(|market| market == outer)
    }

    /// Of some markets, the one nearest to `inner`: itself, or the narrowest that contains it.
    pub fn nearest<'a>(&self, outers: impl IntoIterator<Item = &'a str>, inner: &str) -> Option<&'a str> {
        let steps = |outer: &str| {
            let outer = self.market(outer)?;
            self.outwards(inner).position(|market| market == outer)
        };
        outers
            .into_iter()
            .filter_map(|outer| Some((steps(outer)?, outer)))
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

    /// A market, the one that contains it, and so on.
    fn outwards(&self, market: &str) -> impl Iterator<Item = &'static str> {
        std::iter::successors(self.spellings.get(&market.trim().to_lowercase()).copied(), |market| {
            self.within.get(market).copied().flatten()
        })
    }
}

fn rows(table: &'static str) -> impl Iterator<Item = Vec<&'static str>> {
    table.lines().skip(1).map(|line| line.split(',').map(str::trim).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_bundled_row_is_well_formed_and_every_market_is_known() {
        let registry = Registry::bundled();
        assert_eq!(registry.listings.len(), PARTNERS.lines().count() - 1);
        assert_eq!(registry.within.len(), MARKETS.lines().count() - 1);
        for listing in &registry.listings {
            assert!(registry.within.contains_key(listing.market), "{listing:?}");
            assert_eq!(listing.listed.len(), "2023-02-28".len(), "{listing:?}");
        }
        for outer in registry.within.values().flatten() {
            assert!(registry.within.contains_key(outer), "{outer}");
        }
    }

    #[test]
    fn no_two_markets_share_a_spelling_and_none_contains_itself() {
        let registry = Registry::bundled();
        assert_eq!(registry.names.len(), registry.spellings.len());
        for market in registry.markets() {
            assert!(registry.outwards(market).take(5).count() < 5, "{market}");
        }
    }

    #[test]
    fn rows_that_are_not_rows_are_left_out() {
        let registry =
            Registry::read("partner,market,listed\nA\nB,Japan,2023-02-28\n", "market\nJapan,Asia,\n,\n,,\n");
        assert_eq!(registry.partners().collect::<Vec<_>>(), ["B"]);
        assert_eq!(registry.markets().collect::<Vec<_>>(), ["Japan"]);
        assert!(registry.qualification("B", "Japan").is_some());
        assert!(registry.qualification("B", "Mars").is_none());
    }

    #[test]
    fn of_two_markets_the_nearer_one_counts() {
        let registry = Registry::bundled();
        assert_eq!(registry.nearest(["Asia", "japan"], "Japan"), Some("japan"));
        assert_eq!(registry.nearest(["Asia", "Europe"], "Japan"), Some("Asia"));
        assert_eq!(registry.nearest(["Europe"], "Japan"), None);
    }

    #[test]
    fn of_two_lists_of_one_date_the_nearer_market_answers() {
        let partners = "partner,market,listed\nB,Asia,2023-02-28\nB,Japan,2023-02-28\n";
        let registry = Registry::read(partners, "market,within,aliases\nAsia,,\nJapan,Asia,\n");
        assert_eq!(registry.qualification("B", "Japan").map(|listing| listing.market), Some("Japan"));
    }

    #[test]
    fn a_partner_of_a_region_serves_its_countries() {
        let listing = Registry::bundled().qualification("singtel", "japan").unwrap();
        assert_eq!(listing, Listing { partner: "Singtel", market: "Asia", listed: "2023-02-28" });
        assert!(Registry::bundled().qualification("Singtel", "France").is_none());
    }

    #[test]
    fn a_partner_of_a_country_does_not_serve_its_region() {
        assert!(Registry::bundled().qualification("IIJ", "Japan").is_some());
        assert!(Registry::bundled().qualification("IIJ", "Asia").is_none());
    }

    #[test]
    fn the_newest_list_answers() {
        let kordia = Registry::bundled().qualification("Kordia", "New Zealand").unwrap();
        assert_eq!((kordia.market, kordia.listed), ("Oceania", "2023-02-28"));
        let ntt = Registry::bundled().qualification("NTT", "Japan").unwrap();
        assert_eq!((ntt.market, ntt.listed), ("Japan", "2019-09-25"));
    }

    #[test]
    fn markets_have_aliases_and_contain_themselves() {
        let registry = Registry::bundled();
        assert_eq!(registry.market("united kingdom"), Some("UK"));
        assert_eq!(registry.market("USA"), Some("United States"));
        assert_eq!(registry.market("turkiye"), Some("Turkey"));
        assert!(registry.contains("Europe", "United Kingdom"));
        assert!(registry.contains("Japan", "Japan"));
        assert!(!registry.contains("Japan", "Asia"));
    }
}
