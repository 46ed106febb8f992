//! The addresses that represent a class in measurements.
//!
//! Microsoft publishes no list of addresses that answer. What is known: prefixes of one or two addresses are front
//! doors, and the first host of a small prefix is more likely to answer than that of a large one. So front doors come
//! first, then the first hosts of other prefixes; of each, Optimize endpoints first, then the most specific. An
//! address that a nested prefix of another class decides for does not represent this one. Where that is not good
//! enough, `[probe.targets]` names addresses.

use std::net::IpAddr;

use ipnet::IpNet;

use super::Catalogue;
use crate::domain::{Category, Class};

/// More targets than one dead front door can hide.
const MOST: usize = 4;

/// Targets of every class, in the order of the classes.
pub(super) fn of_all(catalogue: &Catalogue) -> Vec<Vec<IpAddr>> {
    catalogue.classes().iter().map(|class| of(catalogue, class)).collect()
}

fn of(catalogue: &Catalogue, class: &Class) -> Vec<IpAddr> {
    let mut prefixes: Vec<(_, IpNet)> =
        class.prefixes.iter().map(|prefix| (order(catalogue, prefix), *prefix)).collect();
    prefixes.sort_unstable();
    let hosts = || prefixes.iter().filter_map(|(_, prefix)| first_host(prefix));
    let mut targets = Vec::new();
    for host in hosts() {
        if targets.len() == MOST {
            break;
        }
        if !targets.contains(&host) && catalogue.class_of(host.into()).is_some_and(|it| it.id == class.id) {
            targets.push(host);
        }
    }
    if targets.is_empty() {
        // Every first host lies in a nested prefix of another class; a path that is measured there beats none.
        targets.extend(hosts().next());
    }
    targets
}

/// Best first: front doors, Optimize, the most specific.
fn order(catalogue: &Catalogue, prefix: &IpNet) -> (bool, bool, u8) {
    let spare_bits = prefix.max_prefix_len() - prefix.prefix_len();
    let optimize = catalogue.category_of(*prefix) == Some(Category::Optimize);
    (!is_front_door(prefix), !optimize, spare_bits)
}

fn is_front_door(prefix: &IpNet) -> bool {
    prefix.max_prefix_len() - prefix.prefix_len() <= 1
}

/// The first address of a front door; the one after the network address otherwise.
fn first_host(prefix: &IpNet) -> Option<IpAddr> {
    if is_front_door(prefix) {
        return Some(prefix.network());
    }
    match prefix.network() {
        IpAddr::V4(network) => network.to_bits().checked_add(1).map(|bits| IpAddr::V4(bits.into())),
        IpAddr::V6(network) => network.to_bits().checked_add(1).map(|bits| IpAddr::V6(bits.into())),
    }
}
