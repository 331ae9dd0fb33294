//! `POST /api/v1/remotes/server/deactivate`: a server wants no pushes any more.

use std::sync::Arc;

use crate::{
    app::App,
    http::{ApiError, AuthenticatedRequest, Endpoint, Success},
    registry::{Deactivation, Decision},
};

/// Its method; it has no parameters, and clients send `{}`.
pub const ENDPOINT: Endpoint = Endpoint::post(&[]);

/// Deactivates the server; nothing of it is deleted, and only the operator makes it active again.
pub async fn handle(request: AuthenticatedRequest, app: Arc<App>) -> Result<Success, ApiError> {
    let server = request.server;
    match app.registry.deactivate_server(&server, &Decision::default()).await? {
        Deactivation::Done => {
            tracing::info!(event = "server.deactivated", server = %server.uuid, "a server deactivated itself");
            Ok(Success::empty())
        }
        Deactivation::PlanGoesOn => Err(ApiError::PlanGoesOn),
    }
}
