//! The far end of the internet: owns every address but the branch's, and answers on each as Microsoft's front doors do.
//!
//! TCP 443 speaks TLS with a certificate of the lab's own authority for whatever name is asked, and HTTP over it;
//! whatever is not TLS is echoed. TCP 80 speaks HTTP. The fabric answers STUN and DNS in its stead, without a socket.

mod connection;
mod dns;
mod http;
mod identity;
mod servers;
mod stun;
mod zone;

use std::{net::IpAddr, sync::Arc, time::Duration};

pub(crate) use connection::{Conduct, Manners};
pub(crate) use dns::{PORT as DNS_PORT, answer as answer_query};
pub use identity::lab_ca_pem;
pub(crate) use identity::{Signer, lab_ca};
pub(crate) use servers::Servers;
pub(crate) use stun::{PORT as STUN_PORT, answer as answer_binding};
pub(crate) use zone::Zone;

use crate::{LabError, Namespace};

/// Port that speaks TLS, or echoes what is no TLS.
pub const TCP_PORT: u16 = 443;

/// Port that speaks HTTP.
pub const HTTP_PORT: u16 = 80;

/// The Microsoft edge and the rest of the internet.
#[derive(Debug)]
pub struct Edge {
    // Servers end before the namespace that they work in.
    _servers: Servers,
    manners: Arc<Manners>,
    namespace: Namespace,
    zone: Arc<Zone>,
}

impl Edge {
    /// Starts its servers in `namespace`, which must own the addresses that they are to answer on.
    pub(crate) fn start(namespace: Namespace, zone: Arc<Zone>) -> Result<Self, LabError> {
        let manners = Arc::new(Manners::of(lab_ca()?));
        let conduct = Arc::clone(&manners);
        let servers = Servers::start(&namespace, "edge", move |_, _| Conduct::Genuine(Arc::clone(&conduct)))?;
        Ok(Self { _servers: servers, manners, namespace, zone })
    }

    /// Where it is.
    pub fn namespace(&self) -> &Namespace {
        &self.namespace
    }

    /// Sets the addresses of a name, as every name server tells them from now on. Without any, the name exists but has
    /// none. The names that Peerward probes by default are known from the beginning, every other one is not (NXDOMAIN).
    pub fn name(&self, name: &str, addresses: impl IntoIterator<Item = IpAddr>) {
        self.zone.set(name, addresses.into_iter().collect());
    }

    /// Makes a name unknown.
    pub fn forget_name(&self, name: &str) {
        self.zone.remove(name);
    }

    /// Sets how long answers of name servers may be kept, in whole seconds; 60 s at first.
    pub fn name_ttl(&self, ttl: Duration) {
        self.zone.set_ttl(ttl);
    }

    /// How often the addresses of a name were asked for, in either family.
    pub fn name_queries(&self, name: &str) -> u64 {
        self.zone.queries(name)
    }

    /// Sets about how many bytes the certificate takes in a TLS handshake; 4,000 at first, as Microsoft's chain does, so
    /// that it does not fit into one packet.
    pub fn certificate_bytes(&self, bytes: usize) {
        self.manners.set_certificate_bytes(bytes);
    }
}
