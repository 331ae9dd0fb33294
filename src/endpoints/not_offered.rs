//! Paths of the protocol that this bouncer knows and does not serve yet.

use std::sync::Arc;

use crate::{
    app::App,
    http::{ApiError, AuthenticatedRequest, Endpoint, Success},
};

/// Their method.
pub const ENDPOINT: Endpoint = Endpoint::post(&[]);

/// 404, as a bouncer answers that does not know the path; chat servers cope with that.
pub async fn handle(_request: AuthenticatedRequest, _app: Arc<App>) -> Result<Success, ApiError> {
    Err(ApiError::NotOffered)
}
