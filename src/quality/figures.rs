//! Statistics of a window.

use std::time::Duration;

use crate::domain::BootTime;

use super::window::{Probe, Window};

/// Statistics over the sliding window; absent where there is too little to say.
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
    /// Mean absolute IPDV of consecutive answers (RFC 3393), in the order of sending.
    pub jitter: Option<Duration>,
    /// Lost probes, 0 to 1 (RFC 7680); absent below [`super::LOSS_EVIDENCE_PROBES`].
    pub loss: Option<f64>,
    /// Probes in the window.
    pub probes: usize,
    /// When the last probe was sent.
    pub last_sent: Option<BootTime>,
}

impl Figures {
    pub(super) fn of(window: &Window, last_sent: Option<BootTime>) -> Self {
        let rtts: Vec<Duration> = window.iter().filter_map(Probe::rtt).collect();
        Self {
            rtt_min: rtts.iter().min().copied(),
            rtt_median: nearest_rank(rtts.clone(), 50),
            rtt_recent: window.recent_median(),
            rtt_p95: nearest_rank(rtts, 95),
            jitter: jitter(window),
            loss: window.loss(),
            probes: window.len(),
            last_sent,
        }
    }
}

/// The smallest value that at least `percent` of all values do not exceed.
pub(super) fn nearest_rank(mut values: Vec<Duration>, percent: usize) -> Option<Duration> {
    let rank = (values.len() * percent).div_ceil(100).max(1);
    values.sort_unstable();
    values.get(rank - 1).copied()
}

/// Delay variation is defined between two packets that both arrived (RFC 3393 section 4.2): a lost probe breaks the
/// pair on either side of it.
fn jitter(window: &Window) -> Option<Duration> {
    let mut sum = Duration::ZERO;
    let mut pairs = 0_u32;
    let mut previous: Option<Duration> = None;
    for probe in window.iter() {
        let rtt = probe.rtt();
        if let (Some(before), Some(after)) = (previous, rtt) {
            sum += before.abs_diff(after);
            pairs += 1;
        }
        previous = rtt;
    }
    sum.checked_div(pairs)
}
