//! The outcome as data: what `replay --json` prints, and what its tables are made from.

use std::{collections::BTreeMap, time::Duration};

use serde::Serialize;

use crate::{
    domain::{BootTime, ClassId, calendar},
    quality::Sketch,
    recording::{Dating, Faults},
};

use super::{account::Account, differences, lane::Lane};

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

/// Puts the outcome together.
pub(super) fn report(lanes: &[Lane], dating: &Dating, samples: u64, faults: &Faults) -> Report {
    let differences = match lanes {
        [one, other] => {
            let all = differences::differences(one, other, dating).into_iter().map(|it| Difference {
                from: when(dating, it.run, it.from),
                until: when(dating, it.run, it.until),
                lasted_s: seconds(it.until.since(it.from)),
                class: it.class,
                on: it.on,
            });
            Some(all.collect())
        }
        _ => None,
    };
    Report {
        recording: recording(dating, samples, faults),
        policies: lanes.iter().map(|lane| policy(lane, dating)).collect(),
        differences,
    }
}

fn recording(dating: &Dating, samples: u64, faults: &Faults) -> RecordingReport {
    let last = dating.runs().checked_sub(1);
    let header = last.and_then(|run| dating.head(run)).map(|head| &head.header);
    let spans = || (0..dating.runs()).filter_map(|run| dating.span(run));
    RecordingReport {
        site: header.map(|header| header.site.clone()).unwrap_or_default(),
        market: header.map(|header| header.market.clone()).unwrap_or_default(),
        start: dating.span(0).map(|(start, _)| when(dating, 0, start)),
        end: last.and_then(|run| Some(when(dating, run, dating.span(run)?.1))),
        recorded_s: seconds(spans().map(|(start, end)| end.since(start)).sum()),
        runs: dating.runs(),
        samples,
        faults: faults.in_words(),
    }
}

fn policy(lane: &Lane, dating: &Dating) -> PolicyReport {
    let mut rtt = Sketch::new();
    let mut all = Account::default();
    for account in lane.accounts.values() {
        rtt.merge(&account.rtt);
        all.probes += account.probes;
        all.lost += account.lost;
        all.total += account.total;
        all.unsteered += account.unsteered;
        all.out_of_sla += account.out_of_sla;
        all.forced += account.forced;
        all.voluntary += account.voluntary;
        for (uplink, on) in &account.on {
            *all.on.entry(*uplink).or_default() += *on;
        }
    }
    let classes: Vec<ClassReport> = lane.accounts.iter().map(|(id, account)| class(lane, id, account)).collect();
    let slowest = |one: &&ClassReport, two: &&ClassReport| {
        let p95 = |class: &ClassReport| class.rtt.p95_ms.unwrap_or_default();
        // Of equals the first.
        p95(one).total_cmp(&p95(two)).then_with(|| two.class.cmp(&one.class))
    };
    let worst = classes.iter().filter(|class| class.rtt.p95_ms.is_some()).max_by(slowest);
    PolicyReport {
        name: lane.name.clone(),
        notes: lane.notes.iter().cloned().collect(),
        moves: Moves { forced: all.forced, voluntary: all.voluntary },
        isps: isps(lane, &all),
        unsteered_s: seconds(all.unsteered),
        out_of_sla_s: seconds(all.out_of_sla),
        rtt: percentiles(&rtt, all.probes, all.lost),
        worst: worst.map(|class| class.class.clone()),
        classes,
        decisions: lane
            .moved
            .iter()
            .map(|moved| DecisionReport {
                when: when(dating, moved.run, moved.at),
                class: moved.class.clone(),
                from: moved.from.clone(),
                to: moved.to.clone(),
                kind: moved.kind,
                reason: moved.reason.clone(),
            })
            .collect(),
        decisions_omitted: lane.omitted,
    }
}

fn class(lane: &Lane, id: &ClassId, account: &Account) -> ClassReport {
    ClassReport {
        class: id.clone(),
        decided_s: seconds(account.total),
        isps: isps(lane, account),
        unsteered_s: seconds(account.unsteered),
        out_of_sla_s: seconds(account.out_of_sla),
        moves: Moves { forced: account.forced, voluntary: account.voluntary },
        rtt: percentiles(&account.rtt, account.probes, account.lost),
    }
}

/// In the order of the configuration.
fn isps(lane: &Lane, account: &Account) -> Vec<IspShare> {
    let mut of: BTreeMap<_, Duration> = BTreeMap::new();
    for (uplink, on) in &account.on {
        *of.entry(lane.config.uplink(*uplink).isp).or_default() += *on;
    }
    let total = account.total.as_secs_f64();
    of.into_iter()
        .map(|(isp, on)| IspShare {
            isp: lane.config.isp(isp).name.clone(),
            on_s: seconds(on),
            share: if total > 0.0 { rounded(on.as_secs_f64() / total, 1e6) } else { 0.0 },
        })
        .collect()
}

fn percentiles(rtt: &Sketch, probes: u64, lost: u64) -> Percentiles {
    let at = |share| rtt.quantile(share).map(milliseconds);
    Percentiles {
        median_ms: at(0.5),
        p95_ms: at(0.95),
        p99_ms: at(0.99),
        max_ms: rtt.max().map(milliseconds),
        probes,
        loss: (probes > 0).then(|| rounded(lost as f64 / probes as f64, 1e6)),
    }
}

/// A moment of a run.
pub(crate) fn when(dating: &Dating, run: usize, at: BootTime) -> When {
    let (start, offset) = match (dating.span(run), dating.head(run)) {
        (Some((start, _)), Some(head)) => (start, head.header.utc_offset),
        _ => (at, 0),
    };
    When {
        run: run + 1,
        after_ms: u64::try_from(at.since(start).as_millis()).unwrap_or(u64::MAX),
        time: dating.wall(run, at).map(|wall| calendar::local(wall, offset)),
    }
}

fn seconds(span: Duration) -> f64 {
    rounded(span.as_secs_f64(), 1e3)
}

fn milliseconds(span: Duration) -> f64 {
    rounded(span.as_secs_f64() * 1e3, 1e3)
}

/// So that the last bits of a division do not show.
fn rounded(value: f64, steps: f64) -> f64 {
    (value * steps).round() / steps
}
