//! `e2ee_devices`: one row per organization and app installation that receives encrypted notifications.

use sea_orm::entity::prelude::*;

use crate::redacted::{RedactedBytes, RedactedText};

/// One app installation that an organization sends encrypted notifications to; of whom, nobody told us.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "e2ee_devices")]
pub struct Model {
    /// Our own key; Zulip 11 calls it `device_id`.
    #[sea_orm(primary_key)]
    pub id: i64,
    /// The server that registered it.
    pub server_id: i64,
    /// The organization it is for.
    pub remote_realm_id: i64,
    /// 1 for APNs, 2 for FCM, as in `devices`.
    pub kind: i16,
    /// What Apple or Google call the installation; APNs tokens are lower-case hexadecimal.
    pub token: RedactedText,
    /// The first 16 bytes of the SHA-256 of `token`; an index holds it instead of the token.
    pub token_digest: RedactedBytes,
    /// The first 8 bytes of the SHA-256 of the token as the phone wrote it, big-endian; Zulip 12 names the
    /// device by it. Exactly one of this and `push_account_id` is set.
    pub token_id: Option<i64>,
    /// The app's number for the account; Zulip 11 registers a device once for each.
    pub push_account_id: Option<i64>,
    /// The app's bundle id, which is the APNs topic.
    pub ios_app_id: Option<String>,
    /// When the phone made the registration that counts, and not after it came.
    pub registered_at: i64,
    /// When Apple or Google declared the token dead.
    pub expired_at: Option<i64>,
    /// It expired by a word that a wrong topic or environment brings about too; the brake brings it back.
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
