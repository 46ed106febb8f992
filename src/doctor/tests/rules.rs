use super::{assert_says, bad, only, sound};
use crate::{
    doctor::{Evidence, Grade, Topic, examine},
    domain::{Family, RuleDetail, RuleVerdict},
    kernel::TableContents,
};

fn rule(preference: u32, table: u32) -> RuleDetail {
    RuleDetail { preference, verdict: RuleVerdict::Table(table), protocol: Some(3), ..RuleDetail::new(Family::Ipv4) }
}

fn marked(preference: u32, mark: (u32, u32), table: u32) -> RuleDetail {
    RuleDetail { mark: Some(mark), ..rule(preference, table) }
}

fn with(rules: impl IntoIterator<Item = RuleDetail>) -> Evidence {
    let mut evidence = sound();
    evidence.inventory.rules.extend(rules);
    evidence
}

fn has_default(evidence: &mut Evidence, table: u32) {
    let contents = TableContents { default: true, ..TableContents::default() };
    evidence.inventory.tables.insert((Family::Ipv4, table), contents);
}

/// What is said of rules although all is well.
fn ok_words(evidence: &Evidence) -> String {
    assert!(bad(evidence).is_empty(), "{:#?}", bad(evidence));
    let findings = examine(evidence);
    let of_rules = findings.iter().filter(|finding| finding.topic == Topic::Rules);
    of_rules.map(|finding| finding.found.as_str()).collect::<Vec<_>>().join("\n")
}

fn mwan3() -> Vec<RuleDetail> {
    vec![
        RuleDetail { input: Some("wan0".to_owned()), ..rule(1001, 1) },
        marked(2001, (0x100, 0x3f00), 1),
        marked(2002, (0x200, 0x3f00), 2),
        RuleDetail { verdict: RuleVerdict::Blackhole, ..marked(2061, (0x3d00, 0x3f00), 0) },
        RuleDetail { verdict: RuleVerdict::Unreachable, ..marked(3001, (0x100, 0x3f00), 0) },
    ]
}

#[test]
fn mwan3_before_ours_is_told_with_the_preferences_that_go_before_it() {
    let mut evidence = with(mwan3());
    has_default(&mut evidence, 1);
    has_default(&mut evidence, 2);
    let finding = only(&evidence, Grade::Warning, Topic::Rules);
    assert_says(&finding, &["mwan3", "`2001: from all fwmark 0x100/0x3f00 lookup 1`", "2061", "blackhole", "3001"]);
    assert_says(&finding, &["probe_rule_preference = 720, rule_preference = 730, backup_rule_preference = 731"]);
    assert!(!finding.found.contains("1001"), "what comes in from an ISP goes to the clients: {}", finding.found);
}

#[test]
fn beside_mwan3_the_recommended_preferences_are_well() {
    let mut evidence = with(mwan3());
    has_default(&mut evidence, 1);
    let own = &mut evidence.own;
    (own.probe_rule_preference, own.rule_preference, own.backup_rule_preference) = (720, 730, 731);
    assert!(ok_words(&evidence).contains("mwan3: after ours"));
}

#[test]
fn preferences_of_ours_in_the_range_that_mwan3_clears_are_an_error() {
    let mut evidence = with(mwan3());
    let own = &mut evidence.own;
    (own.probe_rule_preference, own.rule_preference, own.backup_rule_preference) = (900, 1000, 4000);
    let finding = bad(&evidence).into_iter().find(|finding| finding.severity == Grade::Error).unwrap();
    assert_says(&finding, &["mwan3", "preferences 1000 are in its range", "deletes every rule", "730"]);
}

#[test]
fn tailscale_is_well_until_an_exit_node_is_chosen() {
    let rules = || {
        let bypass = (0x8_0000, 0xff_0000);
        [
            marked(5210, bypass, 254),
            RuleDetail { verdict: RuleVerdict::Unreachable, ..marked(5250, bypass, 0) },
            rule(5270, 52),
        ]
    };
    let mut evidence = with(rules());
    let contents = TableContents {
        by_protocol: [(3, (4, "100.64.0.0/10".parse().unwrap()))].into(),
        ..TableContents::default()
    };
    evidence.inventory.tables.insert((Family::Ipv4, 52), contents);
    assert!(ok_words(&evidence).contains("Tailscale: before ours"), "its own packets alone are marked");

    has_default(&mut evidence, 52);
    let finding = only(&evidence, Grade::Error, Topic::Rules);
    assert_says(&finding, &["Tailscale", "`5270: from all lookup 52`", "all forwarded traffic", "720"]);
}

#[test]
fn pbr_comes_after_ours() {
    let mut evidence = with([marked(30_000, (0x1_0000, 0xff_0000), 256)]);
    has_default(&mut evidence, 256);
    assert!(ok_words(&evidence).contains("pbr: after ours"));
    evidence.own.backup_rule_preference = 31_001;
    evidence.own.rule_preference = 31_000;
    let finding = only(&evidence, Grade::Warning, Topic::Rules);
    assert_says(&finding, &["pbr", "30000"]);
}

fn tunnel(preference: u32) -> Vec<RuleDetail> {
    let everything = RuleDetail { inverted: true, ..marked(preference, (0xca6c, u32::MAX), 51_820) };
    vec![everything, RuleDetail { suppress: Some(0), ..rule(preference - 1, 254) }]
}

#[test]
fn a_tunnel_that_the_kernel_put_directly_before_ours_is_told_to_take_another_preference() {
    let mut evidence = with(tunnel(7689));
    has_default(&mut evidence, 51_820);
    let finding = only(&evidence, Grade::Error, Topic::Rules);
    assert_says(&finding, &["WireGuard", "7689: not from all fwmark 0xca6c lookup 51820", "without a preference"]);
    assert_says(&finding, &["explicit preference above 7701"]);
}

#[test]
fn a_tunnel_after_ours_is_bypassed_and_said_so() {
    let mut evidence = with(tunnel(32_765));
    has_default(&mut evidence, 51_820);
    let finding = only(&evidence, Grade::Advice, Topic::Rules);
    assert_says(&finding, &["WireGuard", "not through the tunnel", "until the tunnel is started anew"]);
}

#[test]
fn a_rule_at_one_of_our_preferences_is_a_warning_with_other_numbers() {
    for preference in [7690, 7691, 7698, 7699, 7700, 7701] {
        let finding = only(&with([rule(preference, 100)]), Grade::Warning, Topic::Rules);
        assert_says(&finding, &[&format!("`{preference}: from all lookup 100`"), "added first", "720"]);
    }
}

#[test]
fn a_rule_between_ours_keeps_traffic_from_the_standing_backup() {
    let mut evidence = with([rule(7705, 254)]);
    evidence.own.backup_rule_preference = 7710;
    let finding = only(&evidence, Grade::Warning.max(Grade::Error), Topic::Rules);
    assert_says(&finding, &["between Peerward's rules (7700 and 7710)", "standing backup is not reached"]);
}

#[test]
fn the_main_table_before_ours_takes_everything() {
    let finding = only(&with([rule(1000, 254)]), Grade::Error, Topic::Rules);
    assert_says(&finding, &["`1000: from all lookup main`", "never reaches Peerward's tables"]);
    assert!(bad(&with([RuleDetail { suppress: Some(0), ..rule(1000, 254) }])).is_empty(), "not without its default");
}

#[test]
fn what_drops_or_jumps_past_ours_is_told() {
    for verdict in [RuleVerdict::Blackhole, RuleVerdict::Prohibit, RuleVerdict::Goto(8000)] {
        only(&with([RuleDetail { verdict, ..rule(500, 0) }]), Grade::Error, Topic::Rules);
    }
    for verdict in [RuleVerdict::Nop, RuleVerdict::VrfTable, RuleVerdict::Goto(600)] {
        assert!(bad(&with([RuleDetail { verdict, ..rule(500, 0) }])).is_empty(), "{verdict:?}");
    }
}

#[test]
fn rules_that_match_nothing_that_is_forwarded_to_microsoft_are_well() {
    let wrong_way: [fn(&mut RuleDetail); 6] = [
        |rule| rule.input = Some("lo".to_owned()),
        |rule| rule.input = Some("wan1".to_owned()),
        |rule| rule.output = Some("wan1".to_owned()),
        |rule| rule.source = Some("203.0.113.2/32".parse().unwrap()),
        |rule| rule.destination = Some("10.0.0.0/8".parse().unwrap()),
        |rule| rule.uids = Some((1000, 1999)),
    ];
    for (number, change) in wrong_way.into_iter().enumerate() {
        let mut changed = rule(100, 9);
        change(&mut changed);
        let mut evidence = with([changed]);
        has_default(&mut evidence, 9);
        assert!(bad(&evidence).is_empty(), "number {number}: {:#?}", bad(&evidence));
    }
    let right_way: [fn(&mut RuleDetail); 4] = [
        |rule| rule.input = Some("lan0".to_owned()),
        |rule| rule.source = Some("192.168.7.0/24".parse().unwrap()),
        |rule| rule.destination = Some("13.107.6.152/32".parse().unwrap()),
        |rule| rule.destination_ports = Some((443, 443)),
    ];
    for change in right_way {
        let mut changed = rule(100, 9);
        change(&mut changed);
        let mut evidence = with([changed]);
        has_default(&mut evidence, 9);
        only(&evidence, Grade::Warning, Topic::Rules);
    }
}

#[test]
fn more_specific_routes_of_the_router_are_advice() {
    let mut evidence = with([rule(220, 220)]);
    let contents = TableContents { touching: 2, ..TableContents::default() };
    evidence.inventory.tables.insert((Family::Ipv4, 220), contents);
    let finding = only(&evidence, Grade::Advice, Topic::Rules);
    assert_says(&finding, &["strongSwan", "2 routes inside steered space"]);
}

#[test]
fn rules_of_both_families_are_shown_once() {
    let of = |family| RuleDetail { family, ..rule(1000, 254) };
    let finding = only(&with([of(Family::Ipv4), of(Family::Ipv6)]), Grade::Error, Topic::Rules);
    assert_says(&finding, &["`1000: from all lookup main` (both families)"]);
}

#[test]
fn there_is_room_before_a_low_rule_until_there_is_none() {
    let finding = only(&with([rule(10, 254)]), Grade::Error, Topic::Rules);
    assert_says(&finding, &["probe_rule_preference = 4, rule_preference = 8, backup_rule_preference = 9"]);
    let finding = only(&with([rule(6, 254)]), Grade::Error, Topic::Rules);
    assert_says(&finding, &["give these rules a higher preference"]);
}

#[test]
fn our_own_rules_are_no_strangers() {
    let ours = |preference, table| RuleDetail { protocol: Some(77), ..rule(preference, table) };
    let evidence = with([ours(7690, 254), ours(7691, 7711), ours(7700, 7700), ours(7701, 7701)]);
    assert!(bad(&evidence).is_empty(), "{:#?}", bad(&evidence));
}
