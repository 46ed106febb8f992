//! Trust anchors, client certificate and key: from PEM files to a TLS configuration.

use std::{
    fs::File,
    io::Read,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    sync::Arc,
};

use rustls::{
    ClientConfig, InconsistentKeys, RootCertStore,
    crypto::ring,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
    version::TLS13,
};

use super::failure::Failure;
use crate::config::Report;

/// Bound of each file: hundreds of certificates fit.
const FILE_LIMIT: u64 = 1 << 20;

/// Permissions that a key file must not give: any to group or others.
const LOOSE: u32 = 0o077;

/// TLS 1.3 only, trust in the anchors of `report.ca` only, the client certificate of `report.cert`.
pub fn load(report: &Report) -> Result<Arc<ClientConfig>, Failure> {
    let roots = trust_anchors(&report.ca)?;
    let chain = certificates(&report.cert)?;
    let key = private_key(&report.key)?;
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_protocol_versions(&[&TLS13])
        .map_err(|error| wrong(&report.cert, error.to_string()))?
        .with_root_certificates(roots)
        .with_client_auth_cert(chain, key)
        .map_err(|error| unusable_identity(report, &error))?;
    Ok(Arc::new(config))
}

fn trust_anchors(file: &Path) -> Result<RootCertStore, Failure> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates(file)? {
        roots.add(certificate).map_err(|error| wrong(file, format!("holds no usable trust anchor: {error}")))?;
    }
    Ok(roots)
}

/// At least one certificate.
fn certificates(file: &Path) -> Result<Vec<CertificateDer<'static>>, Failure> {
    let (text, _) = read(file)?;
    let certificates: Vec<_> = CertificateDer::pem_slice_iter(&text)
        .collect::<Result<_, _>>()
        .map_err(|error| wrong(file, format!("is not PEM ({error}); write it again")))?;
    if certificates.is_empty() {
        return Err(wrong(file, "holds no certificate; it must begin with -----BEGIN CERTIFICATE-----"));
    }
    Ok(certificates)
}

fn private_key(file: &Path) -> Result<PrivateKeyDer<'static>, Failure> {
    let (text, mode) = read(file)?;
    if mode & LOOSE != 0 {
        return Err(Failure::LooseKey { file: file.to_owned(), mode });
    }
    PrivateKeyDer::from_pem_slice(&text).map_err(|error| {
        wrong(
            file,
            format!("holds no private key ({error}); it must be an unencrypted PEM key (PKCS#8, SEC1 or PKCS#1)"),
        )
    })
}

/// Content and permissions. The mode is that of the opened file, so it cannot change in between.
fn read(file: &Path) -> Result<(Vec<u8>, u32), Failure> {
    let unreadable = |source| Failure::Read { file: file.to_owned(), source };
    // Looked at before it is opened: opening a pipe would wait for its writer.
    if !file.metadata().map_err(unreadable)?.is_file() {
        return Err(wrong(file, "is not a regular file"));
    }
    let opened = File::open(file).map_err(unreadable)?;
    let metadata = opened.metadata().map_err(unreadable)?;
    if metadata.len() > FILE_LIMIT {
        return Err(wrong(file, format!("is larger than {FILE_LIMIT} bytes; it cannot be a certificate or key")));
    }
    let mut text = Vec::new();
    opened.take(FILE_LIMIT).read_to_end(&mut text).map_err(unreadable)?;
    Ok((text, metadata.mode() & 0o7777))
}

fn unusable_identity(report: &Report, error: &rustls::Error) -> Failure {
    match error {
        rustls::Error::InconsistentKeys(InconsistentKeys::KeyMismatch) => wrong(
            &report.key,
            format!(
                "is not the key of the certificate in {}; install the two that belong together",
                report.cert.display()
            ),
        ),
        other => wrong(&report.key, format!("and {} cannot be used together: {other}", report.cert.display())),
    }
}

fn wrong(file: &Path, reason: impl Into<String>) -> Failure {
    Failure::File { file: PathBuf::from(file), reason: reason.into() }
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::PermissionsExt, path::Path, time::Duration};

    use peerward_lab::pki::{Authority, Validity};
    use tempfile::TempDir;

    use super::*;
    use crate::config::Endpoint;

    fn installed(directory: &Path) -> Report {
        let authority = Authority::create(directory, "ca").unwrap();
        let client = authority.client("branch", Validity::Current).unwrap();
        Report {
            endpoint: Endpoint { host: "localhost".to_owned(), port: 4318, path: String::new() },
            ca: authority.file().to_owned(),
            cert: client.cert,
            key: client.key,
            interval: Duration::from_secs(10),
            queue_bytes: 1 << 20,
        }
    }

    fn refusal(report: &Report) -> String {
        load(report).expect_err("these files must be refused").to_string()
    }

    #[test]
    fn files_as_they_should_be_are_taken() {
        let directory = TempDir::new().unwrap();
        load(&installed(directory.path())).unwrap();
    }

    #[test]
    fn a_key_that_others_can_read_is_refused_with_the_command_that_helps() {
        let directory = TempDir::new().unwrap();
        let report = installed(directory.path());
        for mode in [0o644, 0o640, 0o604] {
            fs::set_permissions(&report.key, fs::Permissions::from_mode(mode)).unwrap();
            let text = refusal(&report);
            assert!(text.contains(&format!("mode {mode:04o}")), "{text}");
            assert!(text.ends_with(&format!("chmod 600 {}", report.key.display())), "{text}");
        }
    }

    #[test]
    fn a_missing_file_is_named() {
        let directory = TempDir::new().unwrap();
        let report = installed(directory.path());
        fs::remove_file(&report.key).unwrap();
        assert!(refusal(&report).starts_with(&format!("cannot read {}: No such file", report.key.display())));
    }

    #[test]
    fn files_of_the_wrong_kind_are_told_apart() {
        let directory = TempDir::new().unwrap();
        let good = installed(directory.path());

        let swapped = Report { ca: good.key.clone(), ..good.clone() };
        assert!(refusal(&swapped).contains("holds no certificate"));
        let swapped = Report { key: good.ca.clone(), ..good.clone() };
        fs::set_permissions(&good.ca, fs::Permissions::from_mode(0o600)).unwrap();
        assert!(refusal(&swapped).contains("holds no private key"));
        let folder = Report { cert: directory.path().to_owned(), ..good };
        assert!(refusal(&folder).contains("is not a regular file"));
    }

    #[test]
    fn a_key_of_another_certificate_is_refused() {
        let directory = TempDir::new().unwrap();
        let other = TempDir::new().unwrap();
        let report = Report { key: installed(other.path()).key, ..installed(directory.path()) };
        assert!(refusal(&report).contains("is not the key of the certificate in"));
    }

    #[test]
    fn a_file_without_bound_is_not_read() {
        let directory = TempDir::new().unwrap();
        let report = installed(directory.path());
        fs::write(&report.ca, vec![b'#'; 2 << 20]).unwrap();
        assert!(refusal(&report).contains("larger than"));
    }
}
