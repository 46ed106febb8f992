//! Pure: probe samples in, path quality and state out. No clock, no I/O, no log line.
//!
//! [`PathQuality`] keeps a sliding window of one path's probes and a state machine over it:
//!
//! ```text
//!            up_after answers in a row            SLA violated
//!   unknown ──────────────────────────► up ◄────────────────────► degraded
//!      │                                 ▲   kept with a margin       │
//!      │ down_after losses in a row      │ up_after answers           │ down_after losses in a row,
//!      └──────────────► down ────────────┘ in a row                   │ or the kernel says so
//!                        ▲────────────────────────────────────────────┘
//! ```
//!
//! The window is emptied when a path goes down, and starts again with the answers that bring it back: an outage is
//! judged once, as an outage, and not a second time as loss.

mod figures;
mod path;
mod sla;
mod window;

#[cfg(test)]
mod tests;

use std::time::Duration;

pub use figures::Figures;
pub use path::PathQuality;

use crate::{config::Sla, domain::PathState};

/// Fewest probes from which a share of lost ones is stated or judged: one lost out of five is no 20 %.
pub const LOSS_EVIDENCE_PROBES: usize = 10;

/// Fewest lost probes that can violate an SLA: a single one is chance on any path.
pub const LOSS_EVIDENCE_LOST: usize = 2;

/// Fewest recent answers whose median is judged: the first answer of a path includes address resolution.
pub const RTT_EVIDENCE_ANSWERS: usize = 2;

/// Share of the RTT bound that a path must get under before it is no longer degraded, in percent.
pub const RTT_RECOVERY_PERCENT: u32 = 90;

/// When a path counts as what.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Thresholds {
    /// Probes in the sliding window.
    pub window: usize,
    /// Consecutive losses that make a path `down`.
    pub down_after: u32,
    /// Consecutive answers that make it `up` again.
    pub up_after: u32,
    /// What it must keep not to be `degraded`.
    pub sla: Sla,
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
