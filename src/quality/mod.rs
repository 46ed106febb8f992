//! Pure: probe samples in, path quality and state out. No clock, no I/O, no log line.
//!
//! [`PathQuality`] keeps a sliding window of one path's probes, what became of each of its targets, a month of history
//! in packed roll-ups, and a state machine over them:
//!
//! ```text
//!            up_after answers in a row            SLA violated, or damped
//!   unknown ──────────────────────────► up ◄────────────────────────────► degraded
//!      │                                 ▲   kept with a margin               │
//!      │ down_after losses in a row      │ up_after answers in a row,         │ down_after losses in a row,
//!      │                                 │ hold_down over                     │ denied, no quorum, or the
//!      └──────────────► down ────────────┘ (to degraded while damped)         │ kernel says so
//!                        ▲────────────────────────────────────────────────────┘
//! ```
//!
//! * **Losses.** A probe that is overdue is lost until its last word takes its place; a late answer is counted once, as an
//!   answer. A name without an address is no loss. The window is emptied when a path goes down, but for probes that may
//!   still be answered late, and starts again with the answers that bring it back: an outage is judged once, as an
//!   outage, and not a second time as loss.
//! * **Targets.** A target that is silent while the others answer is left out, with its losses; while it is not certain
//!   yet, they are not judged. The path goes down when fewer than `quorum` targets (all, when it has fewer) are neither
//!   silent nor without an address, and does not come up before as many answered since it went down.
//! * **Identity.** Where targets prove who they are, the path comes up only when one of them did since it went down, or
//!   when each of them was tried `down_after` times since and could not be reached at all. It goes down when each of them
//!   that answers at all is answered by something else, `down_after` times in a row; after that, only proof brings it
//!   back.
//! * **Degraded.** `degraded_after` judgements in a row that find the SLA violated, and `restored_after` that find it
//!   kept; the first one after coming up is final. RTT is judged at a percentile, jitter as the mean variation, loss as a
//!   share, all by the probes within the window of the SLA; where too few are, the path stays what it was.
//!   [`PathQuality::recovery`] says as data what is still missing.
//! * **Hold-down.** A path stays down for `hold_down` at least. Answers meanwhile are counted, so that it may come up
//!   when [`PathQuality::review`] is called at [`PathQuality::wakes_at`], without a probe.
//! * **Damping.** Each fall from up or degraded, the kernel's word included, adds to a penalty that decays
//!   exponentially (RFC 2439). A path that fell too often is at best degraded for a while: others are preferred to it,
//!   and it still serves when there are none.
//!
//! [`UplinkWatch`] sees what all paths of an uplink have in common: a black hole before each path knows of it, and a
//! portal that paths without proof of identity cannot know of.
//!
//! **Memory.** A new path takes 0.8 KiB, and 144 bytes more for each further target. With a window of 60 probes and three
//! targets it grows to some 7 KiB in a day and 8 KiB in a month, and never beyond 9.5 KiB, whatever is measured: 32 bytes
//! for each probe of the window and at most 5.6 KiB of history ([`PathQuality::memory_bytes`] counts them).

mod damping;
mod evidence;
mod figures;
mod history;
mod identity;
mod jitter;
mod judged;
mod loss;
mod machine;
mod path;
mod probe;
mod recovery;
mod sketch;
mod sla;
mod targets;
mod uplink;
mod violation;
mod window;

#[cfg(test)]
mod tests;

use std::time::Duration;

pub use figures::Figures;
pub use history::{HistoryFigures, STEP, TREND_STEPS, TrendStep};
pub(crate) use jitter::Variation;
pub use loss::wilson_bounds;
pub use path::PathQuality;
pub use recovery::{Count, Recovery};
pub use sketch::Sketch;
pub use targets::TargetFigures;
pub use uplink::{Blackout, Sighting, UplinkWatch};
pub use violation::{Excess, Violation};
pub(crate) use window::nearest_rank;

use crate::{
    config::{Config, Probe, Sla},
    domain::{BootTime, PathState, ProbeOutcome},
};

/// Fewest probes from which a share of lost ones is stated or judged: one lost out of five is no 20 %.
pub const LOSS_EVIDENCE_PROBES: usize = 10;

/// Fewest lost probes that can violate an SLA: a single one is chance on any path.
pub const LOSS_EVIDENCE_LOST: usize = 2;

/// Fewest recent answers whose median is judged: the first answer of a path includes address resolution.
pub const RTT_EVIDENCE_ANSWERS: usize = 2;

/// Fewest answers of which a percentile above the median is judged. The largest RTT never is, so that at least two answers
/// violate an SLA: by chance, a path whose 95th percentile is at its bound shows that in 9 % of windows of ten.
pub const PERCENTILE_EVIDENCE_ANSWERS: usize = 10;

/// Fewest pairs of answers whose jitter is judged: a single odd answer spoils two.
pub const JITTER_EVIDENCE_PAIRS: u32 = 5;

/// Share of its bound that a path's RTT or jitter must get under before it is no longer degraded, in percent.
pub const RECOVERY_PERCENT: u32 = 90;

/// When a path counts as what.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Thresholds {
    /// Probes in the sliding window.
    pub window: usize,
    /// Consecutive losses that make a path `down`.
    pub down_after: u32,
    /// Consecutive answers that make it `up` again.
    pub up_after: u32,
    /// Probes in a row that violate the SLA before an `up` path is `degraded`.
    pub degraded_after: u32,
    /// Probes in a row that keep it before a `degraded` path is `up`.
    pub restored_after: u32,
    /// Least time that a path stays `down`.
    pub hold_down: Duration,
    /// Time in which the penalty for flapping halves; absent: flapping is not damped.
    pub flap_half_life: Option<Duration>,
    /// Targets that must answer for a path to be `up`; all when it has fewer.
    pub quorum: u32,
    /// What it must keep not to be `degraded`.
    pub sla: Sla,
}

impl Thresholds {
    /// Those of a configuration, with the SLA of `[policy]`.
    pub fn of(config: &Config) -> Self {
        Self::for_sla(config, config.policy.treatment.sla)
    }

    /// Those of a configuration, with the SLA of a rule.
    pub fn for_sla(config: &Config, sla: Sla) -> Self {
        Self::of_probe(&config.probe, sla)
    }

    /// Those of a `[probe]`, with an SLA.
    pub fn of_probe(probe: &Probe, sla: Sla) -> Self {
        Self {
            window: probe.window,
            down_after: probe.down_after,
            up_after: probe.up_after,
            degraded_after: probe.degraded_after,
            restored_after: probe.restored_after,
            hold_down: probe.hold_down,
            flap_half_life: probe.flap_half_life,
            quorum: probe.quorum,
            sla,
        }
    }
}

/// What became of one probe.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Observation {
    /// When it was sent.
    pub sent_at: BootTime,
    /// Position of its target in the path's list.
    pub target: usize,
    /// What came of it.
    pub outcome: ProbeOutcome,
    /// Until the TLS handshake was done or the first byte of an HTTP answer was there.
    pub service_time: Option<Duration>,
}

/// A change of state, with its evidence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transition {
    /// State before.
    pub from: PathState,
    /// State now.
    pub to: PathState,
    /// The figures behind it, in words.
    pub evidence: String,
}

/// A time in milliseconds, for people: `62.3 ms`.
pub(crate) fn milliseconds(span: Duration) -> String {
    format!("{:.1} ms", span.as_secs_f64() * 1_000.0)
}
