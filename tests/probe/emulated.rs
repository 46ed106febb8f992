//! What probes measure on paths with known delay and loss, through the branch in a box and its path emulator.

use std::{net::IpAddr, time::Duration};

use peerward::domain::{ProbeFailure, ProbeOutcome};
use peerward_lab::{Branch, MICROSOFT_IPV4, MICROSOFT_IPV6, PathProfile};

use crate::prober::{answered, of, path, probe, rtt};

const FAMILIES: [fn(&IpAddr) -> bool; 2] = [IpAddr::is_ipv4, IpAddr::is_ipv6];

fn services() -> [String; 2] {
    [format!("{MICROSOFT_IPV4}:443"), format!("[{MICROSOFT_IPV6}]:443")]
}

pub fn rtt_of_its_path() {
    let branch = Branch::builder().build().unwrap();
    let delays = [Duration::from_millis(20), Duration::from_millis(120)];
    for (isp, delay) in delays.into_iter().enumerate() {
        branch.fabric().isp(isp).set(PathProfile::round_trip(delay));
    }
    let list = services().iter().flat_map(|service| [path(0, service), path(1, service)]).collect();
    let samples = probe(branch.router(), list, |samples| samples.len() >= 80);
    for family in FAMILIES {
        for (uplink, delay) in [0, 1].into_iter().zip(delays) {
            let mut rtts: Vec<_> = of(&samples, uplink, family).into_iter().filter_map(rtt).collect();
            rtts.sort();
            let (least, median) = (rtts[0], rtts[rtts.len() / 2]);
            assert!(least >= delay, "uplink {uplink}: {least:?} on a path of {delay:?}");
            assert!(median < delay + Duration::from_millis(50), "uplink {uplink}: {median:?} on a path of {delay:?}");
        }
    }
}

pub fn loss() {
    let branch = Branch::builder().build().unwrap();
    branch.fabric().isp(1).set(PathProfile::round_trip(Duration::from_millis(10)).loss(0.3));
    let [service, _] = services();
    let samples = probe(branch.router(), vec![path(0, &service), path(1, &service)], |samples| samples.len() >= 60);
    // Lost on the way there or back: 1 - 0.7 * 0.7, about a half of twenty. A busy machine may lose one on its own.
    let [healthy, lossy] = [0, 1].map(|uplink| {
        let samples = of(&samples, uplink, IpAddr::is_ipv4);
        samples.into_iter().filter(|sample| matches!(sample.outcome, ProbeOutcome::Failed(_))).count()
    });
    assert!((3..25).contains(&lossy), "{lossy} lost");
    assert!(healthy * 2 < lossy, "{healthy} lost on the healthy uplink, {lossy} on the other");
}

pub fn black_hole() {
    let branch = Branch::builder().build().unwrap();
    let healthy = PathProfile::round_trip(Duration::from_millis(10));
    let [service, _] = services();
    let mut story = Story::Before;
    probe(branch.router(), vec![path(0, &service)], |samples| {
        let Some(last) = samples.last() else { return false };
        match story {
            Story::Before if answered(last) => {
                branch.fabric().isp(0).set(healthy.blackhole());
                story = Story::Inside;
            }
            Story::Inside if matches!(last.outcome, ProbeOutcome::Failed(_)) => {
                assert_eq!(last.outcome, ProbeOutcome::Failed(ProbeFailure::Timeout));
                branch.fabric().isp(0).set(healthy);
                story = Story::After;
            }
            Story::After => return answered(last),
            Story::Before | Story::Inside => {}
        }
        false
    });
}

#[derive(Clone, Copy)]
enum Story {
    Before,
    Inside,
    After,
}
