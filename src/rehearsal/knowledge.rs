//! What a running agent tells, in the words of another configuration: uplinks by name, classes by id, or by what their id is
//! without the name of a rule.

use std::time::Duration;

use crate::{
    agent::Engine,
    config::Config,
    domain::{
        BootTime, ClassId, PathState,
        view::{ClassView, PathView, Snapshot, UplinkView},
    },
    quality::Figures,
    select::{Memory, PathInput},
};

/// The engine with what is known of its paths, and of what is in charge.
pub(super) fn given(mut engine: Engine, snapshot: &Snapshot, now: BootTime) -> Engine {
    let config = engine.config().clone();
    let classes: Vec<ClassId> = engine.classes().iter().map(|class| class.id.clone()).collect();
    for class in &classes {
        for uplink in config.uplink_ids() {
            let name = &config.uplink(uplink).name;
            let path = snapshot.paths.iter().filter(|path| path.uplink == *name);
            if let Some(path) = class.nearest_among(path, |path| &path.class) {
                engine.assume(class, uplink, input_of_path(path, now));
            } else if let Some(view) = uplink_named(snapshot, name) {
                engine.assume(class, uplink, input_of_uplink(view, now));
            }
        }
        if let Some(view) = class.nearest_among(snapshot.classes.iter(), |view| &view.id) {
            engine.start_from(class, memory(&config, view, now));
        }
    }
    engine
}

fn uplink_named<'a>(snapshot: &'a Snapshot, name: &str) -> Option<&'a UplinkView> {
    snapshot.isps.iter().flat_map(|isp| &isp.uplinks).find(|uplink| uplink.name == name)
}

fn input_of_path(path: &PathView, now: BootTime) -> PathInput {
    let rtt = path.rtt_ms.and_then(span);
    PathInput {
        state: path.state,
        since: ago(now, path.since_s),
        figures: Figures { rtt_recent: rtt, rtt_median: rtt, loss: path.loss_ratio, ..Figures::default() },
        evidence: path.evidence.clone(),
        ..PathInput::unknown(now)
    }
}

/// Of a class that was not measured, as the uplink does in general.
fn input_of_uplink(uplink: &UplinkView, now: BootTime) -> PathInput {
    let rtt = uplink.rtt_ms.and_then(span);
    PathInput {
        state: uplink.state,
        since: if uplink.state == PathState::Unknown { now } else { BootTime::default() },
        figures: Figures { rtt_recent: rtt, rtt_median: rtt, loss: uplink.loss_ratio, ..Figures::default() },
        evidence: format!("not measured for this class; {} for others", uplink.state),
        ..PathInput::unknown(now)
    }
}

fn memory(config: &Config, view: &ClassView, now: BootTime) -> Memory {
    let in_charge = view.uplink.as_deref().map(|names| config.uplinks_named(names)).unwrap_or_default();
    let backup = view.backup.as_deref().and_then(|names| config.uplinks_named(names).first().copied());
    Memory {
        chosen: in_charge.first().copied(),
        also: in_charge.into_iter().skip(1).collect(),
        backup,
        since: ago(now, view.since_s),
        ..Memory::default()
    }
}

fn ago(now: BootTime, seconds: u64) -> BootTime {
    BootTime(now.0.saturating_sub(Duration::from_secs(seconds)))
}

fn span(milliseconds: f64) -> Option<Duration> {
    Duration::try_from_secs_f64(milliseconds / 1_000.0).ok()
}
