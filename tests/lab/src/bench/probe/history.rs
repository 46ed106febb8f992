//! Memory that a path takes, its month of history included.

use std::{
    net::{Ipv4Addr, SocketAddr},
    time::Duration,
};

use peerward::{
    config::{Probe, Sla},
    domain::{BootTime, ProbeFailure, ProbeOutcome, Target},
    quality::{Observation, PathQuality, Thresholds},
};

use super::{
    super::report::{Report, Row},
    extent::Extent,
};

/// Targets of each path.
const TARGETS: u8 = 4;

/// Between two probes.
const PACE: Duration = Duration::from_secs(1);

/// A path's life.
#[derive(Debug, Clone, Copy)]
enum Life {
    /// 10 ms and a little more, an outlier now and then, hardly any loss.
    Usual,
    /// Every time from 1 ms to 1 s alike, a fifth lost: more buckets than there are.
    Wild,
}

/// Lives through a month and weighs what is left of it.
pub(super) fn run(extent: &Extent, report: &mut Report) {
    let days = extent.days;
    report.part("history", &format!("Memory of one path after {days} days at a probe a second, {TARGETS} targets"));
    let new = path().memory_bytes();
    let mut most = 0;
    for (life, subject) in [(Life::Usual, "a usual path"), (Life::Wild, "times from 1 ms to 1 s, 20 % lost")] {
        let bytes = life.lived(days);
        most = most.max(bytes);
        report.row(&Row {
            subject: subject.to_owned(),
            took: None,
            repetitions: 1,
            rss_mib: None,
            note: format!("{bytes} bytes; {new} before its first probe"),
        });
    }
    report.figure("bytes_per_path", most as f64);
}

fn path() -> PathQuality {
    let thresholds = Thresholds::of_probe(&Probe::default(), Sla { loss: None, ..Sla::default() });
    let target = |host| Target::tcp(SocketAddr::from((Ipv4Addr::new(13, 107, 6, host), 443)));
    PathQuality::new(thresholds, (0..TARGETS).map(target).collect::<Vec<_>>(), BootTime(Duration::ZERO))
}

impl Life {
    fn lived(self, days: u32) -> usize {
        let mut path = path();
        let mut random = fastrand::Rng::with_seed(30);
        for second in 0..days * 86_400 {
            let sent_at = BootTime(PACE * second);
            let target = usize::from(random.u8(0..TARGETS));
            let outcome = self.outcome(&mut random);
            path.observe(Observation { sent_at, target, outcome, service_time: None }, sent_at);
        }
        path.memory_bytes()
    }

    fn outcome(self, random: &mut fastrand::Rng) -> ProbeOutcome {
        let (loss, rtt_ms) = match self {
            Self::Usual if random.f64() < 0.01 => (0.002, 10.0 + 60.0 * random.f64()),
            Self::Usual => (0.002, 10.0 + random.f64()),
            Self::Wild => (0.2, 1000_f64.powf(random.f64())),
        };
        if random.f64() < loss {
            return ProbeOutcome::Failed(ProbeFailure::Timeout);
        }
        ProbeOutcome::Answered(Duration::from_secs_f64(rtt_ms / 1e3))
    }
}
