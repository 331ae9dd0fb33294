//! An HTTP/1.1 client that sends exactly what it is told, over one kept connection.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use base64::{Engine as _, prelude::BASE64_STANDARD};
use bytes::Bytes;
use http::{HeaderMap, Request, header};
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use push_bouncer::sandbox::surroundings::PUBLIC_NAME;
use rustls::ClientConfig;
use serde_json::Value;
use tokio::time::timeout;

/// How long one answer may take; the server itself promises less.
const ANSWER_WITHIN: Duration = Duration::from_secs(30);

/// A client of the server.
pub(crate) struct Client {
    address: SocketAddr,
    tls: Arc<ClientConfig>,
    connection: Option<SendRequest<Full<Bytes>>>,
}

/// What the server answered.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    /// The status.
    pub(crate) status: u16,
    /// The headers.
    pub(crate) headers: HeaderMap,
    /// The whole body.
    pub(crate) body: Bytes,
}

impl Answer {
    /// The body, which is JSON.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).expect("the body is JSON")
    }

    /// The value of a header, which is there.
    pub(crate) fn header(&self, name: &str) -> &str {
        let value = self.headers.get(name).expect("the header is there");
        value.to_str().expect("the header is text")
    }
}

impl Client {
    /// A client that has not connected yet.
    pub(super) fn new(address: SocketAddr, tls: Arc<ClientConfig>) -> Self {
        Self { address, tls, connection: None }
    }

    /// Sends `request`, whose URI is the raw path, and reads the whole answer.
    ///
    /// # Errors
    ///
    /// When there is no whole answer within half a minute, as text for people.
    pub(crate) async fn send(&mut self, request: Request<Bytes>) -> Result<Answer, String> {
        match timeout(ANSWER_WITHIN, self.exchange(request)).await {
            Ok(answer) => answer,
            Err(elapsed) => {
                self.connection = None;
                Err(format!("no answer: {elapsed}"))
            }
        }
    }

    /// Asks for the status of the statistics with these credentials: the simplest request of a
    /// registered server.
    pub(crate) async fn status_as(&mut self, id: &str, key: &str) -> Answer {
        let credentials = BASE64_STANDARD.encode(format!("{id}:{key}"));
        let request = Request::get("/api/v1/remotes/server/analytics/status")
            .header(header::AUTHORIZATION, format!("Basic {credentials}"))
            .body(Bytes::new())
            .expect("base64 can stand in a header");
        self.send(request).await.expect("the bouncer answers")
    }

    async fn exchange(&mut self, request: Request<Bytes>) -> Result<Answer, String> {
        let mut connection = self.connection().await?;
        let request = with_host(request).map(Full::new);
        let response = connection
            .send_request(request)
            .await
            .map_err(|error| format!("no answer: {error:?}"))?;
        let (head, body) = response.into_parts();
        let body = body.collect().await.map_err(|error| format!("half an answer: {error:?}"))?;
        // After these the server has not read the whole request, and may close without a word.
        if !matches!(head.status.as_u16(), 408 | 413 | 414 | 431) {
            self.connection = Some(connection);
        }
        Ok(Answer { status: head.status.as_u16(), headers: head.headers, body: body.to_bytes() })
    }

    /// The kept connection if the server has not closed it, else a new one.
    async fn connection(&mut self) -> Result<SendRequest<Full<Bytes>>, String> {
        if let Some(mut kept) = self.connection.take()
            && kept.ready().await.is_ok()
        {
            return Ok(kept);
        }
        let stream = super::tls::connect(self.address, Arc::clone(&self.tls))
            .await
            .map_err(|error| format!("no connection: {error}"))?;
        let (sender, connection) = http1::handshake(TokioIo::new(stream))
            .await
            .map_err(|error| format!("no connection: {error}"))?;
        // Its failure is seen by the request that waits for it.
        tokio::spawn(connection);
        Ok(sender)
    }
}

/// HTTP/1.1 needs a `Host`; the public name stands in where a request names none.
fn with_host(mut request: Request<Bytes>) -> Request<Bytes> {
    let host = header::HeaderValue::from_static(PUBLIC_NAME);
    request.headers_mut().entry(header::HOST).or_insert(host);
    request
}
