//! The edge answers as Microsoft's front doors do, on every address and in both families.

#![allow(clippy::indexing_slicing, reason = "a short answer is a failed test")]

use std::{
    io,
    net::{IpAddr, SocketAddr, UdpSocket},
    time::Duration,
};

use libtest_mimic::{Arguments, Failed, Trial};
use peerward_lab::{Branch, LabError, MICROSOFT_IPV4, MICROSOFT_IPV6, Namespace};

mod client;

use client::{TIMEOUT, Trust, http_status, https_status, tls};

const FAMILIES: [IpAddr; 2] = [MICROSOFT_IPV4, MICROSOFT_IPV6];

fn main() -> Result<std::process::ExitCode, LabError> {
    peerward_lab::enter()?;
    let trials = vec![
        Trial::test("tls_proves_whatever_name_is_asked_for_to_who_trusts_the_lab", proves_names),
        Trial::test("without_a_name_it_proves_the_address", proves_addresses),
        Trial::test("it_speaks_both_versions_of_tls", both_versions),
        Trial::test("http_answers_with_the_status_that_the_path_asks_for", statuses),
        Trial::test("a_certificate_takes_more_than_one_packet", certificate_size),
        Trial::test("stun_tells_where_a_request_came_from", stun),
        Trial::test("name_servers_on_every_address_know_what_tests_tell_them", names),
    ];
    Ok(libtest_mimic::run(&Arguments::from_args(), trials).exit_code())
}

fn proves_names() -> Result<(), Failed> {
    let branch = Branch::builder().build()?;
    for address in FAMILIES {
        for name in ["outlook.office365.com", "contoso.sharepoint.com", "any.name.example"] {
            let status = https_status(branch.client(), address, name, "/", Trust::Lab)?;
            assert_eq!(status, 200, "{name}");
        }
        assert!(tls(branch.client(), address, "teams.microsoft.com", Trust::Stranger).is_err());
    }
    Ok(())
}

fn proves_addresses() -> Result<(), Failed> {
    let branch = Branch::builder().build()?;
    for address in FAMILIES {
        tls(branch.client(), address, &address.to_string(), Trust::Lab)?;
    }
    Ok(())
}

fn both_versions() -> Result<(), Failed> {
    let branch = Branch::builder().build()?;
    for version in [&rustls::version::TLS12, &rustls::version::TLS13] {
        let met = client::tls_version(branch.client(), MICROSOFT_IPV4, version)?;
        assert_eq!(met, Some(version.version));
    }
    Ok(())
}

fn statuses() -> Result<(), Failed> {
    let branch = Branch::builder().build()?;
    for address in FAMILIES {
        for (path, status) in [("/", 200), ("/owa/", 200), ("/status/503", 503), ("/status/204", 204)] {
            assert_eq!(http_status(branch.client(), address, path)?, status, "{path}");
            assert_eq!(https_status(branch.client(), address, "outlook.office365.com", path, Trust::Lab)?, status);
        }
    }
    Ok(())
}

fn certificate_size() -> Result<(), Failed> {
    let branch = Branch::builder().build()?;
    let received = |branch: &Branch| client::handshake_bytes(branch.client(), MICROSOFT_IPV4);
    let large = received(&branch)?;
    assert!((3500..6000).contains(&large), "{large}");
    branch.edge().certificate_bytes(600);
    let small = received(&branch)?;
    assert!(small < 1400, "{small}");
    Ok(())
}

fn ask(from: &Namespace, to: SocketAddr, question: &[u8]) -> io::Result<(Vec<u8>, SocketAddr)> {
    from.run(|| {
        let any: IpAddr = if to.is_ipv4() { [0, 0, 0, 0].into() } else { [0u16; 8].into() };
        let socket = UdpSocket::bind((any, 0))?;
        socket.set_read_timeout(Some(TIMEOUT))?;
        socket.connect(to)?;
        socket.send(question)?;
        let mut answer = vec![0; 1500];
        let length = socket.recv(&mut answer)?;
        answer.truncate(length);
        Ok((answer, socket.local_addr()?))
    })
}

fn stun() -> Result<(), Failed> {
    let branch = Branch::builder().build()?;
    let mut request = vec![0, 1, 0, 0, 0x21, 0x12, 0xa4, 0x42];
    request.extend(1..=12);
    for address in FAMILIES {
        let (answer, local) = ask(branch.client(), (address, 3478).into(), &request)?;
        assert_eq!(answer[..2], [1, 1]);
        assert_eq!(answer[4..20], request[4..20]);
        let port = u16::from_be_bytes([answer[26] ^ 0x21, answer[27] ^ 0x12]);
        assert_eq!(port, local.port());
    }
    Ok(())
}

fn names() -> Result<(), Failed> {
    let branch = Branch::builder().build()?;
    let moved: IpAddr = "13.107.18.10".parse()?;
    branch.edge().name("outlook.office365.com", [moved, MICROSOFT_IPV6]);
    branch.edge().name_ttl(Duration::from_secs(5));
    let query = |name: &str, kind: u8| {
        let mut query = vec![7, 7, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0];
        for label in name.split('.') {
            query.push(u8::try_from(label.len()).unwrap_or_default());
            query.extend(label.as_bytes());
        }
        query.extend([0, 0, kind, 0, 1]);
        query
    };
    for server in ["9.9.9.9", "2620:fe::9"] {
        let server: IpAddr = server.parse()?;
        let (answer, _) = ask(branch.client(), (server, 53).into(), &query("outlook.office365.com", 1))?;
        assert_eq!(answer[answer.len() - 10..], [0, 0, 0, 5, 0, 4, 13, 107, 18, 10]);
        let (answer, _) = ask(branch.router(), (server, 53).into(), &query("outlook.office365.com", 28))?;
        assert_eq!(answer[answer.len() - 2..], [1, 0x52]);
        let (answer, _) = ask(branch.client(), (server, 53).into(), &query("unknown.example", 1))?;
        assert_eq!(answer[3] & 15, 3);
    }
    assert_eq!(branch.edge().name_queries("outlook.office365.com"), 4);
    Ok(())
}
