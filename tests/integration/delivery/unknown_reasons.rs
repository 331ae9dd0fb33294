//! Reasons of the push services that no table has.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use push_bouncer::sandbox::faults::{Act, Script};

use super::{until_outcomes, with_phones};
use crate::{
    log::Log,
    world::{IAGO, Phone, message, to},
};

const HOUR: Duration = Duration::from_secs(60 * 60);

// On one thread: the log is that thread's.
#[tokio::test]
async fn an_unknown_reason_is_told_once_an_hour_if_it_is_a_word_and_never_with_a_token() {
    let log = Log::begin();
    let (iphone, android) = (Phone::apple("iphone"), Phone::android("android"));
    let (world, server) = with_phones("", &[iphone.clone(), android.clone()]).await;
    // With a line end, a colour and a letter that is not ASCII.
    let odd = |token: &str| format!("Odd\n\u{1b}[31m\u{f6} {token} {}", "x".repeat(500));
    // Apple's fake writes it between quotes as it stands.
    let of_apple = serde_json::to_string(&odd(&iphone.token)).unwrap();
    // Another device's token has as many letters as the longest word.
    let (other_iphone, other_android) =
        (Phone::apple(&"x1".repeat(16)), Phone::android("dKx3:AP-9"));
    let services = [world.surroundings.apns.faults(), world.surroundings.fcm.faults()];
    for words in [
        ["TooManyMoons".to_owned(), "TOO_MANY_MOONS".to_owned()],
        [of_apple.trim_matches('"').to_owned(), odd(&android.token)],
        [other_iphone.token.clone(), other_android.token.clone()],
    ] {
        for (faults, word) in services.iter().zip(words) {
            let script: Script = Arc::new(move |_| Act::Refuse(word.clone()));
            faults.set_script(Some(script));
        }
        server.notify(&to(IAGO, message())).await;
    }
    let told = log.about("provider.unknown_reason");
    let mut reasons: Vec<_> = told.iter().map(|line| line["reason"].as_str().unwrap()).collect();
    reasons.sort_unstable();
    assert_eq!(reasons, ["TOO_MANY_MOONS", "TooManyMoons", "[not a word]", "[not a word]"]);
    for line in &told {
        assert_eq!((&line["level"], &line["app"]), (&"WARN".into(), &"sandbox".into()));
    }
    for phone in [&iphone, &other_iphone, &other_android] {
        assert!(!log.text().contains(&phone.token));
    }
    until_outcomes(&world, "provider_error", 6.0).await;
    world.until_metric("push_bouncer_push_errors_total", &["other"], 6.0).await;

    world.clock.advance(HOUR);
    server.notify(&to(IAGO, message())).await;
    assert_eq!(log.about("provider.unknown_reason").len(), 4 + 2);

    // One that never says the same twice does not fill the log.
    let number = AtomicUsize::new(0);
    let script: Script = Arc::new(move |_| {
        let number = number.fetch_add(1, Ordering::Relaxed);
        let letters = [number / 10, number % 10]
            .map(|digit| ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j"][digit]);
        Act::Refuse(format!("Odd{}", letters.concat()))
    });
    services[0].set_script(Some(script));
    for _ in 0..100 {
        server.notify(&to(IAGO, message())).await;
    }
    // Of the same hour are the two above.
    assert_eq!(log.about("provider.unknown_reason").len(), 4 + 64);
    world.shutdown().await;
}
