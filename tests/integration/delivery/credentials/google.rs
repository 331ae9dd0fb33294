//! Cases 24 and 25: access tokens that are refused, and a token endpoint that is not there.

use std::{
    fs,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicU8, AtomicU16, Ordering},
    },
    time::Duration,
};

use push_bouncer::sandbox::{
    faults::Act,
    fcm::{FakeFcm, FcmOptions, ServiceAccount},
};
use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
    task::{AbortHandle, JoinSet, spawn_blocking},
    time::Instant,
};

use super::{APPLE_PUSHES, REFRESHES};
use crate::{
    delivery::load::tell_times,
    world::{ChatServer, IAGO, Phone, Stage, World, message, to, until},
};

const MINUTE: Duration = Duration::from_secs(60);
const PROJECT: &str = "zulip-ref";

#[tokio::test(flavor = "multi_thread")]
async fn case_24_unauthenticated_refreshes_once_and_third_party_auth_error_is_final() {
    let world = World::start("").await;
    let server = with_android(&world, "android").await;
    server.notify(&to(IAGO, message())).await;
    world.surroundings.fcm.revoke_access_tokens();
    server.notify(&to(IAGO, message())).await;
    let fcm = world.surroundings.fcm.counters();
    assert_eq!((fcm.accepted, fcm.access_tokens), (2, 2), "{fcm:?}");
    assert_eq!(fcm.refused.get("UNAUTHENTICATED"), Some(&1));
    let counted = async |name, label| world.metric(name, &["provider=\"fcm\"", label]).await;
    let errors = counted("push_bouncer_push_errors_total", "reason=\"UNAUTHENTICATED\"").await;
    let retries = counted("push_bouncer_push_retries_total", "cause=\"auth\"").await;
    assert_eq!((errors, retries), (1.0, 1.0), "also where the push was taken then");

    let other = world.chat_server("other.selfhosted.test").await;
    other.register_phone(IAGO, &Phone::android("reason-THIRD_PARTY_AUTH_ERROR-")).await;
    let before = world.arrived().1;
    other.notify(&to(IAGO, message())).await;
    assert_eq!(world.arrived().1, before + 1, "once");
    let failed = ["provider=\"fcm\"", "outcome=\"auth_failed\""];
    assert!((world.metric(APPLE_PUSHES, &failed).await - 1.0).abs() < 0.1);
    assert_eq!(other.phones_of(IAGO).await, (1, 0), "the phone is not to blame");
    assert_eq!(world.surroundings.fcm.counters().access_tokens, 2);
    world.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn case_24_what_stays_unauthenticated_opens_the_breaker_and_costs_no_phone() {
    const PHONES: u64 = 6;
    let world = World::start("").await;
    let server = world.chat_server("chat.selfhosted.test").await;
    for number in 0..PHONES {
        server.register_phone(IAGO, &Phone::android(&format!("android {number}"))).await;
    }
    let faults = world.surroundings.fcm.faults();
    faults.set_script(Some(Arc::new(|_| Act::Refuse("UNAUTHENTICATED".to_owned()))));
    server.notify(&to(IAGO, message())).await;
    until("pushes are held back", async || {
        let available = world.metric("push_bouncer_provider_available", &["fcm"]).await;
        (available < 0.5).then_some(())
    })
    .await;
    assert!(world.surroundings.fcm.counters().access_tokens <= 2, "renewed once");

    faults.set_script(None);
    until("all have it", async || {
        world.clock.advance(Duration::from_secs(5));
        (world.surroundings.fcm.counters().accepted == PHONES).then_some(())
    })
    .await;
    assert_eq!(server.phones_of(IAGO).await, (6, 0));
    world.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn case_25_without_a_token_endpoint_the_old_token_serves_until_it_ends() {
    let google = Google::start("push.answer_within = \"1s\"").await;
    let (world, server) = (&google.world, &google.server);
    server.notify(&to(IAGO, message())).await;
    google.endpoint.set(REFUSES);

    // Four fifths of its hour are over; it is to be renewed, and cannot be.
    world.clock.advance(50 * MINUTE);
    server.notify(&to(IAGO, message())).await;
    until("a renewal fails", async || (failures(world).await > 0.5).then_some(())).await;
    google.endpoint.set(SILENT);
    world.clock.advance(5 * MINUTE);
    let began = Instant::now();
    server.notify(&to(IAGO, message())).await;
    assert!(began.elapsed() < Duration::from_millis(900), "nobody waits for the endpoint");
    world.clock.advance(4 * MINUTE);
    server.notify(&to(IAGO, message())).await;
    let counters = google.fcm.counters();
    assert_eq!((counters.accepted, counters.access_tokens), (4, 1), "59 minutes of its 60");
    assert!(counters.refused.is_empty());

    google.endpoint.set(REFUSES);
    world.clock.advance(MINUTE);
    server.notify(&to(IAGO, message())).await;
    let counters = google.fcm.counters();
    assert_eq!(counters.requests(), 4, "it has ended, and is not shown any more");
    assert_eq!(server.phones_of(IAGO).await, (1, 0));

    google.endpoint.set(PASSES);
    until("pushes flow again", async || {
        // The pause after a failure is half a minute at most.
        world.clock.advance(MINUTE);
        server.notify(&to(IAGO, message())).await;
        (google.fcm.counters().accepted > 4).then_some(())
    })
    .await;
    google.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn case_25_an_outage_is_not_hammered_at() {
    let google = Google::start("push.answer_within = \"1s\"").await;
    google.endpoint.set(REFUSES);
    for _ in 0..20 {
        google.server.notify(&to(IAGO, message())).await;
    }
    let failures = failures(&google.world).await;
    assert!((1.0..=5.0).contains(&failures), "{failures}");
    google.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_hour_without_a_token_endpoint_loses_no_push() {
    let google = Google::start("push.answer_within = \"1s\"\npush.retry_for = \"2h\"").await;
    let (world, server) = (&google.world, &google.server);
    server.notify(&to(IAGO, message())).await;
    google.endpoint.set(REFUSES);
    let mut taken = 1;
    // From the 50th minute of the token on; it ends in its 60th.
    world.clock.advance(50 * MINUTE);
    for _ in 0..12 {
        server.notify(&to(IAGO, message())).await;
        taken += 1;
        world.clock.advance(5 * MINUTE);
    }
    let counters = google.fcm.counters();
    assert!(counters.refused.is_empty() && counters.access_tokens == 1, "{counters:?}");
    assert!(counters.accepted < taken, "without a token nothing is sent");

    google.endpoint.set(PASSES);
    until("all are delivered", async || {
        world.clock.advance(MINUTE);
        tokio::time::sleep(Duration::from_millis(300)).await;
        (google.fcm.counters().accepted >= taken).then_some(())
    })
    .await;
    tell_times("an hour without a token endpoint", server);
    let counters = google.fcm.counters();
    assert_eq!((counters.accepted, counters.requests()), (taken, taken), "each once");
    let given_up = world.metric("push_bouncer_pushes_given_up_total", &[]).await;
    assert!(given_up < 0.5);
    google.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_service_account_has_its_token_before_the_old_one_leaves() {
    let google = Google::start("").await;
    google.server.notify(&to(IAGO, message())).await;
    // The fake knows one key for each account; to us it is another file all the same.
    let second = google.account.json(&google.endpoint.token_uri) + "\n";
    fs::write(&google.file, &second).unwrap();
    // Google cannot be asked: the old one serves on.
    google.endpoint.set(REFUSES);
    assert_eq!(google.world.reload(None).await.renewed, ["fcm.sandbox"]);
    assert!(google.world.credentials()[1].is_changing);
    google.server.notify(&to(IAGO, message())).await;
    assert_eq!(google.fcm.counters().access_tokens, 1);

    google.endpoint.set(PASSES);
    google.world.clock.advance(MINUTE);
    google.world.reload(None).await;

    assert!(!google.world.credentials()[1].is_changing);
    assert_eq!(google.fcm.counters().access_tokens, 2, "before the first push needs it");
    google.server.notify(&to(IAGO, message())).await;
    let counters = google.fcm.counters();
    assert_eq!((counters.accepted, counters.access_tokens), (3, 2));

    // A stranger's account is not taken: Google does not know it.
    let stranger = generated().await;
    fs::write(&google.file, stranger.json(&google.endpoint.token_uri)).unwrap();
    google.world.reload(None).await;
    assert!(google.world.credentials()[1].is_changing, "it waits");
    // Nor one of another project: its devices are not this app's.
    fs::write(&google.file, second.replace(PROJECT, "another-project")).unwrap();
    assert_eq!(google.world.reload(None).await.failed, ["fcm.sandbox"]);
    google.server.notify(&to(IAGO, message())).await;
    assert_eq!(google.fcm.counters().accepted, 4);
    google.end().await;
}

async fn with_android(world: &World, token: &str) -> ChatServer {
    let server = world.chat_server("chat.selfhosted.test").await;
    server.register_phone(IAGO, &Phone::android(token)).await;
    server
}

async fn failures(world: &World) -> f64 {
    world.metric(REFRESHES, &["kind=\"fcm_token\"", "result=\"failed\""]).await
}

/// A world whose access tokens come over an endpoint that can be taken away.
struct Google {
    world: World,
    server: ChatServer,
    fcm: FakeFcm,
    endpoint: Endpoint,
    file: PathBuf,
    account: ServiceAccount,
}

impl Google {
    async fn start(settings: &str) -> Self {
        let stage = Stage::set(settings).await;
        let endpoint = Endpoint::start().await;
        let account = generated().await;
        let options = FcmOptions {
            accounts: vec![account.clone()],
            audiences: vec![endpoint.token_uri.clone()],
            ..FcmOptions::default()
        };
        let authority = stage.surroundings.authority();
        let fcm = FakeFcm::start(authority, stage.clock.clone(), options).await.unwrap();
        endpoint.lead_to(fcm.address().port());
        let file = stage.surroundings.config_file().with_file_name("service-account.json");
        fs::write(&file, account.json(&endpoint.token_uri)).unwrap();
        let before = format!("https://{}", stage.surroundings.fcm.address());
        let config = stage.surroundings.config();
        let config = config.replace(&before, &format!("https://{}", fcm.address()));
        let world = stage.serve(&config).await;
        let server = with_android(&world, "android").await;
        Self { world, server, fcm, endpoint, file, account }
    }

    async fn end(self) {
        self.world.shutdown().await;
        self.fcm.shutdown().await;
    }
}

/// An account with a key of its own.
async fn generated() -> ServiceAccount {
    spawn_blocking(|| ServiceAccount::generate(PROJECT)).await.unwrap().unwrap()
}

/// Connections go through.
const PASSES: u8 = 0;
/// Connections are closed at once.
const REFUSES: u8 = 1;
/// Nothing is ever said.
const SILENT: u8 = 2;

/// A way to the token endpoint, by plain TCP.
struct Endpoint {
    token_uri: String,
    mode: Arc<AtomicU8>,
    port: Arc<AtomicU16>,
    cut: Arc<tokio::sync::Notify>,
    serving: AbortHandle,
}

impl Endpoint {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let token_uri =
            format!("https://localhost:{}/token", listener.local_addr().unwrap().port());
        let (mode, port) = (Arc::new(AtomicU8::new(PASSES)), Arc::<AtomicU16>::default());
        let cut = Arc::new(tokio::sync::Notify::new());
        let (its_mode, its_port) = (Arc::clone(&mode), Arc::clone(&port));
        let its_cut = Arc::clone(&cut);
        let serving = tokio::spawn(async move {
            let mut connections = JoinSet::new();
            loop {
                tokio::select! {
                    accepted = listener.accept() => {
                        let (mut stream, _) = accepted.unwrap();
                        match its_mode.load(Ordering::SeqCst) {
                            PASSES => {
                                let port = its_port.load(Ordering::SeqCst);
                                connections.spawn(async move {
                                    let mut other = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
                                    let _ = copy_bidirectional(&mut stream, &mut other).await;
                                });
                            }
                            REFUSES => drop(stream),
                            _ => {
                                connections.spawn(async move {
                                    let _stream = stream;
                                    std::future::pending::<()>().await;
                                });
                            }
                        }
                    }
                    () = its_cut.notified() => connections.abort_all(),
                }
            }
        });
        Self { token_uri, mode, port, cut, serving: serving.abort_handle() }
    }

    fn lead_to(&self, port: u16) {
        self.port.store(port, Ordering::SeqCst);
    }

    /// From now on; connections that are open are cut.
    fn set(&self, mode: u8) {
        self.mode.store(mode, Ordering::SeqCst);
        self.cut.notify_one();
    }
}

impl Drop for Endpoint {
    fn drop(&mut self) {
        self.serving.abort();
    }
}
