//! The agent's mind: owns what is known of every path and every class, and turns each piece of news into decisions.
//!
//! Pure like the rooms it joins (`quality`, `select`, `plan`): no I/O, no clock, no log line, so that whole days of an
//! agent can be replayed in a test. What happened is returned as events; what should be is asked for.

mod accounted;
mod asked;
mod assumed;
mod measured;
mod path;
mod router;
mod targets;

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
    sync::Arc,
    time::Duration,
};

use ipnet::Ipv6Net;

use self::path::Path;
use super::{aside::Aside, roster::Roster};
use crate::{
    catalogue::Catalogue,
    config::{Config, Treatment},
    domain::{
        BootTime, Class, ClassId, EventKind, Family, IfIndex, Interest, LocalRoute, PathState, PrefixSet, Target,
        TimeOfDay, UplinkAttachment, UplinkId, ZoneId,
    },
    plan::{Fib, Layout, Placement},
    probe::{self, ProbePath},
    quality::{PathQuality, Thresholds, Transition, UplinkWatch},
    select::{self, Decision, Memory, Moment, PathInput, Policies, SetAside, Unattached, Zones},
};

pub(super) use router::usable;

/// What the kernel offers for every uplink in every family that it carries.
pub type Attachments = BTreeMap<(UplinkId, Family), Result<UplinkAttachment, Unattached>>;

/// State of the agent's reasoning.
#[derive(Debug)]
pub struct Engine {
    pub(super) config: Config,
    pub(super) catalogue: Arc<Catalogue>,
    pub(super) roster: Roster,
    zones: Zones,
    /// Prefixes of the zones, as far as they are known.
    pub(super) sources: BTreeMap<ZoneId, Vec<Ipv6Net>>,
    pub(super) policies: Policies,
    /// Of all that is steered, whatever is set aside.
    whole: Layout,
    pub(super) layout: Layout,
    pub(super) aside: Aside,
    interest: Arc<Interest>,
    protected: Vec<SetAside>,
    /// Space that the router's own routes lead to by the uplinks that need such routes.
    routed: BTreeMap<UplinkId, PrefixSet>,
    /// The routes and interfaces that this was made from.
    routed_source: (Arc<[LocalRoute]>, BTreeMap<UplinkId, IfIndex>),
    pub(super) attachments: Attachments,
    pub(super) paths: BTreeMap<(ClassId, UplinkId), Path>,
    /// What the paths of each uplink say together, by family.
    watches: BTreeMap<(UplinkId, Family), UplinkWatch<ClassId>>,
    /// Whether each target that proves its identity did so last, by uplink.
    proofs: BTreeMap<(ClassId, usize), BTreeMap<UplinkId, bool>>,
    /// Paths that are taken for known.
    assumed: BTreeMap<(ClassId, UplinkId), PathInput>,
    pub(super) decisions: BTreeMap<ClassId, Decision>,
    /// What is measured for each class of the catalogue.
    pub(super) targets: BTreeMap<ClassId, Arc<[Target]>>,
    /// Time between 1970 and the boot, once the clock is set.
    wall_time_of_boot: Option<Duration>,
    /// Name servers to ask through the uplinks.
    resolvers: Arc<[IpAddr]>,
    /// What each class's first decision goes on from; later ones go on from the decision before.
    starts: BTreeMap<ClassId, Memory>,
    version: u64,
}

impl Engine {
    /// An agent that knows its configuration and the catalogue, and nothing yet of the router.
    pub fn new(config: Config, catalogue: impl Into<Arc<Catalogue>>, now: BootTime) -> Self {
        let catalogue = catalogue.into();
        let policies = Policies::resolve(&config);
        let names: Vec<String> = config.uplinks.iter().map(|uplink| uplink.name.clone()).collect();
        let zones = Zones::resolve(&config.uplinks);
        let roster = Roster::new(catalogue.classes(), &zones);
        let balanced = roster.classes().iter().filter(|class| policies.of(class.rule).is_balanced());
        let balanced = balanced.map(|class| class.id.clone()).collect();
        let layout = Layout::new(&config.kernel, roster.classes(), &names, &balanced);
        let thresholds = |class: &Class| Thresholds::for_sla(&config, treatment(&config, class).sla);
        let interest = Arc::new(Interest {
            destinations: catalogue.classes().iter().flat_map(|class| class.prefixes.iter().copied()).collect(),
            interfaces: config.uplinks.iter().map(|uplink| uplink.interface.clone()).collect(),
        });
        let mut paths = BTreeMap::new();
        let mut starts = BTreeMap::new();
        for class in roster.classes() {
            starts.insert(class.id.clone(), Memory { since: now, ..Memory::default() });
        }
        let mut targets = BTreeMap::new();
        for class in catalogue.classes() {
            let of_class = targets::of_class(&config.probe, &catalogue, class);
            for id in config.uplink_ids().filter(|id| config.uplink(*id).carries(class.family)) {
                let path = PathQuality::new(thresholds(class), Arc::clone(&of_class), now);
                paths.insert((class.id.clone(), id), Path::from(path));
            }
            targets.insert(class.id.clone(), of_class);
        }
        let families = |id| Family::BOTH.map(|family| (id, family));
        let watches = config.uplink_ids().flat_map(families);
        let watches = watches.map(|key| (key, UplinkWatch::new(config.probe.down_after))).collect();
        let policies = policies.paced(&config, probe::pace(config.probe.interval, paths.len()));
        Self {
            config,
            catalogue,
            roster,
            zones,
            sources: BTreeMap::new(),
            policies,
            whole: layout.clone(),
            layout,
            aside: Aside::default(),
            interest,
            protected: Vec::new(),
            routed: BTreeMap::new(),
            routed_source: (Arc::from([]), BTreeMap::new()),
            attachments: Attachments::new(),
            paths,
            watches,
            proofs: BTreeMap::new(),
            assumed: BTreeMap::new(),
            decisions: BTreeMap::new(),
            targets,
            wall_time_of_boot: None,
            resolvers: Arc::from([]),
            starts,
            version: 0,
        }
    }

    /// What of the router's routes can matter to this agent.
    pub fn interest(&self) -> Arc<Interest> {
        Arc::clone(&self.interest)
    }

    /// Names addresses that are never steered; taken into account with the next picture of the router.
    pub fn protect(&mut self, protected: Vec<SetAside>) {
        self.protected = protected;
    }

    /// Tells the time between 1970 and the boot, if the clock is set; taken into account with the next decisions.
    pub fn set_clock(&mut self, wall_time_of_boot: Option<Duration>) {
        self.wall_time_of_boot = wall_time_of_boot;
    }

    /// Names the servers at which names of targets are looked up, through each uplink.
    pub fn ask(&mut self, resolvers: Vec<IpAddr>) {
        self.resolvers = resolvers.into();
    }

    /// For a kernel without resilient next-hop groups.
    pub fn without_resilience(&mut self) {
        self.whole = self.whole.clone().without_resilience();
        self.layout = self.layout.clone().without_resilience();
    }

    /// Takes over what an earlier run left in the kernel, so that a restart moves no packet.
    pub fn adopt(&mut self, observed: &Fib, now: BootTime) {
        for (class, held) in self.layout.adoptable(observed) {
            let (mut in_charge, backup) = match held {
                // The primary lost its link while no agent ran: the standing backup carries the traffic.
                (primary, standing) if primary.is_empty() => (standing.into_iter().collect(), None),
                both => both,
            };
            let rule = self.roster.class(&class).and_then(|class| class.rule);
            let order = self.policies.of(rule).order().iter().map(|(uplink, _)| *uplink);
            let mut in_order = order.filter(|uplink| in_charge.remove(uplink));
            let Some(chosen) = in_order.next() else { continue };
            let memory =
                Memory { chosen: Some(chosen), backup, also: in_order.collect(), since: now, ..Memory::default() };
            self.starts.insert(class, memory);
        }
    }

    /// Looks again at the classes whose hold times end, and at those of paths that time alone changes.
    pub fn review(&mut self, now: BootTime) -> Vec<EventKind> {
        let (changed, mut events) = self.review_paths(now);
        let is_due = |decision: &&Decision| decision.review_at.is_some_and(|at| at <= now);
        let mut due: BTreeSet<ClassId> =
            self.decisions.values().filter(is_due).map(|decision| decision.class.clone()).collect();
        due.extend(changed.iter().flat_map(|class| self.roster.decided_by(class)).cloned());
        events.extend(due.iter().flat_map(|class| self.decide(class, now)));
        events
    }

    /// Decides every class: after news of the router.
    fn decide_all(&mut self, now: BootTime) -> Vec<EventKind> {
        let (_, mut events) = self.review_paths(now);
        let classes: Vec<ClassId> = self.roster.classes().iter().map(|class| class.id.clone()).collect();
        events.extend(classes.iter().flat_map(|class| self.decide(class, now)));
        events
    }

    /// When [`Engine::review`] is due though nothing happens.
    pub fn next_review(&self) -> Option<BootTime> {
        let decisions = self.decisions.values().filter_map(|decision| decision.review_at);
        decisions.chain(self.paths.values().filter_map(|path| path.wakes_at())).min()
    }

    /// Grows whenever [`Engine::desired`] and [`Engine::probe_paths`] may have changed: they are not cheap with tens of
    /// thousands of routes.
    pub fn version(&self) -> u64 {
        self.version
    }

    /// What to measure now: every path whose uplink is attached.
    pub fn probe_paths(&self) -> Arc<[ProbePath]> {
        self.paths.keys().filter_map(|(class, uplink)| self.probe_path(class, *uplink)).collect()
    }

    /// The FIB that the kernel should hold now.
    pub fn desired(&self) -> Fib {
        let placements: Vec<Placement> = self
            .decisions
            .values()
            .map(|decision| Placement {
                class: decision.class.clone(),
                on: decision.shares.clone(),
                backup: decision.backup,
            })
            .collect();
        let attached = self
            .attachments
            .iter()
            .filter_map(|(key, attachment)| attachment.as_ref().ok().map(|attachment| (*key, *attachment)))
            .collect();
        let interfaces: Vec<String> = self.config.uplinks.iter().map(|uplink| uplink.interface.clone()).collect();
        self.layout.desired(&placements, &attached, &interfaces)
    }

    /// Whether the router was read at least once.
    pub fn knows_router(&self) -> bool {
        !self.attachments.is_empty()
    }

    /// Whether the kernel has no way through the uplink of that name in some family that it should carry.
    pub fn is_gone(&self, uplink: &str) -> bool {
        self.attachments.iter().any(|((id, _), found)| found.is_err() && self.config.uplink(*id).name == uplink)
    }

    fn probe_path(&self, class: &ClassId, uplink: UplinkId) -> Option<ProbePath> {
        let family = self.catalogue.class(class)?.family;
        let attachment = self.attachments.get(&(uplink, family))?.as_ref().ok()?;
        let targets = self.targets.get(class).filter(|targets| !targets.is_empty())?;
        Some(ProbePath {
            uplink,
            class: class.clone(),
            interface: self.config.uplink(uplink).interface.clone(),
            source: attachment.source,
            family,
            resolvers: Arc::clone(&self.resolvers),
            targets: Arc::clone(targets),
        })
    }

    fn decide(&mut self, id: &ClassId, now: BootTime) -> Vec<EventKind> {
        if !self.knows_router() {
            return Vec::new();
        }
        let Some(class) = self.roster.class(id) else { return Vec::new() };
        let inputs = self.inputs(class);
        let memory = match self.decisions.get(id) {
            Some(before) => before.memory(),
            None => self.starts.get(id).cloned().unwrap_or_default(),
        };
        let decision = select::decide(self.policies.of(class.rule), class, &inputs, &memory, self.moment(now));
        let events = self.decision_events(class, &memory, &decision);
        let after = decision.memory();
        if (memory.chosen, &memory.also, memory.backup) != (after.chosen, &after.also, after.backup) {
            self.version += 1;
        }
        self.decisions.insert(id.clone(), decision);
        events
    }

    fn moment(&self, now: BootTime) -> Moment {
        let of_day = |boot: Duration| TimeOfDay::of_unix(boot.saturating_add(now.0), self.config.site.utc_offset);
        Moment { at: now, of_day: self.wall_time_of_boot.map(of_day) }
    }

    fn inputs(&self, class: &Class) -> BTreeMap<UplinkId, PathInput> {
        let Some(measured) = self.roster.measured_as(&class.id).map(|class| &class.id) else {
            return BTreeMap::new();
        };
        self.config
            .uplink_ids()
            .filter_map(|id| {
                let key = (measured.clone(), id);
                let path = self.paths.get(&key)?;
                let attachment = self.attachments.get(&(id, class.family))?;
                let unattached = attachment.as_ref().err().cloned();
                let unattached =
                    unattached.or_else(|| self.refused(class, id)).or_else(|| self.unrouted(&class.id, id));
                let input = match self.assumed.get(&key) {
                    Some(assumed) => PathInput { unattached, ..assumed.clone() },
                    None => path.input(unattached),
                };
                Some((id, input))
            })
            .collect()
    }

    fn decision_events(&self, class: &Class, memory: &Memory, decision: &Decision) -> Vec<EventKind> {
        let name = |id: UplinkId| self.config.uplink(id).name.clone();
        let isp = |id: UplinkId| self.config.isp_name_of(id).to_owned();
        let mut events = Vec::new();
        let before: Vec<UplinkId> = memory.chosen.into_iter().chain(memory.also.iter().copied()).collect();
        let now: Vec<UplinkId> = decision.shares.iter().map(|share| share.uplink).collect();
        if before != now {
            events.push(EventKind::PrefixActivePath {
                class: class.id.clone(),
                prefixes: class.prefixes.len(),
                from: self.config.names_of(&before),
                to: self.config.names_of(&now),
                isp: self.config.isp_names_of(&now),
                reason: decision.reason.to_string(),
            });
        }
        if memory.backup != decision.backup {
            events.push(EventKind::PrefixBackupPath {
                class: class.id.clone(),
                uplink: decision.backup.map(name),
                isp: decision.backup.map(isp),
            });
        }
        events
    }

    fn path_event(&self, class: &ClassId, uplink: UplinkId, change: Transition) -> EventKind {
        EventKind::PathStateChanged {
            uplink: self.config.uplink(uplink).name.clone(),
            isp: self.config.isp_name_of(uplink).to_owned(),
            class: class.clone(),
            from: change.from,
            to: change.to,
            evidence: change.evidence,
        }
    }

    /// Best state among the paths of an uplink; `down` when the kernel has no way through it.
    pub(super) fn uplink_state(&self, id: UplinkId) -> PathState {
        self.paths
            .iter()
            .filter(|((_, uplink), _)| *uplink == id)
            .map(|(_, path)| path.state())
            .min()
            .unwrap_or(PathState::Down)
    }
}

/// How the configuration treats a class.
fn treatment<'a>(config: &'a Config, class: &Class) -> &'a Treatment {
    let rule = class.rule.and_then(|rule| config.policy.rules.get(usize::from(rule.0)));
    rule.map_or(&config.policy.treatment, |rule| &rule.treatment)
}

#[cfg(test)]
mod tests;
