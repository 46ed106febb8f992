//! What stands in the way of probes, and what must not pass for an answer, or for nothing at all.

use std::{
    io::{self, Read},
    net::{IpAddr, Ipv4Addr, SocketAddr},
    process::Command,
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::Duration,
};

use peerward::{
    domain::{Check, ProbeFailure, ProbeOutcome},
    probe::{Attempt, Measured},
};
use peerward_lab::Namespace;

use socket2::{Domain, Protocol, Socket, Type};

use crate::{
    prober::PATIENCE,
    scene::{Branch, CLOSED, SERVICE_V4, SERVICE_V6},
};

const TIMEOUT: Duration = Duration::from_millis(500);

fn run(namespace: &Namespace, command: &str, arguments: &str) {
    let output = namespace.run(|| Command::new(command).args(arguments.split_whitespace()).output());
    let output = output.unwrap_or_else(|error| panic!("{command} ({error}) is needed: install it as .ci/run does"));
    assert!(output.status.success(), "{command} {arguments}: {}", String::from_utf8_lossy(&output.stderr));
}

fn probe(router: &Namespace, check: &Check, address: SocketAddr) -> io::Result<Measured> {
    probe_within(router, check, address, TIMEOUT)
}

fn probe_within(router: &Namespace, check: &Check, address: SocketAddr, timeout: Duration) -> io::Result<Measured> {
    let attempt = Attempt { interface: "wan1", source: None, address, check, timeout, trust: None, ports: None };
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
        let address = SocketAddr::new(target.ip(), 0);
        let measured = probe_within(&branch.router, &Check::Icmp, address, PATIENCE).unwrap();
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
            // Unreachable where the kernel has forgotten its neighbour meanwhile.
            let lost = [ProbeFailure::NotSent, ProbeFailure::Timeout, ProbeFailure::Unreachable];
            let is_lost =
                lost.map(ProbeOutcome::Failed).iter().any(|lost| outcome.as_ref().is_ok_and(|of| of == lost));
            assert!(is_lost, "{check:?} to {target}: {outcome:?}");
        }
    }
}

/// A raw socket of `namespace`, that sends from `source` where one is given.
fn raw(namespace: &Namespace, protocol: Protocol, source: Option<Ipv4Addr>) -> Socket {
    namespace.run(|| {
        let socket = Socket::new(Domain::IPV4, Type::RAW, Some(protocol)).unwrap();
        socket.set_read_timeout(Some(Duration::from_millis(100))).unwrap();
        if let Some(source) = source {
            socket.bind(&SocketAddr::from((source, 0)).into()).unwrap();
        }
        socket
    })
}

/// Sends what `reply` makes of packets from the network, each taken apart into sender, header of IP and the rest, until the
/// probe is over.
fn answering(
    heard: &Socket,
    from: &Socket,
    reply: impl Fn(&[u8], &[u8]) -> Option<Vec<u8>> + Send + Sync,
    probe: impl FnOnce() -> ProbeOutcome,
) -> ProbeOutcome {
    let over = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            while !over.load(Ordering::Relaxed) {
                let mut packet = vec![0; 2048];
                let Ok(length) = (&*heard).read(&mut packet) else { continue };
                let (header, message) = packet[..length].split_at(20);
                let Some(mut answer) = reply(header, message) else { continue };
                let sum = checksum(&answer);
                answer[2..4].copy_from_slice(&sum);
                // Not within the call that sends what is answered: the kernel would lose it on the socket's own lock.
                thread::sleep(Duration::from_millis(20));
                let sender: [u8; 4] = header[12..16].try_into().unwrap();
                from.send_to(&answer, &SocketAddr::from((sender, 0)).into()).unwrap();
            }
        });
        let outcome = probe();
        over.store(true, Ordering::Relaxed);
        outcome
    })
}

/// RFC 1071, over a message whose own field is zero.
fn checksum(message: &[u8]) -> [u8; 2] {
    let words = message.chunks(2).map(|pair| u32::from(pair[0]) << 8 | pair.get(1).map_or(0, |low| u32::from(*low)));
    let sum = words.fold(0_u32, |sum, word| (sum + word) % 0xffff);
    (!u16::try_from(sum).unwrap()).to_be_bytes()
}

/// A reply with the right token that another host sends.
pub fn answer_of_another() {
    let branch = Branch::new();
    let isp = &branch.isps[1].namespace;
    isp.sysctl("net/ipv4/icmp_echo_ignore_all", "1").unwrap();
    let target: SocketAddr = SERVICE_V4.parse().unwrap();
    let [own, another] = [Ipv4Addr::new(203, 0, 113, 1), Ipv4Addr::new(203, 0, 113, 2)];
    isp.link("lo").add_address(IpAddr::from(another).into()).unwrap();
    let heard = raw(isp, Protocol::ICMPV4, None);
    let echo = |_: &[u8], message: &[u8]| (message[0] == 8).then(|| [&[0; 4], &message[4..]].concat());
    for range in ["0 4294967294", "0 2147483647", "1 0"] {
        if branch.router.sysctl("net/ipv4/ping_group_range", range).is_err() {
            continue;
        }
        for (source, counts) in [(own, true), (another, false)] {
            let from = raw(isp, Protocol::ICMPV4, Some(source));
            let probe = || probe(&branch.router, &Check::Icmp, SocketAddr::new(target.ip(), 0)).unwrap().outcome;
            let outcome = answering(&heard, &from, echo, probe);
            assert_eq!(outcome.rtt().is_some(), counts, "from {source}, ping sockets for {range}: {outcome:?}");
        }
    }
}

/// A firewall that refuses in the target's stead, as `REJECT` does by default.
pub fn refused_on_the_way() {
    let branch = Branch::new();
    let isp = &branch.isps[1].namespace;
    run(isp, "nft", "add table ip quiet { chain out { type filter hook output priority 0; tcp flags rst drop; }; }");
    let (heard, from) = (raw(isp, Protocol::TCP, None), raw(isp, Protocol::ICMPV4, None));
    let port_unreachable = |header: &[u8], message: &[u8]| {
        (message[2..4] == 444_u16.to_be_bytes()).then(|| [&[3, 3, 0, 0, 0, 0, 0, 0], header, &message[..8]].concat())
    };
    for refusal_answers in [false, true] {
        let probe =
            || probe(&branch.router, &Check::Tcp { refusal_answers }, CLOSED.parse().unwrap()).unwrap().outcome;
        let outcome = answering(&heard, &from, port_unreachable, probe);
        assert_eq!(outcome, ProbeOutcome::Failed(ProbeFailure::Refused), "refusal_answers = {refusal_answers}");
    }
}

/// A refusal of the second SYN tells nothing of how long the first was under way.
pub fn refused_late() {
    let branch = Branch::new();
    let isp = &branch.isps[1].namespace;
    let check = Check::Tcp { refusal_answers: true };
    let ask = |timeout| probe_within(&branch.router, &check, CLOSED.parse().unwrap(), timeout).unwrap().outcome;
    assert!(ask(TIMEOUT).rtt().is_some(), "refused at once");
    run(isp, "nft", "add table ip lossy { chain in { type filter hook input priority 0; tcp dport 444 drop; }; }");
    let outcome = thread::scope(|scope| {
        scope.spawn(|| {
            thread::sleep(Duration::from_millis(300));
            run(isp, "nft", "delete table ip lossy");
        });
        ask(Duration::from_secs(5))
    });
    assert_eq!(outcome, ProbeOutcome::Failed(ProbeFailure::Refused));
}
