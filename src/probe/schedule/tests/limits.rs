//! What holds whatever happens.

use proptest::prelude::*;

use super::{super::*, world::*};

#[test]
fn after_a_suspend_every_path_gets_one_late_probe_and_the_ceiling_lets_them_out() {
    let list: Vec<_> = (0..60).map(|class| path(u16::from(class % 3), class, 4)).collect();
    let mut world = World::new(Duration::from_secs(10), &list, |_, _| answer(10));
    world.live_until(after(60_000));
    let back = after(3_600_000);
    world.wake_at(back);
    assert!(world.sent.iter().filter(|sent| sent.at == back).count() <= 2);
    world.live_until(back + Duration::from_millis(3_900));
    for path in &list {
        let count = world.count(path, back, world.now);
        assert!((1..=2).contains(&count), "{count}");
    }
    world.live_until(back + Duration::from_secs(100));
    let total: usize = list.iter().map(|path| world.count(path, back, world.now)).sum();
    // It was well for long, and is measured half as often.
    assert!((290..=360).contains(&total), "{total} in ten intervals");
}

#[test]
fn a_loop_that_always_wakes_late_still_probes_every_path() {
    let list: Vec<_> = (0..12).map(|class| path(u16::from(class % 3), class, 4)).collect();
    let mut world = World::new(NORMAL, &list, |_, _| answer(10));
    for wake in (0..100_000).step_by(170) {
        world.wake_at(after(wake));
    }
    for path in &list {
        let count = world.times(path).len();
        assert!(count >= 75, "{count} in a hundred intervals");
    }
}

#[test]
fn a_path_with_eight_probes_under_way_waits_until_one_ends() {
    let mut schedule = Schedule::new(NORMAL, 7);
    schedule.replace(&[path(0, 0, 4)], START);
    let due = |schedule: &mut Schedule, second: u64| schedule.pop_due(after(second * 1_000), &no_names());
    let sent: Vec<_> = (1..20).filter_map(|second| due(&mut schedule, second)).collect();
    assert_eq!(sent.len(), MAX_IN_FLIGHT_PER_PATH);
    schedule.finished(&sent[0]);
    assert!((20..23).any(|second| due(&mut schedule, second).is_some()));
}

#[test]
fn all_paths_together_have_no_more_than_256_probes_under_way() {
    let mut schedule = Schedule::new(NORMAL, 7);
    let list: Vec<_> = (0..3).flat_map(|uplink| (0..100).map(move |class| path(uplink, class, 4))).collect();
    schedule.replace(&list, START);
    let sent = (0..60_000_u64)
        .flat_map(|wake| std::iter::from_fn(|| schedule.pop_due(after(wake), &no_names())).collect::<Vec<_>>());
    assert_eq!(sent.count(), MAX_IN_FLIGHT);
}

#[test]
fn a_probe_that_ends_after_its_path_left_the_list_is_told_apart_and_no_longer_counted() {
    let mut schedule = Schedule::new(NORMAL, 7);
    schedule.replace(&[path(0, 0, 1)], START);
    let assignment = schedule.pop_due(after(1_200), &no_names()).unwrap();
    schedule.replace(&[], after(1_201));
    assert!(!schedule.finished(&assignment));
    assert!(schedule.in_flight.is_empty());
    assert_eq!(schedule.all_in_flight, 0);
}

#[test]
fn a_probe_of_a_target_that_was_replaced_is_told_apart() {
    let mut schedule = Schedule::new(NORMAL, 7);
    schedule.replace(&[path(0, 0, 1)], START);
    let assignment = schedule.pop_due(after(1_200), &no_names()).unwrap();
    schedule.replace(&[with_targets(0, 0, vec![tcp(9, 9)])], after(1_201));
    assert!(!schedule.finished(&assignment));
}

#[test]
fn an_interval_of_zero_is_bounded() {
    let mut world = World::new(Duration::ZERO, &[path(0, 0, 40)], |_, _| answer(1));
    world.live_until(after(10_000));
    assert!((170..=204).contains(&world.sent.len()), "{}", world.sent.len());
}

#[test]
fn no_path_is_passed_over_while_a_third_of_six_hundred_is_in_doubt() {
    let list: Vec<_> = (0..3).flat_map(|uplink| (0..200).map(move |class| path(uplink, class, 4))).collect();
    let mut world = World::new(FAST, &list, |_, _| answer(30));
    world.live_until(after(200_000));
    world.set(|assignment, _| if assignment.path.uplink.0 == 0 { Fate::Silence } else { answer(30) });
    world.live_until(after(300_000));
    for path in &list {
        // All of them at half the rate of the ceiling take a minute.
        assert!(world.count(path, after(200_000), after(270_000)) >= 1, "{path:?}");
    }
}

fn most_in_any_window(times: &[BootTime], span: Duration) -> usize {
    times
        .iter()
        .enumerate()
        .map(|(first, start)| times[first..].iter().take_while(|time| time.since(*start) <= span).count())
        .max()
        .unwrap_or(0)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    /// However the loop is woken, whatever the list becomes and whatever the network does: never above the ceiling, and
    /// no path is forgotten.
    #[test]
    fn never_above_the_ceiling_and_nobody_starves(
        seed: u64,
        count in 1_u8..80,
        targets in 1_u8..5,
        shared: bool,
        interval in 50_u64..3_000,
        loss in 0_u8..100,
        naps in prop::collection::vec(0_u64..300, 1..600),
    ) {
        let path = |number: u8| {
            let of = if shared { number % 4 } else { number };
            with_targets(u16::from(number % 3), number, (0..targets).map(|target| tcp(of, target)).collect())
        };
        let list: Vec<_> = (0..count).map(path).collect();
        let mut random = fastrand::Rng::with_seed(seed);
        let mut world = World::new(Duration::from_millis(interval), &list, move |_, _| {
            if random.u8(..100) < loss { Fate::Silence } else { answer(random.u64(1..500)) }
        });
        for (step, nap) in naps.into_iter().enumerate() {
            let now = world.now + Duration::from_millis(nap);
            if step % 97 == 96 {
                world.schedule.replace(&list[..list.len() / 2], now);
                world.schedule.replace(&list, now);
            }
            world.wake_at(now);
        }
        let times: Vec<_> = world.sent.iter().map(|sent| sent.at).collect();
        let mut by_target: BTreeMap<_, Vec<BootTime>> = BTreeMap::new();
        for sent in &world.sent {
            let target = (sent.assignment.path.uplink, sent.assignment.address.unwrap().ip());
            by_target.entry(target).or_default().push(sent.at);
        }
        for milliseconds in [0, 49, 500, 1_000, 3_000, 10_000, 30_000] {
            let span = Duration::from_millis(milliseconds);
            prop_assert!(most_in_any_window(&times, span) as f64 <= 20.0 * span.as_secs_f64() + 4.0);
            for times in by_target.values() {
                prop_assert!(most_in_any_window(times, span) as f64 <= span.as_secs_f64() + 3.0);
            }
        }
        let from = world.now;
        // At worst all share one address by an uplink; then each has its turn in so many seconds.
        let round = Duration::from_secs(10 + u64::from(count)) + Duration::from_millis(interval * 2);
        world.live_until(from + round);
        for path in &list {
            prop_assert!(world.count(path, from, world.now) >= 1, "starved: {:?}", path.class);
        }
    }
}
