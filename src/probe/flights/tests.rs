use std::sync::Arc;

use super::*;
use crate::{
    domain::{ClassId, Family, Target, UplinkId},
    probe::ProbePath,
};

const EXPECTED: Duration = Duration::from_millis(80);

fn assignment() -> Assignment {
    let target = Target::tcp(([192, 0, 2, 1], 443).into());
    let path = ProbePath {
        uplink: UplinkId(0),
        class: ClassId::new("a"),
        interface: "wan0".to_owned(),
        source: None,
        family: Family::Ipv4,
        resolvers: Arc::from([]),
        targets: [target.clone()].into(),
    };
    Assignment { path: Arc::new(path), position: 0, target, address: None }
}

/// So long after the start, of which the machine slept a part.
fn moment(milliseconds: u64, slept: u64) -> Moment {
    let boot = BootTime(Duration::from_millis(1_000_000 + milliseconds));
    Moment { boot, awake: boot.0.saturating_sub(Duration::from_millis(slept)) }
}

#[test]
fn a_probe_is_overdue_once_and_has_a_last_word_after_it() {
    let mut flights = Flights::default();
    let number = flights.depart(assignment(), moment(0, 0), Some(EXPECTED));
    assert!(flights.pop_overdue(moment(79, 0)).is_none());
    assert_eq!(flights.pop_overdue(moment(80, 0)).map(|flight| flight.sent), Some(moment(0, 0)));
    assert!(flights.pop_overdue(moment(81, 0)).is_none());
    let (flight, counts) = flights.land(number, moment(300, 0)).unwrap();
    assert!(flight.overdue && counts);
    assert!(flights.land(number, moment(301, 0)).is_none());
}

#[test]
fn a_probe_that_is_over_is_not_overdue() {
    let mut flights = Flights::default();
    let number = flights.depart(assignment(), moment(0, 0), Some(EXPECTED));
    assert!(!flights.land(number, moment(20, 0)).unwrap().0.overdue);
    assert_eq!(flights.next_overdue(), None);
    assert!(flights.pop_overdue(moment(500, 0)).is_none());
}

#[test]
fn where_nothing_is_expected_nothing_is_overdue() {
    let mut flights = Flights::default();
    flights.depart(assignment(), moment(0, 0), None);
    assert!(flights.pop_overdue(moment(5_000, 0)).is_none());
}

#[test]
fn a_probe_that_was_under_way_in_a_suspend_is_neither_overdue_nor_over() {
    let mut flights = Flights::default();
    let number = flights.depart(assignment(), moment(0, 0), Some(EXPECTED));
    assert!(flights.pop_overdue(moment(3_600_000, 3_599_990)).is_none());
    assert!(!flights.land(number, moment(3_600_020, 3_599_990)).unwrap().1);
}

#[test]
fn a_suspend_before_it_was_sent_does_not_matter() {
    let mut flights = Flights::default();
    let number = flights.depart(assignment(), moment(0, 900_000), Some(EXPECTED));
    assert!(flights.pop_overdue(moment(100, 900_050)).is_some());
    assert!(flights.land(number, moment(200, 900_050)).unwrap().1);
}
