//! Pure: the rate that no configuration lifts.
//!
//! The targets are other people's machines, and there are many routers. Both bounds are kept by the generic cell rate
//! algorithm (ITU-T I.371): one moment a limit, no counters and no windows with edges, so that every stretch of time
//! obeys it, wherever it begins: in `T` seconds at most `20 T + 4` probes leave, and `T + 3` for one address by one
//! uplink.

use std::{collections::BTreeMap, net::IpAddr, time::Duration};

use crate::domain::{BootTime, UplinkId};

/// Twenty probes a second in all: some 20 kbit/s with the answers, and less than one percent of a small processor.
const ALL: Limit = Limit { gap: Duration::from_millis(50), burst: 4 };
/// Of these at most half may be spent on doubt, so that a failing uplink does not keep the others from being measured.
const DOUBT: Limit = Limit { gap: Duration::from_millis(100), burst: 4 };
/// One probe a second for an address by an uplink: what a person with `ping` asks of it. Three at once, so that a path
/// with a single target can be confirmed to be lost, or back, without waiting.
pub(super) const TARGET: Limit = Limit { gap: Duration::from_secs(1), burst: 3 };
/// Of these at most half, in the long run, may be spent on doubt: paths of several classes can share an address.
const DOUBT_OF_TARGET: Limit = Limit { gap: Duration::from_secs(2), burst: 3 };

/// Probes at their ordinary time may run this many gaps ahead of the limit for all: two at once.
const CALM_AHEAD: f64 = 1.0;
/// And this many of the limit for one address: enough for the jitter of their schedule. The rest of the burst is kept for
/// doubt.
const CALM_AHEAD_OF_TARGET: f64 = 0.5;

/// Shortest mean time between two probes of all paths while nothing is in doubt: nine tenths of what is allowed, so
/// that jitter does not make them queue.
pub(super) const CALM_GAP: Duration = Duration::from_micros(55_556);

/// Addresses remembered before those are forgotten whose bursts are whole again. At most `20 * 3 + 4` are not, and
/// `10 * 6 + 4` that were in doubt.
const MOST_REMEMBERED: usize = 128;

/// Why a probe is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Urgency {
    /// It is time.
    Calm,
    /// Something is in doubt.
    Doubt,
}

/// A rate and how far it may be run ahead of.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limit {
    /// Mean time between two.
    pub gap: Duration,
    /// Most at once.
    pub burst: u32,
}

impl Limit {
    fn tolerance(self) -> Duration {
        self.gap * (self.burst - 1)
    }
}

/// How much of one limit is used: when the next would come if all had come evenly.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Usage {
    next: BootTime,
}

impl Usage {
    /// When one more may come that runs ahead by `ahead` at most.
    fn opens(self, ahead: Duration) -> BootTime {
        BootTime(self.next.0.saturating_sub(ahead))
    }

    /// Takes one.
    pub fn add(&mut self, gap: Duration, now: BootTime) {
        self.next = self.next.max(now) + gap;
    }

    /// Whether `limit` allows one more now.
    pub fn allows(self, limit: Limit, now: BootTime) -> bool {
        self.opens(limit.tolerance()) <= now
    }
}

/// How much is used of what is allowed, and of what of it may be spent on doubt.
#[derive(Debug, Clone, Copy, Default)]
struct Spent {
    all: Usage,
    doubt: Usage,
}

impl Spent {
    /// When one more of this urgency may be sent; one that is calm may run ahead of the limit by `calm_ahead` gaps.
    fn opens(self, urgency: Urgency, all: Limit, doubt: Limit, calm_ahead: f64) -> BootTime {
        match urgency {
            Urgency::Calm => self.all.opens(all.gap.mul_f64(calm_ahead)),
            Urgency::Doubt => self.all.opens(all.tolerance()).max(self.doubt.opens(doubt.tolerance())),
        }
    }

    fn add(&mut self, urgency: Urgency, all: Limit, doubt: Limit, now: BootTime) {
        self.all.add(all.gap, now);
        if urgency == Urgency::Doubt {
            self.doubt.add(doubt.gap, now);
        }
    }
}

/// What was sent of late.
#[derive(Debug, Default)]
pub(super) struct Ceiling {
    spent: Spent,
    targets: BTreeMap<(UplinkId, IpAddr), Spent>,
}

impl Ceiling {
    /// When a probe may be sent, as far as it does not depend on its target.
    pub fn opens(&self, urgency: Urgency) -> BootTime {
        self.spent.opens(urgency, ALL, DOUBT, CALM_AHEAD)
    }

    /// Accounts for a probe of `address` by `uplink` that is sent now.
    ///
    /// # Errors
    /// When it must not be sent before the moment returned.
    pub fn take(
        &mut self,
        urgency: Urgency,
        uplink: UplinkId,
        address: IpAddr,
        now: BootTime,
    ) -> Result<(), BootTime> {
        let of_target = self.targets.get(&(uplink, address)).copied().unwrap_or_default();
        let opens = of_target.opens(urgency, TARGET, DOUBT_OF_TARGET, CALM_AHEAD_OF_TARGET).max(self.opens(urgency));
        if opens > now {
            return Err(opens);
        }
        if self.targets.len() >= MOST_REMEMBERED {
            self.targets.retain(|_, spent| spent.all.next.max(spent.doubt.next) > now);
        }
        self.targets.entry((uplink, address)).or_default().add(urgency, TARGET, DOUBT_OF_TARGET, now);
        self.spent.add(urgency, ALL, DOUBT, now);
        Ok(())
    }
}

#[cfg(test)]
mod tests;
