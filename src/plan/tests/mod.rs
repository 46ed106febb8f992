//! Layout, differences and territories, as specifications; the kernel is a model with the real one's rules.

mod balanced;
mod difference;
mod fib;
mod layout;
mod model;
mod service_tags;
mod territory;

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
};

use ipnet::IpNet;

use super::{Layout, Placement};
use crate::{
    config::{Kernel, Mode},
    domain::{Class, ClassId, Family, IfIndex, NextHop, Share, UplinkAttachment, UplinkId},
};

const KDDI: UplinkId = UplinkId(0);
const IIJ: UplinkId = UplinkId(1);
const NTT: UplinkId = UplinkId(2);

fn kernel() -> Kernel {
    Kernel { mode: Mode::Enforce, nexthop_base: 0x7000_0000, ..Kernel::default() }
}

fn names() -> Vec<String> {
    ["kddi", "iij", "ntt"].map(str::to_owned).to_vec()
}

fn interfaces() -> Vec<String> {
    ["wan0", "wan1", "wan2"].map(str::to_owned).to_vec()
}

fn net(text: &str) -> IpNet {
    text.parse().unwrap()
}

fn address(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn class(id: &str, prefixes: &[&str]) -> Class {
    let prefixes: Vec<IpNet> = prefixes.iter().map(|prefix| net(prefix)).collect();
    Class {
        id: ClassId::new(id),
        family: Family::of_net(prefixes[0]),
        service: id.to_owned(),
        region: None,
        prefixes: prefixes.into(),
        rule: None,
        zone: None,
    }
}

/// Exchange, with a hole for Teams in it; SharePoint; and Exchange in IPv6.
fn classes() -> Vec<Class> {
    vec![
        class("exchange.ipv4", &["13.107.0.0/16", "52.96.0.0/14"]),
        class("exchange.ipv6", &["2603:1006::/40"]),
        class("sharepoint.ipv4", &["13.107.136.0/22", "40.108.128.0/17"]),
        class("teams.ipv4", &["13.107.64.0/18", "52.112.0.0/14"]),
    ]
}

fn layout() -> Layout {
    Layout::new(&kernel(), &classes(), &names(), &BTreeSet::new())
}

fn next_hop(uplink: UplinkId, family: Family) -> NextHop {
    let gateway = match family {
        Family::Ipv4 => address(&format!("192.0.2.{}", 16 * uplink.0 + 1)),
        Family::Ipv6 => address("fe80::1"),
    };
    NextHop { index: IfIndex(u32::from(uplink.0) + 10), gateway: Some(gateway) }
}

fn attached(uplinks: &[UplinkId]) -> BTreeMap<(UplinkId, Family), UplinkAttachment> {
    let mut attachments = BTreeMap::new();
    for &uplink in uplinks {
        for family in Family::BOTH {
            let source = match family {
                Family::Ipv4 => address(&format!("192.0.2.{}", 16 * uplink.0 + 2)),
                Family::Ipv6 => address(&format!("2001:db8:{}::2", uplink.0)),
            };
            let attachment = UplinkAttachment { next_hop: next_hop(uplink, family), source: Some(source) };
            attachments.insert((uplink, family), attachment);
        }
    }
    attachments
}

fn place(class: &str, chosen: Option<UplinkId>, backup: Option<UplinkId>) -> Placement {
    let on = chosen.map(|uplink| Share { uplink, weight: 1 }).into_iter().collect();
    Placement { class: ClassId::new(class), on, backup }
}

fn place_all(chosen: Option<UplinkId>, backup: Option<UplinkId>) -> Vec<Placement> {
    classes().iter().map(|class| place(class.id.as_str(), chosen, backup)).collect()
}
