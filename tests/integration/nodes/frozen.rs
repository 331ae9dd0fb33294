//! A node stands still for a while, as a virtual machine that is moved, and goes on.

use std::time::Duration;

use entities::remote_servers;
use futures_util::future::join_all;
use sea_orm::{
    ColumnTrait as _, ConnectionTrait as _, DatabaseConnection, DbBackend, EntityTrait as _,
    QueryFilter as _, Statement,
};
use serde_json::json;
use tokio::time::sleep;
use uuid::Uuid;

use super::NEEDS_SERVER;
use crate::{
    chaos::{Load, Plan, SETTINGS, UNLIMITED, for_seeds, is_long},
    world::{ChatServer, Client, Fleet, IAGO, Phone, Registered, Stage, until},
};

/// An attempt of a push may take less time than the node stands still.
const PATIENCE: &str = "push.answer_within = \"10s\"\n\
    apns.sandbox.attempt_timeout = \"2s\"\n\
    fcm.sandbox.attempt_timeout = \"2s\"\n";

/// So that there are always attempts that wait for their answer.
const LATENCY: Duration = Duration::from_millis(300);

/// The node stands still for longer than what it has heard is believed for, and than an attempt may take.
const STILL_FOR: Duration = Duration::from_millis(3500);

/// The same and longer than a node may be silent before others take it to be dead.
const LONG_STILL_FOR: Duration = Duration::from_secs(12);

/// What must be acknowledged by each node before the next thing happens.
const SOME: usize = 10;

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_stood_still_says_nothing_old_and_sends_nothing_twice() {
    for_seeds(async |seed| Box::pin(world(seed)).await).await;
}

async fn world(seed: u64) {
    let stage = Stage::set("").await;
    assert!(stage.has_server(), "{NEEDS_SERVER}");
    let config = stage.config_with(&format!("{SETTINGS}{UNLIMITED}{PATIENCE}"));
    let fleet = Fleet::start(2, &config).await;
    fleet.until_each_has("push_bouncer_db_listening", 1.0).await;
    for faults in [stage.surroundings.apns.faults(), stage.surroundings.fcm.faults()] {
        faults.set_latency(LATENCY);
    }
    let mut load = Load::begin(&stage, &fleet, &Plan::of(seed)).await;
    for _ in 0..if is_long() { 3 } else { 1 } {
        load.until_work(&[0, 1], SOME).await;
        Box::pin(stand_still(&stage, &fleet, &mut load)).await;
    }
    load.until_work(&[0, 1], SOME).await;
    let ended = Box::pin(load.end()).await;
    Box::pin(ended.reconcile(&stage, fleet)).await;
    stage.drop_database().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_stands_still_in_a_transaction_keeps_no_row_from_the_others() {
    let stage = Stage::set("").await;
    assert!(stage.has_server(), "{NEEDS_SERVER}");
    let fleet = Fleet::start(1, &stage.config_with(&format!("{SETTINGS}{UNLIMITED}"))).await;
    let plan = Plan { busy: 12, steady: 0, pace: 0..2, ..Plan::of(0) };
    let load = Load::begin(&stage, &fleet, &plan).await;
    let database = stage.database().await;
    let node = fleet[0].program();
    until("it stands still in a transaction", async || {
        node.freeze();
        // What it has said is answered.
        sleep(Duration::from_millis(50)).await;
        let stands = idle_in_transaction(&database).await > 0;
        if !stands {
            node.thaw();
            sleep(Duration::from_millis(20)).await;
        }
        stands.then_some(())
    })
    .await;
    until("its transactions are rolled back", async || {
        (idle_in_transaction(&database).await == 0).then_some(())
    })
    .await;
    node.thaw();
    load.until_changes(0, SOME).await;
    let ended = Box::pin(load.end()).await;
    Box::pin(ended.reconcile(&stage, fleet)).await;
    database.close().await.unwrap();
    stage.drop_database().await;
}

/// How many transactions of the program wait for its next word.
async fn idle_in_transaction(database: &DatabaseConnection) -> i64 {
    let query = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()
                 AND application_name = 'push-bouncer' AND state LIKE 'idle in transaction%'";
    let statement = Statement::from_string(DbBackend::Postgres, query);
    let row = database.query_one_raw(statement).await.unwrap().unwrap();
    row.try_get_by_index(0).unwrap()
}

/// While one node stands still the other one deactivates a server, changes the key of another, and removes a phone;
/// who asks the first one meanwhile is told so when it goes on.
async fn stand_still(stage: &Stage, fleet: &Fleet, load: &mut Load) {
    let (still, awake) = (fleet[0].address, fleet[1].address);
    let id = push_bouncer::random::Random::default().uuid();
    let gone = stage.chat_server_of(awake, &format!("g{id}.selfhosted.test"));
    let moved = stage.chat_server_of(awake, &format!("m{id}.selfhosted.test"));
    let quiet = stage.chat_server_of(awake, &format!("q{id}.selfhosted.test"));
    for server in [&gone, &moved, &quiet] {
        assert_eq!(server.register().await, Registered::Created);
    }
    let phone = Phone::android("phone");
    moved.register_phone(IAGO, &phone).await;
    // The node knows all of it.
    let at_still = stage.chat_server_at(still, &moved);
    assert_eq!(at_still.phones_of(IAGO).await, (1, 0));
    let (new, mut client) = ("n".repeat(64), stage.client_of(awake));
    let mut asking: Vec<Client> = (0..4).map(|_| stage.client_of(still)).collect();
    for client in &mut asking {
        assert_eq!(client.status_as(&gone.org_id, &gone.org_key).await.status, 200);
        assert_eq!(client.status_as(&moved.org_id, &moved.org_key).await.status, 200);
    }

    assert_eq!(asking[0].status_as(&quiet.org_id, &quiet.org_key).await.status, 200);
    fleet[0].program().freeze();
    assert_eq!(gone.json("server/deactivate", &json!({})).await.status, 200);
    assert_eq!(moved.about_phone("push/unregister", IAGO, &phone, &[]).await.0, 200);
    assert_eq!(moved.register_with(&[("new_org_key", &new)]).await, Registered::Updated);
    assert_eq!(client.status_as(&moved.org_id, &new).await.status, 200);
    let late = join_all(asking.iter_mut().enumerate().map(async |(number, client)| match number {
        0 | 1 => client.status_as(&gone.org_id, &gone.org_key).await.status,
        _ => client.status_as(&moved.org_id, &moved.org_key).await.status,
    }));
    let go_on = async {
        sleep(if is_long() { LONG_STILL_FOR } else { STILL_FOR }).await;
        let moment = stage.clock.now().unix_millis();
        assert_eq!(client.status_as(&quiet.org_id, &quiet.org_key).await.status, 200);
        until("the other node has written when it heard it", async || {
            (last_request(stage, &quiet).await >= Some(moment)).then_some(())
        })
        .await;
        fleet[0].program().thaw();
        moment
    };
    let (late, moment) = tokio::join!(late, go_on);
    assert_eq!(late, [401; 4], "neither the server nor the key counts any more");
    let mut renewed = stage.chat_server_at(still, &moved);
    renewed.set_key(&new);
    assert_eq!(renewed.phones_of(IAGO).await, (0, 0), "it is no longer registered");
    load.until_written(stage, 0).await;
    assert!(last_request(stage, &quiet).await >= Some(moment), "what it heard before is older");
}

/// When a chat server was last heard, as far as that is written.
async fn last_request(stage: &Stage, server: &ChatServer) -> Option<i64> {
    let uuid = Uuid::parse_str(&server.org_id).unwrap();
    let query = remote_servers::Entity::find().filter(remote_servers::Column::Uuid.eq(uuid));
    let database = stage.database().await;
    let row = query.one(&database).await.unwrap().unwrap();
    database.close().await.unwrap();
    row.last_request_at
}
