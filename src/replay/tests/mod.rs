//! A branch with two ISPs, one of which browns out, under policies that leave it sooner or later.

use std::{
    env, fs,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use super::{Replay, Report};
use crate::{
    agent::{Candidate, Engine},
    catalogue::Catalogue,
    config::{self, Config},
    domain::{BootTime, EventKind, ProbeFailure, ProbeOutcome, ProbeSample, RouterState, Target, UplinkId},
    recording::{Attached, Entry, Faults, Head, Header, VERSION, read_from, script::Script},
};

mod attachments;
mod comparison;
mod fidelity;

const CONFIG: &str = r#"
[site]
name = "akl-01"
market = "New Zealand"

[[isp]]
name = "kordia"
partner = "Kordia"
[[isp.uplink]]
interface = "wan0"

[[isp]]
name = "ccl"
partner = "CCL"
[[isp.uplink]]
interface = "wan1"

[policy]
preferred = ["kordia", "ccl"]
leave_after = "2s"
return_after = "10s"
[policy.sla]
rtt = "40ms"
loss = "2%"

[probe]
window = 20
ca = "off"

[destinations.microsoft365]
source = "off"
[[destinations.static]]
name = "relays"
prefixes = ["13.107.64.0/18", "52.112.0.0/14"]
[[destinations.static]]
name = "mail"
prefixes = ["52.96.0.0/14"]
"#;

const KORDIA: UplinkId = UplinkId(0);
const CCL: UplinkId = UplinkId(1);

/// Start of every recording, since boot.
const START: u64 = 1_000_000;

fn ms(milliseconds: u64) -> BootTime {
    BootTime(Duration::from_millis(milliseconds))
}

fn policy(name: &str, text: &str) -> Candidate {
    of_config(name, config::parse(text, Path::new("branch.toml")).unwrap())
}

fn of_config(name: &str, config: Config) -> Candidate {
    let catalogue = Catalogue::of(&config).unwrap();
    Candidate { name: name.to_owned(), config, catalogue: Arc::new(catalogue) }
}

fn header() -> Header {
    Header {
        version: VERSION,
        agent: "0.1.0".to_owned(),
        site: "akl-01".to_owned(),
        market: "New Zealand".to_owned(),
        utc_offset: 780,
        boot: "0f0e".to_owned(),
        start_ms: START,
        wall_ms: 1_795_593_600_000,
    }
}

/// What an uplink's paths are like at a moment, in milliseconds since the start.
type Weather = fn(UplinkId, u64) -> ProbeOutcome;

fn answered(microseconds: u64) -> ProbeOutcome {
    ProbeOutcome::Answered(Duration::from_micros(microseconds))
}

/// Kordia answers in 10 ms, CCL in 14 ms; from 60 s to 120 s Kordia takes 60 ms.
fn brown_out(uplink: UplinkId, at: u64) -> ProbeOutcome {
    let noise = at.wrapping_mul(2_654_435_761) % 400;
    match uplink {
        KORDIA if (60_000..120_000).contains(&at) => answered(60_000 + noise),
        KORDIA => answered(10_000 + noise),
        _ => answered(14_000 + noise),
    }
}

/// An agent on a router, measuring, and what it decided.
struct World {
    engine: Engine,
    script: Script,
    router: RouterState,
    events: Vec<(BootTime, EventKind)>,
    turn: usize,
}

impl World {
    /// A run of the agent by `text`, with both uplinks attached.
    fn new(text: &str) -> Self {
        let Candidate { config, catalogue, .. } = policy("", text);
        let engine = Engine::new(config.clone(), Arc::clone(&catalogue), ms(START));
        let targets = |class: &_| Some(targets(&engine, class));
        let script = Script::new(Head::new(header(), &config, &catalogue, targets));
        let mut attached = super::attachments::Attachments::default();
        for uplink in [KORDIA, CCL] {
            for family in crate::domain::Family::BOTH {
                attached.set(uplink, family, Attached::Yes);
            }
        }
        let mut world = Self { engine, script, router: attached.router(&config), events: Vec::new(), turn: 0 };
        world.read_router(0);
        world
    }

    fn read_router(&mut self, at: u64) {
        let at = ms(START + at);
        let config = self.engine.config().clone();
        self.script.router(&config, &self.router, at);
        let events = self.engine.router_changed(&self.router, at);
        self.events.extend(events.into_iter().map(|event| (at, event)));
    }

    /// Probes every path once in 500 ms, all with small delays between them.
    fn pass(&mut self, from: u64, until: u64, weather: Weather) {
        for at in (from..until).step_by(500) {
            let paths = self.engine.probe_paths();
            let mut results = Vec::new();
            for (number, path) in (0..).zip(paths.iter()) {
                let target = self.turn % path.targets.len();
                self.turn += 1;
                let sent = START + at + 7 * number;
                let outcome = weather(path.uplink, at);
                let took = outcome.rtt().map_or(400, |rtt| u64::try_from(rtt.as_millis()).unwrap());
                let sample = ProbeSample {
                    uplink: path.uplink,
                    class: path.class.clone(),
                    target,
                    kind: path.targets[target].check.kind(),
                    address: Some(([192, 0, 2, u8::try_from(number).unwrap()], 443).into()),
                    sent_at: ms(sent),
                    outcome,
                    service_time: None,
                };
                results.push((ms(sent + took), sample));
            }
            results.sort_by_key(|(at, _)| *at);
            for (at, sample) in results {
                self.told(&sample, at);
            }
        }
    }

    fn told(&mut self, sample: &ProbeSample, at: BootTime) {
        while let Some(due) = self.engine.next_review().filter(|due| *due <= at) {
            let events = self.engine.review(due);
            self.events.extend(events.into_iter().map(|event| (due, event)));
        }
        self.script.sample(at, sample);
        let events = self.engine.sampled(sample, at);
        self.events.extend(events.into_iter().map(|event| (at, event)));
    }

    /// Its recording, and what it decided.
    fn end(self, at: u64) -> (String, Vec<(BootTime, EventKind)>) {
        (self.script.text(ms(START + at)), self.events)
    }
}

fn targets(engine: &Engine, class: &crate::domain::ClassId) -> Arc<[Target]> {
    engine.targets_of(class)
}

/// Three minutes with a brown-out in the middle.
fn recorded() -> String {
    let mut world = World::new(CONFIG);
    world.pass(0, 180_000, brown_out);
    world.end(180_000).0
}

fn replayed(policies: Vec<Candidate>, recording: &str) -> Report {
    let mut replay = Replay::new(policies);
    let faults = read_from(Path::new("s.pwr"), recording.as_bytes(), &mut |entry| replay.take(entry)).unwrap();
    replay.report(&faults)
}

/// Compares with a golden file of this folder.
fn assert_golden(name: &str, actual: &str) {
    let file = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("src/replay/tests").join(name);
    if env::var_os("PEERWARD_BLESS").is_some() {
        fs::write(&file, actual).unwrap();
    }
    let expected = fs::read_to_string(&file).unwrap_or_default();
    assert!(actual == expected, "{name} differs; expected:\n{expected}\nactual:\n{actual}");
}
