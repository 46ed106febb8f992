//! A router with two ISPs and nothing else: for what needs no packets.

use std::{
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
};

use ipnet::{Ipv4Net, Ipv6Net};
use peerward::{
    config::Kernel,
    domain::Family,
    kernel::FibSocket,
    plan::{Change, Fib, difference},
};

use super::wire::Way;
use crate::{LabError, Namespace, veth};

/// Uplinks, by number.
pub(super) const UPLINKS: [&str; 2] = ["wan0", "wan1"];

/// The router, with its far ends.
pub(super) struct Site {
    pub(super) router: Namespace,
    _far: Namespace,
    indexes: [u32; 2],
}

impl Site {
    pub(super) fn build() -> Result<Self, LabError> {
        let (router, far) = (Namespace::new("router")?, Namespace::new("far")?);
        let mut indexes = [0; 2];
        for (number, (uplink, index)) in (0_u8..).zip(UPLINKS.iter().zip(&mut indexes)) {
            let (near, end) = (router.link(*uplink), far.link(*uplink));
            veth(&near, &end)?;
            end.up()?;
            near.up()?;
            near.add_address(Ipv4Net::new_assert(ipv4(number, 1), 24).into())?;
            near.add_address(Ipv6Net::new_assert(ipv6(number, 1), 64).into())?;
            *index = near.state()?.map_or(0, |state| state.index);
        }
        Ok(Self { router, _far: far, indexes })
    }

    /// The way out by an uplink in a family.
    pub(super) fn way_of(&self, uplink: u8, family: Family) -> Way {
        let interface = self.indexes.get(usize::from(uplink)).copied().unwrap_or_default();
        Way { interface, gateway: gateway(uplink, family == Family::Ipv4) }
    }

    /// Name of an uplink by its index.
    pub(super) fn name_of(&self, index: u32) -> &'static str {
        let named = self.indexes.iter().zip(UPLINKS).find(|(held, _)| **held == index);
        named.map_or("lo", |(_, name)| name)
    }

    /// Whether the kernel tells listeners of every route when a next hop of it changes: 1 by default, 0 where programs
    /// understand next-hop objects.
    pub(super) fn set_compat_mode(&self, mode: u8) -> Result<(), LabError> {
        self.router.sysctl("net/ipv4/nexthop_compat_mode", &mode.to_string())
    }

    /// Runs a conversation of the agent's kernel edge inside the router.
    pub(super) fn talk<T: Send>(
        &self,
        what: &str,
        conversation: impl AsyncFnOnce(&mut FibSocket) -> Result<T, String> + Send,
    ) -> Result<T, LabError> {
        talk(&self.router, what, conversation)
    }
}

/// Runs a conversation of the agent's kernel edge inside a namespace.
pub(super) fn talk<T: Send>(
    place: &Namespace,
    what: &str,
    conversation: impl AsyncFnOnce(&mut FibSocket) -> Result<T, String> + Send,
) -> Result<T, LabError> {
    let held = || -> io::Result<T> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(async {
            let mut socket = FibSocket::open(&Kernel::default()).map_err(io::Error::other)?;
            conversation(&mut socket).await.map_err(io::Error::other)
        })
    };
    place.run(held).map_err(|source| LabError::system(what, source))
}

/// Applies changes, all of which must succeed.
pub(super) async fn apply(socket: &mut FibSocket, changes: &[Change]) -> Result<(), String> {
    let applied = socket.apply(changes).await;
    if let Some(error) = applied.broken {
        return Err(error.to_string());
    }
    match applied.first_refusal {
        None => Ok(()),
        Some((_, error)) => Err(format!("{} changes refused, the first: {error}", applied.refused)),
    }
}

/// Takes everything of ours away.
pub(super) async fn clear(socket: &mut FibSocket) -> Result<(), String> {
    let observed = socket.read().await.map_err(|error| error.to_string())?;
    apply(socket, &difference(&Fib::default(), &observed)).await
}

/// The far end of an uplink.
pub(super) fn gateway(uplink: u8, is_ipv4: bool) -> IpAddr {
    if is_ipv4 { ipv4(uplink, 2).into() } else { ipv6(uplink, 2).into() }
}

fn ipv4(uplink: u8, host: u8) -> Ipv4Addr {
    Ipv4Addr::new(198, 18, uplink, host)
}

fn ipv6(uplink: u8, host: u8) -> Ipv6Addr {
    Ipv6Addr::new(0x2001, 0xdb8, uplink.into(), 0, 0, 0, 0, host.into())
}
