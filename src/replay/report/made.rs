//! From accounts to the outcome.

use std::{collections::BTreeMap, time::Duration};

use crate::{
    domain::{BootTime, ClassId, calendar},
    recording::{Dating, Faults},
    replay::{
        account::Account,
        differences,
        lane::{Lane, Moved},
    },
};

use super::{
    ClassReport, DecisionReport, Difference, IspShare, Moves, Percentiles, PolicyReport, RecordingReport, Report,
    When,
};

/// Puts the outcome together.
pub(in super::super) fn report(lanes: &[Lane], dating: &Dating, samples: u64, faults: &Faults) -> Report {
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
    let header = dating.header();
    let last = dating.runs().checked_sub(1);
    RecordingReport {
        site: header.map(|header| header.site.clone()).unwrap_or_default(),
        market: header.map(|header| header.market.clone()).unwrap_or_default(),
        start: dating.span(0).map(|(start, _)| when(dating, 0, start)),
        end: last.and_then(|run| Some(when(dating, run, dating.span(run)?.1))),
        recorded_s: seconds(dating.recorded()),
        runs: dating.runs(),
        samples,
        faults: faults.in_words(),
    }
}

fn policy(lane: &Lane, dating: &Dating) -> PolicyReport {
    let all = together(lane);
    let classes: Vec<ClassReport> = lane.accounts.iter().map(|(id, account)| class(lane, id, account)).collect();
    PolicyReport {
        name: lane.policy.name.clone(),
        notes: lane.notes.iter().cloned().collect(),
        moves: Moves { forced: all.forced, voluntary: all.voluntary },
        isps: isps(lane, &all),
        unsteered_s: seconds(all.unsteered),
        out_of_sla_s: seconds(all.out_of_sla),
        rtt: percentiles(&all),
        worst: worst(&classes).map(|class| class.class.clone()),
        classes,
        decisions: lane.moved.iter().map(|moved| decision(moved, dating)).collect(),
        decisions_omitted: lane.omitted,
    }
}

/// The accounts of all classes in one.
fn together(lane: &Lane) -> Account {
    let mut all = Account::default();
    for account in lane.accounts.values() {
        all.rtt.merge(&account.rtt);
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
    all
}

/// The class with the largest 95th percentile; of equals the first.
fn worst(classes: &[ClassReport]) -> Option<&ClassReport> {
    let p95 = |class: &ClassReport| class.rtt.p95_ms.unwrap_or_default();
    let slowest =
        |one: &&ClassReport, two: &&ClassReport| p95(one).total_cmp(&p95(two)).then(two.class.cmp(&one.class));
    classes.iter().filter(|class| class.rtt.p95_ms.is_some()).max_by(slowest)
}

fn decision(moved: &Moved, dating: &Dating) -> DecisionReport {
    DecisionReport {
        when: when(dating, moved.run, moved.at),
        class: moved.class.clone(),
        from: moved.from.clone(),
        to: moved.to.clone(),
        kind: moved.kind,
        reason: moved.reason.clone(),
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
        rtt: percentiles(account),
    }
}

/// In the order of the configuration.
fn isps(lane: &Lane, account: &Account) -> Vec<IspShare> {
    let mut of: BTreeMap<_, Duration> = BTreeMap::new();
    for (uplink, on) in &account.on {
        *of.entry(lane.policy.config.uplink(*uplink).isp).or_default() += *on;
    }
    let total = account.total.as_secs_f64();
    of.into_iter()
        .map(|(isp, on)| IspShare {
            isp: lane.policy.config.isp(isp).name.clone(),
            on_s: seconds(on),
            share: if total > 0.0 { rounded(on.as_secs_f64() / total, 1e6) } else { 0.0 },
        })
        .collect()
}

fn percentiles(account: &Account) -> Percentiles {
    let Account { rtt, probes, lost, .. } = account;
    let at = |share| rtt.quantile(share).map(milliseconds);
    Percentiles {
        median_ms: at(0.5),
        p95_ms: at(0.95),
        p99_ms: at(0.99),
        max_ms: rtt.max().map(milliseconds),
        probes: *probes,
        loss: (*probes > 0).then(|| rounded(*lost as f64 / *probes as f64, 1e6)),
    }
}

/// A moment of a run.
fn when(dating: &Dating, run: usize, at: BootTime) -> When {
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
