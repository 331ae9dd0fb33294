//! The table: which path is which endpoint, and who may use it; and what is true of every request.

use std::{
    any::Any,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use axum::{Router, extract::Request, routing::any};
use http::{Method, Uri, Version, header, uri::PathAndQuery};
use tokio::time::{Instant, timeout};
use tower::ServiceExt as _;
use tower_http::catch_panic::CatchPanicLayer;
use tracing::field;

use crate::{
    app::App,
    endpoints::{push, server},
    http::{Answer, ApiError, Requester, authenticated, open, page},
    metrics::{RejectedLabels, RejectedReason, RequestDurationLabels, RequestLabels},
    pages::billing_login,
};

/// Paths and queries are no longer than this: the reference's proxy takes 8 KiB.
const MAX_URI_BYTES: usize = 8 * 1024;

/// The path whose requests have more time.
const UPLOAD: &str = "/api/v1/remotes/server/analytics";

/// The paths of the table.
type Paths = &'static [&'static str];

/// The page that a link leads to; what stands in the path is a secret, and never a label.
const LOGIN_PAGE: &str = "/remote-billing-login/{token}";

/// What a path that is none of ours counts as.
const UNMATCHED: &str = "unmatched";

/// Builds the table and the list of its paths.
macro_rules! table {
    ($app:expr, $($path:literal => $way:ident $endpoint:path;)+) => {{
        const PATHS: Paths = &[$($path),+];
        let mut router = Router::new();
        $(
            let app = Arc::clone(&$app);
            router = router.route($path, any(move |request: Request| {
                use $endpoint as endpoint;
                $way(Arc::clone(&app), request, endpoint::ENDPOINT, endpoint::handle)
            }));
        )+
        (router, PATHS)
    }};
}

/// Everything chat servers can ask for.
pub fn public(app: Arc<App>) -> Router {
    let (table, paths) = table! { app,
        "/api/v1/remotes/push/register" => authenticated push::register;
        "/api/v1/remotes/push/unregister" => authenticated push::unregister;
        "/api/v1/remotes/push/unregister/all" => authenticated push::unregister_all;
        "/api/v1/remotes/push/notify" => authenticated push::notify;
        "/api/v1/remotes/push/test_notification" => authenticated push::test_notification;
        "/api/v1/remotes/push/e2ee/register" => authenticated push::e2ee::register;
        "/api/v1/remotes/push/e2ee/notify" => authenticated push::e2ee::notify;
        "/api/v1/remotes/server/register" => open server::register;
        "/api/v1/remotes/server/register/transfer" => open server::transfer;
        "/api/v1/remotes/server/register/verify_challenge" => open server::verify_challenge;
        "/api/v1/remotes/server/deactivate" => authenticated server::deactivate;
        "/api/v1/remotes/server/analytics" => authenticated server::analytics;
        "/api/v1/remotes/server/analytics/status" => authenticated server::analytics_status;
        "/api/v1/remotes/server/billing" => authenticated server::billing;
    };
    let page_app = Arc::clone(&app);
    let table = table
        .route(
            LOGIN_PAGE,
            any(move |request: Request| {
                page(page_app, request, billing_login::PATH, billing_login::handle)
            }),
        )
        .fallback(async || ApiError::NotFound.into_answer())
        .layer(CatchPanicLayer::custom(|_: Box<dyn Any + Send>| ApiError::Internal.into_answer()));
    Router::new().fallback(move |request: Request| {
        let (app, table) = (Arc::clone(&app), table.clone());
        async move { observe(&app, table, paths, request).await }
    })
}

/// Answers one request within its time, and notes that it was answered.
async fn observe(app: &Arc<App>, table: Router, paths: Paths, mut request: Request) -> Answer {
    let is_too_long = uri_length(request.uri()) > MAX_URI_BYTES;
    collapse_slashes(request.uri_mut());
    let route = route(paths, request.uri().path());
    let observed = Arc::new(Observed {
        route: route.unwrap_or(UNMATCHED),
        method: known_method(request.method()),
        began: Instant::now(),
        is_noted: AtomicBool::new(false),
    });
    if is_too_long {
        return observed.note(app, ApiError::UriTooLong.into_answer());
    }
    if !is_well_formed(&request) {
        return observed.note(app, ApiError::Malformed.into_answer());
    }
    // A task of its own: when the caller hangs up, what was begun is ended all the same, so that memory
    // and database agree. Its own waits are bounded; the caller's patience is bounded here.
    let (worked_on, observing) = (Arc::clone(app), Arc::clone(&observed));
    let work = app.requests.spawn(async move {
        worked_on.metrics.http_requests_in_flight.inc();
        let answer = match table.oneshot(request).await {
            Ok(answer) => answer,
            Err(never) => match never {},
        };
        worked_on.metrics.http_requests_in_flight.dec();
        observing.note(&worked_on, answer)
    });
    let config = &app.config.http;
    let patience =
        if observed.route == UPLOAD { config.analytics_timeout } else { config.request_timeout };
    match timeout(patience, work).await {
        Ok(Ok(answer)) => answer,
        Ok(Err(_)) => observed.note(app, ApiError::Internal.into_answer()),
        Err(_) => observed.note(app, ApiError::Timeout.into_answer()),
    }
}

fn route(paths: Paths, path: &str) -> Option<&'static str> {
    if path.starts_with(billing_login::PATH) {
        return Some(LOGIN_PAGE);
    }
    paths.iter().find(|known| **known == path).copied()
}

/// One request, as metrics and log see it.
struct Observed {
    route: &'static str,
    method: &'static str,
    began: Instant,
    /// Set by whoever answers first: the work, or the end of the caller's patience.
    is_noted: AtomicBool,
}

impl Observed {
    fn note(&self, app: &App, answer: Answer) -> Answer {
        if self.is_noted.swap(true, Ordering::AcqRel) {
            return answer;
        }
        let Self { route, method, .. } = *self;
        let (status, took) = (answer.status(), self.began.elapsed());
        let labels = RequestLabels { route, method, code: status.as_u16() };
        app.metrics.http_requests.get_or_create(&labels).inc();
        let duration =
            app.metrics.http_request_duration.get_or_create(&RequestDurationLabels { route });
        duration.observe(took.as_secs_f64());
        let refusal = answer.extensions().get::<RejectedReason>().copied();
        if let Some(reason) = refusal {
            app.metrics.requests_rejected.get_or_create(&RejectedLabels { reason }).inc();
        }
        // The query is never logged: old servers put their key there.
        let server =
            answer.extensions().get::<Requester>().map(|requester| field::display(requester.0));
        let (code, duration_ms, reason) =
            (status.as_u16(), took.as_millis(), refusal.map(field::debug));
        if status.is_server_error() {
            tracing::warn!(
                event = "request.failed",
                route,
                code,
                duration_ms,
                server,
                reason,
                "a request failed"
            );
        } else if status.is_client_error() && server.is_some() {
            tracing::info!(
                event = "request.refused",
                route,
                code,
                duration_ms,
                server,
                reason,
                "a request was refused"
            );
        } else {
            tracing::debug!(
                event = "request.done",
                route,
                code,
                duration_ms,
                server,
                reason,
                "a request was answered"
            );
        }
        answer
    }
}

/// A closed set: methods are free text on the wire.
fn known_method(method: &Method) -> &'static str {
    match method.as_str() {
        "GET" => "GET",
        "HEAD" => "HEAD",
        "POST" => "POST",
        "OPTIONS" => "OPTIONS",
        "PUT" => "PUT",
        "PATCH" => "PATCH",
        "DELETE" => "DELETE",
        _ => "other",
    }
}

/// Exactly one host, as RFC 9112 section 3.2 wants it of HTTP/1.1: a proxy in front may have read another
/// one than we do. (Of two lengths hyper takes the one that counts, and closes the connection.)
fn is_well_formed(request: &Request) -> bool {
    let hosts = request.headers().get_all(header::HOST).iter().count();
    hosts == 1 || request.version() != Version::HTTP_11 && hosts == 0
}

fn uri_length(uri: &Uri) -> usize {
    uri.path_and_query().map_or(0, |path| path.as_str().len())
}

/// Two slashes are one: a setting that ends in a slash makes `//api/v1/…` of every path.
fn collapse_slashes(uri: &mut Uri) {
    if !uri.path().contains("//") {
        return;
    }
    let mut path = String::with_capacity(uri.path().len());
    for character in uri.path().chars() {
        if character != '/' || !path.ends_with('/') {
            path.push(character);
        }
    }
    if let Some(query) = uri.query() {
        path.push('?');
        path.push_str(query);
    }
    let mut parts = std::mem::take(uri).into_parts();
    parts.path_and_query = PathAndQuery::try_from(path).ok();
    *uri = Uri::from_parts(parts).unwrap_or_default();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_slashes_are_one() {
        for (given, expected) in [
            ("//api/v1//remotes/push///notify?a=//b", "/api/v1/remotes/push/notify?a=//b"),
            ("https://host//api", "https://host/api"),
            ("/api", "/api"),
        ] {
            let mut uri: Uri = given.parse().unwrap();
            collapse_slashes(&mut uri);
            assert_eq!(uri.to_string(), expected);
        }
    }
}
