//! Answers one request as Google would.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use bytes::Bytes;
use http::{HeaderValue, Method, Response, header, request::Parts};
use tokio::time::sleep;

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
    sandbox::{counters::count, marker::Marker, request_log::remembered},
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
pub(super) async fn answer(world: &World, head: Parts, body: Bytes) -> Response<Bytes> {
    let path = head.uri.path();
    let project_id = path
        .strip_prefix("/v1/projects/")
        .and_then(|rest| rest.strip_suffix("/messages:send"))
        .filter(|project| !project.is_empty() && !project.contains('/'));
    let response = match project_id {
        _ if head.method != Method::POST => Refusal::from(ErrorCode::NOT_FOUND).response(),
        Some(project_id) => return send(world, &head, project_id, body).await,
        None if path == TOKEN_PATH => oauth::answer(world, &body),
        None => Refusal::from(ErrorCode::NOT_FOUND).response(),
    };
    pause(world.latency.now()).await;
    response
}

async fn send(world: &World, head: &Parts, project_id: &str, body: Bytes) -> Response<Bytes> {
    let now = world.clock.now();
    let Judged { token, validate_only, verdict } = judge(world, head, project_id, &body, now);
    let (status, error_code) = match &verdict {
        Ok(_) => {
            count(&world.counters.accepted);
            (200, None)
        }
        Err(refusal) => {
            world.counters.refuse(refusal.name.clone());
            (refusal.http_status, Some(refusal.name.clone()))
        }
    };
    world.log.note(|| FcmRequest {
        time: now,
        project_id: project_id.to_owned(),
        token,
        validate_only,
        body: remembered(body),
        status,
        error_code,
    });
    let after = *verdict.as_ref().unwrap_or(&Duration::ZERO);
    pause(after + world.latency.now()).await;
    match verdict {
        Ok(_) => accepted(project_id, validate_only, now),
        Err(refusal) => {
            let mut response = refusal.response();
            if matches!(status, 429 | 503)
                && let Some(seconds) = world.retry_after()
            {
                response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
            }
            response
        }
    }
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
            ask(&judged.token)
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
fn ask(token: &str) -> Result<Duration, Refusal> {
    let code = match Marker::find(token.as_bytes()) {
        None => return Ok(Duration::ZERO),
        Some(Marker::Slow) => return Ok(SLOW),
        Some(Marker::Dead) => ErrorCode::UNREGISTERED,
        Some(Marker::BadToken) => ErrorCode::INVALID_ARGUMENT,
        Some(Marker::NotForTopic) => ErrorCode::SENDER_ID_MISMATCH,
        Some(Marker::TooMany) => ErrorCode::QUOTA_EXCEEDED,
        Some(Marker::Oops) => ErrorCode::INTERNAL,
        Some(Marker::Unavailable) => ErrorCode::UNAVAILABLE,
        Some(Marker::Reason(name)) => match ErrorCode::from_name(name) {
            Some(code) => code,
            None => return Err(Refusal::unknown(name)),
        },
    };
    Err(code.into())
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

async fn pause(time: Duration) {
    if !time.is_zero() {
        sleep(time).await;
    }
}
