//! Pure: probe samples in, path quality and state out. No clock, no I/O, no log line.

use std::time::Duration;

use crate::{
    config::Sla,
    domain::{BootTime, PathState, ProbeOutcome},
};

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

/// Statistics over the sliding window; absent where there is too little to say.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Figures {
    /// Smallest RTT.
    pub rtt_min: Option<Duration>,
    /// Median RTT.
    pub rtt_median: Option<Duration>,
    /// 95th percentile of RTT.
    pub rtt_p95: Option<Duration>,
    /// Mean absolute IPDV of consecutive answers (RFC 3393).
    pub jitter: Option<Duration>,
    /// Lost probes, 0 to 1 (RFC 7680).
    pub loss: Option<f64>,
    /// Probes in the window.
    pub probes: usize,
    /// When the last probe was sent.
    pub last_sent: Option<BootTime>,
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

/// The running judgement of one path.
#[derive(Debug, Clone)]
pub struct PathQuality {}

impl PathQuality {
    /// A path of which nothing is known yet.
    pub fn new(_thresholds: Thresholds, _now: BootTime) -> Self {
        todo!()
    }

    /// Takes one probe result.
    pub fn observe(&mut self, _sent_at: BootTime, _outcome: ProbeOutcome, _now: BootTime) -> Option<Transition> {
        todo!()
    }

    /// Goes straight to `down` because the kernel says so (carrier, link, next hop, neighbour); the window is emptied.
    /// Comes back by `up_after` answers.
    pub fn short_cut_down(&mut self, _why: &str, _now: BootTime) -> Option<Transition> {
        todo!()
    }

    /// State, after hysteresis.
    pub fn state(&self) -> PathState {
        todo!()
    }

    /// Since when it is in this state.
    pub fn since(&self) -> BootTime {
        todo!()
    }

    /// Statistics of the window.
    pub fn figures(&self) -> Figures {
        todo!()
    }

    /// The figures behind the state, in words.
    pub fn evidence(&self) -> String {
        todo!()
    }
}
