use std::time::Duration;

use super::*;
use crate::{domain::view::HandshakeView, passive::segment::tests::Wire, passive::tap::Passed};

const CLIENT: &str = "192.168.77.10:40000";
const SERVER: &str = "13.107.6.152:443";
const WALL: Duration = Duration::from_secs(1_700_000_000);

fn ms(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

fn clocks(at: u64) -> Clocks {
    Clocks { wall: WALL + ms(at), boot: BootTime(ms(at)) }
}

fn class() -> ClassId {
    ClassId::new("m365.exchange.ipv4")
}

fn classify(server: IpAddr) -> Option<ClassId> {
    (server.to_string() == "13.107.6.152").then(class)
}

fn watched(list: &[(u16, &str)]) -> Arc<[Watched]> {
    list.iter().map(|(id, name)| Watched { uplink: UplinkId(*id), interface: (*name).to_owned() }).collect()
}

/// `wan0` is interface 10, `wan1` 11, and so on; others do not exist.
fn index_of(name: &str) -> Option<u32> {
    Some(10 + name.strip_prefix("wan")?.parse::<u32>().ok()?)
}

fn watcher() -> Watcher {
    let mut watcher = Watcher::new(&Settings::default(), clocks(0));
    watcher.watch(watched(&[(0, "wan0"), (1, "wan1")]));
    assert_eq!(watcher.look(index_of), Some(vec![10, 11]));
    watcher
}

fn passed(wire: &Wire, interface: u32, outgoing: bool, at: u64) -> Passed {
    Passed::new(&wire.bytes()[..40], interface, outgoing, WALL + ms(at))
}

fn handshake(interface: u32, server: &str, from: u64, to: u64) -> [Passed; 2] {
    [
        passed(&Wire::new(CLIENT, server, 0x02), interface, true, from),
        passed(&Wire::new(server, CLIENT, 0x12), interface, false, to),
    ]
}

fn batch(packets: &[Passed], at: u64) -> Batch {
    Batch { packets: packets.to_vec(), clocks: clocks(at), emptied: true }
}

fn figures(watcher: &mut Watcher, uplink: u16) -> Option<HandshakeView> {
    watcher.publish(0, BootTime(ms(1_000))).of(UplinkId(uplink), &class()).cloned()
}

#[test]
fn a_handshake_counts_for_the_uplink_of_its_interface() {
    let mut watcher = watcher();
    let asked = watcher.take(&batch(&handshake(11, SERVER, 10, 30), 40), classify, |_| false);
    assert_eq!(asked, 1);
    let view = figures(&mut watcher, 1).unwrap();
    assert_eq!((view.completed, view.rtt_ms), (1, Some(20.0)));
    assert_eq!(figures(&mut watcher, 0), None);
    assert_eq!(watcher.measured(), [Handshake { uplink: UplinkId(1), class: class(), rtt: ms(20) }]);
    assert_eq!(watcher.measured(), []);
}

#[test]
fn own_probes_other_destinations_and_other_interfaces_do_not_count() {
    let mut watcher = watcher();
    watcher.take(&batch(&handshake(10, SERVER, 10, 30), 40), classify, |port| port == 40_000);
    watcher.take(&batch(&handshake(10, "198.51.100.10:443", 10, 30), 40), classify, |_| false);
    watcher.take(&batch(&handshake(12, SERVER, 10, 30), 40), classify, |_| false);
    let known = watcher.publish(7, BootTime(ms(1_000)));
    assert!(known.paths.is_empty(), "{known:?}");
    assert_eq!((known.packets, known.dropped, known.one_in), (6, 7, 1));
}

#[test]
fn a_step_of_the_clock_between_syn_and_answer_makes_no_measurement() {
    const STEP: Duration = Duration::from_secs(315_360_000);
    // Whether it is seen before, with or after the answer.
    for stepped_at in [15, 25, 35] {
        let mut watcher = watcher();
        let [ask, mut grant] = handshake(10, SERVER, 10, 30);
        let read = |watcher: &mut Watcher, packets: &[Passed], at: u64| {
            let mut batch = batch(packets, at);
            if at >= stepped_at {
                batch.clocks.wall += STEP;
            }
            watcher.take(&batch, classify, |_| false);
        };
        if stepped_at < 30 {
            grant.wall += STEP;
        }
        read(&mut watcher, &[ask], 12);
        read(&mut watcher, &[], 20);
        read(&mut watcher, &[grant], 40);
        let view = figures(&mut watcher, 0).unwrap();
        assert_eq!((view.completed, view.rtt_ms), (1, None), "stepped at {stepped_at} ms");
        assert_eq!(watcher.publish(0, BootTime(ms(50))).clock_steps, 1);
    }
}

#[test]
fn an_interface_under_a_new_index_is_the_same_uplink() {
    let mut watcher = watcher();
    watcher.take(&batch(&handshake(10, SERVER, 10, 30), 40), classify, |_| false);
    assert_eq!(watcher.look(index_of), None, "nothing changed");
    assert_eq!(watcher.look(|name| index_of(name).filter(|index| *index != 10)), Some(vec![11]));
    assert_eq!(watcher.publish(0, BootTime(ms(50))).uplinks[0], (UplinkId(0), Watch::Absent));
    assert_eq!(watcher.look(|name| index_of(name).map(|index| index + 100)), Some(vec![110, 111]));
    watcher.take(&batch(&handshake(110, SERVER, 110, 140), 150), classify, |_| false);
    assert_eq!(figures(&mut watcher, 0).unwrap().completed, 2);
}

#[test]
fn an_interface_of_two_uplinks_is_not_watched() {
    let mut watcher = watcher();
    watcher.watch(watched(&[(0, "wan0"), (1, "wan1"), (2, "wan1")]));
    assert_eq!(watcher.look(index_of), Some(vec![10]));
    let states = watcher.publish(0, BootTime(ms(50))).uplinks;
    assert_eq!(states[0].1, Watch::Watching);
    for (_, state) in &states[1..] {
        assert!(state.to_string().starts_with("unavailable: wan1 is"), "{state}");
    }
}

#[test]
fn another_list_forgets_what_is_not_in_it_any_more() {
    let mut watcher = watcher();
    for interface in [10, 11] {
        watcher.take(&batch(&handshake(interface, SERVER, 10, 30), 40), classify, |_| false);
    }
    watcher.watch(watched(&[(0, "wan0"), (1, "wan7")]));
    assert!(figures(&mut watcher, 0).is_some());
    assert!(figures(&mut watcher, 1).is_none());
}

#[test]
fn a_crowd_is_thinned_and_nobody_of_it_counts_as_unanswered() {
    let mut watcher = watcher();
    let client = |port| format!("192.168.77.10:{port}");
    let asks: Vec<_> =
        (1..=4_000).map(|port| passed(&Wire::new(&client(port), SERVER, 0x02), 10, true, 10)).collect();
    let grants: Vec<_> =
        (1..=4_000).map(|port| passed(&Wire::new(SERVER, &client(port), 0x12), 10, false, 30)).collect();
    let asked = watcher.take(&batch(&asks, 20), classify, |_| false);
    assert_eq!(asked, 4_000);
    assert!(watcher.end(asked, false, BootTime(ms(20))));
    watcher.take(&batch(&grants, 40), classify, |_| false);
    watcher.end(0, false, BootTime(ms(9_000)));
    let view = figures(&mut watcher, 0).unwrap();
    assert_eq!((view.one_in, view.completed, view.unanswered), (4, 1_000, 0));
}

#[test]
fn why_nothing_is_watched_is_told() {
    let mut watcher = watcher();
    watcher.unavailable("not permitted");
    let states = watcher.publish(0, BootTime(ms(50))).uplinks;
    assert_eq!(states[1], (UplinkId(1), Watch::Unavailable("not permitted".to_owned())));
    assert_eq!(watcher.look(index_of), Some(vec![10, 11]), "and forgotten when it is");
}
