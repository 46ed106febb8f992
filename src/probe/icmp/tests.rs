//! What belongs to an echo, and echoes on loopback where they are permitted.

use std::{net::SocketAddr, time::Duration};

use proptest::prelude::*;

use super::*;
use crate::domain::{Check, ProbeFailure};

const TIMEOUT: Duration = Duration::from_secs(5);

/// None where this user may not ping.
async fn ping(interface: &str, address: &str, size: Option<u16>) -> Option<ProbeOutcome> {
    let address = SocketAddr::new(address.parse().unwrap(), 0);
    let attempt =
        Attempt { interface, source: None, address, check: &Check::Icmp, timeout: TIMEOUT, trust: None, ports: None };
    match probe(&attempt, size).await {
        Err(error) if error.raw_os_error() == Some(libc::EPERM) => None,
        outcome => Some(outcome.unwrap()),
    }
}

#[tokio::test]
async fn loopback_answers_in_both_families_and_in_every_size() {
    for address in ["127.0.0.1", "::1"] {
        for size in [None, Some(0), Some(1400), Some(9000)] {
            let Some(outcome) = ping("lo", address, size).await else { return };
            assert!(outcome.rtt().is_some_and(|rtt| rtt < TIMEOUT), "{address}, {size:?}: {outcome:?}");
        }
    }
}

#[tokio::test]
async fn what_the_interface_does_not_carry_unfragmented_is_a_matter_of_the_mtu() {
    let Some(outcome) = ping("lo", "127.0.0.1", Some(MOST_PAYLOAD)).await else { return };
    assert!(outcome.rtt().is_some() || outcome == ProbeOutcome::Failed(ProbeFailure::MtuHole), "{outcome:?}");
}

#[tokio::test]
async fn a_missing_interface_cannot_be_sent_through() {
    let Some(outcome) = ping("no-such-wan", "127.0.0.1", None).await else { return };
    assert_eq!(outcome, ProbeOutcome::Failed(ProbeFailure::NotSent));
}

fn reply(echo: &Echo) -> Vec<u8> {
    let mut reply = echo.request.clone();
    reply[0] = if echo.ipv4 { 0 } else { 129 };
    reply
}

#[test]
fn only_its_own_reply_answers_it() {
    for ipv4 in [true, false] {
        let echo = Echo::new(ipv4, 7, None);
        assert!(echo.is_answered_by(&reply(&echo)));
        assert!(!echo.is_answered_by(&echo.request), "our own request, looped back");
        let last = echo.request.len() - 1;
        for (what, at) in [("code", 1), ("identifier", 5), ("sequence", 7), ("token", 8), ("end of token", last)] {
            let mut forged = reply(&echo);
            forged[at] ^= 1;
            assert!(!echo.is_answered_by(&forged), "{what}");
        }
        assert!(!echo.is_answered_by(&reply(&echo)[..last]));
        assert!(!echo.is_answered_by(&reply(&Echo::new(!ipv4, 7, None))));
    }
}

#[test]
fn who_knows_the_random_numbers_of_before_does_not_know_its_token() {
    let made = [(); 2].map(|()| {
        fastrand::seed(7);
        Echo::new(true, 7, None).request
    });
    assert_ne!(made[0][HEADER..], made[1][HEADER..]);
}

#[test]
fn an_error_that_quotes_its_header_is_about_it() {
    let echo = Echo::new(true, 7, None);
    assert!(echo.is_quoted_by(&echo.request[..HEADER]));
    assert!(!echo.is_quoted_by(&echo.request[..HEADER - 1]));
    assert!(!echo.is_quoted_by(&reply(&echo)));
    let mut other = echo.request.clone();
    other[7] ^= 1;
    assert!(!echo.is_quoted_by(&other));
}

#[test]
fn it_has_the_size_that_was_asked_for_and_a_token_otherwise() {
    for (size, length) in [(None, HEADER + TOKEN), (Some(0), HEADER), (Some(3), HEADER + 3), (Some(1472), 1480)] {
        assert_eq!(Echo::new(true, 1, size).request.len(), length);
    }
    assert_eq!(Echo::new(true, 1, Some(u16::MAX)).request.len(), HEADER + usize::from(MOST_PAYLOAD));
    assert_ne!(Echo::new(true, 1, None).request, Echo::new(true, 1, None).request);
}

#[test]
fn the_checksum_is_that_of_rfc_1071() {
    // The example of its section 3, complemented.
    assert_eq!(checksum(&[0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7]), (!0xddf2_u16).to_be_bytes());
    for size in [0, 1, 56, 1472, MOST_PAYLOAD] {
        assert_eq!(checksum(&Echo::new(true, 1, Some(size)).request), [0, 0], "{size}");
    }
}

#[test]
fn the_ip_header_is_as_long_as_it_says() {
    let packet: Vec<u8> = [0x46].into_iter().chain(1..=24).collect();
    assert_eq!(after_ip_header(&packet), Some(&[24][..]));
    assert_eq!(after_ip_header(&packet[..20]), None);
    assert_eq!(after_ip_header(&[0x44; 40]), None);
    assert_eq!(after_ip_header(&[]), None);
}

proptest! {
    #[test]
    fn no_packet_upsets_it(packet in proptest::collection::vec(any::<u8>(), 0..80)) {
        let echo = Echo::new(true, 7, None);
        prop_assert!(!after_ip_header(&packet).is_some_and(|message| echo.is_answered_by(message)));
        echo.is_quoted_by(&packet);
    }
}
