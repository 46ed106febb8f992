//! Where does it go, and why: the catalogue's word, what the policy goes by, the decision with the gates of every
//! candidate and what would change it, and what the kernel really does.
//!
//! Pure but for `lookup`, which asks the kernel.

mod lookup;
mod ruling;

use std::net::IpAddr;

use ipnet::IpNet;

pub use lookup::kernel_lookup;

use super::{
    engine::Engine,
    snapshot::{candidate_view, kept_view},
};
use crate::{
    config::{quoted, suggest},
    domain::{
        BootTime, ClassId,
        view::{
            CandidateView, ClassView, DestinationView, Explanation, GateView, OutlookView, Snapshot, StatementView,
        },
    },
    select::{Account, Accounted, Gate, Outlook, zone_of},
};

/// Statements about a destination that are shown; more are counted.
const STATEMENTS: usize = 12;

/// The answer about an address or prefix, but for the kernel's part.
pub fn explanation(
    engine: &Engine,
    snapshot: &Snapshot,
    query: IpNet,
    from: Option<IpAddr>,
    now: BootTime,
) -> Explanation {
    let class = engine.catalogue.lookup(query).and_then(|found| found.class);
    let class = class.map(|id| in_zone(engine, id, from));
    let kept = engine.aside.of_prefix(query).map(kept_view);
    let mut explanation = explained(engine, snapshot, query, class, now);
    if let Some(kept) = kept {
        explanation.conclusion = format!("left to the router's own routes: {} is {}", kept.prefix, kept.why);
        // What would move its class moves nothing here.
        explanation.outlook.clear();
        explanation.kept = Some(kept);
    }
    explanation
}

/// The answer about a class, by an address that stands for it; none when there is no such class.
pub fn explanation_of_class(
    engine: &Engine,
    snapshot: &Snapshot,
    class: &ClassId,
    from: Option<IpAddr>,
    now: BootTime,
) -> Option<Explanation> {
    let listed = engine.roster.measured_as(class)?;
    let targets = engine.catalogue.targets(&listed.id).iter().map(|address| IpNet::from(*address));
    let mut examples = targets.chain(listed.prefixes.iter().copied());
    let first = examples.clone().next()?;
    let example = examples.find(|net| engine.aside.of_prefix(*net).is_none()).unwrap_or(first);
    let class = in_zone(engine, class, from);
    let explanation = explained(engine, snapshot, example, Some(class), now);
    Some(Explanation { asked: Some(class.to_string()), ..explanation })
}

/// The remedy for the name of a class that there is not.
pub fn no_such_class(engine: &Engine, name: &str) -> String {
    let known: Vec<&str> = engine.roster.classes().iter().map(|class| class.id.as_str()).collect();
    format!("there is no class {}; {}", quoted(name), suggest(name, known.iter().copied()))
}

fn explained(
    engine: &Engine,
    snapshot: &Snapshot,
    query: IpNet,
    class: Option<&ClassId>,
    now: BootTime,
) -> Explanation {
    let destination = destination(engine, query);
    let account = class.and_then(|id| engine.account(id, now));
    let view = class.and_then(|id| snapshot.classes.iter().find(|class| class.id == *id)).cloned();
    let view = view.map(|view| match &account {
        Some(account) => ClassView { candidates: candidates(engine, account), ..view },
        None => view,
    });
    Explanation {
        query,
        asked: None,
        ruling: class.and_then(|id| engine.roster.class(id)).map(|class| ruling::of(engine, class)),
        outlook: account.as_ref().map(|account| outlook(engine, account, now)).unwrap_or_default(),
        kept: None,
        conclusion: conclusion(destination.as_ref(), view.as_ref(), &snapshot.mode),
        destination,
        class: view,
        kernel_lookup: None,
    }
}

fn destination(engine: &Engine, query: IpNet) -> Option<DestinationView> {
    let found = engine.catalogue.lookup(query)?;
    let mut listings = engine.catalogue.listings(query);
    let statements = listings
        .by_ref()
        .take(STATEMENTS)
        .map(|listing| StatementView {
            prefix: listing.prefix,
            source: listing.source.to_string(),
            origin: listing.origin.to_owned(),
            version: listing.version.map(ToOwned::to_owned),
            name: listing.name,
            service: listing.service.to_owned(),
            category: listing.category.map(|category| category.to_string()),
            region: listing.region.map(ToOwned::to_owned),
            chosen: listing.chosen,
        })
        .collect();
    Some(DestinationView {
        prefix: found.destination.prefix,
        service: found.destination.service.to_string(),
        category: found.destination.category.map(|category| category.to_string()),
        region: found.destination.region.as_ref().map(ToString::to_string),
        sources: found.destination.sources.iter().map(ToString::to_string).collect(),
        steered: found.class.is_some(),
        statements,
        statements_omitted: listings.count(),
    })
}

fn candidates(engine: &Engine, account: &Account) -> Vec<CandidateView> {
    let gates = |accounted: &Accounted| {
        let view = |gate: &Gate| GateView {
            name: gate.name.as_str().to_owned(),
            passed: gate.passed,
            says: gate.says.clone(),
        };
        accounted.gates.iter().map(view).collect()
    };
    let of = |accounted: &Accounted| CandidateView {
        gates: gates(accounted),
        ..candidate_view(&engine.config, &accounted.candidate)
    };
    account.candidates.iter().map(of).collect()
}

fn outlook(engine: &Engine, account: &Account, now: BootTime) -> Vec<OutlookView> {
    let view = |outlook: &Outlook| OutlookView {
        uplink: engine.config.uplink(outlook.uplink).name.clone(),
        isp: engine.config.isp_name_of(outlook.uplink).to_owned(),
        what: outlook.what.clone(),
        in_s: outlook.when.map(|when| when.since(now).as_secs_f64()),
    };
    account.outlook.iter().map(view).collect()
}

/// The class that decides packets from that source.
fn in_zone<'a>(engine: &'a Engine, class: &'a ClassId, from: Option<IpAddr>) -> &'a ClassId {
    let zone = from.and_then(|source| zone_of(&engine.sources, source));
    zone.and_then(|zone| engine.roster.in_zone(class, zone)).map_or(class, |class| &class.id)
}

fn conclusion(destination: Option<&DestinationView>, class: Option<&ClassView>, mode: &str) -> String {
    let Some(destination) = destination else {
        return "not known as Microsoft's: left to the router's own routes".to_owned();
    };
    let Some(class) = class else {
        return format!(
            "{} is not steered by this configuration: left to the router's own routes",
            destination.service
        );
    };
    match (&class.uplink, &class.isp, mode) {
        (Some(uplink), Some(isp), "enforce") => format!("goes by {uplink} ({isp}): {}", class.reason),
        (Some(uplink), Some(isp), _) => format!("would go by {uplink} ({isp}): {}", class.reason),
        _ => class.reason.clone(),
    }
}
