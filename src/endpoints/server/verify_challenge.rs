//! `/api/v1/remotes/server/register/verify_challenge`: the second step of a transfer, by any method.

use std::sync::Arc;

use crate::{
    app::App,
    domain::hostname::Hostname,
    http::{ApiError, OpenEndpoint, OpenRequest, Success},
};

/// Its methods and parameters.
pub const ENDPOINT: OpenEndpoint = OpenEndpoint::any_method(&["hostname", "access_token"]);

/// Says whether there is anything to transfer; transferring is not offered yet.
pub async fn handle(request: OpenRequest, app: Arc<App>) -> Result<Success, ApiError> {
    let hostname = Hostname::parse(request.parameters.required("hostname")?);
    request.parameters.required("access_token")?;
    match hostname {
        Ok(hostname) if app.registry.is_hostname_registered(hostname.as_str()).await? => {
            Err(ApiError::NotOffered)
        }
        // What is no host name is none that is registered.
        Ok(_) | Err(_) => Err(ApiError::invalid("Registration not found for this hostname")),
    }
}
