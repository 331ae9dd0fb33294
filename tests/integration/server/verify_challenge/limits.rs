//! How many transfers may be tried.

use serde_json::Value;

use crate::world::{PERMITTED, TOKEN, World, said};

const PROXY: &str = "http.trusted_proxies = [\"127.0.0.1/32\"]\n";

async fn try_from(world: &World, address: &str) -> (u16, Value) {
    let fields = [("hostname", "unregistered.test"), ("access_token", TOKEN)];
    said(&world.post_form_from(Some(address), "verify_challenge", &fields).await)
}

#[tokio::test(flavor = "multi_thread")]
async fn one_address_may_try_ten_times_a_day() {
    let world = World::start(PROXY).await;
    for _ in 0..10 {
        assert_eq!(try_from(&world, "198.51.100.1").await.0, 400);
    }
    let (status, json) = try_from(&world, "198.51.100.1").await;
    assert_eq!((status, &json["code"]), (429, &"RATE_LIMIT_HIT".into()));
    assert_eq!(json["msg"], "API usage exceeded rate limit");
    assert!(json["retry-after"].as_f64().is_some_and(|wait| wait > 3600.0), "{json}");
    assert_eq!(try_from(&world, "198.51.100.2").await.0, 400, "another address may");
    assert_eq!(try_from(&world, "2001:db8::1").await.0, 400);
    world.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_limited_by_address_does_not_use_up_the_limit_of_all() {
    let settings = "limits.transfer.rate = \"2/day\"\nregistration.transfer_limit = \"3/day\"\n\
        operator.contact = \"ops@push.example.com\"\n";
    let world = World::start(&format!("{PROXY}{settings}")).await;
    let mut statuses = Vec::new();
    for address in ["2001:db8::1", "2001:db8::2", "2001:db8::3", "2001:db8::4", "198.51.100.1"] {
        statuses.push(try_from(&world, address).await.0);
    }
    assert_eq!(statuses, [400, 400, 429, 429, 400], "one network of IPv6 counts as one");
    let (status, json) = try_from(&world, "198.51.100.2").await;
    assert_eq!(status, 429);
    let text = "The global limits on recent usage of this endpoint have been reached. \
        Please try again later or reach out to ops@push.example.com for assistance.";
    assert_eq!(json["msg"], text);
    let decisions = "push_bouncer_rate_limit_decisions_total";
    for (decision, count) in [("allowed", 3.0), ("rejected", 3.0)] {
        let labels = ["limit=\"transfer\"", &format!("decision=\"{decision}\"")];
        assert_eq!(world.metric(decisions, &labels).await, count, "{decision}");
    }
    world.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_limited_caller_does_not_make_the_bouncer_call() {
    let settings = format!("{PERMITTED}limits.transfer.rate = \"1/day\"");
    let world = World::start(&settings).await;
    let host = world.chat_host(&[]).await;
    let server = world.chat_server(&host.hostname("localhost")).await;
    for expected in [400, 429, 429] {
        assert_eq!(world.verify(&server.hostname, TOKEN).await.0, expected);
    }
    assert_eq!(host.heads().len(), 1);
    world.shutdown().await;
}
