//! What Apple demands of a request before it looks at the device.
//!
//! The rules are those of Apple's
//! [documentation](https://developer.apple.com/documentation/usernotifications/sending-notification-requests-to-apns).

use http::{HeaderMap, HeaderName, HeaderValue, Method, request::Parts};

use super::reason::Reason;

const PATH: &str = "/3/device/";
const PUSH_TYPES: [&str; 11] = [
    "alert",
    "background",
    "complication",
    "controls",
    "fileprovider",
    "liveactivity",
    "location",
    "mdm",
    "pushtotalk",
    "voip",
    "widgets",
];
/// "The maximum size of a payload is 4 KB."
const LONGEST_PAYLOAD: usize = 4096;
/// "For Voice over Internet Protocol (VoIP) notifications, the maximum payload size is 5 KB."
const LONGEST_VOIP_PAYLOAD: usize = 5120;
/// "The value of this key must not exceed 64 bytes."
const LONGEST_COLLAPSE_ID: usize = 64;
const LONGEST_TOPIC: usize = 255;
/// An address that no device has; Apple knows that.
const NO_DEVICE: [u8; 32] = [0; 32];

pub(super) const APNS_ID: HeaderName = HeaderName::from_static("apns-id");
pub(super) const APNS_TOPIC: HeaderName = HeaderName::from_static("apns-topic");
pub(super) const APNS_PRIORITY: HeaderName = HeaderName::from_static("apns-priority");
pub(super) const APNS_EXPIRATION: HeaderName = HeaderName::from_static("apns-expiration");
pub(super) const APNS_COLLAPSE_ID: HeaderName = HeaderName::from_static("apns-collapse-id");
pub(super) const APNS_PUSH_TYPE: HeaderName = HeaderName::from_static("apns-push-type");

/// Checks method and path; gives the device token as it stands in the path.
pub(super) fn device_token(head: &Parts) -> Result<&str, Reason> {
    let path = head.uri.path();
    let token = match path.strip_prefix(PATH) {
        Some("") => Err(Reason::MissingDeviceToken),
        Some(token) if !token.contains('/') => Ok(token),
        _ if path == "/3/device" => Err(Reason::MissingDeviceToken),
        _ => Err(Reason::BadPath),
    };
    if head.method == Method::POST || token == Err(Reason::BadPath) {
        token
    } else {
        Err(Reason::MethodNotAllowed)
    }
}

/// Checks the headers other than `authorization`; `topics` are the topics allowed, all when there
/// are none.
pub(super) fn check_headers(headers: &HeaderMap, topics: &[String]) -> Result<(), Reason> {
    check_duplicates(headers)?;
    check(headers, &APNS_ID, Reason::BadMessageId, is_canonical_uuid)?;
    check(headers, &APNS_EXPIRATION, Reason::BadExpirationDate, |date| {
        date.parse::<u64>().is_ok()
    })?;
    check(headers, &APNS_PRIORITY, Reason::BadPriority, |priority| {
        matches!(priority, "1" | "5" | "10")
    })?;
    let short = |id: &HeaderValue| id.len() <= LONGEST_COLLAPSE_ID;
    if !headers.get(APNS_COLLAPSE_ID).is_none_or(short) {
        return Err(Reason::BadCollapseId);
    }
    check(headers, &APNS_PUSH_TYPE, Reason::InvalidPushType, |kind| PUSH_TYPES.contains(&kind))?;
    check_topic(headers, topics)
}

/// Checks the payload's length.
pub(super) fn check_payload(headers: &HeaderMap, payload: &[u8]) -> Result<(), Reason> {
    let voip = headers.get(APNS_PUSH_TYPE).is_some_and(|kind| kind == "voip");
    let longest = if voip { LONGEST_VOIP_PAYLOAD } else { LONGEST_PAYLOAD };
    match payload.len() {
        0 => Err(Reason::PayloadEmpty),
        length if length > longest => Err(Reason::PayloadTooLarge),
        _ => Ok(()),
    }
}

/// The bytes behind the hexadecimal digits of a device token.
pub(super) fn decode_token(token: &str) -> Result<Vec<u8>, Reason> {
    let (pairs, rest) = token.as_bytes().as_chunks::<2>();
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let byte = |[high, low]: &[u8; 2]| Some(digit(*high)? << 4 | digit(*low)?);
    let bytes: Option<Vec<u8>> = pairs.iter().map(byte).collect();
    bytes.filter(|bytes| rest.is_empty() && *bytes != NO_DEVICE).ok_or(Reason::BadDeviceToken)
}

fn check(
    headers: &HeaderMap,
    name: &HeaderName,
    reason: Reason,
    good: impl FnOnce(&str) -> bool,
) -> Result<(), Reason> {
    let good = |value: &HeaderValue| value.to_str().is_ok_and(good);
    if headers.get(name).is_none_or(good) { Ok(()) } else { Err(reason) }
}

fn check_duplicates(headers: &HeaderMap) -> Result<(), Reason> {
    let repeated = |name: &HeaderName| {
        (name.as_str().starts_with("apns-") || name == http::header::AUTHORIZATION)
            && headers.get_all(name).iter().count() > 1
    };
    if headers.len() > headers.keys_len() && headers.keys().any(repeated) {
        return Err(Reason::DuplicateHeaders);
    }
    Ok(())
}

fn check_topic(headers: &HeaderMap, topics: &[String]) -> Result<(), Reason> {
    let topic = headers.get(APNS_TOPIC).ok_or(Reason::MissingTopic)?;
    let topic = topic.to_str().map_err(|_| Reason::BadTopic)?;
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_');
    if topic.is_empty() || topic.len() > LONGEST_TOPIC || !topic.bytes().all(plain) {
        return Err(Reason::BadTopic);
    }
    // Push types other than `alert` and `background` have topics of their own below the app's:
    // `….voip`, `….push-type.…`.
    let covers = |allowed: &String| {
        topic
            .strip_prefix(allowed.as_str())
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
    };
    if topics.is_empty() || topics.iter().any(covers) {
        Ok(())
    } else {
        Err(Reason::TopicDisallowed)
    }
}

/// "A canonical UUID, which is 32 lowercase hexadecimal digits, displayed in five groups separated
/// by hyphens in the form 8-4-4-4-12."
fn is_canonical_uuid(id: &str) -> bool {
    id.len() == 36
        && id.bytes().enumerate().all(|(at, byte)| match at {
            8 | 13 | 18 | 23 => byte == b'-',
            _ => matches!(byte, b'0'..=b'9' | b'a'..=b'f'),
        })
}
