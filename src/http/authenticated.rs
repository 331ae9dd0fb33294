//! The way of every request to an endpoint that only registered servers may use.
//!
//! Method, authentication, limit, note of the time, body, endpoint: in this order, as in the reference.

use std::{future::Future, sync::Arc, time::Duration};

use axum::{body::Body, extract::Request};
use bytes::Bytes;
use http::{Method, request::Parts};
use tokio::time::{Instant, sleep};
use uuid::Uuid;

use super::{
    Answer, ApiError, Parameters, Success,
    answer::{options, set_limit_headers, set_private_headers},
    authentication::authenticate,
    body::{IncomingBody, ReceivedBody},
    client_address::client_address,
    parameters::is_form,
};
use crate::{
    app::App,
    domain::remote_server::RemoteServer,
    metrics::{RateLimitDecision, RateLimitLabels, RateLimitName},
    rate_limit::Decision,
    shared_state::Away,
};

/// So much of a form is read before authentication, to find a field `method` in it.
const MAX_UNAUTHENTICATED_BYTES: usize = 64 * 1024;

/// For so long; what has not come by then is judged without.
const STRANGER_PATIENCE: Duration = Duration::from_secs(2);

/// Which methods an endpoint has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Allowed {
    Post,
    Get,
}

/// What is to be known of an endpoint before it is called.
#[derive(Clone, Copy, Debug)]
pub struct Endpoint {
    allowed: Allowed,
    is_upload: bool,
    parameters: &'static [&'static str],
}

/// A request of a registered server.
pub struct AuthenticatedRequest {
    /// The server.
    pub server: Arc<RemoteServer>,
    /// Parameters of the query, and of the body where it is a form.
    pub parameters: Parameters,
    /// The body as it came.
    pub body: Bytes,
}

impl Endpoint {
    /// An endpoint with `POST` and these parameters, besides what its JSON body may hold.
    #[must_use]
    pub const fn post(parameters: &'static [&'static str]) -> Self {
        Self { allowed: Allowed::Post, is_upload: false, parameters }
    }

    /// An endpoint with `POST` for uploads of statistics: 25 MiB, and more time.
    #[must_use]
    pub const fn upload(parameters: &'static [&'static str]) -> Self {
        Self { allowed: Allowed::Post, is_upload: true, parameters }
    }

    /// An endpoint with `GET`, and with it `HEAD`.
    #[must_use]
    pub const fn get() -> Self {
        Self { allowed: Allowed::Get, is_upload: false, parameters: &[] }
    }

    fn methods(self) -> &'static [&'static str] {
        match self.allowed {
            Allowed::Post => &["POST"],
            Allowed::Get => &["GET", "HEAD"],
        }
    }
}

/// Answers one request to an endpoint for registered servers.
pub async fn authenticated<H, F>(
    app: Arc<App>,
    request: Request,
    endpoint: Endpoint,
    handle: H,
) -> Answer
where
    H: FnOnce(AuthenticatedRequest, Arc<App>) -> F,
    F: Future<Output = Result<Success, ApiError>>,
{
    let config = &app.config.http;
    let (limit, body_time) = match endpoint.is_upload {
        // An upload may take most of its time to arrive.
        true => (config.max_upload_bytes, config.analytics_timeout / 2),
        false => (config.max_body_bytes, config.body_timeout),
    };
    let (parts, body) = request.into_parts();
    let deadline = Instant::now() + body_time;
    let mut body = IncomingBody::new(body, &parts.headers, limit, deadline);
    let mut learnt = Learnt::default();
    let mut answer = match serve(&app, &parts, &mut body, endpoint, &mut learnt, handle).await {
        Ok(answer) => answer,
        Err(error) => {
            // Who is still sending would not read why he is refused.
            body.discard_some().await;
            error.into_answer()
        }
    };
    let headers = answer.headers_mut();
    set_private_headers(headers);
    if let Some(decision) = learnt.decision {
        let limiter = &app.server_limiter;
        let policy = (limiter.limit(), limiter.window_seconds());
        set_limit_headers(headers, decision, policy, app.clock.now().unix_seconds());
    }
    if let Some(server) = learnt.server {
        answer.extensions_mut().insert(Requester(server));
    }
    if parts.method == Method::HEAD {
        *answer.body_mut() = Body::empty();
    }
    answer
}

/// Who made a request; the answer carries it to whoever logs.
#[derive(Clone, Copy, Debug)]
pub struct Requester(pub Uuid);

/// What is known of a request also when it is refused.
#[derive(Default)]
struct Learnt {
    server: Option<Uuid>,
    decision: Option<Decision>,
}

async fn serve<H, F>(
    app: &Arc<App>,
    parts: &Parts,
    body: &mut IncomingBody,
    endpoint: Endpoint,
    learnt: &mut Learnt,
    handle: H,
) -> Result<Answer, ApiError>
where
    H: FnOnce(AuthenticatedRequest, Arc<App>) -> F,
    F: Future<Output = Result<Success, ApiError>>,
{
    let method = effective_method(app, parts, body).await?;
    if method == "OPTIONS" {
        return Ok(options(endpoint.methods()));
    }
    if !endpoint.methods().contains(&method.as_str()) {
        return Err(ApiError::MethodNotAllowed(endpoint.methods()));
    }
    let address = client_address(parts, app)?;
    let server = authenticate(app, &parts.headers, address).await?;
    learnt.server = Some(server.uuid);
    let decision = limit(app, &server).await?;
    learnt.decision = Some(decision);
    if let Decision::Refused { retry_after, .. } = decision {
        return Err(ApiError::RateLimited(retry_after));
    }
    app.registry.touch_server(server.id);
    let (upload, memory) = match endpoint.is_upload {
        true => {
            let upload = app.uploads.take(server.id).ok_or(ApiError::Overloaded)?;
            (Some(upload), &app.upload_memory)
        }
        false => (None, &app.body_memory),
    };
    let received = body.all(memory, server.id).await;
    let ReceivedBody { bytes: body, place } = received.map_err(|error| match error {
        // A chat server gives up for good at a 4xx, and takes an upload's for the end of all pushes.
        ApiError::BodyTimeout => ApiError::Timeout,
        other => other,
    })?;
    let working = app.in_flight.try_acquire().map_err(|_| ApiError::Overloaded)?;
    let parameters = Parameters::read(&parts.headers, parts.uri.query(), &body).await;
    let ignored = parameters.other_than(endpoint.parameters);
    let success =
        handle(AuthenticatedRequest { server, parameters, body }, Arc::clone(app)).await?;
    drop((working, place, upload));
    Ok(success.into_answer(&ignored))
}

/// The method of the request, or the one that a form's field `method` asks for: a habit of Zulip's. Nobody
/// knows yet who asks, so few forms of one address are read here, and not for long.
async fn effective_method(
    app: &App,
    parts: &Parts,
    body: &mut IncomingBody,
) -> Result<String, ApiError> {
    let posted = parts.method.as_str().to_owned();
    if parts.method != Method::POST || !is_form(&parts.headers) {
        return Ok(posted);
    }
    let Some(_share) = app.stranger_forms.take(client_address(parts, app)?) else {
        return Ok(posted);
    };
    let until = Instant::now() + STRANGER_PATIENCE;
    let beginning = body.beginning(MAX_UNAUTHENTICATED_BYTES, until).await?;
    let form = Parameters::read(&parts.headers, None, &Bytes::copy_from_slice(beginning)).await;
    Ok(form.optional("method").map_or(posted, str::to_owned))
}

/// Takes the server's limit into account: a request that is one too many for a moment waits for it.
async fn limit(app: &App, server: &RemoteServer) -> Result<Decision, ApiError> {
    let decided =
        app.server_limiter.check(server.id).await.map_err(|Away| ApiError::Unavailable)?;
    let decision = match decided {
        Decision::Allowed { delay: Duration::ZERO, .. } => RateLimitDecision::Allowed,
        Decision::Allowed { delay, .. } => {
            sleep(delay).await;
            RateLimitDecision::Delayed
        }
        Decision::Refused { .. } => RateLimitDecision::Rejected,
    };
    let labels = RateLimitLabels { limit: RateLimitName::Server, decision };
    app.metrics.rate_limit_decisions.get_or_create(&labels).inc();
    Ok(decided)
}
