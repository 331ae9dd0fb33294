//! `/api/v1/remotes/server/register/verify_challenge`: the second step of a transfer, by any method.

use std::sync::Arc;

use serde::Serialize;
use uuid::Uuid;

use super::register::MAX_HOSTNAME_LENGTH;
use crate::{
    app::App,
    domain::hostname::Hostname,
    http::{ApiError, OpenEndpoint, OpenRequest, Parameters, Success},
    transfer::AccessToken,
};

/// Its methods and parameters.
pub const ENDPOINT: OpenEndpoint = OpenEndpoint::any_method(&["hostname", "access_token"]);

#[derive(Serialize)]
struct VerifyChallengeResponse {
    zulip_org_id: Uuid,
    zulip_org_key: String,
}

fn decode(parameters: &Parameters) -> Result<(Option<Hostname>, AccessToken), ApiError> {
    let hostname = parameters.required_up_to("hostname", MAX_HOSTNAME_LENGTH)?;
    let token = parameters.required_up_to("access_token", AccessToken::MAX_LENGTH)?;
    let token = AccessToken::parse(&token)
        .ok_or(ApiError::Invalid("access_token has invalid format".into()))?;
    // What is no host name is none that is registered, and is answered so.
    Ok((Hostname::parse(&hostname).ok(), token))
}

/// Looks for the secret under the host name, and gives the registration a new key.
pub async fn handle(request: OpenRequest, app: Arc<App>) -> Result<Success, ApiError> {
    if !app.config.registration.transfer {
        return Err(ApiError::TransfersOff);
    }
    let (hostname, token) = decode(&request.parameters)?;
    let transferred = app.transfers.verify(request.address, hostname.as_ref(), &token).await?;
    Ok(Success::with(&VerifyChallengeResponse {
        zulip_org_id: transferred.id,
        zulip_org_key: transferred.key,
    }))
}
