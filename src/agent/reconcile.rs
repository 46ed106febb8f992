//! Keeps what the kernel holds equal to what is desired: level-triggered, by difference, with one owner of the socket.

use std::{sync::Arc, time::Duration};

use tokio::{
    sync::watch,
    task::JoinHandle,
    time::{Instant, sleep_until},
};

use super::budget::RestoreBudget;
use crate::{
    config::Kernel,
    kernel::{Applied, Doubt, FibSocket, KernelError, inspect},
    plan::{self, Change, Fib},
};

/// How long events are collected before our tables are read again.
const DEBOUNCE: Duration = Duration::from_millis(20);
/// How long to wait before a failed attempt is repeated.
const RETRY: Duration = Duration::from_millis(500);
/// Longest such wait: it doubles from attempt to attempt.
const LONGEST_RETRY: Duration = Duration::from_secs(30);
/// Reading our tables may take a tenth of the time, however often others touch them.
const REST_FACTOR: u32 = 10;
/// Our tables are read at least this often, whatever the events say.
const FULL_CHECK: Duration = Duration::from_secs(60);
/// How often one round may read again and apply what is left before it waits for news.
const ROUNDS: usize = 3;

/// How many reads in a row may be left for newer orders.
const MOST_LEFT: u32 = 3;

/// What the kernel should hold, and whether to see to it.
#[derive(Debug, Clone, PartialEq)]
pub struct Order {
    /// Everything of ours.
    pub fib: Arc<Fib>,
    /// Write it; otherwise only look.
    pub write: bool,
    /// Grows from order to order.
    pub serial: u64,
}

/// What is known of our part of the kernel.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct FibStatus {
    /// Everything of ours, as last read or written.
    pub observed: Arc<Fib>,
    /// It is what is desired.
    pub in_step: bool,
    /// Serial of the last order that was carried out, or tried.
    pub order: u64,
    /// Changes acknowledged by the kernel since start.
    pub writes: u64,
    /// Objects put back because others removed or changed them, since start.
    pub put_back: u64,
    /// Objects with our mark that were not ours to keep and were removed, since start.
    pub cleared: u64,
    /// Why the last attempt failed, if it did.
    pub error: Option<String>,
    /// Attempts that failed in a row.
    pub failures: u32,
    /// Another program undoes what we repair, and we have yielded: who it is and what is done about it.
    pub contested: Option<String>,
}

impl FibStatus {
    /// Objects that were repaired in either way.
    pub fn repairs(&self) -> u64 {
        self.put_back + self.cleared
    }
}

/// Orders as they come; one that is being carried out is left as soon as there is a newer one.
type Orders = watch::Receiver<Option<Order>>;

/// How carrying out an order ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outcome {
    /// Nothing is left to do.
    Settled,
    /// A newer order is there; what is left of this one is not wanted any more.
    Superseded,
    /// Others undo it, and we have yielded.
    Yielded,
}

/// The task: follows orders and doubts, publishes its status.
#[derive(Debug)]
pub struct Reconciler {
    socket: FibSocket,
    own: Kernel,
    status: watch::Sender<FibStatus>,
    state: FibStatus,
    /// What the kernel was last brought to; a difference from it that nobody desired is somebody else's doing.
    reached: Option<Arc<Fib>>,
    budget: RestoreBudget,
    /// Something may have changed since our tables were last read.
    doubtful: bool,
    /// How often our tables were read, and how long the last time took.
    reads: u64,
    /// Reads in a row that were left for a newer order.
    left: u32,
    cost: Duration,
}

impl Reconciler {
    /// Opens the socket and reads what an earlier run left.
    ///
    /// # Errors
    /// When the kernel cannot be asked.
    pub async fn open(own: &Kernel) -> Result<(Self, watch::Receiver<FibStatus>), KernelError> {
        let mut socket = FibSocket::open(own)?;
        let observed = Arc::new(socket.read().await?);
        let state = FibStatus { observed, ..FibStatus::default() };
        let (status, receiver) = watch::channel(state.clone());
        let reconciler = Self {
            socket,
            own: own.clone(),
            status,
            state,
            reached: None,
            budget: RestoreBudget::default(),
            doubtful: false,
            reads: 1,
            left: 0,
            cost: Duration::ZERO,
        };
        Ok((reconciler, receiver))
    }

    /// What was read at the start.
    pub fn observed(&self) -> Arc<Fib> {
        Arc::clone(&self.state.observed)
    }

    /// Runs until `orders` is closed, and gives itself back for what is left to do at the end.
    pub async fn run(mut self, mut orders: Orders, mut doubt: watch::Receiver<Doubt>) -> Self {
        let mut check_at = Instant::now() + FULL_CHECK;
        loop {
            tokio::select! {
                biased;
                changed = orders.changed() => {
                    if changed.is_err() {
                        return self;
                    }
                    let Some(order) = orders.borrow_and_update().clone() else { continue };
                    let (trust, reads) = (self.trust(), self.reads);
                    self.pursue(&order, trust, &mut orders.clone()).await;
                    if self.reads == reads && self.state.failures == 0 && !self.doubtful {
                        // Nothing was written or read: a doubt that is waiting is not looked into yet.
                        continue;
                    }
                }
                // While attempts are contested, only a new order or time brings the next one.
                Ok(()) = doubt.changed(), if self.state.contested.is_none() => {
                    self.doubtful = true;
                    check_at = check_at.min(Instant::now() + self.rest());
                    continue;
                }
                () = sleep_until(check_at) => {
                    let order = orders.borrow_and_update().clone();
                    let mut newer = orders.clone();
                    match order {
                        Some(order) => self.pursue(&order, Trust::ReadAgain, &mut newer).await,
                        None => self.look(&mut newer).await,
                    }
                }
            }
            check_at = self.next_check(Instant::now());
        }
    }

    /// Brings the kernel to what is ordered, whatever comes meanwhile. With [`Trust::LastSeen`] traffic is taken off paths
    /// that are wanted no more at once, without waiting for a dump; everything else follows from a fresh read, because
    /// what was last seen may be gone with a carrier, and traffic on the standing backup.
    pub async fn carry_out(&mut self, order: &Order, trust: Trust) -> &FibStatus {
        let (_nobody, mut none) = watch::channel(None);
        self.pursue(order, trust, &mut none).await;
        &self.state
    }

    /// The same, until there is a newer order.
    async fn pursue(&mut self, order: &Order, trust: Trust, newer: &mut Orders) {
        let superseded = match self.settle(order, trust, newer).await {
            Ok(outcome) => {
                self.state.failures = 0;
                self.state.error = None;
                outcome == Outcome::Superseded
            }
            Err(reason) => {
                self.state.failures += 1;
                self.state.error = Some(reason);
                false
            }
        };
        self.doubtful |= superseded;
        self.state.in_step = !superseded && self.state.observed == order.fib;
        if self.state.in_step {
            // One copy is enough: with all service tags it is megabytes.
            self.state.observed = Arc::clone(&order.fib);
        }
        self.state.order = order.serial;
        if self.state.in_step {
            self.reached = Some(Arc::clone(&order.fib));
        }
        if self.budget.next_attempt().is_none() {
            self.state.contested = None;
        }
        self.publish();
    }

    /// After a failure nothing that was seen before is certain.
    fn trust(&self) -> Trust {
        if self.state.error.is_some() { Trust::ReadAgain } else { Trust::LastSeen }
    }

    fn next_check(&self, now: Instant) -> Instant {
        match self.budget.next_attempt() {
            Some(at) if self.state.failures == 0 => at.max(now + DEBOUNCE),
            _ => now + self.rest(),
        }
    }

    /// How long to wait when nothing more happens.
    fn rest(&self) -> Duration {
        match self.state.failures {
            0 if self.doubtful => DEBOUNCE.max(self.cost * REST_FACTOR),
            0 => FULL_CHECK,
            // One refusal must not keep the rest from being repaired.
            _ if self.doubtful => RETRY.max(self.cost * REST_FACTOR),
            failures => RETRY.saturating_mul(1 << failures.min(10).saturating_sub(1)).min(LONGEST_RETRY),
        }
    }

    fn publish(&self) {
        self.status.send_if_modified(|status| {
            let news = *status != self.state;
            if news {
                status.clone_from(&self.state);
            }
            news
        });
    }

    async fn settle(&mut self, order: &Order, trust: Trust, newer: &mut Orders) -> Result<Outcome, String> {
        if trust == Trust::ReadAgain && !self.read(newer).await? {
            return Ok(Outcome::Superseded);
        }
        if !order.write {
            return Ok(Outcome::Settled);
        }
        // Nothing new was ordered and yet the kernel differs: others took it away or added to it.
        let repair = self.reached.as_ref() == Some(&order.fib);
        if !repair {
            self.reached = None;
        }
        let objection = inspect(&self.own, &order.fib).map_err(|objection| objection.to_string());
        if !repair && (trust == Trust::LastSeen || objection.is_err()) {
            let urgent = plan::at_once(&order.fib, &self.state.observed);
            if !urgent.is_empty() {
                // What is refused of it is tried again in its place among all others.
                let Some(applied) = self.write(&urgent, repair, newer).await? else { return Ok(Outcome::Superseded) };
                self.absorb(&applied, &urgent);
            }
        }
        objection?;
        if trust == Trust::LastSeen && !self.read(newer).await? {
            return Ok(Outcome::Superseded);
        }
        let mut refusal = None;
        for _ in 0..ROUNDS {
            let changes = plan::difference(&order.fib, &self.state.observed);
            if changes.is_empty() && self.socket.leftovers() == 0 {
                if trust == Trust::ReadAgain {
                    self.budget.quiet(Instant::now());
                }
                return Ok(Outcome::Settled);
            }
            if repair && !self.budget.take(Instant::now()) {
                self.state.contested = Some(RestoreBudget::verdict(self.socket.neighbour(&changes)));
                return Ok(Outcome::Yielded);
            }
            let Some(applied) = self.write(&changes, repair, newer).await? else { return Ok(Outcome::Superseded) };
            let first = applied.first_refusal.as_ref();
            refusal = first.map(|(_, error)| (error.to_string(), applied.refused));
            let cleared = if refusal.is_none() { self.clear_leftovers().await } else { Ok(()) };
            let read = match cleared {
                Ok(()) => self.read(newer).await,
                Err(reason) => Err(reason),
            };
            if read != Ok(true) {
                self.absorb(&applied, &changes);
            }
            if !read? {
                return Ok(Outcome::Superseded);
            }
        }
        self.verdict(order, refusal)
    }

    /// What is to be said after the last round.
    fn verdict(&self, order: &Order, refusal: Option<(String, usize)>) -> Result<Outcome, String> {
        match refusal {
            Some((first, 1)) => Err(first),
            Some((first, refused)) => Err(format!("{first} (and {} more were refused)", refused - 1)),
            None if plan::difference(&order.fib, &self.state.observed).is_empty() => Ok(Outcome::Settled),
            None => Err("the kernel acknowledged every change but does not hold them; \
                         another program may be rewriting our tables"
                .to_owned()),
        }
    }

    /// Writes changes; none when a newer order came meanwhile. What was acknowledged is then taken for what the kernel
    /// holds, because the newer order cannot wait until it is read.
    async fn write(&mut self, changes: &[Change], repair: bool, newer: &Orders) -> Result<Option<Applied>, String> {
        // A closed channel is the end of the agent: what is left would only delay it.
        let mut superseded = || newer.has_changed().unwrap_or(true);
        let applied = self.socket.apply_until(changes, &mut superseded).await;
        let superseded = applied.interrupted || superseded();
        self.state.writes += applied.done as u64;
        if repair {
            self.count_repairs(&applied, changes);
        }
        if superseded || applied.broken.is_some() {
            self.absorb(&applied, changes);
        }
        match applied.broken {
            Some(error) => Err(error.to_string()),
            None => Ok((!superseded).then_some(applied)),
        }
    }

    /// Takes what was acknowledged for what the kernel holds, until that is read.
    fn absorb(&mut self, applied: &Applied, changes: &[Change]) {
        let observed = Arc::make_mut(&mut self.state.observed);
        applied.accomplished(changes).for_each(|change| observed.absorb(change));
    }

    /// The plan stands: what else carries our protocol number goes.
    async fn clear_leftovers(&mut self) -> Result<(), String> {
        let (cleared, refusal) = self.socket.clear_leftovers().await.map_err(|error| error.to_string())?;
        self.state.writes += cleared as u64;
        self.state.cleared += cleared as u64;
        refusal.map_or(Ok(()), |error| Err(error.to_string()))
    }

    async fn look(&mut self, newer: &mut Orders) {
        self.state.error = self.read(newer).await.err();
        self.state.failures = if self.state.error.is_some() { self.state.failures + 1 } else { 0 };
        self.publish();
    }

    /// Reads our tables; false when a newer order came first, which is worth more than the rest of an old picture.
    async fn read(&mut self, newer: &mut Orders) -> Result<bool, String> {
        let began = Instant::now();
        let observed = tokio::select! {
            biased;
            observed = self.socket.read() => observed.map_err(|error| error.to_string())?,
            // Orders without end must not keep it from ever being read.
            _ = newer.changed(), if self.left < MOST_LEFT => {
                // To be seen by the caller too.
                newer.mark_changed();
                self.doubtful = true;
                self.left += 1;
                return Ok(false);
            }
        };
        self.left = 0;
        self.cost = began.elapsed();
        self.reads += 1;
        self.doubtful = false;
        if observed != *self.state.observed {
            self.state.observed = Arc::new(observed);
        }
        Ok(true)
    }

    fn count_repairs(&mut self, applied: &Applied, changes: &[Change]) {
        for change in applied.accomplished(changes) {
            match change {
                Change::DeleteRoute(..) | Change::DeleteRule(_) | Change::DeleteNextHop(_) => self.state.cleared += 1,
                _ => self.state.put_back += 1,
            }
        }
    }
}

/// Ends the reconciler; with `withdraw`, takes everything of ours out of the kernel first.
///
/// # Errors
/// When it failed, or the kernel refuses.
pub async fn end(reconciler: JoinHandle<Reconciler>, withdraw: bool) -> Result<(), String> {
    const ATTEMPTS: usize = 3;
    let mut reconciler = reconciler.await.map_err(|error| error.to_string())?;
    let order = Order { fib: Arc::new(Fib::default()), write: true, serial: u64::MAX };
    for _ in 0..ATTEMPTS {
        if !withdraw || reconciler.carry_out(&order, Trust::ReadAgain).await.in_step {
            return Ok(());
        }
    }
    Err("the kernel refuses".to_owned())
}

/// Whether the last picture of the kernel is good enough to start from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trust {
    /// Start from what was last seen.
    LastSeen,
    /// Read first.
    ReadAgain,
}
