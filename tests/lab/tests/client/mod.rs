//! A plain client of TLS and HTTP, in a namespace.

#![allow(dead_code, reason = "each test program uses its part")]

use std::{
    io::{self, Read, Write},
    net::{IpAddr, TcpStream},
    sync::Arc,
    time::Duration,
};

use peerward_lab::{HTTP_PORT, Namespace, TCP_PORT, lab_ca_pem};
use rustls::{
    ClientConfig, ClientConnection, ProtocolVersion, RootCertStore, StreamOwned, SupportedProtocolVersion,
    pki_types::{CertificateDer, ServerName, pem::PemObject},
};

/// Long enough for a busy machine, short enough for tests that wait for its end.
pub const TIMEOUT: Duration = Duration::from_secs(2);

/// Whom the client trusts.
#[derive(Debug, Clone, Copy)]
pub enum Trust {
    /// The lab's authority.
    Lab,
    /// Nobody who is here.
    Stranger,
}

type Tls = StreamOwned<ClientConnection, TcpStream>;

/// A finished handshake.
pub fn tls(from: &Namespace, to: IpAddr, name: &str, trust: Trust) -> io::Result<Tls> {
    shake(from, to, name, trust, rustls::ALL_VERSIONS)
}

/// The version that both sides agree on.
pub fn tls_version(
    from: &Namespace,
    to: IpAddr,
    version: &'static SupportedProtocolVersion,
) -> io::Result<Option<ProtocolVersion>> {
    shake(from, to, "outlook.office365.com", Trust::Lab, &[version]).map(|stream| stream.conn.protocol_version())
}

/// Bytes that the server sends before the client's second word.
pub fn handshake_bytes(from: &Namespace, to: IpAddr) -> io::Result<usize> {
    let mut hello = Vec::new();
    let mut client = connection("outlook.office365.com", Trust::Lab, rustls::ALL_VERSIONS)?;
    client.write_tls(&mut hello)?;
    from.run(|| {
        let mut stream = connect(to, TCP_PORT)?;
        stream.write_all(&hello)?;
        stream.set_read_timeout(Some(TIMEOUT / 4))?;
        let (mut all, mut buffer) = (0, [0; 4096]);
        loop {
            match stream.read(&mut buffer) {
                Ok(0) => return Ok(all),
                Ok(more) => all += more,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(all),
                Err(error) => return Err(error),
            }
        }
    })
}

pub fn https_status(from: &Namespace, to: IpAddr, name: &str, path: &str, trust: Trust) -> io::Result<u16> {
    get(&mut tls(from, to, name, trust)?, path)
}

pub fn http_status(from: &Namespace, to: IpAddr, path: &str) -> io::Result<u16> {
    get(&mut from.run(|| connect(to, HTTP_PORT))?, path)
}

fn get(stream: &mut (impl Read + Write), path: &str) -> io::Result<u16> {
    write!(stream, "GET {path} HTTP/1.1\r\nHost: lab\r\nConnection: close\r\n\r\n")?;
    let mut line = [0; 12];
    stream.read_exact(&mut line)?;
    let text = String::from_utf8_lossy(&line);
    text.strip_prefix("HTTP/1.1 ")
        .and_then(|code| code.parse().ok())
        .ok_or_else(|| io::Error::other(text.into_owned()))
}

fn shake(
    from: &Namespace,
    to: IpAddr,
    name: &str,
    trust: Trust,
    versions: &[&'static SupportedProtocolVersion],
) -> io::Result<Tls> {
    let client = connection(name, trust, versions)?;
    let mut stream = StreamOwned::new(client, from.run(|| connect(to, TCP_PORT))?);
    while stream.conn.is_handshaking() {
        stream.conn.complete_io(&mut stream.sock)?;
    }
    Ok(stream)
}

fn connection(
    name: &str,
    trust: Trust,
    versions: &[&'static SupportedProtocolVersion],
) -> io::Result<ClientConnection> {
    let mut roots = RootCertStore::empty();
    if let Trust::Lab = trust {
        let pem = lab_ca_pem().map_err(io::Error::other)?;
        roots
            .add(CertificateDer::from_pem_slice(pem.as_bytes()).map_err(io::Error::other)?)
            .map_err(io::Error::other)?;
    }
    let config = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_protocol_versions(versions)
        .map_err(io::Error::other)?
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name = ServerName::try_from(name.to_owned()).map_err(io::Error::other)?;
    ClientConnection::new(Arc::new(config), name).map_err(io::Error::other)
}

fn connect(to: IpAddr, port: u16) -> io::Result<TcpStream> {
    let stream = TcpStream::connect_timeout(&(to, port).into(), TIMEOUT)?;
    stream.set_read_timeout(Some(TIMEOUT))?;
    stream.set_nodelay(true)?;
    Ok(stream)
}
