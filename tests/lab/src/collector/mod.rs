//! An OTLP/HTTP collector over mutual TLS that keeps what it got, and can be told to be difficult.
//!
//! Decodes with `opentelemetry-proto`, which shares nothing with the agent's own message definitions. Runs in a thread
//! of its own with an already bound listener, so that it serves whatever network namespace the listener was bound in.

mod answer;
mod server;
mod store;

pub use answer::Answer;
pub use store::{Histogram, LoggedEvent, Store, quantile};

use std::{
    net::{SocketAddr, TcpListener},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use tokio::sync::oneshot;

use crate::{LabError, pki::ServerIdentity};
use answer::Script;

/// How the collector speaks on its socket.
#[derive(Debug)]
pub enum Transport<'a> {
    /// TLS 1.3 with a client certificate, as it should be.
    MutualTls(&'a ServerIdentity),
    /// TLS 1.2 and nothing newer, with a client certificate.
    OldTls(&'a ServerIdentity),
    /// HTTP without TLS.
    Plain,
}

/// A running collector. Stops when dropped: its listener and all its connections are closed.
#[derive(Debug)]
pub struct Collector {
    address: SocketAddr,
    shared: Arc<Shared>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

/// What the server's thread and its owner both see.
#[derive(Debug, Default)]
struct Shared {
    store: Mutex<Store>,
    script: Mutex<Script>,
}

impl Shared {
    fn store(&self) -> MutexGuard<'_, Store> {
        self.store.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn script(&self) -> MutexGuard<'_, Script> {
        self.script.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Collector {
    /// Serves mutual TLS 1.3 on `listener`.
    ///
    /// # Errors
    /// When the identity or the listener cannot be used.
    pub fn start(listener: TcpListener, identity: &ServerIdentity) -> Result<Self, LabError> {
        Self::start_with(listener, &Transport::MutualTls(identity))
    }

    /// Serves `transport` on `listener`.
    ///
    /// # Errors
    /// When the identity or the listener cannot be used.
    pub fn start_with(listener: TcpListener, transport: &Transport<'_>) -> Result<Self, LabError> {
        let failed = |source| LabError::system("start the collector", source);
        let tls = server::acceptor(transport)?;
        let address = listener.local_addr().map_err(failed)?;
        listener.set_nonblocking(true).map_err(failed)?;
        let shared = Arc::new(Shared::default());
        let (stop, stopped) = oneshot::channel();
        let thread = {
            let shared = Arc::clone(&shared);
            thread::Builder::new()
                .name("collector".to_owned())
                .spawn(move || server::serve_blocking(listener, tls, shared, stopped))
                .map_err(failed)?
        };
        Ok(Self { address, shared, stop: Some(stop), thread: Some(thread) })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What it received so far. Holds a lock: let go of it soon.
    pub fn store(&self) -> MutexGuard<'_, Store> {
        self.shared.store()
    }

    /// Answers every request this way from now on.
    pub fn answer(&self, answer: Answer) {
        self.shared.script().standing = answer;
    }

    /// Answers the next `times` requests this way, after those already told.
    pub fn answer_next(&self, times: usize, answer: &Answer) {
        self.shared.script().next.extend(std::iter::repeat_n(answer.clone(), times));
    }

    /// Waits until `holds` is true of what was received.
    ///
    /// # Errors
    /// When it does not become true within `limit`.
    pub fn wait_until(
        &self,
        what: &str,
        limit: Duration,
        mut holds: impl FnMut(&Store) -> bool,
    ) -> Result<(), LabError> {
        let start = Instant::now();
        loop {
            if holds(&self.store()) {
                return Ok(());
            }
            if start.elapsed() > limit {
                let last = self.store().summary();
                return Err(LabError::Deadline { what: what.to_owned(), seconds: limit.as_secs_f64(), last });
            }
            thread::sleep(Duration::from_millis(10));
        }
    }
}

impl Drop for Collector {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // A panic of the server was printed by its thread; nothing is left to stop.
            let _ = thread.join();
        }
    }
}
