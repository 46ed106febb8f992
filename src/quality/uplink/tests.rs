use std::{net::Ipv4Addr, time::Duration};

use super::*;

const LOST: ProbeOutcome = ProbeOutcome::Failed(ProbeFailure::Timeout);
const ANSWERED: ProbeOutcome = ProbeOutcome::Answered(Duration::from_millis(10));
const PORTAL: ProbeOutcome = ProbeOutcome::Failed(ProbeFailure::Untrusted);

fn at(tenths: u64) -> BootTime {
    BootTime(Duration::from_millis(100 * tenths))
}

fn seen(path: u8, address: u8, tenths: u64, outcome: ProbeOutcome) -> Sighting<u8> {
    let address = Some(IpAddr::V4(Ipv4Addr::new(192, 0, 2, address)));
    // Told long after: how soon is a matter of its own.
    Sighting { path, address, proves_identity: false, sent_at: at(tenths), outcome, told_at: at(tenths + 10) }
}

fn proof(path: u8, tenths: u64, outcome: ProbeOutcome) -> Sighting<u8> {
    Sighting { proves_identity: true, ..seen(path, path, tenths, outcome) }
}

/// A watch to which all addresses have answered once.
fn answered_by_all() -> UplinkWatch<u8> {
    let mut watch = UplinkWatch::new(3);
    told(&mut watch, &(0..=255).map(|address| seen(1, address, 1, ANSWERED)).collect::<Vec<_>>());
    watch
}

/// What is told of each of these, in this order.
fn told(watch: &mut UplinkWatch<u8>, all: &[Sighting<u8>]) -> Vec<Option<Blackout>> {
    all.iter().map(|seen| watch.observe(*seen)).collect()
}

#[test]
fn three_places_by_two_paths_silent_one_after_another_are_a_blackout() {
    let mut watch = answered_by_all();
    let all = [seen(1, 1, 10, ANSWERED), seen(1, 1, 11, LOST), seen(2, 2, 12, LOST), seen(1, 3, 13, LOST)];
    let blackout = Blackout { probes: 3, targets: 3, since: at(11) };
    assert_eq!(told(&mut watch, &all), [None, None, None, Some(blackout)]);
    assert_eq!(watch.observe(seen(2, 4, 14, LOST)), None, "told once");
    assert_eq!(watch.blackout(), Some(Blackout { probes: 4, targets: 4, ..blackout }));
}

#[test]
fn one_path_or_two_places_are_not_the_uplink() {
    let mut watch = answered_by_all();
    let one_path: Vec<_> = (2..40).map(|step| seen(1, step, u64::from(step), LOST)).collect();
    assert!(told(&mut watch, &one_path).iter().all(Option::is_none));
    let mut watch = answered_by_all();
    let two_places: Vec<_> = (2..40).map(|step| seen(step % 2, step % 2, u64::from(step), LOST)).collect();
    assert!(told(&mut watch, &two_places).iter().all(Option::is_none));
}

#[test]
fn an_answer_sent_between_them_refutes_it_whenever_it_is_known() {
    let mut watch = answered_by_all();
    let all = [seen(1, 1, 11, LOST), seen(2, 2, 12, ANSWERED), seen(2, 3, 13, LOST), seen(1, 4, 14, LOST)];
    assert!(told(&mut watch, &all).iter().all(Option::is_none));
    let mut watch = answered_by_all();
    let late = [seen(2, 2, 12, ANSWERED), seen(1, 1, 11, LOST), seen(2, 3, 13, LOST), seen(1, 4, 14, LOST)];
    assert!(told(&mut watch, &late).iter().all(Option::is_none));
}

#[test]
fn answers_sent_before_it_neither_prevent_nor_end_it() {
    let mut watch = answered_by_all();
    let all = [seen(1, 1, 11, LOST), seen(2, 2, 12, LOST), seen(1, 9, 10, ANSWERED), seen(1, 3, 13, LOST)];
    assert!(told(&mut watch, &all).last().unwrap().is_some());
    watch.observe(seen(1, 8, 9, ANSWERED));
    assert!(watch.blackout().is_some());
    watch.observe(seen(1, 8, 20, ANSWERED));
    assert_eq!(watch.blackout(), None);
}

#[test]
fn an_overdue_probe_counts_once_and_its_late_answer_refutes() {
    let mut watch = answered_by_all();
    let overdue = |path, address, tenths| seen(path, address, tenths, ProbeOutcome::Overdue);
    let all = [overdue(1, 1, 11), seen(1, 1, 11, LOST), overdue(2, 2, 12)];
    assert!(told(&mut watch, &all).iter().all(Option::is_none));
    assert!(watch.observe(overdue(1, 3, 13)).is_some());
    watch.observe(seen(2, 2, 12, ANSWERED));
    assert_eq!(watch.blackout(), None, "it was slow, not gone");
}

#[test]
fn refusals_and_portals_are_signs_of_life_and_names_that_lead_nowhere_are_none_of_death() {
    for outcome in [ProbeFailure::Refused, ProbeFailure::Untrusted, ProbeFailure::MtuHole].map(ProbeOutcome::Failed) {
        let mut watch = answered_by_all();
        let all = [seen(1, 1, 11, LOST), seen(2, 2, 12, LOST), seen(1, 3, 13, outcome), seen(1, 4, 14, LOST)];
        assert!(told(&mut watch, &all).iter().all(Option::is_none));
    }
    let mut watch = answered_by_all();
    let nowhere = ProbeOutcome::Failed(ProbeFailure::NotResolved);
    let all: Vec<_> = (1..30).map(|step| seen(step, step, u64::from(step), nowhere)).collect();
    assert!(told(&mut watch, &all).iter().all(Option::is_none));
}

#[test]
fn an_hour_of_blackout_is_bounded() {
    let mut watch = answered_by_all();
    for step in 0..36_000_u64 {
        let place = u8::try_from(step % 200).unwrap();
        watch.observe(seen(place, place, step + 2, LOST));
    }
    assert_eq!(watch.lost.len(), MOST);
    assert_eq!(watch.blackout().map(|blackout| blackout.since), Some(at(2)));
}

#[test]
fn a_portal_denies_every_proof_and_one_proof_ends_it() {
    let mut watch = UplinkWatch::new(2);
    assert!(!watch.portal());
    told(&mut watch, &[proof(1, 10, PORTAL), proof(2, 11, PORTAL), proof(1, 12, PORTAL)]);
    assert!(!watch.portal(), "path 2 failed once only");
    watch.observe(proof(2, 13, PORTAL));
    assert!(watch.portal());
    watch.observe(proof(3, 14, LOST));
    assert!(watch.portal(), "who does not answer does not vouch");
    watch.observe(proof(2, 12, ANSWERED));
    assert!(watch.portal(), "sent before the newest denial");
    watch.observe(proof(2, 15, ANSWERED));
    assert!(!watch.portal());
    watch.forget(&2);
    assert!(watch.portal());
    watch.restart();
    assert!(!watch.portal());
}

#[test]
fn addresses_that_never_answered_are_no_witnesses() {
    let mut watch = UplinkWatch::new(3);
    let all: Vec<_> = (1..100).map(|step| seen(step % 5, step, u64::from(step), LOST)).collect();
    assert!(told(&mut watch, &all).iter().all(Option::is_none));
}

#[test]
fn who_was_silent_while_others_answered_is_no_witness_until_it_answers() {
    let mut watch = answered_by_all();
    // Both ways round: the loss is known before the answer of another, and after it.
    told(&mut watch, &[seen(1, 1, 11, LOST), seen(2, 2, 12, ANSWERED), seen(2, 3, 12, LOST)]);
    let again = [seen(1, 1, 21, LOST), seen(2, 3, 22, LOST), seen(1, 4, 23, LOST), seen(2, 5, 24, LOST)];
    assert!(told(&mut watch, &again).iter().all(Option::is_none));
    assert!(watch.observe(seen(1, 6, 25, LOST)).is_some(), "three that had answered the time before");
}

#[test]
fn a_denial_that_is_not_repeated_is_forgotten_in_the_end() {
    let mut watch = UplinkWatch::new(2);
    told(&mut watch, &[proof(1, 10, PORTAL), proof(1, 12, PORTAL)]);
    watch.observe(seen(2, 2, 6_011, ANSWERED));
    assert!(watch.portal());
    watch.observe(seen(2, 2, 6_012, ANSWERED));
    assert!(!watch.portal());
}

#[test]
fn a_spike_shorter_than_half_a_second_is_no_blackout() {
    let mut watch = answered_by_all();
    let overdue = |path, address, sent, told| Sighting {
        told_at: at(told),
        ..seen(path, address, sent, ProbeOutcome::Overdue)
    };
    let all = [overdue(1, 1, 20, 21), overdue(2, 2, 21, 22), overdue(1, 3, 22, 23), overdue(2, 4, 23, 24)];
    assert!(told(&mut watch, &all).iter().all(Option::is_none));
    assert!(watch.observe(overdue(1, 5, 24, 25)).is_some(), "half a second after the first");
    let mut watch = answered_by_all();
    told(&mut watch, &all);
    told(&mut watch, &[seen(1, 1, 20, ANSWERED), seen(2, 2, 21, ANSWERED), seen(1, 3, 22, ANSWERED)]);
    assert_eq!(watch.observe(overdue(1, 5, 24, 26)), None, "they were late");
}

#[test]
fn an_old_proof_does_not_vouch_for_an_uplink_where_all_others_deny() {
    let mut watch = UplinkWatch::new(2);
    told(&mut watch, &[proof(1, 10, ANSWERED), proof(2, 6_000, PORTAL), proof(2, 6_010, PORTAL)]);
    assert!(watch.portal());
}
