//! The part of a window that a service level is judged by, its figures, and how much must be known for each of them.
//!
//! | figure | judged by | evidence |
//! |---|---|---|
//! | RTT, median, no `window` | newest half of the window of the path | 2 answers |
//! | RTT, otherwise | all of the part | 2 answers for the median, 10 for a higher percentile |
//! | jitter | all of the part | 5 pairs of answers |
//! | loss | all of the part | 10 probes |
//!
//! The part is what was sent within [`Sla::window`] before the latest known moment, or the whole window without it.

use std::time::Duration;

use crate::config::{Percentile, Sla};

use super::{
    JITTER_EVIDENCE_PAIRS, LOSS_EVIDENCE_PROBES, PERCENTILE_EVIDENCE_ANSWERS, RTT_EVIDENCE_ANSWERS,
    jitter::Variation,
    loss::Share,
    probe::{Moment, Probe, nanoseconds},
    window::Window,
};

/// What an SLA is judged by. Each figure is asked for with `lasting`: whether it is in violation already. Such a one is
/// judged by older probes as well where too few are young enough, or it would last as long as they are few.
#[derive(Debug, Clone, Copy)]
pub(super) struct Judged<'a> {
    window: &'a Window,
    percentile: Percentile,
    /// Probes sent before are too old.
    since: Moment,
    /// Newest probes that the RTT is taken from.
    reach: usize,
}

impl<'a> Judged<'a> {
    /// The part of a window that this SLA is for, at the latest known moment.
    pub fn of(window: &'a Window, sla: &Sla, seen: Moment) -> Self {
        let since = sla.window.map_or(0, |age| seen.saturating_sub(nanoseconds(age)));
        // A change of level shows in the newest half before the median of the whole window tells of it.
        let by_half = sla.window.is_none() && sla.percentile.is_median();
        let reach = if by_half { window.capacity().div_ceil(2).max(5) } else { usize::MAX };
        Self { window, percentile: sla.percentile, since, reach }
    }

    /// RTT at the percentile, by nearest rank, but never the largest: that is a single answer, and chance. So the 95th
    /// percentile of up to 39 answers, and the 99th of up to 199, is the second largest.
    pub fn rtt(&self, lasting: bool) -> Option<Duration> {
        let needed = self.answers_needed();
        if self.is_whole() {
            let sorted = self.window.rtts();
            let place = self.place(sorted.len());
            return sorted.get(place).filter(|_| sorted.len() >= needed).copied().map(Duration::from_nanos);
        }
        let mut rtts: Vec<u64> = Vec::with_capacity(self.window.len().min(self.reach));
        for (place, probe) in self.newest().enumerate() {
            let fits = place < self.reach && self.is_young(probe);
            if !(fits || lasting && rtts.len() < needed) {
                break;
            }
            rtts.extend(probe.rtt_nanoseconds());
        }
        if rtts.len() < needed {
            return None;
        }
        let place = self.place(rtts.len());
        Some(Duration::from_nanos(*rtts.select_nth_unstable(place).1))
    }

    /// Mean absolute variation of delay (RFC 3393).
    pub fn jitter(&self, lasting: bool) -> Option<Duration> {
        let half = u32::try_from(self.window.capacity() / 2).unwrap_or(u32::MAX);
        let needed = JITTER_EVIDENCE_PAIRS.min(half).max(1);
        let mut variation = Variation::default();
        for probe in self.newest() {
            if !(self.is_young(probe) || lasting && variation.pairs() < needed) {
                break;
            }
            variation.add(usize::from(probe.target), probe.rtt());
        }
        variation.mean().filter(|_| variation.pairs() >= needed)
    }

    /// Lost probes, without those that may be a single target's.
    pub fn loss(&self, lasting: bool) -> Option<Share> {
        let needed = LOSS_EVIDENCE_PROBES.min(self.window.capacity());
        let mut share = Share::default();
        for probe in self.newest() {
            if !(self.is_young(probe) || lasting && share.of < needed) {
                break;
            }
            share.of += usize::from(!probe.doubted);
            share.lost += usize::from(probe.is_lost() && !probe.doubted);
        }
        (share.of >= needed).then_some(share)
    }

    fn newest(&self) -> impl Iterator<Item = &'a Probe> + use<'a> {
        self.window.iter().rev()
    }

    fn is_young(&self, probe: &Probe) -> bool {
        probe.sent >= self.since
    }

    fn is_whole(&self) -> bool {
        self.window.len() <= self.reach && self.window.iter().next().is_none_or(|oldest| self.is_young(oldest))
    }

    /// Half of what a small window holds is enough, or a lost probe would leave too little.
    fn answers_needed(&self) -> usize {
        let most = self.window.capacity().div_ceil(2).max(RTT_EVIDENCE_ANSWERS);
        if self.percentile.is_median() { RTT_EVIDENCE_ANSWERS } else { PERCENTILE_EVIDENCE_ANSWERS.min(most) }
    }

    /// Where the percentile stands among so many answers, counted from 0.
    fn place(&self, answers: usize) -> usize {
        let rank = (answers * usize::from(self.percentile.0)).div_ceil(100);
        rank.min(answers.saturating_sub(1)).max(1) - 1
    }
}
