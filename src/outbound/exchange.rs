//! One request and its answer.

use bytes::{Bytes, BytesMut};
use h2::{Reason, client::ResponseFuture};
use http::{HeaderMap, Request, StatusCode};
use tokio::time::{Instant, timeout_at};

use super::{
    dial::DialError,
    pool::{Pool, Stream},
};

/// An answer of a push service is a few hundred bytes; more than this is not read.
const MAX_REPLY_BYTES: usize = 64 * 1024;

/// A request that the peer certainly did not look at is sent again at once, so often at most.
const MAX_ATTEMPTS: usize = 3;

/// What a request carries: a part of its own, and a part that many requests share.
#[derive(Clone, Default)]
pub struct Body {
    /// What only this request has.
    pub own: Bytes,
    /// What every device of a notification gets; it comes after the own part.
    pub shared: Bytes,
}

/// What the peer answered.
pub struct Reply {
    /// Its status.
    pub status: StatusCode,
    /// Its headers.
    pub headers: HeaderMap,
    /// Its body, at most 64 KiB of it.
    pub body: Bytes,
}

/// Why there is no answer.
#[derive(Clone, Debug, thiserror::Error)]
pub enum SendError {
    /// No connection could be opened, so the peer saw nothing.
    #[error(transparent)]
    Dial(#[from] DialError),
    /// The peer said that it did not look at the request.
    #[error("the request was refused unread")]
    Unprocessed,
    /// The connection ended or the stream was reset; the peer may have acted on the request.
    #[error("the connection ended before the answer")]
    Interrupted,
    /// There was no answer before the deadline; the peer may have acted on the request.
    #[error("no answer in time")]
    Deadline,
}

impl Pool {
    /// Sends one request and reads the answer, both before `deadline`.
    ///
    /// A request that the peer certainly did not process is sent again on another connection.
    ///
    /// # Errors
    ///
    /// When there is no answer; the variants tell what the peer may have seen.
    pub async fn send(
        &self,
        request: &Request<()>,
        body: &Body,
        deadline: Instant,
    ) -> Result<Reply, SendError> {
        let mut attempts = 0;
        loop {
            attempts += 1;
            let stream = self.stream(deadline).await?;
            let exchanged = timeout_at(deadline, exchange(&stream, request, body)).await;
            match exchanged.unwrap_or(Err(SendError::Deadline)) {
                Err(SendError::Unprocessed) if attempts < MAX_ATTEMPTS => {}
                outcome => return outcome,
            }
        }
    }
}

async fn exchange(stream: &Stream, request: &Request<()>, body: &Body) -> Result<Reply, SendError> {
    let connection = stream.connection();
    let response = async {
        let mut sender = connection.sender().ready().await?;
        let is_empty = body.own.is_empty() && body.shared.is_empty();
        let (response, mut outgoing) = sender.send_request(request.clone(), is_empty)?;
        if !body.own.is_empty() {
            outgoing.send_data(body.own.clone(), body.shared.is_empty())?;
        }
        if !body.shared.is_empty() {
            outgoing.send_data(body.shared.clone(), true)?;
        }
        Ok::<ResponseFuture, h2::Error>(response)
    };
    // Up to here nothing of this request has been seen by the peer.
    let response = response.await.map_err(|_| {
        connection.retire();
        SendError::Unprocessed
    })?;
    let (head, mut incoming) = response.await.map_err(|error| failed(stream, &error))?.into_parts();
    connection.prove();
    let mut reply = BytesMut::new();
    while let Some(chunk) = incoming.data().await {
        let chunk = chunk.map_err(|error| failed(stream, &error))?;
        // A refusal here means that the connection is gone, which the next read tells.
        let _ = incoming.flow_control().release_capacity(chunk.len());
        let room = MAX_REPLY_BYTES - reply.len();
        reply.extend_from_slice(&chunk[..chunk.len().min(room)]);
        if reply.len() == MAX_REPLY_BYTES {
            break;
        }
    }
    Ok(Reply { status: head.status, headers: head.headers, body: reply.freeze() })
}

/// What an ended stream means, by RFC 9113 sections 6.8 and 8.7.
fn failed(stream: &Stream, error: &h2::Error) -> SendError {
    if error.is_reset() {
        if error.is_remote() {
            stream.connection().prove();
        }
        return match error.reason() {
            // "REFUSED_STREAM ... indicates that the stream is being closed prior to any processing".
            Some(Reason::REFUSED_STREAM) => SendError::Unprocessed,
            _ => SendError::Interrupted,
        };
    }
    stream.connection().retire();
    if error.is_go_away() && error.is_remote() {
        // Only streams above the last one the peer names end so: "the sender of the GOAWAY ... will not
        // process them", RFC 9113 section 6.8.
        return SendError::Unprocessed;
    }
    SendError::Interrupted
}
