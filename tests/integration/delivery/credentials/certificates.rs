//! Client certificates that are replaced.

use std::fs;

use push_bouncer::sandbox::apns::{ApnsOptions, FakeApns};
use rcgen::{CertificateParams, KeyPair, date_time_ymd};

use super::{EXPIRY, REFRESHES};
use crate::world::{IAGO, Phone, Stage, message, to};

const APP: &str = "org.example.certified";

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_is_replaced_without_a_restart_and_an_ended_one_is_not_taken() {
    let stage = Stage::set_calmly("").await;
    let authority = stage.surroundings.authority();
    let options = ApnsOptions {
        topics: vec![APP.to_owned()],
        client_certificates: true,
        ..ApnsOptions::default()
    };
    let apns = FakeApns::start(authority, stage.clock.clone(), options).await.unwrap();
    let file = stage.surroundings.config_file().with_file_name("client.pem");
    let (certificate, key) = authority.client_certificate(APP).unwrap();
    fs::write(&file, certificate + &key).unwrap();
    let (certificate, key) = authority.client_certificate(APP).unwrap();
    let second = certificate + &key;
    let config = format!(
        "{}\n[apns.certified]\ntopics = [\"{APP}\"]\nenvironment = \"production\"\n\
         cert_file = {file:?}\nendpoint = \"https://{}\"\n",
        stage.surroundings.config(),
        apns.address()
    );
    let world = stage.serve(&config).await;
    let server = world.chat_server("chat.selfhosted.test").await;
    server.register_phone(IAGO, &Phone { app_id: APP, ..Phone::apple("certified") }).await;
    server.notify(&to(IAGO, message())).await;
    let labels = ["kind=\"apns_cert\"", "name=\"certified\""];
    let now = world.clock.now().unix_seconds();
    #[expect(clippy::cast_precision_loss, reason = "2^53 seconds are long")]
    let now = now as f64;
    assert!(world.metric(EXPIRY, &labels).await > now, "it ends in the year 4096");

    fs::write(&file, second).unwrap();
    assert_eq!(world.reload(None).await.renewed, ["apns.certified"]);
    server.notify(&to(IAGO, message())).await;
    let counters = apns.counters();
    assert_eq!((counters.accepted, counters.connections), (2, 2), "a connection of its own");
    assert!(world.metric(REFRESHES, &["kind=\"apns_cert\"", "result=\"ok\""]).await > 0.5);

    let mut parameters = CertificateParams::new(Vec::new()).unwrap();
    parameters.not_after = date_time_ymd(2024, 1, 1);
    let key = KeyPair::generate().unwrap();
    let ended = parameters.self_signed(&key).unwrap();
    fs::write(&file, ended.pem() + &key.serialize_pem()).unwrap();
    assert_eq!(world.reload(None).await.failed, ["apns.certified"]);
    // Nor one whose key is another's.
    fs::write(&file, ended.pem() + &KeyPair::generate().unwrap().serialize_pem()).unwrap();
    assert_eq!(world.reload(None).await.failed, ["apns.certified"]);
    server.notify(&to(IAGO, message())).await;
    let counters = apns.counters();
    assert_eq!((counters.accepted, counters.connections), (3, 2));
    world.shutdown().await;
    apns.shutdown().await;
}
