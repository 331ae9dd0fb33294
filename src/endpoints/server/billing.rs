//! `POST /api/v1/remotes/server/billing`: an administrator opens the page about plans.

use std::sync::Arc;

use serde::Serialize;

use super::analytics::{
    realms,
    rows::{Row, RowForm},
};
use crate::{
    app::App,
    domain::uuid_text,
    http::{ApiError, AuthenticatedRequest, Endpoint, Parameters, Success, require_realm},
    links::Visitor,
};

/// Its method and parameters.
pub const ENDPOINT: Endpoint = Endpoint::post(&["user", "realm", "uri_scheme", "next_page"]);

const USER: RowForm =
    RowForm { model: "UserDataForRemoteBilling", members: &["uuid", "email", "full_name"] };

/// How the organization's own pages are reached.
const URI_SCHEMES: [&str; 2] = ["http://", "https://"];

/// Where the administrator wants to go.
const NEXT_PAGES: [&str; 5] = ["sponsorship", "upgrade", "billing", "plans", "deactivate"];

#[derive(Serialize)]
struct BillingResponse {
    billing_access_url: String,
}

/// Gives a link to the page, good once; nothing of the person is kept.
pub async fn handle(request: AuthenticatedRequest, app: Arc<App>) -> Result<Success, ApiError> {
    let AuthenticatedRequest { server, parameters, .. } = request;
    check_user(parameters.required("user")?)?;
    let realm = realms::decode_one(parameters.required("realm")?)?;
    check_one_of(&parameters, "uri_scheme", &URI_SCHEMES)?;
    check_one_of(&parameters, "next_page", &NEXT_PAGES)?;
    let realm = require_realm(&app, &server, realm.uuid).await?;
    let visitor = Visitor { server: server.uuid, realm: realm.uuid };
    Ok(Success::with(&BillingResponse { billing_access_url: app.links.make(visitor) }))
}

/// What is told of the person is checked as in the reference, and dropped.
fn check_user(text: &str) -> Result<(), ApiError> {
    let user = Row::alone("user", &USER, text)?;
    let text = |name| user.text(name)?.ok_or_else(|| user.is_not(name, "a string"));
    let uuid = text("uuid")?;
    text("email")?;
    text("full_name")?;
    uuid_text::parse(&uuid).map(|_| ()).ok_or_else(|| ApiError::invalid("Invalid UUID"))
}

fn check_one_of(
    parameters: &Parameters,
    name: &'static str,
    known: &[&str],
) -> Result<(), ApiError> {
    match parameters.optional(name) {
        Some(text) if !known.contains(&text) => Err(ApiError::invalid(format!("Invalid {name}"))),
        _ => Ok(()),
    }
}
