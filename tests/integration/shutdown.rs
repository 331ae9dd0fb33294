//! The program's end: the real binary, told to stop while a push is under way.

use std::{net::SocketAddr, time::Duration};

use entities::{push_counts, remote_servers};
use sea_orm::EntityTrait as _;
use tokio::{net::TcpStream, time::Instant};

use crate::world::{ChatServer, IAGO, Phone, Program, Registered, Stage, message, to, until};

/// The time a push takes here: long enough to stop the program meanwhile.
const LATENCY: Duration = Duration::from_millis(1500);

#[tokio::test(flavor = "multi_thread")]
async fn what_is_under_way_is_answered_and_everything_is_written_down() {
    let stage = Stage::set("push.answer_within = \"10s\"\nhttp.shutdown_grace = \"30s\"").await;
    let program = Program::start(&stage).await;
    let server = server_with_a_phone(&stage, program.address).await;
    stage.surroundings.fcm.set_latency(LATENCY);
    let notification = to(IAGO, message());

    let stopping = async {
        until("the push is under way", async || (stage.arrived() == (0, 1)).then_some(())).await;
        program.terminate();
        until("new connections are refused", async || {
            TcpStream::connect(program.address).await.is_err().then_some(())
        })
        .await;
        Instant::now()
    };
    let answering = async { (server.notify(&notification).await, Instant::now()) };
    let ((answer, answered), stopped) = tokio::join!(answering, stopping);

    assert!(stopped < answered, "it was under way when nobody new was let in");
    assert_eq!(answer["total_android_devices"], 1);
    assert!(program.end().await.success());
    assert_eq!(counts(&stage).await, [(1, 1)]);
    let stored = remote_servers::Entity::find().one(&stage.database().await).await.unwrap();
    let stored = stored.unwrap();
    let last_request = stored.last_request_at.expect("the request is noted");
    assert!(last_request > stored.updated_at, "later than the registration");
    stage.drop_database().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_push_that_outlives_its_answer_is_sent_before_the_end() {
    let stage = Stage::set("push.answer_within = \"50ms\"\nhttp.shutdown_grace = \"30s\"").await;
    let program = Program::start(&stage).await;
    let server = server_with_a_phone(&stage, program.address).await;
    stage.surroundings.fcm.set_latency(LATENCY);

    server.notify(&to(IAGO, message())).await;
    program.terminate();

    assert!(program.end().await.success());
    assert_eq!(counts(&stage).await, [(1, 1)], "accepted, and written down");
    stage.drop_database().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_registered_is_there_after_the_next_start() {
    let stage = Stage::set("http.shutdown_grace = \"30s\"").await;
    let program = Program::start(&stage).await;
    let server = server_with_a_phone(&stage, program.address).await;
    program.terminate();
    assert!(program.end().await.success());

    let program = Program::start(&stage).await;
    let mut client = stage.client_of(program.address);
    assert_eq!(client.status_as(&server.org_id, &server.org_key).await.status, 200);
    program.interrupt();
    assert!(program.end().await.success(), "Ctrl-C is a good end too");
    stage.drop_database().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_on_which_nothing_goes_on_do_not_delay_the_end() {
    let stage = Stage::set("http.shutdown_grace = \"5m\"").await;
    let program = Program::start(&stage).await;
    let server = server_with_a_phone(&stage, program.address).await;
    let mut kept = stage.client_of(program.address);
    assert_eq!(kept.status_as(&server.org_id, &server.org_key).await.status, 200);
    let _silent = TcpStream::connect(program.address).await.unwrap();
    let _idle = stage.connect_to(program.address, &[]).await;
    // Has not sent the first bytes of HTTP/2.
    let _half_begun = stage.connect_to(program.address, &["h2"]).await;

    program.terminate();

    assert!(program.end().await.success());
    stage.drop_database().await;
}

/// A chat server with an Android phone of Iago's.
async fn server_with_a_phone(stage: &Stage, address: SocketAddr) -> ChatServer {
    let server = stage.chat_server_of(address, "chat.selfhosted.test");
    assert_eq!(server.register().await, Registered::Created);
    server.register_phone(IAGO, &Phone::android("android")).await;
    server
}

/// Pushes asked for and accepted, as they are stored.
async fn counts(stage: &Stage) -> Vec<(i64, i64)> {
    let counts = push_counts::Entity::find().all(&stage.database().await).await.unwrap();
    counts.into_iter().map(|row| (row.received, row.forwarded)).collect()
}
