//! Whom probes believe: a server must prove its name to one of the configured trust anchors.
//!
//! Dates are not judged. The router's clock may be ten years wrong at boot, and what a probe asks is who answers, not
//! whether a secret may be told: a certificate out of its time, for the right name, from an anchor that is trusted, is
//! no captive portal's. Everything else is verified as usual (RFC 5280, RFC 9525).

use std::{
    fs::File,
    io::{self, Read},
    path::{Path, PathBuf},
    sync::Arc,
};

use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme,
    client::{
        Resumption, WebPkiServerVerifier,
        danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    },
    crypto::ring::default_provider,
    pki_types::{CertificateDer, ServerName, UnixTime, pem::PemObject},
};

use crate::config::TrustSource;

/// Where systems keep their bundle: Debian and OpenWrt, RHEL, Alpine and OpenWrt's older ones, SUSE.
const BUNDLES: [&str; 4] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/cert.pem",
    "/etc/ssl/ca-bundle.pem",
];

/// Bound of a bundle, in bytes; Mozilla's has 220 KB.
const MOST_BYTES: u64 = 4 * 1024 * 1024;

/// How often a chain is looked at again at another time: once for each date of a leaf and two intermediates.
const MOST_DATES: usize = 6;

/// Why there is nobody to trust.
#[derive(Debug, thiserror::Error)]
pub enum TrustError {
    /// No bundle in any of the usual places.
    #[error(
        "no bundle of trust anchors in the usual places ({}); install ca-certificates (OpenWrt: ca-bundle), or set \
         probe.ca to a PEM file",
        BUNDLES.join(", ")
    )]
    NoBundle,
    /// It cannot be read.
    #[error("probe.ca: {} cannot be read: {source}; name a readable PEM file", file.display())]
    Unreadable {
        /// The file.
        file: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Nothing in it is a usable anchor.
    #[error("probe.ca: {} holds no certificate of a trust anchor; name a PEM file that does", file.display())]
    Empty {
        /// The file.
        file: PathBuf,
    },
    /// The TLS library refuses it.
    #[error("probe.ca: {} cannot be used: {reason}", file.display())]
    Unusable {
        /// The file.
        file: PathBuf,
        /// Why.
        reason: String,
    },
}

/// What TLS probes go by, read once. Some 100 KB with the anchors of a whole system.
#[derive(Debug)]
pub struct TrustAnchors {
    tls: Arc<ClientConfig>,
    https: Arc<ClientConfig>,
}

impl TrustAnchors {
    /// Reads the anchors; none where nobody is to be trusted.
    ///
    /// # Errors
    /// When there is no bundle, or it has no usable anchor.
    pub fn load(source: &TrustSource) -> Result<Option<Arc<Self>>, TrustError> {
        match source {
            TrustSource::Off => Ok(None),
            TrustSource::File(file) => Self::read(file).map(Some),
            TrustSource::System => {
                let found = BUNDLES.iter().map(Path::new).find(|file| file.is_file());
                Self::read(found.ok_or(TrustError::NoBundle)?).map(Some)
            }
        }
    }

    fn read(file: &Path) -> Result<Arc<Self>, TrustError> {
        let mut pem = Vec::new();
        File::open(file)
            .and_then(|opened| opened.take(MOST_BYTES).read_to_end(&mut pem))
            .map_err(|source| TrustError::Unreadable { file: file.to_owned(), source })?;
        let mut anchors = RootCertStore::empty();
        // One of a bundle that cannot be read is no reason to trust none of the others.
        anchors.add_parsable_certificates(CertificateDer::pem_slice_iter(&pem).filter_map(Result::ok));
        if anchors.is_empty() {
            return Err(TrustError::Empty { file: file.to_owned() });
        }
        anchors.roots.shrink_to_fit();
        let unusable = |reason: String| TrustError::Unusable { file: file.to_owned(), reason };
        let provider = Arc::new(default_provider());
        let chain = WebPkiServerVerifier::builder_with_provider(Arc::new(anchors), Arc::clone(&provider))
            .build()
            .map_err(|error| unusable(error.to_string()))?;
        let mut tls = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])
            .map_err(|error| unusable(error.to_string()))?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(AtAnyTime { chain }))
            .with_no_client_auth();
        // A resumed session proves nothing new.
        tls.resumption = Resumption::disabled();
        let mut https = tls.clone();
        https.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Arc::new(Self { tls: Arc::new(tls), https: Arc::new(https) }))
    }

    /// For a bare handshake.
    pub(super) fn tls(&self) -> Arc<ClientConfig> {
        Arc::clone(&self.tls)
    }

    /// For HTTP/1.1 behind it.
    pub(super) fn https(&self) -> Arc<ClientConfig> {
        Arc::clone(&self.https)
    }
}

/// Verifies as webpki does, at a time at which the chain is valid if there is one.
#[derive(Debug)]
struct AtAnyTime {
    chain: Arc<WebPkiServerVerifier>,
}

impl ServerCertVerifier for AtAnyTime {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let mut time = now;
        for _ in 0..MOST_DATES {
            let verdict = self.chain.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, time);
            time = match verdict {
                Err(Error::InvalidCertificate(CertificateError::ExpiredContext { not_after, .. })) => not_after,
                Err(Error::InvalidCertificate(CertificateError::NotValidYetContext { not_before, .. })) => not_before,
                verdict => return verdict,
            };
        }
        // No moment is within the dates of all certificates of the chain.
        Err(Error::InvalidCertificate(CertificateError::Expired))
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.chain.verify_tls12_signature(message, certificate, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.chain.verify_tls13_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.chain.supported_verify_schemes()
    }
}
