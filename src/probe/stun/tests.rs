//! Messages, and servers on loopback that keep to the RFC and that do not.

use std::{net::UdpSocket, thread, time::Duration};

use proptest::prelude::*;

use super::*;
use crate::domain::{Check, ProbeFailure};

const ID: TransactionId = *b"twelve bytes";
const TIMEOUT: Duration = Duration::from_millis(400);

fn message(kind: u16, id: &TransactionId, attributes: &[(u16, &[u8])]) -> Vec<u8> {
    let mut body = Vec::new();
    for (kind, value) in attributes {
        body.extend(kind.to_be_bytes());
        body.extend(u16::try_from(value.len()).unwrap().to_be_bytes());
        body.extend(*value);
        body.resize(body.len().next_multiple_of(4), 0);
    }
    let mut message = kind.to_be_bytes().to_vec();
    message.extend(u16::try_from(body.len()).unwrap().to_be_bytes());
    message.extend(COOKIE);
    message.extend(id);
    message.extend(body);
    message
}

/// 192.0.2.1:32853 as in the sample response of RFC 5769 section 2.2.
const SAMPLE: [u8; 8] = [0, 1, 0xa1, 0x47, 0xe1, 0x12, 0xa6, 0x43];

fn success(id: &TransactionId) -> Vec<u8> {
    message(BINDING_SUCCESS, id, &[(0x8022, b"server"), (XOR_MAPPED_ADDRESS, &SAMPLE)])
}

#[test]
fn the_sample_address_of_rfc_5769_is_read() {
    assert_eq!(mapped(&SAMPLE, Some(&ID)), Some("192.0.2.1:32853".parse().unwrap()));
    let id = [0xb7, 0xe7, 0xa7, 0x01, 0xbc, 0x34, 0xd6, 0x86, 0xfa, 0x87, 0xdf, 0xae];
    let ipv6 = [
        0x00, 0x02, 0xa1, 0x47, 0x01, 0x13, 0xa9, 0xfa, 0xa5, 0xd3, 0xf1, 0x79, 0xbc, 0x25, 0xf4, 0xb5, 0xbe, 0xd2,
        0xb9, 0xd9,
    ];
    let address = "[2001:db8:1234:5678:11:2233:4455:6677]:32853".parse().unwrap();
    assert_eq!(mapped(&ipv6, Some(&id)), Some(address));
}

#[test]
fn what_a_server_says_to_this_request_is_an_answer() {
    let plain = [0, 1, 0x12, 0x34, 192, 0, 2, 1];
    for (what, message) in [
        ("success", success(&ID)),
        ("the number before RFC 5389", message(BINDING_SUCCESS, &ID, &[(OLD_XOR_MAPPED_ADDRESS, &SAMPLE)])),
        ("an address without disguise", message(BINDING_SUCCESS, &ID, &[(MAPPED_ADDRESS, &plain)])),
        ("an error", message(BINDING_ERROR, &ID, &[(ERROR_CODE, &[0, 0, 4, 1])])),
    ] {
        assert!(is_answer(&message, &ID), "{what}");
    }
}

#[test]
fn everything_else_is_none() {
    let mut other_cookie = success(&ID);
    other_cookie[4] ^= 1;
    let mut odd = success(&ID);
    odd.push(0);
    let mut overlong = message(BINDING_SUCCESS, &ID, &[(XOR_MAPPED_ADDRESS, &SAMPLE)]);
    overlong[23] = 200;
    for (what, message) in [
        ("nothing", Vec::new()),
        ("our own request, reflected", request(&ID).to_vec()),
        ("another transaction", success(b"another one.")),
        ("another cookie", other_cookie),
        ("more than its length says", odd),
        ("an attribute beyond the end", overlong),
        ("success without an address", message(BINDING_SUCCESS, &ID, &[(0x8022, b"server")])),
        (
            "an address of no family",
            message(BINDING_SUCCESS, &ID, &[(XOR_MAPPED_ADDRESS, &[0, 3, 1, 1, 1, 1, 1, 1])]),
        ),
        ("a short address", message(BINDING_SUCCESS, &ID, &[(XOR_MAPPED_ADDRESS, &SAMPLE[..6])])),
        ("nowhere", message(BINDING_SUCCESS, &ID, &[(MAPPED_ADDRESS, &[0, 1, 0, 9, 0, 0, 0, 0])])),
        ("an error without a code", message(BINDING_ERROR, &ID, &[])),
        ("an indication", message(0x0011, &ID, &[(XOR_MAPPED_ADDRESS, &SAMPLE)])),
        ("a DNS answer", b"\x12\x34\x81\x80\x00\x01\x00\x00\x00\x00\x00\x00".to_vec()),
    ] {
        assert!(!is_answer(&message, &ID), "{what}");
    }
}

proptest! {
    #[test]
    fn no_datagram_upsets_it(kind: u16, body in proptest::collection::vec(any::<u8>(), 0..200), cut in 0_usize..220) {
        let mut datagram = message(kind, &ID, &[]);
        datagram.extend(&body);
        datagram[2..4].copy_from_slice(&u16::try_from(body.len()).unwrap().to_be_bytes());
        is_answer(&datagram, &ID);
        datagram.truncate(cut);
        is_answer(&datagram, &ID);
    }
}

/// A server that sends back whatever `replies` makes of the transaction.
fn serve(replies: impl Fn(&TransactionId) -> Vec<Vec<u8>> + Send + 'static) -> SocketAddr {
    let server = UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = server.local_addr().unwrap();
    thread::spawn(move || {
        let mut buffer = [0; 64];
        while let Ok((length, client)) = server.recv_from(&mut buffer) {
            assert_eq!((length, &buffer[..8]), (HEADER, &[0, 1, 0, 0, 0x21, 0x12, 0xa4, 0x42][..]));
            for reply in replies(buffer[8..HEADER].try_into().unwrap()) {
                server.send_to(&reply, client).unwrap();
            }
        }
    });
    address
}

async fn ask(interface: &str, address: SocketAddr) -> ProbeOutcome {
    let attempt =
        Attempt { interface, source: None, address, check: &Check::Stun, timeout: TIMEOUT, trust: None, ports: None };
    probe(&attempt).await.unwrap()
}

#[tokio::test]
async fn a_server_answers() {
    let ProbeOutcome::Answered(rtt) = ask("lo", serve(|id| vec![success(id)])).await else { panic!("no answer") };
    assert!(rtt < TIMEOUT);
}

#[tokio::test]
async fn noise_before_the_answer_does_not_hide_it() {
    let server = serve(|id| vec![b"noise".to_vec(), success(&ID), success(id)]);
    assert!(ask("lo", server).await.rtt().is_some());
}

#[tokio::test]
async fn noise_alone_is_unexpected() {
    let server = serve(|_| vec![b"I speak no STUN".to_vec()]);
    assert_eq!(ask("lo", server).await, ProbeOutcome::Failed(ProbeFailure::Unexpected));
}

#[tokio::test]
async fn silence_is_a_timeout() {
    assert_eq!(ask("lo", serve(|_| vec![])).await, ProbeOutcome::Failed(ProbeFailure::Timeout));
}

#[tokio::test]
async fn a_closed_port_refuses() {
    let closed = UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    assert_eq!(ask("lo", closed).await, ProbeOutcome::Failed(ProbeFailure::Refused));
}

#[tokio::test]
async fn a_missing_interface_cannot_be_sent_through() {
    let server = serve(|id| vec![success(id)]);
    assert_eq!(ask("no-such-wan", server).await, ProbeOutcome::Failed(ProbeFailure::NotSent));
}

#[tokio::test]
async fn an_answer_in_time_counts_with_its_own_rtt_though_this_process_was_held_up() {
    // On a busy machine the server itself may be too late, and that is a loss.
    for _ in 0..10 {
        let server = serve(|id| vec![success(id)]);
        let held_up = async { thread::sleep(TIMEOUT * 2) };
        if let ProbeOutcome::Answered(rtt) = tokio::join!(biased; ask("lo", server), held_up).0 {
            assert!(rtt < TIMEOUT, "{rtt:?}");
            return;
        }
    }
    panic!("lost");
}
