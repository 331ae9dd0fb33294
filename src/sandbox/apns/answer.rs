//! Answers one request as Apple would.

use std::{
    borrow::Cow,
    sync::{Arc, OnceLock},
    time::Duration,
};

use bytes::Bytes;
use http::{HeaderValue, Response, StatusCode, header, request::Parts};
use tokio::time::sleep;

use super::{
    World,
    provider_token::ProviderToken,
    reason::Reason,
    request::ApnsRequest,
    rules::{self, APNS_ID},
};
use crate::{
    clock::Timestamp,
    sandbox::{connection::StreamLimit, counters::count, marker::Marker},
};

/// How long a device marked `slow` takes.
const SLOW: Duration = Duration::from_secs(2);

/// What one connection has shown of its client.
pub(super) struct Client {
    /// Whether it presented a certificate of the sandbox's authority.
    pub(super) certificate: bool,
    /// The first token that was good: the connection belongs to its team and key.
    pub(super) first_token: OnceLock<Arc<ProviderToken>>,
    /// Rises with the first authenticated request.
    pub(super) limit: StreamLimit,
}

/// What a device makes of a notification.
enum Verdict {
    Accepted { after: Duration },
    Refused { status: u16, reason: Cow<'static, str> },
}

impl From<Reason> for Verdict {
    fn from(reason: Reason) -> Self {
        Self::Refused { status: reason.status(), reason: Cow::Borrowed(reason.name()) }
    }
}

/// Judges a request, remembers it, and answers it when its time has come.
pub(super) async fn answer(
    world: &World,
    client: &Client,
    head: Parts,
    body: Bytes,
) -> Response<Bytes> {
    let now = world.clock.now();
    let id = head.headers.get(APNS_ID).cloned().unwrap_or_else(|| new_id(world));
    let mut authenticated = false;
    let verdict = judge(world, client, &head, &body, now, &mut authenticated);
    let (status, reason, after) = match verdict {
        Verdict::Accepted { after } => (200, None, after),
        Verdict::Refused { status, reason } => (status, Some(reason), Duration::ZERO),
    };
    match &reason {
        None => count(&world.counters.accepted),
        Some(reason) => world.counters.refuse(reason.clone()),
    }
    world.log.note(|| ApnsRequest::new(now, head, body, status, reason.clone()));

    let after = after + world.latency.now();
    if !after.is_zero() {
        sleep(after).await;
    }
    if authenticated {
        client.limit.authenticate();
    }
    respond(id, status, reason.as_deref(), now)
}

fn judge(
    world: &World,
    client: &Client,
    head: &Parts,
    body: &[u8],
    now: Timestamp,
    authenticated: &mut bool,
) -> Verdict {
    let mut device = || -> Result<Vec<u8>, Reason> {
        let token = rules::device_token(head)?;
        authenticate(world, client, head, now)?;
        *authenticated = true;
        rules::check_headers(&head.headers, &world.topics)?;
        let device = rules::decode_token(token)?;
        rules::check_payload(&head.headers, body)?;
        Ok(device)
    };
    match device() {
        Ok(device) => ask(&device),
        Err(reason) => reason.into(),
    }
}

fn authenticate(
    world: &World,
    client: &Client,
    head: &Parts,
    now: Timestamp,
) -> Result<(), Reason> {
    let Some(authorization) = head.headers.get(header::AUTHORIZATION) else {
        return if client.certificate { Ok(()) } else { Err(Reason::MissingProviderToken) };
    };
    let token = world.provider_tokens.judge(authorization, now)?;
    let first = client.first_token.get_or_init(|| Arc::clone(&token));
    // One connection serves one team, and keys related to the first one's: here only that very key.
    if first.team_id != token.team_id {
        return Err(Reason::InvalidProviderToken);
    }
    if first.key_id != token.key_id {
        return Err(Reason::UnrelatedKeyIdInToken);
    }
    Ok(())
}

/// What the device of this token does, by the words in it.
fn ask(device: &[u8]) -> Verdict {
    let reason = match Marker::find(device) {
        None => return Verdict::Accepted { after: Duration::ZERO },
        Some(Marker::Slow) => return Verdict::Accepted { after: SLOW },
        Some(Marker::Dead) => Reason::Unregistered,
        Some(Marker::BadToken) => Reason::BadDeviceToken,
        Some(Marker::NotForTopic) => Reason::DeviceTokenNotForTopic,
        Some(Marker::TooMany) => Reason::TooManyRequests,
        Some(Marker::Oops) => Reason::InternalServerError,
        Some(Marker::Unavailable) => Reason::ServiceUnavailable,
        Some(Marker::Reason(name)) => match Reason::from_name(name) {
            Some(reason) => reason,
            None => return Verdict::Refused { status: 400, reason: Cow::Owned(name.to_owned()) },
        },
    };
    reason.into()
}

fn respond(id: HeaderValue, status: u16, reason: Option<&str>, time: Timestamp) -> Response<Bytes> {
    let body = match reason {
        None => Bytes::new(),
        // "The time, in milliseconds since Epoch, at which APNs confirmed the token was no longer
        // valid for the topic. This key is included only when the error in the :status field is
        // 410."
        Some(reason) if status == 410 => {
            let time = time.unix_millis();
            format!(r#"{{"reason":"{reason}","timestamp":{time}}}"#).into()
        }
        Some(reason) => format!(r#"{{"reason":"{reason}"}}"#).into(),
    };
    let mut response = Response::new(body);
    *response.status_mut() =
        StatusCode::from_u16(status).expect("the table of reasons holds valid statuses");
    response.headers_mut().insert(APNS_ID, id);
    response
}

fn new_id(world: &World) -> HeaderValue {
    let id = world.random.uuid().to_string();
    HeaderValue::from_str(&id).expect("a UUID is hexadecimal digits and hyphens")
}
