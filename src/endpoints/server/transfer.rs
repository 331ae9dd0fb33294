//! `POST /api/v1/remotes/server/register/transfer`: a new installation wants an old registration.

use std::sync::Arc;

use serde::Serialize;

use super::register::MAX_HOSTNAME_LENGTH;
use crate::{
    app::App,
    http::{ApiError, OpenEndpoint, OpenRequest, Success},
    registration::parse_hostname,
};

/// Its method and parameters.
pub const ENDPOINT: OpenEndpoint = OpenEndpoint::post(&["hostname"]);

#[derive(Serialize)]
struct TransferResponse {
    verification_secret: String,
}

/// Gives a secret to be shown under the host name within ten seconds.
pub async fn handle(request: OpenRequest, app: Arc<App>) -> Result<Success, ApiError> {
    if !app.config.registration.transfer {
        return Err(ApiError::TransfersOff);
    }
    let text = request.parameters.required_up_to("hostname", MAX_HOSTNAME_LENGTH)?;
    let hostname = parse_hostname(&text)?;
    match app.transfers.offer(&hostname).await? {
        Some(verification_secret) => Ok(Success::with(&TransferResponse { verification_secret })),
        None => Err(ApiError::Invalid(format!("{text} not yet registered").into())),
    }
}
