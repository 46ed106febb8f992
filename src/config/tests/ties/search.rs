//! Ties as told from the rules, against a search through everything that rules can be for.

use proptest::{prelude::*, sample::subsequence};

use super::{
    super::{BASE, parsed},
    TAGS as SERVICE_TAGS, said,
};
use crate::{
    config::{Match, RegionMatch},
    domain::Category,
    partners::Registry,
};

const PREFIXES: [&str; 3] = ["13.107.64.0/18", "13.107.64.0/19", "52.112.0.0/14"];
const LISTED: [&str; 2] = ["one", "two"];
const REGIONS: [&str; 5] = ["japaneast", "japanwest", "Japan", "Asia", "uksouth"];
const SERVICES: [&str; 2] = ["exchange", "skype"];
const CATEGORIES: [(&str, Category); 2] = [("optimize", Category::Optimize), ("allow", Category::Allow)];
const MARKETS: [&str; 4] = ["Japan", "Asia", "UK", "Europe"];

/// Prefix, tag, Azure region, service, category.
type Destination = (&'static str, &'static str, &'static str, &'static str, Category);

/// Keys of a rule; at least one.
fn keys() -> impl Strategy<Value = String> {
    let words = |words: &[&'static str]| subsequence(words.to_vec(), 0..=2);
    let categories = words(&CATEGORIES.map(|(word, _)| word));
    (words(&PREFIXES), words(&LISTED), words(&REGIONS), words(&SERVICES), categories, words(&MARKETS))
        .prop_filter_map("names nothing", |(prefix, tag, region, service, category, market)| {
            let keys = [
                ("prefix", prefix),
                ("tag", tag),
                ("region", region),
                ("service", service),
                ("category", category),
                ("market", market),
            ];
            let named = keys.iter().filter(|(_, words)| !words.is_empty());
            let lines: Vec<String> = named.map(|(key, words)| format!("{key} = {words:?}")).collect();
            (!lines.is_empty()).then(|| lines.join("\n"))
        })
}

/// How closely a list describes something: by the best of its entries, and least of all when it names nothing.
fn best<T>(list: &[T], closeness: impl Fn(&T) -> Option<i32>) -> Option<i32> {
    if list.is_empty() { Some(i32::MIN) } else { list.iter().filter_map(closeness).max() }
}

/// How closely a rule describes a destination and a site, key by key; nothing when it is not for them.
fn closeness(rule: &Match, what: Destination, site: &str) -> Option<[i32; 6]> {
    let registry = Registry::bundled();
    let (prefix, tag, region, service, category) = what;
    let steps = |outer: &str, inner: &str| Some(-i32::try_from(registry.distance(outer, inner)?).unwrap());
    let prefix: ipnet::IpNet = prefix.parse().unwrap();
    Some([
        best(&rule.prefixes, |it| it.contains(&prefix).then(|| i32::from(it.prefix_len())))?,
        best(&rule.tags, |it| (it == tag).then_some(0))?,
        best(&rule.regions, |it| match it {
            RegionMatch::Region(name) => (name == region).then_some(0),
            RegionMatch::Market(market) => Some(steps(market, registry.market_of_region(region)?)? - 1),
        })?,
        best(&rule.services, |it| (it == service).then_some(0))?,
        best(&rule.categories, |it| (*it == category).then_some(0))?,
        best(&rule.markets, |it| steps(it, site))?,
    ])
}

/// Everything that rules can be for, and every site.
fn everything() -> impl Iterator<Item = (Destination, &'static str)> {
    let mut all = Vec::new();
    for prefix in PREFIXES {
        for tag in LISTED {
            for region in ["japaneast", "japanwest", "koreacentral", "uksouth"] {
                for service in SERVICES {
                    for (_, category) in CATEGORIES {
                        let sites = ["Japan", "India", "UK", "France", "Asia", "Europe"];
                        all.extend(sites.map(|site| ((prefix, tag, region, service, category), site)));
                    }
                }
            }
        }
    }
    all.into_iter()
}

fn matches(keys: &str) -> Match {
    parsed(&format!("{BASE}[[policy.rule]]\nname = \"alone\"\n{keys}\n{SERVICE_TAGS}")).policy.rules.remove(0).matches
}

proptest! {
    #[test]
    fn a_tie_is_told_where_there_is_something_to_tie_for_and_nowhere_else(one in keys(), other in keys()) {
        let rules = [matches(&one), matches(&other)];
        let tied = everything().find(|(what, site)| {
            let [one, other] = [0, 1].map(|rule| closeness(&rules[rule], *what, site));
            one.is_some() && one == other
        });
        let told = said(&one, &other);
        prop_assert_eq!(told.is_some(), tied.is_some(), "{:?}, {:?}", told, tied);
    }
}
