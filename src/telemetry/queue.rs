//! Batches that wait for the collector, bounded in bytes; the oldest give way to the newest, and are counted.

use std::collections::VecDeque;

use hyper::body::Bytes;

/// The two OTLP services in use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signal {
    /// `/v1/metrics`.
    Metrics,
    /// `/v1/logs`.
    Logs,
}

impl Signal {
    /// Path below the endpoint.
    pub fn path(self) -> &'static str {
        match self {
            Self::Metrics => "/v1/metrics",
            Self::Logs => "/v1/logs",
        }
    }
}

/// One request body, ready to send.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Batch {
    /// Service that it is for.
    pub signal: Signal,
    /// Protobuf, gzipped.
    pub body: Bytes,
    /// Data points or log records in it.
    pub items: u64,
}

impl Batch {
    /// Memory that it takes.
    pub fn size(&self) -> usize {
        self.body.len() + size_of::<Self>()
    }
}

/// What was dropped because the queue was full.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Dropped {
    /// Batches.
    pub batches: u64,
    /// Data points and log records in them.
    pub items: u64,
}

/// The queue. A batch being sent is taken out, and put back if it was not sent.
#[derive(Debug)]
pub struct Queue {
    waiting: VecDeque<Batch>,
    bytes: usize,
    bound: usize,
    dropped: Dropped,
}

impl Queue {
    /// An empty queue of at most `bound` bytes.
    pub fn new(bound: usize) -> Self {
        Self { waiting: VecDeque::new(), bytes: 0, bound, dropped: Dropped::default() }
    }

    /// Adds the newest batch, at the cost of the oldest if need be.
    pub fn push(&mut self, batch: Batch) {
        if batch.size() > self.bound {
            // It would drive out all others, and then not fit either.
            self.dropped.batches += 1;
            self.dropped.items += batch.items;
            return;
        }
        self.bytes += batch.size();
        self.waiting.push_back(batch);
        self.keep_bound();
    }

    /// Takes the oldest batch.
    pub fn take(&mut self) -> Option<Batch> {
        let batch = self.waiting.pop_front()?;
        self.bytes -= batch.size();
        Some(batch)
    }

    /// Puts a batch back that was taken and not sent. It is the oldest, so it is the first to go if the queue has
    /// filled up meanwhile.
    pub fn put_back(&mut self, batch: Batch) {
        self.bytes += batch.size();
        self.waiting.push_front(batch);
        self.keep_bound();
    }

    /// Whether nothing waits.
    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Batches waiting.
    pub fn len(&self) -> usize {
        self.waiting.len()
    }

    /// Bytes waiting.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// What was dropped so far.
    pub fn dropped(&self) -> Dropped {
        self.dropped
    }

    fn keep_bound(&mut self) {
        while self.bytes > self.bound {
            let Some(oldest) = self.take() else { return };
            self.dropped.batches += 1;
            self.dropped.items += oldest.items;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn batch(number: u64) -> Batch {
        Batch { signal: Signal::Metrics, body: Bytes::from(vec![0; 100]), items: number }
    }

    fn queue_of(capacity: usize, numbers: impl IntoIterator<Item = u64>) -> Queue {
        let mut queue = Queue::new(capacity * batch(0).size());
        numbers.into_iter().for_each(|number| queue.push(batch(number)));
        queue
    }

    fn rest(mut queue: Queue) -> Vec<u64> {
        std::iter::from_fn(|| queue.take()).map(|batch| batch.items).collect()
    }

    #[test]
    fn batches_leave_in_the_order_in_which_they_came() {
        assert_eq!(rest(queue_of(3, [1, 2, 3])), [1, 2, 3]);
    }

    #[test]
    fn the_oldest_give_way_and_are_counted() {
        let queue = queue_of(3, 1..=5);
        assert_eq!(queue.dropped(), Dropped { batches: 2, items: 1 + 2 });
        assert_eq!((queue.len(), queue.bytes()), (3, 3 * batch(0).size()));
        assert_eq!(rest(queue), [3, 4, 5]);
    }

    #[test]
    fn what_is_put_back_is_first_again() {
        let mut queue = queue_of(3, [1, 2]);
        let taken = queue.take().unwrap();
        queue.put_back(taken);
        assert_eq!(rest(queue), [1, 2]);
    }

    #[test]
    fn what_is_put_back_into_a_full_queue_is_the_one_to_go() {
        let mut queue = queue_of(2, [1, 2]);
        let taken = queue.take().unwrap();
        queue.push(batch(3));
        queue.put_back(taken);
        assert_eq!(queue.dropped(), Dropped { batches: 1, items: 1 });
        assert_eq!(rest(queue), [2, 3]);
    }

    #[test]
    fn a_batch_larger_than_the_bound_is_dropped_and_leaves_an_empty_queue() {
        let mut queue = Queue::new(50);
        queue.push(batch(9));
        assert!(queue.is_empty());
        assert_eq!((queue.bytes(), queue.dropped()), (0, Dropped { batches: 1, items: 9 }));
    }
}
