//! Several targets: whose loss a loss is, quorum, and proof of identity.

use std::sync::Arc;

use super::*;
use crate::domain::{Check, Host, ProbeFailure, Target};

const NAMES: [&str; 4] = ["tls:a.example:443", "tls:b.example:443", "tcp:c.example:443", "tcp:d.example:443"];

fn target(name: &str, check: Check) -> Target {
    Target { host: Host::Name(Arc::from(name)), port: 443, check, within: None }
}

fn tls(name: &str) -> Target {
    target(name, Check::Tls { server_name: Arc::from(name) })
}

fn tcp(name: &str) -> Target {
    target(name, Check::Tcp { refusal_answers: false })
}

/// A path of several targets, probed in turn.
struct Rotated {
    quality: PathQuality,
    now: BootTime,
    next: usize,
    count: usize,
    transitions: Vec<Transition>,
}

type Weather<'a> = dyn Fn(usize) -> ProbeOutcome + 'a;

const FAIR: ProbeOutcome = ProbeOutcome::Answered(Duration::from_millis(12));
const LOST: ProbeOutcome = failed(ProbeFailure::Timeout);
const PORTAL: ProbeOutcome = failed(ProbeFailure::Untrusted);

const fn failed(failure: ProbeFailure) -> ProbeOutcome {
    ProbeOutcome::Failed(failure)
}

impl Rotated {
    fn new(thresholds: Thresholds, targets: Vec<Target>) -> Self {
        let now = BootTime(Duration::from_secs(100));
        let count = targets.len();
        let quality = PathQuality::new(thresholds, targets, now);
        Self { quality, now, next: 0, count, transitions: Vec::new() }
    }

    /// So many probes, whose outcome depends on the target.
    fn probes(&mut self, count: usize, weather: &Weather<'_>) -> &mut Self {
        for _ in 0..count {
            self.now = self.now + INTERVAL;
            let observed = Observation { target: self.next, ..probed(self.now, weather(self.next)) };
            self.next = (self.next + 1) % self.count;
            let transition = self.quality.observe(observed, self.now);
            self.transitions.extend(transition);
        }
        self
    }

    fn state(&self) -> PathState {
        self.quality.state()
    }

    fn silent(&self) -> Vec<usize> {
        self.quality.targets().enumerate().filter(|(_, target)| target.silent).map(|(position, _)| position).collect()
    }
}

fn plain(count: usize) -> Rotated {
    Rotated::new(thresholds(), ["c.example", "d.example", "e.example", "f.example"].map(tcp)[..count].to_vec())
}

/// Two targets that prove their identity, and two that do not.
fn mixed() -> Rotated {
    Rotated::new(thresholds(), vec![tls("a.example"), tls("b.example"), tcp("c.example"), tcp("d.example")])
}

#[test]
fn one_dead_front_door_is_neither_loss_nor_a_dead_path() {
    for count in 2..=4 {
        let mut path = plain(count);
        path.probes(20, &|_| FAIR);
        path.probes(100, &|target| if target == 0 { LOST } else { FAIR });
        assert_eq!(path.transitions.len(), 1, "up, and nothing after it: {:?}", path.transitions);
        assert_eq!(path.silent(), [0]);
        let figures = path.quality.figures();
        assert_eq!((figures.loss, figures.probes), (Some(0.0), 20));
        assert!(path.quality.evidence().ends_with("; silent: tcp:c.example:443"), "{}", path.quality.evidence());
        path.probes(count, &|_| FAIR);
        assert_eq!(path.silent(), [0_usize; 0], "one answer brings it back");
    }
}

#[test]
fn a_front_door_that_was_dead_from_the_start_does_not_keep_the_path_down() {
    for count in 2..=4 {
        let mut path = plain(count);
        path.probes(20, &|target| if target == 0 { LOST } else { FAIR });
        assert_eq!(path.state(), PathState::Up, "{count} targets");
        assert_eq!(path.silent(), [0]);
    }
}

#[test]
fn two_dead_of_three_are_silent_both() {
    let mut path = plain(3);
    path.probes(30, &|target| if target == 2 { FAIR } else { LOST });
    assert_eq!((path.state(), path.silent()), (PathState::Up, vec![0, 1]));
}

#[test]
fn when_all_are_dead_the_path_is_down_after_three_probes_whichever_come_first() {
    for count in 1..=4 {
        for offset in 0..count {
            let mut path = plain(count);
            path.probes(20 + offset, &|_| FAIR);
            path.probes(2, &|_| LOST);
            assert_ne!(path.state(), PathState::Down);
            path.probes(1, &|_| LOST);
            assert_eq!(path.state(), PathState::Down, "{count} targets from {offset}");
            assert_eq!(path.silent(), [0_usize; 0]);
            path.probes(60, &|_| LOST).probes(2, &|_| FAIR);
            assert_eq!(path.state(), PathState::Up);
            assert_eq!(path.silent(), [0_usize; 0], "what was lost with the path is not held against targets");
        }
    }
}

#[test]
fn the_last_one_alive_takes_the_path_with_it() {
    let mut path = plain(3);
    path.probes(30, &|target| if target == 2 { FAIR } else { LOST });
    path.probes(9, &|_| LOST);
    assert_eq!(path.state(), PathState::Down);
    assert_eq!(path.quality.evidence().split(';').next(), Some("3 probes in a row lost: no answer"));
}

#[test]
fn a_path_that_loses_three_of_ten_does_not_pass_for_a_good_one_with_bad_targets() {
    let mut path = plain(3);
    path.probes(30, &|_| FAIR);
    let mut state = 7_u64;
    let mut told = Vec::new();
    for _ in 0..600 {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let outcome = if state >> 32 < 3 * (1 << 32) / 10 { LOST } else { FAIR };
        path.probes(1, &|_| outcome);
        told.extend(path.quality.figures().loss);
    }
    let mean = told.iter().sum::<f64>() / told.len() as f64;
    assert!(mean > 0.2, "{mean}");
}

#[test]
fn a_quorum_of_two_is_not_met_by_one() {
    let quorum = Thresholds { quorum: 2, ..thresholds() };
    let mut path = Rotated::new(quorum, vec![tcp("c.example"), tcp("d.example"), tcp("e.example")]);
    path.probes(2, &|target| if target == 0 { FAIR } else { LOST });
    path.probes(30, &|_| FAIR);
    assert_eq!(path.state(), PathState::Up);
    path.probes(30, &|target| if target == 0 { LOST } else { FAIR });
    assert_eq!(path.state(), PathState::Up, "two of three answer");
    path.probes(12, &|target| if target == 2 { FAIR } else { LOST });
    assert_eq!(path.state(), PathState::Down);
    assert!(path.quality.evidence().starts_with("1 of 3 targets answer, 2 must"), "{}", path.quality.evidence());
    path.probes(12, &|target| if target == 0 { LOST } else { FAIR });
    assert_eq!(path.state(), PathState::Up);
}

#[test]
fn a_quorum_of_more_than_there_are_asks_for_all() {
    let mut path = Rotated::new(Thresholds { quorum: 16, ..thresholds() }, vec![tcp("c.example"), tcp("d.example")]);
    path.probes(4, &|_| FAIR);
    assert_eq!(path.state(), PathState::Up);
    path.probes(12, &|target| if target == 0 { LOST } else { FAIR });
    assert_eq!(path.state(), PathState::Down);
}

#[test]
fn names_that_lead_nowhere_are_no_loss_but_are_told() {
    let nowhere = failed(ProbeFailure::NotResolved);
    let mut path = plain(2);
    path.probes(40, &|target| if target == 0 { nowhere } else { FAIR });
    assert_eq!(path.state(), PathState::Up);
    assert_eq!((path.quality.figures().loss, path.silent().len()), (Some(0.0), 0));
    let evidence = path.quality.evidence();
    assert!(evidence.ends_with("; name has no usable address: tcp:c.example:443"), "{evidence}");
    assert_eq!(path.quality.history(path.now)[0].probes, 20);
    let mut path = plain(2);
    path.probes(40, &|_| nowhere);
    assert_eq!(path.state(), PathState::Unknown);
}

#[test]
fn a_name_that_leads_nowhere_is_none_of_a_quorum_whether_the_path_is_up_or_down() {
    let nowhere = failed(ProbeFailure::NotResolved);
    let quorum = Thresholds { quorum: 2, ..thresholds() };
    let three = || vec![tcp("c.example"), tcp("d.example"), tcp("e.example")];
    let one_left = |target| [nowhere, FAIR, LOST][target];

    let mut path = Rotated::new(quorum, three());
    path.probes(60, &|target| if target == 0 { nowhere } else { FAIR });
    assert_eq!(path.state(), PathState::Up, "two of three answer");
    path.probes(60, &one_left);
    assert_eq!((path.state(), path.silent()), (PathState::Down, vec![2]), "one of three answers");
    let evidence = path.quality.evidence();
    let told =
        "1 of 3 targets answer, 2 must; name has no usable address: tcp:c.example:443; silent: tcp:e.example:443";
    assert_eq!(evidence, told);
    path.probes(60, &one_left);
    assert_eq!(path.state(), PathState::Down);
    path.probes(12, &|target| if target == 0 { nowhere } else { FAIR });
    assert_eq!(path.state(), PathState::Up);
    assert_eq!(path.transitions.len(), 3, "{:?}", path.transitions);
}

#[test]
fn a_name_that_is_not_found_at_once_costs_a_new_path_no_hold_down() {
    let nowhere = failed(ProbeFailure::NotResolved);
    let slow = Thresholds { quorum: 2, hold_down: Duration::from_secs(3600), ..thresholds() };
    let mut path = Rotated::new(slow, vec![tcp("c.example"), tcp("d.example")]);
    path.probes(20, &|target| if target == 0 { nowhere } else { FAIR });
    assert_eq!(path.state(), PathState::Unknown);
    path.probes(2, &|_| FAIR);
    assert_eq!(path.state(), PathState::Up);
}

#[test]
fn rotating_targets_at_different_distances_is_no_jitter() {
    let mut path = plain(3);
    path.probes(60, &|target| ProbeOutcome::Answered(Duration::from_millis(10 * (target as u64 + 1))));
    let figures = path.quality.figures();
    assert_eq!((figures.jitter, figures.jitter_smoothed), (Some(Duration::ZERO), Some(Duration::ZERO)));
    assert_eq!(path.quality.history(path.now)[0].jitter, Some(Duration::ZERO));
    let medians: Vec<_> = path.quality.targets().map(|target| target.rtt_median).collect();
    assert_eq!(medians, [Some(ms(10.0)), Some(ms(20.0)), Some(ms(30.0))]);
}

// Identity.

/// A portal: it answers every TCP handshake, and cannot prove to be anyone.
fn portal(target: usize) -> ProbeOutcome {
    if target < 2 { PORTAL } else { FAIR }
}

#[test]
fn a_path_does_not_come_up_before_a_target_proves_its_identity() {
    let mut path = mixed();
    path.next = 2;
    path.probes(2, &|_| FAIR);
    assert_eq!(path.state(), PathState::Unknown);
    let evidence = path.quality.evidence();
    assert!(evidence.ends_with("waits for proof of identity: tls:a.example:443, tls:b.example:443"), "{evidence}");
    path.probes(1, &|_| FAIR);
    assert_eq!(path.state(), PathState::Up);
}

#[test]
fn a_portal_never_comes_up_and_takes_a_path_down_whatever_handshakes_say() {
    let mut path = mixed();
    path.probes(100, &portal);
    assert_eq!(path.state(), PathState::Down);
    assert_eq!(path.transitions.len(), 1, "{:?}", path.transitions);
    let mut path = mixed();
    path.probes(40, &|_| FAIR).probes(60, &portal);
    assert_eq!(path.state(), PathState::Down);
    let cause = path.quality.evidence();
    let told = "answered by someone who is not the target (captive portal or proxy): tls:b.example:443";
    assert!(cause.starts_with(told), "{cause}");
    assert_eq!(path.transitions.last().map(|change| change.to), Some(PathState::Down));
    path.probes(100, &|target| if target < 2 { LOST } else { FAIR });
    assert_eq!(path.state(), PathState::Down, "a proof that is not answered any more is none");
    path.probes(4, &|target| if target == 0 { LOST } else { FAIR });
    assert_eq!(path.state(), PathState::Up, "one proof lifts it");
}

#[test]
fn one_target_with_a_bad_certificate_is_that_targets_trouble() {
    let mut path = mixed();
    path.probes(100, &|target| if target == 0 { PORTAL } else { FAIR });
    assert_eq!((path.state(), path.silent()), (PathState::Up, vec![0]));
    assert!(path.quality.evidence().contains("(captive portal or proxy): tls:a.example:443"));
}

#[test]
fn proofs_that_cannot_be_had_do_not_keep_a_path_down() {
    for failure in
        [ProbeFailure::Timeout, ProbeFailure::NotResolved, ProbeFailure::Unreachable, ProbeFailure::Refused]
    {
        let mut path = mixed();
        path.probes(8, &|target| if target < 2 { failed(failure) } else { FAIR });
        assert_ne!(path.state(), PathState::Up, "{failure}");
        path.probes(12, &|target| if target < 2 { failed(failure) } else { FAIR });
        assert_eq!(path.state(), PathState::Up, "{failure}");
    }
}

#[test]
fn a_portal_behind_an_outage_is_not_believed_when_the_link_is_back() {
    let mut path = mixed();
    path.probes(40, &|_| FAIR).probes(20, &|_| LOST).probes(100, &portal);
    assert_eq!(path.state(), PathState::Down);
    let mut path = mixed();
    path.probes(40, &|_| FAIR);
    path.quality.short_cut_down("no carrier", path.now);
    path.probes(100, &portal);
    assert_eq!(path.state(), PathState::Down);
}

#[test]
fn a_proof_that_is_never_to_be_had_again_does_not_keep_a_path_down_for_ever() {
    let gone = |target| if target < 2 { LOST } else { FAIR };
    let mut path = mixed();
    path.probes(40, &|_| FAIR).probes(40, &portal);
    assert_eq!(path.state(), PathState::Down);
    // Ten minutes, at two probes a second.
    path.probes(1_100, &gone);
    assert_eq!(path.state(), PathState::Down);
    path.probes(150, &gone);
    assert_eq!(path.state(), PathState::Up, "{}", path.quality.evidence());
}

#[test]
fn an_mtu_hole_is_named_with_its_target() {
    let hole = |target| if target < 2 { failed(ProbeFailure::MtuHole) } else { FAIR };
    let mut path = mixed();
    path.probes(40, &|_| FAIR).probes(40, &hole);
    assert_eq!(path.state(), PathState::Down);
    let evidence = path.quality.evidence();
    assert!(evidence.starts_with("small packets pass, large ones do not (MTU): tls:"), "{evidence}");
    let mut path = Rotated::new(thresholds(), vec![tcp("c.example"), tcp("d.example")]);
    path.probes(10, &|_| FAIR).probes(3, &|_| failed(ProbeFailure::MtuHole));
    let told = "3 probes in a row lost: small packets pass, large ones do not (MTU): tcp:";
    assert!(path.quality.evidence().starts_with(told), "{}", path.quality.evidence());
}

#[test]
fn interference_at_a_plain_target_is_a_loss_and_no_more() {
    let mut path = plain(3);
    path.probes(100, &|target| if target == 0 { failed(ProbeFailure::Unexpected) } else { FAIR });
    assert_eq!(path.state(), PathState::Up);
}

#[test]
fn what_is_observed_of_targets_that_do_not_exist_is_ignored() {
    let mut path = plain(2);
    for target in [2, 70_000, usize::MAX] {
        let observed = Observation { target, ..probed(path.now, LOST) };
        assert_eq!(path.quality.observe(observed, path.now), None);
    }
    assert_eq!(path.quality.figures(), Figures::default());
}

#[test]
fn targets_are_told_in_order_with_what_came_last() {
    let mut path = mixed();
    path.probes(3, &portal);
    let told: Vec<_> = path.quality.targets().map(|target| target.last).collect();
    assert_eq!(told, [Some(PORTAL), Some(PORTAL), Some(FAIR), None]);
    let shown: Vec<String> =
        [tls("a.example"), tls("b.example"), tcp("c.example"), tcp("d.example")].map(|of| of.to_string()).into();
    assert_eq!(shown, NAMES);
}
