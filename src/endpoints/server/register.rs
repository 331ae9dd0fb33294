//! `POST /api/v1/remotes/server/register`: a server makes itself known, or changes what is known of it.

use std::sync::Arc;

use serde::Serialize;

use crate::{
    app::App,
    http::{ApiError, OpenEndpoint, OpenRequest, Parameters, Success},
    registration::{Application, Registered},
};

/// Its method and parameters; servers up to 2.x put them into the query.
pub const ENDPOINT: OpenEndpoint = OpenEndpoint::post(&[
    "zulip_org_id",
    "zulip_org_key",
    "hostname",
    "contact_email",
    "new_org_key",
]);

/// A key has so many characters.
const KEY_LENGTH: usize = 64;

/// A UUID has so many characters.
const ID_LENGTH: usize = 36;

/// The longest host name, in characters, its port included.
pub(super) const MAX_HOSTNAME_LENGTH: usize = 128;

#[derive(Serialize)]
struct RegisterResponse {
    created: bool,
}

fn decode(parameters: &Parameters) -> Result<Application, ApiError> {
    Ok(Application {
        id: parameters.required_of_length("zulip_org_id", ID_LENGTH)?,
        key: parameters.required_of_length("zulip_org_key", KEY_LENGTH)?,
        hostname: parameters.required_up_to("hostname", MAX_HOSTNAME_LENGTH)?,
        contact_email: parameters.required("contact_email")?.to_owned(),
        new_key: parameters.optional_of_length("new_org_key", KEY_LENGTH)?,
    })
}

/// Registers the server.
pub async fn handle(request: OpenRequest, app: Arc<App>) -> Result<Success, ApiError> {
    let application = decode(&request.parameters)?;
    let created = app.registrations.register(&application).await? == Registered::Created;
    Ok(Success::with(&RegisterResponse { created }))
}
