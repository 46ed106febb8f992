//! Pure: the classes that are decided: the catalogue's, and again for each zone of IPv6 sources.

use std::collections::BTreeMap;

use crate::{
    domain::{Class, ClassId, Family, ZoneId},
    select::Zones,
};

/// All classes, with the one of the catalogue behind each.
#[derive(Debug)]
pub struct Roster {
    classes: Vec<Class>,
    /// Position of each, and of the catalogue's class behind it.
    positions: BTreeMap<ClassId, (usize, usize)>,
    /// By position of the catalogue's class: it and its like of each zone.
    alike: Vec<Vec<ClassId>>,
}

impl Roster {
    /// The catalogue's classes, and those of IPv6 once more for each zone.
    pub fn new(catalogue: &[Class], zones: &Zones) -> Self {
        let mut classes: Vec<(Class, usize)> = catalogue.iter().cloned().zip(0..).collect();
        for zone in zones.iter() {
            let of_zone = catalogue.iter().zip(0..).filter(|(class, _)| class.family == Family::Ipv6);
            classes.extend(of_zone.map(|(class, base)| {
                let id = ClassId::new(&format!("{}@{}", class.id, zone.name));
                (Class { id, zone: Some(zone.id), ..class.clone() }, base)
            }));
        }
        let positions =
            classes.iter().zip(0..).map(|((class, base), own)| (class.id.clone(), (own, *base))).collect();
        let mut alike = vec![Vec::new(); catalogue.len()];
        for (class, base) in &classes {
            if let Some(ids) = alike.get_mut(*base) {
                ids.push(class.id.clone());
            }
        }
        Self { classes: classes.into_iter().map(|(class, _)| class).collect(), positions, alike }
    }

    /// Every class: the catalogue's first.
    pub fn classes(&self) -> &[Class] {
        &self.classes
    }

    /// The class of that id.
    pub fn class(&self, id: &ClassId) -> Option<&Class> {
        self.classes.get(self.positions.get(id)?.0)
    }

    /// The catalogue's class behind it, whose paths are its own.
    pub fn measured_as(&self, id: &ClassId) -> Option<&Class> {
        self.classes.get(self.positions.get(id)?.1)
    }

    /// Ids of the classes that are decided by the paths of a class of the catalogue: itself and its like of each zone.
    pub fn decided_by(&self, measured: &ClassId) -> &[ClassId] {
        let alike = self.positions.get(measured).and_then(|(_, base)| self.alike.get(*base));
        alike.map_or(&[], Vec::as_slice)
    }

    /// The class of a zone that is a given one of the catalogue.
    pub fn in_zone(&self, measured: &ClassId, zone: ZoneId) -> Option<&Class> {
        let mut alike = self.decided_by(measured).iter().filter_map(|id| self.class(id));
        alike.find(|class| class.zone == Some(zone))
    }
}
