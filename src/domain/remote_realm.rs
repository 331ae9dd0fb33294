//! An organization on a registered server.

use uuid::Uuid;

use super::plan::Plan;
use crate::clock::Timestamp;

/// One organization on a remote server.
#[derive(Clone, Debug)]
pub struct RemoteRealm {
    /// Our own key.
    pub id: i64,
    /// Our key of the server it is on.
    pub server_id: i64,
    /// Its UUID, unique in the world.
    pub uuid: Uuid,
    /// What the operator agreed with it.
    pub plan: Option<Plan>,
    /// How many people use it, bots aside.
    pub user_count: i64,
}

/// An organization as its server describes it in an upload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RealmDescription {
    /// Its UUID.
    pub uuid: Uuid,
    /// Its number on its own server.
    pub realm_id: i64,
    /// Its host name.
    pub host: String,
    /// Its name.
    pub name: String,
    /// Zulip's number for the kind of organization.
    pub org_type: i32,
    /// Which ways to log in it allows, as a JSON object.
    pub authentication_methods: String,
    /// Whether it is the realm of the server's own bots.
    pub is_system_bot_realm: bool,
    /// Whether its server deactivated it.
    pub deactivated: bool,
    /// When it was created.
    pub date_created: Timestamp,
}
