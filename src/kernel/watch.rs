//! Keeps the picture of the router current: subscribe, list, follow, and list again whenever in doubt.
//!
//! Links and neighbours follow their events at once. Everything else, and these too, is listed again shortly after any
//! event that may have changed more than it says: level-triggered, so that a misread event costs milliseconds.

use std::{io, pin::Pin, sync::Arc, time::Duration};

use netlink_sys::protocols::NETLINK_ROUTE;
use tokio::{
    sync::watch,
    time::{Instant, sleep_until},
};

use super::{
    Doubt, KernelError,
    ownership::Ownership,
    picture::{Effect, Picture, Publish},
    socket::RequestSocket,
    survey,
    transport::Transport,
};
use crate::{
    config::Kernel,
    domain::{DefaultRoute, Interest, ReadState, RouterState},
};

/// `RTNLGRP_*`: link, neighbour, and of both families address, route and rule, and next hop.
const GROUPS: [u32; 9] = [1, 3, 5, 7, 8, 9, 11, 19, 32];
/// `RTNLGRP_NEXTHOP`, unknown to kernels without next-hop objects.
const NEXT_HOP_GROUP: u32 = 32;

/// Room for the events of some thousand route changes in one go.
const QUEUE: usize = 8 * 1024 * 1024;

/// Events come in swarms: one survey for each swarm.
const SETTLE: Duration = Duration::from_millis(30);
/// The share of time that surveys may take: at most a tenth, however large the routing tables.
const REST_FACTOR: u32 = 10;
const LONGEST_SETTLE: Duration = Duration::from_secs(5);
/// The kernel does not tell everything.
const PERIOD: Duration = Duration::from_secs(60);
/// Neighbours change often, and each publication copies the picture.
const PUBLISH_DELAY: Duration = Duration::from_millis(10);
const FIRST_RETRY: Duration = Duration::from_millis(100);
const LONGEST_RETRY: Duration = Duration::from_secs(5);
/// Datagrams taken in one go before others on this thread have their turn.
const SWARM: usize = 256;

type Listing = Pin<Box<dyn Future<Output = Result<Vec<DefaultRoute>, KernelError>> + Send>>;

/// See [`super::watch_router`].
pub(super) async fn watch_router(
    own: &Kernel,
    interest: Arc<Interest>,
    state: watch::Sender<Arc<RouterState>>,
    doubt: watch::Sender<Doubt>,
) -> Result<(), KernelError> {
    let mut watcher = Watcher::open(Ownership::new(own), interest, state, doubt)?;
    while !watcher.state.is_closed() {
        watcher.step().await?;
    }
    Ok(())
}

/// A survey under way.
struct Survey {
    listing: Listing,
    began: Instant,
    /// Something happened since it began.
    outdated: bool,
    /// Events were lost since it began: it proves nothing.
    unreliable: bool,
}

struct Watcher {
    own: Ownership,
    #[expect(dead_code, reason = "read by the listing of routes, which comes next")]
    interest: Arc<Interest>,
    picture: Picture,
    events: Transport,
    requests: RequestSocket,
    survey: Option<Survey>,
    /// When the next survey begins.
    due: Instant,
    cost: Duration,
    retry: Duration,
    publish_at: Option<Instant>,
    counters: Doubt,
    state: watch::Sender<Arc<RouterState>>,
    doubt: watch::Sender<Doubt>,
}

enum Woken {
    Events(io::Result<Effect>),
    Listed(Result<Vec<DefaultRoute>, KernelError>),
    SurveyDue,
    PublishDue,
    Closed,
}

impl Watcher {
    fn open(
        own: Ownership,
        interest: Arc<Interest>,
        state: watch::Sender<Arc<RouterState>>,
        doubt: watch::Sender<Doubt>,
    ) -> Result<Self, KernelError> {
        let counters = *doubt.borrow();
        Ok(Self {
            own,
            interest,
            picture: Picture::new(own),
            // Before anything is listed, so that nothing falls between.
            events: subscribe()?,
            requests: RequestSocket::open(NETLINK_ROUTE)?,
            survey: None,
            due: Instant::now(),
            cost: Duration::ZERO,
            retry: FIRST_RETRY,
            publish_at: None,
            counters,
            state,
            doubt,
        })
    }

    async fn step(&mut self) -> Result<(), KernelError> {
        match self.wait().await {
            Woken::Events(Ok(effect)) => self.events(effect),
            Woken::Events(Err(error)) => self.lost(&error)?,
            Woken::Listed(listed) => self.listed(listed),
            Woken::SurveyDue => self.begin_survey().await,
            Woken::PublishDue => self.publish(),
            Woken::Closed => {}
        }
        Ok(())
    }

    async fn wait(&mut self) -> Woken {
        let Self { events, picture, survey, due, publish_at, state, .. } = self;
        let surveying = survey.is_some();
        let listing = async {
            match survey {
                Some(survey) => survey.listing.as_mut().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            // Carrier first.
            biased;
            effect = swarm(events, picture) => Woken::Events(effect),
            () = sleep_until(publish_at.unwrap_or(*due)), if publish_at.is_some() => Woken::PublishDue,
            listed = listing => Woken::Listed(listed),
            () = sleep_until(*due), if !surveying => Woken::SurveyDue,
            () = state.closed() => Woken::Closed,
        }
    }

    fn events(&mut self, effect: Effect) {
        if effect.touched {
            self.counters.touched += 1;
            self.publish_doubt();
        }
        if effect.survey {
            match &mut self.survey {
                Some(survey) => survey.outdated = true,
                None => self.due = self.due.min(Instant::now() + self.settle()),
            }
        }
        match effect.publish {
            Publish::Unchanged => {}
            Publish::Soon => self.publish_at = self.publish_at.or_else(|| Some(Instant::now() + PUBLISH_DELAY)),
            Publish::Now => self.publish(),
        }
    }

    /// The stream of events is broken: nothing is certain until everything was listed again.
    fn lost(&mut self, error: &io::Error) -> Result<(), KernelError> {
        if error.raw_os_error() == Some(libc::ENOBUFS) {
            // What is still queued is older than what was lost, and would undo what the survey finds.
            self.events.discard_queued();
        } else {
            log::warn!("the netlink event socket failed and is opened again: {error}");
            self.events = subscribe()?;
        }
        self.counters.overruns += 1;
        self.counters.touched += 1;
        self.publish_doubt();
        self.picture.state.read = ReadState::Stale;
        self.publish();
        match &mut self.survey {
            Some(survey) => survey.unreliable = true,
            None => self.due = Instant::now() + self.settle(),
        }
        Ok(())
    }

    async fn begin_survey(&mut self) {
        let began = Instant::now();
        let found = match survey::surroundings(&mut self.requests).await {
            Ok(found) => found,
            Err(error) => return self.failed(&error),
        };
        self.picture.take_surroundings(found);
        let mut socket = match RequestSocket::open(NETLINK_ROUTE) {
            Ok(socket) => socket,
            Err(error) => return self.failed(&error),
        };
        let own = self.own;
        let listing: Listing = Box::pin(async move { survey::default_routes(&mut socket, own).await });
        self.survey = Some(Survey { listing, began, outdated: false, unreliable: false });
    }

    fn listed(&mut self, listed: Result<Vec<DefaultRoute>, KernelError>) {
        let Some(survey) = self.survey.take() else { return };
        let defaults = match listed {
            Ok(defaults) => defaults,
            Err(error) => return self.failed(&error),
        };
        let now = Instant::now();
        self.cost = now - survey.began;
        self.retry = FIRST_RETRY;
        let again = survey.outdated || survey.unreliable;
        self.due = now + if again { self.settle() } else { PERIOD };
        let read = if survey.unreliable { ReadState::Stale } else { ReadState::Fresh };
        self.picture.take_defaults(defaults, read);
        self.publish();
    }

    fn failed(&mut self, error: &KernelError) {
        log::warn!("the router cannot be read, next attempt in about {:?}: {error}", self.retry);
        self.picture.state.read = ReadState::Stale;
        self.publish();
        self.due = Instant::now() + self.retry.mul_f64(0.5 + fastrand::f64());
        self.retry = (self.retry * 2).min(LONGEST_RETRY);
    }

    fn settle(&self) -> Duration {
        (self.cost * REST_FACTOR).clamp(SETTLE, LONGEST_SETTLE)
    }

    fn publish(&mut self) {
        self.publish_at = None;
        let picture = &self.picture.state;
        self.state.send_if_modified(|held| {
            let differs = **held != *picture;
            if differs {
                *held = Arc::new(picture.clone());
            }
            differs
        });
    }

    fn publish_doubt(&self) {
        self.doubt.send_replace(self.counters);
    }
}

fn subscribe() -> Result<Transport, KernelError> {
    let events = Transport::open(NETLINK_ROUTE, QUEUE)?;
    for group in GROUPS {
        match events.subscribe(group) {
            Err(error) if group == NEXT_HOP_GROUP => log::debug!("{error}"),
            joined => joined?,
        }
    }
    Ok(events)
}

/// Waits for events and applies all that are queued, so that only the last state of a swarm is published. Safe to
/// cancel: an event is applied as soon as it is received.
async fn swarm(events: &mut Transport, picture: &mut Picture) -> io::Result<Effect> {
    let mut effect = picture.absorb(events.receive().await?);
    for _ in 0..SWARM {
        match events.receive_queued()? {
            Some(datagram) => effect = effect.and(picture.absorb(datagram)),
            None => break,
        }
    }
    Ok(effect)
}
