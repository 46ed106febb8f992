//! The task: looks for stale flows after every move, and deletes their entries. It has a socket and a schedule of its
//! own, so that no move waits for it.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use tokio::{
    runtime::Handle,
    sync::watch,
    task::spawn_blocking,
    time::{Instant, sleep_until},
};

use super::{
    FlowsStatus, Holding,
    attempts::Attempts,
    judgement::{OnUplinks, Steering, UplinkAddresses},
    schedule::{Ending, Schedule},
};
use crate::{
    clock::boot_time,
    domain::{ReadState, RouterState, UplinkId},
    kernel::{Fate, Flow, FlowSocket, Flows, KernelError, TrackedFlow, tracked_flows},
};

/// Entries that one look deletes at most; about 1 MiB in memory.
const AT_ONCE: usize = 4096;
/// Entries after which it is asked again whether what was found still holds.
const BATCH: usize = 256;

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
    /// What deletions since the last move came to.
    pub attempts: Attempts,
}

impl Sweeper {
    /// Runs until nobody tells what the kernel holds any more.
    pub async fn run(mut self) {
        let (mut schedule, mut moves) = (Schedule::default(), 0);
        self.publish(|status| status.unavailable = unavailable());
        loop {
            let next = schedule.next();
            tokio::select! {
                biased;
                changed = self.holding.changed() => {
                    if changed.is_err() {
                        return;
                    }
                    let told = self.holding.borrow_and_update().as_ref().map(|holding| holding.moves);
                    if told.is_none() {
                        schedule.clear();
                        self.publish(|status| status.left.clear());
                    } else if told != Some(moves) {
                        schedule.moved(Instant::now());
                        self.attempts = Attempts::default();
                    }
                    moves = told.unwrap_or(moves);
                }
                Ok(()) = self.router.changed() => self.observe(),
                () = sleep_until(next.unwrap_or_else(Instant::now)), if next.is_some() => {
                    let began = Instant::now();
                    let ending = self.look().await;
                    log::debug!("looked for moved flows in {:?}", began.elapsed());
                    let left_behind = !self.status.borrow().left.is_empty();
                    schedule.looked(began, Instant::now(), ending, left_behind);
                }
            }
        }
    }

    fn observe(&mut self) {
        let router = Arc::clone(&self.router.borrow_and_update());
        self.addresses.observe(&router, boot_time());
    }

    /// One look.
    async fn look(&mut self) -> Ending {
        self.observe();
        let holding = self.holding.clone();
        let Some(Holding { steering, moves }) = holding.borrow().clone() else { return Ending::Finished };
        let look = Look {
            delete: self.delete,
            addresses: self.addresses.clone(),
            steering,
            moves,
            holding,
            router: self.router.clone(),
            attempts: self.attempts.clone(),
        };
        let runtime = Handle::current();
        match spawn_blocking(move || runtime.block_on(look.sweep())).await {
            Ok(Ok(swept)) => {
                let ending = swept.ending;
                if let Some(attempts) = &swept.attempts {
                    self.attempts = attempts.clone();
                }
                if ending != Ending::Blind {
                    self.publish(|status| status.take(swept));
                }
                return ending;
            }
            Ok(Err(error)) => {
                log::debug!("moved flows: {error}");
                let reason = Some(error.to_string());
                self.publish(|status| match error {
                    KernelError::NoConntrack { .. } => status.unavailable = reason,
                    _ => status.error = reason,
                });
            }
            // The runtime ends.
            Err(_) => {}
        }
        Ending::Finished
    }

    fn publish(&self, change: impl FnOnce(&mut FlowsStatus)) {
        self.status.send_if_modified(|status| {
            let before = status.clone();
            change(status);
            *status != before
        });
    }
}

/// One look, with all that it needs. It has a thread to itself: where few entries match, the kernel walks its whole table
/// within one system call (25 ms for 262,144 buckets, whatever is in them).
#[derive(Debug)]
struct Look {
    delete: bool,
    addresses: UplinkAddresses,
    steering: Steering,
    moves: u64,
    holding: watch::Receiver<Option<Holding>>,
    router: watch::Receiver<Arc<RouterState>>,
    attempts: Attempts,
}

impl Look {
    async fn sweep(mut self) -> Result<Swept, KernelError> {
        let mut swept = Swept { unavailable: unavailable(), ..Swept::default() };
        let suspects = self.addresses.suspects(&self.steering);
        if suspects.is_empty() || tracked_flows().is_none_or(|count| count == 0) {
            return Ok(swept);
        }
        let Some(usable) = self.usable() else { return Ok(Swept { ending: Ending::Blind, ..swept }) };
        let limit = if self.delete { AT_ONCE } else { 0 };
        let mut socket = FlowSocket::open()?;
        let stale = |flow: &Flow| {
            let on = self.addresses.stale(flow, &self.steering)?;
            // By an uplink without carrier nothing leaves: the kernel uses other routes, and its class is about to move.
            (on.1.is_subset(&usable) && !self.attempts.are_futile(on)).then(|| on.clone())
        };
        let mut found = socket.translated_to(&suspects, limit, stale).await?;
        if !self.delete {
            swept.left = found.counts;
            return Ok(swept);
        }
        self.attempts.give_up(&mut found);
        let (fates, interrupted) = self.delete(&mut socket, &found.flows).await?;
        let before = if interrupted { BTreeMap::new() } else { found.counts.clone() };
        swept.count(found, fates);
        if interrupted {
            swept.ending = Ending::Unfinished;
        }
        self.attempts.made(before, &swept.deleted);
        swept.attempts = Some(self.attempts);
        Ok(swept)
    }

    /// Uplinks by which packets can leave at this moment; `None` while that is not known, or after another move, which
    /// may have made right what was wrong.
    fn usable(&self) -> Option<BTreeSet<UplinkId>> {
        let router = Arc::clone(&self.router.borrow());
        let moves = self.holding.borrow().as_ref().map(|holding| holding.moves);
        (router.read == ReadState::Fresh && moves == Some(self.moves)).then(|| self.addresses.usable(&router))
    }

    /// Deletes in batches for as long as what was found holds. What became of the first entries, and whether it ended
    /// early.
    async fn delete(
        &self,
        socket: &mut FlowSocket,
        flows: &[(OnUplinks, TrackedFlow)],
    ) -> Result<(Vec<Fate>, bool), KernelError> {
        let mut fates = Vec::new();
        for batch in flows.chunks(BATCH) {
            let usable = self.usable().unwrap_or_default();
            if !batch.iter().all(|((_, uplinks), _)| uplinks.is_subset(&usable)) {
                return Ok((fates, true));
            }
            fates.extend(socket.delete(batch.iter().map(|(_, flow)| flow)).await?);
        }
        Ok((fates, false))
    }
}

/// What one look found and did.
#[derive(Debug, Default)]
pub(super) struct Swept {
    /// Entries deleted, by class and the uplinks that it is on.
    pub deleted: BTreeMap<OnUplinks, u64>,
    /// Stale entries that are still there.
    pub left: BTreeMap<OnUplinks, u64>,
    /// Why entries cannot be looked at.
    pub unavailable: Option<String>,
    /// What went wrong.
    pub problem: Option<String>,
    /// Whether there is more to delete.
    ending: Ending,
    /// What deletions came to, if there were any.
    attempts: Option<Attempts>,
}

impl Swept {
    fn count(&mut self, found: Flows<OnUplinks>, fates: Vec<Fate>) {
        let unfinished = found.count() > found.flows.len() as u64;
        self.ending = if unfinished { Ending::Unfinished } else { Ending::Finished };
        self.left = found.counts;
        for ((key, _), fate) in found.flows.into_iter().zip(fates) {
            match fate {
                Fate::Refused(refusal) => {
                    self.problem = Some(format!("cannot delete the entry of a flow: {refusal}"));
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
        if unfinished {
            let left: u64 = self.left.values().sum();
            log::info!("{left} more moved flows wait for the next look: at most {AT_ONCE} are reset at once");
        }
    }
}

fn unavailable() -> Option<String> {
    tracked_flows().is_none().then(|| "this router tracks no flows (nf_conntrack is not loaded)".to_owned())
}
