//! What the watcher knows: uplinks and their interfaces, handshakes under way, and what became of those that are over.

use std::{
    collections::BTreeMap,
    hash::RandomState,
    net::{IpAddr, SocketAddr},
    sync::Arc,
};

use super::{
    Handshake, Handshakes, Settings, Watch, Watched,
    filter::MOST_INTERFACES,
    segment::{Act, Segment},
    stamp::{Clocks, Eras, Stamp},
    table::{CAPACITY, Ended, Outcome, Table},
    tally::Tally,
    tap::Batch,
    thinning::{Share, Thinning},
};
use crate::domain::{BootTime, ClassId, UplinkId};

/// Paths of which something is known at a time.
const MOST_PATHS: usize = 1_024;

/// The state behind [`super::run`]; reads no clock and no socket.
#[derive(Debug)]
pub(super) struct Watcher {
    watched: Arc<[Watched]>,
    /// Which uplink an interface is, by index.
    interfaces: BTreeMap<u32, UplinkId>,
    states: Vec<(UplinkId, Watch)>,
    table: Table,
    tallies: BTreeMap<(UplinkId, ClassId), Tally>,
    thinning: Thinning,
    eras: Eras,
    packets: u64,
    /// Measured since they were last handed over.
    fresh: Vec<Handshake>,
}

impl Watcher {
    pub fn new(settings: &Settings, now: Clocks) -> Self {
        Self {
            watched: Arc::from([]),
            interfaces: BTreeMap::new(),
            states: Vec::new(),
            table: Table::new(CAPACITY, RandomState::new()),
            tallies: BTreeMap::new(),
            thinning: Thinning::new(settings.budget, fastrand::u16(..), now.boot),
            eras: Eras::new(now),
            packets: 0,
            fresh: Vec::new(),
        }
    }

    /// Watches these from now on. What is known of uplinks that stay as they are is kept.
    pub fn watch(&mut self, watched: Arc<[Watched]>) {
        let gone: Vec<_> = self.watched.iter().filter(|before| !watched.contains(before)).collect();
        for before in gone {
            self.table.forget(before.uplink);
            self.tallies.retain(|(uplink, _), _| *uplink != before.uplink);
        }
        self.watched = watched;
    }

    /// Looks for the interfaces of uplinks. Returns their indices when they are others than before.
    pub fn look(&mut self, index_of: impl Fn(&str) -> Option<u32>) -> Option<Vec<u32>> {
        let mut interfaces = BTreeMap::new();
        let mut states = Vec::new();
        for watched in &*self.watched {
            let same = |other: &&Watched| other.interface == watched.interface && other.uplink != watched.uplink;
            let state = match index_of(&watched.interface) {
                _ if self.watched.iter().any(|other| same(&other)) => Watch::shared(&watched.interface),
                None => Watch::Absent,
                Some(_) if interfaces.len() >= MOST_INTERFACES => Watch::too_many(),
                Some(index) => {
                    interfaces.insert(index, watched.uplink);
                    Watch::Watching
                }
            };
            states.push((watched.uplink, state));
        }
        self.states = states;
        let changed = interfaces != self.interfaces;
        self.interfaces = interfaces;
        changed.then(|| self.indices())
    }

    /// Indices of the interfaces that are watched.
    pub fn indices(&self) -> Vec<u32> {
        self.interfaces.keys().copied().collect()
    }

    /// Says why nothing is watched.
    pub fn unavailable(&mut self, reason: &str) {
        self.interfaces.clear();
        self.states =
            self.watched.iter().map(|watched| (watched.uplink, Watch::Unavailable(reason.to_owned()))).collect();
    }

    /// Flows that are looked at.
    pub fn share(&self) -> Share {
        self.thinning.share()
    }

    /// Takes note of the time, between two readings of packets.
    pub fn tick(&mut self, now: Clocks) {
        self.eras.read(now, false);
    }

    /// Takes a batch of packets. `classify` names the class of a destination that is steered, `is_own` knows the ports of
    /// the agent's own probes. Returns how many of them ask for a connection.
    pub fn take(
        &mut self,
        batch: &Batch,
        classify: impl Fn(IpAddr) -> Option<ClassId>,
        is_own: impl Fn(u16) -> bool,
    ) -> u32 {
        let now = batch.clocks.boot;
        let era = self.eras.read(batch.clocks, batch.emptied);
        let mut asked = 0;
        for passed in &batch.packets {
            self.packets += 1;
            let Some(uplink) = self.interfaces.get(&passed.interface).copied() else { continue };
            let Some(segment) = Segment::parse(passed.bytes(), passed.outgoing) else { continue };
            let port = segment.client.port();
            asked += u32::from(segment.act == Act::Ask);
            // The filter may have been another one when it passed, and the answer would not.
            if !self.share().contains(port) {
                continue;
            }
            let stamp = Stamp { wall: passed.wall, era };
            let classify = |server: SocketAddr| classify(server.ip()).filter(|_| !is_own(port));
            if let Some(ended) = self.table.take(uplink, &segment, stamp, now, classify) {
                self.count(ended, now);
            }
        }
        asked
    }

    /// Ends a reading. True when the kernel should let another share of flows through.
    pub fn end(&mut self, asked: u32, dropped: bool, now: BootTime) -> bool {
        while let Some(ended) = self.table.pop_unanswered(now) {
            self.count(ended, now);
        }
        let changed = self.thinning.saw(asked, dropped, now);
        if changed {
            self.table.keep_only(self.thinning.share());
        }
        changed
    }

    fn count(&mut self, ended: Ended, now: BootTime) {
        let Ended { uplink, class, outcome } = ended;
        if let Outcome::Completed(Some(rtt)) = outcome {
            self.fresh.push(Handshake { uplink, class: class.clone(), rtt });
        }
        let key = (uplink, class);
        if let Some(tally) = self.tallies.get_mut(&key) {
            tally.count(outcome, now);
        } else if self.tallies.len() < MOST_PATHS {
            self.tallies.entry(key).or_default().count(outcome, now);
        }
    }

    /// What was measured since the last call.
    pub fn measured(&mut self) -> Vec<Handshake> {
        std::mem::take(&mut self.fresh)
    }

    /// What is known.
    pub fn publish(&mut self, dropped: u64, now: BootTime) -> Handshakes {
        self.tallies.retain(|_, tally| !tally.forget(now));
        let one_in = self.share().one_in();
        let paths = self.tallies.iter().map(|(path, tally)| (path.clone(), tally.view(now, one_in)));
        Handshakes {
            uplinks: self.states.clone(),
            paths: paths.collect(),
            packets: self.packets,
            dropped,
            crowded_out: self.table.crowded_out(),
            clock_steps: self.eras.steps(),
            one_in,
        }
    }
}

#[cfg(test)]
mod tests;
