//! The scenes, in order. Each begins where the one before ended: all healthy, Microsoft traffic on the preferred ISP.

use std::{thread::sleep, time::Duration};

use crate::{LabError, PathProfile};

use super::{
    narrator::Narrator,
    stage::{DEFAULT, PREFERRED, Stage, name},
    summary::{Step, Summary, milliseconds},
};

/// Longest wait for anything; far beyond what it takes, so that a busy machine fails nothing.
const PATIENCE: Duration = Duration::from_secs(15);
/// A path is healed once no lost probe is in its window: 20 probes of 16 paths, 20 a second in all, and the hold time.
const HEALING: Duration = Duration::from_secs(45);

/// Largest gaps that still count as a failover. They are no benchmark: a busy machine must pass.
const CARRIER_GAP: Duration = Duration::from_millis(500);
const BLACKHOLE_GAP: Duration = Duration::from_secs(3);

/// Round trip and loss of the brown-out, on top of the healthy 8 ms.
const BROWN_OUT_RTT: Duration = Duration::from_millis(48);
const BROWN_OUT_LOSS: f64 = 0.05;

/// The hold time in the agent's configuration.
const RETURN_AFTER: Duration = Duration::from_secs(3);

/// How long the client is watched after the agent was killed, and after it was started again.
const WATCH: Duration = Duration::from_secs(1);

/// Peering Service's word for a class that moved.
const MOVE_EVENT: &str = "PrefixActivePath";
/// The class whose moves are told.
const TOLD_CLASS: &str = "exchange.ipv4";
/// To the preferred ISP, away from it and back in the steps before, for each of several classes.
const FEWEST_MOVES: usize = 6;

/// One step of the story.
pub(super) struct Scene {
    pub(super) letter: char,
    pub(super) title: &'static str,
    pub(super) play: fn(&mut Stage, &mut Summary, &mut Narrator, &mut Step) -> Result<(), LabError>,
}

pub(super) const SCENES: &[Scene] = &[
    Scene { letter: 'a', title: "start: Microsoft goes to the preferred ISP", play: start },
    Scene { letter: 'b', title: "brown-out: 40 ms and 5 % loss on the preferred ISP", play: brown_out },
    Scene { letter: 'c', title: "healed: back after the hold time", play: healed },
    Scene { letter: 'd', title: "carrier cut", play: carrier_cut },
    Scene { letter: 'e', title: "silent black hole", play: black_hole },
    Scene { letter: 'f', title: "agent killed with -9, carrier cut while it is dead", play: dead_agent },
    Scene { letter: 'g', title: "what the collector received", play: collected },
];

fn start(stage: &mut Stage, _: &mut Summary, say: &mut Narrator, step: &mut Step) -> Result<(), LabError> {
    stage.await_microsoft_by(DEFAULT, PATIENCE)?;
    stage.await_internet_by(DEFAULT, PATIENCE)?;
    say.observation(&format!("without peerward everything leaves by {}", name(DEFAULT)));
    say.action("start peerward in enforce mode on the branch router");
    stage.mark();
    stage.agent.start()?;
    stage.await_microsoft_by(PREFERRED, PATIENCE)?;
    stage.await_internet_by(DEFAULT, PATIENCE)?;
    let reason = stage.await_decision(PREFERRED, PATIENCE)?;
    step.measured(stage.measure());
    say.observation(&format!("Microsoft leaves by {}, everything else by {}", name(PREFERRED), name(DEFAULT)));
    arrived(say, step, PREFERRED, reason);
    Ok(())
}

fn brown_out(stage: &mut Stage, _: &mut Summary, say: &mut Narrator, step: &mut Step) -> Result<(), LabError> {
    say.action(&format!("add 40 ms and 5 % loss to {}; its link stays up", name(PREFERRED)));
    stage.mark();
    let path = stage.branch.fabric().isp(PREFERRED);
    path.set_from_edge(PathProfile::round_trip(BROWN_OUT_RTT));
    path.set_towards_edge(PathProfile::round_trip(BROWN_OUT_RTT).loss(BROWN_OUT_LOSS));
    let took = stage.await_microsoft_by(DEFAULT, PATIENCE)?;
    let reason = stage.await_decision(DEFAULT, PATIENCE)?;
    step.measured(stage.measure());
    say.observation(&format!("moved to {} after {:.1} s", name(DEFAULT), took.as_secs_f64()));
    arrived(say, step, DEFAULT, reason);
    Ok(())
}

fn healed(stage: &mut Stage, _: &mut Summary, say: &mut Narrator, step: &mut Step) -> Result<(), LabError> {
    say.action(&format!("heal {}", name(PREFERRED)));
    stage.mark();
    stage.heal(PREFERRED);
    let took = stage.await_microsoft_by(PREFERRED, HEALING)?;
    let reason = stage.await_decision(PREFERRED, PATIENCE)?;
    step.measured(stage.measure());
    say.observation(&format!("back on {} after {:.1} s", name(PREFERRED), took.as_secs_f64()));
    arrived(say, step, PREFERRED, reason);
    require(step, took >= RETURN_AFTER, || {
        format!("returned after {:.1} s, before the hold time of {} s", took.as_secs_f64(), RETURN_AFTER.as_secs())
    });
    Ok(())
}

fn carrier_cut(
    stage: &mut Stage,
    summary: &mut Summary,
    say: &mut Narrator,
    step: &mut Step,
) -> Result<(), LabError> {
    say.action(&format!("cut the cable of {}", name(PREFERRED)));
    stage.mark();
    stage.branch.cut(PREFERRED)?;
    stage.await_microsoft_by(DEFAULT, PATIENCE)?;
    let reason = stage.await_decision(DEFAULT, PATIENCE)?;
    let report = stage.measure();
    step.measured(report);
    summary.carrier_gap_ms = step.gap_ms;
    say.observation(&format!("moved to {}", name(DEFAULT)));
    arrived(say, step, DEFAULT, reason);
    limit(step, report.longest_gap, CARRIER_GAP);
    say.action("mend the cable");
    stage.branch.mend(PREFERRED)?;
    back_to_preferred(stage, say)
}

fn black_hole(stage: &mut Stage, summary: &mut Summary, say: &mut Narrator, step: &mut Step) -> Result<(), LabError> {
    say.action(&format!("{} swallows every packet; its link looks healthy", name(PREFERRED)));
    let reconnects = stage.tcp.reconnects();
    stage.mark();
    stage.branch.fabric().isp(PREFERRED).set(PathProfile::default().blackhole());
    stage.await_microsoft_by(DEFAULT, PATIENCE)?;
    let reason = stage.await_decision(DEFAULT, PATIENCE)?;
    let report = stage.measure();
    step.measured(report);
    summary.blackhole_gap_ms = step.gap_ms;
    say.observation(&format!("moved to {}", name(DEFAULT)));
    arrived(say, step, DEFAULT, reason);
    let broken = stage.tcp.reconnects() - reconnects;
    say.observation(&format!("the client's TCP connection {}", if broken == 0 { "held" } else { "broke" }));
    limit(step, report.longest_gap, BLACKHOLE_GAP);
    say.action(&format!("heal {}", name(PREFERRED)));
    stage.heal(PREFERRED);
    back_to_preferred(stage, say)
}

fn dead_agent(stage: &mut Stage, summary: &mut Summary, say: &mut Narrator, step: &mut Step) -> Result<(), LabError> {
    say.action("kill -9 the agent, wait, start it again");
    stage.mark();
    stage.agent.kill()?;
    sleep(WATCH);
    stage.agent.start()?;
    stage.await_decision(PREFERRED, PATIENCE)?;
    sleep(WATCH);
    stage.await_microsoft_by(PREFERRED, PATIENCE)?;
    let lost = stage.measure().lost;
    summary.restart_lost_packets = Some(lost);
    say.observation(&format!("still by {}, {lost} packets lost", name(PREFERRED)));
    require(step, lost == 0, || format!("{lost} packets lost over kill -9 and restart"));

    say.action(&format!("kill -9 the agent again, then cut the cable of {}", name(PREFERRED)));
    stage.agent.kill()?;
    stage.mark();
    stage.branch.cut(PREFERRED)?;
    stage.await_microsoft_by(DEFAULT, PATIENCE)?;
    let report = stage.measure();
    step.measured(report);
    summary.dead_agent_gap_ms = step.gap_ms;
    let reason = "the kernel's standing backup took over, no agent running".to_owned();
    arrived(say, step, DEFAULT, reason);
    limit(step, report.longest_gap, CARRIER_GAP);

    say.action("mend the cable and start the agent");
    stage.branch.mend(PREFERRED)?;
    stage.agent.start()?;
    back_to_preferred(stage, say)
}

fn collected(stage: &mut Stage, summary: &mut Summary, say: &mut Narrator, step: &mut Step) -> Result<(), LabError> {
    let collector = stage.reporting.collector();
    // One more request shows that the agent of the last start reports, too.
    let before = collector.store().requests;
    collector.wait_until(
        "the collector holds figures and the moves, and the agent still reports",
        PATIENCE,
        |store| {
            store.data_points() > 0 && store.events_named(MOVE_EVENT).len() >= FEWEST_MOVES && store.requests > before
        },
    )?;
    let store = collector.store();
    summary.samples_reported = Some(store.samples() as u64);
    say.observation(&format!(
        "over mutual TLS 1.3: {} requests, {} data points",
        store.requests,
        store.data_points()
    ));
    let metrics: Vec<_> = store.metric_units().into_keys().collect();
    say.observation(&format!("metrics: {}", metrics.join(", ")));
    for event in store.events_named(MOVE_EVENT).iter().filter(|event| event.body.contains(TOLD_CLASS)) {
        say.observation(&format!("{} {}: {}", event.severity, event.name, event.body));
    }
    require(step, store.malformed.is_empty(), || format!("malformed requests: {:?}", store.malformed));
    require(step, store.failed_handshakes.is_empty(), || format!("failed handshakes: {:?}", store.failed_handshakes));
    Ok(())
}

fn back_to_preferred(stage: &mut Stage, say: &mut Narrator) -> Result<(), LabError> {
    let took = stage.await_microsoft_by(PREFERRED, PATIENCE)?;
    stage.await_decision(PREFERRED, PATIENCE)?;
    say.observation(&format!("back on {} after {:.1} s", name(PREFERRED), took.as_secs_f64()));
    Ok(())
}

/// Notes and tells where the traffic is now, why, and what the client felt.
fn arrived(say: &mut Narrator, step: &mut Step, isp: usize, reason: String) {
    say.observation(&format!("reason: {reason}"));
    if let (Some(gap), Some(lost)) = (step.gap_ms, step.lost_packets) {
        say.observation(&format!("client: packets lost {lost}, longest gap {gap:.1} ms"));
    }
    (step.path, step.reason) = (Some(name(isp).to_owned()), Some(reason));
}

fn limit(step: &mut Step, gap: Duration, most: Duration) {
    require(step, gap <= most, || {
        format!("the client's gap was {:.1} ms, more than {} ms", milliseconds(gap), most.as_millis())
    });
}

fn require(step: &mut Step, holds: bool, failure: impl FnOnce() -> String) {
    if !holds {
        step.ok = false;
        step.failure.get_or_insert_with(failure);
    }
}
