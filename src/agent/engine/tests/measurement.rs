//! What paths of one uplink say together, and what time alone changes.

use super::*;

/// Probes of one uplink, one path after another with a moment between, until `enough`.
fn probe_one_by_one(world: &mut World, uplink: UplinkId, enough: usize) {
    let paths = world.engine.probe_paths();
    for path in paths.iter().filter(|path| path.uplink == uplink).take(enough) {
        world.now = world.now + Duration::from_millis(150);
        world.probe(path);
    }
}

fn states(world: &World, uplink: UplinkId) -> Vec<PathState> {
    world.engine.paths.iter().filter(|((_, of), _)| *of == uplink).map(|(_, path)| path.state()).collect()
}

fn evidence(world: &World, uplink: UplinkId) -> String {
    let mut paths = world.engine.paths.iter().filter(|((_, of), _)| *of == uplink);
    paths.next().map(|(_, path)| path.evidence()).unwrap_or_default()
}

/// With classes of service tags, whose targets prove nothing.
fn with_plain_classes() -> World {
    let plain =
        "[[destinations.static]]\nname = \"lab\"\nprefixes = [\"20.1.0.0/16\", \"20.2.0.0/16\", \"20.3.0.0/16\"]\n";
    World::configured(&format!("{CONFIG}{plain}"), &Fib::default())
}

#[test]
fn an_uplink_by_which_nothing_comes_back_falls_as_a_whole() {
    let mut world = World::new();
    world.read_router();
    world.pass(Duration::from_secs(5));
    assert_eq!(world.everything_on(), Some(KORDIA));
    world.weather.insert(KORDIA, BLACK_HOLE);
    // Four classes of each family: every one of them loses a single probe, and none is down by itself.
    probe_one_by_one(&mut world, KORDIA, 8);
    assert!(states(&world, KORDIA).iter().all(|state| *state == PathState::Down), "{:?}", states(&world, KORDIA));
    assert_eq!(world.everything_on(), Some(CCL));
    assert!(evidence(&world, KORDIA).starts_with("nothing comes back by wan0: "), "{}", evidence(&world, KORDIA));
}

#[test]
fn one_answer_among_the_losses_keeps_the_uplink() {
    let mut world = World::new();
    world.read_router();
    world.pass(Duration::from_secs(5));
    for weather in [BLACK_HOLE, FAIR, BLACK_HOLE] {
        world.weather.insert(KORDIA, weather);
        probe_one_by_one(&mut world, KORDIA, 2);
    }
    assert!(!states(&world, KORDIA).contains(&PathState::Down), "{:?}", states(&world, KORDIA));
}

#[test]
fn behind_a_portal_no_bare_handshake_is_believed_on_any_path() {
    let mut world = with_plain_classes();
    world.read_router();
    world.pass(Duration::from_secs(5));
    assert_eq!(world.everything_on(), Some(KORDIA));
    world.weather.insert(KORDIA, PORTAL);
    world.pass(Duration::from_secs(20));
    assert!(states(&world, KORDIA).iter().all(|state| *state == PathState::Down), "{:?}", states(&world, KORDIA));
    assert_eq!(world.everything_on(), Some(CCL));
    assert!(evidence(&world, KORDIA).contains("portal"), "{}", evidence(&world, KORDIA));

    world.weather.insert(KORDIA, FAIR);
    world.pass(Duration::from_secs(30));
    assert_eq!(world.everything_on(), Some(KORDIA));
}

#[test]
fn a_path_held_down_rises_when_its_time_is_over_though_no_probe_comes() {
    let mut world =
        World::configured(&CONFIG.replace("up_after = 3", "up_after = 3\nhold_down = \"5s\""), &Fib::default());
    world.read_router();
    world.pass(Duration::from_secs(5));
    world.weather.insert(KORDIA, BLACK_HOLE);
    world.pass(Duration::from_secs(2));
    world.weather.insert(KORDIA, FAIR);
    world.pass(Duration::from_secs(1));
    assert!(states(&world, KORDIA).iter().all(|state| *state == PathState::Down), "{:?}", states(&world, KORDIA));
    let due = world.engine.next_review().expect("hold-downs end");
    world.now = world.now.max(due) + Duration::from_secs(2);
    world.engine.review(world.now);
    assert!(states(&world, KORDIA).iter().all(|state| *state == PathState::Up), "{:?}", states(&world, KORDIA));
}

#[test]
fn a_target_that_proves_its_name_by_no_uplink_takes_none_of_them_down_for_long() {
    let mut world = with_plain_classes();
    world.read_router();
    world.pass(Duration::from_secs(5));
    for uplink in [KORDIA, CCL] {
        world.weather.insert(uplink, PORTAL);
    }
    world.pass(Duration::from_secs(20));
    // Plain paths never minded, and the others come back when the last denial is long ago.
    assert!(states(&world, KORDIA).contains(&PathState::Up), "{:?}", states(&world, KORDIA));
    world.pass(Duration::from_secs(700));
    assert!(states(&world, KORDIA).iter().all(|state| *state == PathState::Up), "{}", evidence(&world, KORDIA));
    assert_eq!(world.everything_on(), Some(KORDIA));
}
