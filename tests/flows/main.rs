//! Flows that the router translates, when their class moves: the real binary, a real kernel, real packets of a client.

#![allow(clippy::indexing_slicing, reason = "a missing key of a JSON answer is null, and fails the assertion")]

mod scene;

use std::{
    io,
    net::{IpAddr, Ipv4Addr, UdpSocket},
    process::ExitCode,
    thread::sleep,
    time::Duration,
};

use ipnet::IpNet;
use libtest_mimic::{Arguments, Failed, Trial};
use peerward_lab::{
    AgentSettings, CLIENT_IPV4, ClientFlow, ECHO_PORT, INTERNET_IPV4, LabError, MICROSOFT_IPV4, PathProfile,
};

use scene::{EAST, MS, NORTH, SOUTH, Scene, Translation, run};

/// The router's address in the client's network.
const ROUTER: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 168, 77, 1));
/// Another client in the same network.
const OTHER_CLIENT: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 168, 77, 50));

fn main() -> Result<ExitCode, LabError> {
    peerward_lab::enter()?;
    let trials = vec![
        Trial::test("udp_goes_on_after_a_cut_cable_with_the_address_of_the_new_uplink", cut),
        Trial::test("udp_goes_on_after_a_silent_black_hole_and_back_again", black_hole_and_return),
        Trial::test("udp_goes_on_although_the_interface_is_gone_with_its_address", unplugged),
        Trial::test("masqueraded_flows_go_on_as_well", masquerade),
        Trial::test("tcp_is_refused_and_connects_anew_at_once", tcp),
        Trial::test("a_flow_that_did_not_move_keeps_its_entry", untouched),
        Trial::test("flows_that_a_rule_before_ours_leads_elsewhere_keep_their_entries", foreign),
        Trial::test("flows_that_a_rule_before_ours_leads_to_the_old_uplink_are_reset_once", foreign_to_old),
        Trial::test("a_flow_of_the_router_itself_keeps_its_entry", own),
        Trial::test("thousands_of_flows_are_reset_in_turns", thousands),
        Trial::test("keep_deletes_nothing_and_counts_what_is_left_behind", keep),
        Trial::test("observe_deletes_nothing", observe),
        Trial::test("after_withdraw_nothing_is_deleted", withdrawn),
    ];
    let mut arguments = Arguments::from_args();
    // Each trial is a network of its own with a client that counts packets: more than two at once measure the machine.
    arguments.test_threads = Some(arguments.test_threads.unwrap_or(2).min(2));
    Ok(libtest_mimic::run(&arguments, trials).exit_code())
}

fn fixed() -> Result<Scene, Failed> {
    let mut scene = Scene::settled(Translation::Fixed, &AgentSettings::default(), "")?;
    scene.wait("the flows that were there before are reset", |scene| Ok(scene.deleted()? >= 2))?;
    Ok(scene)
}

/// Moves Microsoft to the other ISP by a cut cable, and says how long the flows were without answers.
fn cut_and_measure(scene: &mut Scene) -> Result<Duration, Failed> {
    scene.mark();
    scene.branch.cut(NORTH)?;
    scene.wait_until_on(SOUTH)?;
    Ok(scene.longest_gap())
}

fn cut() -> Result<(), Failed> {
    let mut scene = fixed()?;
    let deleted = scene.deleted()?;
    let gap = cut_and_measure(&mut scene)?;
    eprintln!("cut cable: longest gap {gap:?}");
    assert!(gap < Duration::from_secs(5), "gap of {gap:?}");
    let moved = scene.moved()?;
    assert!(moved["deleted"].as_u64() >= Some(deleted + 2), "{moved:#}");
    assert_eq!(moved["left"].as_array().map(Vec::len), Some(0), "{moved:#}");
    Ok(())
}

fn black_hole_and_return() -> Result<(), Failed> {
    let mut scene = fixed()?;
    scene.mark();
    scene.branch.fabric().isp(NORTH).set(PathProfile::default().blackhole());
    scene.wait_until_on(SOUTH)?;
    let gap = scene.longest_gap();
    eprintln!("black hole: longest gap {gap:?}");
    assert!(gap < Duration::from_secs(5), "gap of {gap:?}");
    scene.mark();
    scene.branch.fabric().isp(NORTH).set(PathProfile::default());
    scene.wait_until_on(NORTH)?;
    let gap = scene.longest_gap();
    eprintln!("return: longest gap {gap:?}");
    assert!(gap < Duration::from_secs(5), "gap of {gap:?}");
    Ok(())
}

fn unplugged() -> Result<(), Failed> {
    let mut scene = fixed()?;
    scene.mark();
    scene.branch.unplug(NORTH)?;
    scene.wait_until_on(SOUTH)?;
    let gap = scene.longest_gap();
    eprintln!("unplugged: longest gap {gap:?}");
    assert!(gap < Duration::from_secs(5), "gap of {gap:?}");
    Ok(())
}

fn masquerade() -> Result<(), Failed> {
    let mut scene = Scene::settled(Translation::Masquerade, &AgentSettings::default(), "")?;
    let gap = cut_and_measure(&mut scene)?;
    eprintln!("masquerade: longest gap {gap:?}");
    assert!(gap < Duration::from_secs(5), "gap of {gap:?}");
    Ok(())
}

fn tcp() -> Result<(), Failed> {
    let mut scene = fixed()?;
    let tcp = ClientFlow::tcp(scene.branch.client(), MICROSOFT_IPV4, 5 * MS)?;
    scene.wait("TCP is answered", |_| Ok(tcp.since_mark().received > 20))?;
    tcp.mark();
    scene.branch.cut(NORTH)?;
    scene.wait_until_on(SOUTH)?;
    scene.wait("TCP connected anew", |_| Ok(tcp.reconnects() > 0 && tcp.since_mark().received > 100))?;
    eprintln!("TCP: {:?}, {} reconnects", tcp.settled_since_mark(), tcp.reconnects());
    Ok(())
}

fn untouched() -> Result<(), Failed> {
    let mut scene = fixed()?;
    let internet = scene.entries(CLIENT_IPV4, INTERNET_IPV4)?;
    let microsoft = scene.entries(CLIENT_IPV4, MICROSOFT_IPV4)?;
    assert_eq!((internet.len(), microsoft.len()), (1, 1), "one entry each: {:#?}", scene.table()?);
    cut_and_measure(&mut scene)?;
    assert_eq!(scene.entries(CLIENT_IPV4, INTERNET_IPV4)?, internet);
    assert_eq!(scene.internet.settled_since_mark().lost, 0, "what did not move loses nothing");
    Ok(())
}

/// Another client, which a rule before ours leads to an ISP; its flow to Microsoft.
fn add_foreign(scene: &mut Scene, isp: usize) -> Result<ClientFlow, Failed> {
    let (router, client) = (scene.branch.router(), scene.branch.client());
    client.link("eth0").add_address(IpNet::new(OTHER_CLIENT, 24)?)?;
    let gateway = format!("203.0.113.{}", 4 * isp + 1);
    let way = ["route", "add", "default", "via", &gateway, "dev", &format!("wan{isp}"), "table", "100"];
    run(router, "ip", &way)?;
    run(router, "ip", &["rule", "add", "from", &OTHER_CLIENT.to_string(), "lookup", "100", "pref", "100"])?;
    let flow = ClientFlow::udp_from(client, OTHER_CLIENT, MICROSOFT_IPV4, 5 * MS)?;
    scene.wait("the other client is answered", |_| Ok(flow.since_mark().received > 20))?;
    Ok(flow)
}

/// Moves Microsoft away and back, and waits for the looks after that.
fn move_away_and_back(scene: &mut Scene) -> Result<(), Failed> {
    let deleted = scene.deleted()?;
    cut_and_measure(scene)?;
    scene.branch.mend(NORTH)?;
    scene.branch.add_default_routes(NORTH)?;
    scene.wait_until_on(NORTH)?;
    scene.wait("the return reset the client's flows", |scene| Ok(scene.deleted()? >= deleted + 4))?;
    sleep(1500 * MS);
    Ok(())
}

fn foreign() -> Result<(), Failed> {
    let isps = [("north", "IIJ"), ("south", "KDDI"), ("east", "NTT Communications")];
    let isps = isps.map(|(name, partner)| (name.to_owned(), partner.to_owned())).to_vec();
    let mut scene = Scene::settled(Translation::Fixed, &AgentSettings { isps, ..AgentSettings::default() }, "")?;
    // When steering began its classes came from anywhere, which is remembered for 15 s.
    sleep(15_500 * MS);
    let flow = add_foreign(&mut scene, EAST)?;
    let entries = scene.entries(OTHER_CLIENT, MICROSOFT_IPV4)?;
    assert_eq!(entries.len(), 1, "{:#?}", scene.table()?);
    flow.mark();
    move_away_and_back(&mut scene)?;
    assert_eq!(scene.entries(OTHER_CLIENT, MICROSOFT_IPV4)?, entries);
    assert_eq!(flow.settled_since_mark().lost, 0, "what did not move loses nothing");
    Ok(())
}

fn foreign_to_old() -> Result<(), Failed> {
    let mut scene = fixed()?;
    sleep(15_500 * MS);
    let _flow = add_foreign(&mut scene, SOUTH)?;
    move_away_and_back(&mut scene)?;
    let (entries, deleted) = (scene.entries(OTHER_CLIENT, MICROSOFT_IPV4)?, scene.deleted()?);
    assert_eq!(entries.len(), 1, "{:#?}", scene.table()?);
    // The last look, 10 s after the move, finds it as it was before it was reset.
    sleep(10_000 * MS);
    assert_eq!(scene.entries(OTHER_CLIENT, MICROSOFT_IPV4)?, entries);
    assert_eq!(scene.deleted()?, deleted);
    Ok(())
}

fn own() -> Result<(), Failed> {
    let mut scene = fixed()?;
    let socket = scene.branch.router().run(|| {
        let socket = UdpSocket::bind((ROUTER, 0))?;
        socket.connect((MICROSOFT_IPV4, ECHO_PORT))?;
        socket.send(b"hello")?;
        Ok::<_, io::Error>(socket)
    })?;
    // The router's own packets go by the main table: by the other ISP, with its address, and that is right.
    let entry = scene.entries(ROUTER, MICROSOFT_IPV4)?;
    assert_eq!(entry.len(), 1, "{:#?}", scene.table()?);
    let deleted = scene.deleted()?;
    cut_and_measure(&mut scene)?;
    scene.branch.mend(NORTH)?;
    scene.branch.add_default_routes(NORTH)?;
    scene.wait_until_on(NORTH)?;
    scene.wait("the return reset the client's flows", |scene| Ok(scene.deleted()? >= deleted + 4))?;
    sleep(1500 * MS);
    socket.send(b"again")?;
    assert_eq!(scene.entries(ROUTER, MICROSOFT_IPV4)?, entry);
    Ok(())
}

fn keep() -> Result<(), Failed> {
    let mut scene = Scene::set(Translation::Fixed, &AgentSettings::default(), "moved_flows = \"keep\"")?;
    let before = scene.entries(CLIENT_IPV4, MICROSOFT_IPV4)?;
    scene.wait("both classes' flows are counted as left behind", |scene| {
        let moved = scene.moved()?;
        let left = moved["left"].as_array().cloned().unwrap_or_default();
        Ok(left.len() == 2 && left.iter().all(|class| class["flows"] == 1))
    })?;
    scene.mark();
    sleep(1500 * MS);
    assert_eq!(scene.entries(CLIENT_IPV4, MICROSOFT_IPV4)?, before);
    assert_eq!(scene.deleted()?, 0);
    assert_eq!(scene.flows[0].since_mark().received, 0, "such a flow gets no answers: the ISP refuses its source");
    let fresh = ClientFlow::udp(scene.branch.client(), MICROSOFT_IPV4, 5 * MS)?;
    scene.wait("a new flow is answered", |_| Ok(fresh.since_mark().received > 20))
}

fn observe() -> Result<(), Failed> {
    let settings = AgentSettings { mode: "observe".to_owned(), ..AgentSettings::default() };
    let mut scene = Scene::set(Translation::Fixed, &settings, "")?;
    let before = scene.entries(CLIENT_IPV4, MICROSOFT_IPV4)?;
    scene.wait("a decision is made", |scene| {
        let Ok(status) = scene.agent.status() else { return Ok(false) };
        Ok(status["classes"].as_array().is_some_and(|all| all.iter().all(|class| class["uplink"] == "wan0")))
    })?;
    sleep(1500 * MS);
    assert_eq!(scene.entries(CLIENT_IPV4, MICROSOFT_IPV4)?, before);
    assert_eq!(scene.deleted()?, 0);
    Ok(())
}

fn withdrawn() -> Result<(), Failed> {
    let scene = fixed()?;
    let before = scene.entries(CLIENT_IPV4, MICROSOFT_IPV4)?;
    let deleted = scene.deleted()?;
    scene.agent.ask("withdraw", &[])?;
    // By the main table, by the other ISP: wrong as long as Microsoft was steered, and right now.
    let _fresh = ClientFlow::udp(scene.branch.client(), MICROSOFT_IPV4, 5 * MS)?;
    sleep(100 * MS);
    let after = scene.entries(CLIENT_IPV4, MICROSOFT_IPV4)?;
    assert_eq!((before.len(), after.len()), (1, 2));
    // Two looks after the move to the first ISP were still to come, the later one after 10 s.
    sleep(10_500 * MS);
    assert_eq!(scene.entries(CLIENT_IPV4, MICROSOFT_IPV4)?, after);
    assert_eq!(scene.deleted()?, deleted);
    Ok(())
}

fn thousands() -> Result<(), Failed> {
    const FLOWS: u64 = 6000;
    let mut scene = fixed()?;
    let deleted = scene.deleted()?;
    scene.branch.client().run(|| -> io::Result<()> {
        let socket = UdpSocket::bind("0.0.0.0:0")?;
        for port in (1024..).take(usize::try_from(FLOWS).unwrap_or_default()) {
            socket.send_to(b"hello", (MICROSOFT_IPV4, port))?;
        }
        Ok(())
    })?;
    let tracked = u64::try_from(scene.entries(CLIENT_IPV4, MICROSOFT_IPV4)?.len())?;
    assert!(tracked > 4096, "more than one look resets at once: {tracked}");
    let gap = cut_and_measure(&mut scene)?;
    eprintln!("with {tracked} flows: longest gap {gap:?}");
    scene.wait("all of them are reset", |scene| {
        Ok(scene.deleted()? >= deleted + tracked && scene.moved()?["left"] == serde_json::json!([]))
    })
}
