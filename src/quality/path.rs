//! The running judgement of one path: takes what became of its probes, and keeps what follows from it.

use std::{sync::Arc, time::Duration};

use crate::domain::{BootTime, PathState, ProbeFailure, ProbeOutcome, Target};

use super::{
    Figures, HistoryFigures, Observation, TargetFigures, Thresholds, Transition, TrendStep,
    damping::Damping,
    history::{History, TREND_STEPS},
    probe::{Moment, Probe, Word, moment},
    sla::Judgement,
    targets::Targets,
    window::{Window, median},
};

/// The running judgement of one path.
#[derive(Debug, Clone)]
pub struct PathQuality {
    pub(super) thresholds: Thresholds,
    pub(super) window: Window,
    pub(super) targets: Targets,
    pub(super) history: History,
    pub(super) damping: Damping,
    pub(super) judgement: Judgement,
    pub(super) state: PathState,
    pub(super) since: BootTime,
    /// The latest moment that it was told of.
    pub(super) seen: BootTime,
    /// Why it is down, in words; kept because the window that showed it is emptied.
    pub(super) cause: String,
    /// Probes sent before belong to the life before it last went down.
    pub(super) alive_from: Moment,
    /// First answer of this life, by the time of sending.
    pub(super) first_answer: Option<Moment>,
    /// It went down because others answered in its targets' stead, and none of them has proven its identity since.
    pub(super) denied: bool,
    /// It went down because answers were overdue, and none of them is lost for certain yet.
    pub(super) unconfirmed: bool,
    /// RFC 3550 jitter of this life.
    smoothed: Option<Duration>,
    last_sent: Option<BootTime>,
}

impl PathQuality {
    /// A path of which nothing is known yet. Observations name targets by their position in this list; without a list
    /// there is a single one.
    pub fn new(thresholds: Thresholds, targets: impl Into<Arc<[Target]>>, now: BootTime) -> Self {
        let mut thresholds = thresholds;
        thresholds.up_after = thresholds.up_after.max(1);
        thresholds.down_after = thresholds.down_after.max(1);
        let runs = thresholds.up_after.max(thresholds.down_after) as usize;
        Self {
            thresholds,
            window: Window::new(thresholds.window.max(runs)),
            targets: Targets::new(targets.into(), thresholds.down_after, thresholds.quorum),
            history: History::new(now),
            damping: Damping::new(thresholds.flap_half_life),
            judgement: Judgement::default(),
            state: PathState::Unknown,
            since: now,
            seen: now,
            cause: String::new(),
            alive_from: 0,
            first_answer: None,
            denied: false,
            unconfirmed: false,
            smoothed: None,
            last_sent: None,
        }
    }

    /// Takes what became of a probe, in whatever order that becomes known. Results of probes sent before the path last
    /// went down are not held against it; probes of targets that it does not have are ignored.
    pub fn observe(&mut self, observed: Observation, now: BootTime) -> Option<Transition> {
        let target = self.targets.position(observed.target)?;
        let probe = Probe::of(&observed, target);
        self.seen = self.seen.max(now);
        self.last_sent = self.last_sent.max(Some(observed.sent_at));
        let own_loss = self.targets.observe(&probe);
        if probe.failure() != Some(ProbeFailure::NotResolved) {
            if probe.word != Word::Overdue {
                self.remember(&probe, own_loss, now);
            }
            if !own_loss && self.window.insert(probe) {
                self.judgement.is_due();
            }
        }
        if !probe.is_lost() && probe.sent >= self.alive_from {
            self.first_answer = Some(self.first_answer.map_or(probe.sent, |first| first.min(probe.sent)));
        }
        if self.unconfirmed && matches!(probe.word, Word::Failed(failure) if failure != ProbeFailure::NotResolved) {
            self.unconfirmed = false;
            self.damping.fall(now);
        }
        self.targets.attribute(&mut self.window);
        self.step(now)
    }

    /// Looks at what time alone changes: the end of a hold-down, and of damping. Due at [`PathQuality::wakes_at`].
    pub fn review(&mut self, now: BootTime) -> Option<Transition> {
        self.seen = self.seen.max(now);
        self.step(now)
    }

    /// Goes straight to `down` because the kernel says so (carrier, link, next hop, neighbour); the window is emptied,
    /// and probes sent until `now` no longer count. Counts as a fall for damping: a carrier that flaps is a path that
    /// flaps. Comes back by `up_after` answers.
    pub fn short_cut_down(&mut self, why: &str, now: BootTime) -> Option<Transition> {
        self.seen = self.seen.max(now);
        why.clone_into(&mut self.cause);
        self.window.restart_after(moment(now));
        self.denied = false;
        self.fall(moment(now).saturating_add(1), true, now)
    }

    /// State, after hysteresis.
    pub fn state(&self) -> PathState {
        self.state
    }

    /// Since when it is in this state.
    pub fn since(&self) -> BootTime {
        self.since
    }

    /// Until when the path is at best `degraded` because it flapped, if it is.
    pub fn damped_until(&self, now: BootTime) -> Option<BootTime> {
        self.damping.until(now)
    }

    /// Statistics of the window. Cheap: a few passes over it, no sorting.
    pub fn figures(&self) -> Figures {
        Figures { jitter_smoothed: self.smoothed, last_sent: self.last_sent, ..Figures::of(&self.window) }
    }

    /// Statistics of the past, from five minutes to thirty days, as far as there is one; shortest span first.
    pub fn history(&self, now: BootTime) -> Vec<HistoryFigures> {
        self.history.figures(now)
    }

    /// The last hour in steps of two minutes, oldest first.
    pub fn trend(&self, now: BootTime) -> [TrendStep; TREND_STEPS] {
        self.history.trend(now)
    }

    /// What is known of each target, in the order of the path's list.
    pub fn targets(&self) -> impl Iterator<Item = TargetFigures> {
        self.targets.iter().map(|(position, standing)| {
            let answers = self.window.iter().filter(|probe| usize::from(probe.target) == position);
            TargetFigures {
                rtt_median: median(answers.filter_map(Probe::rtt).collect()),
                last: standing.last.map(|probe| match probe.word {
                    Word::Answered => ProbeOutcome::Answered(probe.rtt().unwrap_or_default()),
                    Word::Overdue => ProbeOutcome::Overdue,
                    Word::Failed(failure) => ProbeOutcome::Failed(failure),
                }),
                last_sent: standing.last.map(|probe| BootTime(Duration::from_nanos(probe.sent))),
                silent: standing.silent,
            }
        })
    }

    /// Bytes that this path takes, on the heap as well; without the list of targets that the paths of a class share.
    pub fn memory_bytes(&self) -> usize {
        let heap = self.window.heap_bytes() + self.targets.heap_bytes() + self.history.heap_bytes();
        size_of::<Self>() + heap + self.cause.capacity()
    }

    /// A last word goes into the history and the smoothed jitter, whatever it means for the state.
    fn remember(&mut self, probe: &Probe, own_loss: bool, now: BootTime) {
        let variation = self.targets.variation(probe);
        if own_loss {
            return;
        }
        self.history.record(probe.rtt(), variation, now);
        if let Some(variation) = variation.filter(|_| probe.sent >= self.alive_from) {
            // RFC 3550 starts from nothing; the first variation is a better guess than none.
            self.smoothed = Some(self.smoothed.map_or(variation, |smoothed| (smoothed * 15 + variation) / 16));
        }
    }

    /// Begins a new life: nothing sent before `from` counts any more.
    /// A fall that rests on overdue answers alone counts for damping when a loss confirms it.
    pub(super) fn fall(&mut self, from: Moment, certain: bool, now: BootTime) -> Option<Transition> {
        self.alive_from = self.alive_from.max(from);
        self.first_answer = None;
        self.smoothed = None;
        if matches!(self.state, PathState::Up | PathState::Degraded) {
            self.unconfirmed = !certain;
            if certain {
                self.damping.fall(now);
            }
        }
        self.enter(PathState::Down, now)
    }

    pub(super) fn enter(&mut self, next: PathState, now: BootTime) -> Option<Transition> {
        if self.state == next {
            return None;
        }
        let from = std::mem::replace(&mut self.state, next);
        self.since = now;
        Some(Transition { from, to: next, evidence: self.evidence() })
    }
}
