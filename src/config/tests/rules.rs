//! What rules of policy become: what they match, and what they inherit.

use std::{collections::BTreeMap, time::Duration};

use super::{
    super::{Config, Fallback, Margin, Order, Percentile, RegionMatch, Rule, Strategy},
    BASE, parsed,
};
use crate::domain::{Category, IspId, TimeOfDay};

/// The base with more in `[policy]` and rules below it.
fn with(policy: &str, rules: &str) -> Config {
    parsed(&format!("{BASE}{policy}\n{rules}"))
}

/// The only rule, of a `[[policy.rule]]` with these keys.
fn rule(policy: &str, keys: &str) -> Rule {
    let mut rules = with(policy, &format!("[[policy.rule]]\nname = \"r\"\n{keys}\n")).policy.rules;
    assert_eq!(rules.len(), 1);
    rules.remove(0)
}

#[test]
fn a_rule_says_what_it_is_for_in_the_words_of_the_lists() {
    let keys = "service = \"Skype\"\ncategory = [\"optimize\", \"allow\"]\ntag = \"AzureCloud.JapanEast\"\n\
                region = [\"JapanEast\", \"francecentral\", \"united kingdom\"]\nprefix = \"13.107.64.0/18\"\n\
                market = \"aotearoa\"\n\
                [destinations.service_tags]\nfile = \"tags.json\"\ntags = [\"AzureCloud\"]";
    let matches = rule("", keys).matches;
    assert_eq!(matches.services, ["skype"]);
    assert_eq!(matches.categories, [Category::Optimize, Category::Allow]);
    assert_eq!(matches.tags, ["azurecloud.japaneast"]);
    let region = |name: &str| RegionMatch::Region(name.to_owned());
    let regions = [region("japaneast"), region("centralfrance"), RegionMatch::Market("UK".to_owned())];
    assert_eq!(matches.regions, regions);
    assert_eq!(matches.prefixes, ["13.107.64.0/18".parse().unwrap()]);
    assert_eq!(matches.markets, ["New Zealand"]);
}

#[test]
fn a_rule_knows_the_line_of_its_header() {
    let rules =
        "[[policy.rule]]\nname = \"a\"\nservice = \"skype\"\n\n[[policy.rule]]\nmarket = \"Asia\"\nname = \"b\"\n";
    let lines: Vec<_> = with("", rules).policy.rules.iter().map(|rule| rule.place.line).collect();
    assert_eq!(lines, [21, 25]);
}

#[test]
fn its_isps_are_listed_or_all_or_those_of_the_policy() {
    assert_eq!(rule("", "service = \"skype\"").isps, None);
    assert_eq!(rule("", "service = \"skype\"\nisps = \"*\"").isps, Some(Order::Any));
    assert_eq!(rule("", "service = \"skype\"\nisps = [\"*\"]").isps, Some(Order::Any));
    let listed = rule("", "service = \"skype\"\nisps = [\"ccl\", \"kordia\"]").isps;
    assert_eq!(listed, Some(Order::Listed(vec![IspId(1), IspId(0)])));
}

#[test]
fn what_a_rule_does_not_say_is_as_in_the_policy_key_by_key() {
    let policy = "allow_unqualified = true\nfallback = \"none\"\nleave_after = \"7s\"\nreturn_after = \"8s\"\n\
                  stay_at_least = \"24h\"\nmoves_per_hour = 3\nmove_windows = \"22:00-05:00\"\n\
                  sla = { rtt = \"90ms\", rtt_percentile = 95, jitter = \"9ms\", loss = \"3%\", window = \"30s\" }\n";
    let inheriting = rule(policy, "service = \"skype\"");
    assert!(inheriting.allow_unqualified);
    assert_eq!(inheriting.treatment, with(policy, "").policy.treatment);
    let own = rule(
        policy,
        "service = \"skype\"\nallow_unqualified = false\nfallback = \"any\"\nmove_windows = []\n\
         sla = { jitter = \"off\", loss = \"1%\" }",
    );
    assert!(!own.allow_unqualified);
    let treatment = own.treatment;
    assert_eq!((treatment.fallback, treatment.move_windows.len()), (Fallback::Any, 0));
    assert_eq!((treatment.leave_after, treatment.moves_per_hour), (Duration::from_secs(7), 3));
    assert_eq!(treatment.sla.rtt, Some(Duration::from_millis(90)));
    assert_eq!((treatment.sla.percentile, treatment.sla.window), (Percentile(95), Some(Duration::from_secs(30))));
    assert_eq!((treatment.sla.jitter, treatment.sla.loss), (None, Some(0.01)));
}

#[test]
fn the_policy_may_say_for_its_rules_what_its_own_strategy_has_no_use_for() {
    let policy = "margin = \"20ms\"\nweights = { ccl = 3, kordia = 2 }\n";
    let all = "service = \"skype\"\nisps = \"*\"\n";
    assert_eq!(
        with(policy, "[[policy.rule]]\nname = \"r\"\nmarket = \"Asia\"\nisps = \"*\"\n").policy.treatment.strategy,
        Strategy::Ordered
    );
    let fastest = rule(policy, &format!("{all}strategy = \"fastest\"\nmargin_share = \"2.5%\""));
    let margin = Margin { difference: Duration::from_millis(20), share: 0.025 };
    assert_eq!(fastest.treatment.strategy, Strategy::Fastest(margin));
    let balanced = rule(policy, &format!("{all}strategy = \"balanced\""));
    assert_eq!(balanced.treatment.strategy, Strategy::Balanced(BTreeMap::from([(IspId(0), 2), (IspId(1), 3)])));
}

#[test]
fn weights_are_inherited_for_the_isps_of_the_rule_alone() {
    let policy =
        "strategy = \"balanced\"\nweights = { ccl = 3, kordia = 2 }\n[policy.market.Asia]\npreferred = \"ccl\"\n";
    let ccl = rule(policy, "service = \"skype\"\nisps = \"ccl\"");
    assert_eq!(ccl.treatment.strategy, Strategy::Balanced(BTreeMap::from([(IspId(1), 3)])));
    let own = rule(policy, "service = \"skype\"\nisps = \"*\"\nweights = { ccl = 255 }");
    assert_eq!(own.treatment.strategy, Strategy::Balanced(BTreeMap::from([(IspId(1), 255)])));
    let none = rule(policy, "service = \"skype\"\nweights = {}");
    assert_eq!(none.treatment.strategy, Strategy::Balanced(BTreeMap::new()));
}

#[test]
fn windows_of_the_day_may_go_over_midnight_and_be_the_whole_day() {
    let windows =
        with("move_windows = [\"22:00-05:00\", \"9:30-10:00\", \"00:00-00:00\"]\n", "").policy.treatment.move_windows;
    let at = |hour, minute| TimeOfDay::new(hour, minute).unwrap();
    let inside = |time| windows.iter().map(|window| window.contains(time)).collect::<Vec<_>>();
    assert_eq!(inside(at(4, 59)), [true, false, true]);
    assert_eq!(inside(at(5, 0)), [false, false, true]);
    assert_eq!(inside(at(9, 30)), [false, true, true]);
}

#[test]
fn the_clock_of_a_site_may_be_ahead_of_utc_or_behind() {
    for (written, minutes) in
        [("+13:00", 780), ("-03:30", -210), ("+5:45", 345), ("-00:00", 0), ("+14:00", 840), ("-12:00", -720)]
    {
        let text = BASE.replace("\"New Zealand\"\n", &format!("\"New Zealand\"\nutc_offset = \"{written}\"\n"));
        assert_eq!(parsed(&text).site.utc_offset, minutes, "{written}");
    }
}
