//! A configuration that is not, or not yet, in charge: what is needed to try it.

use std::sync::Arc;

use crate::{catalogue::Catalogue, config::Config, domain::BootTime};

use super::Engine;

/// A configuration with its catalogue.
#[derive(Debug, Clone)]
pub struct Candidate {
    /// Its file, as people named it.
    pub name: String,
    /// The configuration.
    pub config: Config,
    /// Its catalogue, with the classes of its rules.
    pub catalogue: Arc<Catalogue>,
}

impl Candidate {
    /// An engine by it.
    pub fn engine(&self, now: BootTime) -> Engine {
        Engine::new(self.config.clone(), Arc::clone(&self.catalogue), now)
    }
}
