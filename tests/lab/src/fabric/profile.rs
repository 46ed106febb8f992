//! What one direction of a path does to packets.

use std::time::{Duration, Instant};

/// Bytes that wait at most in front of a rate limit, expressed as time: the buffer of a mediocre access router.
const LONGEST_QUEUE: Duration = Duration::from_millis(200);

/// What one direction of an ISP's path does to every packet. The default does nothing.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct PathProfile {
    /// One-way delay.
    pub delay: Duration,
    /// Additional delay, uniform between zero and this. Packets keep their order, as on a real line.
    pub jitter: Duration,
    /// Probability that a packet is lost, 0 to 1, independent of its neighbours.
    pub loss: f64,
    /// Everything is swallowed without a word, while the link looks healthy.
    pub blackhole: bool,
    /// Bits per second; unlimited when absent. A queue of 200 ms stands before it, the rest is dropped.
    pub rate: Option<u64>,
}

impl PathProfile {
    /// Half of a round trip in this direction.
    pub fn round_trip(rtt: Duration) -> Self {
        Self { delay: rtt / 2, ..Self::default() }
    }

    /// With that much loss, 0 to 1.
    #[must_use]
    pub fn loss(self, loss: f64) -> Self {
        Self { loss, ..self }
    }

    /// With that much jitter.
    #[must_use]
    pub fn jitter(self, jitter: Duration) -> Self {
        Self { jitter, ..self }
    }

    /// With a rate limit in bits per second.
    #[must_use]
    pub fn rate(self, bits_per_second: u64) -> Self {
        Self { rate: Some(bits_per_second), ..self }
    }

    /// Swallowing everything.
    #[must_use]
    pub fn blackhole(self) -> Self {
        Self { blackhole: true, ..self }
    }
}

/// State of one direction of one path.
#[derive(Debug, Default)]
pub(crate) struct Line {
    last_delivery: Option<Instant>,
    free_at: Option<Instant>,
}

impl Line {
    /// When a packet that enters now comes out; `None` when it is lost.
    pub(crate) fn deliver(
        &mut self,
        profile: &PathProfile,
        bytes: usize,
        now: Instant,
        random: &mut fastrand::Rng,
    ) -> Option<Instant> {
        if profile.blackhole || (profile.loss > 0.0 && random.f64() < profile.loss) {
            return None;
        }
        let sent = self.transmit(profile, bytes, now)?;
        let delivery = sent + profile.delay + profile.jitter.mul_f64(random.f64());
        let in_order = self.last_delivery.map_or(delivery, |last| delivery.max(last));
        self.last_delivery = Some(in_order);
        Some(in_order)
    }

    /// When the last bit of the packet is on the line; `None` when the queue before it is full.
    fn transmit(&mut self, profile: &PathProfile, bytes: usize, now: Instant) -> Option<Instant> {
        let Some(rate) = profile.rate else { return Some(now) };
        let start = self.free_at.map_or(now, |free| free.max(now));
        if start - now > LONGEST_QUEUE {
            return None;
        }
        let end = start + Duration::from_secs_f64(bytes as f64 * 8.0 / rate.max(1) as f64);
        self.free_at = Some(end);
        Some(end)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    #[test]
    fn loss_and_black_hole_swallow_what_they_should() {
        let (mut line, mut random, now) = (Line::default(), fastrand::Rng::with_seed(7), Instant::now());
        let lossy = PathProfile::default().loss(0.05);
        let lost = (0..10_000).filter(|_| line.deliver(&lossy, 100, now, &mut random).is_none()).count();
        assert!((400..600).contains(&lost), "{lost}");
        assert_eq!(line.deliver(&PathProfile::default().blackhole(), 100, now, &mut random), None);
        assert_eq!(line.deliver(&PathProfile::default(), 100, now, &mut random), Some(now));
    }

    #[test]
    fn jitter_never_reorders_packets() {
        let (mut line, mut random, start) = (Line::default(), fastrand::Rng::with_seed(7), Instant::now());
        let profile = PathProfile::round_trip(20 * MS).jitter(5 * MS);
        let out: Vec<_> =
            (0..1000).filter_map(|step| line.deliver(&profile, 100, start + step * MS / 10, &mut random)).collect();
        assert!(out.is_sorted());
        assert!(out[0] >= start + 10 * MS && out[999] <= start + 115 * MS);
    }

    #[test]
    fn a_rate_limit_spaces_packets_and_drops_what_would_wait_too_long() {
        let (mut line, mut random, now) = (Line::default(), fastrand::Rng::with_seed(7), Instant::now());
        let profile = PathProfile::default().rate(1_000_000);
        // 1250 bytes take 10 ms at 1 Mbit/s: 21 fit into a queue of 200 ms, the one on the line included.
        let out: Vec<_> = (0..30).filter_map(|_| line.deliver(&profile, 1250, now, &mut random)).collect();
        assert_eq!(out.len(), 21);
        assert_eq!(out[0], now + 10 * MS);
        assert_eq!(out[20], now + 210 * MS);
    }
}
