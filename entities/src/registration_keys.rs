//! `registration_keys`: the key pairs that phones seal their registrations for.

use sea_orm::entity::prelude::*;

use crate::redacted::RedactedBytes;

/// One key pair; the public key is embedded in builds of the app.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "registration_keys")]
pub struct Model {
    /// Our own key.
    #[sea_orm(primary_key)]
    pub id: i64,
    /// The public key: 32 bytes.
    pub public_key: Vec<u8>,
    /// The private key under the operator's secret: nonce, ciphertext, tag.
    pub sealed_private_key: RedactedBytes,
    /// When it was made or moved here.
    pub created_at: i64,
    /// Since when registrations sealed for it are refused.
    pub retired_at: Option<i64>,
}

/// What a key's row is joined to.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
