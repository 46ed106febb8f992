//! Next-hop objects, and what the kernel can do.

use super::{Evidence, Finding, Grade, Topic, evidence::written, owners::protocol};
use crate::domain::Family;

/// Ids of our range.
const RANGE: u32 = 0x1_0000;

pub(super) fn examine(evidence: &Evidence) -> Vec<Finding> {
    let mut findings = vec![ids(evidence)];
    findings.extend(groups(evidence));
    findings.extend(Family::BOTH.into_iter().map(|family| rules(evidence, family)));
    findings
}

/// Whether flows of balanced classes can keep their way.
fn groups(evidence: &Evidence) -> Option<Finding> {
    if !evidence.balances || evidence.inventory.strange_next_hops.is_none() {
        return None;
    }
    Some(if evidence.rigid {
        Finding::new(
            Grade::Advice,
            Topic::NextHops,
            "this kernel has no resilient next-hop groups",
            "a rule of policy balances: when an uplink comes or goes, flows of the others move too, and those that are \
             translated break",
            "run Linux 5.13 or newer (`uname -r` shows what runs)",
        )
    } else {
        Finding::ok(Topic::NextHops, "groups are resilient: where traffic is balanced, flows keep their way")
    })
}

fn ids(evidence: &Evidence) -> Finding {
    let base = evidence.own.nexthop_base;
    let Some(strange) = &evidence.inventory.strange_next_hops else {
        return Finding::new(
            Grade::Error,
            Topic::Kernel,
            "this kernel has no next-hop objects",
            "Peerward installs nothing: its routes refer to them, so that a whole class moves by one message",
            "run Linux 5.4 or newer (`uname -r` shows what runs); mode = \"observe\" works without them",
        );
    };
    let Some((first, number)) = strange.first_key_value() else {
        return Finding::ok(
            Topic::NextHops,
            format!(
                "the kernel has next-hop objects, and nobody else has ids in {base:#x} to {:#x}",
                base + (RANGE - 1)
            ),
        );
    };
    let count = strange.len();
    let found = format!(
        "next-hop objects of others in Peerward's range ({base:#x} to {:#x}): {count}, such as {first} of {}",
        base + (RANGE - 1),
        protocol(*number, evidence)
    );
    Finding::new(
        Grade::Warning,
        Topic::NextHops,
        found,
        "Peerward never overwrites them: a class whose id is taken cannot be installed",
        format!("set [kernel] nexthop_base = {:#x}, or another multiple of 0x10000", free_base(base)),
    )
}

/// A range that is neither ours nor the kernel's own lowest, nor FRR's, which counts up from there.
fn free_base(base: u32) -> u32 {
    if base < 0x7800_0000 { 0x7800_0000 } else { 0x7700_0000 }
}

fn rules(evidence: &Evidence, family: Family) -> Finding {
    let abilities = evidence.inventory.abilities.get(&family).copied().unwrap_or_default();
    let name = written(family);
    let (config, absent) = match family {
        Family::Ipv4 => ("CONFIG_IP_MULTIPLE_TABLES", Grade::Error),
        Family::Ipv6 => ("CONFIG_IPV6_MULTIPLE_TABLES", Grade::Advice),
    };
    if !abilities.rules {
        return Finding::new(
            absent,
            Topic::Kernel,
            format!("this kernel has no {name} policy rules"),
            format!("{name} is not steered: no packet would be led to Peerward's tables"),
            format!(
                "run a kernel with {config}{}",
                if family == Family::Ipv6 { " and IPv6 switched on" } else { "" }
            ),
        );
    }
    let lacking: Vec<&str> = [
        (abilities.protocol, "owners of rules (FRA_PROTOCOL, Linux 4.17)"),
        (abilities.suppress, "suppress_prefixlength (Linux 3.12)"),
    ]
    .into_iter()
    .filter_map(|(present, name)| (!present).then_some(name))
    .collect();
    if lacking.is_empty() {
        return Finding::ok(Topic::Kernel, format!("{name} rules with owners and suppress_prefixlength"));
    }
    Finding::new(
        Grade::Error,
        Topic::Kernel,
        format!("{name} rules of this kernel lack {}", lacking.join(" and ")),
        "Peerward could not tell its rules from those of others, or keep the router's own traffic out of them",
        "run Linux 5.4 or newer (`uname -r` shows what runs)",
    )
}
