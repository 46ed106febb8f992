//! While nothing is amiss.

use super::{super::*, world::*};
use crate::domain::{ClassId, UplinkId};

fn paths(count: u8, targets: u8) -> Vec<ProbePath> {
    (0..count).map(|number| path(u16::from(number % 3), number, targets)).collect()
}

/// A world that was calm for ten seconds: the quick probes of the start are over.
fn settled(interval: Duration, list: &[ProbePath]) -> World {
    let mut world = World::new(interval, list, |_, _| answer(10));
    world.live_until(after(10_000));
    world
}

#[test]
fn without_paths_or_targets_nothing_is_ever_due() {
    for list in [vec![], vec![path(0, 0, 0)]] {
        let mut schedule = World::new(NORMAL, &list, |_, _| answer(10)).schedule;
        assert_eq!(schedule.next_due(), None);
        assert_eq!(schedule.pop_due(after(1_000_000), &no_names()), None);
    }
}

#[test]
fn every_path_is_probed_in_the_first_second_whatever_the_interval() {
    let list = paths(12, 4);
    let mut world = World::new(Duration::from_secs(10), &list, |_, _| Fate::Silence);
    world.live_until(after(1_050));
    for path in &list {
        assert!(!world.times(path).is_empty(), "{path:?}");
    }
}

#[test]
fn the_mean_rate_is_one_probe_an_interval() {
    let list = paths(10, 4);
    let mut world = settled(NORMAL, &list);
    world.live_until(after(70_000));
    for path in &list {
        let count = world.count(path, after(10_000), after(70_000));
        assert!((59..=61).contains(&count), "{count}");
    }
}

#[test]
fn probes_of_a_path_are_four_to_six_fifths_of_the_interval_apart_and_not_equally() {
    let list = paths(5, 4);
    let mut world = settled(NORMAL, &list);
    world.live_until(after(60_000));
    for path in &list {
        let times: Vec<_> = world.times(path).into_iter().filter(|at| *at > after(10_000)).collect();
        let gaps = gaps(&times);
        let (shortest, longest) = (gaps.iter().min().unwrap(), gaps.iter().max().unwrap());
        assert!(*shortest >= Duration::from_millis(790) && *longest <= Duration::from_millis(1_210), "{gaps:?}");
        assert!(longest.saturating_sub(*shortest) > Duration::from_millis(100), "no jitter");
    }
}

#[test]
fn a_path_that_was_well_for_five_minutes_is_probed_half_as_often_until_the_next_loss() {
    let list = [path(0, 0, 4)];
    let mut world = settled(NORMAL, &list);
    world.live_until(after(290_000));
    let before = world.count(&list[0], after(230_000), after(290_000));
    world.live_until(after(400_000));
    let stable = world.count(&list[0], after(340_000), after(400_000));
    world.set(|_, at| if at < after(403_000) { Fate::Silence } else { answer(10) });
    world.live_until(after(500_000));
    let after_loss = world.count(&list[0], after(440_000), after(500_000));
    assert!((59..=61).contains(&before), "{before}");
    assert!((29..=31).contains(&stable), "{stable}");
    assert!((59..=61).contains(&after_loss), "{after_loss}");
}

#[test]
fn what_is_wished_beyond_the_ceiling_stretches_all_intervals_evenly() {
    let list: Vec<_> = (0..200).map(|number| path(u16::from(number % 3), number, 4)).collect();
    let mut world = World::new(FAST, &list, |_, _| answer(10));
    // The quick probes of so many new paths take a while.
    world.live_until(after(100_000));
    let from = world.now;
    world.live_until(from + Duration::from_secs(110));
    let counts: Vec<_> = list.iter().map(|path| world.count(path, from, world.now)).collect();
    let (least, most) = (counts.iter().min().unwrap(), counts.iter().max().unwrap());
    assert!(*least >= 9 && *most <= 11, "{least}..{most} in ten stretched intervals");
}

#[test]
fn a_single_target_is_asked_once_a_second_at_most_and_always() {
    let list = [path(0, 0, 1)];
    let mut world = settled(FAST, &list);
    world.live_until(after(70_000));
    let count = world.count(&list[0], after(10_000), after(70_000));
    assert!((58..=61).contains(&count), "{count}");
}

#[test]
fn paths_that_share_their_only_target_share_its_turns() {
    let list: Vec<_> = (0..5).map(|class| with_targets(0, class, vec![tcp(0, 0)])).collect();
    let mut world = settled(FAST, &list);
    world.live_until(after(110_000));
    for path in &list {
        let count = world.count(path, after(10_000), after(110_000));
        assert!((18..=22).contains(&count), "{count}");
    }
}

#[test]
fn neighbours_in_phase_are_different_uplinks() {
    let list: Vec<_> = (0..2).flat_map(|uplink| (0..10).map(move |class| path(uplink, class, 1))).collect();
    let world = World::new(Duration::from_secs(10), &list, |_, _| Fate::Silence);
    let mut by_due: Vec<_> = world.schedule.courses.iter().map(|(_, course)| course).collect();
    by_due.sort_by_key(|course| course.due);
    let order: Vec<_> = by_due.iter().map(|course| course.path.uplink.0).collect();
    assert_eq!(order, [0, 1].repeat(10));
}

#[test]
fn a_new_path_is_first_asked_to_prove_who_answers_and_then_once_in_ten_seconds() {
    let list = [with_targets(0, 0, vec![tcp(0, 0), tcp(0, 1), tls(0, 2)])];
    let mut world = World::new(NORMAL, &list, |_, _| answer(10));
    world.live_until(after(65_000));
    assert_eq!(world.sent[0].assignment.position, 2);
    let proofs = world.positions_from(after(5_000)).into_iter().filter(|position| *position == 2).count();
    assert!((5..=6).contains(&proofs), "{proofs} in a minute");
}

#[test]
fn paths_that_stay_in_the_list_keep_their_course_and_take_what_changed() {
    let mut world = settled(NORMAL, &[path(0, 0, 2), path(1, 1, 1)]);
    let due = world.schedule.courses.get(&(ClassId::new("class0"), UplinkId(0))).unwrap().due;
    let moved = ProbePath { interface: "ppp1".to_owned(), ..path(0, 0, 2) };
    world.schedule.replace(&[path(2, 9, 1), moved.clone()], world.now);
    let kept = world.schedule.courses.get(&(ClassId::new("class0"), UplinkId(0))).unwrap();
    assert_eq!((kept.due, &*kept.path), (due, &moved));
    assert_eq!(kept.turns.expectation(0).usual(), Some(Duration::from_millis(10)));
    assert_eq!(world.schedule.courses.iter().count(), 2);
}

#[test]
fn lists_that_change_faster_than_the_interval_do_not_keep_old_paths_from_being_probed() {
    let mut world = settled(NORMAL, &paths(4, 4));
    for step in 0..2_000 {
        let listed = if step % 2 == 0 { 4 } else { 5 };
        world.schedule.replace(&paths(listed, 4), world.now);
        world.live_until(after(10_000 + step * 10));
    }
    for path in paths(4, 4) {
        let count = world.count(&path, after(10_000), after(30_000));
        assert!((18..=21).contains(&count), "{count}");
    }
}

#[test]
fn a_shorter_list_shortens_waits_that_were_made_for_a_longer_one() {
    let mut world = settled(NORMAL, &(0..200).map(|class| path(0, class, 2)).collect::<Vec<_>>());
    let left = path(0, 7, 2);
    let now = world.now;
    world.schedule.replace(std::slice::from_ref(&left), now);
    world.live_until(now + Duration::from_millis(2_300));
    assert!(world.count(&left, now, world.now) >= 1);
}
