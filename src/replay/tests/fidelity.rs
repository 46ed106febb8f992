//! What an agent decided, its recording decides again.

use super::*;

/// Both are silent for a while, and Kordia flaps later.
fn storm(uplink: UplinkId, at: u64) -> ProbeOutcome {
    match (uplink, at) {
        (KORDIA, 40_000..55_000) => ProbeOutcome::Failed(ProbeFailure::Timeout),
        (KORDIA, 100_000..150_000) if (at / 5_000).is_multiple_of(2) => ProbeOutcome::Failed(ProbeFailure::Timeout),
        (CCL, 45_000..48_000) => ProbeOutcome::Failed(ProbeFailure::Unreachable),
        _ => brown_out(uplink, at),
    }
}

fn moves(events: &[(BootTime, EventKind)]) -> Vec<(BootTime, String, Option<String>, String)> {
    let moved = events.iter().filter_map(|(at, event)| match event {
        EventKind::PrefixActivePath { class, to, reason, .. } => {
            Some((*at, class.to_string(), to.clone(), reason.clone()))
        }
        _ => None,
    });
    moved.collect()
}

fn replayed_moves(report: &Report) -> Vec<(BootTime, String, Option<String>, String)> {
    let decisions = report.policies[0].decisions.iter();
    decisions
        .map(|it| (ms(START + it.when.after_ms), it.class.to_string(), it.to.clone(), it.reason.clone()))
        .collect()
}

#[test]
fn a_replay_by_the_same_policy_decides_as_the_agent_did() {
    let mut world = World::new(CONFIG);
    world.pass(0, 70_000, storm);
    world.router.links.values_mut().find(|link| link.name == "wan1").unwrap().carrier = false;
    world.read_router(70_000);
    world.pass(70_000, 90_000, storm);
    world.router.links.values_mut().find(|link| link.name == "wan1").unwrap().carrier = true;
    world.read_router(90_000);
    world.pass(90_000, 240_000, storm);
    let (recording, events) = world.end(240_000);
    let decided = moves(&events);
    assert!(decided.len() >= 8, "{decided:?}");
    let report = replayed(vec![policy("branch.toml", CONFIG)], &recording);
    assert_eq!(replayed_moves(&report), decided);
    assert_eq!(report.recording.faults, Vec::<String>::new());
}

#[test]
fn rotation_and_packing_change_nothing() {
    let text = recorded();
    let whole = replayed(vec![policy("a", CONFIG)], &text);
    // A file that ends in the middle, and one that begins with the head again.
    let cut = text[..text.len() / 2].rfind('\n').unwrap() + 1;
    let head = &text[..text.find("[\"time\"").unwrap()];
    let parted = [&text[..cut], head, &text[cut..]].concat();
    assert_eq!(replayed(vec![policy("a", CONFIG)], &parted), whole);
}

#[test]
fn hostile_times_do_not_stop_it() {
    for at in [0, 1, u64::MAX / 4, 3_000_000_000_000] {
        let late = recorded().replace("[\"time\",1000000]", &format!("[\"time\",{at}]"));
        let report = replayed(vec![policy("a", CONFIG)], &late);
        assert_eq!(report.policies.len(), 1);
    }
    let mut replay = Replay::new(vec![policy("a", CONFIG)]);
    replay.take(&Entry::Clock { at: ms(5), wall: Duration::MAX });
    assert_eq!(replay.report(&Faults::default()).recording.runs, 0, "without a head there is nothing");
}
