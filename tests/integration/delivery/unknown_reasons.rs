//! Reasons of the push services that no table has.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use push_bouncer::sandbox::faults::{Act, Script};

use super::{outcomes, with_phones};
use crate::{
    log::Log,
    world::{IAGO, Phone, message, to},
};

const HOUR: Duration = Duration::from_secs(60 * 60);

// On one thread: the log is that thread's.
#[tokio::test]
async fn an_unknown_reason_is_told_once_an_hour_without_tricks_and_without_the_token() {
    let log = Log::begin();
    let (iphone, android) = (Phone::apple("iphone"), Phone::android("android"));
    let (world, server) = with_phones("", &[iphone.clone(), android.clone()]).await;
    // With a line end, a colour and a letter that is not ASCII.
    let odd = |token: &str| format!("Odd\n\u{1b}[31m\u{f6} {token} {}", "x".repeat(500));
    // Apple's fake writes it between quotes as it stands.
    let of_apple = serde_json::to_string(&odd(&iphone.token)).unwrap();
    let services = [
        (world.surroundings.apns.faults(), of_apple.trim_matches('"').to_owned()),
        (world.surroundings.fcm.faults(), odd(&android.token)),
    ];
    for (faults, word) in &services {
        let word = word.clone();
        let script: Script = Arc::new(move |_| Act::Refuse(word.clone()));
        faults.set_script(Some(script));
    }
    for _ in 0..3 {
        server.notify(&to(IAGO, message())).await;
    }
    let told = log.about("provider.unknown_reason");
    assert_eq!(told.len(), 2, "each once: {told:?}");
    for (line, provider) in told.iter().zip(["apns", "fcm"]) {
        let reason = line["reason"].as_str().unwrap();
        assert!(reason.starts_with("Odd[31m [token] xxx"), "{reason}");
        assert_eq!(reason.len(), 64, "{reason}");
        assert_eq!(
            (&line["level"], &line["app"]),
            (&"WARN".into(), &"sandbox".into()),
            "{provider}"
        );
    }
    assert!(!log.text().contains(&iphone.token));
    assert_eq!(outcomes(&world, "provider_error").await, 6.0);
    assert_eq!(world.metric("push_bouncer_push_errors_total", &["other"]).await, 6.0);

    world.clock.advance(HOUR);
    server.notify(&to(IAGO, message())).await;
    assert_eq!(log.about("provider.unknown_reason").len(), 4);

    // One that never says the same twice does not fill the log.
    let (faults, _) = &services[0];
    let number = AtomicU64::new(0);
    let script: Script =
        Arc::new(move |_| Act::Refuse(format!("Odd {}", number.fetch_add(1, Ordering::Relaxed))));
    faults.set_script(Some(script));
    for _ in 0..100 {
        server.notify(&to(IAGO, message())).await;
    }
    assert_eq!(log.about("provider.unknown_reason").len(), 2 + 64);
    world.shutdown().await;
}
