//! `POST /api/v1/remotes/server/analytics`: a server uploads what there is to know about it.

use std::{collections::BTreeMap, sync::Arc};

use serde::Serialize;
use serde_json::{Map, Value};

use crate::{
    analytics::Upload,
    app::App,
    clock::Timestamp,
    domain::{remote_realm::RealmDescription, uuid_text},
    http::{ApiError, AuthenticatedRequest, Endpoint, Parameters, Success},
    registry::VersionReport,
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

#[derive(Serialize)]
struct RealmStatus {
    can_push: bool,
    /// Unix seconds.
    expected_end_timestamp: Option<i64>,
}

/// Stores the version and the realms.
pub async fn handle(request: AuthenticatedRequest, app: Arc<App>) -> Result<Success, ApiError> {
    let AuthenticatedRequest { server, parameters, .. } = request;
    let upload = decode(&parameters)?;
    let decided = app.analytics.receive(&server, upload).await?;
    let realms = decided.into_iter().map(|(uuid, entitlement)| {
        let expected_end_timestamp = entitlement.expected_end.map(Timestamp::unix_seconds);
        (uuid.to_string(), RealmStatus { can_push: entitlement.can_push, expected_end_timestamp })
    });
    Ok(Success::with(&AnalyticsResponse { realms: realms.collect() }))
}

fn decode(parameters: &Parameters) -> Result<Upload, ApiError> {
    for rows in ["realm_counts", "installation_counts"] {
        list(rows, parameters.required(rows)?)?;
    }
    if let Some(rows) = parameters.optional("realmauditlog_rows") {
        list("realmauditlog_rows", rows)?;
    }
    let realms = match parameters.optional("realms") {
        None => None,
        Some(text) => {
            let realms = list("realms", text)?;
            Some(realms.iter().enumerate().map(realm).collect::<Result<Vec<_>, _>>()?)
        }
    };
    let api_feature_level = parameters.optional_integer("api_feature_level")?;
    let version = VersionReport {
        version: text(parameters, "version")?,
        merge_base: text(parameters, "merge_base")?,
        api_feature_level: api_feature_level.map(|level| i32::try_from(level).unwrap_or(i32::MAX)),
    };
    Ok(Upload { version, realms })
}

fn list(name: &str, text: &str) -> Result<Vec<Value>, ApiError> {
    match json(name, text)? {
        Value::Array(rows) => Ok(rows),
        _ => Err(ApiError::Invalid(format!("{name} is not a list").into())),
    }
}

fn text(parameters: &Parameters, name: &'static str) -> Result<Option<String>, ApiError> {
    match parameters.optional(name).map(|text| json(name, text)).transpose()? {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(storable(&text, MAX_VERSION_LENGTH))),
        Some(_) => Err(ApiError::Invalid(format!("{name} is not a string").into())),
    }
}

fn json(name: &str, text: &str) -> Result<Value, ApiError> {
    serde_json::from_str(text)
        .map_err(|_| ApiError::Invalid(format!("{name} is not valid JSON").into()))
}

/// A text as databases take it: without NUL, cut where it is too long.
fn storable(text: &str, length: usize) -> String {
    text.chars().filter(|character| *character != '\0').take(length).collect()
}

/// One member of `realms`; unknown members are ignored, since newer servers have more.
fn realm((index, value): (usize, &Value)) -> Result<RealmDescription, ApiError> {
    let Value::Object(realm) = value else {
        let text = format!(
            "Invalid realms[{index}]: Input should be a valid dictionary or instance of RealmDataForAnalytics"
        );
        return Err(ApiError::Invalid(text.into()));
    };
    let member = Member { realm, index };
    let realm_id =
        member.typed("id", Value::as_i64, "an integer")?.ok_or_else(|| member.missing("id"))?;
    let host = member.text("host")?.ok_or_else(|| member.missing("host"))?;
    let name = member.text("name")?.unwrap_or_default();
    let org_type = member.typed("org_type", Value::as_i64, "an integer")?.unwrap_or(0);
    let date_created = member
        .typed("date_created", Value::as_f64, "a float")?
        .ok_or_else(|| member.missing("date_created"))?;
    let flag =
        |name| Ok::<_, ApiError>(member.typed(name, Value::as_bool, "a boolean")?.unwrap_or(false));
    let methods =
        member.typed("authentication_methods", |value| value.as_object().cloned(), "a dict")?;
    let uuid = member.text("uuid")?.ok_or_else(|| member.missing("uuid"))?;
    #[expect(
        clippy::cast_possible_truncation,
        reason = "a date beyond 64 bits is cut to the last one"
    )]
    let date_created = Timestamp::from_unix_millis((date_created * 1000.0) as i64);
    Ok(RealmDescription {
        uuid: uuid_text::parse(&uuid).ok_or_else(|| ApiError::invalid("Invalid UUID"))?,
        realm_id,
        host,
        name,
        org_type: i32::try_from(org_type).unwrap_or(0),
        authentication_methods: Value::Object(methods.unwrap_or_default()).to_string(),
        is_system_bot_realm: flag("is_system_bot_realm")?,
        deactivated: flag("deactivated")?,
        date_created,
    })
}

struct Member<'a> {
    realm: &'a Map<String, Value>,
    index: usize,
}

impl Member<'_> {
    fn text(&self, name: &str) -> Result<Option<String>, ApiError> {
        self.typed(name, |value| value.as_str().map(|text| storable(text, usize::MAX)), "a string")
    }

    fn typed<T>(
        &self,
        name: &str,
        read: impl Fn(&Value) -> Option<T>,
        what: &str,
    ) -> Result<Option<T>, ApiError> {
        let Some(value) = self.realm.get(name) else { return Ok(None) };
        let index = self.index;
        let wrong =
            || ApiError::Invalid(format!("realms[{index}][\"{name}\"] is not {what}").into());
        read(value).map(Some).ok_or_else(wrong)
    }

    fn missing(&self, name: &str) -> ApiError {
        let index = self.index;
        let text = format!("realms[{index}][\"{name}\"] field is missing: Field required");
        ApiError::Invalid(text.into())
    }
}
