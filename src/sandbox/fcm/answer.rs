//! Answers one request as Google would.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use bytes::Bytes;
use http::{HeaderValue, Method, Response, header, request::Parts};

use super::{
    World,
    access_tokens::TokenFault,
    error_code::{ErrorCode, Refusal, json_response},
    message::SendRequest,
    oauth,
    request::FcmRequest,
};
use crate::{
    clock::Timestamp,
    sandbox::{
        connection::{Reply, Wanted},
        counters::count,
        faults::{Act, Outage, Place, date},
        marker::Marker,
        request_log::remembered,
    },
};

/// How long a device marked `slow` takes.
const SLOW: Duration = Duration::from_secs(2);

/// The path of the token endpoint.
pub(super) const TOKEN_PATH: &str = "/token";

/// Tells messages of one millisecond apart.
static MESSAGES: AtomicU64 = AtomicU64::new(0);

/// A message that was looked at.
struct Judged {
    token: String,
    validate_only: bool,
    verdict: Result<Duration, Refusal>,
}

/// Sends a request to the token endpoint or to the message endpoint.
pub(super) async fn answer(world: &World, place: Place, head: Parts, body: Bytes) -> Reply {
    let path = head.uri.path();
    let project_id = path
        .strip_prefix("/v1/projects/")
        .and_then(|rest| rest.strip_suffix("/messages:send"))
        .filter(|project| !project.is_empty() && !project.contains('/'));
    let reply = match project_id {
        _ if head.method != Method::POST => not_found(world).await,
        Some(project_id) => send(world, place, &head, project_id, body).await,
        None if path == TOKEN_PATH => match oauth::answer(world, &body).await {
            Some(response) => {
                world.common.faults.pause(Duration::ZERO).await;
                Reply::Answer(response)
            }
            None => Reply::Nothing,
        },
        None => not_found(world).await,
    };
    match reply {
        Reply::Answer(mut response) => {
            let headers = response.headers_mut();
            headers.insert(header::DATE, date(world.common.faults.now(&world.clock)));
            Reply::Answer(response)
        }
        other => other,
    }
}

async fn not_found(world: &World) -> Reply {
    world.common.faults.pause(Duration::ZERO).await;
    Reply::Answer(Refusal::from(ErrorCode::NOT_FOUND).response())
}

async fn send(world: &World, place: Place, head: &Parts, project_id: &str, body: Bytes) -> Reply {
    let now = world.common.faults.now(&world.clock);
    let outage = match world.common.faults.outage() {
        Some(Outage::ServiceUnavailable) => Some(ErrorCode::UNAVAILABLE),
        Some(Outage::InternalServerError) => Some(ErrorCode::INTERNAL),
        Some(Outage::Refuse | Outage::Silence) | None => None,
    };
    let act = if outage.is_some() {
        Act::Answer
    } else {
        let request = SendRequest::parse(&body).ok();
        let device = request.as_ref().and_then(|request| request.message.token.as_deref());
        world.common.faults.act(place, device.unwrap_or_default(), None)
    };
    let wanted = match Wanted::of(act) {
        Ok(wanted) => wanted,
        Err(reply) => return *reply,
    };
    let Judged { token, validate_only, mut verdict } = judge(world, head, project_id, &body, now);
    if let Some(code) = outage {
        verdict = Err(code.into());
    } else if let Some(name) = &wanted.refusal {
        verdict = verdict.and_then(|_| Err(refused_for(name)));
    }
    let (status, error_code) = match &verdict {
        Ok(_) => {
            count(&world.common.counters.accepted);
            (200, None)
        }
        Err(refusal) => {
            world.common.counters.refuse(refusal.name.clone());
            (refusal.http_status, Some(refusal.name.clone()))
        }
    };
    world.common.log.note(|| FcmRequest {
        time: now,
        connection: place.connection,
        project_id: project_id.to_owned(),
        token,
        validate_only,
        body: if world.common.log_bodies { remembered(&body) } else { Bytes::new() },
        status,
        error_code,
        is_answer_lost: wanted.loss.is_some(),
    });
    let after = *verdict.as_ref().unwrap_or(&Duration::ZERO);
    world.common.faults.pause(after + wanted.delay).await;
    if let Some(loss) = wanted.loss {
        return loss;
    }
    let mut response = match verdict {
        Ok(_) => accepted(project_id, validate_only, now),
        Err(refusal) => refusal.response(),
    };
    if let Some(time) = world.common.faults.retry_after(status) {
        response.headers_mut().insert(header::RETRY_AFTER, time);
    }
    Reply::Answer(response)
}

fn judge(world: &World, head: &Parts, project_id: &str, body: &[u8], now: Timestamp) -> Judged {
    let mut judged =
        Judged { token: String::new(), validate_only: false, verdict: Ok(Duration::ZERO) };
    judged.verdict = authorize(world, head, project_id, now)
        .and_then(|()| SendRequest::parse(body))
        .and_then(|request| {
            judged.validate_only = request.validate_only;
            judged.token = request.message.token.as_deref().unwrap_or_default().to_owned();
            request.message.check()?;
            ask(&judged.token, project_id)
        });
    judged
}

fn authorize(world: &World, head: &Parts, project_id: &str, now: Timestamp) -> Result<(), Refusal> {
    let authorization = head.headers.get(header::AUTHORIZATION).map(HeaderValue::as_bytes);
    let own = world.access_tokens.project_of(authorization, now).map_err(|fault: TokenFault| {
        Refusal::from(ErrorCode::UNAUTHENTICATED).because(fault.reason())
    })?;
    if *own == *project_id {
        return Ok(());
    }
    // Of a project that exists Google says that we may not send for it; of others that there is
    // none, and without the detail that would speak of a device.
    let exists = world.accounts.iter().any(|account| account.project_id() == project_id);
    let code = if exists { ErrorCode::PERMISSION_DENIED } else { ErrorCode::NOT_FOUND };
    Err(code.into())
}

/// What the device of this token does, by the words in it: accept after a while, or refuse.
fn ask(token: &str, project_id: &str) -> Result<Duration, Refusal> {
    if project_of(token).is_some_and(|project| project != project_id) {
        return Err(ErrorCode::SENDER_ID_MISMATCH.into());
    }
    let code = match Marker::find(token.as_bytes()) {
        None => return Ok(Duration::ZERO),
        Some(Marker::Slow) => return Ok(SLOW),
        Some(Marker::Dead) => ErrorCode::UNREGISTERED,
        Some(Marker::BadToken) => ErrorCode::INVALID_ARGUMENT,
        Some(Marker::NotForTopic) => ErrorCode::SENDER_ID_MISMATCH,
        Some(Marker::TooMany) => ErrorCode::QUOTA_EXCEEDED,
        Some(Marker::Oops) => ErrorCode::INTERNAL,
        Some(Marker::Unavailable) => ErrorCode::UNAVAILABLE,
        Some(Marker::Reason(name)) => return Err(refused_for(name)),
    };
    Err(code.into())
}

/// The project that a token says it belongs to: `…@project`, up to the next character that no
/// project's id has. A real registration token has no `@`, and belongs to any project here.
fn project_of(token: &str) -> Option<&str> {
    let (_, rest) = token.rsplit_once('@')?;
    let ends = rest.find(|letter: char| !(letter.is_ascii_alphanumeric() || letter == '-'));
    Some(&rest[..ends.unwrap_or(rest.len())]).filter(|project| !project.is_empty())
}

/// A refusal with the error code of this name; one of no table is answered as it stands.
fn refused_for(name: &str) -> Refusal {
    if name == ErrorCode::INVALID_ARGUMENT.name {
        // The other form of it: "an extension of type google.rpc.BadRequest is returned to specify
        // which field was invalid."
        return Refusal::message("message.token", "Invalid registration token".to_owned());
    }
    if let Some(("INVALID_ARGUMENT", field)) = name.split_once(':') {
        return Refusal::message(field, format!("Invalid value at '{field}'"));
    }
    ErrorCode::from_name(name).map_or_else(|| Refusal::unknown(name), Refusal::from)
}

fn accepted(project_id: &str, validate_only: bool, now: Timestamp) -> Response<Bytes> {
    let id = if validate_only {
        "fake_message_id".to_owned()
    } else {
        let number = MESSAGES.fetch_add(1, Ordering::Relaxed);
        format!("0:{}%{number:016x}", now.unix_millis())
    };
    json_response(200, format!(r#"{{"name":"projects/{project_id}/messages/{id}"}}"#))
}
