//! A path with known delay, jitter and loss.

use std::{fmt, time::Duration};

use crate::{Fabric, PathProfile};

/// What a path does to packets: delay half there and half back, loss on the way there, jitter on the way back.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Condition {
    /// Both ways together, without jitter.
    pub(super) rtt: Duration,
    /// Further delay, uniform between nothing and this.
    pub(super) jitter: Duration,
    /// Share of packets that is lost.
    pub(super) loss: f64,
}

impl Condition {
    /// A path without jitter and loss.
    pub(super) fn calm(rtt: Duration) -> Self {
        Self { rtt, jitter: Duration::ZERO, loss: 0.0 }
    }

    /// 1, 10, 50 and 150 ms, with jitter 0 and 5 ms, and loss 0, 1 and 5 %.
    pub(super) fn all() -> Vec<Self> {
        let ms = Duration::from_millis;
        let jitters = || [0, 5].map(ms).into_iter();
        let losses = |rtt, jitter| [0.0, 0.01, 0.05].map(|loss| Self { rtt, jitter, loss });
        let paths = [1, 10, 50, 150].map(ms).into_iter().flat_map(|rtt| jitters().map(move |jitter| (rtt, jitter)));
        paths.flat_map(|(rtt, jitter)| losses(rtt, jitter)).collect()
    }

    /// A calm one and one that is not.
    pub(super) fn some() -> Vec<Self> {
        let ms = Duration::from_millis;
        vec![Self::calm(ms(10)), Self { rtt: ms(20), jitter: ms(5), loss: 0.05 }]
    }

    /// Median of the round-trip times of such a path.
    pub(super) fn median(&self) -> Duration {
        self.rtt + self.jitter / 2
    }

    /// Makes the path of the first ISP like this.
    pub(super) fn apply(&self, fabric: &Fabric) {
        let base = PathProfile::round_trip(self.rtt);
        fabric.isp(0).set_towards_edge(base.loss(self.loss));
        fabric.isp(0).set_from_edge(base.jitter(self.jitter));
    }
}

impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { rtt, jitter, loss } = self;
        write!(f, "{} ms, jitter {} ms, loss {} %", rtt.as_millis(), jitter.as_millis(), loss * 100.0)
    }
}
