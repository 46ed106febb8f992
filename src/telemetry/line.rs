//! The one line to the collector: free, or busy with one batch.

use std::{
    fmt,
    future::{Future, pending},
    pin::Pin,
    time::Duration,
};

use super::queue::Batch;

/// What came of sending a batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// The collector has it, but for `rejected` of its items.
    Acknowledged {
        /// Items that it refused for good.
        rejected: u64,
        /// What it said about them.
        note: Option<String>,
    },
    /// The collector will never take it.
    Refused {
        /// What it said, and what to do.
        reason: String,
    },
    /// It may work later.
    Retry {
        /// Not before this time has passed, by the collector's wish.
        after: Option<Duration>,
        /// What went wrong, and what to do.
        reason: String,
    },
}

/// Carries batches to the collector.
pub trait Courier: Send + 'static {
    /// Carries one batch; returns within a deadline of its own.
    fn deliver(&mut self, batch: &Batch) -> impl Future<Output = Verdict> + Send;
}

type Delivery<C> = Pin<Box<dyn Future<Output = (C, Batch, Verdict)> + Send>>;

/// The line. Batches go one after another: an agent that comes back after an outage must not burst.
pub struct Line<C> {
    courier: Option<C>,
    delivery: Option<Delivery<C>>,
    under_way: usize,
}

impl<C: Courier> Line<C> {
    /// A free line.
    pub fn new(courier: C) -> Self {
        Self { courier: Some(courier), delivery: None, under_way: 0 }
    }

    /// Whether a batch can be sent.
    pub fn is_free(&self) -> bool {
        self.courier.is_some()
    }

    /// Size of the batch under way, 0 when free.
    pub fn bytes(&self) -> usize {
        self.under_way
    }

    /// Begins to send; gives the batch back when the line is busy.
    pub fn send(&mut self, batch: Batch) -> Result<(), Batch> {
        let Some(mut courier) = self.courier.take() else { return Err(batch) };
        self.under_way = batch.size();
        self.delivery = Some(Box::pin(async move {
            let verdict = courier.deliver(&batch).await;
            (courier, batch, verdict)
        }));
        Ok(())
    }

    /// Waits for the end of the delivery under way; for ever when there is none. May be cancelled without loss.
    pub async fn delivered(&mut self) -> (Batch, Verdict) {
        let Some(delivery) = &mut self.delivery else { return pending().await };
        let (courier, batch, verdict) = delivery.await;
        self.delivery = None;
        self.under_way = 0;
        self.courier = Some(courier);
        (batch, verdict)
    }
}

impl<C> fmt::Debug for Line<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Line").field("free", &self.courier.is_some()).finish_non_exhaustive()
    }
}
