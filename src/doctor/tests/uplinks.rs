use super::{assert_says, bad, only, sound};
use crate::{
    doctor::{AgentSocket, Grade, OtherAgent, Topic, examine},
    domain::{Address, Family, IfIndex},
};

const WAN1: IfIndex = IfIndex(3);

#[test]
fn an_uplink_that_is_missing_is_a_warning_that_names_what_there_is() {
    let mut evidence = sound();
    evidence.inventory.links.remove(&WAN1);
    assert_says(&only(&evidence, Grade::Warning, Topic::Uplinks), &["no interface wan1", "lan0"]);
}

#[test]
fn an_uplink_that_is_off_or_unplugged_is_a_warning() {
    let mut evidence = sound();
    evidence.inventory.links.get_mut(&WAN1).unwrap().carrier = false;
    assert_says(&only(&evidence, Grade::Warning, Topic::Uplinks), &["wan1: has no carrier"]);
    evidence.inventory.links.get_mut(&WAN1).unwrap().admin_up = false;
    assert_says(&only(&evidence, Grade::Warning, Topic::Uplinks), &["`ip link set wan1 up`"]);
}

#[test]
fn a_port_of_a_bridge_is_no_uplink_and_a_member_of_a_vrf_is() {
    let mut evidence = sound();
    evidence.inventory.links.get_mut(&WAN1).unwrap().master = Some(IfIndex(4));
    assert_says(&only(&evidence, Grade::Warning, Topic::Uplinks), &["wan1: is a port of lan0", "interface ="]);
    evidence.inventory.links.get_mut(&IfIndex(4)).unwrap().vrf_table = Some(10);
    assert!(bad(&evidence).is_empty());
}

#[test]
fn an_uplink_without_a_way_out_is_a_warning_and_one_family_is_enough() {
    let mut evidence = sound();
    let ok = examine(&evidence).into_iter().find(|finding| finding.found.starts_with("wan1")).unwrap();
    assert_eq!(ok.found, "wan1: up; no IPv6 address");
    evidence.inventory.defaults.as_mut().unwrap().remove(&(Family::Ipv4, WAN1));
    let finding = only(&evidence, Grade::Warning, Topic::Uplinks);
    assert_says(&finding, &["no IPv4 default route and no IPv6 address"]);
    // A gateway that was named needs no default route.
    evidence.uplinks.as_mut().unwrap()[1].auto = [false, true];
    assert!(bad(&evidence).is_empty());
}

#[test]
fn a_router_without_clients_is_a_warning() {
    let mut evidence = sound();
    evidence.inventory.addresses.retain(|address| address.index != IfIndex(4));
    assert_says(&only(&evidence, Grade::Warning, Topic::Lan), &["no interface but the uplinks"]);
}

#[test]
fn clients_with_ipv6_addresses_behind_two_isps_are_told_of_source_filters() {
    let mut evidence = sound();
    for (index, net) in [(2, "2a00:1::2/64"), (3, "2a00:2::2/64"), (4, "2a00:1:7::1/64")] {
        let net = net.parse().unwrap();
        evidence.inventory.addresses.push(Address { index: IfIndex(index), net, global: true, ready: true });
    }
    evidence.inventory.defaults.as_mut().unwrap().insert((Family::Ipv6, WAN1));
    let finding = only(&evidence, Grade::Advice, Topic::Ipv6Source);
    assert_says(
        &finding,
        &["lan0", "several ISPs carry IPv6 (north, south)", "at wan0, wan1", "BCP 38", "ipv6_source"],
    );
    let lines = evidence.uplinks.as_mut().unwrap();
    for line in lines.iter_mut() {
        line.any_source = false;
    }
    assert!(bad(&evidence).is_empty(), "each gets its own");
    let lines = evidence.uplinks.as_mut().unwrap();
    (lines[0].any_source, lines[1].carries) = (true, [true, false]);
    assert!(bad(&evidence).is_empty(), "one ISP has no such trouble");
}

#[test]
fn without_a_configuration_the_rest_is_examined() {
    let mut evidence = sound();
    evidence.uplinks = None;
    assert_says(&only(&evidence, Grade::Advice, Topic::Configuration), &["/etc/peerward/peerward.toml"]);
}

#[test]
fn a_second_agent_in_this_network_is_an_error() {
    let agent = |pid, same_network| OtherAgent { pid, same_network };
    let mut evidence = sound();
    evidence.agents = vec![agent(7, Some(true)), agent(8, Some(false))];
    assert_says(&only(&evidence, Grade::Error, Topic::Agents), &["process 7", "another control socket"]);
    evidence.socket = AgentSocket::Running("enforce".to_owned());
    assert!(bad(&evidence).is_empty(), "the one that answers");
    evidence.agents.push(agent(9, Some(true)));
    assert_says(&only(&evidence, Grade::Error, Topic::Agents), &["processes 7, 9"]);
    evidence.agents = vec![agent(7, None), agent(9, None)];
    assert_eq!(bad(&evidence)[0].severity, Grade::Skipped, "others' processes are not ours to see");
}

#[test]
fn a_socket_that_cannot_be_asked_is_skipped_with_the_reason() {
    let mut evidence = sound();
    evidence.socket = AgentSocket::Unknown("permission denied".to_owned());
    let bad = bad(&evidence);
    assert_eq!((bad[0].severity, bad[0].found.as_str()), (Grade::Skipped, "permission denied"));
}
