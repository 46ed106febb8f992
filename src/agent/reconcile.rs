//! Keeps what the kernel holds equal to what is desired: level-triggered, by difference, with one owner of the socket.

use std::{sync::Arc, time::Duration};

use tokio::{
    sync::watch,
    task::JoinHandle,
    time::{Instant, sleep_until},
};

use crate::{
    config::Kernel,
    kernel::{Doubt, FibSocket, KernelError},
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
}

impl FibStatus {
    /// Objects that were repaired in either way.
    pub fn repairs(&self) -> u64 {
        self.put_back + self.cleared
    }
}

/// The task: follows orders and doubts, publishes its status.
#[derive(Debug)]
pub struct Reconciler {
    socket: FibSocket,
    status: watch::Sender<FibStatus>,
    state: FibStatus,
    /// What the kernel was last brought to; a difference from it that nobody desired is somebody else's doing.
    settled: Option<Arc<Fib>>,
    /// How often our tables were read, and how long the last time took.
    reads: u64,
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
        Ok((Self { socket, status, state, settled: None, reads: 1, cost: Duration::ZERO }, receiver))
    }

    /// What was read at the start.
    pub fn observed(&self) -> Arc<Fib> {
        Arc::clone(&self.state.observed)
    }

    /// Runs until `orders` is closed, and gives itself back for what is left to do at the end.
    pub async fn run(
        mut self,
        mut orders: watch::Receiver<Option<Order>>,
        mut doubt: watch::Receiver<Doubt>,
    ) -> Self {
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
                    self.carry_out(&order, trust).await;
                    if self.reads == reads && self.state.failures == 0 {
                        // Nothing was written or read: a doubt that is waiting is not looked into yet.
                        continue;
                    }
                }
                // While attempts fail, only a new order or time brings the next one.
                Ok(()) = doubt.changed(), if self.state.failures == 0 => {
                    check_at = check_at.min(Instant::now() + DEBOUNCE.max(self.cost * REST_FACTOR));
                    continue;
                }
                () = sleep_until(check_at) => {
                    let order = orders.borrow().clone();
                    match order {
                        Some(order) => _ = self.carry_out(&order, Trust::ReadAgain).await,
                        None => self.look().await,
                    }
                }
            }
            check_at = Instant::now() + self.rest();
        }
    }

    /// Brings the kernel to what is ordered. With [`Trust::LastSeen`] the difference from what was last seen is written
    /// at once, without waiting for a dump; a refusal (something of ours is gone) leads to a fresh read.
    pub async fn carry_out(&mut self, order: &Order, trust: Trust) -> &FibStatus {
        match self.settle(order, trust).await {
            Ok(()) => {
                self.state.failures = 0;
                self.state.error = None;
            }
            Err(reason) => {
                self.state.failures += 1;
                self.state.error = Some(reason);
            }
        }
        self.state.in_step = self.state.observed == order.fib;
        self.state.order = order.serial;
        self.settled = self.state.in_step.then(|| Arc::clone(&order.fib));
        self.publish();
        &self.state
    }

    /// After a failure nothing that was seen before is certain.
    fn trust(&self) -> Trust {
        if self.state.error.is_some() { Trust::ReadAgain } else { Trust::LastSeen }
    }

    /// How long to wait when nothing happens.
    fn rest(&self) -> Duration {
        match self.state.failures {
            0 => FULL_CHECK,
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

    async fn settle(&mut self, order: &Order, trust: Trust) -> Result<(), String> {
        if trust == Trust::ReadAgain {
            self.read().await?;
            self.count_repairs(order);
        }
        if !order.write {
            return Ok(());
        }
        let mut refusal = None;
        for _ in 0..ROUNDS {
            let changes = plan::difference(&order.fib, &self.state.observed);
            if changes.is_empty() {
                return Ok(());
            }
            let applied = self.socket.apply(&changes).await.map_err(|error| error.to_string())?;
            self.state.writes += applied.done as u64;
            refusal = applied.failed.first().map(|(_, error)| error.to_string());
            self.read().await?;
        }
        match refusal {
            Some(refusal) => Err(refusal),
            None if plan::difference(&order.fib, &self.state.observed).is_empty() => Ok(()),
            None => Err("the kernel acknowledged every change but does not hold them; \
                         another program may be rewriting our tables"
                .to_owned()),
        }
    }

    async fn look(&mut self) {
        self.state.error = self.read().await.err();
        self.state.failures = if self.state.error.is_some() { self.state.failures + 1 } else { 0 };
        self.publish();
    }

    async fn read(&mut self) -> Result<(), String> {
        let began = Instant::now();
        let observed = self.socket.read().await.map_err(|error| error.to_string())?;
        self.cost = began.elapsed();
        self.reads += 1;
        if observed != *self.state.observed {
            self.state.observed = Arc::new(observed);
        }
        Ok(())
    }

    /// Nothing new was ordered and yet the kernel differs: others took it away or added to it.
    fn count_repairs(&mut self, order: &Order) {
        if !order.write || self.settled.as_ref() != Some(&order.fib) {
            return;
        }
        for change in plan::difference(&order.fib, &self.state.observed) {
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
