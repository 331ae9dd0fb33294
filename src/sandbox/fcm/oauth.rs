//! `POST /token`: an assertion signed by a service account against an access token.
//!
//! The rules are those of [RFC 7523](https://www.rfc-editor.org/rfc/rfc7523) and of Google's
//! [documentation](https://developers.google.com/identity/protocols/oauth2/service-account#authorizingrequests).

use std::{borrow::Cow, time::Duration};

use bytes::Bytes;
use http::Response;
use ring::signature::{RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey};
use serde::Deserialize;
use serde_json::json;
use tokio::time::sleep;

use super::{World, error_code::json_response, service_account::ServiceAccount};
use crate::{
    clock::Timestamp,
    sandbox::{counters::count, faults::TokenOutage, json_web_token::JsonWebToken},
};

const GRANT_TYPE: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";
/// "This value has a maximum of 1 hour after the issued time."
const LONGEST_LIFE: Duration = Duration::from_secs(60 * 60);
/// Either of them lets an account send messages.
const SCOPES: [&str; 2] = [
    "https://www.googleapis.com/auth/firebase.messaging",
    "https://www.googleapis.com/auth/cloud-platform",
];

#[derive(Deserialize)]
struct Claims {
    iss: String,
    #[serde(default)]
    scope: String,
    aud: String,
    iat: i64,
    exp: i64,
}

/// An OAuth error: its code and description.
struct Fault(&'static str, &'static str);

/// Answers one request for a token; [`None`] when it is never to be answered.
pub(super) async fn answer(world: &World, body: &[u8]) -> Option<Response<Bytes>> {
    let now = world.common.faults.now(&world.clock);
    match world.common.faults.token_outage() {
        None => {}
        Some(TokenOutage::Slow(time)) => sleep(time).await,
        Some(TokenOutage::InvalidGrant) => {
            return Some(refuse(400, Fault("invalid_grant", "Invalid JWT Signature.")));
        }
        Some(TokenOutage::Unavailable) => {
            let fault = Fault("internal_failure", "Backend Error");
            return Some(refuse(503, fault));
        }
        Some(TokenOutage::Silence) => return None,
    }
    Some(match judge(world, body, now) {
        Ok(account) => {
            count(&world.common.counters.access_tokens);
            let token = world.access_tokens.issue(account.project_id(), &world.random, now);
            let body = json!({
                "access_token": token,
                "expires_in": world.access_tokens.life().as_secs(),
                "token_type": "Bearer",
            });
            json_response(200, body.to_string())
        }
        Err(fault) => refuse(400, fault),
    })
}

fn refuse(status: u16, Fault(error, description): Fault) -> Response<Bytes> {
    let body = json!({ "error": error, "error_description": description });
    json_response(status, body.to_string())
}

fn judge<'a>(world: &'a World, body: &[u8], now: Timestamp) -> Result<&'a ServiceAccount, Fault> {
    let parameter = |name: &str| {
        form_urlencoded::parse(body).find_map(|(key, value)| (key == name).then_some(value))
    };
    if parameter("grant_type") != Some(Cow::Borrowed(GRANT_TYPE)) {
        return Err(Fault("unsupported_grant_type", "Invalid grant_type"));
    }
    let Some(assertion) = parameter("assertion") else {
        return Err(Fault("invalid_request", "Missing required parameter: assertion"));
    };
    let Some(token) = JsonWebToken::<Claims>::parse(&assertion) else {
        return Err(Fault("invalid_grant", "Invalid JWT: Failed to parse assertion"));
    };
    let claims = &token.claims;
    let account = world
        .accounts
        .iter()
        .find(|account| account.client_email() == claims.iss)
        .ok_or(Fault("invalid_grant", "Invalid grant: account not found"))?;

    let key = UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, account.public_key());
    let right_key = token.header.kid.as_deref().is_none_or(|name| name == account.private_key_id());
    if token.header.alg != "RS256"
        || !right_key
        || key.verify(token.signed.as_bytes(), &token.signature).is_err()
    {
        return Err(Fault("invalid_grant", "Invalid JWT Signature."));
    }
    if !world.audiences.contains(&claims.aud) {
        return Err(Fault("invalid_grant", "Invalid JWT: Failed audience check"));
    }
    let issued = Timestamp::from_unix_seconds(claims.iat);
    let ends = Timestamp::from_unix_seconds(claims.exp);
    if issued > now || ends <= now || ends <= issued || ends.since(issued) > LONGEST_LIFE {
        return Err(Fault(
            "invalid_grant",
            "Invalid JWT: Token must be a short-lived token (60 minutes) and in a reasonable \
             timeframe. Check your iat and exp values in the JWT claim.",
        ));
    }
    if !claims.scope.split(' ').any(|scope| SCOPES.contains(&scope)) {
        return Err(Fault("invalid_scope", "Invalid OAuth scope or ID token audience provided."));
    }
    Ok(account)
}
