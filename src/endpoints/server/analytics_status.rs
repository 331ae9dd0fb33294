//! `GET /api/v1/remotes/server/analytics/status`: up to which row are a server's statistics here?

use std::sync::Arc;

use serde::Serialize;

use crate::{
    app::App,
    http::{ApiError, AuthenticatedRequest, Endpoint, Success},
};

/// Its method.
pub const ENDPOINT: Endpoint = Endpoint::get();

#[derive(Serialize)]
struct StatusResponse {
    last_realm_count_id: i64,
    last_installation_count_id: i64,
    last_realmauditlog_id: i64,
}

/// The largest number of a row in each table; the server sends what comes after it.
pub async fn handle(request: AuthenticatedRequest, app: Arc<App>) -> Result<Success, ApiError> {
    let last = app.registry.last_rows(&request.server).await?;
    Ok(Success::with(&StatusResponse {
        last_realm_count_id: last.realm_count,
        last_installation_count_id: last.installation_count,
        last_realmauditlog_id: last.audit_row,
    }))
}
