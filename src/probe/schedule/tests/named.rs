//! Targets with names.

use std::net::IpAddr;

use super::{super::*, world::*};
use crate::domain::Host;

fn named(class: u8, name: &str) -> Target {
    Target { host: Host::Name(Arc::from(name)), ..tcp(class, 0) }
}

fn address(last: u8) -> IpAddr {
    IpAddr::from([192, 0, 2, last])
}

/// Ends the look-up that is due.
fn look_up(world: &mut World, found: Option<Vec<IpAddr>>) {
    let lookup = world.addresses.pop_due(world.now).unwrap();
    world.addresses.learned(&lookup, found.map(|addresses| (addresses, Duration::from_secs(3_600))), world.now);
    world.schedule.resolved(&lookup.question, world.now);
}

fn world(list: &[ProbePath]) -> World {
    let mut world = World::new(Duration::from_secs(10), list, |_, _| answer(10));
    world.addresses.replace(list, START);
    world
}

#[test]
fn a_path_waits_for_the_first_look_up_and_goes_on_at_once() {
    let mut world = world(&[with_targets(0, 0, vec![named(0, "a.example")])]);
    world.live_until(after(5_000));
    assert!(world.sent.is_empty());
    look_up(&mut world, Some(vec![address(1)]));
    world.live_until(after(5_010));
    assert_eq!(world.sent[0].assignment.address, Some((address(1), 443).into()));
}

#[test]
fn several_addresses_of_a_name_take_turns() {
    let mut world = world(&[with_targets(0, 0, vec![named(0, "a.example")])]);
    look_up(&mut world, Some(vec![address(1), address(2), address(3)]));
    world.live_until(after(120_000));
    let asked: Vec<_> = world.sent.iter().map(|sent| sent.assignment.address.unwrap().ip()).collect();
    assert_eq!(asked[..6], [1, 2, 3, 1, 2, 3].map(address));
}

#[test]
fn a_name_without_address_costs_no_probe_and_is_told_once_in_ten_seconds() {
    let mut world = World::new(NORMAL, &[], |_, _| answer(10));
    let list = [with_targets(0, 0, vec![named(0, "a.example"), tcp(0, 1)])];
    world.schedule.replace(&list, START);
    world.addresses.replace(&list, START);
    look_up(&mut world, None);
    world.live_until(after(60_000));
    let told = world.sent.iter().filter(|sent| sent.assignment.address.is_none()).count();
    let probed = world.sent.iter().filter(|sent| sent.assignment.address.is_some()).count();
    assert!((5..=7).contains(&told), "{told}");
    assert!((52..=66).contains(&probed), "{probed}");
    assert_eq!(world.schedule.all_in_flight, 0);
}
