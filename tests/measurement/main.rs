//! What goes wrong between a branch and Microsoft, and what the agent makes of it: the real binary, real packets.

#![allow(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a missing key of a JSON answer is null, and fails the assertion"
)]

mod scene;

use std::{
    collections::BTreeMap,
    net::IpAddr,
    process::ExitCode,
    thread::sleep,
    time::{Duration, Instant},
};

use libtest_mimic::{Arguments, Failed, Trial};
use peerward_lab::{AgentSettings, Capture, ClientFlow, LabError, MICROSOFT_IPV4, Packet, PathProfile, Portal};
use scene::{MS, NORTH, SOUTH, Scene};

const EXCHANGE: &str = "m365.exchange.ipv4";

fn main() -> Result<ExitCode, LabError> {
    peerward_lab::enter()?;
    let trials = vec![
        Trial::test("a_captive_portal_that_answers_every_connect_is_not_taken_for_microsoft", captive_portal),
        Trial::test("a_transparent_proxy_with_its_own_certificate_is_not_either", proxy),
        Trial::test("connections_that_are_accepted_and_then_silent_are_no_path", silent),
        Trial::test("an_mtu_hole_is_left_and_named", mtu_hole),
        Trial::test("answers_that_come_by_the_other_uplink_do_not_count", other_way_back),
        Trial::test("a_long_outage_costs_no_more_than_the_ceiling_allows", outage),
        Trial::test("one_dead_front_door_is_no_dead_path_and_no_loss", dead_front_door),
        Trial::test("a_class_without_targets_stays_unknown_and_says_so", no_targets),
        Trial::test("an_interface_that_goes_while_probes_are_under_way_is_left_and_found_again", unplugged),
        Trial::test("a_silent_black_hole_is_left_soon_in_the_fast_profile", black_hole),
        Trial::test("what_users_feel_is_shown_apart", users),
        Trial::test("any_target_can_be_measured_by_hand_through_any_uplink", by_hand),
    ];
    let mut arguments = Arguments::from_args();
    // Each trial is a network and an agent of its own that mostly wait; more at once would measure the machine.
    arguments.test_threads = Some(arguments.test_threads.unwrap_or(4).min(4));
    Ok(libtest_mimic::run(&arguments, trials).exit_code())
}

/// Puts somebody between the preferred ISP and Microsoft: traffic goes to the other, and comes back when he is gone.
fn stood_between(portal: Portal, told: &str) -> Result<(), Failed> {
    let mut scene = Scene::settled(&AgentSettings::default())?;
    scene.branch.fabric().isp(NORTH).portal(Some(portal));
    scene.wait_until_on(SOUTH)?;
    scene.wait("every path is down", |scene| scene.all_are(NORTH, "down"))?;
    let evidence = scene.evidence(NORTH);
    assert!(evidence.iter().any(|evidence| evidence.contains(told)), "{evidence:#?}");
    // It stays away, however often bare handshakes succeed.
    sleep(3000 * MS);
    assert!(scene.agent.is_held_on(SOUTH) && scene.all_are(NORTH, "down"), "{:#?}", scene.evidence(NORTH));
    scene.branch.fabric().isp(NORTH).portal(None);
    scene.wait_until_on(NORTH)
}

fn captive_portal() -> Result<(), Failed> {
    stood_between(Portal::Tcp, "answered by someone who is not the target")
}

fn proxy() -> Result<(), Failed> {
    stood_between(Portal::Proxy, "answered by someone who is not the target")
}

fn silent() -> Result<(), Failed> {
    stood_between(Portal::Silent, "connected, then silence")
}

fn mtu_hole() -> Result<(), Failed> {
    let mut scene = Scene::settled(&AgentSettings::default())?;
    scene.branch.edge().certificate_bytes(4000);
    scene.branch.fabric().isp(NORTH).mtu(Some(1300));
    scene.wait_until_on(SOUTH)?;
    let evidence = scene.evidence(NORTH);
    assert!(
        evidence.iter().any(|evidence| evidence.contains("small packets pass, large ones do not")),
        "{evidence:#?}"
    );
    scene.branch.fabric().isp(NORTH).mtu(None);
    scene.wait_until_on(NORTH)
}

fn other_way_back() -> Result<(), Failed> {
    let mut scene = Scene::settled(&AgentSettings::default())?;
    for interface in ["all", "wan0", "wan1"] {
        scene.branch.router().sysctl(&format!("net/ipv4/conf/{interface}/rp_filter"), "0")?;
    }
    let capture = Capture::start(&scene.branch.uplink(SOUTH))?;
    scene.branch.fabric().isp(NORTH).return_by(Some(SOUTH));
    scene.wait_until_on(SOUTH)?;
    let strays = |packet: &Packet| !packet.outgoing && packet.is_syn_ack();
    assert!(capture.count(strays) > 0, "nothing came back by the other uplink");
    assert!(scene.all_are(SOUTH, "up"), "{:#?}", scene.evidence(SOUTH));
    scene.branch.fabric().isp(NORTH).return_by(None);
    scene.wait_until_on(NORTH)
}

fn outage() -> Result<(), Failed> {
    let mut scene = Scene::settled(&AgentSettings { probe_interval: 50 * MS, ..AgentSettings::default() })?;
    let began = Instant::now();
    let captures = [Capture::start(&scene.branch.uplink(NORTH))?, Capture::start(&scene.branch.uplink(SOUTH))?];
    for isp in [NORTH, SOUTH] {
        scene.branch.fabric().isp(isp).set(PathProfile::default().blackhole());
    }
    sleep(12_000 * MS);
    let packets = captures.each_ref().map(Capture::packets);
    let seconds = usize::try_from(began.elapsed().as_millis().div_ceil(1000))?;
    // A probe is the first packet of a conversation. Look-ups of names are none, and neighbours are no targets.
    let is_probe = |packet: &&Packet| {
        let elsewhere = |ip: IpAddr| {
            ip.is_ipv4() || !matches!(ip, IpAddr::V6(ip) if ip.is_multicast() || ip.is_unicast_link_local())
        };
        let opens = packet.is_syn() || packet.flags.is_none();
        packet.outgoing && opens && packet.destination.port() != 53 && elsewhere(packet.destination.ip())
    };
    for packets in &packets {
        let mut asked = BTreeMap::<IpAddr, usize>::new();
        for packet in packets.iter().filter(is_probe) {
            *asked.entry(packet.destination.ip()).or_default() += 1;
        }
        let most = asked.iter().max_by_key(|(_, count)| **count);
        assert!(most.is_none_or(|(_, count)| *count <= seconds + 3), "{most:?} in {seconds} s");
        assert!(most.is_some_and(|(_, count)| *count >= 3), "nothing was probed: {asked:?}");
    }
    let all = packets.iter().flatten().filter(is_probe).count();
    assert!(all <= 20 * seconds + 4, "{all} in {seconds} s");
    // Nothing answers anywhere: traffic is not given up for that.
    assert!(scene.agent.places().is_some_and(|places| places.iter().all(|place| !place.is_null())));
    for isp in [NORTH, SOUTH] {
        scene.branch.fabric().isp(isp).set(PathProfile::default());
    }
    scene.wait("the paths are up again", |scene| scene.all_are(NORTH, "up"))
}

fn dead_front_door() -> Result<(), Failed> {
    let more = "[probe.targets]\nexchange = [\"13.107.6.152\", \"tcp:13.107.18.10:444\", \"13.107.128.1\", \"2620:1ec:4::152\"]\n";
    let settings = AgentSettings { more: more.to_owned(), ..AgentSettings::default() };
    let mut scene = Scene::settled(&settings)?;
    let silent = |scene: &Scene, target: &str| {
        let path = scene.path(NORTH, EXCHANGE);
        let targets = path["targets"].as_array().cloned().unwrap_or_default();
        targets.iter().find(|it| it["target"] == target).map(|it| it["silent"] == true)
    };
    scene.wait("the dead one is known", |scene| silent(scene, "tcp:13.107.18.10:444") == Some(true))?;
    assert_eq!(silent(&scene, "tcp:13.107.6.152:443"), Some(false));
    scene.wait("the path has no loss", |scene| {
        let path = scene.path(NORTH, EXCHANGE);
        path["state"] == "up" && path["loss_ratio"] == 0.0
    })
}

fn no_targets() -> Result<(), Failed> {
    let more = "[probe.targets]\nexchange = [\"2620:1ec:4::152\"]\n";
    let mut scene = Scene::set(&AgentSettings { more: more.to_owned(), ..AgentSettings::default() })?;
    scene.wait("the other family is measured", |scene| scene.path(NORTH, "m365.exchange.ipv6")["state"] == "up")?;
    let path = scene.path(NORTH, EXCHANGE);
    assert_eq!(path["state"], "unknown");
    assert!(path["evidence"].as_str().unwrap_or_default().contains("nothing to measure"), "{path:#}");
    Ok(())
}

fn unplugged() -> Result<(), Failed> {
    let mut scene = Scene::settled(&AgentSettings::default())?;
    scene.branch.fabric().isp(NORTH).set(PathProfile::default().blackhole());
    sleep(100 * MS);
    scene.branch.unplug(NORTH)?;
    scene.wait_until_on(SOUTH)?;
    scene.branch.fabric().isp(NORTH).set(PathProfile::default());
    scene.branch.plug(NORTH)?;
    scene.branch.add_default_routes(NORTH)?;
    scene.wait_until_on(NORTH)
}

fn black_hole() -> Result<(), Failed> {
    let settings = AgentSettings {
        probe_interval: 200 * MS,
        probe_timeout: 900 * MS,
        probe_more: "profile = \"fast\"".to_owned(),
        ..AgentSettings::default()
    };
    let mut scene = Scene::settled(&settings)?;
    sleep(5000 * MS);
    let began = Instant::now();
    scene.branch.fabric().isp(NORTH).set(PathProfile::default().blackhole());
    scene.wait_until_on(SOUTH)?;
    eprintln!("black hole left after {:?}", began.elapsed());
    // Typically a third of a second; a loaded machine takes its time.
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    Ok(())
}

fn users() -> Result<(), Failed> {
    let settings = AgentSettings { probe_more: "passive = true".to_owned(), ..AgentSettings::default() };
    let mut scene = Scene::settled(&settings)?;
    let rtt = 30 * MS;
    scene.branch.fabric().isp(NORTH).set(PathProfile::round_trip(rtt));
    let client = scene.branch.client();
    let connect =
        || client.run(|| std::net::TcpStream::connect_timeout(&(MICROSOFT_IPV4, 443).into(), Duration::from_secs(5)));
    let _flow = ClientFlow::tcp(client, MICROSOFT_IPV4, 50 * MS)?;
    for _ in 0..10 {
        connect()?;
    }
    scene.wait("the handshakes are shown", |scene| {
        scene.path(NORTH, EXCHANGE)["handshakes"]["completed"].as_u64() >= Some(10)
    })?;
    let seen = scene.path(NORTH, EXCHANGE)["handshakes"].clone();
    let median = seen["rtt_ms"].as_f64().unwrap_or_default();
    assert!((30.0..80.0).contains(&median), "{seen:#}");
    assert!(scene.path(SOUTH, EXCHANGE)["handshakes"].is_null());
    assert!(scene.path(NORTH, "m365.sharepoint.ipv4")["handshakes"].is_null(), "probes are not users");
    Ok(())
}

fn by_hand() -> Result<(), Failed> {
    let scene = Scene::settled(&AgentSettings::default())?;
    let config = scene.agent.config().to_string_lossy().into_owned();
    let probe = |uplink: &str, target: &str, more: &[&str]| {
        let mut arguments = vec!["probe", uplink, target, "--config", &config, "--count", "1", "--json"];
        arguments.extend(more);
        let output = scene.agent.run(&arguments)?;
        let lines = String::from_utf8_lossy(&output.stdout).into_owned();
        let objects: Vec<serde_json::Value> =
            lines.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
        Ok::<_, LabError>((output.status.code(), objects))
    };
    scene.branch.fabric().isp(SOUTH).set(PathProfile::round_trip(20 * MS));
    // By the uplink that carries nothing, which only the agent's rules lead to.
    for target in [
        "13.107.6.152",
        "tcp:[2620:1ec:4::152]:443",
        "icmp:13.107.6.152",
        "icmp:2620:1ec:4::152",
        "stun:13.107.6.152",
        "tls:outlook.office365.com",
        "https://outlook.office365.com/status/204",
        "http://13.107.6.152/",
    ] {
        let (code, objects) = probe("wan1", target, &[])?;
        let rtt = objects.first().and_then(|first| first["rtt_ms"].as_f64()).unwrap_or_default();
        assert_eq!(code, Some(0), "{target}: {objects:#?}");
        assert!((20.0..200.0).contains(&rtt), "{target}: {objects:#?}");
    }
    for target in ["tcp:13.107.6.152:444", "https://outlook.office365.com/status/503"] {
        let (code, objects) = probe("wan1", target, &["--timeout", "500ms"])?;
        assert_eq!(code, Some(1), "{target}: {objects:#?}");
    }
    assert_eq!(probe("wan7", "13.107.6.152", &[])?.0, Some(2));
    assert_eq!(probe("wan1", "udp:13.107.6.152:1", &[])?.0, Some(2));
    Ok(())
}
