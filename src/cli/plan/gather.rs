//! What is known of the router that an agent runs on: read, and nothing else.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
    sync::Arc,
    time::Duration,
};

use tokio::{sync::watch, time::timeout};

use crate::{
    agent::{Candidate, Engine, look_at_name_servers},
    cli::failure::{Code, Failure},
    clock::{boot_time, wall_time_of_boot},
    domain::{ClassId, ReadState, RouterState, view::Snapshot},
    kernel::{Doubt, FibSocket, Flow, FlowSocket, has_resilient_groups, tracked_flows, watch_router},
    rehearsal::{Outcome, Running, against_running},
};

/// A full table of a million routes is read in half a second.
const PATIENCE: Duration = Duration::from_secs(20);

/// What the configuration would change for that agent.
pub(super) fn beside_running(new: &Candidate, snapshot: &Snapshot) -> Result<Outcome, Failure> {
    let failed = |reason: &dyn std::fmt::Display| Failure::new(Code::Failed, reason);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| failed(&format_args!("cannot start a runtime: {error}")))?;
    runtime.block_on(async {
        let now = boot_time();
        let mut engine = new.engine(now);
        if !has_resilient_groups() {
            engine.without_resilience();
        }
        look_at_name_servers(&mut engine);
        engine.set_clock(wall_time_of_boot());
        let router = picture(new, &engine).await.map_err(|reason| failed(&reason))?;
        let held = match FibSocket::open(&new.config.kernel) {
            Ok(mut socket) => socket.read().await.ok(),
            Err(_) => None,
        };
        let running = Running { snapshot, router: &router, held: held.as_ref() };
        let mut outcome = against_running(new, engine, &running, now);
        count_flows(new, &router, &mut outcome).await;
        Ok(outcome)
    })
}

/// One picture of the router, as the agent would have it.
async fn picture(new: &Candidate, engine: &Engine) -> Result<Arc<RouterState>, String> {
    let (state, mut seen) = watch::channel(Arc::new(RouterState::default()));
    let (doubt, _doubt) = watch::channel(Doubt::default());
    let watcher = tokio::spawn(watch_router(new.config.kernel.clone(), engine.interest(), state, doubt));
    let whole =
        |router: &Arc<RouterState>| [router.read, router.routes_read].iter().all(|it| *it == ReadState::Fresh);
    let picture = timeout(PATIENCE, seen.wait_for(whole)).await;
    let picture = match picture {
        Ok(Ok(router)) => Ok(Arc::clone(&router)),
        Ok(Err(_)) => Err("the kernel cannot be asked for links and routes".to_owned()),
        Err(_) => Err(format!("the kernel did not list links and routes within {} s", PATIENCE.as_secs())),
    };
    watcher.abort();
    picture
}

/// Flows that leave with an address of an uplink that their class would leave; only where this may be known.
async fn count_flows(new: &Candidate, router: &RouterState, outcome: &mut Outcome) {
    if tracked_flows().is_none() {
        return;
    }
    let left: BTreeMap<&ClassId, BTreeSet<IpAddr>> = outcome
        .moving()
        .filter_map(|class| Some((&class.class, addresses(new, router, class.from.as_deref()?))))
        .collect();
    let all: BTreeSet<IpAddr> = left.values().flatten().copied().collect();
    let Ok(mut socket) = FlowSocket::open() else { return };
    let concerned = |flow: &Flow| {
        let class = new.catalogue.class_of_address(flow.destination)?;
        left.get(class).filter(|of_class| of_class.contains(&flow.translated)).map(|_| class.clone())
    };
    let Ok(found) = socket.translated_to(&all, 0, concerned).await else { return };
    for class in &mut outcome.classes {
        class.flows = class.moves.then(|| found.counts.get(&class.class).copied().unwrap_or_default());
    }
}

/// Addresses of the uplinks of such a name, `wan0` or `wan0+wan1`.
fn addresses(new: &Candidate, router: &RouterState, names: &str) -> BTreeSet<IpAddr> {
    let uplinks = new.config.uplinks_named(names).into_iter().map(|id| new.config.uplink(id));
    let links: Vec<_> =
        uplinks.filter_map(|uplink| router.link_named(&uplink.interface)).map(|link| link.index).collect();
    let own = router.addresses.iter().filter(|address| links.contains(&address.index));
    own.map(|address| address.net.addr()).collect()
}
