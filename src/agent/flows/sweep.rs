//! The task: looks for stale flows after every move, and deletes their entries. It has a socket and a schedule of its
//! own, so that no move waits for it.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use tokio::{
    sync::watch,
    time::{Instant, sleep_until},
};

use super::{
    FlowsStatus, Holding,
    judgement::{Steering, UplinkAddresses},
};
use crate::{
    clock::boot_time,
    domain::{ClassId, RouterState, UplinkId},
    kernel::{Fate, Flow, FlowSocket, Flows, KernelError, tracked_flows},
};

/// When to look after a move: at once, and again because packets that were under way may have brought entries back.
const LOOKS: [Duration; 3] = [Duration::ZERO, Duration::from_secs(1), Duration::from_secs(10)];
/// How often to look while flows are left behind.
const WATCH: Duration = Duration::from_secs(60);
/// Looking may take a tenth of the time, however large the table is.
const REST_FACTOR: u32 = 10;
/// Entries that one look deletes at most; about 1 MiB in memory.
const AT_ONCE: usize = 4096;

/// Owns the addresses of the uplinks; the socket lives for one look alone.
#[derive(Debug)]
pub struct Sweeper {
    /// Delete what is stale; otherwise only count it.
    pub delete: bool,
    /// Addresses of the uplinks.
    pub addresses: UplinkAddresses,
    /// Picture of the router.
    pub router: watch::Receiver<Arc<RouterState>>,
    /// What the kernel holds.
    pub holding: watch::Receiver<Option<Holding>>,
    /// What is known of flows.
    pub status: watch::Sender<FlowsStatus>,
}

impl Sweeper {
    /// Runs until nobody tells what the kernel holds any more.
    pub async fn run(mut self) {
        let (mut due, mut moves, mut rested_at) = (Vec::new(), 0, Instant::now());
        self.publish(|status| status.unavailable = unavailable());
        loop {
            let next = due.first().map(|at: &Instant| (*at).max(rested_at));
            tokio::select! {
                biased;
                changed = self.holding.changed() => {
                    if changed.is_err() {
                        return;
                    }
                    let told = self.holding.borrow_and_update().as_ref().map(|holding| holding.moves);
                    match told {
                        Some(count) if count != moves => {
                            (moves, rested_at) = (count, Instant::now());
                            due = LOOKS.map(|after| Instant::now() + after).to_vec();
                        }
                        Some(_) => {}
                        None => {
                            due.clear();
                            self.publish(|status| status.left.clear());
                        }
                    }
                }
                Ok(()) = self.router.changed() => self.observe(),
                () = sleep_until(next.unwrap_or_else(Instant::now)), if next.is_some() => {
                    let began = Instant::now();
                    let unfinished = self.look().await;
                    rested_at = Instant::now() + began.elapsed() * REST_FACTOR;
                    due.retain(|at| *at > began);
                    if unfinished {
                        due.insert(0, rested_at);
                    } else if due.is_empty() && !self.status.borrow().left.is_empty() {
                        due.push(Instant::now() + WATCH);
                    }
                }
            }
        }
    }

    fn observe(&mut self) {
        let router = Arc::clone(&self.router.borrow_and_update());
        self.addresses.observe(&router, boot_time());
    }

    /// One look. Returns whether there is more to do at once.
    async fn look(&mut self) -> bool {
        self.observe();
        let Some(steering) = self.holding.borrow().as_ref().map(|holding| holding.steering.clone()) else {
            return false;
        };
        match self.sweep(&steering).await {
            Ok(swept) => {
                log::debug!("looked for moved flows: {swept:?}");
                let unfinished = swept.unfinished;
                self.publish(|status| status.take(swept));
                unfinished
            }
            Err(KernelError::NoConntrack { what }) => {
                let error = KernelError::NoConntrack { what };
                log::debug!("moved flows are not looked for: {error}");
                self.publish(|status| status.unavailable = Some(error.to_string()));
                false
            }
            Err(error) => {
                log::debug!("moved flows: {error}");
                self.publish(|status| status.error = Some(error.to_string()));
                false
            }
        }
    }

    async fn sweep(&self, steering: &Steering) -> Result<Swept, KernelError> {
        let mut swept = Swept { unavailable: unavailable(), ..Swept::default() };
        let suspects = self.addresses.suspects(steering);
        if suspects.is_empty() || tracked_flows().is_none_or(|count| count == 0) {
            return Ok(swept);
        }
        let limit = if self.delete { AT_ONCE } else { 0 };
        let mut socket = FlowSocket::open()?;
        let stale = |flow: &Flow| self.addresses.stale(flow, steering).cloned();
        let found = socket.translated_to(&suspects, limit, stale).await?;
        if !self.delete {
            swept.left = found.counts;
            return Ok(swept);
        }
        if self.holding.has_changed().unwrap_or(true) {
            // A move meanwhile may have made right what was wrong.
            return Ok(Swept { unfinished: true, ..swept });
        }
        let fates = socket.delete(found.flows.iter().map(|(_, flow)| flow)).await?;
        swept.count(found, fates);
        Ok(swept)
    }

    fn publish(&self, change: impl FnOnce(&mut FlowsStatus)) {
        self.status.send_if_modified(|status| {
            let before = status.clone();
            change(status);
            *status != before
        });
    }
}

/// What one look found and did.
#[derive(Debug, Default)]
pub(super) struct Swept {
    /// Entries deleted, by class and the uplink that it is on.
    pub deleted: BTreeMap<(ClassId, UplinkId), u64>,
    /// Stale entries that are still there.
    pub left: BTreeMap<(ClassId, UplinkId), u64>,
    /// Why entries cannot be looked at.
    pub unavailable: Option<String>,
    /// Why the kernel refused to delete one.
    pub refusal: Option<String>,
    /// There is more to delete.
    unfinished: bool,
}

impl Swept {
    fn count(&mut self, found: Flows<(ClassId, UplinkId)>, fates: Vec<Fate>) {
        self.unfinished = found.count() > found.flows.len() as u64;
        self.left = found.counts;
        for ((key, _), fate) in found.flows.into_iter().zip(fates) {
            match fate {
                Fate::Refused(refusal) => {
                    self.refusal = Some(refusal.to_string());
                    continue;
                }
                Fate::Gone => {}
                Fate::Deleted => *self.deleted.entry(key.clone()).or_default() += 1,
            }
            if let Some(left) = self.left.get_mut(&key) {
                *left = left.saturating_sub(1);
            }
        }
        self.left.retain(|_, left| *left > 0);
        if self.unfinished {
            let left: u64 = self.left.values().sum();
            log::info!("{left} more moved flows wait for the next look: at most {AT_ONCE} are reset at once");
        }
    }
}

fn unavailable() -> Option<String> {
    tracked_flows().is_none().then(|| "this router tracks no flows (nf_conntrack is not loaded)".to_owned())
}
