//! `GET /api/v1/remotes/server/analytics/status`: up to which row are a server's statistics here?

use std::sync::Arc;

use serde::Serialize;

use crate::{
    app::App,
    http::{ApiError, AuthenticatedRequest, Endpoint, Success},
};

/// Its method.
pub const ENDPOINT: Endpoint = Endpoint::get();

#[derive(Default, Serialize)]
struct StatusResponse {
    last_realm_count_id: i64,
    last_installation_count_id: i64,
    last_realmauditlog_id: i64,
}

/// The last rows of each table; no rows are kept yet.
pub async fn handle(_request: AuthenticatedRequest, _app: Arc<App>) -> Result<Success, ApiError> {
    Ok(Success::with(&StatusResponse::default()))
}
