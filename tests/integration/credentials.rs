//! What Apple and Google know the bouncer by, and its renewal.

use std::{fs, time::Duration};

use push_bouncer::sandbox::apns::{ApnsOptions, FakeApns};

use crate::world::{IAGO, Phone, Stage, World, message, to, until};

const MINUTE: Duration = Duration::from_secs(60);

#[tokio::test(flavor = "multi_thread")]
async fn tokens_are_renewed_in_time_and_not_too_often() {
    let (world, server) = World::with_two_phones().await;
    server.notify(&to(IAGO, message())).await;
    for _ in 0..26 {
        world.clock.advance(5 * MINUTE);
        server.notify(&to(IAGO, message())).await;
    }
    let (apns, fcm) = (world.surroundings.apns.counters(), world.surroundings.fcm.counters());
    // Apple's fake refuses a token older than an hour, and a second one within 20 minutes. Tokens change at
    // fixed moments: the first change may come too early, is refused once, and put off.
    let too_early = apns.refused.get("TooManyProviderTokenUpdates").copied().unwrap_or(0);
    assert!(too_early <= 1 && apns.refused.values().sum::<u64>() == too_early, "{apns:?}");
    assert!(fcm.refused.is_empty(), "{fcm:?}");
    assert_eq!((apns.accepted, fcm.accepted), (27, 27));
    // Each lives an hour and is renewed at 80 % of it: at the start, after 50 and after 100 minutes.
    let tokens = until("the third access token is fetched", async || {
        let tokens = world.surroundings.fcm.counters().access_tokens;
        (tokens >= 3).then_some(tokens)
    });
    assert_eq!(tokens.await, 3);
    world.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_night_without_pushes_ends_with_new_tokens() {
    let (world, server) = World::with_two_phones().await;
    server.notify(&to(IAGO, message())).await;
    world.clock.advance(8 * 60 * MINUTE);
    server.notify(&to(IAGO, message())).await;
    let (apns, fcm) = (world.surroundings.apns.counters(), world.surroundings.fcm.counters());
    assert!(apns.refused.is_empty() && fcm.refused.is_empty(), "{apns:?} {fcm:?}");
    assert_eq!((apns.accepted, fcm.accepted, fcm.access_tokens), (2, 2, 2));
    world.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_night_without_pushes_the_metrics_still_show_when_tokens_end() {
    let (world, server) = World::with_two_phones().await;
    server.notify(&to(IAGO, message())).await;
    world.clock.advance(8 * 60 * MINUTE);
    for kind in ["apns_jwt", "fcm_token"] {
        until("the token that ended was renewed", async || {
            let labels = [kind, "name=\"sandbox\""];
            let ends =
                world.metric("push_bouncer_credential_expiry_timestamp_seconds", &labels).await;
            (ends > world.seconds() as f64).then_some(())
        })
        .await;
    }
    assert_eq!(world.arrived(), (1, 1), "nothing was sent");
    world.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revoked_access_token_is_replaced_once_and_no_push_is_lost() {
    let (world, server) = World::with_two_phones().await;
    for number in 0..9 {
        server.register_phone(IAGO, &Phone::android(&format!("android-{number}"))).await;
    }
    server.notify(&to(IAGO, message())).await;
    assert_eq!(world.surroundings.fcm.counters().access_tokens, 1, "ten pushes share one");
    world.surroundings.fcm.revoke_access_tokens();

    server.notify(&to(IAGO, message())).await;

    let fcm = world.surroundings.fcm.counters();
    assert_eq!((fcm.accepted, fcm.access_tokens), (20, 2), "{fcm:?}");
    let refused: Vec<_> = fcm.refused.keys().map(AsRef::as_ref).collect();
    assert_eq!(refused, ["UNAUTHENTICATED"]);
    assert_eq!(server.phones_of(IAGO).await, (10, 1));
    world.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_certificate_does_instead_of_a_token() {
    const APP: &str = "org.example.certified";
    let stage = Stage::set("").await;
    let authority = stage.surroundings.authority();
    let options = ApnsOptions {
        topics: vec![APP.to_owned()],
        client_certificates: true,
        ..ApnsOptions::default()
    };
    // It knows no key: only a certificate opens it.
    let apns = FakeApns::start(authority, stage.clock.clone(), options).await.unwrap();
    let (certificate, key) = authority.client_certificate(APP).unwrap();
    let file = stage.surroundings.config_file().with_file_name("client.pem");
    fs::write(&file, certificate + &key).unwrap();
    let config = format!(
        "{}\n[apns.certified]\ntopics = [\"{APP}\"]\nenvironment = \"production\"\n\
         cert_file = {file:?}\nendpoint = \"https://{}\"\n",
        stage.surroundings.config(),
        apns.address()
    );
    let world = stage.serve(&config).await;
    let server = world.chat_server("chat.selfhosted.test").await;
    server.register_phone(IAGO, &Phone { app_id: APP, ..Phone::apple("certified") }).await;
    server.register_phone(IAGO, &Phone::apple("iphone")).await;

    server.notify(&to(IAGO, message())).await;

    let requests = apns.requests();
    assert_eq!(requests.len(), 1);
    assert_eq!((requests[0].status, requests[0].header("apns-topic")), (200, Some(APP)));
    assert_eq!(world.arrived(), (1, 0), "the other app keeps its token");
    assert_eq!(world.surroundings.apns.counters().accepted, 1);
    world.shutdown().await;
    apns.shutdown().await;
}
