//! Damping of paths that flap, after RFC 2439: each fall adds to a penalty that decays exponentially.
//!
//! A path whose penalty exceeds [`SUPPRESS`] is damped until it has decayed to [`REUSE`]. The penalty is bounded so that
//! this takes four half-lives at most. With falls in quick succession, the fourth one damps a path, for a little more
//! than two half-lives.

use std::time::Duration;

use crate::domain::BootTime;

/// What a fall adds.
const FALL: f64 = 1_000.0;

/// Penalty above which a path is damped.
const SUPPRESS: f64 = 3_000.0;

/// Penalty at which it no longer is.
const REUSE: f64 = 750.0;

/// Half-lives that damping lasts at most.
const LONGEST: i32 = 4;

/// The penalty of one path.
#[derive(Debug, Clone, Copy)]
pub(super) struct Damping {
    half_life: Option<Duration>,
    /// As it was at `at`.
    penalty: f64,
    at: BootTime,
    /// Falls of which something is left in the penalty.
    falls: u32,
    first_fall: BootTime,
    until: Option<BootTime>,
}

impl Damping {
    /// No penalty; never one without a half-life.
    pub fn new(half_life: Option<Duration>) -> Self {
        let start = BootTime::default();
        let half_life = half_life.filter(|span| !span.is_zero());
        Self { half_life, penalty: 0.0, at: start, falls: 0, first_fall: start, until: None }
    }

    /// Counts a fall.
    pub fn fall(&mut self, now: BootTime) {
        let Some(half_life) = self.half_life else { return };
        let left = self.penalty_at(now);
        if left < REUSE / 2.0 {
            (self.falls, self.first_fall) = (0, now);
        }
        self.falls = self.falls.saturating_add(1);
        self.penalty = (left + FALL).min(REUSE * f64::from(LONGEST).exp2());
        self.at = now;
        if self.penalty > SUPPRESS || self.until(now).is_some() {
            self.until = Some(now + half_life.mul_f64((self.penalty / REUSE).log2().max(0.0)));
        }
    }

    /// Until when the path is damped, if it is.
    pub fn until(&self, now: BootTime) -> Option<BootTime> {
        self.until.filter(|until| *until > now)
    }

    /// `flapped 4 times in 3 min; damped for another 11 min`, if it is damped.
    pub fn in_words(&self, now: BootTime) -> Option<String> {
        let left = self.until(now)?.since(now);
        let span = self.at.since(self.first_fall);
        Some(format!("flapped {} times in {}; damped for another {}", self.falls, rounded(span), rounded(left)))
    }

    fn penalty_at(&self, now: BootTime) -> f64 {
        let Some(half_life) = self.half_life else { return 0.0 };
        self.penalty * (-now.since(self.at).as_secs_f64() / half_life.as_secs_f64()).exp2()
    }
}

/// A span as people say it, rounded up.
pub(super) fn rounded(span: Duration) -> String {
    let seconds = span.as_secs() + u64::from(span.subsec_nanos() > 0);
    if seconds < 120 { format!("{seconds} s") } else { format!("{} min", seconds.div_ceil(60)) }
}

#[cfg(test)]
mod tests;
