//! The token endpoint and the tokens it gives out.

use super::*;

#[tokio::test]
async fn each_fault_of_an_assertion_has_its_error() {
    let actors = Actors::start().await;
    let peer = actors.connect().await;
    let header = json!({ "alg": "RS256", "typ": "JWT", "kid": ACCOUNT.private_key_id() });
    let now = actors.clock.now().unix_seconds();
    let with = |name: &str, value: Value| {
        let mut claims = actors.claims(&ACCOUNT);
        claims[name] = value;
        assert(&ACCOUNT, &header, &claims)
    };
    let good = assert(&ACCOUNT, &header, &actors.claims(&ACCOUNT));
    let forged = assert(&OTHER, &json!({ "alg": "RS256" }), &actors.claims(&ACCOUNT));
    let other_key =
        assert(&ACCOUNT, &json!({ "alg": "RS256", "kid": "x" }), &actors.claims(&ACCOUNT));
    let other_algorithm = assert(&ACCOUNT, &json!({ "alg": "none" }), &actors.claims(&ACCOUNT));
    let cases = [
        (GRANT, good.clone(), ""),
        (GRANT, with("scope", "a https://www.googleapis.com/auth/cloud-platform".into()), ""),
        ("password", good.clone(), "unsupported_grant_type"),
        (GRANT, "a.b".into(), "invalid_grant"),
        (GRANT, format!("{good}="), "invalid_grant"),
        (GRANT, forged, "invalid_grant"),
        (GRANT, other_key, "invalid_grant"),
        (GRANT, other_algorithm, "invalid_grant"),
        (GRANT, with("iss", "nobody@example.org".into()), "invalid_grant"),
        (GRANT, with("aud", "https://localhost/other".into()), "invalid_grant"),
        (GRANT, with("iat", (now + 60).into()), "invalid_grant"),
        (GRANT, with("exp", (now - 1).into()), "invalid_grant"),
        (GRANT, with("exp", (now + 3601).into()), "invalid_grant"),
        (GRANT, with("scope", "openid".into()), "invalid_scope"),
    ];
    for (number, (grant_type, assertion, error)) in cases.into_iter().enumerate() {
        let answer = ask_for_token(&peer, grant_type, &assertion).await;
        let json = answer.json();
        assert_eq!(json["error"].as_str().unwrap_or_default(), error, "case {number}");
        assert_eq!(answer.status, if error.is_empty() { 200 } else { 400 }, "case {number}");
        assert_eq!(json["error_description"].is_string(), !error.is_empty(), "case {number}");
        assert_eq!(json["expires_in"] == 3600, error.is_empty(), "case {number}");
    }
}

#[tokio::test]
async fn access_tokens_end_and_can_be_revoked() {
    let actors = Actors::start().await;
    let peer = actors.connect().await;
    let reason = async |token: &str| {
        let answer = send(&peer, token, &to("device")).await;
        let json = answer.json();
        if answer.status == 401 {
            assert_eq!(json["error"]["status"], "UNAUTHENTICATED");
            assert!(answer.headers.contains_key("www-authenticate"));
        }
        json["error"]["details"][0]["reason"].as_str().unwrap_or_default().to_owned()
    };
    let token = actors.log_in(&peer, &ACCOUNT).await;
    assert_eq!(reason(&token).await, "");
    assert_eq!(reason("ya29.unknown").await, "ACCESS_TOKEN_TYPE_UNSUPPORTED");
    actors.clock.advance(Duration::from_secs(3600));
    assert_eq!(reason(&token).await, "ACCESS_TOKEN_EXPIRED");
    let token = actors.log_in(&peer, &ACCOUNT).await;
    assert_eq!(reason(&token).await, "");
    actors.fcm.revoke_access_tokens();
    assert_eq!(reason(&token).await, "ACCESS_TOKEN_TYPE_UNSUPPORTED");

    let request = Request::post("https://localhost/v1/projects/example-chat/messages:send")
        .body(Bytes::from_static(b"{}"));
    let answer = peer.send(request.unwrap()).await.unwrap();
    assert_eq!(answer.json()["error"]["details"][0]["reason"], "CREDENTIALS_MISSING");
}

#[test]
fn a_key_file_has_what_clients_read() {
    let file: Value = serde_json::from_str(&ACCOUNT.json("https://localhost/token")).unwrap();
    assert_eq!(file["type"], "service_account");
    assert_eq!(file["project_id"], PROJECT);
    assert_eq!(file["token_uri"], "https://localhost/token");
    assert_eq!(file["private_key_id"].as_str().unwrap().len(), 40);
    let key = file["private_key"].as_str().unwrap();
    assert!(key.starts_with("-----BEGIN PRIVATE KEY-----\n"));
}
