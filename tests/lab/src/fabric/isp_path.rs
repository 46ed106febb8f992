//! The knobs of the path through one ISP.

use ipnet::IpNet;

use super::{Conditions, Fabric, PathProfile, lock};

/// Somebody between the branch and the edge who takes TCP connections for himself, on ports 80 and 443 of every address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Portal {
    /// A captive portal: accepts every connection, redirects HTTP (302) to its login page, shows a self-signed
    /// certificate in TLS. Names are resolved; anything else is swallowed.
    Tcp,
    /// A transparent proxy that reads along: the right name in a certificate of its own authority. What is not TCP passes.
    Proxy,
    /// Accepts connections and says nothing. What is not TCP passes.
    Silent,
}

impl Portal {
    pub(crate) const ALL: [Self; 3] = [Self::Tcp, Self::Proxy, Self::Silent];
}

/// The knobs of the path through one ISP; they act on the next packet.
#[derive(Debug, Clone, Copy)]
pub struct IspPath<'a> {
    fabric: &'a Fabric,
    index: usize,
}

impl<'a> IspPath<'a> {
    pub(super) fn new(fabric: &'a Fabric, index: usize) -> Self {
        Self { fabric, index }
    }

    /// Sets both directions.
    pub fn set(self, profile: PathProfile) {
        self.set_towards_edge(profile);
        self.set_from_edge(profile);
    }

    /// Sets the direction from the branch to the edge.
    pub fn set_towards_edge(self, profile: PathProfile) {
        self.change(|conditions| conditions.towards_edge = profile);
    }

    /// Sets the direction from the edge to the branch.
    pub fn set_from_edge(self, profile: PathProfile) {
        self.change(|conditions| conditions.from_edge = profile);
    }

    /// Accepts packets of these sources alone from the branch, as ISPs do (BCP 38): others are swallowed without a
    /// word, and [`Fabric::seen`] does not see them. `None`, the beginning, accepts all.
    pub fn filter_sources(self, accepted: Option<Vec<IpNet>>) {
        self.change(|conditions| conditions.ingress.accepted = accepted);
    }

    /// Packets that were swallowed because of their source.
    pub fn filtered(self) -> u64 {
        lock(&self.fabric.shared).isps.get(self.index).map_or(0, |conditions| conditions.ingress.filtered)
    }

    /// Puts somebody between the branch and the edge; `None`, the beginning, takes him away.
    pub fn portal(self, portal: Option<Portal>) {
        self.change(|conditions| conditions.portal = portal);
    }

    /// Swallows packets of more bytes, IP header included, in both directions and without a word: a hole that path MTU
    /// discovery cannot see. `None`, the beginning, lets all pass.
    pub fn mtu(self, bytes: Option<usize>) {
        self.change(|conditions| conditions.mtu = bytes);
    }

    /// Has the answers to what leaves by this ISP come back by another. `None`, the beginning: by this one.
    pub fn return_by(self, other: Option<usize>) {
        self.change(|conditions| conditions.return_by = other);
    }

    fn change(self, change: impl FnOnce(&mut Conditions)) {
        if let Some(conditions) = lock(&self.fabric.shared).isps.get_mut(self.index) {
            change(conditions);
        }
    }
}
