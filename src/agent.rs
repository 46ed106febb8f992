//! Composition: starts the tasks, wires the channels, shuts down in order. Knows all, decides nothing.
//!
//! | task | owns | hears | tells |
//! |---|---|---|---|
//! | `kernel::watch_router` | picture of the router | netlink events | `RouterState`, `Doubt` (watch) |
//! | `probe::run` | probe sockets, schedule | paths (watch) | samples (mpsc 256; full: it waits) |
//! | the loop below | [`Engine`] | all of these | orders (watch), snapshot (watch), records (mpsc 4096; full: dropped, counted) |
//! | [`Reconciler`] | our part of the kernel | orders, `Doubt` | [`FibStatus`] (watch) |
//! | `flows` | entries of moved flows | what the kernel holds (watch), `RouterState` | [`FlowsStatus`] (watch) |
//! | `passive::run` | packet socket | handshakes on the uplinks | figures (watch), measured (mpsc 16; full: let go) |
//! | `recording` (a thread) | recording files | samples, attachments (4096; full: dropped, counted) | – |
//! | `telemetry::run` | queue, connection | records, snapshot | its status (watch) |
//! | `conflicts` | – | kernel, files, once | what stands in the way (mpsc 1, one message) |
//! | `local` | control socket | snapshot | requests (mpsc 16; full: the client is told) |

mod aside;
mod budget;
mod candidate;
mod conflicts;
mod engine;
mod explain;
mod flows;
mod kernel_news;
mod measuring;
mod path_views;
mod privilege;
mod protected;
mod reconcile;
mod reporting;
mod resolvers;
mod roster;
mod snapshot;
mod users;

use std::{
    future,
    net::IpAddr,
    path::{Path, PathBuf},
    pin::pin,
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::{
    signal::unix::{SignalKind, signal},
    sync::{mpsc, oneshot, watch},
    task::JoinHandle,
    time::{MissedTickBehavior, interval, sleep, timeout},
};

pub(crate) use self::resolvers::{name_servers, reachable_through_uplinks};
pub use self::{
    candidate::Candidate,
    engine::Engine,
    reconcile::{FibStatus, Order, Reconciler, Trust},
};
use self::{
    flows::{FlowsStatus, MovedFlowsWatch},
    kernel_news::KernelNews,
    measuring::Measuring,
    reporting::Reporting,
    snapshot::{Held, Surroundings},
    users::Users,
};
use crate::{
    catalogue::{Catalogue, CatalogueError},
    clock::{boot_time, wall_time_of_boot},
    config::{Config, Mode, OnStop},
    domain::{BootTime, ClassId, Event, EventKind, ProbeSample, RouterState, Severity, view::Snapshot},
    kernel::{Doubt, KernelError, has_resilient_groups, watch_router},
    local::{Answer, ControlSocket, Forwarded, LocalError, Request, Subject},
    plan::Fib,
    probe::{ProbePath, TrustAnchors, TrustError},
    recording::{self, Recorder},
};

/// How often figures that change with every probe are shown anew.
const REFRESH: Duration = Duration::from_secs(1);
/// How often files that name what must not be steered are read again.
const LOOK_AROUND: Duration = Duration::from_secs(60);
/// Samples taken before what they mean is acted upon.
const SAMPLES_AT_ONCE: usize = 256;
/// How long a withdrawal may take before the asker is told that it failed, or the agent stops without it: this, ...
const WITHDRAW_DEADLINE: Duration = Duration::from_secs(3);
/// ... and this for each object (15 µs was measured on a server, and a router may be several times slower), ...
const WITHDRAW_OBJECT: Duration = Duration::from_micros(100);
/// ... but no longer than this.
const LONGEST_WITHDRAW: Duration = Duration::from_secs(20);
/// How long the last report may take at shutdown.
const GOODBYE: Duration = Duration::from_secs(4);

/// Why the agent could not start, or had to stop.
#[derive(Debug, thiserror::Error)]
pub enum AgentError {
    /// The control socket cannot be had.
    #[error(transparent)]
    Local(#[from] LocalError),
    /// A catalogue source was refused.
    #[error(transparent)]
    Catalogue(#[from] CatalogueError),
    /// Trust anchors that the configuration names cannot be used.
    #[error(transparent)]
    Trust(#[from] TrustError),
    /// The kernel cannot be asked.
    #[error(transparent)]
    Kernel(#[from] KernelError),
    /// `enforce` without the capability for it.
    #[error(
        "mode = \"enforce\" needs the capability CAP_NET_ADMIN, which this process does not have; run it as root, or \
         grant it: AmbientCapabilities=CAP_NET_ADMIN CAP_NET_RAW in the systemd unit, or \
         `setcap cap_net_admin,cap_net_raw+ep {program}`"
    )]
    NotPrivileged {
        /// Path of this program.
        program: String,
    },
    /// The runtime or a signal handler could not be set up.
    #[error("cannot start: {0}")]
    Runtime(#[from] std::io::Error),
}

/// Runs the agent until SIGTERM or SIGINT; `file` is where the configuration was read.
///
/// # Errors
/// When it cannot start: privileges, catalogue, control socket, netlink.
pub fn run(config: Config, file: &Path) -> Result<(), AgentError> {
    run_for(config, file, None)
}

/// Runs the agent for so long, or until SIGTERM or SIGINT.
///
/// # Errors
/// As [`run`].
pub fn run_for(mut config: Config, file: &Path, limit: Option<Duration>) -> Result<(), AgentError> {
    if config.kernel.mode == Mode::Enforce {
        privilege::require_net_admin()?;
    }
    let catalogue = Catalogue::of(&config)?;
    for tie in catalogue.ties() {
        log::warn!("{}; the first one is applied", tie.in_words(&config.policy.rules));
    }
    let trust = measuring::trust(&mut config.probe)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let outcome = runtime.block_on(async {
        let control = ControlSocket::bind(&config.control.socket)?;
        let (agent, tasks) = Agent::compose(config, file, catalogue, trust, control).await?;
        agent.run(tasks, limit).await
    });
    // A look-up of the collector's name may hang in the resolver's thread.
    runtime.shutdown_timeout(Duration::from_millis(100));
    outcome
}

/// The tasks around the loop, and what they tell it.
struct Tasks {
    watcher: JoinHandle<Result<(), KernelError>>,
    router: watch::Receiver<Arc<RouterState>>,
    samples: mpsc::Receiver<ProbeSample>,
    fib: watch::Receiver<FibStatus>,
    requests: mpsc::Receiver<Forwarded>,
    reconciler: JoinHandle<Reconciler>,
    reporter: Option<JoinHandle<()>>,
    server: JoinHandle<()>,
    flows: watch::Receiver<FlowsStatus>,
    conflicts: mpsc::Receiver<Vec<EventKind>>,
}

/// The loop's own state.
struct Agent {
    engine: Engine,
    /// The configuration, for people to find its lines.
    file: PathBuf,
    started: BootTime,
    withdrawn: bool,
    held: Held,
    ordered: (u64, u64),
    kernel_news: KernelNews,
    doubt: watch::Receiver<Doubt>,
    router_now: watch::Receiver<Arc<RouterState>>,
    fib_now: watch::Receiver<FibStatus>,
    paths: watch::Sender<Arc<[ProbePath]>>,
    orders: watch::Sender<Option<Order>>,
    snapshots: watch::Sender<Arc<Snapshot>>,
    reporting: Reporting,
    recorder: Recorder,
    flows: MovedFlowsWatch,
    users: Option<Users>,
}

impl Agent {
    /// Opens every edge, adopts what the kernel holds, and starts the tasks.
    async fn compose(
        config: Config,
        file: &Path,
        catalogue: Catalogue,
        trust: Option<Arc<TrustAnchors>>,
        control: ControlSocket,
    ) -> Result<(Self, Tasks), AgentError> {
        let started = boot_time();
        let (reconciler, fib) = Reconciler::open(&config.kernel).await?;
        let catalogue = Arc::new(catalogue);
        let mut engine = Engine::new(config.clone(), Arc::clone(&catalogue), started);
        if config.policy.balances() && !has_resilient_groups() {
            log::warn!(
                "this kernel has no resilient next-hop groups (Linux 5.13): where traffic is balanced, flows move when an uplink comes or goes"
            );
            engine.without_resilience();
        }
        let adopted = reconciler.observed();
        engine.adopt(&adopted, started);
        look_at_name_servers(&mut engine);
        engine.set_clock(wall_time_of_boot());

        let (router_sender, router) = watch::channel(Arc::new(RouterState::default()));
        let (doubt_sender, doubt) = watch::channel(Doubt::default());
        let watcher =
            tokio::spawn(watch_router(config.kernel.clone(), engine.interest(), router_sender, doubt_sender));

        let recorder = recording::start(&config, &catalogue, |class| Some(engine.targets_of(class)), started);
        let Measuring { paths, samples, ports } = measuring::start(&config.probe, trust);
        let users = users::start(&config, catalogue, ports);

        let (orders, orders_receiver) = watch::channel(None);
        let reconciler = tokio::spawn(reconciler.run(orders_receiver, doubt.clone()));

        let (snapshots, snapshot) = watch::channel(Arc::new(Snapshot::default()));
        let (reporting, reporter) = reporting::start(&config, snapshot.clone());

        let (request_sender, requests) = mpsc::channel(16);
        let server = tokio::spawn(control.serve(snapshot, request_sender));

        let held = Held::adopted(&engine, &adopted);
        let flows = MovedFlowsWatch::start(&config, router.clone(), &held);
        let conflicts = conflicts::look(&config, &engine.interest());

        let agent = Self {
            held,
            ordered: (0, 0),
            engine,
            file: file.to_owned(),
            started,
            withdrawn: false,
            kernel_news: KernelNews::default(),
            doubt,
            router_now: router.clone(),
            fib_now: fib.clone(),
            paths,
            orders,
            snapshots,
            reporting,
            recorder,
            flows,
            users,
        };
        let flows = agent.flows.news();
        let tasks = Tasks { watcher, router, samples, fib, requests, reconciler, reporter, server, flows, conflicts };
        Ok((agent, tasks))
    }

    async fn run(mut self, mut tasks: Tasks, limit: Option<Duration>) -> Result<(), AgentError> {
        let mut end = pin!(limit_reached(limit));
        let mut terminate = signal(SignalKind::terminate())?;
        let mut interrupt = signal(SignalKind::interrupt())?;
        let mut refresh = interval(REFRESH);
        refresh.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut look_around = interval(LOOK_AROUND);
        look_around.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mode = self.engine.config.kernel.mode.as_str().to_owned();
        self.tell(vec![EventKind::AgentStarted { version: env!("CARGO_PKG_VERSION").to_owned(), mode }]);
        self.fib_changed();
        let outcome = loop {
            let review = self.until_review();
            tokio::select! {
                biased;
                _ = terminate.recv() => break Ok(()),
                _ = interrupt.recv() => break Ok(()),
                () = &mut end => break Ok(()),
                ended = &mut tasks.watcher => break watcher_ended(ended),
                Ok(()) = tasks.router.changed() => self.router_changed(),
                Ok(()) = tasks.fib.changed() => self.fib_changed(),
                Ok(()) = tasks.flows.changed() => self.flows_changed(),
                Some(sample) = tasks.samples.recv() => self.sampled(&sample, &mut tasks.samples),
                () = sleep(review) => self.review(),
                Some((request, answer)) = tasks.requests.recv() => self.answer(&request, answer),
                Some(batch) = users::measured(&mut self.users) => self.reporting.handshakes(batch),
                Some(conflicts) = tasks.conflicts.recv() => self.tell(conflicts),
                _ = refresh.tick() => self.publish(),
                _ = look_around.tick() => self.look_around(),
            }
        };
        self.shut_down(tasks).await;
        outcome
    }

    /// Name servers change with the lease of an uplink.
    fn look_around(&mut self) {
        look_at_name_servers(&mut self.engine);
        self.engine.set_clock(wall_time_of_boot());
        self.list_paths();
        self.router_changed();
    }

    fn router_changed(&mut self) {
        let router = Arc::clone(&self.router_now.borrow());
        let before = self.engine.version();
        let now = boot_time();
        self.recorder.router_changed(&self.engine.config, &router, now);
        let events = self.engine.router_changed(&router, now);
        if self.engine.version() != before {
            self.list_paths();
        }
        self.decided(events);
    }

    /// Tells what to measure, if it is not the same as before.
    fn list_paths(&self) {
        let paths = self.engine.probe_paths();
        self.paths.send_if_modified(|current| {
            let news = *current != paths;
            *current = paths;
            news
        });
    }

    /// Takes this sample and those that wait behind it, so that a black hole that all classes meet at once is answered
    /// by one order.
    fn sampled(&mut self, first: &ProbeSample, waiting: &mut mpsc::Receiver<ProbeSample>) {
        let mut events = self.take(first);
        for _ in 0..SAMPLES_AT_ONCE {
            let Ok(sample) = waiting.try_recv() else { break };
            events.extend(self.take(&sample));
        }
        self.decided(events);
    }

    fn take(&mut self, sample: &ProbeSample) -> Vec<EventKind> {
        let now = boot_time();
        self.reporting.sample(sample);
        self.recorder.sample(sample, now);
        self.engine.sampled(sample, now)
    }

    fn review(&mut self) {
        let events = self.engine.review(boot_time());
        self.decided(events);
    }

    fn decided(&mut self, events: Vec<EventKind>) {
        self.order();
        if !events.is_empty() {
            self.tell(events);
            self.publish();
        }
    }

    /// Hands the newest desired FIB to the reconciler, if it may differ from the last one.
    fn order(&mut self) {
        let (version, serial) = self.ordered;
        if self.withdrawn || !self.engine.knows_router() || self.engine.version() == version {
            return;
        }
        self.ordered = (self.engine.version(), serial + 1);
        let write = self.engine.config.kernel.mode == Mode::Enforce;
        let order = Order { fib: Arc::new(self.engine.desired()), write, serial: serial + 1 };
        self.orders.send_replace(Some(order));
    }

    fn fib_changed(&mut self) {
        let status = self.fib_now.borrow().clone();
        let mut events = Vec::new();
        // Before, it is not known what the router's own routes keep, and so what of ours should be there.
        if self.engine.knows_router() {
            let held = Held::new(&self.engine, &status.observed);
            events = held.since(&self.held, &self.engine);
            if !self.withdrawn {
                self.flows.held(&self.engine, &held, &status.observed);
            }
            self.held = held;
        }
        events.extend(self.kernel_news.events(&status));
        self.tell(events);
        self.publish();
    }

    fn flows_changed(&mut self) {
        let events = self.flows.events(&self.engine.config);
        self.tell(events);
        self.publish();
    }

    /// Logs events and hands them to telemetry.
    fn tell(&mut self, events: Vec<EventKind>) {
        let at = boot_time();
        for kind in events {
            log::log!(self.log_level(&kind), "{kind}");
            self.reporting.event(Event { at, kind });
        }
    }

    /// As loud as it matters; paths of an uplink that is gone are not told one by one: the uplink was.
    fn log_level(&self, kind: &EventKind) -> log::Level {
        match (kind, kind.severity()) {
            (EventKind::PathStateChanged { uplink, .. }, _) if self.engine.is_gone(uplink) => log::Level::Debug,
            (_, Severity::Information) => log::Level::Info,
            (_, Severity::Warning) => log::Level::Warn,
            (_, Severity::Error) => log::Level::Error,
        }
    }

    fn publish(&self) {
        let now = boot_time();
        let around = Surroundings {
            withdrawn: self.withdrawn,
            started: self.started,
            fib: &self.fib_now.borrow(),
            held: &self.held,
            flows: self.flows.view(&self.engine.config),
            router: &self.router_now.borrow(),
            overruns: self.doubt.borrow().overruns,
            reporting: self.reporting.view(),
            passive: self.users.as_ref().map(|users| users::view(&self.engine.config, &users.known.borrow())),
        };
        self.snapshots.send_replace(Arc::new(snapshot::snapshot(&self.engine, &around, now)));
    }

    fn until_review(&self) -> Duration {
        self.engine.next_review().map_or(Duration::from_secs(3600), |at| at.since(boot_time()))
    }

    fn answer(&mut self, request: &Request, answer: oneshot::Sender<Answer>) {
        if answer.is_closed() {
            // The asker was told that it took too long; a withdrawal then must not happen behind its back.
            return;
        }
        match request {
            Request::Snapshot => {
                let snapshot = Snapshot::clone(&self.snapshots.borrow());
                let _ = answer.send(Answer::Snapshot(Box::new(snapshot)));
            }
            Request::Paths => {
                let known = self.users.as_ref().map(|users| Arc::clone(&users.known.borrow()));
                let reports = path_views::reports(&self.engine, known.as_deref(), boot_time());
                let _ = answer.send(Answer::Paths(reports));
            }
            Request::Explain { query, from } => self.explain(query, *from, answer),
            Request::Withdraw => self.withdraw(answer),
        }
    }

    fn explain(&self, query: &Subject, from: Option<IpAddr>, answer: oneshot::Sender<Answer>) {
        let snapshot = Arc::clone(&self.snapshots.borrow());
        let explanation = match query {
            Subject::Prefix(net) => Some(explain::explanation(&self.engine, &snapshot, *net, from, boot_time())),
            Subject::Class(name) => {
                explain::explanation_of_class(&self.engine, &snapshot, &ClassId::new(name), from, boot_time())
            }
        };
        let Some(mut explanation) = explanation else {
            let Subject::Class(name) = query else { return };
            let _ = answer.send(Answer::Error { reason: explain::no_such_class(&self.engine, name) });
            return;
        };
        if let Some(ruling) = explanation.ruling.as_mut().filter(|ruling| ruling.rule.is_some()) {
            ruling.file = Some(self.file.display().to_string());
        }
        let router = Arc::clone(&self.router_now.borrow());
        let config = &self.engine.config;
        let own = config.kernel.clone();
        let uplinks: Vec<(String, String)> =
            config.uplinks.iter().map(|uplink| (uplink.interface.clone(), uplink.name.clone())).collect();
        tokio::spawn(async move {
            let address = explanation.query.addr();
            explanation.kernel_lookup = explain::kernel_lookup(&own, address, from, &router, &uplinks).await;
            let _ = answer.send(Answer::Explanation(Box::new(explanation)));
        });
    }

    /// Takes everything of ours out of the kernel, and leaves it so until the next start.
    fn withdraw(&mut self, answer: oneshot::Sender<Answer>) {
        let removed = self.fib_now.borrow().observed.objects();
        self.withdrawn = true;
        self.flows.withdrawn();
        log::warn!("withdrawn on request: nothing is steered until the next start");
        self.ordered.1 += 1;
        let serial = self.ordered.1;
        self.orders.send_replace(Some(Order { fib: Arc::new(Fib::default()), write: true, serial }));
        self.publish();
        let mut status = self.fib_now.clone();
        tokio::spawn(async move {
            let gone = timeout(
                withdraw_deadline(removed),
                status.wait_for(|status| status.order >= serial && status.observed.objects() == 0),
            )
            .await
            .is_ok_and(|closed_or_gone| closed_or_gone.is_ok());
            let _ = answer.send(if gone {
                Answer::Withdrawn { removed }
            } else {
                let reason = status.borrow().error.clone().unwrap_or_else(|| "the kernel is slow".to_owned());
                Answer::Error { reason: format!("not everything was withdrawn: {reason}; see `ip rule`") }
            });
        });
    }

    /// Orderly end: no more probes, the kernel as `on_stop` says, the last report, the socket file removed.
    async fn shut_down(self, tasks: Tasks) {
        let began = Instant::now();
        tasks.watcher.abort();
        drop((tasks.samples, tasks.requests, self.paths));
        drop(self.orders);
        let own = &self.engine.config.kernel;
        let withdraw = own.on_stop == OnStop::Withdraw && own.mode == Mode::Enforce;
        let objects = self.fib_now.borrow().observed.objects();
        match timeout(withdraw_deadline(objects), reconcile::end(tasks.reconciler, withdraw)).await {
            Ok(Ok(())) => {}
            Ok(Err(reason)) => log::error!("not everything was withdrawn: {reason}; run `peerward withdraw`"),
            Err(_) => log::error!("the kernel was not brought to its last state in time; run `peerward withdraw`"),
        }
        self.recorder.end(GOODBYE).await;
        drop(self.reporting);
        if let Some(reporter) = tasks.reporter
            && timeout(GOODBYE, reporter).await.is_err()
        {
            log::warn!("the last report was not acknowledged in time");
        }
        tasks.server.abort();
        let _ = tasks.server.await;
        log::info!("stopped after {} ms", began.elapsed().as_millis());
    }
}

/// Never, without a limit.
async fn limit_reached(limit: Option<Duration>) {
    match limit {
        Some(limit) => sleep(limit).await,
        None => future::pending().await,
    }
}

fn withdraw_deadline(objects: usize) -> Duration {
    let objects = u32::try_from(objects).unwrap_or(u32::MAX);
    (WITHDRAW_DEADLINE + WITHDRAW_OBJECT.saturating_mul(objects)).min(LONGEST_WITHDRAW)
}

/// What the router's name servers are for: never to be steered, and to be asked for the names of targets.
pub(crate) fn look_at_name_servers(engine: &mut Engine) {
    let servers = name_servers();
    engine.protect(protected::protected(&engine.config, &servers));
    engine.ask(reachable_through_uplinks(servers));
}

/// The watcher only ends when it cannot even open a socket: better to stop and be restarted than to steer blindly.
fn watcher_ended(ended: Result<Result<(), KernelError>, tokio::task::JoinError>) -> Result<(), AgentError> {
    match ended {
        Ok(Ok(())) => Ok(()),
        Ok(Err(error)) => Err(error.into()),
        Err(error) => Err(std::io::Error::other(error).into()),
    }
}
