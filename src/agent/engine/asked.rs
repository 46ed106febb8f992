//! What others may ask of the engine, and tell it of measurements that were not made by its own targets: for whoever
//! drives it over a recording.

use std::sync::Arc;

use super::{Engine, treatment};
use crate::{
    config::Config,
    domain::{BootTime, Class, ClassId, PathState, Target, UplinkId},
    quality::{PathQuality, Thresholds},
    select::Decision,
};

impl Engine {
    /// The configuration that it goes by.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// Every class that is decided: the catalogue's, and again for each zone of sources.
    pub fn classes(&self) -> &[Class] {
        self.roster.classes()
    }

    /// Ids of the classes that are decided by the paths of a class of the catalogue.
    pub fn decided_by(&self, measured: &ClassId) -> &[ClassId] {
        self.roster.decided_by(measured)
    }

    /// The decision in force for a class; none before the router was read.
    pub fn decision(&self, class: &ClassId) -> Option<&Decision> {
        self.decisions.get(class)
    }

    /// State of the path by which a class goes, or would go, by an uplink.
    pub fn path_state(&self, class: &ClassId, uplink: UplinkId) -> Option<PathState> {
        let measured = &self.roster.measured_as(class)?.id;
        self.paths.get(&(measured.clone(), uplink)).map(|path| path.state())
    }

    /// What is measured for a class of the catalogue.
    pub fn targets_of(&self, class: &ClassId) -> Arc<[Target]> {
        self.targets.get(class).cloned().unwrap_or_else(|| Arc::from([]))
    }

    /// Replaces what is measured for a class of the catalogue; what is known of its paths is forgotten.
    pub fn measure(&mut self, class: &ClassId, targets: Arc<[Target]>, now: BootTime) {
        let Some(of_catalogue) = self.catalogue.class(class) else { return };
        let thresholds = Thresholds::for_sla(&self.config, treatment(&self.config, of_catalogue).sla);
        for (_, path) in self.paths.iter_mut().filter(|((of, _), _)| of == class) {
            *path = PathQuality::new(thresholds, Arc::clone(&targets), now).into();
        }
        self.targets.insert(class.clone(), targets);
    }
}
