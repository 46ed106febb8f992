use std::sync::Arc;

use super::*;

const START: BootTime = BootTime(Duration::from_secs(1_000));

fn after(seconds: u64) -> BootTime {
    START + Duration::from_secs(seconds)
}

fn tcp(last: u8) -> Target {
    Target::tcp(([192, 0, 2, last], 443).into())
}

fn tls(last: u8) -> Target {
    Target { check: Check::Tls { server_name: Arc::from("example.net") }, ..tcp(last) }
}

/// Asks whose turn it is once a second for so many seconds.
fn watch(turns: &mut Turns, from: u64, seconds: u64) -> Vec<usize> {
    (from..from + seconds)
        .map(|second| {
            let position = turns.order(Purpose::Watch, after(second))[0];
            turns.asked(position, false, after(second));
            position
        })
        .collect()
}

fn count(asked: &[usize], of: usize) -> usize {
    asked.iter().filter(|position| **position == of).count()
}

#[test]
fn targets_take_turns() {
    assert_eq!(watch(&mut Turns::new(&[tcp(1), tcp(2), tcp(3)]), 0, 6), [0, 1, 2, 0, 1, 2]);
}

#[test]
fn a_costly_target_has_one_turn_in_ten_seconds() {
    let asked = watch(&mut Turns::new(&[tcp(1), tls(2), tls(3)]), 0, 60);
    assert_eq!(count(&asked, 1) + count(&asked, 2), 6);
    assert_eq!(count(&asked, 1), 3);
}

#[test]
fn costly_targets_alone_have_all_the_turns() {
    let asked = watch(&mut Turns::new(&[tls(1), tls(2)]), 0, 10);
    assert_eq!((count(&asked, 0), count(&asked, 1)), (5, 5));
}

#[test]
fn a_target_that_is_silent_while_another_answers_has_a_turn_in_thirty_seconds() {
    let mut turns = Turns::new(&[tcp(1), tcp(2)]);
    turns.answered(0, Duration::from_millis(10), START);
    (0..4).for_each(|_| turns.lost(1));
    assert!(!turns.is_silent(1));
    turns.lost(1);
    assert!(turns.is_silent(1));
    turns.asked(1, false, START);
    assert_eq!(count(&watch(&mut turns, 1, 90), 1), 3);
    turns.answered(1, Duration::from_millis(10), after(91));
    assert_eq!(count(&watch(&mut turns, 91, 10), 1), 5);
}

#[test]
fn nobody_is_silent_when_nobody_answers() {
    let mut turns = Turns::new(&[tcp(1), tcp(2)]);
    for position in [0, 1].repeat(20) {
        turns.lost(position);
    }
    assert!(!turns.is_silent(0) && !turns.is_silent(1));
}

#[test]
fn the_silent_take_part_again_when_the_path_is_lost() {
    let mut turns = Turns::new(&[tcp(1), tcp(2)]);
    turns.answered(0, Duration::from_millis(10), START);
    (0..5).for_each(|_| turns.lost(1));
    turns.asked(1, false, START);
    turns.asked(0, false, after(1));
    assert_eq!(turns.order(Purpose::Watch, after(2)), [0]);
    assert_eq!(turns.order(Purpose::WatchLost, after(2)), [1, 0]);
}

#[test]
fn a_single_target_always_has_its_turn() {
    for target in [tcp(1), tls(1)] {
        let mut turns = Turns::new(&[target]);
        (0..20).for_each(|_| turns.lost(0));
        assert_eq!(watch(&mut turns, 0, 5), [0; 5]);
    }
}

#[test]
fn in_doubt_the_one_that_answered_last_is_asked_first_and_the_cause_at_last() {
    let mut turns = Turns::new(&[tcp(1), tcp(2), tcp(3), tls(4)]);
    for (position, at) in [(0, 9), (1, 3), (2, 7), (3, 8)] {
        turns.answered(position, Duration::from_millis(10), after(at));
    }
    turns.doubt(0);
    assert_eq!(turns.order(Purpose::Confirm, after(10)), [2, 1, 3, 0]);
    turns.asked(2, true, after(10));
    assert_eq!(turns.order(Purpose::Confirm, after(10)), [1, 3, 0, 2]);
}

#[test]
fn only_those_that_can_prove_it_are_asked_who_answers() {
    assert_eq!(Turns::new(&[tcp(1), tls(2), tls(3)]).order(Purpose::Prove, START), [1, 2]);
    assert_eq!(Turns::new(&[tcp(1)]).order(Purpose::Prove, START), [0]);
}

#[test]
fn a_name_without_address_is_noted_once_in_ten_seconds() {
    let mut turns = Turns::new(&[tcp(1)]);
    let noted: Vec<u64> = (0..25).filter(|second| turns.note_unresolved(0, after(*second))).collect();
    assert_eq!(noted, [0, 10, 20]);
}

#[test]
fn targets_that_stay_in_the_list_keep_what_is_known_of_them() {
    let mut turns = Turns::new(&[tcp(1), tcp(2)]);
    turns.answered(1, Duration::from_millis(30), START);
    let turns = turns.follow(&[tcp(1), tcp(2)], &[tcp(2), tcp(3)]);
    assert_eq!(turns.expectation(0).usual(), Some(Duration::from_millis(30)));
    assert_eq!(turns.expectation(1).usual(), None);
}

#[test]
fn until_a_target_is_known_the_others_say_what_is_usual() {
    const TIMEOUT: Duration = Duration::from_millis(900);
    let ms = Duration::from_millis;
    let mut turns = Turns::new(&[tcp(1), tcp(2), tcp(3), tls(4)]);
    turns.answered(0, ms(20), after(0));
    turns.answered(1, ms(20), after(1));
    assert_eq!(turns.overdue_after(0, TIMEOUT), None, "two answers in all");
    turns.answered(1, ms(20), after(2));
    let early = turns.overdue_after(0, TIMEOUT).unwrap();
    assert!(early < ms(200), "{early:?}");
    assert_eq!(turns.overdue_after(2, TIMEOUT), None, "it never answered");
    assert_eq!(turns.overdue_after(3, TIMEOUT), None, "a handshake takes longer than a SYN");

    // A far one is not held to what is usual for the near ones.
    turns.answered(2, ms(300), after(3));
    assert!(turns.overdue_after(2, TIMEOUT).unwrap() >= ms(350));
}
