//! How Google is asked for an access token.

use std::{sync::atomic::AtomicBool, time::Duration};

use bytes::Bytes;
use http::{HeaderValue, Request, Uri, header};
use serde::Deserialize;
use tokio::time::Instant;

use super::{AccessTokenError, AccessTokens, Token};
use crate::outbound::{Body, Patience, Reply, SendError};

/// Renewed when this part of its life is over; the old one serves until the new one is there.
const RENEW_AT_PERCENT: u32 = 80;

/// A token is not used in its last seconds: it must still live when the message arrives.
const MARGIN: Duration = Duration::from_secs(30);

/// How long one renewal may take: half of it until there is a connection.
const RENEWAL_TIMEOUT: Duration = Duration::from_secs(10);

/// The connections are ours alone.
const OURSELVES: i64 = 0;

#[derive(Deserialize)]
struct Answer {
    access_token: String,
    expires_in: u32,
}

#[derive(Deserialize)]
struct Refusal {
    error: Option<String>,
}

impl AccessTokens {
    /// A new token; or why there is none, with the answer if there was one.
    pub(super) async fn fetch(&self) -> Result<Token, (AccessTokenError, Option<Reply>)> {
        let shared = &self.shared;
        let asked_at = shared.clock.running();
        let request = self.request().map_err(|error| (error, None))?;
        let (request, body) = (request.0, Body { own: Bytes::new(), shared: request.1 });
        let half = RENEWAL_TIMEOUT / 2;
        let patience = Patience { start_by: Instant::now() + half, answer_within: half };
        let reply = shared.pool.send(OURSELVES, &request, &body, patience).await;
        let reply = reply.map_err(|error| (error.into(), None))?;
        shared.skew.observe(&reply.headers);
        if !reply.is_whole {
            return Err((SendError::Interrupted.into(), Some(reply)));
        }
        if !reply.status.is_success() {
            let refusal: Option<Refusal> = serde_json::from_slice(&reply.body).ok();
            let error = AccessTokenError::Refused {
                status: reply.status.as_u16(),
                // Google's words are short; anything else is not repeated.
                word: refusal.and_then(|refusal| refusal.error).filter(|word| is_word(word)),
            };
            return Err((error, Some(reply)));
        }
        let unusable = || (AccessTokenError::Unusable, None);
        let answer: Answer = serde_json::from_slice(&reply.body).map_err(|_| unusable())?;
        let mut header = HeaderValue::try_from(format!("Bearer {}", answer.access_token))
            .map_err(|_| unusable())?;
        header.set_sensitive(true);
        let life = Duration::from_secs(answer.expires_in.into());
        if life <= MARGIN {
            return Err(unusable());
        }
        Ok(Token {
            header,
            renew_at: asked_at + life * RENEW_AT_PERCENT / 100,
            ends_at: asked_at + life.saturating_sub(MARGIN),
            ends: shared.clock.now() + life,
            is_refused: AtomicBool::new(false),
        })
    }

    fn request(&self) -> Result<(Request<()>, Bytes), AccessTokenError> {
        let shared = &self.shared;
        let assertion =
            shared.account.assertion(&shared.token_uri, shared.skew.now(), &shared.random);
        let form = form_urlencoded::Serializer::new(String::new())
            .append_pair("grant_type", "urn:ietf:params:oauth:grant-type:jwt-bearer")
            .append_pair("assertion", &assertion)
            .finish();
        let uri: Uri = shared.token_uri.parse().map_err(|_| AccessTokenError::Unusable)?;
        let mut request =
            Request::post(uri).body(()).expect("the address was parsed the line before");
        let form_type = HeaderValue::from_static("application/x-www-form-urlencoded");
        request.headers_mut().insert(header::CONTENT_TYPE, form_type);
        Ok((request, form.into()))
    }
}

fn is_word(text: &str) -> bool {
    text.len() <= 64 && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_')
}
