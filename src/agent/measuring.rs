//! Starts the task that measures.

use std::sync::Arc;

use tokio::sync::{mpsc, watch};

use crate::{
    config::{Probe, TrustSource},
    domain::ProbeSample,
    probe::{self, OwnPorts, ProbePath, ProbeSettings, TrustAnchors, TrustError},
};

/// What is to be measured, what came of it, and the ports that it used.
pub struct Measuring {
    pub paths: watch::Sender<Arc<[ProbePath]>>,
    pub samples: mpsc::Receiver<ProbeSample>,
    pub ports: Arc<OwnPorts>,
}

/// Whom probes believe. A system without a bundle of trust anchors is no reason not to start: targets that would need
/// it are left out.
///
/// # Errors
/// When a file that the configuration names cannot be used.
pub fn trust(settings: &mut Probe) -> Result<Option<Arc<TrustAnchors>>, TrustError> {
    match TrustAnchors::load(&settings.trust) {
        Err(error) if settings.trust == TrustSource::System => {
            log::warn!("{error}; until then nobody is asked to prove its name, and a captive portal can pass");
            settings.trust = TrustSource::Off;
            Ok(None)
        }
        loaded => loaded,
    }
}

/// Starts it with nothing to measure yet.
pub fn start(settings: &Probe, trust: Option<Arc<TrustAnchors>>) -> Measuring {
    let ports = Arc::new(OwnPorts::default());
    let settings = ProbeSettings {
        interval: settings.interval,
        timeout: settings.timeout,
        resolvers: settings.resolvers.as_slice().into(),
        trust,
        ports: Arc::clone(&ports),
    };
    let (paths, listed) = watch::channel(Arc::from([]));
    let (sender, samples) = mpsc::channel(256);
    tokio::spawn(probe::run(settings, listed, sender));
    Measuring { paths, samples, ports }
}
