//! Statistics of a window.

use std::time::Duration;

use crate::domain::BootTime;

use super::{
    loss::wilson_bounds,
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
    /// Median RTT of the newest half of the window: what an SLA is judged by.
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
        let loss = window.loss();
        Self {
            rtt_min: window.nearest_rank(0),
            rtt_median: window.nearest_rank(50),
            rtt_recent: window.recent_median(),
            rtt_p95: window.nearest_rank(95),
            rtt_p99: window.nearest_rank(99),
            jitter: jitter(window),
            jitter_smoothed: None,
            loss,
            loss_bounds: loss.and_then(|_| wilson_bounds(window.lost() as u64, window.judged() as u64)),
            service_median: median(window.iter().filter_map(Probe::service_time).collect()),
            probes: window.len(),
            last_sent: None,
        }
    }
}

/// Delay variation is defined between two packets of one pair of hosts that both arrived (RFC 3393 section 4.2): another
/// target makes no pair, and a lost probe breaks the pair on either side of it.
fn jitter(window: &Window) -> Option<Duration> {
    let mut sum = Duration::ZERO;
    let mut pairs = 0_u32;
    // Few, so that looking through them is cheaper than an index.
    let mut previous: Vec<(u16, Option<Duration>)> = Vec::new();
    for probe in window.iter() {
        let rtt = probe.rtt();
        match previous.iter_mut().find(|(target, _)| *target == probe.target) {
            Some((_, before)) => {
                if let (Some(before), Some(after)) = (*before, rtt) {
                    sum += before.abs_diff(after);
                    pairs += 1;
                }
                *before = rtt;
            }
            None => previous.push((probe.target, rtt)),
        }
    }
    sum.checked_div(pairs)
}
