//! Whom Apple believes: provider tokens and client certificates.

use std::time::Duration;

use super::*;

#[tokio::test]
async fn each_fault_of_a_provider_token_has_its_reason() {
    let actors = Actors::start().await;
    let now = actors.clock.now().unix_seconds();
    let stranger = AppleKey::generate(TEAM, KEY).unwrap();
    let claims = json!({ "iss": TEAM, "iat": now });
    let good = actors.token();
    let foreign =
        sign_es256(stranger.private_key_der(), &json!({ "alg": "ES256", "kid": KEY }), &claims);
    let bearer = |token: &str| format!("bearer {token}");
    let padded = format!("bearer {good}=");
    let unnamed = sign_es256(&actors.key, &json!({ "alg": "ES256" }), &claims);
    let other_algorithm = sign_es256(&actors.key, &json!({ "alg": "HS256", "kid": KEY }), &claims);
    let cases = [
        (String::new(), "MissingProviderToken"),
        ("bearer".into(), "MissingProviderToken"),
        ("basic abc".into(), "MissingProviderToken"),
        (bearer("abc"), "InvalidProviderToken"),
        (bearer(&foreign), "InvalidProviderToken"),
        (padded, "InvalidProviderToken"),
        (bearer(&unnamed), "InvalidProviderToken"),
        (bearer(&other_algorithm), "InvalidProviderToken"),
        (bearer(&actors.token_of(&json!({ "iss": "OTHER", "iat": now }))), "InvalidProviderToken"),
        (bearer(&actors.token_of(&json!({ "iss": TEAM }))), "InvalidProviderToken"),
        (
            bearer(&actors.token_of(&json!({ "iss": TEAM, "iat": now + 60 }))),
            "InvalidProviderToken",
        ),
        (
            bearer(&actors.token_of(&json!({ "iss": TEAM, "iat": now - 3602 }))),
            "ExpiredProviderToken",
        ),
    ];
    let peer = actors.connect().await;
    for (number, (authorization, reason)) in cases.into_iter().enumerate() {
        let answer = actors.push(DEVICE).header("authorization", &authorization).send(&peer).await;
        assert_eq!(answer.reason(), (403, reason.to_owned()), "case {number}");
    }
    let missing = actors.push(DEVICE).without("authorization").send(&peer).await;
    assert_eq!(missing.reason(), (403, "MissingProviderToken".to_owned()));
    assert_eq!(peer.streams(), 1, "nothing of this authenticates a connection");

    let accepted = actors.push(DEVICE).header("authorization", &bearer(&good)).send(&peer).await;
    assert_eq!(accepted.status, 200);
    actors.clock.advance(Duration::from_secs(3601));
    let stale = actors.push(DEVICE).header("authorization", &bearer(&good)).send(&peer).await;
    assert_eq!(stale.reason(), (403, "ExpiredProviderToken".to_owned()));
}

#[tokio::test]
async fn a_team_changes_its_token_once_in_twenty_minutes() {
    let actors = Actors::start().await;
    let first = format!("bearer {}", actors.token());
    let send = async |authorization: &str| {
        let peer = actors.connect().await;
        actors.push(DEVICE).header("authorization", authorization).send(&peer).await.reason().1
    };
    assert_eq!(send(&first).await, "");

    actors.clock.advance(Duration::from_secs(19 * 60));
    let second = format!("bearer {}", actors.token());
    assert_eq!(send(&second).await, "TooManyProviderTokenUpdates");
    assert_eq!(send(&first).await, "", "the older token stays good");

    actors.clock.advance(Duration::from_secs(61));
    assert_eq!(send(&second).await, "");
    assert_eq!(send(&first).await, "", "both are in use until the older one ends");
    actors.clock.advance(Duration::from_secs(61));
    let third = format!("bearer {}", actors.token());
    assert_eq!(send(&third).await, "TooManyProviderTokenUpdates");
}

#[tokio::test]
async fn tokens_of_one_second_are_one_token() {
    let actors = Actors::start().await;
    let claims = json!({ "iss": TEAM, "iat": actors.clock.now().unix_seconds() });
    let peer = actors.connect().await;
    for _ in 0..3 {
        let authorization = format!("bearer {}", actors.token_of(&claims));
        let answer = actors.push(DEVICE).header("authorization", &authorization).send(&peer).await;
        assert_eq!(answer.status, 200);
    }
}

#[tokio::test]
async fn a_connection_belongs_to_one_team_and_key() {
    let second = AppleKey::generate(TEAM, "KEY0000002").unwrap();
    let other = AppleKey::generate("TEAM000002", "KEY0000003").unwrap();
    let now = Clock::default().now().unix_seconds();
    let token = |key: &AppleKey| {
        let header = json!({ "alg": "ES256", "kid": key.key_id() });
        let claims = json!({ "iss": key.team_id(), "iat": now });
        format!("bearer {}", sign_es256(key.private_key_der(), &header, &claims))
    };
    let tokens = [token(&second), token(&other)];
    let options = ApnsOptions {
        keys: vec![second, other],
        token_update_interval: Duration::ZERO,
        ..ApnsOptions::default()
    };
    let actors = Actors::start_with(options).await;
    let peer = actors.connect().await;
    assert_eq!(actors.push(DEVICE).send(&peer).await.status, 200);
    for (token, reason) in tokens.iter().zip(["UnrelatedKeyIdInToken", "InvalidProviderToken"]) {
        let answer = actors.push(DEVICE).header("authorization", token).send(&peer).await;
        assert_eq!(answer.reason(), (403, reason.to_owned()));
        let fresh = actors.connect().await;
        let answer = actors.push(DEVICE).header("authorization", token).send(&fresh).await;
        assert_eq!(answer.status, 200);
    }

    actors.apns.replace_keys(&[]);
    let answer = actors.push(DEVICE).send(&peer).await;
    assert_eq!(answer.reason(), (403, "InvalidProviderToken".to_owned()));
}

#[tokio::test]
async fn a_client_certificate_stands_in_for_a_token() {
    let options = ApnsOptions { client_certificates: true, ..ApnsOptions::default() };
    let actors = Actors::start_with(options).await;
    let identity = actors.authority.client_certificate("org.example.chat").unwrap();
    let peer = Peer::connect_as(&actors.authority, actors.apns.address(), &identity).await;
    let answer = actors.push(DEVICE).without("authorization").send(&peer).await;
    assert_eq!(answer.status, 200);
    peer.wait_for_streams(1000).await;

    let anonymous = actors.connect().await;
    let answer = actors.push(DEVICE).without("authorization").send(&anonymous).await;
    assert_eq!(answer.reason(), (403, "MissingProviderToken".to_owned()));

    let stranger = Authority::new().unwrap().client_certificate("org.example.chat").unwrap();
    let peer = tls(&actors.authority, actors.apns.address(), &[b"h2"], Some(&stranger)).await;
    if let Ok(mut stream) = peer {
        // TLS 1.3 lets the client finish first; the refusal is the next thing it reads.
        let read = tokio::io::AsyncReadExt::read(&mut stream, &mut [0; 1]).await;
        assert!(read.is_err());
    }
}
