//! The outcome as data: what `replay --json` prints, and what its tables are made from.

mod made;

use serde::Serialize;

use crate::domain::ClassId;

pub(super) use made::report;

/// Outcome of a replay.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Report {
    /// What was replayed.
    pub recording: RecordingReport,
    /// By policy, in the order in which they were given.
    pub policies: Vec<PolicyReport>,
    /// Of two policies: when they differed, by time. Absent with another number of them.
    pub differences: Option<Vec<Difference>>,
}

/// What was replayed.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RecordingReport {
    /// Name of the site.
    pub site: String,
    /// Its market.
    pub market: String,
    /// First moment.
    pub start: Option<When>,
    /// Last moment.
    pub end: Option<When>,
    /// Time recorded, seconds, without the time between two runs.
    pub recorded_s: f64,
    /// Runs of the agent.
    pub runs: usize,
    /// Samples.
    pub samples: u64,
    /// What is wrong with it, in words.
    pub faults: Vec<String>,
}

/// A moment of a recording.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct When {
    /// Run of the agent, counted from 1.
    pub run: usize,
    /// Time since the run began, milliseconds.
    pub after_ms: u64,
    /// By the site's clock; absent when that was never set.
    pub time: Option<String>,
}

/// Why a class was put on something else.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum MoveKind {
    /// It was on nothing before.
    Placed,
    /// What it was on could not carry it any more, or violated its SLA for too long.
    Forced,
    /// Something better was there.
    Voluntary,
}

/// One policy's outcome.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PolicyReport {
    /// Its name.
    pub name: String,
    /// What people should know of how it was replayed.
    pub notes: Vec<String>,
    /// Moves of all classes.
    pub moves: Moves,
    /// Time on each ISP, of all classes together.
    pub isps: Vec<IspShare>,
    /// Time left to the main table, seconds of all classes together.
    pub unsteered_s: f64,
    /// Time on a path that was down or degraded by this policy's SLA, or on none though one was up: seconds of all classes
    /// together.
    pub out_of_sla_s: f64,
    /// RTTs of the paths that classes were on; of all together.
    pub rtt: Percentiles,
    /// The class with the largest 95th percentile.
    pub worst: Option<ClassId>,
    /// By class.
    pub classes: Vec<ClassReport>,
    /// What became of every class, by time.
    pub decisions: Vec<DecisionReport>,
    /// Decisions that are not listed because there are too many.
    pub decisions_omitted: u64,
}

/// How often classes were put on something else.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Default)]
pub struct Moves {
    /// Because what they were on could not carry them, or violated its SLA for too long.
    pub forced: u64,
    /// Because something better was there.
    pub voluntary: u64,
}

/// Time on an ISP.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct IspShare {
    /// ISP.
    pub isp: String,
    /// Seconds.
    pub on_s: f64,
    /// Share of the time that is accounted for, 0 to 1.
    pub share: f64,
}

/// RTTs by their percentiles, milliseconds; and the loss.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Default)]
pub struct Percentiles {
    /// Median.
    pub median_ms: Option<f64>,
    /// 95th percentile.
    pub p95_ms: Option<f64>,
    /// 99th percentile.
    pub p99_ms: Option<f64>,
    /// Largest.
    pub max_ms: Option<f64>,
    /// Probes of the paths in charge.
    pub probes: u64,
    /// Lost ones among them, 0 to 1.
    pub loss: Option<f64>,
}

/// One class's outcome.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ClassReport {
    /// Class.
    pub class: ClassId,
    /// Time that is accounted for, seconds.
    pub decided_s: f64,
    /// Time on each ISP.
    pub isps: Vec<IspShare>,
    /// Time left to the main table, seconds.
    pub unsteered_s: f64,
    /// See [`PolicyReport::out_of_sla_s`].
    pub out_of_sla_s: f64,
    /// Moves.
    pub moves: Moves,
    /// RTTs of the paths that it was on.
    pub rtt: Percentiles,
}

/// A class was put on something else.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DecisionReport {
    /// When.
    pub when: When,
    /// Class.
    pub class: ClassId,
    /// Uplinks before; none: left to the main table.
    pub from: Option<String>,
    /// Uplinks now.
    pub to: Option<String>,
    /// Why, in a word.
    pub kind: MoveKind,
    /// Why, with the figures.
    pub reason: String,
}

/// A span in which two policies had a class on different uplinks.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Difference {
    /// Its begin.
    pub from: When,
    /// Its end.
    pub until: When,
    /// How long, seconds.
    pub lasted_s: f64,
    /// Class.
    pub class: ClassId,
    /// Uplinks by each policy; none: left to the main table.
    pub on: [Option<String>; 2],
}
