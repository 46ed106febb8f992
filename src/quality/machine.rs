//! The state machine of a path: when it falls, when it rises, and what it is in between.

use crate::domain::{BootTime, PathState};

use super::{
    PathQuality, Transition,
    identity::{self, Life},
    probe::{Probe, Word, moment},
    sla::Judgement,
};

impl PathQuality {
    /// When [`PathQuality::review`] is due though no probe comes: at the end of the hold-down of a path that answers
    /// again, and at the end of damping.
    pub fn wakes_at(&self) -> Option<BootTime> {
        match self.state {
            PathState::Down => {
                let held_until = self.since + self.thresholds.hold_down;
                (held_until > self.seen && self.may_rise()).then_some(held_until)
            }
            PathState::Degraded => self.damping.until(self.seen),
            PathState::Up | PathState::Unknown => None,
        }
    }

    /// Takes the step that what is known asks for.
    pub(super) fn step(&mut self, now: BootTime) -> Option<Transition> {
        if self.state == PathState::Down {
            let held = !now.at_least_after(self.since, self.thresholds.hold_down);
            return if held || !self.may_rise() { None } else { self.rise(now) };
        }
        if let Some(transition) = self.fall_if_due(now) {
            return Some(transition);
        }
        if self.state == PathState::Unknown {
            if self.may_rise() {
                return self.rise(now);
            }
            // A path that answers now and then would stay unknown for ever.
            let enough = self.thresholds.up_after.saturating_add(self.thresholds.down_after) as usize;
            if self.window.len() < enough.min(self.window.capacity()) || !self.is_vouched() || !self.has_quorum() {
                return None;
            }
        }
        self.judge(now)
    }

    fn fall_if_due(&mut self, now: BootTime) -> Option<Transition> {
        let down_after = self.thresholds.down_after as usize;
        let lost = self.window.losses_in_a_row();
        if let Some(position) = identity::denied_by(&self.targets, down_after) {
            self.cause = self.words_of_denial(position);
            self.denied = true;
        } else if lost >= down_after {
            self.cause = self.words_of_losses(lost);
            let certain = self.window.iter().rev().take(lost).any(|probe| probe.word != Word::Overdue);
            let from = self.window.restart_after_losses();
            return self.fall(from, certain, now);
        } else if self.targets.available(self.state == PathState::Unknown) < self.targets.quorum() {
            self.cause = self.words_of_quorum();
        } else {
            return None;
        }
        let newest = self.window.iter().next_back().map_or(0, |probe| probe.sent);
        self.window.restart_after(newest);
        self.fall(newest.saturating_add(1), true, now)
    }

    /// Whether it answers as it should, by the targets that should.
    fn may_rise(&self) -> bool {
        self.window.answers_in_a_row() >= self.thresholds.up_after as usize && self.has_quorum() && self.is_vouched()
    }

    fn has_quorum(&self) -> bool {
        self.targets.answering(self.alive_from) >= self.targets.quorum()
    }

    /// Whether no target that proves its identity stands against it.
    pub(super) fn is_vouched(&self) -> bool {
        let Some(first) = self.first_answer else { return true };
        let down_after = self.thresholds.down_after as usize;
        let seen = moment(self.seen);
        let life = Life { since: self.alive_from, first, denied: self.denied, seen };
        identity::vouched(&self.targets, down_after, &life)
    }

    fn rise(&mut self, now: BootTime) -> Option<Transition> {
        // What was lost before a path first answers is its link settling, or the outage it comes back from.
        self.window.keep_newest(self.window.answers_in_a_row());
        self.denied = false;
        self.unconfirmed = false;
        self.targets.forgive();
        self.judgement = Judgement::default();
        self.judge(now)
    }

    fn judge(&mut self, now: BootTime) -> Option<Transition> {
        let alive = matches!(self.state, PathState::Up | PathState::Degraded);
        self.judgement.pass(&self.thresholds, &self.window, alive, moment(self.seen));
        let damped = self.damping.until(now).is_some();
        let next = if damped || self.judgement.is_degraded() { PathState::Degraded } else { PathState::Up };
        self.enter(next, now)
    }

    /// Interference among the losses says more than silence, and is told with its target.
    fn words_of_losses(&self, lost: usize) -> String {
        let run = || self.window.iter().rev().take(lost);
        let told = run()
            .find_map(|probe| Some((probe.failure().filter(|failure| failure.is_interference())?, probe.target)));
        let why = match (told, run().next().and_then(Probe::failure)) {
            (Some((failure, target)), _) => format!("{failure}{}", self.targets.named(usize::from(target))),
            (None, Some(failure)) => failure.to_string(),
            (None, None) => "answers are overdue".to_owned(),
        };
        format!("{lost} probes in a row lost: {why}")
    }
}
