//! Whether a path keeps its service level: as many judgements in a row as are configured change it.

use super::{
    Thresholds,
    judged::Judged,
    probe::Moment,
    recovery::Count,
    violation::{Violation, Violations},
    window::Window,
};

/// Whether a path keeps its service level, each judgement made after a change of the window. Where no figure can be
/// judged, it stays what it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Judgement {
    violations: Violations,
    degraded: bool,
    /// Judgements in a row that speak against what it is.
    against: u32,
    due: bool,
    /// When it was last judged.
    at: Moment,
}

impl Judgement {
    /// The window has changed.
    pub fn is_due(&mut self) {
        self.due = true;
    }

    /// Judges the window if it has changed, as it is at the latest known moment. The first judgement of a path that was
    /// not alive is final at once.
    pub fn pass(&mut self, thresholds: &Thresholds, window: &Window, alive: bool, seen: Moment) {
        if alive && !std::mem::take(&mut self.due) {
            return;
        }
        self.due = false;
        self.at = seen;
        let judged = Judged::of(window, &thresholds.sla, seen);
        let Some(violations) = self.violations.judged(&thresholds.sla, &judged) else { return };
        self.violations = violations;
        if violations.any() == self.degraded {
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

    /// What keeps it from its service level, with the figures of the last judgement.
    pub fn violated(self, thresholds: &Thresholds, window: &Window) -> Vec<Violation> {
        if !self.degraded {
            return Vec::new();
        }
        self.violations.told(&thresholds.sla, &Judged::of(window, &thresholds.sla, self.at))
    }

    /// Judgements in a row that found it to keep its service level again, and how many must; absent when it does.
    pub fn restored(self, thresholds: &Thresholds) -> Option<Count> {
        self.degraded.then_some(Count { so_far: self.against, needed: thresholds.restored_after.max(1) })
    }

    /// What is violated, or how far it is restored; absent when it keeps its service level.
    pub fn in_words(self, thresholds: &Thresholds, window: &Window) -> Option<String> {
        let restored = self.restored(thresholds)?;
        if !self.violations.any() {
            return Some(format!("within its SLA again, {restored} judgements"));
        }
        let violated: Vec<String> = self.violated(thresholds, window).iter().map(Violation::in_words).collect();
        Some(violated.join(", "))
    }
}
