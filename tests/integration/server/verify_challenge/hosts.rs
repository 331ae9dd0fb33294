//! What hosts may do when they are called.

use futures_util::future::join_all;
use push_bouncer::sandbox::chat_host::Manner;
use tokio::{
    io::AsyncWriteExt as _,
    net::TcpListener,
    time::{Duration, Instant},
};

use crate::world::{ANY_NUMBER, PERMITTED, TOKEN, World};

const CONNECTION: &str = "Connection error occurred while communicating with the host.";
const TIMED_OUT: &str = "The request timed out while communicating with the host.";
const PARSING: &str = "An error occurred while parsing the response from the host.";
const OTHER: &str = "An error occurred while communicating with the host.";

#[tokio::test(flavor = "multi_thread")]
async fn odd_answers_are_told_apart_and_change_nothing() {
    let world = World::start(&format!("{PERMITTED}{ANY_NUMBER}")).await;
    let host = world.chat_host(&[]).await;
    let server = world.chat_server(&host.hostname("localhost")).await;
    host.prepare_for_ever(&world.secret_for(&server.hostname).await, TOKEN);
    let content = |text: &str| Manner::Content(text.to_owned());
    for (manner, expected) in [
        (Manner::Status(500), "Error response received from the host: 500"),
        (Manner::Status(404), "Error response received from the host: 404"),
        (Manner::Status(400), "Error response received from the host: 400"),
        (Manner::Status(204), "Unexpected status code received from the host: 204"),
        (content("<html>"), PARSING),
        (content(""), PARSING),
        (content("{}"), PARSING),
        (content("{\"verification_secret\":7}"), PARSING),
        (content("[\"verification_secret\"]"), PARSING),
        (content("{\"verification_secret\":\"\"}"), "The verification secret is invalid"),
        (Manner::LongBody, PARSING),
        (Manner::LongHead, OTHER),
        (Manner::HalfBody, OTHER),
        (Manner::Continues, CONNECTION),
        (Manner::Nonsense, OTHER),
        (Manner::Goodbye, CONNECTION),
    ] {
        host.behave(manner.clone());
        assert_eq!(world.refusal(&server.hostname).await, expected, "{manner:?}");
    }
    assert_eq!(world.client().status_as(&server.org_id, &server.org_key).await.status, 200);
    world.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redirect_is_not_followed() {
    let world = World::start(&format!("{PERMITTED}{ANY_NUMBER}")).await;
    let (host, target) = (world.chat_host(&[]).await, world.chat_host(&[]).await);
    let server = world.chat_server(&host.hostname("localhost")).await;
    target.prepare(&world.secret_for(&server.hostname).await, TOKEN);
    for location in [
        format!(
            "https://localhost:{}/api/v1/zulip-services/verify/{TOKEN}/",
            target.address().port()
        ),
        format!("//localhost:{}/", target.address().port()),
    ] {
        host.behave(Manner::Redirect(location));
        let refusal = world.refusal(&server.hostname).await;
        assert_eq!(refusal, "Unexpected status code received from the host: 302");
    }
    assert!(target.heads().is_empty());
    world.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_speaks_no_tls_or_hangs_up_is_told_so() {
    let world = World::start(&format!("{PERMITTED}{ANY_NUMBER}")).await;
    for (greeting, expected) in [
        (
            &b"HTTP/1.1 400 Bad Request\r\n\r\n"[..],
            "SSL error occurred while communicating with the host.",
        ),
        (b"", CONNECTION),
    ] {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let hostname = format!("localhost:{}", listener.local_addr().unwrap().port());
        world.chat_server(&hostname).await;
        let answering = async {
            let (mut stream, _) = listener.accept().await.unwrap();
            // Who has read nothing resets the connection, and the greeting with it.
            stream.readable().await.unwrap();
            let _ = stream.try_read(&mut [0; 4096]);
            stream.write_all(greeting).await.unwrap();
            stream.shutdown().await.unwrap();
        };
        let ((), refusal) = tokio::join!(answering, world.refusal(&hostname));
        assert_eq!(refusal, expected);
    }
    world.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn hosts_that_take_too_long_are_given_up_and_few_are_called_at_once() {
    let world = World::start(&format!("{PERMITTED}{ANY_NUMBER}")).await;
    let slow = [world.chat_host(&[]).await, world.chat_host(&[]).await];
    slow[0].behave(Manner::Silence);
    slow[1].behave(Manner::SlowHead);
    let (world, slow) = (&world, &slow);
    for host in slow {
        world.chat_server(&host.hostname("localhost")).await;
    }
    let began = Instant::now();
    let calls = (0..9).map(|number| async move {
        world.verify(&slow[number % 2].hostname("localhost"), TOKEN).await
    });
    let answers = join_all(calls).await;
    let took = began.elapsed();
    let (busy, tried): (Vec<_>, Vec<_>) = answers.iter().partition(|(status, _)| *status == 503);
    assert_eq!((busy.len(), tried.len()), (1, 8), "{answers:?}");
    assert_eq!(busy[0].1["code"], "OVERLOADED");
    for (status, json) in tried {
        assert_eq!((*status, &json["msg"]), (400, &TIMED_OUT.into()), "{json}");
    }
    assert!((Duration::from_millis(4900)..Duration::from_secs(9)).contains(&took), "{took:?}");
    let (status, _) = world.verify("unregistered.test", TOKEN).await;
    assert_eq!(status, 400, "the places are free again");
}
