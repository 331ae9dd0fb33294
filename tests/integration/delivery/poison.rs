//! One device that its push service always fails harms nobody else.

use std::{sync::Arc, time::Duration};

use push_bouncer::sandbox::faults::Act;

use super::{accepted, with_phones};
use crate::world::{IAGO, Phone, User, message, to, until};

/// More failures in a row than hold the pushes of an app back.
const ATTEMPTS: u64 = 22;

/// So much time goes by between two looks.
const A_WHILE: Duration = Duration::from_secs(5);

#[tokio::test(flavor = "multi_thread")]
async fn one_device_whose_pushes_are_refused_for_our_credentials_holds_nobody_back() {
    nobody_is_held_back("Forbidden", "PERMISSION_DENIED").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_device_for_which_the_service_always_fails_holds_nobody_back() {
    nobody_is_held_back("InternalServerError", "INTERNAL").await;
}

async fn nobody_is_held_back(of_apple: &'static str, of_google: &'static str) {
    let good = [Phone::apple("good iphone"), Phone::android("good android")];
    let (world, server) = with_phones("push.retry_for = \"1d\"", &good).await;
    let bad = [Phone::apple("bad iphone"), Phone::android("bad android")];
    let other = User::number(8);
    for phone in &bad {
        server.register_phone(other, phone).await;
    }
    let tokens: Arc<[String]> = bad.iter().map(|phone| phone.token.clone()).collect();
    for (faults, refusal) in
        [(world.surroundings.apns.faults(), of_apple), (world.surroundings.fcm.faults(), of_google)]
    {
        let tokens = Arc::clone(&tokens);
        faults.set_script(Some(Arc::new(move |seen| {
            let is_bad = tokens.iter().any(|token| token.eq_ignore_ascii_case(&seen.token));
            if is_bad { Act::Refuse(refusal.to_owned()) } else { Act::Answer }
        })));
    }
    server.notify(&to(other, message())).await;
    for attempts in 2..=ATTEMPTS {
        until("what waits for the bad ones is tried again", async || {
            world.clock.advance(A_WHILE);
            let (apns, fcm) = (&world.surroundings.apns, &world.surroundings.fcm);
            let of_apple = apns.counters().refused.get(of_apple).copied().unwrap_or(0);
            let of_google = fcm.counters().refused.get(of_google).copied().unwrap_or(0);
            (of_apple.min(of_google) >= attempts).then_some(())
        })
        .await;
    }
    // Nobody was accepted in between.
    for number in 1..=3 {
        server.notify(&to(other, message())).await;
        server.notify(&to(IAGO, message())).await;
        for phone in &good {
            assert_eq!(accepted(&world, phone), number, "at the time of the answer");
        }
    }
    for phone in &bad {
        assert_eq!(accepted(&world, phone), 0);
    }
    world.shutdown().await;
}
