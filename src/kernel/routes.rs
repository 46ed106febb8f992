//! The routes of the router that can matter, kept so that each event finds its place. No I/O.

use std::collections::BTreeMap;

use ipnet::IpNet;

use crate::domain::{IfIndex, NextHop, RouteKind};

/// Ways of routes that are kept, and that are shown.
pub(super) const ROUTES: usize = 65_536;
/// Default routes that are kept.
pub(super) const DEFAULTS: usize = 1024;

/// `RTPROT_REDIRECT` and `RTPROT_RA`: IPv6 routes that the kernel learned are never joined to one of several ways.
const RTPROT_REDIRECT: u8 = 1;
const RTPROT_RA: u8 = 9;

/// What names a route. IPv4 may hold several under one name (`ip route append`), and so may IPv6.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Key {
    pub(super) destination: IpNet,
    pub(super) table: u32,
    pub(super) metric: u32,
    pub(super) source: Option<IpNet>,
    pub(super) tos: u8,
}

/// What it does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Held {
    pub(super) kind: RouteKind,
    pub(super) protocol: u8,
    pub(super) next_hop_id: Option<u32>,
    pub(super) ways: Box<[NextHop]>,
    /// It touches a destination; otherwise it is connected, and shown for uplinks only.
    pub(super) wanted: bool,
}

/// One route.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Row {
    pub(super) key: Key,
    pub(super) held: Held,
}

/// How a route came to be where it is (`NLM_F_*` of the event).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum How {
    /// It was there when everything was listed.
    Listed,
    /// None of that name was there.
    Alone,
    /// Others of that name may be there: before them, or after.
    Beside { last: bool },
    /// It took the place of the first of that name.
    Replacing,
    /// It went.
    Gone,
}

/// What became of the picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Outcome {
    pub(super) changed: bool,
    /// The event did not say all: only a listing can tell.
    pub(super) doubt: bool,
}

type Rows = BTreeMap<Key, Vec<Held>>;

/// All of them.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Routes {
    pub(super) defaults: Rows,
    pub(super) others: Rows,
    /// Ways in `defaults` and in `others`.
    kept: [usize; 2],
    /// Routes that are of interest and found no room.
    pub(super) omitted: usize,
    /// Next-hop ids that routes refer to, with the number of these routes.
    referred: BTreeMap<u32, usize>,
}

impl Held {
    fn is_same(&self, other: &Self) -> bool {
        let same = (self.kind, self.protocol, self.next_hop_id) == (other.kind, other.protocol, other.next_hop_id);
        // The ways told beside an id follow from it.
        same && (self.next_hop_id.is_some() || self.ways == other.ways)
    }

    /// IPv6 joins routes by gateways under one name, and tells them as one, whole.
    fn is_joined(&self, key: &Key) -> bool {
        key.destination.addr().is_ipv6()
            && self.kind == RouteKind::Unicast
            && self.next_hop_id.is_none()
            && !matches!(self.protocol, RTPROT_REDIRECT | RTPROT_RA)
            && self.ways.first().is_some_and(|way| way.gateway.is_some())
    }

    /// Another of the same name may be there that no list shows beside it.
    ///
    /// IPv6 adds each way at the end of its chain of routes of one name, and lists the chain so: where the first of
    /// joined ways stands it tells all of them, and goes on behind the last (`fib6_dump_node`; seen on Linux 6.18). What
    /// stands between is in no list, whatever is asked for, until ways around it go.
    fn may_veil(&self, key: &Key) -> bool {
        self.may_be_double(key) || self.is_joined(key) && self.ways.len() > 1
    }

    /// IPv6 refuses to add what it does not join twice, but has it twice once it replaced another one of that name
    /// (`ip -6 route replace`; seen on Linux 6.18). They cannot be told from each other.
    fn may_be_double(&self, key: &Key) -> bool {
        key.destination.addr().is_ipv6() && !self.is_joined(key)
    }

    /// Whether the one that is told to be gone cannot be this one, because IPv6 joins one of them and not the other.
    fn is_other(&self, gone: &Self, key: &Key) -> bool {
        // All its ways were dead.
        let says_nothing = gone.kind == RouteKind::Unicast && gone.next_hop_id.is_none() && gone.ways.is_empty();
        !says_nothing && self.is_joined(key) != gone.is_joined(key)
    }

    fn weight(&self) -> usize {
        self.ways.len().max(1)
    }
}

impl Key {
    pub(super) fn is_default(&self) -> bool {
        self.destination.prefix_len() == 0
    }
}

impl Routes {
    /// Applies one piece of news.
    pub(super) fn take(&mut self, row: &Row, how: How) -> Outcome {
        let Row { key, held } = row;
        let mut rows = self.rows(key).remove(key).unwrap_or_default();
        self.count(key, &rows, false);
        let before = rows.clone();
        let doubt = match how {
            How::Gone => self.take_away(&mut rows, key, held),
            How::Listed | How::Beside { last: true } => add(&mut rows, key, held, true),
            How::Beside { last: false } => add(&mut rows, key, held, false),
            How::Alone => {
                rows = vec![held.clone()];
                false
            }
            How::Replacing => replace(&mut rows, key, held),
        };
        let grows = weight(&rows) > weight(&before);
        if grows && self.kept(key) + weight(&rows) > room(key) {
            self.omitted += 1;
            rows.clone_from(&before);
        }
        let changed = rows != before;
        // Which of several was meant, or went with it, the kernel does not say.
        let several = before.len().max(rows.len()) > 1;
        let veiled = before.iter().any(|held| held.may_veil(key)) || rows.iter().any(|held| held.may_be_double(key));
        let unclear = changed && how != How::Listed && (several || veiled);
        if !rows.is_empty() {
            self.count(key, &rows, true);
            self.rows(key).insert(*key, rows);
        }
        Outcome { changed, doubt: doubt || unclear }
    }

    /// Takes the routes of another family.
    pub(super) fn join(&mut self, other: Self) {
        self.defaults.extend(other.defaults);
        self.others.extend(other.others);
        for (sum, more) in self.kept.iter_mut().zip(other.kept) {
            *sum += more;
        }
        self.omitted += other.omitted;
        for (id, count) in other.referred {
            *self.referred.entry(id).or_default() += count;
        }
    }

    /// Ways by that interface are no more; returns whether there were any.
    pub(super) fn forget(&mut self, index: IfIndex) -> bool {
        self.retain(|held| {
            if held.next_hop_id.is_some() || held.ways.iter().all(|way| way.index != index) {
                return Keep::AsIs;
            }
            let left: Box<[NextHop]> = held.ways.iter().copied().filter(|way| way.index != index).collect();
            if left.is_empty() { Keep::Not } else { Keep::Ways(left) }
        })
    }

    /// Routes that refer to a next hop that is gone are gone too; returns whether there were any.
    pub(super) fn forget_object(&mut self, id: u32) -> bool {
        self.refers_to(id) && self.retain(|held| if held.next_hop_id == Some(id) { Keep::Not } else { Keep::AsIs })
    }

    /// Whether a route refers to that next hop.
    pub(super) fn refers_to(&self, id: u32) -> bool {
        self.referred.contains_key(&id)
    }

    /// Whether a default route refers to that next hop.
    pub(super) fn default_refers_to(&self, id: u32) -> bool {
        self.defaults.values().flatten().any(|held| held.next_hop_id == Some(id))
    }

    /// Those of that name.
    pub(super) fn named(&self, key: &Key) -> &[Held] {
        let rows = if key.is_default() { &self.defaults } else { &self.others };
        rows.get(key).map(Vec::as_slice).unwrap_or_default()
    }

    fn take_away(&mut self, rows: &mut Vec<Held>, key: &Key, gone: &Held) -> bool {
        let crowded = self.omitted > 0 && !key.is_default();
        if rows.is_empty() {
            self.omitted -= usize::from(crowded);
            return false;
        }
        // One that found no room may take this place.
        remove(rows, key, gone) || crowded
    }

    fn retain(&mut self, mut keep: impl FnMut(&Held) -> Keep) -> bool {
        let mut changed = false;
        let (mut defaults, mut others) = (std::mem::take(&mut self.defaults), std::mem::take(&mut self.others));
        for rows in [&mut defaults, &mut others] {
            rows.retain(|key, rows| {
                let before = rows.len();
                self.count(key, rows, false);
                rows.retain_mut(|held| match keep(held) {
                    Keep::AsIs => true,
                    Keep::Not => false,
                    Keep::Ways(left) => {
                        held.ways = left;
                        changed = true;
                        true
                    }
                });
                changed |= rows.len() != before;
                self.count(key, rows, true);
                !rows.is_empty()
            });
        }
        (self.defaults, self.others) = (defaults, others);
        changed
    }

    fn rows(&mut self, key: &Key) -> &mut Rows {
        if key.is_default() { &mut self.defaults } else { &mut self.others }
    }

    fn kept(&self, key: &Key) -> usize {
        let [defaults, others] = self.kept;
        if key.is_default() { defaults } else { others }
    }

    fn count(&mut self, key: &Key, rows: &[Held], present: bool) {
        let [defaults, others] = &mut self.kept;
        let kept = if key.is_default() { defaults } else { others };
        *kept = if present { *kept + weight(rows) } else { kept.saturating_sub(weight(rows)) };
        for id in rows.iter().filter_map(|held| held.next_hop_id) {
            let count = self.referred.entry(id).or_default();
            *count = if present { *count + 1 } else { count.saturating_sub(1) };
            if *count == 0 {
                self.referred.remove(&id);
            }
        }
    }
}

enum Keep {
    AsIs,
    Not,
    Ways(Box<[NextHop]>),
}

fn weight(rows: &[Held]) -> usize {
    rows.iter().map(Held::weight).sum()
}

fn room(key: &Key) -> usize {
    if key.is_default() { DEFAULTS } else { ROUTES }
}

/// Where IPv6 has one that the new one is joined to, or takes the place of.
fn joined_at(rows: &[Held], key: &Key, held: &Held) -> Option<usize> {
    rows.iter().position(|other| held.is_joined(key) && other.is_joined(key))
}

fn add(rows: &mut Vec<Held>, key: &Key, held: &Held, last: bool) -> bool {
    if let Some(joined) = joined_at(rows, key, held).and_then(|at| rows.get_mut(at)) {
        joined.clone_from(held);
    } else if rows.iter().all(|other| !other.is_same(held)) {
        // Unless it is there: what IPv6 has twice, or lists twice because it changed meanwhile, counts once.
        rows.insert(if last { rows.len() } else { 0 }, held.clone());
    }
    false
}

fn replace(rows: &mut Vec<Held>, key: &Key, held: &Held) -> bool {
    let certain = rows.len() <= 1;
    match joined_at(rows, key, held).or(Some(0)).and_then(|at| rows.get_mut(at)) {
        Some(first) => first.clone_from(held),
        None => rows.push(held.clone()),
    }
    !certain
}

fn remove(rows: &mut Vec<Held>, key: &Key, gone: &Held) -> bool {
    if let Some(at) = joined_at(rows, key, gone) {
        let Some(joined) = rows.get_mut(at) else { return true };
        // Either all ways went, or the one that is told.
        let known = gone.ways.iter().all(|way| joined.ways.contains(way));
        joined.ways = joined.ways.iter().copied().filter(|way| !gone.ways.contains(way)).collect();
        if joined.ways.is_empty() {
            rows.remove(at);
        }
        return !known;
    }
    match rows.iter().position(|held| held.is_same(gone)) {
        Some(at) => _ = rows.remove(at),
        None => {
            // The only one that is known was told in other words, unless it veils the one that is meant.
            if rows.len() == 1 {
                rows.retain(|held| held.is_other(gone, key));
            }
            return true;
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    const JOINED: Key = Key {
        destination: IpNet::V6(ipnet::Ipv6Net::new_assert(std::net::Ipv6Addr::UNSPECIFIED, 0)),
        table: 254,
        metric: 5,
        source: None,
        tos: 0,
    };

    fn row(kind: RouteKind, ways: &[(u32, Option<&str>)]) -> Row {
        let way = |(index, gateway): &(u32, Option<&str>)| NextHop {
            index: IfIndex(*index),
            gateway: gateway.map(|gateway| gateway.parse().unwrap()),
        };
        let ways = ways.iter().map(way).collect();
        Row { key: JOINED, held: Held { kind, protocol: 4, next_hop_id: None, ways, wanted: true } }
    }

    #[test]
    fn several_ways_of_ipv6_stay_when_one_goes_that_was_not_listed_beside_them() {
        let both = row(RouteKind::Unicast, &[(4, Some("fe80::1")), (5, Some("fe80::2"))]);
        for gone in [row(RouteKind::Blackhole, &[]), row(RouteKind::Unicast, &[(4, None)])] {
            let mut routes = Routes::default();
            routes.take(&both, How::Listed);
            assert_eq!(routes.take(&gone, How::Gone), Outcome { changed: false, doubt: true });
            assert_eq!(routes.named(&JOINED), std::slice::from_ref(&both.held));
        }
    }

    #[test]
    fn what_ipv6_may_not_have_listed_is_listed_once_a_way_beside_it_goes() {
        let [one, two] = [(4, Some("fe80::1")), (5, Some("fe80::2"))];
        for (listed, gone, doubt) in
            [(vec![one, two], vec![one], true), (vec![one, two], vec![one, two], true), (vec![one], vec![one], false)]
        {
            let mut routes = Routes::default();
            routes.take(&row(RouteKind::Unicast, &listed), How::Listed);
            let outcome = routes.take(&row(RouteKind::Unicast, &gone), How::Gone);
            assert_eq!(outcome, Outcome { changed: true, doubt }, "{listed:?} without {gone:?}");
        }
    }
}
