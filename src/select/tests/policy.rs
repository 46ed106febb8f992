//! Named after what Microsoft's Peering Service FAQ says about choosing ISPs.

use super::{config, isp, uplink};
use crate::{
    config::{Config, Fallback},
    domain::{IspId, UplinkId},
    select::{Policies, Standing},
};

const NTT: IspId = IspId(0);
const SINGTEL: IspId = IspId(1);
const KORDIA: IspId = IspId(2);
const LOCAL: IspId = IspId(3);

/// A fleet with NTT (Japan), Singtel (Asia), Kordia (New Zealand, Oceania) and a provider that is no partner.
fn fleet(market: &str) -> Config {
    let mut config = config();
    market.clone_into(&mut config.site.market);
    config.isps = vec![isp("NTT", &[0, 4]), isp("Singtel", &[1]), isp("Kordia", &[2]), isp("Local", &[3])];
    config.isps[3].partner = None;
    config.uplinks =
        vec![uplink("ntt-1", 0), uplink("singtel", 1), uplink("kordia", 2), uplink("local", 3), uplink("ntt-2", 0)];
    config.policy.preferred = vec![NTT];
    config.policy.treatment.fallback = Fallback::None;
    config
}

fn resolve(config: &Config) -> Policies {
    Policies::resolve(config)
}

/// The uplinks that may be used, best first, by name and standing.
fn order(config: &Config) -> Vec<(&str, Standing)> {
    let open = |(uplink, standing): &(UplinkId, Standing)| {
        (*standing != Standing::Excluded).then(|| (config.uplink(*uplink).name.as_str(), *standing))
    };
    resolve(config).of(None).order().iter().filter_map(open).collect()
}

use Standing::{Fallback as Fell, GlobalPreference as Global, MarketOverride as Override};

#[test]
fn a_globally_preferred_isp_is_used_wherever_it_is_a_partner() {
    let preferred = |market| {
        let mut config = fleet(market);
        config.policy.preferred = vec![SINGTEL];
        order(&config).len()
    };
    assert_eq!(preferred("Japan"), 1);
    assert_eq!(preferred("Singapore"), 1);
    assert_eq!(preferred("France"), 0);
}

#[test]
fn one_policy_serves_the_fleet_and_only_the_site_differs() {
    let order_in = |market| {
        let mut config = fleet(market);
        config.policy.preferred = vec![NTT, SINGTEL, KORDIA];
        order(&config).into_iter().map(|(name, _)| name.to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(order_in("Japan"), ["ntt-1", "ntt-2", "singtel"]);
    assert_eq!(order_in("Singapore"), ["singtel"]);
    assert_eq!(order_in("New Zealand"), ["kordia"]);
}

#[test]
fn a_market_has_an_override_that_goes_before_the_global_preference() {
    let mut config = fleet("Japan");
    config.policy.markets.insert("Japan".to_owned(), vec![SINGTEL]);
    assert_eq!(order(&config), [("singtel", Override), ("ntt-1", Global), ("ntt-2", Global)]);
}

#[test]
fn the_override_of_a_region_reaches_its_countries_and_a_nearer_one_goes_first() {
    let mut config = fleet("Japan");
    config.policy.markets.insert("Asia".to_owned(), vec![SINGTEL]);
    assert_eq!(order(&config)[0], ("singtel", Override));
    config.policy.markets.insert("Japan".to_owned(), vec![NTT]);
    assert_eq!(order(&config), [("ntt-1", Override), ("ntt-2", Override)]);
}

#[test]
fn the_override_of_another_market_does_not_matter() {
    let mut config = fleet("Japan");
    config.policy.markets.insert("New Zealand".to_owned(), vec![KORDIA]);
    config.policy.markets.insert("Europe".to_owned(), vec![SINGTEL]);
    assert_eq!(order(&config), [("ntt-1", Global), ("ntt-2", Global)]);
}

#[test]
fn two_isps_may_serve_one_market() {
    let mut config = fleet("Japan");
    config.policy.markets.insert("Japan".to_owned(), vec![SINGTEL, NTT]);
    assert_eq!(order(&config), [("singtel", Override), ("ntt-1", Override), ("ntt-2", Override)]);
}

#[test]
fn the_uplinks_of_an_isp_stand_together_in_its_own_order() {
    let mut config = fleet("Japan");
    config.isps[0].uplinks = vec![UplinkId(4), UplinkId(0)];
    assert_eq!(order(&config), [("ntt-2", Global), ("ntt-1", Global)]);
}

#[test]
fn an_override_needs_a_qualified_partner_too() {
    let mut config = fleet("Japan");
    config.policy.markets.insert("Japan".to_owned(), vec![KORDIA]);
    assert_eq!(order(&config), [("ntt-1", Global), ("ntt-2", Global)]);
}

#[test]
fn an_unqualified_isp_stands_only_when_that_is_allowed_and_with_a_note() {
    let mut config = fleet("Japan");
    config.policy.preferred = vec![KORDIA, NTT];
    config.policy.allow_unqualified = true;
    assert_eq!(order(&config)[0], ("kordia", Global));
    let note = resolve(&config).of(None).entries[0].note.clone().unwrap();
    assert!(note.starts_with("Kordia is not a qualified partner in Japan"), "{note}");
    assert!(note.ends_with("allowed by `allow_unqualified`"), "{note}");
}

#[test]
fn the_fallback_is_every_other_uplink_in_file_order() {
    let mut config = fleet("Japan");
    config.policy.treatment.fallback = Fallback::Any;
    assert_eq!(
        order(&config),
        [("ntt-1", Global), ("ntt-2", Global), ("singtel", Fell), ("kordia", Fell), ("local", Fell)]
    );
}

#[test]
fn an_isp_named_twice_stands_where_it_is_named_first() {
    let mut config = fleet("Japan");
    config.policy.markets.insert("Japan".to_owned(), vec![NTT]);
    assert_eq!(order(&config), [("ntt-1", Override), ("ntt-2", Override)]);
    assert_eq!(resolve(&config).of(None).order().len(), 5, "every uplink once");
}

#[test]
fn qualification_names_the_market_and_the_date_of_the_list() {
    let reasons = |market: &str| -> Vec<String> {
        resolve(&fleet(market)).qualifications().iter().map(|found| found.reason.clone()).collect()
    };
    assert_eq!(
        reasons("Japan"),
        [
            "NTT is a Peering Service partner in Japan (Microsoft's list of 2019-09-25)",
            "Singtel is a Peering Service partner in Asia, which contains Japan (Microsoft's list of 2023-02-28)",
            "Kordia is not a qualified partner in Japan \
             (Microsoft's list of 2023-02-28 has it in New Zealand, Oceania)",
            "Local is no Peering Service partner (no `partner`, no `qualified_in` for Japan)",
        ]
    );
}

#[test]
fn the_owner_may_know_of_a_qualification_that_the_list_does_not() {
    let mut config = fleet("Japan");
    config.isps[3].qualified_in = vec!["Asia".to_owned()];
    config.policy.preferred = vec![LOCAL];
    assert_eq!(order(&config), [("local", Global)]);
    let found = resolve(&config).qualifications()[3].clone();
    assert!(found.qualified);
    assert_eq!(found.reason, "Local is qualified by `qualified_in` in Asia, which contains Japan");
}

#[test]
fn a_partner_that_nobody_lists_is_not_qualified() {
    let mut config = fleet("Japan");
    config.isps[0].partner = Some("Nobody Telecom".to_owned());
    let found = resolve(&config).qualifications()[0].clone();
    assert!(!found.qualified);
    assert_eq!(found.reason, "Nobody Telecom is not on Microsoft's list of partners");
}
