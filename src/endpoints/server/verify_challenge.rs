//! `/api/v1/remotes/server/register/verify_challenge`: the second step of a transfer, by any method.

use std::sync::Arc;

use crate::{
    app::App,
    http::{ApiError, OpenEndpoint, OpenRequest, Success},
};

/// Its methods and parameters.
pub const ENDPOINT: OpenEndpoint = OpenEndpoint::any_method(&["hostname", "access_token"]);

/// Says whether there is anything to transfer; transferring is not offered yet.
pub async fn handle(request: OpenRequest, app: Arc<App>) -> Result<Success, ApiError> {
    let hostname = request.parameters.required("hostname")?.to_lowercase();
    request.parameters.required("access_token")?;
    if !app.registry.is_hostname_registered(&hostname).await? {
        return Err(ApiError::invalid("Registration not found for this hostname"));
    }
    Err(ApiError::NotOffered)
}
