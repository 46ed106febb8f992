//! Statistics of a window.

use std::time::Duration;

use crate::{config::Sla, domain::BootTime};

use super::{
    jitter::Variation,
    judged::Judged,
    loss::{Share, wilson_bounds},
    probe::Probe,
    window::{Window, median},
};

/// Statistics over the sliding window; absent where there is too little to say. Percentiles are exact (nearest rank).
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Figures {
    /// Smallest RTT.
    pub rtt_min: Option<Duration>,
    /// Median RTT.
    pub rtt_median: Option<Duration>,
    /// Median RTT of the newest half of the window: what an SLA is judged by that asks for no other percentile or window.
    pub rtt_recent: Option<Duration>,
    /// 95th percentile of RTT.
    pub rtt_p95: Option<Duration>,
    /// 99th percentile of RTT.
    pub rtt_p99: Option<Duration>,
    /// Mean absolute IPDV of consecutive answers of the same target (RFC 3393), in the order of sending.
    pub jitter: Option<Duration>,
    /// The same, smoothed exponentially over all that was measured since the path last came up (RFC 3550 section 6.4.1).
    pub jitter_smoothed: Option<Duration>,
    /// Lost probes, 0 to 1 (RFC 7680); absent below [`super::LOSS_EVIDENCE_PROBES`]. Losses that may turn out to be a
    /// single target's are left out until it is known.
    pub loss: Option<f64>,
    /// Bounds between which the loss of the path lies with 95 % confidence, if losses are independent of one another.
    pub loss_bounds: Option<(f64, f64)>,
    /// Median time to the end of a TLS handshake or the first byte of an HTTP answer.
    pub service_median: Option<Duration>,
    /// Probes in the window.
    pub probes: usize,
    /// When the last probe was sent.
    pub last_sent: Option<BootTime>,
}

impl Figures {
    /// Those of a window, without what is kept outside of it.
    pub(super) fn of(window: &Window) -> Self {
        let judged = Judged::of(window, &Sla::default(), 0);
        let share = judged.loss(false);
        Self {
            rtt_min: window.nearest_rank(0),
            rtt_median: window.nearest_rank(50),
            rtt_recent: judged.rtt(false),
            rtt_p95: window.nearest_rank(95),
            rtt_p99: window.nearest_rank(99),
            jitter: Variation::of(window.iter()).mean(),
            jitter_smoothed: None,
            loss: share.map(Share::value),
            loss_bounds: share.and_then(|share| wilson_bounds(share.lost as u64, share.of as u64)),
            service_median: median(window.iter().filter_map(Probe::service_time).collect()),
            probes: window.len(),
            last_sent: None,
        }
    }
}
