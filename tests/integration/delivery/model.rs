//! Random faults against thousands of notifications: what the push services accepted agrees with what the
//! bouncer reports.
//!
//! Everything random follows from a number, the seed, which is printed; `PUSH_BOUNCER_MODEL_SEED` plays one again
//! (as far as the order allows in which requests come in, which is the machine's). Its two lowest bits say how
//! rough it is, see [`Plan`].

mod crowd;
mod expectation;
mod journal;
mod plan;
mod reconciliation;
mod weather;

use std::{
    fmt::Display,
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use futures_util::future::join_all;
use push_bouncer::random::Random;
use tokio::time::{Instant, sleep, timeout};

use self::{
    crowd::{Crowd, Notification},
    journal::Journals,
    plan::Plan,
    reconciliation::{Tally, reconcile},
};
use crate::world::World;

/// The fakes remember 10,000 requests each; a schedule ends before.
const MOST_REQUESTS: u64 = 8_000;

/// What waits after the last fault is delivered in a second or two; the rest is for a busy machine.
const ALL_DELIVERED_WITHIN: Duration = Duration::from_secs(60);

/// How long everything lasts that is random, in each world.
const SCHEDULE: Duration = Duration::from_millis(7500);
const LONG_SCHEDULE: Duration = Duration::from_secs(14);

/// With `PUSH_BOUNCER_LONG` one world follows the other for so long.
const LONG: Duration = Duration::from_secs(600);

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_lost_nor_doubled_whatever_the_push_services_do() {
    if let Some(seed) = seed_of_environment() {
        say(&run(Plan::of(seed), LONG_SCHEDULE).await);
        return;
    }
    let is_long = std::env::var_os("PUSH_BOUNCER_LONG").is_some();
    let schedule = if is_long { LONG_SCHEDULE } else { SCHEDULE };
    // Seeds in a row take turns in how rough they are; the first loses no answer.
    let first = u64::from(u32::from_le_bytes(Random::default().bytes())) & !1;
    let began = Instant::now();
    let mut tally = Tally::default();
    let mut seed = first;
    while seed < first + 2 || is_long && began.elapsed() < LONG {
        let of_one = Box::pin(run(Plan::of(seed), schedule)).await;
        say(&of_one);
        tally.add(&of_one);
        seed += 1;
    }
    say(&format_args!("seeds {first} to {}: {tally}", seed - 1));
}

#[expect(clippy::print_stdout, reason = "what is random is told, so that it can be played again")]
fn say(what: &dyn Display) {
    println!("{what}");
}

fn seed_of_environment() -> Option<u64> {
    let seed = std::env::var("PUSH_BOUNCER_MODEL_SEED").ok()?;
    Some(seed.parse().expect("PUSH_BOUNCER_MODEL_SEED is a number"))
}

/// One world from its beginning to its reconciliation.
async fn run(plan: Plan, schedule: Duration) -> Tally {
    say(&format_args!("PUSH_BOUNCER_MODEL_SEED={} plays this again: {plan:?}", plan.seed));
    let began = Instant::now();
    let world = World::start(&plan.settings()).await;
    let crowd = Crowd::gather(&world, plan.seed).await;
    let journals = Journals::default();
    weather::begin(&world, plan, &journals);

    let is_over = AtomicBool::new(false);
    let weather = weather::change(&world, plan, &journals, &is_over);
    let talking = async {
        let until = Instant::now() + schedule;
        let go_on = || Instant::now() < until && requests(&world) < MOST_REQUESTS;
        let speakers = crowd.speakers().map(|speaker| speaker.talk(&go_on));
        let said = join_all(speakers).await;
        is_over.store(true, Ordering::Relaxed);
        said.into_iter().flatten().collect::<Vec<_>>()
    };
    let ((), (), said) = tokio::join!(weather, weather::hurry(&world, &is_over), talking);
    weather::clear(&world);

    let expected: usize = said.iter().map(Notification::outcomes).sum();
    let delivering = async {
        while final_outcomes(&world).await < expected {
            // Whoever was asked to wait does so, in the time of the clock.
            world.clock.advance(Duration::from_secs(2));
            sleep(Duration::from_millis(20)).await;
        }
    };
    let is_delivered = timeout(ALL_DELIVERED_WITHIN, delivering).await.is_ok();
    let decided = final_outcomes(&world).await;
    assert!(is_delivered, "{decided} of {expected} pushes have an outcome, seed {}", plan.seed);
    let mut tally = reconcile(&world, plan, &crowd, &said, &journals).await;
    world.shutdown().await;
    tally.took = began.elapsed();
    tally
}

/// The larger number of requests that one of the push services answered.
fn requests(world: &World) -> u64 {
    let (apns, fcm) = (&world.surroundings.apns, &world.surroundings.fcm);
    apns.counters().requests().max(fcm.counters().requests())
}

async fn final_outcomes(world: &World) -> usize {
    number(world.metric("push_bouncer_pushes_total", &[]).await)
}

/// A metric that counts.
fn number(value: f64) -> usize {
    format!("{value}").parse().expect("a whole number")
}
