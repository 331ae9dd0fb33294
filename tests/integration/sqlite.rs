//! One service on one SQLite file: it may be killed at any time, and no second one comes beside it.

use sea_orm::{ConnectionTrait as _, DbBackend, Statement};

use crate::{
    chaos::{Load, Plan, SETTINGS, UNLIMITED, for_seeds, is_long, refuse_some},
    world::{Fleet, Program, Stage},
};

/// No answer is given before each phone has had its first attempt.
const PATIENT: &str = "push.answer_within = \"10s\"\n";

/// What must be acknowledged before the next thing happens.
const SOME: usize = 20;

/// See `src/cli/error.rs`.
const TRY_LATER: i32 = 75;

#[tokio::test(flavor = "multi_thread")]
async fn what_was_acknowledged_outlives_the_process_that_said_it() {
    for_seeds(async |seed| Box::pin(world(seed)).await).await;
}

async fn world(seed: u64) {
    let stage = Stage::set_on_file().await;
    let config = stage.config_with(&format!("{SETTINGS}{UNLIMITED}{PATIENT}"));
    let mut fleet = Fleet::start(1, &config).await;
    refuse_some(&stage);
    let mut load = Load::begin(&stage, &fleet, &Plan::of(seed)).await;
    for _ in 0..if is_long() { 8 } else { 2 } {
        load.until_written(&stage, 0).await;
        load.until_changes(0, SOME).await;
        load.until_notifies(0, SOME).await;
        load.kill(&mut fleet, 0);
        fleet.start_again(0).await;
    }
    load.until_changes(0, SOME).await;
    let ended = Box::pin(load.end()).await;
    Box::pin(ended.reconcile(&stage, fleet)).await;
    let check = Statement::from_string(DbBackend::Sqlite, "PRAGMA integrity_check");
    let checked = stage.database().await.query_one_raw(check).await.unwrap().unwrap();
    assert_eq!(checked.try_get_by_index::<String>(0).unwrap(), "ok");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_service_on_the_file_is_refused_and_commands_are_not() {
    let stage = Stage::set_on_file().await;
    let first = Program::start(&stage).await;
    let server = stage.chat_server_of(first.address, "chat.selfhosted.test");
    server.register().await;

    let refused = stage.command(&["serve"]).await;
    assert_eq!(refused.code, TRY_LATER, "{refused:?}");
    let file = "push-bouncer.sqlite`, and a SQLite file is for one service";
    assert!(refused.complaint.contains(file), "{}", refused.complaint);
    assert!(refused.complaint.contains("end that one first"), "{}", refused.complaint);

    for command in [
        &["db", "status"][..],
        &["db", "migrate"],
        &["brake", "status"],
        &["server", "deactivate", &server.org_id, "--yes"],
        &["server", "reactivate", &server.org_id],
    ] {
        let printed = stage.command(command).await;
        assert_eq!(printed.code, 0, "{command:?}: {printed:?}");
    }

    first.kill();
    let next = Program::start(&stage).await;
    next.terminate();
    assert!(next.end().await.success());
    let last = Program::start(&stage).await;
    last.terminate();
    assert!(last.end().await.success());
}
