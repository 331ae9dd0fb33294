//! The service deletes old rows by itself: every hour by the clock, on one node.

use std::time::Duration;

use push_bouncer::{config::Config, server::Server};
use sea_orm::{ConnectionTrait as _, DbBackend};

use super::rows::{counted, fill};
use crate::world::{Stage, World, until};

const HOUR: Duration = Duration::from_secs(60 * 60);

/// By how much turns may be late.
const JITTER: Duration = Duration::from_secs(10 * 60);

async fn runs(world: &World, result: &str) -> f64 {
    let result = format!("result=\"{result}\"");
    let labels = ["job_name=\"retention\"", &result];
    world.metric("push_bouncer_job_runs_total", &labels).await
}

#[tokio::test(flavor = "multi_thread")]
async fn old_rows_are_deleted_by_the_clock_and_again_after_a_failure() {
    let world = World::start("").await;
    let database = world.database().await;
    let server = world.chat_server("chat.selfhosted.test").await.stored(&database).await;
    fill(&database, server.id, &[800, 40, 1]).await;
    until("it leads", async || {
        (world.metric("push_bouncer_node_leader", &[]).await == 1.0).then_some(())
    })
    .await;
    let labels = ["job_name=\"retention\""];
    assert_eq!(world.metric("push_bouncer_job_interval_seconds", &labels).await, 3600.0);
    let success = "push_bouncer_job_last_success_timestamp_seconds";
    assert_eq!(world.metric(success, &labels).await, 0.0);

    database.execute_unprepared("ALTER TABLE push_counts RENAME TO elsewhere").await.unwrap();
    world.clock.advance(HOUR);
    until("a run fails", async || (runs(&world, "failed").await == 1.0).then_some(())).await;
    assert_eq!(runs(&world, "ok").await, 0.0);
    database.execute_unprepared("ALTER TABLE elsewhere RENAME TO push_counts").await.unwrap();

    world.clock.advance(HOUR + JITTER);
    until("a run succeeds", async || (runs(&world, "ok").await == 1.0).then_some(())).await;
    let rows = counted(&database).await;
    assert_eq!((rows["devices"], rows["realm_counts"], rows["push_counts"]), (2, 3, 2));
    assert!(world.metric(success, &labels).await > 1_700_000_000.0);
    assert_eq!(world.metric("push_bouncer_job_duration_seconds_count", &labels).await, 2.0);

    // What is kept for long becomes old too.
    world.clock.advance(731 * 24 * HOUR);
    until("the rest is deleted", async || {
        let rows = counted(&database).await;
        let left = [rows["devices"], rows["audit_log"], rows["push_counts"], rows["realm_counts"]];
        // A device that is not gone, and the highest number.
        (left == [1, 0, 0, 1]).then_some(())
    })
    .await;
    world.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_nodes_one_deletes_until_it_ends() {
    let stage = Stage::set("").await;
    let config = Config::parse(stage.surroundings.config()).unwrap();
    let first = Server::bind(config.clone(), stage.clock.clone()).await.unwrap();
    let database = stage.database().await;
    if database.get_database_backend() != DbBackend::Postgres {
        // On SQLite there is one node.
        first.shutdown().await;
        return;
    }
    until("the first leads", async || leads(&first).then_some(())).await;
    let second = Server::bind(config, stage.clock.clone()).await.unwrap();
    stage.clock.advance(2 * HOUR);
    until("the first has a run", async || has_run(&first).then_some(())).await;
    // In this time the second one looks twice whether it leads, and its run is due.
    stage.clock.advance(2 * HOUR);
    tokio::time::sleep(Duration::from_millis(2500)).await;
    assert!(leads(&first) && !leads(&second) && !has_run(&second));

    first.shutdown().await;
    stage.clock.advance(HOUR);
    until("the second leads", async || leads(&second).then_some(())).await;
    until("and has a run", async || has_run(&second).then_some(())).await;
    second.shutdown().await;
    stage.drop_database().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_leader_that_loses_its_connection_claims_another() {
    let world = World::start("").await;
    let database = world.database().await;
    if database.get_database_backend() != DbBackend::Postgres {
        world.shutdown().await;
        return;
    }
    let leader = async || world.metric("push_bouncer_node_leader", &[]).await;
    until("it leads", async || (leader().await == 1.0).then_some(())).await;
    let end_it = "SELECT pg_terminate_backend(pid) FROM pg_locks
        WHERE locktype = 'advisory' AND pid <> pg_backend_pid()
            AND database = (SELECT oid FROM pg_database WHERE datname = current_database())";
    database.execute_unprepared(end_it).await.unwrap();
    world.clock.advance(2 * HOUR);
    until("it leads again, and has a run", async || {
        (leader().await == 1.0 && runs(&world, "ok").await >= 1.0).then_some(())
    })
    .await;
    world.shutdown().await;
}

fn leads(node: &Server) -> bool {
    node.app().metrics.encode().contains("push_bouncer_node_leader 1\n")
}

fn has_run(node: &Server) -> bool {
    let none = "push_bouncer_job_runs_total{job_name=\"retention\",result=\"ok\"} 0\n";
    !node.app().metrics.encode().contains(none)
}
