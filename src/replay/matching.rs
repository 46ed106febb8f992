//! Which uplink and class of a configuration is which of the recording.

use std::collections::BTreeSet;

use crate::{
    config::{Config, Ipv6Source},
    domain::{Class, ClassId, UplinkId},
    recording::Head,
};

/// Where the samples of a recording belong in a configuration.
#[derive(Debug, Default)]
pub(super) struct Matching {
    /// By number of the recording's uplink.
    pub uplinks: Vec<Option<UplinkId>>,
    /// By number of the recording's class: the classes that its samples stand for.
    pub classes: Vec<Vec<ClassId>>,
    /// What people should know of it.
    pub notes: BTreeSet<String>,
}

impl Matching {
    /// Uplinks by name; classes by id, or else by what their id is without the name of a rule.
    pub fn new(config: &Config, classes: &[Class], head: &Head) -> Self {
        let mut matching = Self {
            uplinks: head.uplinks.iter().map(|uplink| config.uplink_named(&uplink.name)).collect(),
            classes: vec![Vec::new(); head.classes.len()],
            notes: BTreeSet::new(),
        };
        let known = matching.uplinks.clone();
        for id in config.uplink_ids().filter(|id| !known.contains(&Some(*id))) {
            matching.note(format!("uplink {} is not in the recording: never attached", config.uplink(id).name));
        }
        for uplink in head.uplinks.iter().filter(|uplink| config.uplink_named(&uplink.name).is_none()) {
            matching.note(format!("uplink {} of the recording is not in this configuration: not used", uplink.name));
        }
        for class in classes.iter().filter(|class| class.zone.is_none()) {
            matching.class(class, head);
        }
        matching
    }

    fn class(&mut self, class: &Class, head: &Head) {
        let recorded = head.classes.iter().enumerate();
        let Some((number, known)) = class.id.nearest_among(recorded, |(_, known)| &known.id) else {
            self.note(format!("class {} has no samples: not decided", class.id));
            return;
        };
        if let Some(of) = self.classes.get_mut(number) {
            of.push(class.id.clone());
        }
        if known.id != class.id {
            let note = format!("class {} goes by the samples of {}", class.id, known.id);
            self.note(note);
        }
    }

    fn note(&mut self, note: String) {
        self.notes.insert(note);
    }
}

/// The configuration without what a recording does not hold, and what was left out.
pub(super) fn replayable(mut config: Config) -> (Config, BTreeSet<String>) {
    let mut notes = BTreeSet::new();
    for uplink in &mut config.uplinks {
        if std::mem::take(&mut uplink.require_route) {
            notes.insert(format!("require_route of {} is left out: recordings hold no routes", uplink.name));
        }
        if uplink.ipv6_source == Ipv6Source::Auto {
            uplink.ipv6_source = Ipv6Source::Any;
            let what = "recordings hold no learned prefixes, every source is let through";
            notes.insert(format!("ipv6_source = \"auto\" of {} is left out: {what}", uplink.name));
        }
    }
    (config, notes)
}
