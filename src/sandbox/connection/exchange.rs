//! One request of a connection, from its body to the end of its answer.

use std::{future::poll_fn, pin::pin, task::Poll, time::Duration};

use bytes::{Bytes, BytesMut};
use h2::{Reason, RecvStream, server::SendResponse};
use http::{Request, Response, request::Parts};
use tokio::time::timeout;

use super::{reply::Reply, streams::Held};
use crate::sandbox::faults::Place;

/// Bodies of both services end at 4 or 5 KiB; what is longer than this is cut, and refused for its
/// length all the same.
pub(in crate::sandbox) const BODY_LIMIT: usize = 64 << 10;

/// How long a request's body may take to arrive.
const BODY_DEADLINE: Duration = Duration::from_secs(30);

/// The end of one exchange, as far as it concerns its connection.
pub(super) enum End {
    Done,
    Cut,
    Goaway { code: Reason, reason: String, held: Held },
}

pub(super) async fn exchange<A, F>(
    place: Place,
    request: Request<RecvStream>,
    mut respond: SendResponse<Bytes>,
    answer: &A,
) -> End
where
    A: Fn(Place, Parts, Bytes) -> F,
    F: Future<Output = Reply>,
{
    let (head, body) = request.into_parts();
    let Ok(Ok(body)) = timeout(BODY_DEADLINE, read(body)).await else {
        respond.send_reset(Reason::CANCEL);
        return End::Done;
    };
    let mut answering = pin!(answer(place, head, body));
    let answered = poll_fn(|context| match answering.as_mut().poll(context) {
        Poll::Ready(reply) => Poll::Ready(Some(reply)),
        // A client that stops waiting may open another stream in its place.
        Poll::Pending => respond.poll_reset(context).map(|_| None),
    });
    let response = match answered.await {
        None => return End::Done,
        Some(Reply::Answer(response)) => response,
        Some(Reply::Reset(code)) => {
            respond.send_reset(code);
            return End::Done;
        }
        Some(Reply::Cut) => return End::Cut,
        Some(Reply::Goaway { code, reason }) => {
            return End::Goaway { code, reason, held: Held { _body: None, respond } };
        }
        Some(Reply::Nothing) => {
            let _left = poll_fn(|context| respond.poll_reset(context)).await;
            return End::Done;
        }
    };
    let (head, body) = response.into_parts();
    let whole = body.is_empty();
    // A failure to answer means that the client has left, which is its good right.
    if let Ok(mut stream) = respond.send_response(Response::from_parts(head, ()), whole)
        && !whole
    {
        let _client_left = stream.send_data(body, true);
    }
    End::Done
}

/// Reads a body, without a copy when it comes in one frame, and not much beyond [`BODY_LIMIT`].
async fn read(mut body: RecvStream) -> Result<Bytes, h2::Error> {
    let Some(first) = body.data().await.transpose()? else { return Ok(Bytes::new()) };
    body.flow_control().release_capacity(first.len())?;
    if body.is_end_stream() {
        return Ok(first);
    }
    let mut whole = BytesMut::from(first);
    while whole.len() <= BODY_LIMIT
        && let Some(next) = body.data().await.transpose()?
    {
        body.flow_control().release_capacity(next.len())?;
        whole.extend_from_slice(&next);
    }
    Ok(whole.freeze())
}
