//! Lists what others hold that can stand in our way: rules with every selector, routes in tables of interest, next hops
//! in our range, links, addresses, default routes. Reads only, and changes nothing.
//!
//! Tables are listed one by one under a filter, because on a router with a full routing table a list of everything is
//! out of date before it ends.

use std::collections::{BTreeMap, BTreeSet};

use ipnet::IpNet;
use netlink_packet_core::{DecodeError, parse_ip, parse_u8, parse_u16, parse_u32};
use netlink_packet_route::{
    address::AddressMessage,
    link::LinkMessage,
    route::{RouteAttribute, RouteMessage},
    rule::RuleMessage,
};
use netlink_sys::protocols::NETLINK_ROUTE;

use super::{
    KernelError, decode, fra,
    frame::{Message, Request, attributes, text_of},
    message_type::{
        RTM_GETADDR, RTM_GETLINK, RTM_GETNEXTHOP, RTM_GETROUTE, RTM_GETRULE, RTM_NEWNEXTHOP, RTM_NEWROUTE,
        RTM_NEWRULE,
    },
    nexthop::NextHopMessage,
    ownership::Ownership,
    read::address_family,
    route::{RouteHead, RouteRecord},
    socket::RequestSocket,
};
use crate::{
    config::Kernel,
    domain::{Address, Family, IfIndex, Link, PrefixSet, RuleDetail, RuleVerdict},
};

/// Rules that are kept per family; a router with more has other worries.
const RULES: usize = 4096;
/// Tables that rules lead to and that are looked into, per family.
const TABLES: usize = 256;
/// Next hops of others in our range, and default routes, that are kept.
const KEPT: usize = 1024;
/// `local` and `main`: as large as the router's world, and known to hold what they hold.
const NOT_LISTED: [u32; 2] = [255, 254];

/// What one table holds in one family.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TableContents {
    /// Routes by who set them (`RTPROT_*`), each with how many and the first of them.
    pub by_protocol: BTreeMap<u8, (usize, IpNet)>,
    /// Whether it has a default route.
    pub default: bool,
    /// Routes, not counting defaults, that touch what may be steered.
    pub touching: usize,
}

/// What the kernel says of its own abilities in one family.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct RuleAbilities {
    /// It has policy rules at all.
    pub rules: bool,
    /// Rules carry the protocol number of their owner (`fra::PROTOCOL`, Linux 4.17).
    pub protocol: bool,
    /// Rules know `suppress_prefixlength` (Linux 3.12).
    pub suppress: bool,
}

/// What others, and we, hold in the kernel.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Inventory {
    /// All rules, IPv4 first, in the order in which the kernel looks at them.
    pub rules: Vec<RuleDetail>,
    /// What rules can do, by family.
    pub abilities: BTreeMap<Family, RuleAbilities>,
    /// Our tables and those that rules lead to, if they hold anything.
    pub tables: BTreeMap<(Family, u32), TableContents>,
    /// Routes under our protocol number, wherever they are: by family and table, how many and the first of them.
    pub under_our_number: BTreeMap<(Family, u32), (usize, IpNet)>,
    /// Next hops in our range under another protocol number: id and that number. `None`: the kernel has no next-hop
    /// objects.
    pub strange_next_hops: Option<BTreeMap<u32, u8>>,
    /// Ids outside our range of next hops under our protocol number.
    pub stray_next_hops: Vec<u32>,
    /// Links by index.
    pub links: BTreeMap<IfIndex, Link>,
    /// Addresses of all links.
    pub addresses: Vec<Address>,
    /// Interfaces that a default route outside our tables leaves by, per family. `None`: it could not be told.
    pub defaults: Option<BTreeSet<(Family, IfIndex)>>,
    /// What could not be read, and why.
    pub missed: Vec<String>,
}

/// Lists everything; what cannot be read is missing from it and named there. Needs no privileges.
///
/// # Errors
/// When a netlink socket cannot be opened.
pub async fn inventory(own: &Kernel, destinations: &PrefixSet) -> Result<Inventory, KernelError> {
    let mut survey = Survey {
        socket: RequestSocket::open(NETLINK_ROUTE)?,
        own: Ownership::new(own),
        destinations,
        objects: BTreeMap::new(),
        found: Inventory::default(),
    };
    survey.links().await;
    survey.next_hops().await;
    for family in Family::BOTH {
        survey.rules(family).await;
        survey.tables(family).await;
        survey.under_our_number(family).await;
        tokio::task::yield_now().await;
    }
    survey.defaults().await;
    Ok(survey.found)
}

struct Survey<'a> {
    socket: RequestSocket,
    own: Ownership,
    destinations: &'a PrefixSet,
    /// Interfaces behind next-hop objects and groups, by id.
    objects: BTreeMap<u32, Vec<IfIndex>>,
    found: Inventory,
}

/// Next-hop objects as they are listed.
#[derive(Default)]
struct NextHops {
    strange: BTreeMap<u32, u8>,
    stray: Vec<u32>,
    single: BTreeMap<u32, IfIndex>,
    groups: BTreeMap<u32, Vec<u32>>,
}

impl NextHops {
    fn take(&mut self, own: Ownership, object: &NextHopMessage) {
        let Some(id) = object.id else { return };
        if own.claims_next_hop(id) && object.protocol != own.protocol && self.strange.len() < KEPT {
            self.strange.insert(id, object.protocol);
        } else if !own.claims_next_hop(id) && object.protocol == own.protocol && self.stray.len() < KEPT {
            self.stray.push(id);
        }
        if let Some(members) = &object.group
            && self.groups.len() < KEPT
        {
            self.groups.insert(id, members.iter().map(|member| member.id).collect());
        } else if let Some(index) = object.interface
            && self.single.len() < KEPT
        {
            self.single.insert(id, IfIndex(index));
        }
    }

    fn interfaces(&self) -> BTreeMap<u32, Vec<IfIndex>> {
        let groups = self.groups.iter().map(|(id, members)| {
            (*id, members.iter().filter_map(|member| self.single.get(member).copied()).collect())
        });
        self.single.iter().map(|(id, index)| (*id, vec![*index])).chain(groups).collect()
    }
}

impl Survey<'_> {
    /// A part that was read, or its empty value with a word about it.
    fn part<T: Default>(&mut self, read: Result<T, KernelError>) -> T {
        read.unwrap_or_else(|error| {
            if !is_absent(&error) {
                self.found.missed.push(error.to_string());
            }
            T::default()
        })
    }

    async fn links(&mut self) {
        let request = Request::new(RTM_GETLINK, 0, &LinkMessage::default());
        let links = self.socket.dump("list links", request, |links: &mut BTreeMap<_, _>, message| {
            links.extend(decode::link(message.payload)?.map(|link| (link.index, link)));
            Ok(())
        });
        let links = links.await;
        self.found.links = self.part(links);
        let request = Request::new(RTM_GETADDR, 0, &AddressMessage::default());
        let addresses = self.socket.dump("list addresses", request, |addresses: &mut Vec<_>, message| {
            addresses.extend(decode::address(message.payload)?);
            Ok(())
        });
        let addresses = addresses.await;
        self.found.addresses = self.part(addresses);
    }

    async fn next_hops(&mut self) {
        let own = self.own;
        let request = Request::new(RTM_GETNEXTHOP, 0, &NextHopMessage::default());
        let listed = self.socket.dump("list next-hop objects", request, |found: &mut NextHops, message| {
            if message.kind == RTM_NEWNEXTHOP {
                found.take(own, &NextHopMessage::parse(message.payload)?);
            }
            Ok(())
        });
        match listed.await {
            Ok(listed) => {
                self.objects = listed.interfaces();
                self.found.strange_next_hops = Some(listed.strange);
                self.found.stray_next_hops = listed.stray;
            }
            Err(error) if matches!(error.errno(), Some(libc::EOPNOTSUPP | libc::EINVAL)) => {}
            Err(error) => {
                self.found.missed.push(error.to_string());
                self.found.strange_next_hops = Some(BTreeMap::new());
            }
        }
    }

    async fn rules(&mut self, family: Family) {
        let mut filter = RuleMessage::default();
        filter.header.family = address_family(family);
        let request = Request::new(RTM_GETRULE, 0, &filter);
        let what = format!("list {family} rules");
        let listed = self.socket.dump(&what, request, |found: &mut (Vec<RuleDetail>, RuleAbilities), message| {
            if message.kind == RTM_NEWRULE
                && let Some((rule, abilities)) = rule(message.payload, family)?
                && found.0.len() < RULES
            {
                found.0.push(rule);
                found.1 = RuleAbilities {
                    rules: true,
                    protocol: found.1.protocol || abilities.protocol,
                    suppress: found.1.suppress || abilities.suppress,
                };
            }
            Ok(())
        });
        let listed = listed.await;
        let (rules, abilities) = self.part(listed);
        self.found.rules.extend(rules);
        self.found.abilities.insert(family, abilities);
    }

    async fn tables(&mut self, family: Family) {
        let led_to = self.found.rules.iter().filter(|rule| rule.family == family).filter_map(RuleDetail::table);
        let wanted: BTreeSet<u32> = led_to.take(TABLES).chain(self.own.tables()).collect();
        for table in wanted.into_iter().filter(|table| *table != 0 && !NOT_LISTED.contains(table)) {
            let mut filter = RouteMessage::default();
            filter.header.address_family = address_family(family);
            filter.attributes.push(RouteAttribute::Table(table));
            let request = Request::new(RTM_GETROUTE, 0, &filter);
            let destinations = self.destinations;
            let what = format!("list {family} routes of table {table}");
            let listed = self.socket.dump(&what, request, |contents: &mut TableContents, message| {
                if let Some(route) = route_of(message, family)?.filter(|route| route.table == table) {
                    count(contents, &route, destinations);
                }
                Ok(())
            });
            let listed = listed.await;
            let contents = self.part(listed);
            if !contents.by_protocol.is_empty() {
                self.found.tables.insert((family, table), contents);
            }
        }
    }

    async fn under_our_number(&mut self, family: Family) {
        let own = self.own;
        let mut filter = RouteMessage::default();
        filter.header.address_family = address_family(family);
        filter.header.protocol = own.protocol.into();
        let request = Request::new(RTM_GETROUTE, 0, &filter);
        let what = format!("list {family} routes of protocol {}", own.protocol);
        let listed = self.socket.dump(&what, request, |tables: &mut BTreeMap<_, (usize, IpNet)>, message| {
            if let Some(route) = route_of(message, family)?.filter(|route| route.protocol == own.protocol)
                && (tables.len() < TABLES || tables.contains_key(&(family, route.table)))
            {
                tables.entry((family, route.table)).or_insert((0, route.destination)).0 += 1;
            }
            Ok(())
        });
        let listed = listed.await;
        let tables = self.part(listed);
        self.found.under_our_number.extend(tables);
    }

    /// All routes of the router stream through: the kernel has no filter by prefix length.
    async fn defaults(&mut self) {
        let mut defaults = BTreeSet::new();
        for family in Family::BOTH {
            let mut filter = RouteMessage::default();
            filter.header.address_family = address_family(family);
            let request = Request::new(RTM_GETROUTE, 0, &filter);
            let (own, objects) = (self.own, &self.objects);
            let what = format!("list {family} default routes");
            let listed = self.socket.dump(&what, request, |defaults: &mut BTreeSet<_>, message| {
                if message.kind == RTM_NEWROUTE
                    && let Some(head) = RouteHead::parse(message.payload)?
                    && (head.family, head.prefix_len) == (family, 0)
                    && defaults.len() < KEPT
                {
                    let route = RouteRecord::parse(head, message.payload)?;
                    if !own.owns_table(route.table) {
                        defaults.extend(route.ways().map(|way| (family, way.index)));
                        let object = route.next_hop_id.and_then(|id| objects.get(&id));
                        defaults.extend(object.into_iter().flatten().map(|index| (family, *index)));
                    }
                }
                Ok(())
            });
            match listed.await {
                Ok(listed) => defaults.extend(listed),
                Err(error) if is_absent(&error) => {}
                Err(error) => return self.found.missed.push(error.to_string()),
            }
        }
        self.found.defaults = Some(defaults);
    }
}

/// A table without routes, or a family that this kernel was built or started without.
fn is_absent(error: &KernelError) -> bool {
    matches!(error.errno(), Some(libc::ENOENT | libc::EAFNOSUPPORT | libc::EOPNOTSUPP))
}

fn route_of(message: &Message<'_>, family: Family) -> Result<Option<RouteRecord>, DecodeError> {
    if message.kind != RTM_NEWROUTE {
        return Ok(None);
    }
    match RouteHead::parse(message.payload)?.filter(|head| head.family == family) {
        Some(head) => RouteRecord::parse(head, message.payload).map(Some),
        None => Ok(None),
    }
}

fn count(contents: &mut TableContents, route: &RouteRecord, destinations: &PrefixSet) {
    contents.by_protocol.entry(route.protocol).or_insert((0, route.destination)).0 += 1;
    if route.destination.prefix_len() == 0 {
        contents.default = true;
    } else if destinations.touches(route.destination) {
        contents.touching += 1;
    }
}

const RULE_HEADER: usize = 12;
const FIB_RULE_INVERT: u32 = 2;

/// A rule with every selector (`struct fib_rule_hdr`, linux/fib_rules.h); `None` when it is of another family.
fn rule(payload: &[u8], family: Family) -> Result<Option<(RuleDetail, RuleAbilities)>, DecodeError> {
    let [of, dst_len, src_len, tos, table, _, _, action, flags @ ..] = payload
        .first_chunk::<RULE_HEADER>()
        .ok_or_else(|| DecodeError::buffer_too_small(payload.len(), RULE_HEADER))?;
    if *of != u8::from(address_family(family)) {
        return Ok(None);
    }
    let inverted = u32::from_ne_bytes(*flags) & FIB_RULE_INVERT != 0;
    let mut rule = RuleDetail { tos: *tos, inverted, ..RuleDetail::new(family) };
    let mut abilities = RuleAbilities { rules: true, ..RuleAbilities::default() };
    let (mut table, mut target, mut l3mdev) = (u32::from(*table), 0, false);
    let (mut mark, mut mask) = (None, None);
    for attribute in attributes(payload, RULE_HEADER) {
        let (kind, value) = attribute?;
        match kind {
            fra::DST => rule.destination = IpNet::new(parse_ip(value)?, *dst_len).ok(),
            fra::SRC => rule.source = IpNet::new(parse_ip(value)?, *src_len).ok(),
            fra::IIFNAME => rule.input = Some(text_of(value)),
            fra::OIFNAME => rule.output = Some(text_of(value)),
            fra::GOTO => target = parse_u32(value)?,
            fra::PRIORITY => rule.preference = parse_u32(value)?,
            fra::FWMARK => mark = Some(parse_u32(value)?),
            fra::FWMASK => mask = Some(parse_u32(value)?),
            fra::TABLE => table = parse_u32(value)?,
            fra::L3MDEV => l3mdev = parse_u8(value)? != 0,
            fra::TUN_ID => rule.other = true,
            fra::UID_RANGE => rule.uids = pair(value, parse_u32)?,
            fra::IP_PROTO => rule.ip_protocol = Some(parse_u8(value)?),
            fra::SPORT_RANGE => rule.source_ports = pair(value, parse_u16)?,
            fra::DPORT_RANGE => rule.destination_ports = pair(value, parse_u16)?,
            fra::PROTOCOL => {
                abilities.protocol = true;
                rule.protocol = Some(parse_u8(value)?);
            }
            fra::SUPPRESS_PREFIXLEN => {
                abilities.suppress = true;
                // -1: nothing is suppressed; IPv4 and IPv6 always say so.
                rule.suppress = Some(parse_u32(value)?).filter(|length| *length != u32::MAX);
            }
            _ => {}
        }
    }
    rule.mark = (mark.is_some() || mask.is_some()).then(|| (mark.unwrap_or(0), mask.unwrap_or(u32::MAX)));
    rule.verdict = match action {
        1 if l3mdev => RuleVerdict::VrfTable,
        1 => RuleVerdict::Table(table),
        2 => RuleVerdict::Goto(target),
        6 => RuleVerdict::Blackhole,
        7 => RuleVerdict::Unreachable,
        8 => RuleVerdict::Prohibit,
        _ => RuleVerdict::Nop,
    };
    Ok(Some((rule, abilities)))
}

/// Two numbers of the same size, one after the other.
fn pair<T>(value: &[u8], parse: fn(&[u8]) -> Result<T, DecodeError>) -> Result<Option<(T, T)>, DecodeError> {
    let (first, last) = value.split_at(value.len() / 2);
    Ok(Some((parse(first)?, parse(last)?)))
}
