//! An app whose push service takes everything and answers nothing yet, beside one that is well.

use std::time::Duration;

use entities::{
    devices,
    redacted::{RedactedBytes, RedactedText},
};
use futures_util::future::join_all;
use sea_orm::{
    ActiveValue::{NotSet, Set},
    EntityTrait as _, IntoActiveModel as _,
};

use super::{accepted, until_accepted};
use crate::world::{IAGO, Phone, User, World, message, to, until};

/// Each with as many phones as a user may have.
const CROWDS: i64 = 18;
const PHONES: usize = 64;
/// To the first crowd: more pushes than may be in their first attempt at once.
const NOTIFIES: usize = 32;

/// Gives every other crowd as many phones as the first one has; by their rows, which takes less time.
async fn multiply(world: &World) {
    let first = world.devices().await;
    let first: Vec<_> = first.into_iter().filter(|row| row.user_id == Some(1)).collect();
    assert_eq!(first.len(), PHONES);
    let database = world.database().await;
    for crowd in 2..=CROWDS {
        let rows = first.iter().enumerate().map(|(number, row)| {
            let token = format!("{crowd:032x}{number:032x}");
            let digest = ring::digest::digest(&ring::digest::SHA256, token.as_bytes());
            let mut row = row.clone().into_active_model();
            row.id = NotSet;
            row.user_id = Set(Some(crowd));
            row.token_digest = Set(RedactedBytes(digest.as_ref()[..16].to_vec()));
            row.token = Set(RedactedText(token));
            row
        });
        devices::Entity::insert_many(rows).exec(&database).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_app_that_takes_all_its_places_delays_no_push_of_another() {
    let settings = "push.answer_within = \"50ms\"\napns.sandbox.attempt_timeout = \"1m\"\n\
                    limits.server.rate = \"1000000/min\"";
    let world = World::start(settings).await;
    let (loud, quiet) =
        (world.chat_server("loud.test").await, world.chat_server("quiet.test").await);
    let crowd = User::number;
    for number in 0..PHONES {
        loud.register_phone(crowd(1), &Phone::apple(&format!("crowd {number}"))).await;
    }
    multiply(&world).await;
    let android = Phone::android("quiet");
    quiet.register_phone(IAGO, &android).await;
    // Connections and an access token are there already when answers take long.
    loud.notify(&to(crowd(1), message())).await;
    quiet.notify(&to(IAGO, message())).await;
    until_accepted(&world, &android, 1).await;
    until("the crowd has its first", async || {
        (world.surroundings.apns.counters().accepted == PHONES as u64).then_some(())
    })
    .await;
    world.surroundings.apns.set_streams(10_000);
    world.surroundings.apns.set_latency(Duration::from_secs(3600));
    // First attempts, and then one push for each of more phones than further attempts are made at once.
    let to_first: Vec<_> = (0..NOTIFIES).map(|_| to(crowd(1), message())).collect();
    join_all(to_first.iter().map(|body| loud.notify(body))).await;
    let to_others: Vec<_> = (2..=CROWDS).map(|number| to(crowd(number), message())).collect();
    join_all(to_others.iter().map(|body| loud.notify(body))).await;
    until("its places are taken", async || {
        let under_way = world.metric("push_bouncer_provider_streams_in_flight", &["apns"]).await;
        (under_way >= 768.0 + 512.0).then_some(())
    })
    .await;

    quiet.notify(&to(IAGO, message())).await;

    until_accepted(&world, &android, 2).await;
    // The others wait, and the operator sees them.
    let pushes = PHONES * (NOTIFIES + to_others.len());
    let others = (pushes - 768) as f64;
    until("the others wait", async || {
        let waiting = world.metric("push_bouncer_push_retry_entries", &["apns"]).await;
        (waiting == others).then_some(())
    })
    .await;
    world.surroundings.apns.set_latency(Duration::ZERO);
    until("they go when there is room", async || {
        let accepted = world.surroundings.apns.counters().accepted;
        (accepted == (PHONES + pushes) as u64).then_some(())
    })
    .await;
    assert_eq!(accepted(&world, &android), 2);
    assert_eq!(world.metric("push_bouncer_pushes_given_up_total", &[]).await, 0.0);
    world.shutdown().await;
}
