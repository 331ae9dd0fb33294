//! What goes wrong on purpose, as a client sees it.

use h2::Reason as Code;
use http::header::DATE;

use super::*;
use crate::sandbox::faults::{Act, Cut, Goaway, Outage, Reset, Seen, Skew};

#[tokio::test]
async fn a_goaway_answers_what_came_before_and_processes_nothing_after() {
    let actors = Actors::start().await;
    let peer = actors.connect().await;
    assert_eq!(actors.push(DEVICE).send(&peer).await.status, 200);
    peer.wait_for_streams(1000).await;
    actors.apns.set_latency(Duration::from_millis(50));
    actors.apns.faults().goaway(Goaway {
        at_stream: 3,
        code: Code::NO_ERROR,
        reason: "Shutdown".to_owned(),
        times: 1,
    });
    let answers = join_all((0..5).map(|_| peer.send(actors.push(DEVICE).request()))).await;
    let answered: Vec<bool> = answers.iter().map(Result::is_ok).collect();
    assert_eq!(answered, [true, true, false, false, false]);
    let error = answers[2].as_ref().err().unwrap();
    assert!(error.is_go_away() && error.is_remote(), "{error}");
    assert_eq!(actors.apns.requests().len(), 3);
    assert!(peer.send(actors.push(DEVICE).request()).await.is_err());
    assert_eq!(actors.push(DEVICE).send(&actors.connect().await).await.status, 200);
}

#[tokio::test]
async fn a_goaway_names_the_stream_before_and_the_reason() {
    let actors = Actors::start().await;
    let script = |seen: &Seen| match seen.stream {
        2 => Act::Goaway { code: Code::ENHANCE_YOUR_CALM, reason: "Slow".to_owned() },
        _ => Act::Answer,
    };
    actors.apns.faults().set_script(Some(Arc::new(script)));
    let peer = actors.connect().await;
    assert_eq!(actors.push(DEVICE).send(&peer).await.status, 200);
    let error = peer.send(actors.push(DEVICE).request()).await.err().unwrap();
    assert_eq!((error.is_go_away(), error.reason()), (true, Some(Code::ENHANCE_YOUR_CALM)));
    assert!(error.to_string().contains(r#"{\"reason\":\"Slow\"}"#), "{error}");
    assert_eq!(actors.apns.requests().len(), 1);
}

#[tokio::test]
async fn the_next_streams_are_reset_before_or_after_they_are_accepted() {
    let actors = Actors::start().await;
    let peer = actors.connect().await;
    for (is_accepted, accepted) in [(false, 0), (true, 2)] {
        let reset = Reset { count: 2, code: Code::REFUSED_STREAM, is_accepted };
        actors.apns.faults().reset(reset);
        for _ in 0..2 {
            let error = peer.send(actors.push(DEVICE).request()).await.err().unwrap();
            assert_eq!(error.reason(), Some(Code::REFUSED_STREAM));
        }
        assert_eq!(actors.apns.accepted_by_token().get(DEVICE).copied().unwrap_or(0), accepted);
        assert!(actors.apns.requests().iter().all(|request| request.is_answer_lost));
    }
    assert_eq!(actors.push(DEVICE).send(&peer).await.status, 200);
    let numbers: Vec<u64> = actors.apns.requests().iter().map(|it| it.connection).collect();
    assert_eq!(numbers, [1, 1, 1]);
}

#[tokio::test]
async fn a_connection_is_cut_before_or_after_the_notification_is_accepted() {
    let actors = Actors::start().await;
    for (is_accepted, accepted) in [(false, 0), (true, 1)] {
        let peer = actors.connect().await;
        actors.apns.faults().cut(Cut { count: 1, is_accepted });
        assert!(peer.send(actors.push(DEVICE).request()).await.is_err());
        assert!(peer.send(actors.push(DEVICE).request()).await.is_err());
        assert_eq!(actors.apns.counters().accepted, accepted);
    }
    let peer = actors.connect().await;
    actors.apns.faults().close_connections();
    assert!(peer.send(actors.push(DEVICE).request()).await.is_err());
    assert_eq!(actors.push(DEVICE).send(&actors.connect().await).await.status, 200);
}

#[tokio::test]
async fn an_outage_refuses_answers_or_is_silent() {
    let actors = Actors::start().await;
    let peer = actors.connect().await;
    let faults = actors.apns.faults();
    for (outage, expected) in [
        (Outage::ServiceUnavailable, (503, "ServiceUnavailable")),
        (Outage::InternalServerError, (500, "InternalServerError")),
    ] {
        faults.set_outage(Some(outage));
        let answer = actors.push("not-hexadecimal").send(&peer).await;
        assert_eq!(answer.reason(), (expected.0, expected.1.to_owned()));
    }
    faults.set_outage(Some(Outage::Refuse));
    assert!(tls(&actors.authority, actors.apns.address(), &[b"h2"], None).await.is_err());
    assert_eq!(actors.push(DEVICE).send(&peer).await.status, 200, "open connections go on");

    faults.set_outage(Some(Outage::Silence));
    let mut unanswered = Box::pin(peer.send(actors.push(DEVICE).request()));
    let connecting = actors.connect();
    let mut connecting = Box::pin(connecting);
    let wait = Duration::from_millis(200);
    assert!(tokio::time::timeout(wait, &mut unanswered).await.is_err());
    assert!(tokio::time::timeout(wait, &mut connecting).await.is_err());
    faults.set_outage(None);
    assert_eq!(unanswered.await.unwrap().status, 200);
    assert_eq!(actors.push(DEVICE).send(&connecting.await).await.status, 200);
}

#[tokio::test]
async fn a_shutdown_does_not_wait_for_a_silent_connection() {
    let actors = Actors::start().await;
    let _peer = actors.connect().await;
    actors.apns.faults().set_outage(Some(Outage::Silence));
    let started = tokio::time::Instant::now();
    actors.apns.shutdown().await;
    assert!(started.elapsed() < Duration::from_secs(2));
}

#[tokio::test]
async fn the_clock_of_the_service_can_be_wrong() {
    let actors = Actors::start().await;
    let peer = actors.connect().await;
    let faults = actors.apns.faults();
    let now = actors.clock.now();
    for (skew, seconds, reason) in [
        (Skew::Ahead, 600, ""),
        (Skew::Ahead, 3700, "ExpiredProviderToken"),
        (Skew::Behind, 60, "InvalidProviderToken"),
    ] {
        faults.shift_clock(Duration::from_secs(seconds), skew);
        let answer = actors.push(DEVICE).send(&peer).await;
        assert_eq!(answer.reason().1, reason);
        let date = httpdate::parse_http_date(answer.headers[DATE].to_str().unwrap()).unwrap();
        let date = date.duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
        let date = i64::try_from(date).unwrap();
        let seconds = i64::try_from(seconds).unwrap();
        let expected = now.unix_seconds() + if skew == Skew::Ahead { seconds } else { -seconds };
        assert!((expected..expected + 20).contains(&date), "{date} {expected}");
    }
}

#[tokio::test]
async fn the_time_of_a_410_and_retry_after_can_be_set() {
    let actors = Actors::start().await;
    let peer = actors.connect().await;
    let faults = actors.apns.faults();
    faults.set_gone_at(Some(crate::clock::Timestamp::from_unix_millis(1_700_000_000_123)));
    faults.set_retry_after(Some(Duration::from_secs(9)));
    let gone = actors.push(&hexadecimal("dead")).send(&peer).await;
    assert_eq!(gone.json()["timestamp"], 1_700_000_000_123_i64);
    assert!(!gone.headers.contains_key("retry-after"));
    let busy = actors.push(&hexadecimal("toomany")).send(&peer).await;
    assert_eq!(busy.headers["retry-after"], "9");
    faults.clear();
    let busy = actors.push(&hexadecimal("toomany")).send(&peer).await;
    assert!(!busy.headers.contains_key("retry-after"));
}

#[tokio::test]
async fn provider_tokens_end_before_their_time() {
    let actors = Actors::start().await;
    let faults = actors.apns.faults();
    for (end, reason) in [
        (Faults::expire_tokens as fn(&Faults), "ExpiredProviderToken"),
        (Faults::revoke_tokens, "InvalidProviderToken"),
    ] {
        let peer = actors.connect().await;
        let push = |token: &str| actors.push(DEVICE).header("authorization", &bearer(token));
        let token = actors.token();
        assert_eq!(push(&token).send(&peer).await.status, 200);
        end(&faults);
        assert_eq!(push(&token).send(&peer).await.reason(), (403, reason.to_owned()));
        actors.clock.advance(Duration::from_secs(2));
        assert_eq!(push(&actors.token()).send(&peer).await.status, 200);
    }
}

fn bearer(token: &str) -> String {
    format!("bearer {token}")
}

#[tokio::test]
async fn a_script_decides_about_each_request() {
    let actors = Actors::start().await;
    let script = |seen: &Seen| match seen.number {
        1 => Act::Refuse("Shutdown".to_owned()),
        2 => Act::Reset { code: Code::INTERNAL_ERROR, is_accepted: true },
        3 => Act::AnswerAfter(Duration::from_millis(30)),
        4 => Act::Swallow,
        5 => Act::Cut { is_accepted: false },
        _ => Act::Answer,
    };
    actors.apns.faults().set_script(Some(Arc::new(script)));
    let peer = actors.connect().await;
    let answer = actors.push(DEVICE).send(&peer).await;
    assert_eq!(answer.reason(), (503, "Shutdown".to_owned()));
    let error = peer.send(actors.push(DEVICE).request()).await.err().unwrap();
    assert_eq!(error.reason(), Some(Code::INTERNAL_ERROR));
    assert_eq!(actors.push(DEVICE).send(&peer).await.status, 200);
    let swallowed = peer.send(actors.push(DEVICE).request());
    assert!(tokio::time::timeout(Duration::from_millis(100), swallowed).await.is_err());
    assert!(peer.send(actors.push(DEVICE).request()).await.is_err());
    let statuses: Vec<u16> = actors.apns.requests().iter().map(|it| it.status).collect();
    assert_eq!(statuses, [503, 200, 200]);
}
