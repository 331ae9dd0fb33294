//! Answers one request as Apple would.

use std::{
    borrow::Cow,
    sync::{Arc, OnceLock},
    time::Duration,
};

use bytes::Bytes;
use http::{HeaderValue, Response, StatusCode, header, request::Parts};

use super::{
    World,
    provider_token::ProviderToken,
    reason::Reason,
    request::{ApnsRequest, Fate},
    rules::{self, APNS_ID},
};
use crate::{
    clock::Timestamp,
    sandbox::{
        connection::{Reply, StreamLimit, Wanted},
        counters::count,
        faults::{Act, Outage, Place, date},
        marker::Marker,
    },
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

/// Judges a request, remembers it, and answers it when its time has come, if it is to be answered.
pub(super) async fn answer(
    world: &World,
    client: &Client,
    place: Place,
    head: Parts,
    body: Bytes,
) -> Reply {
    let now = world.common.faults.now(&world.clock);
    let id = head.headers.get(APNS_ID).cloned();
    let outage = match world.common.faults.outage() {
        Some(Outage::ServiceUnavailable) => Some(Reason::ServiceUnavailable),
        Some(Outage::InternalServerError) => Some(Reason::InternalServerError),
        Some(Outage::Refuse | Outage::Silence) | None => None,
    };
    let act = if outage.is_some() {
        Act::Answer
    } else {
        let device = rules::device_token(&head).unwrap_or_default();
        world.common.faults.act(place, device, id.as_ref().and_then(|id| id.to_str().ok()))
    };
    let wanted = match Wanted::of(act) {
        Ok(wanted) => wanted,
        Err(reply) => return *reply,
    };
    let mut authenticated = false;
    let verdict = match outage {
        Some(reason) => reason.into(),
        None => judge(world, client, &head, &body, now, &mut authenticated),
    };
    let verdict = match (verdict, wanted.refusal) {
        (Verdict::Accepted { .. }, Some(name)) => refused_for(&name),
        (verdict, _) => verdict,
    };
    let (status, reason, after) = match verdict {
        Verdict::Accepted { after } => (200, None, after),
        Verdict::Refused { status, reason } => (status, Some(reason), Duration::ZERO),
    };
    match &reason {
        None => count(&world.common.counters.accepted),
        Some(reason) => world.common.counters.refuse(reason.clone()),
    }
    world.common.log.note(|| {
        let fate = Fate {
            time: now,
            connection: place.connection,
            status,
            reason: reason.clone(),
            is_answer_lost: wanted.loss.is_some(),
        };
        ApnsRequest::new(fate, head, &body, world.common.log_bodies)
    });

    world.common.faults.pause(after + wanted.delay).await;
    if authenticated {
        client.limit.authenticate();
    }
    if let Some(loss) = wanted.loss {
        return loss;
    }
    let gone_at = world.common.faults.gone_at().unwrap_or(now);
    let mut response =
        respond(id.unwrap_or_else(|| new_id(world)), status, reason.as_deref(), gone_at);
    let headers = response.headers_mut();
    headers.insert(header::DATE, date(world.common.faults.now(&world.clock)));
    if let Some(time) = world.common.faults.retry_after(status) {
        headers.insert(header::RETRY_AFTER, time);
    }
    Reply::Answer(response)
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
        Some(Marker::Reason(name)) => return refused_for(name),
    };
    reason.into()
}

/// A refusal for the reason of this name; one of no table is answered as it stands.
fn refused_for(name: &str) -> Verdict {
    match Reason::from_name(name) {
        Some(reason) => reason.into(),
        None => Verdict::Refused { status: 400, reason: Cow::Owned(name.to_owned()) },
    }
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
