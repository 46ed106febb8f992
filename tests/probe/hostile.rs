//! What stands in the way of probes, and what must not pass for an answer, or for nothing at all.

use std::{io, net::SocketAddr, process::Command, time::Duration};

use peerward::{
    domain::{Check, ProbeFailure, ProbeOutcome},
    probe::{Attempt, Measured},
};
use peerward_lab::Namespace;

use crate::scene::{Branch, SERVICE_V4, SERVICE_V6};

const TIMEOUT: Duration = Duration::from_millis(500);

fn run(namespace: &Namespace, command: &str, arguments: &str) {
    let output = namespace.run(|| Command::new(command).args(arguments.split_whitespace()).output());
    let output = output.unwrap_or_else(|error| panic!("{command} ({error}) is needed: install it as .ci/run does"));
    assert!(output.status.success(), "{command} {arguments}: {}", String::from_utf8_lossy(&output.stderr));
}

fn probe(router: &Namespace, check: &Check, address: SocketAddr) -> io::Result<Measured> {
    let attempt =
        Attempt { interface: "wan1", source: None, address, check, timeout: TIMEOUT, trust: None, ports: None };
    router.run(|| {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(attempt.carry_out())
    })
}

/// A modem that takes nothing more, or a shaper with a full queue: what users send meets the same.
pub fn full_queue() {
    let branch = Branch::new();
    let targets: [SocketAddr; 2] = [SERVICE_V4, SERVICE_V6].map(|target| target.parse().unwrap());
    for target in targets {
        let measured = probe(&branch.router, &Check::Icmp, SocketAddr::new(target.ip(), 0)).unwrap();
        assert!(measured.outcome.rtt().is_some(), "{target}: {measured:?}");
    }
    // Drops where a queue does, and says so in the same way (kernel 5.16).
    let full =
        "add table netdev full { chain out { type filter hook egress device wan1 priority 0; policy drop; }; }";
    run(&branch.router, "nft", full);
    for target in targets {
        for (check, port) in [(Check::Icmp, 0), (Check::Stun, 3478), (Check::Tcp { refusal_answers: false }, 443)] {
            let measured = probe(&branch.router, &check, SocketAddr::new(target.ip(), port));
            let outcome = measured.map(|measured| measured.outcome);
            assert!(
                matches!(outcome, Ok(ProbeOutcome::Failed(ProbeFailure::NotSent | ProbeFailure::Timeout))),
                "{check:?} to {target}: {outcome:?}"
            );
        }
    }
}
