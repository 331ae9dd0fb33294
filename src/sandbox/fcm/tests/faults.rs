//! What goes wrong on purpose, as a client of Google's service sees it.

use h2::Reason as Code;

use super::*;
use crate::sandbox::faults::{Act, Cut, Outage, Reset, Seen, Skew, TokenOutage};

async fn ask(actors: &Actors, peer: &Peer) -> Answer {
    let assertion = assert(&ACCOUNT, &json!({ "alg": "RS256" }), &actors.claims(&ACCOUNT));
    ask_for_token(peer, GRANT, &assertion).await
}

#[tokio::test]
async fn the_token_endpoint_fails_alone() {
    let actors = Actors::start().await;
    let peer = actors.connect().await;
    let token = actors.log_in(&peer, &ACCOUNT).await;
    let faults = actors.fcm.faults();
    faults.set_token_outage(Some(TokenOutage::InvalidGrant));
    let answer = ask(&actors, &peer).await;
    assert_eq!((answer.status.as_u16(), &answer.json()["error"]), (400, &json!("invalid_grant")));
    faults.set_token_outage(Some(TokenOutage::Unavailable));
    assert_eq!(ask(&actors, &peer).await.status, 503);
    faults.set_token_outage(Some(TokenOutage::Slow(Duration::from_millis(30))));
    let started = tokio::time::Instant::now();
    assert_eq!(ask(&actors, &peer).await.status, 200);
    assert!(started.elapsed() >= Duration::from_millis(30));
    faults.set_token_outage(Some(TokenOutage::Silence));
    let never = ask(&actors, &peer);
    assert!(tokio::time::timeout(Duration::from_millis(100), never).await.is_err());
    assert_eq!(send(&peer, &token, &to("device")).await.status, 200);
    faults.set_token_outage(None);
    assert_eq!(ask(&actors, &peer).await.status, 200);
}

#[tokio::test]
async fn an_outage_is_answered_in_googles_words() {
    let actors = Actors::start().await;
    let peer = actors.connect().await;
    let faults = actors.fcm.faults();
    faults.set_retry_after(Some(Duration::from_secs(11)));
    for (outage, status, word, retry_after) in [
        (Outage::ServiceUnavailable, 503, "UNAVAILABLE", true),
        (Outage::InternalServerError, 500, "INTERNAL", false),
    ] {
        faults.set_outage(Some(outage));
        let answer = send(&peer, "any token", &to("device")).await;
        assert_eq!(
            (answer.status.as_u16(), &answer.json()["error"]["status"]),
            (status, &json!(word))
        );
        assert_eq!(answer.headers.contains_key("retry-after"), retry_after);
        assert!(answer.headers.contains_key("date"));
    }
    faults.set_outage(None);
    actors.log_in(&peer, &ACCOUNT).await;
}

#[tokio::test]
async fn access_tokens_expire_before_their_time() {
    let actors = Actors::start().await;
    let peer = actors.connect().await;
    let token = actors.log_in(&peer, &ACCOUNT).await;
    actors.fcm.faults().expire_tokens();
    let answer = send(&peer, &token, &to("device")).await;
    let json = answer.json();
    assert_eq!(json["error"]["details"][0]["reason"], "ACCESS_TOKEN_EXPIRED");
    let token = actors.log_in(&peer, &ACCOUNT).await;
    assert_eq!(send(&peer, &token, &to("device")).await.status, 200);
}

#[tokio::test]
async fn a_message_may_be_accepted_and_its_answer_lost() {
    let actors = Actors::start().await;
    let peer = actors.connect().await;
    let token = actors.log_in(&peer, &ACCOUNT).await;
    let faults = actors.fcm.faults();
    for (is_accepted, accepted) in [(false, 0), (true, 1)] {
        faults.reset(Reset { count: 1, code: Code::CANCEL, is_accepted });
        let uri = "https://localhost/v1/projects/example-chat/messages:send";
        let request = Request::post(uri).header("authorization", format!("Bearer {token}"));
        let request = request.body(Bytes::from(to("device").to_string())).unwrap();
        let error = peer.send(request).await.err().unwrap();
        assert_eq!(error.reason(), Some(Code::CANCEL));
        assert_eq!(actors.fcm.accepted_by_token().get("device").copied().unwrap_or(0), accepted);
    }
    assert!(actors.fcm.requests()[0].is_answer_lost);
}

#[tokio::test]
async fn an_http1_connection_is_closed_where_a_stream_would_be_reset() {
    let actors = Actors::start().await;
    for cut in [true, false] {
        if cut {
            actors.fcm.faults().cut(Cut { count: 1, is_accepted: true });
        } else {
            actors.fcm.faults().reset(Reset { count: 1, code: Code::CANCEL, is_accepted: true });
        }
        let mut stream =
            tls(&actors.authority, actors.fcm.address(), &[b"http/1.1"], None).await.unwrap();
        let request = "POST /v1/projects/example-chat/messages:send HTTP/1.1\r\nhost: localhost\r\n\
                       content-length: 2\r\n\r\n{}";
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        let _closed = stream.read_to_end(&mut answer).await;
        assert!(answer.is_empty(), "{}", String::from_utf8_lossy(&answer));
    }
    assert_eq!(actors.fcm.requests().len(), 2);
}

#[tokio::test]
async fn a_script_sees_the_token_and_refuses() {
    let actors = Actors::start().await;
    let peer = actors.connect().await;
    let token = actors.log_in(&peer, &ACCOUNT).await;
    let script = |seen: &Seen| {
        if seen.token == "busy" { Act::Refuse("QUOTA_EXCEEDED".to_owned()) } else { Act::Answer }
    };
    actors.fcm.faults().set_script(Some(Arc::new(script)));
    assert_eq!(send(&peer, &token, &to("busy")).await.status, 429);
    assert_eq!(send(&peer, &token, &to("free")).await.status, 200);
    let unauthorized = send(&peer, "none", &to("busy")).await;
    assert_eq!(unauthorized.status, 401, "what the rules refuse stays refused");
}

#[tokio::test]
async fn an_assertion_is_judged_by_the_clock_of_the_service() {
    let actors = Actors::start().await;
    let peer = actors.connect().await;
    actors.fcm.faults().shift_clock(Duration::from_secs(120), Skew::Behind);
    let answer = ask(&actors, &peer).await;
    assert_eq!((answer.status.as_u16(), &answer.json()["error"]), (400, &json!("invalid_grant")));
}
