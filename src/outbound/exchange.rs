//! One request and its answer.

use std::sync::{Arc, Weak};

use bytes::{Bytes, BytesMut};
use h2::{Reason, client::ResponseFuture};
use http::{HeaderMap, Request, StatusCode, header};
use tokio::time::{Instant, timeout_at};

use super::{
    connection::Connection,
    dial::DialError,
    goaway::Goaway,
    pool::{Place, Pool},
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
    /// The connection it came over.
    pub(super) connection: Weak<Connection>,
}

/// Why there is no answer.
#[derive(Clone, Debug, thiserror::Error)]
pub enum SendError {
    /// No connection could be opened, so the peer saw nothing.
    #[error(transparent)]
    Dial(#[from] DialError),
    /// The peer does its work, and has no place free for the request in time; it saw nothing.
    #[error("no place was free in time")]
    Crowded,
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
    /// Starts no further request on the connection that an answer came over: the peer said that it ends.
    pub fn leave_connection_of(&self, reply: &Reply) {
        if let Some(connection) = reply.connection.upgrade() {
            self.shared.leave(&connection);
        }
    }

    /// Sends one request and reads the answer, both before `deadline`.
    ///
    /// A request that the peer certainly did not process is sent again on another connection. Of those who
    /// wait for a connection each owner gets a fair share.
    ///
    /// Headers that are marked as sensitive are not kept for further requests by the compression of
    /// headers; mark those that differ from request to request.
    ///
    /// # Errors
    ///
    /// When there is no answer; the variants tell what the peer may have seen.
    pub async fn send(
        &self,
        owner: i64,
        request: &Request<()>,
        body: &Body,
        deadline: Instant,
    ) -> Result<Reply, SendError> {
        let metrics = &self.shared.metrics;
        let mut ticket = None;
        let mut attempts = 0;
        loop {
            let place = self.place(owner, &mut ticket, deadline).await?;
            // The peer may have changed its mind while the place was handed over.
            if place.connection().is_overfull() {
                continue;
            }
            // Handed over at the very end: what is sent now would be cut, and yet may be taken.
            if Instant::now() >= deadline {
                return Err(SendError::Crowded);
            }
            attempts += 1;
            if attempts > 1 {
                metrics.resent();
            }
            let exchanged = timeout_at(deadline, exchange(&place, request, body)).await;
            match exchanged {
                Ok(Err(SendError::Unprocessed)) if attempts < MAX_ATTEMPTS => {}
                Ok(outcome) => {
                    if let Ok(reply) = &outcome {
                        metrics.answered(reply.status);
                    }
                    return outcome;
                }
                Err(_) => {
                    if place.connection().missed() {
                        place.retire_connection();
                    }
                    place.connection().doubt();
                    return Err(SendError::Deadline);
                }
            }
        }
    }
}

async fn exchange(
    place: &Place<'_>,
    request: &Request<()>,
    body: &Body,
) -> Result<Reply, SendError> {
    // Up to here nothing of this request has been seen by the peer.
    let response = start(place.connection(), request, body).map_err(|error| {
        give_up(place, &error);
        SendError::Unprocessed
    })?;
    let (head, mut incoming) = response.await.map_err(|error| failed(place, &error))?.into_parts();
    place.prove();
    place.connection().answered();
    let mut reply = BytesMut::new();
    while let Some(chunk) = incoming.data().await {
        let chunk = chunk.map_err(|error| failed(place, &error))?;
        // A refusal here means that the connection is gone, which the next read tells.
        let _ = incoming.flow_control().release_capacity(chunk.len());
        let room = MAX_REPLY_BYTES - reply.len();
        reply.extend_from_slice(&chunk[..chunk.len().min(room)]);
        if reply.len() == MAX_REPLY_BYTES {
            break;
        }
    }
    let connection = Arc::downgrade(place.connection_handle());
    Ok(Reply { status: head.status, headers: head.headers, body: reply.freeze(), connection })
}

fn start(
    connection: &Connection,
    request: &Request<()>,
    body: &Body,
) -> Result<ResponseFuture, h2::Error> {
    let mut request = request.clone();
    if !connection.is_proven() {
        // "The first time you send these headers, encode them with incremental indexing to allow the
        // header names to be added to the dynamic table", as Apple's archived guide says. Our
        // credentials are never kept there: h2 does not index `authorization`, nor `:path`.
        for (name, value) in request.headers_mut() {
            value.set_sensitive(value.is_sensitive() && name == header::AUTHORIZATION);
        }
    }
    let is_empty = body.own.is_empty() && body.shared.is_empty();
    let (response, mut outgoing) = connection.sender().send_request(request, is_empty)?;
    // The peer may have seen the head by now, and have reset the stream: why, the answer tells, and not a body
    // that cannot be sent any more.
    if !body.own.is_empty() {
        let _ = outgoing.send_data(body.own.clone(), body.shared.is_empty());
    }
    if !body.shared.is_empty() {
        let _ = outgoing.send_data(body.shared.clone(), true);
    }
    Ok(response)
}

/// The connection takes no further request; where the peer asked for calm, the pool knows it before it could open
/// another one.
fn give_up(place: &Place<'_>, error: &h2::Error) {
    if let Some(goaway) = Goaway::of(error) {
        place.went_away(&goaway);
    }
    place.retire_connection();
}

/// What an ended stream means, by RFC 9113 sections 6.8 and 8.7.
fn failed(place: &Place<'_>, error: &h2::Error) -> SendError {
    if error.is_reset() {
        // "REFUSED_STREAM ... indicates that the stream is being closed prior to any processing": it says
        // nothing of what the peer does with others.
        if error.reason() == Some(Reason::REFUSED_STREAM) {
            return SendError::Unprocessed;
        }
        if error.is_remote() {
            place.prove();
        }
        return SendError::Interrupted;
    }
    give_up(place, error);
    if error.is_go_away() && error.is_remote() {
        // Only streams above the last one the peer names end so: "the sender of the GOAWAY ... will not
        // process them", RFC 9113 section 6.8.
        return SendError::Unprocessed;
    }
    SendError::Interrupted
}
