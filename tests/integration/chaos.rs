//! What a bouncer is told to do goes on while parts of it are killed, cut and frozen: who asks keeps a journal of what
//! was acknowledged, and in the end it is compared with what there is.
//!
//! Everything random follows from a number, the seed, which is printed; `PUSH_BOUNCER_CHAOS_SEED` plays one again, as far
//! as the order in which processes run allows it. With `PUSH_BOUNCER_LONG` one world follows the other for minutes.

mod actor;
mod journal;
mod load;
mod reconciliation;

use std::{fmt::Display, sync::Arc, time::Duration};

use push_bouncer::{random::Random, sandbox::faults::Act};
use tokio::time::Instant;

use crate::world::Stage;

pub(crate) use journal::Journal;
pub(crate) use load::{Load, Plan};

/// With `PUSH_BOUNCER_LONG` one world follows the other for so long.
const LONG: Duration = Duration::from_secs(150);

/// What every node is told: nothing but its limits may stand in the way of the load.
pub(crate) const SETTINGS: &str = "limits.ip.rate = \"1000000/min\"\n\
    limits.login.rate = \"1000000/min\"\n\
    registration.email_check = \"off\"\n";

/// Where the limit of servers is not what is looked at.
pub(crate) const UNLIMITED: &str = "limits.server.rate = \"1000000/min\"\n";

/// Whether the test may take minutes.
pub(crate) fn is_long() -> bool {
    std::env::var_os("PUSH_BOUNCER_LONG").is_some()
}

/// One world, or one after the other where there is time, each with a seed of its own.
pub(crate) async fn for_seeds(world: impl AsyncFn(u64)) {
    if let Ok(seed) = std::env::var("PUSH_BOUNCER_CHAOS_SEED") {
        return world(seed.parse().expect("PUSH_BOUNCER_CHAOS_SEED is a number")).await;
    }
    let mut seed = u64::from(u32::from_le_bytes(Random::default().bytes()));
    let began = Instant::now();
    loop {
        say(&format_args!("PUSH_BOUNCER_CHAOS_SEED={seed} plays this again"));
        world(seed).await;
        if !is_long() || began.elapsed() >= LONG {
            return;
        }
        seed += 1;
    }
}

/// So that at any time some pushes wait in memory for another attempt.
pub(crate) fn refuse_some(stage: &Stage) {
    let fakes = &stage.surroundings;
    for (faults, unavailable) in
        [(fakes.apns.faults(), "ServiceUnavailable"), (fakes.fcm.faults(), "UNAVAILABLE")]
    {
        faults.set_latency(Duration::from_millis(10));
        faults.set_script(Some(Arc::new(move |seen| match seen.number {
            number if number % 13 == 0 => Act::Refuse(unavailable.to_owned()),
            _ => Act::Answer,
        })));
    }
}

/// Prints a line, where `--no-capture` or a failure shows it.
#[expect(clippy::print_stdout, reason = "what is random is told, so that it can be played again")]
pub(crate) fn say(what: &dyn Display) {
    println!("{what}");
}
