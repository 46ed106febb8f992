//! What happens, and what people are told, when something is not as it should be; and that it heals.

use std::{
    fs,
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    os::unix::fs::PermissionsExt,
    sync::Arc,
    thread,
    time::Duration,
};

use peerward::domain::EventKind;
use peerward_lab::{
    collector::{Answer, Collector, Transport},
    pki::Validity,
};
use rustls::{
    ClientConfig, ClientConnection, RootCertStore, StreamOwned,
    pki_types::{CertificateDer, ServerName, pem::PemObject},
};

use crate::agent::{Office, PATIENCE, Reporting, install, listener, vacant};

/// A collector whose certificate is as given, and an agent that cannot use it.
fn distrusted(office: &Office, validity: Validity, names: &[&str], words: &str) -> (Collector, Reporting, String) {
    let identity = office.authority.server(names, validity).unwrap();
    let collector = Collector::start(listener(), &identity).unwrap();
    let reporting = Reporting::start(office.report_to(collector.address()));
    let error = reporting.wait_for_error(words);
    assert_eq!(collector.store().samples(), 0);
    (collector, reporting, error)
}

/// Ends a collector and starts a good one at its address.
fn put_right(office: &Office, broken: Collector) -> Collector {
    let address = broken.address();
    drop(broken);
    Collector::start(TcpListener::bind(address).unwrap(), &office.collector()).unwrap()
}

#[test]
fn throttling_loses_nothing() {
    let office = Office::open();
    let collector = Collector::start(listener(), &office.collector()).unwrap();
    let busy = Answer::Status { status: 503, retry_after: Some(1), message: "overloaded".to_owned() };
    collector.answer_next(2, &busy);
    let reporting = Reporting::start(office.report_to(collector.address()));
    (0..50).for_each(|_| reporting.probe(None));

    assert!(reporting.wait_for_error("503").contains("overloaded"));
    reporting.wait_for_recovery();
    let status = reporting.stop();
    assert_eq!((status.rejected, status.dropped_batches, status.error), (0, 0, None));
    assert_eq!(collector.store().sum("peering.path.probes", &[("peering.probe.outcome", "timeout")]), 50.0);
}

#[test]
fn closed_connections_lose_nothing() {
    let office = Office::open();
    let collector = Collector::start(listener(), &office.collector()).unwrap();
    let reporting = Reporting::start(office.report_to(collector.address()));
    reporting.wait_for_recovery();
    collector.answer_next(3, &Answer::Disconnect);
    (0..50).for_each(|_| reporting.probe(None));
    collector.wait_until("new connections", PATIENCE, |store| store.connections >= 4).unwrap();

    reporting.stop();
    assert_eq!(collector.store().sum("peering.path.probes", &[("peering.probe.outcome", "timeout")]), 50.0);
}

#[test]
fn what_a_partial_success_refuses_is_counted_and_shown() {
    let office = Office::open();
    let collector = Collector::start(listener(), &office.collector()).unwrap();
    collector.answer_next(1, &Answer::Partial { rejected: 3, message: "three are too old".to_owned() });
    let reporting = Reporting::start(office.report_to(collector.address()));

    let status = reporting.wait_until("the refusal", |status| status.rejected > 0);
    assert_eq!((status.rejected, status.state.as_str()), (3, "ok"));
    let status = reporting.wait_until("a clean report after it", |status| status.error.is_none());
    assert_eq!((status.rejected, status.dropped_batches), (3, 0));
}

#[test]
fn a_batch_that_is_refused_for_good_is_dropped_and_the_next_one_sent() {
    let office = Office::open();
    let collector = Collector::start(listener(), &office.collector()).unwrap();
    let bad = Answer::Status { status: 400, retry_after: None, message: "no such tenant".to_owned() };
    collector.answer_next(1, &bad);
    let reporting = Reporting::start(office.report_to(collector.address()));

    assert!(reporting.wait_for_error("400").contains("no such tenant"));
    reporting.wait_for_recovery();
    let status = reporting.stop();
    assert!(status.rejected > 0);
    assert_eq!(collector.store().samples() as u64, status.acknowledged);
}

#[test]
fn a_page_that_is_not_otlp_acknowledges_nothing() {
    let office = Office::open();
    let collector = Collector::start(listener(), &office.collector()).unwrap();
    collector.answer(Answer::Page("<html>welcome</html>".to_owned()));
    let reporting = Reporting::start(office.report_to(collector.address()));

    reporting.wait_for_error("not OTLP");
    assert_eq!((reporting.status().acknowledged, reporting.status().rejected), (0, 0));
    collector.answer(Answer::Accept);
    reporting.wait_for_recovery();
}

#[test]
fn a_collector_of_another_ca_is_refused_until_its_ca_is_installed() {
    let office = Office::open();
    let stranger = office.stranger();
    let mut identity = stranger.server(&["127.0.0.1"], Validity::Current).unwrap();
    // It would let our client in: only our side refuses.
    identity.client_authority = office.collector().client_authority;
    let collector = Collector::start(listener(), &identity).unwrap();
    let reporting = Reporting::start(office.report_to(collector.address()));

    let error = reporting.wait_for_error("is not signed by the CA in");
    assert!(error.contains(&office.authority.file().display().to_string()), "{error}");
    assert_eq!(collector.store().requests, 0);

    install(stranger.file(), office.authority.file());
    reporting.wait_for_recovery();
}

#[test]
fn an_expired_collector_is_refused_until_it_is_renewed() {
    let office = Office::open();
    let (broken, reporting, _) = distrusted(&office, Validity::Expired, &["127.0.0.1"], "has expired; renew it");
    let _collector = put_right(&office, broken);
    reporting.wait_for_recovery();
}

#[test]
fn a_collector_from_the_future_points_to_the_clock() {
    let office = Office::open();
    let words = "is not valid yet; set the clock of this router";
    let _ = distrusted(&office, Validity::Future, &["127.0.0.1"], words);
}

#[test]
fn a_collector_of_another_name_is_refused() {
    let office = Office::open();
    let (.., error) = distrusted(&office, Validity::Current, &["collector.example"], "certificate is not for");
    assert!(error.contains("collector.example"), "{error}");
}

#[test]
fn plain_http_is_told_from_tls_and_heals() {
    let office = Office::open();
    let plain = Collector::start_with(listener(), &Transport::Plain).unwrap();
    let reporting = Reporting::start(office.report_to(plain.address()));
    reporting.wait_for_error("does not speak TLS");
    assert_eq!(plain.store().samples(), 0);
    let _collector = put_right(&office, plain);
    reporting.wait_for_recovery();
}

#[test]
fn old_tls_is_refused() {
    let office = Office::open();
    let identity = office.collector();
    let old = Collector::start_with(listener(), &Transport::OldTls(&identity)).unwrap();
    let reporting = Reporting::start(office.report_to(old.address()));
    reporting.wait_for_error("does not offer TLS 1.3");
    assert_eq!(old.store().samples(), 0);
    let _collector = put_right(&office, old);
    reporting.wait_for_recovery();
}

#[test]
fn a_refused_connection_is_told_and_heals() {
    let office = Office::open();
    let address = vacant();
    let reporting = Reporting::start(office.report_to(address));
    reporting.probe(None);
    reporting.wait_for_error("refuses connections; check that the collector runs");
    let collector = Collector::start(TcpListener::bind(address).unwrap(), &office.collector()).unwrap();
    reporting.wait_for_recovery();
    reporting.stop();
    assert_eq!(collector.store().sum("peering.path.probes", &[("peering.probe.outcome", "timeout")]), 1.0);
}

#[test]
fn a_client_that_the_collector_does_not_know_is_told_so() {
    let office = Office::open();
    let collector = Collector::start(listener(), &office.collector()).unwrap();
    let intruder = office.stranger().client("intruder", Validity::Current).unwrap();
    let mut report = office.report_to(collector.address());
    (report.cert, report.key) = (intruder.cert.clone(), intruder.key);
    let reporting = Reporting::start(report);

    reporting.wait_for_error(&format!("client certificate in {}", intruder.cert.display()));
    let store = collector.store();
    assert_eq!((store.requests, store.samples()), (0, 0));
    assert!(!store.failed_handshakes.is_empty());
}

#[test]
fn a_client_without_a_certificate_is_not_let_in() {
    let office = Office::open();
    let collector = Collector::start(listener(), &office.collector()).unwrap();
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(office.authority.file()).unwrap()).unwrap();
    let config = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name = ServerName::try_from("localhost").unwrap();
    let session = ClientConnection::new(Arc::new(config), name).unwrap();
    let mut anonymous = StreamOwned::new(session, TcpStream::connect(collector.address()).unwrap());

    let answer =
        anonymous.write_all(b"POST /v1/metrics HTTP/1.1\r\n\r\n").and_then(|()| anonymous.read(&mut [0; 64]));
    assert!(answer.is_err() || matches!(answer, Ok(0)), "it was answered");
    collector.wait_until("the refusal", PATIENCE, |store| !store.failed_handshakes.is_empty()).unwrap();
    assert_eq!(collector.store().requests, 0);
}

#[test]
fn an_expired_client_is_told_to_renew() {
    let office = Office::open();
    let collector = Collector::start(listener(), &office.collector()).unwrap();
    let expired = office.authority.client("expired", Validity::Expired).unwrap();
    let mut report = office.report_to(collector.address());
    (report.cert, report.key) = (expired.cert.clone(), expired.key);
    let reporting = Reporting::start(report);
    reporting.wait_for_error(&format!("client certificate in {}", expired.cert.display()));
}

#[test]
fn missing_and_loose_keys_do_not_end_the_room_and_are_read_again() {
    let office = Office::open();
    let collector = Collector::start(listener(), &office.collector()).unwrap();
    let key = &office.client.key;
    let aside = key.with_extension("aside");
    fs::rename(key, &aside).unwrap();
    let reporting = Reporting::start(office.report_to(collector.address()));
    reporting.wait_for_error(&format!("cannot read {}", key.display()));

    fs::rename(&aside, key).unwrap();
    fs::set_permissions(key, fs::Permissions::from_mode(0o644)).unwrap();
    reporting.wait_for_error(&format!("chmod 600 {}", key.display()));

    fs::set_permissions(key, fs::Permissions::from_mode(0o600)).unwrap();
    reporting.wait_for_recovery();
}

#[test]
fn a_full_queue_drops_the_oldest_and_says_so_when_the_collector_is_back() {
    let office = Office::open();
    let address = vacant();
    let mut report = office.report_to(address);
    report.interval = Duration::from_millis(20);
    report.queue_bytes = 16 << 10;
    let reporting = Reporting::start(report);
    let status = reporting.wait_until("drops", |status| status.dropped_batches >= 20);
    assert!(status.queued_bytes <= 16 << 10, "{} bytes wait", status.queued_bytes);

    // The newest, not the oldest, is what the collector gets.
    reporting.event(EventKind::KernelRepaired { added: 1, removed: 0 });
    let collector = Collector::start(TcpListener::bind(address).unwrap(), &office.collector()).unwrap();
    collector
        .wait_until("the loss told", PATIENCE, |store| !store.events_named("SamplesDropped").is_empty())
        .unwrap();
    let told = collector.store().events_named("SamplesDropped");
    assert_eq!((told[0].severity.as_str(), told[0].severity_number), ("Warning", 13));
    assert!(told[0].attributes["peering.batches"].parse::<u64>().unwrap() >= 20);
}

#[test]
fn a_listener_that_says_nothing_is_given_up() {
    let office = Office::open();
    let silent = listener();
    let reporting = Reporting::start(office.report_to(silent.local_addr().unwrap()));
    reporting.wait_for_error("did not set up a connection within 5 s");
}

#[test]
fn a_peer_that_closes_during_the_handshake_is_told() {
    let office = Office::open();
    let rude = listener();
    let address = rude.local_addr().unwrap();
    // Ends with the test's process.
    thread::spawn(move || {
        while let Ok((mut stream, _)) = rude.accept() {
            let _ = stream.read(&mut [0; 4096]);
        }
    });
    let reporting = Reporting::start(office.report_to(address));
    reporting.wait_for_error("closed the connection during the TLS handshake");
}

#[test]
fn a_banner_of_another_protocol_is_told() {
    let office = Office::open();
    let ssh = listener();
    let address = ssh.local_addr().unwrap();
    // Ends with the test's process.
    thread::spawn(move || {
        while let Ok((mut stream, _)) = ssh.accept() {
            let _ = stream.write_all(b"SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n");
            let _ = stream.read(&mut [0; 4096]);
        }
    });
    let reporting = Reporting::start(office.report_to(address));
    reporting.wait_for_error("does not speak TLS");
}
