//! The control port over a real connection.

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::*;
use crate::{
    clock::Clock,
    sandbox::{apns::ApnsOptions, authority::Authority, faults::Outage, fcm::FcmOptions},
};
use serde_json::json;

struct Actors {
    apns: FakeApns,
    fcm: FakeFcm,
    control: Control,
}

impl Actors {
    async fn start() -> Self {
        let authority = Authority::new().unwrap();
        let clock = Clock::default();
        let apns = FakeApns::start(&authority, clock.clone(), ApnsOptions::default());
        let apns = apns.await.unwrap();
        let fcm = FakeFcm::start(&authority, clock, FcmOptions::default()).await.unwrap();
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        let control = Control::of_both(any, &apns, &fcm).await.unwrap();
        Self { apns, fcm, control }
    }

    async fn ask(&self, method: &str, path: &str, body: &str) -> (u16, Value) {
        self.ask_with(&format!("{method} {path}"), "Host: localhost\r\n", body).await
    }

    async fn ask_with(&self, line: &str, headers: &str, body: &str) -> (u16, Value) {
        let mut stream = TcpStream::connect(self.control.address()).await.unwrap();
        let length = body.len();
        let request = format!(
            "{line} HTTP/1.1\r\n{headers}Connection: close\r\nContent-Length: {length}\r\n\r\n{body}"
        );
        // A server that refuses a long body may close before it has read all.
        let _refused = stream.write_all(request.as_bytes()).await;
        let mut answer = Vec::new();
        let _reset = stream.read_to_end(&mut answer).await;
        let answer = String::from_utf8(answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        (head.split(' ').nth(1).unwrap().parse().unwrap(), serde_json::from_str(body).unwrap())
    }
}

#[tokio::test]
async fn the_knobs_are_one_document_for_each_fake() {
    let actors = Actors::start().await;
    let (status, before) = actors.ask("GET", "/apns/faults", "").await;
    assert_eq!((status, &before["streams"], &before["outage"]), (200, &json!(1000), &Value::Null));
    let body = r#"{"outage": "service_unavailable", "streams": 5}"#;
    let (status, after) = actors.ask("PUT", "/apns/faults", body).await;
    assert_eq!((status, &after["streams"]), (200, &json!(5)));
    assert_eq!(actors.apns.faults().settings().outage, Some(Outage::ServiceUnavailable));
    assert_eq!(actors.fcm.faults().settings().outage, None);
    let (status, _) = actors.ask("POST", "/apns/goaway", r#"{"reason": "Shutdown"}"#).await;
    assert_eq!(status, 200);
    assert_eq!(actors.apns.faults().settings().goaway.unwrap().reason, "Shutdown");
    let (_, whole) = actors.ask("GET", "/apns/faults", "").await;
    assert_eq!(actors.ask("PUT", "/apns/faults", &whole.to_string()).await, (200, whole));
    assert_eq!(actors.ask("PUT", "/apns/faults", "{}").await, (200, before));
}

#[tokio::test]
async fn every_path_does_its_work() {
    let actors = Actors::start().await;
    for (path, body) in [
        ("reset", ""),
        ("reset-streams", r#"{"count": 3, "code": "REFUSED_STREAM"}"#),
        ("cut", r#"{"is_accepted": true}"#),
        ("close-connections", ""),
        ("revoke", ""),
        ("revoke", r#"{"how": "expired"}"#),
    ] {
        let (status, answer) = actors.ask("POST", &format!("/fcm/{path}"), body).await;
        assert_eq!(status, 200, "{path}: {answer}");
    }
    let settings = actors.fcm.faults().settings();
    assert_eq!(settings.reset_streams.unwrap().count, 3);
    assert!(settings.cut.unwrap().is_accepted);
    let (status, counters) = actors.ask("GET", "/fcm/counters", "").await;
    assert_eq!((status, &counters["accepted"]), (200, &json!(0)));
    let (status, page) = actors.ask("GET", "/fcm/requests?after=7&limit=5", "").await;
    assert_eq!((status, page), (200, json!({"requests": [], "last": 7, "oldest": 1})));
}

#[tokio::test]
async fn what_does_not_fit_is_refused_with_a_sentence() {
    let actors = Actors::start().await;
    let long = " ".repeat(65 << 10);
    for (method, path, body, expected) in [
        ("GET", "/requests", "", 404),
        ("GET", "/apns/nothing", "", 404),
        ("GET", "/apns/reset", "", 405),
        ("DELETE", "/apns/faults", "", 405),
        ("PUT", "/apns/faults", "{", 400),
        ("PUT", "/apns/faults", r#"{"rain": 1}"#, 400),
        ("PUT", "/apns/faults", r#"{"streams": -1}"#, 400),
        ("POST", "/apns/reset-streams", r#"{"code": "OH_NO"}"#, 400),
        ("POST", "/apns/revoke", r#"{"how": "softly"}"#, 400),
        ("GET", "/apns/requests?limit=all", "", 400),
        ("GET", "/apns/requests?page=2", "", 400),
        ("PUT", "/apns/faults", &long, 413),
    ] {
        let (status, answer) = actors.ask(method, path, body).await;
        assert_eq!(status, expected, "{method} {path}: {answer}");
        assert!(answer["error"].as_str().unwrap().ends_with('.'), "{answer}");
    }
}

#[tokio::test]
async fn pages_and_other_names_are_refused() {
    let actors = Actors::start().await;
    for headers in ["Host: evil.example\r\n", "Host: localhost\r\nOrigin: https://evil.example\r\n"]
    {
        let (status, _) = actors.ask_with("POST /apns/reset", headers, "").await;
        assert_eq!(status, 403, "{headers}");
    }
    let everywhere = SocketAddr::from(([0, 0, 0, 0], 0));
    assert!(Control::of_apns(everywhere, &actors.apns).await.is_err());
    let address = actors.control.address();
    actors.control.shutdown().await;
    assert!(TcpStream::connect(address).await.is_err());
}
