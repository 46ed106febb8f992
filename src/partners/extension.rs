//! What a configuration adds to the registry: markets between or around those that are bundled, and Azure regions.

use std::{collections::BTreeMap, sync::Arc};

use super::{Registry, Spelling};

/// Why a market or a region cannot be where it is said to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Contradiction {
    /// The outer market lies in the inner one already, or is the same.
    Loop,
    /// It is in this market, which does not contain the other.
    Elsewhere(String),
}

/// A market that differs from the bundled registry, and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Addition<'a> {
    /// The market.
    pub market: &'a str,
    /// The market that contains it, when the bundled registry does not say so.
    pub within: Option<&'a str>,
    /// Azure regions that the bundled registry does not have in it.
    pub regions: Vec<&'a str>,
}

impl Registry {
    /// Adds a market that no other contains; one that is known stays as it is.
    pub fn add_market(&mut self, name: &str) {
        if self.spelt(name).is_some() {
            return;
        }
        let market: Arc<str> = Arc::from(name.trim());
        self.within.insert(Arc::clone(&market), None);
        let spelling = Spelling { shown: Arc::clone(&market), market: Arc::clone(&market) };
        self.spellings.insert(market.to_lowercase(), spelling);
    }

    /// Puts a market into another one; both must be known.
    ///
    /// # Errors
    /// [`Contradiction::Loop`]; then nothing is changed.
    pub fn put_within(&mut self, inner: &str, outer: &str) -> Result<(), Contradiction> {
        if self.contains(inner, outer) {
            return Err(Contradiction::Loop);
        }
        if let (Some(inner), Some(outer)) = (self.spelt(inner).cloned(), self.spelt(outer).cloned()) {
            self.within.insert(inner, Some(outer));
        }
        Ok(())
    }

    /// Puts an Azure region, known or not, into a known market.
    pub fn put_region(&mut self, region: &str, market: &str) {
        let region = self.region(region).map_or_else(|| Arc::from(region.trim().to_lowercase()), Arc::from);
        if let Some(market) = self.spelt(market).cloned() {
            self.regions.insert(region, market);
        }
    }

    /// Whether a market is still in all markets that `base` has around it.
    ///
    /// # Errors
    /// [`Contradiction::Elsewhere`].
    pub fn agrees_on_market(&self, base: &Self, market: &str) -> Result<(), Contradiction> {
        match base.outwards(market).nth(1) {
            Some(outer) if !self.contains(outer, market) => Err(Contradiction::Elsewhere(outer.to_owned())),
            _ => Ok(()),
        }
    }

    /// Whether an Azure region is still in the market that `base` has it in.
    ///
    /// # Errors
    /// [`Contradiction::Elsewhere`].
    pub fn agrees_on_region(&self, base: &Self, region: &str) -> Result<(), Contradiction> {
        match (base.market_of_region(region), self.market_of_region(region)) {
            (Some(outer), Some(market)) if !self.contains(outer, market) => {
                Err(Contradiction::Elsewhere(outer.to_owned()))
            }
            _ => Ok(()),
        }
    }

    /// What was added to the bundled registry, by market: adding it again makes the same registry.
    pub fn additions(&self) -> Vec<Addition<'_>> {
        let bundled = Self::bundled();
        let mut regions: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for (region, market) in &self.regions {
            if bundled.regions.get(region) != Some(market) {
                regions.entry(market).or_default().push(region);
            }
        }
        let additions = self.within.iter().filter_map(|(market, outer)| {
            let regions = regions.remove(&**market).unwrap_or_default();
            let known = bundled.within.get(market);
            let within = outer.as_deref().filter(|_| known != Some(outer));
            let is_addition = known.is_none() || within.is_some() || !regions.is_empty();
            is_addition.then_some(Addition { market, within, regions })
        });
        additions.collect()
    }
}
