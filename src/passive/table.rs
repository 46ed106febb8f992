//! Handshakes that have begun: pure, bounded, and without an address in it.
//!
//! A connection is known by a keyed hash of its ends and its uplink, made anew at each start: nobody can tell from the
//! memory of this process who talked to whom.

use std::{
    collections::{HashMap, VecDeque},
    hash::{BuildHasher, RandomState},
    net::SocketAddr,
    time::Duration,
};

use super::{
    segment::{Act, Segment},
    stamp::Stamp,
    thinning::Share,
};
use crate::domain::{BootTime, ClassId, UplinkId};

/// Connections known at a time.
pub const CAPACITY: usize = 4_096;

/// So long is an answer waited for.
pub const PATIENCE: Duration = Duration::from_secs(3);

/// So long a SYN that nobody answered is remembered, lest its repetitions count as connections of their own: Linux sends
/// the last after 63 s.
const MEMORY: Duration = Duration::from_secs(64);

/// An answer may confirm data that came with the SYN (TCP Fast Open, RFC 7413): not more than fit into one packet.
const EARLY_DATA: u32 = 1_500;

/// What became of a handshake.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// Completed, after this time if the clocks tell.
    Completed(Option<Duration>),
    /// Completed after the SYN was repeated.
    Repeated,
    /// Refused.
    Refused,
    /// Not answered in time.
    Unanswered,
}

/// An outcome, and where it was seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ended {
    /// Uplink.
    pub uplink: UplinkId,
    /// Class of the destination.
    pub class: ClassId,
    /// Outcome.
    pub outcome: Outcome,
}

#[derive(Debug)]
struct Handshake {
    uplink: UplinkId,
    class: ClassId,
    /// Port of the client, by which flows are thinned out.
    port: u16,
    confirms: u32,
    asked: Stamp,
    repeated: bool,
    given_up: bool,
    /// Tells it from others of the same ends.
    serial: u64,
}

/// Handshakes that have begun.
#[derive(Debug)]
pub struct Table {
    secret: RandomState,
    capacity: usize,
    known: HashMap<u64, Handshake>,
    /// In the order in which they began; those that are over may still be among them.
    open: VecDeque<Turn>,
    /// Those that were given up, likewise.
    given_up: VecDeque<Turn>,
    serial: u64,
    crowded_out: u64,
}

#[derive(Debug, Clone, Copy)]
struct Turn {
    began: BootTime,
    key: u64,
    serial: u64,
}

impl Table {
    /// An empty one; `secret` hides the ends of connections.
    pub fn new(capacity: usize, secret: RandomState) -> Self {
        Self {
            secret,
            capacity: capacity.max(1),
            known: HashMap::new(),
            open: VecDeque::new(),
            given_up: VecDeque::new(),
            serial: 0,
            crowded_out: 0,
        }
    }

    /// Takes a segment that passed on an uplink. `classify` names the class of a destination that is measured; it is only
    /// asked for connections that are new.
    pub fn take(
        &mut self,
        uplink: UplinkId,
        segment: &Segment,
        stamp: Stamp,
        now: BootTime,
        classify: impl FnOnce(SocketAddr) -> Option<ClassId>,
    ) -> Option<Ended> {
        let key = self.secret.hash_one((uplink, segment.client, segment.server));
        if segment.act == Act::Ask {
            match self.known.get_mut(&key) {
                Some(same) if same.confirms == segment.confirms => same.repeated = true,
                _ => {
                    let class = classify(segment.server)?;
                    self.begin(key, uplink, class, segment, stamp, now);
                }
            }
            return None;
        }
        let known = self.known.get(&key)?;
        if segment.confirms.wrapping_sub(known.confirms) > EARLY_DATA {
            return None;
        }
        let known = self.known.remove(&key)?;
        let outcome = match segment.act {
            // It was counted, as unanswered.
            _ if known.given_up => return None,
            Act::Refuse => Outcome::Refused,
            _ if known.repeated => Outcome::Repeated,
            _ => Outcome::Completed(stamp.since(known.asked).filter(|rtt| *rtt <= PATIENCE)),
        };
        Some(Ended { uplink, class: known.class, outcome })
    }

    fn begin(&mut self, key: u64, uplink: UplinkId, class: ClassId, segment: &Segment, asked: Stamp, now: BootTime) {
        while self.known.len() >= self.capacity && self.forget_one() {}
        self.serial += 1;
        let turn = Turn { began: now, key, serial: self.serial };
        let handshake = Handshake {
            uplink,
            class,
            port: segment.client.port(),
            confirms: segment.confirms,
            asked,
            repeated: false,
            given_up: false,
            serial: self.serial,
        };
        self.known.insert(key, handshake);
        push(&mut self.open, turn, &self.known, self.capacity);
    }

    /// Makes room: first by what was counted already, then by the oldest.
    fn forget_one(&mut self) -> bool {
        let Some(turn) = self.given_up.pop_front().or_else(|| self.open.pop_front()) else { return false };
        if self.is_current(turn) && self.known.remove(&turn.key).is_some_and(|handshake| !handshake.given_up) {
            self.crowded_out += 1;
        }
        true
    }

    /// The next one that was not answered in time; `None` when there is none left.
    pub fn pop_unanswered(&mut self, now: BootTime) -> Option<Ended> {
        while let Some(turn) = pop_after(&mut self.given_up, MEMORY, now) {
            if self.is_current(turn) {
                self.known.remove(&turn.key);
            }
        }
        while let Some(turn) = pop_after(&mut self.open, PATIENCE, now) {
            let Some(handshake) = self.known.get_mut(&turn.key).filter(|known| known.serial == turn.serial) else {
                continue;
            };
            handshake.given_up = true;
            let (uplink, class) = (handshake.uplink, handshake.class.clone());
            push(&mut self.given_up, turn, &self.known, self.capacity);
            return Some(Ended { uplink, class, outcome: Outcome::Unanswered });
        }
        None
    }

    /// Forgets connections whose answers are not looked at any more.
    pub fn keep_only(&mut self, share: Share) {
        self.known.retain(|_, handshake| share.contains(handshake.port));
    }

    /// Forgets everything of an uplink.
    pub fn forget(&mut self, uplink: UplinkId) {
        self.known.retain(|_, handshake| handshake.uplink != uplink);
    }

    /// Connections that were forgotten for lack of room before anything came of them.
    pub fn crowded_out(&self) -> u64 {
        self.crowded_out
    }

    /// Connections known now.
    #[cfg(test)]
    fn len(&self) -> usize {
        self.known.len()
    }

    fn is_current(&self, turn: Turn) -> bool {
        stands_for(turn, &self.known)
    }
}

/// Whether what began then is still known.
fn stands_for(turn: Turn, known: &HashMap<u64, Handshake>) -> bool {
    known.get(&turn.key).is_some_and(|handshake| handshake.serial == turn.serial)
}

/// Queues at most twice as many as can be known: those that are over make way.
fn push(queue: &mut VecDeque<Turn>, turn: Turn, known: &HashMap<u64, Handshake>, capacity: usize) {
    if queue.len() >= 2 * capacity {
        queue.retain(|turn| stands_for(*turn, known));
    }
    queue.push_back(turn);
}

/// The oldest, if it began so long ago.
fn pop_after(queue: &mut VecDeque<Turn>, span: Duration, now: BootTime) -> Option<Turn> {
    queue.front().filter(|oldest| now.at_least_after(oldest.began, span))?;
    queue.pop_front()
}

#[cfg(test)]
mod tests;
