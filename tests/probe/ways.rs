//! By which way probes leave, and what they make of what they meet there.

use std::{
    net::{IpAddr, TcpStream},
    time::{Duration, Instant},
};

use peerward::{
    domain::{ProbeFailure, ProbeOutcome},
    probe::ProbePath,
};
use peerward_lab::Namespace;

use crate::{
    prober::{TIMEOUT, answered, path, probe},
    scene::{
        BLACK_HOLE, Branch, CLOSED, Isp, NOWHERE, SERVICE_V4, SERVICE_V6, add_defaults, addresses, connect, net,
        time_waits,
    },
};

pub fn by_its_uplink() {
    let branch = Branch::new();
    branch.router.run(|| TcpStream::connect(SERVICE_V4).expect("the main table leads to ISP 0"));
    branch.isps[0].callers_once(|callers| callers.len() == 1);

    let list = [SERVICE_V4, SERVICE_V6].into_iter().flat_map(|target| [path(0, target), path(1, target)]);
    let samples = probe(&branch.router, list.collect(), |samples| samples.len() >= 40);

    for sample in &samples {
        let ProbeOutcome::Answered(rtt) = sample.outcome else { panic!("{sample:?}") };
        assert!(rtt < TIMEOUT, "{sample:?}");
    }
    for (uplink, isp) in branch.isps.iter().enumerate() {
        let callers =
            isp.callers_once(|callers| callers.iter().any(IpAddr::is_ipv4) && callers.iter().any(IpAddr::is_ipv6));
        assert!(callers.iter().all(|caller| addresses(uplink).contains(caller)), "ISP {uplink}: {callers:?}");
    }
}

pub fn from_its_source() {
    let branch = Branch::new();
    for (second, target) in [("10.0.1.77", SERVICE_V4), ("2001:db8:1::77", SERVICE_V6)] {
        let second: IpAddr = second.parse().unwrap();
        branch.router.link("wan1").add_address(net(second)).unwrap();
        let list = vec![ProbePath { source: Some(second), ..path(1, target) }];
        probe(&branch.router, list, |samples| samples.iter().filter(|sample| answered(sample)).count() >= 3);
        let callers = branch.isps[1].callers_once(|callers| callers.contains(&second));
        assert!(!callers.iter().any(|caller| addresses(1).contains(caller)), "{callers:?}");
    }
}

pub fn outcomes() {
    let branch = Branch::new();
    let expected =
        [(CLOSED, ProbeFailure::Refused), (BLACK_HOLE, ProbeFailure::Timeout), (NOWHERE, ProbeFailure::Unreachable)];
    for (target, failure) in expected {
        let samples = probe(&branch.router, vec![path(1, target)], |samples| samples.len() >= 3);
        for sample in samples {
            assert_eq!(sample.outcome, ProbeOutcome::Failed(failure), "{target}");
        }
    }
}

pub fn without_a_route() {
    let branch = Branch::new();
    let stub = Namespace::new("stub").unwrap();
    connect(&branch.router, "wan2", &stub, 2);
    let samples = probe(&branch.router, vec![path(2, SERVICE_V4), path(2, SERVICE_V6)], |samples| {
        [true, false]
            .iter()
            .all(|v4| samples.iter().filter(|sample| sample.address.unwrap().is_ipv4() == *v4).count() >= 2)
    });
    for sample in samples {
        // IPv4 believes an interface that it is told and asks for the target on the link; IPv6 has no way at all.
        let failure = if sample.address.unwrap().is_ipv4() { ProbeFailure::Timeout } else { ProbeFailure::NotSent };
        assert_eq!(sample.outcome, ProbeOutcome::Failed(failure), "{sample:?}");
    }
}

pub fn carrier() {
    let branch = Branch::new();
    let far_end = branch.isps[1].namespace.link("lan");
    far_end.down().unwrap();
    let samples = probe(&branch.router, vec![path(1, SERVICE_V4)], |samples| samples.len() >= 3);
    assert!(!samples.iter().any(answered), "{samples:?}");
    far_end.up().unwrap();
    probe(&branch.router, vec![path(1, SERVICE_V4)], |samples| {
        samples.iter().filter(|sample| answered(sample)).count() >= 3
    });
}

pub fn missing_interface() {
    let branch = Branch::new();
    let isp = Isp::new("late");
    let mut connected = false;
    let samples = probe(&branch.router, vec![path(2, SERVICE_V4)], |samples| {
        if samples.len() == 5 && !connected {
            connected = true;
            connect(&branch.router, "wan2", &isp.namespace, 2);
            add_defaults(&branch.router, "wan2", 2);
        }
        samples.last().is_some_and(answered)
    });
    assert!(samples.iter().take(5).all(|sample| sample.outcome == ProbeOutcome::Failed(ProbeFailure::NotSent)));
    isp.callers_once(|callers| !callers.is_empty());
}

pub fn rate() {
    let branch = Branch::new();
    let started = Instant::now();
    let seconds = Duration::from_secs(3);
    probe(&branch.router, vec![path(1, SERVICE_V4)], |_| started.elapsed() >= seconds);
    // One a second to one target, and three at once.
    let ceiling = started.elapsed().as_secs_f64() + 3.0;
    let arrived = branch.isps[1].callers().len();
    assert!(arrived as f64 <= ceiling, "{arrived} of {ceiling}");
    assert!(arrived as f64 >= ceiling / 3.0, "{arrived} of {ceiling}");
    for namespace in [&branch.router, &branch.isps[1].namespace] {
        assert_eq!(time_waits(namespace), 0, "in {}", namespace.name());
    }
}
