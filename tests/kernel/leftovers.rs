//! What carries our protocol number and is of no plan, and what hangs on it.

use std::{
    net::{IpAddr, Ipv4Addr},
    process::Command,
    sync::atomic::{AtomicBool, Ordering},
};

use ipnet::IpNet;
use peerward::{
    config::Kernel,
    domain::{Family, NextHop},
    kernel::FibSocket,
    plan::{Change, Fib, Group, NextHopId, Rule, Selector, Via},
};

use crate::scene::{MICROSOFT_V4, MICROSOFT_V6, Scene, apply, install, net, ours, theirs};

/// Ids of our protocol number, none of which is in our range.
const BY_ROUTE: NextHopId = NextHopId(10);
const IN_GROUP_OF_OTHERS: NextHopId = NextHopId(11);
const IN_GROUP_OF_OURS: NextHopId = NextHopId(12);
const GROUP_BY_ROUTE: NextHopId = NextHopId(13);
const BY_ROUTE_IN_MAIN: NextHopId = NextHopId(14);
const BY_NOTHING: NextHopId = NextHopId(15);
const BY_ROUTE_V6: NextHopId = NextHopId(17);

fn ids(scene: &Scene) -> Vec<u32> {
    let rows = scene.router.nexthops().unwrap();
    rows.into_iter().map(|row| row.id).filter(|id| *id < 1000).collect()
}

/// Brings the router to `plan` as the agent does, and returns how many leftovers went.
async fn settle(socket: &mut FibSocket, plan: &Fib) -> usize {
    install(socket, plan).await;
    socket.read().await.unwrap();
    let (cleared, refusal) = socket.clear_leftovers().await.unwrap();
    assert!(refusal.is_none(), "{refusal:?}");
    assert_eq!((&socket.read().await.unwrap(), socket.leftovers()), (plan, 0));
    cleared
}

pub fn needed_next_hops() {
    let scene = Scene::new();
    let way = |family| scene.next_hop(0, family);
    let set = |id| Change::SetNextHop(id, Family::Ipv4, way(Family::Ipv4));
    let made = [
        set(BY_ROUTE),
        set(IN_GROUP_OF_OTHERS),
        set(IN_GROUP_OF_OURS),
        Change::SetGroup(GROUP_BY_ROUTE, Group::of_one(IN_GROUP_OF_OURS)),
        set(BY_ROUTE_IN_MAIN),
        set(BY_NOTHING),
        Change::SetNextHop(BY_ROUTE_V6, Family::Ipv6, way(Family::Ipv6)),
    ];
    let their_group = NextHopId(theirs().nexthop_base);
    let route = |table, prefix, id| Change::AddRoute(table, net(prefix), Via::Group(id));
    let hanging = [
        route(254, "198.51.100.0/24", BY_ROUTE),
        Change::SetGroup(their_group, Group::of_one(IN_GROUP_OF_OTHERS)),
        route(900, "198.51.101.0/24", GROUP_BY_ROUTE),
        route(254, "2001:db8:ffff::/48", BY_ROUTE_V6),
    ];
    let plan = scene.fib(0, 1);
    scene.on_router(async || {
        apply(&mut FibSocket::open(&ours()).unwrap(), &made).await;
        apply(&mut FibSocket::open(&theirs()).unwrap(), &hanging).await;
        // Ours by its number, but nothing in that table was ever ours.
        let mut misplaced = FibSocket::open(&Kernel { table: 254, ..ours() }).unwrap();
        apply(&mut misplaced, &[route(254, "198.51.102.0/24", BY_ROUTE_IN_MAIN)]).await;
        let mut socket = FibSocket::open(&ours()).unwrap();
        socket.read().await.unwrap();
        assert_eq!(socket.leftovers(), 1, "what others need is none");
        assert_eq!(settle(&mut socket, &plan).await, 1);
    });
    assert_eq!(ids(&scene), [10, 11, 12, 13, 14, 17]);
    let main = scene.router.routes(254).unwrap();
    for prefix in ["198.51.100.0/24", "198.51.102.0/24", "2001:db8:ffff::/48"] {
        assert!(main.iter().any(|row| row.destination == net(prefix)), "{prefix} is gone: {main:#?}");
    }
    assert_eq!(scene.router.routes(900).unwrap().len(), 1);
    scene.on_router(async || {
        // Until nobody needs them any more.
        let mut them = FibSocket::open(&theirs()).unwrap();
        let gone = [
            Change::DeleteRoute(254, net("198.51.100.0/24")),
            Change::DeleteNextHop(their_group),
            Change::DeleteRoute(900, net("198.51.101.0/24")),
        ];
        apply(&mut them, &gone).await;
        settle(&mut FibSocket::open(&ours()).unwrap(), &plan).await;
    });
    assert_eq!(ids(&scene), [14, 17]);
}

/// Rules whose deletion the kernel also takes for that of one of ours, which says more: it compares what is given, and
/// never the inversion of `not iif lo`.
fn vague_rules() -> Vec<Change> {
    let own = ours();
    let mut rules = Vec::new();
    for (family, all) in [(Family::Ipv4, "0.0.0.0/0"), (Family::Ipv6, "::/0")] {
        for (preference, table) in [(own.rule_preference, own.table), (own.backup_rule_preference, own.backup_table)]
        {
            rules.push(Rule { family, preference, selector: Selector::From(net(all)), table });
        }
    }
    rules.into_iter().map(Change::AddRule).collect()
}

/// Forwards packets, as far as the kernel's answer goes, until it is told to stop; returns of how many answers how
/// many were not from our table.
async fn misled(scene: &Scene, stop: &AtomicBool) -> (usize, usize) {
    let mut socket = FibSocket::open(&ours()).unwrap();
    let (mut asked, mut missed) = (0, 0);
    while !stop.load(Ordering::Relaxed) {
        for destination in [MICROSOFT_V4, MICROSOFT_V6] {
            asked += 1;
            missed += usize::from(scene.forwarded(&mut socket, destination).await.table != ours().table);
        }
    }
    (asked, missed)
}

/// Ends what runs beside a test, also when that fails.
struct StopAtEnd<'a>(&'a AtomicBool);

impl Drop for StopAtEnd<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

pub fn vague_leftovers() {
    let scene = Scene::new();
    let plan = scene.fib(1, 0);
    let former = plan.rules.len() + scene.router.rules().unwrap().len();
    scene.on_router(async || install(&mut FibSocket::open(&ours()).unwrap(), &plan).await);
    let stop = AtomicBool::new(false);
    let (asked, missed) = std::thread::scope(|threads| {
        let watching = threads.spawn(|| scene.on_router(async || misled(&scene, &stop).await));
        let stopping = StopAtEnd(&stop);
        for round in 0..30 {
            scene.on_router(async || {
                apply(&mut FibSocket::open(&ours()).unwrap(), &vague_rules()).await;
                let mut socket = FibSocket::open(&ours()).unwrap();
                assert_eq!(socket.read().await.unwrap(), plan);
                assert_eq!(socket.leftovers(), 4, "round {round}");
                assert_eq!(settle(&mut socket, &plan).await, 4, "round {round}");
            });
        }
        drop(stopping);
        watching.join().unwrap()
    });
    assert_eq!(scene.router.rules().unwrap().len(), former, "each of ours is there once");
    assert!(asked > 0 && missed == 0, "{missed} of {asked} lookups fell through");
}

pub fn withdrawn_in_rounds() {
    // One look remembers 65,536.
    const LEFT: u32 = 70_000;
    let scene = Scene::new();
    let folder = tempfile::tempdir().unwrap();
    let (file, socket) = (folder.path().join("peerward.toml"), folder.path().join("peerward.sock"));
    let text = format!(
        "site = {{ name = \"akl-01\", market = \"Japan\" }}\npolicy = {{ preferred = \"iij\" }}\n\
         isp = [{{ name = \"iij\", partner = \"IIJ\", uplink = [{{ interface = \"wan0\" }}] }}]\n\
         control = {{ socket = {:?} }}\n",
        socket.to_str().unwrap()
    );
    std::fs::write(&file, text).unwrap();
    let former = Kernel { table: 900, backup_table: 901, ..Kernel::default() };
    let way = Via::NextHop(NextHop { index: scene.index("wan0"), gateway: None });
    let prefix = |number| IpNet::from(IpAddr::from(Ipv4Addr::from_bits(0x2860_0000 + number)));
    let routes: Vec<Change> = (0..LEFT).map(|number| Change::AddRoute(former.table, prefix(number), way)).collect();
    scene.on_router(async || apply(&mut FibSocket::open(&former).unwrap(), &routes).await);
    let output = scene.router.run(|| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_peerward"));
        command.args(["withdraw", "--json", "--config"]).arg(&file).output().unwrap()
    });
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let told = String::from_utf8_lossy(&output.stdout);
    assert!(told.contains(&format!("\"removed\": {LEFT}")), "{told}");
    assert_eq!(scene.router.routes(former.table).unwrap(), []);
}
