//! Policy rules (linux/fib_rules.h): ours into messages, the kernel's into ours.

use std::{collections::BTreeSet, net::IpAddr};

use ipnet::IpNet;
use netlink_packet_core::{DecodeError, parse_ip, parse_u8, parse_u32};
use netlink_packet_route::rule::{RuleAction, RuleAttribute, RuleFlags, RuleHeader, RuleMessage};

use super::{
    fra,
    frame::{attributes, text_of},
    ownership::Ownership,
    read::address_family,
};
use crate::{
    domain::Family,
    plan::{Rule, Selector},
};

const RULE_HEADER: usize = 12;
/// Of the header, what comes before the flags.
const FIXED: usize = 8;

/// A rule as far as it can be told whose it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct RuleRecord {
    /// Protocol number of its owner; 0 when it has none.
    pub(super) protocol: u8,
    /// The rule, when it is of a shape that we write; anything that it matches beyond that makes it another one.
    pub(super) rule: Option<Rule>,
}

/// What a message says that a rule matches.
#[derive(Debug, Default)]
struct Matches {
    input: Option<String>,
    output: Option<String>,
    source: Option<IpNet>,
    inverted: bool,
    suppressed: Option<u32>,
    /// It matches something that no rule of ours does.
    more: bool,
}

/// Reads a rule of a family; `None` when it is of another one, as a kernel without IPv6 answers.
pub(super) fn parse(payload: &[u8], family: Family) -> Result<Option<RuleRecord>, DecodeError> {
    let header = RuleHeader::parse(payload)?;
    if header.family != address_family(family) {
        return Ok(None);
    }
    let (mut table, mut preference, mut protocol) = (u32::from(header.table), 0, 0);
    let mut matches = Matches {
        inverted: header.flags.contains(RuleFlags::Invert),
        more: header.action != RuleAction::ToTable || header.tos != 0 || header.dst_len != 0,
        ..Matches::default()
    };
    for attribute in attributes(payload, RULE_HEADER) {
        let (kind, value) = attribute?;
        match kind {
            fra::PROTOCOL => protocol = parse_u8(value)?,
            fra::TABLE => table = parse_u32(value)?,
            fra::PRIORITY => preference = parse_u32(value)?,
            fra::IIFNAME => matches.input = Some(text_of(value)),
            fra::OIFNAME => matches.output = Some(text_of(value)),
            fra::SRC => matches.source = Some(source(parse_ip(value)?, header.src_len)?),
            // -1: nothing is suppressed; IPv4 and IPv6 always say so.
            fra::SUPPRESS_PREFIXLEN => {
                matches.suppressed = Some(parse_u32(value)?).filter(|length| *length != u32::MAX);
            }
            fra::DST
            | fra::GOTO
            | fra::FWMARK
            | fra::FLOW
            | fra::TUN_ID
            | fra::SUPPRESS_IFGROUP
            | fra::FWMASK
            | fra::L3MDEV
            | fra::UID_RANGE
            | fra::IP_PROTO..=fra::DSCP_MASK => matches.more = true,
            _ => {}
        }
    }
    let rule = selector(matches).map(|selector| Rule { family, preference, selector, table });
    Ok(Some(RuleRecord { protocol, rule }))
}

/// Whether the kernel takes a request to delete `named` for one to delete `other` too, both as it described them: it
/// compares what the request says, but for the inversion (`rule_find`, 6.18).
pub(super) fn covers(named: &[u8], other: &[u8]) -> bool {
    let attributes_of = |body: &'_ [u8]| attributes(body, RULE_HEADER).map_while(Result::ok).map(owned).collect();
    let of_other: BTreeSet<(u16, Vec<u8>)> = attributes_of(other);
    let of_named: BTreeSet<(u16, Vec<u8>)> = attributes_of(named);
    let says_nothing = |kind: u16, value: &[u8]| {
        let nothing_suppressed = matches!(kind, fra::SUPPRESS_PREFIXLEN | fra::SUPPRESS_IFGROUP);
        kind == fra::PAD || (nothing_suppressed && value == u32::MAX.to_ne_bytes())
    };
    let (Some(named), Some(other)) = (named.first_chunk::<FIXED>(), other.first_chunk::<FIXED>()) else {
        return false;
    };
    // Family, destination and source length, TOS, table, two reserved octets, action: 0 says nothing.
    let mut fixed = named.iter().zip(other).enumerate().filter(|(at, _)| !matches!(at, 4..=6));
    fixed.all(|(_, (named, other))| *named == 0 || named == other)
        && of_named
            .iter()
            .all(|(kind, value)| says_nothing(*kind, value) || of_other.contains(&(*kind, value.clone())))
}

fn owned((kind, value): (u16, &[u8])) -> (u16, Vec<u8>) {
    (kind, value.to_vec())
}

fn source(address: IpAddr, length: u8) -> Result<IpNet, DecodeError> {
    IpNet::new(address, length).map_err(|_| DecodeError::from("a source prefix beyond the address family's length"))
}

fn selector(matches: Matches) -> Option<Selector> {
    let Matches { input, output, source, inverted, suppressed, more } = matches;
    match (input, output, source, inverted, suppressed, more) {
        (Some(name), None, None, true, None, false) if name == "lo" => Some(Selector::Forwarded),
        (Some(name), None, None, false, Some(0), false) if name == "lo" => Some(Selector::OwnUnlessDefault),
        (Some(lo), Some(name), None, false, None, false) if lo == "lo" => Some(Selector::OutputInterface(name)),
        (None, None, Some(source), false, None, false) if source.prefix_len() == source.max_prefix_len() => {
            Some(Selector::Source(source.addr()))
        }
        (None, None, Some(source), false, None, false) => Some(Selector::From(source)),
        _ => None,
    }
}

/// The message that adds a rule, or names one to delete.
pub(super) fn message(own: Ownership, rule: &Rule) -> RuleMessage {
    let mut message = RuleMessage::default();
    message.header.family = address_family(rule.family);
    message.header.action = RuleAction::ToTable;
    message.attributes = vec![
        RuleAttribute::Table(rule.table),
        RuleAttribute::Priority(rule.preference),
        RuleAttribute::Protocol(own.protocol.into()),
    ];
    match &rule.selector {
        Selector::Forwarded => {
            message.header.flags = RuleFlags::Invert;
            message.attributes.push(RuleAttribute::Iifname("lo".to_owned()));
        }
        Selector::OutputInterface(name) => {
            // `iif lo` too, which is what sockets are: IPv6 looks gateways of new routes up by their interface alone, and
            // would find our default, and refuse every gateway outside the link-local prefix that others ever add there
            // ("No route to host", `ip6_route_check_nh`, 6.18).
            message.attributes.push(RuleAttribute::Iifname("lo".to_owned()));
            message.attributes.push(RuleAttribute::Oifname(name.clone()));
        }
        Selector::OwnUnlessDefault => {
            message.attributes.push(RuleAttribute::Iifname("lo".to_owned()));
            message.attributes.push(RuleAttribute::SuppressPrefixLen(0));
        }
        Selector::Source(address) => from(&mut message, (*address).into()),
        Selector::From(prefix) => from(&mut message, *prefix),
    }
    message
}

fn from(message: &mut RuleMessage, prefix: IpNet) {
    message.header.src_len = prefix.prefix_len();
    message.attributes.push(RuleAttribute::Source(prefix.network()));
}
