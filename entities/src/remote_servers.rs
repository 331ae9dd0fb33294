//! `remote_servers`: one row per registered self-hosted server.

use sea_orm::entity::prelude::*;

use crate::redacted::RedactedBytes;

/// A registered self-hosted server.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "remote_servers")]
pub struct Model {
    /// Our own key; never leaves the bouncer.
    #[sea_orm(primary_key)]
    pub id: i64,
    /// The server's `zulip_org_id`.
    #[sea_orm(unique)]
    pub uuid: Uuid,
    /// SHA-256 of the server's `zulip_org_key`, 32 bytes.
    pub key_hash: RedactedBytes,
    /// SHA-256 of the key before the last rotation, until the new one is first used.
    pub previous_key_hash: Option<RedactedBytes>,
    /// When the previous key stops being accepted at the latest.
    pub previous_key_until: Option<i64>,
    /// Host name, lower case, with its port if it has one; not unique.
    pub hostname: String,
    /// The administrator's e-mail address.
    pub contact_email: String,
    /// `ZULIP_VERSION` as last uploaded, at most 128 characters.
    pub version: Option<String>,
    /// The version's merge base as last uploaded, at most 128 characters.
    pub merge_base: Option<String>,
    /// The API feature level as last uploaded; absent for servers before 8.0.
    pub api_feature_level: Option<i32>,
    /// Whether the registration was deactivated.
    pub deactivated: bool,
    /// When the server registered.
    pub created_at: i64,
    /// When host name, e-mail or key last changed.
    pub updated_at: i64,
    /// When the server last made a request, a few seconds late at most.
    pub last_request_at: Option<i64>,
    /// The name of the operator's plan; without one this and the next three are absent.
    pub plan_name: Option<String>,
    /// Zulip's number for where the plan stands.
    pub plan_status: Option<i16>,
    /// When the plan ends, if that is known.
    pub plan_ends_at: Option<i64>,
    /// For how many users the plan is, if not for any number.
    pub plan_user_limit: Option<i64>,
    /// How many people use its realms together, bots aside, by the uploaded audit rows.
    pub user_count: i64,
    /// Whether the operator approved the registration, where that is asked for.
    pub approved: bool,
    /// When audit rows were last uploaded; how fresh `user_count` is.
    pub audit_log_updated_at: Option<i64>,
    /// How often the registration was transferred.
    pub transfers: i32,
}

/// What a server's row is joined to.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
