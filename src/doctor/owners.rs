//! Who a rule, route or next hop is likely to belong to.

use super::Evidence;
use crate::domain::{RuleDetail, RuleVerdict};

/// Programs that are recognised by how their rules look.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Owner {
    /// OpenWrt's mwan3.
    Mwan3,
    /// OpenWrt's pbr.
    Pbr,
    /// Tailscale.
    Tailscale,
    /// A WireGuard tunnel that takes everything, as wg-quick and NetworkManager make it.
    WireGuard,
    /// strongSwan.
    StrongSwan,
    /// Somebody with this protocol number.
    Protocol(u8),
}

/// Rules that mwan3 adds, and deletes when it stops.
pub const MWAN3_PREFERENCES: std::ops::RangeInclusive<u32> = 1000..=3999;

impl Owner {
    /// The owner of a rule, by its preference, mark and table.
    pub fn of(rule: &RuleDetail, evidence: &Evidence) -> Self {
        let (preference, table) = (rule.preference, rule.table());
        let mark_of = |mask: u32| rule.mark.is_some_and(|(_, held)| held == mask);
        // Tailscale moves its four rules from 5200 to 1300 beside mwan3.
        let tailscale = matches!(preference, 5200..=5299 | 1300..=1399);
        if tailscale && (rule.mark == Some((0x8_0000, 0xff_0000)) || table == Some(52)) {
            return Self::Tailscale;
        }
        let by_interface = rule.input.is_some() && table.is_some_and(|table| table < 253);
        if MWAN3_PREFERENCES.contains(&preference) && (mark_of(0x3f00) || by_interface) {
            return Self::Mwan3;
        }
        let named_pbr = |number: u32| {
            evidence.names.tables.iter().any(|name| name.number == number && name.name.starts_with("pbr_"))
        };
        if table.is_some_and(named_pbr) || (mark_of(0xff_0000) && (29_000..=31_000).contains(&preference)) {
            return Self::Pbr;
        }
        if is_everything_but_the_tunnels_own(rule) {
            return Self::WireGuard;
        }
        if (preference, table) == (220, Some(220)) {
            return Self::StrongSwan;
        }
        Self::Protocol(rule.protocol.unwrap_or(0))
    }

    /// Its name, at the beginning of a sentence.
    pub fn name(&self, evidence: &Evidence) -> String {
        match self {
            Self::Mwan3 => "mwan3".to_owned(),
            Self::Pbr => "pbr".to_owned(),
            Self::Tailscale => "Tailscale".to_owned(),
            Self::WireGuard => "a WireGuard tunnel for everything".to_owned(),
            Self::StrongSwan => "strongSwan".to_owned(),
            Self::Protocol(number) => protocol(*number, evidence),
        }
    }
}

/// `not fwmark M lookup T`: all packets but those that the tunnel itself sends.
fn is_everything_but_the_tunnels_own(rule: &RuleDetail) -> bool {
    let alone = rule.source.is_none() && rule.input.is_none() && rule.output.is_none() && rule.destination.is_none();
    rule.inverted && alone && rule.mark.is_some() && matches!(rule.verdict, RuleVerdict::Table(_))
}

/// Whose a route protocol number is, in words.
pub fn protocol(number: u8, evidence: &Evidence) -> String {
    let named = evidence.names.protocols.iter().find(|name| name.number == u32::from(number));
    let name = well_known(number).or(named.map(|name| name.name.as_str()));
    match (number, name) {
        (0, _) => "somebody by hand or script".to_owned(),
        (2, _) => "the kernel (protocol 2)".to_owned(),
        (3, _) => "somebody by hand or script (protocol 3, boot)".to_owned(),
        (4, _) => "an administrator, netifd or systemd-networkd (protocol 4, static)".to_owned(),
        (_, Some(name)) => format!("{name} (protocol {number})"),
        (_, None) => format!("a program with protocol {number}"),
    }
}

/// Numbers that programs have by long custom (linux/rtnetlink.h, iproute2's `rt_protos`).
pub fn well_known(number: u8) -> Option<&'static str> {
    Some(match number {
        8 => "gated",
        9 => "router advertisements",
        10 => "mrt",
        11 => "zebra",
        12 => "BIRD",
        13 => "dnrouted",
        14 => "xorp",
        15 => "ntk",
        16 => "a DHCP client",
        17 => "mrouted",
        18 => "keepalived",
        42 => "babeld",
        84 => "OVN",
        99 => "Open/R",
        186 => "FRR's bgpd",
        187 => "FRR's isisd",
        188 => "FRR's ospfd",
        189 => "FRR's ripd",
        192 => "FRR's eigrpd",
        190..=191 | 193..=199 => "FRR",
        _ => return None,
    })
}
