//! Keeps the picture of the router current: subscribe, list, follow, and list again whenever in doubt.
//!
//! Everything follows its events at once. It is also listed again shortly after any event that may have changed more than
//! it says: level-triggered, so that a misread event costs milliseconds. Listing is in two parts: what is quick whatever
//! the size of the routing tables, trusted as soon as it is there; then the routes, which may take seconds. News of routes
//! that come meanwhile are applied to what was listed, so that it is never older than what was known before.

use std::{io, pin::Pin, sync::Arc};

use netlink_sys::protocols::NETLINK_ROUTE;
use tokio::{
    sync::watch,
    time::{Instant, sleep_until},
};

use super::{
    Doubt, KernelError,
    ownership::Ownership,
    pace::{Backoff, Pace},
    picture::{Effect, Glance, Picture, Publish},
    routes::Routes,
    socket::RequestSocket,
    stream::{Arrival, Stream, subscribe},
    survey,
    transport::Transport,
};
use crate::{
    config::Kernel,
    domain::{Interest, ReadState, RouterState},
};

type Listing = Pin<Box<dyn Future<Output = Result<Routes, KernelError>> + Send>>;

/// See [`super::watch_router`].
pub(super) async fn watch_router(
    own: &Kernel,
    interest: Arc<Interest>,
    state: watch::Sender<Arc<RouterState>>,
    doubt: watch::Sender<Doubt>,
) -> Result<(), KernelError> {
    let mut watcher = Watcher::open(Ownership::new(own), interest, state, doubt)?;
    while !watcher.state.is_closed() {
        watcher.step().await;
    }
    Ok(())
}

/// A survey under way.
struct Survey {
    listing: Listing,
    began: Instant,
    /// Something happened since it began that it may have missed.
    outdated: bool,
}

struct Watcher {
    own: Ownership,
    subscribe: fn() -> Result<Transport, KernelError>,
    picture: Picture,
    events: Stream,
    requests: RequestSocket,
    survey: Option<Survey>,
    pace: Pace,
    reopening: Backoff,
    publish_at: Option<Instant>,
    counters: Doubt,
    state: watch::Sender<Arc<RouterState>>,
    doubt: watch::Sender<Doubt>,
}

enum Woken {
    Arrived(Arrival),
    Listed(Result<Routes, KernelError>),
    GlanceDue,
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
            subscribe,
            picture: Picture::new(own, interest),
            // Before anything is listed, so that nothing falls between.
            events: Stream::Open(subscribe()?),
            requests: RequestSocket::open(NETLINK_ROUTE)?,
            survey: None,
            pace: Pace::new(Instant::now()),
            reopening: Backoff::default(),
            publish_at: None,
            counters,
            state,
            doubt,
        })
    }

    async fn step(&mut self) {
        // Events may come without a pause.
        if self.publish_at.is_some_and(|at| at <= Instant::now()) {
            self.publish();
        }
        match self.wait().await {
            Woken::Arrived(Arrival::Events(Ok(effect))) => {
                self.events(effect);
                // Others on this thread have their turn, however many events follow.
                tokio::task::yield_now().await;
            }
            Woken::Arrived(Arrival::Events(Err(error))) => self.lost(&error),
            Woken::Listed(listed) => self.listed(listed),
            Woken::GlanceDue => _ = self.glance().await,
            Woken::SurveyDue => self.begin_survey().await,
            Woken::Arrived(Arrival::ReopenDue) => self.reopen(),
            Woken::PublishDue => self.publish(),
            Woken::Closed => {}
        }
    }

    async fn wait(&mut self) -> Woken {
        let Self { events, picture, survey, pace, publish_at, state, .. } = self;
        let surveying = survey.is_some();
        let listing = async {
            match survey {
                Some(survey) => survey.listing.as_mut().await,
                None => std::future::pending().await,
            }
        };
        let glance = pace.glance();
        // In random order: neither a storm of events nor a listing of a million routes keeps the other waiting.
        tokio::select! {
            arrival = events.swarm(picture) => Woken::Arrived(arrival),
            () = at(*publish_at) => Woken::PublishDue,
            () = at(glance) => Woken::GlanceDue,
            listed = listing => Woken::Listed(listed),
            () = sleep_until(pace.survey()), if !surveying => Woken::SurveyDue,
            () = state.closed() => Woken::Closed,
        }
    }

    fn events(&mut self, effect: Effect) {
        if effect.touched {
            self.counters.touched += 1;
            self.publish_doubt();
        }
        match effect.glance {
            Glance::NotNeeded => {}
            Glance::Wanted => self.pace.want_glance(Instant::now()),
            Glance::Lost => self.start_over(),
        }
        if effect.survey {
            self.doubt_routes();
        }
        match effect.publish {
            Publish::Unchanged => {}
            Publish::Soon => self.publish_at = self.publish_at.or_else(|| Some(self.pace.publication())),
            Publish::Now => self.publish(),
        }
    }

    /// The routes are to be listed again.
    fn doubt_routes(&mut self) {
        self.picture.state.routes_read = ReadState::Stale;
        match &mut self.survey {
            Some(survey) => survey.outdated = true,
            None => self.pace.want_survey(Instant::now()),
        }
    }

    /// The stream of events is broken: nothing is certain until it was listed again. What is quick to list is listed at
    /// once, because a link may be down.
    fn lost(&mut self, error: &io::Error) {
        match &mut self.events {
            // What is still queued is older than what was lost, and would undo what is listed.
            Stream::Open(events) if error.raw_os_error() == Some(libc::ENOBUFS) => events.discard_queued(),
            _ => {
                log::warn!("the netlink event socket failed and is opened again: {error}");
                self.events = Stream::Closed { reopen_at: Instant::now() };
            }
        }
        self.start_over();
    }

    fn start_over(&mut self) {
        self.counters.overruns += 1;
        self.counters.touched += 1;
        self.publish_doubt();
        self.picture.state.read = ReadState::Stale;
        self.doubt_routes();
        self.pace.want_glance(Instant::now());
        if self.pace.glance().is_none_or(|due| due > Instant::now()) {
            self.publish();
        }
    }

    fn reopen(&mut self) {
        match (self.subscribe)() {
            Ok(events) => {
                self.events = Stream::Open(events);
                self.reopening = Backoff::default();
                self.start_over();
            }
            Err(error) => {
                let wait = self.reopening.next();
                log::warn!("the netlink event socket cannot be opened again, next attempt in {wait:?}: {error}");
                self.events = Stream::Closed { reopen_at: Instant::now() + wait };
            }
        }
    }

    /// Lists what is listed quickly, and says whether that could be done.
    async fn glance(&mut self) -> bool {
        let began = Instant::now();
        let found = survey::surroundings(&mut self.requests, self.own, &self.picture.sieve).await;
        match found {
            Ok(found) => {
                self.pace.glanced(began, Instant::now());
                let objects_known = found.objects.is_some();
                // The events of what it found changed find nothing changed any more.
                let doubtful = self.picture.take_surroundings(found);
                if doubtful || !objects_known {
                    self.doubt_routes();
                }
                if self.picture.followed.knows_routes() && self.events.is_open() {
                    self.picture.state.read = ReadState::Fresh;
                }
                self.publish();
                true
            }
            Err(error) => {
                self.failed(&error);
                false
            }
        }
    }

    async fn begin_survey(&mut self) {
        let began = Instant::now();
        if !self.glance().await {
            return;
        }
        let mut socket = match RequestSocket::open(NETLINK_ROUTE) {
            Ok(socket) => socket,
            Err(error) => return self.not_listed(&error),
        };
        let sieve = self.picture.sieve.clone();
        self.picture.followed.begin_listing();
        let listing: Listing = Box::pin(async move { survey::routes(&mut socket, &sieve).await });
        self.survey = Some(Survey { listing, began, outdated: false });
    }

    fn listed(&mut self, listed: Result<Routes, KernelError>) {
        let Some(survey) = self.survey.take() else { return };
        let routes = match listed {
            Ok(routes) => routes,
            Err(error) => {
                self.picture.followed.end_listing();
                return self.not_listed(&error);
            }
        };
        let now = Instant::now();
        self.pace.surveyed(survey.began, now);
        let certain = self.picture.followed.take_routes(routes) && !survey.outdated && self.events.is_open();
        self.picture.state.routes_read = if certain { ReadState::Fresh } else { ReadState::Stale };
        if !certain {
            self.pace.want_survey(now);
        }
        if self.picture.state.read == ReadState::Stale && self.pace.glance().is_none() && self.events.is_open() {
            self.picture.state.read = ReadState::Fresh;
        }
        self.publish();
    }

    /// Not even what is quick could be listed.
    fn failed(&mut self, error: &KernelError) {
        let now = Instant::now();
        let again = self.pace.glance_failed(now);
        log::warn!("the router cannot be read, next attempt in {:?}: {error}", again - now);
        self.picture.state.read = ReadState::Stale;
        self.pace.want_glance(now);
        self.doubt_unlisted(now);
    }

    /// The routes could not be listed; what is known of them is followed on.
    fn not_listed(&mut self, error: &KernelError) {
        let now = Instant::now();
        let again = self.pace.survey_failed(now);
        log::warn!("the routes cannot be listed, next attempt in {:?}: {error}", again - now);
        self.doubt_unlisted(now);
    }

    fn doubt_unlisted(&mut self, now: Instant) {
        self.picture.state.routes_read = ReadState::Stale;
        self.pace.want_survey(now);
        self.publish();
    }

    fn publish(&mut self) {
        self.publish_at = None;
        let began = Instant::now();
        self.picture.refresh();
        let picture = &self.picture.state;
        self.state.send_if_modified(|held| {
            let differs = **held != *picture;
            if differs {
                *held = Arc::new(picture.clone());
            }
            differs
        });
        self.pace.published(began, Instant::now());
    }

    fn publish_doubt(&self) {
        self.doubt.send_replace(self.counters);
    }
}

async fn at(instant: Option<Instant>) {
    match instant {
        Some(instant) => sleep_until(instant).await,
        None => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests {
    use std::{
        sync::atomic::{AtomicUsize, Ordering},
        time::Duration,
    };

    use super::*;
    use crate::domain::{IfIndex, Link};

    static REFUSALS: AtomicUsize = AtomicUsize::new(0);

    fn refused_at_first() -> Result<Transport, KernelError> {
        if REFUSALS.fetch_add(1, Ordering::Relaxed) < 3 {
            return Err(KernelError::socket("open a netlink socket", io::Error::from_raw_os_error(libc::EMFILE)));
        }
        subscribe()
    }

    fn watcher() -> (Watcher, watch::Receiver<Arc<RouterState>>, watch::Receiver<Doubt>) {
        let (state, picture) = watch::channel(Arc::default());
        let (doubt, counters) = watch::channel(Doubt::default());
        let own = Ownership::new(&Kernel::default());
        (Watcher::open(own, Arc::default(), state, doubt).unwrap(), picture, counters)
    }

    fn survey_without_end() -> Survey {
        Survey { listing: Box::pin(std::future::pending()), began: Instant::now(), outdated: false }
    }

    #[tokio::test(start_paused = true)]
    async fn routes_that_cannot_be_listed_do_not_keep_links_from_being_listed() {
        let (mut watcher, picture, _counters) = watcher();
        for _ in 0..10 {
            watcher.not_listed(&KernelError::socket("list routes", io::Error::from_raw_os_error(libc::ENOBUFS)));
        }
        let now = Instant::now();
        assert!(watcher.pace.survey() > now + Duration::from_secs(2), "the routes wait");
        watcher.lost(&io::Error::from_raw_os_error(libc::ENOBUFS));
        assert_eq!(watcher.pace.glance(), Some(now));
        while picture.borrow().links.is_empty() {
            watcher.step().await;
        }
        assert!(now.elapsed() < Duration::from_secs(2), "after {:?}", now.elapsed());
    }

    #[tokio::test(start_paused = true)]
    async fn a_survey_is_outdated_by_a_link_that_a_glance_misses_before_its_event_is_read() {
        let (mut watcher, _picture, _counters) = watcher();
        assert!(watcher.glance().await);
        watcher.survey = Some(survey_without_end());
        let lo = watcher.picture.state.links.values().next().unwrap().clone();
        let index = IfIndex(u32::MAX);
        watcher.picture.state.links.insert(index, Link { index, ..lo });
        watcher.picture.state.routes_read = ReadState::Fresh;
        assert!(watcher.glance().await);
        assert!(watcher.survey.as_ref().is_some_and(|survey| survey.outdated));
        assert_eq!(watcher.picture.state.routes_read, ReadState::Stale);
    }

    #[tokio::test(start_paused = true)]
    async fn after_an_event_that_cannot_be_read_nothing_is_certain_until_it_was_listed_at_once() {
        let (mut watcher, picture, counters) = watcher();
        while picture.borrow().routes_read == ReadState::Stale {
            watcher.step().await;
        }
        // As after a glance that took long: the next one has to wait.
        let now = Instant::now();
        watcher.pace.glanced(now, now + Duration::from_millis(20));
        let effect = watcher.picture.absorb(&[0; 7]);
        watcher.events(effect);
        assert_eq!(picture.borrow().read, ReadState::Stale);
        assert_eq!(picture.borrow().routes_read, ReadState::Stale);
        assert_eq!(counters.borrow().overruns, 1);
        assert!(watcher.pace.glance().is_some());
        while picture.borrow().read == ReadState::Stale {
            watcher.step().await;
        }
    }

    #[tokio::test(start_paused = true)]
    async fn after_lost_events_links_are_trusted_long_before_the_routes_may_be_listed_again() {
        let (mut watcher, picture, _counters) = watcher();
        while picture.borrow().routes_read == ReadState::Stale {
            watcher.step().await;
        }
        // As beside a million routes.
        let now = Instant::now();
        watcher.pace.surveyed(now, now + Duration::from_secs(1));
        watcher.lost(&io::Error::from_raw_os_error(libc::ENOBUFS));
        let links_first =
            |state: &RouterState| (state.read, state.routes_read) == (ReadState::Fresh, ReadState::Stale);
        while !links_first(&picture.borrow()) {
            watcher.step().await;
        }
        assert!(now.elapsed() < Duration::from_secs(1), "after {:?}", now.elapsed());
        while picture.borrow().routes_read == ReadState::Stale {
            watcher.step().await;
        }
        assert!(now.elapsed() >= Duration::from_secs(5), "after {:?}", now.elapsed());
    }

    #[tokio::test(start_paused = true)]
    async fn a_broken_stream_of_events_is_opened_again_however_often_that_is_refused() {
        let (mut watcher, picture, counters) = watcher();
        watcher.subscribe = refused_at_first;
        let began = Instant::now();
        watcher.lost(&io::Error::from_raw_os_error(libc::EIO));
        while !watcher.events.is_open() {
            watcher.step().await;
            let followed = watcher.events.is_open();
            assert!(followed || picture.borrow().read == ReadState::Stale, "nothing is followed");
        }
        assert_eq!(REFUSALS.load(Ordering::Relaxed), 4);
        assert!(began.elapsed() > Duration::from_millis(350), "after {:?}", began.elapsed());
        assert_eq!(counters.borrow().overruns, 2, "what happened meanwhile was missed");
        while picture.borrow().read == ReadState::Stale {
            watcher.step().await;
        }
    }
}
