//! What becomes of one TCP connection.

use std::{
    io,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use rustls::{
    ServerConfig,
    server::{ClientHello, ResolvesServerCert},
    sign::CertifiedKey,
};
use tokio::net::TcpStream;
use tokio_rustls::{TlsAcceptor, server::TlsStream};

use super::{
    HTTP_PORT, Signer,
    http::{Voice, serve},
};

/// Type of a TLS record with a handshake (RFC 8446 section 5.1): the first byte of a client that speaks TLS.
const TLS_HANDSHAKE: u8 = 0x16;

/// About as long as Microsoft's chains are.
const CERTIFICATE_BYTES: usize = 4000;

/// How a server shows itself.
#[derive(Debug)]
pub(crate) struct Manners {
    signer: Arc<Signer>,
    certificate_bytes: AtomicUsize,
}

impl Manners {
    pub(crate) fn of(signer: Arc<Signer>) -> Self {
        Self { signer, certificate_bytes: AtomicUsize::new(CERTIFICATE_BYTES) }
    }

    pub(super) fn set_certificate_bytes(&self, bytes: usize) {
        self.certificate_bytes.store(bytes, Ordering::Relaxed);
    }
}

/// How a server treats its guests.
#[derive(Debug, Clone)]
pub(crate) enum Conduct {
    /// As Microsoft's edge; it echoes what is neither TLS nor HTTP.
    Genuine(Arc<Manners>),
    /// As a captive portal: log in first.
    Captive(Arc<Manners>),
    /// As a proxy that reads along: the right name, by a wrong authority.
    Proxy(Arc<Manners>),
    /// Says nothing, ever.
    Silent,
}

/// Serves a connection from its first byte to its last, `idle` at most.
pub(super) async fn attend(stream: TcpStream, conduct: Conduct, idle: Duration) {
    let work = async {
        stream.set_nodelay(true)?;
        let mut first = [0];
        let known = stream.peek(&mut first).await?;
        let tls = known > 0 && first == [TLS_HANDSHAKE];
        let plain_http = stream.local_addr()?.port() == HTTP_PORT;
        match conduct {
            Conduct::Silent => silence(&stream).await?,
            Conduct::Genuine(manners) if tls => serve(handshake(stream, manners).await?, Voice::Service).await,
            Conduct::Genuine(_) if !plain_http => echo(stream).await?,
            Conduct::Captive(manners) if tls => serve(handshake(stream, manners).await?, Voice::Portal).await,
            Conduct::Captive(_) => serve(stream, Voice::Portal).await,
            Conduct::Proxy(manners) if tls => serve(handshake(stream, manners).await?, Voice::Service).await,
            Conduct::Genuine(_) | Conduct::Proxy(_) => serve(stream, Voice::Service).await,
        }
        Ok::<_, io::Error>(())
    };
    // Neither a client that goes nor one that stays for ever tells the test anything.
    let _ = tokio::time::timeout(idle, work).await;
}

/// Waits until the client goes, and reads none of what it says.
async fn silence(stream: &TcpStream) -> io::Result<()> {
    loop {
        stream.readable().await?;
        let mut nowhere = [0; 2048];
        match stream.try_read(&mut nowhere) {
            Ok(0) => return Ok(()),
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
    }
}

async fn echo(mut stream: TcpStream) -> io::Result<()> {
    let (mut reader, mut writer) = stream.split();
    tokio::io::copy(&mut reader, &mut writer).await?;
    Ok(())
}

async fn handshake(stream: TcpStream, manners: Arc<Manners>) -> io::Result<TlsStream<TcpStream>> {
    let certificates = Certificates { manners, address: stream.local_addr()? };
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(io::Error::other)?
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(certificates));
    TlsAcceptor::from(Arc::new(config)).accept(stream).await
}

/// The certificates of one connection.
#[derive(Debug)]
struct Certificates {
    manners: Arc<Manners>,
    address: SocketAddr,
}

impl ResolvesServerCert for Certificates {
    /// For the name that the client asks for, or else for the address that it came to.
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let address = self.address.ip().to_string();
        let name = hello.server_name().unwrap_or(&address);
        self.manners.signer.certificate(name, self.manners.certificate_bytes.load(Ordering::Relaxed)).ok()
    }
}
