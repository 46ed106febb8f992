//! Kernel settings. Peerward writes none of them: they are the owner's to decide.

use super::{Evidence, Finding, Grade, Topic};
use crate::domain::{Family, IfIndex};

/// What Peerward asks of its netlink sockets; without `CAP_NET_ADMIN` the kernel gives `net.core.rmem_max` at most.
const WANTED_BUFFER: i64 = 8 * 1024 * 1024;
const STRICT: i64 = 1;

pub(super) fn examine(evidence: &Evidence) -> Vec<Finding> {
    let mut findings = vec![forwarding(evidence)];
    findings.extend(ipv6_forwarding(evidence));
    findings.push(reverse_path(evidence));
    findings.extend(router_advertisements(evidence));
    findings.extend(compat_mode(evidence));
    findings.extend(hash_policy(evidence));
    findings.push(conntrack(evidence));
    findings.extend(buffers(evidence));
    findings
}

/// `sysctl`'s own spelling: with slashes where an interface's name has a dot in it.
fn spelled(key: &str) -> String {
    if key.contains('.') { key.to_owned() } else { key.replace('/', ".") }
}

fn set(key: &str, value: i64) -> String {
    format!("`sysctl -w {}={value}`, and the same line in /etc/sysctl.d/90-peerward.conf to keep it", spelled(key))
}

fn forwarding(evidence: &Evidence) -> Finding {
    const KEY: &str = "net/ipv4/ip_forward";
    match evidence.settings.number(KEY) {
        None => Finding::skipped(Topic::Forwarding, "net.ipv4.ip_forward cannot be read"),
        Some(0) => Finding::new(
            if evidence.enforces() { Grade::Error } else { Grade::Warning },
            Topic::Forwarding,
            "this machine does not forward IPv4 (net.ipv4.ip_forward = 0)",
            "only forwarded traffic is steered, and there is none",
            set(KEY, 1),
        ),
        Some(_) => Finding::ok(Topic::Forwarding, "IPv4 is forwarded (net.ipv4.ip_forward = 1)"),
    }
}

fn ipv6_forwarding(evidence: &Evidence) -> Option<Finding> {
    const KEY: &str = "net/ipv6/conf/all/forwarding";
    let carried = evidence.lines().iter().any(|line| line.in_family(Family::Ipv6).0);
    let Some(value) = evidence.settings.number(KEY) else {
        return Some(Finding::ok(Topic::Forwarding, "this kernel runs without IPv6: IPv4 alone is steered"));
    };
    if !carried {
        return None;
    }
    if value != 0 {
        return Some(Finding::ok(Topic::Forwarding, "IPv6 is forwarded (net.ipv6.conf.all.forwarding = 1)"));
    }
    let attached = evidence.lines().iter().any(|line| has_default(evidence, &line.interface, Family::Ipv6));
    Some(Finding::new(
        if attached { Grade::Warning } else { Grade::Advice },
        Topic::Forwarding,
        "this machine does not forward IPv6 (net.ipv6.conf.all.forwarding = 0)",
        "only forwarded traffic is steered, and there is none of IPv6",
        format!(
            "{} (interfaces that learn their default route from router advertisements in the kernel then need \
             accept_ra = 2); or ipv6 = \"off\" at the uplinks",
            set(KEY, 1)
        ),
    ))
}

/// Whether a default route leaves by an interface.
fn has_default(evidence: &Evidence, interface: &str, family: Family) -> bool {
    let index = evidence.link(interface).map(|link| link.index);
    index.is_some_and(|index: IfIndex| {
        evidence.inventory.defaults.as_ref().is_some_and(|defaults| defaults.contains(&(family, index)))
    })
}

/// The kernel takes the stricter-numbered of two: the larger of `all` and the interface's own.
fn filter(evidence: &Evidence, interface: &str) -> Option<i64> {
    let of = |name: &str| evidence.settings.number(&format!("net/ipv4/conf/{name}/rp_filter"));
    Some(of("all")?.max(of(interface)?))
}

fn reverse_path(evidence: &Evidence) -> Finding {
    let strict: Vec<&str> = (evidence.lines().iter())
        .filter(|line| line.in_family(Family::Ipv4).0)
        .map(|line| line.interface.as_str())
        .filter(|interface| filter(evidence, interface) == Some(STRICT))
        .collect();
    if strict.is_empty() {
        return Finding::ok(Topic::RpFilter, "no uplink has a strict reverse-path filter");
    }
    let found = format!("the reverse-path filter is strict (rp_filter = 1) on {}", strict.join(", "));
    let keys: Vec<String> = strict.iter().map(|name| format!("net/ipv4/conf/{name}/rp_filter")).collect();
    let remedy = format!(
        "make it loose (2 wins over 1 in net.ipv4.conf.all.rp_filter): {}",
        keys.iter().map(|key| set(key, 2)).collect::<Vec<_>>().join("; ")
    );
    let moved = "an answer to a client is accepted only by the uplink that its class is on at the moment: when a class \
                 moves, the answers still under way by the old uplink are dropped, and where return traffic comes by \
                 another ISP than it left by (provider-independent addresses, no NAT), all of them are";
    if evidence.enforces() {
        let meaning =
            format!("probes are fine (Peerward's rules `from ADDRESS` lead their answers back); but {moved}");
        return Finding::new(Grade::Advice, Topic::RpFilter, found, meaning, remedy);
    }
    let unused = "in observe there are no probe rules: answers to probes are accepted only by the uplink that the \
                  router's own default route leaves by, and the other ones look dead";
    let grade = if evidence.lines().len() > 1 { Grade::Warning } else { Grade::Advice };
    Finding::new(grade, Topic::RpFilter, found, format!("{unused}; in enforce, {moved}"), remedy)
}

/// A kernel that forwards ignores router advertisements unless `accept_ra` is 2. Programs that read them themselves
/// (networkd, NetworkManager, odhcp6c) set it to 0 and do not need it.
fn router_advertisements(evidence: &Evidence) -> Vec<Finding> {
    let lines = evidence.lines().iter().filter(|line| line.in_family(Family::Ipv6) == (true, true));
    lines
        .filter_map(|line| {
            let interface = &line.interface;
            let key = format!("net/ipv6/conf/{interface}/accept_ra");
            let forwards = evidence.settings.number(&format!("net/ipv6/conf/{interface}/forwarding"))? != 0;
            let deaf = forwards && evidence.settings.number(&key)? == 1;
            (deaf && !has_default(evidence, interface, Family::Ipv6)).then(|| {
                Finding::new(
                    Grade::Advice,
                    Topic::RouterAdvertisements,
                    format!("{interface} ignores router advertisements (accept_ra = 1 while IPv6 is forwarded)"),
                    "it gets no IPv6 default route by them, so the uplink carries IPv4 alone",
                    format!("{}; or ipv6 = \"off\" at the uplink {}", set(&key, 2), line.name),
                )
            })
        })
        .collect()
}

fn compat_mode(evidence: &Evidence) -> Option<Finding> {
    const KEY: &str = "net/ipv4/nexthop_compat_mode";
    Some(match evidence.settings.number(KEY)? {
        0 => Finding::ok(Topic::CompatMode, "moving a class notifies of no single route (nexthop_compat_mode = 0)"),
        _ => Finding::new(
            Grade::Advice,
            Topic::CompatMode,
            "net.ipv4.nexthop_compat_mode = 1, the kernel's default",
            "when a class moves, the kernel notifies of every route of it: 45 ms instead of under 1 ms for 50,000 IPv4 \
             routes, 53 ms instead of 15 ms for IPv6 (measured on Linux 6.18); a few hundred routes make no difference",
            format!("{}, if no other program here needs single routes told (old routing daemons do)", set(KEY, 0)),
        ),
    })
}

/// By addresses alone, all that one client has with one front door takes one uplink, and behind a proxy all there is.
fn hash_policy(evidence: &Evidence) -> Vec<Finding> {
    let keys = ["net/ipv4/fib_multipath_hash_policy", "net/ipv6/fib_multipath_hash_policy"];
    let by_address = keys.into_iter().filter(|key| evidence.balances && evidence.settings.number(key) == Some(0));
    by_address
        .map(|key| {
            Finding::new(
                Grade::Advice,
                Topic::HashPolicy,
                format!("{} = 0, the kernel's default", spelled(key)),
                "a rule of policy balances, and flows are told apart by their addresses alone: all that one client has \
                 with one address of Microsoft's takes the same uplink",
                format!("{} (ports count too)", set(key, 1)),
            )
        })
        .collect()
}

fn conntrack(evidence: &Evidence) -> Finding {
    if evidence.settings.0.contains_key("net/netfilter/nf_conntrack_max") {
        return Finding::ok(Topic::Kernel, "connection tracking is loaded");
    }
    Finding::ok(Topic::Kernel, "no connection tracking here: no flow keeps an old source address after a move")
}

fn buffers(evidence: &Evidence) -> Option<Finding> {
    const KEY: &str = "net/core/rmem_max";
    let most = evidence.settings.number(KEY)?;
    if most >= WANTED_BUFFER {
        return Some(Finding::ok(Topic::Buffers, format!("sockets may have large buffers (rmem_max = {most})")));
    }
    if evidence.enforces() {
        return Some(Finding::ok(Topic::Buffers, "in enforce, CAP_NET_ADMIN gives sockets the buffers they ask for"));
    }
    Some(Finding::new(
        Grade::Advice,
        Topic::Buffers,
        format!("net.core.rmem_max = {most} bytes"),
        "without CAP_NET_ADMIN, a swarm of route changes overflows the socket by which they are followed; Peerward \
         notices and reads everything again, which costs time on a router with a full routing table",
        format!("with a full table only: {}", set(KEY, WANTED_BUFFER)),
    ))
}
