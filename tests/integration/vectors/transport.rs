//! V14 to V19: methods, the limit of a server, and the note of its last request.

use bytes::Bytes;
use entities::remote_servers;
use futures_util::future::join_all;
use http::{Method, Request};
use sea_orm::{ColumnTrait as _, EntityTrait as _, QueryFilter as _};
use serde_json::json;
use uuid::Uuid;

use super::{form_success, one_server, said, two_servers};
use crate::world::{Answer, ChatServer, Client, IAGO, Phone, Stage, World, until};

/// The server's limit without any setting.
const ALLOWED_A_MINUTE: usize = 1000;

#[tokio::test(flavor = "multi_thread")]
async fn v014_another_method_is_refused_before_authentication() {
    let world = World::start("").await;
    let answer = bare(&world, Method::GET, "push/register").await;
    assert_eq!((answer.status, answer.header("allow")), (405, "POST"));
    assert_eq!(answer.header("content-type"), "application/json");
    let body = json!({"result": "error", "msg": "Method Not Allowed", "allowed_methods": ["POST"]});
    assert_eq!(answer.json(), body);
    world.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn v015_whoever_asks_for_options_learns_the_method() {
    let world = World::start("").await;
    let answer = bare(&world, Method::OPTIONS, "push/notify").await;
    assert_eq!((answer.status, answer.header("allow")), (204, "POST"));
    assert!(answer.body.is_empty());
    world.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn v016_head_of_the_status_has_no_body() {
    let (world, server) = one_server("").await;
    let request = Request::head("/api/v1/remotes/server/analytics/status")
        .header("Authorization", server.authorization())
        .body(Bytes::new())
        .unwrap();
    let answer = world.client().send(request).await.unwrap();
    assert_eq!((answer.status, answer.header("content-type")), (200, "application/json"));
    assert!(answer.body.is_empty());
    world.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn v017_of_1001_calls_in_a_minute_the_last_is_refused() {
    let (world, server) = one_server("").await;
    let mut clients: Vec<Client> = (0..4).map(|_| world.client()).collect();
    let calls = clients.iter_mut().map(async |client| {
        let mut allowed = 0;
        for _ in 0..ALLOWED_A_MINUTE / 4 {
            let answer = client.status_as(&server.org_id, &server.org_key).await;
            allowed += usize::from(answer.status == 200);
        }
        allowed
    });
    let allowed: usize = join_all(calls).await.into_iter().sum();
    assert_eq!(allowed, ALLOWED_A_MINUTE);

    let refused = clients[0].status_as(&server.org_id, &server.org_key).await;

    assert_eq!(refused.status, 429);
    let mut body = refused.json();
    let wait = body["retry-after"].take().as_f64().expect("a number");
    assert!(wait > 0.0 && wait <= 60.0, "{wait}");
    let expected = json!({
        "result": "error", "msg": "API usage exceeded rate limit", "code": "RATE_LIMIT_HIT",
        "retry-after": null,
    });
    assert_eq!(body, expected);
    let whole: f64 = refused.header("retry-after").parse::<u32>().expect("whole seconds").into();
    assert!((0.0..1.0).contains(&(whole - wait)), "{whole} is {wait} rounded up");
    assert_eq!(refused.header("x-ratelimit-limit"), "1000");
    assert_eq!(refused.header("x-ratelimit-remaining"), "0");
    let reset: i64 = refused.header("x-ratelimit-reset").parse().unwrap();
    assert!((0..=61).contains(&(reset - world.clock.now().unix_seconds())), "{reset}");
    world.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn v018_the_limit_of_one_server_is_not_anothers() {
    let (world, server, neighbour) = two_servers("limits.server.rate = \"1/min\"").await;
    let status = async |server: &ChatServer| {
        world.client().status_as(&server.org_id, &server.org_key).await.status
    };
    assert_eq!((status(&server).await, status(&server).await), (200, 429));
    assert_eq!(status(&neighbour).await, 200);
    assert_eq!(status(&server).await, 429, "and the first is refused as before");
    world.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn v019_the_time_of_the_last_request_moves_also_when_parameters_are_wrong() {
    let (world, server, neighbour) = two_servers("").await;
    world.clock.advance(std::time::Duration::from_secs(60 * 60));
    let now = world.clock.now().unix_millis();
    for server in [&server, &neighbour] {
        let before = last_request_at(&world, server).await;
        assert!(before.is_none_or(|before| before < now), "{before:?}");
    }

    let answer = server.about_phone("push/register", IAGO, &Phone::android("111222"), &[]).await;
    assert_eq!(answer, form_success());
    let wrong = neighbour.form("push/register", &IAGO.fields()).await;
    assert_eq!(said(&wrong).0, 400);

    for server in [&server, &neighbour] {
        let last = until("the request is noted", async || {
            last_request_at(&world, server).await.filter(|&at| at >= now)
        });
        assert!((0..60_000).contains(&(last.await - now)));
    }
    world.shutdown().await;
}

/// What is stored of a server's last request, in Unix milliseconds.
async fn last_request_at(stage: &Stage, server: &ChatServer) -> Option<i64> {
    let id = Uuid::parse_str(&server.org_id).unwrap();
    let row = remote_servers::Entity::find().filter(remote_servers::Column::Uuid.eq(id));
    let row = row.one(&stage.database().await).await.unwrap();
    row.expect("the server is registered").last_request_at
}

/// A request of nobody, with nothing in it.
async fn bare(world: &World, method: Method, path: &str) -> Answer {
    let path = format!("/api/v1/remotes/{path}");
    let request = Request::builder().method(method).uri(path).body(Bytes::new()).unwrap();
    world.client().send(request).await.unwrap()
}
