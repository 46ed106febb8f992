//! Which flows are looked at when there are too many: one in 2^k, by bits of the client's port, so that a SYN and its
//! answer agree without anybody remembering anything, and the kernel can choose.

use std::time::Duration;

use crate::domain::BootTime;

/// Coarsest: one flow in 4,096.
const MOST_HALVINGS: u8 = 12;

/// The budget is for so long.
const TURN: Duration = Duration::from_secs(1);

/// So many calm turns in a row before more flows are looked at again.
const CALM_TURNS: u8 = 10;

/// One flow in 2^k.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Share {
    halvings: u8,
    phase: u16,
}

impl Share {
    /// All flows; `phase` chooses which of them stay when there are too many.
    pub fn all(phase: u16) -> Self {
        Self { halvings: 0, phase }
    }

    /// Bits of the port that are looked at. Not the lowest: Linux gives nearly all its ports the same one.
    pub fn mask(self) -> u16 {
        ((1 << self.halvings) - 1) << 1
    }

    /// What they must be.
    pub fn wanted(self) -> u16 {
        self.phase & self.mask()
    }

    /// Whether the flow with this port of the client is looked at.
    pub fn contains(self, port: u16) -> bool {
        port & self.mask() == self.wanted()
    }

    /// One flow in how many.
    pub fn one_in(self) -> u32 {
        1 << self.halvings
    }
}

/// Keeps what is looked at within a budget. What it chooses with k + 1 is part of what it chooses with k.
#[derive(Debug)]
pub struct Thinning {
    share: Share,
    /// Connections a second that may be looked at.
    budget: u32,
    began: BootTime,
    seen: u32,
    calm: u8,
}

impl Thinning {
    /// Begins with all flows.
    pub fn new(budget: u32, phase: u16, now: BootTime) -> Self {
        Self { share: Share::all(phase), budget: budget.max(1), began: now, seen: 0, calm: 0 }
    }

    /// Flows that are looked at.
    pub fn share(&self) -> Share {
        self.share
    }

    /// Takes note of connections that were looked at, and whether the kernel had to drop some. True when the share is
    /// another one now.
    pub fn saw(&mut self, connections: u32, dropped: bool, now: BootTime) -> bool {
        let before = self.share;
        self.seen = self.seen.saturating_add(connections);
        if dropped || self.seen > self.budget {
            let wanted = (self.seen / self.budget).checked_ilog2().unwrap_or_default() + 1;
            let halvings = u32::from(self.share.halvings) + wanted;
            self.share.halvings = u8::try_from(halvings).unwrap_or(MOST_HALVINGS).min(MOST_HALVINGS);
            self.calm = 0;
            self.turn(now);
        } else if now.at_least_after(self.began, TURN) {
            // Twice as many must leave room, or it would go to and fro.
            self.calm = if self.seen <= self.budget / 3 { self.calm + 1 } else { 0 };
            if self.calm >= CALM_TURNS {
                self.calm = 0;
                self.share.halvings = self.share.halvings.saturating_sub(1);
            }
            self.turn(now);
        }
        self.share != before
    }

    fn turn(&mut self, now: BootTime) {
        self.began = now;
        self.seen = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> BootTime {
        BootTime(Duration::from_secs(seconds))
    }

    #[test]
    fn all_flows_are_looked_at_while_there_are_few() {
        let mut thinning = Thinning::new(100, 0xbeef, at(0));
        for second in 1..60 {
            assert!(!thinning.saw(100, false, at(second)));
        }
        assert_eq!(thinning.share().one_in(), 1);
        assert!((0..=u16::MAX).all(|port| thinning.share().contains(port)));
    }

    #[test]
    fn too_many_are_halved_at_once_and_restored_when_it_is_calm() {
        let mut thinning = Thinning::new(100, 0xbeef, at(0));
        assert!(thinning.saw(1000, false, at(0)));
        assert_eq!(thinning.share().one_in(), 16);
        let calm: Vec<_> = (1..=40).filter(|second| thinning.saw(33, false, at(*second))).collect();
        assert_eq!(calm, [10, 20, 30, 40]);
        assert_eq!(thinning.share().one_in(), 1);
    }

    #[test]
    fn what_the_kernel_dropped_is_a_reason_too_but_there_is_an_end() {
        let mut thinning = Thinning::new(100, 0, at(0));
        for _ in 0..100 {
            thinning.saw(0, true, at(0));
        }
        assert_eq!(thinning.share().one_in(), 4096);
    }

    #[test]
    fn every_share_is_as_large_as_it_says_and_inside_the_one_before() {
        let mut wider = Share::all(0xbeef);
        for halvings in 0..=MOST_HALVINGS {
            let share = Share { halvings, phase: 0xbeef };
            let ports: Vec<u16> = (0..=u16::MAX).filter(|port| share.contains(*port)).collect();
            assert_eq!(ports.len(), 65_536 >> halvings);
            assert_eq!(share.one_in(), 1 << halvings);
            assert!(ports.iter().all(|port| wider.contains(*port)));
            // Even ports alone are thinned alike.
            assert_eq!(ports.iter().filter(|port| *port % 2 == 0).count() * 2, ports.len());
            wider = share;
        }
    }
}
