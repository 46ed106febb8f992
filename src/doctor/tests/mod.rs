//! Every finding from evidence that is made up: a sound router first, then one thing wrong at a time.

mod files;
mod rules;
mod settings;
mod tables;
mod uplinks;

use super::{Evidence, Finding, Grade, Line, Topic, examine};
use crate::{
    config::{Kernel, Mode},
    domain::{Address, Family, IfIndex, Link, RuleDetail, RuleVerdict},
    kernel::{Inventory, RuleAbilities},
};

/// A router in enforce with two uplinks and clients, as it should be.
pub fn sound() -> Evidence {
    let line = |number: usize| Line {
        name: format!("wan{number}"),
        isp: ["north", "south"][number].to_owned(),
        interface: format!("wan{number}"),
        carries: [true, true],
        auto: [true, true],
        any_source: true,
    };
    let mut evidence = Evidence {
        own: Kernel { mode: Mode::Enforce, ..Kernel::default() },
        uplinks: Some(vec![line(0), line(1)]),
        destinations: ["13.107.6.0/24", "2620:1ec::/32"].iter().map(|net| net.parse().unwrap()).collect(),
        inventory: Inventory {
            strange_next_hops: Some([].into()),
            defaults: Some([].into()),
            ..Inventory::default()
        },
        ..Evidence::default()
    };
    for (index, name) in [(1, "lo"), (2, "wan0"), (3, "wan1"), (4, "lan0")] {
        let index = IfIndex(index);
        let link =
            Link { index, name: name.to_owned(), admin_up: true, carrier: true, master: None, vrf_table: None };
        evidence.inventory.links.insert(index, link);
    }
    for (index, net) in [(2, "198.51.100.2/24"), (3, "203.0.113.2/24"), (4, "192.168.7.1/24"), (2, "2001:db8::2/64")]
    {
        let net = net.parse().unwrap();
        evidence.inventory.addresses.push(Address { index: IfIndex(index), net, global: true, ready: true });
    }
    for (family, index) in [(Family::Ipv4, 2), (Family::Ipv4, 3), (Family::Ipv6, 2)] {
        evidence.inventory.defaults.as_mut().unwrap().insert((family, IfIndex(index)));
    }
    for family in Family::BOTH {
        let abilities = RuleAbilities { rules: true, protocol: true, suppress: true };
        evidence.inventory.abilities.insert(family, abilities);
        for (preference, table) in [(0, 255), (32_766, 254), (32_767, 253)] {
            let verdict = RuleVerdict::Table(table);
            let rule = RuleDetail { preference, protocol: Some(2), verdict, ..RuleDetail::new(family) };
            evidence.inventory.rules.push(rule);
        }
    }
    for (key, value) in [
        ("net/ipv4/ip_forward", "1"),
        ("net/ipv6/conf/all/forwarding", "1"),
        ("net/ipv4/nexthop_compat_mode", "0"),
        ("net/ipv4/conf/all/rp_filter", "0"),
        ("net/ipv4/conf/wan0/rp_filter", "2"),
        ("net/ipv4/conf/wan1/rp_filter", "0"),
        ("net/netfilter/nf_conntrack_max", "262144"),
        ("net/core/rmem_max", "212992"),
    ] {
        evidence.settings.0.insert(key.to_owned(), value.to_owned());
    }
    evidence
}

/// What is worse than ok.
pub fn bad(evidence: &Evidence) -> Vec<Finding> {
    examine(evidence).into_iter().filter(|finding| finding.severity > Grade::Ok).collect()
}

/// The only thing that is worse than ok, which must be of this grade and topic.
#[track_caller]
pub fn only(evidence: &Evidence, grade: Grade, topic: Topic) -> Finding {
    let mut bad = bad(evidence);
    assert_eq!(bad.iter().map(|it| (it.severity, it.topic)).collect::<Vec<_>>(), [(grade, topic)], "{bad:#?}");
    bad.remove(0)
}

/// Asserts that a finding has all that a person needs, and these words in it.
#[track_caller]
pub fn assert_says(finding: &Finding, words: &[&str]) {
    let text = format!("{finding:?}");
    assert!(finding.meaning.is_some() && finding.remedy.is_some(), "{text}");
    for word in words {
        assert!(text.contains(word), "{word:?} is not in {text}");
    }
}

#[test]
fn a_sound_router_has_nothing_but_ok_and_every_subject_is_named() {
    let findings = examine(&sound());
    assert!(findings.iter().all(|finding| finding.severity == Grade::Ok), "{findings:#?}");
    for topic in [
        Topic::Uplinks,
        Topic::Lan,
        Topic::Tables,
        Topic::Rules,
        Topic::Protocol,
        Topic::NextHops,
        Topic::Kernel,
        Topic::Forwarding,
        Topic::RpFilter,
        Topic::CompatMode,
        Topic::Buffers,
        Topic::Networkd,
        Topic::Agents,
    ] {
        assert!(findings.iter().any(|finding| finding.topic == topic), "{topic:?}");
    }
}

#[test]
fn the_worst_comes_first() {
    let mut evidence = sound();
    evidence.settings.0.insert("net/ipv4/ip_forward".to_owned(), "0".to_owned());
    evidence.settings.0.insert("net/ipv4/nexthop_compat_mode".to_owned(), "1".to_owned());
    evidence.inventory.links.remove(&IfIndex(2));
    evidence.inventory.missed.push("cannot list links: the list changed".to_owned());
    let grades: Vec<Grade> = bad(&evidence).iter().map(|finding| finding.severity).collect();
    assert_eq!(grades, [Grade::Error, Grade::Warning, Grade::Advice, Grade::Skipped]);
}

#[test]
fn the_words_of_grades_and_topics_are_those_of_json() {
    for topic in [Topic::Ipv6Source, Topic::RpFilter, Topic::NetworkManager, Topic::NextHops] {
        assert_eq!(serde_json::to_value(topic).unwrap(), topic.as_str());
    }
    for grade in [Grade::Ok, Grade::Skipped, Grade::Advice, Grade::Warning, Grade::Error] {
        assert_eq!(serde_json::to_value(grade).unwrap(), grade.as_str());
    }
}
