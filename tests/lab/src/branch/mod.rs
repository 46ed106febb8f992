//! The branch in a box.
//!
//! ```text
//!   client ── lan0 ┐            ┌ wan0 ── isp0 ── fabric0 ┐
//!                  ├── router ──┤ wan1 ── isp1 ── fabric0 ┼── fabric ── fabric0 ── edge
//!   ops ──── mgmt0 ┘            └ wan2 ── isp2 ── fabric0 ┘
//! ```
//!
//! Each name is a network namespace; `fabric` is the path emulator in this process. The router's main table prefers
//! `wan1` for everything, so that traffic on `wan0` was steered there by somebody.

mod addresses;
mod build;

pub use addresses::{
    CLIENT_IPV4, CLIENT_IPV6, INTERNET_IPV4, INTERNET_IPV6, MICROSOFT_IPV4, MICROSOFT_IPV6, OPS_IPV4, RESOLVER_IPV4,
    RESOLVER_IPV6,
};
pub use build::BranchBuilder;

use std::{net::IpAddr, time::Duration};

use ipnet::IpNet;

use crate::{
    Fabric, LabError, Link, Namespace, Seen,
    edge::{Edge, Servers},
};

/// A packet older than this says nothing about the way of the next one.
const RECENT: Duration = Duration::from_millis(100);

/// A running branch. Everything is gone when it is dropped.
#[derive(Debug)]
pub struct Branch {
    // Order matters: servers and emulator end before the namespaces that they work in.
    _portals: Servers,
    edge: Edge,
    fabric: Fabric,
    client: Namespace,
    router: Namespace,
    isps: Vec<Namespace>,
    ops: Namespace,
}

impl Branch {
    /// Choices before it is built; the defaults are two ISPs and `rp_filter` 0.
    pub fn builder() -> BranchBuilder {
        BranchBuilder::default()
    }

    /// Where the client is.
    pub fn client(&self) -> &Namespace {
        &self.client
    }

    /// Where the agent runs.
    pub fn router(&self) -> &Namespace {
        &self.router
    }

    /// The router of an ISP, counted from 0.
    ///
    /// # Panics
    /// When there is no such ISP.
    #[allow(clippy::indexing_slicing, reason = "a test that names an ISP it did not build is wrong")]
    pub fn isp(&self, isp: usize) -> &Namespace {
        &self.isps[isp]
    }

    /// The Microsoft edge and the rest of the internet.
    pub fn edge(&self) -> &Edge {
        &self.edge
    }

    /// The management network, where a collector may listen on [`OPS_IPV4`].
    pub fn ops(&self) -> &Namespace {
        &self.ops
    }

    /// The path emulator.
    pub fn fabric(&self) -> &Fabric {
        &self.fabric
    }

    /// The router's interface towards an ISP.
    pub fn uplink(&self, isp: usize) -> Link {
        self.router.link(format!("wan{isp}"))
    }

    /// How many ISPs there are.
    pub fn isp_count(&self) -> usize {
        self.isps.len()
    }

    /// By which ISP the client's packets to `destination` leave; `None` before the first.
    pub fn seen(&self, destination: IpAddr) -> Option<Seen> {
        let client = if destination.is_ipv4() { CLIENT_IPV4 } else { CLIENT_IPV6 };
        self.fabric.seen(client, destination)
    }

    /// By which ISP the client's packets to `destination` leave now; `None` when none came in the last 100 ms.
    pub fn way_now(&self, destination: IpAddr) -> Option<usize> {
        self.seen(destination).filter(|seen| seen.at.elapsed() < RECENT).map(|seen| seen.isp)
    }

    /// The networks that an ISP gave to the branch, IPv4 and IPv6: what an ISP that looks at sources lets
    /// through. The LAN is not among them.
    pub fn isp_networks(&self, isp: usize) -> [IpNet; 2] {
        addresses::access_of(build::number(isp))
    }

    /// Gives the LAN an IPv6 prefix of an ISP, as DHCPv6 prefix delegation does: the ISP routes it to the branch, the
    /// client gets an address in it. Returns the prefix and the client's address.
    ///
    /// # Errors
    /// When it was done before.
    pub fn delegate(&self, isp: usize) -> Result<(IpNet, IpAddr), LabError> {
        build::delegate(&self.router, self.isp(isp), &self.client, isp)
    }

    /// Sets the default route of an uplink for packets from its delegated prefix alone, as OpenWrt's DHCPv6 client does.
    ///
    /// # Errors
    /// When it is there, or the uplink is down.
    pub fn add_default_route_for_delegated(&self, isp: usize) -> Result<(), LabError> {
        build::add_default_route_for_delegated(&self.router, isp)
    }

    /// Takes the carrier from an uplink, as if its cable were cut.
    ///
    /// # Errors
    /// When the kernel refuses.
    pub fn cut(&self, isp: usize) -> Result<(), LabError> {
        self.isp(isp).link(build::ACCESS).down()
    }

    /// Mends the cable of an uplink, and the ISP's routes that went with it.
    ///
    /// # Errors
    /// When the kernel refuses.
    pub fn mend(&self, isp: usize) -> Result<(), LabError> {
        build::mend(self.isp(isp), isp)
    }

    /// Removes the interface of an uplink altogether, as when a USB modem is pulled or PPP ends.
    ///
    /// # Errors
    /// When it does not exist.
    pub fn unplug(&self, isp: usize) -> Result<(), LabError> {
        self.uplink(isp).delete()
    }

    /// Makes the interface of an unplugged uplink again, with its addresses and default routes.
    ///
    /// # Errors
    /// When it exists.
    pub fn plug(&self, isp: usize) -> Result<(), LabError> {
        build::plug(&self.router, self.isp(isp), isp)
    }

    /// Sets the default routes of an uplink, as a DHCP client and router advertisements do when it comes up.
    ///
    /// # Errors
    /// When the uplink is down.
    pub fn add_default_routes(&self, isp: usize) -> Result<(), LabError> {
        build::add_default_routes(&self.router, isp)
    }
}
