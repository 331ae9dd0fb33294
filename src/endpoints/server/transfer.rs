//! `POST /api/v1/remotes/server/register/transfer`: a new installation wants an old registration.

use std::sync::Arc;

use super::register::MAX_HOSTNAME_LENGTH;
use crate::{
    app::App,
    http::{ApiError, OpenEndpoint, OpenRequest, Success},
    registration::parse_hostname,
};

/// Its method and parameters.
pub const ENDPOINT: OpenEndpoint = OpenEndpoint::post(&["hostname"]);

/// Says whether there is anything to transfer; transferring is not offered yet.
pub async fn handle(request: OpenRequest, app: Arc<App>) -> Result<Success, ApiError> {
    let text = request.parameters.required_up_to("hostname", MAX_HOSTNAME_LENGTH)?;
    let hostname = parse_hostname(&text)?;
    if !app.registry.is_hostname_registered(hostname.as_str()).await? {
        return Err(ApiError::Invalid(format!("{text} not yet registered").into()));
    }
    Err(ApiError::NotOffered)
}
