//! One policy rule with every selector, and its text as `ip rule` shows it.

use std::fmt;

use ipnet::IpNet;

use super::Family;

/// What a rule does with a packet that it matches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RuleVerdict {
    /// Looks the packet up in a table.
    Table(u32),
    /// Looks it up in the table of the VRF that it belongs to; other packets do not match.
    VrfTable,
    /// Goes on at another preference.
    Goto(u32),
    /// Goes on at the next rule.
    Nop,
    /// Drops it without a word.
    Blackhole,
    /// Drops it and says that the destination cannot be reached.
    Unreachable,
    /// Drops it and says that it is forbidden.
    Prohibit,
}

/// A policy rule; absent selectors match everything.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuleDetail {
    /// Family.
    pub family: Family,
    /// Preference; lower is looked at first.
    pub preference: u32,
    /// Who set it (`RTPROT_*`).
    pub protocol: Option<u8>,
    /// The match is inverted (`not`).
    pub inverted: bool,
    /// Source prefix.
    pub source: Option<IpNet>,
    /// Destination prefix.
    pub destination: Option<IpNet>,
    /// Interface that the packet came in by; `lo` for those of this router.
    pub input: Option<String>,
    /// Interface that the sending socket is bound to.
    pub output: Option<String>,
    /// Firewall mark and its mask.
    pub mark: Option<(u32, u32)>,
    /// First and last user id of the sending socket.
    pub uids: Option<(u32, u32)>,
    /// IP protocol number.
    pub ip_protocol: Option<u8>,
    /// First and last source port.
    pub source_ports: Option<(u16, u16)>,
    /// First and last destination port.
    pub destination_ports: Option<(u16, u16)>,
    /// Type of service; 0 for all.
    pub tos: u8,
    /// It has a selector that is not read here.
    pub other: bool,
    /// What it does.
    pub verdict: RuleVerdict,
    /// Routes with a prefix of this length or shorter do not count (`suppress_prefixlength`).
    pub suppress: Option<u32>,
}

impl RuleDetail {
    /// A rule that matches everything and does nothing, at preference 0.
    pub fn new(family: Family) -> Self {
        Self {
            family,
            preference: 0,
            protocol: None,
            inverted: false,
            source: None,
            destination: None,
            input: None,
            output: None,
            mark: None,
            uids: None,
            ip_protocol: None,
            source_ports: None,
            destination_ports: None,
            tos: 0,
            other: false,
            verdict: RuleVerdict::Nop,
            suppress: None,
        }
    }

    /// The table that it leads to, if it does.
    pub fn table(&self) -> Option<u32> {
        match self.verdict {
            RuleVerdict::Table(table) => Some(table),
            _ => None,
        }
    }
}

impl fmt::Display for RuleDetail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:", self.preference)?;
        if self.inverted {
            write!(f, " not")?;
        }
        match self.source {
            Some(source) => write!(f, " from {}", short(source))?,
            None => write!(f, " from all")?,
        }
        if let Some(destination) = self.destination {
            write!(f, " to {}", short(destination))?;
        }
        if self.tos != 0 {
            write!(f, " tos {:#x}", self.tos)?;
        }
        match self.mark {
            Some((mark, u32::MAX)) => write!(f, " fwmark {mark:#x}")?,
            Some((mark, mask)) => write!(f, " fwmark {mark:#x}/{mask:#x}")?,
            None => {}
        }
        if let Some(input) = &self.input {
            write!(f, " iif {input}")?;
        }
        if let Some(output) = &self.output {
            write!(f, " oif {output}")?;
        }
        if let Some((first, last)) = self.uids {
            write!(f, " uidrange {first}-{last}")?;
        }
        if let Some(protocol) = self.ip_protocol {
            write!(f, " ipproto {protocol}")?;
        }
        for (name, ports) in [("sport", self.source_ports), ("dport", self.destination_ports)] {
            match ports {
                Some((first, last)) if first == last => write!(f, " {name} {first}")?,
                Some((first, last)) => write!(f, " {name} {first}-{last}")?,
                None => {}
            }
        }
        match self.verdict {
            RuleVerdict::Table(table) => write!(f, " lookup {}", TableName(table))?,
            RuleVerdict::VrfTable => write!(f, " lookup [l3mdev-table]")?,
            RuleVerdict::Goto(preference) => write!(f, " goto {preference}")?,
            RuleVerdict::Nop => write!(f, " nop")?,
            RuleVerdict::Blackhole => write!(f, " blackhole")?,
            RuleVerdict::Unreachable => write!(f, " unreachable")?,
            RuleVerdict::Prohibit => write!(f, " prohibit")?,
        }
        self.suppress.map_or(Ok(()), |length| write!(f, " suppress_prefixlength {length}"))
    }
}

/// A single address without its length.
fn short(net: IpNet) -> String {
    if net.prefix_len() == net.max_prefix_len() { net.addr().to_string() } else { net.to_string() }
}

struct TableName(u32);

impl fmt::Display for TableName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            253 => f.write_str("default"),
            254 => f.write_str("main"),
            255 => f.write_str("local"),
            other => write!(f, "{other}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_reads_as_ip_rule_shows_it() {
        let all = RuleDetail::new(Family::Ipv4);
        let wg = RuleDetail {
            preference: 7689,
            inverted: true,
            mark: Some((0xca6c, u32::MAX)),
            verdict: RuleVerdict::Table(51820),
            ..all.clone()
        };
        assert_eq!(wg.to_string(), "7689: not from all fwmark 0xca6c lookup 51820");
        let main =
            RuleDetail { preference: 7688, verdict: RuleVerdict::Table(254), suppress: Some(0), ..all.clone() };
        assert_eq!(main.to_string(), "7688: from all lookup main suppress_prefixlength 0");
        let full = RuleDetail {
            preference: 102,
            source: "10.0.0.0/8".parse().ok(),
            destination: "192.0.2.1/32".parse().ok(),
            input: Some("lan0".to_owned()),
            mark: Some((0x3d00, 0x3f00)),
            uids: Some((1000, 2000)),
            ip_protocol: Some(6),
            destination_ports: Some((443, 443)),
            verdict: RuleVerdict::Blackhole,
            ..all
        };
        assert_eq!(
            full.to_string(),
            "102: from 10.0.0.0/8 to 192.0.2.1 fwmark 0x3d00/0x3f00 iif lan0 uidrange 1000-2000 ipproto 6 dport 443 \
             blackhole"
        );
    }
}
