//! Which rules are refused because neither is more specific than the other.

mod search;

use std::path::Path;

use super::{super::parse, BASE};

const TAGS: &str = "[destinations.service_tags]\nfile = \"ServiceTags_Public.json\"\ntags = [\"AzureCloud\"]\n";

/// What is said of two rules with these keys, after the base; nothing when they may stand beside one another.
fn said(one: &str, other: &str) -> Option<String> {
    let rules = format!("[[policy.rule]]\nname = \"one\"\n{one}\n[[policy.rule]]\nname = \"other\"\n{other}\n");
    parse(&format!("{BASE}{rules}{TAGS}"), Path::new("b.toml")).err().map(|error| error.to_string())
}

#[test]
fn rules_that_name_the_same_tie() {
    for (one, other, shared) in [
        ("service = \"skype\"", "service = [\"exchange\", \"Skype\"]", "service \"skype\""),
        ("category = \"optimize\"", "category = \"optimize\"", "category \"optimize\""),
        ("prefix = \"13.107.64.0/18\"", "prefix = \"13.107.64.0/18\"", "prefix 13.107.64.0/18"),
        ("tag = \"Storage\"", "tag = \"storage\"", "tag \"storage\""),
        ("region = \"japaneast\"", "region = [\"japanwest\", \"japaneast\"]", "Azure region japaneast"),
        ("region = \"francecentral\"", "region = \"centralfrance\"", "Azure region centralfrance"),
        ("region = \"UK\"", "region = \"United Kingdom\"", "Azure regions in UK"),
        ("market = \"Asia\"", "market = \"Asia\"", "everything, at sites in Asia"),
        (
            "service = \"skype\"\nmarket = [\"Asia\", \"Europe\"]",
            "service = \"skype\"\nmarket = [\"Europe\", \"Africa\"]",
            "service \"skype\", at sites in Europe",
        ),
        // In Japan's west both know no better than the country.
        ("region = [\"Japan\", \"japaneast\"]", "region = \"Japan\"", "Azure regions in Japan"),
        (
            "service = \"skype\"\ncategory = \"optimize\"",
            "category = [\"allow\", \"optimize\"]\nservice = \"skype\"",
            "service \"skype\" and category \"optimize\"",
        ),
    ] {
        let said = said(one, other).unwrap_or_else(|| panic!("{one}, {other}"));
        assert!(said.contains(&format!("equally specific for {shared};")), "{said}");
    }
}

#[test]
fn rules_of_which_one_is_more_specific_do_not_tie() {
    for (one, other) in [
        ("service = \"skype\"", "service = \"exchange\""),
        ("service = \"skype\"", "category = \"optimize\""),
        ("service = \"skype\"", "service = \"skype\"\ncategory = \"optimize\""),
        ("service = \"skype\"", "service = \"skype\"\nmarket = \"Asia\""),
        ("market = \"Asia\"", "market = \"Japan\""),
        ("market = \"Asia\"", "market = \"Europe\""),
        ("prefix = \"13.107.64.0/18\"", "prefix = \"13.107.64.0/19\""),
        ("prefix = \"13.107.64.0/18\"", "prefix = \"52.112.0.0/14\""),
        ("region = \"japaneast\"", "region = \"Japan\""),
        ("region = \"Japan\"", "region = \"Asia\""),
        ("region = \"Japan\"", "region = \"Europe\""),
        ("region = \"Japan\"", "region = [\"japaneast\", \"japanwest\"]"),
        // Wherever both fit, the first is nearer.
        ("region = [\"japaneast\", \"japanwest\", \"Japan\"]", "region = \"Japan\""),
        ("tag = \"Storage\"", "region = \"japaneast\""),
    ] {
        assert_eq!(said(one, other), None, "{one}, {other}");
        assert_eq!(said(other, one), None, "{other}, {one}");
    }
}

#[test]
fn a_tie_is_told_with_both_names_and_lines() {
    let said = said("service = \"skype\"", "service = \"skype\"").unwrap();
    assert!(said.starts_with("b.toml:24:8: policy.rule[1].name: "), "{said}");
    assert!(said.contains("rules \"one\" (line 20) and \"other\" (line 23) are equally specific"), "{said}");
}

#[test]
fn a_tie_at_other_sites_of_the_fleet_is_told_too() {
    assert!(said("market = \"Japan\"", "market = \"Japan\"").is_some());
}
