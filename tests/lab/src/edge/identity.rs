//! Certificates made on demand: whatever name is asked for, there is one for it.

use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, Mutex, OnceLock, PoisonError},
};

use rcgen::{CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, KeyPair};
use rustls::{
    crypto::ring::sign::any_ecdsa_type,
    pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer},
    sign::{CertifiedKey, SigningKey},
};

use crate::{
    LabError,
    pki::{Validity, issuer, params},
};

/// Certificates kept; a test that asks for more names only waits for new ones.
const MOST: usize = 256;

/// The lab's authority, in PEM: who trusts it trusts the Microsoft edge of every branch of this process.
///
/// # Errors
/// When it cannot be made.
pub fn lab_ca_pem() -> Result<String, LabError> {
    lab_ca().map(|signer| signer.pem().unwrap_or_default())
}

/// One per process, because keys take time.
pub(crate) fn lab_ca() -> Result<Arc<Signer>, LabError> {
    static LAB: OnceLock<Result<Arc<Signer>, String>> = OnceLock::new();
    let made = || Signer::authority("peerward-lab").map(Arc::new).map_err(|error| error.to_string());
    LAB.get_or_init(made).clone().map_err(|reason| LabError::pki("make the lab's authority", &reason))
}

/// Who signs certificates of servers.
pub(crate) struct Signer {
    /// Servers sign their own when absent.
    issuer: Option<CertifiedIssuer<'static, KeyPair>>,
    /// Of every server.
    key: KeyPair,
    signing: Arc<dyn SigningKey>,
    made: Mutex<HashMap<(String, usize), Arc<CertifiedKey>>>,
}

impl Signer {
    /// An authority of its own.
    pub(crate) fn authority(name: &str) -> Result<Self, LabError> {
        Self::new(Some(issuer(name)?))
    }

    /// No authority: what is shown is signed with its own key.
    pub(crate) fn self_signed() -> Result<Self, LabError> {
        Self::new(None)
    }

    fn new(issuer: Option<CertifiedIssuer<'static, KeyPair>>) -> Result<Self, LabError> {
        let what = "make a server key";
        let key = KeyPair::generate().map_err(|error| LabError::pki(what, &error))?;
        let der = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let signing = any_ecdsa_type(&der).map_err(|error| LabError::pki(what, &error))?;
        Ok(Self { issuer, key, signing, made: Mutex::default() })
    }

    /// Certificate of the authority.
    fn pem(&self) -> Option<String> {
        self.issuer.as_ref().map(CertifiedIssuer::pem)
    }

    /// A certificate for a name or address, of about so many bytes.
    pub(super) fn certificate(&self, name: &str, bytes: usize) -> Result<Arc<CertifiedKey>, LabError> {
        let mut made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        let wanted = (name.to_owned(), bytes);
        if let Some(held) = made.get(&wanted) {
            return Ok(Arc::clone(held));
        }
        if made.len() >= MOST {
            made.clear();
        }
        let certificate = Arc::new(self.sign(name, bytes)?);
        made.insert(wanted, Arc::clone(&certificate));
        Ok(certificate)
    }

    fn sign(&self, name: &str, bytes: usize) -> Result<CertifiedKey, LabError> {
        let what = format!("make a certificate for {name}");
        let mut names = vec![name.to_owned()];
        names.extend(filling(bytes));
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let mut params = params("server", &names, Validity::Current, &what)?;
        params.distinguished_name.push(DnType::OrganizationName, "Peerward lab");
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        let signed = match &self.issuer {
            Some(issuer) => params.signed_by(&self.key, issuer),
            None => params.self_signed(&self.key),
        };
        let certificate = signed.map_err(|error| LabError::pki(&what, &error))?;
        Ok(CertifiedKey::new(vec![certificate.der().clone()], Arc::clone(&self.signing)))
    }
}

/// Further names, as large services have them, that make the certificate about so many bytes long.
fn filling(bytes: usize) -> impl Iterator<Item = String> {
    const BARE: usize = 400;
    const NAME: usize = 36;
    (0..bytes.saturating_sub(BARE) / NAME).map(|number| format!("front-door-{number:04}.region.lab.invalid"))
}

impl fmt::Debug for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.issuer.is_some() { "Signer(authority)" } else { "Signer(self-signed)" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_certificate_is_about_as_long_as_asked_for_and_made_once() {
        let signer = Signer::authority("test").unwrap();
        for bytes in [500, 4000, 8000] {
            let made = signer.certificate("outlook.office365.com", bytes).unwrap();
            let length = made.cert[0].len();
            assert!(length.abs_diff(bytes) < 400, "{length} for {bytes}");
            assert!(Arc::ptr_eq(&made, &signer.certificate("outlook.office365.com", bytes).unwrap()));
        }
        assert!(signer.certificate("2620:1ec:4::152", 500).is_ok());
    }
}
