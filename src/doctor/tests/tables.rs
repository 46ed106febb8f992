use super::{assert_says, bad, only, sound};
use crate::{
    doctor::{Evidence, Grade, Name, Topic},
    domain::{Family, RuleDetail, RuleVerdict},
    kernel::TableContents,
};

fn contents(protocol: u8) -> TableContents {
    let first = "203.0.113.0/24".parse().unwrap();
    TableContents { by_protocol: [(protocol, (3, first))].into(), ..TableContents::default() }
}

#[test]
fn routes_of_others_in_our_tables_are_an_error_with_free_numbers() {
    for table in [7700, 7701] {
        let mut evidence = sound();
        evidence.inventory.tables.insert((Family::Ipv6, table), contents(186));
        let finding = only(&evidence, Grade::Error, Topic::Tables);
        assert_says(
            &finding,
            &[&format!("table {table}"), "IPv6", "3 of FRR's bgpd (protocol 186)", "203.0.113.0/24"],
        );
        assert_says(
            &finding,
            &[
                "`ip -6 route show table",
                "table = 8000, backup_table = 8001, probe_table = 8010, source_table = 8080",
            ],
        );
    }
}

#[test]
fn free_numbers_are_neither_used_nor_named() {
    let mut evidence = sound();
    evidence.inventory.tables.insert((Family::Ipv4, 7700), contents(4));
    evidence.inventory.tables.insert((Family::Ipv4, 8099), contents(4));
    evidence.names.tables.push(Name { number: 8250, name: "vpn".to_owned(), file: "rt_tables".to_owned() });
    assert_says(&only(&evidence, Grade::Error, Topic::Tables), &["table = 8300"]);
}

#[test]
fn routes_of_others_in_a_probe_table_in_use_are_a_warning() {
    let mut evidence = sound();
    evidence.inventory.tables.insert((Family::Ipv4, 7711), contents(3));
    assert_says(&only(&evidence, Grade::Warning, Topic::Tables), &["7711", "measure the wrong path"]);
}

#[test]
fn our_own_routes_and_tables_of_others_are_well() {
    let mut evidence = sound();
    evidence.inventory.tables.insert((Family::Ipv4, 7700), contents(77));
    evidence.inventory.tables.insert((Family::Ipv4, 100), contents(3));
    evidence.inventory.under_our_number.insert((Family::Ipv4, 7700), (3, "13.107.6.0/24".parse().unwrap()));
    evidence.names.tables.push(Name { number: 7700, name: "peerward".to_owned(), file: "rt_tables".to_owned() });
    evidence.names.protocols.push(Name { number: 77, name: "peerward".to_owned(), file: "rt_protos".to_owned() });
    assert!(bad(&evidence).is_empty(), "{:#?}", bad(&evidence));
}

#[test]
fn a_name_that_somebody_gave_to_our_table_is_a_warning() {
    let mut evidence = sound();
    let file = "/etc/iproute2/rt_tables".to_owned();
    evidence.names.tables.push(Name { number: 7701, name: "pbr_wan".to_owned(), file });
    assert_says(&only(&evidence, Grade::Warning, Topic::Tables), &["/etc/iproute2/rt_tables", "7701", "pbr_wan"]);
}

#[test]
fn routes_under_our_number_in_the_main_table_are_another_programs() {
    let mut evidence = sound();
    evidence.inventory.under_our_number.insert((Family::Ipv4, 254), (12, "10.1.0.0/16".parse().unwrap()));
    let finding = only(&evidence, Grade::Error, Topic::Protocol);
    assert_says(&finding, &["another program", "12 IPv4 routes in table 254", "10.1.0.0/16", "protocol = 78"]);
}

type Change = fn(&mut Evidence, &RuleDetail);

#[test]
fn what_is_under_our_number_and_not_ordered_is_a_warning_because_it_will_be_removed() {
    let rule = RuleDetail {
        preference: 9000,
        protocol: Some(77),
        verdict: RuleVerdict::Table(900),
        ..RuleDetail::new(Family::Ipv4)
    };
    let changes: [(Change, &str); 3] = [
        (|evidence, rule| evidence.inventory.rules.push(rule.clone()), "rule `9000: from all lookup 900`"),
        (|evidence, _| evidence.inventory.stray_next_hops.push(5), "next hop 5"),
        (
            |evidence, _| {
                evidence
                    .inventory
                    .under_our_number
                    .insert((Family::Ipv6, 900), (1, "2001:db8::/32".parse().unwrap()));
            },
            "1 IPv6 routes in table 900, such as 2001:db8::/32",
        ),
    ];
    for (change, words) in changes {
        let mut evidence = sound();
        change(&mut evidence, &rule);
        let finding = only(&evidence, Grade::Warning, Topic::Protocol);
        assert_says(&finding, &[words, "in enforce, Peerward removes them", "protocol = 78"]);
    }
}

#[test]
fn a_protocol_number_that_is_somebody_elses_is_an_error() {
    let mut evidence = sound();
    evidence.own.protocol = 12;
    assert_says(&only(&evidence, Grade::Error, Topic::Protocol), &["12 is BIRD's by long custom", "protocol = 78"]);

    let mut evidence = sound();
    for number in [77, 78] {
        let file = "/etc/iproute2/rt_protos.d/acme.conf".to_owned();
        evidence.names.protocols.push(Name { number, name: "acme".to_owned(), file });
    }
    let finding = only(&evidence, Grade::Error, Topic::Protocol);
    assert_says(&finding, &["77 is named `acme` in /etc/iproute2/rt_protos.d/acme.conf", "protocol = 79"]);
}

#[test]
fn next_hops_of_others_in_our_range_are_a_warning_with_another_range() {
    let mut evidence = sound();
    evidence.inventory.strange_next_hops = Some([(0x7700_0005, 11), (0x7700_0006, 11)].into());
    let finding = only(&evidence, Grade::Warning, Topic::NextHops);
    assert_says(&finding, &["): 2, such as 1996488709 of zebra (protocol 11)", "nexthop_base = 0x78000000"]);
}

#[test]
fn a_kernel_whose_groups_are_not_resilient_matters_only_where_traffic_is_balanced() {
    let rigid = Evidence { rigid: true, ..sound() };
    assert!(bad(&rigid).is_empty());
    let finding = only(&Evidence { balances: true, ..rigid }, Grade::Advice, Topic::NextHops);
    assert_says(&finding, &["no resilient next-hop groups", "flows of the others move too", "Linux 5.13"]);
    assert!(bad(&Evidence { balances: true, ..sound() }).is_empty());
}

#[test]
fn a_kernel_without_next_hop_objects_or_rules_is_an_error() {
    let mut evidence = sound();
    evidence.inventory.strange_next_hops = None;
    assert_says(&only(&evidence, Grade::Error, Topic::Kernel), &["no next-hop objects", "Linux 5.4"]);

    let mut evidence = sound();
    evidence.inventory.abilities.remove(&Family::Ipv4);
    assert_says(
        &only(&evidence, Grade::Error, Topic::Kernel),
        &["no IPv4 policy rules", "CONFIG_IP_MULTIPLE_TABLES"],
    );

    let mut evidence = sound();
    evidence.inventory.abilities.remove(&Family::Ipv6);
    assert_says(&only(&evidence, Grade::Advice, Topic::Kernel), &["no IPv6 policy rules"]);

    let mut evidence = sound();
    evidence.inventory.abilities.get_mut(&Family::Ipv4).unwrap().protocol = false;
    assert_says(&only(&evidence, Grade::Error, Topic::Kernel), &["FRA_PROTOCOL, Linux 4.17"]);
}
