//! Starts the task that watches users' handshakes, where that is asked for, and shows what it knows.

use std::{future, net::IpAddr, sync::Arc};

use tokio::sync::{mpsc, watch};

use crate::{
    catalogue::Catalogue,
    config::Config,
    domain::view::{WatchView, WatchedView},
    passive::{self, Handshake, Handshakes, Settings, Watched},
    probe::OwnPorts,
};

/// Batches of measured handshakes that may wait.
const BATCHES: usize = 16;

/// What the task knows, and the newest that it measured.
pub struct Users {
    pub known: watch::Receiver<Arc<Handshakes>>,
    pub measured: mpsc::Receiver<Vec<Handshake>>,
}

/// `None` when it is not asked for.
pub fn start(config: &Config, catalogue: Arc<Catalogue>, ports: Arc<OwnPorts>) -> Option<Users> {
    if !config.probe.passive {
        return None;
    }
    let watched = |uplink| Watched { uplink, interface: config.uplink(uplink).interface.clone() };
    let (_, uplinks) = watch::channel(config.uplink_ids().map(watched).collect());
    let (out, known) = watch::channel(Arc::default());
    let (sender, measured) = mpsc::channel(BATCHES);
    let classify = move |address: IpAddr| catalogue.class_of_address(address).cloned();
    let is_own = move |port| ports.contains(port);
    tokio::spawn(passive::run(Settings::default(), uplinks, classify, is_own, out, sender));
    Some(Users { known, measured })
}

/// What was measured of users' handshakes; never, where they are not watched.
pub async fn measured(users: &mut Option<Users>) -> Option<Vec<Handshake>> {
    match users {
        Some(users) => users.measured.recv().await,
        None => future::pending().await,
    }
}

/// What is known of the watch itself.
pub fn view(config: &Config, known: &Handshakes) -> WatchView {
    WatchView {
        uplinks: known
            .uplinks
            .iter()
            .map(|(uplink, state)| WatchedView {
                uplink: config.uplink(*uplink).name.clone(),
                watching: *state == passive::Watch::Watching,
                state: state.to_string(),
            })
            .collect(),
        packets: known.packets,
        dropped: known.dropped,
        one_in: known.one_in,
    }
}
