//! Everybody who may stand between the branch and the Microsoft edge and answer in its stead.

use std::{
    collections::HashMap,
    net::SocketAddr,
    sync::{Arc, OnceLock},
};

use crate::{
    LabError, Namespace,
    edge::{Conduct, Manners, Servers, Signer},
    fabric::{Divert, Portal},
};

/// Starts the servers of all portals in a namespace that owns every address; each guest is treated as the ISP that he
/// came by is set to.
pub(crate) fn start(namespace: &Namespace, divert: Divert) -> Result<Servers, LabError> {
    let conducts = conducts()?;
    Servers::start(namespace, "portal", move |client: SocketAddr, server: SocketAddr| {
        let portal = divert.portal(client.ip(), server.ip());
        portal.and_then(|portal| conducts.get(&portal).cloned()).unwrap_or(Conduct::Silent)
    })
}

/// Made once per process, because keys take time.
fn conducts() -> Result<HashMap<Portal, Conduct>, LabError> {
    static MADE: OnceLock<Result<HashMap<Portal, Conduct>, String>> = OnceLock::new();
    let make = || {
        let signed = |signer: Signer| Arc::new(Manners::of(Arc::new(signer)));
        let made = Portal::ALL.map(|portal| {
            let conduct = match portal {
                Portal::Tcp => Conduct::Captive(signed(Signer::self_signed()?)),
                Portal::Proxy => Conduct::Proxy(signed(Signer::authority("proxy")?)),
                Portal::Silent => Conduct::Silent,
            };
            Ok::<_, LabError>((portal, conduct))
        });
        made.into_iter().collect::<Result<_, _>>().map_err(|error| error.to_string())
    };
    MADE.get_or_init(make).clone().map_err(|reason| LabError::pki("make the portals", &reason))
}
