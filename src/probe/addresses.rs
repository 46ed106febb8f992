//! Pure: what is known of where the names of targets lead, by uplink and family.
//!
//! A name is asked for again when the time to live of its answer is over, within bounds. When that fails, the last good
//! answer stays for as long as it takes: a name server that is gone says nothing of the target.

use std::{
    collections::BTreeMap,
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use ipnet::IpNet;

use super::ProbePath;
use crate::domain::{BootTime, Family, Host, Target, UplinkId};

/// Least and most time for which an answer is believed, whatever its time to live.
const BELIEVED: (Duration, Duration) = (Duration::from_secs(30), Duration::from_secs(3600));
/// Wait after the first failure; doubled with every further one.
const FIRST_RETRY: Duration = Duration::from_secs(1);
/// Most such wait.
const LAST_RETRY: Duration = Duration::from_secs(60);
/// Look-ups under way at once.
const MOST_AT_ONCE: usize = 4;
/// Addresses remembered of one name.
const MOST_ADDRESSES: usize = 16;

/// What a look-up is about.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Question {
    uplink: UplinkId,
    family: Family,
    name: Arc<str>,
}

impl Question {
    fn of(path: &ProbePath, target: &Target) -> Option<Self> {
        match &target.host {
            Host::Address(_) => None,
            Host::Name(name) => Some(Self { uplink: path.uplink, family: path.family, name: Arc::clone(name) }),
        }
    }

    /// Whether a path has a target of this name.
    pub fn is_asked_by(&self, path: &ProbePath) -> bool {
        path.targets.iter().any(|target| Self::of(path, target).as_ref() == Some(self))
    }
}

/// One look-up to make.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct LookUp {
    /// What it is about.
    pub question: Question,
    /// Way that it takes.
    pub way: Way,
}

impl LookUp {
    /// Name asked for.
    pub fn name(&self) -> &str {
        &self.question.name
    }

    /// Family of the addresses asked for.
    pub fn family(&self) -> Family {
        self.question.family
    }
}

/// How an uplink is used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Way {
    /// Interface.
    pub interface: String,
    /// Source address on it.
    pub source: Option<IpAddr>,
    /// Name servers.
    pub servers: Arc<[IpAddr]>,
}

/// Where a target is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Whereabouts {
    /// Here.
    At(SocketAddr),
    /// Not known before the first look-up of its name is over.
    Awaited,
    /// Its name has no address that may be used.
    Nowhere,
}

#[derive(Debug)]
struct Entry {
    way: Way,
    addresses: Vec<IpAddr>,
    /// Where they must lie to be of use.
    within: Option<Arc<[IpNet]>>,
    /// When to ask, or ask again.
    due: BootTime,
    failures: u32,
    answered: bool,
    under_way: bool,
}

/// All names of all paths.
#[derive(Debug)]
pub(super) struct Addresses {
    /// Name servers of the settings; those of each path when empty.
    servers: Arc<[IpAddr]>,
    entries: BTreeMap<Question, Entry>,
}

impl Addresses {
    /// Nothing known yet.
    pub fn new(servers: Arc<[IpAddr]>) -> Self {
        Self { servers, entries: BTreeMap::new() }
    }

    /// Takes a new list of paths: names that are new are due at once, as are those whose uplink changed; the rest is
    /// forgotten.
    pub fn replace(&mut self, list: &[ProbePath], now: BootTime) {
        let mut before = std::mem::take(&mut self.entries);
        for path in list {
            let servers = if self.servers.is_empty() { &path.resolvers } else { &self.servers };
            let way = Way { interface: path.interface.clone(), source: path.source, servers: Arc::clone(servers) };
            let named = path.targets.iter().filter_map(|target| Some((Question::of(path, target)?, target)));
            for (question, target) in named {
                if self.entries.contains_key(&question) {
                    continue;
                }
                let within = target.within.clone();
                let entry = match before.remove(&question) {
                    Some(entry) if entry.way == way => entry,
                    Some(entry) => Entry { way: way.clone(), due: now, failures: 0, ..entry },
                    None => Entry::new(way.clone(), within, now),
                };
                self.entries.insert(question, entry);
            }
        }
    }

    /// The next look-up to make, if one is due. To be called until there is none.
    pub fn pop_due(&mut self, now: BootTime) -> Option<LookUp> {
        if self.under_way() >= MOST_AT_ONCE {
            return None;
        }
        let waiting = self.entries.iter_mut().filter(|(_, entry)| !entry.under_way && entry.due <= now);
        let (question, entry) = waiting.min_by_key(|(_, entry)| entry.due)?;
        entry.under_way = true;
        Some(LookUp { question: question.clone(), way: entry.way.clone() })
    }

    /// When [`Self::pop_due`] should be asked next; none when nothing is to be asked, or too much is under way.
    pub fn next_due(&self) -> Option<BootTime> {
        if self.under_way() >= MOST_AT_ONCE {
            return None;
        }
        self.entries.values().filter(|entry| !entry.under_way).map(|entry| entry.due).min()
    }

    fn under_way(&self) -> usize {
        self.entries.values().filter(|entry| entry.under_way).count()
    }

    /// Takes what a look-up found, and for how long that is to be believed; nothing when it failed. Tells whether the
    /// answer is one that somebody may have waited for.
    pub fn learned(&mut self, lookup: &LookUp, found: Option<(Vec<IpAddr>, Duration)>, now: BootTime) -> bool {
        let Some(entry) = self.entries.get_mut(&lookup.question) else { return false };
        entry.under_way = false;
        if entry.way != lookup.way {
            return false;
        }
        entry.answered = true;
        // Somebody may answer in the name server's stead: an address that was good is not given up for one that cannot be.
        let worse = |found: &[IpAddr]| entry.is_of_use(&entry.addresses) && !entry.is_of_use(found);
        match found.filter(|(addresses, _)| !addresses.is_empty() && !worse(addresses)) {
            Some((mut addresses, life)) => {
                addresses.truncate(MOST_ADDRESSES);
                let (least, most) = BELIEVED;
                entry.addresses = addresses;
                entry.failures = 0;
                entry.due = now + life.clamp(least, most);
            }
            None => {
                let wait = FIRST_RETRY.saturating_mul(2_u32.saturating_pow(entry.failures));
                entry.failures = entry.failures.saturating_add(1);
                entry.due = now + wait.min(LAST_RETRY);
            }
        }
        true
    }

    /// Where a target is. Of several addresses the one that `rotation` leads to.
    pub fn find(&self, path: &ProbePath, target: &Target, rotation: usize) -> Whereabouts {
        let Some(question) = Question::of(path, target) else {
            return match target.host {
                Host::Address(address) => Whereabouts::At(SocketAddr::new(address, target.port)),
                Host::Name(_) => Whereabouts::Nowhere,
            };
        };
        let Some(entry) = self.entries.get(&question).filter(|entry| entry.answered) else {
            return Whereabouts::Awaited;
        };
        let usable = || entry.addresses.iter().filter(|address| may_be_used(**address, target.within.as_deref()));
        let position = rotation.checked_rem(usable().count());
        match position.and_then(|position| usable().nth(position)) {
            Some(address) => Whereabouts::At(SocketAddr::new(*address, target.port)),
            None => Whereabouts::Nowhere,
        }
    }
}

impl Entry {
    /// Whether some of these addresses may stand for its targets.
    fn is_of_use(&self, addresses: &[IpAddr]) -> bool {
        addresses.iter().any(|address| may_be_used(*address, self.within.as_deref()))
    }

    fn new(way: Way, within: Option<Arc<[IpNet]>>, now: BootTime) -> Self {
        Self { way, within, addresses: Vec::new(), due: now, failures: 0, answered: false, under_way: false }
    }
}

/// Whether an address may stand for a target: one that lies outside of its class would measure something else.
fn may_be_used(address: IpAddr, within: Option<&[IpNet]>) -> bool {
    within.is_none_or(|within| within.iter().any(|prefix| prefix.contains(&address)))
}

#[cfg(test)]
mod tests;
