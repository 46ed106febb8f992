//! The addresses that represent a class in measurements.
//!
//! Microsoft publishes no list of addresses that answer. What is known: prefixes of one or two addresses are front
//! doors, and the first host of a small prefix is more likely to answer than that of a large one. So front doors come
//! first, then the first hosts of other prefixes; of each, Optimize endpoints first, then the most specific. An
//! address that a nested prefix of another class decides for does not represent this one. Where that is not good
//! enough, `[probe.targets]` names addresses.

use std::{collections::BinaryHeap, net::IpAddr};

use ipnet::IpNet;

use super::Catalogue;
use crate::domain::{Category, Class};

/// More targets than one dead front door can hide.
const MOST: usize = 4;

/// Prefixes of a class that are kept as candidates: nested ones of other classes may take the first hosts of some.
const CANDIDATES: usize = 32;

/// Best first: front doors, Optimize, the most specific.
type Order = (bool, bool, u8);

/// The best prefixes of a class, as its prefixes come by.
#[derive(Debug, Default)]
pub(super) struct Candidates {
    /// The worst on top.
    best: BinaryHeap<(Order, IpNet)>,
    dropped: bool,
}

impl Candidates {
    /// Takes a prefix of that category.
    pub fn consider(&mut self, prefix: IpNet, category: Option<Category>) {
        let candidate = (order(&prefix, category), prefix);
        if self.best.len() < CANDIDATES {
            self.best.push(candidate);
            return;
        }
        self.dropped = true;
        if let Some(mut worst) = self.best.peek_mut()
            && candidate < *worst
        {
            *worst = candidate;
        }
    }

    /// Those of both.
    pub fn join(&mut self, others: Self) {
        self.dropped |= others.dropped;
        self.best.extend(others.best);
    }
}

/// Targets of a class.
pub(super) fn of(catalogue: &Catalogue, class: &Class, candidates: Candidates) -> Vec<IpAddr> {
    let Candidates { best, dropped } = candidates;
    let targets = hosts_of(catalogue, class, &best.into_sorted_vec());
    if targets.len() == MOST || !dropped {
        return targets;
    }
    let all = class.prefixes.iter().map(|prefix| (order(prefix, catalogue.category_of(*prefix)), *prefix));
    let mut all: Vec<(Order, IpNet)> = all.collect();
    all.sort_unstable();
    hosts_of(catalogue, class, &all)
}

fn hosts_of(catalogue: &Catalogue, class: &Class, prefixes: &[(Order, IpNet)]) -> Vec<IpAddr> {
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

fn order(prefix: &IpNet, category: Option<Category>) -> Order {
    let spare_bits = prefix.max_prefix_len() - prefix.prefix_len();
    (!is_front_door(prefix), category != Some(Category::Optimize), spare_bits)
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
