//! The branch in a box does what its picture says, without an agent.

use std::{
    io::{self, Read, Write},
    net::{IpAddr, TcpStream, UdpSocket},
    thread::sleep,
    time::{Duration, Instant},
};

use ipnet::IpNet;
use libtest_mimic::{Arguments, Failed, Trial};
use peerward_lab::{
    Branch, ClientFlow, ECHO_PORT, INTERNET_IPV4, INTERNET_IPV6, LabError, MAIN, MICROSOFT_IPV4, MICROSOFT_IPV6,
    PathProfile, Route, TCP_PORT,
};

const MS: Duration = Duration::from_millis(1);

fn main() -> Result<std::process::ExitCode, LabError> {
    peerward_lab::enter()?;
    let trials = vec![
        Trial::test("everything_leaves_by_the_default_isp_until_somebody_steers", default_isp),
        Trial::test("a_steered_prefix_leaves_by_the_isp_it_is_steered_to", steered),
        Trial::test("the_edge_answers_tcp_on_any_address_of_both_families", edge_answers),
        Trial::test("a_path_has_the_delay_it_was_given", delay),
        Trial::test("a_precise_path_adds_next_to_nothing_to_its_delay", precise_delay),
        Trial::test("a_path_loses_the_share_it_was_told_to", loss),
        Trial::test("a_black_hole_swallows_everything_and_the_link_looks_well", black_hole),
        Trial::test("an_isp_that_filters_sources_swallows_what_is_not_its_own", filtered_sources),
        Trial::test("a_cut_takes_the_carrier_and_mending_brings_everything_back", cut_and_mend),
        Trial::test("an_unplugged_uplink_comes_back_with_its_routes", unplug_and_plug),
        Trial::test("a_third_isp_can_be_had", third_isp),
        Trial::test("strict_reverse_path_filtering_drops_what_returns_by_another_uplink", strict_rp_filter),
        Trial::test("a_tcp_flow_survives_a_short_black_hole_on_its_connection", tcp_survives),
    ];
    Ok(libtest_mimic::run(&Arguments::from_args(), trials).exit_code())
}

/// Sends one address by one ISP, as an agent would, in both families.
fn steer(branch: &Branch, destination: IpAddr, isp: usize) -> Result<Route, LabError> {
    let wan = format!("wan{isp}");
    let gateway = branch
        .router()
        .routes(MAIN)?
        .iter()
        .find(|row| {
            row.interface.as_deref() == Some(&*wan)
                && row.destination.prefix_len() == 0
                && row.destination.addr().is_ipv4() == destination.is_ipv4()
        })
        .and_then(|row| row.gateway);
    let mut route = Route::to(IpNet::from(destination), &wan);
    if let Some(gateway) = gateway {
        route = route.via(gateway);
    }
    branch.router().replace_route(&route)?;
    Ok(route)
}

fn default_isp() -> Result<(), Failed> {
    let branch = Branch::builder().build()?;
    for destination in [MICROSOFT_IPV4, MICROSOFT_IPV6, INTERNET_IPV4, INTERNET_IPV6] {
        let flow = ClientFlow::udp(branch.client(), destination, 2 * MS)?;
        assert!(eventually(|| flow.since_mark().received > 20), "{}: {:?}", flow.name(), flow.since_mark());
        assert_eq!(branch.seen(destination).map(|seen| seen.isp), Some(1), "{destination}");
    }
    Ok(())
}

fn steered() -> Result<(), Failed> {
    let branch = Branch::builder().build()?;
    for (microsoft, internet) in [(MICROSOFT_IPV4, INTERNET_IPV4), (MICROSOFT_IPV6, INTERNET_IPV6)] {
        steer(&branch, microsoft, 0)?;
        let flows = [microsoft, internet].map(|address| ClientFlow::udp(branch.client(), address, 2 * MS));
        for flow in flows {
            let flow = flow?;
            assert!(eventually(|| flow.since_mark().received > 20), "{}: {:?}", flow.name(), flow.since_mark());
        }
        assert_eq!(branch.seen(microsoft).map(|seen| seen.isp), Some(0));
        assert_eq!(branch.seen(internet).map(|seen| seen.isp), Some(1));
    }
    Ok(())
}

fn edge_answers() -> Result<(), Failed> {
    let branch = Branch::builder().build()?;
    for address in ["13.107.6.152", "52.112.0.1", "2620:1ec:4::152", "2603:1006::1", "198.51.100.10"] {
        let address: IpAddr = address.parse()?;
        branch.client().run(|| -> io::Result<()> {
            let mut stream = TcpStream::connect_timeout(&(address, TCP_PORT).into(), 1000 * MS)?;
            stream.write_all(b"hello")?;
            let mut answer = [0; 5];
            stream.read_exact(&mut answer)?;
            assert_eq!(&answer, b"hello");
            Ok(())
        })?;
    }
    Ok(())
}

fn delay() -> Result<(), Failed> {
    let branch = Branch::builder().build()?;
    for address in [MICROSOFT_IPV4, MICROSOFT_IPV6] {
        for milliseconds in [0, 5, 20, 50] {
            let rtt = milliseconds * MS;
            branch.fabric().isp(1).set(PathProfile::round_trip(rtt));
            let flow = ClientFlow::udp(branch.client(), address, 2 * MS)?;
            assert!(eventually(|| flow.since_mark().received > 200));
            let median = flow.median_rtt().ok_or("no answers")?;
            eprintln!("{address}: asked for {rtt:?}, median {median:?}");
            assert!(median >= rtt, "{rtt:?} asked for, {median:?} seen");
            assert!(median < rtt + 3 * MS, "{rtt:?} asked for, {median:?} seen");
        }
    }
    Ok(())
}

fn precise_delay() -> Result<(), Failed> {
    let branch = Branch::builder().precise().build()?;
    branch.fabric().isp(1).set(PathProfile::round_trip(MS));
    for destination in [MICROSOFT_IPV4, MICROSOFT_IPV6] {
        let trips = branch.router().run(|| -> io::Result<Vec<Duration>> {
            let any: IpAddr = if destination.is_ipv4() { [0, 0, 0, 0].into() } else { [0u16; 8].into() };
            let socket = UdpSocket::bind((any, 0))?;
            socket.connect((destination, ECHO_PORT))?;
            socket.set_read_timeout(Some(1000 * MS))?;
            let trip = |_| {
                let sent = Instant::now();
                socket.send(b"hello")?;
                socket.recv(&mut [0; 8])?;
                Ok(sent.elapsed())
            };
            (0..200).map(trip).collect()
        })?;
        let least = trips.iter().min().copied().unwrap_or_default();
        // The rest is what two kernels and this thread take; the median tells only how busy the machine is.
        assert!((MS..MS + MS / 5).contains(&least), "{destination}: {least:?}");
    }
    Ok(())
}

fn loss() -> Result<(), Failed> {
    let branch = Branch::builder().build()?;
    branch.fabric().isp(1).set_towards_edge(PathProfile::default().loss(0.2));
    let flow = ClientFlow::udp(branch.client(), MICROSOFT_IPV4, MS)?;
    assert!(eventually(|| flow.since_mark().sent > 1000));
    let report = flow.since_mark();
    let ratio = report.lost as f64 / report.sent as f64;
    assert!((0.12..0.28).contains(&ratio), "{report:?}");
    assert!(report.longest_gap > MS);
    Ok(())
}

fn black_hole() -> Result<(), Failed> {
    let branch = Branch::builder().build()?;
    let flow = ClientFlow::udp(branch.client(), MICROSOFT_IPV4, 2 * MS)?;
    assert!(eventually(|| flow.since_mark().received > 20));
    branch.fabric().isp(1).set(PathProfile::default().blackhole());
    flow.mark();
    sleep(200 * MS);
    assert!(branch.uplink(1).state()?.is_some_and(|state| state.carrier));
    branch.fabric().isp(1).set(PathProfile::default());
    assert!(eventually(|| flow.since_mark().received > 20));
    let report = flow.settled_since_mark();
    assert!(report.lost > 30 && report.longest_gap >= 150 * MS, "{report:?}");
    Ok(())
}

fn filtered_sources() -> Result<(), Failed> {
    let branch = Branch::builder().build()?;
    let isp = branch.fabric().isp(1);
    for (destination, router) in [(MICROSOFT_IPV4, "203.0.113.6"), (MICROSOFT_IPV6, "2001:db8:101::2")] {
        let client = ClientFlow::udp(branch.client(), destination, 2 * MS)?;
        assert!(eventually(|| client.since_mark().received > 20), "all sources are accepted at first");
        isp.filter_sources(Some(branch.isp_networks(1).to_vec()));
        let before = isp.filtered();
        assert!(eventually(|| isp.filtered() > before + 20), "the client's own address is not the ISP's");
        client.mark();
        let answered = branch.router().run(|| {
            let socket = UdpSocket::bind((router.parse::<IpAddr>().map_err(io::Error::other)?, 0))?;
            socket.set_read_timeout(Some(1000 * MS))?;
            socket.send_to(b"hello", (destination, ECHO_PORT))?;
            socket.recv(&mut [0; 8])
        })?;
        assert_eq!(answered, 5, "the address that the ISP gave to the router passes");
        assert_eq!(client.since_mark().received, 0);
        isp.filter_sources(None);
        assert!(eventually(|| client.since_mark().received > 20), "all sources are accepted again");
    }
    Ok(())
}

fn cut_and_mend() -> Result<(), Failed> {
    let branch = Branch::builder().build()?;
    let steered: Vec<_> =
        [MICROSOFT_IPV4, MICROSOFT_IPV6].into_iter().map(|a| steer(&branch, a, 0)).collect::<Result<_, _>>()?;
    let flows = [MICROSOFT_IPV4, MICROSOFT_IPV6].map(|a| ClientFlow::udp(branch.client(), a, 2 * MS));
    let flows: Vec<_> = flows.into_iter().collect::<Result<_, _>>()?;
    assert!(eventually(|| flows.iter().all(|flow| flow.since_mark().received > 20)));

    branch.cut(0)?;
    assert!(eventually(|| branch.uplink(0).state().is_ok_and(|s| s.is_some_and(|s| !s.carrier && s.admin_up))));
    for route in &steered {
        branch.router().delete_route(route)?;
    }
    flows.iter().for_each(ClientFlow::mark);
    assert!(eventually(|| flows.iter().all(|flow| flow.since_mark().received > 20)));

    branch.mend(0)?;
    for address in [MICROSOFT_IPV4, MICROSOFT_IPV6] {
        steer(&branch, address, 0)?;
    }
    assert!(eventually(|| branch.seen(MICROSOFT_IPV4).is_some_and(|seen| seen.isp == 0)));
    assert!(eventually(|| branch.seen(MICROSOFT_IPV6).is_some_and(|seen| seen.isp == 0)));
    flows.iter().for_each(ClientFlow::mark);
    assert!(eventually(|| flows.iter().all(|flow| flow.since_mark().received > 20)));
    Ok(())
}

fn unplug_and_plug() -> Result<(), Failed> {
    let branch = Branch::builder().build()?;
    let defaults = |branch: &Branch| {
        let routes = branch.router().routes(MAIN)?;
        Ok::<_, LabError>(routes.iter().filter(|row| row.destination.prefix_len() == 0).count())
    };
    assert_eq!(defaults(&branch)?, 4);
    branch.unplug(1)?;
    assert_eq!(defaults(&branch)?, 2);
    let flow = ClientFlow::udp(branch.client(), MICROSOFT_IPV4, 2 * MS)?;
    assert!(eventually(|| branch.seen(MICROSOFT_IPV4).is_some_and(|seen| seen.isp == 0)));
    branch.plug(1)?;
    assert_eq!(defaults(&branch)?, 4);
    assert!(eventually(|| branch.seen(MICROSOFT_IPV4).is_some_and(|seen| seen.isp == 1)));
    flow.mark();
    assert!(eventually(|| flow.since_mark().received > 20));
    Ok(())
}

fn third_isp() -> Result<(), Failed> {
    let branch = Branch::builder().isps(3).build()?;
    steer(&branch, MICROSOFT_IPV6, 2)?;
    let flow = ClientFlow::udp(branch.client(), MICROSOFT_IPV6, 2 * MS)?;
    assert!(eventually(|| flow.since_mark().received > 20));
    assert_eq!(branch.seen(MICROSOFT_IPV6).map(|seen| seen.packets), Some(vec![0, 0, flow_count(&branch)]));
    Ok(())
}

fn flow_count(branch: &Branch) -> u64 {
    branch.seen(MICROSOFT_IPV6).map_or(0, |seen| seen.packets.iter().sum())
}

fn strict_rp_filter() -> Result<(), Failed> {
    let branch = Branch::builder().rp_filter(1).build()?;
    // Steered out by the first ISP, while the main table knows the way back by the second only.
    let rest = ["0.0.0.0/1", "128.0.0.0/1"];
    for half in rest {
        branch.router().add_route(&Route::to(half.parse()?, "wan1").via("203.0.113.5".parse()?))?;
    }
    let answered = |address: IpAddr| {
        let target = std::net::SocketAddr::from((address, TCP_PORT));
        branch.router().run(|| {
            let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None)?;
            socket.bind_device(Some(b"wan0"))?;
            socket.connect_timeout(&target.into(), 300 * MS)
        })
    };
    assert!(answered(MICROSOFT_IPV4).is_err());
    branch.router().sysctl_for_all("ipv4", "rp_filter", "2")?;
    branch.router().sysctl("net/ipv4/conf/wan0/rp_filter", "2")?;
    steer(&branch, MICROSOFT_IPV4, 0)?;
    answered(MICROSOFT_IPV4)?;
    Ok(())
}

fn tcp_survives() -> Result<(), Failed> {
    let branch = Branch::builder().build()?;
    let flow = ClientFlow::tcp(branch.client(), MICROSOFT_IPV4, 5 * MS)?;
    assert!(eventually(|| flow.since_mark().received > 20), "{:?}", flow.since_mark());
    branch.fabric().isp(1).set(PathProfile::default().blackhole());
    sleep(100 * MS);
    branch.fabric().isp(1).set(PathProfile::default());
    flow.mark();
    assert!(eventually(|| flow.since_mark().received > 20), "{:?}", flow.since_mark());
    assert_eq!(flow.reconnects(), 0);
    Ok(())
}

fn eventually(condition: impl Fn() -> bool) -> bool {
    let deadline = Instant::now() + Duration::from_secs(10);
    while Instant::now() < deadline {
        if condition() {
            return true;
        }
        sleep(5 * MS);
    }
    false
}
