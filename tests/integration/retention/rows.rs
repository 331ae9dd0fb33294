//! Rows of every kind, as old as a test needs them.

use std::{collections::BTreeMap, time::Duration};

use entities::{
    audit_log, devices, e2ee_devices, installation_counts, push_counts, realm_audit_log,
    realm_counts,
    redacted::{RedactedBytes, RedactedText},
    registration_key_uses, registration_keys, remote_realms,
};
use push_bouncer::{clock::Clock, random::Random};
use sea_orm::{
    ActiveModelTrait as _, ActiveValue::Set, ConnectionTrait as _, DatabaseConnection,
    EntityTrait as _, Statement,
};

/// A moment so long ago, by the clock of commands.
pub(super) fn days_ago(days: u32) -> i64 {
    (Clock::default().now() - days * Duration::from_secs(24 * 60 * 60)).unix_millis()
}

/// Adds one row of every kind and age in days, and a device of each kind that is not gone. The oldest come first, and have
/// the lowest numbers.
pub(super) async fn fill(database: &DatabaseConnection, server: i64, ages: &[u32]) {
    let realm = realm(database, server).await;
    let key = registration_keys::ActiveModel {
        public_key: Set(vec![7; 32]),
        sealed_private_key: Set(RedactedBytes(vec![7; 60])),
        created_at: Set(0),
        ..Default::default()
    };
    let key = registration_keys::Entity::insert(key).exec(database).await.unwrap().last_insert_id;
    let moments: Vec<i64> = ages.iter().copied().map(days_ago).collect();
    for (user, gone_at) in [None].into_iter().chain(moments.iter().copied().map(Some)).enumerate() {
        let number = i64::try_from(user).unwrap();
        devices::Entity::insert(device(server, number, gone_at)).exec(database).await.unwrap();
        let device = e2ee_device(server, realm, number, gone_at);
        e2ee_devices::Entity::insert(device).exec(database).await.unwrap();
    }
    for (number, &moment) in (1..).zip(&moments) {
        let row = audit_log::ActiveModel {
            server_id: Set(server),
            event_type: Set(10215),
            event_time: Set(moment),
            extra_data: Set("{}".to_owned()),
            ..Default::default()
        };
        audit_log::Entity::insert(row).exec(database).await.unwrap();
        let row = realm_audit_log::Model {
            server_id: server,
            remote_id: number,
            realm_id: 1,
            remote_realm_id: None,
            event_type: 101,
            event_time: moment,
            backfilled: false,
            extra_data: "{}".to_owned(),
            user_count: None,
        };
        let row: realm_audit_log::ActiveModel = row.into();
        realm_audit_log::Entity::insert(row.reset_all()).exec(database).await.unwrap();
        let row = push_counts::ActiveModel {
            server_id: Set(server),
            remote_realm_id: Set(0),
            end_time: Set(moment),
            received: Set(1),
            forwarded: Set(1),
        };
        push_counts::Entity::insert(row).exec(database).await.unwrap();
        let row = registration_key_uses::ActiveModel {
            key_id: Set(key),
            end_time: Set(moment),
            uses: Set(1),
        };
        registration_key_uses::Entity::insert(row).exec(database).await.unwrap();
    }
    let properties = ["messages_read::hour", "1day_actives::day"];
    let counts =
        properties.iter().flat_map(|property| moments.iter().map(move |at| (property, at)));
    for (number, (property, &moment)) in (1..).zip(counts) {
        count(database, server, number, property, moment).await;
    }
}

async fn realm(database: &DatabaseConnection, server: i64) -> i64 {
    let realm = remote_realms::ActiveModel {
        server_id: Set(server),
        uuid: Set(Random::default().uuid()),
        realm_id: Set(1),
        host: Set("chat.selfhosted.test".to_owned()),
        name: Set("Realm".to_owned()),
        org_type: Set(10),
        authentication_methods: Set("{}".to_owned()),
        is_system_bot_realm: Set(false),
        deactivated: Set(false),
        locally_deleted: Set(false),
        date_created: Set(0),
        created_at: Set(0),
        ..Default::default()
    };
    remote_realms::Entity::insert(realm).exec(database).await.unwrap().last_insert_id
}

pub(super) fn device(server: i64, user: i64, gone_at: Option<i64>) -> devices::ActiveModel {
    devices::ActiveModel {
        server_id: Set(server),
        user_id: Set(Some(user)),
        kind: Set(1),
        token: Set(RedactedText("aa".to_owned())),
        token_digest: Set(RedactedBytes(vec![0; 16])),
        registered_at: Set(0),
        gone_at: Set(gone_at),
        ..Default::default()
    }
}

fn e2ee_device(
    server: i64,
    realm: i64,
    token_id: i64,
    expired_at: Option<i64>,
) -> e2ee_devices::ActiveModel {
    e2ee_devices::ActiveModel {
        server_id: Set(server),
        remote_realm_id: Set(realm),
        kind: Set(1),
        token: Set(RedactedText("aa".to_owned())),
        token_digest: Set(RedactedBytes(vec![0; 16])),
        token_id: Set(Some(token_id)),
        registered_at: Set(0),
        expired_at: Set(expired_at),
        ..Default::default()
    }
}

async fn count(
    database: &DatabaseConnection,
    server: i64,
    number: i64,
    property: &str,
    end_time: i64,
) {
    let row = realm_counts::ActiveModel {
        server_id: Set(server),
        remote_id: Set(number),
        realm_id: Set(1),
        property: Set(property.to_owned()),
        subgroup: Set(String::new()),
        end_time: Set(end_time),
        value: Set(1),
        ..Default::default()
    };
    realm_counts::Entity::insert(row).exec(database).await.unwrap();
    let row = installation_counts::ActiveModel {
        server_id: Set(server),
        remote_id: Set(number),
        property: Set(property.to_owned()),
        subgroup: Set(String::new()),
        end_time: Set(end_time),
        value: Set(1),
    };
    installation_counts::Entity::insert(row).exec(database).await.unwrap();
}

/// Adds hourly counts of a server's realm with these numbers, all of one age but for a few seconds.
pub(super) async fn many_counts(
    database: &DatabaseConnection,
    server: i64,
    numbers: std::ops::RangeInclusive<i64>,
    days: u32,
) {
    let (first, last, moment) = (numbers.start(), numbers.end(), days_ago(days));
    let statement = format!(
        "WITH RECURSIVE n(i) AS (SELECT {first} UNION ALL SELECT i + 1 FROM n WHERE i < {last})
         INSERT INTO realm_counts (server_id, remote_id, realm_id, property, subgroup, end_time, value)
         SELECT {server}, i, 1, 'messages_read::hour', '', {moment} + i, 1 FROM n"
    );
    database.execute_unprepared(&statement).await.unwrap();
}

/// How many rows each table has that ever loses some.
pub(super) async fn counted(database: &DatabaseConnection) -> BTreeMap<String, u64> {
    let mut counted = BTreeMap::new();
    for table in [
        "devices",
        "e2ee_devices",
        "audit_log",
        "realm_audit_log",
        "realm_counts",
        "installation_counts",
        "push_counts",
        "registration_key_uses",
    ] {
        let query = format!("SELECT count(*) AS rows_in_all FROM {table}");
        let statement = Statement::from_string(database.get_database_backend(), query);
        let row = database.query_one_raw(statement).await.unwrap().unwrap();
        let rows: i64 = row.try_get("", "rows_in_all").unwrap();
        counted.insert(table.to_owned(), u64::try_from(rows).unwrap());
    }
    counted
}
