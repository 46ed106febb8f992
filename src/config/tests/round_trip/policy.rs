//! Policies with rules, of every kind that a file can say.

use std::collections::BTreeMap;

use proptest::{
    collection::{btree_map, vec},
    option,
    prelude::*,
    sample::{select, subsequence},
};

use super::{market, span};
use crate::{
    config::{
        DayWindow, Fallback, Margin, Match, Order, Percentile, Place, Policy, RegionMatch, Rule, Sla,
        Strategy as Chosen, Treatment,
    },
    domain::{Category, IspId, TimeOfDay},
    partners::Registry,
};

fn all(isps: usize) -> Vec<IspId> {
    (0..u16::try_from(isps).unwrap()).map(IspId).collect()
}

fn order(isps: usize) -> impl Strategy<Value = Vec<IspId>> {
    (Just(all(isps)).prop_shuffle(), 1..=isps).prop_map(|(all, count)| all[..count].to_vec())
}

fn ratio() -> impl Strategy<Value = f64> {
    (0..=1_000_000_u32).prop_map(|millionths| f64::from(millionths) / 1e6)
}

fn strategy(among: Vec<IspId>) -> impl Strategy<Value = Chosen> {
    let margin = (span(0..=1000), ratio()).prop_map(|(difference, share)| Margin { difference, share });
    let weights = btree_map(select(among), 1..=u8::MAX, 0..3);
    prop_oneof![Just(Chosen::Ordered), margin.prop_map(Chosen::Fastest), weights.prop_map(Chosen::Balanced)]
}

fn window() -> impl Strategy<Value = DayWindow> {
    let time = || (0..24_u16, 0..60_u16).prop_map(|(hour, minute)| TimeOfDay::new(hour, minute).unwrap());
    (time(), time()).prop_map(|(from, to)| DayWindow { from, to })
}

prop_compose! {
    fn sla()(
        rtt in option::of(span(1..=10_000)), percentile in (50..=99_u8).prop_map(Percentile),
        jitter in option::of(span(1..=10_000)), loss in option::of(ratio()), window in option::of(span(1000..=600_000)),
    ) -> Sla {
        Sla { rtt, percentile, jitter, loss, window }
    }
}

prop_compose! {
    /// Without a fallback the policy must be one that can be fulfilled.
    fn treatment(among: Vec<IspId>, may_lack_fallback: bool)(
        strategy in strategy(among), sla in sla(), leave_after in span(0..=3_600_000), return_after in span(0..=3_600_000),
        stay_at_least in span(0..=86_400_000), moves_per_hour in 1..=3600_u32, move_windows in vec(window(), 0..=8),
    ) -> Treatment {
        let fallback = if may_lack_fallback { Fallback::None } else { Fallback::Any };
        Treatment { strategy, sla, fallback, leave_after, return_after, stay_at_least, moves_per_hour, move_windows }
    }
}

fn regions() -> Vec<RegionMatch> {
    let names = ["japaneast", "uksouth"].map(|name| RegionMatch::Region(name.to_owned()));
    let markets = ["Japan", "Europe"].map(|name| RegionMatch::Market(name.to_owned()));
    names.into_iter().chain(markets).collect()
}

fn words(words: &[&str]) -> impl Strategy<Value = Vec<String>> {
    let words: Vec<String> = words.iter().map(|&word| word.to_owned()).collect();
    let count = words.len();
    subsequence(words, 0..=count)
}

prop_compose! {
    /// Its own prefix keeps a rule from being as specific as another one.
    fn matches(number: u8)(
        services in words(&["exchange", "skype"]), tags in words(&["azurecloud.japaneast", "storage"]),
        categories in subsequence(vec![Category::Optimize, Category::Allow, Category::Default], 0..=3),
        regions in subsequence(regions(), 0..=4), markets in subsequence(Registry::bundled().markets().map(str::to_owned).collect::<Vec<_>>(), 0..3),
    ) -> Match {
        let prefixes = vec![format!("13.107.{number}.0/24").parse().unwrap(), format!("2620:1ec:{number}::/48").parse().unwrap()];
        Match { prefixes, tags, services, categories, regions, markets }
    }
}

fn rule(number: u8, isps: usize, preferred: Vec<IspId>, policy_allows: bool) -> impl Strategy<Value = Rule> {
    let order = option::of(prop_oneof![Just(Order::Any), order(isps).prop_map(Order::Listed)]);
    (order, any::<bool>(), "[a-z0-9-]{1,8}").prop_flat_map(move |(order, allow_unqualified, name)| {
        let among = match &order {
            None => preferred.clone(),
            Some(Order::Any) => all(isps),
            Some(Order::Listed(isps)) => isps.clone(),
        };
        let may_lack_fallback = if order.is_none() { policy_allows } else { allow_unqualified };
        (matches(number), treatment(among, may_lack_fallback)).prop_map(move |(matches, treatment)| Rule {
            name: format!("{name}{number}"),
            place: Place::default(),
            matches,
            isps: order.clone(),
            allow_unqualified,
            treatment,
        })
    })
}

/// Any policy among so many ISPs.
pub(super) fn policy(isps: usize) -> impl Strategy<Value = Policy> {
    let markets = btree_map(market(), order(isps), 0..4);
    (order(isps), markets, any::<bool>(), 0..4_u8).prop_flat_map(
        move |(preferred, markets, allow_unqualified, rules)| {
            let among: Vec<IspId> = preferred.iter().chain(markets.values().flatten()).copied().collect();
            let rules: Vec<_> =
                (0..rules).map(|number| rule(number, isps, among.clone(), allow_unqualified)).collect();
            (treatment(among, allow_unqualified), rules).prop_map(move |(treatment, rules)| {
                let (preferred, markets): (_, BTreeMap<_, _>) = (preferred.clone(), markets.clone());
                Policy { preferred, markets, allow_unqualified, treatment, rules }
            })
        },
    )
}
