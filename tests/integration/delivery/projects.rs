//! Several Firebase projects: which one a phone is of is found out by asking.

use std::{sync::Arc, time::Duration};

use futures_util::future::join_all;
use h2::Reason;
use push_bouncer::sandbox::{
    faults::{Act, Outage},
    fcm::{FakeFcm, FcmOptions, ServiceAccount},
};
use serde_json::{Value, json};

use super::{outcomes, until_outcomes, with_phones_in};
use crate::world::{IAGO, Phone, Stage, World, message, to, until};

/// A world with a second project besides that of the surroundings, which is asked first.
async fn with_second() -> (World, FakeFcm) {
    let (world, [second]) = with_projects(["second"]).await;
    (world, second)
}

/// A world with these projects besides that of the surroundings; they are asked in the order of their names.
async fn with_projects<const N: usize>(names: [&str; N]) -> (World, [FakeFcm; N]) {
    let stage = Stage::set("").await;
    let mut config = stage.surroundings.config().to_owned();
    let projects = names.map(|name| start_project(&stage, name));
    let projects = join_all(projects).await.into_iter().map(|(project, lines)| {
        config += &lines;
        project
    });
    let projects: Vec<FakeFcm> = projects.collect();
    (stage.serve(&config).await, projects.try_into().ok().expect("there is one of each name"))
}

/// A Firebase project, and what the configuration says of it.
async fn start_project(stage: &Stage, name: &str) -> (FakeFcm, String) {
    let file = stage.surroundings.config_file().with_file_name("service-account.json");
    let first: Value = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
    let account = ServiceAccount::with_key(name, first["private_key"].as_str().unwrap()).unwrap();
    let options = FcmOptions { accounts: vec![account.clone()], ..FcmOptions::default() };
    let authority = stage.surroundings.authority();
    let fcm = FakeFcm::start(authority, stage.clock.clone(), options).await.unwrap();
    let its_file = file.with_file_name(format!("{name}.json"));
    std::fs::write(&its_file, account.json(&fcm.token_uri())).unwrap();
    let lines = format!(
        "\nfcm.{name}.service_account_file = {its_file:?}\nfcm.{name}.endpoint = \"https://{}\"\n",
        fcm.address(),
    );
    (fcm, lines)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_phone_is_reached_at_once_though_the_project_that_is_asked_first_fails() {
    let (world, second) = with_second().await;
    let server = with_phones_in(&world, &[Phone::android("phone@second")]).await;
    let faults = world.surroundings.fcm.faults();
    faults.set_retry_after(Some(Duration::from_secs(60 * 60)));
    faults.set_outage(Some(Outage::ServiceUnavailable));
    server.notify(&to(IAGO, message())).await;
    until("it is counted", async || (outcomes(&world, "accepted").await == 1.0).then_some(()))
        .await;
    assert_eq!((world.arrived().1, second.counters().accepted), (1, 1));
    assert_eq!(world.metric("push_bouncer_push_retries_total", &[]).await, 0.0);
    world.shutdown().await;
    second.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_removal_goes_where_another_project_than_the_first_may_have_taken_its_message() {
    let (world, second) = with_second().await;
    let server = with_phones_in(&world, &[Phone::android("phone@second")]).await;
    let faults = world.surroundings.fcm.faults();
    faults.set_retry_after(Some(Duration::from_secs(600)));
    faults.set_outage(Some(Outage::ServiceUnavailable));
    let lost = Act::Reset { code: Reason::INTERNAL_ERROR, is_accepted: true };
    second.faults().set_script(Some(Arc::new(move |_| lost.clone())));
    let of_message = |payload| to(IAGO, json!({"gcm_payload": payload}));
    server
        .notify(&of_message(json!({"event": "message", "zulip_message_id": 5, "content": "Hello"})))
        .await;
    until("it waits", async || {
        (world.metric("push_bouncer_push_retry_entries", &[]).await == 1.0).then_some(())
    })
    .await;
    assert!(second.counters().accepted > 0, "its answer was lost");

    second.faults().set_script(None);
    faults.set_outage(None);
    server.notify(&of_message(json!({"event": "remove", "zulip_message_ids": "5"}))).await;
    until("both have ended", async || {
        world.clock.advance(Duration::from_secs(60));
        (world.metric("push_bouncer_pushes_total", &[]).await == 2.0).then_some(())
    })
    .await;
    let mut events = Vec::new();
    second.for_each_request(|request| {
        let body: Value = serde_json::from_slice(&request.body).unwrap();
        events.push(body["message"]["data"]["event"].as_str().unwrap().to_owned());
    });
    let last = events.last().map(String::as_str);
    assert_eq!(last, Some("remove"), "the message is on the phone until it is removed");
    world.shutdown().await;
    second.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_project_that_fails_does_not_keep_pushes_from_the_phones_of_another() {
    let (world, second) = with_second().await;
    let of_second: Vec<Phone> =
        (0..25).map(|number| Phone::android(&format!("phone{number}@second"))).collect();
    let of_first = Phone::android("phone@zulip-ref");
    let server = with_phones_in(&world, &of_second).await;
    let faults = world.surroundings.fcm.faults();
    faults.set_outage(Some(Outage::ServiceUnavailable));

    server.notify(&to(IAGO, message())).await;
    until("all have it", async || (second.counters().accepted == 25).then_some(())).await;
    until("all are counted", async || (outcomes(&world, "accepted").await == 25.0).then_some(()))
        .await;
    let asked = world.arrived().1;
    assert!(asked > 0, "the first project was asked before");
    let labels = ["provider=\"fcm\"", "app=\"second\"", "outcome=\"accepted\""];
    world.until_metric("push_bouncer_pushes_total", &labels, 25.0).await;
    let is_available = async |app| {
        let labels = ["provider=\"fcm\"", app];
        world.metric("push_bouncer_provider_available", &labels).await == 1.0
    };
    assert!(!is_available("app=\"sandbox\"").await, "it failed, whoever took the pushes then");
    assert!(is_available("app=\"second\"").await);

    // Now it is known whose they are.
    server.notify(&to(IAGO, message())).await;
    until("all have the next", async || (second.counters().accepted == 50).then_some(())).await;
    assert_eq!(world.arrived().1, asked, "the first is not asked again");

    // One of the project that fails waits for it.
    server.register_phone(IAGO, &of_first).await;
    server.notify(&to(IAGO, message())).await;
    until("the others have the third", async || (second.counters().accepted == 75).then_some(()))
        .await;
    faults.set_outage(None);
    until("it has it too", async || {
        world.clock.advance(Duration::from_secs(5));
        (world.surroundings.fcm.counters().accepted == 1).then_some(())
    })
    .await;
    world.shutdown().await;
    second.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn each_project_that_fails_is_known_to_fail() {
    let (world, [second, third]) = with_projects(["second", "third"]).await;
    let of_third: Vec<Phone> =
        (0..25).map(|number| Phone::android(&format!("phone{number}@third"))).collect();
    let server = with_phones_in(&world, &of_third).await;
    world.surroundings.fcm.faults().set_outage(Some(Outage::ServiceUnavailable));
    second.faults().set_outage(Some(Outage::ServiceUnavailable));

    server.notify(&to(IAGO, message())).await;
    until_outcomes(&world, "accepted", 25.0).await;
    assert_eq!(third.counters().accepted, 25);
    for (app, is_available) in [("sandbox", 0.0), ("second", 0.0), ("third", 1.0)] {
        let labels = ["provider=\"fcm\"", &format!("app=\"{app}\"")];
        world.until_metric("push_bouncer_provider_available", &labels, is_available).await;
    }
    world.shutdown().await;
    for project in [second, third] {
        project.shutdown().await;
    }
}
