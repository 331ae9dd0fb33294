//! A client of the sandbox for its own tests: raw HTTP/2, every wait with a deadline.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use bytes::{Bytes, BytesMut};
use h2::client::SendRequest;
use http::{HeaderMap, Request, StatusCode};
use ring::{
    rand::SystemRandom,
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, RSA_PKCS1_SHA256, RsaKeyPair},
};
use rustls::{
    ClientConfig, RootCertStore,
    crypto::ring::default_provider,
    pki_types::{CertificateDer, PrivateKeyDer, ServerName, pem::PemObject as _},
};
use serde_json::Value;
use tokio::{net::TcpStream, time::timeout};
use tokio_rustls::{TlsConnector, client::TlsStream};

use super::authority::Authority;

const DEADLINE: Duration = Duration::from_secs(20);

/// An answer with its body.
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

impl Answer {
    /// The body as JSON.
    pub(super) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    /// Status and Apple's reason, empty when there is none.
    pub(super) fn reason(&self) -> (u16, String) {
        let reason = if self.body.is_empty() { Value::Null } else { self.json()["reason"].clone() };
        (self.status.as_u16(), reason.as_str().unwrap_or_default().to_owned())
    }
}

/// One connection.
#[derive(Clone)]
pub(super) struct Client {
    send: SendRequest<Bytes>,
}

impl Client {
    pub(super) async fn connect(authority: &Authority, address: SocketAddr) -> Self {
        Self::over(tls(authority, address, &[b"h2"], None).await.unwrap()).await
    }

    /// Presents this certificate and key, both in PEM.
    pub(super) async fn connect_as(
        authority: &Authority,
        address: SocketAddr,
        identity: &(String, String),
    ) -> Self {
        Self::over(tls(authority, address, &[b"h2"], Some(identity)).await.unwrap()).await
    }

    async fn over(stream: TlsStream<TcpStream>) -> Self {
        let (send, connection) = within(h2::client::handshake(stream)).await.unwrap();
        tokio::spawn(async move {
            let _ended = connection.await;
        });
        Self { send }
    }

    /// The number of streams the server lets us open, as far as we know.
    pub(super) fn streams(&self) -> usize {
        self.send.current_max_send_streams()
    }

    /// Waits until the server lets us open so many streams.
    pub(super) async fn wait_for_streams(&self, streams: usize) {
        within(async {
            while self.streams() != streams {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        })
        .await;
    }

    pub(super) async fn send(&self, request: Request<Bytes>) -> Result<Answer, h2::Error> {
        let (head, body) = request.into_parts();
        let mut send = within(self.send.clone().ready()).await?;
        let (response, mut stream) =
            send.send_request(Request::from_parts(head, ()), body.is_empty())?;
        if !body.is_empty() {
            // The server may have answered before it has read all.
            let _refused = stream.send_data(body, true);
        }
        within(async {
            let (head, mut body) = response.await?.into_parts();
            let mut whole = BytesMut::new();
            while let Some(part) = body.data().await.transpose()? {
                whole.extend_from_slice(&part);
            }
            Ok(Answer { status: head.status, headers: head.headers, body: whole.freeze() })
        })
        .await
    }
}

/// A TLS connection that offers these protocols.
pub(super) async fn tls(
    authority: &Authority,
    address: SocketAddr,
    protocols: &[&[u8]],
    identity: Option<&(String, String)>,
) -> std::io::Result<TlsStream<TcpStream>> {
    let mut roots = RootCertStore::empty();
    roots.add(authority.certificate_der().clone()).unwrap();
    let builder = ClientConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots);
    let mut config = match identity {
        None => builder.with_no_client_auth(),
        Some((certificate, key)) => {
            let certificate = CertificateDer::from_pem_slice(certificate.as_bytes()).unwrap();
            let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).unwrap();
            builder.with_client_auth_cert(vec![certificate], key).unwrap()
        }
    };
    config.alpn_protocols = protocols.iter().map(|protocol| protocol.to_vec()).collect();
    let stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    let name = ServerName::try_from("localhost").unwrap();
    within(TlsConnector::from(Arc::new(config)).connect(name, stream)).await
}

/// A compact token signed with an ECDSA P-256 key in PKCS#8.
pub(super) fn sign_es256(key: &[u8], header: &Value, claims: &Value) -> String {
    let random = SystemRandom::new();
    let key = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, key, &random).unwrap();
    compact(header, claims, |signed| key.sign(&random, signed).unwrap().as_ref().to_vec())
}

/// A compact token signed with an RSA key in PKCS#8.
pub(super) fn sign_rs256(key: &[u8], header: &Value, claims: &Value) -> String {
    let random = SystemRandom::new();
    let key = RsaKeyPair::from_pkcs8(key).unwrap();
    compact(header, claims, |signed| {
        let mut signature = vec![0; key.public().modulus_len()];
        key.sign(&RSA_PKCS1_SHA256, &random, signed, &mut signature).unwrap();
        signature
    })
}

fn compact(header: &Value, claims: &Value, sign: impl FnOnce(&[u8]) -> Vec<u8>) -> String {
    let encode = |part: &Value| URL_SAFE_NO_PAD.encode(part.to_string());
    let signed = format!("{}.{}", encode(header), encode(claims));
    let signature = URL_SAFE_NO_PAD.encode(sign(signed.as_bytes()));
    format!("{signed}.{signature}")
}

async fn within<T>(future: impl Future<Output = T>) -> T {
    timeout(DEADLINE, future).await.expect("the sandbox answers in time")
}
