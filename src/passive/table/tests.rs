use super::*;

const UPLINK: UplinkId = UplinkId(1);
const CLIENT: &str = "192.168.77.10:40000";
const SERVER: &str = "13.107.6.152:443";

fn table() -> Table {
    Table::new(CAPACITY, RandomState::new())
}

fn class() -> ClassId {
    ClassId::new("m365.exchange.ipv4")
}

fn ms(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

fn segment(act: Act, port: u16) -> Segment {
    let mut client: SocketAddr = CLIENT.parse().unwrap();
    client.set_port(port);
    Segment { act, client, server: SERVER.parse().unwrap(), confirms: 1001 }
}

/// At so many milliseconds after the boot, on an undisturbed clock.
fn take(table: &mut Table, segment: &Segment, at: u64) -> Option<Outcome> {
    let stamp = Stamp { wall: ms(1_000_000 + at), era: Some(0) };
    take_stamped(table, segment, stamp, at)
}

fn take_stamped(table: &mut Table, segment: &Segment, stamp: Stamp, at: u64) -> Option<Outcome> {
    let ended = table.take(UPLINK, segment, stamp, BootTime(ms(at)), |_| Some(class()))?;
    assert_eq!((ended.uplink, ended.class), (UPLINK, class()));
    Some(ended.outcome)
}

fn unanswered(table: &mut Table, at: u64) -> usize {
    let all: Vec<_> = std::iter::from_fn(|| table.pop_unanswered(BootTime(ms(at)))).collect();
    assert!(all.iter().all(|ended| ended.outcome == Outcome::Unanswered && ended.class == class()));
    all.len()
}

#[test]
fn the_time_of_a_handshake_is_that_from_syn_to_its_answer() {
    let mut table = table();
    assert_eq!(take(&mut table, &segment(Act::Ask, 1), 0), None);
    assert_eq!(take(&mut table, &segment(Act::Ask, 2), 5), None);
    assert_eq!(take(&mut table, &segment(Act::Grant, 2), 25), Some(Outcome::Completed(Some(ms(20)))));
    assert_eq!(take(&mut table, &segment(Act::Grant, 1), 30), Some(Outcome::Completed(Some(ms(30)))));
    assert_eq!(take(&mut table, &segment(Act::Grant, 1), 31), None, "an answer that is repeated is none");
    assert_eq!(unanswered(&mut table, 10_000), 0);
    assert_eq!(table.len(), 0);
}

#[test]
fn a_repeated_syn_leaves_it_open_which_one_was_answered() {
    let mut table = table();
    take(&mut table, &segment(Act::Ask, 1), 0);
    take(&mut table, &segment(Act::Ask, 1), 1_000);
    assert_eq!(take(&mut table, &segment(Act::Grant, 1), 1_030), Some(Outcome::Repeated));
}

#[test]
fn a_new_connection_of_the_same_ends_is_not_a_repetition() {
    let mut table = table();
    take(&mut table, &segment(Act::Ask, 1), 0);
    let again = |act| Segment { confirms: 9_001, ..segment(act, 1) };
    take(&mut table, &again(Act::Ask), 2_000);
    assert_eq!(take(&mut table, &segment(Act::Grant, 1), 2_010), None, "the answer to the first one is late");
    assert_eq!(unanswered(&mut table, 3_500), 0);
    assert_eq!(take(&mut table, &again(Act::Grant), 3_600), Some(Outcome::Completed(Some(ms(1_600)))));
}

#[test]
fn a_refusal_is_an_answer_too() {
    let mut table = table();
    take(&mut table, &segment(Act::Ask, 1), 0);
    assert_eq!(take(&mut table, &segment(Act::Refuse, 1), 30), Some(Outcome::Refused));
    assert_eq!(unanswered(&mut table, 10_000), 0);
}

#[test]
fn an_answer_may_confirm_data_that_came_with_the_syn_but_not_some_other_connection() {
    let mut table = table();
    take(&mut table, &segment(Act::Ask, 1), 0);
    for foreign in [1_000, 1_001 + EARLY_DATA + 1, 0] {
        let answer = Segment { confirms: foreign, ..segment(Act::Grant, 1) };
        assert_eq!(take(&mut table, &answer, 10), None, "{foreign}");
    }
    let answer = Segment { confirms: 1_001 + 600, ..segment(Act::Grant, 1) };
    assert_eq!(take(&mut table, &answer, 20), Some(Outcome::Completed(Some(ms(20)))));
}

#[test]
fn what_nobody_answers_is_counted_once_however_often_it_is_repeated() {
    let mut table = table();
    let mut counted = 0;
    for at in [0, 1_000, 3_000, 7_000, 15_000, 31_000, 63_000] {
        counted += unanswered(&mut table, at);
        take(&mut table, &segment(Act::Ask, 1), at);
    }
    assert_eq!(counted, 1);
    assert_eq!(take(&mut table, &segment(Act::Grant, 1), 63_500), None, "it was counted already");
    assert_eq!(unanswered(&mut table, 200_000), 0);
    assert_eq!(table.len(), 0);
}

#[test]
fn the_same_answer_on_another_uplink_is_another_connection() {
    let mut table = table();
    take(&mut table, &segment(Act::Ask, 1), 0);
    let stamp = Stamp { wall: ms(1_000_010), era: Some(0) };
    let other = table.take(UplinkId(2), &segment(Act::Grant, 1), stamp, BootTime(ms(10)), |_| Some(class()));
    assert_eq!(other, None);
}

#[test]
fn destinations_without_a_class_are_not_followed() {
    let mut table = table();
    let stamp = Stamp { wall: ms(1), era: Some(0) };
    table.take(UPLINK, &segment(Act::Ask, 1), stamp, BootTime(ms(1)), |_| None);
    assert_eq!(table.len(), 0);
}

#[test]
fn a_clock_that_was_set_meanwhile_makes_no_time() {
    let mut table = table();
    for (port, wall, era) in [(1, 20, Some(1)), (2, 20, None), (3, 3_600_000, Some(0))] {
        take(&mut table, &segment(Act::Ask, port), 0);
        let stamp = Stamp { wall: ms(1_000_000 + wall), era };
        let outcome = take_stamped(&mut table, &segment(Act::Grant, port), stamp, 20);
        assert_eq!(outcome, Some(Outcome::Completed(None)), "port {port}");
    }
    take(&mut table, &segment(Act::Ask, 4), 0);
    let back = Stamp { wall: ms(999_000), era: Some(0) };
    assert_eq!(take_stamped(&mut table, &segment(Act::Grant, 4), back, 20), Some(Outcome::Completed(None)));
}

#[test]
fn room_is_bounded_and_the_oldest_make_way() {
    let mut table = Table::new(100, RandomState::new());
    for port in 0..10_000 {
        take(&mut table, &segment(Act::Ask, port), u64::from(port) / 100);
        assert!(table.len() <= 100 && table.open.len() <= 200 && table.given_up.len() <= 200);
    }
    assert_eq!(table.crowded_out(), 9_900);
    assert_eq!(take(&mut table, &segment(Act::Grant, 9_899), 100), None);
    assert!(take(&mut table, &segment(Act::Grant, 9_900), 100).is_some());
    assert_eq!(unanswered(&mut table, 5_000), 99);
    for port in 20_000..20_050 {
        take(&mut table, &segment(Act::Ask, port), 5_000);
    }
    assert_eq!(table.crowded_out(), 9_900, "those that were counted make way first, and are not missed");
}

#[test]
fn connections_that_end_leave_nothing_behind() {
    let mut table = Table::new(100, RandomState::new());
    for round in 0..10_000_u64 {
        let port = u16::try_from(round % 50).unwrap();
        let confirms = u32::try_from(round).unwrap() * 10_000;
        take(&mut table, &Segment { confirms, ..segment(Act::Ask, port) }, round);
        assert!(take(&mut table, &Segment { confirms, ..segment(Act::Grant, port) }, round).is_some());
        assert!(table.open.len() <= 200);
    }
    assert_eq!((table.len(), table.crowded_out()), (0, 0));
}

#[test]
fn flows_that_are_not_looked_at_any_more_are_not_unanswered() {
    let mut table = table();
    let mut thinning = super::super::thinning::Thinning::new(1, 0, BootTime::default());
    for port in 0..64 {
        take(&mut table, &segment(Act::Ask, port), 0);
    }
    thinning.saw(2, false, BootTime::default());
    table.keep_only(thinning.share());
    assert_eq!(unanswered(&mut table, 5_000), 64 / thinning.share().one_in() as usize);
}

#[test]
fn an_uplink_is_forgotten_on_its_own() {
    let mut table = table();
    take(&mut table, &segment(Act::Ask, 1), 0);
    table.forget(UplinkId(7));
    assert_eq!(table.len(), 1);
    table.forget(UPLINK);
    assert_eq!(unanswered(&mut table, 5_000), 0);
}
