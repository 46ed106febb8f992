//! The stream of events: subscribed to, broken now and then, and opened again.

use std::io;

use netlink_sys::protocols::NETLINK_ROUTE;
use tokio::time::{Instant, sleep_until};

use super::{
    KernelError,
    picture::{Effect, Picture},
    transport::Transport,
};

/// `RTNLGRP_*`: link, neighbour, and of both families address, route and rule, and next hop.
const GROUPS: [u32; 9] = [1, 3, 5, 7, 8, 9, 11, 19, 32];
/// `RTNLGRP_NEXTHOP`, unknown to kernels without next-hop objects.
const NEXT_HOP_GROUP: u32 = 32;

/// Room for the events of some thousand route changes in one go.
const QUEUE: usize = 8 * 1024 * 1024;

/// Datagrams taken in one go before others on this thread have their turn.
const SWARM: usize = 256;

/// The socket that events come by, or the time at which to open it again.
#[derive(Debug)]
pub(super) enum Stream {
    Open(Transport),
    Closed { reopen_at: Instant },
}

/// What came of waiting for events.
#[derive(Debug)]
pub(super) enum Arrival {
    /// They were applied, or it is broken.
    Events(io::Result<Effect>),
    /// It is time to open it again.
    ReopenDue,
}

impl Stream {
    pub(super) fn is_open(&self) -> bool {
        matches!(self, Self::Open(_))
    }

    /// Waits for events and applies all that are queued, so that only the last state of a swarm is published. Safe to
    /// cancel: an event is applied as soon as it is received.
    pub(super) async fn swarm(&mut self, picture: &mut Picture) -> Arrival {
        match self {
            Self::Open(events) => Arrival::Events(absorb(events, picture).await),
            Self::Closed { reopen_at } => {
                sleep_until(*reopen_at).await;
                Arrival::ReopenDue
            }
        }
    }
}

async fn absorb(events: &mut Transport, picture: &mut Picture) -> io::Result<Effect> {
    let mut effect = picture.absorb(events.receive().await?);
    for _ in 0..SWARM {
        match events.receive_queued() {
            Ok(Some(datagram)) => effect = effect.and(picture.absorb(datagram)),
            Ok(None) => break,
            Err(error) => return Err(error),
        }
    }
    Ok(effect)
}

/// Opens the socket and subscribes to everything that is followed.
pub(super) fn subscribe() -> Result<Transport, KernelError> {
    let events = Transport::open(NETLINK_ROUTE, QUEUE)?;
    for group in GROUPS {
        match events.subscribe(group) {
            Err(error) if group == NEXT_HOP_GROUP => log::debug!("{error}"),
            joined => joined?,
        }
    }
    Ok(events)
}
