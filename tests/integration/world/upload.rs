//! What chat servers upload about themselves, and what became of it.

use entities::{audit_log, remote_realms, remote_servers};
use sea_orm::{ColumnTrait as _, DatabaseConnection, EntityTrait as _, QueryFilter as _};
use serde_json::{Value, json};
use uuid::Uuid;

use super::{ChatServer, World};

/// When most of what is uploaded happened: in February 2025.
pub(crate) const WHEN: f64 = 1_740_000_000.25;

impl ChatServer {
    /// Uploads these members beside empty lists of counts; gives the status and the whole answer.
    pub(crate) async fn upload(&self, members: &[(&str, Value)]) -> (u16, Value) {
        let mut fields =
            vec![("realm_counts", "[]".to_owned()), ("installation_counts", "[]".to_owned())];
        // Of a field that is there twice the last counts.
        fields.extend(members.iter().map(|(name, value)| (*name, value.to_string())));
        let reply = self.form("server/analytics", &fields).await;
        (reply.status.as_u16(), reply.json)
    }

    /// The same, which is taken; gives what is said of the realms.
    pub(crate) async fn upload_well(&self, members: &[(&str, Value)]) -> Value {
        let (status, mut answer) = self.upload(members).await;
        assert_eq!(status, 200, "{answer}");
        answer["realms"].take()
    }

    /// The last rows of its realm counts, installation counts and audit log that the bouncer has.
    pub(crate) async fn last_rows(&self, world: &World) -> [i64; 3] {
        let answer = world.client().status_as(&self.org_id, &self.org_key).await;
        assert_eq!(answer.status, 200);
        let answer: Value = serde_json::from_slice(&answer.body).expect("an answer is JSON");
        ["last_realm_count_id", "last_installation_count_id", "last_realmauditlog_id"]
            .map(|name| answer[name].as_i64().expect("each is a number"))
    }

    /// Its row.
    pub(crate) async fn stored(&self, database: &DatabaseConnection) -> remote_servers::Model {
        let uuid = Uuid::parse_str(&self.org_id).expect("an id is a UUID");
        let query = remote_servers::Entity::find().filter(remote_servers::Column::Uuid.eq(uuid));
        query.one(database).await.expect("the database answers").expect("it is registered")
    }
}

/// A realm as its server describes it.
pub(crate) fn realm(id: i64, uuid: &str) -> Value {
    json!({
        "id": id, "uuid": uuid, "uuid_owner_secret": "secret", "host": "chat.selfhosted.test",
        "url": "https://chat.selfhosted.test", "name": "Realm", "org_type": 10,
        "date_created": 1_700_000_000.5, "deactivated": false,
        "authentication_methods": {"Email": true, "LDAP": false}, "is_system_bot_realm": false,
    })
}

/// What a server counted on a realm, under a time of its own.
pub(crate) fn realm_count(id: i64, realm: i64) -> Value {
    json!({
        "property": "messages_sent:is_bot:hour", "realm": realm, "id": id,
        "end_time": 1_740_000_000.0 + 3600.0 * id as f64, "subgroup": "false", "value": 5,
    })
}

/// The same of all realms together.
pub(crate) fn installation_count(id: i64) -> Value {
    let mut count = realm_count(id, 0);
    count.as_object_mut().expect("a count is an object").remove("realm");
    count
}

/// A user was created on a realm, which has so many then, two bots aside.
pub(crate) fn audit_row(id: i64, realm: i64, users: i64) -> Value {
    json!({
        "id": id, "realm": realm, "event_time": WHEN, "backfilled": false, "event_type": 101,
        "extra_data": roles(users),
    })
}

/// `extra_data` that tells of one owner and other members, and two bots.
pub(crate) fn roles(users: i64) -> Value {
    json!({"10": {"11": {"100": 1, "200": 0, "300": 0, "400": users - 1, "600": 0}, "12": 2}})
}

/// A realm's row.
pub(crate) async fn stored_realm(
    database: &DatabaseConnection,
    uuid: &str,
) -> Option<remote_realms::Model> {
    let uuid = Uuid::parse_str(uuid).expect("a realm's id is a UUID");
    let query = remote_realms::Entity::find().filter(remote_realms::Column::Uuid.eq(uuid));
    query.one(database).await.expect("the database answers")
}

/// What was noted about a server's realms, oldest first: the number of the event and what else there is to it.
pub(crate) async fn noted(database: &DatabaseConnection, server_id: i64) -> Vec<(i32, Value)> {
    let query = audit_log::Entity::find()
        .filter(audit_log::Column::ServerId.eq(server_id))
        .filter(audit_log::Column::RemoteRealmId.is_not_null());
    let mut rows = query.all(database).await.expect("the database answers");
    rows.sort_by_key(|row| row.id);
    rows.into_iter()
        .map(|row| (row.event_type, serde_json::from_str(&row.extra_data).expect("it is JSON")))
        .collect()
}
