//! What becomes of handshakes, and how long they take.

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    thread,
    time::Duration,
};

use ipnet::IpNet;
use peerward_lab::{
    Branch, INTERNET_IPV4, INTERNET_IPV6, MICROSOFT_IPV4, MICROSOFT_IPV6, Namespace, PathProfile, Route, TCP_PORT,
};
use socket2::{Domain, Protocol, Socket, Type};

use crate::scene::{OWN_PORT, Watching, connect};

const TEAMS: IpAddr = IpAddr::V4(Ipv4Addr::new(52, 112, 0, 1));

/// Of the machine, not of what is measured: the fabric is a process among others.
const SLACK: Duration = Duration::from_millis(25);

/// The main table prefers `wan1`; this leads to `wan0`.
fn lead_to_wan0(branch: &Branch, destination: IpAddr) {
    let gateway: IpAddr = if destination.is_ipv4() {
        branch.isp_networks(0)[0].hosts().next().unwrap()
    } else {
        "fe80::1".parse().unwrap()
    };
    branch.router().add_route(&Route::to(IpNet::from(destination), "wan0").via(gateway)).unwrap();
}

pub fn times() {
    let branch = Branch::builder().build().unwrap();
    let rtts = [Duration::from_millis(40), Duration::from_millis(110)];
    for (isp, rtt) in rtts.into_iter().enumerate() {
        branch.fabric().isp(isp).set(PathProfile::round_trip(rtt));
    }
    lead_to_wan0(&branch, TEAMS);
    lead_to_wan0(&branch, MICROSOFT_IPV6);
    let watching = Watching::start(branch.router());
    for server in [TEAMS, MICROSOFT_IPV4, MICROSOFT_IPV6] {
        connect(branch.client(), (server, TCP_PORT), 15).unwrap();
    }
    for (uplink, class) in [(0, "teams"), (1, "v4"), (0, "v6")] {
        let rtt = rtts[usize::from(uplink)];
        let view = watching.path(uplink, class, |view| view.completed == 15);
        assert_eq!((view.unanswered, view.refused, view.one_in), (0, 0, 1), "{view:?}");
        let median = Duration::from_secs_f64(view.rtt_ms.unwrap() / 1_000.0);
        eprintln!("{class} on wan{uplink}: {rtt:?} is measured as {median:?}, at least {:?} ms", view.rtt_min_ms);
        assert!(view.rtt_min_ms.unwrap() >= rtt.as_secs_f64() * 1_000.0, "{view:?}");
        assert!(median < rtt + SLACK, "{view:?}");
        let measured = watching.measured(uplink, class);
        assert_eq!(measured.len() as u64, view.completed - view.repeated);
        assert!(measured.iter().all(|one| *one >= rtt));
    }
    let known = watching.known();
    assert_eq!(known.paths.len(), 3, "no path that no connection took: {known:#?}");
    assert_eq!((known.dropped, known.clock_steps), (0, 0));
}

pub fn left_out() {
    let branch = Branch::builder().build().unwrap();
    let watching = Watching::start(branch.router());
    for server in [INTERNET_IPV4, INTERNET_IPV6] {
        connect(branch.client(), (server, TCP_PORT), 3).unwrap();
    }
    connect_from(branch.router(), OWN_PORT);
    connect_from(branch.router(), OWN_PORT + 1);
    let view = watching.path(1, "v4", |view| view.completed > 0);
    assert_eq!(view.completed, 1, "{view:?}");
    assert_eq!(watching.known().paths.len(), 1);
}

/// A connection of the router itself, from this port.
fn connect_from(namespace: &Namespace, port: u16) {
    namespace.run(|| {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, Some(Protocol::TCP)).unwrap();
        socket.bind(&SocketAddr::from((Ipv4Addr::UNSPECIFIED, port)).into()).unwrap();
        socket.connect(&SocketAddr::from((MICROSOFT_IPV4, TCP_PORT)).into()).unwrap();
        socket.set_linger(Some(Duration::ZERO)).unwrap();
    });
}

pub fn unanswered() {
    let branch = Branch::builder().build().unwrap();
    branch.fabric().isp(1).set(PathProfile::default().blackhole());
    let watching = Watching::start(branch.router());
    // Ten seconds: the kernel repeats the SYN after 1, 3 and 7.
    connect(branch.client(), (MICROSOFT_IPV4, TCP_PORT), 1).unwrap_err();
    let view = watching.path(1, "v4", |view| view.unanswered > 0);
    assert_eq!((view.completed, view.unanswered, view.rtt_ms), (0, 1, None), "{view:?}");
}

pub fn repeated() {
    let branch = Branch::builder().build().unwrap();
    let watching = Watching::start(branch.router());
    let path = branch.fabric().isp(1);
    path.set(PathProfile::default().blackhole());
    thread::scope(|scope| {
        let connecting = scope.spawn(|| connect(branch.client(), (MICROSOFT_IPV4, TCP_PORT), 1));
        let before = watching.known().packets;
        watching.wait("the first SYN left", |known| known.packets > before);
        path.set(PathProfile::default());
        connecting.join().unwrap().unwrap();
    });
    let view = watching.path(1, "v4", |view| view.completed > 0);
    assert_eq!((view.completed, view.repeated, view.rtt_ms), (1, 1, None), "{view:?}");
    assert!(watching.measured(1, "v4").is_empty());
}

pub fn refused() {
    let branch = Branch::builder().build().unwrap();
    let watching = Watching::start(branch.router());
    for (server, class) in [(MICROSOFT_IPV4, "v4"), (MICROSOFT_IPV6, "v6")] {
        connect(branch.client(), (server, TCP_PORT + 1), 1).unwrap_err();
        let view = watching.path(1, class, |view| view.refused > 0);
        assert_eq!((view.completed, view.refused, view.unanswered), (0, 1, 0), "{view:?}");
    }
    // Resets of open connections, as `connect` ends with, are none.
    connect(branch.client(), (MICROSOFT_IPV4, TCP_PORT), 3).unwrap();
    let view = watching.path(1, "v4", |view| view.completed == 3);
    assert_eq!(view.refused, 1, "{view:?}");
}

/// As with masquerading, the uplink sees the router's own address in both directions.
pub fn of_the_router() {
    let branch = Branch::builder().build().unwrap();
    let rtt = Duration::from_millis(30);
    branch.fabric().isp(1).set(PathProfile::round_trip(rtt));
    let watching = Watching::start(branch.router());
    connect(branch.router(), (MICROSOFT_IPV4, TCP_PORT), 5).unwrap();
    let view = watching.path(1, "v4", |view| view.completed == 5);
    assert!(view.rtt_ms.unwrap() >= 30.0, "{view:?}");
}
