//! Which server calls: `Authorization: Basic`, checked in the protocol's order.

use std::{sync::Arc, time::Duration};

use base64::{
    Engine as _, alphabet,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use http::{HeaderMap, header};
use tokio::time::timeout;

use super::ApiError;
use crate::{
    app::App,
    domain::{
        address::AddressKey,
        remote_server::{KeyHash, KeyMatch, RemoteServer},
        uuid_text,
    },
};

/// What a server says who it is. It does not print itself.
struct Credentials {
    role: String,
    key: String,
}

/// How long the look-up of a suspect waits for the few there may be at a time.
const SUSPECT_PATIENCE: Duration = Duration::from_secs(2);

/// The server that calls.
///
/// Unknown ids and wrong keys count against the caller's address. Who has too many of them waits for a
/// look into the database, and is told so instead of why; a right key is let in all the same.
pub(super) async fn authenticate(
    app: &App,
    headers: &HeaderMap,
    address: AddressKey,
) -> Result<Arc<RemoteServer>, ApiError> {
    let credentials = credentials(headers)?;
    if credentials.role.contains('@') {
        return Err(ApiError::PersonalKey);
    }
    let place = match app.failure_limiter.is_suspect(address) {
        true => Some(timeout(SUSPECT_PATIENCE, app.suspect_lookups.acquire()).await),
        false => None,
    };
    if let Some(Err(_)) = place {
        return Err(ApiError::TooManyFailures(SUSPECT_PATIENCE));
    }
    let key = KeyHash::of(&credentials.key);
    let matches = |server: &Option<Arc<RemoteServer>>| {
        server.as_ref().and_then(|server| server.matches(&key, app.clock.now()))
    };
    let mut server = match uuid_text::parse(&credentials.role) {
        Some(uuid) => app.registry.find_server(uuid).await?,
        None => None,
    };
    let mut matched = matches(&server);
    if let (Some(remembered), None) = (&server, matched) {
        // Another process may have given it another key within the second that it is remembered for.
        server = app.registry.find_server_now(remembered.uuid).await?.map(Arc::new);
        matched = matches(&server);
    }
    drop(place);
    let (Some(server), Some(matched)) = (&server, matched) else {
        app.failure_limiter.failed(address).map_err(ApiError::TooManyFailures)?;
        return Err(match server {
            None => ApiError::UnknownServer(credentials.role),
            Some(_) => ApiError::WrongKey(credentials.role),
        });
    };
    if server.deactivated {
        return Err(ApiError::Deactivated);
    }
    if matched == KeyMatch::Current && server.previous_key.is_some() {
        // The new key has arrived where it belongs: the previous one dies now, or with the next request.
        if let Err(error) = app.registry.forget_previous_key(server).await {
            tracing::warn!(event = "server.previous_key_kept", %error, "a previous key lives a little longer");
        }
    }
    Ok(Arc::clone(server))
}

fn credentials(headers: &HeaderMap) -> Result<Credentials, ApiError> {
    let value = headers.get(header::AUTHORIZATION).ok_or(ApiError::MissingAuthorization)?;
    // Not every byte of a header is text; none of ours is anything else.
    let value = value.to_str().map_err(|_| ApiError::InvalidAuthorization)?;
    let mut words = value.split_ascii_whitespace();
    let (Some(scheme), Some(encoded), None) = (words.next(), words.next(), words.next()) else {
        return Err(ApiError::InvalidAuthorization);
    };
    if !scheme.eq_ignore_ascii_case("basic") {
        return Err(ApiError::NotBasic);
    }
    decode(encoded).ok_or(ApiError::InvalidAuthorization)
}

fn decode(encoded: &str) -> Option<Credentials> {
    // As lenient as the reference: what is not of the alphabet is skipped, padding is needed.
    let is_of_alphabet =
        |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'=');
    let bare: Vec<u8> = encoded.bytes().filter(is_of_alphabet).collect();
    let config = GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::RequireCanonical)
        .with_decode_allow_trailing_bits(true);
    let decoded = GeneralPurpose::new(&alphabet::STANDARD, config).decode(bare).ok()?;
    let text = String::from_utf8(decoded).ok()?;
    let (role, key) = text.split_once(':')?;
    if key.contains(':') {
        return None;
    }
    Some(Credentials { role: role.to_owned(), key: key.to_owned() })
}
