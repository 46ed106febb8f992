//! A collector in the management network of a branch, with certificates for both sides.

use std::{net::TcpListener, time::Duration};

use tempfile::TempDir;

use crate::{
    Branch, LabError, OPS_IPV4, ReportSettings,
    collector::Collector,
    pki::{Authority, Validity},
};

/// OTLP over HTTP.
const PORT: u16 = 4318;

/// Shortest report interval that the agent accepts.
const INTERVAL: Duration = Duration::from_secs(1);

/// A running collector that the branch router can reach.
#[derive(Debug)]
pub struct Reporting {
    collector: Collector,
    settings: ReportSettings,
    /// Holds the files that the settings name.
    _directory: TempDir,
}

impl Reporting {
    /// Makes the certificates and starts the collector on [`OPS_IPV4`].
    ///
    /// # Errors
    /// When files cannot be written, or the port is taken.
    pub fn start(branch: &Branch) -> Result<Self, LabError> {
        let directory = TempDir::with_prefix("peerward-lab-pki-")
            .map_err(|source| LabError::system("create a directory for certificates", source))?;
        let authority = Authority::create(directory.path(), "authority")?;
        let identity = authority.server(&[&OPS_IPV4.to_string()], Validity::Current)?;
        let client = authority.client("branch", Validity::Current)?;
        let listener = branch
            .ops()
            .run(|| TcpListener::bind((OPS_IPV4, PORT)))
            .map_err(|source| LabError::system(format!("listen on {OPS_IPV4}:{PORT}"), source))?;
        let collector = Collector::start(listener, &identity)?;
        let settings = ReportSettings {
            endpoint: format!("https://{OPS_IPV4}:{PORT}"),
            ca: authority.file().to_owned(),
            cert: client.cert,
            key: client.key,
            interval: INTERVAL,
        };
        Ok(Self { collector, settings, _directory: directory })
    }

    /// What an agent needs to report there.
    pub fn settings(&self) -> ReportSettings {
        self.settings.clone()
    }

    /// The collector.
    pub fn collector(&self) -> &Collector {
        &self.collector
    }
}
