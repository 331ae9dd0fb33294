//! The operator's listener: is it alive, is it ready, what has it counted.

use std::{collections::BTreeSet, time::Duration};

use bytes::Bytes;
use http::Request;
use sea_orm::DbBackend;

use crate::world::{IAGO, Phone, World, message, to};

/// What operators' alarms are built on.
const NAMES: [&str; 20] = [
    "http_requests",
    "http_request_duration_seconds",
    "http_requests_in_flight",
    "http_connections",
    "requests_rejected",
    "notifications",
    "notification_devices",
    "pushes",
    "push_errors",
    "push_duration_seconds",
    "provider_connections",
    "provider_connects",
    "provider_goaways",
    "device_changes",
    "registrations",
    "rate_limit_decisions",
    "db_errors",
    "db_available",
    "db_listening",
    "db_answers_from_memory",
];

#[tokio::test(flavor = "multi_thread")]
async fn a_new_server_is_alive_and_ready() {
    let world = World::start("").await;
    assert_eq!(world.operator_get("/livez").await, (200, "ok\n".to_owned()));
    assert_eq!(world.operator_get("/readyz").await, (200, "ok\n".to_owned()));
    assert_eq!(world.operator_get("/nothing").await.0, 404);
    world.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn chat_servers_see_nothing_of_it() {
    let world = World::start("").await;
    let mut client = world.client();
    for path in ["/metrics", "/livez", "/readyz"] {
        let request = Request::get(path).body(Bytes::new()).unwrap();
        assert_eq!(client.send(request).await.unwrap().status, 404, "{path}");
    }
    let status = world.operator_get("/api/v1/remotes/server/analytics/status").await.0;
    assert_eq!(status, 404, "and its listener serves no chat server");
    world.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn metrics_are_openmetrics_with_every_name() {
    let world = World::start("push.retry_for = \"0\"").await;
    // What has no closed set of labels shows when there is something to show.
    let server = world.chat_server("chat.selfhosted.test").await;
    server.register_phone(IAGO, &Phone::android("toomany")).await;
    server.notify(&to(IAGO, message())).await;
    let (status, text) = world.operator_get("/metrics").await;
    assert_eq!(status, 200);
    assert!(text.ends_with("\n# EOF\n"), "{text}");
    let mut described = BTreeSet::new();
    for line in text.lines().filter(|line| *line != "# EOF") {
        if let Some(comment) = line.strip_prefix("# ") {
            let words: Vec<_> = comment.splitn(3, ' ').collect();
            assert!(matches!(words[0], "HELP" | "TYPE" | "UNIT") && words.len() == 3, "{line}");
            described.insert(words[1].to_owned());
        } else {
            let (series, value) = line.rsplit_once(' ').expect("a series and a value");
            value.parse::<f64>().unwrap_or_else(|_| panic!("{line}"));
            let name = series.split('{').next().unwrap();
            assert!(described.iter().any(|known| name.starts_with(known)), "{line}");
            assert!(!series.contains('{') || series.ends_with('}'), "{line}");
        }
    }
    for series in [
        "push_errors_total{provider=\"apns\",reason=\"ExpiredProviderToken\"} 0",
        "push_errors_total{provider=\"fcm\",reason=\"other\"} 0",
        "provider_responses_total{provider=\"apns\",code=\"503\"} 0",
    ] {
        assert!(text.contains(&format!("\npush_bouncer_{series}\n")), "{series}: {text}");
    }
    for name in NAMES {
        assert!(described.contains(&format!("push_bouncer_{name}")), "{name} is missing");
    }
    world.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_push_is_counted_once_by_what_became_of_it() {
    let world = World::start("push.retry_for = \"0\"").await;
    let server = world.chat_server("chat.selfhosted.test").await;
    for words in ["one", "two", "dead", "oops"] {
        server.register_phone(IAGO, &Phone::apple(words)).await;
    }
    for words in ["one", "toomany"] {
        server.register_phone(IAGO, &Phone::android(words)).await;
    }

    server.notify(&to(IAGO, message())).await;

    let count = async |name: &str, labels: &[&str]| {
        world.metric(&format!("push_bouncer_{name}"), labels).await
    };
    for (provider, outcome, pushes) in [
        ("apns", "accepted", 2.0),
        ("apns", "token_invalid", 1.0),
        ("apns", "provider_error", 1.0),
        ("fcm", "accepted", 1.0),
        ("fcm", "throttled", 1.0),
    ] {
        let labels = [format!("provider=\"{provider}\""), format!("outcome=\"{outcome}\"")];
        let labels = labels.each_ref().map(String::as_str);
        assert_eq!(count("pushes_total", &labels).await, pushes, "{provider} {outcome}");
    }
    assert_eq!(count("pushes_total", &[]).await, 6.0, "and nothing else");
    assert_eq!(count("push_errors_total", &["reason=\"Unregistered\""]).await, 1.0);
    assert_eq!(count("push_errors_total", &["reason=\"QUOTA_EXCEEDED\""]).await, 1.0);
    assert_eq!(count("push_duration_seconds_count", &[]).await, 6.0);
    assert_eq!(count("notifications_total", &["api=\"v1\"", "result=\"partial\""]).await, 1.0);
    assert_eq!(count("notifications_total", &[]).await, 1.0);
    assert_eq!(count("notification_devices_sum", &[]).await, 6.0);
    assert_eq!(count("device_changes_total", &["change=\"registered\""]).await, 6.0);
    assert_eq!(count("device_changes_total", &["change=\"expired\""]).await, 1.0);
    assert_eq!(count("registrations_total", &["result=\"created\""]).await, 1.0);
    let notify = ["route=\"/api/v1/remotes/push/notify\"", "method=\"POST\"", "code=\"200\""];
    assert_eq!(count("http_requests_total", &notify).await, 1.0);
    world.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_its_database_it_is_alive_and_not_ready() {
    let world = World::start("").await;
    let database = world.database().await;
    if database.get_database_backend() != DbBackend::Postgres {
        // A file that is open stays there, whatever is done to its name.
        return world.shutdown().await;
    }
    database.close().await.unwrap();
    world.drop_database().await;
    // It answered a moment ago.
    assert_eq!(world.operator_get("/readyz").await.0, 200);
    world.clock.advance(Duration::from_secs(11));
    assert_eq!(world.operator_get("/readyz").await.0, 503);
    assert_eq!(world.operator_get("/livez").await.0, 200);
    world.shutdown().await;
}
