//! What ISPs do to their customers, one knob each, without an agent.

use std::{
    io::{self, Read, Write},
    net::{IpAddr, TcpStream, UdpSocket},
    time::Duration,
};

use libtest_mimic::{Arguments, Failed, Trial};
use peerward_lab::{
    Branch, Capture, ClientFlow, ECHO_PORT, HTTP_PORT, LabError, MICROSOFT_IPV4, MICROSOFT_IPV6, Packet, Portal,
    TCP_PORT,
};

mod client;

use client::{TIMEOUT, Trust, http_status, https_status, tls};

const FAMILIES: [IpAddr; 2] = [MICROSOFT_IPV4, MICROSOFT_IPV6];
const NAME: &str = "outlook.office365.com";
/// The main table leads there.
const ISP: usize = 1;

fn main() -> Result<std::process::ExitCode, LabError> {
    peerward_lab::enter()?;
    let trials = vec![
        Trial::test("a_captive_portal_accepts_everything_and_proves_nothing", captive),
        Trial::test("a_transparent_proxy_serves_everything_by_its_own_authority", proxy),
        Trial::test("a_silent_portal_accepts_and_never_says_a_word", silent),
        Trial::test("a_portal_is_gone_as_soon_as_it_is_taken_away_and_was_on_one_isp_alone", gone),
        Trial::test("a_hole_swallows_large_packets_alone_in_both_directions", mtu_hole),
        Trial::test("answers_can_come_back_by_another_isp", return_by_another),
        Trial::test("a_capture_tells_who_said_what_in_which_direction", captured),
    ];
    Ok(libtest_mimic::run(&Arguments::from_args(), trials).exit_code())
}

/// Whether UDP gets through and back.
fn udp_answers(branch: &Branch, to: IpAddr, bytes: usize) -> io::Result<bool> {
    branch.client().run(|| {
        let any: IpAddr = if to.is_ipv4() { [0, 0, 0, 0].into() } else { [0u16; 8].into() };
        let socket = UdpSocket::bind((any, 0))?;
        socket.set_read_timeout(Some(TIMEOUT / 4))?;
        socket.send_to(&vec![7; bytes], (to, ECHO_PORT))?;
        Ok(socket.recv(&mut [0; 2048]).is_ok())
    })
}

fn captive() -> Result<(), Failed> {
    let branch = Branch::builder().build()?;
    branch.fabric().isp(ISP).portal(Some(Portal::Tcp));
    for address in FAMILIES {
        assert_eq!(http_status(branch.client(), address, "/")?, 302);
        let refused = tls(branch.client(), address, NAME, Trust::Lab).err().map(|error| error.to_string());
        assert!(refused.as_ref().is_some_and(|reason| reason.contains("UnknownIssuer")), "{refused:?}");
        assert!(!udp_answers(&branch, address, 8)?);
    }
    Ok(())
}

fn proxy() -> Result<(), Failed> {
    let branch = Branch::builder().build()?;
    branch.fabric().isp(ISP).portal(Some(Portal::Proxy));
    for address in FAMILIES {
        assert_eq!(http_status(branch.client(), address, "/")?, 200);
        let refused = tls(branch.client(), address, NAME, Trust::Lab).err().map(|error| error.to_string());
        assert!(refused.as_ref().is_some_and(|reason| reason.contains("UnknownIssuer")), "{refused:?}");
        assert!(udp_answers(&branch, address, 8)?);
    }
    Ok(())
}

fn silent() -> Result<(), Failed> {
    let branch = Branch::builder().build()?;
    branch.fabric().isp(ISP).portal(Some(Portal::Silent));
    for address in FAMILIES {
        for port in [TCP_PORT, HTTP_PORT] {
            branch.client().run(|| -> io::Result<()> {
                let mut stream = TcpStream::connect_timeout(&(address, port).into(), TIMEOUT)?;
                stream.set_read_timeout(Some(TIMEOUT / 8))?;
                stream.write_all(&[0x16, 3, 1, 0, 5, 1, 0, 0, 1, 0])?;
                let heard = stream.read(&mut [0; 8]);
                assert!(heard.is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock));
                Ok(())
            })?;
        }
        assert!(udp_answers(&branch, address, 8)?);
    }
    Ok(())
}

fn gone() -> Result<(), Failed> {
    let branch = Branch::builder().build()?;
    branch.fabric().isp(0).portal(Some(Portal::Tcp));
    assert_eq!(https_status(branch.client(), MICROSOFT_IPV4, NAME, "/", Trust::Lab)?, 200);
    branch.fabric().isp(ISP).portal(Some(Portal::Tcp));
    assert!(tls(branch.client(), MICROSOFT_IPV4, NAME, Trust::Lab).is_err());
    branch.fabric().isp(ISP).portal(None);
    assert_eq!(https_status(branch.client(), MICROSOFT_IPV4, NAME, "/", Trust::Lab)?, 200);
    Ok(())
}

fn mtu_hole() -> Result<(), Failed> {
    let branch = Branch::builder().build()?;
    for address in FAMILIES {
        branch.fabric().isp(ISP).mtu(None);
        assert!(udp_answers(&branch, address, 1400)?);
        assert!(tls(branch.client(), address, NAME, Trust::Lab).is_ok());
        branch.fabric().isp(ISP).mtu(Some(1400));
        assert!(!udp_answers(&branch, address, 1400)?);
        assert!(udp_answers(&branch, address, 1200)?);
        let error = tls(branch.client(), address, NAME, Trust::Lab).err().map(|error| error.kind());
        assert_eq!(error, Some(io::ErrorKind::WouldBlock), "connected, and nothing large comes back");
        branch.edge().certificate_bytes(600);
        assert!(tls(branch.client(), address, NAME, Trust::Lab).is_ok(), "a small certificate fits through");
        branch.edge().certificate_bytes(4000);
    }
    Ok(())
}

fn return_by_another() -> Result<(), Failed> {
    let branch = Branch::builder().build()?;
    branch.fabric().isp(ISP).return_by(Some(0));
    let captures = [0, 1].map(|isp| Capture::start(&branch.uplink(isp)));
    let [first, second] = captures;
    let (first, second) = (first?, second?);
    for address in FAMILIES {
        assert!(udp_answers(&branch, address, 8)?, "{address}: the client is reached through either");
        // The router's own address on the uplink is reached through the other ISP too.
        branch.router().run(|| TcpStream::connect_timeout(&(address, TCP_PORT).into(), TIMEOUT))?;
        let about = |packet: &Packet| packet.source.ip() == address || packet.destination.ip() == address;
        first.wait(TIMEOUT, |packets| packets.iter().any(|packet| about(packet) && !packet.outgoing))?;
        assert_eq!(first.count(|packet| about(packet) && packet.outgoing), 0);
        assert_eq!(second.count(|packet| about(packet) && !packet.outgoing), 0);
        assert!(second.count(|packet| about(packet) && packet.outgoing) >= 3);
    }
    Ok(())
}

fn captured() -> Result<(), Failed> {
    const TCP: u8 = 6;
    const UDP: u8 = 17;
    let branch = Branch::builder().build()?;
    let capture = Capture::start(&branch.uplink(ISP))?;
    for address in FAMILIES {
        branch.client().run(|| TcpStream::connect_timeout(&(address, TCP_PORT).into(), TIMEOUT))?;
        let to = (address, TCP_PORT).into();
        let packets = capture.wait(TIMEOUT, |packets| {
            packets.iter().any(|packet| packet.destination == to && packet.is_syn())
                && packets.iter().any(|packet| packet.source == to && packet.is_syn_ack())
        })?;
        let syn = packets.iter().find(|packet| packet.is_syn() && packet.destination == to).ok_or("no SYN")?;
        let answer = packets.iter().find(|packet| packet.is_syn_ack() && packet.source == to).ok_or("no answer")?;
        assert!(syn.outgoing && !answer.outgoing && syn.protocol == TCP);
        assert_eq!(syn.source, answer.destination);
        let took = answer.at - syn.at;
        assert!((Duration::from_millis(8)..TIMEOUT).contains(&took), "{took:?} on a path of 8 ms");
        assert_eq!(syn.bytes, if address.is_ipv4() { 60 } else { 80 }, "without Ethernet");
    }
    let flow = ClientFlow::udp(branch.client(), MICROSOFT_IPV4, Duration::from_millis(2))?;
    capture.wait(TIMEOUT, |packets| packets.iter().filter(|packet| packet.protocol == UDP).count() > 20)?;
    drop(flow);
    capture.clear();
    assert_eq!(capture.count(|packet| packet.protocol == TCP && packet.is_syn()), 0);
    Ok(())
}
