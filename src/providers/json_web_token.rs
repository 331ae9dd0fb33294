//! Compact JSON Web Tokens (RFC 7515), signed as Apple and Google want them.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::Serialize;

/// Header and claims, ready to be signed: two base64url texts with a dot between them.
pub(super) fn unsigned(header: &impl Serialize, claims: &impl Serialize) -> String {
    let part = |value: Result<Vec<u8>, serde_json::Error>| {
        URL_SAFE_NO_PAD.encode(value.expect("a struct of texts and numbers is JSON"))
    };
    format!("{}.{}", part(serde_json::to_vec(header)), part(serde_json::to_vec(claims)))
}

/// The whole token.
pub(super) fn signed(unsigned: &str, signature: &[u8]) -> String {
    format!("{unsigned}.{}", URL_SAFE_NO_PAD.encode(signature))
}
