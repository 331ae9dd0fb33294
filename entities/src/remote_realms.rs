//! `remote_realms`: one row per organization on a registered server.

use sea_orm::entity::prelude::*;

/// An organization on a registered server.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "remote_realms")]
pub struct Model {
    /// Our own key.
    #[sea_orm(primary_key)]
    pub id: i64,
    /// The server it is on.
    pub server_id: i64,
    /// The realm's UUID, unique in the world.
    #[sea_orm(unique)]
    pub uuid: Uuid,
    /// The realm's number on its own server.
    pub realm_id: i64,
    /// The realm's host name.
    pub host: String,
    /// The realm's name.
    pub name: String,
    /// Zulip's number for the kind of organization.
    pub org_type: i32,
    /// Which ways to log in the realm allows, as a JSON object.
    pub authentication_methods: String,
    /// Whether it is the realm of the server's own bots.
    pub is_system_bot_realm: bool,
    /// Whether the server says it is deactivated; a label only.
    pub deactivated: bool,
    /// Whether it was missing in the server's last upload; a label only.
    pub locally_deleted: bool,
    /// When the realm was created on its server.
    pub date_created: i64,
    /// When we first heard of it.
    pub created_at: i64,
    /// When it was last named in a push request, a few seconds late at most.
    pub last_request_at: Option<i64>,
    /// The name of the operator's plan; without one this and the next three are absent.
    pub plan_name: Option<String>,
    /// Zulip's number for where the plan stands.
    pub plan_status: Option<i16>,
    /// When the plan ends, if that is known.
    pub plan_ends_at: Option<i64>,
    /// For how many users the plan is, if not for any number.
    pub plan_user_limit: Option<i64>,
    /// How many people use it, bots aside, by the uploaded audit rows.
    pub user_count: i64,
}

/// What a realm's row is joined to.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
