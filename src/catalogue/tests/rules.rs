//! Which rule a destination is for, and what rules make of the classes.

use std::sync::Arc;

use super::*;
use crate::{
    catalogue::Rules,
    config::{self, Config, Match, RegionMatch},
    domain::{Class, ClassId, RuleId},
};

/// The reference configuration of a site in New Zealand, with these rules and destinations.
fn config(destinations: Destinations, rules: Vec<(&str, Match)>) -> Config {
    let text = "[site]\nname = \"akl\"\nmarket = \"New Zealand\"\n[[isp]]\nname = \"kordia\"\npartner = \"Kordia\"\n\
                [[isp.uplink]]\ninterface = \"wan0\"\n[policy]\npreferred = \"kordia\"\n";
    let mut config = config::parse(text, Path::new("test.toml")).unwrap();
    let treatment = config.policy.treatment.clone();
    config.policy.rules = rules
        .into_iter()
        .map(|(name, matches)| config::Rule {
            name: name.to_owned(),
            place: config::Place::default(),
            matches,
            isps: None,
            allow_unqualified: false,
            treatment: treatment.clone(),
        })
        .collect();
    config.destinations = destinations;
    config
}

fn load(config: &Config) -> Catalogue {
    Catalogue::of(config).unwrap()
}

fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

fn ids(catalogue: &Catalogue) -> Vec<&str> {
    catalogue.classes().iter().map(|class| class.id.as_str()).filter(|id| id.ends_with("ipv4")).collect()
}

fn rule_of(catalogue: &Catalogue, query: &str) -> Option<RuleId> {
    let found = catalogue.lookup(net(query)).unwrap().class.unwrap().clone();
    catalogue.class(&found).unwrap().rule
}

fn regions(regions: &[&str]) -> Vec<RegionMatch> {
    regions.iter().map(|region| RegionMatch::Region((*region).to_owned())).collect()
}

#[test]
fn a_rule_for_a_whole_service_does_not_rename_its_class() {
    let rule = Match { services: words(&["skype"]), ..Match::default() };
    let catalogue = load(&config(bundled(), vec![("teams", rule)]));
    assert_eq!(
        ids(&catalogue),
        ["m365.common.ipv4", "m365.exchange.ipv4", "m365.sharepoint.ipv4", "m365.skype.ipv4"]
    );
    assert_eq!(rule_of(&catalogue, "13.107.64.1/32"), Some(RuleId(0)));
    assert_eq!(rule_of(&catalogue, "13.107.6.152/32"), None);
}

#[test]
fn a_rule_for_a_part_of_a_service_splits_its_class_and_names_the_part() {
    let optimize = Match { categories: vec![Category::Optimize], ..Match::default() };
    let catalogue = load(&config(bundled(), vec![("first", optimize)]));
    let ids = ids(&catalogue);
    assert!(ids.contains(&"m365.exchange+first.ipv4") && ids.contains(&"m365.exchange.ipv4"), "{ids:?}");
    assert!(ids.contains(&"m365.common.ipv4") && !ids.contains(&"m365.common+first.ipv4"), "{ids:?}");
}

#[test]
fn classes_share_out_the_same_prefixes_whatever_the_rules() {
    let all = |catalogue: &Catalogue| {
        let mut all: Vec<IpNet> = catalogue.classes().iter().flat_map(|class| class.prefixes.to_vec()).collect();
        all.sort_unstable();
        all
    };
    let destinations = with_tags(&["AzureCloud.japaneast", "ActionGroup"]);
    let plain = load(&config(destinations.clone(), vec![]));
    let rules = vec![
        ("japan", Match { regions: regions(&["japaneast"]), ..Match::default() }),
        ("actions", Match { tags: words(&["actiongroup"]), ..Match::default() }),
        ("half", Match { prefixes: vec![net("13.64.0.0/11"), net("2603:1000::/24")], ..Match::default() }),
    ];
    let split = load(&config(destinations, rules));
    assert!(split.classes().len() > plain.classes().len());
    assert_eq!(all(&split), all(&plain));
    for class in split.classes() {
        assert!(class.prefixes.is_sorted_by(|one, other| one < other), "{class:?}");
        for prefix in &*class.prefixes {
            assert_eq!(split.lookup(*prefix).unwrap().class, Some(&class.id), "{prefix}");
        }
    }
}

#[test]
fn the_longest_prefix_named_beats_a_tag_and_that_a_region_and_that_a_service() {
    let rules = [
        ("site", Match { markets: words(&["Oceania"]), ..Match::default() }),
        ("category", Match { categories: vec![Category::Optimize], ..Match::default() }),
        ("service", Match { services: words(&["AzureCloud"]), ..Match::default() }),
        ("region", Match { regions: regions(&["japaneast"]), ..Match::default() }),
        ("tag", Match { tags: words(&["azurecloud.japaneast"]), ..Match::default() }),
        ("wide", Match { prefixes: vec![net("20.0.0.0/8")], ..Match::default() }),
        ("narrow", Match { prefixes: vec![net("20.43.64.0/20")], ..Match::default() }),
    ];
    let tags = tag_document(&[tag(
        "AzureCloud.japaneast",
        "japaneast",
        "",
        &["20.43.64.0/19", "20.43.64.0/24", "40.74.64.0/18"],
    )]);
    let written = written("tags.json", tags);
    let destinations = Destinations {
        service_tags: Some(service_tags(written.file.clone(), &["AzureCloud.japaneast"])),
        ..microsoft365(Microsoft365Source::Off)
    };
    let winner = |count: usize, query: &str| {
        let catalogue = load(&config(destinations.clone(), rules[..count].to_vec()));
        rule_of(&catalogue, query).map(|rule| rules[usize::from(rule.0)].0)
    };
    for (count, name) in
        [(1, "site"), (2, "site"), (3, "service"), (4, "region"), (5, "tag"), (6, "wide"), (7, "narrow")]
    {
        assert_eq!(winner(count, "20.43.64.0/24"), Some(name), "of the first {count}");
    }
    assert_eq!(winner(7, "20.43.64.0/19"), Some("wide"), "the narrow prefix does not contain it");
    assert_eq!(winner(7, "40.74.64.0/18"), Some("tag"));
}

#[test]
fn of_two_markets_of_the_site_the_nearer_one_counts_and_others_do_not() {
    let market = |market: &str| Match { markets: words(&[market]), ..Match::default() };
    let rules = vec![("oceania", market("Oceania")), ("nz", market("New Zealand")), ("japan", market("Japan"))];
    let catalogue = load(&config(bundled(), rules));
    assert!(catalogue.classes().iter().all(|class| class.rule == Some(RuleId(1))));
    assert!(catalogue.ties().is_empty());
}

#[test]
fn rules_that_are_equally_specific_for_a_destination_are_told_once_with_an_example() {
    let listed = merging::tags_of_one_prefix();
    let written = written("tags.json", listed);
    let service_tags = Some(service_tags(written.file.clone(), &["AzureCloud"]));
    let destinations = Destinations { service_tags, ..microsoft365(Microsoft365Source::Off) };
    let tag = |tag: &str| Match { tags: words(&[tag]), ..Match::default() };
    let config = config(destinations, vec![("sql", tag("Sql.JapanEast")), ("cloud", tag("AzureCloud.japaneast"))]);
    let catalogue = load(&config);
    let [tie] = catalogue.ties() else { panic!("{:?}", catalogue.ties()) };
    assert_eq!((tie.applied, tie.other), (RuleId(0), RuleId(1)));
    let said = tie.in_words(&config.policy.rules);
    assert!(said.starts_with("rules \"sql\" and \"cloud\" are equally specific for 20.1.0.0/16: "), "{said}");
}

#[test]
fn a_tag_decided_by_region_has_the_classes_that_the_tags_of_its_regions_have() {
    let listed = [
        tag("AzureCloud", "", "", &["20.1.0.0/16", "20.2.0.0/16", "20.3.0.0/16"]),
        tag("AzureCloud.japaneast", "japaneast", "", &["20.1.0.0/16"]),
        tag("AzureCloud.uksouth", "uksouth", "", &["20.2.0.0/16"]),
    ];
    let written = written("tags.json", tag_document(&listed));
    let with = |tags: &[&str], by_region| {
        let service_tags = ServiceTags { by_region, ..service_tags(written.file.clone(), tags) };
        let off = microsoft365(Microsoft365Source::Off);
        load(&config(Destinations { service_tags: Some(service_tags), ..off }, vec![]))
    };
    let by_region = ["azure.azurecloud.ipv4", "azure.azurecloud.japaneast.ipv4", "azure.azurecloud.uksouth.ipv4"];
    assert_eq!(ids(&with(&["AzureCloud"], true)), by_region);
    assert_eq!(ids(&with(&["AzureCloud.japaneast", "AzureCloud"], true)), by_region);
    assert_eq!(ids(&with(&["AzureCloud"], false)), ["azure.azurecloud.ipv4"]);
}

#[test]
fn names_of_classes_do_not_change_when_the_lists_do() {
    let sets = |extra: &str| {
        format!(
            r#"[{{"id":1,"serviceArea":"Skype","category":"Optimize","ips":["20.1.0.0/16"{extra}]}},
            {{"id":2,"serviceArea":"Skype","category":"Allow","ips":["20.3.0.0/16"]}}]"#
        )
    };
    let rule = Match { prefixes: vec![net("20.1.0.0/16")], ..Match::default() };
    let class_of = |document: String| {
        let written = written("endpoints.json", document);
        let source = Microsoft365Source::File(written.file.clone());
        let catalogue = load(&config(microsoft365(source), vec![("media", rule.clone())]));
        catalogue.lookup(net("20.1.0.0/16")).unwrap().class.cloned()
    };
    let before = class_of(sets(""));
    assert_eq!(before, Some(ClassId::new("m365.skype+media.ipv4")));
    assert_eq!(class_of(sets(r#","20.1.4.0/24","20.9.0.0/16""#)), before);
}

#[test]
fn classes_formed_anew_by_other_rules_are_those_of_a_fresh_catalogue() {
    let rule = Match { services: words(&["skype"]), categories: vec![Category::Optimize], ..Match::default() };
    let config = config(bundled(), vec![("media", rule)]);
    let mut anew = Catalogue::load(&config.destinations).unwrap();
    let plain: Vec<Class> = anew.classes().to_vec();
    anew.classify(&Rules::of(&config));
    let fresh = load(&config);
    assert_eq!(anew.classes(), fresh.classes());
    assert!(fresh.classes().iter().all(|class| anew.targets(&class.id) == fresh.targets(&class.id)));
    anew.classify(&Rules::default());
    assert_eq!(anew.classes(), plain);
    let shared: Vec<Arc<[IpNet]>> = plain.iter().map(|class| Arc::clone(&class.prefixes)).collect();
    assert!(shared.iter().all(|prefixes| !prefixes.is_empty()));
}
