//! Applies changes: batches out, verdicts in, each of them accounted for.

use std::{
    collections::BTreeSet,
    net::IpAddr,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use tokio::time::sleep;

use super::{
    Applied, KernelError,
    describe::describe_change,
    encode::{OnLink, add_rule_beside, requests},
    error::Refusal,
    leftover::Leftover,
    ownership::Ownership,
    refusals::Refusals,
    seen::Seen,
    socket::RequestSocket,
};
use crate::{
    domain::IfIndex,
    plan::{Change, Via},
};

/// Messages in one datagram. Each is acknowledged by a datagram of its own, and the acknowledgements of a batch must
/// fit into the receive queue of a process that may not enlarge it (212,992 bytes, near 1 KiB each).
pub(super) const BATCH: usize = 64;

/// How long a route is left behind the one that took its place: longer than any packet that has just found it needs.
const GRACE: Duration = Duration::from_millis(2);

const WHAT: &str = "write next hops, routes and rules";

/// What is needed to write.
pub(super) struct Writer<'a> {
    pub(super) socket: &'a mut RequestSocket,
    pub(super) own: Ownership,
    pub(super) seen: &'a mut Seen,
    pub(super) refusals: Refusals<'a>,
    /// Asked between batches: whether what is being written is wanted no more.
    pub(super) superseded: &'a mut (dyn FnMut() -> bool + Send),
}

/// What the kernel said of a change.
enum Verdict {
    Done,
    AlreadySo,
    Refused(Refusal),
}

impl Writer<'_> {
    /// Applies changes in order. What depends on a refused one is not tried.
    pub(super) async fn apply(mut self, changes: &[Change]) -> Applied {
        let mut applied = Applied { so: vec![false; changes.len()], ..Applied::default() };
        // A group is changed at once, whatever an earlier change of routes has left to be tidied up.
        let of_routes = changes.iter().any(is_of_route);
        if of_routes {
            self.tidy(&mut applied).await;
        }
        if applied.goes_on() {
            self.apply_all(changes, &mut applied).await;
        }
        if applied.goes_on() && of_routes && !self.seen.shadows.is_empty() {
            sleep(GRACE).await;
            self.tidy(&mut applied).await;
        }
        if !applied.goes_on() {
            // What stands before them may go with its carrier until this is gone on with: the next read finds them again.
            self.seen.shadows.clear();
        }
        applied
    }

    async fn apply_all(&mut self, changes: &[Change], applied: &mut Applied) {
        let mut first = 0;
        // Of one kind only, so that a next hop is there, with its second attempt, before a group that refers to it.
        for alike in changes.chunk_by(|a, b| std::mem::discriminant(a) == std::mem::discriminant(b)) {
            if !self.apply_alike(alike, first, applied).await {
                return;
            }
            first += alike.len();
        }
    }

    /// Deletes the routes that others of ours stand before, until something newer is wanted.
    async fn tidy(&mut self, applied: &mut Applied) {
        while !self.seen.shadows.is_empty() {
            if (self.superseded)() {
                applied.interrupted = true;
                return;
            }
            tokio::task::yield_now().await;
            if let Err(error) = self.drop_shadows().await {
                applied.broken = Some(error);
                return;
            }
        }
    }

    /// Deletes a batch of them. One that cannot be deleted is found again at the next read.
    async fn drop_shadows(&mut self) -> Result<(), KernelError> {
        let rest = self.seen.shadows.len().saturating_sub(BATCH);
        let shadows = self.seen.shadows.split_off(rest);
        for batch in shadows.chunks(BATCH) {
            let messages = batch.iter().map(|shadow| shadow.deletion(self.own)).collect();
            for (shadow, verdict) in batch.iter().zip(self.socket.execute(WHAT, messages).await?) {
                match verdict {
                    Err(refusal) if !is_gone(&refusal) => {
                        log::debug!("route {} in table {} stays: {refusal}", shadow.prefix, shadow.table);
                    }
                    _ => self.seen.unshade(shadow),
                }
            }
        }
        Ok(())
    }

    /// False when the rest is not to be tried.
    async fn apply_alike(&mut self, alike: &[Change], first: usize, applied: &mut Applied) -> bool {
        let mut rest = alike;
        while !rest.is_empty() {
            if (self.superseded)() {
                applied.interrupted = true;
                return false;
            }
            tokio::task::yield_now().await;
            let at = first + alike.len() - rest.len();
            match self.apply_batch(rest, at, applied).await {
                Ok(taken) => rest = rest.get(taken..).unwrap_or_default(),
                Err(error) => {
                    applied.broken = Some(error);
                    return false;
                }
            }
        }
        true
    }

    /// Sends as many of `changes` as fit into one batch, and says how many these were.
    async fn apply_batch(
        &mut self,
        changes: &[Change],
        first: usize,
        applied: &mut Applied,
    ) -> Result<usize, KernelError> {
        let (mut batch, mut messages, mut taken) = (Vec::new(), Vec::new(), 0);
        for (change, position) in changes.iter().zip(first..) {
            if messages.len() >= BATCH {
                break;
            }
            taken += 1;
            if self.refusals.hold_back(change) {
                applied.held_back += 1;
                continue;
            }
            if let Some(error) = self.objection(change) {
                self.refuse(change, error, applied);
                continue;
            }
            let of_change = requests(self.own, self.seen, change, OnLink::Proven);
            batch.push((change, position, of_change.len()));
            messages.extend(of_change);
        }
        let mut verdicts = self.socket.execute(WHAT, messages).await?.into_iter();
        for (change, position, messages) in batch {
            let verdict = together(change, verdicts.by_ref().take(messages));
            let verdict = match verdict {
                Verdict::Refused(refusal) => self.second_attempt(change, refusal).await?,
                verdict => verdict,
            };
            self.count(change, position, verdict, applied);
        }
        Ok(taken)
    }

    /// Why a change is not even tried.
    fn objection(&self, change: &Change) -> Option<KernelError> {
        if let Some(protocol) = self.seen.holder(change) {
            return Some(taken_by(change, protocol));
        }
        let needed = self.refusals.missing(change)?.0;
        Some(KernelError::Dependent { what: describe_change(change), needed })
    }

    /// Counts a refusal; of the errors only the first is kept: a hundred thousand of them say no more.
    fn refuse(&mut self, change: &Change, error: KernelError, applied: &mut Applied) {
        self.refusals.note(change);
        applied.refused += 1;
        if applied.first_refusal.is_none() {
            applied.first_refusal = Some((change.clone(), error));
        }
    }

    fn count(&mut self, change: &Change, position: usize, verdict: Verdict, applied: &mut Applied) {
        match verdict {
            Verdict::Refused(refusal) => {
                return self.refuse(change, KernelError::refused(describe_change(change), refusal), applied);
            }
            Verdict::Done => applied.done += 1,
            Verdict::AlreadySo => applied.already += 1,
        }
        self.seen.absorb(change);
        if let Some(so) = applied.so.get_mut(position) {
            *so = true;
        }
    }

    /// What is refused for a reason that we know is tried once more in another way.
    async fn second_attempt(&mut self, change: &Change, refusal: Refusal) -> Result<Verdict, KernelError> {
        let messages = match change {
            Change::AddRule(rule) if refusal.errno == libc::EEXIST => {
                if !self.seen.leftovers.iter().any(|left| matches!(left, Leftover::Rule(_))) {
                    return Ok(Verdict::AlreadySo);
                }
                vec![add_rule_beside(self.own, rule)]
            }
            _ => match unreachable_gateway(change, &refusal) {
                Some((index, gateway)) => {
                    tell_on_link(index, gateway);
                    requests(self.own, self.seen, change, OnLink::Asserted)
                }
                None => return Ok(Verdict::Refused(refusal)),
            },
        };
        let verdicts = self.socket.execute(WHAT, messages).await?;
        Ok(together(change, verdicts.into_iter()))
    }
}

impl Applied {
    fn goes_on(&self) -> bool {
        self.broken.is_none() && !self.interrupted
    }
}

fn taken_by(change: &Change, protocol: u8) -> KernelError {
    let remedy = match change {
        Change::AddRoute(..) | Change::MoveRoute { .. } => {
            "a route of the same prefix and metric there; remove it, or choose another table under [kernel]"
        }
        _ => "that id; choose another kernel.nexthop_base",
    };
    KernelError::Taken { what: describe_change(change), protocol, remedy }
}

/// The verdict on a change of several messages: refused with the first refusal, done when anything was.
fn together(change: &Change, verdicts: impl Iterator<Item = Result<(), Refusal>>) -> Verdict {
    let mut combined = Verdict::AlreadySo;
    for (message, verdict) in verdicts.enumerate() {
        match verdict {
            Ok(()) => combined = Verdict::Done,
            // What follows the first message of a change deletes what it replaced.
            Err(refusal) if is_gone(&refusal) && (is_deletion(change) || message > 0) => {}
            Err(refusal) => return Verdict::Refused(refusal),
        }
    }
    combined
}

fn is_of_route(change: &Change) -> bool {
    matches!(change, Change::AddRoute(..) | Change::MoveRoute { .. } | Change::DeleteRoute(..))
}

fn is_deletion(change: &Change) -> bool {
    matches!(change, Change::DeleteRoute(..) | Change::DeleteRule(_) | Change::DeleteNextHop(_))
}

pub(super) fn is_gone(refusal: &Refusal) -> bool {
    matches!(refusal.errno, libc::ENOENT | libc::ESRCH)
}

/// The kernel found no connected prefix for the gateway (`ENETUNREACH` for IPv4, `EHOSTUNREACH` for IPv6).
fn unreachable_gateway(change: &Change, refusal: &Refusal) -> Option<(IfIndex, IpAddr)> {
    let (Change::SetNextHop(_, _, next_hop)
    | Change::AddRoute(_, _, Via::NextHop(next_hop))
    | Change::MoveRoute { to: Via::NextHop(next_hop), .. }) = change
    else {
        return None;
    };
    let unreachable = matches!(refusal.errno, libc::ENETUNREACH | libc::EHOSTUNREACH);
    next_hop.gateway.filter(|_| unreachable).map(|gateway| (next_hop.index, gateway))
}

/// Says once of each gateway that it is believed.
fn tell_on_link(index: IfIndex, gateway: IpAddr) {
    /// Beyond that, a router whose gateways change all the time has been told often enough.
    const TOLD: usize = 64;
    static SAID: Mutex<BTreeSet<(IfIndex, IpAddr)>> = Mutex::new(BTreeSet::new());
    let mut said = SAID.lock().unwrap_or_else(PoisonError::into_inner);
    if said.len() < TOLD && said.insert((index, gateway)) {
        log::warn!(
            "no connected prefix of interface {} covers the gateway {gateway}: it is taken to be on that link; if it is \
             not, correct the gateway of the uplink",
            index.0
        );
    }
}
