//! `POST /api/v1/remotes/server/analytics`: a server uploads what there is to know about it.

mod audit_rows;
mod counts;
pub(super) mod realms;
pub(super) mod rows;

use std::{collections::BTreeMap, sync::Arc};

use serde::{Serialize, de::IgnoredAny};

use crate::{
    app::App,
    endpoints::realm_status::RealmStatus,
    http::{ApiError, AuthenticatedRequest, Endpoint, Parameters, Success},
    registry::{Upload, VersionReport},
};

/// Its method and parameters; the values are JSON.
pub const ENDPOINT: Endpoint = Endpoint::upload(&[
    "realm_counts",
    "installation_counts",
    "realmauditlog_rows",
    "realms",
    "version",
    "merge_base",
    "api_feature_level",
]);

/// Longer versions are cut, as in the reference.
const MAX_VERSION_LENGTH: usize = 128;

#[derive(Serialize)]
struct AnalyticsResponse {
    realms: BTreeMap<String, RealmStatus>,
}

/// Stores all of it.
pub async fn handle(request: AuthenticatedRequest, app: Arc<App>) -> Result<Success, ApiError> {
    let AuthenticatedRequest { server, parameters, .. } = request;
    // Tens of megabytes take a while; others are served meanwhile.
    let decoded = tokio::task::spawn_blocking(move || decode(&parameters)).await;
    let upload = decoded.map_err(|_| ApiError::Internal)??;
    let decided = app.analytics.receive(&server, upload).await?;
    let realms = decided
        .into_iter()
        .map(|(uuid, entitlement)| (uuid.to_string(), RealmStatus::from(&entitlement)));
    Ok(Success::with(&AnalyticsResponse { realms: realms.collect() }))
}

fn decode(parameters: &Parameters) -> Result<Upload, ApiError> {
    let realm_counts = counts::of_realms(parameters.required("realm_counts")?)?;
    let installation_counts = counts::of_installation(parameters.required("installation_counts")?)?;
    let audit_rows =
        parameters.optional("realmauditlog_rows").map(audit_rows::decode).transpose()?;
    let realms = parameters.optional("realms").map(realms::decode).transpose()?;
    let (version, merge_base) = (text(parameters, "version")?, text(parameters, "merge_base")?);
    let api_feature_level = api_feature_level(parameters)?;
    if audit_rows.as_ref().is_some_and(|rows| rows.are_malformed) {
        return Err(ApiError::invalid("Malformed audit log data"));
    }
    Ok(Upload {
        version: VersionReport { version, merge_base, api_feature_level },
        realms,
        realm_counts,
        installation_counts,
        audit_rows: audit_rows.map(|rows| rows.kept),
    })
}

/// The reference cannot store a negative one either.
fn api_feature_level(parameters: &Parameters) -> Result<Option<i32>, ApiError> {
    match parameters.optional_integer("api_feature_level")? {
        Some(level) if level < 0 => Err(ApiError::invalid(
            "Invalid api_feature_level: Input should be greater than or equal to 0",
        )),
        level => Ok(level.map(|level| i32::try_from(level).unwrap_or(i32::MAX))),
    }
}

fn text(parameters: &Parameters, name: &'static str) -> Result<Option<String>, ApiError> {
    let Some(text) = parameters.optional(name) else { return Ok(None) };
    match serde_json::from_str::<String>(text) {
        Ok(text) => Ok(Some(storable(&text, MAX_VERSION_LENGTH))),
        Err(_) => Err(is_not(name, "a string", text)),
    }
}

/// What is wrong with a text that is not what it should be: it may be no JSON at all.
fn is_not(name: &str, what: &str, text: &str) -> ApiError {
    match serde_json::from_str::<IgnoredAny>(text) {
        Ok(_) => ApiError::Invalid(format!("{name} is not {what}").into()),
        Err(_) => not_json(name),
    }
}

fn not_json(name: &str) -> ApiError {
    ApiError::Invalid(format!("{name} is not valid JSON").into())
}

/// A text as databases take it: without NUL, cut where it is too long.
fn storable(text: &str, length: usize) -> String {
    text.chars().filter(|character| *character != '\0').take(length).collect()
}
