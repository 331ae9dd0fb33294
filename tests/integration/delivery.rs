//! It does not lose, does not double, does not wait: the rules of delivery, and what the push services may do.

mod connections;
mod credentials;
mod crowded_app;
mod dead_devices;
mod duplicates;
mod echoes;
mod fairness;
mod gone_meanwhile;
mod load;
mod memory;
mod model;
mod not_configured;
mod outages;
mod overload;
mod panics;
mod poison;
mod projects;
mod proxy;
mod removals;
mod restart;
mod retries;
mod unknown_reasons;
mod unsent;

use std::time::Duration;

use crate::world::{ChatServer, IAGO, Phone, World, until};

/// Longer than the program needs to notice that the clock was moved.
const NOTICED: Duration = Duration::from_millis(700);

async fn with_phones(settings: &str, phones: &[Phone]) -> (World, ChatServer) {
    let world = World::start(settings).await;
    let server = with_phones_in(&world, phones).await;
    (world, server)
}

/// A chat server in this world, with Iago's phones.
async fn with_phones_in(world: &World, phones: &[Phone]) -> ChatServer {
    let server = world.chat_server("chat.selfhosted.test").await;
    for phone in phones {
        server.register_phone(IAGO, phone).await;
    }
    server
}

/// How many pushes a phone has accepted.
fn accepted(world: &World, phone: &Phone) -> u64 {
    let (apns, fcm) = (&world.surroundings.apns, &world.surroundings.fcm);
    let by_token = [apns.accepted_by_token(), fcm.accepted_by_token()];
    by_token.iter().filter_map(|accepted| accepted.get(&phone.token)).sum()
}

async fn until_accepted(world: &World, phone: &Phone, pushes: u64) {
    until("the phone gets its pushes", async || (accepted(world, phone) >= pushes).then_some(()))
        .await;
    assert_eq!(accepted(world, phone), pushes);
}

/// The final outcomes of pushes.
async fn outcomes(world: &World, outcome: &str) -> f64 {
    let label = format!("outcome=\"{outcome}\"");
    world.metric("push_bouncer_pushes_total", &[&label]).await
}

/// Waits until so many pushes have this final outcome: it is counted after the push service has answered.
async fn until_outcomes(world: &World, outcome: &str, pushes: f64) {
    let label = format!("outcome=\"{outcome}\"");
    world.until_metric("push_bouncer_pushes_total", &[&label], pushes).await;
}
