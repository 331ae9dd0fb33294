//! The way of every request to an endpoint that anybody may use.

use std::{future::Future, sync::Arc};

use axum::extract::Request;
use http::Method;
use tokio::time::Instant;

use super::{
    Answer, ApiError, Parameters, Success, body::IncomingBody, client_address::client_address,
};
use crate::{
    app::App,
    domain::address::AddressKey,
    metrics::{RateLimitDecision, RateLimitLabels, RateLimitName},
};

/// A form of strangers is no longer than this.
const MAX_BODY_BYTES: usize = 64 * 1024;

/// What is to be known of an endpoint before it is called.
#[derive(Clone, Copy, Debug)]
pub struct OpenEndpoint {
    post_only: bool,
    parameters: &'static [&'static str],
}

/// A request of anybody.
pub struct OpenRequest {
    /// Its parameters, of the body or of the query.
    pub parameters: Parameters,
    /// Who makes it, as limits see it.
    pub address: AddressKey,
}

impl OpenEndpoint {
    /// An endpoint with `POST` and these parameters.
    #[must_use]
    pub const fn post(parameters: &'static [&'static str]) -> Self {
        Self { post_only: true, parameters }
    }

    /// An endpoint that takes every method, as the reference has one.
    #[must_use]
    pub const fn any_method(parameters: &'static [&'static str]) -> Self {
        Self { post_only: false, parameters }
    }
}

/// Answers one request to an endpoint that anybody may use.
pub async fn open<H, F>(
    app: Arc<App>,
    request: Request,
    endpoint: OpenEndpoint,
    handle: H,
) -> Answer
where
    H: FnOnce(OpenRequest, Arc<App>) -> F,
    F: Future<Output = Result<Success, ApiError>>,
{
    match serve(&app, request, endpoint, handle).await {
        Ok(answer) => answer,
        Err(error) => error.into_answer(),
    }
}

async fn serve<H, F>(
    app: &Arc<App>,
    request: Request,
    endpoint: OpenEndpoint,
    handle: H,
) -> Result<Answer, ApiError>
where
    H: FnOnce(OpenRequest, Arc<App>) -> F,
    F: Future<Output = Result<Success, ApiError>>,
{
    let (parts, body) = request.into_parts();
    if endpoint.post_only && parts.method != Method::POST {
        return Err(ApiError::MethodNotAllowed(&["POST"]));
    }
    let address = client_address(&parts, app)?;
    check_address(app, address)?;
    let deadline = Instant::now() + app.config.http.body_timeout;
    let limit = MAX_BODY_BYTES.min(app.config.http.max_body_bytes);
    let mut body = IncomingBody::new(body, &parts.headers, limit, deadline);
    let body = body.all_of_small().await?;
    let _working = app.in_flight.try_acquire().map_err(|_| ApiError::Overloaded)?;
    let parameters = Parameters::read(&parts.headers, parts.uri.query(), &body).await;
    let ignored = parameters.other_than(endpoint.parameters);
    let success = handle(OpenRequest { parameters, address }, Arc::clone(app)).await?;
    Ok(success.into_answer(&ignored))
}

/// Holds strangers to the limit of their address.
pub(super) fn check_address(app: &App, address: AddressKey) -> Result<(), ApiError> {
    let checked = app.address_limiter.check(address);
    let decision = match checked {
        Ok(()) => RateLimitDecision::Allowed,
        Err(_) => RateLimitDecision::Rejected,
    };
    let labels = RateLimitLabels { limit: RateLimitName::Ip, decision };
    app.metrics.rate_limit_decisions.get_or_create(&labels).inc();
    checked.map_err(ApiError::TooManyRequests)
}
