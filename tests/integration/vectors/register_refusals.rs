//! V23 to V32, V35 and V39: forms that `push/register` refuses.

use serde_json::{Value, json};

use super::{bad_request, one_server, said};

#[tokio::test(flavor = "multi_thread")]
async fn v023_a_missing_token_is_named() {
    let form = [("user_id", "42"), ("token_kind", "2")];
    assert_eq!(answer_to(&form).await, missing("token"));
}

#[tokio::test(flavor = "multi_thread")]
async fn v024_a_missing_kind_is_named() {
    let form = [("user_id", "42"), ("token", "111222")];
    assert_eq!(answer_to(&form).await, missing("token_kind"));
}

#[tokio::test(flavor = "multi_thread")]
async fn v025_an_unknown_kind_is_refused() {
    let form = [("user_id", "42"), ("token", "111222"), ("token_kind", "17")];
    assert_eq!(answer_to(&form).await, bad_request("Invalid token type"));
}

#[tokio::test(flavor = "multi_thread")]
async fn v026_a_kind_that_is_a_word_is_no_json() {
    let form = [("user_id", "42"), ("token", "111222"), ("token_kind", "abc")];
    assert_eq!(answer_to(&form).await, bad_request("token_kind is not valid JSON"));
}

#[tokio::test(flavor = "multi_thread")]
async fn v027_a_kind_in_quotes_is_no_integer() {
    let form = [("user_id", "42"), ("token", "111222"), ("token_kind", "\"2\"")];
    assert_eq!(answer_to(&form).await, bad_request("token_kind is not an integer"));
}

#[tokio::test(flavor = "multi_thread")]
async fn v028_a_token_of_5000_characters_is_too_long() {
    let token = "x".repeat(5000);
    let form = [("user_id", "42"), ("token", &token), ("token_kind", "2")];
    assert_eq!(answer_to(&form).await, bad_request("Empty or invalid length token"));
}

#[tokio::test(flavor = "multi_thread")]
async fn v029_an_empty_token_is_refused() {
    let form = [("user_id", "42"), ("token", ""), ("token_kind", "2")];
    assert_eq!(answer_to(&form).await, bad_request("Empty or invalid length token"));
}

#[tokio::test(flavor = "multi_thread")]
async fn v030_an_apple_token_is_hexadecimal() {
    let form = [
        ("user_id", "42"),
        ("token", "zz"),
        ("token_kind", "1"),
        ("ios_app_id", "org.zulip.Zulip"),
    ];
    assert_eq!(answer_to(&form).await, bad_request("Invalid APNS token"));
}

#[tokio::test(flavor = "multi_thread")]
async fn v031_an_apple_phone_needs_an_app() {
    let form = [("user_id", "42"), ("token", "1122"), ("token_kind", "1")];
    assert_eq!(answer_to(&form).await, bad_request("Missing ios_app_id"));
}

#[tokio::test(flavor = "multi_thread")]
async fn v032_an_app_is_named_by_letters_digits_dots_and_hyphens() {
    let form =
        [("user_id", "42"), ("token", "1122"), ("token_kind", "1"), ("ios_app_id", "'; tables --")];
    assert_eq!(answer_to(&form).await, bad_request("ios_app_id has invalid format"));
}

#[tokio::test(flavor = "multi_thread")]
async fn v035_a_phone_of_nobody_is_refused() {
    let form = [("token", "111222"), ("token_kind", "2")];
    assert_eq!(answer_to(&form).await, bad_request("Missing user_id or user_uuid"));
}

#[tokio::test(flavor = "multi_thread")]
async fn v039_a_user_uuid_that_is_none_is_refused() {
    let form = [("user_uuid", "not-a-uuid"), ("token", "111222"), ("token_kind", "2")];
    assert_eq!(answer_to(&form).await, bad_request("Invalid UUID"));
}

/// What a registration with this form is answered; nothing is stored.
async fn answer_to(form: &[(&str, &str)]) -> (u16, Value) {
    let (world, server) = one_server("").await;
    let form: Vec<_> = form.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
    let answer = said(&server.form("push/register", &form).await);
    assert!(world.devices().await.is_empty());
    world.shutdown().await;
    answer
}

/// The refusal of a form that lacks this parameter.
fn missing(name: &str) -> (u16, Value) {
    let message = format!("Missing '{name}' argument");
    let code = "REQUEST_VARIABLE_MISSING";
    (400, json!({"result": "error", "msg": message, "var_name": name, "code": code}))
}
