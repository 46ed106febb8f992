//! When something is amiss.

use proptest::prelude::*;

use super::{super::*, world::*};

/// A path that was well for a while, and then a black hole.
fn black_hole(interval: Duration, list: &[ProbePath], rtt: u64, well_for: u64) -> World {
    let mut world = World::new(interval, list, move |_, _| answer(rtt));
    world.live_until(after(well_for));
    world.set(|_, _| Fate::Silence);
    world
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    /// Three probes are known to be lost within a second, answers that take 100 ms included, whenever it begins.
    #[test]
    fn a_black_hole_of_a_path_with_four_targets_is_confirmed_within_a_second(
        well_for in 10_000_u64..20_000, stable: bool,
    ) {
        let from = well_for + if stable { 400_000 } else { 0 };
        let mut world = black_hole(FAST, &[path(0, 0, 4)], 100, from);
        world.live_until(after(from + 2_000));
        let confirmed = world.nth_loss(3, after(from)).unwrap();
        prop_assert!(confirmed <= Duration::from_secs(1), "{confirmed:?}");
    }
}

#[test]
fn other_targets_are_asked_about_a_loss_the_last_to_answer_first() {
    let mut world = black_hole(NORMAL, &[path(0, 0, 4)], 10, 20_000);
    world.live_until(after(21_800));
    let [before, lost, quick, next] = world.positions_from(after(19_000))[..4] else { panic!() };
    assert_eq!(quick, before, "cause {lost}, then {quick}, {next}");
    assert!(![lost, quick].contains(&next));
}

#[test]
fn an_answer_that_is_only_late_ends_the_doubt_it_began() {
    let mut world = World::new(NORMAL, &[path(0, 0, 4)], |_, _| answer(10));
    world.live_until(after(30_000));
    let mut late = 1;
    world.set(move |_, _| {
        late -= 1;
        answer(if late == 0 { 400 } else { 10 })
    });
    world.live_until(after(60_000));
    let path = path(0, 0, 4);
    let extra = world.count(&path, after(30_000), after(60_000)) - 30;
    assert!((1..=4).contains(&extra), "{extra}");
}

#[test]
fn an_hour_of_loss_costs_no_more_than_the_ordinary_rate_and_one_doubt() {
    for targets in [1, 4] {
        let list = [path(0, 0, targets)];
        let mut world = black_hole(NORMAL, &list, 10, 20_000);
        world.live_until(after(20_000 + 3_600_000));
        let count = world.count(&list[0], after(20_000), world.now);
        assert!((3_590..=3_600 + 8).contains(&count), "{count}");
    }
}

#[test]
fn a_path_that_loses_every_third_probe_costs_at_most_twice_the_ordinary_rate() {
    let list = [path(0, 0, 8)];
    let mut number = 0_u32;
    let mut world = World::new(NORMAL, &list, move |_, _| {
        number += 1;
        if number.is_multiple_of(3) { Fate::Silence } else { answer(10) }
    });
    world.live_until(after(1_000_000));
    let count = world.times(&list[0]).len();
    assert!((1_200..=2_020).contains(&count), "{count}");
}

#[test]
fn the_first_answer_after_an_outage_is_followed_by_more_at_once() {
    let list = [path(0, 0, 4)];
    let mut world = black_hole(Duration::from_secs(10), &list, 10, 60_000);
    world.live_until(after(200_000));
    world.set(|_, _| answer(10));
    world.live_until(after(215_000));
    let answered = |heard: &&Heard| heard.at > after(200_000) && matches!(heard.news, News::Answered(_));
    let answers: Vec<_> = world.heard.iter().filter(answered).map(|heard| heard.at).take(3).collect();
    assert!(answers[2].since(answers[0]) < Duration::from_millis(500), "{answers:?}");
}

#[test]
fn who_answers_is_asked_first_after_an_outage() {
    let list = [with_targets(0, 0, vec![tcp(0, 0), tcp(0, 1), tls(0, 2)])];
    let mut world = black_hole(NORMAL, &list, 10, 20_000);
    world.live_until(after(60_000));
    world.set(|_, _| answer(10));
    world.live_until(after(70_000));
    let back =
        world.heard.iter().position(|heard| heard.at > after(60_000) && matches!(heard.news, News::Answered(_)));
    let back = &world.heard[back.unwrap()];
    let next = world.sent.iter().find(|sent| sent.at >= back.at).unwrap();
    assert!(back.assignment.position == 2 || next.assignment.position == 2, "{:?}", next.assignment.position);
}

#[test]
fn a_dead_target_is_no_doubt_once_it_is_silent() {
    let list = [path(0, 0, 4)];
    let mut world =
        World::new(NORMAL, &list, |assignment, _| if assignment.position == 1 { Fate::Silence } else { answer(10) });
    world.live_until(after(120_000));
    let (from, to) = (after(60_000), after(120_000));
    let asked = world.positions_from(from).into_iter().filter(|position| *position == 1).count();
    assert!((1..=3).contains(&asked), "{asked}");
    assert!(world.count(&list[0], from, to) <= 62);
}

#[test]
fn an_impostor_is_confirmed_by_those_who_can_tell_while_others_answer() {
    let list = [with_targets(0, 0, vec![tcp(0, 0), tcp(0, 1), tls(0, 2), tls(0, 3)])];
    let mut world = World::new(NORMAL, &list, |_, _| answer(10));
    world.live_until(after(30_000));
    world.set(|assignment, _| {
        let took = Duration::from_millis(10);
        if assignment.position >= 2 { Fate::Impostor(took) } else { Fate::Answer(took) }
    });
    world.live_until(after(3_630_000));
    let lies: Vec<_> = world
        .heard
        .iter()
        .filter(|heard| matches!(heard.news, News::Lost { interference: true, .. }))
        .map(|heard| heard.at)
        .collect();
    assert!(lies[2].since(lies[0]) <= Duration::from_secs(2), "{:?}", &lies[..3]);
    // And then it goes on as before: an hour of it costs no more.
    assert!(lies.len() <= 360 + 10, "{}", lies.len());
    assert!(world.count(&list[0], after(30_000), world.now) <= 3_600 + 10);
}

#[test]
fn the_next_probes_of_an_uplinks_other_paths_are_brought_forward_not_added() {
    let list: Vec<_> = (0..6).map(|class| path(u16::from(class % 2), class, 4)).collect();
    let quiet = Duration::from_secs(10);
    let mut world = World::new(quiet, &list, |_, _| answer(10));
    world.live_until(after(60_000));
    world.set(|assignment, _| if assignment.path.uplink.0 == 0 { Fate::Silence } else { answer(10) });
    let mut first_loss = None;
    while first_loss.is_none() {
        world.live_until(world.now + Duration::from_millis(10));
        first_loss = world.nth_loss(1, after(60_000));
    }
    let doubt = world.now;
    world.live_until(doubt + Duration::from_millis(500));
    for path in list.iter().filter(|path| path.uplink.0 == 0) {
        assert!(
            world.count(path, doubt, world.now) >= 1
                || world.times(path).last().unwrap().since(after(60_000)) > Duration::ZERO
        );
    }
    world.live_until(doubt + Duration::from_secs(100));
    for path in list.iter().filter(|path| path.uplink.0 == 1) {
        assert!(world.count(path, doubt, world.now) <= 11);
    }
}

#[test]
fn a_whole_uplink_that_is_lost_is_known_to_be_on_all_its_paths_soon() {
    let list: Vec<_> = (0..20).map(|class| path(u16::from(class % 2), class, 4)).collect();
    let mut world = World::new(NORMAL, &list, |_, _| answer(50));
    world.live_until(after(60_000));
    world.set(|assignment, _| if assignment.path.uplink.0 == 0 { Fate::Silence } else { answer(50) });
    world.live_until(after(64_000));
    for path in list.iter().filter(|path| path.uplink.0 == 0) {
        let lost = world.heard.iter().filter(|heard| {
            heard.at > after(60_000)
                && *heard.assignment.path == *path
                && matches!(heard.news, News::Lost { known: false, .. })
        });
        assert!(lost.count() >= 3, "{path:?}");
    }
    for path in list.iter().filter(|path| path.uplink.0 == 1) {
        assert!(world.count(path, after(60_000), after(64_000)) >= 2, "starved: {path:?}");
    }
}
