//! The interfaces of the configuration, and those of the clients.

use std::collections::BTreeSet;

use ipnet::IpNet;

use super::{Evidence, Finding, Grade, Line, Topic, evidence::written};
use crate::domain::{Family, Link};

pub(super) fn examine(evidence: &Evidence) -> Vec<Finding> {
    if evidence.uplinks.is_none() {
        return vec![Finding::new(
            Grade::Advice,
            Topic::Configuration,
            "there is no configuration",
            "the numbers of its defaults were examined, and no uplinks",
            "write /etc/peerward/peerward.toml, or name one with --config",
        )];
    }
    let mut findings: Vec<Finding> = evidence.lines().iter().map(|line| uplink(evidence, line)).collect();
    findings.push(clients(evidence));
    findings.extend(ipv6_sources(evidence));
    findings
}

fn uplink(evidence: &Evidence, line: &Line) -> Finding {
    let name = if line.name == line.interface {
        line.name.clone()
    } else {
        format!("{} (interface {})", line.name, line.interface)
    };
    let unused = "the uplink is not usable: its ISP gets no traffic by it";
    let Some(link) = evidence.link(&line.interface) else {
        return Finding::new(
            Grade::Warning,
            Topic::Uplinks,
            format!("{name}: there is no interface {}", line.interface),
            format!("{unused}; it is picked up when it appears"),
            format!("`ip link` shows what there is ({}); correct `interface` at that uplink", others(evidence)),
        );
    };
    if let Some(bundle) = evidence.inventory.links.values().find(|other| is_port_of(link, other)) {
        return Finding::new(
            Grade::Warning,
            Topic::Uplinks,
            format!("{name}: is a port of {}", bundle.name),
            "addresses and routes are the bundle's (a bridge or a bond), and so must be the uplink",
            format!("interface = \"{}\" at that uplink", bundle.name),
        );
    }
    if !link.admin_up {
        let remedy = format!("`ip link set {} up`", link.name);
        return Finding::new(Grade::Warning, Topic::Uplinks, format!("{name}: is switched off"), unused, remedy);
    }
    if !link.carrier {
        let found = format!("{name}: has no carrier");
        return Finding::new(Grade::Warning, Topic::Uplinks, found, unused, "look at the cable and the modem");
    }
    let lacks: Vec<(Family, &str)> = (Family::BOTH.into_iter())
        .filter(|family| line.in_family(*family).0)
        .filter_map(|family| lacking(evidence, line, link, family).map(|what| (family, what)))
        .collect();
    let carried = Family::BOTH.into_iter().filter(|family| line.in_family(*family).0).count();
    let told: Vec<String> = lacks.iter().map(|(family, what)| format!("no {} {what}", written(*family))).collect();
    if lacks.is_empty() {
        return Finding::ok(Topic::Uplinks, format!("{name}: up, with address and way out"));
    }
    if lacks.len() < carried {
        return Finding::ok(Topic::Uplinks, format!("{name}: up; {}", told.join(", ")));
    }
    Finding::new(
        Grade::Warning,
        Topic::Uplinks,
        format!("{name}: has {}", told.join(" and ")),
        unused,
        "see to it that DHCP, PPP, router advertisements or a static configuration set it (a default route of any metric \
         will do); or name the gateway: ipv4 = \"ADDRESS\" at that uplink",
    )
}

/// A member of a VRF has addresses of its own; a port of a bridge or a bond has not.
fn is_port_of(link: &Link, other: &Link) -> bool {
    link.master == Some(other.index) && other.vrf_table.is_none()
}

fn lacking(evidence: &Evidence, line: &Line, link: &Link, family: Family) -> Option<&'static str> {
    let addressed = |address: &&crate::domain::Address| {
        address.index == link.index && address.global && Family::of_net(address.net) == family
    };
    if !evidence.inventory.addresses.iter().any(|address| addressed(&address)) {
        return Some("address");
    }
    let defaults = evidence.inventory.defaults.as_ref()?;
    let (_, learned) = line.in_family(family);
    (learned && !defaults.contains(&(family, link.index))).then_some("default route")
}

/// Names of interfaces that are no uplinks, for a person who mistyped one.
fn others(evidence: &Evidence) -> String {
    const SHOWN: usize = 12;
    let names: Vec<&str> = (evidence.inventory.links.values())
        .filter(|link| link.name != "lo" && !evidence.is_uplink(&link.name))
        .map(|link| link.name.as_str())
        .take(SHOWN)
        .collect();
    if names.is_empty() { "nothing but the uplinks and lo".to_owned() } else { names.join(", ") }
}

fn clients(evidence: &Evidence) -> Finding {
    let inside: Vec<&str> = (evidence.inventory.links.values())
        .filter(|link| link.name != "lo" && !evidence.is_uplink(&link.name))
        .filter(|link| evidence.inventory.addresses.iter().any(|held| held.index == link.index && held.global))
        .map(|link| link.name.as_str())
        .collect();
    if inside.is_empty() {
        return Finding::new(
            Grade::Warning,
            Topic::Lan,
            "no interface but the uplinks has an address",
            "only forwarded traffic is steered, and nothing is behind this router",
            "give the interface of the clients its address; an interface that is the clients' must not be an uplink",
        );
    }
    Finding::ok(Topic::Lan, format!("clients may be behind {}", inside.join(", ")))
}

/// Addresses of one ISP that leave by another are dropped there (BCP 38), and IPv6 has no NAT as a rule.
fn ipv6_sources(evidence: &Evidence) -> Option<Finding> {
    // 2000::/3, the only space that is routed on the internet.
    let is_global = |net: &IpNet| matches!(net, IpNet::V6(net) if net.addr().octets()[0] & 0xe0 == 0x20);
    let with_ipv6 = |interface: &str| {
        let index = evidence.link(interface).map(|link| link.index);
        evidence.inventory.addresses.iter().any(|held| Some(held.index) == index && is_global(&held.net))
    };
    let lines: Vec<&Line> = (evidence.lines().iter())
        .filter(|line| line.in_family(Family::Ipv6).0 && with_ipv6(&line.interface))
        .collect();
    let isps: BTreeSet<&str> = lines.iter().map(|line| line.isp.as_str()).collect();
    let open: Vec<&str> = lines.iter().filter(|line| line.any_source).map(|line| line.name.as_str()).collect();
    let inside: Vec<&str> = (evidence.inventory.links.values())
        .map(|link| link.name.as_str())
        .filter(|name| *name != "lo" && !evidence.is_uplink(name) && with_ipv6(name))
        .collect();
    if isps.len() < 2 || inside.is_empty() {
        return None;
    }
    let (inside, isps) = (inside.join(", "), isps.into_iter().collect::<Vec<_>>().join(", "));
    if open.is_empty() {
        let text = format!("each of the ISPs with IPv6 ({isps}) gets only the sources that it lets through");
        return Some(Finding::ok(Topic::Ipv6Source, text));
    }
    Some(Finding::new(
        Grade::Advice,
        Topic::Ipv6Source,
        format!(
            "clients behind {inside} have global IPv6 addresses, several ISPs carry IPv6 ({isps}), and ipv6_source is \
             \"any\" at {}",
            open.join(", ")
        ),
        "an ISP drops packets whose source is another ISP's address (BCP 38): clients lose IPv6 where their class is on \
         an ISP that their address is not from, unless the addresses are your own or this router translates them",
        "ipv6_source = \"auto\" at these uplinks, or the list of prefixes that the ISP lets through; nothing, where \
         prefixes are your own or translated (NPTv6)",
    ))
}
