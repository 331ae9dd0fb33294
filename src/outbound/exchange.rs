//! One request and its answer.

use std::{
    pin::pin,
    sync::{Arc, Weak},
    time::Duration,
};

use bytes::{Bytes, BytesMut};
use h2::{Reason, RecvStream, client::ResponseFuture};
use http::{HeaderMap, Request, StatusCode, header, response::Parts};
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

/// Who finds his deadline over for so long has stood still, with the machine or alone, and has read nothing of what
/// came meanwhile.
const STOOD_STILL: Duration = Duration::from_millis(500);

/// What a request carries: a part of its own, and a part that many requests share.
#[derive(Clone, Default)]
pub struct Body {
    /// What only this request has.
    pub own: Bytes,
    /// What every device of a notification gets; it comes after the own part.
    pub shared: Bytes,
}

/// How long a request is waited for: first it, then its answer.
///
/// Who waits long for a place has all of the time for the answer before him: a request that is cut soon after it was
/// sent may be acted on all the same, and is then made twice.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// It is begun before this moment, or not at all.
    pub start_by: Instant,
    /// So long its answer may take from then on.
    pub answer_within: Duration,
}

/// What the peer answered.
pub struct Reply {
    /// Its status.
    pub status: StatusCode,
    /// Its headers.
    pub headers: HeaderMap,
    /// Its body, at most 64 KiB of it.
    pub body: Bytes,
    /// Nothing of the body is missing, but what is above 64 KiB; what the status says was decided all the same.
    pub is_whole: bool,
    /// The connection it came over.
    pub(super) connection: Weak<Connection>,
}

/// Why there is no answer, not even its head.
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

    /// Sends one request and reads the answer, with so much patience.
    ///
    /// An answer whose body does not come, or not to its end, is an answer: its status was decided.
    ///
    /// A request that the peer certainly did not process is sent again on another connection, if it may still be
    /// begun. Of those who wait for a connection each owner gets a fair share.
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
        patience: Patience,
    ) -> Result<Reply, SendError> {
        let metrics = &self.shared.metrics;
        let Patience { start_by, answer_within } = patience;
        let mut ticket = None;
        let mut attempts = 0;
        loop {
            let place = self.place(owner, &mut ticket, start_by).await?;
            // The peer may have changed its mind while the place was handed over.
            if place.connection().is_overfull() {
                continue;
            }
            // Handed over at the very end: whoever asked counts on an end before long.
            let now = Instant::now();
            if now >= start_by {
                return Err(SendError::Crowded);
            }
            let mut deadline = now + answer_within;
            attempts += 1;
            if attempts > 1 {
                metrics.resent();
            }
            let mut asking = pin!(begin(&place, request, body));
            let mut begun = timeout_at(deadline, asking.as_mut()).await;
            if begun.is_err() && Instant::now() >= deadline + STOOD_STILL {
                // The answer may be there to be read, or the request still here to be sent: who called it lost would
                // have it made twice.
                deadline = Instant::now() + answer_within;
                begun = timeout_at(deadline, asking).await;
            }
            match begun {
                Ok(Err(SendError::Unprocessed))
                    if attempts < MAX_ATTEMPTS && Instant::now() < start_by => {}
                Ok(Err(error)) => return Err(error),
                Ok(Ok((head, incoming))) => {
                    metrics.answered(head.status);
                    if Instant::now() >= deadline + STOOD_STILL {
                        // The head was there at once, and so may the rest be.
                        deadline = Instant::now() + answer_within;
                    }
                    return Ok(finish(&place, head, incoming, deadline).await);
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

/// Sends the request and waits for the head of the answer.
async fn begin(
    place: &Place<'_>,
    request: &Request<()>,
    body: &Body,
) -> Result<(Parts, RecvStream), SendError> {
    // Up to here nothing of this request has been seen by the peer.
    let response = start(place.connection(), request, body).map_err(|error| {
        give_up(place, &error);
        SendError::Unprocessed
    })?;
    let answer = response.await.map_err(|error| failed(place, &error))?;
    place.prove();
    place.connection().answered();
    Ok(answer.into_parts())
}

/// Reads the body of the answer, as much of it as comes before `deadline`.
async fn finish(
    place: &Place<'_>,
    head: Parts,
    mut incoming: RecvStream,
    deadline: Instant,
) -> Reply {
    let mut body = BytesMut::new();
    let is_whole = match timeout_at(deadline, read(&mut incoming, &mut body)).await {
        Ok(Ok(())) => true,
        Ok(Err(error)) => {
            failed(place, &error);
            false
        }
        Err(_) => {
            place.connection().doubt();
            false
        }
    };
    let connection = Arc::downgrade(place.connection_handle());
    Reply { status: head.status, headers: head.headers, body: body.freeze(), is_whole, connection }
}

async fn read(incoming: &mut RecvStream, body: &mut BytesMut) -> Result<(), h2::Error> {
    while let Some(chunk) = incoming.data().await.transpose()? {
        // A refusal here means that the connection is gone, which the next read tells.
        let _ = incoming.flow_control().release_capacity(chunk.len());
        let room = MAX_REPLY_BYTES - body.len();
        body.extend_from_slice(&chunk[..chunk.len().min(room)]);
        if body.len() == MAX_REPLY_BYTES {
            break;
        }
    }
    Ok(())
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
