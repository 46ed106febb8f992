//! What a running agent tells, in the words of another configuration: uplinks by name, classes by id, or by what their id is
//! without the name of a rule.

use std::time::Duration;

use crate::{
    agent::Engine,
    config::Config,
    domain::{
        BootTime, ClassId, PathState, UplinkId,
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
            if let Some(path) = nearest(class, path, |path| &path.class) {
                engine.assume(class, uplink, input_of_path(path, now));
            } else if let Some(view) = uplink_named(snapshot, name) {
                engine.assume(class, uplink, input_of_uplink(view, now));
            }
        }
        if let Some(view) = nearest(class, snapshot.classes.iter(), |view| &view.id) {
            engine.start_from(class, memory(&config, view, now));
        }
    }
    engine
}

/// The one of that very class, or one that is measured by the same targets: the class without a rule, or of another rule.
pub(super) fn nearest<'a, T>(
    class: &ClassId,
    mut all: impl Iterator<Item = &'a T> + Clone,
    id: impl Fn(&T) -> &ClassId,
) -> Option<&'a T> {
    let whole = class.without_rule();
    let (itself, whole_one) = (|it: &&T| id(it) == class, |it: &&T| *id(it) == whole);
    let alike = |it: &&T| id(it).without_rule() == whole;
    all.clone().find(itself).or_else(|| all.clone().find(whole_one)).or_else(move || all.find(alike))
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
    let in_charge = view.uplink.as_deref().map(|names| named(config, names)).unwrap_or_default();
    let backup = view.backup.as_deref().and_then(|name| named(config, name).first().copied());
    Memory {
        chosen: in_charge.first().copied(),
        also: in_charge.into_iter().skip(1).collect(),
        backup,
        since: ago(now, view.since_s),
        ..Memory::default()
    }
}

/// The uplinks of such a name: one, or several as in `wan0+wan1`.
fn named(config: &Config, names: &str) -> Vec<UplinkId> {
    let find = |name: &str| config.uplink_ids().find(|id| config.uplink(*id).name == name);
    find(names).map_or_else(|| names.split('+').filter_map(find).collect(), |whole| vec![whole])
}

fn ago(now: BootTime, seconds: u64) -> BootTime {
    BootTime(now.0.saturating_sub(Duration::from_secs(seconds)))
}

fn span(milliseconds: f64) -> Option<Duration> {
    Duration::try_from_secs_f64(milliseconds / 1_000.0).ok()
}
