//! TLS as a client of the server does it.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use push_bouncer::sandbox::surroundings::PUBLIC_NAME;
use rustls::{ClientConfig, RootCertStore, crypto::ring};
use rustls_pki_types::{CertificateDer, ServerName, pem::PemObject as _};
use tokio::{net::TcpStream, time::timeout};
use tokio_rustls::{TlsConnector, client::TlsStream};

/// How long one connection may take to be there; far above what loopback needs.
const CONNECT_WITHIN: Duration = Duration::from_secs(10);

/// A TLS connection to the server at `address`.
pub(super) async fn connect(
    address: SocketAddr,
    tls: Arc<ClientConfig>,
) -> std::io::Result<TlsStream<TcpStream>> {
    let name = ServerName::try_from(PUBLIC_NAME).expect("the public name is a DNS name");
    let connecting = async {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        TlsConnector::from(tls).connect(name, stream).await
    };
    timeout(CONNECT_WITHIN, connecting).await?
}

/// Trusts this authority, a certificate in PEM, and no other.
pub(super) fn trusting(authority: &str) -> Arc<ClientConfig> {
    let mut roots = RootCertStore::empty();
    let certificate = CertificateDer::from_pem_slice(authority.as_bytes())
        .expect("the authority's certificate is PEM");
    roots.add(certificate).expect("the authority's certificate can be trusted");
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("ring has the default versions")
        .with_root_certificates(roots)
        .with_no_client_auth();
    Arc::new(config)
}
