//! What a path still needs to be `up` again, as data for people and programs.

use std::{fmt, time::Duration};

use crate::domain::{BootTime, PathState};

use super::{PathQuality, Violation, damping::rounded};

/// What a path still needs to be `up` again.
#[derive(Debug, Clone, PartialEq)]
pub enum Recovery {
    /// It answers, but violates its SLA or is damped.
    Degraded {
        /// Figures that must get better; none when all are within their bounds again.
        violated: Vec<Violation>,
        /// Judgements in a row that found no violation; absent when it is only damped.
        judgements: Option<Count>,
        /// Time for which it is damped still, if it is.
        damped_for: Option<Duration>,
    },
    /// It is down. The SLA is judged when it comes up.
    Down {
        /// Answers in a row.
        answers: Count,
        /// Targets that answered since it went down.
        targets: Count,
        /// Whether a target has to prove its identity first.
        unproven: bool,
        /// Time for which it is held down still, whatever answers.
        held_for: Option<Duration>,
    },
}

/// How far something is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Count {
    /// What there is, and no more than is needed.
    pub so_far: u32,
    /// What there must be at least.
    pub needed: u32,
}

impl PathQuality {
    /// What it still needs to be `up` again; absent when it is, and for a path that never was.
    pub fn recovery(&self, now: BootTime) -> Option<Recovery> {
        match self.state {
            PathState::Up | PathState::Unknown => None,
            PathState::Degraded => Some(Recovery::Degraded {
                violated: self.judgement.violated(&self.thresholds, &self.window),
                judgements: self.judgement.restored(&self.thresholds),
                damped_for: self.damping.until(now).map(|until| until.since(now)),
            }),
            PathState::Down => {
                let held_for = (self.since + self.thresholds.hold_down).since(now);
                Some(Recovery::Down {
                    answers: Count::of(self.window.answers_in_a_row(), self.thresholds.up_after as usize),
                    targets: Count::of(self.targets.answering(self.alive_from), self.targets.quorum()),
                    unproven: if self.first_answer.is_some() { !self.is_vouched() } else { self.denied },
                    held_for: (!held_for.is_zero()).then_some(held_for),
                })
            }
        }
    }
}

impl Count {
    fn of(so_far: usize, needed: usize) -> Self {
        let number = |count| u32::try_from(count).unwrap_or(u32::MAX);
        Self { so_far: number(so_far.min(needed)), needed: number(needed) }
    }

    /// Whether there is enough.
    pub fn is_reached(self) -> bool {
        self.so_far >= self.needed
    }
}

impl fmt::Display for Count {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of {}", self.so_far, self.needed)
    }
}

impl fmt::Display for Recovery {
    /// `loss 2.4 %, must be under 2 %; 0 of 5 judgements in a row; damped for another 3 min`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts = self.parts();
        if parts.is_empty() {
            return f.write_str("nothing: it is up when it is looked at next");
        }
        f.write_str(&parts.join("; "))
    }
}

impl Recovery {
    fn parts(&self) -> Vec<String> {
        match self {
            Self::Degraded { violated, judgements, damped_for } => {
                let violated = violated.iter().map(ToString::to_string);
                let judgements = judgements.map(|count| format!("{count} judgements in a row"));
                let damped = damped_for.map(|left| format!("damped for another {}", rounded(left)));
                violated.chain(judgements).chain(damped).collect()
            }
            Self::Down { answers, targets, unproven, held_for } => {
                let answers = Some(format!("{answers} answers in a row"));
                // With one target the answers say it all.
                let targets = (targets.needed > 1).then(|| format!("{targets} targets answered"));
                let proof = unproven.then(|| "waits for proof of identity".to_owned());
                let held = held_for.map(|left| format!("held down for another {}", rounded(left)));
                [answers, targets, proof, held].into_iter().flatten().collect()
            }
        }
    }
}
