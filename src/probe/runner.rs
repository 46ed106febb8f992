//! The task that measures: starts the probes and look-ups that are due, hands over what comes of them.

use std::{future, io, net::IpAddr, panic, sync::Arc, time::Duration};

use tokio::{
    sync::{mpsc, watch},
    task::{self, JoinError, JoinSet},
    time::sleep,
};

use super::{
    OwnPorts, ProbePath, ProbeSettings, TrustAnchors,
    addresses::{Addresses, LookUp},
    attempt::{Attempt, Measured},
    complaints::Complaints,
    flights::{Flight, Flights, Moment},
    resolve::{ResolveError, look_up},
    schedule::{Assignment, News, Schedule},
};
use crate::{
    clock::{awake_time, boot_time},
    domain::{BootTime, ProbeFailure, ProbeOutcome, ProbeSample},
};

/// Deadline of one look-up, over all servers and tries.
const LOOK_UP_TIMEOUT: Duration = Duration::from_secs(5);

/// What the task takes from the machine that it runs on.
pub(super) struct Surroundings {
    /// The clocks.
    pub now: Box<dyn Fn() -> Moment + Send + Sync>,
    /// Port of name servers.
    pub name_port: u16,
}

impl Default for Surroundings {
    fn default() -> Self {
        Self { now: Box::new(|| Moment { boot: boot_time(), awake: awake_time() }), name_port: 53 }
    }
}

/// Nobody takes samples any more.
struct NobodyListens;

/// What the task waits for.
enum Event {
    Unheard,
    Listed,
    Unlisted,
    Ended(Ended),
    Woken,
}

/// Addresses and for how long they are to be believed.
type Found = Result<(Vec<IpAddr>, Duration), ResolveError>;

/// Something that ran beside the task and is over.
enum Ended {
    Probe(u64, io::Result<Measured>),
    LookUp(LookUp, Found),
}

/// The task.
pub(super) struct Runner {
    settings: ProbeSettings,
    surroundings: Surroundings,
    samples: mpsc::Sender<ProbeSample>,
    schedule: Schedule,
    addresses: Addresses,
    flights: Flights,
    running: JoinSet<Ended>,
    complaints: Complaints,
}

impl Runner {
    /// Nothing is measured yet.
    pub fn new(settings: ProbeSettings, samples: mpsc::Sender<ProbeSample>, surroundings: Surroundings) -> Self {
        Self {
            schedule: Schedule::new(settings.interval, fastrand::u64(..)),
            addresses: Addresses::new(Arc::clone(&settings.resolvers)),
            flights: Flights::default(),
            running: JoinSet::new(),
            complaints: Complaints::default(),
            settings,
            surroundings,
            samples,
        }
    }

    /// Measures until nobody takes samples any more.
    pub async fn run(mut self, mut paths: watch::Receiver<Arc<[ProbePath]>>) {
        self.replace(&paths.borrow_and_update().clone());
        let mut listed_by_someone = true;
        while self.start_due().await.is_ok() {
            let asleep = self.sleep();
            let event = tokio::select! {
                // Results before alarms: what is here already is not overdue.
                biased;
                () = self.samples.closed() => Event::Unheard,
                changed = paths.changed(), if listed_by_someone => {
                    if changed.is_ok() { Event::Listed } else { Event::Unlisted }
                }
                Some(ended) = self.running.join_next() => Event::Ended(ended.unwrap_or_else(repeat_panic)),
                () = asleep => Event::Woken,
            };
            let heard = match event {
                Event::Unheard => Err(NobodyListens),
                Event::Listed => {
                    self.replace(&paths.borrow_and_update().clone());
                    Ok(())
                }
                Event::Unlisted => {
                    listed_by_someone = false;
                    Ok(())
                }
                Event::Ended(ended) => self.ended(ended).await,
                Event::Woken => self.report_overdue().await,
            };
            if heard.is_err() {
                return;
            }
        }
    }

    fn now(&self) -> Moment {
        (self.surroundings.now)()
    }

    fn replace(&mut self, list: &[ProbePath]) {
        let now = self.now().boot;
        self.schedule.replace(list, now);
        self.addresses.replace(list, now);
    }

    /// Waits until something is due; for ever when there is nothing to do.
    fn sleep(&self) -> impl Future<Output = ()> + use<> {
        let next = [self.schedule.next_due(), self.addresses.next_due(), self.flights.next_overdue()];
        let next: Option<BootTime> = next.into_iter().flatten().min();
        let wait = next.map(|next| next.since(self.now().boot));
        async move {
            match wait {
                Some(wait) => sleep(wait).await,
                None => future::pending().await,
            }
        }
    }

    /// Starts every probe and look-up whose time has come.
    async fn start_due(&mut self) -> Result<(), NobodyListens> {
        while let Some(lookup) = self.addresses.pop_due(self.now().boot) {
            self.running.spawn(find(lookup, self.surroundings.name_port));
        }
        loop {
            let now = self.now();
            let Some(assignment) = self.schedule.pop_due(now.boot, &self.addresses) else { return Ok(()) };
            if assignment.address.is_some() {
                self.depart(assignment, now);
            } else {
                let outcome = ProbeOutcome::Failed(ProbeFailure::NotResolved);
                self.hand_over(sample(&assignment, now.boot, outcome, None)).await?;
            }
        }
    }

    fn depart(&mut self, assignment: Assignment, now: Moment) {
        let timeout = self.settings.timeout;
        let expected = self.schedule.overdue_after(&assignment, timeout);
        let number = self.flights.depart(assignment.clone(), now, expected);
        let (trust, ports) = (self.settings.trust.clone(), Arc::clone(&self.settings.ports));
        self.running.spawn(async move {
            let result = carry_out(&assignment, timeout, trust.as_deref(), &ports).await;
            Ended::Probe(number, result)
        });
    }

    async fn ended(&mut self, ended: Ended) -> Result<(), NobodyListens> {
        match ended {
            Ended::Probe(number, result) => self.landed(number, result).await,
            Ended::LookUp(lookup, found) => {
                self.looked_up(&lookup, found);
                Ok(())
            }
        }
    }

    /// The last word on a probe.
    async fn landed(&mut self, number: u64, result: io::Result<Measured>) -> Result<(), NobodyListens> {
        let now = self.now();
        let Some((flight, counts)) = self.flights.land(number, now) else { return Ok(()) };
        let Flight { assignment, sent, overdue, .. } = flight;
        let listed = self.schedule.finished(&assignment);
        let Measured { outcome, service_time } = match result {
            Ok(measured) => measured,
            Err(error) => {
                self.complaints.cannot_probe(sent.boot, &assignment, &error);
                return Ok(());
            }
        };
        if !listed || !counts {
            return Ok(());
        }
        let news = match outcome {
            ProbeOutcome::Answered(rtt) => News::Answered(service_time.unwrap_or(rtt)),
            ProbeOutcome::Failed(failure) => News::Lost { known: overdue, interference: failure.is_interference() },
            ProbeOutcome::Overdue => News::Lost { known: overdue, interference: false },
        };
        self.schedule.heard(&assignment, news, now.boot);
        self.hand_over(sample(&assignment, sent.boot, outcome, service_time)).await
    }

    fn looked_up(&mut self, lookup: &LookUp, found: Found) {
        let now = self.now().boot;
        let found = found.map_err(|error| self.complaints.cannot_resolve(now, &error)).ok();
        if self.addresses.learned(lookup, found, now) {
            self.schedule.resolved(&lookup.question, now);
        }
    }

    /// Reports what is overdue, once all that has come already is seen: this process may have been held up itself.
    async fn report_overdue(&mut self) -> Result<(), NobodyListens> {
        if self.flights.next_overdue().is_none_or(|next| next > self.now().boot) {
            return Ok(());
        }
        task::yield_now().await;
        while let Some(ended) = self.running.try_join_next() {
            self.ended(ended.unwrap_or_else(repeat_panic)).await?;
        }
        loop {
            let now = self.now();
            let Some(flight) = self.flights.pop_overdue(now) else { return Ok(()) };
            let (assignment, sent) = (flight.assignment.clone(), flight.sent);
            if self.schedule.listed(&assignment).is_none() {
                continue;
            }
            self.schedule.heard(&assignment, News::Lost { known: false, interference: false }, now.boot);
            self.hand_over(sample(&assignment, sent.boot, ProbeOutcome::Overdue, None)).await?;
        }
    }

    async fn hand_over(&self, sample: ProbeSample) -> Result<(), NobodyListens> {
        self.samples.send(sample).await.map_err(|_| NobodyListens)
    }
}

/// Sends one probe and waits for what comes of it.
async fn carry_out(
    assignment: &Assignment,
    timeout: Duration,
    trust: Option<&TrustAnchors>,
    ports: &OwnPorts,
) -> io::Result<Measured> {
    let Assignment { path, target, address: Some(address), .. } = assignment else {
        return Ok(ProbeOutcome::Failed(ProbeFailure::NotResolved).into());
    };
    let attempt = Attempt {
        interface: &path.interface,
        source: path.source,
        address: *address,
        check: &target.check,
        timeout,
        trust,
        ports: Some(ports),
    };
    attempt.carry_out().await
}

/// Makes one look-up.
async fn find(lookup: LookUp, port: u16) -> Ended {
    let way = &lookup.way;
    let servers: Vec<_> = way.servers.iter().map(|server| (*server, port).into()).collect();
    let (name, family) = (lookup.name(), lookup.family());
    let found = look_up(&way.interface, way.source, &servers, name, family, LOOK_UP_TIMEOUT).await;
    Ended::LookUp(lookup, found)
}

fn sample(
    assignment: &Assignment,
    sent_at: BootTime,
    outcome: ProbeOutcome,
    service_time: Option<Duration>,
) -> ProbeSample {
    ProbeSample {
        uplink: assignment.path.uplink,
        class: assignment.path.class.clone(),
        target: assignment.position,
        kind: assignment.target.check.kind(),
        address: assignment.address,
        sent_at,
        outcome,
        service_time,
    }
}

/// A panic beside this task is a defect of this program and ends it as any other would; nothing is cancelled while this
/// task runs.
fn repeat_panic(error: JoinError) -> Ended {
    panic::resume_unwind(error.into_panic())
}

#[cfg(test)]
mod tests;
