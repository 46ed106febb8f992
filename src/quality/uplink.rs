//! What all paths of an uplink say together, in one family: whether anything comes back at all, and whether who answers
//! is who should.
//!
//! One path needs `down_after` losses of its own to be down. When probes to different places by different paths go
//! unanswered one after another, it is the uplink, and no path need wait for its turn.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    net::IpAddr,
    time::Duration,
};

use crate::domain::{BootTime, ProbeFailure, ProbeOutcome};

/// Fewest different addresses that must be silent.
const ADDRESSES: usize = 3;

/// Fewest paths that must be silent.
const PATHS: usize = 2;

/// How long nothing must have come back. A spike of the access line is over by then; what is lost is lost for longer.
const LEAST: Duration = Duration::from_millis(500);

/// Most losses that are looked back at.
const MOST: usize = 64;

/// Most addresses of which it is known that they answer: all targets of hundreds of paths.
const MOST_WITNESSES: usize = 1_024;

/// How long a denial counts when it is not repeated: who cannot be asked any more does not stand against an uplink for
/// ever.
pub(super) const DENIAL_LASTS: Duration = Duration::from_secs(600);

/// What became of one probe of some path of the uplink.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sighting<P> {
    /// The path.
    pub path: P,
    /// The address probed; absent when there was none.
    pub address: Option<IpAddr>,
    /// Whether the target proves its identity.
    pub proves_identity: bool,
    /// When it was sent.
    pub sent_at: BootTime,
    /// What came of it.
    pub outcome: ProbeOutcome,
    /// When that is told.
    pub told_at: BootTime,
}

/// An uplink by which nothing comes back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Blackout {
    /// Probes lost without an answer between them.
    pub probes: usize,
    /// Addresses that they went to.
    pub targets: usize,
    /// When the first of them was sent.
    pub since: BootTime,
}

/// Watches one uplink in one family. `P` names a path. Bounded: the newest 64 losses, 1,024 addresses, and a few words for
/// each path that proves identities.
#[derive(Debug, Clone)]
pub struct UplinkWatch<P> {
    down_after: usize,
    /// When the newest probe that anything came back for was sent.
    answered: Option<BootTime>,
    /// Addresses that answered when they were asked last. That others do not says nothing of the uplink.
    witnesses: BTreeSet<IpAddr>,
    /// When the newest probe of all was sent.
    newest: BootTime,
    /// Losses of probes sent later, in the order of sending.
    lost: VecDeque<(BootTime, P, Option<IpAddr>)>,
    blackout: Option<Blackout>,
    proofs: BTreeMap<P, Proof>,
}

/// What the targets of one path that prove their identity say.
#[derive(Debug, Clone, Copy, Default)]
struct Proof {
    proven: Option<BootTime>,
    /// The newest interference, and how much there was since the last proof.
    denied: Option<BootTime>,
    denials: usize,
}

impl<P: Ord + Clone> UplinkWatch<P> {
    /// An uplink of which nothing is known yet.
    pub fn new(down_after: u32) -> Self {
        Self {
            down_after: down_after.max(1) as usize,
            answered: None,
            witnesses: BTreeSet::new(),
            newest: BootTime::default(),
            lost: VecDeque::new(),
            blackout: None,
            proofs: BTreeMap::new(),
        }
    }

    /// Takes a last word, or that a probe is overdue, in whatever order they come. Tells of a blackout when it begins: the
    /// newest `down_after` (at least 3) probes, to at least 3 addresses by at least 2 paths, were lost though each of these
    /// had answered the time before, and nothing came back for any probe sent since the first of them, half a second ago or
    /// more.
    pub fn observe(&mut self, seen: Sighting<P>) -> Option<Blackout> {
        self.newest = self.newest.max(seen.sent_at);
        if seen.proves_identity {
            self.weigh(&seen);
        }
        match seen.outcome {
            ProbeOutcome::Failed(ProbeFailure::NotResolved) => None,
            ProbeOutcome::Failed(failure) if !failure.is_interference() && failure != ProbeFailure::Refused => {
                self.lose(seen)
            }
            ProbeOutcome::Overdue => self.lose(seen),
            // Whatever it was that answered: something did.
            ProbeOutcome::Failed(_) | ProbeOutcome::Answered(_) => {
                self.alive(&seen);
                None
            }
        }
    }

    /// The blackout that lasts; it ends when anything comes back for a probe sent after it began.
    pub fn blackout(&self) -> Option<Blackout> {
        self.blackout
    }

    /// Whether something on the uplink answers in the stead of others: on every path whose targets prove their identity and
    /// answer at all, the last `down_after` proofs failed by interference. Bare handshakes by such an uplink say nothing,
    /// on other paths either. One proof ends it, and so does time when nobody can be asked any more.
    pub fn portal(&self) -> bool {
        let mut answering = self.proofs.values().filter(|proof| !self.is_stale(proof)).peekable();
        answering.peek().is_some() && answering.all(|proof| proof.denials >= self.down_after)
    }

    /// Forgets a path that is no more.
    pub fn forget(&mut self, path: &P) {
        self.proofs.remove(path);
        self.lost.retain(|(_, of, _)| of != path);
    }

    /// Forgets everything: the link was gone, and what is behind it now may be another.
    pub fn restart(&mut self) {
        self.answered = None;
        self.witnesses.clear();
        self.lost.clear();
        self.blackout = None;
        self.proofs.clear();
    }

    /// Whether the path was proven or denied long ago, and nothing was learned since.
    fn is_stale(&self, proof: &Proof) -> bool {
        proof.proven.max(proof.denied).is_none_or(|newest| self.newest.at_least_after(newest, DENIAL_LASTS))
    }

    fn alive(&mut self, seen: &Sighting<P>) {
        let sent = seen.sent_at;
        self.answered = self.answered.max(Some(sent));
        let witnesses = &mut self.witnesses;
        self.lost.retain(|(lost, _, address)| {
            // Others answered when this one did not: it is its own loss.
            let own = *lost <= sent;
            if let Some(address) = address.filter(|_| own) {
                witnesses.remove(&address);
            }
            !own
        });
        if witnesses.len() < MOST_WITNESSES {
            witnesses.extend(seen.address);
        }
        self.blackout = self.blackout.filter(|blackout| blackout.since >= sent);
    }

    fn lose(&mut self, seen: Sighting<P>) -> Option<Blackout> {
        if !seen.address.is_some_and(|address| self.witnesses.contains(&address)) {
            return None;
        }
        if self.answered.is_some_and(|answered| answered >= seen.sent_at) {
            self.witnesses.retain(|witness| Some(*witness) != seen.address);
            return None;
        }
        let loss = (seen.sent_at, seen.path, seen.address);
        let place = self.lost.partition_point(|other| *other < loss);
        if self.lost.get(place) == Some(&loss) {
            // It was overdue, and is lost now.
        } else {
            self.lost.insert(place, loss);
            if self.lost.len() > MOST {
                self.lost.pop_front();
            }
        }
        let found = self.found().filter(|found| seen.told_at.at_least_after(found.since, LEAST))?;
        match &mut self.blackout {
            // Growing is no news.
            Some(known) => {
                (known.probes, known.targets) = (found.probes, found.targets);
                None
            }
            None => {
                self.blackout = Some(found);
                Some(found)
            }
        }
    }

    fn found(&self) -> Option<Blackout> {
        let addresses: BTreeSet<IpAddr> = self.lost.iter().filter_map(|(_, _, address)| *address).collect();
        let paths: BTreeSet<&P> = self.lost.iter().map(|(_, path, _)| path).collect();
        let enough =
            self.lost.len() >= self.down_after.max(3) && addresses.len() >= ADDRESSES && paths.len() >= PATHS;
        let since = self.lost.front().map(|(sent, ..)| *sent).filter(|_| enough)?;
        Some(Blackout { probes: self.lost.len(), targets: addresses.len(), since })
    }

    fn weigh(&mut self, seen: &Sighting<P>) {
        let denied = matches!(seen.outcome, ProbeOutcome::Failed(failure) if failure.is_interference());
        if !denied && seen.outcome.rtt().is_none() {
            return;
        }
        let proof = self.proofs.entry(seen.path.clone()).or_default();
        if !denied {
            proof.proven = proof.proven.max(Some(seen.sent_at));
            if proof.denied.is_none_or(|denied| denied <= seen.sent_at) {
                proof.denials = 0;
            }
        } else if proof.proven.is_none_or(|proven| proven < seen.sent_at) && proof.denied != Some(seen.sent_at) {
            proof.denied = proof.denied.max(Some(seen.sent_at));
            proof.denials = proof.denials.saturating_add(1);
        }
    }
}

#[cfg(test)]
mod tests;
