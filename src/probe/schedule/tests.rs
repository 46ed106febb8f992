//! What the schedule promises, over virtual time.

use proptest::prelude::*;

use super::*;
use crate::domain::Family;

const INTERVAL: Duration = Duration::from_millis(100);
const START: BootTime = BootTime(Duration::from_secs(1_000));

fn path(uplink: u16, class: &str, targets: u16) -> ProbePath {
    let targets = (0..targets).map(|port| Target::tcp(([192, 0, 2, 1], port + 1).into())).collect();
    ProbePath {
        uplink: UplinkId(uplink),
        class: ClassId::new(class),
        interface: format!("wan{uplink}"),
        source: None,
        family: Family::Ipv4,
        resolvers: Arc::from([]),
        targets,
    }
}

fn paths(count: u16) -> Vec<ProbePath> {
    (0..count).map(|number| path(number % 3, &format!("class{number}"), 1)).collect()
}

fn schedule(list: &[ProbePath]) -> Schedule {
    let mut schedule = Schedule::new(INTERVAL, 7);
    schedule.replace(list, START);
    schedule
}

fn after(milliseconds: u64) -> BootTime {
    START + Duration::from_millis(milliseconds)
}

/// Everything that is due at `now`; ends at once what it starts.
fn drain(schedule: &mut Schedule, now: BootTime) -> Vec<Assignment> {
    let due: Vec<_> = std::iter::from_fn(|| schedule.pop_due(now)).collect();
    for assignment in &due {
        schedule.finished(assignment);
    }
    due
}

/// Wakes exactly when the schedule asks to, as an idle machine does; every probe ends at once.
fn on_time(schedule: &mut Schedule, until: BootTime) -> Vec<(BootTime, Assignment)> {
    let mut sent = Vec::new();
    while let Some(now) = schedule.next_due().filter(|due| *due < until) {
        let due = drain(schedule, now);
        assert!(!due.is_empty(), "woken at {now:?} for nothing");
        sent.extend(due.into_iter().map(|assignment| (now, assignment)));
    }
    sent
}

fn times_of(sent: &[(BootTime, Assignment)], of: &ProbePath) -> Vec<BootTime> {
    sent.iter().filter(|(_, assignment)| *assignment.path == *of).map(|(time, _)| *time).collect()
}

fn gaps(times: &[BootTime]) -> Vec<Duration> {
    times.windows(2).map(|pair| pair[1].since(pair[0])).collect()
}

#[test]
fn without_paths_nothing_is_ever_due() {
    let mut schedule = schedule(&[]);
    assert_eq!(schedule.next_due(), None);
    assert_eq!(schedule.pop_due(after(1_000_000)), None);
}

#[test]
fn a_path_without_targets_is_not_probed() {
    assert_eq!(schedule(&[path(0, "a", 0)]).next_due(), None);
}

#[test]
fn every_path_is_probed_once_in_the_first_interval_and_its_jitter() {
    let list = paths(24);
    let sent = on_time(&mut schedule(&list), after(120));
    for path in &list {
        assert!(!times_of(&sent, path).is_empty(), "{path:?}");
    }
}

#[test]
fn the_mean_rate_is_one_probe_an_interval() {
    let list = paths(24);
    let sent = on_time(&mut schedule(&list), after(60_000));
    for path in &list {
        let count = times_of(&sent, path).len();
        assert!((599..=601).contains(&count), "{count}");
    }
}

#[test]
fn probes_of_a_path_are_four_to_six_fifths_of_the_interval_apart_and_not_equally() {
    let list = paths(5);
    let sent = on_time(&mut schedule(&list), after(20_000));
    for path in &list {
        let gaps = gaps(&times_of(&sent, path));
        let (shortest, longest) = (gaps.iter().min().unwrap(), gaps.iter().max().unwrap());
        assert!(*shortest >= Duration::from_millis(80) && *longest <= Duration::from_millis(120));
        assert!(longest.saturating_sub(*shortest) > Duration::from_millis(10), "no jitter");
    }
}

#[test]
fn paths_are_spread_over_the_interval_and_stay_so() {
    let list = paths(20);
    let mut schedule = schedule(&list);
    let sent = on_time(&mut schedule, after(60_000));
    let late: Vec<_> = sent.iter().map(|(time, _)| *time).filter(|time| *time >= after(59_000)).collect();
    // Evenly they would be 5 ms apart; each moves by at most a fifth of the interval.
    let crowd = late.iter().map(|start| {
        late.iter().filter(|time| time.since(*start) < Duration::from_millis(20) && *time >= start).count()
    });
    assert!(crowd.max().unwrap() <= 12);
}

#[test]
fn neighbours_in_phase_are_different_uplinks() {
    let list: Vec<_> =
        (0..2).flat_map(|uplink| (0..10).map(move |class| path(uplink, &format!("{class}"), 1))).collect();
    let schedule = schedule(&list);
    let mut by_phase: Vec<_> = schedule.paths.values().collect();
    by_phase.sort_by_key(|slots| slots.slot);
    let order: Vec<_> = by_phase.iter().map(|slots| slots.path.uplink.0).collect();
    assert_eq!(order, [0, 1].repeat(10));
}

#[test]
fn targets_take_turns() {
    let sent = on_time(&mut schedule(&[path(0, "a", 3)]), after(700));
    let ports: Vec<_> = sent.iter().take(6).map(|(_, assignment)| assignment.target.port).collect();
    assert_eq!(ports, [1, 2, 3, 1, 2, 3]);
}

#[test]
fn paths_that_stay_in_the_list_keep_slots_and_turn_and_take_what_changed() {
    let mut schedule = schedule(&[path(0, "a", 2), path(1, "gone", 1)]);
    on_time(&mut schedule, after(130));
    let kept = &schedule.paths[&(ClassId::new("a"), UplinkId(0))];
    let (due, turn) = (kept.due, kept.turn);
    let moved = ProbePath { interface: "ppp1".to_owned(), ..path(0, "a", 2) };
    schedule.replace(&[path(2, "new", 1), moved.clone()], after(130));
    let kept = &schedule.paths[&(ClassId::new("a"), UplinkId(0))];
    assert_eq!((kept.due, kept.turn, &*kept.path), (due, turn, &moved));
    assert_eq!(schedule.paths.len(), 2);
}

#[test]
fn lists_that_change_faster_than_the_interval_do_not_keep_old_paths_from_being_probed() {
    let mut schedule = schedule(&paths(4));
    let mut sent = Vec::new();
    for millisecond in 0..2_000 {
        let listed = if millisecond % 2 == 0 { 4 } else { 5 };
        schedule.replace(&paths(listed), after(millisecond));
        sent.extend(drain(&mut schedule, after(millisecond)).into_iter().map(|sent| (after(millisecond), sent)));
    }
    for path in paths(4) {
        assert!((18..=21).contains(&times_of(&sent, &path).len()));
    }
}

#[test]
fn after_a_suspend_every_path_gets_one_late_probe_and_they_are_let_out_slowly() {
    let list = paths(24);
    let mut schedule = schedule(&list);
    on_time(&mut schedule, after(1_000));
    let back = after(3_600_000);
    let at_once = drain(&mut schedule, back);
    assert!(at_once.len() <= 24 / 4 + 1, "{} at once", at_once.len());
    let sent = on_time(&mut schedule, back + INTERVAL * 10);
    let total = sent.len() + at_once.len();
    assert!((24 * 9..=24 * 11).contains(&total), "{total} in ten intervals");
    for path in &list {
        let shortest = gaps(&times_of(&sent, path)).into_iter().min().unwrap();
        assert!(shortest >= INTERVAL / 2, "{shortest:?}");
    }
}

#[test]
fn a_loop_that_always_wakes_late_still_probes_every_path() {
    let list = paths(24);
    let mut schedule = schedule(&list);
    let mut sent = Vec::new();
    for wake in (0..10_000).step_by(70) {
        sent.extend(drain(&mut schedule, after(wake)).into_iter().map(|sent| (after(wake), sent)));
    }
    for path in &list {
        let count = times_of(&sent, path).len();
        assert!(count >= 20, "{count} in a hundred intervals");
    }
}

#[test]
fn a_path_with_eight_probes_under_way_waits_until_one_ends() {
    let mut schedule = schedule(&[path(0, "a", 1)]);
    let sent: Vec<_> = (0..20).filter_map(|slot| schedule.pop_due(after(slot * 100 + 20))).collect();
    assert_eq!(sent.len(), MAX_IN_FLIGHT_PER_PATH);
    schedule.finished(&sent[0]);
    assert!((20..22).any(|slot| schedule.pop_due(after(slot * 100 + 20)).is_some()));
}

#[test]
fn all_paths_together_have_no_more_than_256_probes_under_way() {
    let mut schedule = schedule(&paths(300));
    let sent = (0..500).flat_map(|wake| std::iter::from_fn(|| schedule.pop_due(after(wake))).collect::<Vec<_>>());
    assert_eq!(sent.count(), MAX_IN_FLIGHT);
}

#[test]
fn a_probe_that_ends_after_its_path_left_the_list_is_told_apart_and_no_longer_counted() {
    let mut schedule = schedule(&[path(0, "a", 1)]);
    let assignment = schedule.pop_due(after(120)).unwrap();
    schedule.replace(&[], after(121));
    assert!(!schedule.finished(&assignment));
    assert!(schedule.in_flight.is_empty());
}

#[test]
fn an_interval_of_zero_is_bounded() {
    let mut schedule = Schedule::new(Duration::ZERO, 7);
    schedule.replace(&[path(0, "a", 1)], START);
    let sent = on_time(&mut schedule, after(1_000));
    assert!((99..=101).contains(&sent.len()), "{}", sent.len());
}

proptest! {
    /// However the loop is woken and whatever the list becomes: no burst, no path faster than twice its rate, no path
    /// ahead of one probe a slot.
    #[test]
    fn never_a_burst(seed: u64, count in 1_u16..60, naps in prop::collection::vec(0_u64..400, 1..200)) {
        let list = paths(count);
        let mut schedule = Schedule::new(INTERVAL, seed);
        schedule.replace(&list, START);
        let mut now = START;
        let mut sent: Vec<(BootTime, Assignment)> = Vec::new();
        for nap in naps {
            now = now + Duration::from_millis(nap);
            let due = drain(&mut schedule, now);
            prop_assert!(due.len() <= usize::from(count) / 4 + 1);
            sent.extend(due.into_iter().map(|assignment| (now, assignment)));
            prop_assert!(schedule.next_due().unwrap() > now);
        }
        for path in &list {
            let times = times_of(&sent, path);
            prop_assert!(gaps(&times).into_iter().all(|gap| gap >= INTERVAL / 2));
            let slots = now.since(START).as_millis() / INTERVAL.as_millis() + 1;
            prop_assert!(times.len() as u128 <= slots);
        }
    }
}
