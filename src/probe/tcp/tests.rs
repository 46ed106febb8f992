//! Outcomes on loopback, and the meaning of errors; ways through real interfaces are in `tests/probe.rs`.

use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener};

use super::*;
use crate::{domain::Check, probe::OwnPorts};

const PATIENCE: Duration = Duration::from_secs(5);

const CHECK: Check = Check::Tcp { refusal_answers: false };

fn attempt(interface: &str, source: Option<IpAddr>, address: SocketAddr) -> Attempt<'_> {
    Attempt { interface, source, address, check: &CHECK, timeout: PATIENCE, trust: None, ports: None }
}

fn run(source: Option<IpAddr>, interface: &str, target: SocketAddr) -> ProbeOutcome {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(probe(&attempt(interface, source, target))).unwrap()
}

fn failed(failure: ProbeFailure) -> ProbeOutcome {
    ProbeOutcome::Failed(failure)
}

fn unused_port() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

#[test]
fn a_listener_answers() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let outcome = run(None, "lo", listener.local_addr().unwrap());
    assert!(matches!(outcome, ProbeOutcome::Answered(rtt) if rtt < PATIENCE), "{outcome:?}");
}

#[test]
fn an_answer_in_time_counts_and_keeps_its_rtt_though_this_process_was_held_up() {
    let (timeout, stall) = (Duration::from_millis(100), Duration::from_millis(300));
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let target = listener.local_addr().unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let impatient = Attempt { timeout, ..attempt("lo", None, target) };
    let outcome = runtime.block_on(async {
        let held_up = async { std::thread::sleep(stall) };
        tokio::join!(biased; probe(&impatient), held_up).0.unwrap()
    });
    assert!(matches!(outcome, ProbeOutcome::Answered(rtt) if rtt < timeout), "{outcome:?}");
}

#[test]
fn the_source_address_is_the_one_asked_for() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let source = IpAddr::from([127, 0, 0, 9]);
    run(Some(source), "lo", listener.local_addr().unwrap());
    assert_eq!(listener.accept().unwrap().1.ip(), source);
}

#[test]
fn a_probe_leaves_no_time_wait_behind() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    run(None, "lo", listener.local_addr().unwrap());
    let (_, prober) = listener.accept().unwrap();
    // A connection in TIME_WAIT would still hold this address.
    TcpListener::bind(prober).unwrap();
}

#[test]
fn nobody_there_is_refused() {
    assert_eq!(run(None, "lo", unused_port()), failed(ProbeFailure::Refused));
}

#[test]
fn an_interface_that_does_not_exist_cannot_be_sent_through() {
    assert_eq!(run(None, "no-such-wan", unused_port()), failed(ProbeFailure::NotSent));
}

#[test]
fn an_interface_name_that_no_kernel_accepts_cannot_be_sent_through() {
    assert_eq!(run(None, "a-name-longer-than-any-interface", unused_port()), failed(ProbeFailure::NotSent));
}

#[test]
fn an_address_that_this_machine_does_not_have_cannot_be_sent_from() {
    let foreign = IpAddr::from([192, 0, 2, 77]);
    assert_eq!(run(Some(foreign), "lo", unused_port()), failed(ProbeFailure::NotSent));
}

#[test]
fn a_source_of_the_other_family_cannot_be_sent_from() {
    let source = IpAddr::from([0, 0, 0, 0, 0, 0, 0, 1]);
    assert_eq!(run(Some(source), "lo", unused_port()), failed(ProbeFailure::NotSent));
}

#[test]
fn an_ipv4_address_in_the_dress_of_ipv6_is_not_measured_by_ipv4() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let disguised = Ipv4Addr::LOCALHOST.to_ipv6_mapped();
    let target = SocketAddr::new(disguised.into(), listener.local_addr().unwrap().port());
    for source in [None, Some(disguised.into())] {
        assert_eq!(run(source, "lo", target), failed(ProbeFailure::NotSent));
    }
}

#[test]
fn errors_after_the_syn_mean_what_the_network_said() {
    let cases = [
        (libc::ECONNREFUSED, Some(ProbeFailure::Refused)),
        (libc::EHOSTUNREACH, Some(ProbeFailure::Unreachable)),
        (libc::ENETUNREACH, Some(ProbeFailure::Unreachable)),
        (libc::EACCES, Some(ProbeFailure::Unreachable)),
        (libc::EPROTO, Some(ProbeFailure::Unreachable)),
        (libc::ETIMEDOUT, Some(ProbeFailure::Timeout)),
        (libc::ECONNRESET, None),
        (libc::EPIPE, None),
    ];
    for (errno, meaning) in cases {
        assert_eq!(failure_of(&io::Error::from_raw_os_error(errno)), meaning, "errno {errno}");
    }
}

#[test]
fn errors_before_the_syn_are_the_paths_unless_this_machine_is_at_fault() {
    let target = SocketAddr::from((Ipv4Addr::LOCALHOST, 443));
    let attempt = attempt("wan0", None, target);
    let said = |errno| not_started(io::Error::from_raw_os_error(errno), &attempt, Instant::now());
    for errno in
        [libc::ENODEV, libc::EADDRNOTAVAIL, libc::ENETUNREACH, libc::EHOSTUNREACH, libc::EINVAL, libc::EACCES]
    {
        assert_eq!(said(errno).unwrap().0, ProbeFailure::NotSent, "errno {errno}");
    }
    for errno in [libc::EMFILE, libc::ENFILE, libc::ENOMEM, libc::ENOBUFS, libc::EPERM, libc::EADDRINUSE] {
        assert_eq!(said(errno).unwrap_err().raw_os_error(), Some(errno));
    }
}

#[test]
fn a_handshake_is_judged_by_the_kernels_figures() {
    let (fast, slow, timeout) = (Duration::from_millis(20), Duration::from_millis(900), Duration::from_millis(500));
    let info = |rtt, retransmissions| Some(tcp_info::TcpInfo { rtt, retransmissions });
    let cases = [
        ("the kernel's RTT, not the time that we took", info(Some(fast), 0), slow, Some(fast)),
        ("our clock when the kernel has no RTT", info(None, 0), fast, Some(fast)),
        ("our clock when there is no TCP_INFO", None, fast, Some(fast)),
        ("late by the kernel's RTT", info(Some(slow), 0), slow, None),
        ("a SYN sent again", info(Some(fast), 1), fast, None),
    ];
    for (what, info, elapsed, rtt) in cases {
        assert_eq!(rtt_of(info, elapsed, timeout), rtt, "{what}");
    }
}

#[test]
fn a_refusal_is_an_answer_only_where_it_is_said_to_be() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let check = Check::Tcp { refusal_answers: true };
    for address in ["127.0.0.1:0", "[::1]:0"] {
        let target = TcpListener::bind(address).unwrap().local_addr().unwrap();
        let lenient = Attempt { check: &check, ..attempt("lo", None, target) };
        let outcome = runtime.block_on(probe(&lenient)).unwrap();
        assert!(matches!(outcome, ProbeOutcome::Answered(rtt) if rtt < PATIENCE), "{outcome:?}");
        assert_eq!(runtime.block_on(probe(&attempt("lo", None, target))).unwrap(), failed(ProbeFailure::Refused));
    }
}

#[test]
fn the_local_port_is_noted() {
    let (listener, ports) = (TcpListener::bind("127.0.0.1:0").unwrap(), OwnPorts::default());
    let target = listener.local_addr().unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let noting = Attempt { ports: Some(&ports), ..attempt("lo", None, target) };
    runtime.block_on(probe(&noting)).unwrap();
    let (_, prober) = listener.accept().unwrap();
    assert!(ports.contains(prober.port()));
}
