//! Whom we believe to be who they say they are, and who we say we are.

use std::{io, path::Path, sync::Arc};

use rustls::{
    ClientConfig, ConfigBuilder, RootCertStore,
    client::{Resumption, WantsClientCert},
};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _};

use crate::clock::Timestamp;

/// Why no TLS client could be made.
#[derive(Debug, thiserror::Error)]
pub enum TrustError {
    /// A file could not be read.
    #[error("cannot read `{path}`: {source}")]
    Read {
        /// The file.
        path: String,
        /// What the system said.
        source: io::Error,
    },
    /// A file holds no usable certificate or key.
    #[error("`{path}`: {problem}")]
    Content {
        /// The file.
        path: String,
        /// What is wrong with it.
        problem: String,
    },
    /// Certificate and key do not fit together.
    #[error("the client certificate cannot be used: {0}")]
    Identity(rustls::Error),
}

/// A certificate that names us to a push service, with its private key; it does not print itself.
pub struct ClientIdentity {
    certificates: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
    ends_at: Timestamp,
}

impl ClientIdentity {
    /// The certificate chain and private key of one PEM file.
    ///
    /// # Errors
    ///
    /// When the file cannot be read, or does not hold both.
    pub fn read(path: &Path) -> Result<Self, TrustError> {
        Self::parse(path, &read(path)?)
    }

    /// The same of a text that was read already; `path` is named when it is not good.
    ///
    /// # Errors
    ///
    /// When the text does not hold both.
    pub fn parse(path: &Path, text: &[u8]) -> Result<Self, TrustError> {
        let content = |problem: &str| TrustError::Content {
            path: path.display().to_string(),
            problem: problem.to_owned(),
        };
        let certificates = CertificateDer::pem_slice_iter(text)
            .collect::<Result<Vec<_>, _>>()
            .map_err(|_| content("is not PEM"))?;
        if certificates.is_empty() {
            return Err(content("holds no certificate"));
        }
        let key = PrivateKeyDer::from_pem_slice(text)
            .map_err(|_| content("holds no private key that can be read without a password"))?;
        let (_, first) = x509_parser::parse_x509_certificate(&certificates[0])
            .map_err(|_| content("holds a certificate that cannot be read"))?;
        let ends_at = Timestamp::from_unix_seconds(first.validity().not_after.timestamp());
        Ok(Self { certificates, key, ends_at })
    }

    /// When the certificate ends (`notAfter`).
    #[must_use]
    pub fn ends_at(&self) -> Timestamp {
        self.ends_at
    }
}

/// The authorities whose word we take for who somebody is.
#[derive(Clone)]
pub struct Trust {
    roots: Arc<RootCertStore>,
}

impl Trust {
    /// The authorities that browsers trust, as compiled in, and those of `extra` (a PEM file).
    ///
    /// # Errors
    ///
    /// When `extra` cannot be read, or holds no certificate.
    pub fn public(extra: Option<&Path>) -> Result<Self, TrustError> {
        let mut roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
        if let Some(path) = extra {
            let text = read(path)?;
            let (added, ignored) = roots.add_parsable_certificates(
                CertificateDer::pem_slice_iter(&text).filter_map(Result::ok),
            );
            if added == 0 || ignored > 0 {
                let problem = "holds no certificate of an authority, or one that cannot be read";
                return Err(TrustError::Content {
                    path: path.display().to_string(),
                    problem: problem.to_owned(),
                });
            }
        }
        Ok(Self { roots: Arc::new(roots) })
    }

    /// A TLS client that trusts these authorities and offers HTTP/2 only.
    ///
    /// # Errors
    ///
    /// When the identity's key does not fit its certificate.
    pub fn http2_client(
        &self,
        identity: Option<ClientIdentity>,
    ) -> Result<Arc<ClientConfig>, TrustError> {
        let builder = self.client();
        let mut config = match identity {
            Some(identity) => builder
                .with_client_auth_cert(identity.certificates, identity.key)
                .map_err(TrustError::Identity)?,
            None => builder.with_no_client_auth(),
        };
        config.alpn_protocols = vec![b"h2".to_vec()];
        Ok(Arc::new(config))
    }

    /// A TLS client that trusts these authorities, offers HTTP/1.1 only, and keeps nothing from one
    /// connection to the next.
    #[must_use]
    pub fn http1_client(&self) -> Arc<ClientConfig> {
        let mut config = self.client().with_no_client_auth();
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        config.resumption = Resumption::disabled();
        Arc::new(config)
    }

    fn client(&self) -> ConfigBuilder<ClientConfig, WantsClientCert> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("ring supports the default protocol versions")
            .with_root_certificates(Arc::clone(&self.roots))
    }
}

fn read(path: &Path) -> Result<Vec<u8>, TrustError> {
    std::fs::read(path)
        .map_err(|source| TrustError::Read { path: path.display().to_string(), source })
}
