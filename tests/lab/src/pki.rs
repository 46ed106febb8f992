//! A PKI for reporting: an authority, the collector's and the agent's certificates, and all that can be wrong with them.
//!
//! Files are written as an operator would lay them out: PEM, keys readable by their owner only.

use std::{
    fs,
    io::Write,
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair,
    KeyUsagePurpose,
};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use time::{Duration, OffsetDateTime};

use crate::LabError;

/// When a certificate is valid.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Validity {
    /// Since yesterday, for a month.
    Current,
    /// It ended yesterday.
    Expired,
    /// It begins tomorrow.
    Future,
}

/// A certificate authority, its certificate in a file.
#[derive(Debug)]
pub struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
    directory: PathBuf,
    file: PathBuf,
}

/// What a collector shows of itself and whom it lets in.
#[derive(Debug)]
pub struct ServerIdentity {
    /// Its certificate chain.
    pub chain: Vec<CertificateDer<'static>>,
    /// Its key.
    pub key: PrivateKeyDer<'static>,
    /// The authority whose client certificates it accepts.
    pub client_authority: CertificateDer<'static>,
}

/// The files of a client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientFiles {
    /// Certificate chain, PEM.
    pub cert: PathBuf,
    /// Key, PEM, mode 0600.
    pub key: PathBuf,
}

impl Authority {
    /// Makes an authority; its certificate is written to `NAME.pem` in `directory`, as are those of its clients.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn create(directory: &Path, name: &str) -> Result<Self, LabError> {
        let issuer = issuer(name)?;
        let file = directory.join(format!("{name}.pem"));
        write(&file, &issuer.pem(), 0o644)?;
        Ok(Self { issuer, directory: directory.to_owned(), file })
    }

    /// File of its certificate.
    pub fn file(&self) -> &Path {
        &self.file
    }

    /// A server that is known by `names` (host names or addresses) and lets clients of this authority in.
    ///
    /// # Errors
    /// When a name is not one.
    pub fn server(&self, names: &[&str], validity: Validity) -> Result<ServerIdentity, LabError> {
        let what = format!("make a server certificate for {names:?}");
        let mut params = params("collector", names, validity, &what)?;
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        let (certificate, key) = self.sign(&params, &what)?;
        Ok(ServerIdentity {
            chain: vec![certificate.der().clone()],
            key: PrivateKeyDer::Pkcs8(key.serialize_der().into()),
            client_authority: self.issuer.der().clone(),
        })
    }

    /// A client, in the files `NAME.cert.pem` and `NAME.key.pem`.
    ///
    /// # Errors
    /// When the files cannot be written.
    pub fn client(&self, name: &str, validity: Validity) -> Result<ClientFiles, LabError> {
        let what = format!("make a client certificate for {name}");
        let mut params = params(name, &[], validity, &what)?;
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        let (certificate, key) = self.sign(&params, &what)?;
        let files = ClientFiles {
            cert: self.directory.join(format!("{name}.cert.pem")),
            key: self.directory.join(format!("{name}.key.pem")),
        };
        write(&files.cert, &certificate.pem(), 0o644)?;
        write(&files.key, &key.serialize_pem(), 0o600)?;
        Ok(files)
    }

    fn sign(&self, params: &CertificateParams, what: &str) -> Result<(rcgen::Certificate, KeyPair), LabError> {
        let key = KeyPair::generate().map_err(|error| LabError::pki(what, &error))?;
        let certificate = params.signed_by(&key, &self.issuer).map_err(|error| LabError::pki(what, &error))?;
        Ok((certificate, key))
    }
}

/// An authority's certificate and key.
pub(crate) fn issuer(name: &str) -> Result<CertifiedIssuer<'static, KeyPair>, LabError> {
    let what = format!("make the authority {name}");
    let mut params = params(name, &[], Validity::Current, &what)?;
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    let key = KeyPair::generate().map_err(|error| LabError::pki(&what, &error))?;
    CertifiedIssuer::self_signed(params, key).map_err(|error| LabError::pki(&what, &error))
}

/// What every certificate says, for the names or addresses that it is for.
pub(crate) fn params(
    name: &str,
    alt_names: &[&str],
    validity: Validity,
    what: &str,
) -> Result<CertificateParams, LabError> {
    let alt_names: Vec<String> = alt_names.iter().map(|&name| name.to_owned()).collect();
    let mut params = CertificateParams::new(alt_names).map_err(|error| LabError::pki(what, &error))?;
    params.distinguished_name.push(DnType::CommonName, name);
    let now = OffsetDateTime::now_utc();
    let (from, to) = match validity {
        Validity::Current => (now - Duration::DAY, now + 30 * Duration::DAY),
        Validity::Expired => (now - 30 * Duration::DAY, now - Duration::DAY),
        Validity::Future => (now + Duration::DAY, now + 30 * Duration::DAY),
    };
    params.not_before = from;
    params.not_after = to;
    Ok(params)
}

fn write(file: &Path, text: &str, mode: u32) -> Result<(), LabError> {
    let failed = |source| LabError::system(format!("write {}", file.display()), source);
    // A file left from before would keep its mode.
    match fs::remove_file(file) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(failed(error)),
        _ => {}
    }
    let mut options = fs::OpenOptions::new();
    options.write(true).create_new(true).mode(mode);
    options.open(file).and_then(|mut file| file.write_all(text.as_bytes())).map_err(failed)
}
