use super::{assert_says, bad, only, sound};
use crate::{
    config::Mode,
    doctor::{Evidence, Grade, Topic},
    domain::{Family, IfIndex},
};

fn with(settings: &[(&str, &str)]) -> Evidence {
    let mut evidence = sound();
    for (key, value) in settings {
        evidence.settings.0.insert((*key).to_owned(), (*value).to_owned());
    }
    evidence
}

#[test]
fn a_router_that_does_not_forward_has_nothing_to_steer() {
    let mut evidence = with(&[("net/ipv4/ip_forward", "0")]);
    let finding = only(&evidence, Grade::Error, Topic::Forwarding);
    assert_says(&finding, &["net.ipv4.ip_forward = 0", "`sysctl -w net.ipv4.ip_forward=1`"]);
    evidence.own.mode = Mode::Observe;
    evidence.settings.0.insert("net/core/rmem_max".to_owned(), "8388608".to_owned());
    only(&evidence, Grade::Warning, Topic::Forwarding);
}

#[test]
fn ipv6_that_is_not_forwarded_matters_as_much_as_there_is_of_it() {
    let mut evidence = with(&[("net/ipv6/conf/all/forwarding", "0")]);
    assert_says(
        &only(&evidence, Grade::Warning, Topic::Forwarding),
        &["net.ipv6.conf.all.forwarding=1", "accept_ra"],
    );
    evidence.inventory.defaults = Some([(Family::Ipv4, IfIndex(2)), (Family::Ipv4, IfIndex(3))].into());
    only(&evidence, Grade::Advice, Topic::Forwarding);
    for line in evidence.uplinks.as_mut().unwrap() {
        line.carries = [true, false];
    }
    assert!(bad(&evidence).is_empty(), "{:#?}", bad(&evidence));
}

#[test]
fn strict_reverse_path_filtering_is_advice_in_enforce_because_probes_are_fine() {
    let evidence = with(&[("net/ipv4/conf/wan1/rp_filter", "1")]);
    let finding = only(&evidence, Grade::Advice, Topic::RpFilter);
    assert_says(&finding, &["strict (rp_filter = 1) on wan1", "probes are fine", "when a class moves"]);
    assert_says(&finding, &["`sysctl -w net.ipv4.conf.wan1.rp_filter=2`"]);
}

#[test]
fn in_observe_a_strict_filter_makes_unused_uplinks_look_dead() {
    let mut evidence = with(&[("net/ipv4/conf/wan1/rp_filter", "1"), ("net/core/rmem_max", "8388608")]);
    evidence.own.mode = Mode::Observe;
    assert_says(&only(&evidence, Grade::Warning, Topic::RpFilter), &["the other ones look dead"]);
    evidence.uplinks.as_mut().unwrap().remove(0);
    only(&evidence, Grade::Advice, Topic::RpFilter);
}

#[test]
fn the_larger_of_all_and_the_interfaces_own_filter_counts() {
    // wan0 has 2 of its own, wan1 has 0.
    let finding = only(&with(&[("net/ipv4/conf/all/rp_filter", "1")]), Grade::Advice, Topic::RpFilter);
    assert!(finding.found.ends_with("on wan1"), "{}", finding.found);
    assert!(bad(&with(&[("net/ipv4/conf/all/rp_filter", "2"), ("net/ipv4/conf/wan1/rp_filter", "1")])).is_empty());
}

#[test]
fn a_dot_in_an_interfaces_name_is_spelled_as_sysctl_wants_it() {
    let mut evidence = with(&[("net/ipv4/conf/eth0.7/rp_filter", "1")]);
    evidence.uplinks.as_mut().unwrap()[1].interface = "eth0.7".to_owned();
    evidence.inventory.links.get_mut(&IfIndex(3)).unwrap().name = "eth0.7".to_owned();
    assert_says(&only(&evidence, Grade::Advice, Topic::RpFilter), &["sysctl -w net/ipv4/conf/eth0.7/rp_filter=2"]);
}

#[test]
fn compat_mode_is_advice_with_the_figures() {
    let finding = only(&with(&[("net/ipv4/nexthop_compat_mode", "1")]), Grade::Advice, Topic::CompatMode);
    assert_says(&finding, &["45 ms", "53 ms instead of 15 ms", "sysctl -w net.ipv4.nexthop_compat_mode=0"]);
}

#[test]
fn a_forwarding_kernel_that_should_learn_its_route_from_advertisements_needs_accept_ra_2() {
    let deaf = [("net/ipv6/conf/wan1/accept_ra", "1"), ("net/ipv6/conf/wan1/forwarding", "1")];
    let finding = only(&with(&deaf), Grade::Advice, Topic::RouterAdvertisements);
    assert_says(&finding, &["wan1 ignores router advertisements", "sysctl -w net.ipv6.conf.wan1.accept_ra=2"]);
    // wan0 has its default route from somebody else.
    let served = [("net/ipv6/conf/wan0/accept_ra", "1"), ("net/ipv6/conf/wan0/forwarding", "1")];
    assert!(bad(&with(&served)).is_empty());
    let heard = [("net/ipv6/conf/wan1/accept_ra", "2"), ("net/ipv6/conf/wan1/forwarding", "1")];
    assert!(bad(&with(&heard)).is_empty());
}

#[test]
fn small_buffers_matter_without_the_capability_only() {
    let mut evidence = sound();
    evidence.own.mode = Mode::Observe;
    assert_says(&only(&evidence, Grade::Advice, Topic::Buffers), &["rmem_max = 212992", "rmem_max=8388608"]);
}

#[test]
fn a_setting_that_cannot_be_read_is_skipped_with_a_word() {
    let mut evidence = sound();
    evidence.settings.0.remove("net/ipv4/ip_forward");
    assert_eq!(bad(&evidence)[0].severity, Grade::Skipped);
}

#[test]
fn where_traffic_is_balanced_ports_should_count() {
    let by_address = [("net/ipv4/fib_multipath_hash_policy", "0"), ("net/ipv6/fib_multipath_hash_policy", "1")];
    assert!(bad(&with(&by_address)).is_empty(), "nothing is balanced");
    let finding = only(&Evidence { balances: true, ..with(&by_address) }, Grade::Advice, Topic::HashPolicy);
    assert_says(&finding, &["flows are told apart by their addresses alone", "net.ipv4.fib_multipath_hash_policy=1"]);
}
