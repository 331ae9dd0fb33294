//! Devices that are gone before the next attempt of a push that waits for them.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use push_bouncer::sandbox::faults::{Act, Outage};
use serde_json::json;
use tokio::time::sleep;

use super::{NOTICED, accepted, outcomes, with_phones};
use crate::world::{IAGO, Phone, World, message, to, until};

const REALM: &str = "7d6e5f40-1111-4222-8333-444455556666";
const MINUTE: Duration = Duration::from_secs(60);

#[tokio::test(flavor = "multi_thread")]
async fn a_device_that_is_unregistered_while_its_push_waits_gets_nothing() {
    let (gone, stays) = (Phone::apple("gone"), Phone::apple("stays"));
    let (world, server) = with_phones("", &[gone.clone(), stays.clone()]).await;
    let faults = world.surroundings.apns.faults();
    faults.set_retry_after(Some(MINUTE));
    faults.set_outage(Some(Outage::ServiceUnavailable));
    server.notify(&to(IAGO, message())).await;
    let unregistered = server.about_phone("push/unregister", IAGO, &gone, &[]).await;
    assert_eq!(unregistered.0, 200, "{unregistered:?}");
    faults.clear();
    until("both have come to their end", async || {
        world.clock.advance(MINUTE);
        sleep(NOTICED).await;
        (world.metric("push_bouncer_pushes_total", &[]).await == 2.0).then_some(())
    })
    .await;
    assert_eq!((accepted(&world, &gone), accepted(&world, &stays)), (0, 1));
    assert_eq!(
        (outcomes(&world, "superseded").await, outcomes(&world, "accepted").await),
        (1.0, 1.0)
    );
    assert_eq!(world.arrived(), (3, 0), "it is not asked about again");
    assert_eq!(world.metric("push_bouncer_pushes_given_up_total", &[]).await, 0.0);
    world.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_waits_behind_a_push_that_finds_its_device_dead_is_not_sent() {
    let phones = [Phone::apple("iphone"), Phone::android("android")];
    let world = World::start("").await;
    let server = world.chat_server("chat.selfhosted.test").await;
    server.upload_realm(REALM).await;
    let app = world.app_build().await;
    for phone in &phones {
        server.register_sealed(REALM, &app, phone, world.seconds()).await;
    }
    let services = [
        (world.surroundings.apns.faults(), "ServiceUnavailable", "Unregistered"),
        (world.surroundings.fcm.faults(), "UNAVAILABLE", "UNREGISTERED"),
    ];
    for (faults, unavailable, unregistered) in services {
        faults.set_retry_after(Some(MINUTE));
        let asked = AtomicUsize::new(0);
        faults.set_script(Some(Arc::new(move |_| match asked.fetch_add(1, Ordering::Relaxed) {
            0 => Act::Refuse(unavailable.to_owned()),
            _ => Act::Refuse(unregistered.to_owned()),
        })));
    }
    for text in ["AA==", "AB==", "AC=="] {
        let answer =
            server.notify_encrypted(REALM, &phones.each_ref().map(|phone| phone.push(text))).await;
        assert_eq!(answer["delete_token_ids"], json!([]), "nobody knows yet");
    }
    until("all have come to their end", async || {
        world.clock.advance(MINUTE);
        sleep(NOTICED).await;
        (world.metric("push_bouncer_pushes_total", &[]).await == 6.0).then_some(())
    })
    .await;
    assert_eq!(world.arrived(), (2, 2), "after the word that it is dead nothing is sent");
    assert_eq!(
        (outcomes(&world, "token_invalid").await, outcomes(&world, "superseded").await),
        (2.0, 4.0)
    );
    world.shutdown().await;
}
