//! Pure: one path of the schedule: its slots, its turns, its doubts.
//!
//! A path has one slot an interval on a grid of its own, and within the slot its probe goes at a random moment (RFC 3432:
//! periodic streams must not fall in step with what they measure). So paths keep apart from one another for good, and
//! two probes of one path are 80 % to 120 % of the interval apart. What is missed is missed: after a stall the path goes on
//! at its next slot that is not too near.

use std::{sync::Arc, time::Duration};

use super::{
    ProbePath,
    ceiling::Urgency,
    doubt::Doubt,
    schedule::News,
    turns::{Purpose, Turns},
};
use crate::domain::BootTime;

/// Part of the interval within which the moment of a probe is drawn.
const JITTER: f64 = 0.2;
/// Time without a loss after which a path is measured half as often.
const STABLE_AFTER: Duration = Duration::from_secs(300);

/// One path on its course.
#[derive(Debug)]
pub(super) struct Course {
    /// As in the newest list.
    pub path: Arc<ProbePath>,
    /// Who is asked.
    pub turns: Turns,
    /// Whether it is in doubt.
    pub doubt: Doubt,
    /// Moment of the next ordinary probe.
    pub due: BootTime,
    /// When the last probe was sent.
    pub sent_at: BootTime,
    /// Whether its turn passed because the names of its targets are still being looked up.
    pub awaits_name: bool,
    /// Start of the next slot.
    slot: BootTime,
    /// Since when nothing was lost.
    clear_since: BootTime,
}

impl Course {
    /// A path that is new: first asked at `due`, its grid leads through `slot`.
    pub fn new(path: Arc<ProbePath>, slot: BootTime, due: BootTime, now: BootTime) -> Self {
        Self {
            turns: Turns::new(&path.targets),
            doubt: Doubt::default(),
            path,
            due,
            slot,
            sent_at: BootTime::default(),
            awaits_name: false,
            clear_since: now,
        }
    }

    /// Takes what changed of the path.
    pub fn follow(&mut self, path: &ProbePath) {
        if *self.path == *path {
            return;
        }
        self.turns = self.turns.follow(&self.path.targets, &path.targets);
        self.path = Arc::new(path.clone());
    }

    /// Whether nothing was lost for so long that half as many probes will do.
    pub fn is_stable(&self, now: BootTime) -> bool {
        !self.doubt.is_lost() && now.at_least_after(self.clear_since, STABLE_AFTER)
    }

    /// The targets that may be asked now, the best first.
    pub fn order(&self, urgency: Urgency, now: BootTime) -> Vec<usize> {
        let purpose = match urgency {
            Urgency::Doubt => Purpose::Confirm,
            Urgency::Calm if self.doubt.is_lost() => Purpose::WatchLost,
            Urgency::Calm => Purpose::Watch,
        };
        let mut order = self.turns.order(purpose, now);
        if self.doubt.asks_who() && self.turns.can_prove() {
            order.splice(0..0, self.turns.order(Purpose::Prove, now));
        }
        order
    }

    /// Goes on to the next slot that starts at least half an interval after `now`; `luck` in 0..1 says where in it.
    pub fn advance(&mut self, now: BootTime, interval: Duration, luck: f64) {
        let behind = (now + interval / 2).since(self.slot);
        let slots = behind.as_nanos().div_ceil(interval.as_nanos().max(1));
        self.slot = self.slot + interval.saturating_mul(u32::try_from(slots).unwrap_or(u32::MAX));
        self.due = self.slot + interval.mul_f64(JITTER * luck);
    }

    /// Notes that a target is asked now, and why.
    pub fn send(&mut self, position: usize, urgency: Urgency, interval: Duration, now: BootTime) {
        let in_doubt = urgency == Urgency::Doubt;
        self.turns.asked(position, in_doubt, now);
        if self.turns.proves(position) {
            self.doubt.proof_asked();
        }
        if in_doubt {
            self.doubt.spend(interval, self.turns.expectation(position).usual(), now);
        }
        self.sent_at = now;
    }

    /// Uses up the coming slot at once, unless that was done already.
    pub fn bring_forward(&mut self, now: BootTime, interval: Duration) {
        if self.slot <= now + interval {
            self.slot = self.slot + interval;
            self.due = self.due.min(now);
        }
    }

    /// Shortens a wait that is longer than an interval, as after a change of the interval.
    pub fn keep_within(&mut self, now: BootTime, interval: Duration, luck: f64) {
        if self.slot > now + interval * 2 {
            self.slot = now + interval.mul_f64(luck);
            self.due = self.slot;
        }
    }

    /// Takes what became of a probe of the target at `position`. Tells whether the whole uplink is in doubt from now on.
    pub fn heard(&mut self, position: usize, news: News, now: BootTime) -> bool {
        match news {
            News::Answered(took) => {
                if self.doubt.is_lost() {
                    self.clear_since = now;
                }
                self.turns.answered(position, took, now);
                if self.doubt.answered(self.turns.proves(position), now) {
                    self.turns.doubt(position);
                }
                false
            }
            News::Lost { known, interference } => {
                // Only those who can prove to be the target can be told from others for sure.
                let interference = interference && self.turns.proves(position);
                if !known {
                    self.turns.lost(position);
                }
                // Of a silent target nothing is concluded; of one that was overdue everything has been.
                if self.turns.is_silent(position) || (known && !interference) {
                    return false;
                }
                self.clear_since = now;
                let begins = self.doubt.lost(interference, now);
                if begins {
                    self.turns.doubt(position);
                }
                begins && !interference
            }
        }
    }
}
