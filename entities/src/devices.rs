//! `devices`: one row per user and app installation that receives notifications in the clear.

use sea_orm::entity::prelude::*;

use crate::redacted::{RedactedBytes, RedactedText};

/// One app installation of one user on one server.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "devices")]
pub struct Model {
    /// Our own key; rows are sent to in its order.
    #[sea_orm(primary_key)]
    pub id: i64,
    /// The server that registered it.
    pub server_id: i64,
    /// The user's number on the server; exactly one of this and `user_uuid` is set.
    pub user_id: Option<i64>,
    /// The user's UUID.
    pub user_uuid: Option<Uuid>,
    /// 1 for APNs, 2 for FCM, as on the wire.
    pub kind: i16,
    /// What Apple or Google call the installation; APNs tokens are lower-case hexadecimal.
    pub token: RedactedText,
    /// The first 16 bytes of the token's SHA-256; indexes hold it instead of the token.
    pub token_digest: RedactedBytes,
    /// The app's bundle id, which is the APNs topic.
    pub ios_app_id: Option<String>,
    /// The organization, once known.
    pub remote_realm_id: Option<i64>,
    /// When the server last registered it.
    pub registered_at: i64,
    /// When a push service declared it gone; the row stays for a while to say so.
    pub gone_at: Option<i64>,
    /// It went by a word that a wrong topic or environment brings about too; the brake brings it back.
    pub in_doubt: bool,
    /// Since when a push service calls it bad and is not believed.
    pub suspected_at: Option<i64>,
    /// The Firebase project that reaches it, by its name in the configuration; nothing until it is known.
    pub fcm_app: Option<String>,
}

/// What a device's row is joined to.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
