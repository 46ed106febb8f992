//! The addresses that represent a class in measurements.
//!
//! Microsoft publishes no list of addresses that answer. What is known: prefixes of one or two addresses are front
//! doors, and the first host of a small prefix is more likely to answer than that of a large one. So front doors come
//! first, then the first hosts of the most specific prefixes; Optimize endpoints before the rest. Where that is not
//! good enough, `[probe.targets]` names addresses.

use std::{collections::BTreeMap, net::IpAddr};

use ipnet::IpNet;

use super::Catalogue;
use crate::domain::{Category, Class, ClassId};

/// More targets than one dead front door can hide.
const MOST: usize = 4;

/// Targets of every class.
pub(super) fn of_all(catalogue: &Catalogue) -> BTreeMap<ClassId, Vec<IpAddr>> {
    catalogue.classes().iter().map(|class| (class.id.clone(), of(catalogue, class))).collect()
}

fn of(catalogue: &Catalogue, class: &Class) -> Vec<IpAddr> {
    let mut prefixes: Vec<IpNet> = class.prefixes.clone();
    prefixes.sort_by_key(|prefix| {
        let demanding = category(catalogue, prefix) != Some(Category::Optimize);
        (demanding, u8::MAX - prefix.prefix_len(), *prefix)
    });
    prefixes.iter().filter_map(first_host).take(MOST).collect()
}

fn category(catalogue: &Catalogue, prefix: &IpNet) -> Option<Category> {
    catalogue.lookup(*prefix)?.destination.category
}

/// The first address of a prefix of one or two addresses; the one after the network address otherwise.
fn first_host(prefix: &IpNet) -> Option<IpAddr> {
    if prefix.max_prefix_len() - prefix.prefix_len() <= 1 {
        return Some(prefix.network());
    }
    match prefix.network() {
        IpAddr::V4(network) => network.to_bits().checked_add(1).map(|bits| IpAddr::V4(bits.into())),
        IpAddr::V6(network) => network.to_bits().checked_add(1).map(|bits| IpAddr::V6(bits.into())),
    }
}
