//! A throw-away certificate authority in memory, which the sandbox's servers and their clients
//! share.

use std::sync::Arc;

use rcgen::{
    BasicConstraints, Certificate, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa,
    Issuer, KeyPair, KeyUsagePurpose,
};
use rustls::{
    RootCertStore, ServerConfig,
    crypto::{CryptoProvider, ring},
    pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer},
    server::{VerifierBuilderError, WebPkiClientVerifier},
};

/// A certificate authority that lives as long as this value, or as its key is kept.
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    certificate: Certificate,
}

/// A certificate or a TLS configuration that could not be made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AuthorityError {
    /// A name that is neither a DNS name nor an IP address, or no randomness for a key.
    #[error("cannot make a certificate")]
    Certificate(#[from] rcgen::Error),
    /// The TLS library refused what the authority made.
    #[error("cannot make a TLS configuration")]
    Tls(#[from] rustls::Error),
    /// The TLS library refused the authority as a judge of client certificates.
    #[error("cannot verify client certificates")]
    Verifier(#[from] VerifierBuilderError),
}

impl Authority {
    /// A new authority with a fresh ECDSA P-256 key.
    ///
    /// # Errors
    ///
    /// When the system gives no randomness for the key.
    pub fn new() -> Result<Self, AuthorityError> {
        Self::of(KeyPair::generate()?)
    }

    /// The authority whose key this is, PKCS#8 in PEM: who trusts its earlier certificate trusts
    /// what it vouches for now.
    ///
    /// # Errors
    ///
    /// When the text is no such key.
    pub fn with_key(private_key_pem: &str) -> Result<Self, AuthorityError> {
        Self::of(KeyPair::from_pem(private_key_pem)?)
    }

    fn of(key: KeyPair) -> Result<Self, AuthorityError> {
        let mut parameters = CertificateParams::default();
        parameters.distinguished_name.push(DnType::CommonName, "push-bouncer sandbox authority");
        parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        parameters.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let certificate = parameters.self_signed(&key)?;
        Ok(Self { issuer: Issuer::new(parameters, key), certificate })
    }

    /// The authority's private key, PKCS#8 in PEM, to be kept for [`Authority::with_key`].
    #[must_use]
    pub fn private_key_pem(&self) -> String {
        self.issuer.key().serialize_pem()
    }

    /// The authority's own certificate in PEM, for a client's file of trusted roots.
    #[must_use]
    pub fn certificate_pem(&self) -> String {
        self.certificate.pem()
    }

    /// The authority's own certificate, for a client's store of trusted roots.
    #[must_use]
    pub fn certificate_der(&self) -> &CertificateDer<'static> {
        self.certificate.der()
    }

    /// A certificate for a server of these DNS names and IP addresses and its PKCS#8 key, both in
    /// PEM.
    ///
    /// # Errors
    ///
    /// When a name is neither a DNS name nor an IP address.
    pub fn server_certificate(&self, names: &[&str]) -> Result<(String, String), AuthorityError> {
        let (certificate, key) =
            self.issue(names, names.first().copied(), ExtendedKeyUsagePurpose::ServerAuth)?;
        Ok((certificate.pem(), key.serialize_pem()))
    }

    /// A certificate for a client of this common name and its PKCS#8 key, both in PEM.
    ///
    /// # Errors
    ///
    /// When the system gives no randomness for the key.
    pub fn client_certificate(
        &self,
        common_name: &str,
    ) -> Result<(String, String), AuthorityError> {
        let (certificate, key) =
            self.issue(&[], Some(common_name), ExtendedKeyUsagePurpose::ClientAuth)?;
        Ok((certificate.pem(), key.serialize_pem()))
    }

    /// The TLS side of a server of these names, which speaks these protocols in this order of
    /// preference.
    ///
    /// # Errors
    ///
    /// When a name is neither a DNS name nor an IP address.
    pub fn server_config(
        &self,
        names: &[&str],
        protocols: &[&[u8]],
    ) -> Result<Arc<ServerConfig>, AuthorityError> {
        self.tls(names, protocols, false)
    }

    /// The same as [`Authority::server_config`], for a server that also takes a client certificate
    /// of this authority, but lets clients without one in.
    ///
    /// # Errors
    ///
    /// When a name is neither a DNS name nor an IP address.
    pub fn server_config_with_client_certificates(
        &self,
        names: &[&str],
        protocols: &[&[u8]],
    ) -> Result<Arc<ServerConfig>, AuthorityError> {
        self.tls(names, protocols, true)
    }

    fn tls(
        &self,
        names: &[&str],
        protocols: &[&[u8]],
        client_certificates: bool,
    ) -> Result<Arc<ServerConfig>, AuthorityError> {
        let (certificate, key) =
            self.issue(names, names.first().copied(), ExtendedKeyUsagePurpose::ServerAuth)?;
        let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let builder = ServerConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()?;
        let builder = if client_certificates {
            let mut roots = RootCertStore::empty();
            roots.add(self.certificate_der().clone())?;
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider())
                .allow_unauthenticated()
                .build()?;
            builder.with_client_cert_verifier(verifier)
        } else {
            builder.with_no_client_auth()
        };
        let mut config = builder.with_single_cert(vec![certificate.der().clone()], key)?;
        config.alpn_protocols = protocols.iter().map(|protocol| protocol.to_vec()).collect();
        Ok(Arc::new(config))
    }

    fn issue(
        &self,
        names: &[&str],
        common_name: Option<&str>,
        usage: ExtendedKeyUsagePurpose,
    ) -> Result<(Certificate, KeyPair), AuthorityError> {
        let names: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
        let mut parameters = CertificateParams::new(names)?;
        if let Some(common_name) = common_name {
            parameters.distinguished_name.push(DnType::CommonName, common_name);
        }
        parameters.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        parameters.extended_key_usages = vec![usage];
        // OpenSSL's strict mode, Python's default since 3.13, refuses a leaf that does not name its
        // issuer's key.
        parameters.use_authority_key_identifier_extension = true;
        let key = KeyPair::generate()?;
        let certificate = parameters.signed_by(&key, &self.issuer)?;
        Ok((certificate, key))
    }
}

/// Every configuration names its provider: a process-wide default is another part's to choose.
fn provider() -> Arc<CryptoProvider> {
    Arc::new(ring::default_provider())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn certificates_and_keys_come_in_pem() {
        let authority = Authority::new().unwrap();
        let (certificate, key) =
            authority.server_certificate(&["push.example.org", "127.0.0.1"]).unwrap();
        assert!(authority.certificate_pem().starts_with("-----BEGIN CERTIFICATE-----"));
        assert!(certificate.starts_with("-----BEGIN CERTIFICATE-----"));
        assert!(key.starts_with("-----BEGIN PRIVATE KEY-----"));
    }

    #[test]
    fn a_server_offers_its_protocols_in_order() {
        let authority = Authority::new().unwrap();
        let config = authority.server_config(&["localhost"], &[b"h2", b"http/1.1"]).unwrap();
        assert_eq!(config.alpn_protocols, [b"h2".to_vec(), b"http/1.1".to_vec()]);
    }

    #[test]
    fn a_name_that_is_none_is_refused() {
        let authority = Authority::new().unwrap();
        assert!(authority.server_certificate(&["schlüssel"]).is_err());
    }
}
