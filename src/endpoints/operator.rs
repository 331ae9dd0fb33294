//! `/metrics`, `/livez`, `/readyz`: for the operator's tools, on a listener of their own.

use std::sync::Arc;

use axum::{Router, extract::State, response::IntoResponse, routing::get};
use http::{StatusCode, header};

use crate::{app::App, registry::Readiness};

/// What Prometheus calls the text that [`crate::metrics::Metrics::encode`] makes.
const OPENMETRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// The operator's paths.
pub fn routes(app: Arc<App>) -> Router {
    Router::new()
        .route("/metrics", get(metrics))
        .route("/livez", get(async || "ok\n"))
        .route("/readyz", get(ready))
        .with_state(app)
}

async fn metrics(State(app): State<Arc<App>>) -> impl IntoResponse {
    ([(header::CONTENT_TYPE, OPENMETRICS)], app.metrics.encode())
}

/// Ready is who can reach the database, or still knows what it said, and was not asked to stop.
async fn ready(State(app): State<Arc<App>>) -> impl IntoResponse {
    if app.stopping.is_cancelled() {
        return (StatusCode::SERVICE_UNAVAILABLE, "stopping\n");
    }
    match app.registry.readiness().await {
        Readiness::Database => (StatusCode::OK, "ok\n"),
        Readiness::Memory => (StatusCode::OK, "ok, from memory: the database does not answer\n"),
        Readiness::Nothing => (
            StatusCode::SERVICE_UNAVAILABLE,
            "the database does not answer, and nothing is known of it any more\n",
        ),
    }
}
