//! Pure: the agent's state as people and machines see it.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use super::{
    engine::{Engine, usable},
    path_views,
    reconcile::FibStatus,
};
use crate::{
    config::Config,
    domain::{
        BootTime, Class, ClassId, EventKind, Family, ReadState, RouterState, Share, UplinkId,
        view::{
            CandidateView, ClassView, FlowsView, IspView, KeptView, KernelView, ReportingView, ShareView, Snapshot,
            UplinkView, WatchView, milliseconds,
        },
    },
    plan::{Fib, Holdings, Side},
    quality::Figures,
    select::{Candidate, Decision, SetAside},
};

/// Kept prefixes of a class that a snapshot names; it counts them all.
const KEPT_SHOWN: usize = 16;

/// What the kernel holds of ours, counted once whenever it changes.
#[derive(Debug, Default)]
pub struct Held {
    /// Uplinks of each class in the primary table.
    pub primary: BTreeMap<ClassId, BTreeSet<UplinkId>>,
    backup: BTreeMap<ClassId, Option<UplinkId>>,
    routes_primary: usize,
    routes_backup: usize,
}

impl Held {
    /// What an earlier run left, as an agent that has not read the router yet goes on from it.
    pub fn adopted(engine: &Engine, observed: &Fib) -> Self {
        Self::counted(engine, observed, engine.layout.adoptable(observed))
    }

    /// Counts what was observed.
    pub fn new(engine: &Engine, observed: &Fib) -> Self {
        Self::counted(engine, observed, engine.layout.held(observed))
    }

    fn counted(engine: &Engine, observed: &Fib, held: Holdings) -> Self {
        let routes_in = |side| {
            let tables = engine.layout.tables(side);
            observed.routes.keys().filter(|(of, _)| tables.contains(of)).count()
        };
        Self {
            primary: held.iter().map(|(class, (primary, _))| (class.clone(), primary.clone())).collect(),
            backup: held.into_iter().map(|(class, (_, backup))| (class, backup)).collect(),
            routes_primary: routes_in(Side::Primary),
            routes_backup: routes_in(Side::Backup),
        }
    }

    /// Which classes came into our tables and which left them since `before`.
    pub fn since(&self, before: &Self, engine: &Engine) -> Vec<EventKind> {
        let primary = changed(&self.primary, &before.primary, |uplinks| !uplinks.is_empty()).into_iter().map(
            |(class, is_there)| {
                if is_there {
                    EventKind::PrefixAnnouncement { routes: engine.layout.routes(&class).len(), class }
                } else {
                    EventKind::PrefixWithdrawal { class }
                }
            },
        );
        let backup = changed(&self.backup, &before.backup, Option::is_some).into_iter().map(|(class, is_there)| {
            if is_there {
                EventKind::PrefixBackupRouteAnnouncement { routes: engine.layout.routes(&class).len(), class }
            } else {
                EventKind::PrefixBackupRouteWithdrawal { class }
            }
        });
        primary.chain(backup).collect()
    }
}

/// Classes that are there now and were not, or the other way round, and whether they are.
fn changed<T>(
    now: &BTreeMap<ClassId, T>,
    then: &BTreeMap<ClassId, T>,
    is_there: impl Fn(&T) -> bool,
) -> Vec<(ClassId, bool)> {
    let was = |class: &ClassId| then.get(class).is_some_and(&is_there);
    let changed = now.iter().filter(|(class, held)| is_there(held) != was(class));
    changed.map(|(class, held)| (class.clone(), is_there(held))).collect()
}

/// What lies outside the engine but belongs in the picture.
#[derive(Debug)]
pub struct Surroundings<'a> {
    /// Everything of ours was withdrawn on request.
    pub withdrawn: bool,
    /// When the agent started.
    pub started: BootTime,
    /// The kernel edge.
    pub fib: &'a FibStatus,
    /// What it holds, counted.
    pub held: &'a Held,
    /// Flows that moved.
    pub flows: FlowsView,
    /// The picture of the router.
    pub router: &'a RouterState,
    /// Times that netlink events were lost.
    pub overruns: u64,
    /// Reporting, if configured.
    pub reporting: Option<ReportingView>,
    pub passive: Option<WatchView>,
}

/// The whole picture at `now`.
pub fn snapshot(engine: &Engine, around: &Surroundings<'_>, now: BootTime) -> Snapshot {
    let site = &engine.config.site;
    Snapshot {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        site: site.name.clone(),
        market: site.market.clone(),
        mode: engine.config.kernel.mode.as_str().to_owned(),
        uptime_s: now.since(around.started).as_secs(),
        isps: isps(engine),
        classes: classes(engine, around, now),
        paths: path_views::paths(engine, now),
        kernel: kernel(around),
        reporting: around.reporting.clone(),
        passive: around.passive.clone(),
    }
}

fn isps(engine: &Engine) -> Vec<IspView> {
    let config = &engine.config;
    config
        .isps
        .iter()
        .zip(engine.policies.qualifications())
        .map(|(isp, qualification)| IspView {
            name: isp.name.clone(),
            partner: isp.partner.clone(),
            qualified: qualification.qualified,
            qualification: qualification.reason.clone(),
            uplinks: isp.uplinks.iter().map(|id| uplink(engine, *id)).collect(),
        })
        .collect()
}

fn uplink(engine: &Engine, id: UplinkId) -> UplinkView {
    let uplink = engine.config.uplink(id);
    let next_hop = |family| {
        let attachment = engine.attachments.get(&(id, family))?.as_ref().ok()?;
        Some(attachment.next_hop.gateway.map_or_else(|| "point-to-point".to_owned(), |gateway| gateway.to_string()))
    };
    let figures: Vec<Figures> =
        engine.paths.iter().filter(|((_, of), _)| *of == id).map(|(_, path)| path.figures()).collect();
    let mut medians: Vec<Duration> = figures.iter().filter_map(|figures| figures.rtt_median).collect();
    medians.sort_unstable();
    let losses: Vec<f64> = figures.iter().filter_map(|figures| figures.loss).collect();
    UplinkView {
        name: uplink.name.clone(),
        interface: uplink.interface.clone(),
        state: engine.uplink_state(id),
        reason: usable(&engine.attachments, id).1,
        next_hop_ipv4: next_hop(Family::Ipv4),
        next_hop_ipv6: next_hop(Family::Ipv6),
        rtt_ms: medians.get(medians.len() / 2).copied().map(milliseconds),
        loss_ratio: (!losses.is_empty()).then(|| losses.iter().sum::<f64>() / losses.len() as f64),
    }
}

fn classes(engine: &Engine, around: &Surroundings<'_>, now: BootTime) -> Vec<ClassView> {
    engine
        .roster
        .classes()
        .iter()
        .map(|class| {
            let held: Vec<UplinkId> = around.held.primary.get(&class.id).into_iter().flatten().copied().collect();
            class_view(engine, class, engine.decisions.get(&class.id), &held, now)
        })
        .collect()
}

fn class_view(
    engine: &Engine,
    class: &Class,
    decision: Option<&Decision>,
    held: &[UplinkId],
    now: BootTime,
) -> ClassView {
    let config = &engine.config;
    let name = |id: UplinkId| config.uplink(id).name.clone();
    let in_charge: Vec<UplinkId> =
        decision.iter().flat_map(|decision| &decision.shares).map(|share| share.uplink).collect();
    let listed = engine.roster.measured_as(&class.id).map_or(&class.id, |listed| &listed.id);
    let kept = || engine.aside.of_class(listed);
    ClassView {
        id: class.id.clone(),
        family: class.family,
        service: class.service.clone(),
        region: class.region.clone(),
        prefixes: class.prefixes.len(),
        routes: engine.layout.routes(&class.id).len(),
        uplink: config.names_of(&in_charge),
        isp: config.isp_names_of(&in_charge),
        shares: decision
            .iter()
            .flat_map(|decision| &decision.shares)
            .map(|share| share_view(config, *share))
            .collect(),
        backup: decision.and_then(|decision| decision.backup).map(name),
        reason: decision.map_or_else(|| "the router was not read yet".to_owned(), |found| found.reason.to_string()),
        since_s: decision.map_or(0, |decision| now.since(decision.since).as_secs()),
        candidates: decision
            .map(|decision| decision.candidates.iter().map(|candidate| candidate_view(config, candidate)).collect())
            .unwrap_or_default(),
        in_kernel: config.names_of(held),
        kept: kept().count(),
        kept_prefixes: kept().take(KEPT_SHOWN).map(kept_view).collect(),
    }
}

fn share_view(config: &Config, share: Share) -> ShareView {
    ShareView {
        uplink: config.uplink(share.uplink).name.clone(),
        isp: config.isp_name_of(share.uplink).to_owned(),
        weight: share.weight,
    }
}

/// What keeps a prefix, as people see it.
pub(super) fn kept_view(kept: &SetAside) -> KeptView {
    KeptView { prefix: kept.prefix, why: kept.why.to_string() }
}

/// A candidate as people see it, without its gates.
pub(super) fn candidate_view(config: &Config, candidate: &Candidate) -> CandidateView {
    CandidateView {
        uplink: config.uplink(candidate.uplink).name.clone(),
        isp: config.isp_name_of(candidate.uplink).to_owned(),
        state: candidate.state,
        qualified: candidate.qualified,
        usable: candidate.usable,
        verdict: candidate.verdict.clone(),
        gates: Vec::new(),
    }
}

fn kernel(around: &Surroundings<'_>) -> KernelView {
    KernelView {
        fresh: [around.router.read, around.router.routes_read].iter().all(|read| *read == ReadState::Fresh),
        in_step: around.fib.in_step,
        withdrawn: around.withdrawn,
        routes_primary: around.held.routes_primary,
        routes_backup: around.held.routes_backup,
        local_routes: around.router.routes.len(),
        local_routes_omitted: around.router.routes_omitted,
        writes: around.fib.writes,
        repairs: around.fib.repairs(),
        overruns: around.overruns,
        error: around.fib.error.clone(),
        flows: around.flows.clone(),
    }
}
