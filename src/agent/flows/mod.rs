//! Flows that moved. A flow whose source is translated keeps the address that it began with: after its class moved to
//! another uplink it leaves there with the address of the old one, and no answer comes back. Its entry in the kernel's
//! table is deleted, so that its next packet is translated anew.
//!
//! (`masquerade` forgets such an entry by itself when a packet leaves by another interface, `snat` to a fixed address and
//! flows in a flowtable do not.)

mod attempts;
mod judgement;
mod places;
mod schedule;
mod sweep;
#[cfg(test)]
mod tests;

use std::{collections::BTreeMap, sync::Arc};

use tokio::{sync::watch, time::Instant};

use self::{
    attempts::Attempts,
    judgement::{OnUplinks, Steering, UplinkAddresses},
    places::Places,
    sweep::{Sweeper, Swept},
};
use super::{engine::Engine, snapshot::Held};
use crate::{
    config::{Config, Mode, MovedFlows},
    domain::{
        EventKind, RouterState, UplinkId,
        view::{FlowsLeft, FlowsView},
    },
    plan::Fib,
};

/// What is known of moved flows.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct FlowsStatus {
    /// Entries deleted since start, by class and the uplinks that it was on.
    deleted: BTreeMap<OnUplinks, u64>,
    /// Stale entries at the last look.
    left: BTreeMap<OnUplinks, u64>,
    unavailable: Option<String>,
    error: Option<String>,
}

impl FlowsStatus {
    fn take(&mut self, swept: Swept) {
        for (key, count) in swept.deleted {
            *self.deleted.entry(key).or_default() += count;
        }
        self.left = swept.left;
        self.unavailable = swept.unavailable;
        self.error = swept.problem;
    }
}

/// What the kernel holds, for the task.
#[derive(Debug, Clone)]
struct Holding {
    steering: Steering,
    /// Grows when a class is on another uplink than before.
    moves: u64,
}

/// The agent's end: tells the task of moves, and people of its work.
#[derive(Debug)]
pub struct MovedFlowsWatch {
    holding: watch::Sender<Option<Holding>>,
    status: watch::Receiver<FlowsStatus>,
    moves: u64,
    places: Places,
    told: BTreeMap<OnUplinks, u64>,
}

impl MovedFlowsWatch {
    /// Starts the task where the kernel is written to; `held` is what an earlier run left, which is no move.
    pub fn start(config: &Config, router: watch::Receiver<Arc<RouterState>>, held: &Held) -> Self {
        let (holding, held_now) = watch::channel(None);
        let (status_sender, status) = watch::channel(FlowsStatus::default());
        if config.kernel.mode == Mode::Enforce {
            let interfaces = config.uplink_ids().map(|id| (id, config.uplink(id).interface.clone())).collect();
            let sweeper = Sweeper {
                delete: config.kernel.moved_flows == MovedFlows::Reset,
                addresses: UplinkAddresses::new(interfaces),
                router,
                holding: held_now,
                status: status_sender,
                attempts: Attempts::default(),
            };
            tokio::spawn(sweeper.run());
        }
        let counted = config.kernel.moved_flows == MovedFlows::Keep;
        let places = Places::new(config.uplink_ids().collect(), counted, &held.primary);
        Self { holding, status, moves: 0, places, told: BTreeMap::new() }
    }

    /// News of the task; never in `observe`.
    pub fn news(&self) -> watch::Receiver<FlowsStatus> {
        self.status.clone()
    }

    /// Tells the task what the kernel holds now.
    pub fn held(&mut self, engine: &Engine, held: &Held, observed: &Arc<Fib>) {
        self.moves += u64::from(self.places.note(&held.primary, Instant::now()));
        let primaries = engine.layout.primaries(observed);
        let steering = Steering::new(engine.config.kernel.table, Arc::clone(observed), primaries, self.places.left());
        self.holding.send_replace(Some(Holding { steering, moves: self.moves }));
    }

    /// Nothing is steered any more.
    pub fn withdrawn(&mut self) {
        self.holding.send_replace(None);
    }

    /// What was reset since the last time that this was asked.
    pub fn events(&mut self, config: &Config) -> Vec<EventKind> {
        let deleted = self.status.borrow().deleted.clone();
        let told = std::mem::replace(&mut self.told, deleted.clone());
        let new = |(key, count): (_, u64)| {
            let flows = count - told.get(&key).copied().unwrap_or_default();
            let (class, uplinks) = key;
            let uplinks: Vec<UplinkId> = uplinks.into_iter().collect();
            let uplink = config.names_of(&uplinks).filter(|_| flows > 0)?;
            Some(EventKind::FlowsReset { class, uplink, flows })
        };
        deleted.into_iter().filter_map(new).collect()
    }

    /// As people see it.
    pub fn view(&self, config: &Config) -> FlowsView {
        let FlowsStatus { deleted, left, unavailable, error } = self.status.borrow().clone();
        FlowsView {
            moved: config.kernel.moved_flows.as_str().to_owned(),
            deleted: deleted.values().sum(),
            left: left.into_iter().map(|((class, _), flows)| FlowsLeft { class, flows }).collect(),
            unavailable,
            error,
        }
    }
}
