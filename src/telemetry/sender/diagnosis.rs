//! What is behind an error of the network or of TLS, in the words of the person who has to put it right.

use std::{error::Error, io, net::SocketAddr};

use rustls::{AlertDescription, CertificateError, PeerIncompatible};

use crate::config::Report;

/// A TCP connection that was not made.
pub fn of_connect(error: &io::Error, address: SocketAddr) -> String {
    match error.kind() {
        io::ErrorKind::ConnectionRefused => {
            format!("{address} refuses connections; check that the collector runs and `endpoint` names its port")
        }
        io::ErrorKind::NetworkUnreachable | io::ErrorKind::HostUnreachable => {
            format!("there is no way to {address} ({error}); check the default route of this router")
        }
        _ => format!("{address}: {error}"),
    }
}

/// A TLS handshake that failed.
pub fn of_handshake(error: &io::Error, report: &Report) -> String {
    if let Some(reason) = of_error(error, report) {
        return reason;
    }
    match error.kind() {
        io::ErrorKind::UnexpectedEof | io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe => format!(
            "the other side closed the connection during the TLS handshake; check that port {} of the collector speaks TLS",
            report.endpoint.port
        ),
        _ => format!("TLS handshake: {error}"),
    }
}

/// The TLS cause of an error, if it has one.
pub fn of_error(error: &(dyn Error + 'static), report: &Report) -> Option<String> {
    tls_cause(error).map(|cause| of_tls(cause, report))
}

/// An error and all its causes.
pub fn chain(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let next = error.to_string();
        if !text.contains(&next) {
            text.push_str(": ");
            text.push_str(&next);
        }
        cause = error.source();
    }
    text
}

/// A hint where the cause is not known: a refusal of our certificate is lost when the connection is reset, and a TLS
/// terminator just closes when what is behind it is away.
pub fn closed_before_any_answer(report: &Report) -> String {
    format!(
        " before any answer; the collector does not accept the client certificate in {}, or what is behind its TLS is away: its log says which",
        report.cert.display()
    )
}

/// `io::Error::source` skips the error inside, so it is asked for apart.
fn tls_cause<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a rustls::Error> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(tls) = error.downcast_ref::<rustls::Error>() {
            return Some(tls);
        }
        let inner = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        next = match inner {
            Some(inner) => Some(inner as &'a (dyn Error + 'static)),
            None => error.source(),
        };
    }
    None
}

fn of_tls(error: &rustls::Error, report: &Report) -> String {
    match error {
        rustls::Error::InvalidCertificate(reason) => of_certificate(reason, report),
        rustls::Error::AlertReceived(alert) => of_alert(*alert, report),
        rustls::Error::InvalidMessage(_) => {
            let port = report.endpoint.port;
            format!(
                "port {port} of the collector does not speak TLS; name its TLS port in `endpoint`, or enable TLS there"
            )
        }
        rustls::Error::PeerIncompatible(
            PeerIncompatible::ServerDoesNotSupportTls12Or13
            | PeerIncompatible::ServerTlsVersionIsDisabledByOurConfig
            | PeerIncompatible::Tls13RequiredForQuic,
        ) => OLD_TLS.to_owned(),
        other => format!("TLS: {other}"),
    }
}

const OLD_TLS: &str = "the collector does not offer TLS 1.3; enable it there, older versions are not used";

fn of_certificate(error: &CertificateError, report: &Report) -> String {
    let ca = report.ca.display();
    match error {
        CertificateError::UnknownIssuer | CertificateError::BadSignature => format!(
            "the collector's certificate is not signed by the CA in {ca}; put the certificate of the CA that signed it there"
        ),
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
            format!("the collector's certificate has expired; renew it, or set the clock of this router ({error})")
        }
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            format!("the collector's certificate is not valid yet; set the clock of this router ({error})")
        }
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => format!(
            "the collector's certificate is not for {:?}; use a name of the certificate in `endpoint` ({error})",
            report.endpoint.host
        ),
        other => {
            format!("the collector's certificate cannot be used: {other}; have it issued again by the CA in {ca}")
        }
    }
}

fn of_alert(alert: AlertDescription, report: &Report) -> String {
    let cert = report.cert.display();
    match alert {
        AlertDescription::ProtocolVersion => OLD_TLS.to_owned(),
        AlertDescription::CertificateExpired => {
            format!("the collector says that the client certificate in {cert} has expired; renew it")
        }
        AlertDescription::UnknownCA | AlertDescription::BadCertificate | AlertDescription::DecryptError => format!(
            "the collector does not know the CA of the client certificate in {cert}; install one that its CA signed"
        ),
        AlertDescription::CertificateRequired => {
            format!(
                "the collector wants a client certificate of another CA than that of {cert}; install one that its CA signed"
            )
        }
        AlertDescription::CertificateRevoked | AlertDescription::AccessDenied => {
            format!("the collector does not let the client certificate in {cert} in ({alert:?}); ask its operator")
        }
        other => {
            format!("the collector ended TLS with alert {other:?}; its log says why (client certificate: {cert})")
        }
    }
}
