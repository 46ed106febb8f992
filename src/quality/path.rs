//! The running judgement of one path.

use crate::domain::{BootTime, PathState, Target};

use super::{
    Figures, Observation, Thresholds, Transition, milliseconds,
    sla::Violations,
    window::{Probe, Window},
};

/// The running judgement of one path.
#[derive(Debug, Clone)]
pub struct PathQuality {
    thresholds: Thresholds,
    window: Window,
    state: PathState,
    since: BootTime,
    violations: Violations,
    /// Why it is down, in words; kept because the window that showed it is emptied.
    cause: String,
    last_sent: Option<BootTime>,
}

impl PathQuality {
    /// A path of which nothing is known yet.
    pub fn new(thresholds: Thresholds, _targets: &[Target], now: BootTime) -> Self {
        let mut thresholds = thresholds;
        thresholds.up_after = thresholds.up_after.max(1);
        thresholds.down_after = thresholds.down_after.max(1);
        let runs = thresholds.up_after.max(thresholds.down_after) as usize;
        Self {
            thresholds,
            window: Window::new(thresholds.window.max(runs)),
            state: PathState::Unknown,
            since: now,
            violations: Violations::default(),
            cause: String::new(),
            last_sent: None,
        }
    }

    /// Takes one probe result, in whatever order results arrive. Results of probes sent before the path last went down
    /// are ignored.
    pub fn observe(&mut self, probe: Observation, now: BootTime) -> Option<Transition> {
        let Observation { sent_at, outcome, .. } = probe;
        self.last_sent = self.last_sent.max(Some(sent_at));
        if !self.window.insert(Probe { sent_at, outcome }) {
            return None;
        }
        match self.next_state() {
            PathState::Down => self.go_down_by_probes(now),
            next => self.enter(next, now),
        }
    }

    /// Goes straight to `down` because the kernel says so (carrier, link, next hop, neighbour); the window is emptied,
    /// and probes sent until `now` no longer count. Comes back by `up_after` answers.
    pub fn short_cut_down(&mut self, why: &str, now: BootTime) -> Option<Transition> {
        why.clone_into(&mut self.cause);
        self.window.restart_after(now);
        self.enter(PathState::Down, now)
    }

    /// State, after hysteresis.
    pub fn state(&self) -> PathState {
        self.state
    }

    /// Since when it is in this state.
    pub fn since(&self) -> BootTime {
        self.since
    }

    /// Statistics of the window.
    pub fn figures(&self) -> Figures {
        Figures::of(&self.window, self.last_sent)
    }

    /// The figures behind the state, in words: `RTT 62.3 ms > 40 ms, loss 5.0 % > 2 % (20 probes)`.
    pub fn evidence(&self) -> String {
        let probes = self.window.len();
        match self.state {
            PathState::Down => self.cause.clone(),
            PathState::Degraded => {
                format!("{} ({probes} probes)", self.violations.in_words(&self.thresholds.sla, &self.window))
            }
            PathState::Up => {
                let figures = self.figures();
                let rtt = figures.rtt_recent.or(figures.rtt_median).map(|rtt| format!("RTT {}", milliseconds(rtt)));
                let loss = figures.loss.map(|loss| format!("loss {:.1} %", loss * 100.0));
                let parts: Vec<String> = [rtt, loss].into_iter().flatten().collect();
                format!("{} ({probes} probes)", parts.join(", "))
            }
            PathState::Unknown if probes == 0 => "not measured yet".to_owned(),
            PathState::Unknown => format!("{} of {probes} probes answered so far", probes - self.window.lost()),
        }
    }

    /// The state that the window speaks for.
    fn next_state(&mut self) -> PathState {
        let down_after = self.thresholds.down_after as usize;
        let up_after = self.thresholds.up_after as usize;
        let answers = self.window.answers_in_a_row();
        match self.state {
            PathState::Down if answers < up_after => return PathState::Down,
            _ if self.window.losses_in_a_row() >= down_after => return PathState::Down,
            // What was lost before a path first answers is its link settling, or the outage it comes back from.
            PathState::Down | PathState::Unknown if answers >= up_after => {
                self.window.keep_newest(answers);
                self.violations = Violations::default();
            }
            // A path that answers now and then would stay unknown for ever.
            PathState::Unknown if self.window.len() < up_after + down_after => return PathState::Unknown,
            _ => {}
        }
        self.violations = self.violations.judged(&self.thresholds.sla, &self.window);
        if self.violations.any() { PathState::Degraded } else { PathState::Up }
    }

    fn go_down_by_probes(&mut self, now: BootTime) -> Option<Transition> {
        if self.state == PathState::Down {
            return None;
        }
        let lost = self.window.losses_in_a_row();
        let kind = self.window.newest_failure().map_or_else(String::new, |failure| format!(": {failure}"));
        self.cause = format!("{lost} probes in a row lost{kind}");
        if let Some(newest) = self.window.newest_sent() {
            self.window.restart_after(newest);
        }
        self.enter(PathState::Down, now)
    }

    fn enter(&mut self, next: PathState, now: BootTime) -> Option<Transition> {
        if self.state == next {
            return None;
        }
        let from = std::mem::replace(&mut self.state, next);
        self.since = now;
        Some(Transition { from, to: next, evidence: self.evidence() })
    }
}
