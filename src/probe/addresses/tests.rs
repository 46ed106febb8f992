use super::*;
use crate::domain::ClassId;

const HOUR: Duration = Duration::from_secs(3_600);

fn after(seconds: u64) -> BootTime {
    BootTime(Duration::from_secs(1_000 + seconds))
}

fn named(name: &str) -> Target {
    Target { host: Host::Name(Arc::from(name)), ..Target::tcp(([192, 0, 2, 1], 443).into()) }
}

fn path(uplink: u16, class: &str, names: &[&str]) -> ProbePath {
    ProbePath {
        uplink: UplinkId(uplink),
        class: ClassId::new(class),
        interface: format!("wan{uplink}"),
        source: None,
        family: Family::Ipv4,
        resolvers: [IpAddr::from([9, 9, 9, 9])].into(),
        targets: names.iter().map(|name| named(name)).collect(),
    }
}

fn known(list: &[ProbePath]) -> Addresses {
    let mut addresses = Addresses::new(Arc::from([]));
    addresses.replace(list, after(0));
    addresses
}

fn found(last: &[u8], life: Duration) -> (Vec<IpAddr>, Duration) {
    (last.iter().map(|last| IpAddr::from([192, 0, 2, *last])).collect(), life)
}

fn at(last: u8) -> Whereabouts {
    Whereabouts::At(([192, 0, 2, last], 443).into())
}

#[test]
fn an_address_is_where_it_says() {
    let path = path(0, "a", &[]);
    assert_eq!(known(&[]).find(&path, &Target::tcp(([192, 0, 2, 7], 443).into()), 3), at(7));
}

#[test]
fn a_name_is_looked_up_once_for_all_classes_of_an_uplink_and_for_each_uplink() {
    let mut addresses = known(&[path(0, "a", &["x"]), path(0, "b", &["x"]), path(1, "a", &["x"])]);
    let lookups: Vec<_> = std::iter::from_fn(|| addresses.pop_due(after(0))).collect();
    let interfaces: Vec<_> = lookups.iter().map(|lookup| lookup.way.interface.as_str()).collect();
    assert_eq!(interfaces, ["wan0", "wan1"]);
}

#[test]
fn name_servers_of_the_settings_go_before_those_of_the_uplink() {
    let mut addresses = Addresses::new([IpAddr::from([1, 1, 1, 1])].into());
    addresses.replace(&[path(0, "a", &["x"])], after(0));
    assert_eq!(*addresses.pop_due(after(0)).unwrap().way.servers, [IpAddr::from([1, 1, 1, 1])]);
}

#[test]
fn nothing_is_said_before_the_first_look_up_and_nowhere_after_it_failed() {
    let path = path(0, "a", &["x"]);
    let mut addresses = known(std::slice::from_ref(&path));
    assert_eq!(addresses.find(&path, &path.targets[0], 0), Whereabouts::Awaited);
    let lookup = addresses.pop_due(after(0)).unwrap();
    assert!(addresses.learned(&lookup, None, after(1)));
    assert_eq!(addresses.find(&path, &path.targets[0], 0), Whereabouts::Nowhere);
}

#[test]
fn an_answer_is_believed_for_its_life_within_bounds() {
    for (life, asked_again) in [(0, 30), (5, 30), (300, 300), (1_000_000, 3_600)] {
        let mut addresses = known(&[path(0, "a", &["x"])]);
        let lookup = addresses.pop_due(after(0)).unwrap();
        assert_eq!(addresses.next_due(), None);
        addresses.learned(&lookup, Some(found(&[1], Duration::from_secs(life))), after(0));
        assert_eq!(addresses.next_due(), Some(after(asked_again)));
        assert_eq!(addresses.pop_due(after(asked_again - 1)), None);
        assert!(addresses.pop_due(after(asked_again)).is_some());
    }
}

#[test]
fn a_target_that_moved_is_followed_and_the_last_good_answer_outlives_failures() {
    let path = path(0, "a", &["x"]);
    let mut addresses = known(std::slice::from_ref(&path));
    let lookup = addresses.pop_due(after(0)).unwrap();
    addresses.learned(&lookup, Some(found(&[1], HOUR)), after(0));
    assert_eq!(addresses.find(&path, &path.targets[0], 0), at(1));
    let lookup = addresses.pop_due(after(3_600)).unwrap();
    addresses.learned(&lookup, Some(found(&[2], HOUR)), after(3_600));
    assert_eq!(addresses.find(&path, &path.targets[0], 0), at(2));
    let mut now = 7_200;
    for wait in [1, 2, 4, 8, 16, 32, 60, 60, 60] {
        let lookup = addresses.pop_due(after(now)).unwrap();
        addresses.learned(&lookup, None, after(now));
        assert_eq!(addresses.find(&path, &path.targets[0], 0), at(2));
        now += wait;
        assert_eq!(addresses.next_due(), Some(after(now)));
    }
}

#[test]
fn addresses_outside_of_the_class_are_not_used() {
    let within: Arc<[IpNet]> = ["192.0.2.8/29".parse().unwrap()].into();
    let target = Target { within: Some(within), ..named("x") };
    let path = ProbePath { targets: [target.clone()].into(), ..path(0, "a", &[]) };
    let mut addresses = known(std::slice::from_ref(&path));
    let lookup = addresses.pop_due(after(0)).unwrap();
    addresses.learned(&lookup, Some(found(&[1, 9, 16, 10], HOUR)), after(0));
    let turns: Vec<_> = (0..3).map(|turn| addresses.find(&path, &target, turn)).collect();
    assert_eq!(turns, [at(9), at(10), at(9)]);
}

#[test]
fn a_good_address_is_not_given_up_for_one_that_cannot_be() {
    let within: Arc<[IpNet]> = ["192.0.2.8/29".parse().unwrap()].into();
    let target = Target { within: Some(within), ..named("x") };
    let path = ProbePath { targets: [target.clone()].into(), ..path(0, "a", &[]) };
    let mut addresses = known(std::slice::from_ref(&path));
    let lookup = addresses.pop_due(after(0)).unwrap();
    addresses.learned(&lookup, Some(found(&[1], HOUR)), after(0));
    assert_eq!(addresses.find(&path, &target, 0), Whereabouts::Nowhere);
    for (turn, (answer, expected)) in [(9, at(9)), (1, at(9)), (10, at(10))].into_iter().enumerate() {
        let now = after(3_600 * (u64::try_from(turn).unwrap() + 1));
        let lookup = addresses.pop_due(now).unwrap();
        addresses.learned(&lookup, Some(found(&[answer], HOUR)), now);
        assert_eq!(addresses.find(&path, &target, 0), expected, "{answer}");
    }
}

#[test]
fn an_uplink_that_changed_is_asked_through_anew_and_an_answer_by_the_old_way_is_not_taken() {
    let before = path(0, "a", &["x"]);
    let mut addresses = known(std::slice::from_ref(&before));
    let lookup = addresses.pop_due(after(0)).unwrap();
    let moved = ProbePath { interface: "ppp1".to_owned(), ..before };
    addresses.replace(std::slice::from_ref(&moved), after(1));
    assert!(!addresses.learned(&lookup, Some(found(&[1], HOUR)), after(2)));
    assert_eq!(addresses.pop_due(after(2)).unwrap().way.interface, "ppp1");
}

#[test]
fn names_that_left_the_list_are_forgotten() {
    let mut addresses = known(&[path(0, "a", &["x", "y"])]);
    let lookup = addresses.pop_due(after(0)).unwrap();
    addresses.replace(&[], after(1));
    assert_eq!(addresses.next_due(), None);
    assert!(!addresses.learned(&lookup, Some(found(&[1], HOUR)), after(2)));
}

#[test]
fn four_look_ups_are_under_way_at_most() {
    let mut addresses = known(&[path(0, "a", &["a", "b", "c", "d", "e", "f"])]);
    let lookups: Vec<_> = std::iter::from_fn(|| addresses.pop_due(after(0))).collect();
    assert_eq!(lookups.len(), MOST_AT_ONCE);
    addresses.learned(&lookups[0], None, after(0));
    assert!(addresses.pop_due(after(0)).is_some());
}
