//! Two rules of policy that are equally specific for one destination: a mistake, whichever site the file is for.
//!
//! Told from the rules alone. That different tags of two rules list the same destination only the catalogue can show.

use std::{collections::BTreeSet, iter::once};

use ipnet::IpNet;

use crate::{
    config::{
        document::{Document, Placed},
        finding::Wrong,
        model::{Match, RegionMatch, Rule},
    },
    partners::Registry,
};

/// A finding for each rule that ties with one before it; `names` are those of the rules, by position.
pub(super) fn check(document: &Document<'_>, names: &[Placed<String>], rules: &[Rule], registry: &Registry) {
    let reaches: Vec<Reach<'_>> = rules.iter().map(|rule| Reach::of(&rule.matches, registry)).collect();
    let described: Vec<(&Rule, &Reach<'_>)> = rules.iter().zip(&reaches).collect();
    for (position, (name, (later, reach))) in names.iter().zip(&described).enumerate() {
        let mut before = described.iter().take(position);
        let tied = before.find_map(|(first, other)| Some((first, other.shared(reach)?)));
        if let Some((first, shared)) = tied {
            let problem = format!(
                "rules \"{}\" (line {}) and \"{}\" (line {}) are equally specific for {shared}",
                first.name, first.place.line, later.name, later.place.line
            );
            let fix = "name something in one of them that the other does not name, or make one rule of them";
            name.report(document, Wrong::new(problem, fix));
        }
    }
}

/// What a rule names, seen from every Azure region and from every market that a site can be in.
struct Reach<'r> {
    matches: &'r Match,
    /// By position of the region: the nearest that is named, and the steps outwards to it.
    regions: Vec<Option<(usize, &'r RegionMatch)>>,
    /// By position of the market.
    sites: Vec<Option<(usize, &'r str)>>,
}

impl<'r> Reach<'r> {
    fn of(matches: &'r Match, registry: &Registry) -> Self {
        let regions: BTreeSet<&RegionMatch> = matches.regions.iter().collect();
        let markets: BTreeSet<&str> = matches.markets.iter().map(String::as_str).collect();
        let of_region = |region: &str| {
            let itself = RegionMatch::Region(region.to_owned());
            let around = registry.market_of_region(region).into_iter().flat_map(|market| registry.outwards(market));
            let outwards = once(itself).chain(around.map(|market| RegionMatch::Market(market.to_owned())));
            outwards.enumerate().find_map(|(steps, place)| Some((steps, *regions.get(&place)?)))
        };
        let of_site = |site: &str| {
            registry.outwards(site).enumerate().find_map(|(steps, market)| Some((steps, *markets.get(market)?)))
        };
        Self {
            matches,
            regions: registry.regions().map(of_region).collect(),
            sites: registry.markets().map(of_site).collect(),
        }
    }

    /// What both rules are equally specific for, in words; nothing when there is no such destination at any site.
    fn shared(&self, other: &Self) -> Option<String> {
        let (a, b) = (self.matches, other.matches);
        let prefix = both(&a.prefixes, &b.prefixes, |prefix: &IpNet| format!("prefix {prefix}"))?;
        let tag = both(&a.tags, &b.tags, |tag| format!("tag \"{tag}\""))?;
        let service = both(&a.services, &b.services, |service| format!("service \"{service}\""))?;
        let category = both(&a.categories, &b.categories, |category| format!("category \"{category}\""))?;
        let anything = a.regions.is_empty() && b.regions.is_empty();
        let region = if anything { None } else { Some(words(level(&self.regions, &other.regions)?)) };
        let anywhere = a.markets.is_empty() && b.markets.is_empty();
        let site = if anywhere { None } else { Some(level(&self.sites, &other.sites)?) };
        let words: Vec<String> = [prefix, tag, region, service, category].into_iter().flatten().collect();
        let what = if words.is_empty() { "everything".to_owned() } else { words.join(" and ") };
        Some(site.map_or_else(|| what.clone(), |market| format!("{what}, at sites in {market}")))
    }
}

/// What two lists have in common, in words: something that both name, or that both are empty. Nothing when the rules differ in this.
#[allow(clippy::option_option, reason = "rules that both name nothing have that in common, and no word for it")]
fn both<T: PartialEq>(one: &[T], other: &[T], words: impl Fn(&T) -> String) -> Option<Option<String>> {
    if one.is_empty() && other.is_empty() {
        return Some(None);
    }
    one.iter().find(|value| other.contains(value)).map(|value| Some(words(value)))
}

/// What both rules name equally near, from wherever that is so.
fn level<T: Copy>(one: &[Option<(usize, T)>], other: &[Option<(usize, T)>]) -> Option<T> {
    one.iter().zip(other).find_map(|pair| match pair {
        (Some((near, named)), Some((as_near, _))) if near == as_near => Some(*named),
        _ => None,
    })
}

fn words(named: &RegionMatch) -> String {
    match named {
        RegionMatch::Region(name) => format!("Azure region {name}"),
        RegionMatch::Market(market) => format!("Azure regions in {market}"),
    }
}
