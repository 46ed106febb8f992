//! Whether a path keeps its service level, with hysteresis on the way back.

use std::time::Duration;

use crate::config::Sla;

use super::{LOSS_EVIDENCE_LOST, RTT_RECOVERY_PERCENT, Thresholds, milliseconds, window::Window};

/// Whether a path keeps its service level: as many judgements in a row as are configured change it, each made after a
/// change of the window.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Judgement {
    violations: Violations,
    degraded: bool,
    /// Judgements in a row that speak against what it is.
    against: u32,
    due: bool,
}

impl Judgement {
    /// The window has changed.
    pub fn is_due(&mut self) {
        self.due = true;
    }

    /// Judges the window if it has changed. The first judgement of a path that was not alive is final at once.
    pub fn pass(&mut self, thresholds: &Thresholds, window: &Window, alive: bool) {
        if alive && !std::mem::take(&mut self.due) {
            return;
        }
        self.due = false;
        self.violations = self.violations.judged(&thresholds.sla, window);
        if self.violations.any() == self.degraded {
            self.against = 0;
            return;
        }
        self.against = self.against.saturating_add(1);
        let needed = if self.degraded { thresholds.restored_after } else { thresholds.degraded_after };
        if !alive || self.against >= needed {
            self.degraded = !self.degraded;
            self.against = 0;
        }
    }

    /// Whether it does not keep its service level.
    pub fn is_degraded(self) -> bool {
        self.degraded
    }

    /// What is violated, or how far it is restored; absent when it keeps its service level.
    pub fn in_words(self, thresholds: &Thresholds, window: &Window) -> Option<String> {
        if !self.degraded {
            return None;
        }
        if self.violations.any() {
            return Some(self.violations.in_words(&thresholds.sla, window));
        }
        Some(format!("within its SLA again, {} of {} judgements", self.against, thresholds.restored_after))
    }
}

/// The figures that are in violation. A violation begins when the figure is beyond its bound, with the evidence that
/// the constants of this room ask for, and ends when the figure is better than the bound: RTT by 10 % of it, loss by
/// any margin (or no probe of the window lost).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Violations {
    rtt: bool,
    loss: bool,
}

impl Violations {
    /// Whether anything is violated.
    fn any(self) -> bool {
        self.rtt || self.loss
    }

    /// The judgement after a change of the window; what cannot be judged stays as it was.
    fn judged(self, sla: &Sla, window: &Window) -> Self {
        Self {
            rtt: sla.rtt.is_some_and(|bound| rtt_violated(self.rtt, bound, window)),
            loss: sla.loss.is_some_and(|bound| loss_violated(self.loss, bound, window)),
        }
    }

    /// The figures with their bounds, violated ones only: `RTT 62.3 ms > 40 ms, loss 5.0 % > 2 %`.
    fn in_words(self, sla: &Sla, window: &Window) -> String {
        let rtt = sla.rtt.filter(|_| self.rtt).map(|bound| rtt_in_words(bound, window));
        let loss = sla.loss.filter(|_| self.loss).map(|bound| loss_in_words(bound, window));
        let parts: Vec<String> = [rtt, loss].into_iter().flatten().collect();
        parts.join(", ")
    }
}

fn recovery_bound(bound: Duration) -> Duration {
    bound * RTT_RECOVERY_PERCENT / 100
}

fn rtt_violated(before: bool, bound: Duration, window: &Window) -> bool {
    match window.recent_median() {
        None => before,
        Some(median) if before => median > recovery_bound(bound),
        Some(median) => median > bound,
    }
}

fn loss_violated(before: bool, bound: f64, window: &Window) -> bool {
    match window.loss() {
        None => before,
        Some(loss) if before => window.lost() > 0 && loss >= bound,
        Some(loss) => window.lost() >= LOSS_EVIDENCE_LOST && loss > bound,
    }
}

fn rtt_in_words(bound: Duration, window: &Window) -> String {
    let Some(median) = window.recent_median() else {
        return "RTT was beyond its bound, too few answers since".to_owned();
    };
    let measured = milliseconds(median);
    if median > bound {
        return format!("RTT {measured} > {}", short(bound.as_secs_f64() * 1_000.0, "ms"));
    }
    format!("RTT {measured}, not yet under {}", short(recovery_bound(bound).as_secs_f64() * 1_000.0, "ms"))
}

fn loss_in_words(bound: f64, window: &Window) -> String {
    let Some(loss) = window.loss() else {
        return "loss was beyond its bound, too few probes since".to_owned();
    };
    let relation = if loss > bound { ">" } else { "not yet under" };
    format!("loss {:.1} % {relation} {}", loss * 100.0, short(bound * 100.0, "%"))
}

/// Whole numbers without decimals, as people write bounds.
fn short(value: f64, unit: &str) -> String {
    if (value - value.round()).abs() < 0.05 { format!("{value:.0} {unit}") } else { format!("{value:.1} {unit}") }
}
