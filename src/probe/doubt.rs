//! Pure: whether one path is in doubt, and how many quick probes that is worth.
//!
//! Doubt begins with the first loss after an answer, with the first answer after an outage, and with the first sign of
//! someone who answers in the target's stead. It ends with three answers in a row, or when its eight quick probes are
//! spent: then the ordinary rate has to do until something is answered again. So an hour of loss costs eight probes
//! more than an hour of answers; and a path that loses now and then earns one quick probe with each ordinary interval,
//! so that it never costs more than twice.

use std::{mem, time::Duration};

use super::ceiling::{Limit, Usage};
use crate::domain::BootTime;

/// Quick probes of one doubt.
const MOST_QUICK: u8 = 8;
/// Answers in a row that end it.
const ENOUGH_ANSWERS: u8 = 3;
/// Losses in a row after which a path is lost until it answers.
const OUTAGE_AFTER: u8 = 3;
/// Quick probes that a path may have saved up: two doubts.
const SAVED: u32 = 16;
/// Least and most time between two quick probes.
const SPACING: (Duration, Duration) = (Duration::from_millis(40), Duration::from_millis(500));
/// The same while nothing is known of the path.
const FIRST_SPACING: Duration = Duration::from_millis(100);

/// A doubt under way.
#[derive(Debug, Clone, Copy)]
struct Episode {
    left: u8,
    answers: u8,
    /// When the next quick probe may go.
    next: BootTime,
    /// Whether the question is who answers, not whether anyone does.
    who: bool,
}

/// Who answers, as far as it can be told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Proof {
    /// Not asked yet: whoever can prove it is to be asked at the next opportunity.
    #[default]
    Due,
    /// Asked, or proven.
    Open,
    /// Someone else, and that was doubted enough until there is a proof again.
    Doubted,
}

/// What one path gives reason to doubt.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Doubt {
    episode: Option<Episode>,
    losses: u8,
    answered_once: bool,
    /// Answered since the last doubt: the next loss is a first one.
    fresh: bool,
    proof: Proof,
    quick: Usage,
}

impl Doubt {
    /// When the next quick probe may go; none when nothing is in doubt.
    pub fn next(&self) -> Option<BootTime> {
        self.episode.map(|episode| episode.next)
    }

    /// Whether the question is who answers.
    pub fn asks_who(&self) -> bool {
        self.proof == Proof::Due || self.episode.is_some_and(|episode| episode.who)
    }

    /// Whether nothing was answered for so long, or ever, that the path is lost.
    pub fn is_lost(&self) -> bool {
        !self.answered_once || self.losses >= OUTAGE_AFTER
    }

    /// Takes an answer, by someone who proved to be the target if `proof`. Tells whether it begins a doubt.
    pub fn answered(&mut self, proof: bool, now: BootTime) -> bool {
        let was_lost = self.is_lost();
        (self.answered_once, self.fresh, self.losses) = (true, true, 0);
        if proof {
            self.proof = Proof::Open;
        } else if was_lost {
            self.proof = Proof::Due;
        }
        if was_lost {
            return self.begin(false, now);
        }
        if let Some(episode) = self.episode.as_mut().filter(|episode| proof || !episode.who) {
            episode.answers += 1;
            if episode.answers >= ENOUGH_ANSWERS {
                self.episode = None;
            }
        }
        false
    }

    /// Takes a loss, by someone who answers in the target's stead if `interference`. Tells whether it begins a doubt.
    pub fn lost(&mut self, interference: bool, now: BootTime) -> bool {
        self.losses = self.losses.saturating_add(1);
        let is_first = if interference {
            mem::replace(&mut self.proof, Proof::Doubted) != Proof::Doubted
        } else {
            mem::take(&mut self.fresh)
        };
        if let Some(episode) = self.episode.as_mut() {
            episode.answers = 0;
            episode.who |= interference && is_first;
            return false;
        }
        is_first && self.begin(interference, now)
    }

    fn begin(&mut self, who: bool, now: BootTime) -> bool {
        let is_new = self.episode.is_none();
        self.episode =
            Some(Episode { left: MOST_QUICK, answers: u8::from(!who && self.losses == 0), next: now, who });
        is_new
    }

    /// Whether there is a quick probe left to spend, for a path whose ordinary interval is `interval`; ends the doubt if
    /// not.
    pub fn may_spend(&mut self, interval: Duration, now: BootTime) -> bool {
        let saved = self.quick.allows(Limit { gap: interval, burst: SAVED }, now);
        self.episode = self.episode.filter(|episode| saved && episode.left > 0);
        self.episode.is_some()
    }

    /// Accounts for a quick probe that is sent now, to a target that usually takes `usual` to answer.
    pub fn spend(&mut self, interval: Duration, usual: Option<Duration>, now: BootTime) {
        if let Some(episode) = &mut self.episode {
            let (least, most) = SPACING;
            episode.left = episode.left.saturating_sub(1);
            episode.next = now + usual.unwrap_or(FIRST_SPACING).clamp(least, most);
            self.quick.add(interval, now);
        }
    }

    /// Puts the next quick probe off.
    pub fn wait_until(&mut self, time: BootTime) {
        if let Some(episode) = &mut self.episode {
            episode.next = episode.next.max(time);
        }
    }

    /// Notes that someone who can prove to be the target is asked now.
    pub fn proof_asked(&mut self) {
        if self.proof == Proof::Due {
            self.proof = Proof::Open;
        }
    }
}
