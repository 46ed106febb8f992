//! Classes on several uplinks at once, beside ordinary ones, and from one kind to the other.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
};

use proptest::prelude::*;

use super::{address, attached, classes, interfaces, kernel, model::ModelKernel, names, next_hop};
use crate::{
    domain::{Family, NextHop, Share, UplinkId},
    plan::{Change, Fib, Layout, Placement, at_once, difference},
};

/// What is decided for a class.
#[derive(Debug, Clone)]
struct Seat {
    /// Its rule says that it is balanced; else only the first of `on` counts.
    balanced: bool,
    on: BTreeMap<u16, u8>,
    backup: Option<u16>,
}

/// A seat for each class, and which uplinks are attached.
type Situation = (Vec<Seat>, Vec<bool>);

fn situation() -> impl Strategy<Value = Situation> {
    let on = prop::collection::btree_map(0_u16..3, 1_u8..=255, 0..4);
    let seat = (any::<bool>(), on, prop::option::of(0_u16..3));
    let seat = seat.prop_map(|(balanced, on, backup)| Seat { balanced, on, backup });
    (prop::collection::vec(seat, 4), prop::collection::vec(prop::bool::weighted(0.8), 3))
}

fn fib_of((seats, attachments): &Situation) -> Fib {
    let (of_classes, mut placements, mut balanced) = (classes(), Vec::new(), BTreeSet::new());
    for (class, seat) in of_classes.iter().zip(seats) {
        let share = |(uplink, weight): (&u16, &u8)| Share { uplink: UplinkId(*uplink), weight: *weight };
        let count = if seat.balanced { seat.on.len() } else { 1 };
        let on = seat.on.iter().take(count).map(share).collect();
        balanced.extend(seat.balanced.then(|| class.id.clone()));
        placements.push(Placement { class: class.id.clone(), on, backup: seat.backup.map(UplinkId) });
    }
    let there = (0..).map(UplinkId).zip(attachments).filter(|(_, attached)| **attached);
    let uplinks: Vec<UplinkId> = there.map(|(uplink, _)| uplink).collect();
    Layout::new(&kernel(), &of_classes, &names(), &balanced).desired(&placements, &attached(&uplinks), &interfaces())
}

/// One address of each class, some at the edge of another.
fn addresses() -> Vec<IpAddr> {
    let of_all = ["13.107.6.152", "13.107.63.255", "13.107.64.0", "13.107.136.1", "52.113.0.1", "2603:1006::1"];
    of_all.map(address).to_vec()
}

/// Leads a kernel to a plan; `check` sees the ways of every address after every message.
fn lead(kernel: &mut ModelKernel, desired: &Fib, check: impl Fn(IpAddr, &BTreeSet<NextHop>, &Change)) {
    for change in difference(desired, &kernel.fib) {
        kernel.apply(&change).unwrap_or_else(|why| panic!("{change:?} was refused: {why}"));
        for address in addresses() {
            check(address, &kernel.ways(address), &change);
        }
    }
    assert_eq!(&kernel.fib, desired);
}

/// The line of an uplink is gone, and the agent knows.
fn without((seats, attachments): &Situation, lost: usize) -> Situation {
    let mut attachments = attachments.clone();
    attachments[lost] = false;
    (seats.clone(), attachments)
}

fn interface_of(uplink: usize) -> NextHop {
    next_hop(UplinkId(u16::try_from(uplink).unwrap()), Family::Ipv4)
}

proptest! {
    /// Nothing is refused, also where a class becomes balanced or ordinary; and traffic is never on ways that are neither
    /// those before nor those after.
    #[test]
    fn traffic_is_always_on_all_its_old_ways_or_on_all_its_new_ones(before in situation(), after in situation()) {
        let (before, after) = (fib_of(&before), fib_of(&after));
        let (start, end) = (ModelKernel::holding(&before), ModelKernel::holding(&after));
        lead(&mut start.clone(), &after, |address, found, change| {
            let allowed = [start.ways(address), end.ways(address)];
            assert!(allowed.contains(found), "{address} is on {found:?} after {change:?}, not on {allowed:?}");
        });
    }

    /// Other weights, other members: a group is set once and no route is touched, as long as a class has a way at all.
    #[test]
    fn other_weights_and_members_are_one_message_for_each_class(
        before in situation(), weights in prop::collection::vec(prop::collection::btree_map(0_u16..3, 1_u8..=255, 1..4), 4),
    ) {
        let mut before = (before.0, vec![true; 3]);
        for seat in &mut before.0 {
            *seat = Seat { balanced: true, backup: None, ..seat.clone() };
            seat.on.entry(0).or_insert(1);
        }
        let mut after = before.clone();
        for (seat, on) in after.0.iter_mut().zip(weights) {
            seat.on = on;
        }
        let changes = difference(&fib_of(&after), &fib_of(&before));
        let mut set = BTreeSet::new();
        for change in &changes {
            match change {
                Change::SetGroup(id, _) => prop_assert!(set.insert(*id), "twice: {:?}", changes),
                // A twin comes or goes.
                Change::SetNextHop(..) | Change::DeleteNextHop(_) => {}
                other => prop_assert!(false, "{:?}", other),
            }
        }
    }

    /// The kernel takes the members of a line out of their groups; the agent takes that up, and puts them back. Whoever has
    /// another way is on it all the time.
    #[test]
    fn a_line_goes_and_comes_back_and_who_has_another_way_keeps_it(seats in situation(), lost in 0_usize..3) {
        let whole = (seats.0, vec![true; 3]);
        let mut kernel = ModelKernel::holding(&fib_of(&whole));
        let before = kernel.clone();
        kernel.lose_carrier(interface_of(lost).index);
        let left = |address: IpAddr| {
            let mut ways = before.ways(address);
            ways.retain(|way| way.index != interface_of(lost).index);
            ways
        };
        for address in addresses().into_iter().filter(|address| before.ways(*address).len() > 1) {
            prop_assert_eq!(kernel.ways(address), left(address));
        }
        let stays = |address: IpAddr, found: &BTreeSet<NextHop>, change: &Change| {
            assert!(left(address).is_subset(found), "{address} is on {found:?} after {change:?}");
        };
        lead(&mut kernel, &fib_of(&without(&whole, lost)), stays);
        lead(&mut kernel, &fib_of(&whole), stays);
    }

    /// What is done at once is right also when a line was lost that the agent still sees.
    #[test]
    fn what_moves_at_once_leads_no_balanced_traffic_where_it_does_not_belong(
        before in situation(), after in situation(), lost in 0_usize..3,
    ) {
        let keep = before.0.iter().map(|seat| seat.balanced);
        let seats = after.0.iter().zip(keep).map(|(seat, balanced)| Seat { balanced, ..seat.clone() }).collect();
        let (before, after) = (fib_of(&before), fib_of(&without(&(seats, after.1), lost)));
        let mut kernel = ModelKernel::holding(&before);
        kernel.lose_carrier(interface_of(lost).index);
        let (start, end) = (kernel.clone(), ModelKernel::holding(&after));
        for change in at_once(&after, &before) {
            // A refusal changes nothing.
            let _ = kernel.apply(&change);
            for address in ["52.113.0.1", "2603:1006::1"].map(address) {
                let allowed = [start.ways(address), end.ways(address)];
                let found = kernel.ways(address);
                prop_assert!(allowed.contains(&found), "{} is on {:?} after {:?}, not on {:?}", address, found, change, allowed);
            }
        }
    }
}
