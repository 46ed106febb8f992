//! Conversations with real servers on loopback: one that proves its name, and those that stand in its way.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use peerward_lab::pki::{Authority, Validity};
use rustls::{ServerConfig, crypto::ring::default_provider};
use tempfile::TempDir;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};
use tokio_rustls::TlsAcceptor;

use super::*;
use crate::{
    config::TrustSource,
    domain::Check,
    probe::{TrustAnchors, TrustError},
};

const NAME: &str = "outlook.office365.com";
const PATIENCE: Duration = Duration::from_secs(5);

/// An authority that is trusted, and the trust in it.
struct Scene {
    folder: TempDir,
    authority: Authority,
    trust: Arc<TrustAnchors>,
}

impl Scene {
    fn new() -> Self {
        let folder = TempDir::new().unwrap();
        let authority = Authority::create(folder.path(), "anchor").unwrap();
        let trust = TrustAnchors::load(&TrustSource::File(authority.file().to_owned())).unwrap().unwrap();
        Self { folder, authority, trust }
    }

    async fn ask(&self, address: SocketAddr, check: &Check, timeout: Duration) -> Measured {
        let attempt =
            Attempt { interface: "lo", source: None, address, check, timeout, trust: Some(&self.trust), ports: None };
        attempt.carry_out().await.unwrap()
    }
}

fn tls() -> Check {
    Check::Tls { server_name: NAME.into() }
}

fn https(path: &str) -> Check {
    Check::Http { secure: true, server_name: NAME.into(), path: path.into(), status: 200..=299 }
}

fn failed(failure: ProbeFailure) -> Measured {
    Measured::failed(failure)
}

fn acceptor(authority: &Authority, names: &[&str], validity: Validity) -> TlsAcceptor {
    let identity = authority.server(names, validity).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(identity.chain, identity.key)
        .unwrap();
    TlsAcceptor::from(Arc::new(config))
}

/// Serves every connection with `serve`, for as long as the runtime lives.
async fn serving<F: Future<Output = ()> + Send + 'static>(
    serve: impl Fn(TcpStream) -> F + Send + 'static,
) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(serve(stream));
        }
    });
    address
}

/// TLS, and over it a page of that status.
async fn proven(acceptor: TlsAcceptor, status: &'static str) -> SocketAddr {
    serving(move |stream| {
        let acceptor = acceptor.clone();
        async move {
            let Ok(mut stream) = acceptor.accept(stream).await else { return };
            let mut request = [0; 1024];
            let _ = stream.read(&mut request).await;
            let _ = stream.write_all(format!("HTTP/1.1 {status}\r\n\r\n").as_bytes()).await;
        }
    })
    .await
}

async fn silent() -> SocketAddr {
    serving(|stream| async move {
        let _kept_open = stream;
        std::future::pending::<()>().await;
    })
    .await
}

#[tokio::test]
async fn a_server_that_proves_its_name_answers_with_the_rtt_of_the_packets() {
    let scene = Scene::new();
    let server = proven(acceptor(&scene.authority, &[NAME], Validity::Current), "200 OK").await;
    for check in [tls(), https("/")] {
        let Measured { outcome, service_time } = scene.ask(server, &check, PATIENCE).await;
        let rtt = outcome.rtt().unwrap_or_else(|| panic!("{outcome:?}"));
        assert!(rtt < service_time.unwrap(), "{rtt:?} {service_time:?}");
    }
}

#[tokio::test]
async fn dates_are_not_judged_because_the_clock_may_be_wrong() {
    let scene = Scene::new();
    for validity in [Validity::Expired, Validity::Future] {
        let server = proven(acceptor(&scene.authority, &[NAME], validity), "200 OK").await;
        let measured = scene.ask(server, &tls(), PATIENCE).await;
        assert!(measured.outcome.rtt().is_some(), "{validity:?}: {measured:?}");
    }
}

#[tokio::test]
async fn another_name_or_another_authority_is_not_trusted_whatever_the_dates() {
    let scene = Scene::new();
    let other = Authority::create(scene.folder.path(), "other").unwrap();
    for (authority, name, validity) in [
        (&scene.authority, "portal.example", Validity::Current),
        (&scene.authority, "portal.example", Validity::Expired),
        (&other, NAME, Validity::Current),
        (&other, NAME, Validity::Expired),
    ] {
        let server = proven(acceptor(authority, &[name], validity), "200 OK").await;
        assert_eq!(scene.ask(server, &tls(), PATIENCE).await, failed(ProbeFailure::Untrusted), "{name} {validity:?}");
    }
}

#[tokio::test]
async fn what_speaks_no_tls_or_hangs_up_is_unexpected() {
    let scene = Scene::new();
    let chatty = serving(|mut stream| async move {
        let _ = stream.write_all(b"HTTP/1.1 302 Found\r\nLocation: http://portal.example/\r\n\r\n").await;
        let _ = stream.read(&mut [0; 1024]).await;
    });
    let rude = serving(|stream| async move { drop(stream) });
    for server in [chatty.await, rude.await] {
        assert_eq!(scene.ask(server, &tls(), PATIENCE).await, failed(ProbeFailure::Unexpected));
    }
}

#[tokio::test]
async fn silence_after_the_handshake_is_a_stall() {
    let scene = Scene::new();
    let measured = scene.ask(silent().await, &tls(), Duration::from_millis(100)).await;
    assert_eq!(measured, failed(ProbeFailure::Stalled));
}

#[tokio::test]
async fn a_server_that_answers_small_segments_alone_is_behind_an_mtu_hole() {
    let scene = Scene::new();
    let acceptor = acceptor(&scene.authority, &[NAME], Validity::Current);
    let server = serving(move |stream| {
        let acceptor = acceptor.clone();
        async move {
            // What a real hole does to a full-sized flight: nothing of it arrives.
            if socket2::SockRef::from(&stream).tcp_mss().unwrap() > SMALL_SEGMENT_IPV4 {
                std::future::pending::<()>().await;
            }
            let _ = acceptor.accept(stream).await;
        }
    });
    let measured = scene.ask(server.await, &tls(), Duration::from_millis(500)).await;
    assert_eq!(measured, failed(ProbeFailure::MtuHole));
}

#[tokio::test]
async fn a_page_of_another_status_is_unexpected() {
    let scene = Scene::new();
    let server = proven(acceptor(&scene.authority, &[NAME], Validity::Current), "503 Busy").await;
    assert_eq!(scene.ask(server, &https("/"), PATIENCE).await, failed(ProbeFailure::Unexpected));
}

#[tokio::test]
async fn without_anybody_to_vouch_nothing_is_sent() {
    let (check, address) = (tls(), silent().await);
    let attempt = Attempt {
        interface: "lo",
        source: None,
        address,
        check: &check,
        timeout: PATIENCE,
        trust: None,
        ports: None,
    };
    assert_eq!(attempt.carry_out().await.unwrap(), failed(ProbeFailure::NotSent));
}

#[test]
fn a_bundle_without_anchors_is_refused_by_name() {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("bundle.pem");
    let said = |source: &TrustSource| TrustAnchors::load(source).map(|_| ()).unwrap_err();
    assert!(matches!(said(&TrustSource::File(file.clone())), TrustError::Unreadable { .. }));
    std::fs::write(&file, "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n").unwrap();
    let refusal = said(&TrustSource::File(file.clone()));
    assert!(matches!(refusal, TrustError::Empty { .. }) && refusal.to_string().contains("bundle.pem"), "{refusal}");
    assert!(TrustAnchors::load(&TrustSource::Off).unwrap().is_none());
}
