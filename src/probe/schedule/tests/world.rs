//! A schedule in virtual time, and a network that answers as a test wishes.

use std::sync::Arc;

use super::super::*;
use crate::{
    domain::{Check, ClassId, Family, UplinkId},
    probe::flights::{Flights, Moment},
};

pub const START: BootTime = BootTime(Duration::from_secs(1_000));
pub const TIMEOUT: Duration = Duration::from_millis(900);
pub const FAST: Duration = Duration::from_millis(200);
pub const NORMAL: Duration = Duration::from_secs(1);

pub fn after(milliseconds: u64) -> BootTime {
    START + Duration::from_millis(milliseconds)
}

/// A path with targets that no other path has.
pub fn path(uplink: u16, class: u8, targets: u8) -> ProbePath {
    with_targets(uplink, class, (0..targets).map(|target| tcp(class, target)).collect())
}

pub fn with_targets(uplink: u16, class: u8, targets: Vec<Target>) -> ProbePath {
    ProbePath {
        uplink: UplinkId(uplink),
        class: ClassId::new(&format!("class{class}")),
        interface: format!("wan{uplink}"),
        source: None,
        family: Family::Ipv4,
        resolvers: Arc::from([]),
        targets: targets.into(),
    }
}

pub fn tcp(class: u8, target: u8) -> Target {
    Target::tcp(([10, 0, class, target], 443).into())
}

pub fn tls(class: u8, target: u8) -> Target {
    Target { check: Check::Tls { server_name: Arc::from("example.net") }, ..tcp(class, target) }
}

pub fn no_names() -> Addresses {
    Addresses::new(Arc::from([]))
}

/// What the network makes of a probe: an answer after a time, silence, or someone else's answer after a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    Answer(Duration),
    Silence,
    Impostor(Duration),
}

pub fn answer(milliseconds: u64) -> Fate {
    Fate::Answer(Duration::from_millis(milliseconds))
}

#[derive(Debug, Clone)]
pub struct Sent {
    pub at: BootTime,
    pub assignment: Assignment,
}

#[derive(Debug, Clone)]
pub struct Heard {
    pub at: BootTime,
    pub assignment: Assignment,
    pub news: News,
}

type Network = Box<dyn FnMut(&Assignment, BootTime) -> Fate>;

pub struct World {
    pub schedule: Schedule,
    pub addresses: Addresses,
    pub now: BootTime,
    pub sent: Vec<Sent>,
    pub heard: Vec<Heard>,
    flights: Flights,
    landings: BTreeMap<(BootTime, u64), News>,
    network: Network,
}

impl World {
    pub fn new(
        interval: Duration,
        list: &[ProbePath],
        network: impl FnMut(&Assignment, BootTime) -> Fate + 'static,
    ) -> Self {
        let mut schedule = Schedule::new(interval, 7);
        schedule.replace(list, START);
        Self {
            schedule,
            addresses: no_names(),
            now: START,
            sent: Vec::new(),
            heard: Vec::new(),
            flights: Flights::default(),
            landings: BTreeMap::new(),
            network: Box::new(network),
        }
    }

    pub fn set(&mut self, network: impl FnMut(&Assignment, BootTime) -> Fate + 'static) {
        self.network = Box::new(network);
    }

    /// Lives until a moment, waking exactly when there is something to do.
    pub fn live_until(&mut self, end: BootTime) {
        while let Some(next) = self.next().filter(|next| *next <= end) {
            self.wake_at(next.max(self.now));
        }
        self.now = self.now.max(end);
    }

    fn next(&self) -> Option<BootTime> {
        let landing = self.landings.keys().next().map(|(at, _)| *at);
        [self.schedule.next_due(), self.flights.next_overdue(), landing].into_iter().flatten().min()
    }

    /// Does everything that is to be done at a moment.
    pub fn wake_at(&mut self, now: BootTime) {
        self.now = now;
        let moment = Moment { boot: now, awake: now.0 };
        while let Some((&(at, number), &news)) = self.landings.first_key_value().filter(|((at, _), _)| *at <= now) {
            self.landings.remove(&(at, number));
            let (flight, _) = self.flights.land(number, moment).unwrap();
            self.schedule.finished(&flight.assignment);
            let news = match news {
                News::Lost { interference, .. } => News::Lost { known: flight.overdue, interference },
                answered @ News::Answered(_) => answered,
            };
            self.hear(flight.assignment, news);
        }
        while let Some(flight) = self.flights.pop_overdue(moment) {
            let assignment = flight.assignment.clone();
            self.hear(assignment, News::Lost { known: false, interference: false });
        }
        while let Some(assignment) = self.schedule.pop_due(now, &self.addresses) {
            if assignment.address.is_some() {
                self.send(&assignment, moment);
            }
            self.sent.push(Sent { at: now, assignment });
        }
        assert!(self.schedule.next_due().is_none_or(|due| due > now), "due and not popped");
    }

    fn send(&mut self, assignment: &Assignment, now: Moment) {
        let expected = self.schedule.overdue_after(assignment, TIMEOUT);
        let number = self.flights.depart(assignment.clone(), now, expected);
        let (took, news) = match (self.network)(assignment, now.boot) {
            Fate::Answer(rtt) => (rtt, News::Answered(rtt)),
            Fate::Silence => (TIMEOUT, News::Lost { known: false, interference: false }),
            Fate::Impostor(rtt) => (rtt, News::Lost { known: false, interference: true }),
        };
        self.landings.insert((now.boot + took, number), news);
    }

    fn hear(&mut self, assignment: Assignment, news: News) {
        self.schedule.heard(&assignment, news, self.now);
        self.heard.push(Heard { at: self.now, assignment, news });
    }

    /// When a path was probed.
    pub fn times(&self, path: &ProbePath) -> Vec<BootTime> {
        self.sent.iter().filter(|sent| *sent.assignment.path == *path).map(|sent| sent.at).collect()
    }

    /// How often it was, from one moment to another.
    pub fn count(&self, path: &ProbePath, from: BootTime, to: BootTime) -> usize {
        self.times(path).into_iter().filter(|at| (from..to).contains(at)).count()
    }

    /// Which targets were, from a moment on.
    pub fn positions_from(&self, from: BootTime) -> Vec<usize> {
        self.sent.iter().filter(|sent| sent.at >= from).map(|sent| sent.assignment.position).collect()
    }

    /// When the `nth` loss of probes sent from a moment on was known, from that moment on.
    pub fn nth_loss(&self, nth: usize, sent_from: BootTime) -> Option<Duration> {
        let first_words = self.heard.iter().filter(|heard| matches!(heard.news, News::Lost { known: false, .. }));
        first_words.filter(|heard| heard.at > sent_from).nth(nth - 1).map(|heard| heard.at.since(sent_from))
    }
}

pub fn gaps(times: &[BootTime]) -> Vec<Duration> {
    times.windows(2).map(|pair| pair[1].since(pair[0])).collect()
}
