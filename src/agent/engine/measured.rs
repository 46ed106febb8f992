//! What a probe result does: to its path, and, where all paths of an uplink say the same, to the uplink as a whole.

use std::collections::BTreeSet;

use super::{Attachments, Engine};
use crate::{
    domain::{BootTime, ClassId, EventKind, Family, ProbeFailure, ProbeOutcome, ProbeSample, UplinkId},
    quality::{Blackout, Observation, Sighting, UplinkWatch},
};

impl Engine {
    /// Takes one probe result. Answers to probes of an uplink that is gone by now say nothing.
    pub fn sampled(&mut self, sample: &ProbeSample, now: BootTime) -> Vec<EventKind> {
        let uplink = sample.uplink;
        let Some(family) = self.catalogue.class(&sample.class).map(|class| class.family) else { return Vec::new() };
        if !matches!(self.attachments.get(&(uplink, family)), Some(Ok(_))) {
            return Vec::new();
        }
        let target = self.targets.get(&sample.class).and_then(|targets| targets.get(sample.target));
        let proves_identity = target.is_some_and(|target| target.check.proves_identity());
        let blackout = self.sighted(sample, family, proves_identity, now);
        let believed = self.believed(sample, family, proves_identity);
        let Some(path) = self.paths.get_mut(&(sample.class.clone(), uplink)) else { return Vec::new() };
        let observation = Observation {
            sent_at: sample.sent_at,
            target: sample.target,
            outcome: believed,
            service_time: sample.service_time,
        };
        let transition = path.observe(observation, now);
        let mut events: Vec<_> =
            transition.map(|change| self.path_event(&sample.class, uplink, change)).into_iter().collect();
        let mut concerned = BTreeSet::from([sample.class.clone()]);
        if let Some(blackout) = blackout {
            let (fallen, told) = self.blacked_out(uplink, family, blackout, now);
            concerned.extend(fallen);
            events.extend(told);
        }
        events.extend(self.decide_measured_as(&concerned, now));
        events
    }

    /// Looks at what time alone changes in paths, the ends of hold-downs and of damping; the classes whose paths changed.
    pub(super) fn review_paths(&mut self, now: BootTime) -> (BTreeSet<ClassId>, Vec<EventKind>) {
        let due = self.paths.iter_mut().filter(|(_, path)| path.wakes_at().is_some_and(|at| at <= now));
        let changes: Vec<_> = due.filter_map(|(key, path)| Some((key.clone(), path.review(now)?))).collect();
        let classes = changes.iter().map(|((class, _), _)| class.clone()).collect();
        let events =
            changes.into_iter().map(|((class, uplink), change)| self.path_event(&class, uplink, change)).collect();
        (classes, events)
    }

    /// What all paths of the uplink say together, if the result changes it.
    fn sighted(
        &mut self,
        sample: &ProbeSample,
        family: Family,
        proves_identity: bool,
        now: BootTime,
    ) -> Option<Blackout> {
        self.watches.get_mut(&(sample.uplink, family))?.observe(Sighting {
            path: sample.class.clone(),
            address: sample.address.map(|address| address.ip()),
            proves_identity,
            sent_at: sample.sent_at,
            outcome: sample.outcome,
            told_at: now,
        })
    }

    /// What a result is taken for. A bare answer by an uplink on which something answers in the stead of others is none;
    /// and a target that proves its name by no uplink at all is at fault itself: there are not portals everywhere at once.
    fn believed(&mut self, sample: &ProbeSample, family: Family, proves_identity: bool) -> ProbeOutcome {
        let outcome = sample.outcome;
        if !proves_identity {
            let portal = outcome.rtt().is_some() && self.is_behind_portal(sample.uplink, family);
            return if portal { ProbeOutcome::Failed(ProbeFailure::Untrusted) } else { outcome };
        }
        let denied = matches!(outcome, ProbeOutcome::Failed(failure) if failure.is_interference());
        let proofs = self.proofs.entry((sample.class.clone(), sample.target)).or_default();
        if denied || outcome.rtt().is_some() {
            proofs.insert(sample.uplink, !denied);
        }
        let mut uplinks = attached(&self.attachments, family);
        let by_none = uplinks.clone().count() > 1 && uplinks.all(|uplink| proofs.get(&uplink) == Some(&false));
        if denied && by_none { ProbeOutcome::Failed(ProbeFailure::Unproven) } else { outcome }
    }

    /// Whether something on the uplink answers in the stead of others, as it does not on every uplink.
    fn is_behind_portal(&self, uplink: UplinkId, family: Family) -> bool {
        let portal = |id: UplinkId| self.watches.get(&(id, family)).is_some_and(UplinkWatch::portal);
        let mut others = attached(&self.attachments, family).filter(|other| *other != uplink).peekable();
        portal(uplink) && (others.peek().is_none() || others.any(|other| !portal(other)))
    }

    /// Takes down every path of an uplink by which nothing comes back; each need not find out for itself.
    fn blacked_out(
        &mut self,
        uplink: UplinkId,
        family: Family,
        blackout: Blackout,
        now: BootTime,
    ) -> (Vec<ClassId>, Vec<EventKind>) {
        let why = format!(
            "nothing comes back by {}: {} probes to {} addresses in a row lost",
            self.config.uplink(uplink).name,
            blackout.probes,
            blackout.targets
        );
        let catalogue = &self.catalogue;
        let of_uplink = self.paths.iter_mut().filter(|((class, of), _)| {
            *of == uplink && catalogue.class(class).is_some_and(|class| class.family == family)
        });
        let changes: Vec<_> = of_uplink
            .filter_map(|((class, _), path)| Some((class.clone(), path.short_cut_down(&why, now)?)))
            .collect();
        let fallen = changes.iter().map(|(class, _)| class.clone()).collect();
        let told = changes.into_iter().map(|(class, change)| self.path_event(&class, uplink, change));
        (fallen, told.collect())
    }

    /// Decides every class that goes by the paths of these.
    fn decide_measured_as(&mut self, measured: &BTreeSet<ClassId>, now: BootTime) -> Vec<EventKind> {
        let decided: Vec<ClassId> =
            measured.iter().flat_map(|class| self.roster.decided_by(class)).cloned().collect();
        decided.iter().flat_map(|class| self.decide(class, now)).collect()
    }
}

/// The uplinks by which the kernel has a way in that family.
fn attached(attachments: &Attachments, family: Family) -> impl Iterator<Item = UplinkId> + Clone {
    attachments.iter().filter(move |((_, of), found)| *of == family && found.is_ok()).map(|((uplink, _), _)| *uplink)
}
